"""Run notebooks from top to bottom and keep their outputs; for those who change or try them.

    python tools/run_notebooks.py notebooks/*.ipynb              # in place, before a commit
    python tools/run_notebooks.py --into results notebooks/*.ipynb
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import nbclient
import nbformat

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def run(path: Path, into: Path | None) -> None:
    """Execute one notebook in the folder it lies in; write it only if every cell succeeded."""
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
    # What differs between editors and computers is of no interest to a reader.
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    target = path if into is None else into / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    seconds = time.perf_counter() - started
    print(f"{target}: {seconds:.0f} s, {target.stat().st_size / 1e3:.0f} kB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, help="a folder for the results; by default in place")
    arguments = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"  # inherited by the kernels: no progress bars in the outputs
    failed = 0
    for path in arguments.notebooks:
        try:
            run(path, arguments.into)
        except nbclient.exceptions.CellExecutionError as error:
            failed += 1
            print(f"{path}: {error}", file=sys.stderr, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
