"""Limits on the clock: they hold on a quiet machine only, so ``make bench`` alone asks for them."""

import os

ENVIRONMENT_VARIABLE = "SIMLIB_QUIET_MACHINE"


def assert_quick(seconds, limit):
    """Fail if something took longer than ``limit`` seconds and the machine is said to be quiet."""
    if os.environ.get(ENVIRONMENT_VARIABLE):
        assert seconds < limit, f"it took {seconds:.2f} s; at most {limit} s on a quiet machine"
