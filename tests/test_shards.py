"""What a user loses when these fail: days of embedding, or the trust that every picture is in."""

import hashlib
import json
import os
import random
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from average_colours import AverageColours, start_python, truth
from file_rights import as_somebody_else
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import simlib
from conftest import draw_pictures
from simlib import embedding, listing
from simlib.columns import noted_encoders
from simlib.listing import Hole, Picture, find_pictures, list_pictures
from simlib.shards import make
from simlib.shards import run as shards_run
from simlib.shards.files import MANIFEST_NAME, ShardError, locked

damages = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Which only a power cut calls for; that it is waited for has a test of its own."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Sixty pictures in three folders, one of which is no picture."""
    pictures = tmp_path_factory.mktemp("drawn") / "pictures"
    for name in ("bags", "shirts", "shoes"):
        draw_pictures(pictures / name, 20)
    (pictures / "bags" / "005.png").write_bytes(b"not a picture")
    return pictures


@pytest.fixture
def folder(drawn, tmp_path):
    """A copy of them."""
    return Path(shutil.copytree(drawn, tmp_path / "pictures"))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "shards"


@pytest.fixture
def public(drawn):
    """A folder that anyone may write to, with a copy of them; pytest's own are private."""
    with tempfile.TemporaryDirectory() as root:
        for path in (root, shutil.copytree(drawn, Path(root, "pictures"))):
            Path(path).chmod(0o777)
        # What is imported late may be out of somebody else's reach.
        run(root, Path(root, "warm-up"))
        shutil.rmtree(Path(root, "warm-up"))
        yield Path(root)


def run(folder, out, encoder=None, **options):
    options = {"shard_size": 8, "progress": False} | options
    return simlib.embed_folder(folder, out, encoder or AverageColours(), **options)


def contents(out):
    """Every file of the shards with its bytes, but for the lock."""
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != ".lock"}


def change(path, colour):
    """Another picture of the same name, and surely of another time."""
    Image.new("RGB", (24, 16), colour).save(path)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))


def test_every_picture_is_in_the_shards_once_with_its_hash_and_its_embedding(folder, out):
    summary = run(folder, out)
    assert (summary.pictures, summary.embedded, summary.failed) == (60, 59, 1)
    frame = pd.concat(simlib.iterate_shards(out))
    paths = [str(path) for path in find_pictures(folder)]
    assert list(frame["img_path"]) == paths and list(frame.index) == list(range(60))
    hashes = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]
    assert list(frame["content_hash"]) == hashes
    good = frame.loc[frame["status"] == "ok"]
    assert frame["status"].tolist().count("error") == 1 and good["error"].isna().all()
    matrix = np.stack(good["average_colours"])
    np.testing.assert_array_equal(matrix, truth(good["img_path"]))
    (bad,) = frame.loc[frame["status"] == "error"].to_dict("records")
    assert bad["img_path"] == str(folder / "bags" / "005.png") and bad["average_colours"] is None
    assert bad["error"].startswith(f"The picture {bad['img_path']!r} could not be opened: its con")


def test_the_shards_are_one_frame_to_search_and_plain_parquet_to_others(folder, out):
    run(folder, out)
    frame = simlib.load_shards(out)
    pd.testing.assert_frame_equal(frame, pd.concat(simlib.iterate_shards(out)))
    made_by = {"name": "average", "recipe": AverageColours().recipe}
    assert noted_encoders(frame.attrs) == {"average_colours": made_by}
    query = frame["average_colours"].iloc[30]
    assert simlib.nearest(frame.dropna(subset="average_colours"), "average_colours", query, k=1)[
        "cosine_similarity"
    ].iloc[0] == pytest.approx(1)
    plain = pd.read_parquet(out)  # what pandas makes of the whole folder
    assert sorted(plain["path"]) == [
        path.relative_to(folder).as_posix() for path in find_pictures(folder)
    ]
    kind = pq.read_schema(next(out.glob("*.parquet"))).field("average_colours").type
    assert str(kind) == "fixed_size_list<element: float>[192]"


