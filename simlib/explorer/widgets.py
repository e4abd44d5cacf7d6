"""The explorer: choose a picture or type words, and see what each strategy finds, side by side.

:class:`Explorer` shows a :class:`simlib.explorer.state.SearchState` with ipywidgets. The number of
widgets depends on what is visible, never on the catalogue's size: a cell is made once and shows
another picture when it has to.

ipywidgets keeps every widget in registries of its own until it is closed. So an Explorer is no
widget but holds some, which know it only by weak references, and closes them when it is dropped.
"""

from __future__ import annotations

import io
import os
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from simlib.encoders.base import Encoder
from simlib.explorer.state import (
    MOST_NEIGHBOURS,
    PICTURE,
    Found,
    SearchState,
    sentence,
    shortened,
)
from simlib.explorer.thumbnails import Thumbnails, data_uri, jpeg
from simlib.extras import needs_extra
from simlib.images import ImageError, load_image
from simlib.listing import survey
from simlib.query import Query
from simlib.synonyms import synonyms
from simlib.where import Where

with needs_extra("explorer", "The explorer"):
    import ipywidgets as widgets

PAGE = 24
"""Pictures on one page of the catalogue."""

MOST_LISTED = 2000
"""So many pictures of a folder are listed; the rest is left out, with a sentence."""

MOST_SECONDS = 5
"""So long a folder is listed: someone may type ``/``."""

_thumbnails = Thumbnails()  # shared by all explorers
_displayed: deque[Explorer] = deque(maxlen=8)
"""The explorers that were displayed last: they go on working if nothing else holds them."""


