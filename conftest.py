"""Lets nbval verify the notebooks on another computer than the one that they were run on.

nbval compares a cell's output with the stored one character by character. Networks differ in the
last digits between processors, so a number with a decimal point may be off by one in its last
printed digit; everything else, integers included, is compared exactly, and a cell that was never
run is a failure.
"""

import os
import re
import tempfile

import pytest
from nbval.plugin import IPyNbCell

# Inherited by the notebooks' kernels: no progress bars in outputs, and a cache that is empty when
# the tests start, so that what is verified is computed here. The workers of pytest-xdist share it:
# otherwise each would convert the same networks and embed the same catalogue again.
os.environ["TQDM_DISABLE"] = "1"
if "PYTEST_XDIST_WORKER" not in os.environ:
    HOME = tempfile.TemporaryDirectory(prefix="simlib-tests-", ignore_cleanup_errors=True)
    os.environ["SIMLIB_HOME"] = HOME.name  # removed when this process ends, however pytest does

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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    if isinstance(item, IPyNbCell) and item.cell.source.strip() and not item.cell.execution_count:
        pytest.fail("This cell was never run, so there is no output to compare with.", False)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist starts its workers
def pytest_sessionstart(session):
    if session.config.getoption("nbval", False) and "PYTEST_XDIST_WORKER" not in os.environ:
        # On a slow computer matplotlib warns while it lists the fonts, once; not in a notebook.
        import matplotlib.font_manager  # noqa: F401
