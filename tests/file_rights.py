"""Tests of unreadable files have to run without the administrator's rights."""

import os
from contextlib import contextmanager


@contextmanager
def as_somebody_else():
    """Without the rights of the administrator, whom no file mode keeps out."""
    administrator = os.geteuid() == 0
    if administrator:
        os.seteuid(65534)
    try:
        yield
    finally:
        if administrator:
            os.seteuid(0)
