"""What a user loses when these fail: figures that a decision can rest on."""

import sys

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours

import simlib
from simlib import exact
from simlib.measuring import evaluation
from simlib.measuring.evaluation import bootstrap_interval, evaluate, precision_at_k


def on_a_circle(labels, degrees=None):
    """Pictures whose order of similarity to 0 degrees is plain to see, one every 5 degrees."""
    degrees = 5 * np.arange(1, len(labels) + 1) if degrees is None else np.asarray(degrees)
    radians = np.deg2rad(degrees)
    rows = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    return pd.DataFrame({"category": labels, "own": list(rows)})


QUERY = on_a_circle(["a"], [0])


def measured(neighbours, **options):
    """What one query with the label "a" scores with neighbours of these labels, nearest first."""
    result = evaluate(QUERY, "own", gallery_df=on_a_circle(list(neighbours)), **options)
    return result.set_index("measure")["mean"]


@pytest.fixture(scope="module")
def clusters():
    """300 noisy embeddings with 12 labels of very different sizes, some of them missing."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(12), [1, 2, 3, 5, 8, 10, 16, 30, 45, 50, 60, 70])
    rows = rng.normal(size=(12, 16))[label] + 1.2 * rng.normal(size=(300, 16))
    frame = pd.DataFrame(
        {"category": [f"kind {n}" for n in label], "half": label % 2, "own": list(rows)}
    )
    return frame.sample(frac=1, random_state=0)


# By hand


@pytest.mark.parametrize(
    ("neighbours", "r_precision", "map_at_r"),
    [
        ("aaabbb", 1, 1),
        ("ababab", 2 / 3, (1 / 1 + 2 / 3) / 3),
        ("baabba", 2 / 3, (1 / 2 + 2 / 3) / 3),
        ("bbbaaa", 0, 0),
        # One hit at rank 1 and two that were missed: no more than a third. (Divided by the hits
        # found, or held against an ideal made of what was retrieved, it would pass for perfect.)
        ("abbbaa", 1 / 3, (1 / 1) / 3),
        ("bbabaa", 1 / 3, (1 / 3) / 3),
        # Hits behind rank R don't count.
        ("abbaab", 1 / 3, (1 / 1) / 3),
    ],
)
def test_r_precision_and_map_at_r_are_those_worked_out_by_hand(neighbours, r_precision, map_at_r):
    scores = measured(neighbours, k=2)
    assert scores["R-precision"] == pytest.approx(r_precision)
    assert scores["mAP@R"] == pytest.approx(map_at_r)


def test_precision_and_both_recalls_are_those_worked_out_by_hand():
    scores = measured("baabba", k=[1, 3, 6])
    assert scores[["precision@1", "precision@3", "precision@6"]].tolist() == [0, 2 / 3, 0.5]
    assert scores[["recall@1", "recall@3", "recall@6"]].tolist() == [0, 1, 1]
    shares = measured("baabba", k=[1, 3, 6], recall="share")
    assert shares["recall@1 (share)":"recall@6 (share)"].tolist() == [0, 2 / 3, 1]


def test_a_picture_is_never_its_own_neighbour_and_a_copy_may_be():
    frame = on_a_circle(["a", "b", "a", "b"], [0, 10, 90, 80])
    result = evaluate(frame, "own", k=1).set_index("measure")["mean"]
    assert result["precision@1"] == 0 and result["mAP@R"] == 0  # R = 1: the other of its kind
    twice = pd.concat([frame, frame], ignore_index=True)
    assert precision_at_k(twice, "own", k=1).tolist() == [1] * 8


# Against others


def brute_force(frame, column, k):
    """The definitions, one query and one pair at a time."""
    scores = {}
    for label, row in frame.iterrows():
        others = frame.drop(label)
        cosine = [
            np.dot(row["own"], other) / np.linalg.norm(row["own"]) / np.linalg.norm(other)
            for other in others["own"]
        ]
        hits = (others[column] == row[column]).to_numpy()[np.argsort(cosine)[::-1]]
        size = hits.sum()
        if size:
            at_r = [hits[: n + 1].mean() for n in range(size) if hits[n]]
            scores[label] = [
                hits[:k].mean(), hits[:k].any(), hits[:k].sum() / size, hits[:size].mean(),
                sum(at_r) / size,
            ]  # fmt: skip
    return pd.DataFrame(scores).T.astype(float)


def test_every_query_scores_what_the_definitions_say(clusters, monkeypatch):
    monkeypatch.setattr(exact, "CHUNK_BYTES", 10_000)  # so that there are many blocks
    expected = brute_force(clusters, "category", 7)
    task = evaluation._Task.of(clusters, "own", None)
    scores = evaluation._scores(task, ["half", "category"], [7], ranked=True)["category"].dropna()
    assert scores.index.sort_values().equals(expected.index.sort_values()) and len(scores) == 299
    np.testing.assert_allclose(scores, expected.loc[scores.index], atol=1e-12)

    means = evaluate(clusters, "own", k=7)["mean"]
    np.testing.assert_allclose(means, expected.mean()[[0, 1, 3, 4]], atol=1e-12)
    each = precision_at_k(clusters, "own", k=7)
    np.testing.assert_allclose(each.dropna(), expected.loc[each.dropna().index, 0], atol=1e-12)


@pytest.mark.parametrize("with_gallery", [False, True])
def test_r_precision_and_map_at_r_are_those_of_pytorch_metric_learning(
    clusters, with_gallery, monkeypatch
):
    # It would exchange faiss's search in this process for one that Milvus Lite can't call.
    monkeypatch.setitem(sys.modules, "faiss.contrib.torch_utils", None)
    calculators = pytest.importorskip(
        "pytorch_metric_learning.utils.accuracy_calculator",
        reason="pytorch-metric-learning is not installed",
    )
    import torch

    queries = clusters.head(100) if with_gallery else clusters
    gallery = clusters.tail(200) if with_gallery else clusters

    def ours(query, k, reference, reference_includes_query):
        frames = (pd.DataFrame({"own": list(rows.numpy())}) for rows in (query, reference))
        embeddings = [exact.Embeddings.of(frame, "own") for frame in frames]
        own = np.arange(len(query)) if reference_includes_query else None
        places, similarities = exact.top_k(*embeddings, k, own)
        return torch.from_numpy(1 - similarities), torch.from_numpy(places)

    calculator = calculators.AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count", device=torch.device("cpu"), knn_func=ours,
        kmeans_func=lambda *_: None,
    )  # fmt: skip
    frames = (queries, gallery)
    codes = [np.array(frame["category"].str[5:].astype(int)) for frame in frames]
    rows = [np.stack(frame["own"].to_list()) for frame in frames]
    others = (rows[1], codes[1]) if with_gallery else ()
    theirs = calculator.get_accuracy(rows[0], codes[0], *others)

    gallery_df = gallery if with_gallery else None
    means = evaluate(queries, "own", k=1, gallery_df=gallery_df).set_index("measure")["mean"]
    assert means["precision@1"] == pytest.approx(theirs["precision_at_1"])
    assert means["R-precision"] == pytest.approx(theirs["r_precision"])
    assert means["mAP@R"] == pytest.approx(theirs["mean_average_precision_at_r"])
    assert 0.2 < means["mAP@R"] < means["R-precision"] < 0.9  # else nothing is compared


# What does not count


def test_what_is_left_out_is_counted_and_changes_no_figure(clusters):
    broken = clusters.sample(12, random_state=1).copy()
    broken["own"] = [None] * 5 + [np.zeros(16)] * 4 + [np.full(16, np.nan)] * 3
    unlabelled = clusters.sample(20, random_state=2).assign(category=[None, np.nan] * 10)
    unlabelled["own"] = list(np.random.default_rng(1).normal(size=(20, 16)))
    together = pd.concat([broken, clusters, unlabelled]).reset_index(drop=True)
    result = evaluate(together, "own", ["category", "half"], k=3)
    assert result.attrs == {
        "without_embedding": 5,
        "zero_embeddings": 7,
        "duplicates": 0,
        "without_label": {"category": 20, "half": 0},
        "single": {"category": 1, "half": 0},
    }
    assert result.groupby("label")["queries"].first().to_dict() == {"category": 299, "half": 320}
    each = precision_at_k(together, "own", k=3)
    assert each[:12].isna().all() and each[-20:].isna().all() and each.notna().sum() == 299
    without = pd.concat([clusters, unlabelled]).reset_index(drop=True)
    pd.testing.assert_frame_equal(
        result.query("label == 'category'"), evaluate(without, "own", k=3), check_flags=False
    )


def test_queries_whose_label_the_gallery_lacks_are_left_out_and_counted(clusters):
    gallery = clusters[clusters["category"] != "kind 11"]
    result = evaluate(clusters, "own", gallery_df=gallery)
    assert result.attrs["single"] == {"category": 70}
    assert (result["queries"] == 230).all()


def test_what_can_not_be_measured_is_said_in_a_sentence(clusters):
    with pytest.raises(KeyError, match="no column 'colour'; it has: category, half, own"):
        evaluate(clusters, "own", "colour")
    with pytest.raises(ValueError, match="'category': no query has a label that another"):
        evaluate(on_a_circle(list("abc")), "own", k=1)
    for wrong in (0, 300, 2.5, True, "5"):
        with pytest.raises(ValueError, match=f"k={wrong!r} is out of range.*offers 299"):
            evaluate(clusters, "own", k=[1, wrong])
    with pytest.raises(ValueError, match="recall='all' is unknown.*'any' or 'share'"):
        evaluate(clusters, "own", recall="all")


def test_two_embeddings_or_labels_are_measured_as_if_alone(clusters):
    both = evaluate(clusters, "own", ["half", "category"], k=[1, 5])
    for column in ("half", "category"):
        alone = evaluate(clusters, "own", column, k=[1, 5])
        same = both[both["label"] == column].reset_index(drop=True)
        pd.testing.assert_frame_equal(same, alone, check_flags=False)
    assert precision_at_k(clusters, "own", ["half"], k=5)["half"].equals(
        precision_at_k(clusters, "own", "half", k=5).rename("half")
    )


# Intervals


def test_an_interval_is_as_wide_as_theory_says_and_repeats():
    values = np.random.default_rng(0).random((400, 2)) * [1, 0.1]
    low, high = bootstrap_interval(values)
    error = values.std(axis=0) / np.sqrt(400)
    np.testing.assert_allclose(low, values.mean(axis=0) - 1.96 * error, atol=0.15 * error[0])
    np.testing.assert_allclose((high - low) / error, 2 * 1.96, rtol=0.06)
    assert (bootstrap_interval(values)[0] == low).all()
    assert (bootstrap_interval(values, seed=1)[0] != low).any()
    single = bootstrap_interval(values[:, 0])
    assert single == pytest.approx((low[0], high[0]))


def test_an_interval_needs_more_than_one_query():
    result = evaluate(QUERY, "own", k=1, gallery_df=on_a_circle(["a", "b"]))
    assert result[["low", "high"]].isna().all(axis=None) and (result["mean"] == 1).all()


# Near-duplicates


@pytest.fixture
def repeated(image_df):
    """Twelve pictures of two kinds, of which the first four are there three times."""
    image_df["category"] = list("ab") * 6
    again = [
        image_df.head(4).assign(img_path=[save_again(path, name) for path in image_df.img_path[:4]])
        for name in ("x", "y")
    ]
    every = pd.concat([image_df, *again], ignore_index=True)
    return simlib.embed(every, AverageColours(), progress=False)


def save_again(path, name):
    from PIL import Image

    copy = path.replace(".png", f"-{name}.jpg")
    with Image.open(path) as image:
        image.save(copy, quality=90, subsampling=0)
    return copy


def test_near_duplicates_flatter_and_can_be_left_out(repeated):
    column = "average_colours"
    flattered = evaluate(repeated, column, k=1)
    honest = evaluate(repeated, column, k=1, leave_out_duplicates=True)
    assert flattered["mean"][0] > honest["mean"][0] + 0.2
    assert (flattered.attrs["duplicates"], honest.attrs["duplicates"]) == (0, 8)
    once = evaluate(repeated.head(12), column, k=1)
    pd.testing.assert_frame_equal(honest, once, check_flags=False)
    found = simlib.find_duplicates(repeated)
    given = evaluate(repeated, column, k=1, leave_out_duplicates=found)
    pd.testing.assert_frame_equal(honest, given)


def test_a_picture_listed_twice_is_a_duplicate_of_itself(repeated):
    once = repeated.head(12)
    result = evaluate(pd.concat([once, once]), "average_colours", k=1, leave_out_duplicates=True)
    expected = evaluate(once, "average_colours", k=1)
    pd.testing.assert_frame_equal(result, expected, check_flags=False)
    assert result.attrs["duplicates"] == 12
    with pytest.raises(ValueError, match="frame is empty"):
        evaluate(once, "average_colours", gallery_df=once, leave_out_duplicates=True)


def test_a_gallery_must_not_hold_its_queries_once_more(repeated):
    queries, gallery = repeated.tail(4), repeated.head(16)
    result = evaluate(
        queries, "average_colours", k=1, gallery_df=gallery, leave_out_duplicates=True
    )
    rest = gallery.iloc[4:12]
    assert result.attrs["duplicates"] == 8
    assert result["mean"].tolist() == evaluate(
        queries, "average_colours", k=1, gallery_df=rest
    )["mean"].tolist()  # fmt: skip
