"""The two commands of the README: what they install, and what they say when they can't."""

import ast
import importlib.util
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from simlib import check
from simlib.data_files import restore_hint
from simlib.extras import install_command

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
    found = {Requirement(line) for line in [*PROJECT["dependencies"], *sum(extras, [])]}
    found = {one for one in found if one.marker is None or one.marker.evaluate()}
    return sorted((one for one in found if one.name != "simlib"), key=str)


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
    installed = {name: metadata.version(name) for name in map(lambda r: r.name, declared())}
    locked = {name: LOCKED[canonicalize_name(name)][0] for name in installed}
    # A local build, such as 2.15.0+cu132, is the locked version.
    assert {name: version.split("+")[0] for name, version in installed.items()} == locked


def test_set_up_compiles_what_it_installs():
    if Path(sys.prefix) != ROOT / ".venv" or not (ROOT / ".venv" / "set-up.done").exists():
        pytest.skip("This environment was not made by tools/set_up.py.")
    # A package that is large and that hardly anything imports whole.
    folder = Path(importlib.util.find_spec("sympy").origin).parent
    sources = [path for path in folder.rglob("*.py") if "tests" not in path.parts]
    missing = [path for path in sources if not Path(cache_from_source(str(path))).exists()]
    assert len(sources) > 300 and missing == []


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


def test_the_core_is_light_and_the_extra_all_holds_what_the_check_looks_for():
    core = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert not core & {"torch", "timm", "towhee", "requests", "ipywidgets", "pymilvus"}
    (every,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(every).extras == set(check.EXTRAS)


def test_every_package_of_simlib_is_declared():
    found = {path.parent.relative_to(ROOT) for path in (ROOT / "simlib").rglob("__init__.py")}
    packages = {".".join(path.parts) for path in found} | {"simlib.data"}
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(declared["packages"]) == packages
    assert len(declared["packages"]) == len(packages)


@pytest.fixture
def copy_of_project(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=ignore)
    return tmp_path


@pytest.fixture
def set_up(copy_of_project, monkeypatch):
    """The module tools/set_up.py of the copy."""
    monkeypatch.syspath_prepend(copy_of_project / "tools")
    monkeypatch.delitem(sys.modules, "set_up", raising=False)
    import set_up

    yield set_up
    del sys.modules["set_up"]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    # A make that runs these tests hands its own variables on, such as ARGUMENTS=--slow.
    handed_on = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "ARGUMENTS", "PYTHON", "PORT", "CATALOGUE"}
    own = {name: value for name, value in os.environ.items() if name not in handed_on}
    return subprocess.run(
        ["make", "-s", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1200,
        env=own,
    )


def run_set_up(folder: Path, pretend: str, **variables: str) -> subprocess.CompletedProcess:
    """Run tools/set_up.py where some Python code has changed the world before."""
    script = str(folder / "tools" / "set_up.py")
    code = f"import runpy, sys; {pretend}; sys.argv[1:] = []; "
    code += f"runpy.run_path({script!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | variables
    )


def test_a_missing_python_is_named_in_one_sentence(copy_of_project):
    finished = make(copy_of_project, "set-up", "PYTHON=python3.nowhere")
    assert finished.returncode != 0
    assert "There is no python3.nowhere: install it, or name the Python" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_an_old_python_is_told_so_in_one_sentence(copy_of_project, tmp_path):
    # The script itself decides by sys.version_info, so pretend to be the old one.
    pretend = "sys.version_info = (3, 9, 1)"
    finished = run_set_up(copy_of_project, pretend, PATH=str(tmp_path / "nothing"))
    assert finished.returncode != 0
    assert "simlib needs Python 3.11, 3.12 or 3.13, but " in finished.stderr
    assert "is Python 3.9. Install one of them, or uv" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_an_old_python_can_read_the_tools_that_find_a_newer_one():
    for name in ("set_up.py", "lab.py", "test.py"):
        ast.parse((ROOT / "tools" / name).read_text(), feature_version=(3, 6))


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script as uv")
def test_a_python_that_is_missing_comes_from_uv(copy_of_project, tmp_path, set_up, monkeypatch):
    folder = tmp_path / "with uv"
    folder.mkdir()
    uv = folder / "uv"
    uv.write_text(
        f'#!/bin/sh\necho "$*" >> "{folder}/calls"\n[ "$2" = find ] && echo "{sys.executable}"\n:'
    )
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for asked in ("3.99", "python3.99"):
        assert set_up.choose_python(asked) == set_up.version_of(sys.executable)
    assert (folder / "calls").read_text() == "python install 3.99\npython find 3.99\n" * 2
    uv.unlink()
    with pytest.raises(SystemExit, match="There is no 3.99: install it"):
        set_up.choose_python("3.99")


