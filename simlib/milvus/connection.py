"""The one way to talk to Milvus: short time-outs, and errors that say what to do."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from simlib.extras import needs_extra
from simlib.milvus import lite

CONNECT_SECONDS = 5
"""How long a server may take to answer the first time."""

ANSWER_SECONDS = 30
"""How long it may take to answer any other call but the building of an index."""

TOKEN_VARIABLE = "MILVUS_TOKEN"

CONNECT_FAILED = 2
"""The code of pymilvus for a server that it cannot reach."""

# A server on this machine is not asked through the proxy that the environment may name.
_NO_PROXY = {"grpc.enable_http_proxy": 0}
# Milvus Lite's server takes pymilvus's pings on an idle connection for an attack, hangs up, and
# says so on the user's screen.
_WITHOUT_PINGS = {"grpc.keepalive_permit_without_calls": False, "grpc.keepalive_time_ms": 2**31 - 1}

_LOGGERS = (
    "pymilvus",
    "pymilvus.milvus_client",
    "pymilvus.bulk_writer",
    "milvus_lite",
    "milvus_lite.server_manager",
)
_RETRIED = re.compile(r"\[\w+\] Retry (timeout|run out)")
_quiet = threading.local()


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
        If the server does not answer or refuses the token, if another process holds the file, or
        if ``uri`` is neither. No message holds the token.
    """

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        pymilvus = _import_pymilvus()
        self.uri, is_file = _checked(uri)
        self.file: lite.Served | None = lite.hold(self.uri) if is_file else None
        try:
            if self.file:
                options = _NO_PROXY | _WITHOUT_PINGS
                self._client = self._connect(pymilvus, self.file.path, grpc_options=options)
            else:
                token = os.environ.get(TOKEN_VARIABLE, "")
                host = urlsplit(self.uri).hostname
                options = _NO_PROXY if host in ("localhost", "127.0.0.1", "::1") else {}
                self._client = self._connect(pymilvus, self.uri, token=token, grpc_options=options)
        except BaseException:
            if self.file:
                lite.release(self.file)
            raise

    def call(self, name: str, *arguments, timeout: float | None = ANSWER_SECONDS, **options):
        """Return what a method of ``pymilvus.MilvusClient`` returns.

        Raises
        ------
        ConnectionError, PermissionError
            If Milvus is gone, refuses or is too slow.
        MilvusRefusal
            If it answered, but with an error.
        """
        if self._client is None:
            raise ValueError(f"The index in {self.uri} was closed; simlib.open_index opens it.")
        with self.speaking():
            return getattr(self._client, name)(*arguments, timeout=timeout, **options)

    def collections(self) -> list[str]:
        """Return the names of the collections."""
        # Milvus Lite would open them all, and fail if any is damaged.
        return lite.collections(self.file) if self.file else sorted(self.call("list_collections"))

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn what pymilvus raises into an error that says what to do."""
        import grpc
        from pymilvus.exceptions import MilvusException

        with quiet():
            try:
                yield
                return
            except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as error:
                failure = self._explained(error)
        raise failure

    def close(self) -> None:
        """Let go of the connection; a file may then be opened by another process."""
        if self._client is None:
            return
        with quiet():
            self._client.close()
            self._client = None
            if self.file:
                lite.release(self.file)

    def _connect(self, pymilvus, address: str, **options):
        try:
            with self.speaking():
                client = pymilvus.MilvusClient(address, timeout=CONNECT_SECONDS, **options)
                if not self.file:
                    client.list_collections(timeout=CONNECT_SECONDS)  # asks for the token, too
                return client
        except PermissionError:
            raise
        except (ConnectionError, MilvusRefusal) as failure:
            reason = str(failure)
        if self.file:
            raise RuntimeError(f"{self.uri} cannot be opened by Milvus Lite. {reason}")
        raise ConnectionError(
            f"No Milvus server answers at {self.uri} (asked for {CONNECT_SECONDS} seconds). Start "
            "it, correct the address, or use a file: uri='data/index.db'."
        )

    def _explained(self, error: Exception) -> Exception:
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
                f"Milvus at {self.uri} stopped answering. It keeps what it has acknowledged; once "
                "it is back, repeat the call."
            )
        return MilvusRefusal(f"Milvus at {self.uri} answered: {reason}")


class MilvusRefusal(ValueError):
    """What Milvus itself had against a call."""


def _import_pymilvus():
    with needs_extra("milvus", "Search on Milvus"):
        import pymilvus
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_not_ours)  # once: a second time changes nothing
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(_is_not_ours)
    return pymilvus


@contextmanager
def quiet() -> Iterator[None]:
    """Keep out of the log, in this thread, what becomes an error of ours."""
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


def _first_line(error: Exception) -> str:
    """Return the first line of what Milvus says, ending in a full stop."""
    text = getattr(error, "message", None) or str(error)
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return (lines or ["no reason given"])[0].rstrip(".") + "."
