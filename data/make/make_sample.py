"""Draw the embedded catalogue, ``data/sample``: product pictures and ``products.csv``.

    python -m pip install -r data/make/requirements.txt
    python data/make/make_sample.py                      # rewrites data/sample, about two minutes
    python data/make/make_sample.py --output elsewhere   # leaves data/sample alone

Each kind of product is drawn three times in each of the twelve colours; 58% of the pictures are
plain, the others striped, dotted or checked where that makes sense. A picture is stored in the
folder of its colour (``blue/dress-007.jpg``); ``products.csv`` has its department, category,
colour, pattern and title. Two runs on one machine write the same bytes; on another processor skia
may round a few pixels differently.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from pathlib import Path

from drawing import COLOURS, KINDS, Drawing, sample_drawings

ROOT = Path(__file__).resolve().parents[2]
PER_KIND = 36
JPEG_QUALITY = 80
FIELDS = ("file", "department", "category", "colour", "pattern", "title")


def file_name(drawing: Drawing, number: int) -> str:
    """Return the path of a picture relative to ``data/sample``, with / on every system."""
    return f"{drawing.colour}/{drawing.category.replace(' ', '-')}-{number:03d}.jpg"


def make_sample(output: Path, per_kind: int = PER_KIND) -> tuple[int, int]:
    """Write the pictures and ``products.csv``; return the number of pictures and of bytes.

    Only what an earlier run wrote is removed: the folders of the colours and ``products.csv``.
    """
    output.mkdir(parents=True, exist_ok=True)
    for colour in COLOURS:
        shutil.rmtree(output / colour, ignore_errors=True)
        (output / colour).mkdir()
    rows, size = [], 0
    for place, drawing in enumerate(sample_drawings(per_kind)):
        name = file_name(drawing, place % per_kind + 1)
        drawing.image.save(output / name, "JPEG", quality=JPEG_QUALITY, optimize=True)
        size += (output / name).stat().st_size
        rows.append(
            (
                name,
                drawing.department,
                drawing.category,
                drawing.colour,
                drawing.pattern,
                drawing.title,
            )
        )
    with open(output / "products.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows(sorted(rows))
    return len(rows), size


def main() -> None:
    """Draw the catalogue and print its size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "data" / "sample")
    parser.add_argument("--per-kind", type=int, default=PER_KIND)
    arguments = parser.parse_args()
    start = time.perf_counter()
    count, size = make_sample(arguments.output, arguments.per_kind)
    seconds = time.perf_counter() - start
    print(
        f"{count} pictures of {len(KINDS)} kinds, {size / 1e6:.2f} MB, in {seconds:.0f} s "
        f"({count / seconds:.1f} drawings a second)"
    )


if __name__ == "__main__":
    main()
