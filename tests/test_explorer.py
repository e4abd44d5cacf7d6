"""What a user loses when these fail: an explorer that answers every click, and never dies."""

import gc
import io
import os
import tempfile
import time
import weakref
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours, run_python
from colour_names import ColourNames
from file_rights import as_somebody_else
from PIL import Image
from quiet_machine import assert_quick

import simlib
from simlib.columns import Embeddings
from simlib.explorer.state import MOST_NEIGHBOURS, SearchState
from simlib.explorer.thumbnails import Thumbnails
from simlib.explorer.widgets import PAGE, explore

COLUMNS = ["average_colours", "colour_names"]
VIEW = "application/vnd.jupyter.widget-view+json"
COLOURS = ["red", "lime", "blue", "yellow"]


@pytest.fixture
def catalogue(tmp_path):
    """Sixteen plain pictures in four colours, with labels that are no positions."""
    rows = []
    for number in range(16):
        colour = COLOURS[number % 4]
        path = tmp_path / "catalogue" / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        shade = Image.new("RGB", (20, 10), colour).point(lambda value, n=number: value - n)
        shade.save(path)
        category = "shoe" if number < 10 else "bag"
        rows.append((str(path), category, colour, f"{category} no. {number}"))
    frame = pd.DataFrame(rows, columns=["img_path", "category", "colour", "title"])
    frame.index = 100 + frame.index[::-1]
    for encoder in (AverageColours(), ColourNames()):
        frame = simlib.embed(frame, encoder, progress=False)
    return frame


@pytest.fixture
def explorer(catalogue):
    return explore(catalogue, COLUMNS)


