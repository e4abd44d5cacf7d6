"""What a user loses when these fail: a quick start, and the examples they learn from."""

import ast
import doctest
import os
from pathlib import Path

import pytest
from average_colours import run_python
from quiet_machine import assert_quick

import simlib


def test_import_simlib_loads_nothing_heavy_and_touches_no_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    printed = run_python(
        """
import sys, time
start = time.process_time()
import simlib
took = time.process_time() - start
heavy = {"torch", "numpy", "pandas", "PIL", "matplotlib", "towhee", "timm", "sklearn", "pyarrow"}
print(sorted(heavy & set(sys.modules)), took)
""",
        HOME=str(home),
        SIMLIB_HOME=str(home / "simlib"),
        XDG_CACHE_HOME=str(home / "cache"),
    )
    loaded, seconds = printed.rsplit(maxsplit=1)
    assert loaded == "[]"
    assert_quick(float(seconds), 0.3)
    assert not list(home.iterdir())


def test_embedding_loads_only_what_its_encoder_needs():
    printed = run_python(
        """
import sys, simlib
simlib.load_encoder("pixels"), simlib.embed, simlib.nearest, simlib.load_catalogue
print(sorted({"torch", "matplotlib", "towhee", "timm"} & set(sys.modules)))
"""
    )
    assert printed == "[]\n"


def test_editors_and_type_checkers_see_what_is_loaded_lazily():
    tree = ast.parse(Path(simlib.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {name.asname: node.module for node in block.body for name in node.names}
    assert seen == {name: f"simlib.{module}" for name, module in simlib._MODULE_OF.items()}
    assert list(seen.values()) == sorted(seen.values()) and simlib.__all__ == sorted(seen)
    assert (Path(simlib.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", simlib.__all__)
def test_every_public_name_is_there_with_an_example(name):
    value = getattr(simlib, name)
    assert value.__name__ == name
    assert value.__doc__.strip().splitlines()[0].endswith(".")
    if name != "load_embeddings":  # its example is that of save_embeddings
        assert doctest.DocTestParser().get_examples(value.__doc__)
    assert name in dir(simlib)


def test_a_name_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(AttributeError, match="no attribute 'embedd'.* embed,"):
        _ = simlib.embedd


def test_embed_stays_the_function_after_all_modules_were_imported():
    names = ("columns", "embedding", "search", "storage.cache", "plots", "catalogue", "encoders")
    for name in names:
        __import__(f"simlib.{name}")
    assert callable(simlib.embed) and simlib.embed.__module__ == "simlib.embedding"
    assert os.path.basename(simlib.__file__) == "__init__.py"
