"""What a user loses when these fail: time, when kept embeddings are not found; trust, when wrong
ones are."""

import os
import sqlite3
import stat
import warnings

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours, run_python, start_python, truth

import simlib
from conftest import draw_pictures
from simlib.home import home_folder
from simlib.storage.cache import EmbeddingCache
from simlib.storage.hashing import digest_of


def embed(image_df, encoder, **options):
    return simlib.embed(image_df, encoder, progress=False, **options)


def cache_file(simlib_home):
    (path,) = (simlib_home / "embeddings").glob("*.sqlite")
    return path


def assert_right(embedded):
    found = simlib.embedding_matrix(embedded, "average_colours")
    np.testing.assert_array_equal(found, truth(embedded["img_path"]))


def assert_mended(image_df, **options):
    """Whatever happened to the file: right results now, and a cache that is whole afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_right(embed(image_df, AverageColours(), **options))
        again = AverageColours()
        assert_right(embed(image_df, again))
    assert again.encoded == 0


# What is found, and what is not


def test_a_second_run_calls_the_network_not_once(image_df):
    first, second = AverageColours(), AverageColours()
    embed(image_df, first)
    assert_right(embed(image_df.sample(frac=1, random_state=0), second))
    assert (first.encoded, second.encoded) == (12, 0)


def test_a_changed_picture_is_embedded_anew(image_df):
    embed(image_df, AverageColours())
    from PIL import Image

    Image.new("RGB", (24, 16), "red").save(image_df["img_path"].iloc[5])
    again = AverageColours()
    assert_right(embed(image_df, again))
    assert again.encoded == 1


def test_a_picture_is_known_again_under_another_name(image_df, tmp_path):
    embed(image_df, AverageColours())
    os.rename(image_df["img_path"].iloc[0], tmp_path / "moved.png")
    moved = pd.DataFrame({"img_path": [str(tmp_path / "moved.png"), image_df["img_path"].iloc[1]]})
    again = AverageColours()
    assert_right(embed(moved, again))
    assert again.encoded == 0


def test_other_weights_or_preprocessing_never_find_these_embeddings(image_df):
    embed(image_df, AverageColours("weights A, size 8"))
    for recipe in ("weights B, size 8", "weights A, size 9"):
        other = AverageColours(recipe)
        embed(image_df, other)
        assert other.encoded == 12


def test_without_the_cache_nothing_is_kept(image_df, simlib_home):
    embed(image_df, AverageColours(), cache=False)
    embed(image_df, simlib.load_encoder("pixels"))
    assert not list(simlib_home.iterdir())


def test_the_cache_goes_where_simlib_home_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SIMLIB_HOME", str(tmp_path / "elsewhere"))
    assert home_folder() == tmp_path / "elsewhere"
    monkeypatch.delenv("SIMLIB_HOME")
    assert home_folder().is_absolute() and "simlib" in str(home_folder())


# Damage


@pytest.fixture
def many(tmp_path):
    """Enough pictures for a cache file of some ten pages (of 4,096 bytes)."""
    return pd.DataFrame({"img_path": draw_pictures(tmp_path / "many", 60)})


@pytest.mark.parametrize(
    "kept", [0, 1, 15, 16, 99, 100, 1000, 4095, 4096, 4097, 8192, 20000, -4097, -4096, -100, -1]
)
def test_a_cache_file_cut_short_is_detected_and_made_again(many, simlib_home, kept):
    embed(many, AverageColours())
    path = cache_file(simlib_home)
    content = path.read_bytes()
    assert len(content) > 40_000
    path.write_bytes(content[:kept])
    assert_mended(many)


@pytest.mark.parametrize("garbage", [b"\0", b"\xff", b"garbage", b"SQLite format 3\0"])
def test_a_cache_file_full_of_garbage_is_detected_and_made_again(many, simlib_home, garbage):
    embed(many, AverageColours())
    cache_file(simlib_home).write_bytes(garbage * 5000)
    assert_mended(many)


def test_a_hole_in_the_middle_of_the_cache_file_is_mended(many, simlib_home):
    embed(many, AverageColours())
    path = cache_file(simlib_home)
    content = bytearray(path.read_bytes())
    content[8192:28672] = bytes(20480)
    path.write_bytes(content)
    assert_mended(many)


def test_a_database_of_another_kind_in_its_place_is_set_aside(many, simlib_home):
    embed(many, AverageColours())
    path = cache_file(simlib_home)
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE embeddings (picture TEXT)")
    other.close()
    assert_mended(many)


def test_a_flipped_byte_in_an_embedding_is_noticed_and_only_that_row_computed(many, simlib_home):
    embed(many, AverageColours())
    with sqlite3.connect(cache_file(simlib_home)) as connection:
        digest, embedding = connection.execute(
            "SELECT digest, embedding FROM embeddings LIMIT 1 OFFSET 7"
        ).fetchone()
        flipped = bytes([embedding[0] ^ 1]) + embedding[1:]
        connection.execute(
            "UPDATE embeddings SET embedding = ? WHERE digest = ?", (flipped, digest)
        )
    connection.close()
    again = AverageColours()
    assert_right(embed(many, again))
    assert again.encoded == 1
    assert_mended(many)


@pytest.mark.filterwarnings("ignore:Embeddings are not kept")
def test_no_flipped_byte_anywhere_gives_a_wrong_embedding_or_an_error(tmp_path):
    digests = [digest_of(bytes([number])) for number in range(12)]
    embeddings = np.random.default_rng(0).random((12, 50), dtype=np.float32)
    store = EmbeddingCache("recipe", tmp_path)
    store.put(digests, embeddings)
    store.close()
    content = store.path.read_bytes()
    step = int(os.environ.get("SIMLIB_FLIP_STEP", "149"))
    for place in range(0, len(content), step):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        store.path.write_bytes(flipped)
        damaged = EmbeddingCache("recipe", tmp_path)
        for digest, found in damaged.get(digests).items():
            np.testing.assert_array_equal(found, embeddings[digests.index(digest)])
        damaged.put(digests, embeddings)
        damaged.close()


# Found by fuzzing: 30,000 files damaged in every way that one can think of


@pytest.mark.parametrize("place", [18, 19], ids=["write version", "read version"])
def test_a_header_that_speaks_of_another_sqlite_is_not_taken_for_a_read_only_file(
    many, simlib_home, place
):
    embed(many.head(50), AverageColours())  # so that there is something to write
    content = bytearray(cache_file(simlib_home).read_bytes())
    content[place] = 99
    cache_file(simlib_home).write_bytes(content)
    assert_mended(many)


@pytest.mark.parametrize("copy", [0, 1], ids=["in the table", "in the index"])
def test_a_row_that_goes_by_anothers_name_is_never_taken_for_it(many, simlib_home, copy):
    embed(many, AverageColours())
    content = bytearray(cache_file(simlib_home).read_bytes())
    first, second = (digest_of(open(path, "rb").read()) for path in many["img_path"].iloc[[3, 5]])
    places = [place for place in range(len(content)) if content.startswith(first, place)]
    assert len(places) == 2
    content[places[copy] : places[copy] + 32] = second
    cache_file(simlib_home).write_bytes(content)
    if copy == 0:  # is mended row by row, which may take one run more
        assert_right(embed(many, AverageColours()))
    assert_mended(many)


# Several at once, and folders that can't be written


@pytest.mark.slow
def test_two_processes_share_a_cache_without_loss(tmp_path, simlib_home):
    paths = draw_pictures(tmp_path, 40)
    script = """
