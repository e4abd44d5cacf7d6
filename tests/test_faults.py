"""The disk is full, the process is killed, a limit is reached: no file is lost, no embedding is
wrong, and the next run mends what was broken off.

Of the same kind are: kills while embedding (test_embedding.py), flattening (test_folders.py),
downloading (test_downloads.py) and making shards (test_shards.py); several processes on one cache
(test_cache.py); full disks while flattening and making shards."""

import os
import sys

import pandas as pd
import pytest
from average_colours import AverageColours, run_python, truth
from PIL import Image

import simlib
from conftest import draw_pictures

pytestmark = pytest.mark.skipif(os.name != "posix", reason="uses POSIX limits and signals")

BEGIN = """
import os, random, resource, signal, sys, time, warnings
from pathlib import Path
import numpy as np, pandas as pd
import simlib, simlib.embedding, simlib.storage, tqdm.auto
from average_colours import AverageColours, truth
folder, paths = Path(sys.argv[1]), sys.argv[2:]
image_df = pd.DataFrame({"img_path": paths})
expected = truth(paths)

def embed(**options):
    encoder = AverageColours()
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        embedded = simlib.embed(image_df, encoder, progress=False, **options)
    kept = embedded["average_colours"].notna().to_numpy()
    rows = simlib.embedding_matrix(embedded[kept], "average_colours")
    np.testing.assert_array_equal(rows, expected[kept])
    return embedded, encoder.encoded, [str(warning.message) for warning in given]
"""


def run(script, folder, paths):
    return run_python(BEGIN + script, folder, *paths)


def assert_nothing_left_to_do(paths):
    """The next run computes what is missing, and the one after it nothing."""
    for _ in range(2):
        encoder = AverageColours()
        embedded = simlib.embed(pd.DataFrame({"img_path": paths}), encoder, progress=False)
        rows = simlib.embedding_matrix(embedded, "average_colours")
        assert (rows == truth(paths)).all() and "error" not in embedded
    assert encoder.encoded == 0


def test_a_full_disk_costs_neither_results_nor_what_was_saved_before(tmp_path):
    paths = draw_pictures(tmp_path / "pictures", 60)
    run(
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing then fails with an error, as on a full disk
limits = resource.getrlimit(resource.RLIMIT_FSIZE)

def room_for(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))

for size in (100, 30_000, 50_000):  # not even an empty cache; one that fills up
    room_for(size)
    embedded, encoded, warned = embed(batch_size=5)
    assert len(embedded) == 60 and "error" not in embedded
    assert encoded >= 12 and len(warned) == 1 and "The results are right" in warned[0], warned

room_for(limits[0])
saved = simlib.save_embeddings(embedded.head(10), folder / "a.parquet")
before = saved.read_bytes()
room_for(len(before))
for target in (saved, folder / "b.parquet"):
    try:
        simlib.save_embeddings(embedded, target)
    except OSError as error:
        assert "could not be saved" in str(error) and "unchanged" in str(error)
    else:
        raise AssertionError("saved on a full disk")
assert saved.read_bytes() == before and len(simlib.load_embeddings(saved)) == 10
assert [path.name for path in folder.glob("*.parquet")] + [*folder.glob(".*")] == ["a.parquet"]
""",
        tmp_path,
        paths,
    )
    assert_nothing_left_to_do(paths)


@pytest.mark.slow
def test_a_save_that_is_killed_or_met_by_another_leaves_a_whole_file(tmp_path):
    printed = run(
        """
frames = [embed()[0].head(count) for count in (30, 40)]
sizes = {len(frame) for frame in frames}
target = folder / "a.parquet"
simlib.save_embeddings(frames[0], target)
random.seed(0)
killed = 0
for _ in range(25):
    children = []
    for frame in frames:  # two at once
        if (child := os.fork()) == 0:
            try:
                while True:
                    simlib.save_embeddings(frame, target)
            finally:
                os._exit(1)
        children.append(child)
    time.sleep(random.uniform(0.005, 0.03))
    for child in children:
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    loaded = simlib.load_embeddings(target)
    assert len(loaded) in sizes
    rows = simlib.embedding_matrix(loaded, "average_colours")
    np.testing.assert_array_equal(rows, expected[: len(loaded)])
left = [path for path in folder.iterdir() if path.name.startswith(".a.parquet")]
for path in left:
    os.utime(path, (0, 0))  # an hour later …
simlib.save_embeddings(frames[1], target)
assert not [path for path in folder.iterdir() if path.name.startswith(".a.parquet")]
print(killed, len(left))
""",
        tmp_path,
        draw_pictures(tmp_path / "pictures", 40),
    )
    killed, left = map(int, printed.split())
    assert killed == 50 and left > 0  # otherwise no kill has met a half-written file


def test_few_open_files_and_a_data_folder_that_cannot_be_written_are_enough(tmp_path):
    deep = tmp_path / "data" / os.path.join(*"abcdefghijklmnopqrstuvwxyz" * 3)
    paths = draw_pictures(tmp_path / "data" / "red", 150) + draw_pictures(deep, 1)
    here = [*(tmp_path / "data").rglob("*"), tmp_path / "data"]
    before = {path: path.stat().st_mtime_ns for path in here}
    for path in here:
        path.chmod(path.stat().st_mode & ~0o222)
    (tmp_path / "results").mkdir()
    run(
        """
from file_rights import without_the_administrators_rights
without_the_administrators_rights()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
image_df = simlib.load_catalogue(folder / "data")
assert sorted(image_df["img_path"]) == sorted(paths)
expected = truth(image_df["img_path"])
for _ in range(2):
    embedded, _, warned = embed(workers=32, batch_size=7)
    assert "error" not in embedded and warned == []
for number in range(70):  # none of which stays open
    target = simlib.save_embeddings(embedded.head(5), folder / "results" / f"{number}.parquet")
    assert len(simlib.load_embeddings(target)) == 5
try:
    simlib.move_to_root_folder(folder / "data", folder / "data")
except OSError as error:
    assert "Nothing was moved" in str(error)
else:
    raise AssertionError("moved in a read-only folder")
""",
        tmp_path,
        paths,
    )
    for path in here[::-1]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert {path: path.stat().st_mtime_ns for path in here} == before  # nothing was written there


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as Linux has it")
def test_a_picture_too_large_for_the_memory_is_named_and_the_rest_embedded(tmp_path):
    paths = draw_pictures(tmp_path / "pictures", 20)
    Image.new("L", (8900, 8900)).save(tmp_path / "large.png")  # in RGB, 238 MB of pixels
    paths.insert(7, str(tmp_path / "large.png"))
    printed = run(
        """
status = Path("/proc/self/status").read_text()
used = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used * 1024 + 190 * 2**20,) * 2)
embedded, encoded, _ = embed(workers=1)
print(embedded["error"].iloc[7])
assert embedded["error"].notna().tolist() == [number == 7 for number in range(21)]
assert encoded == 20
""",
        tmp_path,
        paths,
    )
    assert "large.png" in printed and "not enough memory" in printed
    assert_nothing_left_to_do(paths)
