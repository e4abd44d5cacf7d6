"""`pytest --nbval` lets a last digit pass on another computer, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock

pytestmark = pytest.mark.slow  # each starts pytest and a kernel
ROOT = Path(__file__).parents[1]
SOURCE = "print('precision 0.731 of 12 pictures')"
TABLE = "import pandas as pd\npd.DataFrame({'kind': ['hat'], 'precision': [0.731]})"


def cell(source: str, outputs: list, execution_count: int | None = 1):
    return nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=execution_count)


def printed(text: str) -> list:
    return [nbformat.v4.new_output("stream", name="stdout", text=text + "\n")]


def table(precision: str) -> list:
    text = f"  kind  precision\n0  hat      {precision}"
    return [nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=1)]


CASES = {
    "the same": (cell(SOURCE, printed("precision 0.731 of 12 pictures")), True),
    "last digit off by one": (cell(SOURCE, printed("precision 0.732 of 12 pictures")), True),
    "last digit off by two": (cell(SOURCE, printed("precision 0.733 of 12 pictures")), False),
    "a wrong number": (cell(SOURCE, printed("precision 0.831 of 12 pictures")), False),
    "a wrong whole number": (cell(SOURCE, printed("precision 0.731 of 13 pictures")), False),
    "a changed word": (cell(SOURCE, printed("precision 0.731 of 12 photos")), False),
    "a number too many": (cell(SOURCE, printed("precision 0.731 of 12 pictures 0.5")), False),
    "a number fewer": (cell(SOURCE, printed("precision of 12 pictures")), False),
    "no output stored": (cell(SOURCE, []), False),
    "never run": (cell(SOURCE, [], execution_count=None), False),
    "a table's last digit": (
        cell(
            "print('''" + "  kind  precision\n0  hat      0.731" + "''')",
            printed("  kind  precision\n0  hat      0.730"),
        ),
        True,
    ),
    "a wrong sign": (cell("print(0.50)", printed("-0.5")), False),
    "scientific notation": (cell("print(1.25e-07)", printed("1.26e-07")), True),
    "a wrong exponent": (cell("print(1.25e-07)", printed("1.25e-06")), False),
    "a warning": (cell("import warnings; warnings.warn('old')", []), False),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    """Run one notebook a case, all of them in one pytest."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name, (code, _) in CASES.items():
        notebook = nbformat.v4.new_notebook(cells=[code])
        nbformat.write(notebook, folder / f"{name.replace(' ', '_')}.ipynb")
    return verify(folder, "-rA").stdout


def verify(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess:
    """Run pytest on the notebooks in a folder, with the project's conftest.py."""
    command = [
        *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "conftest"),
        *("-p", "no:cacheprovider", "--no-header", f"--rootdir={folder}", str(folder), *options),
    ]
    # This test may run in a worker of pytest-xdist; the pytest that it starts does not.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    environment |= {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200
    )


@pytest.mark.parametrize("name", CASES)
def test_a_notebook_passes_only_with_what_it_shows(name, report):
    verdict = "PASSED" if CASES[name][1] else "FAILED"
    lines = [line for line in report.splitlines() if f"{name.replace(' ', '_')}.ipynb::" in line]
    assert any(line.startswith(verdict) for line in lines), lines or report


def test_all_workers_share_one_new_cache_that_is_removed_at_the_end(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "seen").mkdir()
    for name in ("one", "two"):
        code = (
            "import os, pathlib\n"
            "home = pathlib.Path(os.environ['SIMLIB_HOME'])\n"
            f"seen = pathlib.Path(os.environ['SEEN'], '{name}')\n"
            "_ = seen.write_text(f'{home} {home.is_dir()}')"
        )
        notebook = nbformat.v4.new_notebook(cells=[cell(code, [])])
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    before = os.environ["SIMLIB_HOME"]
    options = ("-n", "2", "--dist", "loadfile")
    finished = verify(tmp_path / "notebooks", *options, SEEN=str(tmp_path / "seen"))
    assert finished.returncode == 0, finished.stdout
    seen = [(tmp_path / "seen" / name).read_text() for name in ("one", "two")]
    home, is_there = seen[0].rsplit(" ", 1)
    assert seen[0] == seen[1] and is_there == "True"
    assert home != before and not Path(home).exists()


def test_a_kernel_that_dies_fails_its_cell_instead_of_hanging(tmp_path):
    deadly = "print('last words', flush=True)\nimport os\nos._exit(1)"
    (tmp_path / "notebooks").mkdir()
    notebook = nbformat.v4.new_notebook(cells=[cell(deadly, printed("last words")), cell("1", [])])
    nbformat.write(notebook, tmp_path / "notebooks" / "deadly.ipynb")
    finished = verify(tmp_path / "notebooks", "-rA")  # nbval by itself would wait 2,000 s
    assert finished.returncode == 1, finished.stdout
    assert "The notebook's kernel died in this cell" in finished.stdout
    assert "2 failed" in finished.stdout


def test_caches_of_killed_runs_go_and_those_in_use_stay(tmp_path):
    folders = [tmp_path / f"simlib-tests-{name}" for name in ("killed", "in-use", "new")]
    for folder in folders:
        (folder / "embeddings").mkdir(parents=True)
        if not folder.name.endswith("new"):
            os.utime(folder, (0, 0))
    (tmp_path / "notebooks").mkdir()
    nbformat.write(
        nbformat.v4.new_notebook(cells=[cell("pass", [])]), tmp_path / "notebooks" / "a.ipynb"
    )
    with FileLock(folders[1] / "in-use.lock"):
        os.utime(folders[1], (0, 0))
        finished = verify(tmp_path / "notebooks", TMPDIR=str(tmp_path))
    assert finished.returncode == 0, finished.stdout
    assert sorted(tmp_path.glob("simlib-tests-*")) == sorted(folders[1:])


def test_notebooks_come_before_the_tests(tmp_path):
    (tmp_path / "test_a.py").write_text("def test_quick(): pass")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell("pass", [])]), tmp_path / "z.ipynb")
    collected = verify(tmp_path, "--collect-only", "-q").stdout.splitlines()
    assert collected[:2] == ["z.ipynb::Cell 0", "test_a.py::test_quick"]


def test_fonts_are_listed_before_a_notebook_could_warn_of_it(tmp_path):
    code = (
        "import os, pathlib\n"
        "print(len(list(pathlib.Path(os.environ['MPLCONFIGDIR']).glob('fontlist-*.json'))))"
    )
    (tmp_path / "notebooks").mkdir()
    notebook = nbformat.v4.new_notebook(cells=[cell(code, printed("1"))])
    nbformat.write(notebook, tmp_path / "notebooks" / "fonts.ipynb")
    finished = verify(tmp_path / "notebooks", MPLCONFIGDIR=str(tmp_path / "matplotlib"))
    assert finished.returncode == 0, finished.stdout
