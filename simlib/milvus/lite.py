"""Milvus Lite: folders on this disk, each served to this process alone and checked before it is."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from simlib.extras import needs_extra

INDEXES = ("AUTOINDEX", "FLAT", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8")
"""What Milvus Lite 3.2 can build; a server has more, IVF_PQ among them."""


@dataclass
class Served:
    """A folder that this process serves: by how many connections, and which collections are bad."""

    path: str
    users: int = 0
    damaged: dict[str, str] = field(default_factory=dict)  # collection → what is wrong with it


_served: dict[str, Served] = {}
_lock = threading.Lock()


def hold(uri: str) -> Served:
    """Count a connection to a folder; if it is the first, check the folder before it is served.

    Milvus Lite itself takes an older manifest for a damaged one, and then deletes the files that
    are not in it, so this looks first.

    Raises
    ------
    ImportError, PermissionError, OSError, RuntimeError, ValueError
        If Milvus Lite is missing, the folder cannot be used, or another process holds it.
    """
    path = str(Path(uri).expanduser().resolve())
    with _lock:
        if path not in _served:
            _served[path] = Served(path, damaged=_check(uri, Path(path)))
        _served[path].users += 1
        return _served[path]


def release(served: Served) -> None:
    """Count a connection off; the last one frees the folder for other processes."""
    from milvus_lite import server_manager_instance

    with _lock:
        served.users -= 1
        if served.users == 0:
            del _served[served.path]
            server_manager_instance.release_server(served.path)


def collections(served: Served) -> list[str]:
    """Return the names of the collections, the damaged ones too."""
    return [folder.name for folder in _folders(Path(served.path))]


def set_aside(served: Served, name: str) -> None:
    """Move a collection out of the way if it is damaged, and warn of that."""
    why = served.damaged.pop(name, None)
    if why:
        aside = Path(tempfile.mkdtemp(prefix=f"damaged-{name}-", dir=served.path), name)
        os.replace(Path(served.path, "collections", name), aside)
        warnings.warn(
            f"The collection {name!r} in {served.path} is damaged ({why}), so it is built anew. "
            f"What was left of it is in {aside}, and may be deleted.",
            stacklevel=4,  # the call of build_index
        )


def _folders(path: Path) -> list[Path]:
    return sorted(folder for folder in (path / "collections").iterdir() if folder.is_dir())


def _check(uri: str, path: Path) -> dict[str, str]:
    """Return collection → what is wrong with it."""
    with needs_extra("milvus", "An index in a file"):
        from milvus_lite import DataDirLockedError, MilvusLite
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with MilvusLite(str(path)):  # holds the lock while we look
            found = {folder.name: _damage(folder) for folder in _folders(path)}
    except DataDirLockedError:
        raise RuntimeError(
            f"{uri} is in use by another process, or by another client in this one; Milvus Lite "
            "serves one at a time. Close it there (index.close(), or shut that notebook's kernel "
            "down), or run a server."
        ) from None
    except (FileExistsError, NotADirectoryError):
        raise ValueError(
            f"{uri} cannot be opened: Milvus Lite keeps an index in a folder, and a file is in its "
            "way. (Files of milvus-lite before 3 cannot be read by this one.) Use another uri."
        ) from None
    except OSError as error:
        kind = PermissionError if isinstance(error, PermissionError) else OSError
        raise kind(error.errno, f"The index {uri} cannot be opened ({error.strerror})") from error
    return {name: why for name, why in found.items() if why}


def _damage(folder: Path) -> str | None:
    """Return what is wrong with the files of a collection, or None."""
    import pyarrow.parquet as pq

    read = "schema.json"
    try:
        json.loads((folder / read).read_text("utf-8"))["fields"]
        read, manifest = "manifest.json", folder / "manifest.json"
        if not manifest.exists():  # nothing was written out yet, or it was deleted
            written = [*folder.glob("manifest.json.prev"), *folder.rglob("*.parquet")]
            logged = any(folder.glob("wal/wal_data_*.arrow"))
            return f"{read} is missing" if written and not logged else None
        listed = json.loads(manifest.read_text("utf-8"))
        listed["index_specs"]
        for partition, files in listed["partitions"].items():
            for read in [*files["data_files"], *files["delta_files"]]:
                pq.read_metadata(folder / "partitions" / partition / read)
    except FileNotFoundError:
        return f"{read} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{read} is corrupt"  # pyarrow's errors are ValueErrors, too
    return None