def test_a_second_run_opens_no_picture_and_writes_nothing(folder, out, monkeypatch):
    run(folder, out)
    before = {path: path.stat() for path in out.iterdir() if path.suffix == ".parquet"}
    monkeypatch.setattr(embedding, "read_image_file", None)
    summary = run(folder, out)
    assert (summary.embedded, summary.reused, summary.failed) == (0, 59, 1)
    assert {path: path.stat() for path in before} == before


def test_only_what_changed_is_embedded_and_the_result_is_that_of_a_fresh_run(folder, out, tmp_path):
    run(folder, out)
    change(folder / "shirts" / "003.png", "red")
    (folder / "shoes" / "011.png").unlink()
    (folder / "shirts" / "008.png").rename(folder / "shirts" / "008 renamed.png")
    draw_pictures(folder / "watches", 2)
    os.utime(folder / "bags" / "001.png")  # touched: read again, and found to be the same
    encoder = AverageColours()
    summary = run(folder, out, encoder)
    assert encoder.encoded == summary.embedded == 3
    assert (summary.pictures, summary.failed, summary.removed) == (61, 1, 2)
    run(folder, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_file_is_on_the_disk_before_it_gets_its_name_and_the_name_before_the_next(
    folder, out, monkeypatch
):
    done = []
    replace = os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(os.fstat(descriptor).st_ino))
    monkeypatch.setattr(os, "replace", lambda *names: done.append(names[1]) or replace(*names))
    summary = run(folder, out)
    assert len(done) == 3 * (summary.shards + 2)  # the list is written at both ends
    for file, name, folder_of_name in zip(done[0::3], done[1::3], done[2::3], strict=True):
        assert folder_of_name == out.stat().st_ino
        assert name.name == MANIFEST_NAME or file == name.stat().st_ino


def run_and_watch(folder, out, watch):
    """Run; call ``watch`` before each batch and around each change of the files in ``out``."""

    class Watched(AverageColours):
        def encode_prepared(self, batch):
            watch()
            return super().encode_prepared(batch)

    def watched(function):
        def call(*arguments, **options):
            watch()
            result = function(*arguments, **options)
            watch()
            return result

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "replace", "unlink"):
            patch.setattr(os, name, watched(getattr(os, name)))
        run(folder, out, Watched(), batch_size=4)


def finished(out):
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}


@pytest.mark.parametrize("missing", [24, 5])
def test_killed_at_any_of_its_steps_it_continues_and_ends_in_the_same_bytes(
    tmp_path, monkeypatch, missing
):
    """A kill leaves what is on disk at that moment; a run continues from each such state."""
    monkeypatch.setattr(make, "CHUNK", 4)  # two row groups a shard
    folder, out, fresh = (tmp_path / name for name in ("pictures", "out", "fresh"))
    draw_pictures(folder, 24)
    out.mkdir()
    if missing < 24:  # pictures have come, gone and changed since an earlier run
        run(folder, out, batch_size=4)
        os.utime(folder / "000.png", ns=(0, 0))
        (folder / "001.png").rename(folder / "001 renamed.png")
        shutil.copy(folder / "003.png", folder / "002.png")
        (folder / "003.png").unlink()
        draw_pictures(folder / "new", missing, (32, 32))
    stale = finished(out).items()
    states = []

    def keep_state():
        state = tmp_path / f"state-{len(states)}"
        states.append(shutil.copytree(out, state, ignore=shutil.ignore_patterns(".lock")))

    run_and_watch(folder, out, keep_state)
    run(folder, fresh, batch_size=4)
    assert contents(out) == contents(fresh) and len(states) > 20
    left = []
    for state in states:
        before = finished(state).items() - stale
        encoder = AverageColours()
        summary = run(folder, state, encoder, batch_size=4)
        assert contents(state) == contents(fresh)
        assert before <= finished(state).items(), "a finished shard was made again"
        assert summary.embedded == encoder.encoded
        left.append(encoder.encoded)
    assert left == sorted(left, reverse=True) and (left[0], left[-1]) == (missing, 0)