@synonyms(encoder="model")
def explore(
    image_df: pd.DataFrame, columns: str | Sequence[str], model: Encoder | None = None
) -> Explorer:
    """Open the explorer: a query, and its neighbours by each strategy, side by side.

    The query is a picture of the catalogue, a picture from a file, a folder or an upload; or, where
    an encoder can read, words, alone or together with the picture (*this one, but blue*), and less
    other words (*a bag, but not red*). A click on a neighbour makes it the query; while *Why this
    match?* is pressed, it shows by :func:`simlib.plot_match` which parts of both pictures agree,
    for strategies that have feature maps.

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
        was not embedded in this session, other than of the compact image-text model, which is
        loaded as :func:`simlib.nearest` does. Also as ``encoder=``.

    Returns
    -------
    Explorer
        JupyterLab shows it as a cell's result. ``explorer.state`` is the search behind it: the
        query, the filters, and what was found as frames. It works as long as something holds it: a
        variable, ``Out[…]``, or being among the last 8 that were displayed; then its memory is
        freed.

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
        button.on_click(lambda _: self._choose(place) if place < len(self.visible) else None)
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


class Explorer:
    """What :func:`explore` returns, and JupyterLab shows.

    Attributes
    ----------
    state : SearchState
        The search that it shows.
    widget : ipywidgets.VBox
        What is shown, to be put into other widgets; it works as long as the explorer is held.
    """

    def __init__(self, state: SearchState) -> None:
        self.state = state
        self._folder: list[str] | None = None  # what the grid shows instead of the catalogue
        self._make_grid()
        self._make_controls()
        self.status = widgets.HTML()
        self._query = _classed(widgets.HTML(), "simlib-query-box")
        self.headings = {column: widgets.HTML() for column in state.columns}
        self.shelves = {
            column: Shelf(self._when(self._choose_neighbour, column)) for column in state.columns
        }
        pairs = zip(self.headings.values(), self.shelves.values(), strict=True)
        strategies = widgets.VBox(
            [widget for pair in pairs for widget in pair],
            layout=widgets.Layout(flex="1 1 0", min_width="260px"),
        )
        words = [self.words, self.minus, self.together, self.weight, self.search]
        words = words if state.reads_words else []
        why = [self.why] if any(map(self._has_maps, state.columns)) else []
        self.widget = widgets.VBox(
            [
                _classed(widgets.HTML(STYLE), "simlib-hidden"),
                _bar(self.previous, self.next, self.page, self._pages, self.catalogue),
                self.grid,
                _bar(*words, self.path, self.browse, self.upload),
                _bar(self.back, self.k, *why, *self.filters.values()),
                self.status,
                self.match,
                widgets.HBox([_classed(widgets.Box([self._query]), "simlib-query"), strategies]),
            ]
        )
        self.widget.add_class("simlib-explorer")
        held = [self.widget, self.words, self.minus, self.together, self.weight, self.search]
        held += [self.why]
        self.close = weakref.finalize(self, _close, held)
        self.close.atexit = False
        self._show_grid()
        self._show_search()
        self._say(self._summary())

    def __repr__(self) -> str:
        count = len(self.state.frame)
        return f"Explorer({count:,} pictures, by {', '.join(self.state.columns)})"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """What Jupyter shows of it."""
        if self in _displayed:
            _displayed.remove(self)
        _displayed.append(self)
        if not self.close.alive:
            return {"text/plain": repr(self)}
        return {**self.widget._repr_mimebundle_(**options), "text/plain": repr(self)}

    # Making the widgets

    def _make_grid(self) -> None:
        self.grid = Shelf(self._when(self._choose_from_grid), small=True)
        self.previous = _button("‹ Previous", "The page of pictures before this one")
        self.next = _button("Next ›", "The next page of pictures")
        self.page = widgets.BoundedIntText(min=1, max=1, **_labelled("Page", "100px"))
        self._pages = widgets.HTML()
        self.catalogue = _button("Back to the catalogue", "Show the catalogue's pictures again")
        self.previous.on_click(self._when(self._turn, -1))
        self.next.on_click(self._when(self._turn, 1))
        self.page.observe(self._when(self._show_page), "value")
        self.catalogue.on_click(self._when(self._leave_folder))

    def _make_controls(self) -> None:
        self.words = _text("Words", "such as: a red dress")
        self.minus = _text("but not", "such as: blue", "200px")
        self.search = _button("Search", "Search for these words")
        self.together = widgets.Checkbox(
            description="with the picture",
            indent=False,
            tooltip="Search for the last picture and the words together: this one, but blue",
            layout=widgets.Layout(width="auto"),
        )
        self.weight = widgets.FloatSlider(
            value=0.5,
            max=1,
            step=0.05,
            readout_format=".2f",
            continuous_update=False,
            **_labelled("Their share", "300px"),
        )
        self.weight.layout.display = "none"
        self.path = _text("File or folder", "the path of a picture or a folder")
        self.browse = _button("Open", "Search for this picture, or show this folder's pictures")
        self.upload = widgets.FileUpload(
            accept="image/*", description="Upload", layout=widgets.Layout(width="auto")
        )
        self.upload.add_class("simlib-upload")
        self.back = _button("← Back", "The query before this one")
        self.why = widgets.ToggleButton(
            description="Why this match?",
            tooltip="While this is pressed, a click on a neighbour shows which parts agree",
            layout=widgets.Layout(width="auto"),
        )
        self.match = widgets.HTML()
        self.k = widgets.IntSlider(
            value=5, min=1, max=MOST_NEIGHBOURS, **_labelled("Neighbours", "300px")
        )
        self.filters = {
            name: widgets.Dropdown(
                options=[("any", ""), *((each, each) for each in self.state.choices(name))],
                **_labelled(name.capitalize(), "200px"),
            )
            for name in self.state.filters
        }
        self.search.on_click(self._when(self._find_words))
        self.browse.on_click(self._when(self._open_path))
        self.back.on_click(self._when(self._go_back))
        for widget, action in (
            (self.words, self._find_words),
            (self.minus, self._find_less),
            (self.weight, self._find_words),
            (self.together, self._show_weight),
            (self.path, self._open_path),
            (self.upload, self._take_upload),
            (self.k, self._show_neighbours),
            (self.why, self._forget_match),
        ):
            widget.observe(self._when(action), "value")
        for name, dropdown in self.filters.items():
            dropdown.observe(self._when(self._filter_by, name), "value")

    def find(
        self,
        query: Query | None = None,
        text: str | None = None,
        weight: float = 0.5,
        minus: str | None = None,
        minus_weight: float = 0.5,
        where: Where | None = None,
    ) -> None:
        """Search from a cell for what :func:`simlib.nearest` takes, and show what is found.

        Parameters
        ----------
        query, text, weight, minus, minus_weight, where
            As :func:`simlib.nearest` takes them. ``where`` counts until the next call; the filters
            on the page hold beside it.

        Raises
        ------
        TypeError, ValueError, simlib.ImageError
            As :func:`simlib.nearest` does.

        Examples
        --------
        >>> import simlib
        >>> image_df = simlib.load_catalogue("sample").head(12)
        >>> encoder = simlib.load_encoder("pixels", size=(8, 8))
        >>> image_df = simlib.embed(image_df, encoder, progress=False)
        >>> explorer = explore(image_df, "flattened_pixels")
        >>> explorer.find(image_df["img_path"].iloc[3], where="index < 3")
        >>> sorted(explorer.state.found["flattened_pixels"].neighbours["index"])
        [0, 1, 2]
        """
        self.state.find(query, text, weight, minus, minus_weight, where)
        self._folder = None
        self._show_grid()
        self._say(self._show_search())

    # What the user does

    def _when(self, action: Callable[..., str | None], *arguments: object) -> Callable[..., None]:
        """Make a callback for a widget, which must not keep this explorer in memory.

        A shelf also tells the place that was clicked; what other widgets tell is not needed.
        """
        reference, name = weakref.ref(self), action.__name__

        def happened(event: object) -> None:
            if (explorer := reference()) is not None:
                place = [event] if isinstance(event, int) else []
                explorer._try(getattr(explorer, name), *arguments, *place)

        return happened

    def _try(self, action: Callable[..., str | None], *arguments: object) -> None:
        """Do what the user asked for; whatever goes wrong is said in the status line."""
        try:
            said = action(*arguments)
        except Exception as error:  # an exception in a callback would vanish in the browser's log
            self._say(sentence(error), problem=True)
        else:
            if said is not None:
                self._say(said)

    def _choose_neighbour(self, column: str, place: int) -> str:
        position = self.state.found[column].neighbours["index"].tolist()[place]
        if self.why.value:
            return self._show_match(column, position)
        self.state.choose_row(position)
        return self._show_search()

    def _has_maps(self, column: str) -> bool:
        return hasattr(self.state.encoder(column), "feature_maps")

    def _show_match(self, column: str, position: int) -> str:
        """Draw which parts of the query and of a neighbour make them similar."""
        from matplotlib.figure import Figure

        from simlib.match import plot_match

        encoder = self.state.encoder(column)
        if encoder is None or not hasattr(encoder, "feature_maps"):
            able = ", ".join(filter(self._has_maps, self.state.columns))
            raise ValueError(
                f"The strategy {column!r} has no feature maps, so which parts agree can't be told. "
                f"Click on a neighbour by {able}."
            )
        figure, file = Figure(figsize=(5.0, 2.8)), io.BytesIO()
        neighbour = load_image(self.state.path(position))
        plot_match(self.state.query_picture, neighbour, encoder, figure=figure)
        figure.savefig(file, format="png", dpi=90)
        alt = escape(str(figure.get_label()), quote=True)
        self.match.value = f'<img src="{data_uri(file.getvalue(), "png")}" alt="{alt}">'
        return f"Bright parts make the query and {self.state.title(position)} similar, by {column}."

    def _forget_match(self) -> None:
        self.match.value = ""

    def _choose_from_grid(self, place: int) -> str:
        place += (self.page.value - 1) * PAGE
        if self._folder is None:
            self.state.choose_row(int(self.state.shown[place]))
        else:
            self.state.choose_file(self._folder[place])
        return self._show_search()

    def _find_words(self) -> str:
        self.state.choose_words(
            self.words.value, self.together.value, self.weight.value, self.minus.value
        )
        return self._show_search()

    def _find_less(self) -> str | None:
        """Search anew if there is something to take these words from."""
        has_query = self.words.value.strip() or (self.together.value and self.minus.value.strip())
        return self._find_words() if has_query else None

    def _show_weight(self) -> str | None:
        self.weight.layout.display = None if self.together.value else "none"
        return self._find_less()

    def _open_path(self) -> str:
        path = os.path.expanduser(self.path.value.strip().strip("\"'"))
        if not path:
            raise ValueError("There is no path. Type that of a picture or of a folder of pictures.")
        if not os.path.isdir(path):
            self.state.choose_file(path)
            return self._show_search()
        pictures, skipped = survey(path, seconds=MOST_SECONDS, most=MOST_LISTED)
        if not pictures:
            nothing = f"Neither {path!r} nor a folder below it holds a picture. {skipped}"
            raise ValueError(nothing.strip())
        self._folder = [str(picture) for picture in pictures]
        self._show_grid()
        found = f"{len(pictures):,} pictures below {path}. Choose one to search for it."
        return f"{found} {skipped}".strip()

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
        return self._show_search()

    def _go_back(self) -> str:
        self.state.back()
        return self._show_search()

    def _filter_by(self, name: str) -> str:
        self.state.filter_by(name, self.filters[name].value or None)
        self._show_grid()
        return self._show_search()

    def _turn(self, pages: int) -> None:
        self.page.value += pages  # BoundedIntText keeps it in its range

    # What the user sees

    def _say(self, text: str, problem: bool = False) -> None:
        kind = "simlib-status simlib-problem" if problem else "simlib-status"
        self.status.value = f'<div role="status" class="{kind}">{escape(text)}</div>'

    def _summary(self) -> str:
        state, count = self.state, len(self.state.frame)
        only_words = state.query.words and not state.query.is_picture
        quoted = f"the words “{state.query.name}”" if only_words else state.query.name
        among = f"{count:,} pictures"
        if len(state.shown) < count:
            among = f"{len(state.shown):,} of {among} that pass the filter"
        return " ".join([f"Nearest to {quoted}, among {among}.", state.notice]).strip()

    def _show_grid(self) -> None:
        """Show the first page of what there is to choose from."""
        count = len(self.state.shown if self._folder is None else self._folder)
        self.catalogue.layout.display = "none" if self._folder is None else None
        self.page.value = 1
        self.page.max = max(1, -(-count // PAGE))
        self._show_page()

    def _show_page(self) -> None:
        start = (self.page.value - 1) * PAGE
        part = slice(start, start + PAGE)
        if self._folder is None:
            count, where = len(self.state.shown), ""
            positions = self.state.shown[part].tolist()
            cells = [self._cell(position, self.state.title(position)) for position in positions]
        else:
            count, where = len(self._folder), " in the folder"
            cells = [
                Cell(_thumbnails.get(path), os.path.basename(path), path)
                for path in self._folder[part]
            ]
        self.grid.show(cells)
        shown = f"{start + 1:,}–{start + len(cells):,}" if cells else "0"
        self._pages.value = f"{shown} of {count:,} pictures{where}"
        self.previous.disabled = self.page.value == 1
        self.next.disabled = self.page.value == self.page.max

    def _show_search(self) -> str:
        self._forget_match()
        self.back.disabled = not self.state.can_go_back
        self._query.value = self._query_html()
        self._show_neighbours()
        return self._summary()

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
        said = [f"{self.state.dims[column]:,} values"]
        if found.problem:
            said = [found.problem]
        else:
            if found.neighbours.attrs.get("fit", 1) < 0.5:
                said.append("probably nothing here fits")
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
        if not query.is_picture:
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
                facts["file"] = (query.alone or query).name
            shown = f'<img src="{data_uri(picture)}" alt="{escape("Query: " + query.name)}">'
            if query.words is not None:
                facts = {"together with": f"“{shortened(query.words)}”", **facts}
            if query.minus is not None:
                facts = {"without": f"“{shortened(query.minus)}”", **facts}
        rows = [
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in facts.items()
        ]
        return f"{shown}<table>{''.join(rows)}</table>"


def _classed(widget: widgets.DOMWidget, name: str) -> widgets.DOMWidget:
    widget.add_class(name)
    return widget


def _labelled(description: str, width: str) -> dict[str, Any]:
    return {
        "description": description,
        "style": {"description_width": "initial"},
        "layout": widgets.Layout(width=width),
    }


def _button(description: str, tooltip: str) -> widgets.Button:
    return widgets.Button(
        description=description, tooltip=tooltip, layout=widgets.Layout(width="auto")
    )


def _text(description: str, placeholder: str, width: str = "340px") -> widgets.Text:
    labelled = _labelled(description, width)
    return widgets.Text(placeholder=placeholder, continuous_update=False, **labelled)


def _bar(*children: widgets.Widget) -> widgets.Box:
    return _classed(widgets.Box(children), "simlib-bar")


def _close(held: list[widgets.Widget]) -> None:
    """Close widgets with all that belong to them, so that ipywidgets lets go of them."""
    waiting: list[object] = list(held)
    seen: set[int] = set()
    while waiting:
        widget = waiting.pop()
        if isinstance(widget, widgets.Widget) and id(widget) not in seen:
            seen.add(id(widget))
            waiting += [getattr(widget, name, None) for name in ("layout", "style")]
            for name in ("children", "buttons", "_layouts"):
                waiting += getattr(widget, name, ())
            widget.close()
