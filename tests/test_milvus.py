"""Searching by Milvus Lite: the same answers, no row lost or doubled, and every failure a sentence.

The same code against a real server is in tests/milvus_server (make test-milvus).
"""

import importlib.util
import json
import os
import shutil
import socket
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import psutil
import pytest
from average_colours import AverageColours, start_python
from colour_names import ColourNames
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import simlib
from conftest import draw_pictures
from simlib.milvus import collection, rows
from simlib.milvus.connection import Connection, MilvusRefusal
from simlib.milvus.filters import render_filter

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("milvus_lite") is None, reason="milvus-lite is not installed"
)
COLOURS = ["red", "green", "blue"]
HOSTILE = [
    'red" or row_label >= 0 or colour == "',
    "red' or '1' == '1",
    'back\\slash" or true',
    "ends in a backslash\\",
    "{colour}",
    "two\nlines\tand a\rtab",
    "rød 赤 🟥 قرمز",
    "100% _under_",
    "",
]


def random_frame(count=200, dim=16, seed=0):
    """Rows with columns of each kind; labels neither in order nor positions."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "img_path": [f"{number}.jpg" for number in range(count)],
            "own": list(rng.normal(size=(count, dim)).astype(np.float32)),
            "colour": rng.choice(COLOURS, count),
            "price": rng.random(count),
            "pieces": rng.integers(1, 9, count),
            "in_stock": rng.random(count) < 0.5,
        },
        index=rng.permutation(count) * 10,
    )


@pytest.fixture(scope="module")
def frame():
    return random_frame()


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return str(tmp_path_factory.mktemp("milvus") / "made on demand" / "index.db")


@pytest.fixture(scope="module")
def flat(frame, uri):
    """An exact index that no test changes."""
    with simlib.build_index(frame, "own", uri=uri, index="FLAT", progress=False) as index:
        yield index


def build(frame, uri, **options):
    return simlib.build_index(frame, "own", uri=uri, progress=False, **options)


def assert_same(found, expected):
    """The same neighbours, with the similarities that float32 gives."""
    assert list(found) == list(expected)
    exact = ["rank", "index", "img_path"]
    pd.testing.assert_frame_equal(found[exact], expected[exact], check_dtype=False)
    assert np.allclose(found["cosine_similarity"], expected["cosine_similarity"], atol=1e-6)


# The same search


def test_a_vector_and_a_label_find_what_exact_search_finds(frame, flat):
    query = np.random.default_rng(1).normal(size=16)
    assert_same(flat.search(query, k=20), simlib.nearest(frame, "own", query, k=20))
    for label in (frame.index[0], int(frame.index[7])):
        found = flat.search(label, k=7)
        assert_same(found, simlib.nearest(frame, "own", label, k=7))
        assert label not in found["index"].tolist()


def test_a_filter_searches_as_if_only_those_rows_were_there(frame, flat):
    chosen = frame[(frame["colour"] == "red") & (frame["price"] < 0.5) & frame["in_stock"]]
    found = flat.search(
        frame["own"].iloc[0],
        k=500,
        filter="colour == {colour} and price < {most} and in_stock == {yes}",
        filter_params={"colour": "red", "most": 0.5, "yes": True},
        columns=["colour", "price"],
    )
    assert sorted(found["index"]) == sorted(chosen.index)
    expected = simlib.nearest(chosen, "own", frame["own"].iloc[0], k=500)
    assert_same(found[list(expected)], expected)
    assert (found["colour"] == "red").all() and (found["price"] < 0.5).all()
    some = {"some": ["red", "blue"], "numbers": [1, np.int64(2)]}
    both = "colour in {some} and pieces in {numbers}"
    assert (
        flat.count(both, some)
        == (frame["colour"].isin(["red", "blue"]) & frame["pieces"].isin([1, 2])).sum()
    )


@pytest.mark.parametrize(
    "condition",
    [
        "colour == 'red' and price < 0.5 and in_stock",
        "colour in ['red', 'blue'] | not in_stock",
        "1 < pieces <= 3 and colour != 'red'",
        "0.5 > price & pieces not in [1, 2]",
        "~(in_stock == True or price > -1.5e-1) or colour == ['it\\'s {colour}', 'green']",
    ],
)
def test_a_condition_means_in_milvus_what_it_means_in_a_frame(frame, flat, condition):
    query = frame["own"].iloc[0]
    assert 0 < len(frame.query(condition)) < len(frame)
    expected = simlib.nearest(frame, "own", query, k=500, where=condition, columns=["price"])
    found = flat.search(query, k=500, where=condition, columns="price")
    assert list(found) == list(expected) and set(found["index"]) == set(expected["index"])
    similarities = expected["cosine_similarity"].tolist()
    assert found["cosine_similarity"].tolist() == pytest.approx(similarities, abs=1e-5)
    both = flat.search(query, 500, "price < {most} or price > 2", {"most": 0.3}, where=condition)
    assert set(both["index"]) == set(expected["index"][expected["price"] < 0.3])


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("colour.str.contains('r')", "is more than columns compared with values"),
        ("price < pieces", "compares something else than a column with values of its kind"),
        ("colour == 3", "compares something else than a column with values of its kind"),
        ("pieces == True", "compares something else than a column with values of its kind"),
        ("price + 1 < 2", "compares something else than a column with values of its kind"),
        ("colour > 'blue'", "asks which of two texts is less"),
        ("size == 3", "names 'size', which is no column of the index"),
        ("colour.__class__", "asks for .__class__, which is not allowed here"),
        ("colour = 'red'", "can't be read"),
    ],
)
def test_a_condition_that_milvus_has_not_is_a_sentence_with_the_way_out(flat, condition, why):
    with pytest.raises(ValueError, match=f"{why}.*filter=.*The index has: .*colour"):
        flat.search(np.ones(16), where=condition)


def test_a_mask_cannot_be_sent_to_milvus(flat, frame):
    with pytest.raises(TypeError, match="knows no mask of a frame's rows.*filter="):
        flat.search(np.ones(16), where=frame["in_stock"])


@pytest.mark.parametrize("kind", ["HNSW", "IVF_FLAT", "AUTOINDEX"])
def test_other_indexes_find_nearly_all_neighbours(kind, frame, uri):
    recall = []
    with build(frame, uri, name=f"by_{kind}", index=kind) as index:
        for label in frame.index[:20]:
            found = index.search(label, k=10, search_params={"ef": 64, "nprobe": 4})["index"]
            recall.append(found.isin(simlib.nearest(frame, "own", label, k=10)["index"]).mean())
    assert np.mean(recall) > 0.9


def test_options_of_an_index_and_of_a_search_are_heeded(frame, uri):
    recall = {}
    for lists, probes in ((1, 1), (50, 1), (50, 50)):
        with build(
            frame, uri, name="options", index="IVF_FLAT", index_options={"nlist": lists}
        ) as index:
            found = index.search(frame.index[0], k=20, search_params={"nprobe": probes})["index"]
        exact = simlib.nearest(frame, "own", frame.index[0], k=20)["index"]
        recall[lists, probes] = exact.isin(found).mean()
    assert recall[1, 1] == recall[50, 50] == 1 and recall[50, 1] < 0.7


@pytest.mark.parametrize("metric", ["IP", "L2"])
def test_other_metrics_give_their_own_scores(metric, frame, uri):
    matrix = simlib.embedding_matrix(frame, "own")
    query = matrix[3]
    scores = matrix @ query if metric == "IP" else -np.linalg.norm(matrix - query, axis=1)
    best = np.argsort(-scores)[:5]
    with build(frame, uri, name=f"by_{metric}", metric=metric, index="FLAT") as index:
        found = index.search(query, k=5)
    column = {"IP": "inner_product", "L2": "euclidean_distance"}[metric]
    assert found["index"].tolist() == frame.index[best].tolist()
    assert np.allclose(found[column], np.abs(scores[best]), atol=1e-3)


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """Four pictures, their labels texts, and the index that reads pictures and words."""
    folder = tmp_path_factory.mktemp("coloured")
    paths = []
    for name in ("red", "green", "blue", "yellow"):
        paths.append(str(folder / f"{name}.png"))
        Image.new("RGB", (20, 20), name).save(paths[-1])
    frame = pd.DataFrame({"img_path": paths}, index=["a'b", 'c"d', "e\\f", "g h"])
    frame = simlib.embed(frame, ColourNames(), progress=False)
    options = {"uri": folder / "index.db", "progress": False}
    with simlib.build_index(frame, "colour_names", **options) as index:
        yield frame, index


def test_a_picture_a_path_and_a_text_find_what_they_show(coloured):
    frame, index = coloured
    for position, name in enumerate(("red", "green", "blue")):
        path = frame["img_path"].iloc[position]
        for query in ({"query": path}, {"query": simlib.load_image(path)}, {"text": name}):
            assert index.search(k=1, **query)["img_path"].tolist() == [path]
    picture = simlib.load_image(frame["img_path"].iloc[0])
    both = index.search(picture, text="blue", k=2)
    vector = simlib.encode_query(ColourNames(), "blue", picture)
    exact = simlib.nearest(frame, "colour_names", vector, k=2)
    # Red and blue are equally near, so rounding decides which of them is first.
    assert set(both["index"]) == set(exact["index"]) == set(frame.index[[0, 2]])
    assert both["cosine_similarity"].tolist() == pytest.approx(
        exact["cosine_similarity"].tolist(), abs=1e-5
    )


def test_words_are_taken_away_in_milvus_too(coloured):
    frame, index = coloured
    for query in ({"text": "yellow"}, {"query": "g h"}):
        found = index.search(**query, minus="lime", minus_weight=0.45, k=3)
        options = {**query, "minus": "lime", "minus_weight": 0.45, "k": 3}
        assert_same(found, simlib.nearest(frame, "colour_names", **options))
        assert found["index"].iloc[0] == "a'b"  # red


def test_labels_that_are_texts_may_hold_anything(coloured):
    frame, index = coloured
    for label in frame.index:
        assert_same(index.search(label, k=3), simlib.nearest(frame, "colour_names", label, k=3))


# Filters


def test_what_a_user_types_is_compared_and_nothing_else(uri):
    frame = random_frame(len(HOSTILE) + 1).assign(colour=["red", *HOSTILE])
    with build(frame, uri, name="hostile") as index:
        for label, text in zip(frame.index[1:], HOSTILE, strict=True):
            for condition in ("colour == {typed}", "colour in {typed}"):
                value = text if "==" in condition else [text]
                found = index.search(
                    frame["own"].iloc[0], k=100, filter=condition, filter_params={"typed": value}
                )
                assert found["index"].tolist() == [label]
        assert index.delete(filter="colour == {c}", filter_params={"c": HOSTILE[0]}) == 1
        assert index.count() == len(HOSTILE)


FAMOUS = "' or colour != '"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("colour == '{c}'", "leave the quotes out"),
        ('colour == "{c}"', "leave the quotes out"),
        ("colour like '%{c}%'", "leave the quotes out"),
        ("colour == '''{c}'''", "leave the quotes out"),
        ("colour == 'it\\'s {c}'", "leave the quotes out"),
        ("colour == 'a\\\\\\'{c}'", "leave the quotes out"),
        ("colour == u8'{c}'", "leave the quotes out"),
        ("/* ' */ colour == {c} /* ' */", "leave the quotes out"),
        ("colour == '{{c}}'", "leave the quotes out"),
        ("colour == \"'{c}'\"", "leave the quotes out"),
        ("colour == '\n{c}'", "leave the quotes out"),
        ('colour == \\"{c}', "a quote that is not closed"),
        ("colour == '{c}", "a quote that is not closed"),
        ("-- '\ncolour == {c}", "a quote that is not closed"),
        ("colour == {{c}}", "a brace without a"),
        ("colour == {c '}'", "a brace without a"),
        ("colour == '{ c }'", r"asks for the parameters \[\]"),
        ("colour == '{c!r}'", r"asks for the parameters \[\]"),
        ("colour == 'x'{c}", "touches what stands beside it"),
        ("colour == r{c}", "touches what stands beside it"),
        ("pieces == 1{c}", "touches what stands beside it"),
        ("colour == {c}{c}", "touches what stands beside it"),
        ("colour LIKE {c}", "for a pattern"),
        ("not (colour like ({c}))", "for a pattern"),
        ("colour =~ {c}", "for a pattern"),
        ("colour == “{c}”", "cannot be used"),
        ("colour == `{c}`", "cannot be used"),
        ("colour == {c} # {c}", "cannot be used"),
    ],
)
def test_a_template_in_which_a_value_could_be_more_than_a_value_is_refused(
    template, sentence, frame, flat
):
    for value in (FAMOUS, FAMOUS.replace("'", '"'), "red", "%"):
        for call in (flat.count, lambda *both: flat.search(frame.index[0], 5, *both)):
            with pytest.raises(ValueError, match=sentence):
                call(template, {"c": value})
        with pytest.raises(ValueError, match=sentence):
            flat.delete(filter=template, filter_params={"c": value})
    assert flat.count() == len(frame)


def test_values_with_manners_of_their_own_are_values(frame, flat):
    class Text(str):
        def translate(self, table):
            return 'x" or price >= 0 or colour == "x'

        encode = translate

    class Number(int):
        def __repr__(self):
            return "1 or price >= 0"

        __str__ = __repr__

    assert flat.count("colour == {c}", {"c": Text("red")}) == (frame["colour"] == "red").sum()
    assert flat.count("pieces == {p}", {"p": Number(3)}) == (frame["pieces"] == 3).sum()
    assert flat.count("colour in {some}", {"some": frame["colour"].unique()}) == len(frame)
    labels = ["1] or price >= 0 or row_label in [1", ["1"], None, True, 1.5]
    for label in labels:
        with pytest.raises(ValueError, match="is not a label of 'own'"):
            flat.delete([label])
    assert flat.count() == len(frame)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_milvus_own_reader_as_it_was(text):
    from milvus_lite.search.filter.tokens import tokenize

    tokens = tokenize(render_filter("colour == {typed}", {"typed": text}))
    assert [token.value for token in tokens if token.kind.name == "STRING"] == [text]
    assert len(tokens) == 4  # the name, ==, one literal, the end


@pytest.mark.parametrize(
    ("condition", "parameters", "sentence"),
    [
        ("size == 3", None, "'size == 3' cannot be used.*can ask for: img_path, colour, price"),
        ("colour ==", None, "'colour ==' cannot be used"),
        ("author == 'timeout'", None, "\"author == 'timeout'\" cannot be used"),
        ("colour == {c}", None, r"asks for the parameters \['c'\], but filter_params has \[\]"),
        ("colour == 'red'", {"c": "red"}, r"filter_params has \['c'\]"),
        ("price < {p}", {"p": float("nan")}, "'p' is nan, but a filter compares with a text"),
        ("price < {p}", {"p": None}, "'p' is None"),
        ("price < {p}", {"p": 10**400}, "'p' is 10+.*an integer of 64 bits"),
        ("colour in {c}", {"c": [["red"]]}, r"'c' is \['red'\]"),
        ("colour in {c}", {"c": b"red"}, "'c' is b'red'"),
        ("colour == {c}", [("c", "red")], "is not a dict of names"),
        ("colour == {c}", {"c": "\ud800"}, "not valid Unicode"),
        (7, None, "filter=7 is not a text"),
    ],
)
def test_a_filter_that_makes_no_sense_is_answered_in_a_sentence(
    condition, parameters, sentence, frame, flat, capfd
):
    with pytest.raises(ValueError, match=sentence) as raised:
        flat.search(frame.index[0], filter=condition, filter_params=parameters)
    assert len(str(raised.value).splitlines()) == 1
    assert capfd.readouterr().err == ""  # pymilvus would log twenty lines


# What goes in


def test_rows_without_a_direction_are_left_out_named_and_counted(uri):
    frame = random_frame(8)
    cells = frame["own"].tolist()
    cells[1], cells[2], cells[4] = None, np.full(16, np.nan), np.zeros(16)
    frame = frame.assign(own=cells, error=None, title="short")
    frame.loc[frame.index[1], "error"] = "the picture is damaged"
    frame.loc[frame.index[6], "title"] = "é" * 40_000
    with pytest.warns(UserWarning, match="4 row.*cannot be searched for.*picture is damaged"):
        index = build(frame, uri, name="with_holes", columns=["img_path", "title"])
    with index:
        assert index.count() == 4
        assert set(index.built.left_out) == set(frame.index[[1, 2, 4, 6]])
        assert "longer than 65,535 bytes" in index.built.left_out[frame.index[6]]
        assert index.search(frame["own"].iloc[0], k=8)["cosine_similarity"].notna().all()


def test_columns_with_gaps_are_named_and_missing_texts_are_empty(uri):
    frame = random_frame(6).assign(size=[1.0, None, 3, 4, 5, 6], title=["a", None, *"cdef"])
    frame["größe"] = 1
    with pytest.warns(UserWarning, match="'size', since it has gaps.*'größe', since its name"):
        index = build(frame, uri, name="with_gaps")
    with index:
        assert "size" not in index.columns
        assert index.count("title == ''") == 1
    with pytest.raises(ValueError, match="'size', since it has gaps"):
        build(frame, uri, name="with_gaps", columns=["size"])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", None, "c"], "VARCHAR"),
        (pd.Categorical(["a", "b", None]), "VARCHAR"),
        ([None, None, None], "VARCHAR"),
        ([True, False, True], "BOOL"),
        (np.array([1, 2**63 - 1, -1]), "INT64"),
        (pd.array([1, 2, 3], dtype="Int64"), "INT64"),
        (np.array([0.5, 1, 2], np.float32), "DOUBLE"),
        (np.array([0.5, 1.0, 2.0], object), "DOUBLE"),
        ([1, None, 3], "it has gaps"),
        ([True, None, False], "it has gaps"),
        ([1, 2, 2**63], "more than 64 bits"),
        ([0.5, np.inf, 1], "it holds infinity"),
        ([1, "a", 2], "it holds int"),
        ([b"a", b"b", b"c"], "it holds bytes"),
        (pd.to_datetime(["2026-01-01"] * 3), "it holds Timestamp"),
    ],
)
def test_each_kind_of_column_is_taken_along_or_named(values, kind):
    frame = random_frame(3).assign(extra=values)
    if kind in rows._PLAIN_VALUE:
        assert rows.usable_columns(frame, "own", "extra") == {"extra": kind}
    else:
        with pytest.raises(ValueError, match=f"'extra', since {kind}|'extra', since .*{kind}"):
            rows.usable_columns(frame, "own", ["extra"])


def test_columns_named_like_those_of_the_results_are_theirs_or_refused(uri):
    frame = random_frame(6).assign(rank=7, index=8, cosine_similarity=9, distance=10.0, id=11)
    frame = frame.assign(entity=12, score=13.0, pk=14)
    with build(frame, uri, name="names_of_results") as index:
        found = index.search(frame.index[0], columns=["distance", "id", "entity", "score", "pk"])
        theirs = found[["distance", "id", "entity", "score", "pk"]].drop_duplicates()
        assert theirs.values.tolist() == [[10, 11, 12, 13, 14]]
        for column in ("rank", "index", "cosine_similarity"):
            assert index.count(f"{column} < 10") == 6
            with pytest.raises(ValueError, match=f"would overwrite the '{column}' of the results"):
                index.search(frame.index[0], columns=column)


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (word, "a word of the filter language")
        for word in ("in", "like", "and", "null", "NOT", "Is", "true", "text_match", "iso")
    ]
    + [
        (name, "that of a field of Milvus or simlib")
        for name in ("Timestamp", "RowID", "_seq", "row_label", "row_fingerprint")
    ]
    + [(name, "not one of letters") for name in ("a b", "größe", "1st", "$meta", "x" * 256, 5)],
)
def test_names_that_milvus_refuses_or_filters_cannot_ask_for_are_named_first(column, why, tmp_path):
    frame = random_frame(3).assign(**{"timestamp": 3}).rename(columns={"pieces": column})
    with pytest.raises(ValueError, match=rf"since its name is {why}.*columns=\["):
        build(frame, tmp_path / "index.db", columns=[column])
    assert not (tmp_path / "index.db").exists()
    with pytest.warns(UserWarning, match=rf"since its name is {why}.*columns=\["):
        usable = rows.usable_columns(frame, "own", None)
    assert set(usable) == {"img_path", "colour", "price", "in_stock", "timestamp"}
    with pytest.raises(ValueError, match=f"cannot be a field in Milvus, since its name is {why}"):
        rows.usable_columns(frame.rename(columns={"own": column, column: "pieces"}), column, [])


def test_more_columns_than_a_server_takes_and_columns_of_one_name_are_named_first(uri):
    frame = random_frame(3)
    many = frame.assign(**{f"column_{number}": number for number in range(57)})
    with pytest.raises(ValueError, match=r"62 columns are too many.*61 at most.*columns=\["):
        build(many, uri, name="many")
    with build(many.drop(columns="price"), uri, name="many") as index:
        assert len(index.columns) == 61 and index.count("column_56 == 56") == 3
    twice = frame.set_axis(["img_path", "own", "colour", "colour", "pieces", "in_stock"], axis=1)
    with pytest.raises(ValueError, match="2 columns of the name 'colour'"):
        build(twice, uri, name="twice", columns="colour")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([1, 1, 2], "label 1 stands at several rows"),
        ([1, "a", 2], "'a' cannot name a row"),
        ([1.5, 2.5, 3.5], "1.5 cannot name a row"),
        ([(1, 2), (1, 3), (1, 4)], "cannot name a row"),
    ],
)
def test_labels_that_can_not_name_rows_are_refused(labels, sentence, uri):
    frame = random_frame(3)
    frame.index = pd.Index(labels, tupleize_cols=False)
    with pytest.raises(ValueError, match=f"{sentence}.*reset_index"):
        build(frame, uri, name="labels")


def test_what_was_written_is_read(uri):
    frame = random_frame(50)
    with build(frame.iloc[:40], uri, name="kept_up_to_date") as index:
        assert index.upsert(frame.iloc[30:]) == 20
        assert index.count() == 50
        changed = frame.iloc[[3]].assign(own=[-frame["own"].iloc[3]], colour="violet")
        index.upsert(changed)
        found = index.search(changed["own"].iloc[0], k=1, columns=["colour"])
        assert found[["index", "colour"]].values.tolist() == [[frame.index[3], "violet"]]
        assert index.delete([frame.index[3], frame.index[4], 999_999]) == 2
        assert index.delete(int(frame.index[5])) == 1
        assert index.count() == 47
        assert frame.index[3] not in index.search(changed["own"].iloc[0], k=50)["index"].tolist()
        for nothing in ({}, {"filter": "  "}, {"labels": [1], "filter": "price < 1"}):
            with pytest.raises(ValueError, match="either labels or a filter"):
                index.delete(**nothing)
        with pytest.raises(ValueError, match="have 3 values, but those in .* have 16"):
            index.upsert(frame.assign(own=[[1, 2, 3]] * 50))
        with pytest.raises(ValueError, match="'colour' holds INT64, not VARCHAR"):
            index.upsert(frame.assign(colour=1))
        with pytest.raises(KeyError, match="no column 'price'"):
            index.upsert(frame.drop(columns="price"))
        assert index.count() == 47


def test_building_again_writes_only_what_differs(uri):
    frame = random_frame(60)
    build(frame, uri, name="again").close()
    with build(frame, uri, name="again", index="FLAT") as index:
        assert (index.built.written, index.built.unchanged, index.built.removed) == (0, 60, 0)
    other = frame.iloc[5:].copy()
    other.loc[other.index[0], "price"] = 7.0
    with build(other, uri, name="again", index="FLAT") as index:
        assert (index.built.written, index.built.unchanged, index.built.removed) == (1, 54, 5)
        assert_same(
            index.search(frame["own"].iloc[0]), simlib.nearest(other, "own", frame["own"].iloc[0])
        )


# What can go wrong


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        ({"own": [[1.0, 2, 3]] * 200}, {}, "holds 16 values from 'own' .* not 3"),
        ({}, {"metric": "L2"}, "by COSINE.*, not .* by L2"),
        ({"size": 1}, {}, r"with .*, not .*size \(INT64\)"),
        ({}, {"metric": "cosine"}, "metric='cosine' is unknown; choose one of"),
        ({}, {"index": "IVF_PQ"}, "Milvus Lite has no index 'IVF_PQ'; it has AUTOINDEX"),
        ({}, {"name": "a b"}, "'a b' cannot be the name of a collection"),
        ({}, {"name": "../up"}, "'../up' cannot be the name of a collection"),
    ],
)
def test_a_collection_that_does_not_fit_is_refused_and_kept(
    change, options, sentence, frame, flat, uri
):
    with pytest.raises(ValueError, match=sentence):
        build(frame.assign(**change), uri, **{"index": "FLAT", **options})
    assert flat.count() == len(frame)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ([1, 2], "has 2 values, but the embeddings in 'own' have 16"),
        (np.zeros(16), "no direction"),
        (np.full(16, np.nan), "no direction"),
        (123_456, "123456 is not a label"),
        (1.5, "1.5 is not a label"),
        (None, "nothing to search for"),
        (Image.new("RGB", (2, 2)), "not known which encoder made the embeddings in 'own'"),
    ],
)
def test_a_query_that_makes_no_sense_is_named(query, sentence, flat):
    with pytest.raises(ValueError, match=sentence):
        flat.search(query)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, 16_384])
def test_a_number_of_neighbours_out_of_range_is_named(k, flat):
    with pytest.raises(ValueError, match=f"k={k}"):
        flat.search(np.ones(16), k=k)


@pytest.mark.slow
def test_an_index_that_another_process_holds_is_named_and_free_once_closed(tmp_path):
    frame = random_frame(20)
    uri = str(tmp_path / "index.db")
    script = """
