"""Where the pictures come from: a frame with one row a picture."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pandas as pd

from simlib.data_files import data_folder, restore_hint
from simlib.listing import survey

SAMPLE_FOLDER = data_folder() / "sample"
DIGIKALA = "masouduut94/digikala-color-classification"
CLOTHING_COMMIT = "36364be1969242c019705255cd87aed00c73a939"
CLOTHING = (
    f"https://github.com/alexeygrigorev/clothing-dataset-small/archive/{CLOTHING_COMMIT}.tar.gz"
)
CLOTHING_PICTURES = 3_781
INSTEAD = "load_catalogue('sample') works offline."


def load_catalogue(
    source: str | os.PathLike[str] = "sample", follow_links: bool = False
) -> pd.DataFrame:
    """Return a frame with one row for each picture of a catalogue.

    Parameters
    ----------
    source : str or path
        ``"sample"``: the embedded catalogue of drawn products, which needs no network.
        ``"digikala"``: 6,000 product pictures by colour from Kaggle, downloaded once by kagglehub
        (https://www.kaggle.com/datasets/masouduut94/digikala-color-classification).
        ``"clothing"``: 3,781 photos of clothes in 10 classes, downloaded once from GitHub
        (https://github.com/alexeygrigorev/clothing-dataset-small, CC0).
        Anything else is the path of a folder: every picture below it, recursively, is listed in
        the order of its name, and nothing is moved.
    follow_links : bool
        For a folder: list also the pictures that symlinks lead to outside of it, as in a snapshot
        of the Hugging Face hub; each folder once. Otherwise a warning names these symlinks, since a
        folder from elsewhere could so show any picture of this computer.

    Returns
    -------
    pandas.DataFrame
        With a fresh RangeIndex, ``img_path`` (str) and, where known, ``category``, ``colour``,
        ``pattern``, ``title`` and ``department``. For a folder ``category`` is the name of the
        sub-folder that holds the picture, missing for pictures that lie in the folder itself;
        for Digikala that name is the ``colour``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds no picture; what was skipped is named.
    ConnectionError
        If a catalogue has to be downloaded and can't be: within five seconds where there is no
        network, and with the steps to get a token where Kaggle asks for one.
    ValueError
        If what was downloaded is damaged or could do harm, or the folder's name is not Unicode.

    Examples
    --------
    >>> image_df = load_catalogue("sample")
    >>> sorted(image_df.columns)
    ['category', 'colour', 'department', 'img_path', 'pattern', 'title']
    >>> len(load_catalogue(SAMPLE_FOLDER / "red")) < len(image_df)
    True
    """
    if source == "sample":
        return _sample()
    if source == "digikala":
        from simlib.downloads.kaggle import fetch_kaggle

        folder = fetch_kaggle(DIGIKALA, "The Digikala catalogue", INSTEAD)
        return _folder(folder).rename(columns={"category": "colour"})
    if source == "clothing":
        from simlib.downloads.http import fetch_archive

        name = f"clothing-{CLOTHING_COMMIT[:12]}"
        return _folder(
            fetch_archive(CLOTHING, name, "The clothing catalogue", INSTEAD, CLOTHING_PICTURES)
        )
    # Absolute, so that the paths still hold when a notebook changes its folder.
    return _folder(Path(source).expanduser().absolute(), follow_links)


def _sample() -> pd.DataFrame:
    table = SAMPLE_FOLDER / "products.csv"
    if not table.is_file():
        raise FileNotFoundError(
            f"The embedded catalogue's table {table} is missing. {restore_hint()}"
        )
    products = pd.read_csv(table)
    paths = [str(SAMPLE_FOLDER / file) for file in products.pop("file")]
    products.insert(0, "img_path", paths)
    return products


def _folder(root: Path, follow_links: bool = False) -> pd.DataFrame:
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"The name of the folder {str(root)!r} is not Unicode; rename it."
        ) from None
    if not root.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(root)!r}. Give 'sample', 'digikala', 'clothing' or the path "
            "of a folder with pictures."
        )
    paths, skipped = survey(root, follow_links)
    if not paths:
        nothing = f"Neither {str(root)!r} nor a folder below it holds a picture. {skipped}"
        raise FileNotFoundError(nothing.strip())
    if skipped:
        warnings.warn(f"Below {str(root)!r} {skipped}", stacklevel=3)
    return pd.DataFrame(
        {
            "img_path": [str(path) for path in paths],
            "category": [path.parent.name if path.parent != root else None for path in paths],
        }
    )
