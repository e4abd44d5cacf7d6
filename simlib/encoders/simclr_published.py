"""The published SimCLR checkpoint: a ResNet-50 that bolts' makers trained on ImageNet.

A checkpoint is a pickle, and a pickle may run code as it is opened; this one comes over a network
from a place that publishes no hash. So it goes into a file first, is opened by torch's restricted
reader, must hold this network's weights and nothing foreign, and its hash is remembered from the
first time all of that went well.
"""

from __future__ import annotations

import os
import pickle
import re
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from simlib.cache import home_folder
from simlib.encoders.base import sha256_of

URL = (
    "https://pl-bolts-weights.s3.us-east-2.amazonaws.com"
    "/simclr/bolts_simclr_imagenet/simclr_imagenet.ckpt"
)
TIMEOUT_SECONDS = 30
TRIES = 5

# Lightning of 2020 kept its callbacks and settings in the checkpoint, by their classes. The reader
# refuses classes; those of these packages are read as empty shells, of which no code runs.
_BOOKKEEPING = re.compile(
    r"(pytorch_lightning|pl_bolts|argparse|collections|pathlib)(\.\w+)*\.[A-Z]\w*"
    r"|numpy(\.\w+)*\.(dtype|ndarray|scalar|_reconstruct)"
)
# What training leaves in the checkpoint beside the encoder: bolts' classifier that watched it.
_NOT_THE_ENCODER = (
    "projection.", "non_linear_evaluator.", "online_finetuner.", "online_evaluator."
)  # fmt: skip


def fetch_checkpoint() -> Path:
    """Return the file with the published checkpoint, downloading it where it is not there yet.

    The file lies in simlib's folder (:func:`simlib.cache.home_folder`), below ``weights``. Whoever
    has it from elsewhere may put it there.

    Raises
    ------
    ConnectionError
        If it is not there and can't be downloaded.
    """
    path = home_folder() / "weights" / "simclr_imagenet.ckpt"
    if not path.exists():
        download(URL, path)
    return path


