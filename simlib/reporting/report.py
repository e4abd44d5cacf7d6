"""One HTML file that says what a catalogue is and how well each embedding finds things in it."""

from __future__ import annotations

import base64
import io
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from simlib.arguments import require_count
from simlib.columns import Embeddings, noted_encoders, require_column
from simlib.explorer.thumbnails import THUMBNAIL, Thumbnails, data_uri
from simlib.measuring.comparison import chance_precision
from simlib.measuring.differences import differences_of
from simlib.measuring.duplicates import find_duplicates, with_thumbnails
from simlib.measuring.evaluation import evaluate_queries
from simlib.plots import plot_map
from simlib.reporting.page import Element, document, element, interval_bar, shown, table, users
from simlib.search import nearest_many
from simlib.storage.atomic import atomic_write
from simlib.storage.parquet import holds_embeddings

__all__ = ["report"]

# What bounds the size of a page: each picture takes about 5 kB, each map about 100 kB.
MOST_NEIGHBOURS = 400
MOST_FAILURES = 180
MOST_OF_A_GROUP, MOST_GROUPS = 8, 20
MOST_MAPS, MOST_ON_A_MAP = 6, 1_000
MOST_ROWS = 30
NEAREST_SHOWN = 10

MEANINGS = {
    "precision@{k}": "the share of the {k} nearest that have the query's label",
    "recall@{k}": "how often at least one of the {k} nearest has it",
    "R-precision": "the share of the R nearest that have it, R being how many others do",
    "mAP@R": "the same, but an early hit counts more than a late one",
}


class _Catalogue(NamedTuple):
    """The frame with rows numbered from 0, and what is known of it."""

    frame: pd.DataFrame
    columns: list
    label_col: str | None
    labels: list[str]  # as text; "" where there is none
    codes: np.ndarray  # the labels as whole numbers, -1 where there is none
    names: list[str]
    errors: list[str | None]
    usable: dict  # column → bool (n,): where there is an embedding that can be compared
    tiny: pd.DataFrame  # what near-duplicates are found by
    thumbnails: Thumbnails

    def counts(self, positions: np.ndarray) -> list[tuple[int, str, int]]:
        """Return (code, label, how many) of the labels at some positions, the largest first."""
        codes = self.codes[positions]
        names = {code: self.labels[at] for code, at in zip(codes, positions, strict=True)}
        numbers = np.bincount(codes[codes >= 0])
        found = [(int(code), names[code], int(numbers[code])) for code in np.flatnonzero(numbers)]
        return sorted(found, key=lambda one: (-one[2], one[1]))

    def figure(
        self, position: int, caption: str = "", kind: str = "plain", named: bool = False
    ) -> Element:
        """Return an item of a list of pictures, with its label and, if asked for, its name."""
        label, path = self.labels[position], self.frame["img_path"].iloc[position]
        picture = self.thumbnails.get(path)
        alt = self.names[position] + (f"; {self.label_col}: {label}" if label else "")
        image = element(
            "img",
            src=data_uri(picture),
            alt=shown(alt if picture else f"{alt} (can't be read)"),
            title=shown(self.names[position]),
            width=THUMBNAIL,
            height=THUMBNAIL,
        )
        parts = [caption, " " if caption and label else "", users(label) if label else None]
        if named:
            parts += [" ", users(self.names[position])]
        return element("li", element("figure", image, element("figcaption", *parts)), class_=kind)

    def neighbours(self, queries: list[int], column: str, k: int) -> dict[int, Element]:
        """Return, for each query, the list of its neighbours in one embedding."""
        found = nearest_many(self.frame, column, queries, k)
        lists = {}
        for number, query in enumerate(queries):
            figures = []
            own = found[found["query"] == number]
            for position, similarity in zip(own["index"], own["cosine_similarity"], strict=True):
                caption, kind = f"{similarity:.2f}", "plain"
                if self.codes[query] >= 0:
                    hit = self.codes[position] == self.codes[query]
                    caption += " ✓" if hit else " ✗"
                    kind = "hit" if hit else "miss"
                figures.append(self.figure(position, caption, kind))
            lists[query] = element("ol", *figures, class_="pictures")
        return lists


