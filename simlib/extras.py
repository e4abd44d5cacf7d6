"""What is not in simlib's core: the extras, and the answer where one is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtraError(ImportError):
    """An optional package can't be imported; the message holds the command that installs it."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra, quoted for the shells of this system.

    Examples
    --------
    >>> install_command("clip").replace('"', "'")
    "python -m pip install 'simlib[clip]'"
    """
    quote = '"' if os.name == "nt" else "'"  # cmd.exe passes single quotes on to pip
    return f"python -m pip install {quote}simlib[{extra}]{quote}"


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Answer an import that fails with the command that installs what is missing.

    Parameters
    ----------
    extra : str
        The extra that brings the packages imported in the block.
    what : str
        Begins the message: what the user asked for.

    Raises
    ------
    MissingExtraError
        If the block raises an ImportError.

    Examples
    --------
    >>> with needs_extra("milvus", "Search on Milvus"):
    ...     import no_such_package
    Traceback (most recent call last):
    simlib.extras.MissingExtraError: Search on Milvus needs packages outside simlib's core ...
    """
    try:
        yield
    except MissingExtraError:
        raise
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs packages outside simlib's core ({error}). Run: {install_command(extra)}",
            name=error.name,
        ) from error
