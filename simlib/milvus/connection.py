"""One way to talk to Milvus, a file or a server: short timeouts, and errors that are sentences."""

from __future__ import annotations

import logging
import math
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from simlib.extras import needs_extra

# The local server takes pymilvus's pings on an idle connection for an attack, hangs up, and says so
# on the user's screen.
WITHOUT_PINGS = {"grpc.keepalive_permit_without_calls": False, "grpc.keepalive_time_ms": 2**31 - 1}

CONNECT_SECONDS = 5
"""How long a server may take to answer the first time."""

ANSWER_SECONDS = 30
"""How long it may take to answer any other call but the building of an index."""

TOKEN_VARIABLE = "MILVUS_TOKEN"

LITE_INDEXES = ("AUTOINDEX", "FLAT", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8")
"""What Milvus Lite 3.2 can build; a server has more, IVF_PQ among them."""

CONNECT_FAILED = 2
"""The code of pymilvus for a server that it can't reach."""

_RETRIED = re.compile(r"\[\w+\] Retry (timeout|run out)")
_quiet = threading.local()
_opened_here: Counter[str] = Counter()
_opening = threading.Lock()


class Connection:
    """A Milvus Lite file that this process holds open, or a server.

    Parameters
    ----------
    uri : str or path
        A path that ends in ``.db``, for Milvus Lite, or ``http://host:19530`` (``https``).

    Raises
    ------
    ImportError
        If pymilvus or milvus-lite is not installed.
    ConnectionError, PermissionError, RuntimeError, ValueError
        If the server does not answer or refuses the token, if another process holds the file, if
        the address is none; each in a sentence, which never holds the token.
    """

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        pymilvus = _import_pymilvus()
        self.uri, self.is_file = _checked(uri)
        self._file: str | None = None
        if self.is_file:
            self._client = self._open_file(pymilvus)
        else:
            self._client = self._reach_server(pymilvus)

    def call(self, name: str, *arguments, timeout: float | None = ANSWER_SECONDS, **options):
        """Return what a method of ``pymilvus.MilvusClient`` returns.

        Raises
        ------
        ConnectionError, PermissionError, TimeoutError
            If Milvus is gone, refuses or is too slow.
        MilvusRefusal
            If it answered, but with an error.
        """
        if self._client is None:
            raise ValueError(f"The index in {self.uri} was closed; simlib.open_index opens it.")
        with self.speaking():
            return getattr(self._client, name)(*arguments, timeout=timeout, **options)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn what pymilvus raises into one sentence."""
        import grpc
        from pymilvus.exceptions import MilvusException

        with quiet():
            try:
                yield
                return
            except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as error:
                failure = self._sentence(error)
        raise failure

    def close(self) -> None:
        """Let go of the connection; a file may then be opened by another process."""
        if self._client is None:
            return
        with quiet():
            self._client.close()
            self._client = None
            if self._file is not None:
                self._let_go_of_file()

    def _open_file(self, pymilvus):
        from pymilvus.exceptions import MilvusException

        path = Path(self.uri).expanduser().absolute()
        with _opening, quiet():
            manager = _server_manager()
            others = getattr(manager, "_servers", {})
            served = str(path) in others and not _opened_here[str(path)]
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                client = pymilvus.MilvusClient(
                    str(path), timeout=CONNECT_SECONDS, grpc_options=WITHOUT_PINGS
                )
            except MilvusException:
                failure = self._why_no_file(path)
            except OSError as error:
                failure = _cant_use_file(self.uri, error)
            else:
                if not served:  # else somebody else in this process opened it, and closes it
                    _opened_here[str(path)] += 1
                    self._file = str(path)
                return client
        raise failure

    def _why_no_file(self, path: Path) -> Exception:
        """Open the file once more without pymilvus, which keeps the reason to itself."""
        from milvus_lite import DataDirLockedError, MilvusLite

        try:
            MilvusLite(str(path)).close()
        except DataDirLockedError:
            return RuntimeError(
                f"{self.uri} is in use by another process; Milvus Lite serves one at a time. Close "
                "it there (index.close(), or shut that notebook's kernel down), or run a server."
            )
        except OSError as error:
            return _cant_use_file(self.uri, error)
        except Exception as error:
            return RuntimeError(
                f"{self.uri} can't be opened by Milvus Lite: {_first_line(error)} Move it away and "
                "build the index anew."
            )
        return RuntimeError(f"{self.uri} can't be opened by Milvus Lite at the moment; try again.")

    def _let_go_of_file(self) -> None:
        with _opening:
            _opened_here[self._file] -= 1
            if not _opened_here[self._file]:
                del _opened_here[self._file]
                _server_manager().release_server(self._file)
        self._file = None

    def _reach_server(self, pymilvus):
        import grpc
        from pymilvus.exceptions import MilvusException

        token = os.environ.get(TOKEN_VARIABLE, "")
        with quiet():
            try:
                client = pymilvus.MilvusClient(self.uri, token=token, timeout=CONNECT_SECONDS)
                client.list_collections(timeout=CONNECT_SECONDS)  # asks for the token, too
                return client
            except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as error:
                failure = self._sentence(error)
        if isinstance(failure, PermissionError):
            raise failure
        raise ConnectionError(
            f"No Milvus server answers at {self.uri} (asked for {CONNECT_SECONDS} seconds). Start "
            "it, mend the address, or use a file: uri='data/index.db'."
        )

    def _sentence(self, error: Exception) -> Exception:
        import grpc
        from pymilvus.exceptions import MilvusException

        chain = [error, error.__cause__, error.__context__]
        codes = {one.code() for one in chain if isinstance(one, grpc.RpcError)}
        codes |= {one.code for one in chain if isinstance(one, MilvusException)}
        reason = _first_line(error)
        status = grpc.StatusCode
        if codes & {status.UNAUTHENTICATED, status.PERMISSION_DENIED}:
            return PermissionError(
                f"The Milvus server at {self.uri} refuses the user. Its token, 'name:password', is "
                f"read from the environment variable {TOKEN_VARIABLE}"
                f"{'' if os.environ.get(TOKEN_VARIABLE) else ', which is not set'}."
            )
        gone = {status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED, CONNECT_FAILED}
        if codes & gone or isinstance(error, grpc.FutureTimeoutError) or _RETRIED.match(reason):
            return ConnectionError(
                f"Milvus at {self.uri} stopped answering. What it has acknowledged, it keeps; once "
                "it is back, the same call goes on."
            )
        return MilvusRefusal(f"Milvus at {self.uri} answered: {reason}")


class MilvusRefusal(ValueError):
    """What Milvus itself had against a call."""


def _import_pymilvus():
    with needs_extra("milvus", "Search on Milvus"):
        import pymilvus
    for name in ("pymilvus", "pymilvus.milvus_client", "pymilvus.bulk_writer"):
        for handler in logging.getLogger(name).handlers:
            if _is_not_ours not in handler.filters:
                handler.addFilter(_is_not_ours)
    return pymilvus


def _server_manager():
    with needs_extra("milvus", "An index in a file"):
        from milvus_lite.server_manager import server_manager_instance
    logger = logging.getLogger("milvus_lite.server_manager")
    if _is_not_ours not in logger.filters:
        logger.addFilter(_is_not_ours)
    return server_manager_instance


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the log what becomes a sentence of ours; in this thread, for a while."""
    _quiet.depth = getattr(_quiet, "depth", 0) + 1
    try:
        yield
    finally:
        _quiet.depth -= 1


def _is_not_ours(record: logging.LogRecord) -> bool:
    return not getattr(_quiet, "depth", 0)


def _checked(uri: str | os.PathLike[str]) -> tuple[str, bool]:
    """Return the address, and whether it is a file; or raise a ValueError."""
    text = os.fspath(uri)
    address = urlsplit(text) if "://" in text else None
    if address is None and text.endswith(".db"):
        return text, True
    if address is not None and "@" in address.netloc:  # not shown: there is a password in it
        raise ValueError(
            "The address of a Milvus server must not hold a user and a password. Put them into the "
            f"environment variable {TOKEN_VARIABLE} as 'name:password'."
        )
    if address is None or address.scheme not in ("http", "https", "tcp") or not address.hostname:
        raise ValueError(
            f"uri={text!r} is neither a file of Milvus Lite, whose name ends in .db, nor the "
            "address of a server, such as 'http://localhost:19530'."
        )
    return text, False


def _cant_use_file(uri: str, error: OSError) -> Exception:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return ValueError(
            f"{uri} can't be opened: Milvus Lite keeps an index in a folder, and a file is in its "
            "way. (Files of milvus-lite before 3 can't be read by this one.) Use another uri."
        )
    kind = PermissionError if isinstance(error, PermissionError) else OSError
    return kind(error.errno, f"The index {uri} can't be opened ({error.strerror})")


def _first_line(error: Exception) -> str:
    """What Milvus says, without the rest: one line that ends in a full stop."""
    text = getattr(error, "message", None) or str(error)
    line = next(
        (line.strip() for line in str(text).splitlines() if line.strip()), "no reason given"
    )
    return line.rstrip(".") + "."


# Filters: the values of a user go in as literals, whatever they hold


def render_filter(template: str, parameters: Mapping[str, object] | None) -> str:
    """Return a filter with its ``{name}`` replaced by literals of Milvus' language.

    Neither Milvus Lite 3.2 nor servers before 2.5 know parameters of their own, so that the values
    are quoted here; a text can end neither its literal nor the expression.

    Parameters
    ----------
    template : str
        Such as ``"colour == {colour} and price < {most}"``.
    parameters : mapping of str
        A str, bool, int, finite float, or a list of those, for each name.

    Raises
    ------
    ValueError
        If the names don't match, or a value has no literal.

    Examples
    --------
    >>> render_filter("title == {title}", {"title": 'the "best" dress'})
    'title == "the \\\\"best\\\\" dress"'
    >>> render_filter("size in {sizes}", {"sizes": [38, 40]})
    'size in [38, 40]'
    """
    parameters = dict(parameters or {})
    if not isinstance(template, str):
        raise ValueError(f"filter={template!r} is not a text, as \"colour == 'red'\" is.")
    wanted = set(re.findall(r"\{(\w+)\}", template))
    if wanted != set(parameters):
        raise ValueError(
            f"The filter {template!r} asks for the parameters {sorted(wanted)}, but filter_params "
            f"has {sorted(map(str, parameters))}."
        )
    literals = {name: _literal(name, value) for name, value in parameters.items()}
    return re.sub(r"\{(\w+)\}", lambda found: literals[found[1]], template)


def _literal(name: str, value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return "[" + ", ".join(_literal(name, item) for item in value) + "]"
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return repr(float(value))
    if isinstance(value, str):
        return quoted(value)
    raise ValueError(
        f"The parameter {name!r} is {value!r}, but a filter compares with a text, a finite number, "
        "true or false, or a list of those."
    )


_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def quoted(text: str) -> str:
    """Return a text as a literal that Milvus Lite and servers read alike."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text!r} is not valid Unicode, so nothing can be equal to it.") from None
    return f'"{text.translate(_ESCAPES)}"'