def test_a_process_that_was_killed_leaves_its_finished_shards_and_no_lock(folder, out, tmp_path):
    script = """
import sys, time
from average_colours import AverageColours
import simlib

class Stops(AverageColours):
    def encode_prepared(self, batch):
        if self.encoded > 30:
            print("here", flush=True)
            time.sleep(600)  # until it is killed
        return super().encode_prepared(batch)

simlib.embed_folder(sys.argv[1], sys.argv[2], Stops(), 8, progress=False)
"""
    process = start_python(script, folder, out)
    try:
        assert process.stdout.readline() == "here\n"
        with pytest.raises(RuntimeError, match="Another process is writing to"):
            run(folder, out)
    finally:
        process.kill()
        process.communicate()
    before = finished(out)
    encoder = AverageColours()
    summary = run(folder, out, encoder)
    assert len(before) >= 4 and before.items() <= finished(out).items()
    assert encoder.encoded == summary.embedded <= 60 - 31
    run(folder, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.dictionaries(st.integers(0, 39), st.integers(0, 3), max_size=40), max_size=4))
def test_the_shards_are_a_function_of_the_folder_whatever_happened_before(states):
    with tempfile.TemporaryDirectory() as root:
        folder, out, fresh = (Path(root, name) for name in ("pictures", "out", "fresh"))
        folder.mkdir()
        before = {}
        for number, state in enumerate([*states, {7: 0, 11: 1, 30: 2}]):
            for file in folder.iterdir():
                if int(file.stem) not in state:
                    file.unlink()
            for name, colour in state.items():
                file = folder / f"{name}.png"
                if before.get(name) != colour or not file.exists():
                    change(file, (colour * 60, name, 0))
                    os.utime(file, ns=(0, number + 1))
            if not state:  # an empty folder is refused, and the shards stay
                with pytest.raises(FileNotFoundError):
                    run(folder, out, shard_size=6)
                continue
            encoder = AverageColours()
            summary = run(folder, out, encoder, shard_size=6)
            changed = [name for name in state if before.get(name) != state[name]]
            assert summary.pictures == len(state)
            assert summary.embedded == encoder.encoded == len(changed)
            assert summary.removed == len(before.keys() - state.keys())
            before = state
        run(folder, fresh, shard_size=6)
        assert contents(out) == contents(fresh)


def test_another_shard_size_cuts_again_but_embeds_nothing(folder, out, tmp_path):
    run(folder, out)
    encoder = AverageColours()
    summary = run(folder, out, encoder, shard_size=30)
    assert encoder.encoded == 0 and (summary.reused, summary.removed) == (59, 0)
    run(folder, tmp_path / "fresh", shard_size=30)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_new_picture_changes_few_shards_of_many_and_none_is_too_large():
    pictures = [Picture(f"{number:07}.jpg", 1, 1) for number in range(20_000)]
    cut = {tuple(group) for group in shards_run._cut(pictures, 100)}
    assert sum(map(len, cut)) == 20_000
    assert max(map(len, cut)) <= 100 and sum(len(group) < 50 for group in cut) <= 1
    for number in random.Random(0).sample(range(20_000), 20):
        more = sorted([*pictures, Picture(f"{number:07}-new.jpg", 1, 1)])
        assert len({tuple(group) for group in shards_run._cut(more, 100)} - cut) <= 4


# The listing


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sets(
        st.lists(
            st.text("aB.- \u0301é\U0001f45f", min_size=1, max_size=3), min_size=1, max_size=3
        ).map(lambda parts: "/".join(f"x{part}" for part in parts)),
        max_size=12,
    ),
    st.sampled_from([2, 100_000]),  # sorted on disk, sorted in memory
)
def test_the_listing_streams_what_find_pictures_lists_in_the_same_order(names, in_memory):
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "SORTED_IN_MEMORY", in_memory)
        for name in names:
            file = Path(root, f"{name}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"1")
        found = [Path(root, picture.path) for picture in list_pictures(root)]
        assert found == find_pictures(root) and len(found) == len(names)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has other file rights")
def test_a_folder_that_cannot_be_read_keeps_what_the_shards_hold_of_it(public):
    folder, out = public / "pictures", public / "shards"
    with as_somebody_else():
        run(folder, out)
    before = contents(out)
    (folder / "shirts").chmod(0)
    with as_somebody_else(), pytest.warns(UserWarning, match="'shirts/' .* cannot be listed"):
        summary = run(folder, out)
    assert (summary.reused, summary.removed) == (59, 0)
    assert summary.unreadable_folders == ("shirts/",) and contents(out) == before


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="names are Unicode")
def test_names_that_are_not_text_are_named_and_counted(tmp_path, out):
    draw_pictures(tmp_path / "pictures", 3)
    Path(os.fsdecode(os.fsencode(tmp_path / "pictures") + b"/caf\xe9.png")).write_bytes(b"1")
    Path(os.fsdecode(os.fsencode(tmp_path / "pictures") + b"/caf\xe9")).mkdir()
    with pytest.warns(UserWarning, match=r"caf\\\\xe9/.*not Unicode"):
        summary = run(tmp_path / "pictures", out)
    assert (summary.embedded, summary.failed) == (3, 1)
    assert summary.unreadable_folders == ("caf\\xe9/",)
    (error,) = simlib.load_shards(out)["error"].dropna()
    assert "caf\\\\xe9.png' could not be opened: its name is not Unicode; rename it." in error
    assert {type(item) for item in list_pictures(tmp_path / "pictures")} == {Picture, Hole}


