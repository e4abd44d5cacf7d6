"""What a user loses when these fail: minutes a hundred photos, or one picture with two embeddings.

A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that leaves at least twice the pixels
that an encoder reads; everything else must stay as it was, to the bit.
"""

import io
import struct

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours
from PIL import Image, ImageCms

import simlib
from conftest import draw_pictures
from simlib import images
from simlib.columns import Embeddings
from simlib.images import ImageError, decode_image, load_image, scale_of
from simlib.query import FrameGallery, read_query
from simlib.shards import make
from simlib.shards import run as shards_run


class Scaled(AverageColours):
    """Says what it reads, and so gets large JPEGs at 1/8 of their size."""

    def resizes_to(self, size):
        return 8, 8


def to(width, height):
    return lambda size: (width, height)


def jpeg(picture, **options):
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def claiming(width, height):
    """A JPEG's header of any size."""
    content = jpeg(Image.new("L", (8, 8)))
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">2H", height, width) + content[at + 4 :]


@pytest.fixture
def folder(tmp_path, phone_photo):
    """A phone photo, a small JPEG and a PNG."""
    paths = draw_pictures(tmp_path / "pictures", 1)
    for name, content in (
        ("phone.jpg", phone_photo),
        ("small.jpg", jpeg(Image.open(paths[0]).convert("RGB"))),
    ):
        (tmp_path / "pictures" / name).write_bytes(content)
    return tmp_path / "pictures"


@pytest.mark.parametrize(
    "size, reads, scale",
    [
        ((4000, 3000), (341, 256), 4),  # 750 ≥ 2 × 256 > 375
        ((3000, 4000), (256, 341), 4),
        ((4000, 3000), (64, 64), 8),
        ((4000, 3000), (288, 216), 4),
        ((4032, 2268), (288, 162), 4),
        ((4000, 3000), (1000, 750), 2),
        ((4000, 3000), (1001, 750), 1),
        ((1024, 1024), (256, 256), 2),
        ((1023, 1024), (256, 256), 1),
        ((2048, 2048), (256, 256), 4),
        ((2047, 2048), (256, 256), 2),
        ((16, 16), (1, 1), 8),
        ((3, 3), (1, 1), 1),
        ((8200, 4000), (2050, 1000), 1),  # at 1/2 in any case: it is longer than MAX_SIDE
        ((4000, 3000), None, 1),
    ],
)
def test_the_smallest_scale_with_twice_the_pixels_that_are_read(size, reads, scale):
    assert scale_of(claiming(*size), lambda _: reads) == scale


