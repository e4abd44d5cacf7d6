"""The explorer: choose a picture or type words, and see what each strategy finds, side by side.

:class:`SearchState` is the search: the query, the filters, what was found. :class:`Explorer` shows
it with ipywidgets. The number of widgets hangs on what is visible, never on the catalogue's size:
a cell is made once and shows another picture when it has to.
"""

from __future__ import annotations

import base64
import io
import os
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from itertools import islice
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
import pandas as pd
from PIL import Image

from simlib.columns import Embeddings, column_of_rows, encoder_of, require_column
from simlib.encoders.base import Encoder
from simlib.images import ImageError, decode_image, is_image_name, load_image, read_image_file
from simlib.search import nearest

MOST_NEIGHBOURS = 24
"""The right end of the slider. So many are searched at once, so that the slider only shows more."""

PAGE = 24
"""Pictures on one page of the catalogue."""

MOST_LISTED = 2000
"""So many pictures of a folder are listed; the rest is left out, with a sentence."""

MOST_SECONDS = 5
"""So long a folder is listed: someone may type ``/``."""

HISTORY = 30
"""So many queries one can go back."""

FILTERS = ("category", "colour")
FACTS = ("title", "category", "colour", "pattern", "department")


def explore(
    image_df: pd.DataFrame, columns: str | Sequence[str], model: Encoder | None = None
) -> Explorer:
    """Open the explorer: a query, and its neighbours by each strategy, side by side.

    The query is a picture of the catalogue, a picture from a file, a folder or an upload, or, where
    an encoder can read, words. A click on a neighbour makes it the query.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With ``img_path`` and the embedding columns. Where it has ``category`` or ``colour``, one
        can filter by them. It is not changed.
    columns : str or sequence of str
        The embedding columns to compare.
    model : Encoder, optional
        The encoder of one of the columns (``model.column``), for queries from outside the
        catalogue: pictures, and words where it has ``encode_text``. Only needed for a column that
        was not embedded in this session; others know their encoder.

    Returns
    -------
    Explorer
        A widget that JupyterLab shows as a cell's result. ``explorer.state`` is the search behind
        it: the query, the filters, and what was found as frames.

    Raises
    ------
    KeyError
        If the frame has no ``img_path`` or lacks one of the columns.
    TypeError
        If ``model`` is not an encoder.
    ValueError
        If the frame is empty, no column is named, one of them holds no embeddings, or ``model``
        belongs to none of them.

    Examples
    --------
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").head(12)
    >>> encoder = simlib.load_encoder("pixels", size=(8, 8))
    >>> explorer = explore(simlib.embed(image_df, encoder, progress=False), "flattened_pixels")
    >>> explorer
    Explorer(12 pictures, by flattened_pixels)
    >>> explorer.state.choose_row(3)
    >>> len(explorer.state.found["flattened_pixels"].neighbours)
    11
    """
    return Explorer(SearchState(image_df, columns, model))


@dataclass(frozen=True)
class Query:
    """What is searched for: a row of the catalogue, a picture from outside, or words.

    Attributes
    ----------
    name : str
        What it is called on the page.
    position : int or None
        The row's position in the catalogue.
    picture : bytes or None
        A JPEG of a picture from outside, PICTURE pixels wide and high.
    words : str or None
    vectors : dict
        Column → the query's embedding, ``(dim,)``; empty for a row, whose embeddings are there.
    problems : dict
        Column → the sentence that says why there is no embedding.
    """

    name: str
    position: int | None = None
    picture: bytes | None = None
    words: str | None = None
    vectors: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    problems: dict[str, str] = field(default_factory=dict, compare=False)


class Found(NamedTuple):
    """What one strategy found: as :func:`simlib.nearest` returns it, ``index`` holding positions.

    Where nothing could be compared, ``neighbours`` is empty and ``problem`` says why.
    """

    neighbours: pd.DataFrame
    problem: str = ""