@pytest.mark.slow
def test_an_environment_of_another_python_is_made_anew(set_up):
    python, version, _ = set_up.version_of(sys.executable)
    set_up.make_venv(python, version)
    kept = Path(set_up.VENV) / "kept"
    kept.touch()
    assert set_up.choose_python(None)[0] == set_up.venv("python")
    set_up.make_venv(python, version)
    assert kept.exists()
    set_up.make_venv(python, (3, 0))
    assert not kept.exists() and set_up.version_of(set_up.venv("python"))[1] == version


@pytest.mark.parametrize(
    ("tool", "given", "module", "passed_on"),
    [
        ("lab", ["--port", "8899", "--debug"], "jupyterlab", ["--port=8899", "--debug"]),
        ("test", ["tests/test_search.py", "-k", "ties"], "pytest", ["--nbval", "-k", "ties"]),
    ],
)
def test_the_tools_set_up_first_and_pass_arguments_on(
    tool, given, module, passed_on, copy_of_project, set_up, monkeypatch
):
    calls = []
    monkeypatch.setattr(set_up, "set_up", lambda asked: calls.append(["set up", asked]))
    monkeypatch.setattr(set_up, "become", lambda *command: calls.append(list(command)))
    monkeypatch.setattr(sys, "argv", [tool, "--python", "3.12", *given])
    runpy.run_path(str(copy_of_project / "tools" / f"{tool}.py"), run_name="__main__")
    first, (python, *command) = calls
    assert first == ["set up", "3.12"] and python == set_up.venv("python")
    assert command[:2] == ["-m", module] and set(passed_on) <= set(command)


def test_the_notebooks_in_another_language_are_laid_and_verified(
    copy_of_project, set_up, monkeypatch
):
    calls = []
    monkeypatch.setattr(set_up, "set_up", lambda asked: None)
    monkeypatch.setattr(set_up, "become", lambda *command: calls.append(list(command)))
    monkeypatch.setattr(subprocess, "check_call", lambda command: calls.append(command))
    monkeypatch.setattr(sys, "argv", ["test", "--language", "zh"])
    runpy.run_path(str(copy_of_project / "tools" / "test.py"), run_name="__main__")
    laying, verifying = calls
    folder = Path(set_up.ROOT, "build", "test-zh")  # not where a reader works
    assert Path(laying[1]).name == "translate.py"
    assert laying[2:] == ["lay", "zh", "--into", str(folder)]
    assert "--nbval" in verifying and verifying[-1] == str(folder / "notebooks")


