"""What a reader of the book loses when these fail: how-tos that run, and a complete reference.

The site itself is tested in tests/browser.
"""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_notebook_boundary import trespasses
from test_papers import public_files

import simlib
import simlib.check
import simlib.measuring
import simlib.training

ROOT = Path(__file__).parents[1]
HOW = sorted((ROOT / "book" / "how").glob("*.md"))
WORKFLOW = ROOT / ".github" / "workflows" / "pages.yml"


def text(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def code_of(page: Path) -> list[str]:
    """Return the Python blocks of a page, without those that need a server."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    return [block for block in blocks if "http://" not in block]


@pytest.fixture
def at_work(tmp_path, monkeypatch):
    """A folder with what the pages take for granted: pictures of two kinds, a query, vectors."""
    image_df = simlib.load_catalogue("sample")
    for category in ("boot", "dress"):
        folder = tmp_path / "pictures" / category
        folder.mkdir(parents=True)
        for path in image_df.loc[image_df["category"] == category, "img_path"].head(6):
            (folder / Path(path).name).write_bytes(Path(path).read_bytes())
    (tmp_path / "query.jpg").write_bytes(Path(image_df["img_path"].iloc[0]).read_bytes())
    vectors = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    return tmp_path


@pytest.mark.parametrize("page", HOW, ids=lambda path: path.stem)
def test_the_code_of_a_how_to_runs_as_it_stands(page, at_work):
    if page.stem == "milvus_server":
        pytest.importorskip("milvus_lite", reason="Milvus Lite has no wheel for this system")
    blocks = code_of(page)
    assert "import simlib" in blocks[0]
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), namespace)
        assert list(trespasses(block)) == []


def test_the_reference_names_every_public_name_once():
    named = re.findall(r"^   simlib\.([\w.]+)$", text("book", "reference.md"), re.M)
    assert len(named) == len(set(named))
    assert {name for name in named if "." not in name} == set(simlib.__all__)
    others = {name for name in named if "." in name}
    for module in (simlib.measuring, simlib.training, simlib.check):
        room = module.__name__.removeprefix("simlib.")
        own = {f"{room}.{name}" for name in module.__all__ if name not in simlib.__all__}
        assert {name for name in others if name.startswith(f"{room}.")} == own


def test_the_contents_list_every_page():
    index = text("book", "index.md")
    patterns = [
        line
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", index, re.M | re.S)
        for line in block.splitlines()
        if line and not line.startswith(":")
    ]
    pages = {f"how/{page.stem}" for page in HOW} | {"reference", "cite", "data/README"}
    assert pages | {"CHANGELOG", "CONTRIBUTING", "SECURITY"} <= set(patterns)
    for page in pages:
        assert (ROOT / "book" / f"{page}.md").exists() or (ROOT / f"{page}.md").exists()


def test_the_books_packages_have_exact_versions():
    lines = [line for line in text("book", "requirements.txt").splitlines() if line[:1] != "#"]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines) and len(lines) > 5
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(names) and {"sphinx", "myst-nb"} <= set(names)


def test_the_site_has_one_address():
    address = ".github.io" + "/"
    own = [path for path in public_files() if address in path.read_text("utf-8")]
    assert [path.relative_to(ROOT).as_posix() for path in own] == ["book/conf.py"]


def test_the_workflow_publishes_what_make_book_builds():
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) for one in used)
    fonts, built = [step for step in steps if "run" in step]
    assert "fonts-noto-cjk" in fonts["run"]
    assert built["run"] == 'make pdf LANGUAGE="en zh"'
    assert list(built["env"]) == ["SIMLIB_BOOK_URL"]  # the one place that knows the address
    assert re.search(
        r"^pdf: set-up\n.*tools/book.py --pdf \$\(IN_LANGUAGE\)$", text("Makefile"), re.M
    )
    ours = set(re.findall(r"uses: (\S+)", text(".github", "workflows", "ci.yml")))
    assert {one for one in used if "pages" not in one} <= ours  # the same pins
    uploaded = [step["with"]["path"] for step in steps if "upload" in step.get("uses", "")]
    assert uploaded == ["book/build/site"]


def test_nothing_that_is_built_is_in_the_repository():
    ignored = text(".gitignore").splitlines()
    assert {"/book/build/", ".book-packages/"} <= set(ignored)
    assert "notebooks" not in {path.name for path in (ROOT / "book").iterdir()}
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert project["urls"]["Repository"] in text("book", "index.md")