class SearchState:
    """The search behind the explorer; needs no browser.

    Rows are named by their position in the frame, from 0 on. A ``choose_…`` that fails raises a
    sentence (:class:`simlib.ImageError` or ValueError) and leaves everything as it was.

    Attributes
    ----------
    query : Query
    found : dict
        Column → :class:`Found`, at most MOST_NEIGHBOURS each.
    filters : dict
        ``"category"`` or ``"colour"`` → the value that is let through, or None for all.
    shown : numpy.ndarray
        int64, the positions of the rows that pass the filters.
    notice : str
        What the user should know about the last step, such as a warning of the encoder.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"img_path": ["a.jpg", "b.jpg", "c.jpg"], "own": [[1, 0], [0, 2], [3, 4]]}
    ... )
    >>> state = SearchState(frame, "own")
    >>> state.found["own"].neighbours["index"].tolist()
    [2, 1]
    >>> state.choose_row(1)
    >>> state.found["own"].neighbours["index"].tolist()
    [2, 0]
    """

    def __init__(
        self, image_df: pd.DataFrame, columns: str | Sequence[str], model: Encoder | None = None
    ) -> None:
        require_column(image_df, "img_path")
        self.columns = list(dict.fromkeys([columns] if isinstance(columns, str) else columns))
        if not self.columns:
            raise ValueError("No embedding column is named; give at least one to search by.")
        for column in self.columns:
            require_column(image_df, column)
        if len(image_df) == 0:
            raise ValueError("The frame is empty: there is nothing to explore.")
        if model is not None and not isinstance(model, Encoder):
            raise TypeError(
                f"{model!r} is not an encoder; make one with simlib.load_encoder(name) first."
            )
        if model is not None and model.column not in self.columns:
            raise ValueError(
                f"The model belongs to the column {model.column!r}, which is not among those to "
                f"explore: {', '.join(self.columns)}."
            )
        self.labels = image_df.index
        self.frame = image_df.reset_index(drop=True)
        self._encoders: dict[str, Encoder | None] = {}
        self._present: dict[str, np.ndarray] = {}
        self._dims: dict[str, int] = {}
        for column in self.columns:
            embeddings = _shared_embeddings(self.frame, column)
            own = model is not None and model.column == column
            self._encoders[column] = model if own else encoder_of(embeddings)
            self._present[column] = np.isin(np.arange(len(self.frame)), embeddings.positions)
            self._dims[column] = embeddings.dim
        self._values = {name: _as_text(self.frame[name]) for name in FILTERS if name in self.frame}
        self._values = {name: values for name, values in self._values.items() if values.any()}
        self._gallery = self.frame[["img_path", *self.columns]]
        self._history: list[Query] = []
        self.filters: dict[str, str | None] = dict.fromkeys(self._values)
        self.shown = np.arange(len(self.frame))
        self.notice = ""
        self.query = self._row(0)
        self.found: dict[str, Found] = {}
        self._search()

    @property
    def reads_words(self) -> bool:
        """Whether an encoder of one of the columns can encode text."""
        return any(hasattr(encoder, "encode_text") for encoder in self._encoders.values())

    @property
    def can_go_back(self) -> bool:
        return bool(self._history)

    def choose_row(self, position: int) -> None:
        """Search for a picture of the catalogue."""
        if not 0 <= position < len(self.frame):
            raise ValueError(f"There is no picture {position}; there are {len(self.frame)}.")
        self.notice = ""
        self._choose(self._row(int(position)))

    def choose_file(self, path: str | os.PathLike[str]) -> None:
        """Search for the picture of a file."""
        self._choose_picture(read_image_file(path), os.fspath(path))

    def choose_upload(self, data: bytes, name: str) -> None:
        """Search for a picture by the content of its file."""
        self._choose_picture(data, name)

    def choose_words(self, words: str) -> None:
        """Search for words, in the columns whose encoder can read."""
        words = " ".join(words.split())
        if not words:
            raise ValueError("There are no words to search for. Type some, such as: a red dress")
        if not self.reads_words:
            raise ValueError(
                "None of these columns can be searched by words: their encoders read only pictures."
            )
        vectors, problems = {}, {}
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            for column, encoder in self._encoders.items():
                if hasattr(encoder, "encode_text"):
                    vectors[column] = encoder.encode_text([words])[0]  # (dim,)
                else:
                    problems[column] = "Words can't be compared with this strategy's pictures."
        notices = [str(each.message) for each in heard if issubclass(each.category, UserWarning)]
        self.notice = " ".join(notices)
        name = words if len(words) <= 200 else words[:200] + "…"
        self._choose(Query(name, words=words, vectors=vectors, problems=problems))

    def back(self) -> None:
        """Search again for what was searched for before."""
        if not self._history:
            raise ValueError("This is the first query; there is none before it.")
        self.notice = ""
        self.query = self._history.pop()
        self._search()

    def filter_by(self, name: str, value: str | None) -> None:
        """Let only rows through whose ``name`` is ``value``; all rows where it is None."""
        if name not in self.filters:
            raise ValueError(f"The catalogue can't be filtered by {name!r}.")
        self.notice = ""
        self.filters[name] = value
        passes = np.ones(len(self.frame), dtype=bool)
        for each, wanted in self.filters.items():
            if wanted is not None:
                passes &= self._values[each] == wanted
        self.shown = np.flatnonzero(passes)
        gallery = self.frame[["img_path", *self.columns]]
        self._gallery = gallery if passes.all() else gallery[passes]
        self._search()

    def choices(self, name: str) -> list[str]:
        """Return the values of a filter, sorted."""
        return sorted(set(self._values[name]) - {""})

    def dim(self, column: str) -> int:
        """Return the number of values in an embedding of a column."""
        return self._dims[column]

    def path(self, position: int) -> object:
        """Return where the picture of a row lies, as the catalogue has it."""
        return self.frame["img_path"].iat[position]

    def title(self, position: int) -> str:
        """Return what a row is called: its title, else its category and colour, else its file."""
        facts = self.facts(position)
        words = [facts[name] for name in ("colour", "category") if name in facts]
        return facts.get("title") or " ".join(words) or facts["file"]

    def facts(self, position: int) -> dict[str, str]:
        """Return what the catalogue says about a row, and its label."""
        facts = {}
        for name in FACTS:
            value = self.frame[name].iat[position] if name in self.frame else None
            if not _is_missing(value):
                facts[name] = _shortened(value)
        facts["file"] = _shortened(os.path.basename(str(self.path(position))))
        facts["label"] = _shortened(self.labels[position])
        return facts

    def agreement(self, column: str, k: int) -> dict[str, int]:
        """Return how many of the first ``k`` neighbours share the query's category and colour.

        Empty where the query is no row of the catalogue.
        """
        position = self.query.position
        if position is None:
            return {}
        positions = self.found[column].neighbours["index"].to_numpy(dtype=np.int64)[:k]
        return {
            name: int((values[positions] == values[position]).sum())
            for name, values in self._values.items()
            if values[position]
        }

    def _row(self, position: int) -> Query:
        return Query(self.title(position), position=position)

    def _choose_picture(self, data: bytes, path: str) -> None:
        image = decode_image(data, path)
        vectors, problems = {}, {}
        for column, encoder in self._encoders.items():
            if encoder is None:
                problems[column] = (
                    "It is not known which encoder made this column, so a picture from outside the "
                    "catalogue can't be compared with it. Give explore(…, model=…) its encoder."
                )
                continue
            try:
                vectors[column] = encoder.encode([image])[0]  # (dim,)
            except Exception as error:  # whatever a network may raise; the other strategies go on
                problems[column] = sentence(error)
        self.notice = ""
        name = _shortened(os.path.basename(path) or path)
        picture = jpeg(image, PICTURE)
        self._choose(Query(name, picture=picture, vectors=vectors, problems=problems))

    def _choose(self, query: Query) -> None:
        if query == self.query:
            return
        self._history = [*self._history, self.query][-HISTORY:]
        self.query = query
        self._search()

    def _search(self) -> None:
        self.found = {}
        for column in self.columns:
            try:
                self.found[column] = Found(self._nearest(column))
            except ValueError as error:
                nothing = pd.DataFrame({"rank": [], "index": [], "cosine_similarity": []})
                self.found[column] = Found(nothing, sentence(error))

    def _nearest(self, column: str) -> pd.DataFrame:
        query, gallery = self.query, self._gallery
        if column in query.problems:
            raise ValueError(query.problems[column])
        if not self._present[column][self.shown].any():
            raise ValueError(
                "No picture passes the filter."
                if len(self.shown) == 0
                else "No picture that passes the filter has an embedding here."
            )
        if query.position is None:
            return nearest(gallery, column, query.vectors[column], MOST_NEIGHBOURS)
        if not self._present[column][query.position]:
            reason = self.frame["error"].iat[query.position] if "error" in self.frame else None
            raise ValueError(
                "The query has no embedding here" + ("." if _is_missing(reason) else f": {reason}")
            )
        if query.position in gallery.index:  # then it must not find itself
            return nearest(gallery, column, query.position, MOST_NEIGHBOURS)
        vector = self.frame[column].iat[query.position]
        return nearest(gallery, column, vector, MOST_NEIGHBOURS)


