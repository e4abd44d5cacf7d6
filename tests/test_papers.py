"""The papers of the project say what is true: licences, changelog, contributing, the workflow."""

import hashlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
READ = (".cff", ".ipynb", ".md", ".py", ".toml", ".txt", ".yml")


def text(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def public_files() -> list[Path]:
    """Return the text files that a reader of the repository meets."""
    skipped = {"build", "results", "sample"}
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".github" for part in parts)
        if not hidden and not skipped & set(parts[:-1]) and path.suffix in READ:
            found.append(path)
    return found


def test_the_licenses_are_the_true_texts():
    """By their SHA-256: https://www.apache.org/licenses/LICENSE-2.0.txt, WordNet's, Unicode's."""
    hashes = {
        "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
        "data/make/WORDNET-LICENSE.txt": (
            "a1d9f9278816e5d55c7d35f356f5a86974408858f1d9cf4b7160ff827f93fc85"
        ),
        "data/make/UNICODE-LICENSE.txt": (
            "b49d0e9f8ead51ca8b7df6fec89cc3ae6809198b4b9d43c74216da0118f23f5b"
        ),
    }
    for name, expected in hashes.items():
        content = (ROOT / name).read_bytes().replace(b"\r\n", b"\n")  # as Windows checks it out
        assert hashlib.sha256(content).hexdigest() == expected, name
    assert PROJECT["license"] == "Apache-2.0" and set(PROJECT["license-files"]) == set(hashes)


def test_the_papers_tell_the_same_version():
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", text("CHANGELOG.md"), re.M)
    versions = [tuple(map(int, version.split("."))) for version, _ in released]
    assert released[0][0] == PROJECT["version"] and len(versions) >= 2
    assert versions == sorted(versions, reverse=True)
    for _, date in released[1:]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_the_repository_has_one_address():
    address = PROJECT["urls"]["Repository"]
    assert all(url.startswith(address) for url in PROJECT["urls"].values())
    others = {
        f"{path.relative_to(ROOT)}: {found}"
        for path in public_files()
        for found in re.findall(r"https://github\.com/[\w.-]+/simlib\b", path.read_text("utf-8"))
        if found != address
    }
    assert others == set()


def test_nothing_public_points_outside_the_repository():
    pattern = "../" + "shared"
    wrong = [path for path in public_files() if pattern in path.read_text(encoding="utf-8")]
    assert wrong == []


def test_the_workflow_runs_the_commands_of_ci_everywhere():
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert set(workflow[True]) == {"push", "pull_request", "workflow_dispatch"}  # YAML's "on"
    jobs = workflow["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    systems = {system.partition("-")[0] for system in matrix["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    promised = {
        line.rpartition(" ")[2]
        for line in PROJECT["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    }
    assert promised <= set(matrix["python"])

    steps = [step for job in jobs.values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) for one in used)
    commands = [step["run"] for step in steps if "run" in step]
    targets = set(re.findall(r"^([\w-]+):", text("Makefile"), re.M))
    for command in commands:
        program, name, *_ = command.split()
        there = name in targets if program == "make" else (ROOT / name).is_file()
        assert program in ("make", "python") and there, command
    of_ci = re.findall(r"^make .+$", text(".ci", "run"), re.M)
    assert of_ci == ["make lint", "make test ARGUMENTS=--slow"]
    for target, *arguments in (command.split()[1:] for command in of_ci):
        same = [one.split() for one in commands if one.startswith(f"make {target}")]
        assert any(set(arguments) <= set(one) for one in same), target


def test_lint_names_every_fault_and_fails(tmp_path):
    """All tools run, whatever the first of them finds."""
    makefile = re.sub(r"(?m)^lint: set-up$", "lint:", text("Makefile"))
    (tmp_path / "Makefile").write_text(makefile)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for tool, status in {"ruff": 1, "mypy": 0, "python": 0}.items():
        program = tmp_path / ".venv" / "bin" / tool
        program.write_text(f"#!/bin/sh\necho {tool} $*\nexit {status}\n")
        program.chmod(0o755)

    def lint() -> tuple[int, str]:
        done = subprocess.run(["make", "-s", "lint"], cwd=tmp_path, capture_output=True, text=True)
        return done.returncode, done.stdout

    expected = (
        "ruff check .\nruff format --check .\nmypy\npython tools/translate.py check zh --complete\n"
    )
    code, printed = lint()
    assert code != 0 and printed == expected
    program = tmp_path / ".venv" / "bin" / "ruff"
    program.write_text(program.read_text().replace("exit 1", "exit 0"))
    assert lint() == (0, expected)


@pytest.fixture(scope="module")
def contributing():
    return text("CONTRIBUTING.md")


def test_contributing_lists_every_room_and_every_module_of_the_core(contributing):
    listing = contributing.partition("```text\n")[2].partition("```")[0]
    simlib = ROOT / "simlib"
    names = {path.name for path in simlib.glob("*.py") if not path.name.startswith("_")}
    names |= {f"{path.parent.name}/" for path in simlib.glob("*/__init__.py")}
    listed = set(re.findall(r"^ *([\w.-]+(?:\.py|/)) ", listing, re.M))
    assert names <= listed, sorted(names - listed)
    unknown = [
        name for name in listed if not (simlib / name).exists() and not (ROOT / name).exists()
    ]
    assert unknown == []
    assert len(contributing.splitlines()) < 130  # one page


def test_the_encoder_of_contributing_works_as_it_stands(contributing, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", contributing, re.S)
    encoder_lines = code.partition("class ")[2].partition("\n\n\n")[0].splitlines()
    assert len([line for line in encoder_lines if line.strip()]) <= 20
    namespace: dict = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), namespace)
    image_df, encoder = namespace["image_df"], namespace["encoder"]
    assert encoder.column in image_df and image_df[encoder.column].map(len).unique() == encoder.dim
    printed = capsys.readouterr().out
    assert printed.count("beige") >= 4, printed  # what has the colours of a beige picture is beige
