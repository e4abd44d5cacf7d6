"""The two commands of the README: what they install, and what they say when they can't."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED = {
    name: (version, marker)
    for name, version, marker in re.findall(r"^([a-z0-9.-]+)==(\S+)(?: ; (.*?))? \\$", LOCK, re.M)
    if not marker or Requirement(f"x; {marker}").marker.evaluate()
}


def declared() -> list[Requirement]:
    """Return what the lock must hold here: all but Ray, which only a cluster needs."""
    extras = [lines for name, lines in PROJECT["optional-dependencies"].items() if name != "ray"]
    found = [Requirement(line) for line in [*PROJECT["dependencies"], *sum(extras, [])]]
    return [one for one in found if one.marker is None or one.marker.evaluate()]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_the_lock_holds_every_declared_package_within_its_range(requirement):
    version, _ = LOCKED[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_every_locked_package_has_hashes_and_none_names_a_host():
    entries = re.split(r"^(?=\S)", LOCK, flags=re.M)[1:]
    assert len(entries) > 100
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK and "index" not in " ".join(re.findall(r"^-\S+", LOCK, re.M))


def test_what_is_installed_is_what_is_locked():
    from importlib import metadata

    installed = {name: metadata.version(name) for name in map(lambda r: r.name, declared())}
    locked = {name: LOCKED[canonicalize_name(name)][0] for name in installed}
    # A local build, such as 2.15.0+cu132, is the locked version.
    assert {name: version.split("+")[0] for name, version in installed.items()} == locked


def test_conda_users_get_the_same_lock():
    environment = (ROOT / "environment.yml").read_text()
    python = re.search(r"- python=(\S+)", environment).group(1)
    assert PROJECT["requires-python"] == f">={python}"
    pip_section = environment.partition("- pip:")[2].split("\n      - ")[1:]
    assert [line.strip() for line in pip_section] == ["-r requirements.lock"]


def test_ci_and_the_readme_use_the_same_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    readme = (ROOT / "README.md").read_text()
    assert "make lab" in readme and "make test" in readme and "Python 3.11" in readme


@pytest.fixture
def copy_of_project(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", "-s", *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )


def test_a_missing_python_is_named_in_one_sentence(copy_of_project):
    finished = make(copy_of_project, "set-up", "PYTHON=python3.nowhere")
    assert finished.returncode != 0
    assert "There is no python3.nowhere: install Python 3.11" in finished.stdout


def test_an_old_python_is_told_so_in_one_sentence(copy_of_project):
    script = copy_of_project / "tools" / "set_up.py"
    # The script itself decides by sys.version_info, so pretend to be the old one.
    pretend = f"import runpy, sys; sys.version_info = (3, 9, 1);runpy.run_path({str(script)!r})"
    finished = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert finished.returncode != 0
    assert "is Python 3.9. Install Python 3.11" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_too_little_disk_is_told_before_anything_is_installed(copy_of_project):
    script = copy_of_project / "tools" / "set_up.py"
    pretend = (
        "import runpy, shutil, types;"
        "shutil.disk_usage = lambda path: types.SimpleNamespace(free=2_000_000_000);"
        f"runpy.run_path({str(script)!r})"
    )
    finished = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert "has only 2.0 GB left" in finished.stderr and "Traceback" not in finished.stderr
    assert not (copy_of_project / ".venv").exists()


def test_no_network_is_told_in_one_sentence(copy_of_project, monkeypatch):
    """A registry at a closed port of this machine stands for a network that is down."""
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    finished = make(copy_of_project, "set-up", f"PYTHON={sys.executable}")
    assert finished.returncode != 0
    assert "connect to the network, then run the same command again" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("NewConnectionError: failed to establish", "could not be reached"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "is not the one"),
        ("something else", "could not be installed"),
    ],
)
def test_what_pip_reports_becomes_one_sentence(report, sentence):
    source = (ROOT / "tools" / "set_up.py").read_text().removesuffix("main()\n")
    namespace = {"__file__": str(ROOT / "tools" / "set_up.py")}
    exec(source, namespace)
    explained = namespace["explain"](report)
    assert sentence in explained and explained.count("\n") == 0


def test_the_check_names_what_is_missing_with_the_command_that_mends_it(monkeypatch, capsys):
    from importlib import metadata

    from simlib import check

    real = metadata.version

    def version(name):
        if name == "towhee":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "timm" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert check.main() == 1
    lines = capsys.readouterr().out.splitlines()
    missing = {line.split()[1]: line for line in lines if line.startswith("MISSING")}
    assert set(missing) == {"towhee", "timm"}
    assert "python -m pip install 'towhee<1.2,>=1.1.3'" in missing["towhee"]
    assert "is 0.1; run: python -m pip install 'timm>=1.0.9'" in missing["timm"]
    assert lines[-1] == "2 missing."
