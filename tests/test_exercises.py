"""What a reader loses when these fail: exercises that tell right from wrong."""

import ast
import builtins
import contextlib
import io
import runpy
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

import simlib

ROOT = Path(__file__).parents[1]
TOOL = runpy.run_path(str(ROOT / "tools" / "make_exercises.py"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*_solutions.ipynb"))


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_exercises_are_those_of_the_solutions(path):
    committed = read(TOOL["exercises_path"](path))
    assert TOOL["as_made"](committed) == TOOL["made"](path), "Run: python tools/make_exercises.py"
    numbers = [exercise.number for exercise in TOOL["exercises_of"](read(path))]
    (notebook,) = path.parents[1].glob(f"{path.name[:2]}_*.ipynb")
    assert numbers == [*TOOL["texts_of"](read(notebook))] == [*range(1, len(numbers) + 1)]


def names(code: str, context: type[ast.expr_context]) -> set[str]:
    """The names that code reads (``ast.Load``) or sets (``ast.Store``); imports set names, too."""
    tree = ast.parse(code)
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, context)}
    if context is ast.Store:
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                found.add(node.name)
    return found


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_a_check_needs_nothing_but_the_answers_and_the_cells_above(path):
    above = set(dir(builtins)).union(*(names(s, ast.Store) for s in TOOL["starts_of"](read(path))))
    for exercise in TOOL["exercises_of"](read(path)):
        own = names(exercise.check, ast.Store)
        unknown = names(exercise.check, ast.Load) - above - own - set(exercise.answers)
        assert not unknown, f"exercise {exercise.number} asks for {unknown}"
        asserted = [
            node for node in ast.walk(ast.parse(exercise.check)) if type(node) is ast.Assert
        ]
        assert asserted and all(node.msg is not None for node in asserted)


def verdict(notebook: str, number: int, **answers: object) -> str:
    """What the check of an exercise prints."""
    (path,) = (path for path in SOLUTIONS if path.name.startswith(notebook))
    (exercise,) = (one for one in TOOL["exercises_of"](read(path)) if one.number == number)
    printed = io.StringIO()
    namespace = {"np": np, "pd": pd, "simlib": simlib, "LABEL": "category"} | answers
    with contextlib.redirect_stdout(printed):
        exec(TOOL["checking"](exercise), namespace)
    return printed.getvalue().strip()


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_an_empty_answer_is_no_error_but_a_sentence(path):
    for exercise in TOOL["exercises_of"](read(path)):
        said = verdict(path.name[:2], exercise.number)
        assert said.startswith("Not there yet: name '")
        nonsense = dict.fromkeys(exercise.answers)
        assert verdict(path.name[:2], exercise.number, **nonsense).startswith("Not")


