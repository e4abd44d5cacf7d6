"""What a user loses when these fail: a job over many machines, when one of them goes away.

Run by ``make test-ray``: Ray takes long to start, and only those who need it install it.
"""

import functools
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

if os.environ.get("SIMLIB_RAY_TESTS") != "1":
    pytest.skip("run by make test-ray", allow_module_level=True)
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray")

from average_colours import AverageColours  # noqa: E402

import simlib  # noqa: E402
from conftest import draw_pictures  # noqa: E402


class Watched(AverageColours):
    """Takes its time, and notes which process works on what; fails on its word."""

    def __init__(self, notes, fails=False):
        super().__init__()
        self.notes, self.fails = Path(notes), fails

    def encode_prepared(self, batch):
        with open(self.notes / str(os.getpid()), "a") as file:
            file.write(f"{len(batch)}\n")
        time.sleep(0.05)
        if self.fails and len(list(self.notes.parent.glob("shards/*.parquet"))) >= 3:
            raise RuntimeError("The network has a bad day.")
        return super().encode_prepared(batch)


def watched(notes, fails=False):
    """Make the encoder; an encoder cannot be sent to a worker."""
    return Watched(notes, fails)


@pytest.fixture(scope="module", autouse=True)
def two_workers():
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as session:
        # Where the workers find this module, and the encoder that it builds on.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent)]))
        patch.setenv("RAY_TMPDIR", session)  # not tmp_path, which is too long for Ray's sockets
        # Ray waits 30 s for its node, and no variable changes that. With Ray 2.60 the node itself
        # waits for its Python agents and ends after 15 s, as on a busy machine; the version that
        # the Makefile names does not wait for them.
        ray.init(num_cpus=2, include_dashboard=False, logging_level="error")
        yield
        ray.shutdown()


@pytest.fixture
def notes(tmp_path):
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


@pytest.fixture
def folder(tmp_path):
    draw_pictures(tmp_path / "pictures", 120)
    (tmp_path / "pictures" / "007.png").write_bytes(b"not a picture")
    return tmp_path / "pictures"


def run(folder, out, encoder, **options):
    options = {"shard_size": 8, "batch_size": 4, "progress": False} | options
    return simlib.embed_folder(folder, out, encoder, **options)


def contents(out):
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != ".lock"}


def encoded(notes):
    """How many pictures the workers have encoded together, the killed one included."""
    return sum(int(count) for path in notes.iterdir() for count in path.read_text().split())


def test_a_killed_worker_costs_a_shard_and_the_result_is_that_of_one_process(
    folder, notes, tmp_path
):
    killed = []

    def kill_one():
        while not (workers := list(notes.iterdir())):
            time.sleep(0.01)
        os.kill(int(workers[0].name), signal.SIGKILL)
        killed.append(workers[0])

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    summary = run(folder, tmp_path / "shards", functools.partial(watched, notes), engine="ray")
    killer.join(10)
    assert killed
    assert (summary.pictures, summary.embedded, summary.failed) == (120, 119, 1)
    assert 119 <= encoded(notes) <= 119 + 8
    run(folder, tmp_path / "alone", AverageColours())
    assert contents(tmp_path / "shards") == contents(tmp_path / "alone")


def test_an_error_in_a_worker_comes_as_it_was_raised_and_what_is_done_is_kept(
    folder, notes, tmp_path
):
    out = tmp_path / "shards"
    with pytest.raises(RuntimeError, match="^The network has a bad day.$"):
        run(folder, out, functools.partial(watched, notes, fails=True), engine="ray")
    done = list(out.glob("*.parquet"))
    assert len(done) >= 3
    encoder = AverageColours()
    run(folder, out, encoder)
    assert encoder.encoded <= 120 - 4 * len(done)  # no shard but the last has fewer than four
    run(folder, tmp_path / "alone", AverageColours())
    assert contents(out) == contents(tmp_path / "alone")
    again = run(folder, out, functools.partial(watched, notes), engine="ray")
    assert (again.embedded, again.reused) == (0, 119)
