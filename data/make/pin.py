"""Put the hashes of new weights into the source, when a training has written them.

    python data/make/pin.py

The weights themselves are pinned, and every file of the folders that simlib assembles from them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from simlib.networks import clip_compact, clip_multilingual, clip_tower
from simlib.storage.hashing import sha256_of

PINNED = (
    (clip_tower, "CHANGES"),
    (clip_compact, "PROJECTIONS"),
    (clip_multilingual, "PROJECTION"),
)


def main() -> None:
    for module, name in PINNED:
        source = Path(module.__file__)
        text = source.read_text(encoding="utf-8")
        old, new = getattr(module, f"{name}_SHA256"), sha256_of(getattr(module, name))
        text = text.replace(old, new)
        setattr(module, f"{name}_SHA256", new)
        if hasattr(module, "SHA256"):
            with tempfile.TemporaryDirectory() as work:
                folder = Path(work, "new")
                module._assemble(folder)
                for path, digest in module.SHA256.items():
                    text = text.replace(digest, sha256_of(folder / path))
        source.write_text(text, encoding="utf-8")
        print(f"{source.name}: {new}")


if __name__ == "__main__":
    main()
