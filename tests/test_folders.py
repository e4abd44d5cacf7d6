"""What a user loses when these fail: pictures. Each test compares whole trees, byte for byte."""

import errno
import json
import os
import random
import re
import signal
import stat
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import pytest
from file_rights import as_somebody_else

from simlib import flatten
from simlib.flatten import MANIFEST_NAME, move_to_root_folder, undo_move_to_root_folder

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

CATALOGUE = {
    "red/1.jpg": "red shoe",
    "blue/1.jpg": "blue shoe",
    "blue/deep/er/1.jpg": "deep shoe",
    "a/b_1.jpg": "one",
    "a_b/1.jpg": "the other",  # becomes a_b_1.jpg, too
    "top.jpg": "in the root already",
    "red_1.jpg": "has the name that red/1.jpg would get",
    "کفش/👟 1.jpg": "names of all kinds",
    "blue/prices.csv": "all files move, as in the tutorial",
}
FLAT = {
    "red/1.jpg": "red_1-2.jpg",
    "blue/1.jpg": "blue_1.jpg",
    "blue/deep/er/1.jpg": "blue_deep_er_1.jpg",
    "a/b_1.jpg": "a_b_1.jpg",
    "a_b/1.jpg": "a_b_1-2.jpg",
    "کفش/👟 1.jpg": "کفش_👟 1.jpg",
    "blue/prices.csv": "blue_prices.csv",
}


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch):
    """Waiting for the disk guards against a power cut, which no test brings about."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


FEW = {name: CATALOGUE[name] for name in ("red/1.jpg", "red_1.jpg", "blue/deep/er/1.jpg")}
FEW_FLAT = {old: new for old, new in FLAT.items() if old in FEW}


def fill(root, files, empty_folders=("green/none/at/all",)):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    for name in empty_folders:
        (root / name).mkdir(parents=True, exist_ok=True)
    return root


@pytest.fixture
def catalogue(tmp_path):
    fill(tmp_path, CATALOGUE)
    (tmp_path / "red" / "1.jpg").chmod(0o640)
    (tmp_path / "blue" / "deep").chmod(0o700)
    os.utime(tmp_path / "red" / "1.jpg", (1e9, 1e9))
    return tmp_path


def tree(root):
    """Everything that a user could miss: names, contents, kinds, rights, ages."""
    seen = {}
    for path in sorted(Path(root).rglob("*")):
        status = path.lstat()
        content = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes(), status.st_mtime_ns
        seen[path.relative_to(root).as_posix()] = (stat.S_IFMT(status.st_mode), content) + (
            (stat.S_IMODE(status.st_mode),)
        )
    return seen


def contents(root):
    """All contents, sorted, whatever the names: nothing lost, nothing twice."""
    paths = (path for path in Path(root).rglob("*") if not path.name.startswith(".simlib-moves"))
    return sorted(path.read_bytes() for path in paths if path.is_file())


def moves(frame):
    assert list(frame.columns) == ["from", "to"]
    return dict(zip(frame["from"], frame["to"], strict=True))


# The ordinary case


def test_every_file_reaches_the_root_and_none_is_overwritten(catalogue):
    before = contents(catalogue)
    assert moves(move_to_root_folder(catalogue, catalogue)) == FLAT
    assert contents(catalogue) == before
    for old, new in FLAT.items():
        assert (catalogue / new).read_text() == CATALOGUE[old]
    assert (catalogue / "red_1.jpg").read_text() == CATALOGUE["red_1.jpg"]
    assert [path for path in catalogue.iterdir() if path.is_dir()] == []


def test_undo_puts_everything_back_exactly(catalogue):
    before = tree(catalogue)
    move_to_root_folder(catalogue, catalogue)
    assert moves(undo_move_to_root_folder(catalogue)) == {new: old for old, new in FLAT.items()}
    assert tree(catalogue) == before
    assert undo_move_to_root_folder(catalogue).empty
    assert tree(catalogue) == before


def test_the_list_of_moves_is_on_the_disk_before_the_first_file_moves(catalogue, monkeypatch):
    events = []
    link = os.link
    monkeypatch.setattr(os, "fsync", lambda _: events.append("synced"))
    monkeypatch.setattr(os, "link", lambda *a, **k: (events.append("moved"), link(*a, **k)))
    move_to_root_folder(catalogue, catalogue)
    assert events == ["synced", "synced"] + ["moved"] * len(FLAT)  # the manifest, and its name


def test_nothing_is_printed(catalogue, capfd):
    move_to_root_folder(str(catalogue), str(catalogue))
    undo_move_to_root_folder(str(catalogue))
    assert capfd.readouterr() == ("", "")


def test_dry_run_shows_the_plan_and_touches_nothing(catalogue):
    before = tree(catalogue)
    plan = move_to_root_folder(catalogue, catalogue, dry_run=True)
    assert tree(catalogue) == before
    assert plan.equals(move_to_root_folder(catalogue, catalogue))


def test_a_flat_folder_is_left_as_it_is(catalogue):
    move_to_root_folder(catalogue, catalogue)
    before = tree(catalogue)
    for dry_run in (True, False):
        assert move_to_root_folder(catalogue, catalogue, dry_run).empty
    assert tree(catalogue) == before


def test_a_folder_that_was_always_flat_gets_no_manifest(tmp_path):
    fill(tmp_path, {"1.jpg": "1", "a/.hidden": "h", "a/b/.hidden": "h"}, ())
    before = tree(tmp_path)
    assert move_to_root_folder(tmp_path, tmp_path).empty
    assert tree(tmp_path) == before


def test_a_single_folder_can_be_emptied_into_the_root(catalogue):
    before = tree(catalogue)
    frame = move_to_root_folder(catalogue, catalogue / "blue")
    assert moves(frame) == {old: new for old, new in FLAT.items() if old.startswith("blue/")}
    assert not (catalogue / "blue").exists() and (catalogue / "red" / "1.jpg").exists()
    move_to_root_folder(catalogue, catalogue)  # and later the rest
    undo_move_to_root_folder(catalogue)
    assert tree(catalogue) == before


def test_pictures_that_arrive_later_are_moved_later_and_undone_together(catalogue):
    move_to_root_folder(catalogue, catalogue)
    fill(catalogue, {"blue/1.jpg": "new"}, ())
    assert moves(move_to_root_folder(catalogue, catalogue)) == {"blue/1.jpg": "blue_1-2.jpg"}
    with pytest.warns(UserWarning, match="'blue_1.jpg': 'blue/1.jpg' exists"):
        undo_move_to_root_folder(catalogue)
    assert (catalogue / "blue" / "1.jpg").read_text() == "new"
    assert (catalogue / "blue_1.jpg").read_text() == CATALOGUE["blue/1.jpg"]
    (catalogue / "blue" / "1.jpg").rename(catalogue / "blue" / "new.jpg")
    with pytest.warns(UserWarning, match="'blue_1-2.jpg': no longer there"):
        assert moves(undo_move_to_root_folder(catalogue)) == {"blue_1.jpg": "blue/1.jpg"}
    assert not (catalogue / MANIFEST_NAME).exists()


# Names


@pytest.mark.parametrize(
    "first, second",
    [("Red/1.JPG", "red_1.jpg"), ("é/1.jpg", "e\u0301_1.jpg"), ("STRASSE/1.jpg", "straße_1.jpg")],
)
def test_names_that_another_disk_takes_for_one_are_kept_apart(first, second, tmp_path):
    fill(tmp_path, {first: "first", second: "second"}, ())
    (new,) = moves(move_to_root_folder(tmp_path, tmp_path)).values()
    stem, suffix = os.path.splitext(first.replace("/", "_"))
    assert new == f"{stem}-2{suffix}"


def test_a_flat_name_spares_folders_and_links_too(tmp_path):
    fill(tmp_path, {"a/b": "file", "a_b/c": "file in a folder called a_b"}, ())
    os.symlink("nowhere", tmp_path / "a_b_c")
    before = tree(tmp_path)
    with pytest.warns(UserWarning, match="'a_b_c': a symlink"):
        frame = move_to_root_folder(tmp_path, tmp_path)
    assert moves(frame) == {"a/b": "a_b-2", "a_b/c": "a_b_c-2"}
    undo_move_to_root_folder(tmp_path)
    assert tree(tmp_path) == before


def test_names_too_long_for_the_disk_are_shortened_and_stay_distinct(tmp_path):
    files = {f"{'é' * 100}/{'👟' * 40}{letter}.jpg": letter for letter in "xyz"}
    fill(tmp_path, files, ())
    before = tree(tmp_path)
    new = moves(move_to_root_folder(tmp_path, tmp_path))
    assert len({name.lower() for name in new.values()}) == 3
    for old, name in new.items():
        assert len(name.encode()) <= 255 and name.endswith(".jpg")
        assert (tmp_path / name).read_text() == files[old]
    undo_move_to_root_folder(tmp_path)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["line\nbreak.jpg", 'quo"te\\.jpg', "\udcff.jpg", "no suffix"])
def test_odd_names_come_back(name, tmp_path):
    try:
        fill(tmp_path, {f"a/{name}": "odd"}, ())
    except OSError:
        pytest.skip("this disk does not store such a name")
    before = tree(tmp_path)
    assert moves(move_to_root_folder(tmp_path, tmp_path)) == {f"a/{name}": f"a_{name}"}
    undo_move_to_root_folder(tmp_path)
    assert tree(tmp_path) == before


# What stays


def test_hidden_files_and_links_stay_with_their_folders(tmp_path):
    outside = fill(tmp_path / "outside", {"precious.jpg": "precious"}, ())
    root = fill(
        tmp_path / "root",
        {"a/1.jpg": "1", "a/.DS_Store": "h", ".git/x/config": "h", "b/2.jpg": "2", "c/3.jpg": "3"},
    )
    os.symlink(outside, root / "b" / "folder")
    os.symlink(outside / "precious.jpg", root / "b" / "file.jpg")
    os.symlink("..", root / "b" / "circle")
    before, before_outside = tree(root), tree(outside)
    with pytest.warns(UserWarning, match="3 entries were left where they are") as heard:
        frame = move_to_root_folder(root, root)
    assert len(heard) == 1 and "'b/folder': a symlink" in str(heard[0].message)
    assert heard[0].filename == __file__, "the warning points at the caller"
    assert sorted(frame["from"]) == ["a/1.jpg", "b/2.jpg", "c/3.jpg"]
    assert (root / "a" / ".DS_Store").exists() and (root / "b" / "circle").is_symlink()
    assert not (root / "c").exists() and not (root / "green").exists()
    undo_move_to_root_folder(root)
    assert tree(root) == before and tree(outside) == before_outside


def test_cur_path_must_lie_in_root_path(tmp_path):
    fill(tmp_path, {"root/a/1.jpg": "1", "root2/2.jpg": "2", "root/.git/x": "h"}, ())
    root = tmp_path / "root"
    os.symlink(tmp_path / "root2", root / "link")
    before = tree(tmp_path)
    for outside in (tmp_path, tmp_path / "root2", root / "..", root / "link"):
        with pytest.raises(ValueError, match="cur_path must lie in root_path.*is outside"):
            move_to_root_folder(root, outside)
    with pytest.raises(ValueError, match="hidden folders are left as they are"):
        move_to_root_folder(root, root / ".git")
    with pytest.raises(NotADirectoryError, match="root_path must be a folder.*'missing'"):
        move_to_root_folder("missing", root)
    with pytest.raises(NotADirectoryError, match="cur_path must be a folder"):
        move_to_root_folder(root, root / "a" / "1.jpg")
    with pytest.raises(NotADirectoryError, match="root_path must be a folder"):
        undo_move_to_root_folder(root / "missing")
    assert tree(tmp_path) == before


# Killed at any moment


def start_child(work, action="ignore"):
    """Begin `work` in a process of its own, which ends with it whatever happens: one that an error
    let go on would be a second pytest, talking to the same pipe."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(action)
                code = work() or 0
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    return child


