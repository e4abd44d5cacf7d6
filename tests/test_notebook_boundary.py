"""What a user loses when these fail: notebooks that show names which may change in any version."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from every_notebook import every_notebook
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
NOTEBOOKS = every_notebook(ROOT / "notebooks")
PUBLIC_MODULES = ("simlib", "simlib.check", "simlib.measuring", "simlib.training")
OF_EVERY_MODULE = {"__file__", "__version__"}


def is_public(dotted: str) -> bool:
    """Whether a name that begins with ``simlib`` is one that users may rely on."""
    if dotted in PUBLIC_MODULES:
        return True
    module = max((m for m in PUBLIC_MODULES if dotted.startswith(f"{m}.")), key=len, default="")
    if not module:
        return False
    name = dotted.removeprefix(f"{module}.").partition(".")[0]
    return name in {*import_module(module).__all__, *OF_EVERY_MODULE}


def trespasses(code: str) -> Iterator[str]:
    """Yield what code imports or reaches of simlib that is not public, and all private attributes.

    Code in a string, such as what is handed to another process, counts too.
    """
    tree = ast.parse(code)
    stands_for = {"simlib": "simlib"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "simlib":
                    stands_for[alias.asname or "simlib"] = alias.name if alias.asname else "simlib"
                    if not is_public(alias.name):
                        yield alias.name
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "simlib":
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}"
                stands_for[alias.asname or alias.name] = dotted
                if node.module not in PUBLIC_MODULES or not is_public(dotted):
                    yield dotted
        elif isinstance(node, ast.Constant) and "import" in str(node.value):
            if re.search(r"^\s*(import|from)\b.*\bsimlib\b", str(node.value), re.MULTILINE):
                yield from trespasses(str(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr.startswith("_") and not node.attr.startswith("__"):
                yield ast.unparse(node)
            first, _, rest = ast.unparse(node).partition(".")
            if re.fullmatch(r"[\w.]+", rest) and first in stands_for:
                if not is_public(f"{stands_for[first]}.{rest}"):
                    yield ast.unparse(node)


def code_of(notebook: Path) -> str:
    cells = nbformat.read(notebook, as_version=4).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code"]
    return "\n".join(map(TransformerManager().transform_cell, sources))  # magics become Python


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_use_public_names_only(notebook):
    code = code_of(notebook)
    assert "import simlib" in code
    assert list(trespasses(code)) == []


def test_readme_uses_public_names_only():
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert "import simlib" in blocks[0]
    assert [name for block in blocks for name in trespasses(block)] == []


@pytest.mark.parametrize(
    ("code", "found"),
    {
        "from simlib.columns import Embeddings": ["simlib.columns.Embeddings"],
        "from simlib.check import packages": ["simlib.check.packages"],
        "from simlib import search": ["simlib.search"],
        "from simlib import *": ["simlib.*"],
        "import simlib.search": ["simlib.search"],
        "import simlib\nsimlib.search.top_k": ["simlib.search.top_k", "simlib.search"],
        "import simlib as s\ns.search": ["s.search"],
        "from simlib import training\ntraining.views": ["training.views"],
        "index._client": ["index._client"],
        "run('import sys, simlib\\nsimlib.search')": ["simlib.search"],
        "import simlib, simlib.check\nsimlib.check.findings()\nsimlib.nearest.__doc__": [],
        "from simlib.measuring import CHANGES\nCHANGES.items()\nsimlib.measuring.compare": [],
        "from simlib.training import train as t\nt().name\nencoder.__class__": [],
    }.items(),
)  # fmt: skip
def test_what_lies_inside_is_noticed(code, found):
    assert list(trespasses(code)) == found