def _shared_embeddings(frame: pd.DataFrame, column: str) -> Embeddings:
    """Return a column's embeddings; the user's own cells are first put into one matrix."""
    embeddings = Embeddings.of(frame, column)
    if not embeddings.matrix.flags.writeable:
        return embeddings
    # They would be put together anew at every query otherwise.
    matrix = np.zeros((len(frame), embeddings.dim), dtype=np.float32)
    matrix[embeddings.positions] = embeddings.matrix
    present = np.isin(np.arange(len(frame)), embeddings.positions)
    frame[column] = column_of_rows(matrix, present, frame.index)
    return Embeddings.of(frame, column)


def _as_text(values: pd.Series) -> np.ndarray:
    """Return the values as strings, ``(n,)`` of dtype object, missing ones empty."""
    return np.array(["" if _is_missing(value) else str(value) for value in values], dtype=object)


def _is_missing(value: object) -> bool:
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def _shortened(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 120 else text[:120] + "…"


def sentence(error: Exception) -> str:
    """Return what an error says, for a reader who sees no traceback.

    Examples
    --------
    >>> sentence(ValueError("There is nothing here."))
    'There is nothing here.'
    >>> sentence(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero'
    """
    said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if said and isinstance(error, (ValueError, KeyError)):
        return said
    return f"{type(error).__name__}: {said}" if said else f"{type(error).__name__}."


def pictures_below(folder: str | os.PathLike[str]) -> tuple[list[str], bool]:
    """Return the paths of pictures below a folder, and whether these are all of them.

    Unlike :func:`simlib.images.find_pictures` it ends: after MOST_LISTED pictures or MOST_SECONDS.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> open(os.path.join(folder.name, "shoe.jpg"), "w").close()
    >>> paths, all_of_them = pictures_below(folder.name)
    >>> [os.path.basename(path) for path in paths], all_of_them
    (['shoe.jpg'], True)
    >>> folder.cleanup()
    """
    deadline = time.monotonic() + MOST_SECONDS
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(parent, name) for name in sorted(files) if is_image_name(name)]
        if len(found) > MOST_LISTED or time.monotonic() > deadline:
            return found[:MOST_LISTED], False
    return found, True