# Bad pictures


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has other file rights")
def test_a_picture_that_could_not_be_read_is_tried_again_by_every_run(public):
    folder, out = public / "pictures", public / "shards"
    picture = folder / "shoes" / "004.png"
    picture.chmod(0)
    with as_somebody_else():
        assert run(folder, out).failed == 2
        before = contents(out)
        again = run(folder, out)
        assert (again.embedded, again.failed) == (0, 2) and contents(out) == before
        frame = simlib.load_shards(out)
        said = frame.loc[frame["img_path"] == str(picture), "error"].item()
        assert said.endswith("004.png' could not be opened: you have no permission to read it.")
    picture.chmod(0o644)
    summary = run(folder, out)
    assert (summary.embedded, summary.reused, summary.failed) == (1, 58, 1)


def test_a_picture_that_is_away_for_a_moment_is_tried_again(folder, out, monkeypatch):
    picture, away = folder / "shoes" / "002.png", folder / "away"
    read = embedding.read_image_file

    def read_meanwhile(path):
        if path != str(picture):
            return read(path)
        picture.rename(away)
        try:
            return read(path)
        finally:
            away.rename(picture)

    monkeypatch.setattr(embedding, "read_image_file", read_meanwhile)
    assert run(folder, out, shard_size=100).failed == 2
    monkeypatch.undo()
    assert run(folder, out, shard_size=100).failed == 1


def test_a_picture_that_failed_is_tried_again_only_when_asked_to(folder, out, monkeypatch):
    run(folder, out)
    opened = []
    read = embedding.read_image_file
    monkeypatch.setattr(
        embedding, "read_image_file", lambda path: opened.append(path) or read(path)
    )
    run(folder, out)
    assert opened == []
    assert run(folder, out, retry_failed=True).failed == 1
    assert set(opened) == {str(folder / "bags" / "005.png")}


def test_a_picture_that_changes_while_it_is_read_is_never_taken_for_another(
    folder, out, tmp_path, monkeypatch
):
    """What is hashed is what is embedded, whenever the file changes."""
    victim = folder / "shoes" / "002.png"
    old = victim.read_bytes()
    read = embedding.read_image_file

    def read_and_change(path):
        data = read(path)
        if path == str(victim):
            change(victim, "blue")
        return data

    monkeypatch.setattr(embedding, "read_image_file", read_and_change)
    run(folder, out)
    monkeypatch.undo()
    row = simlib.load_shards(out).set_index("img_path").loc[str(victim)]
    (tmp_path / "old.png").write_bytes(old)
    assert row["content_hash"] == hashlib.sha256(old).hexdigest()
    np.testing.assert_array_equal(row["average_colours"], truth([tmp_path / "old.png"])[0])
    summary = run(folder, out)
    assert (summary.embedded, summary.failed) == (1, 1)
    run(folder, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


# What is refused


def test_shards_of_another_encoder_are_refused_with_both_named(folder, out):
    run(folder, out)
    before = contents(out)
    with pytest.raises(
        ValueError,
        match=r"'average' \(recipe: average colours\), not by 'average'"
        r" \(recipe: others\)",
    ):
        run(folder, out, AverageColours("others"))
    (out / MANIFEST_NAME).unlink()  # the shards say it themselves
    with pytest.raises(ValueError, match="recipe: average colours"):
        run(folder, out, AverageColours("others"))
    run(folder, out)
    assert contents(out) == before


def test_shards_of_another_folder_are_refused_unless_the_folder_has_moved(folder, out, tmp_path):
    run(folder, out)
    draw_pictures(tmp_path / "others", 3)
    with pytest.raises(ValueError, match="holds the embeddings of .*pictures', not of .*others'"):
        run(tmp_path / "others", out)
    moved = folder.rename(tmp_path / "moved")
    summary = run(moved, out)
    assert (summary.embedded, summary.reused, summary.removed) == (0, 59, 0)
    assert simlib.load_shards(out)["img_path"].iloc[0] == str(moved / "bags" / "000.png")
    elsewhere = next(simlib.iterate_shards(out, tmp_path / "elsewhere"))
    assert elsewhere["img_path"].iloc[0] == str(tmp_path / "elsewhere" / "bags" / "000.png")


def test_an_empty_or_missing_folder_does_not_empty_the_shards(folder, out):
    """As after a restart, when the disk with the pictures was not mounted."""
    run(folder, out)
    before = contents(out)
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match="cannot be read"):
        run(folder, out)
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match="The shards in .* were left as they are"):
        run(folder, out)
    assert contents(out) == before