def exit_code(child):
    """Wait for a child; its exit code, negative if a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_a_child(work):
    return exit_code(start_child(work))


STEPS = ["link", "unlink", "rename", "replace", "rmdir", "mkdir", "open", "fchmod", "fsync"]


def killed_at_step(number, work):
    """Run `work`, killed before its `number`-th call that changes the disk; True if it was."""

    def run():
        left, opened = number, os.open

        def counted(call):
            def step(*args, **options):
                nonlocal left
                if call is opened and not args[1] & os.O_CREAT:
                    return call(*args, **options)
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return call(*args, **options)

            return step

        for name in STEPS:
            setattr(os, name, counted(getattr(os, name)))
        work()

    code = in_a_child(run)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def no_hard_links(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")


@needs_fork
@pytest.mark.parametrize("hard_links", [True, False])
def test_killed_at_every_step_the_next_run_completes_it_and_undo_restores(
    hard_links, tmp_path, monkeypatch
):
    if not hard_links:
        monkeypatch.setattr(os, "link", no_hard_links)
    step, killed = 0, True
    while killed:
        root = fill(tmp_path / str(step), FEW)
        before, everything = tree(root), contents(root)
        killed = killed_at_step(step, lambda root=root: move_to_root_folder(root, root))
        assert set(contents(root)) == set(everything)
        if step % 2:  # undo at once, or complete it first
            assert moves(move_to_root_folder(root, root)).items() <= FEW_FLAT.items()
            assert contents(root) == everything
            names = {path.name for path in root.iterdir()} - {".simlib-moves.lock"}
            assert names == {*FEW_FLAT.values(), "red_1.jpg", MANIFEST_NAME}
        undo_move_to_root_folder(root)
        assert tree(root) == before
        step += 1
    assert step > 12


@needs_fork
@pytest.mark.parametrize("hard_links", [True, False])
def test_undo_killed_at_every_step_can_be_called_again(hard_links, tmp_path, monkeypatch):
    if not hard_links:
        monkeypatch.setattr(os, "link", no_hard_links)
    step, killed = 0, True
    while killed:
        root = fill(tmp_path / str(step), FEW)
        before, everything = tree(root), contents(root)
        move_to_root_folder(root, root)
        killed = killed_at_step(step, lambda root=root: undo_move_to_root_folder(root))
        if step % 2:  # the user may also change his mind
            move_to_root_folder(root, root)
            assert contents(root) == everything
        undo_move_to_root_folder(root)
        assert tree(root) == before
        step += 1
    assert step > 12


def call(work, root):
    """Call either of the two, and return nothing, which is a child's exit code 0."""
    work(root, root) if work is move_to_root_folder else work(root)