import sys, warnings, numpy as np, pandas as pd, simlib
from average_colours import AverageColours, truth
warnings.simplefilter("error")
image_df = pd.DataFrame({"img_path": sys.argv[1:]})
for _ in range(3):  # the network goes first at each of them, as it would on new pictures
    embedded = simlib.embed(image_df, AverageColours(), batch_size=1, progress=False)
    found = simlib.embedding_matrix(embedded, "average_colours")
    np.testing.assert_array_equal(found, truth(image_df["img_path"]))
"""
    processes = [start_python(script, *order) for order in (paths, paths[::-1], paths[20:])]
    for process in processes:
        _, complaints = process.communicate(timeout=1200)
        assert process.returncode == 0, complaints
    afterwards = AverageColours()
    assert_right(embed(pd.DataFrame({"img_path": paths}), afterwards))
    assert afterwards.encoded == 0


def test_a_cache_folder_that_cannot_be_made_costs_a_warning_and_no_more(
    image_df, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIMLIB_HOME", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="not kept.*The results are right") as given:
        assert_right(embed(image_df, AverageColours()))
    assert len(given) == 1 and given[0].filename == __file__


@pytest.mark.skipif(os.name != "posix", reason="uses POSIX permissions")
def test_a_read_only_cache_is_read_and_costs_a_warning_at_most(image_df, tmp_path, monkeypatch):
    homes = [tmp_path / f"home of {filled}" for filled in (0, 6, 12)]
    for home, filled in zip(homes, (0, 6, 12), strict=True):
        monkeypatch.setenv("SIMLIB_HOME", str(home))
        embed(image_df.head(filled), AverageColours())
        folder = home / "embeddings"
        for path in [*folder.iterdir(), folder]:
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    printed = run_python(
        """
import os, sys, warnings, numpy as np, pandas as pd, simlib, simlib.storage, tqdm.auto
from average_colours import AverageColours, truth
from file_rights import without_the_administrators_rights
homes, paths = sys.argv[1:4], sys.argv[4:]
image_df = pd.DataFrame({"img_path": paths})
expected = truth(paths)
rows = [open(path, "rb") for path in paths]
without_the_administrators_rights()
for home in homes:
    os.environ["SIMLIB_HOME"] = home
    encoder = AverageColours()
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        embedded = simlib.embed(image_df, encoder, progress=False)
    np.testing.assert_array_equal(simlib.embedding_matrix(embedded, "average_colours"), expected)
    print(encoder.encoded, sum("are not kept" in str(warning.message) for warning in given))
""",
        *homes,
        *image_df["img_path"],
    )
    for home in homes:
        (home / "embeddings").chmod(0o755)
    assert printed.split("\n")[:3] == ["12 1", "6 1", "0 0"]


def test_a_full_disk_costs_a_warning_and_no_more(image_df, monkeypatch):
    whole = EmbeddingCache.put

    def full(self, digests, embeddings):
        # SQLite's own way to have no room: not one page more than there are.
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        self._connection.execute(f"PRAGMA max_page_count = {pages}")
        whole(self, digests, embeddings)

    monkeypatch.setattr(EmbeddingCache, "put", full)
    with pytest.warns(UserWarning, match="full"):
        assert_right(embed(pd.concat([image_df] * 5), AverageColours(), batch_size=60))