def test_two_writers_at_once_are_one_too_many(folder, out):
    with locked(out), pytest.raises(RuntimeError, match="Another process is writing to"):
        run(folder, out)
    assert run(folder, out).pictures == 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard_size": 0}, "shard_size=0 is not a whole number"),
        ({"batch_size": True}, "batch_size=True is not a whole number"),
        ({"workers": 0}, "workers=0 is not a whole number"),
        ({"engine": "spark"}, "engine='spark' is unknown; choose 'local' or 'ray'"),
        ({"encoder": "towhe"}, "There is no encoder 'towhe'"),
        ({"encoder": "pixels"}, "shards need one length for all. Choose a size"),
        ({"encoder": 7}, "7 is not an encoder"),
        ({"encoder": AverageColours(), "engine": "ray"}, "workers make their encoders themselves"),
    ],
)
def test_invalid_arguments_are_refused_with_a_clear_message(folder, out, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run(folder, out, **options)
    assert not list(out.glob("*.parquet"))


def test_a_missing_ray_is_answered_with_the_command_that_installs_it(folder, out, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install .simlib\[ray\]"):
        run(folder, out, "towhee", engine="ray")


def test_reading_what_is_not_there_or_not_complete_says_what_to_do(folder, out, monkeypatch):
    with pytest.raises(FileNotFoundError, match="There are no shards in"):
        simlib.load_shards(out)
    monkeypatch.setattr(shards_run._Job, "finish", lambda job: None)  # as if killed at the very end
    run(folder, out)
    with pytest.raises(ValueError, match="are not complete. Call simlib.embed_folder again"):
        next(simlib.iterate_shards(out))
    monkeypatch.undo()
    encoder = AverageColours()
    assert run(folder, out, encoder).reused == 59 and encoder.encoded == 0


# Disks


def test_a_full_disk_is_reported_and_costs_only_the_shard_it_hit(folder, out, tmp_path):
    resource = pytest.importorskip("resource", reason="this system sets no limits")
    run(folder, tmp_path / "fresh")
    sizes = [path.stat().st_size for path in (tmp_path / "fresh").glob("*.parquet")]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes) - 1, limits[1]))
    try:
        with pytest.raises(OSError, match="nothing was left half-written. Once that is fixed"):
            run(folder, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    names = {path.name for path in out.iterdir()} - {".lock", MANIFEST_NAME}
    assert names <= set(contents(tmp_path / "fresh")) and not any("unfinished" in n for n in names)
    run(folder, out)
    assert contents(out) == contents(tmp_path / "fresh")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Shards that nobody changes, with their pictures."""
    root = tmp_path_factory.mktemp("finished")
    draw_pictures(root / "pictures", 12)
    run(root / "pictures", root / "out", shard_size=6)
    return root / "pictures", root / "out"


def copy_of(out, root):
    return Path(shutil.copytree(out, Path(root, "out")))


def test_a_truncated_shard_is_named_and_made_again(made, tmp_path):
    folder, whole = made
    out = copy_of(whole, tmp_path)
    victim = sorted(out.glob("*.parquet"))[0]
    victim.write_bytes(victim.read_bytes()[:-100])
    with pytest.raises(ShardError, match=rf"{victim.name}' is missing or corrupt .*verify=True"):
        simlib.load_shards(out)
    with pytest.warns(UserWarning, match=f"{victim.name}' is corrupt .* made again"):
        run(folder, out, shard_size=6)
    assert contents(out) == contents(whole)
    victim.unlink()
    run(folder, out, shard_size=6)
    assert contents(out) == contents(whole)


@damages
@given(st.data())
def test_no_corruption_of_a_shard_goes_unnoticed_and_all_of_it_is_repaired(made, data):
    folder, whole = made
    with tempfile.TemporaryDirectory() as root:
        out = copy_of(whole, root)
        victim = data.draw(st.sampled_from(sorted(out.glob("*.parquet"))))
        content = bytearray(victim.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] ^= data.draw(st.integers(1, 255))
        if bytes(content) == victim.read_bytes():  # one flip undid the other
            return
        victim.write_bytes(content)
        with pytest.raises(ShardError, match=victim.name):
            list(simlib.iterate_shards(out))
        with pytest.warns(UserWarning, match=f"{victim.name}' is corrupt"):
            run(folder, out, shard_size=6, verify=True)
        assert contents(out) == contents(whole)


@damages
@given(st.data())
def test_a_corrupt_list_of_shards_is_refused_or_harmless_and_is_repaired(made, data):
    folder, whole = made
    fields = json.loads((whole / MANIFEST_NAME).read_bytes())
    if data.draw(st.booleans()):
        place = data.draw(st.sampled_from([*fields]))
        fields[place] = data.draw(
            st.none() | st.integers() | st.text() | st.lists(st.lists(st.integers() | st.text()))
        )
        text = json.dumps(fields).encode()
    else:
        text = data.draw(st.binary(max_size=40))
    with tempfile.TemporaryDirectory() as root, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = copy_of(whole, root)
        (out / MANIFEST_NAME).write_bytes(text)
        try:
            list(simlib.iterate_shards(out))
        except (ValueError, FileNotFoundError):
            pass
        try:
            run(folder, out, shard_size=6)
        except ValueError as refused:
            assert "Choose another folder" in str(refused)
        else:
            assert contents(out) == contents(whole)


def test_shards_with_a_list_of_another_version_are_kept(made, tmp_path):
    folder, whole = made
    out = copy_of(whole, tmp_path)
    fields = json.loads((out / MANIFEST_NAME).read_bytes())
    (out / MANIFEST_NAME).write_text(json.dumps(fields | {"format": 1}))
    encoder = AverageColours()
    with pytest.warns(UserWarning, match="written by another version of simlib"):
        summary = run(folder, out, encoder, shard_size=6)
    assert (encoder.encoded, summary.reused) == (0, 12) and contents(out) == contents(whole)


@pytest.mark.parametrize(("field", "value"), [("dim", 100), ("pictures", 13), ("column", "other")])
def test_a_list_that_contradicts_the_shards_is_refused_before_memory_is_reserved(
    made, tmp_path, monkeypatch, field, value
):
    folder, whole = made
    out = copy_of(whole, tmp_path)
    fields = json.loads((out / MANIFEST_NAME).read_bytes())
    (out / MANIFEST_NAME).write_text(json.dumps(fields | {field: value}))
    with monkeypatch.context() as patch:
        patch.setattr(shards_run, "new_matrix", None)
        for read in (simlib.load_shards, lambda out: next(simlib.iterate_shards(out))):
            with pytest.raises(ValueError, match="does not match the shards. Call simlib.embed_f"):
                read(out)
    run(folder, out, shard_size=6)
    assert contents(out) == contents(whole)


def test_a_list_of_shards_cannot_point_out_of_its_folder(made, tmp_path):
    out = copy_of(made[1], tmp_path)
    text = (out / MANIFEST_NAME).read_text()
    (out / MANIFEST_NAME).write_text(text.replace("shard-", "../shard-"))
    with pytest.warns(UserWarning, match="is corrupt"), pytest.raises(FileNotFoundError):
        simlib.load_shards(out)