# ---- What the browser shows ----

THUMBNAIL = 112
"""Width and height of a thumbnail, in pixels."""

PICTURE = 256
"""Width and height of the query's picture, in pixels."""

MOST_THUMBNAILS = 2000
"""So many thumbnails are kept, the ones shown last: about 5 MB, whatever is opened how often."""

UNREADABLE = "data:image/svg+xml;base64," + base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><rect width="100" height="100" '
    b'fill="lightgrey"/><path d="M0 0L100 100M0 100L100 0" stroke="grey" stroke-width="2"/></svg>'
).decode("ascii")


def jpeg(image: Image.Image, side: int) -> bytes:
    """Return a picture as a square JPEG of ``side`` × ``side`` pixels, white around the picture."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    small = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    square = Image.new("RGB", (side, side), "white")
    square.paste(small, ((side - width) // 2, (side - height) // 2))
    file = io.BytesIO()
    square.save(file, "JPEG", quality=85)
    return file.getvalue()


def data_uri(picture: bytes | None) -> str:
    """Return an address that holds a JPEG itself; a crossed-out area for None."""
    if picture is None:
        return UNREADABLE
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")


class Thumbnails:
    """Small JPEGs of pictures, made when first asked for; the ones asked for last are kept.

    A file that has changed since gets a new one.

    Examples
    --------
    >>> thumbnails = Thumbnails()
    >>> thumbnails.get("no such picture.jpg") is None
    True
    """

    def __init__(self, most: int = MOST_THUMBNAILS) -> None:
        self.most = most
        self._kept: OrderedDict[object, bytes | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        return sum(len(picture) for picture in self._kept.values() if picture is not None)

    def get(self, path: object) -> bytes | None:
        """Return the thumbnail, or None for a picture that can't be opened."""
        key = path if isinstance(path, str) else repr(path), _last_change(path)
        if key not in self._kept:
            try:
                # Opened somewhat larger, so that the last step is a clean one.
                self._kept[key] = jpeg(load_image(path, 2 * THUMBNAIL), THUMBNAIL)
            except ImageError:
                self._kept[key] = None
        self._kept.move_to_end(key)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return self._kept[key]


