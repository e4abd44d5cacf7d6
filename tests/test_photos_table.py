"""The table of photos was made by the settings, the weights and the encoders that are here now."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "benchmarks" / "results" / "photos.csv"


@pytest.fixture(scope="module")
def photos_script():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import photos
    finally:
        sys.path.pop(0)
    return photos


@pytest.mark.slow
def test_the_table_was_made_by_these_settings_and_weights(photos_script):
    first = TABLE.read_text(encoding="utf-8").partition("\n")[0]
    made_by = json.loads(first.removeprefix("# "))
    assert made_by == json.loads(json.dumps(photos_script.settings())), (
        "run benchmarks/photos.py again"
    )


def test_the_table_has_every_topic_with_intervals_that_hold_the_value(photos_script):
    table = pd.read_csv(TABLE, comment="#")
    assert table.columns.tolist() == photos_script.COLUMNS
    topics = {"kind", "colour", "change", "words", "adapt", "strength", "unseen", "simclr"}
    assert topics <= set(table["topic"])
    assert not table.duplicated(["topic", "what", "gallery", "measure"]).any()
    bounded = table.dropna(subset=["low", "high"])
    assert len(bounded) > 80
    assert (bounded["low"] <= bounded["value"]).all() and (
        bounded["value"] <= bounded["high"]
    ).all()
    kind = table[table["measure"] == "precision@5"].set_index(["topic", "what", "gallery"])["value"]
    assert set(kind["kind"].index.get_level_values(0)) == {
        *("chance", "pixels", "towhee", "simclr", "clip", "untrained")
    }
    # What README.md and the notebook say of adapting.
    assert f"{kind['adapt', 'towhee, all labels', 'seen']:.2f}" == "0.88"
    assert f"{kind['adapt', 'towhee, 10 a label', 'seen']:.2f}" == "0.78"
