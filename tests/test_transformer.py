"""What a user loses when these fail: simlib's encoders within scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours, truth
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import simlib


@pytest.mark.parametrize(
    "check",
    [
        # Those of scikit-learn's own that feed no numbers of their own into ``fit``.
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_sparse_tag",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_scikit_learns_own_checks_pass(check):
    getattr(estimator_checks, check)("EmbeddingTransformer", simlib.EmbeddingTransformer("pixels"))


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, "frame", "pictures"])
def test_paths_and_pictures_become_the_same_matrix(image_df, kind):
    paths = image_df["img_path"].tolist()
    pictures = {
        "frame": lambda: image_df,
        "pictures": lambda: [simlib.load_image(path) for path in paths],
    }.get(kind, lambda: kind(paths))()
    transformer = simlib.EmbeddingTransformer(AverageColours())
    matrix = transformer.fit_transform(pictures)
    np.testing.assert_allclose(matrix, truth(paths), rtol=1e-6)
    assert matrix.dtype == np.float32 and transformer.n_features_out_ == 192


def test_in_a_pipeline_with_names_copies_and_pickles(image_df):
    labels = ["light", "dark"] * 6
    model = make_pipeline(
        simlib.EmbeddingTransformer("pixels"), LogisticRegression(max_iter=500)
    ).fit(image_df, labels)
    predicted = model.predict(image_df)
    assert predicted.tolist() == labels  # 1,152 values for 12 pictures
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(image_df), predicted)
    assert len(cross_val_score(clone(model), image_df["img_path"], labels, cv=2)) == 2


def test_the_output_can_be_a_frame_with_names(image_df):
    transformer = simlib.EmbeddingTransformer(AverageColours()).set_output(transform="pandas")
    frame = transformer.fit_transform(image_df)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns[:2]) == ["average_colours_0", "average_colours_1"]
    np.testing.assert_allclose(frame.to_numpy(), truth(image_df["img_path"]), rtol=1e-6)


def test_what_cannot_be_read_is_named(image_df, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    transformer = simlib.EmbeddingTransformer(AverageColours())
    with pytest.raises(ValueError, match=r"1 of 2 pictures could not be read.*text\.jpg"):
        transformer.transform([image_df["img_path"][0], str(tmp_path / "text.jpg")])
    with pytest.raises(TypeError, match="Item 1 is int"):
        transformer.transform([image_df["img_path"][0], 3])
    with pytest.raises(TypeError, match="encoder=3 is neither"):
        simlib.EmbeddingTransformer(3).transform([])
    assert transformer.transform([]).shape == (0, 192)