def _last_change(path: object) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, TypeError, ValueError):
        return None  # there is no such file, or it is not even a path


_thumbnails = Thumbnails()  # ipywidgets lets go of no widget, so an explorer must not hold its own


class Cell(NamedTuple):
    """What a cell shows: a picture, the text of its button, and what appears on hover."""

    picture: bytes | None
    text: str
    facts: str


class Shelf(widgets.Box):
    """A row of pictures, each of them a real button: the Tab key reaches it, Enter chooses it.

    The picture is the button's background, by one style element for the whole shelf.
    """

    def __init__(self, choose: Callable[[int], None], small: bool = False) -> None:
        self._choose = choose
        self._kind = "simlib-small" if small else "simlib-large"
        self._style = widgets.HTML()
        self._style.add_class("simlib-hidden")
        self._layouts = widgets.Layout(), widgets.ButtonStyle()  # one for all: half the messages
        self.buttons: list[widgets.Button] = []
        super().__init__([self._style])
        self.add_class("simlib-shelf")

    @property
    def visible(self) -> list[widgets.Button]:
        """The buttons that show something now."""
        return list(self.children[1:])

    def show(self, cells: Sequence[Cell]) -> None:
        """Show these pictures instead of what was there."""
        while len(self.buttons) < len(cells):
            self.buttons.append(self._new_button(len(self.buttons)))
        rules = []
        for place, cell in enumerate(cells):
            rules.append(
                f".{self._class_of(place)}.jupyter-button"
                f'{{background-image:url("{data_uri(cell.picture)}")}}'
            )
            button = self.buttons[place]
            with button.hold_sync():
                button.description, button.tooltip = cell.text, cell.facts
        self._style.value = f"<style>{''.join(rules)}</style>"
        self.children = [self._style, *self.buttons[: len(cells)]]

    def _class_of(self, place: int) -> str:
        # The model's id is one of its own, also beside the output of an earlier kernel.
        return f"simlib-{self._style.model_id}-{place}"

    def _new_button(self, place: int) -> widgets.Button:
        layout, style = self._layouts
        button = widgets.Button(layout=layout, style=style)
        for name in ("simlib-picture", self._kind, self._class_of(place)):
            button.add_class(name)
        button.on_click(lambda _: self._choose(place))
        return button


STYLE = """<style>
.simlib-explorer { gap: 6px; padding: 2px; }
.simlib-explorer .simlib-hidden { display: none; }
.simlib-explorer .simlib-bar { flex-flow: row wrap; align-items: center; gap: 4px 10px; }
.simlib-explorer .simlib-shelf { flex-flow: row wrap; gap: 5px; padding: 3px; overflow: visible; }
.simlib-picture.jupyter-button {
  margin: 0; overflow: hidden; text-overflow: ellipsis; text-align: left;
  font-variant-numeric: tabular-nums; color: var(--jp-ui-font-color1, #222);
  border: 1px solid var(--jp-border-color2, #ccc); border-radius: 4px;
  background-color: var(--jp-layout-color1, #fff); background-repeat: no-repeat;
}
.simlib-large.jupyter-button {
  width: 112px; height: 154px; padding: 104px 5px 0; white-space: pre-wrap; font-size: 11px;
  line-height: 15px; background-position: center 3px; background-size: 100px 100px;
}
.simlib-large.jupyter-button::first-line { font-weight: 600; font-size: 12px; }
/* Lines enough to fill the button, since a button's text is centred from top to bottom. */
.simlib-large.jupyter-button::after { content: "\\A\\A\\A"; white-space: pre; }
/* Its text counts the files, always 0 since each is taken at once: shown is another one. */
.simlib-upload.jupyter-button { font-size: 0; }
.simlib-upload.jupyter-button i { font-size: var(--jp-widgets-font-size, 13px); }
.simlib-upload.jupyter-button::after {
  content: "Upload a picture"; font-size: var(--jp-widgets-font-size, 13px);
}
.simlib-small.jupyter-button {
  width: 66px; height: 66px; padding: 0; white-space: nowrap; text-indent: 100px;
  background-position: center; background-size: contain;
}
.simlib-picture.jupyter-button:hover { border-color: var(--jp-brand-color1, #1976d2); }
.simlib-picture.jupyter-button:focus-visible {
  outline: 3px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px;
}
.simlib-explorer .simlib-query { flex: 0 0 196px; margin: 0 14px 0 2px; line-height: 1.35; }
.simlib-query img {
  width: 190px; height: 190px; object-fit: contain; background: #fff; border-radius: 4px;
  border: 3px solid #e8710a; box-sizing: border-box; display: block;
}
.simlib-query blockquote {
  width: 190px; min-height: 90px; margin: 0; padding: 14px; box-sizing: border-box; font-size: 16px;
  border: 3px solid #e8710a; border-radius: 4px; overflow-wrap: anywhere;
  max-height: 300px; overflow: auto;
}
.simlib-query table {
  font-size: 12px; line-height: 1.5; border-collapse: collapse; margin-top: 6px;
}
.simlib-query th { text-align: left; font-weight: normal; opacity: .7; padding: 0 8px 0 0;
  vertical-align: top; }
.simlib-query td { padding: 0; overflow-wrap: anywhere; }
.simlib-heading { line-height: 1.4; padding: 4px 3px 0; }
.simlib-heading b { font-family: var(--jp-code-font-family, monospace); }
.simlib-heading span { opacity: .75; font-size: 12px; margin-left: 8px; }
.simlib-status { line-height: 1.4; padding: 3px 8px; border-left: 3px solid transparent; }
.simlib-problem { border-color: #c62828; background: rgba(198, 40, 40, .1); }
</style>"""


