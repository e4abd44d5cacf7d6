"""Run notebooks from top to bottom and save their outputs.

python tools/run_notebooks.py notebooks/*.ipynb              # in place, before a commit
python tools/run_notebooks.py --into results notebooks/*.ipynb
python tools/run_notebooks.py --on path/to/photos            # all, into results/photos
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import sys
import time
from pathlib import Path

import nbclient
import nbformat
from PIL import Image

import simlib

ROOT = Path(__file__).parents[1]
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def with_a_palette(png: str) -> str:
    """Return a picture, a PNG in base64, in its 256 main colours: less than half the size.

    Nobody sees the difference in figures and small product pictures, and a notebook stays light.
    """
    stream = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        fewer = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        fewer.save(stream, "PNG", optimize=True)
    return min(base64.b64encode(stream.getvalue()).decode(), png, key=len)


def run(path: Path, into: Path | None) -> None:
    """Execute one notebook in its folder; write it only if every cell succeeded."""
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    client = nbclient.NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    # Drop metadata that differs between editors and computers.
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = with_a_palette(output.data["image/png"])
    target = path if into is None else into / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    seconds = time.perf_counter() - started
    print(f"{target}: {seconds:.0f} s, {target.stat().st_size / 1e3:.0f} kB", flush=True)


def settle_on(catalogue: str) -> Path:
    """Set the catalogue of all notebooks, fetch it, and return the folder for results."""
    if catalogue not in ("sample", "digikala", "clothing"):
        catalogue = str(Path(catalogue).expanduser().resolve())  # kernels run in other folders
    try:
        image_df = simlib.load_catalogue(catalogue)  # here, where a download shows its progress
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(f"{len(image_df):,} pictures in {catalogue}", flush=True)
    os.environ["SIMLIB_CATALOGUE"] = catalogue
    return ROOT / "results" / (re.sub(r"\W+", "-", Path(catalogue).name).strip("-") or "catalogue")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them, with --on")
    parser.add_argument("--into", type=Path, help="a folder for the results; by default in place")
    parser.add_argument(
        "--on", metavar="CATALOGUE",
        help="another catalogue: a folder of pictures, digikala or clothing; the notebooks stay as "
        "they are, and the results go into results/ (SIMLIB_WEIGHTS chooses the weights)",
    )  # fmt: skip
    arguments = parser.parse_args()
    notebooks, into = arguments.notebooks, arguments.into
    if arguments.on:
        results = settle_on(arguments.on)
        into = into or results
        notebooks = notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    if not notebooks:
        parser.error("name the notebooks to run")
    os.environ["TQDM_DISABLE"] = "1"  # inherited by the kernels: no progress bars in the outputs
    failed = 0
    for path in notebooks:
        try:
            run(path, into)
        except nbclient.exceptions.CellExecutionError as error:
            failed += 1
            print(f"{path}: {error}", file=sys.stderr, flush=True)
    if failed:
        print(f"{failed} of {len(notebooks)} notebooks failed.", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
