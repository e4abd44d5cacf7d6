"""Make the exercise notebooks, notebooks/exercises/, from the solved and tested ones.

python tools/make_exercises.py

The text of an exercise is that of the notebook itself, its title and its check those of the
solutions. A check is a cell there with the tag ``check``: assertions whose messages help, below
comments that name the answers::

    # answer: chance = the share of pictures whose nearest neighbour is right by luck
    assert 0 <= chance <= 1, "`chance` is a share, so it lies between 0 and 1."

nbval runs the checks with the solutions. In an exercise a check says what is wrong and raises
nothing; ``tests/test_exercises.py`` shows that it tells right from wrong. What is new has to be run
once, unanswered, so that nbval has outputs to compare with::

    python tools/run_notebooks.py notebooks/exercises/03_exercises.ipynb
"""

from __future__ import annotations

import copy
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
FOLDER = NOTEBOOKS / "exercises"
HEADING = re.compile(r"^## (\d+) · (.+)$", re.M)
ANSWER = re.compile(r"^# answer: (\w+) = (.+)$", re.M)
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class Exercise(NamedTuple):
    """One exercise: its number, its title, and the code of its check in the solutions."""

    number: int
    title: str
    check: str

    @property
    def answers(self) -> dict[str, str]:
        """What each answer is, by its name."""
        return dict(ANSWER.findall(self.check))


def exercises_of(solutions: nbformat.NotebookNode) -> Iterator[Exercise]:
    """Yield the exercises of a notebook of solutions; a ValueError if one can't be checked."""
    number, title, checked = 0, "", True
    for cell in solutions.cells:
        if cell.cell_type == "markdown" and (found := HEADING.search(cell.source)):
            if not checked:
                raise ValueError(f"Exercise {number} ({title}) has no cell with the tag 'check'.")
            number, title, checked = int(found[1]), found[2], False
        elif "check" in cell.metadata.get("tags", []):
            if not ANSWER.search(cell.source):
                raise ValueError(f"The check of exercise {number} ({title}) names no answer.")
            checked = True
            yield Exercise(number, title, cell.source)
    if not checked:
        raise ValueError(f"Exercise {number} ({title}) has no cell with the tag 'check'.")


def starts_of(solutions: nbformat.NotebookNode) -> Iterator[str]:
    """Yield the code before the first exercise: imports, and what all exercises begin with."""
    for cell in solutions.cells:
        if cell.cell_type == "markdown" and HEADING.search(cell.source):
            return
        if cell.cell_type == "code":
            yield cell.source


def texts_of(notebook: nbformat.NotebookNode) -> dict[int, str]:
    """Return the texts of the exercises at a notebook's end, by their numbers."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    listed = text.partition("\n## Exercises\n")[2]
    listed = re.sub(r"\]\((?![a-z]+:|#)", "](../", listed)  # links, seen from the folder below
    items = re.findall(r"^(\d+)\. (.+?)(?=^\d+\. |^\S|\Z)", listed, re.M | re.S)
    return {int(number): item.strip() for number, item in items}


def checking(exercise: Exercise) -> str:
    """Return the check as an exercise has it: it prints what is wrong, or that all is right."""
    assertions = ANSWER.sub("", exercise.check).strip()
    return "\n".join(
        [
            "# Run this to check your answer.",
            "try:",
            textwrap.indent(assertions, "    "),
            "except NameError as error:",
            '    print(f"Not there yet: {error}. Give your answer that name in the cell above.")',
            "except Exception as error:",
            '    print(f"Not yet: {error}")',
            "else:",
            '    print("Right.")',
        ]
    )


def made(solutions_path: Path) -> nbformat.NotebookNode:
    """Return the notebook of exercises that belongs to one of solutions."""
    solutions = nbformat.read(solutions_path, as_version=4)
    number = solutions_path.name[:2]
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    texts = texts_of(notebook)
    title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    cells = [
        nbformat.v4.new_markdown_cell(
            f"# {title}: exercises\n\nThey belong to [the notebook](../{path.name}). Run the "
            "cells before the first exercise, write your code into the empty ones, and run the "
            "check below each: it says what is not right yet. Where a text says *above*, or uses "
            "something that is not here, copy it from the notebook. "
            f"[The solutions](../solutions/{solutions_path.name}) show one way among several."
        ),
        *(nbformat.v4.new_code_cell(source) for source in starts_of(solutions)),
    ]
    for exercise in exercises_of(solutions):
        wanted = [f"# {name}: {what}" for name, what in exercise.answers.items()]
        stub = "\n".join(["# Write your code here. Your answers, by name:", *wanted])
        cells += [
            nbformat.v4.new_markdown_cell(
                f"## {exercise.number} · {exercise.title}\n\n{texts[exercise.number]}"
            ),
            nbformat.v4.new_code_cell(stub),
            nbformat.v4.new_code_cell(checking(exercise)),
        ]
    for place, cell in enumerate(cells):
        cell["id"] = f"exercise-{number}-{place:02d}"  # by itself it would be another each time
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def as_made(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a notebook as it was before it was run."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def exercises_path(solutions_path: Path) -> Path:
    return FOLDER / solutions_path.name.replace("solutions", "exercises")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in sorted((NOTEBOOKS / "solutions").glob("*_solutions.ipynb")):
        target = exercises_path(path)
        try:
            notebook = made(path)
        except (KeyError, ValueError) as error:
            sys.exit(f"{path.name}: {error}")
        if target.exists() and as_made(nbformat.read(target, as_version=4)) == notebook:
            continue  # its outputs are still good
        nbformat.write(notebook, target)
        print(f"To be run: {target}")


if __name__ == "__main__":
    main()
