"""Model folders that are put together on this computer, once, and pinned file by file.

The weights come from packages and from ``data/models``; the settings stand in the source. Whoever
can write to such a folder can't have another model opened.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from simlib.home import home_folder
from simlib.storage.hashing import sha256_of
from simlib.storage.locks import exclusive

# The stock modules of sentence-transformers, as its folders name them.
MODULES = "sentence_transformers.base.modules"
TRANSFORMER, DENSE = f"{MODULES}.transformer.Transformer", f"{MODULES}.dense.Dense"
NORMALIZE = f"{MODULES}.normalize.Normalize"
POOLING = "sentence_transformers.sentence_transformer.modules.pooling.Pooling"
NORMALIZED = dict.fromkeys(("module_input_name", "module_output_name"), "sentence_embedding")

_KINDS = {"float32": "F32", "float16": "F16", "int64": "I64"}


def transformer_settings(modality: str, output: str, module_output: str) -> dict[str, object]:
    """Return the settings of a module that reads pictures or text with a network."""
    method = {"method": "forward", "method_output_name": output}
    return {
        "transformer_task": "feature-extraction",
        "modality_config": {modality: method},
        "module_output_name": module_output,
    }


def dense_settings(
    read: int, given: int, activation: str, values: str = "sentence_embedding", **more: object
) -> dict[str, object]:
    """Return the settings of a layer from ``read`` values to ``given``."""
    return {
        "in_features": read, "out_features": given, "bias": True,
        "activation_function": f"torch.nn.modules.{activation}",
        "module_input_name": values, "module_output_name": values, **more,
    }  # fmt: skip


def pooling_settings(dim: int, mode: str | list[str]) -> dict[str, object]:
    """Return the settings of a module that makes one vector of a text's or picture's tokens."""
    return {"embedding_dimension": dim, "pooling_mode": mode, "include_prompt": True}


def assembled_folder(
    name: str,
    what: str,
    settings: Mapping[str, object],
    sha256: Mapping[str, str],
    assemble: Callable[[Path], None],
) -> Path:
    """Return a model's folder in SIMLIB_HOME, putting it together if it is missing or changed.

    Of several processes one builds, and the others wait.

    Parameters
    ----------
    name : str
        The folder's.
    what : str
        Begins the messages: "The compact image-text model".
    settings : mapping
        What is in each JSON file of the folder, by its path in there.
    sha256 : mapping
        The SHA-256 of each other file.
    assemble : callable
        Writes all files into a new folder.

    Raises
    ------
    OSError
        If the folder can't be written. What ``assemble`` raises comes through.
    """
    folder = home_folder() / "models" / name
    if _is_intact(folder, settings, sha256):
        return folder
    with exclusive(folder, what):
        if _is_intact(folder, settings, sha256):  # another process built it while we waited
            return folder
        unfinished = f".{folder.name}-"
        for leftover in folder.parent.glob(f"{unfinished}*"):  # of a build that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=unfinished, dir=folder.parent) as work:
            built = Path(work, "new")
            assemble(built)
            if not _is_intact(built, settings, sha256):
                raise OSError(
                    f"{what} was not written to {built} as it should be. Check the disk, or name "
                    "another folder with the environment variable SIMLIB_HOME."
                )
            if os.path.lexists(folder):
                os.rename(folder, Path(work, "changed"))
            os.rename(built, folder)
    return folder


def _is_intact(folder: Path, settings: Mapping[str, object], sha256: Mapping[str, str]) -> bool:
    """Return whether a folder holds the model and nothing else."""
    try:
        found = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
        }
        return (
            found == {*settings, *sha256}
            and not any(path.is_symlink() for path in (folder, *folder.rglob("*")))
            and all((folder / name).read_bytes() == _as_json(settings[name]) for name in settings)
            and all(sha256_of(folder / name) == digest for name, digest in sha256.items())
        )
    except OSError:
        return False


def _as_json(settings: object) -> bytes:
    return json.dumps(settings, indent=2, sort_keys=True).encode()


def write_settings(folder: Path, settings: Mapping[str, object]) -> None:
    """Write the JSON files of a model, and the folders that they lie in."""
    for name, content in settings.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(_as_json(content))


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write tensors so that the same ones are the same bytes, whatever the library's version.

    The format: https://huggingface.co/docs/safetensors/index#format
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    # Wide types first, or narrower ones would put them out of step.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.nbytes
        kind = _KINDS[str(tensor.dtype)]
        header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.writelines([len(text).to_bytes(8, "little"), text])
        for _, tensor in ordered:
            file.write(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())


def require_hash(path: Path, expected: str, way_out: str) -> None:
    """Raise FileNotFoundError or ValueError unless a file has the SHA-256 that is expected."""
    if not path.is_file():
        raise FileNotFoundError(f"The weights {path} are missing. {way_out}")
    found = sha256_of(path)
    if found != expected:
        raise ValueError(
            f"The weights {path} have SHA-256 {found[:12]}…, expected {expected[:12]}…. {way_out}"
        )