@needs_fork
def test_killed_at_a_random_moment_nothing_is_lost(tmp_path):
    files = {f"{i % 7}/{i % 3}/{i}.jpg": f"picture {i}" for i in range(300)}
    root = fill(tmp_path, files)
    before, everything = tree(root), contents(root)
    chance = random.Random(0)
    rounds = interrupted = 0
    while rounds < 15 or interrupted < 6:  # more where this process seldom gets its turn in time
        rounds += 1
        for work in (move_to_root_folder, undo_move_to_root_folder):
            child = start_child(lambda work=work: call(work, root))
            time.sleep(chance.uniform(0, 0.04))
            os.kill(child, signal.SIGKILL)
            code = exit_code(child)
            assert code in (0, -signal.SIGKILL)
            interrupted += code != 0
            assert set(contents(root)) == set(everything)
    move_to_root_folder(root, root)
    assert contents(root) == everything and len(list(root.iterdir())) == 301
    undo_move_to_root_folder(root)
    assert tree(root) == before


def test_a_manifest_cut_short_at_any_byte_is_mended(catalogue):
    """The list was being written when the power went: nothing had been moved yet."""
    before = tree(catalogue)
    move_to_root_folder(catalogue, catalogue)
    manifest = (catalogue / MANIFEST_NAME).read_bytes()
    undo_move_to_root_folder(catalogue)
    for length in range(0, len(manifest), 23):
        (catalogue / MANIFEST_NAME).write_bytes(manifest[:length])
        assert moves(move_to_root_folder(catalogue, catalogue)) == FLAT
        undo_move_to_root_folder(catalogue)
        assert tree(catalogue) == before