def report(
    image_df: pd.DataFrame,
    columns: str | Sequence[str] | None = None,
    path: str | os.PathLike[str] = "report.html",
    label_col: str | None = "category",
    *,
    k: int = 5,
    queries: int = 12,
    threshold: float = 0.99,
    title: str = "Image search report",
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Write one HTML file about a catalogue and its embeddings, to read and to pass on.

    It holds what the catalogue is, which pictures can't be read and why, what
    :func:`simlib.evaluate` and :func:`simlib.paired_difference` measure, a map of each embedding,
    the nearest neighbours of some queries, queries that find nothing of their label, and
    near-duplicates. Thumbnails and styles are in the file: it opens anywhere, without a network,
    and runs no script. Of the pictures' paths only the part below their common folder is in it.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With ``img_path`` and the embeddings. Pictures that are missing are reported.
    columns : str or list of str, optional
        The embedding columns; by default all whose cells are rows of floats.
    path : path
        The file, ``.html``; ``~`` is the home folder. An existing one is replaced once the new one
        is complete.
    label_col : str, optional
        What makes pictures belong together. Where the frame has no ``"category"``, or with None,
        the report does without measures and failures.
    k : int
        How many neighbours are measured; at most 10 of them are shown.
    queries : int
        How many queries are shown with their neighbours, or fewer where there are many columns:
        the first picture of each of the largest labels; without labels, pictures spread evenly over
        the frame.
    threshold : float
        From which similarity on pictures are near-duplicates (see :func:`simlib.find_duplicates`).
    title : str
        The heading.
    seed : int
        For the intervals and the maps.
    progress : bool
        Whether to show progress bars where it takes more than a second.

    Returns
    -------
    pathlib.Path
        The file: 1 to 4 MB, however large the catalogue is.

    Raises
    ------
    KeyError
        If a column is missing.
    OSError
        If the file can't be written; an earlier one is unchanged then.
    ValueError
        If the frame is empty or has no embeddings, or the path does not end in ``.html``.

    Examples
    --------
    >>> import tempfile
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").head(4)
    >>> pixels = simlib.load_encoder("pixels", size=(8, 8))
    >>> image_df = simlib.embed(image_df, pixels, progress=False)
    >>> path = report(image_df, path=f"{tempfile.mkdtemp()}/report.html", progress=False)
    >>> path.read_text(encoding="utf-8").splitlines()[0]
    '<!DOCTYPE html>'
    """
    path = _checked(path)
    require_count("k", k)
    require_count("queries", queries)
    catalogue = _read(image_df, columns, label_col, progress)
    k = min(k, min(int(usable.sum()) for usable in catalogue.usable.values()) - 1)
    sections = {"The catalogue": _describe(catalogue, noted_encoders(image_df.attrs))}
    measured, scores = {}, {}
    if k >= 1 and all(_measurable(catalogue, column) for column in catalogue.columns):
        for column in catalogue.columns:
            measured[column], scores[column] = evaluate_queries(
                catalogue.frame, column, catalogue.label_col or "", k, seed=seed, progress=progress
            )
        sections["Measures"] = _measures(catalogue, measured, k)
        if len(catalogue.columns) > 1:
            sections["Differences"] = _differences(differences_of(scores, seed))
    maps = _maps(catalogue, seed, progress)
    if maps:
        sections["Maps"] = maps
    if k >= 1:
        sections["Nearest neighbours"] = _neighbours(catalogue, queries, k)
    if scores:
        sections["Failures"] = _failures(catalogue, scores, k)
    sections["Near-duplicates"] = _duplicates(catalogue, threshold, progress)

    packages = [_with_version(name) for name in ("numpy", "pandas", "pillow")]
    now = datetime.now(UTC)
    made = element(
        "p", "Made on ", element("time", f"{now:%d %B %Y, %H:%M} UTC", datetime=f"{now:%FT%TZ}"),
        f" by {_with_version('simlib')} with Python {platform.python_version()}, ",
        f"{', '.join(packages)}.", class_="faint",
    )  # fmt: skip
    page = document(title, [made], sections)
    refusal = "The report could not be written ({reason}); what was there before is unchanged"
    with atomic_write(path.parent, path.name, refusal=refusal) as file:
        file.write(page)
    return path


def _with_version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:  # simlib from a checkout that is not installed
        return package


def _checked(path: str | os.PathLike[str]) -> Path:
    """Return where the report goes; raise before any work is done if it can't go there."""
    if "://" in os.fspath(path):
        raise ValueError(f"{path!r} is a URL, but a report is a file on this computer.")
    path = Path(path).expanduser()
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise ValueError(
            f"A report is an HTML file, but {str(path)!r} is not named like one. End it in .html: "
            "path='report.html'."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _read(
    image_df: pd.DataFrame,
    columns: str | Sequence[str] | None,
    label_col: str | None,
    progress: bool,
) -> _Catalogue:
    require_column(image_df, "img_path")
    if len(image_df) == 0:
        raise ValueError("The frame is empty: there is nothing to report.")
    if columns is None:
        columns = [name for name, cells in image_df.items() if holds_embeddings(cells)]  # type: ignore[misc]
    columns = list(dict.fromkeys([columns] if isinstance(columns, str) else columns))
    if not columns:
        raise ValueError(
            "The frame has no column of embeddings. simlib.embed(image_df, encoder) adds one; one "
            "of your own is named by columns=[...]."
        )
    for column in columns:
        require_column(image_df, column)
    if label_col == "category" and "category" not in image_df:
        label_col = None
    if label_col is not None:
        require_column(image_df, label_col)
    kept = dict.fromkeys(["img_path", *columns, *([] if label_col is None else [label_col])])
    frame = image_df[list(kept)].reset_index(drop=True)
    labels, codes = [""] * len(frame), np.full(len(frame), -1)
    if label_col is not None:
        labels = ["" if pd.isna(label) else str(label) for label in frame[label_col]]
        codes, _ = pd.factorize(frame[label_col].astype(object))
    seen = with_thumbnails(frame[["img_path"]], progress)
    usable = {}
    for column in columns:
        embeddings = Embeddings.of(frame, column)
        usable[column] = np.zeros(len(frame), dtype=bool)
        usable[column][embeddings.positions[embeddings.have_direction()]] = True
    paths = frame["img_path"].tolist()
    errors: list[str | None] = [None] * len(frame)
    if "error" in seen:
        pairs = zip(seen["error"], paths, strict=True)
        errors = [error and _reason(error, path) for error, path in pairs]
    return _Catalogue(
        frame=frame,
        columns=columns,
        label_col=label_col,
        labels=labels,
        codes=codes,
        names=_names(paths),
        errors=errors,
        usable=usable,
        tiny=seen,
        thumbnails=Thumbnails(),
    )


def _reason(error: str, path: object) -> str:
    """Return why a picture can't be opened, without its path."""
    return error.removeprefix(f"The picture {path!r} could not be opened: ").rstrip(".")


def _names(paths: list) -> list[str]:
    """Return the paths as text, less the folder that holds them all."""
    texts = [os.fspath(path) if isinstance(path, os.PathLike) else str(path) for path in paths]
    try:
        common = os.path.commonpath([os.path.dirname(text) for text in texts])
    except ValueError:  # some are absolute, or on different drives
        return [os.path.join(*Path(text).parts[-2:]) if text else text for text in texts]
    return [text.removeprefix(common).lstrip(os.sep) for text in texts]


def _measurable(catalogue: _Catalogue, column: str) -> bool:
    """Return whether two of the pictures with an embedding have one label."""
    codes = catalogue.codes[catalogue.usable[column]]
    return bool((np.bincount(codes[codes >= 0], minlength=1) > 1).any())


def _describe(catalogue: _Catalogue, made_by: dict) -> list[Element]:
    size = len(catalogue.frame)
    failed = [position for position, error in enumerate(catalogue.errors) if error]
    parts = [
        element("p", f"{_count(size, 'picture')}; {len(failed) or 'none'} can't be read."),
        table(
            "Embeddings",
            ["column", "encoder", "numbers a picture", "pictures without one"],
            [
                [
                    users(column),
                    users(made_by[column]["name"]) if column in made_by else "not noted",
                    f"{Embeddings.of(catalogue.frame, column).dim:,}",
                    f"{size - usable.sum():,}",
                ]
                for column, usable in catalogue.usable.items()
            ],
            texts=(0, 1),
        ),
    ]
    if failed:
        reasons = [
            [users(catalogue.names[position]), users(catalogue.errors[position])]
            for position in failed[:MOST_ROWS]
        ]
        parts.append(
            table("Pictures that can't be read", ["picture", "why"], reasons, texts=(0, 1))
        )
        parts += _rest(len(failed), "picture")
    if catalogue.label_col is None:
        parts.append(element("p", "Without labels nothing is measured here."))
        return parts
    known = np.arange(size)[catalogue.codes >= 0]
    counts = catalogue.counts(known)
    parts.append(
        element(
            "p", f"{_count(len(counts), 'label')} in the column ", users(catalogue.label_col),
            f"; {size - len(known):,} without one.",
        )
    )  # fmt: skip
    rows: list[list[str | Element]] = [
        [users(label), f"{count:,}"] for _, label, count in counts[:MOST_ROWS]
    ]
    if len(counts):
        parts.append(table("Labels, the largest first", ["label", "pictures"], rows))
        parts += _rest(len(counts), "label")
    return parts


def _count(number: int, what: str) -> str:
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number:,} {what if number == 1 else many}"


def _rest(number: int, what: str) -> list[Element]:
    """Return a line that says how many more there are than a table shows."""
    more = number - MOST_ROWS
    return (
        [element("p", f"And {_count(more, f'more {what}')}.", class_="faint")] if more > 0 else []
    )


def _measures(catalogue: _Catalogue, measured: dict[str, pd.DataFrame], k: int) -> list[Element]:
    first = measured[catalogue.columns[0]]
    rows = []
    for column, found in measured.items():
        cells = [
            element(
                "span", f"{mean:.2f} ({low:.2f} to {high:.2f})", interval_bar(mean, low, high)
            )
            if np.isfinite(low) else f"{mean:.2f}"
            for mean, low, high in found[["mean", "low", "high"]].to_numpy()
        ]  # fmt: skip
        rows.append([users(column), f"{found['queries'].iloc[0]:,}", *cells])
    meanings = []
    for measure, meaning in MEANINGS.items():
        meanings += [element("dt", measure.format(k=k)), element("dd", meaning.format(k=k))]
    chance, _ = chance_precision(catalogue.frame, None, catalogue.label_col or "")
    return [
        element(
            "p", "Each picture is a query once and all others are searched; a hit is one with the "
            "same ", users(catalogue.label_col), ". In brackets the 95% interval over the choice "
            f"of queries. Picking at random would reach a precision@{k} of {chance:.2f}.",
        ),
        table("How well each embedding finds", ["column", "queries", *first["measure"]], rows),
        element("dl", *meanings),
    ]  # fmt: skip


def _differences(found: pd.DataFrame) -> list[Element]:
    rows = []
    for row in found.head(4 * MOST_ROWS).to_dict("records"):
        verdict = element("span", "not told apart")
        if row["low"] > 0 or row["high"] < 0:
            better = users(row["first"] if row["low"] > 0 else row["second"])
            verdict = element("span", better, " is better")
        pair = element("span", users(row["first"]), " − ", users(row["second"]))
        numbers = f"{row['difference']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"
        rows.append([pair, row["measure"], numbers, verdict])
    return [
        element(
            "p", "What the first scores minus what the second scores, query by query, with the 95% "
            "interval of the mean. Where it does not hold 0, the choice of queries alone does not "
            "explain the difference; of many pairs some are told apart by chance.",
        ),
        table("Differences", ["pair", "measure", "difference", "so"], rows, texts=(0, 3)),
    ]  # fmt: skip


def _maps(catalogue: _Catalogue, seed: int, progress: bool) -> list[Element]:
    import matplotlib.pyplot as plt

    figures = []
    for column in catalogue.columns[:MOST_MAPS]:
        if catalogue.usable[column].sum() < 5:
            continue
        drawn = plot_map(
            catalogue.frame, column, catalogue.label_col, most=MOST_ON_A_MAP, seed=seed,
            progress=progress,
        )  # fmt: skip
        file = io.BytesIO()
        plt.gcf().savefig(file, format="png", dpi=120)
        plt.close()
        trust = drawn.attrs["trustworthiness"][column]
        coloured = f", coloured by {catalogue.label_col}" if catalogue.label_col else ""
        alt = f"Map of {_count(len(drawn), 'picture')} by t-SNE of {column}{coloured}"
        source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
        caption = element("figcaption", f"Trustworthiness {trust:.2f}")
        figures.append(element("figure", element("img", src=source, alt=shown(alt)), caption))
    if not figures:
        return []
    return [
        element(
            "p", "What is similar lies close together (t-SNE). Only who is next to whom counts, "
            "not how far apart two groups lie. Trustworthiness is 1 if all that are neighbours on "
            "the map are so in truth, and 0.5 for a map at random.",
        ),
        element("div", *figures, class_="maps"),
    ]  # fmt: skip


def _chosen(catalogue: _Catalogue, most: int) -> list[int]:
    """Return the positions of some queries: one of each of the largest labels, or evenly spread."""
    usable = np.logical_and.reduce(list(catalogue.usable.values()))
    usable = usable if usable.any() else catalogue.usable[catalogue.columns[0]]
    readable = usable & np.array([error is None for error in catalogue.errors])
    candidates = np.flatnonzero(readable if readable.any() else usable)
    labelled = candidates[catalogue.codes[candidates] >= 0]
    if len(labelled) == 0:
        spread = np.linspace(0, len(candidates) - 1, min(most, len(candidates)))
        return candidates[spread.astype(int)].tolist()
    first = np.unique(catalogue.codes[labelled], return_index=True)
    place_of = dict(zip(*first, strict=True))
    largest = catalogue.counts(labelled)[:most]
    return [int(labelled[place_of[code]]) for code, _, _ in largest]


def _neighbours(catalogue: _Catalogue, queries: int, k: int) -> list[Element]:
    k = min(k, NEAREST_SHOWN)
    fit = max(1, MOST_NEIGHBOURS // (1 + len(catalogue.columns) * k))
    chosen = _chosen(catalogue, min(queries, fit))
    found = {}
    for column in catalogue.columns:
        own = [position for position in chosen if catalogue.usable[column][position]]
        found[column] = catalogue.neighbours(own, column, k)
    marks = " ✓ marks those with the query's label, ✗ those with another."
    marks = marks if catalogue.label_col else ""
    parts = [element("p", f"The {k} nearest of each query, with their cosine similarity.{marks}")]
    for position in chosen:
        name = catalogue.labels[position] or catalogue.names[position]
        parts.append(element("h3", "Query: ", users(name)))
        parts.append(element("ul", catalogue.figure(position, "", "query"), class_="pictures"))
        for column, lists in found.items():
            parts.append(element("h4", users(column)))
            parts.append(lists.get(position) or element("p", "The query has no embedding here."))
    return parts


def _failures(catalogue: _Catalogue, scores: dict, k: int) -> list[Element]:
    shown_k = min(k, NEAREST_SHOWN)
    fit = max(1, MOST_FAILURES // (len(catalogue.columns) * (1 + shown_k)))
    precision = pd.DataFrame(
        {
            column: of_column[catalogue.label_col][f"precision@{k}"].to_numpy()
            for column, of_column in scores.items()
        }
    )
    by_label = precision.groupby(catalogue.codes).mean().dropna(how="all")
    by_label = by_label[by_label.index >= 0]
    names = {code: label for code, label, _ in catalogue.counts(np.arange(len(precision)))}
    mean = by_label.mean(axis=1).round(9)
    hardest = sorted(by_label.index, key=lambda code: (mean[code], names[code]))[:MOST_ROWS]
    rows: list[list[str | Element]] = [
        [
            users(names[code]),
            *("" if np.isnan(value) else f"{value:.2f}" for value in by_label.loc[code]),
        ]
        for code in hardest
    ]
    title = f"Mean precision@{k} by label, the hardest first"
    parts = [
        table(title, ["label", *map(shown, catalogue.columns)], rows),
        *_rest(len(by_label), "label"),
    ]
    for column in catalogue.columns:
        counted = precision[column].dropna()
        failed = counted.index[counted == 0].tolist()
        spread = np.linspace(0, len(failed) - 1, min(fit, 6, len(failed))).astype(int)
        some = [failed[place] for place in spread]
        end = f"; {len(some)} of them:" if len(some) < len(failed) else ":" if some else "."
        asked = _count(len(counted), "query")
        sentence = f"{len(failed):,} of {asked} find none of their own label among the {k} nearest"
        parts += [element("h3", users(column)), element("p", sentence + end)]
        lists = catalogue.neighbours(some, column, shown_k)
        for position in some:
            lists[position].insert(0, catalogue.figure(position, "query", "query"))
            parts.append(lists[position])
    return parts


def _duplicates(catalogue: _Catalogue, threshold: float, progress: bool) -> list[Element]:
    if catalogue.tiny["thumbnail"].isna().all():
        return [element("p", "No picture can be read, so none can be compared.")]
    found = find_duplicates(catalogue.tiny, "thumbnail", threshold, progress)
    groups = found["group"].nunique()
    if groups == 0:
        return [element("p", f"None: no two pictures are as similar as {threshold:g}.")]
    parts = [
        element(
            "p", f"{_count(len(found), 'picture')} in {_count(groups, 'group')} show the same or "
            f"nearly so (similarity {threshold:g} or more, by thumbnails); "
            f"{_count(len(found) - groups, 'picture')} would go if only the first of each stayed."
            + (f" The first {MOST_GROUPS} groups:" if groups > MOST_GROUPS else ""),
        )
    ]  # fmt: skip
    for number in range(min(groups, MOST_GROUPS)):
        group = found[found["group"] == number]
        pairs = zip(group["index"], group["cosine_similarity"], strict=True)
        figures = [catalogue.figure(place, f"{value:.3f}", named=True) for place, value in pairs]
        parts.append(element("h3", f"Group {number + 1}"))
        parts.append(element("ul", *figures[:MOST_OF_A_GROUP], class_="pictures"))
        if len(figures) > MOST_OF_A_GROUP:
            more = f"And {len(figures) - MOST_OF_A_GROUP:,} more."
            parts.append(element("p", more, class_="faint"))
    return parts