def small_frame() -> pd.DataFrame:
    """Six pictures of each of three kinds; kinds differ by their embeddings."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"category": ["hat", "shoe", "tie"] * 6, "colour": ["red", "blue"] * 9})
    frame.insert(0, "img_path", [f"{place}.jpg" for place in frame.index])
    middles = rng.normal(size=(3, 48))
    frame["tiny_4"] = list(middles[np.arange(18) % 3] + rng.normal(size=(18, 48)) / 9)
    return frame


FRAME = small_frame()
ROWS = np.stack(FRAME["tiny_4"].to_list())
UNIT = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)


class OneColumn:
    column = "own"


def histogram(pictures, white=True):
    rows = []
    for picture in pictures:
        pixels = np.asarray(picture.resize((64, 64))).reshape(-1, 3)
        if not white:
            pixels = pixels[(pixels < 230).any(axis=1)]
        rows.append(np.bincount((pixels // 64) @ (16, 4, 1), minlength=64) / len(pixels))
    return np.array(rows)


def with_columns(**columns) -> pd.DataFrame:
    return FRAME.assign(**{name: list(rows) for name, rows in columns.items()})


def encoder(name: str, white: bool = True):
    return simlib.make_encoder(
        lambda pictures: histogram(pictures, white), name=name, recipe=name, column=name
    )


def losses(exchange: bool = False) -> pd.DataFrame:
    table = pd.DataFrame(
        [[2.14, 0.14, 3.98, 1.98, 0.14, 4.14], [1.27, 0.87, 1.95, 1.55, 0.87, 1.67],
         [1.47, 1.37, 1.69, 1.59, 1.37, 1.57]],
        index=[0.1, 0.5, 2], columns=["A1", "B1", "C1", "A2", "B2", "C2"],
    )  # fmt: skip
    return table.set_axis([2, 0.5, 0.1]) if exchange else table


MEASURES = pd.DataFrame(
    {"a": [0.9, 0.8, 0.7, 0.6], "b": [0.6, 0.5, 0.2, 0.1]},
    index=["recall@1", "precision@5", "R-precision", "mAP@R"],
)
SHORT = pd.DataFrame(
    {"mean": [0.87, 0.93, 0.94, 0.94], "low": [0.86, 0.92, 0.93, 0.93], "high": [0.9, 0.94, 1, 1]},
    index=[8, 32, 128, 1280],
)
ENCODERS = {"classifier": OneColumn, "image-text": OneColumn}
GLUED = {"image_df": with_columns(own=ROWS, both=np.hstack([UNIT, UNIT])), "encoders": ENCODERS}
NOT_SCALED = {"image_df": with_columns(own=ROWS, both=np.hstack([UNIT, 5 * UNIT]))}
ALL = pd.DataFrame({"index": range(9), "cosine_similarity": np.linspace(1, 0, 9)})
BAGS = {
    "priced_df": pd.DataFrame(
        {"colour": ["red"] * 4 + ["blue"], "category": ["bag", "tie", "bag", "bag", "bag"],
         "price": [9, 1, 3, 5, 2]}
    ), "column": "colour", "wanted": "red", "bags": ["bag"],
}  # fmt: skip


def scores(**values: float) -> dict:
    return {f"colour strength {k[-1]}": {"category": 0.5, "colour": v} for k, v in values.items()}


def faults(before: float, after: float) -> dict:
    return {
        name: {"median similarity": similarity, "precision@5": 0.5}
        for name, similarity in (("flattened_pixels", before), ("centred", after))
    }


def sizes(colours: int) -> dict:
    return {
        f"{side}×{side}": {"values": side * side * colours, "precision@5": 0.5}
        for side in (64, 32, 8)
    }


def flattery(learned_from: float, new: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"before": [0.2, 0.1], "after": [learned_from, new]}, index=["learned from", "new"]
    )


METHODS = pd.DataFrame(
    {"precision@5": [0.5] * 4, "low": [0.4] * 4, "high": [0.6] * 4},
    index=pd.MultiIndex.from_product([["kernel", "lda"], [0.5, 1.0]]),
)


# For each exercise: what is right, what is wrong in it, and a word of the sentence that says so.
CASES = [
    ("00", 1, {"image_df": FRAME, "precision": {1: 0.2, 4: 1.0}}, {"precision": {1: 0.2, 4: 0.5}},
     "is not what"),
    ("00", 2, {"image_df": FRAME, "chance": 5 / 17, "measured": 0.4}, {"chance": 6 / 18},
     "no neighbour of its own"),
    ("01", 1, {"image_df": with_columns(centred=ROWS - ROWS.mean(axis=0)),
               "result": faults(0.96, -0.02)}, {"image_df": with_columns(centred=ROWS)}, "be zero"),
    ("01", 2, {"result": sizes(3)}, {"result": sizes(1)}, "Three colours"),
    ("02", 1, {"part_df": with_columns(own=ROWS, both=ROWS + ROWS[:, ::-1] / 9),
               "encoder": OneColumn}, {"part_df": with_columns(own=ROWS, both=ROWS[:, ::-1])},
     "is it the mirror image"),
    ("02", 2, {"result": {0: {"category": 0.9, "colour": 0.2}, 1: {"category": 0.8, "colour": 0.3},
                          2: {"category": 0.5, "colour": 0.4}}},
     {"result": {w: {"category": 0.9, "colour": 0.2} for w in range(3)}}, "the fewer of a kind"),
    ("03", 1, {"table": losses()}, {"table": losses(exchange=True)}, "near a guess"),
    ("03", 2, {"result": scores(c0=0.3, c1=0.2)}, {"result": scores(c0=0.2, c1=0.3)}, "exchanged"),
    ("04", 1, {"result": {"a": 1.0, "b": 0.97, "c": 0.97, "average": 0.99}},
     {"result": {"a": 1.0, "b": 0.97, "c": 0.97, "average": 0.5}}, "scaled to length 1"),
    ("04", 2, {"everything": ALL, "last": ALL.tail(6)}, {"last": ALL.head(6)}, "least similar"),
    ("05", 1, {"table": MEASURES, "ranks": MEASURES.rank(axis=1, ascending=False)},
     {"ranks": MEASURES.rank(axis=1)}, "ascending=False"),
    ("05", 2, {"short": SHORT}, {"short": SHORT.assign(mean=[0.87, 0.88, 0.89, 0.94])},
     "mean lies"),
    ("05", 3, GLUED | {"leads": {"category": (0.01, 0.0, 0.02)}}, NOT_SCALED, "scale each"),
    ("05", 4, {"first": encoder("one"), "second": encoder("two", white=False)},
     {"second": encoder("two")}, "leaves white out"),
    ("06", 1, {"found": [0.9, 0.8] * 4, "missed": [0.5, 0.4]},
     {"found": [0.5, 0.4] * 4, "missed": [0.9, 0.8]}, "exchanged"),
    ("06", 2, BAGS | {"result": pd.DataFrame({"index": [2, 3]})},
     {"result": pd.DataFrame({"index": [1, 2]})}, "Not all of them are bags"),
    ("06", 3, {"halves": UNIT.astype(np.float16), "recall": [1.0, 0.9, 1.0]},
     {"halves": ROWS.astype(np.float16)}, "length 1"),
    ("07", 1, {"result": flattery(0.7, 0.4)}, {"result": flattery(0.4, 0.7)}, "exchanged"),
    ("07", 2, {"result": METHODS}, {"result": METHODS.assign(low=0.55)}, "outside its interval"),
    ("07", 3, {"pairs": [({1, 2, 3, 4, 5}, {5, 4, 3, 2, 9})] * 3},
     {"pairs": [({1, 2, 3, 4, 5}, {5, 4, 3, 8, 9})] * 3}, "read by the encoder"),
]  # fmt: skip


def test_every_exercise_has_a_case():
    every = [(p.name[:2], e.number) for p in SOLUTIONS for e in TOOL["exercises_of"](read(p))]
    assert [case[:2] for case in CASES] == every


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_a_check_tells_right_from_wrong(case):
    notebook, number, right, wrong, word = case
    assert verdict(notebook, number, **right) == "Right."
    said = verdict(notebook, number, **(right | wrong))
    assert said.startswith("Not yet: ") and word in said


def test_an_exercise_without_a_check_is_named(tmp_path):
    heading = nbformat.v4.new_markdown_cell("## 1 · Alone\n\n**Question.** Is it checked?")
    notebook = nbformat.v4.new_notebook(cells=[heading])
    with pytest.raises(ValueError, match=r"Exercise 1 \(Alone\) has no cell with the tag 'check'"):
        [*TOOL["exercises_of"](notebook)]