def test_links_out_of_the_notebooks_open_in_lab(copy_of_project, set_up, monkeypatch):
    """The root is the repository, or README.md and data/ are out of reach; Markdown is rendered."""
    calls = []
    monkeypatch.setattr(set_up, "set_up", lambda asked: None)
    monkeypatch.setattr(set_up, "become", lambda *command: calls.append(command))
    monkeypatch.setattr(sys, "argv", ["lab"])
    runpy.run_path(str(copy_of_project / "tools" / "lab.py"), run_name="__main__")
    options = dict(option.split("=", 1) for option in calls[0] if "=" in option)
    root = Path(options["--notebook-dir"])
    assert root.samefile(set_up.ROOT)
    first = options["--LabApp.default_url"].removeprefix("/lab/tree/")
    assert first == "notebooks/00_setup_and_data.ipynb" and (ROOT / first).is_file()
    settings = ROOT / Path(options["--LabApp.app_settings_dir"]).relative_to(root)
    overrides = json.loads((settings / "overrides.json").read_text())
    viewers = overrides["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]
    assert viewers == {"markdown": "Markdown Preview"}


def test_make_only_calls_the_tools(copy_of_project):
    for call, expected in (
        (["lab", "PORT=8899", "PYTHON=3.12"], '/lab.py --python "3.12" --port 8899'),
        (["test", "ARGUMENTS=-k ties"], "/test.py -k ties"),
        (["test", "LANGUAGE=zh"], "/test.py --language zh"),
        (["lab", "LANGUAGE=zh"], "/lab.py --port 8888 --language zh"),
        (["set-up"], "/set_up.py"),
    ):
        printed = " ".join(make(copy_of_project, "-n", *call).stdout.split())
        assert printed.endswith(f" tools{expected}"), printed


def test_too_little_disk_is_told_before_anything_is_installed(copy_of_project):
    pretend = (
        "import shutil, types;"
        "shutil.disk_usage = lambda path: types.SimpleNamespace(free=2_000_000_000)"
    )
    finished = run_set_up(copy_of_project, pretend)
    assert "has only 2.0 GB left" in finished.stderr and "Traceback" not in finished.stderr
    assert not (copy_of_project / ".venv").exists()


@pytest.mark.slow
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
def test_what_pip_reports_becomes_one_sentence(report, sentence, set_up):
    explained = set_up.explain(report)
    assert sentence in explained and explained.count("\n") == 0


def test_the_check_names_what_is_missing_with_the_command_that_brings_it(monkeypatch, capsys):
    real = metadata.version

    def version(name):
        if name in ("towhee", "joblib"):
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "timm" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert check.main() == 1
    lines = capsys.readouterr().out.splitlines()
    missing = {line.split()[1]: line for line in lines if line.startswith("MISSING")}
    assert set(missing) == {"joblib", "timm"}
    assert "python -m pip install 'joblib>=1.4'" in missing["joblib"]
    assert "is 0.1; run: python -m pip install 'timm>=1.0.9'" in missing["timm"]
    (absent,) = (line for line in lines if line.startswith("absent"))
    assert absent.split()[1] == "towhee" and absent.endswith(install_command("towhee"))
    assert lines[-1] == "2 missing."
    assert check.main(["towhee"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "3 missing."


def test_the_check_says_how_to_get_lost_weights_and_pictures_back(monkeypatch, capsys, tmp_path):
    from simlib import catalogue
    from simlib.networks import clip_compact

    monkeypatch.setattr(clip_compact, "PROJECTIONS", tmp_path / "clip.safetensors")
    shutil.copy(catalogue.SAMPLE_FOLDER / "products.csv", tmp_path)
    monkeypatch.setattr(catalogue, "SAMPLE_FOLDER", tmp_path)
    assert check.main() == 1
    lines = capsys.readouterr().out.splitlines()
    missing = [line for line in lines if line.startswith("MISSING")]
    assert len(missing) == 2 and all(line.endswith(restore_hint()) for line in missing)
    assert "1152 pictures are missing" in missing[1]


def test_the_cloud_set_ups_take_the_lock_and_install_simlib():
    assert (ROOT / ".binder" / "requirements.txt").read_text() == "-r ../requirements.lock\n"
    python = (ROOT / ".binder" / "runtime.txt").read_text()
    assert python == "python-3.11\n"
    post_build = ROOT / ".binder" / "postBuild"
    assert "pip install --no-deps --no-build-isolation -e ." in post_build.read_text()
    assert os.access(post_build, os.X_OK)
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"] == "python tools/set_up.py"
    assert container["image"] == "python:3.11"
