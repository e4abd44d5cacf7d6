"""What a user loses when these fail: their own strategy, as welcome as ours."""

import numpy as np
import pytest
from PIL import Image

import simlib
from conftest import draw_pictures


def mean_colour(pictures):
    return [np.asarray(picture).mean(axis=(0, 1)) / 255 for picture in pictures]


@pytest.fixture
def image_df(tmp_path):
    draw_pictures(tmp_path / "pictures", 12)
    return simlib.load_catalogue(tmp_path / "pictures")


def test_a_function_becomes_an_encoder_like_any_other(image_df):
    encoder = simlib.make_encoder(mean_colour, name="mean colour")
    embedded = simlib.embed(image_df, encoder, batch_size=5, progress=False)
    assert encoder.column == "mean_colour_embedding" and encoder.dim == 3
    expected = mean_colour([simlib.load_image(path) for path in image_df["img_path"]])
    np.testing.assert_allclose(
        simlib.embedding_matrix(embedded, encoder.column), expected, rtol=1e-6
    )
    found = simlib.nearest(embedded, encoder.column, image_df["img_path"][3], k=1)
    assert found["index"].tolist() == [3]


def test_pictures_of_unequal_and_of_equal_sizes_are_passed_on_as_they_are():
    sizes = []
    encoder = simlib.make_encoder(
        lambda pictures: (
            sizes.append([picture.size for picture in pictures]) or np.ones((len(pictures), 2))
        ),
        name="sizes",
    )
    encoder.encode([Image.new("RGB", (4, 5)), Image.new("RGB", (7, 3))])
    encoder.encode([Image.new("RGB", (4, 5)), Image.new("RGB", (4, 5))])
    assert sizes == [[(4, 5), (7, 3)], [(4, 5), (4, 5)]]


def test_words_find_pictures_of_an_encoder_with_text(image_df):
    colours = {"red": [1, 0, 0], "green": [0, 1, 0]}
    encoder = simlib.make_encoder(
        mean_colour, name="colours", encode_text=lambda texts: [colours[text] for text in texts]
    )
    assert isinstance(encoder, simlib.TextEncoder)
    np.testing.assert_array_equal(encoder.encode_text("red"), [[1, 0, 0]])
    np.testing.assert_array_equal(simlib.encode_query(encoder, "green"), [0, 1, 0])


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda n: np.ones((n - 1, 3)), r"shape \(1, 3\) for 2 pictures; expected one row of dim"),
        (lambda n: np.ones(3), r"shape \(3,\) for 2 pictures"),
        (lambda n: np.ones((n, 2, 2)), r"shape \(2, 2, 2\)"),
        (lambda n: [[1, 2], [3]], "no matrix of numbers"),
        (lambda n: None, "no matrix of numbers|shape"),
        (lambda n: ["a", "b"], "no matrix of numbers"),
        (lambda n: np.ones((n, 0)), r"shape \(2, 0\)"),
        (lambda n: [[1, 2], [3, np.nan]], "not finite .* 1 of 2 pictures.* is picture 1"),
        (lambda n: np.full((n, 2), np.inf), "not finite .* 2 of 2 pictures.* is picture 0"),
    ],
)
def test_a_wrong_answer_is_named(answer, said):
    encoder = simlib.make_encoder(lambda pictures: answer(len(pictures)), name="wrong")
    with pytest.raises(ValueError, match=said):
        encoder.encode([Image.new("RGB", (4, 4))] * 2)


def test_a_dimension_that_changes_is_named():
    dims = iter([3, 4])
    encoder = simlib.make_encoder(lambda p: np.ones((len(p), next(dims))), name="unsteady")
    encoder.encode([Image.new("RGB", (4, 4))])
    with pytest.raises(ValueError, match=r"shape \(1, 4\).*expected one row of 3 numbers"):
        encoder.encode([Image.new("RGB", (4, 4))])


def test_tensors_with_a_gradient_are_taken():
    torch = pytest.importorskip("torch")
    encoder = simlib.make_encoder(
        lambda p: torch.ones((len(p), 2), dtype=torch.bfloat16, requires_grad=True), name="torch"
    )
    np.testing.assert_array_equal(encoder.encode([Image.new("RGB", (4, 4))]), [[1, 1]])


def test_without_a_recipe_nothing_is_cached_and_with_one_it_is(image_df):
    calls = []

    def counted(pictures):
        calls.append(len(pictures))
        return mean_colour(pictures)

    for recipe, expected in ((None, 24), ("version 1", 16)):  # 12, and four to check the cache by
        calls.clear()
        for _ in range(2):
            encoder = simlib.make_encoder(counted, name="counted", recipe=recipe)
            simlib.embed(image_df, encoder, progress=False)
        assert sum(calls) == expected