def test_a_name_taken_since_the_interruption_is_not_overwritten(tmp_path, monkeypatch):
    fill(tmp_path, {"red/1.jpg": "ours", "red/2.jpg": "ours, too"}, ())
    with monkeypatch.context() as patch:
        patch.setattr(flatten, "move_file", lambda *_: "cut off")
        with pytest.warns(UserWarning, match="cut off"):
            assert move_to_root_folder(tmp_path, tmp_path).empty
    (tmp_path / "red_1.jpg").write_text("the user's own")
    assert moves(move_to_root_folder(tmp_path, tmp_path)) == {
        "red/2.jpg": "red_2.jpg",
        "red/1.jpg": "red_1-2.jpg",
    }
    assert (tmp_path / "red_1.jpg").read_text() == "the user's own"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is no conflict: that file was never ours
        undo_move_to_root_folder(tmp_path)
    assert not (tmp_path / MANIFEST_NAME).exists()
    assert (tmp_path / "red" / "1.jpg").read_text() == "ours"
    assert (tmp_path / "red_1.jpg").read_text() == "the user's own"


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_file_that_appears_in_the_last_instant_is_not_overwritten(
    hard_links, tmp_path, monkeypatch
):
    fill(tmp_path, {"red/1.jpg": "ours"}, ())
    link = os.link if hard_links else no_hard_links

    def slow_link(old, new, **options):
        (tmp_path / new).write_text("the user's own")
        return link(old, new, **options)

    monkeypatch.setattr(os, "link", slow_link)
    with pytest.warns(UserWarning, match="'red/1.jpg': 'red_1.jpg' exists"):
        assert move_to_root_folder(tmp_path, tmp_path).empty
    assert (tmp_path / "red" / "1.jpg").read_text() == "ours"
    assert (tmp_path / "red_1.jpg").read_text() == "the user's own"


