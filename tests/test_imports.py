"""The floors of the house: imports go one way, so that the listing says where a change belongs.

Every import counts: one inside a function, and one for types alone, depend on the other module too.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each line may import from the lines above it. Rooms (sub-packages of simlib) stand among the
# modules of the core; what a room holds may import from the room itself. The interface of all
# encoders stands below the encoders, since columns remember which one filled them.
SIMLIB = """
    arguments data_files extras fonts home listing moving progress synonyms
    encoders.base negation vectors where
    columns images
    storage
    figures
    downloads
    networks
    flatten catalogue
    encoders
    embedding
    query transformer exact
    fit
    search
    plots match
    measuring
    training
    explorer
    reporting
    shards
    milvus
    check
"""
# The core may import these two rooms at once, and any other only inside a function.
FREE_ROOMS = {"encoders", "storage"}
MAKE = """
    drawing captions translations clip_views pin
    clip_words
    clip_model english_or_not
    measure_clip
    measure_multilingual
    emoji_names make_sample recognise train_clip train_multilingual train_simclr
    train_tower
"""


def levels(order: str) -> dict[str, int]:
    """Return the level of each name, counted from the foundation."""
    lines = order.split("\n")
    return {name: level for level, line in enumerate(lines) for name in line.split()}


def place_of(module: str, level: dict[str, int]) -> str:
    """Return the name in the order that a module goes by: its own, or that of its room."""
    return module if module in level else module.partition(".")[0]


def modules_of(folder: Path, package: str = "") -> dict[str, Path]:
    """Return each module's full name and file; a package bears the name of its folder."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found[".".join([*filter(None, [package]), *parts])] = path
    return found


def imports_of(path: Path, modules: dict[str, Path]) -> list[tuple[str, bool]]:
    """Return which of ``modules`` a file imports, and whether not at once but later."""
    found = []

    def add(name: str, lazy: bool) -> None:
        while name not in modules and "." in name:
            name = name.rpartition(".")[0]
        if name in modules:
            found.append((name, lazy))

    def visit(node: ast.AST, lazy: bool) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                add(alias.name, lazy)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            for alias in node.names:
                add(f"{node.module}.{alias.name}", lazy)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            lazy = True
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, lazy)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


def backwards(order: str, modules: dict[str, Path], package: str = "") -> list[str]:
    """Return a line for every import that goes against the order."""
    level = levels(order)
    prefix = f"{package}." if package else ""
    wrong = []
    for module, path in modules.items():
        mine = place_of(module.removeprefix(prefix), level)
        for target, _ in imports_of(path, modules):
            theirs = place_of(target.removeprefix(prefix), level)
            # The public names, "import simlib", load lazily what is asked for: not from inside.
            if target == package or (theirs != mine and level[theirs] >= level[mine]):
                wrong.append(f"{module} imports {target}")
    return wrong


def cycle(modules: dict[str, Path]) -> list[str]:
    """Return the modules of one import cycle, lazy imports included; empty if there is none."""
    graph = {name: {to for to, _ in imports_of(path, modules)} for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def simlib_modules():
    found = modules_of(ROOT / "simlib", "simlib")
    del found["simlib"]  # it names everything and imports nothing until it is asked
    return found


@pytest.fixture(scope="module")
def make_modules():
    return modules_of(ROOT / "data" / "make")


def test_every_module_has_a_place_in_the_order(simlib_modules, make_modules):
    level = levels(SIMLIB)
    assert {place_of(name.removeprefix("simlib."), level) for name in simlib_modules} == set(level)
    assert {name.partition(".")[0] for name in make_modules} == set(levels(MAKE))


def test_simlib_imports_one_way(simlib_modules):
    assert backwards(SIMLIB, simlib_modules, "simlib") == []
    assert cycle(simlib_modules) == []


def test_the_core_loads_a_room_only_when_it_is_needed(simlib_modules):
    rooms = {name.split(".")[1] for name in simlib_modules if name.count(".") > 1} - FREE_ROOMS
    core = [name for name in simlib_modules if name.split(".")[1] not in rooms | FREE_ROOMS]
    assert len(rooms) >= 5 and len(core) >= 10
    early = [
        f"{name} imports {target}"
        for name in core
        for target, lazy in imports_of(simlib_modules[name], simlib_modules)
        if not lazy and target.split(".")[1] in rooms
    ]
    assert early == []


def test_the_scripts_that_make_the_data_import_one_way(make_modules):
    assert backwards(MAKE, make_modules) == []
    assert cycle(make_modules) == []


def test_a_backward_import_and_a_cycle_are_seen(tmp_path):
    """The checks above must be able to fail: on a lazy import and on a cycle within one room."""
    (tmp_path / "room").mkdir()
    for name, source in {
        "low.py": "def f():\n    import high\n",
        "high.py": "import low",
        "room/__init__.py": "",
        "room/one.py": "from room import two",
        "room/two.py": "class C:\n    def f(self):\n        from room.one import C",
    }.items():
        (tmp_path / name).write_text(source)
    modules = modules_of(tmp_path)
    assert backwards("low\nroom\nhigh", modules) == ["low imports high"]
    assert set(cycle({name: path for name, path in modules.items() if "." in name})) == {
        "room.one",
        "room.two",
    }
    assert cycle({name: modules[name] for name in ("low", "high")})