def as_file(colour, suffix="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (30, 40), colour).save(file, suffix)
    return file.getvalue()


def upload(explorer, data, name="mine.png"):
    explorer.upload.value = (
        {
            "name": name,
            "type": "image/png",
            "size": len(data),
            "content": memoryview(data),
            "last_modified": pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime(),
        },
    )


def texts(shelf):
    return [button.description for button in shelf.visible]


def all_widgets(widget):
    found, waiting = set(), [widget.widget]
    while waiting:
        each = waiting.pop()
        if each.model_id not in found:
            found.add(each.model_id)
            waiting += getattr(each, "children", ())
            waiting += getattr(each, "buttons", ())
    return found


# ---- The search, without widgets ----


def test_neighbours_are_those_of_nearest_in_every_column(catalogue):
    state = SearchState(catalogue, COLUMNS)
    state.choose_row(5)
    for column in COLUMNS:
        expected = simlib.nearest(catalogue, column, catalogue.index[5], MOST_NEIGHBOURS)
        found = state.found[column].neighbours
        assert catalogue.index[found["index"]].tolist() == expected["index"].tolist()
        np.testing.assert_array_equal(found["cosine_similarity"], expected["cosine_similarity"])


def test_a_filter_narrows_what_is_found_and_the_query_need_not_pass_it(catalogue):
    state = SearchState(catalogue, COLUMNS)
    state.choose_row(0)  # a red shoe
    assert state.choices("colour") == sorted(COLOURS)
    state.filter_by("colour", "blue")
    state.filter_by("category", "bag")
    assert state.shown.tolist() == [10, 14]
    assert sorted(state.found["colour_names"].neighbours["index"]) == [10, 14]
    state.choose_row(10)
    assert state.found["colour_names"].neighbours["index"].tolist() == [14]  # not itself
    state.filter_by("category", None)
    assert sorted(state.found["colour_names"].neighbours["index"]) == [2, 6, 14]
    state.filter_by("colour", None)
    assert len(state.found["colour_names"].neighbours) == 15


def test_words_find_pictures_in_the_columns_that_can_be_compared_with_words(catalogue):
    state = SearchState(catalogue, COLUMNS)
    state.choose_words("  something\nblue ")
    assert state.query.name == "something blue"
    best = state.found["colour_names"].neighbours["index"].head(4)
    assert catalogue["colour"].iloc[best].tolist() == ["blue"] * 4
    assert state.found["average_colours"].neighbours.empty
    assert "Words can't be compared" in state.found["average_colours"].problem
    assert state.agreement("colour_names", 4) == {}
    state.choose_words("红")
    assert "reads English" in state.notice
    state.choose_row(3)
    assert state.notice == ""


def test_a_picture_and_words_are_searched_together(catalogue):
    state = SearchState(catalogue, COLUMNS)
    state.choose_row(0)  # a red shoe
    state.choose_words("blue", with_picture=True, weight=0.5)
    found = state.found["colour_names"].neighbours
    assert set(catalogue["colour"].iloc[found["index"].head(7)]) == {"red", "blue"}
    assert 0 not in set(found["index"]) and found["rank"].tolist() == list(range(1, 16))
    picture = simlib.load_image(catalogue["img_path"].iloc[0])
    both = simlib.encode_query(ColourNames(), "blue", picture)
    expected = simlib.nearest(catalogue, "colour_names", both, 16)
    others = expected["cosine_similarity"][expected["index"] != catalogue.index[0]]
    np.testing.assert_allclose(found["cosine_similarity"], others, atol=1e-6)
    assert "Words can't be compared" in state.found["average_colours"].problem
    state.choose_words("yellow", with_picture=True, weight=1)  # the same picture, other words
    best = state.found["colour_names"].neighbours["index"].head(4)
    assert catalogue["colour"].iloc[best].tolist() == ["yellow"] * 4
    assert state.query.alone.position == 0
    state.choose_words("yellow", with_picture=True, weight=0)
    best = state.found["colour_names"].neighbours["index"].head(3)
    assert catalogue["colour"].iloc[best].tolist() == ["red"] * 3
    state.back()
    assert state.query.weight == 1


def test_words_are_taken_away_from_words_and_from_a_picture(catalogue):
    def assert_found(**query):
        expected = simlib.nearest(catalogue, "colour_names", **query, k=10)
        found = state.found["colour_names"].neighbours.head(10)
        assert catalogue.index[found["index"].iloc[0]] == expected["index"].iloc[0]
        similarities = expected["cosine_similarity"].tolist()
        assert found["cosine_similarity"].tolist() == pytest.approx(similarities, abs=1e-5)

    state = SearchState(catalogue, COLUMNS)
    state.choose_words("yellow", minus=" lime ")
    assert_found(text="yellow", minus="lime")
    assert state.query.name == "yellow − lime" and "can't be compared" in state.found[COLUMNS[0]][1]
    state.choose_row(3)  # a yellow shoe
    state.choose_words("", with_picture=True, minus="lime", minus_weight=0.4)
    assert state.query.name == "shoe no. 3 − “lime”" and state.query.is_picture
    assert_found(query=catalogue.index[3], minus="lime", minus_weight=0.4)
    state.choose_words("blue", with_picture=True, minus="lime")
    assert state.query.name == "shoe no. 3 + “blue” − “lime”"
    state.choose_words("lime", minus="lime")
    assert "nothing is left to search for" in state.found["colour_names"].problem
    with pytest.raises(ValueError, match="no words"):
        state.choose_words("", minus="lime")


def test_words_are_added_to_the_picture_that_was_chosen_last(catalogue):
    state = SearchState(catalogue, COLUMNS)
    state.choose_upload(as_file("red"), "mine.png")
    state.choose_words("yellow")
    state.choose_words("blue", with_picture=True)
    assert state.query.name == "mine.png + “blue”"
    best = state.found["colour_names"].neighbours["index"].head(8)
    assert set(catalogue["colour"].iloc[best]) == {"red", "blue"}


def test_a_picture_from_outside_is_encoded_once_by_each_columns_encoder(catalogue, tmp_path):
    encoder = AverageColours()
    state = SearchState(simlib.embed(catalogue, encoder, progress=False), COLUMNS)
    before = encoder.encoded
    path = tmp_path / "outside.jpg"
    path.write_bytes(as_file("blue", "JPEG"))
    state.choose_file(path)
    for column in COLUMNS:
        best = state.found[column].neighbours["index"].head(4)
        assert catalogue["colour"].iloc[best].tolist() == ["blue"] * 4
    state.filter_by("category", "bag")
    assert encoder.encoded == before + 1


def test_an_unknown_encoder_is_said_for_its_column_and_can_be_given(catalogue):
    copied = catalogue.assign(average_colours=[list(cell) for cell in catalogue["average_colours"]])
    state = SearchState(copied, COLUMNS)
    state.choose_upload(as_file("red"), "mine.png")
    assert "not known which encoder" in state.found["average_colours"].problem
    assert len(state.found["colour_names"].neighbours) == 16
    state = SearchState(copied, COLUMNS, model=AverageColours())
    state.choose_upload(as_file("red"), "mine.png")
    assert len(state.found["average_colours"].neighbours) == 16


def test_an_encoder_that_fails_stops_only_its_own_column(catalogue):
    class Broken(AverageColours):
        def encode_prepared(self, batch):
            raise RuntimeError("out of memory")

    state = SearchState(catalogue, COLUMNS, model=Broken())
    state.choose_upload(as_file("red"), "mine.png")
    assert state.found["average_colours"].problem == "RuntimeError: out of memory"
    assert len(state.found["colour_names"].neighbours) == 16


def test_a_row_without_an_embedding_says_why_and_is_counted(catalogue):
    with open(catalogue["img_path"].iloc[7], "wb") as file:
        file.write(b"not a picture")
    broken = simlib.embed(catalogue, ColourNames(), progress=False)
    state = SearchState(broken, COLUMNS)
    state.choose_row(7)
    assert "could not be opened" in state.found["colour_names"].problem
    assert len(state.found["average_colours"].neighbours) == 15
    state.choose_row(0)
    assert state.found["colour_names"].neighbours.attrs["left_out"] == 1
    explorer = explore(broken, COLUMNS)
    assert "1 left out" in explorer.headings["colour_names"].value


def test_one_can_go_back_query_by_query(catalogue):
    state = SearchState(catalogue, COLUMNS)
    assert not state.can_go_back
    with pytest.raises(ValueError, match="none before it"):
        state.back()
    state.choose_row(4)
    state.choose_row(4)  # the same query is not kept twice
    state.choose_words("blue")
    with pytest.raises(ValueError, match="no words"):
        state.choose_words(" \n ")
    state.back()
    assert state.query.position == 4
    state.back()
    assert state.query.position == 0 and not state.can_go_back


def test_what_cannot_be_explored_is_said_before_anything_is_shown(catalogue):
    with pytest.raises(KeyError, match="no column 'nothing'"):
        explore(catalogue, ["nothing"])
    with pytest.raises(KeyError, match="no column 'img_path'"):
        explore(catalogue.drop(columns="img_path"), COLUMNS)
    with pytest.raises(ValueError, match="No embedding column"):
        explore(catalogue, [])
    with pytest.raises(ValueError, match="frame is empty"):
        explore(catalogue.head(0), COLUMNS)
    with pytest.raises(ValueError, match="belongs to the column 'average_colours'"):
        explore(catalogue, "colour_names", model=AverageColours())
    with pytest.raises(TypeError, match="'clip' is not an encoder"):
        explore(catalogue, COLUMNS, model="clip")


def test_thumbnails_are_made_once_and_only_so_many_are_kept(image_df):
    thumbnails = Thumbnails(most=5)
    paths = image_df["img_path"].tolist()
    first = thumbnails.get(paths[0])
    with Image.open(io.BytesIO(first)) as image:
        assert image.format == "JPEG" and max(image.size) <= 112
    assert thumbnails.get(paths[0]) is first
    for path in paths:
        thumbnails.get(path)
    assert len(thumbnails) == 5 and thumbnails.nbytes < 5 * 10_000
    with Image.open(paths[-1]) as image:
        changed = image.rotate(180)
    changed.save(paths[-1])
    os.utime(paths[-1], (1, 1))
    assert thumbnails.get(paths[-1]) == Thumbnails().get(paths[-1])
    assert thumbnails.get(None) is None and thumbnails.get("no such file.png") is None


# ---- The widgets, clicked without a browser ----


def test_a_click_on_a_neighbour_makes_it_the_query(explorer):
    state = explorer.state
    for column in COLUMNS:
        wanted = state.found[column].neighbours["index"].iloc[2]
        title = state.title(wanted)
        assert title in texts(explorer.shelves[column])[2]
        explorer.shelves[column].visible[2].click()
        assert state.query.position == wanted
        assert title in explorer._query.value and title in explorer.status.value
    explorer.back.click()
    explorer.back.click()
    assert state.query.position == 0 and explorer.back.disabled


def test_a_click_in_the_grid_makes_it_the_query_on_every_page(catalogue):
    many = pd.concat([catalogue] * 4, ignore_index=True)  # 64 rows, three pages
    explorer = explore(many, COLUMNS)
    explorer.next.click()
    explorer.next.click()
    assert len(explorer.grid.visible) == 64 - 2 * PAGE and explorer.next.disabled
    explorer.grid.visible[3].click()
    assert explorer.state.query.position == 2 * PAGE + 3
    explorer.page.value = 1
    explorer.grid.visible[3].click()
    assert explorer.state.query.position == 3 and explorer.previous.disabled


def test_this_one_but_blue_is_a_tick_beside_the_words(explorer):
    assert explorer.weight.layout.display == "none"
    explorer.grid.visible[1].click()
    explorer.together.value = True
    assert explorer.weight.layout.display is None
    explorer.words.value = "blue"
    assert explorer.state.query.alone.position == 1 and "“blue”" in explorer._query.value
    assert "+ “blue”" in explorer.status.value and "<img" in explorer._query.value
    explorer.weight.value = 1
    assert texts(explorer.shelves["colour_names"])[0] == "1.00\nshoe no. 2"  # a blue one
    explorer.together.value = False
    assert explorer.state.query.alone is None and explorer.state.query.words == "blue"


def test_a_bag_but_not_red_is_a_field_beside_the_words(explorer):
    explorer.minus.value = "lime"  # nothing yet to take it from
    assert explorer.state.query.position == 0
    explorer.words.value = "yellow"
    query = explorer.state.query
    assert (query.words, query.minus, query.position) == ("yellow", "lime", None)
    assert "yellow − lime" in explorer.status.value
    explorer.minus.value = ""
    assert explorer.state.query.minus is None
    explorer.words.value = " "
    explorer.state.choose_row(2)
    explorer.together.value = True
    explorer.minus.value = "<b> red"
    assert explorer.state.query.minus == "<b> red" and explorer.state.query.position == 2
    assert "<th>without</th><td>“&lt;b&gt; red”" in explorer._query.value


def test_the_slider_shows_as_many_neighbours_in_order_with_their_similarity(explorer):
    for k in (1, 9, 3):
        explorer.k.value = k
        for column, shelf in explorer.shelves.items():
            found = explorer.state.found[column].neighbours.head(k)
            numbers = [text.split("\n")[0] for text in texts(shelf)]
            assert numbers == [f"{value:.2f}" for value in found["cosine_similarity"]]
    explorer.k.value = MOST_NEIGHBOURS
    assert len(explorer.shelves["colour_names"].visible) == 15  # there are no more


def test_the_filter_applies_to_the_grid_and_to_the_neighbours(explorer):
    explorer.filters["colour"].value = "blue"
    assert len(explorer.grid.visible) == 4
    assert len(explorer.shelves["colour_names"].visible) == 4
    explorer.grid.visible[1].click()
    assert explorer.state.query.position == 6
    explorer.filters["category"].value = "bag"
    assert "2 of 16 pictures" in explorer.status.value
    explorer.filters["colour"].value = ""
    explorer.filters["category"].value = ""
    assert len(explorer.grid.visible) == 16


def test_a_filter_is_only_offered_for_a_column_that_says_something(catalogue):
    assert list(explore(catalogue, COLUMNS).filters) == ["category", "colour"]
    catalogue = catalogue.assign(category=None).drop(columns="colour")
    assert not explore(catalogue, COLUMNS).filters


def test_a_filter_that_nothing_passes_is_said(explorer):
    explorer.filters["category"].value = "bag"
    explorer.state._values["colour"][10:] = "red"
    explorer.filters["colour"].value = "blue"
    assert "No picture passes the filter" in explorer.headings["colour_names"].value
    assert explorer.grid.visible == [] and explorer.shelves["colour_names"].visible == []
    explorer.filters["category"].value = ""
    assert explorer.shelves["colour_names"].visible


def test_words_are_offered_where_an_encoder_reads_and_are_searched_for(explorer, catalogue):
    assert explorer.words.model_id in all_widgets(explorer)
    explorer.words.value = "a blue"
    assert "“a blue”" in explorer.status.value
    assert "blue" in explorer.shelves["colour_names"].visible[0].tooltip
    assert explorer.shelves["average_colours"].visible == []
    assert "Words can" in explorer.headings["average_colours"].value
    explorer.words.value = " "
    assert "no words" in explorer.status.value and "simlib-problem" in explorer.status.value
    explorer.words.value = "no such colour"
    assert "unknown color" in explorer.status.value
    assert explorer.state.query.words == "a blue"
    without = explore(catalogue, "average_colours")
    assert without.words.model_id not in all_widgets(without)


def test_whatever_an_encoder_raises_is_said_and_the_search_goes_on(catalogue):
    class Broken(ColourNames):
        def encode_text(self, texts):
            raise RuntimeError("out of memory")

    explorer = explore(catalogue, COLUMNS, model=Broken())
    explorer.words.value = "blue"
    assert "RuntimeError: out of memory" in explorer.status.value
    explorer.grid.visible[2].click()
    assert explorer.state.query.position == 2 and "RuntimeError" not in explorer.status.value


def test_a_path_opens_a_picture_or_a_folder(explorer, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    outside = tmp_path / "outside"
    outside.mkdir()
    for colour in ("red", "blue"):
        (outside / f"{colour}.png").write_bytes(as_file(colour))
    explorer.path.value = '"~/outside/blue.png"'
    assert explorer.state.query.name == "blue.png" and "data:image/jpeg" in explorer._query.value
    explorer.path.value = str(outside)
    assert texts(explorer.grid) == ["blue.png", "red.png"]
    explorer.grid.visible[1].click()
    assert explorer.state.query.name == "red.png"
    assert "colour: red" in explorer.shelves["colour_names"].visible[0].tooltip
    explorer.catalogue.click()
    assert len(explorer.grid.visible) == 16


@pytest.mark.parametrize("path", ["", " ", "no/such/shoe.jpg", "\0", "x" * 5000, "/dev/null"])
def test_a_path_that_cannot_be_opened_is_a_sentence(explorer, path):
    explorer.path.value = path
    explorer.browse.click()
    assert "simlib-problem" in explorer.status.value
    assert explorer.state.query.position == 0
    explorer.shelves["colour_names"].visible[0].click()
    assert "simlib-problem" not in explorer.status.value


def test_an_empty_folder_is_a_sentence(explorer, tmp_path):
    (tmp_path / "empty").mkdir()
    explorer.path.value = str(tmp_path / "empty")
    assert "holds a picture" in explorer.status.value
    assert len(explorer.grid.visible) == 16


def test_a_folder_is_listed_but_not_for_ever(explorer, tmp_path, monkeypatch):
    for name in ("b.png", "a/2.PNG", "a/notes.txt", ".hidden/3.png"):
        (tmp_path / "many" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "many" / name).write_bytes(as_file("red"))
    explorer.path.value = str(tmp_path / "many")
    assert texts(explorer.grid) == ["2.PNG", "b.png"]
    assert "There are more" not in explorer.status.value
    monkeypatch.setattr("simlib.explorer.widgets.MOST_LISTED", 1)
    explorer.browse.click()
    assert texts(explorer.grid) == ["2.PNG"] and "There are more" in explorer.status.value
    monkeypatch.setattr("simlib.explorer.widgets.MOST_SECONDS", -1)
    explorer.browse.click()
    assert "listing them takes too long" in explorer.status.value


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has other file rights")
def test_a_folder_that_cannot_be_read_is_answered_with_the_reason(explorer):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        Path(folder, "private", "inner").mkdir(parents=True)
        os.chmod(f"{folder}/private", 0)
        with as_somebody_else():
            explorer.path.value = f"{folder}/private"
            assert "The folder cannot be read (Permission denied)" in explorer.status.value
            assert "Errno" not in explorer.status.value
            explorer.path.value = folder
            assert "&#x27;private&#x27; (Permission denied)" in explorer.status.value
        os.chmod(f"{folder}/private", 0o700)
        os.symlink("/nowhere.png", f"{folder}/linked.png")
        explorer.browse.click()
        assert "1 symlink was not followed" in explorer.status.value
    assert len(explorer.grid.visible) == 16


def test_an_upload_is_searched_for_and_a_bad_one_is_a_sentence(explorer):
    upload(explorer, as_file("blue"))
    assert explorer.state.query.name == "mine.png" and explorer.upload.value == ()
    assert "colour: blue" in explorer.shelves["colour_names"].visible[0].tooltip
    for data in (b"", b"GIF89a", b"not a picture", as_file("red")[:60]):
        upload(explorer, data, "bad.png")
        assert "bad.png" in explorer.status.value and "simlib-problem" in explorer.status.value
    assert explorer.state.query.name == "mine.png"


def test_a_picture_that_is_gone_is_marked_and_the_search_goes_on(catalogue):
    os.unlink(catalogue["img_path"].iloc[0])
    os.unlink(catalogue["img_path"].iloc[4])
    explorer = explore(catalogue, COLUMNS)
    assert "there is no such file" in explorer._query.value
    assert "could not be opened" in explorer.grid.visible[4].tooltip
    explorer.grid.visible[4].click()
    assert explorer.state.query.position == 4 and explorer.shelves["colour_names"].visible


def test_text_of_the_catalogue_is_never_taken_for_html(catalogue, tmp_path):
    evil = "<img src=x onerror=alert(1)></style><script>alert(2)</script>"
    catalogue["title"] = catalogue["category"] = evil
    catalogue.index = [evil] * len(catalogue)
    explorer = explore(catalogue, COLUMNS)
    explorer.filters["category"].value = evil
    upload(explorer, as_file("blue"), f"{evil}.png")
    explorer.path.value = evil
    explorer.words.value = f"{evil} blue"
    explorer.shelves["colour_names"].visible[0].click()
    for widget in ipywidgets.Widget.get_manager_state()["state"].values():
        if widget["model_name"] == "HTMLModel":
            assert "<script" not in widget["state"].get("value", "")
            assert "<img src=x" not in widget["state"].get("value", "")


def test_two_explorers_do_not_share_their_pictures(catalogue):
    first, second = explore(catalogue, COLUMNS), explore(catalogue, COLUMNS)
    assert not set(first.grid.visible[0]._dom_classes) & {
        name for name in second.grid.visible[0]._dom_classes if name.endswith("-0")
    }


def test_a_column_of_lists_is_put_together_once_and_stays_the_users(catalogue):
    copied = catalogue.assign(own=[[1, number] for number in range(16)])
    explorer = explore(copied, ["own", *COLUMNS])
    frame = explorer.state.frame
    assert Embeddings.of(frame, "own") is Embeddings.of(frame, "own"), "remembered"
    explorer.filters["colour"].value = "blue"
    assert copied["own"].iloc[3] == [1, 3] and copied.index[0] == 115
    assert repr(explorer) == "Explorer(16 pictures, by own, average_colours, colour_names)"


def test_a_catalogue_of_6000_is_quick_and_needs_no_more_widgets(catalogue):
    rows = pd.concat([catalogue[["img_path", "category", "colour", "title"]]] * 375)
    random = np.random.default_rng(0)
    matrix = random.normal(size=(2, 6000, 64)).astype(np.float32)
    rows = rows.reset_index(drop=True).assign(first=list(matrix[0]), second=list(matrix[1]))
    started = time.perf_counter()
    explorer = explore(rows, ["first", "second"])
    opened = time.perf_counter() - started
    explorer.k.value = MOST_NEIGHBOURS
    before = all_widgets(explorer)
    started = time.perf_counter()
    for _ in range(10):
        explorer.shelves["first"].visible[1].click()
        explorer.next.click()
    clicked = (time.perf_counter() - started) / 20
    assert all_widgets(explorer) == before, "cells are used again, not made anew"
    assert len(before) < 40 + PAGE + 2 * MOST_NEIGHBOURS
    assert_quick(opened, 10)
    assert_quick(clicked, 1)


def registered():
    return set(ipywidgets.Widget.get_manager_state()["state"])


def test_an_explorer_that_is_dropped_is_freed_with_all_its_widgets(catalogue):
    before = registered()
    explorer = explore(catalogue, COLUMNS)
    explorer.words.value = "blue"
    explorer.grid.visible[3].click()
    explorer.k.value = MOST_NEIGHBOURS
    assert len(registered() - before) > 40
    parts = [explorer, explorer.state, explorer.state.frame, explorer.widget, explorer.grid]
    alive = [weakref.ref(part) for part in parts]
    del explorer, parts
    gc.collect()
    assert registered() == before
    assert [reference() for reference in alive] == [None] * len(alive)


@pytest.mark.slow
def test_dropped_explorers_do_not_add_up():
    """Each brought 37 MB that never went: counted by what Python holds, not by the system."""
    printed = run_python(
        "import gc, tracemalloc, numpy as np, pandas as pd, simlib\n"
        "matrix = np.random.default_rng(0).normal(size=(1000, 256)).astype('f4')\n"
        "tracemalloc.start()\n"
        "held = []\n"
        "for _ in range(6):\n"
        "    frame = pd.DataFrame({'img_path': ['no.jpg'] * 1000, 'own': matrix.tolist()})\n"
        "    simlib.explore(frame, 'own')\n"
        "    del frame\n"
        "    gc.collect()\n"
        "    held.append(tracemalloc.get_traced_memory()[0])\n"
        "print((held[-1] - held[1]) / 4 / 1e6)\n"
    )
    assert float(printed) < 0.2, "MB for each explorer; its matrix alone has 1"


def test_one_that_is_displayed_goes_on_working_without_a_variable(catalogue):
    explorer = explore(catalogue, COLUMNS)
    shown = explorer._repr_mimebundle_()
    assert shown["text/plain"].startswith("Explorer(16 pictures")
    grid = explorer.grid
    assert explorer.widget.model_id == shown[VIEW]["model_id"]
    status = explorer.status
    del explorer
    gc.collect()
    grid.visible[3].click()
    assert "shoe no. 3" in status.value
    for _ in range(8):
        explore(catalogue, COLUMNS)._repr_mimebundle_()
    gc.collect()
    assert grid.comm is None, "the ninth before is closed"


def test_an_explorer_can_be_closed_by_hand(explorer):
    explorer.close()
    assert explorer.widget.comm is None
    assert explorer._repr_mimebundle_() == {"text/plain": repr(explorer)}
    explorer.close()


def test_the_explorer_loads_neither_torch_nor_matplotlib():
    printed = run_python(
        "import sys, simlib.explorer; print({'torch', 'matplotlib', 'timm'} & set(sys.modules))"
    )
    assert printed.strip() == "set()"


def test_find_takes_what_nearest_takes(catalogue):
    image_df = simlib.embed(catalogue, ColourNames(), progress=False)
    image_df = image_df.set_axis([f"row {place}" for place in range(len(image_df))])
    column = ColourNames.column
    explorer = explore(image_df, column, model=ColourNames())
    path = image_df["img_path"].iloc[5]
    picture = simlib.load_image(path)
    vector = image_df[column].iloc[5]
    for query in ("row 5", path, picture, Path(path).read_bytes(), vector, list(-vector)):
        explorer.find(query)
        found = explorer.state.found[column].neighbours
        expected = simlib.nearest(image_df, column, query, k=len(found))
        labels = [f"row {place}" for place in found["index"]]
        assert labels == expected["index"].tolist()
        np.testing.assert_allclose(found["cosine_similarity"], expected["cosine_similarity"])


def test_find_takes_words_and_conditions(catalogue):
    image_df = simlib.embed(catalogue, ColourNames(), progress=False)
    column = ColourNames.column
    explorer = explore(image_df, column, model=ColourNames())
    colour = image_df["colour"].iloc[0]
    for options in (
        {"text": "red"},
        {"text": "red", "minus": "blue", "minus_weight": 0.3},
        {"query": image_df[column].iloc[2], "text": "red", "weight": 0.7},
        {"text": "red", "where": f"colour == '{colour}'"},
        {"query": image_df.index[3], "where": (image_df["colour"] != colour)},
    ):
        explorer.find(**options)
        found = explorer.state.found[column].neighbours
        expected = simlib.nearest(image_df, column, k=len(found), **options)
        assert image_df.index[found["index"]].tolist() == expected["index"].tolist()
    explorer.find(image_df.index[3])
    assert len(explorer.state.shown) == len(image_df)


@pytest.mark.parametrize("options", [{}, {"query": [1, 2]}, {"query": 115, "where": "nonsense >"}])
def test_find_raises_what_nearest_raises_and_stays_where_it_was(catalogue, options):
    image_df = simlib.embed(catalogue, ColourNames(), progress=False)
    explorer = explore(image_df, ColourNames.column, model=ColourNames())
    explorer.find(image_df.index[4])
    with pytest.raises(ValueError):
        explorer.find(**options)
    assert explorer.state.query.position == 4


class Quarters(simlib.Encoder):
    """The mean colour, and where it comes from: the colours of the four quarters."""

    name, column, dim, recipe = "quarters", "quarters", 3, "quarters 1"

    def prepare(self, image):
        return np.asarray(image.resize((2, 2)), dtype=np.float32) + 1

    def encode_prepared(self, batch):
        return batch.mean(axis=(1, 2))

    def feature_maps(self, images):
        return np.stack([self.prepare(image) for image in images]).transpose(0, 3, 1, 2)


def test_a_click_says_why_while_the_button_is_pressed(catalogue):
    explorer = explore(simlib.embed(catalogue, Quarters(), progress=False), [*COLUMNS, "quarters"])
    explorer.why.value = True
    before = explorer.state.query
    explorer.shelves["quarters"].buttons[1].click()
    assert explorer.state.query is before
    assert explorer.match.value.startswith('<img src="data:image/png;base64,')
    found = explorer.state.found["quarters"].neighbours
    assert f"similarity of {found['cosine_similarity'].iloc[1]:.2f}" in explorer.match.value
    assert found["index"].iloc[1] and "Bright parts" in explorer.status.value
    explorer.shelves[COLUMNS[0]].buttons[0].click()
    assert "no feature maps" in explorer.status.value and "by quarters" in explorer.status.value
    explorer.why.value = False
    assert explorer.match.value == ""
    explorer.shelves["quarters"].buttons[0].click()
    assert explorer.state.query is not before


def test_words_have_no_parts_to_compare_and_no_button_is_shown_without_maps(catalogue):
    plain = explore(catalogue, COLUMNS)
    explorer = explore(simlib.embed(catalogue, Quarters(), progress=False), [*COLUMNS, "quarters"])

    def shown(widget):
        return [
            widget,
            *(each for child in getattr(widget, "children", ()) for each in shown(child)),
        ]

    assert explorer.why in shown(explorer.widget) and plain.why not in shown(plain.widget)
    with pytest.raises(ValueError, match="Choose a picture first"):
        explorer.find(text="red")
        explorer.state.query_picture  # noqa: B018
    explorer.state.choose_upload(as_file("red"), "mine.png")
    assert explorer.state.query_picture.convert("RGB").getpixel((1, 1))[0] > 200