import simlib, sys
try:
    simlib.open_index(sys.argv[1])
except RuntimeError as error:
    print(error, flush=True)
sys.stdin.readline()
print(simlib.open_index(sys.argv[1]).count())
"""
    with build(frame, uri):
        other = start_python(script, uri)
        refusal = other.stdout.readline()
        assert refusal.startswith(f"{uri} is in use by another process"), other.stderr.read()
    printed, complaints = other.communicate("it is closed now\n")
    assert printed == "20\n" and complaints == ""
    with simlib.open_index(uri) as index:
        assert_same(index.search(frame.index[0]), simlib.nearest(frame, "own", frame.index[0]))


@pytest.mark.parametrize("variable", ["http_proxy", "grpc_proxy"])
def test_a_proxy_in_the_environment_is_not_asked_for_a_file(variable, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.delenv("no_proxy", raising=False)
    with build(random_frame(5), tmp_path / "index.db") as index:
        assert index.count() == 5


def test_milvus_lite_listens_on_this_machine_alone(flat):
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.Process().net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening and set(listening) == {"127.0.0.1"}


def test_a_second_client_in_this_process_is_named_and_its_file_left_alone(tmp_path):
    from milvus_lite import MilvusLite

    with MilvusLite(str(tmp_path / "index.db")):
        with pytest.raises(RuntimeError, match="another process, or by another client in this one"):
            build(random_frame(5), tmp_path / "index.db")
    with build(random_frame(5), tmp_path / "index.db") as index:
        (tmp_path / "other").mkdir()
        same = tmp_path / "other" / ".." / "index.db"
        with simlib.open_index(same) as again:  # the same file under another name
            assert again.count() == 5
        assert index.count() == 5  # which the other one's closing did not take away


def test_opening_what_is_not_there_says_what_is(uri, flat, tmp_path):
    with pytest.raises(FileNotFoundError, match="no index .*none.db.*build_index"):
        simlib.open_index(tmp_path / "none.db")
    with pytest.raises(ValueError, match="no collection 'other'; it has: .*own"):
        simlib.open_index(uri, "other")
    (tmp_path / "old.db").write_text("a database of milvus-lite 2")
    with pytest.raises(ValueError, match="a file is in its way"):
        simlib.open_index(tmp_path / "old.db")
    for address in ("index", "ftp://host/x", "http://"):
        with pytest.raises(ValueError, match="neither a file of Milvus Lite.* nor the address"):
            simlib.open_index(address)


def test_a_server_that_does_not_answer_is_named(monkeypatch, capfd):
    monkeypatch.setattr("simlib.milvus.connection.CONNECT_SECONDS", 1)
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        closed.bind(("127.0.0.1", 0))
        for port in (silent.getsockname()[1], closed.getsockname()[1]):
            with pytest.raises(ConnectionError, match=f"No Milvus server answers at .*{port}"):
                simlib.open_index(f"http://127.0.0.1:{port}")
    assert capfd.readouterr().err == ""


def test_the_token_is_shown_nowhere(monkeypatch, flat):
    monkeypatch.setenv("MILVUS_TOKEN", "root:open sesame")
    monkeypatch.setattr("simlib.milvus.connection.CONNECT_SECONDS", 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        for address in (f"http://127.0.0.1:{port}", f"http://root:open sesame@127.0.0.1:{port}"):
            with pytest.raises((ConnectionError, ValueError)) as raised:
                simlib.open_index(address)
            error = raised.value
            while error is not None:
                assert "sesame" not in repr(error)
                error = error.__cause__ or error.__context__
    assert "sesame" not in repr(flat) + repr(vars(flat)) + repr(vars(flat._connection))


def test_a_missing_pymilvus_is_answered_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(ImportError, match=r"pymilvus.*pip install .simlib\[milvus\]"):
        build(random_frame(3), tmp_path / "index.db")


def test_an_index_that_still_builds_is_waited_for_and_one_that_stands_still_is_named(
    flat, monkeypatch
):
    states = iter([0, 50, 200])

    def state(*_):
        done = next(states, 50)
        return {
            "state": "Finished",
            "total_rows": 200,
            "indexed_rows": done,
            "pending_index_rows": 200 - done,
        }

    monkeypatch.setattr(collection, "described_index", state)
    monkeypatch.setattr(collection.time, "sleep", lambda seconds: None)
    parts = flat._connection, flat._described
    collection.wait_for_index(*parts, progress=False)
    assert next(states, None) is None  # it did not return before all rows were indexed
    monkeypatch.setattr(collection, "STALL_SECONDS", 0)
    with pytest.raises(TimeoutError, match="'own' has stood at 50 of 200 rows"):
        collection.wait_for_index(*parts, progress=False)
    monkeypatch.setattr(
        collection,
        "described_index",
        lambda *_: {"state": "Failed", "index_state_fail_reason": "x"},
    )
    with pytest.raises(RuntimeError, match="could not build the index: x"):
        collection.wait_for_index(*parts, progress=False)


def test_a_closed_index_says_so(tmp_path):
    index = build(random_frame(5), tmp_path / "index.db")
    index.close()
    index.close()
    with pytest.raises(ValueError, match="was closed; simlib.open_index opens it"):
        index.count()
    with simlib.open_index(tmp_path / "index.db") as again:
        again.drop()
    with pytest.raises(ValueError, match="has no|none at all"):
        simlib.open_index(tmp_path / "index.db")


# From shards, and killed on the way


@pytest.fixture
def shards(tmp_path):
    draw_pictures(tmp_path / "pictures" / "hats", 40)
    draw_pictures(tmp_path / "pictures" / "shoes", 30, size=(9, 9))
    (tmp_path / "pictures" / "shoes" / "broken.jpg").write_bytes(b"not a picture")

    def embed_again():
        return simlib.embed_folder(
            tmp_path / "pictures", tmp_path / "shards", AverageColours(), 20, progress=False
        )

    embed_again()
    return tmp_path, embed_again


def index_shards(folder):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*cannot be searched for")
        return simlib.index_shards(
            folder / "shards", folder / "index.db", index="FLAT", progress=False
        )


def test_shards_are_indexed_once_and_follow_the_folder(shards):
    folder, embed_again = shards
    with index_shards(folder) as index:
        assert index.count() == index.built.written == 70
        assert len(index.built.left_out) == 1
        assert index.count("category == 'hats'") == 40
        frame = simlib.load_shards(folder / "shards").dropna(subset="average_colours")
        query = frame["average_colours"].iloc[0]
        found = index.search(query, k=9)
        expected = simlib.nearest(frame, "average_colours", query, k=9)
        assert np.allclose(found["cosine_similarity"], expected["cosine_similarity"], atol=1e-6)
        assert set(found["img_path"].head(3)) == set(expected["img_path"].head(3))
    pictures = folder / "pictures"
    (pictures / "hats" / "000.png").unlink()
    Image.new("RGB", (30, 30), "orange").save(pictures / "hats" / "001.png")
    Image.new("RGB", (30, 30), "brown").save(pictures / "shoes" / "new.png")
    embed_again()
    with index_shards(folder) as index:
        built = index.built
        assert (index.count(), built.written, built.unchanged, built.removed) == (70, 2, 68, 1)


def test_no_shards_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There are no shards"):
        simlib.index_shards(tmp_path, tmp_path / "index.db")
    assert not (tmp_path / "index.db").exists()


@pytest.mark.slow
def test_killed_in_the_middle_and_run_again_no_row_is_lost_or_doubled(tmp_path):
    script = """
