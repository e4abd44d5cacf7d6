"""What a user loses when these fail: labels that improve a search, and an encoder like others."""

import copy
import pickle
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from average_colours import run_python
from PIL import Image
from safetensors.numpy import load_file, save_file

import simlib
from simlib.encoders import adapted
from simlib.training import adapting, split_by_group

METHODS = ["kernel", "lda", "contrastive", "triplet"]
WORDS = {"dark": [-1.0] * 12, "light": [1.0] * 12}


def grid(pictures):
    """Four areas' colours, 12 values."""
    return [np.asarray(picture.resize((2, 2))).ravel() / 255 - 0.5 for picture in pictures]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """Pictures of noise; what counts is a faint difference between their halves."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    rows = []
    for number in range(160):
        label = number % 4
        pixels = random.integers(60, 196, (2, 2, 3))
        pixels[label // 2, label % 2] += 50  # the lighter corner is the label
        path = folder / f"{number:03}.png"
        Image.fromarray(pixels.astype(np.uint8)).resize((8, 8), 0).save(path)
        rows.append({"img_path": str(path), "category": f"corner {label}"})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def base():
    return simlib.make_encoder(
        grid, "grid", encode_text=lambda texts: [WORDS[text] for text in texts], recipe="1"
    )


@pytest.fixture(scope="module")
def parts(catalogue, base):
    catalogue = simlib.embed(catalogue, base, cache=False, progress=False)
    return catalogue.iloc[:96], catalogue.iloc[96:]


@pytest.fixture(scope="module")
def encoder(parts, base):
    return simlib.adapt(parts[0], base)


def precision(frame, encoder):
    frame = simlib.embed(frame, encoder, cache=False, progress=False)
    return simlib.precision_at_k(frame, encoder.column, progress=False).mean()


@pytest.mark.parametrize("method", METHODS)
def test_pictures_that_were_not_learned_from_are_found_better(parts, base, method, monkeypatch):
    monkeypatch.setattr(adapting, "STEPS", 40)
    known_df, new_df = parts
    encoder = simlib.adapt(known_df, base, method=method, strength=0.9, progress=False)
    assert encoder.column == "adapted_grid_embedding" and encoder.name == "adapted grid"
    assert precision(new_df, encoder) > precision(new_df, base) + 0.1
    again = simlib.adapt(known_df, base, method=method, strength=0.9, progress=False)
    assert again.recipe == encoder.recipe  # a hash of all that was learned


def test_similarities_are_the_mean_of_the_old_and_the_learned(parts, encoder, base):
    old = adapted.unit(simlib.embedding_matrix(parts[1], base.column))
    new = encoder.project(old)
    learned = new[:, base.dim :] / np.sqrt(encoder.share)
    np.testing.assert_allclose(np.linalg.norm(learned, axis=1), 1, rtol=1e-5)
    expected = (1 - encoder.share) * old @ old.T + encoder.share * learned @ learned.T
    np.testing.assert_allclose(new @ new.T, expected, atol=1e-5)
    # At the default both have equal say, in standard deviations over the pictures learned from.
    known = adapted.unit(simlib.embedding_matrix(parts[0], base.column))
    some = encoder.project(known)
    pairs = np.triu_indices(len(known), 1)
    spreads = [(rows @ rows.T)[pairs].std() for rows in (some[:, : base.dim], some[:, base.dim :])]
    assert spreads[0] == pytest.approx(spreads[1], rel=1e-3)


def test_the_strength_goes_from_the_old_order_to_the_labels_alone(parts, encoder, base):
    old = simlib.embedding_matrix(parts[1], base.column)
    none = encoder.with_strength(0).project(old)
    np.testing.assert_allclose(none[:, : base.dim], adapted.unit(old), atol=1e-6)
    assert not none[:, base.dim :].any()
    full = encoder.with_strength(1)
    assert not full.project(old)[:, : base.dim].any()
    assert not isinstance(full, simlib.TextEncoder)
    assert len({encoder.recipe, full.recipe, encoder.with_strength(0).recipe}) == 3


def test_activations_are_compared_by_their_roots_and_others_as_they_are(catalogue, monkeypatch):
    """A few large activations would rule the distances that the kernel looks at."""
    values = np.random.default_rng(0).random((160, 12), dtype=np.float32)
    own = simlib.make_encoder(grid, "own", recipe="1")

    def learned(values):
        frame = simlib.set_embeddings(catalogue, own.column, values, encoder=own)
        return simlib.adapt(frame, own, strength=1, progress=False)

    rooted, signed = learned(values), learned(values - 0.5)
    asked = values[:5] - 0.1  # a new picture may have a negative value all the same
    projected, as_they_are = rooted.project(asked), signed.project(asked)
    for module in (adapting, adapted):
        monkeypatch.setattr(module, "rooted", lambda rows: rows)
    roots = np.sign(asked) * np.sqrt(np.abs(asked))
    np.testing.assert_allclose(learned(np.sqrt(values)).project(roots), projected, atol=1e-4)
    np.testing.assert_array_equal(learned(values - 0.5).project(asked), as_they_are)


def test_pictures_like_no_label_stay_close_to_each_other(base):
    """Where no label is scored, there is nothing to tell two pictures apart by."""
    cosines = []
    for size in (0.01, 2):  # of the scores of two pictures, which are each other's opposite
        tensors = {
            "mean": np.zeros(2), "hidden": np.eye(2), "hidden_bias": np.zeros(2),
            "output": size * np.array([[1, -1], [-1, 1]]), "output_bias": np.zeros(2),
        }  # fmt: skip
        encoder = adapted.adapted(base, adapted.Learned(tensors, "exp", False, (1, 1)), 1, {})
        rows = encoder.project(np.eye(2))
        cosines.append(rows[0] @ rows[1])
    assert cosines[0] > 0.95 and cosines[1] < 0


def test_words_find_the_same_pictures_in_the_same_order(parts, encoder, base):
    frame = simlib.embed(parts[1], encoder, cache=False, progress=False)
    for word in WORDS:
        before, after = (
            simlib.nearest(frame, each.column, text=word, k=60, encoder=each)
            for each in (base, encoder)
        )
        assert after["index"].tolist() == before["index"].tolist()
        np.testing.assert_allclose(
            after["cosine_similarity"],
            before["cosine_similarity"] * np.sqrt(1 - encoder.share),
            atol=1e-5,
        )
    assert encoder.encode_text("dark").shape == (1, encoder.dim)


def test_texts_are_told_apart_as_those_of_the_base_are(parts):
    """Two models may embed pictures alike and texts differently: what fits is kept for each."""
    base = simlib.make_encoder(
        grid, "grid", encode_text=lambda texts: [WORDS[text] for text in texts], recipe="1"
    )
    base.text_recipe, base.languages = "another reader", ("en", "de")
    encoder = simlib.adapt(parts[0], base)
    for each in (encoder, encoder.with_strength(0.2), copy.deepcopy(encoder)):
        assert (each.text_recipe, each.languages) == ("another reader", ("en", "de"))


def test_labels_that_were_never_seen_lose_little(catalogue, base):
    frame = simlib.embed(catalogue, base, cache=False, progress=False)
    seen = frame["category"].isin(["corner 0", "corner 1"])
    encoder = simlib.adapt(frame[seen], base)
    unseen = frame[~seen]
    full = encoder.with_strength(1)
    assert precision(unseen, encoder) > precision(unseen, full) + 0.05
    assert precision(unseen, encoder) > precision(unseen, base) - 0.1
    assert precision(frame[seen], encoder) > precision(frame[seen], base) + 0.1


def test_embedding_takes_the_base_from_the_cache(parts, encoder, monkeypatch):
    frame = parts[1][["img_path", "category"]]
    simlib.embed(frame, encoder.base, progress=False)
    calls = []
    original = encoder.base._encode
    monkeypatch.setattr(
        encoder.base, "_encode", lambda images: calls.append(len(images)) or original(images)
    )
    embedded = simlib.embed(frame, encoder, progress=False)
    assert sum(calls) <= 5  # the spot check of an encoder made of a function
    direct = encoder.encode([simlib.load_image(path) for path in frame["img_path"]])
    matrix = simlib.embedding_matrix(embedded, encoder.column)
    np.testing.assert_allclose(matrix, direct, atol=1e-6)
    found = simlib.nearest(embedded, encoder.column, frame["img_path"].iloc[3], k=1)
    assert found["index"].tolist() == [frame.index[3]]


def test_a_picture_that_cannot_be_read_keeps_its_row(parts, encoder, tmp_path):
    frame = pd.DataFrame({"img_path": [str(tmp_path / "no.png"), parts[0]["img_path"].iloc[0]]})
    with pytest.warns(UserWarning, match="1 of 2 pictures could not be read"):
        embedded = simlib.embed(frame, encoder, progress=False)
    assert embedded[encoder.column].isna().tolist() == [True, False]
    assert "no.png" in embedded["error"].iloc[0]


def test_shards_measures_and_pickles_take_it_like_any_other(catalogue, tmp_path):
    pixels = simlib.load_encoder("pixels", size=(2, 2))
    encoder = simlib.adapt(catalogue, pixels, progress=False)
    out = tmp_path / "shards"
    folder = catalogue["img_path"].iloc[0].rpartition("/")[0]
    simlib.embed_folder(folder, out, encoder, progress=False)
    shards = simlib.load_shards(out)
    frame = simlib.embed(catalogue, encoder, progress=False)
    np.testing.assert_allclose(
        simlib.embedding_matrix(shards, encoder.column),
        simlib.embedding_matrix(frame, encoder.column),
        atol=1e-6,
    )
    means = simlib.evaluate(frame, encoder.column, progress=False).set_index("measure")["mean"]
    table = simlib.compare(frame, [pixels, encoder], timed=0, progress=False)
    measured = table["precision@5 by category", "mean"]
    assert measured["adapted pixels"] == means["precision@5"] > measured["pixels"]
    for other in (pickle.loads(pickle.dumps(encoder)), copy.deepcopy(encoder)):
        assert other.recipe == encoder.recipe and other.notes == encoder.notes
        image = simlib.load_image(catalogue["img_path"].iloc[0])
        np.testing.assert_array_equal(other.encode([image]), encoder.encode([image]))


def test_milvus_and_the_explorer_search_it_by_picture_and_by_words(parts, encoder, base, tmp_path):
    frame = simlib.embed(parts[1], encoder, cache=False, progress=False)
    path, label = frame["img_path"].iloc[3], frame.index[3]
    expected = simlib.nearest(frame, encoder.column, path, k=4, encoder=encoder)
    assert expected["index"].iloc[0] == label and 0 <= expected.attrs.get("fit", 0) <= 1
    in_words = simlib.nearest(frame, encoder.column, text="light", k=4, encoder=encoder)
    with simlib.build_index(
        frame, encoder.column, uri=str(tmp_path / "index.db"), encoder=encoder, progress=False
    ) as index:
        found, named = index.search(path, k=4), index.search(text="light", k=4)
    for ours, theirs in ((expected, found), (in_words, named)):
        np.testing.assert_allclose(
            theirs["cosine_similarity"], ours["cosine_similarity"], atol=1e-3
        )
    explorer = simlib.explore(frame, [base.column, encoder.column], encoder)
    explorer.find(label)
    shown = explorer.state.found[encoder.column].neighbours
    again = simlib.nearest(frame, encoder.column, label, k=len(shown))
    assert frame.index[shown["index"]].tolist() == again["index"].tolist()


def test_what_is_saved_comes_back_as_it_was(parts, encoder, base, tmp_path):
    path = tmp_path / "own.safetensors"
    encoder.save(path)
    again = simlib.load_encoder("adapted", weights=path, base=base)
    assert again.recipe == encoder.recipe and again.notes == encoder.notes
    assert isinstance(again, simlib.TextEncoder) and again.strength == 0.5
    matrix = simlib.embedding_matrix(parts[1], base.column)
    np.testing.assert_array_equal(again.project(matrix), encoder.project(matrix))
    with pytest.raises(ValueError, match="learned on the encoder 'grid'.*Pass it"):
        simlib.load_encoder("adapted", weights=path)  # nothing is fetched because of a file
    with pytest.raises(ValueError, match="recipe 'grid 1', but the base .*don't fit"):
        simlib.load_encoder("adapted", weights=path, base=simlib.load_encoder("pixels"))
    with pytest.raises(FileNotFoundError, match="no adapted encoder at 'compact'.*save wrote"):
        simlib.load_encoder("adapted")


def forged(path, **changes):
    from safetensors import safe_open

    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = dict(file.metadata())
    for name, value in changes.items():
        if name in ("format", "adapted"):
            metadata[name] = value
        elif name == "said":
            metadata["adapted"] = value(metadata["adapted"])
        elif value is None:
            del tensors[name]
        else:
            tensors[name] = value(tensors[name])
    save_file(tensors, path, metadata)


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": None},
        {"other": lambda _: np.ones(2, np.float32)} | {"mean": None},
        {"mean": lambda mean: mean[:-1].copy()},
        {"mean": lambda mean: mean[None].copy()},
        {"mean": lambda mean: np.full_like(mean, np.nan)},
        {"output": lambda output: output.astype(np.float64)},
        {"output": lambda output: np.full_like(output, np.inf)},
        {"output": lambda output: output[:-1].copy()},
        {"hidden": lambda hidden: hidden[:, :-1].copy()},
        {"output": lambda o: o[:, :0].copy(), "output_bias": lambda b: b[:0].copy()},
        {"format": "another"},
        {"adapted": "no JSON"},
        {"adapted": "[" * 100_000},
        {"adapted": "{}"},
        {"said": lambda said: said.replace('"exp"', '"__import__"')},
        {"said": lambda said: said.replace('"root": false', '"root": "no"')},
        {"said": lambda said: said.replace('"strength": 0.5', '"strength": 7')},
        {"said": lambda said: said.replace('"spreads": [', '"spreads": [1.5, ')},
        {"said": lambda said: said.replace('"name": "grid"', '"name": 3')},
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(encoder, base, tmp_path, changes):
    path = tmp_path / "own.safetensors"
    encoder.save(path)
    if "other" in changes:
        tensors = load_file(path) | {"other": np.ones(2, np.float32)}
        save_file(tensors, path, {"format": adapted.FORMAT, "adapted": "{}"})
    else:
        forged(path, **changes)
    with pytest.raises(ValueError, match="is not what an adapted encoder's save wrote|don't fit"):
        simlib.load_encoder("adapted", weights=path, base=base)


def test_a_pickle_and_noise_are_refused_unopened(base, tmp_path):
    path = tmp_path / "own.safetensors"
    for content in (pickle.dumps(print), b"", np.random.default_rng(0).bytes(500)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not what an adapted encoder's save wrote"):
            simlib.load_encoder("adapted", weights=path, base=base)


def test_what_can_not_be_learned_from_is_left_out_and_counted(parts, base):
    frame = parts[0].copy()
    frame.loc[frame.index[:7], "category"] = None
    frame[base.column] = [
        None if place in (10, 11) else row for place, row in enumerate(frame[base.column])
    ]
    frame = simlib.set_embeddings(frame, base.column, frame[base.column], encoder=base)
    encoder = simlib.adapt(frame, base)
    assert encoder.notes["without_label"] == 7 and encoder.notes["without_embedding"] == 2
    assert encoder.notes["pictures"] == sum(encoder.notes["labels"].values()) == 87


def test_labels_with_few_pictures_are_named(parts, base):
    frame = parts[0]
    few = frame[(frame["category"] != "corner 3") | (frame["category"].duplicated())]
    few = pd.concat(
        [few[few["category"] != "corner 3"], few[few["category"] == "corner 3"].head(4)]
    )
    with pytest.warns(
        UserWarning, match="1 of 4 labels in 'category' have fewer than 10 pictures "
    ):
        simlib.adapt(few, base)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simlib.adapt(frame, base)


def test_wrong_arguments_are_named(parts, base):
    frame = parts[0]
    with pytest.raises(KeyError, match="kind"):
        simlib.adapt(frame, base, "kind")
    with pytest.raises(TypeError, match="is not an encoder"):
        simlib.adapt(frame, "towhee")
    with pytest.raises(ValueError, match="method='pca' is unknown; choose one of"):
        simlib.adapt(frame, base, method="pca")
    for strength in (-0.1, 1.1, np.nan, "all", True, None):
        with pytest.raises(ValueError, match="strength=.* must lie between 0"):
            simlib.adapt(frame, base, strength=strength)
    with pytest.raises(ValueError, match="1 different labels on 24 pictures"):
        simlib.adapt(frame[frame["category"] == "corner 0"], base)
    with pytest.raises(ValueError, match="96 different labels on 96 pictures"):
        simlib.adapt(frame, base, "img_path")


def test_a_wrong_length_and_rows_without_direction(encoder, base):
    with pytest.raises(ValueError, match=r"embeddings of 12 values; got .*\(2, 5\)"):
        encoder.project(np.ones((2, 5)))
    rows = np.ones((4, 12), dtype=np.float32)
    rows[1], rows[2], rows[3] = 0, np.nan, 1e30
    projected = encoder.project(rows)
    assert not projected[1:3].any()
    np.testing.assert_allclose(projected[0], projected[3], atol=1e-6)


def test_many_labelled_pictures_are_learned_from_by_way_of_some(parts, base, monkeypatch):
    whole = simlib.adapt(parts[0], base, strength=0.9)
    monkeypatch.setattr(adapting, "MOST_LANDMARKS", 40)
    some = simlib.adapt(parts[0], base, strength=0.9)
    assert len(some._tensors["hidden"]) == 40
    chosen = adapting._landmarks(pd.factorize(parts[0]["category"])[0], 0)
    assert parts[0]["category"].iloc[chosen].value_counts().tolist() == [10] * 4
    assert precision(parts[1], some) > precision(parts[1], base) + 0.1
    assert abs(precision(parts[1], some) - precision(parts[1], whole)) < 0.1


def test_a_split_keeps_groups_together_and_labels_in_proportion(catalogue):
    frame = catalogue.assign(product=[f"p{n // 8}" for n in range(160)])
    known_df, new_df = split_by_group(frame, share=0.25, group_col="product")
    assert not set(known_df["product"]) & set(new_df["product"])
    assert sorted([*known_df.index, *new_df.index]) == frame.index.tolist()
    assert known_df.index.is_monotonic_increasing
    assert new_df["category"].value_counts().tolist() == [10] * 4
    frame.loc[:, "product"] = None  # each a group of its own
    assert len(split_by_group(frame, group_col="product")[1]) == 40


def test_a_copy_is_never_on_the_other_side(tmp_path):
    image_df = simlib.load_catalogue("sample").iloc[::24]
    copies = image_df.copy()
    for label, path in image_df["img_path"].items():
        copies.at[label, "img_path"] = str(tmp_path / f"{label}.jpg")
        simlib.load_image(path).resize((150, 150)).save(copies.at[label, "img_path"], quality=60)
    both = pd.concat([image_df, copies])
    for seed in range(3):
        known_df, new_df = split_by_group(both, "colour", share=0.5, seed=seed, progress=False)
        assert not set(known_df.index) & set(new_df.index)
    with pytest.raises(ValueError, match="share=0.9 must be above 0 and at most 0.5"):
        split_by_group(both, "colour", share=0.9)
    with pytest.raises(ValueError, match="too few"):
        split_by_group(both.head(2), "colour", share=0.1)


@pytest.mark.slow
def test_the_losses_leave_faiss_as_it_was_so_that_milvus_lite_still_works():
    """The package's accuracy calculator would exchange the method that Milvus Lite calls."""
    printed = run_python(
        """
import sys, numpy as np, pandas as pd, simlib
import faiss
from simlib.training import adapting
adapting.STEPS = 2
before = {name: getattr(faiss.IndexFlatL2, name) for name in ("search", "add", "reconstruct")}
rows = np.random.default_rng(0).normal(size=(60, 8)).astype("float32")
frame = pd.DataFrame({"category": list("ab") * 30, "img_path": "no"})
own = simlib.make_encoder(lambda pictures: np.ones((len(pictures), 8)), "own")
frame = simlib.set_embeddings(frame, own.column, rows, encoder=own)
for method in ("contrastive", "triplet"):
    simlib.adapt(frame, own, method=method, progress=False)
print("pytorch_metric_learning" in sys.modules, "faiss.contrib.torch_utils" in sys.modules)
print(all(getattr(faiss.IndexFlatL2, name) is method for name, method in before.items()))
"""
    )
    assert printed.split() == ["True", "False", "True"]


def test_a_missing_package_is_named_with_its_command(parts, base, monkeypatch):
    for name in ("pytorch_metric_learning", "pytorch_metric_learning.losses"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"contrastive loss needs .*simlib\[simclr\]"):
        simlib.adapt(parts[0], base, method="contrastive")
