"""What a user loses when these fail: seeing that long work goes on, and silence if asked for."""

import inspect

import matplotlib
import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours

import simlib
from simlib import progress

matplotlib.use("agg")
LABELS = list("aabbccddeeff")
CALLS = {
    "find_duplicates": lambda frame, show: simlib.find_duplicates(frame, progress=show),
    "evaluate": lambda frame, show: simlib.evaluate(
        frame, "own", leave_out_duplicates=True, progress=show
    ),
    "precision_at_k": lambda frame, show: simlib.precision_at_k(frame, "own", progress=show),
    "paired_difference": lambda frame, show: simlib.paired_difference(
        frame, ["own", "other"], leave_out_duplicates=True, progress=show
    ),
    "compare": lambda frame, show: simlib.compare(
        frame, [AverageColours()], ["category"], timed=2, leave_out_duplicates=True, progress=show
    ),
    "measure_robustness": lambda frame, show: simlib.measure_robustness(
        frame, [AverageColours()], pictures=2, progress=show
    ),
    "plot_map": lambda frame, show: simlib.plot_map(frame, "own", progress=show),
}
DESCRIBED = {
    "find_duplicates": {"thumbnail", "duplicates"},
    "evaluate": {"thumbnail", "duplicates", "evaluating"},
    "precision_at_k": {"evaluating"},
    "paired_difference": {"thumbnail", "duplicates", "evaluating"},
    "compare": {"thumbnail", "duplicates", AverageColours.column, "evaluating"},
    "measure_robustness": {AverageColours.column, "changed pictures"},
    "plot_map": {"map"},
}


@pytest.fixture
def frame(image_df):
    rows = np.random.default_rng(0).normal(size=(2, 12, 4))
    return image_df.assign(category=LABELS, own=list(rows[0]), other=list(rows[1]))


@pytest.fixture
def bars(monkeypatch):
    """The bars that are made, as (description, whether it may show itself, the bar)."""
    import tqdm.auto

    made = []

    class Bar(tqdm.auto.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append((options["desc"], not options["disable"], self))

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    return made


@pytest.mark.parametrize("name", CALLS)
def test_long_work_shows_itself_and_progress_false_silences_all_of_it(
    name, frame, bars, monkeypatch, capfd
):
    assert inspect.signature(getattr(simlib, name)).parameters["progress"].default is True
    CALLS[name](frame, False)
    assert bars and not any(shown for _, shown, _ in bars)
    assert capfd.readouterr() == ("", "")
    bars.clear()
    monkeypatch.setattr(progress, "PATIENCE", 0)
    monkeypatch.setattr("simlib.plots.PATIENCE", 0)
    CALLS[name](frame, True)
    shown = {description for description, shown, _ in bars if shown}
    assert shown == DESCRIBED[name]
    assert all(bar.n == bar.total for _, shown, bar in bars if shown)  # each comes to its end
    assert "100%" in capfd.readouterr().err


def test_quick_work_leaves_no_bar_behind(frame, bars, monkeypatch, capfd):
    monkeypatch.setattr(progress, "PATIENCE", 3600)
    monkeypatch.setattr("simlib.plots.PATIENCE", 3600)
    for name in set(CALLS) - {"compare"}:
        CALLS[name](frame, True)
    assert bars and capfd.readouterr().err == ""


def test_the_variable_silences_bars_that_were_asked_for(frame, bars, monkeypatch, capfd):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(progress, "PATIENCE", 0)
    for call in CALLS.values():
        call(frame, True)
    assert bars and not any(shown for _, shown, _ in bars)
    assert capfd.readouterr().err == ""


def test_a_map_that_takes_long_says_at_once_what_it_does(bars, monkeypatch, capfd):
    """Within a step no bar can appear."""
    seen = []
    monkeypatch.setitem(
        simlib.plots._MAPS,
        "tsne",
        lambda rows, seed: seen.append(capfd.readouterr().err) or rows[:, :2],
    )
    many = pd.DataFrame({"own": list(np.random.default_rng(0).normal(size=(500, 3)))})
    simlib.plot_map(many, "own", progress=True)
    assert "map: tsne" in seen[0]


@pytest.mark.slow
def test_training_shows_its_steps_and_is_silent_when_asked(image_df, bars, tmp_path, capfd):
    pytest.importorskip("pytorch_lightning")
    from simlib.training import train

    options = {"epochs": 2, "batch_size": 6, "view_side": 32, "device": "cpu"}
    train(image_df["img_path"], tmp_path / "silent", progress=False, **options)
    assert not any(shown for _, shown, _ in bars) and capfd.readouterr() == ("", "")
    bars.clear()
    train(image_df["img_path"], tmp_path / "shown", progress=True, **options)
    assert [(name, bar.n, bar.total) for name, shown, bar in bars if shown] == [
        ("decoding", 12, 12), ("training", 4, 4),
    ]  # fmt: skip
    assert bars[-1][2].desc == "training, epoch 2: " and "loss=" in bars[-1][2].postfix
