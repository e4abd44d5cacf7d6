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
import shutil
import sys
import time
from pathlib import Path

import nbclient
import nbformat
from PIL import Image

import simlib

ROOT = Path(__file__).parents[1]
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


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
    shrink_figures(notebook)
    target = path if into is None else into / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    if into is not None and (images := path.parent / "images").is_dir():
        shutil.copytree(images, target.parent / "images", dirs_exist_ok=True)
    seconds = time.perf_counter() - started
    print(f"{target}: {seconds:.0f} s, {target.stat().st_size / 1e3:.0f} kB", flush=True)


def in_few_colours(png: bytes) -> bytes:
    """Return a figure as a PNG of 256 colours, a third of its size; or as it is if that is smaller.

    Examples
    --------
    >>> in_few_colours(b"no picture")
    b'no picture'
    """
    try:
        figure = Image.open(io.BytesIO(png)).convert("RGBA")
    except OSError:
        return png
    on_white = Image.alpha_composite(Image.new("RGBA", figure.size, "white"), figure)
    stream = io.BytesIO()
    on_white.convert("RGB").quantize(256).save(stream, "PNG", optimize=True)
    return min(png, stream.getvalue(), key=len)


def shrink_figures(notebook: nbformat.NotebookNode) -> None:
    """Store the figures of all cells in few colours: photos in PNG are what fills a notebook."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                png = in_few_colours(base64.b64decode(data["image/png"]))
                data["image/png"] = base64.b64encode(png).decode()


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
