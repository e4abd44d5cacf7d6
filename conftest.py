"""Lets nbval verify the notebooks on another computer than the one that they were run on.

nbval compares a cell's output with the stored one character by character. Networks differ in the
last digits between processors, so a number with a decimal point may be off by one in its last
printed digit; everything else, integers included, is compared exactly, and a cell that was never
run is a failure.
"""

import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty

import pytest
from filelock import FileLock, Timeout
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

# Inherited by the notebooks' kernels: no progress bars in outputs, and a cache that is empty when
# the tests start, so that what is verified is computed here. The workers of pytest-xdist share it:
# otherwise each would convert the same networks and embed the same catalogue again.
os.environ["TQDM_DISABLE"] = "1"
PREFIX, LOCK = "simlib-tests-", "in-use.lock"


def remove_leftovers() -> None:
    """Remove the caches of test runs that were killed: whoever is at work holds the lock in its."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if time.time() - folder.stat().st_mtime < 60:
                continue  # perhaps made a moment ago, and not locked yet
            with FileLock(folder / LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)


if "PYTEST_XDIST_WORKER" not in os.environ:
    remove_leftovers()
    HOME = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    HOME_LOCK = FileLock(Path(HOME.name, LOCK))
    HOME_LOCK.acquire()
    os.environ["SIMLIB_HOME"] = HOME.name  # removed when this process ends, however pytest does

# It has no examples to run, and takes each worker ten seconds to import.
collect_ignore = ["simlib/training/module.py"]

DECIMAL = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
compare_exactly = IPyNbCell.compare_outputs


def is_close(computed: str, stored: str) -> bool:
    """Return whether two printed decimals differ by at most one in their last digit."""
    digits, _, exponent = stored.partition("e")
    last_place = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return abs(float(computed) - float(stored)) < 1.5 * last_place


def with_stored_decimals(computed: str, stored: str) -> str:
    """Return the computed text with the stored decimals, if all of them are close."""
    ours, theirs = DECIMAL.findall(computed), DECIMAL.findall(stored)
    if len(ours) == len(theirs) and all(map(is_close, ours, theirs)):
        replacements = iter(theirs)
        return DECIMAL.sub(lambda _: next(replacements), computed)
    return computed


def compare_outputs(self, test, ref, skip_compare=None):
    for computed, stored in zip(test, ref, strict=False):
        for ours, theirs in ((computed, stored), (computed.get("data"), stored.get("data"))):
            for kind in {"text", "text/plain", "text/html", "text/markdown"} & set(ours or ()):
                if kind in (theirs or ()):
                    ours[kind] = with_stored_decimals(ours[kind], theirs[kind])
    return compare_exactly(self, test, ref, skip_compare)


IPyNbCell.compare_outputs = compare_outputs
wait_for_message = RunningKernel.get_message


def get_message(self, stream, timeout=None):
    """Return the kernel's next message; for one that has died nbval would wait for half an hour.

    What it said before is still read.
    """
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    while True:
        was_alive = self.is_alive()
        with suppress(Empty):
            return wait_for_message(self, stream, max(0, min(1, deadline - time.monotonic())))
        if not was_alive:
            pytest.fail(
                "The notebook's kernel died in this cell: killed, perhaps for want of memory, or "
                "crashed. Run the cell's code in plain Python to see what it says.",
                False,
            )
        if time.monotonic() >= deadline:
            raise Empty


RunningKernel.get_message = get_message


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    if isinstance(item, IPyNbCell) and item.cell.source.strip() and not item.cell.execution_count:
        pytest.fail("This cell was never run, so there is no output to compare with.", False)


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run what is slow, too, as CI does")


def is_slow(item) -> bool:
    """Unanswered exercises show little that their solutions don't: their first cell is the same."""
    return bool(item.get_closest_marker("slow")) or "notebooks/exercises/" in item.nodeid


@pytest.hookimpl(trylast=True)  # after whatever shuffles them
def pytest_collection_modifyitems(config, items):
    """Put notebooks first: they take longest, and the quick files then fill up all processes.

    What is slow is left out, unless it is asked for or the run is of single files or folders.
    """
    items.sort(key=lambda item: not isinstance(item, IPyNbCell))
    of_everything = [Path(name).name for name in config.args] == config.getini("testpaths")
    if of_everything and not config.getoption("slow"):
        config.hook.pytest_deselected(items=[item for item in items if is_slow(item)])
        items[:] = [item for item in items if not is_slow(item)]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist starts its workers
def pytest_sessionstart(session):
    if session.config.getoption("nbval", False) and "PYTEST_XDIST_WORKER" not in os.environ:
        # On a slow computer matplotlib warns while it lists the fonts, once; not in a notebook.
        import matplotlib.font_manager  # noqa: F401