import os, signal, sys
import pandas as pd
import simlib
from simlib.milvus import index as index_module, rows
rows.BATCH_BYTES = 500 * 20
write, acknowledged = index_module.MilvusIndex._write, 0
def counted(self, rows):
    global acknowledged
    acknowledged += write(self, rows)
    if acknowledged >= 200:
        print(acknowledged, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return len(rows)
index_module.MilvusIndex._write = counted
simlib.build_index(pd.read_pickle(sys.argv[1]), "own", uri=sys.argv[2], progress=False)
"""
    uri = tmp_path / "index.db"
    frame = random_frame(500)
    frame.to_pickle(tmp_path / "frame.pickle")
    printed, complaints = start_python(script, tmp_path / "frame.pickle", uri).communicate()
    assert printed, complaints
    with pytest.raises(RuntimeError, match="'own' .*cannot be searched: it has no index.*Repeat"):
        simlib.open_index(uri)
    with build(frame, uri) as index:
        assert index.count() == 500
        assert (index.built.unchanged, index.built.written) == (int(printed), 500 - int(printed))
        assert sorted(index._fingerprints()) == sorted(frame.index)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_index(path):
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"index_specs": {}}))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A frame, and the folder of its index, which another index shares; to be copied."""
    frame, uri = random_frame(60), tmp_path_factory.mktemp("sound") / "index.db"
    build(frame, uri, index="HNSW").close()
    build(frame, uri, name="beside").close()
    return frame, uri


@pytest.mark.parametrize(
    ("harm", "files", "sentence"),
    [
        (truncate, "manifest.json", "manifest.json is corrupt"),
        (lambda path: path.write_text("[]"), "manifest.json", "manifest.json is corrupt"),
        (lambda path: path.write_text("{}"), "manifest.json", "manifest.json is corrupt"),
        (os.remove, "manifest.json", "manifest.json is missing"),
        (os.remove, "manifest.json*", "manifest.json is missing"),
        (truncate, "manifest.json*", "manifest.json is corrupt"),
        (os.remove, "**/*.parquet", r"data_\d+_\d+.parquet is missing"),
        (truncate, "**/*.parquet", r"data_\d+_\d+.parquet is corrupt"),
        (shutil.rmtree, "partitions", "parquet is missing"),
        (truncate, "schema.json", "schema.json is corrupt"),
        (os.remove, "schema.json", "schema.json is missing"),
        (without_index, "manifest.json", "it has no index, since"),
        (truncate, "**/*.idx", "its index is corrupt"),
        (os.remove, "**/*.idx", None),
    ],
)
def test_a_damaged_file_is_named_when_it_is_opened_and_built_anew(
    harm, files, sentence, sound, tmp_path
):
    frame, uri = sound[0], tmp_path / "index.db"
    shutil.copytree(sound[1], uri)
    harmed = list((uri / "collections" / "own").glob(files))
    assert harmed
    for path in harmed:
        harm(path)
    if sentence:
        with pytest.raises(RuntimeError, match=f"'own' .* cannot be searched: .*{sentence}"):
            simlib.open_index(uri, "own")
    with simlib.open_index(uri, "beside") as index:
        assert index.count() == 60
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        index = build(frame, uri, index="HNSW")
    with index:
        moved = sentence and "index" not in sentence
        assert [str(one.message).split(" is ")[0] for one in warned] == (
            [f"The collection 'own' in {uri}"] if moved else []
        )
        assert index.count() == 60 and index.built.written == (60 if moved else 0)
        found = index.search(frame["own"].iloc[7], k=1)
        assert found["index"].tolist() == [frame.index[7]]
    with simlib.open_index(uri, "own") as index:
        assert index.count() == 60
    aside = list(uri.glob("damaged-own-*/own"))
    assert len(aside) == bool(moved)


def test_several_threads_may_search_and_write(tmp_path):
    frame = random_frame(400)
    failures = []
    with build(frame.iloc[:100], tmp_path / "index.db") as index:

        def work(part):
            try:
                index.upsert(frame.iloc[part])
                index.search(frame["own"].iloc[part.start], k=5)
            except Exception as error:
                failures.append(error)

        threads = [
            threading.Thread(target=work, args=(slice(start, start + 25),))
            for start in range(100, 400, 25)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures and index.count() == 400


def test_a_collection_of_somebody_else_is_left_alone(tmp_path):
    connection = Connection(tmp_path / "index.db")
    connection.call("create_collection", "own", dimension=16)
    with pytest.raises(ValueError, match="'own' .*was not made by simlib"):
        build(random_frame(3), tmp_path / "index.db")
    with pytest.raises(MilvusRefusal, match="answered: "):
        connection.call("query", "own", filter="nonsense ==")
    assert json.dumps(connection.call("list_collections")) == '["own"]'
    connection.close()