def test_a_changed_function_with_an_old_recipe_is_noticed(image_df):
    encoder = simlib.make_encoder(mean_colour, name="changing", recipe="version 1")
    simlib.embed(image_df, encoder, progress=False)
    for changed in (
        lambda pictures: [row[::-1] + 0.1 for row in mean_colour(pictures)],
        lambda pictures: [[*row, 1] for row in mean_colour(pictures)],
    ):
        encoder = simlib.make_encoder(changed, name="changing", recipe="version 1")
        with pytest.raises(ValueError, match="recipe 'changing version 1'.*other embeddings"):
            simlib.embed(image_df, encoder, progress=False)
        assert (
            simlib.embed(image_df, encoder, cache=False, progress=False)[encoder.column]
            .notna()
            .all()
        )


def test_a_change_that_spares_the_first_picture_is_noticed(image_df):
    first = np.asarray(simlib.load_image(image_df["img_path"][0]))

    def changed(pictures):
        return [
            row if np.array_equal(picture, first) else row + 1
            for picture, row in zip(pictures, mean_colour(pictures), strict=True)
        ]

    for function in (mean_colour, changed):
        encoder = simlib.make_encoder(function, name="partly", recipe="version 1")
        if function is changed:
            with pytest.raises(ValueError, match="recipe 'partly version 1'.*other embeddings"):
                simlib.embed(image_df, encoder, progress=False)
        else:
            simlib.embed(image_df, encoder, progress=False)


@pytest.mark.parametrize(
    "arguments, error, said",
    [
        (("no function", "x"), TypeError, "encode='no function' can't be called"),
        ((mean_colour, "x", "no function"), TypeError, "encode_text='no function'"),
        ((mean_colour, " "), ValueError, "name of an encoder can't be empty"),
        ((mean_colour, 3), TypeError, "name=3 must be a str"),
        ((mean_colour, "x", None, 3), TypeError, "recipe=3 must be a str"),
        ((mean_colour, "x", None, " "), ValueError, "recipe=' ' is empty"),
        ((mean_colour, "x", None, None, ""), ValueError, "column='' is empty"),
        ((mean_colour, "x", None, None, "img_path"), ValueError, "column 'img_path', which has"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, said):
    with pytest.raises(error, match=said):
        simlib.make_encoder(*arguments)


def test_a_subclass_without_what_it_needs_is_named(image_df):
    class Nameless(simlib.Encoder):
        def prepare(self, image):
            return np.asarray(image.resize((2, 2)))

        def encode_prepared(self, batch):
            return batch.reshape(len(batch), -1)

    with pytest.raises(TypeError, match="Nameless.*has no 'name'.*class attribute"):
        simlib.embed(image_df, Nameless(), progress=False)

    class Named(Nameless):
        name, column, dim = "named", "named_embedding", 12

    embedded = simlib.embed(image_df, Named(), progress=False)  # no recipe, so nothing is cached
    assert simlib.embedding_matrix(embedded, "named_embedding").shape == (12, 12)

    class Wrong(Named):
        dim = 5

    with pytest.raises(ValueError, match=r"shape \(12, 12\).*one row of 5 numbers"):
        simlib.embed(image_df, Wrong(), progress=False)


@pytest.mark.parametrize(
    "attribute, value, error, said",
    [
        ("name", 3, TypeError, "has name=3; it must be a str"),
        ("column", None, TypeError, "has column=None; it must be a str"),
        ("column", "img_path", ValueError, "would fill the column 'img_path'"),
        ("column", "error", ValueError, "would fill the column 'error'"),
        ("recipe", 5, TypeError, "has recipe=5; it must be a str"),
        ("dim", "12", TypeError, "has dim='12'; it must be the number"),
        ("dim", 0, TypeError, "has dim=0; it must be the number"),
        ("prepare", lambda self, image: [1, 2], TypeError, "prepare of .* returned list"),
        ("prepare", lambda self, image: None, TypeError, "prepare of .* returned NoneType"),
    ],
)
def test_a_subclass_with_what_does_not_fit_is_named(image_df, attribute, value, error, said):
    class Corners(simlib.Encoder):
        name, column = "corners", "corners_embedding"

        def prepare(self, image):
            return np.asarray(image.resize((2, 2)))

        def encode_prepared(self, batch):
            return batch.reshape(len(batch), -1)

    simlib.embed(image_df.head(1), Corners(), progress=False)
    setattr(Corners, attribute, value)
    with pytest.raises(error, match=said):
        simlib.embed(image_df, Corners(), progress=False)
    assert "img_path" in image_df