# Two at once


@needs_fork
@pytest.mark.parametrize("second", [move_to_root_folder, undo_move_to_root_folder])
def test_two_processes_at_once_do_no_harm(second, tmp_path):
    files = {f"{i % 7}/{i}.jpg": f"picture {i}" for i in range(100)}
    for attempt in range(5):
        root = fill(tmp_path / str(attempt), files)
        before, everything = tree(root), contents(root)
        children = [  # warnings are errors: nobody's move may fail
            start_child(lambda work=work, root=root: call(work, root), "error")
            for work in (move_to_root_folder, second, move_to_root_folder)
        ]
        assert [exit_code(child) for child in children] == [0, 0, 0]
        assert contents(root) == everything
        move_to_root_folder(root, root)
        assert len(list(root.iterdir())) == 101
        undo_move_to_root_folder(root)
        assert tree(root) == before


@needs_fork
def test_a_process_that_never_ends_is_named_and_not_waited_for_without_end(catalogue, monkeypatch):
    monkeypatch.setattr(flatten, "LOCK_TIMEOUT", 0.1)
    with flatten._locked(os.path.realpath(catalogue)):
        code = in_a_child(lambda: time_out(catalogue))
    assert code == 42
    assert len(move_to_root_folder(catalogue, catalogue)) == len(FLAT)


def time_out(root):
    try:
        move_to_root_folder(root, root)
    except TimeoutError as error:
        return 42 if "Another process has been working on" in str(error) else 1


# Faults of the disk, and folders that came from elsewhere


@pytest.fixture
def public_folder():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        with as_somebody_else():
            fill(Path(folder) / "root", {"a/1.jpg": "1", "b/2.jpg": "2", "top.jpg": "t"}, ())
        yield Path(folder) / "root"


needs_rights = pytest.mark.skipif(not hasattr(os, "seteuid"), reason="other file rights here")


@needs_rights
def test_a_read_only_root_is_an_error_before_anything_moves(public_folder):
    public_folder.chmod(0o555)
    before = tree(public_folder)
    with as_somebody_else(), pytest.raises(PermissionError, match="Nothing was moved"):
        move_to_root_folder(public_folder, public_folder)
    with as_somebody_else():
        assert len(move_to_root_folder(public_folder, public_folder, dry_run=True)) == 2
    assert tree(public_folder) == before


@needs_rights
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_sub_folder_without_rights_is_named_and_the_rest_is_moved(mode, public_folder):
    (public_folder / "a").chmod(mode)
    before = tree(public_folder)
    with as_somebody_else(), pytest.warns(UserWarning, match="'a.*Permission denied"):
        frame = move_to_root_folder(public_folder, public_folder)
    assert moves(frame) == {"b/2.jpg": "b_2.jpg"}
    assert (public_folder / "a" / "1.jpg").exists() and not (public_folder / "a_1.jpg").exists()
    with as_somebody_else():
        undo_move_to_root_folder(public_folder)
    assert tree(public_folder) == before


@needs_fork
@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_full_disk_moves_nothing_and_leaves_nothing_behind(catalogue):
    import resource

    before = tree(catalogue)

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        try:
            move_to_root_folder(catalogue, catalogue)
        except OSError as error:
            return 42 if "the list of moves cannot be written" in str(error) else 1

    assert in_a_child(work) == 42
    assert tree(catalogue) == before


def test_a_file_on_another_disk_is_named_and_left(catalogue, monkeypatch):
    def link(*_, **__):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    before = contents(catalogue)
    with pytest.warns(UserWarning, match="'red/1.jpg': on another disk"):
        assert move_to_root_folder(catalogue, catalogue).empty
    assert contents(catalogue) == before and (catalogue / "red" / "1.jpg").exists()


@pytest.mark.skipif(os.name == "nt", reason="renames never overwrite there")
def test_a_disk_that_can_neither_link_nor_rename_safely_is_left_alone(catalogue, monkeypatch):
    """Some drivers, such as VirtualBox's, know neither hard links nor a rename to a free name."""
    import ctypes

    monkeypatch.setattr(os, "link", no_hard_links)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: None)
    before = contents(catalogue)
    with pytest.warns(UserWarning, match="the disk can neither link it nor rename it safely"):
        assert move_to_root_folder(catalogue, catalogue).empty
    assert contents(catalogue) == before and (catalogue / "red" / "1.jpg").exists()