def test_what_is_decoded_has_twice_the_pixels_that_are_read(phone_photo):
    full = decode_image(phone_photo, "phone.jpg")
    for reads, size in (
        ((341, 256), (1000, 750)),
        ((64, 64), (500, 375)),
        ((900, 9), (2000, 1500)),
    ):
        picture = decode_image(phone_photo, "phone.jpg", resizes_to=to(*reads))
        assert (type(picture), picture.mode, picture.info) == (Image.Image, "RGB", {})
        assert picture.size == size and scale_of(phone_photo, to(*reads)) == 4000 // size[0]
        expected, seen = (
            np.asarray(one.resize((100, 75), Image.Resampling.BICUBIC)).astype(int)
            for one in (full, picture)
        )
        assert np.abs(expected - seen).max() <= 3


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_what_is_not_scaled_is_the_same_to_the_bit(format):
    pixels = np.random.default_rng(0).integers(0, 256, (511, 511, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    least = 128 if format == "JPEG" else 1
    same = decode_image(file.getvalue(), "small", resizes_to=to(least, least))
    assert same.size == (511, 511)
    assert same.tobytes() == decode_image(file.getvalue(), "small").tobytes()
    assert scale_of(file.getvalue(), to(least, least)) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_on_its_side_is_scaled_as_it_stands_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    rows, columns = np.mgrid[:160, :320]
    stored = np.stack([rows, columns // 2, 0 * rows], axis=2).astype(np.uint8)
    content = jpeg(Image.fromarray(stored), exif=exif, quality=95)
    asked = []

    def reads(size):
        asked.append(size)
        return (80, 10) if size == (320, 160) else (10, 80)

    full = decode_image(content, "turned.jpg")
    picture = decode_image(content, "turned.jpg", resizes_to=reads)
    assert set(asked) == {full.size}
    assert full.size == ((320, 160) if orientation < 5 else (160, 320))
    assert picture.size == (full.width // 2, full.height // 2)
    expected = np.asarray(full.resize(picture.size, Image.Resampling.BOX)).astype(int)
    assert np.abs(np.asarray(picture).astype(int) - expected).max() <= 6


@pytest.mark.parametrize("kind", ["L", "CMYK", "progressive", "ICC", "4:4:4"])
def test_all_kinds_of_jpeg_are_scaled_to_the_right_colours(kind):
    mode, colour = {"L": ("L", 100), "CMYK": ("CMYK", (0, 255, 255, 0))}.get(kind, ("RGB", "red"))
    options = {
        "progressive": {"progressive": True},
        "4:4:4": {"subsampling": 0},
        "ICC": {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
    }
    content = jpeg(Image.new(mode, (64, 48), colour), **options.get(kind, {}))
    picture = decode_image(content, "picture.jpg", resizes_to=to(4, 3))
    assert picture.size == (8, 6)
    wanted = (100, 100, 100) if kind == "L" else (255, 0, 0)
    assert np.abs(np.asarray(picture).astype(int) - wanted).max() <= 2


def test_a_jpeg_without_dct_is_decoded_in_full():
    """A lossless JPEG has one size; asked for another, Pillow calls it broken."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    content = bytearray(jpeg(Image.fromarray(noise)))
    content[content.index(b"\xff\xc0") + 1] = 0xC3
    at = content.index(b"\xff\xda") + 7
    content[at : at + 3] = 1, 0, 0  # predicted from the left
    same = decode_image(bytes(content), "lossless.jpg", resizes_to=to(4, 4))
    assert same.tobytes() == decode_image(bytes(content), "lossless.jpg").tobytes()
    assert decode_image(bytes(content), "lossless.jpg", max_pixels_side=8).size == (8, 8)


def test_limits_and_damage_are_noticed_as_in_a_picture_decoded_in_full(phone_photo):
    for content, reason in (
        (phone_photo[: len(phone_photo) // 2], "cut short or damaged"),
        (claiming(65_000, 65_000), "at most 80,000,000 are decoded"),
        (b"\xff\xd8\xff", "cut short or damaged"),
    ):
        assert scale_of(content, to(64, 64)) in (1, 8)
        with pytest.raises(ImageError, match=reason):
            decode_image(content, "phone.jpg", resizes_to=to(64, 64))


def test_thumbnails_are_decoded_at_a_fraction_too(phone_photo, tmp_path, monkeypatch):
    path = tmp_path / "phone.jpg"
    path.write_bytes(phone_photo)
    scales = []
    monkeypatch.setattr(
        images.JpegImageFile,
        "draft",
        lambda picture, mode, size, draft=images.JpegImageFile.draft: scales.append(
            picture.width // draft(picture, mode, size)[1][2]
        ),
    )
    for side, scale in ((64, 8), (224, 8), (400, 4), (1000, 2), (1001, None)):
        scales.clear()
        assert max(load_image(path, max_pixels_side=side).size) == side
        assert scales == ([] if scale is None else [scale])


# One picture, one embedding


def test_embed_shards_and_queries_agree_on_a_phone_photo(folder, tmp_path):
    encoder = Scaled()
    frame = simlib.embed(simlib.load_catalogue(folder), encoder, progress=False)
    simlib.embed_folder(folder, tmp_path / "shards", encoder, progress=False)
    shards = simlib.load_shards(tmp_path / "shards")
    assert frame["img_path"].tolist() == shards["img_path"].tolist()
    expected = simlib.embedding_matrix(frame, encoder.column)
    np.testing.assert_array_equal(simlib.embedding_matrix(shards, encoder.column), expected)
    gallery = FrameGallery(frame, encoder.column)
    full = AverageColours()
    for place, path in enumerate(frame["img_path"]):
        for query in (path, open(path, "rb").read()):
            vector, _ = read_query(gallery, query)
            np.testing.assert_array_equal(vector, expected[place])
        in_full = full.encode([load_image(path)])[0]
        is_same = np.array_equal(in_full, expected[place])
        assert is_same == (not path.endswith("phone.jpg"))
        np.testing.assert_allclose(expected[place], in_full, atol=0.02)


def test_the_cache_gives_no_embedding_of_another_scale_and_keeps_all_others(folder):
    frame = simlib.load_catalogue(folder)
    full, scaled, again = AverageColours(), Scaled(), Scaled()  # of one recipe
    in_full = simlib.embed(frame, full, progress=False)
    at_scale = simlib.embed(frame, scaled, progress=False)
    assert (full.encoded, scaled.encoded) == (3, 1)
    cached = simlib.embed(frame, again, progress=False)
    assert again.encoded == 0
    is_phone = frame["img_path"].str.endswith("phone.jpg")
    matrices = [Embeddings.of(one, full.column).whole() for one in (in_full, at_scale, cached)]
    assert (np.abs(matrices[0] - matrices[1]).max(axis=1) > 0).tolist() == is_phone.tolist()
    np.testing.assert_array_equal(matrices[1], matrices[2])


def test_shards_of_full_pictures_are_kept_but_for_what_is_scaled_now(folder, tmp_path, monkeypatch):
    out = tmp_path / "shards"
    with monkeypatch.context() as earlier:
        for module in (make, shards_run):
            earlier.setattr(module, "FORMAT", 1)
        simlib.embed_folder(folder, out, AverageColours(), progress=False)
    scaled, again = Scaled(), Scaled()
    assert simlib.embed_folder(folder, out, scaled, progress=False).embedded == 1
    assert simlib.embed_folder(folder, out, again, progress=False).embedded == 0
    (folder / "phone.jpg").rename(folder / "renamed.jpg")
    assert simlib.embed_folder(folder, out, again, progress=False).embedded == 0
    expected = simlib.embed(simlib.load_catalogue(folder), Scaled(), cache=False, progress=False)
    np.testing.assert_array_equal(
        simlib.embedding_matrix(simlib.load_shards(out), scaled.column),
        simlib.embedding_matrix(expected, scaled.column),
    )


# What encoders say


def test_an_encoder_of_ones_own_says_what_it_reads(folder):
    sizes = []

    def mean_colour(pictures):
        sizes.extend(picture.size for picture in pictures)
        return [np.asarray(picture).mean(axis=(0, 1)) for picture in pictures]

    frame = simlib.load_catalogue(folder)
    for resizes_to, size in (
        (None, (4000, 3000)),
        ((250, 180), (500, 375)),
        (lambda size: (max(size[0] // 8, 20), 1), (1000, 750)),
    ):
        sizes.clear()
        encoder = simlib.make_encoder(mean_colour, "mean", resizes_to=resizes_to)
        simlib.embed(frame, encoder, progress=False)
        assert sorted(sizes) == sorted([(24, 16), (24, 16), size])
    for wrong in (224, (224,), (0, 5), "small"):
        with pytest.raises(ValueError, match="resizes_to=.* is not a width and a height"):
            simlib.make_encoder(mean_colour, "mean", resizes_to=wrong)


def test_pixels_say_what_they_read():
    assert simlib.load_encoder("pixels").resizes_to((4000, 3000)) is None
    assert simlib.load_encoder("pixels", size=(64, 48)).resizes_to((4000, 3000)) == (64, 48)


def test_timms_preprocessing_says_what_it_reads():
    pytest.importorskip("timm", reason="timm is not installed")
    from timm.data import create_transform

    from simlib.networks.timm_network import _resize_in

    for options in ({}, {"crop_mode": "squash"}, {"crop_pct": 1.0}, {"input_size": (3, 96, 64)}):
        transform = create_transform(**{"input_size": 224, "crop_pct": 0.9} | options)
        resize = transform.transforms[0]
        for size in ((400, 301), (301, 400), (1000, 100)):
            said = _resize_in(transform)(size)
            assert said in (None, resize(Image.new("RGB", size)).size)
            assert said is not None or "KeepRatio" in repr(resize)
    border = create_transform(224, crop_mode="border")
    assert _resize_in(border)((400, 300)) is None


def test_a_picture_that_is_given_is_read_as_it_is(phone_photo):
    encoder = Scaled()
    picture = decode_image(phone_photo, "phone.jpg")
    frame = pd.DataFrame({"own": [np.ones(192, dtype=np.float32)]})
    vector, _ = read_query(FrameGallery(frame, "own"), picture, encoder=encoder)
    np.testing.assert_array_equal(vector, encoder.encode([picture])[0])
