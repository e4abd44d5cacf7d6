"""The published SimCLR checkpoint: a ResNet-50 that bolts' makers trained on ImageNet.

A checkpoint is a pickle, and a pickle may run code as it is opened; this one comes over a network
from a place that publishes no hash. So it goes into a file first, is opened by torch's restricted
reader, must hold this network's weights and nothing foreign, and its hash is remembered from the
first time all of that went well.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path

from simlib.downloads.http import fetch_file
from simlib.home import home_folder
from simlib.storage.hashing import sha256_of

URL = (
    "https://pl-bolts-weights.s3.us-east-2.amazonaws.com"
    "/simclr/bolts_simclr_imagenet/simclr_imagenet.ckpt"
)

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

    The file lies in simlib's folder (:func:`simlib.home.home_folder`), below ``weights``. Whoever
    has it from elsewhere may put it there.

    Raises
    ------
    ConnectionError
        If it is not there and can't be downloaded.
    """
    path = home_folder() / "weights" / "simclr_imagenet.ckpt"
    instead = f"Or put the file at {path} yourself, or use weights='compact', which works offline."
    return fetch_file(URL, path, "The published SimCLR checkpoint", instead)


def read_encoder_weights(path: Path, expected_names: set[str]) -> tuple[dict, str]:
    """Return the encoder's tensors in a checkpoint of bolts' SimCLR, and the file's SHA-256.

    The hash is written to ``path`` + ``.sha256`` the first time the file proves good, and the file
    must have that hash from then on.

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
        allowed: list[Callable | tuple[Callable, str]] = [
            (shell, name) for name, shell in shells.items()
        ]
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
