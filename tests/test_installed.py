"""simlib away from its repository: a wheel in an empty environment, with and without the extras."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from simlib.check import EXTRAS

pytestmark = pytest.mark.slow  # for the wheel and the environments
ROOT = Path(__file__).parents[1]
QUOTE = '"' if os.name == "nt" else "'"
SITE_PACKAGES = Path(pytest.__file__).parents[1]

MAIN_JOB = """
import simlib
from simlib.data_files import data_folder

assert data_folder().parent.samefile(simlib.__path__[0]), data_folder()
image_df = simlib.load_catalogue("sample")
few = image_df.groupby("category").head(2).reset_index(drop=True)
few = simlib.embed(few, simlib.load_encoder("pixels", size=(16, 16)), progress=False)
found = simlib.nearest(few, "flattened_pixels", few.index[0], k=3)
drawn = simlib.plot_similar(few, "flattened_pixels", query_index=0, k_neighbors=3)
measured = simlib.evaluate(few, "flattened_pixels", k=(1,))
print(len(image_df), found["index"].tolist() == drawn["index"].tolist(), len(measured) > 0)
"""
OWN_VECTORS = """
import sys, tempfile
import numpy as np
import simlib

image_df = simlib.load_catalogue("sample").head(40)
image_df["own"] = list(np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32))
assert len(simlib.nearest(image_df, "own", 3, k=5)) == 5
assert len(simlib.plot_similar(image_df, "own", query_index=0, k_neighbors=5)) == 5
assert len(simlib.evaluate(image_df, "own", label_col="colour", k=(1,)))
assert len(simlib.plot_map(image_df, "own", label_col="category", method="pca")) == 40
simlib.find_duplicates(image_df, "own")
assert simlib.report(image_df, path=tempfile.mkdtemp() + "/report.html").is_file()
path = tempfile.mkdtemp() + "/own.parquet"
simlib.save_embeddings(image_df, path)
assert len(simlib.load_embeddings(path)) == 40
print("torch" in sys.modules)
"""
# Each asks for something of one extra, in a folder with pictures/ and picture.heic.
ASKING = {
    "towhee": ["simlib.load_encoder('towhee')"],
    "simclr": ["simlib.load_encoder('simclr')", "simlib.training.train([], '.')"],
    "clip": ["simlib.load_encoder('clip')"],
    "milvus": ["simlib.build_index(image_df, 'own', uri='index.db')"],
    "explorer": ["simlib.explore"],
    "heic": ["simlib.load_image('picture.heic')"],
    "downloads": ["simlib.load_catalogue('clothing')", "simlib.load_catalogue('digikala')"],
    "ray": ["simlib.embed_folder('pictures', 'shards', 'pixels', engine='ray')"],
}
ASK_ALL = """
import json, sys
import numpy as np
import simlib, simlib.training

image_df = simlib.load_catalogue("pictures")
image_df["own"] = [np.ones(4, dtype=np.float32)]
answers = {}
for call in json.loads(sys.argv[1]):
    try:
        eval(call)
    except (ImportError, simlib.ImageError) as error:
        answers[call] = str(error)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of what the distributions are made of, and of things that must not get into them."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "simlib", copy / "simlib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("sample", "models", "make"):
        shutil.copytree(ROOT / "data" / name, copy / "data" / name)
    for name in ("README.md", "general_words.csv"):
        shutil.copy(ROOT / "data" / name, copy / "data")
    (copy / "data" / "index.db").write_text("a user's own")
    yield copy
    shutil.rmtree(copy)


@pytest.fixture(scope="module")
def sdist(project):
    code = "from setuptools import build_meta; build_meta.build_sdist('dist')"
    run([sys.executable, "-c", code], project)
    (path,) = (project / "dist").glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(sdist):
    run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
        + ["--wheel-dir", "wheels", str(sdist)],
        sdist.parent,
    )
    (path,) = (sdist.parent / "wheels").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The Python of an environment with simlib's wheel, and all other packages of this one."""
    folder = tmp_path_factory.mktemp("environment")
    python, site_packages = make_environment(folder, SITE_PACKAGES)
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    run([*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)], folder)
    yield python, site_packages
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def core_environment(environment, tmp_path_factory):
    """The Python of an environment with simlib's wheel and what its core depends on."""
    folder = tmp_path_factory.mktemp("core")
    visible = folder / "visible"
    visible.mkdir()
    for distribution in core_distributions():
        for name in {file.parts[0] for file in distribution.files if file.parts[0] != ".."}:
            if name != "__pycache__" and not (visible / name).exists():
                (visible / name).symlink_to(Path(distribution.locate_file(name)))
    python, _ = make_environment(folder / "venv", environment[1], visible)
    yield python
    shutil.rmtree(folder)