def download(url: str, path: Path, tries: int = TRIES, timeout: float = TIMEOUT_SECONDS) -> None:
    """Download a file, showing progress; go on where an earlier try, or run, was broken off.

    What has arrived is kept in ``path`` + ``.part`` and gets its name when it is whole. It is only
    added to if the server vouches that its file is still the same (HTTP's ``If-Range``).

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    path : pathlib.Path
        Where the file goes; its folder is made.
    tries : int
        How often in a row nothing at all may arrive before it gives up.
    timeout : float
        Seconds of silence after which a connection counts as broken.

    Raises
    ------
    ConnectionError
        If the file can't be had; the message says why and what to do.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part, validator = Path(f"{path}.part"), Path(f"{path}.etag")
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _receive(url, part, validator, timeout):
                break
            reason: object = "the connection broke off"
        except urllib.error.HTTPError as error:
            reason = f"the server answers {error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 416, 429):
                failures = tries  # gone or forbidden: asking again changes nothing
            elif error.code == 416:
                part.unlink(missing_ok=True)  # the file is shorter than what we hold: not the same
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
        grown = part.exists() and part.stat().st_size > before
        failures = 0 if grown else failures + 1
        if failures >= tries:
            raise ConnectionError(
                f"The published SimCLR weights could not be downloaded from {url} ({reason}). "
                "Try again with a network (what has arrived is kept), put the file at "
                f"{path} yourself, or use weights='compact', which works offline."
            )
        time.sleep(min(2.0**failures / 4, 10))
    os.replace(part, path)
    validator.unlink(missing_ok=True)


def _receive(url: str, part: Path, validator: Path, timeout: float) -> bool:
    """Ask for what is missing in ``part`` and add what comes; return whether it is whole now."""
    from tqdm.auto import tqdm

    have = part.stat().st_size if part.exists() and validator.exists() else 0
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", validator.read_text())
    with urllib.request.urlopen(request, timeout=timeout) as response:
        if response.status == 206:
            start = re.fullmatch(r"bytes (\d+)-\d+/\d+", response.headers["Content-Range"] or "")
            if start is None or int(start[1]) != have:
                raise OSError("the server sent another part of the file than was asked for")
        else:
            have = 0
        etag = response.headers["ETag"]
        if etag and not etag.startswith("W/"):
            validator.write_text(etag)
        else:
            validator.unlink(missing_ok=True)  # nothing vouches for the rest: start anew next time
        length = response.headers["Content-Length"]
        whole = None if length is None else have + int(length)
        with (
            open(part, "ab" if have else "wb") as file,
            tqdm(desc="SimCLR", total=whole, initial=have, unit="B", unit_scale=True) as bar,
        ):
            while chunk := response.read(1 << 18):
                file.write(chunk)
                bar.update(len(chunk))
                have += len(chunk)
    return whole is None or have == whole


def read_encoder_weights(path: Path, expected_names: set[str]) -> tuple[dict, str]:
    """Return the encoder's tensors in a checkpoint of bolts' SimCLR, and the file's SHA-256.

    The hash is written to ``path`` + ``.sha256`` the first time the file proves good, and the file
    must have that hash ever after.

    Parameters
    ----------
    path : pathlib.Path
        The checkpoint.
    expected_names : set of str
        The names in the state of the network that will take them.

    Raises
    ------
    ValueError
        If the file is not a checkpoint, would run code, lacks weights or has foreign ones, or has
        changed since it was first used.
    """
    found = sha256_of(path)
    record = Path(f"{path}.sha256")
    if record.exists() and (recorded := record.read_text().strip()) != found:
        raise ValueError(
            f"The SimCLR checkpoint {path} has changed since it was first used (its SHA-256 is "
            f"{found}, and was {recorded}). If you did not replace it, delete it and load the "
            f"encoder again; if you did, and trust the new file, delete {record}."
        )
    checkpoint = _open_restricted(path)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise ValueError(
            f"The file {path} is not a Lightning checkpoint (it has no 'state_dict'). Delete it "
            "and load the encoder again, or use weights='compact'."
        )
    state = checkpoint["state_dict"]
    weights = {
        name.removeprefix("encoder."): tensor
        for name, tensor in state.items()
        if name.startswith("encoder.")
    }
    missing = sorted(expected_names - weights.keys())
    foreign = sorted(weights.keys() - expected_names) + sorted(
        name for name in state if not name.startswith(("encoder.", *_NOT_THE_ENCODER))
    )
    if missing or foreign:
        raise ValueError(
            f"The checkpoint {path} does not fit SimCLR's ResNet-50: missing are "
            f"{_named(missing)}, foreign are {_named(foreign)}. Delete it and load the "
            "encoder again, or use weights='compact'."
        )
    if not record.exists():
        record.write_text(found + "\n")
    return weights, found


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{len(names)} ({shown}{', …' if len(names) > 3 else ''})" if names else "none"


class _Shell(dict):
    """Stands in for a class that a checkpoint names: holds what it is given and does nothing."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__()

    def __setstate__(self, state) -> None:
        pass


def _open_restricted(path: Path):
    import torch

    shells: dict[str, type] = {}
    while True:
        allowed = [(shell, name) for name, shell in shells.items()]
        try:
            with torch.serialization.safe_globals(allowed):
                return torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError) as error:
            named = re.search(r"GLOBAL ([\w.]+)", str(error))
            name = named[1] if named else None
            if name and name not in shells and _BOOKKEEPING.fullmatch(name):
                shells[name] = type("Shell", (_Shell,), {})
                continue
            if name:
                raise ValueError(
                    f"The file {path} would run code when opened ({name}), so it was not opened: "
                    "it is not the published checkpoint. Delete it; weights='compact' is at hand."
                ) from None
            raise ValueError(
                f"The file {path} is not a checkpoint, or a damaged one "
                f"({str(error).splitlines()[0]}). Delete it and load the encoder again, "
                "or use weights='compact'."
            ) from None
