"""What a notebook asks in the reader's language: declared strings of its code, and their outputs.

``<name>.toml`` in a folder ``queries`` of ``book/locale`` declares them: pairs of code, each said
once in English and once in the other language, and cells that only that edition has. All other code
stays as it is. ``<name>.json`` beside it holds the outputs that then differ, from a real run
(``python tools/translate.py run zh``), and a digest of the code that they are of.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

Cell = dict[str, Any]


class Overlay(NamedTuple):
    """What an edition of a notebook says otherwise."""

    pairs: list[tuple[str, str]]  # of code, and of code in prose: in English, in the language
    added: list[
        dict[str, str]
    ]  # prose and code, and the code of the cell `before` which they stand
    outputs: dict[str, list[Cell]]  # of the cells that differ, by their number among code cells
    digest: str  # of the code that gave these outputs; empty where there are none


def read(path: Path) -> Overlay:
    """Return what a TOML file declares, with the outputs beside it; nothing if there is no file."""
    if not path.is_file():
        return Overlay([], [], {}, "")
    declared = tomllib.loads(path.read_text(encoding="utf-8"))
    kept = path.with_suffix(".json")
    ran = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    pairs = [(pair["en"], pair["said"]) for pair in declared["pair"]]
    return Overlay(pairs, declared.get("added", []), ran.get("outputs", {}), ran.get("digest", ""))


def said(text: str, pairs: list[tuple[str, str]]) -> str:
    """Return a text with its strings in the other language.

    Examples
    --------
    >>> said('nearest("a bag", minus="red")', [('"a bag"', '"包"'), ('"red"', '"红色"')])
    'nearest("包", minus="红色")'
    """
    for english, other in pairs:
        text = text.replace(english, other)
    return text


def code_cells(notebook: Cell) -> list[Cell]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def digest(notebook: Cell) -> str:
    """Return a hash of a notebook's code."""
    code = ["".join(cell["source"]) for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def place_of(notebook: Cell, part: str) -> int:
    """Return where the one code cell is that has a part of code."""
    places = [
        place
        for place, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code" and part in "".join(cell["source"])
    ]
    if len(places) != 1:
        raise ValueError(
            f"{len(places)} code cells of the notebook have {part!r}, before which a cell is to be "
            "added. Name a part of the code that is in one cell only."
        )
    return places[0]


def apply(notebook: Cell, overlay: Overlay) -> None:
    """Make a notebook ask in the other language, with the outputs that this gives.

    Where these are of other code, the cells that ask in it have none: nbval fails there.
    """
    changed = []
    for cell in code_cells(notebook):
        source = "".join(cell["source"])
        cell["source"] = said(source, overlay.pairs).splitlines(keepends=True)
        if "".join(cell["source"]) != source:
            changed.append(cell)
    for number, added in enumerate(overlay.added):
        prose: Cell = {"cell_type": "markdown", "id": f"added-{number}-prose", "metadata": {}}
        prose["source"] = added["prose"].strip().splitlines(keepends=True)
        code: Cell = {"cell_type": "code", "id": f"added-{number}-code", "metadata": {}}
        code |= {"execution_count": None, "outputs": []}
        code["source"] = added["code"].strip().splitlines(keepends=True)
        cells, place = notebook["cells"], place_of(notebook, added["before"])
        cells[place:place] = [prose, code]
        changed.append(code)
    cells = code_cells(notebook)
    is_fresh = overlay.digest == digest(notebook)
    for number, cell in enumerate(cells, 1):
        cell["execution_count"] = number
        if is_fresh and str(number) in overlay.outputs:
            cell["outputs"] = overlay.outputs[str(number)]
        elif not is_fresh and cell in changed:
            cell["execution_count"], cell["outputs"] = None, []
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                output["execution_count"] = number


def keep_outputs(path: Path, ran: Cell, english: Cell) -> None:
    """Keep, beside the TOML file, the outputs of a run that differ from those in English."""
    theirs = {"".join(cell["source"]): cell["outputs"] for cell in code_cells(english)}
    outputs = {}
    for number, cell in enumerate(code_cells(ran), 1):
        source = "".join(cell["source"])
        if "nbval-ignore-output" not in cell["metadata"].get("tags", []) and not _alike(
            cell["outputs"], theirs.get(source, [])
        ):
            outputs[str(number)] = cell["outputs"]
    kept = {"digest": digest(ran), "outputs": outputs}
    text = json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def _alike(ours: list[Cell], theirs: list[Cell]) -> bool:
    """Return whether outputs are the same, but for their number and in how many parts they came."""

    def of(outputs: list[Cell]) -> tuple[str, list[Cell]]:
        printed = ["".join(one["text"]) for one in outputs if one["output_type"] == "stream"]
        return "".join(printed), [one["data"] for one in outputs if "data" in one]

    return of(ours) == of(theirs)