def make_environment(folder: Path, *visible: Path) -> tuple[Path, Path]:
    venv.create(folder, with_pip=False)
    scripts, python = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    python = folder / scripts / python
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site_packages = Path(run([str(python), "-c", code], folder).strip())
    # Paths in a .pth file are searched, but .pth files in them, such as that of an editable
    # install, are not read.
    (site_packages / "visible.pth").write_text("".join(f"{path}\n" for path in visible))
    return python, site_packages


def core_distributions() -> list[metadata.Distribution]:
    """Return the installed distributions that simlib's core depends on, directly or not."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, metadata.Distribution] = {}
    waiting = [(Requirement(line), "") for line in project["dependencies"]]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        if name not in found:
            found[name] = metadata.distribution(name)
            waiting += [(Requirement(line), "") for line in found[name].requires or []]
    assert "torch" not in found and "requests" not in found
    return list(found.values())


def run(command: list[str], folder: Path, status: int = 0, **variables: str) -> str:
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        command,
        cwd=folder,
        env=outside | {"MPLBACKEND": "agg"} | variables,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert finished.returncode == status, finished.stdout + finished.stderr
    return finished.stdout


def test_both_distributions_hold_all_of_simlib_its_data_and_nothing_else(sdist, wheel, project):
    modules = {path.relative_to(project) for path in (project / "simlib").rglob("*.py")}
    data = {
        Path("simlib", path.relative_to(project))
        for path in (project / "data").rglob("*")
        if path.is_file() and (path.parts[-3] == "sample" or path.suffix in {".safetensors"})
    }
    extra = {"simlib/py.typed", "simlib/data/README.md", "simlib/data/sample/products.csv"}
    extra |= {"simlib/data/general_words.csv"}
    expected = {path.as_posix() for path in modules | data} | extra
    assert len(data) == 1152 + 4
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == expected
    with tarfile.open(sdist) as archive:
        members = {name.partition("/")[2] for name in archive.getnames()}
    assert {name.removeprefix("simlib/") if "/data/" in name else name for name in expected} <= (
        members
    )
    of_make = {name for name in members if name.startswith("data/make/")}
    assert of_make == {f"data/make/{name}-LICENSE.txt" for name in ("UNICODE", "WORDNET")}
    assert "data/index.db" not in members


def test_the_main_job_runs_from_an_installed_wheel(environment, tmp_path):
    assert run([str(environment[0]), "-c", MAIN_JOB], tmp_path) == "1152 True True\n"


def test_the_check_finds_all_packages_and_weights_in_an_installed_wheel(environment, tmp_path):
    lines = run([str(environment[0]), "-m", "simlib.check", "all"], tmp_path).splitlines()
    assert lines[-1] == "Everything is here."
    assert sum("weights: " in line for line in lines) == 7


def test_the_core_works_on_own_vectors_and_pixels_without_torch(core_environment, tmp_path):
    assert run([str(core_environment), "-c", OWN_VECTORS], tmp_path) == "False\n"
    assert run([str(core_environment), "-c", MAIN_JOB], tmp_path) == "1152 True True\n"


def test_a_missing_extra_is_answered_with_its_command(core_environment, tmp_path):
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    (tmp_path / "picture.heic").write_bytes(heic)
    (tmp_path / "pictures").mkdir()
    shutil.copy(next((ROOT / "data" / "sample" / "red").iterdir()), tmp_path / "pictures")
    calls = json.dumps(sum(ASKING.values(), []))
    answers = json.loads(run([str(core_environment), "-c", ASK_ALL, calls], tmp_path))
    for extra, calls in ASKING.items():
        command = f"python -m pip install {QUOTE}simlib[{extra}]{QUOTE}"
        for call in calls:
            assert command in answers.get(call, "no answer"), (call, answers.get(call))
            assert "\n" not in answers[call]


def test_the_check_calls_the_extras_absent_unless_they_are_asked_for(core_environment, tmp_path):
    check = [str(core_environment), "-m", "simlib.check"]
    lines = run(check, tmp_path).splitlines()
    assert lines[-1].endswith("absent, all of extras.")
    for extra in EXTRAS:
        command = f"python -m pip install {QUOTE}simlib[{extra}]{QUOTE}"
        assert any(line.startswith("absent") and command in line for line in lines), extra
    lines = run([*check, "milvus"], tmp_path, status=1).splitlines()
    assert {line.split()[1] for line in lines if line.startswith("MISSING")} == {
        "pymilvus",
        "milvus-lite",
    }
    assert lines[-1] == "2 missing."
    run([*check, "milvas"], tmp_path, status=2)
