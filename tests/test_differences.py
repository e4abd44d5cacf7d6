"""What a user loses when these fail: knowing whether one strategy is really better than another."""

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours

import simlib
from simlib.measuring.evaluation import RESAMPLES, evaluate_queries


@pytest.fixture
def noisy():
    """A hundred vectors in five labels, with a little and with much noise."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 20)
    middles = rng.normal(size=(5, 8))
    frame = pd.DataFrame({"category": [f"label {label}" for label in labels]})
    for name, noise in {"clear": 0.5, "noisy": 1.0}.items():
        frame[name] = list(middles[labels] + noise * rng.normal(size=(100, 8)))
    return frame


def test_the_difference_is_that_of_the_means_and_its_interval_that_of_a_paired_bootstrap(noisy):
    found = simlib.paired_difference(noisy, ["clear", "noisy"], k=5, progress=False)
    assert found["measure"].tolist() == ["precision@5", "recall@5", "R-precision", "mAP@R"]
    means = [
        simlib.evaluate(noisy, name).set_index("measure")["mean"] for name in found.iloc[0, :2]
    ]
    np.testing.assert_allclose(
        found.set_index("measure")["difference"], means[0] - means[1], atol=1e-12
    )
    # Written out: queries are drawn with replacement, the same ones for both.
    scores = [evaluate_queries(noisy, name)[1]["category"]["mAP@R"] for name in found.iloc[0, :2]]
    apart = (scores[0] - scores[1]).to_numpy()
    drawn = np.random.default_rng(1).integers(0, 100, (RESAMPLES, 100))
    by_hand = np.percentile(apart[drawn].mean(axis=1), [2.5, 97.5])
    row = found.set_index("measure").loc["mAP@R"]
    np.testing.assert_allclose([row["low"], row["high"]], by_hand, atol=0.01)
    assert row["low"] > 0  # clear is better, and the interval says so


def test_a_pair_is_told_apart_where_two_intervals_overlap(noisy):
    """What is hard for everyone is in both intervals and not in that of the difference."""
    rows = 0.9 * np.stack(noisy["noisy"]) + 0.1 * np.stack(noisy["clear"])
    noisy["mended"] = list(rows)  # a little better nearly everywhere
    alone = [
        simlib.evaluate(noisy, name).set_index("measure").loc["mAP@R"]
        for name in ("mended", "noisy")
    ]
    assert alone[0]["low"] < alone[1]["high"]
    found = simlib.paired_difference(noisy, ["mended", "noisy"], progress=False)
    row = found.set_index("measure").loc["mAP@R"]
    assert row["high"] - row["low"] < alone[0]["high"] - alone[0]["low"]
    assert row["low"] > 0


def test_an_embedding_does_not_differ_from_itself_and_order_turns_the_sign(noisy):
    noisy["twin"] = noisy["clear"]
    found = simlib.paired_difference(noisy, ["clear", "twin", "noisy"], k=1, progress=False)
    pairs = found[["first", "second"]].drop_duplicates().apply(tuple, axis=1).tolist()
    assert pairs == [("clear", "twin"), ("clear", "noisy"), ("twin", "noisy")]
    same = found[found["second"] == "twin"]
    assert (same[["difference", "low", "high"]] == 0).all(axis=None)
    turned = simlib.paired_difference(noisy, ["noisy", "clear"], k=1, progress=False)
    there = found[(found["first"] == "clear") & (found["second"] == "noisy")]
    np.testing.assert_allclose(turned["difference"], -there["difference"], atol=1e-12)
    np.testing.assert_allclose(turned["low"], -there["high"], atol=0.02)
    pd.testing.assert_frame_equal(  # the same seed, the same interval
        turned, simlib.paired_difference(noisy, ["noisy", "clear"], k=1, progress=False)
    )


def test_only_queries_count_that_both_have(noisy):
    noisy.loc[0:9, "clear"] = None
    noisy.loc[95:, "noisy"] = None
    noisy.loc[50, "category"] = None
    noisy.index = np.zeros(100, dtype=int)  # labels tell nothing apart
    found = simlib.paired_difference(noisy, ["clear", "noisy"], progress=False)
    assert found["queries"].unique() == 84
    noisy["others"] = [None] * 98 + [[1.0, 0.0]] * 2
    none = simlib.paired_difference(noisy, ["noisy", "others"], k=1, progress=False)
    assert none.empty and list(none.columns) == list(found.columns)


def test_less_than_two_columns_are_no_pair(noisy):
    for wrong in ("clear", ["clear"], ["clear", "clear"], []):
        with pytest.raises(ValueError, match="needs two embedding columns"):
            simlib.paired_difference(noisy, wrong)
    with pytest.raises(KeyError, match="no column 'gone'"):
        simlib.paired_difference(noisy, ["clear", "gone"])


def test_compare_has_the_difference_of_every_two_encoders(image_df):
    image_df = image_df.assign(category=list("aaabbbccccdd"))
    encoders = [AverageColours(), simlib.load_encoder("pixels", size=(4, 4))]
    table = simlib.compare(image_df, encoders, k=2, timed=0, progress=False)
    found = pd.DataFrame(table.attrs["differences"])
    assert found["measure"].tolist() == ["precision@2", "mAP@R"]
    assert found[["first", "second"]].drop_duplicates().to_numpy().tolist() == [
        ["average", "pixels"]
    ]
    for row in found.itertuples():
        means = table[f"{row.measure} by category"]["mean"]
        assert row.difference == pytest.approx(means["average"] - means["pixels"])
    for encoder in encoders:
        image_df = simlib.embed(image_df, encoder, progress=False)
    columns = [encoder.column for encoder in encoders]
    apart = simlib.paired_difference(image_df, columns, k=2, progress=False)
    apart = apart[apart["measure"].isin(found["measure"])].reset_index(drop=True)
    names = {encoder.column: encoder.name for encoder in encoders}
    apart["first"], apart["second"] = apart["first"].map(names), apart["second"].map(names)
    pd.testing.assert_frame_equal(found, apart)
    pd.concat([table, table])  # pandas compares the attrs
