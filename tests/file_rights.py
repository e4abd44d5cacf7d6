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


def without_the_administrators_rights():
    """Give up, for the rest of this process, the right to override file modes (Linux)."""
    if os.geteuid() == 0:
        import ctypes

        CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        data = (ctypes.c_uint32 * 6)()
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.capget(header, data) == 0
        data[0] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
        assert libc.capset(header, data) == 0