class Explorer(widgets.VBox):
    """The widget that :func:`explore` returns.

    Attributes
    ----------
    state : SearchState
        The search that it shows.
    """

    def __init__(self, state: SearchState) -> None:
        super().__init__()
        self.state = state
        self._folder: list[str] | None = None  # what the grid shows instead of the catalogue
        self._quiet = False
        self.add_class("simlib-explorer")
        self._make_grid()
        self._make_controls()
        self.status = widgets.HTML()
        self._query = widgets.HTML()
        self._query.add_class("simlib-query-box")
        self.headings = {column: widgets.HTML() for column in state.columns}
        self.shelves = {column: Shelf(partial(self._neighbour, column)) for column in state.columns}
        pairs = zip(self.headings.values(), self.shelves.values(), strict=True)
        strategies = widgets.VBox(
            [widget for pair in pairs for widget in pair],
            layout=widgets.Layout(flex="1 1 0", min_width="260px"),
        )
        query = widgets.Box([self._query])
        query.add_class("simlib-query")
        self.children = [
            widgets.HTML(STYLE).add_class("simlib-hidden"),
            *self._bars(),
            self.status,
            widgets.HBox([query, strategies]),
        ]
        self._show_grid()
        self._show_search()
        self._say(self._summary())

    def __repr__(self) -> str:
        count = len(self.state.frame)
        return f"Explorer({count:,} pictures, by {', '.join(self.state.columns)})"

    # Making the widgets

    def _make_grid(self) -> None:
        self.grid = Shelf(self._from_grid, small=True)
        self.previous = _button("‹ Previous", "The page of pictures before this one")
        self.next = _button("Next ›", "The next page of pictures")
        self.page = widgets.BoundedIntText(
            value=1, min=1, max=1, description="Page",
            style={"description_width": "initial"}, layout=widgets.Layout(width="100px"),
        )
        self._pages = widgets.HTML()
        self.catalogue = _button("Back to the catalogue", "Show the catalogue's pictures again")
        self.previous.on_click(lambda _: self._turn(-1))
        self.next.on_click(lambda _: self._turn(1))
        self.page.observe(lambda _: self._try(self._show_page), "value")
        self.catalogue.on_click(lambda _: self._try(self._leave_folder))

    def _make_controls(self) -> None:
        state = self.state
        self.words = _text("Words", "such as: a red dress")
        self.search = _button("Search", "Search for these words")
        self.path = _text("File or folder", "the path of a picture or a folder")
        self.browse = _button("Open", "Search for this picture, or show this folder's pictures")
        self.upload = widgets.FileUpload(
            accept="image/*", description="Upload", layout=widgets.Layout(width="auto")
        )
        self.upload.add_class("simlib-upload")
        self.back = _button("← Back", "The query before this one")
        self.k = widgets.IntSlider(
            value=5, min=1, max=MOST_NEIGHBOURS, description="Neighbours",
            style={"description_width": "initial"}, layout=widgets.Layout(width="300px"),
        )
        self.filters = {
            name: widgets.Dropdown(
                options=[("any", ""), *((each, each) for each in state.choices(name))],
                description=name.capitalize(),
                style={"description_width": "initial"}, layout=widgets.Layout(width="200px"),
            )
            for name in state.filters
        }
        self.words.observe(lambda _: self._try(self._find_words), "value")
        self.search.on_click(lambda _: self._try(self._find_words))
        self.path.observe(lambda _: self._try(self._open_path), "value")
        self.browse.on_click(lambda _: self._try(self._open_path))
        self.upload.observe(lambda _: self._try(self._take_upload), "value")
        self.back.on_click(lambda _: self._try(self._go_back))
        self.k.observe(lambda _: self._try(self._show_neighbours), "value")
        for name, dropdown in self.filters.items():
            dropdown.observe(partial(self._filtered, name), "value")

    def _bars(self) -> list[widgets.Widget]:
        words = [self.words, self.search] if self.state.reads_words else []
        return [
            _bar(self.previous, self.next, self.page, self._pages, self.catalogue),
            self.grid,
            _bar(*words, self.path, self.browse, self.upload),
            _bar(self.back, self.k, *self.filters.values()),
        ]

    # What the user does

    def _try(self, action: Callable[..., str | None], *arguments: object) -> None:
        """Do what the user asked for; whatever goes wrong is said in the status line."""
        try:
            said = action(*arguments)
        except Exception as error:  # an exception in a callback would vanish in the browser's log
            self._say(sentence(error), problem=True)
        else:
            if said is not None:
                self._say(said)

    def _neighbour(self, column: str, place: int) -> None:
        neighbours = self.state.found[column].neighbours
        if place < len(neighbours):
            self._try(self._choose, self.state.choose_row, neighbours["index"].iat[place])

    def _from_grid(self, place: int) -> None:
        items = self._items()
        place += (self.page.value - 1) * PAGE
        if place < len(items):
            choose = self.state.choose_row if self._folder is None else self.state.choose_file
            self._try(self._choose, choose, items[place])

    def _choose(self, choose: Callable[[object], None], what: object) -> str:
        choose(what)
        self._show_search()
        return self._summary()

    def _find_words(self) -> str:
        return self._choose(self.state.choose_words, self.words.value)

    def _open_path(self) -> str:
        path = os.path.expanduser(self.path.value.strip().strip("\"'"))
        if not path:
            raise ValueError("There is no path. Type that of a picture or of a folder of pictures.")
        if not os.path.isdir(path):
            return self._choose(self.state.choose_file, path)
        pictures, all_of_them = pictures_below(path)
        if not pictures:
            raise ValueError(f"Neither {path!r} nor a folder below it holds a picture.")
        self._folder = pictures
        self._show_grid()
        rest = "" if all_of_them else " There are more; they are not listed."
        return f"{len(pictures):,} pictures below {path}. Choose one to search for it.{rest}"

    def _leave_folder(self) -> str:
        self._folder = None
        self._show_grid()
        return self._summary()

    def _take_upload(self) -> str | None:
        if not self.upload.value:  # emptied below
            return None
        file = self.upload.value[0]
        self.upload.value = ()  # so that the same file can be chosen again
        self.state.choose_upload(bytes(file["content"]), file["name"])
        self._show_search()
        return self._summary()

    def _go_back(self) -> str:
        self.state.back()
        self._show_search()
        return self._summary()

    def _filtered(self, name: str, change: dict) -> None:
        self._try(self._filter_by, name, change["new"] or None)

    def _filter_by(self, name: str, value: str | None) -> str:
        self.state.filter_by(name, value)
        self._show_grid()
        self._show_search()
        return self._summary()

    def _turn(self, pages: int) -> None:
        self.page.value += pages  # BoundedIntText keeps it in its range

    # What the user sees

    def _say(self, text: str, problem: bool = False) -> None:
        kind = "simlib-status simlib-problem" if problem else "simlib-status"
        self.status.value = f'<div role="status" class="{kind}">{escape(text)}</div>'

    def _summary(self) -> str:
        state, count = self.state, len(self.state.frame)
        quoted = f"the words “{state.query.name}”" if state.query.words else state.query.name
        among = f"{count:,} pictures"
        if len(state.shown) < count:
            among = f"{len(state.shown):,} of {among} that pass the filter"
        return " ".join([f"Nearest to {quoted}, among {among}.", state.notice]).strip()

    def _items(self) -> Sequence:
        return self.state.shown if self._folder is None else self._folder

    def _show_grid(self) -> None:
        """Show the first page of what there is to choose from."""
        pages = max(1, -(-len(self._items()) // PAGE))
        self.catalogue.layout.display = "none" if self._folder is None else None
        self._quiet = True  # one page is shown below, not one for each change here
        try:
            self.page.value = 1
            self.page.max = pages
        finally:
            self._quiet = False
        self._show_page()

    def _show_page(self) -> None:
        if self._quiet:
            return
        items = self._items()
        start = (self.page.value - 1) * PAGE
        part = list(islice(items, start, start + PAGE))
        if self._folder is None:
            cells = [self._cell(position, self.state.title(position)) for position in part]
        else:
            cells = [Cell(_thumbnails.get(path), os.path.basename(path), path) for path in part]
        self.grid.show(cells)
        shown = f"{start + 1:,}–{start + len(part):,}" if part else "0"
        where = "" if self._folder is None else " in the folder"
        self._pages.value = f"{shown} of {len(items):,} pictures{where}"
        self.previous.disabled = self.page.value == 1
        self.next.disabled = self.page.value == self.page.max

    def _show_search(self) -> None:
        self.back.disabled = not self.state.can_go_back
        self._query.value = self._query_html()
        self._show_neighbours()

    def _show_neighbours(self) -> None:
        k = self.k.value
        for column in self.state.columns:
            found = self.state.found[column]
            first = found.neighbours.head(k)
            rows = zip(first["index"], first["cosine_similarity"], strict=True)
            self.shelves[column].show(
                [
                    self._cell(int(place), f"{similarity:.2f}\n{self.state.title(int(place))}")
                    for place, similarity in rows
                ]
            )
            self.headings[column].value = self._heading(column, found, len(first))

    def _cell(self, position: int, text: str) -> Cell:
        picture = _thumbnails.get(self.state.path(position))
        facts = [f"{name}: {value}" for name, value in self.state.facts(position).items()]
        if picture is None:
            facts.append("The picture could not be opened.")
        return Cell(picture, text, "\n".join(facts))

    def _heading(self, column: str, found: Found, shown: int) -> str:
        said = [f"{self.state.dim(column):,} values"]
        if found.problem:
            said = [found.problem]
        else:
            agreement = self.state.agreement(column, shown)
            said += [f"same {name}: {count} of {shown}" for name, count in agreement.items()]
            if left_out := found.neighbours.attrs.get("left_out"):
                said.append(f"{left_out:,} left out, without a usable embedding")
        return (
            f'<div class="simlib-heading"><b>{escape(str(column))}</b> '
            f"<span>{escape(' · '.join(said))}</span></div>"
        )

    def _query_html(self) -> str:
        query, facts = self.state.query, {}
        if query.words is not None:
            shown = f"<blockquote>{escape(query.name)}</blockquote>"
        else:
            picture = query.picture
            if query.position is not None:
                facts = self.state.facts(query.position)
                try:
                    image = load_image(self.state.path(query.position), 2 * PICTURE)
                    picture = jpeg(image, PICTURE)
                except ImageError as error:
                    facts["picture"] = str(error)
            else:
                facts["file"] = query.name
            shown = f'<img src="{data_uri(picture)}" alt="{escape("Query: " + query.name)}">'
        rows = [
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in facts.items()
        ]
        return f"{shown}<table>{''.join(rows)}</table>"


def _button(description: str, tooltip: str) -> widgets.Button:
    return widgets.Button(
        description=description, tooltip=tooltip, layout=widgets.Layout(width="auto")
    )


def _text(description: str, placeholder: str) -> widgets.Text:
    return widgets.Text(
        description=description, placeholder=placeholder, continuous_update=False,
        style={"description_width": "initial"}, layout=widgets.Layout(width="340px"),
    )


def _bar(*children: widgets.Widget) -> widgets.Box:
    bar = widgets.Box(children)
    bar.add_class("simlib-bar")
    return bar
