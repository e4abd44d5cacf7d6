"""The explorer: choose a picture or type words, and see what each strategy finds, side by side.

:class:`Explorer` shows a :class:`simlib.explorer.state.SearchState` with ipywidgets. The number of
widgets hangs on what is visible, never on the catalogue's size: a cell is made once and shows
another picture when it has to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from itertools import islice
from typing import NamedTuple

import pandas as pd

from simlib.encoders.base import Encoder
from simlib.explorer.state import (
    MOST_NEIGHBOURS,
    PICTURE,
    Found,
    SearchState,
    pictures_below,
    sentence,
    shortened,
)
from simlib.explorer.thumbnails import Thumbnails, data_uri, jpeg
from simlib.extras import needs_extra
from simlib.images import ImageError, load_image

with needs_extra("explorer", "The explorer"):
    import ipywidgets as widgets

PAGE = 24
"""Pictures on one page of the catalogue."""

_thumbnails = Thumbnails()  # ipywidgets lets go of no widget, so an explorer must not hold its own


def explore(
    image_df: pd.DataFrame, columns: str | Sequence[str], model: Encoder | None = None
) -> Explorer:
    """Open the explorer: a query, and its neighbours by each strategy, side by side.

    The query is a picture of the catalogue, a picture from a file, a folder or an upload; or, where
    an encoder can read, words, alone or together with the picture (*this one, but blue*). A click
    on a neighbour makes it the query.

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
            value=1,
            min=1,
            max=1,
            description="Page",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="100px"),
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
        self.together = widgets.Checkbox(
            value=False,
            description="with the picture",
            indent=False,
            tooltip="Search for the last picture and the words together: this one, but blue",
            layout=widgets.Layout(width="auto"),
        )
        self.weight = widgets.FloatSlider(
            value=0.5,
            min=0,
            max=1,
            step=0.05,
            description="Their share",
            readout_format=".2f",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="300px"),
        )
        self.weight.layout.display = "none"
        self.path = _text("File or folder", "the path of a picture or a folder")
        self.browse = _button("Open", "Search for this picture, or show this folder's pictures")
        self.upload = widgets.FileUpload(
            accept="image/*", description="Upload", layout=widgets.Layout(width="auto")
        )
        self.upload.add_class("simlib-upload")
        self.back = _button("← Back", "The query before this one")
        self.k = widgets.IntSlider(
            value=5,
            min=1,
            max=MOST_NEIGHBOURS,
            description="Neighbours",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="300px"),
        )
        self.filters = {
            name: widgets.Dropdown(
                options=[("any", ""), *((each, each) for each in state.choices(name))],
                description=name.capitalize(),
                style={"description_width": "initial"},
                layout=widgets.Layout(width="200px"),
            )
            for name in state.filters
        }
        self.words.observe(lambda _: self._try(self._find_words), "value")
        self.search.on_click(lambda _: self._try(self._find_words))
        self.together.observe(lambda _: self._try(self._show_weight), "value")
        self.weight.observe(lambda _: self._try(self._find_words), "value")
        self.path.observe(lambda _: self._try(self._open_path), "value")
        self.browse.on_click(lambda _: self._try(self._open_path))
        self.upload.observe(lambda _: self._try(self._take_upload), "value")
        self.back.on_click(lambda _: self._try(self._go_back))
        self.k.observe(lambda _: self._try(self._show_neighbours), "value")
        for name, dropdown in self.filters.items():
            dropdown.observe(partial(self._filtered, name), "value")

    def _bars(self) -> list[widgets.Widget]:
        words = [self.words, self.together, self.weight, self.search]
        words = words if self.state.reads_words else []
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
        find = partial(
            self.state.choose_words, with_picture=self.together.value, weight=self.weight.value
        )
        return self._choose(find, self.words.value)

    def _show_weight(self) -> str | None:
        self.weight.layout.display = None if self.together.value else "none"
        return self._find_words() if self.words.value.strip() else None

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
        only_words = state.query.words and not state.query.is_picture
        quoted = f"the words “{state.query.name}”" if only_words else state.query.name
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
        description=description,
        placeholder=placeholder,
        continuous_update=False,
        style={"description_width": "initial"},
        layout=widgets.Layout(width="340px"),
    )


def _bar(*children: widgets.Widget) -> widgets.Box:
    bar = widgets.Box(children)
    bar.add_class("simlib-bar")
    return bar