def test_undo_never_overwrites_and_can_be_repeated(catalogue):
    move_to_root_folder(catalogue, catalogue)
    fill(catalogue, {"red/1.jpg": "put there since"}, ())
    with pytest.warns(UserWarning, match="1 entries were not put back.*'red/1.jpg' exists"):
        assert len(undo_move_to_root_folder(catalogue)) == len(FLAT) - 1
    assert (catalogue / "red" / "1.jpg").read_text() == "put there since"
    assert (catalogue / "red_1-2.jpg").read_text() == "red shoe"
    (catalogue / "red" / "1.jpg").unlink()
    assert moves(undo_move_to_root_folder(catalogue)) == {"red_1-2.jpg": "red/1.jpg"}
    assert (catalogue / "red" / "1.jpg").read_text() == "red shoe"


def test_undo_names_a_picture_that_was_deleted_since(catalogue):
    move_to_root_folder(catalogue, catalogue)
    (catalogue / "blue_1.jpg").unlink()
    with pytest.warns(UserWarning, match="'blue_1.jpg': no longer there"):
        assert len(undo_move_to_root_folder(catalogue)) == len(FLAT) - 1
    assert not (catalogue / MANIFEST_NAME).exists()


HOSTILE = {
    "upwards": {"from": "../outside/1.jpg", "to": "1.jpg", "inode": 1},
    "absolute": {"from": "/etc/x", "to": "1.jpg", "inode": 1},
    "target upwards": {"from": "a/1.jpg", "to": "../1.jpg", "inode": 1},
    "target absolute": {"from": "a/1.jpg", "to": "/tmp/1.jpg", "inode": 1},
    "the manifest itself": {"from": "a/1.jpg", "to": MANIFEST_NAME, "inode": 1},
    "no text": {"from": 1, "to": "1.jpg", "inode": 1},
    "a folder upwards": {"folder": "../outside", "mode": 0o777},
    "a strange mode": {"folder": "a", "mode": -1},
    "a list": [1, 2],
    "something else": {"command": "rm"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_manifest_is_refused(name, tmp_path):
    fill(tmp_path, {"root/a/1.jpg": "1", "outside/1.jpg": "precious"}, ())
    (tmp_path / "root" / MANIFEST_NAME).write_text(json.dumps(HOSTILE[name]) + "\n")
    before = tree(tmp_path)
    for work in (
        lambda root: move_to_root_folder(root, root),
        lambda root: move_to_root_folder(root, root, dry_run=True),
        undo_move_to_root_folder,
    ):
        with pytest.raises(ValueError, match="Line 1 of .* is not one that simlib wrote"):
            work(tmp_path / "root")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("text", [b"no json\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"\n"])
def test_a_damaged_manifest_is_refused_in_a_sentence(text, catalogue):
    (catalogue / MANIFEST_NAME).write_bytes(text)
    before = tree(catalogue)
    with pytest.raises(ValueError, match="repair the line, or move the file away"):
        move_to_root_folder(catalogue, catalogue)
    assert tree(catalogue) == before


def test_a_manifest_that_is_a_link_is_refused(tmp_path):
    fill(tmp_path, {"root/a/1.jpg": "1", "precious.txt": ""}, ())
    os.symlink(tmp_path / "precious.txt", tmp_path / "root" / MANIFEST_NAME)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="must be a file that simlib wrote"):
        move_to_root_folder(tmp_path / "root", tmp_path / "root")
    with pytest.raises(ValueError, match="must be a file that simlib wrote"):
        undo_move_to_root_folder(tmp_path / "root")
    assert tree(tmp_path) == before


def test_undo_does_not_follow_a_link_that_took_a_folders_place(tmp_path):
    fill(tmp_path, {"root/red/1.jpg": "1", "outside/2.jpg": "2"}, ())
    root = tmp_path / "root"
    move_to_root_folder(root, root)
    os.symlink(tmp_path / "outside", root / "red")
    outside = tree(tmp_path / "outside")
    with pytest.warns(UserWarning, match="'red_1.jpg': a symlink or a file stands in its way"):
        assert undo_move_to_root_folder(root).empty
    assert tree(tmp_path / "outside") == outside
    assert (root / "red_1.jpg").read_text() == "1"


def test_six_thousand_pictures_take_seconds(tmp_path):
    for folder in range(12):
        (tmp_path / str(folder)).mkdir()
        for number in range(500):
            (tmp_path / str(folder) / f"{number}.jpg").touch()
    started = time.process_time()
    assert len(move_to_root_folder(tmp_path, tmp_path)) == 6000
    assert len(undo_move_to_root_folder(tmp_path)) == 6000
    assert time.process_time() - started < 10


# Attacks: the manifest of a downloaded folder, made to reach out of it or to destroy in it


@pytest.fixture
def prey(tmp_path):
    """A root with files of its own, folders outside it, and symlinks from the one to the other."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    fill(root, {"x.jpg": "mine", "empty.py": "", "a/1.jpg": "one", "a/empty.py": ""}, ("none",))
    fill(outside, {"1.jpg": "precious", "empty.txt": ""}, ("private",))
    (outside / "private").chmod(0o700)
    (root / "a").chmod(0o750)
    os.symlink(outside, root / "link")
    os.symlink(outside / "1.jpg", root / "linked.jpg")
    os.symlink("a", root / "inner")
    return root


def attack(root, *lines):
    """Write the lines as the manifest, then call everything; nothing may be lost anywhere."""
    outside = root.parent / "outside"
    before, inside = tree(root.parent / "outside"), contents(root)
    mode = outside.stat().st_mode
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    (root / MANIFEST_NAME).write_text(text)
    said = []
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for work in (
            undo_move_to_root_folder,
            lambda root: move_to_root_folder(root, root, dry_run=True),
            lambda root: move_to_root_folder(root, root),
            undo_move_to_root_folder,
        ):
            try:
                work(root)
            except ValueError as error:
                said.append(str(error))
    assert tree(outside) == before and outside.stat().st_mode == mode
    assert contents(root) == inside
    assert os.readlink(root / "linked.jpg") == str(outside / "1.jpg")
    return " ".join([*said, *(str(each.message) for each in heard)])


MOVE = {"from": "a/2.jpg", "to": "x.jpg", "inode": 1}
FOLDER = {"folder": "a", "mode": 0o755}
UNSOUND = {
    "the same name twice": MOVE | {"from": "x.jpg"},
    "a move within the root": MOVE | {"from": "y.jpg"},
    "a dot on the way": MOVE | {"from": "./x.jpg"},
    "a dot within": MOVE | {"from": "a/./x.jpg"},
    "two dots within": MOVE | {"from": "a/../../outside/2.jpg"},
    "two slashes": MOVE | {"from": "a//x.jpg"},
    "a slash at the end": MOVE | {"from": "a/"},
    "an empty name": MOVE | {"to": ""},
    "a null byte": MOVE | {"from": "a/x\0.jpg"},
    "half a character": MOVE | {"from": "a/\ud800.jpg"},
    "half a character in the target": MOVE | {"to": "\ud800.jpg"},
    "the lock": MOVE | {"to": ".simlib-moves.lock"},
    "a hidden folder": MOVE | {"from": ".git/hooks/post-checkout"},
    "a path longer than any": MOVE | {"from": "a/" * 3000 + "x"},
    "an inode that is true": MOVE | {"inode": True},
    "an inode with a point": MOVE | {"inode": 1.0},
    "an inode below zero": MOVE | {"inode": -1},
    "a huge inode": MOVE | {"inode": 2**200},
    "an inode of 5000 digits": f'{{"from": "a/2.jpg", "to": "x.jpg", "inode": {"9" * 5000}}}\n',
    "names in a list": MOVE | {"from": ["a", "2.jpg"]},
    "no name": MOVE | {"from": None},
    "one key more": MOVE | {"mode": 0o777},
    "one key less": {"from": "a/2.jpg", "to": "x.jpg"},
    "a mode with a point": FOLDER | {"mode": 511.0},
    "a mode that is true": FOLDER | {"mode": True},
    "a mode as text": FOLDER | {"mode": "0777"},
    "a mode of too many bits": FOLDER | {"mode": 0o10000},
    "no mode": FOLDER | {"mode": None},
    "the root itself": FOLDER | {"folder": "."},
    "the folder above": FOLDER | {"folder": ".."},
    "a null byte in a folder": FOLDER | {"folder": "a\0b"},
    "half a character in a folder": FOLDER | {"folder": "\udfff\ud800"},
    "nested too deeply": "[" * 100_000 + "\n",
    "infinity": '{"folder": "a", "mode": Infinity}\n',
    "a number": "7\n",
    "null": "null\n",
}


@pytest.mark.parametrize("name", UNSOUND)
def test_a_line_that_simlib_would_not_write_is_refused(name, prey):
    before = tree(prey)
    assert "is not one that simlib wrote" in attack(prey, UNSOUND[name])
    (prey / MANIFEST_NAME).unlink()
    assert tree(prey) == before


SOUND = {  # of lines that simlib could have written, the first two an earlier version of it
    "a placeholder": [{"placeholder": "empty.py"}, MOVE | {"from": "a/1.jpg", "to": "empty.py"}],
    "a placeholder outside": [
        {"placeholder": "link/empty.txt"},
        MOVE | {"from": "link/empty.txt"},
    ],
    "a symlinked folder": [{"folder": "link", "mode": 0o777}],
    "a folder behind a symlink": [{"folder": "link/private", "mode": 0o777}],
    "a new folder behind a symlink": [{"folder": "link/new", "mode": 0o777}],
    "a symlinked folder inside": [{"folder": "inner", "mode": 0o777}],
    "a symlinked file as a folder": [{"folder": "linked.jpg", "mode": 0o777}],
    "a full folder": [{"folder": "a", "mode": 0o000}],
    "a file as a folder": [{"folder": "x.jpg", "mode": 0o777}],
    "a file out through a symlink": [MOVE | {"from": "link/2.jpg"}],
    "a file onto one outside": [MOVE | {"from": "link/1.jpg"}],
    "a file onto one inside": [MOVE | {"from": "a/1.jpg"}],
    "an empty file onto another": [MOVE | {"from": "a/empty.py", "to": "empty.py"}],
    "a symlink": [MOVE | {"to": "linked.jpg"}],
    "a symlink to a folder": [MOVE | {"to": "link"}],
    "a folder": [MOVE | {"from": "b/a", "to": "a"}],
    "a folder into itself": [MOVE | {"from": "a/a", "to": "a"}],
    "a file under itself": [MOVE | {"from": "x.jpg/1", "to": "x.jpg"}],
    "a file under another": [MOVE | {"from": "empty.py/1", "to": "x.jpg"}],
    "a name too long": [MOVE | {"from": "a/" + "x" * 300}],
    "one file to many places": [MOVE | {"from": f"n{i}/x.jpg"} for i in range(50)],
    "many files to one place": [MOVE | {"to": name} for name in ("x.jpg", "empty.py")],
    "in a ring": [MOVE, {"from": "x.jpg/2.jpg", "to": "a", "inode": 1}],
    "a name like the manifest": [MOVE | {"to": "simlib-moves.jsonl"}],
}


@pytest.mark.parametrize("name", SOUND)
def test_a_line_that_simlib_could_have_written_neither_reaches_out_nor_destroys(name, prey):
    attack(prey, *SOUND[name])
    assert stat.S_IMODE((prey / "a").stat().st_mode) == 0o750


def test_the_right_inode_does_not_help(prey):
    """Both names of a hard link are the same file; one may go, the content never does."""
    os.link(prey / "x.jpg", prey / "a" / "same.jpg")
    inode = (prey / "x.jpg").stat().st_ino
    empty = (prey / "empty.py").stat().st_ino
    before = tree(prey.parent / "outside")
    lines = [
        {"from": "a/same.jpg", "to": "x.jpg", "inode": inode},
        {"from": "link/empty.txt", "to": "empty.py", "inode": empty},
        {"from": "a/empty.py", "to": "empty.py", "inode": empty},
    ]
    (prey / MANIFEST_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.warns(UserWarning, match="not put back"):
        undo_move_to_root_folder(prey)
    assert {b"mine", b"", b"one"} == set(contents(prey)) - {b"precious"}
    assert tree(prey.parent / "outside") == before


def pipe(path):
    os.mkfifo(path)


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(2**40)


def socket_(path):
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)
        server.bind(path.name)


STRANGE = {
    "a pipe": pipe,
    "a socket": socket_,
    "a folder": lambda path: path.mkdir(),
    "a symlink to a file outside": lambda path: path.symlink_to(
        path.parent.parent / "outside" / "empty.txt"
    ),
    "a symlink to nothing": lambda path: path.symlink_to("nowhere"),
    "a symlink to a device": lambda path: path.symlink_to("/dev/zero"),
    "a file of a terabyte": sparse,
}
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")


@needs_pipes
@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("name", [MANIFEST_NAME, ".simlib-moves.lock"])
def test_a_manifest_or_lock_that_is_no_plain_file_is_refused_unread(name, kind, prey, monkeypatch):
    monkeypatch.chdir(prey)
    STRANGE[kind](prey / name)
    outside, inside = tree(prey.parent / "outside"), contents(prey)
    for work in (
        undo_move_to_root_folder,
        lambda root: move_to_root_folder(root, root, dry_run=True),
        lambda root: move_to_root_folder(root, root),
        undo_move_to_root_folder,
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                work(prey)
            except (ValueError, OSError) as error:
                expected = "must be a file that simlib wrote|the folder cannot be locked"
                assert re.search(expected, str(error))
    assert contents(prey) == inside and tree(prey.parent / "outside") == outside
