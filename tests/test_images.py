"""What a user loses when these fail: right pixels, or a long job killed by one bad file."""

import io
import os
import pickle
import re
import signal
import stat
import struct
import sys
import tempfile
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours
from file_rights import as_somebody_else
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from quiet_machine import ENVIRONMENT_VARIABLE, assert_quick

import simlib
from simlib import images
from simlib.images import ImageError, decode_image, load_image, read_image_file
from simlib.listing import find_pictures, is_image_name

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as Linux has it")


# Pictures to try


def photo(height=60, width=90):
    """Noise on a slope of colour: compresses like a photo, and no two rotations look alike."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([columns * 2, rows * 3, rows + columns], axis=-1)  # (height, width, 3)
    return (pixels + np.random.default_rng(0).integers(0, 20, pixels.shape)).astype(np.uint8)


def encode(picture, format, **options):
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def png(width, height, depth, colour_type, pixels, transparent=b""):
    """A PNG of kinds that Pillow does not write; `pixels` with a filter byte before each row."""

    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">2I5B", width, height, depth, colour_type, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + (chunk(b"tRNS", transparent) if transparent else b"")
    return (
        b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    )


def flat(mode, colour, **attributes):
    picture = Image.new(mode, (8, 6), colour)
    for name, value in attributes.items():
        setattr(picture, name, value)
    return picture


def palette(*entries):
    """Two columns of four pixels in the first colour of the palette, the rest in the second."""
    picture = Image.new("P", (8, 6), 1)
    picture.putpalette([channel for entry in entries for channel in entry])
    picture.paste(0, (0, 0, 4, 6))
    return picture


def greyscale(values, dtype):
    return Image.fromarray(np.array([values], dtype=dtype))


def frames(format, **options):
    first, *others = [flat("RGB", colour) for colour in ("red", "lime", "blue")]
    return encode(first, format, save_all=True, append_images=others, **options)


RED, WHITE = (255, 0, 0), (255, 255, 255)
PINK = (255, 127, 127)  # half-transparent red on white

# EXIF orientation: on which side of the upright picture lie the first stored row and column
STORED = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}


def turned(orientation):
    """Red and white side by side, as a phone stores it that was held so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.array([[RED] * 8 + [WHITE] * 8] * 8, dtype=np.uint8)
    return encode(np.ascontiguousarray(STORED[orientation](upright)), "PNG", exif=exif)


def resized(content, at, format, *sides):
    """The same file, claiming another size."""
    sides = struct.pack(format, *sides)
    return content[:at] + sides + content[at + len(sides) :]


TINY = {format: encode(flat("RGB", RED), format) for format in ("JPEG", "BMP", "AVIF", "TIFF")}
TINY["GIF"] = encode(palette(RED, WHITE), "GIF")
TIFF_WIDTH, TIFF_HEIGHT = (
    TINY["TIFF"].index(struct.pack("<HHI", tag, 4, 1)) + 8 for tag in (256, 257)
)

SMALL_GREY = encode(greyscale([0, 1, 2], "i4"), "TIFF")

WHOLE = {
    "JPEG": encode(photo(), "JPEG"),
    "progressive JPEG": encode(photo(), "JPEG", progressive=True),
    "PNG": encode(photo(), "PNG"),
    "WEBP": encode(photo(), "WEBP"),
    "lossless WEBP": encode(photo(), "WEBP", lossless=True),
    "GIF": encode(photo(), "GIF"),
    "BMP": encode(photo(), "BMP"),
    "TIFF": encode(photo(), "TIFF"),
    "packed TIFF": encode(photo(), "TIFF", compression="tiff_lzw"),
    "AVIF": encode(photo(), "AVIF"),
    "PPM": encode(photo(), "PPM"),
}
HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(100)

# The table: every kind of odd or bad picture, and what comes of it: the colours that it must have,
# from left to right along its first row, or (as a str) the reason why it is not opened.

CUT = "not that of a picture|cut short or damaged"
TOO_LARGE = "at most 80,000,000 are decoded"

PICTURES = {
    "grey": (encode(flat("L", 100), "PNG"), [(100,) * 3]),
    "grey JPEG": (encode(flat("L", 100), "JPEG"), [(100,) * 3]),
    "1-bit black": (encode(flat("1", 0), "PNG"), [(0, 0, 0)]),
    "1-bit white": (encode(flat("1", 1), "TIFF", compression="group4"), [WHITE]),
    "RGBA": (encode(flat("RGBA", (255, 0, 0, 128)), "PNG"), [PINK]),
    "RGBA, invisible black": (encode(flat("RGBA", (0, 0, 0, 0)), "PNG"), [WHITE]),
    "RGBA WebP": (encode(flat("RGBA", (255, 0, 0, 128)), "WEBP", lossless=True), [PINK]),
    "RGBA AVIF": (encode(flat("RGBA", (255, 0, 0, 128)), "AVIF", quality=100), [PINK]),
    "RGBA TIFF": (encode(flat("RGBA", (255, 0, 0, 128)), "TIFF"), [PINK]),
    "LA": (encode(flat("LA", (0, 128)), "PNG"), [(127,) * 3]),
    "palette": (encode(palette(RED, WHITE), "PNG"), [RED, WHITE]),
    "palette, one transparent": (
        encode(palette(RED, (0, 0, 0)), "PNG", transparency=1), [RED, WHITE],
    ),
    "palette, half transparent": (
        encode(palette(RED, (0, 0, 0)), "PNG", transparency=bytes([128, 0])), [PINK, WHITE],
    ),
    "palette GIF, transparent": (
        encode(palette(RED, (0, 0, 0)), "GIF", transparency=1), [RED, WHITE],
    ),
    "RGB, a transparent colour": (
        encode(flat("RGB", "black"), "PNG", transparency=(0, 0, 0)), [WHITE],
    ),
    "grey, a transparent value": (encode(flat("L", 9), "PNG", transparency=9), [WHITE]),
    "1-bit, transparent black": (png(1, 1, 1, 0, b"\0\0", b"\0\0"), [WHITE]),
    "2-bit grey, a transparent value": (png(2, 1, 2, 0, b"\0\x60", b"\0\1"), [WHITE, (170,) * 3]),
    "48-bit RGB": (png(1, 1, 16, 2, b"\0" + b"\xff\xff\0\0\0\0"), [RED]),
    "48-bit RGB, a transparent colour": (
        png(2, 1, 16, 2, b"\0" + b"\xff\xff\0\0\0\0" + b"\x80\1" * 3, b"\x80\1" * 3), [RED, WHITE],
    ),
    "16-bit grey": (
        encode(greyscale([0, 257, 25700, 65535], "u2"), "PNG"), [(v,) * 3 for v in (0, 1, 100, 255)]
    ),
    "16-bit grey, a transparent value": (
        png(2, 1, 16, 0, b"\0" + b"\0\0\xff\xff", b"\0\0"), [WHITE, WHITE],
    ),
    "16-bit grey TIFF": (
        encode(greyscale([0, 25700, 65535], "u2"), "TIFF"), [(v,) * 3 for v in (0, 100, 255)],
    ),
    "16-bit grey TIFF, big-endian": (
        encode(greyscale([0, 25700, 65535], ">u2"), "TIFF"), [(v,) * 3 for v in (0, 100, 255)],
    ),
    "16-bit PGM": (b"P5 2 1 65535\n" + b"\x64\x64\xff\xff", [(100,) * 3, WHITE]),
    "32-bit grey of 16 bits": (
        encode(greyscale([0, 25700, 65535], "i4"), "TIFF"), [(v,) * 3 for v in (0, 100, 255)],
    ),
    "32-bit grey, stretched": (
        encode(greyscale([-1000, 0, 1000], "i4"), "TIFF"), [(v,) * 3 for v in (0, 128, 255)],
    ),
    "float in [0, 1]": (
        encode(greyscale([0, 0.5, 1], "f4"), "TIFF"), [(v,) * 3 for v in (0, 128, 255)],
    ),
    "float in [0, 255]": (
        encode(greyscale([0, 100, 255], "f4"), "TIFF"), [(v,) * 3 for v in (0, 100, 255)],
    ),
    "float, NaN and infinity": (
        encode(greyscale([np.nan, np.inf, 1], "f4"), "TIFF"), [(v,) * 3 for v in (0, 0, 255)],
    ),
    "float, nothing but NaN": (encode(greyscale([np.nan], "f4"), "TIFF"), [(0, 0, 0)]),
    "CMYK JPEG, inverted by Adobe": (encode(flat("CMYK", (0, 255, 255, 0)), "JPEG"), [RED]),
    "CMYK TIFF": (encode(flat("CMYK", (0, 255, 255, 0)), "TIFF"), [RED]),
    "animated GIF": (frames("GIF"), [RED]),
    "animated WebP": (frames("WEBP", lossless=True), [RED]),
    "animated PNG": (frames("PNG"), [RED]),
    "TIFF of many pages": (frames("TIFF"), [RED]),
    "BMP": (encode(flat("RGB", RED), "BMP"), [RED]),
    "PPM": (encode(flat("RGB", RED), "PPM"), [RED]),
    "AVIF": (encode(flat("RGB", RED), "AVIF", quality=100), [RED]),
    "MPO, as some phones write": (frames("MPO"), [RED]),
    "1×1": (encode(Image.new("RGB", (1, 1), RED), "PNG"), [RED]),
    "30,000×2": (encode(Image.new("RGB", (30_000, 2), RED), "PNG"), [RED]),
    "2×30,000": (encode(Image.new("RGB", (2, 30_000), RED), "PNG"), [RED]),
    **{
        f"EXIF orientation {orientation}": (turned(orientation), [RED, WHITE])
        for orientation in range(1, 9)
    },
    "empty": (b"", "the file is empty"),
    "one byte": (b"\xff", "not that of a picture"),
    "text": (b"<html>404 Not Found</html>", "not that of a picture"),
    "PostScript, which others hand to ghostscript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not that of a picture",
    ),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not that of a picture"),
    "PNG, of the signature alone": (b"\x89PNG\r\n\x1a\n", "cut short or damaged"),
    "HEIC": (HEIC, r"pip install .simlib\[heic\]"),
    "AVIF, damaged": (HEIC.replace(b"heic", b"avif"), "cut short or damaged"),
    **{
        f"{kind}, cut at {tenth} tenths": (content[: len(content) * tenth // 10], CUT)
        for kind, content in WHOLE.items()
        for tenth in range(1, 10)
    },
    "bomb: PNG": (png(50_000, 50_000, 8, 2, bytes(1000)), TOO_LARGE),
    "bomb: PNG, a little too large": (png(9_000, 9_000, 8, 0, bytes(1000)), TOO_LARGE),
    "bomb: PNG, well packed": (png(12_000, 12_000, 1, 0, bytes(1501 * 12_000)), TOO_LARGE),
    "bomb: JPEG": (
        resized(TINY["JPEG"], TINY["JPEG"].index(b"\xff\xc0") + 5, ">2H", 65_500, 65_500),
        TOO_LARGE,
    ),
    "bomb: GIF": (resized(TINY["GIF"], 6, "<2H", 65_000, 65_000), TOO_LARGE),
    "bomb: GIF, its frame": (
        resized(TINY["GIF"], TINY["GIF"].index(b",\0\0\0\0") + 5, "<2H", 12_000, 10_000),
        TOO_LARGE,
    ),
    "bomb: WebP": (
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\x3f\0\xff\x3f\0" + bytes(8),
        TOO_LARGE,
    ),
    "bomb: WebP, lossless": (
        b"RIFF\x1e\0\0\0WEBPVP8L\x0a\0\0\0\x2f\xff\xff\xff\x0f" + bytes(9), TOO_LARGE,
    ),
    "bomb: BMP": (resized(TINY["BMP"], 18, "<2I", 60_000, 60_000), TOO_LARGE),
    "bomb: TIFF": (
        resized(resized(TINY["TIFF"], TIFF_WIDTH, "<I", 60_000), TIFF_HEIGHT, "<I", 60_000),
        TOO_LARGE,
    ),
    "bomb: AVIF": (  # its decoder has a limit of its own
        resized(TINY["AVIF"], TINY["AVIF"].index(b"ispe") + 8, ">2I", 30_000, 30_000), CUT,
    ),
    "bomb: TIFF of one row, found by fuzzing": (
        resized(SMALL_GREY, SMALL_GREY.index(struct.pack("<HHI", 257, 4, 1)) + 8, "<I", 16_777_217),
        "cut short or damaged .of 50,331,651 pixels 3 are stored",
    ),
    "bomb: PPM": (b"P6 100000 100000 255\n" + bytes(1000), TOO_LARGE),
}  # fmt: skip
ODD_PICTURES = {name: entry for name, entry in PICTURES.items() if isinstance(entry[1], list)}
NOT_PICTURES = {name: entry for name, entry in PICTURES.items() if isinstance(entry[1], str)}
BOMBS = {name: content for name, (content, _) in PICTURES.items() if name.startswith("bomb")}


@pytest.mark.parametrize("name", ODD_PICTURES)
def test_an_odd_picture_has_the_right_colours(name, tmp_path):
    content, colours = ODD_PICTURES[name]
    path = tmp_path / "picture.jpg"  # whatever it is: the content decides
    path.write_bytes(content)
    picture = load_image(path)
    assert type(picture) is Image.Image and picture.mode == "RGB" and picture.info == {}
    seen = np.asarray(picture)[0].astype(int)  # (width, 3)
    wanted = np.repeat(np.array(colours), len(seen) // len(colours), axis=0)
    assert np.abs(seen - wanted).max() <= 2, seen.tolist()


@needs_linux
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_all_kinds_together_keep_their_rows_in_one_frame(tmp_path, monkeypatch):
    """The longest job: not one bad picture stops it, and none shifts the others' rows."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    odd_names = ["a shoe", "line\nbreak", "👟", "کفش", "é" * 121, "\udcff", "$(touch x)", "-rf"]
    rows = []  # (path, what comes of it)
    for number, (content, outcome) in enumerate(PICTURES.values()):
        path = tmp_path / f"{odd_names[number % len(odd_names)]}{number}.jpg"
        path.write_bytes(content)
        rows.append((str(path), outcome))
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, target in {"circle": "circle.jpg", "endless": "/dev/zero", "nowhere": "x"}.items():
        os.symlink(target, tmp_path / f"{name}.jpg")
    rows[5:5] = [
        (str(tmp_path / "folder.jpg"), "it is a folder"),
        (str(tmp_path / "pipe.jpg"), "not a regular file"),
        (str(tmp_path / "circle.jpg"), "the system says"),
        (str(tmp_path / "endless.jpg"), "not a regular file"),
        (str(tmp_path / "nowhere.jpg"), "there is no such file"),
        (str(tmp_path / ("n" * 300)), "the system says"),
        ("zero\0byte.jpg", "null byte"),
        ("", "there is no such file"),
        (None, "a path is expected"),
        (7, "a path is expected"),
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    image_df = pd.DataFrame({"img_path": [rows[place][0] for place in order]}, index=order)
    encoder = AverageColours()
    with at_most(60):
        embedded = simlib.embed(image_df, encoder, workers=3, batch_size=7, progress=False)
        again = simlib.embed(image_df, AverageColours(), progress=False)  # by the cache
    for place, (path, outcome) in enumerate(rows):
        for frame in (embedded, again):
            cell, error = frame.at[place, "average_colours"], frame.at[place, "error"]
            if isinstance(outcome, str):
                assert cell is None and re.search(outcome, error), (path, error)
            else:
                assert error is None
                np.testing.assert_array_equal(cell, encoder.encode([load_image(path)])[0])


def test_what_the_cmyk_test_opens_is_indeed_inverted():
    content, _ = ODD_PICTURES["CMYK JPEG, inverted by Adobe"]
    assert b"Adobe" in content


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_phone_picture_stands_upright(orientation, format, tmp_path):
    upright = np.kron(photo(5, 8), np.ones((8, 8, 1), np.uint8))  # blocks: JPEG keeps them
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](upright))
    quality = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    quality["AVIF"] = {"quality": 100, "subsampling": "4:4:4"}
    path = tmp_path / "turned"
    path.write_bytes(encode(stored, format, exif=exif, **quality.get(format, {})))
    seen = np.asarray(load_image(path))
    assert seen.shape == upright.shape
    assert np.abs(seen.astype(int) - upright).max() <= (0 if format in ("PNG", "WEBP") else 4)
    assert load_image(path).getexif() == {}, "the next reader would turn it once more"


def test_damaged_exif_does_not_cost_the_picture(tmp_path):
    path = tmp_path / "shoe.jpg"
    damaged = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\1\x12"
    path.write_bytes(encode(photo(), "JPEG", exif=damaged, dpi=(72, 72)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert load_image(path).size == (90, 60)


# Size


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_large_picture_is_made_smaller_and_keeps_its_shape(format, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(encode(np.kron(photo(10, 20), np.ones((40, 40, 1), np.uint8)), format))
    assert load_image(path).size == (800, 400)
    small = load_image(path, max_pixels_side=100)
    assert small.size == (100, 50)
    expected = photo(10, 20).repeat(5, 0).repeat(5, 1)
    assert np.abs(np.asarray(small).astype(int) - expected).mean() < 6


def test_a_large_jpeg_is_cheap(tmp_path):
    path = tmp_path / "large.jpg"
    Image.new("RGB", (8000, 8000), RED).save(path)
    started = time.perf_counter()
    load_image(path, max_pixels_side=1000)
    fraction = time.perf_counter() - started
    started = time.perf_counter()
    with Image.open(path) as picture:
        picture.load()
    assert_quick(fraction, 0.8 * (time.perf_counter() - started))


@pytest.mark.parametrize("size", [(30_000, 2), (2, 30_000), (30_000, 1)])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_very_long_picture_opens(size, format, tmp_path):
    path = tmp_path / "long"
    path.write_bytes(encode(Image.new("RGB", size, RED), format))
    picture = load_image(path)
    assert max(picture.size) == images.MAX_SIDE and min(picture.size) == 1
    assert np.abs(np.asarray(picture).astype(int) - RED).max() <= 2


@pytest.mark.parametrize("side", [0, -1, 2.5, None])
def test_a_senseless_size_is_refused_in_a_sentence(side):
    with pytest.raises(ValueError, match=f"max_pixels_side={side!r} is not a whole"):
        load_image("shoe.jpg", max_pixels_side=side)


def test_pillow_opens_files_in_one_place_only():
    """SECURITY.md promises it. What robustness.py opens is a JPEG that it has just made itself."""
    package = Path(images.__file__).parent
    opening = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"Image\.open\(|ImageFile\(|imread\(|read_image\(", path.read_text("utf-8"))
    }
    assert opening <= {"images.py", "measuring/robustness.py"}


# Every kind of TIFF: right, or refused as a kind that is not read; never noise, never "damaged"


def tiff(order, values, photometric, kind=1, extra=None, planes=False, **more_tags):
    """An uncompressed TIFF of one row; ``values`` are ``(channels, width)``."""
    values = np.array(values)
    values = values.astype(values.dtype.newbyteorder(order))
    channels, width = values.shape
    strips = list(values) if planes else [values.T]
    strips = [np.ascontiguousarray(strip).tobytes() for strip in strips]
    short, long = ("H", 3), ("I", 4)
    tags = {
        256: (long, [width]),
        257: (long, [1]),
        258: (short, [values.itemsize * 8] * channels),
        259: (short, [more_tags.get("compression", 1)]),
        262: (short, [photometric]),
        273: (long, [0] * len(strips)),
        277: (short, [channels]),
        278: (long, [1]),
        279: (long, [len(strip) for strip in strips]),
        284: (short, [2 if planes else 1]),
        339: (short, [kind] * channels),
    }
    for tag, content in ((338, extra and [extra]), (320, more_tags.get("colours"))):
        if content:
            tags[tag] = (short, content)
    if "subsampling" in more_tags:
        tags[530] = (short, more_tags["subsampling"])
    start = 8 + 2 + 12 * len(tags) + 4
    sizes = [struct.calcsize(order + of * len(content)) for (of, _), content in tags.values()]
    at = start + sum(size for size in sizes if size > 4)
    for number, strip in enumerate(strips):
        tags[273][1][number] = at
        at += len(strip)
    entries, tail = b"", b""
    for tag, ((of, code), content) in sorted(tags.items()):
        packed = struct.pack(order + of * len(content), *content)
        entries += struct.pack(order + "HHI", tag, code, len(content))
        if len(packed) > 4:
            entries += struct.pack(order + "I", start + len(tail))
            tail += packed
        else:
            entries += packed.ljust(4, b"\0")
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(tags))
    return head + entries + bytes(4) + tail + b"".join(strips)


def grey_of(*values):
    return [(value,) * 3 for value in values]


def u1(*channels):
    return np.array(channels, dtype="u1")


def u2(*channels):
    return np.array(channels, dtype="u2") * 257


NOT_READ = "it is a kind of TIFF that is not read"
RED_AND_GREEN = u1([255, 0], [0, 128], [10, 0])
RED_TWICE = u1([255, 255], [0, 0], [0, 0], [255, 128])  # the second of them half transparent
RED_PALETTE = [0, 65535, *[0] * 254, *[0] * 512]
TIFFS = {  # the arguments of tiff(), and the colours that come of it, or why none do
    "uint32": (([np.array([0, 2**31, 2**32 - 1], "u4")], 1), grey_of(0, 128, 255)),
    "uint32 in [0, 255]": (([np.array([0, 100, 255], "u4")], 1), grey_of(0, 100, 255)),
    "uint32 in [0, 65535]": (([np.array([0, 25700, 65535], "u4")], 1), grey_of(0, 100, 255)),
    "int32": (([np.array([-(2**31), 0, 2**31 - 1], "i4")], 1, 2), grey_of(0, 128, 255)),
    "int16": (([np.array([-(2**15), 0, 2**15 - 1], "i2")], 1, 2), grey_of(0, 128, 255)),
    "int8": (([np.array([-128, 0, 127], "i1")], 1, 2), grey_of(0, 128, 255)),
    "int8 in [0, 127]": (([np.array([0, 50, 127], "i1")], 1, 2), grey_of(0, 50, 127)),
    "uint16": ((u2([0, 100, 255]), 1), grey_of(0, 100, 255)),
    "float32": (([np.array([0, 0.5, 1], "f4")], 1, 3), grey_of(0, 128, 255)),
    "float32, white is 0": (([np.array([0, 0.5, 1], "f4")], 0, 3), grey_of(255, 127, 0)),
    "uint8, white is 0": ((u1([0, 100, 255]), 0), grey_of(255, 155, 0)),
    "float64": (([np.array([0, 0.5, 1], "f8")], 1, 3), "1 channel of 64 bits, floating-point"),
    "float16": (([np.array([0, 0.5, 1], "f2")], 1, 3), "1 channel of 16 bits, floating-point"),
    "uint64": (([np.array([0, 1, 2], "u8")], 1), "1 channel of 64 bits, unsigned"),
    "int64": (([np.array([0, 1, 2], "i8")], 1, 2), "1 channel of 64 bits, signed"),
    "complex": (([np.array([0, 1], "c8")], 1, 6), "1 channel of 64 bits, complex"),
    "uint32, white is 0": (([np.array([0, 1], "u4")], 0), "interpretation 0"),
    "int8, white is 0": (([np.array([0, 1], "i1")], 0, 2), "interpretation 0"),
    "uint8 of no stated type": ((u1([0, 1]), 1, 4), "untyped"),
    "LA8": ((u1([0, 0], [255, 128]), 1, 1, 2), grey_of(0, 127)),
    "LA8, multiplied by alpha": ((u1([0, 128], [255, 128]), 1, 1, 1), grey_of(0, 255)),
    "LA16": ((u2([0, 0], [255, 128]), 1, 1, 2), "2 channels of 16 bits"),
    "LA8 in planes": ((u1([0, 0], [255, 128]), 1, 1, 2, True), "in separate planes"),
    "RGB8": ((RED_AND_GREEN, 2), [(255, 0, 10), (0, 128, 0)]),
    "RGB8 in planes": ((RED_AND_GREEN, 2, 1, None, True), [(255, 0, 10), (0, 128, 0)]),
    "RGB16": ((u2(*RED_AND_GREEN), 2), [(255, 0, 10), (0, 128, 0)]),
    "RGB16 in planes": ((u2(*RED_AND_GREEN), 2, 1, None, True), "in separate planes"),
    "RGB32": ((RED_AND_GREEN.astype("u4"), 2), "3 channels of 32 bits, unsigned"),
    "RGB float": (((RED_AND_GREEN / 255).astype("f4"), 2, 3), "3 channels of 32 bits, floating"),
    "RGB int8": ((RED_AND_GREEN.astype("i1"), 2, 2), "3 channels of 8 bits, signed"),
    "RGBA8": ((RED_TWICE, 2, 1, 2), [RED, (255, 127, 127)]),
    "RGBA8 in planes": ((RED_TWICE, 2, 1, 2, True), [RED, (255, 127, 127)]),
    "RGBA8, multiplied by alpha": ((u1([128], [0], [0], [128]), 2, 1, 1), [(255, 127, 127)]),
    "RGBA8, multiplied, in planes": ((RED_TWICE, 2, 1, 1, True), "in separate planes"),
    "RGBA16": ((u2(*RED_TWICE), 2, 1, 2), [RED, (255, 127, 127)]),
    "RGBA16 in planes": ((u2(*RED_TWICE), 2, 1, 2, True), "in separate planes"),
    "palette": ((u1([1, 0]), 3), [RED, (0, 0, 0)]),
    "palette with alpha": ((u1([1, 1], [255, 128]), 3, 1, 2), [RED, (255, 127, 127)]),
    "palette with alpha, multiplied": ((u1([1, 1], [255, 128]), 3, 1, 1), "interpretation 3"),
    "palette of 65536 colours": ((np.array([[1, 0]], "u2"), 3), "1 channel of 16 bits"),
    "CMYK8": ((u1([0], [255], [255], [0]), 5), [RED]),
    "CMYK8 in planes": ((u1([0], [255], [255], [0]), 5, 1, None, True), [RED]),
    "CMYK16": ((u2([0], [255], [255], [0]), 5), [RED]),
    "CMYK16 in planes": ((u2([0], [255], [255], [0]), 5, 1, None, True), "in separate planes"),
    "CMYK float": ((np.array([[0], [1], [1], [0]], "f4"), 5, 3), "4 channels of 32 bits, floating"),
    "CMYK with alpha": ((u1([0], [255], [255], [0], [128]), 5, 1, 2), "5 channels of 8 bits"),
    "CIELAB of an ICC profile": ((u1([136], [80], [67]), 9), "photometric interpretation 9"),
    "a mask": ((u1([0, 255]), 4), "photometric interpretation 4"),
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", TIFFS)
def test_a_tiff_of_any_kind_is_right_or_named_as_a_kind_that_is_not_read(kind, order):
    arguments, expected = TIFFS[kind]
    more = {"colours": RED_PALETTE} if kind.startswith("palette") else {}
    content = tiff(order, *arguments, **more)
    if isinstance(expected, str):
        with pytest.raises(ImageError, match=f"{NOT_READ}.*{expected}"):
            decode_image(content, "scan.tif")
    elif order == ">" and kind.startswith("uint32"):  # Pillow knows it only as little-endian
        with pytest.raises(ImageError, match=NOT_READ):
            decode_image(content, "scan.tif")
    else:
        picture = decode_image(content, "scan.tif")
        assert [picture.getpixel((x, 0)) for x in range(picture.width)] == expected


def test_a_tiff_of_ycbcr_is_right_or_refused():
    content = tiff("<", u1([76], [85], [255]), 6, subsampling=[1, 1])
    assert decode_image(content, "scan.tif").getpixel((0, 0)) == (254, 0, 0)
    with pytest.raises(ImageError, match=NOT_READ):
        decode_image(tiff("<", u1([76], [85], [255]), 6, subsampling=[2, 1]), "scan.tif")


def test_a_tiff_of_an_unknown_compression_is_a_kind_that_is_not_read():
    with pytest.raises(ImageError, match=f"{NOT_READ}.*compression 34887"):
        decode_image(tiff("<", u1([1]), 1, compression=34887), "scan.tif")


# Pictures cut short or damaged


@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG", "PNG", "GIF", "packed TIFF"])
def test_a_picture_filled_up_with_zeros_is_an_error(kind, tmp_path):
    """What a broken download leaves behind: the right length, zeros from somewhere on."""
    path = tmp_path / "half.jpg"
    content = WHOLE[kind]
    for tenth in range(1, 10):
        kept = len(content) * tenth // 10
        path.write_bytes(content[:kept] + bytes(len(content) - kept))
        with pytest.raises(ImageError, match="half.jpg"):
            load_image(path)


def test_pillow_is_not_told_to_make_up_missing_pixels(tmp_path):
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about what is missing
@pytest.mark.parametrize("name", NOT_PICTURES)
def test_what_is_no_picture_is_named_with_the_reason(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    content, reason = NOT_PICTURES[name]
    path = tmp_path / "shoe.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        load_image(path)
    assert caught.value.path == str(path)
    assert re.search(reason, caught.value.reason)
    assert str(caught.value).startswith(f"The picture {str(path)!r} could not be opened: ")
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    assert caught.value.__cause__ is not None


def test_an_old_pillow_without_avif_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.AvifImagePlugin", None)
    path = tmp_path / "shoe.avif"
    path.write_bytes(WHOLE["AVIF"])
    with pytest.raises(ImageError, match="pip install --upgrade pillow"):
        load_image(path)


def test_heic_opens_where_its_package_is_installed(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    path = tmp_path / "shoe.jpg"
    pillow_heif.from_pillow(Image.fromarray(photo(64, 96))).save(path, quality=95, format="HEIF")
    seen = np.asarray(load_image(path)).astype(int)
    assert np.abs(seen - photo(64, 96)).mean() < 6


def heic(*pictures, **options):
    """The bytes of a HEIC, as pillow-heif writes it."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    file, heif = io.BytesIO(), pillow_heif.HeifFile()
    for picture in pictures:
        heif.add_from_pillow(picture)
    heif.save(file, **{"quality": 95} | options)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_heic_stands_upright(orientation):
    upright = np.array([[RED] * 48 + [WHITE] * 48] * 64, dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    seen = np.asarray(decode_image(heic(stored, exif=exif.tobytes()), "turned.heic")).astype(int)
    assert seen.shape == upright.shape
    assert np.abs(seen - upright).mean() < 4


def test_heic_with_alpha_is_laid_on_white_and_ten_bits_become_eight():
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    half_red = heic(Image.new("RGBA", (64, 48), (255, 0, 0, 128)), quality=-1)
    grey = heic(Image.new("L", (64, 48), 100))
    file = io.BytesIO()
    deep = np.full((48, 64, 3), (65535, 0, 25700), dtype="<u2")
    pillow_heif.from_bytes("RGB;16", (64, 48), deep.tobytes()).save(file, quality=-1)
    assert pillow_heif.open_heif(file, convert_hdr_to_8bit=False).info["bit_depth"] > 8
    expected = {half_red: PINK, grey: (100, 100, 100), file.getvalue(): (255, 0, 100)}
    for content, colour in expected.items():
        seen = decode_image(content, "phone.heic").getpixel((9, 9))
        assert np.abs(np.subtract(seen, colour)).max() <= 3


def test_of_many_pictures_in_a_heic_the_primary_one_is_taken():
    two = [Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 32), "blue")]
    for primary, size in enumerate([(64, 64), (64, 32)]):
        assert decode_image(heic(*two, primary_index=primary), "burst.heic").size == size


def test_a_heic_cut_short_is_named_and_a_bomb_refused_undecoded(monkeypatch):
    content = heic(Image.fromarray(photo(64, 96)))
    for tenth in range(1, 10):
        with pytest.raises(ImageError, match="not that of a picture|cut short or damaged"):
            decode_image(content[: len(content) * tenth // 10], "cut.heic")
    import pillow_heif

    at = content.index(b"ispe") + 8
    monkeypatch.setattr(pillow_heif.HeifImageFile, "load", lambda *_: pytest.fail("decoded"))
    for sides in ((30_000, 30_000), (10_000, 9_000)):
        with pytest.raises(ImageError, match=TOO_LARGE):
            decode_image(resized(content, at, ">2I", *sides), "bomb.heic")


def test_a_folder_of_heic_and_avif_is_embedded_like_any_other(tmp_path):
    (tmp_path / "phone.HEIC").write_bytes(heic(Image.fromarray(photo(64, 96))))
    (tmp_path / "phone.heif").write_bytes(heic(Image.fromarray(photo(96, 64))))
    (tmp_path / "web.avif").write_bytes(WHOLE["AVIF"])
    image_df = simlib.load_catalogue(tmp_path)
    assert len(image_df) == 3
    assert "error" not in simlib.embed(image_df, AverageColours(), progress=False)


@contextmanager
def at_most(seconds):
    """Fail instead of hanging."""

    def stop(*_):
        pytest.fail(f"still not done after {seconds} s")  # no Exception: none may catch it

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    os.symlink("circle.jpg", tmp_path / "circle.jpg")
    os.symlink("/dev/zero", tmp_path / "endless.jpg")
    reasons = {
        "folder.jpg": "it is a folder",
        "pipe.jpg": "not a regular file",
        "endless.jpg": "not a regular file",
        "circle.jpg": "the system says",
        "missing.jpg": "there is no such file",
        "a" * 300 + ".jpg": "the system says",
        "zero\0byte.jpg": "null byte",
    }
    with at_most(5):
        for name, reason in reasons.items():
            with pytest.raises(ImageError, match=reason):
                load_image(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_put_in_place_of_a_picture_at_the_last_instant_is_not_waited_for(
    tmp_path, monkeypatch
):
    (tmp_path / "shoe.jpg").write_bytes(WHOLE["JPEG"])
    os.mkfifo(tmp_path / "pipe.jpg")
    before = os.stat(tmp_path / "shoe.jpg")
    with at_most(5), monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda *_, **__: before)
        with pytest.raises(ImageError):
            load_image(tmp_path / "pipe.jpg")


@pytest.mark.parametrize("path", [None, 3, float("nan"), ["a.jpg"], b"\0"])
def test_what_is_no_path_is_an_image_error_too(path):
    """A frame with a missing value in `img_path` must not end the job."""
    with pytest.raises(ImageError):
        load_image(path)


@pytest.fixture
def public_folder():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has other file rights")
def test_an_unreadable_picture_is_named(public_folder):
    path = public_folder / "private.jpg"
    path.write_bytes(WHOLE["JPEG"])
    path.chmod(0)
    with as_somebody_else(), pytest.raises(ImageError, match="you have no permission to read it"):
        load_image(path)


@pytest.mark.parametrize(
    "name", ["a shoe.jpg", "line\nbreak.jpg", "👟.jpg", "کفش.jpg", "é" * 123 + ".jpg", "\udcff.jpg"]
)
def test_a_picture_of_any_name_opens_and_is_named(name, tmp_path):
    path = tmp_path / name
    try:
        path.write_bytes(WHOLE["JPEG"])
    except OSError:
        pytest.skip("this disk does not store such a name")
    assert load_image(str(path)).size == load_image(path).size == (90, 60)
    if name.isprintable() or "\n" in name:
        assert find_pictures(tmp_path) == [path]
    else:
        with pytest.warns(
            UserWarning, match=r"'\\\\xff.jpg' \(its name is not Unicode; rename it\)"
        ):
            assert find_pictures(tmp_path) == []
    path.write_bytes(b"text")
    with pytest.raises(ImageError) as caught:
        load_image(path)
    assert repr(name)[1:-1] in str(caught.value)
    assert str(caught.value).isprintable(), "a line break in a name must not break a log"


def test_an_error_comes_back_whole_from_a_worker():
    error = pickle.loads(pickle.dumps(ImageError("shoe.jpg", "it is a folder")))
    assert (error.path, error.reason) == ("shoe.jpg", "it is a folder")
    assert isinstance(error, ValueError)


# Decompression bombs


@pytest.mark.parametrize("name", BOMBS)
def test_a_decompression_bomb_is_refused_without_a_word_to_the_reader(name, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(BOMBS[name])
    for action in ("error", "ignore", "always"):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter(action)
            with pytest.raises(ImageError) as caught:
                load_image(path)
            assert heard == []
    assert re.search(PICTURES[name][1], caught.value.reason)


@needs_linux
def test_a_decompression_bomb_takes_less_than_a_second_and_200_mb(tmp_path):
    import resource

    for number, content in enumerate(BOMBS.values()):
        (tmp_path / f"{number}.png").write_bytes(content)
    child = os.fork()
    if child == 0:
        slowest, failed = 0.0, 0
        try:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20,) * 2)
            for path in sorted(tmp_path.iterdir()):
                started = time.perf_counter()
                try:
                    load_image(path)
                    failed += 1
                except ImageError as error:
                    failed += "memory" in error.reason
                slowest = max(slowest, time.perf_counter() - started)
        except BaseException:
            failed = 99
        os._exit(failed if failed else bool(os.environ.get(ENVIRONMENT_VARIABLE)) and slowest > 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_jpeg_of_endless_scans_is_refused(tmp_path):
    content = encode(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    last_scan = content[content.rindex(b"\xff\xda") : -2]
    path = tmp_path / "scans.jpg"
    path.write_bytes(content[:-2] + 1000 * last_scan + content[-2:])
    with pytest.raises(ImageError, match="progressive JPEG of 1,00[0-9] scans"):
        load_image(path)


def test_a_file_of_gigabytes_is_refused_unread(tmp_path):
    path = tmp_path / "huge.webp"
    path.write_bytes(WHOLE["WEBP"])
    os.truncate(path, 2**34)  # takes no room on the disk
    with pytest.raises(ImageError, match="17,179,869,184 bytes"):
        load_image(path)


# Many at once


def test_many_threads_open_good_and_bad_pictures_side_by_side(tmp_path):
    contents = {**WHOLE, **BOMBS, "text": b"text"}
    for number, content in enumerate(contents.values()):
        (tmp_path / f"{number}.jpg").write_bytes(content)

    def outcome(path):
        try:
            return load_image(path).tobytes()
        except ImageError as error:
            return error.reason

    paths = sorted(tmp_path.iterdir())
    alone = [outcome(path) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(outcome, paths * 5))
    assert together == alone * 5


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_opening_in_two_steps_gives_the_same_as_in_one(tmp_path):
    """The cache reads the bytes first: what it embeds must be what is shown."""
    path = tmp_path / "picture"
    for content, _ in PICTURES.values():
        path.write_bytes(content)
        outcomes = []
        for open_picture in (load_image, lambda path: decode_image(read_image_file(path), path)):
            try:
                outcomes.append(open_picture(path).tobytes())
            except ImageError as error:
                outcomes.append(error.path)
        assert outcomes[0] == outcomes[1]


@needs_linux
def test_no_file_stays_open(tmp_path):
    path = tmp_path / "shoe.jpg"
    contents = [*WHOLE.values(), *BOMBS.values(), b"text", frames("GIF"), frames("TIFF")]
    before = sorted(os.listdir("/proc/self/fd"))
    kept = []
    for content in contents:
        for cut in (content, content[: len(content) // 2]):
            path.write_bytes(cut)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                try:
                    kept.append(load_image(path))
                except ImageError as error:
                    kept.append(error)  # whose traceback keeps the frames alive
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    content=st.sampled_from(
        [*WHOLE.values(), *BOMBS.values(), HEIC, *(odd for odd, _ in ODD_PICTURES.values())]
    ),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=8),
    near_the_start=st.booleans(),
    length=st.floats(0.02, 1),
)
def test_any_bytes_give_a_picture_or_an_image_error(
    content, changes, near_the_start, length, tmp_path
):
    damaged = bytearray(content)
    for place, new in changes:
        at = int(place * (min(200, len(damaged)) if near_the_start else len(damaged)))
        damaged[at : at + len(new)] = new
    path = tmp_path / "fuzz"
    path.write_bytes(damaged[: max(1, int(len(damaged) * length))])
    try:
        picture = load_image(path, max_pixels_side=500)
    except ImageError as error:
        assert error.reason and "\n" not in str(error)
    else:
        assert picture.mode == "RGB" and 1 <= min(picture.size) and max(picture.size) <= 500
        assert len(picture.tobytes()) == picture.width * picture.height * 3


# Finding pictures


def test_the_suffix_tells_a_picture_in_any_case():
    names = ["a.jpg", "a.JPEG", "a.b.WebP", "x/y.heic", Path("a.Tiff"), "a.avif"]
    assert all(is_image_name(name) for name in names)
    names = ["a.txt", "jpg", ".jpg", ".a.jpg", "a.jpg.part", "a.svg", "a.eps", "", "x.jpg/notes"]
    assert not any(is_image_name(name) for name in names)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names_found(root):
    return [path.relative_to(root).as_posix() for path in find_pictures(root)]


def test_pictures_are_found_at_every_depth_in_a_stable_order(tmp_path, monkeypatch):
    touch(tmp_path, "b.jpg", "a/b/c/2.png", "a/b/c/10.png", "a.jpg/1.jpg", "a/z.JPG", "A/1.gif")
    touch(tmp_path, "a/.hidden.jpg", ".cache/1.jpg", "a/.git/1.jpg", "a/notes.txt")
    expected = ["A/1.gif", "a.jpg/1.jpg", "a/b/c/10.png", "a/b/c/2.png", "a/z.JPG", "b.jpg"]
    assert names_found(tmp_path) == expected == sorted(expected)
    assert names_found(str(tmp_path)) == expected
    monkeypatch.chdir(tmp_path)
    assert [str(path) for path in find_pictures(".")] == expected


@pytest.mark.filterwarnings("ignore:Below .* symlinks were not followed")
def test_links_are_followed_neither_in_circles_nor_out_of_the_folder(tmp_path):
    root = tmp_path / "root"
    touch(tmp_path, "root/a/1.jpg", "outside/2.jpg", "root2/3.jpg")
    os.symlink("..", root / "a" / "circle")
    os.symlink(tmp_path / "outside", root / "elsewhere")
    os.symlink(tmp_path / "outside/2.jpg", root / "out.jpg")
    os.symlink(tmp_path / "root2/3.jpg", root / "near.jpg")
    os.symlink("a/1.jpg", root / "in.jpg")
    os.symlink("nowhere.jpg", root / "broken.jpg")
    os.symlink("self.jpg", root / "self.jpg")
    os.mkfifo(root / "pipe.jpg")
    assert names_found(root) == ["a/1.jpg", "in.jpg"]
    os.symlink(root, tmp_path / "link to root")
    assert names_found(tmp_path / "link to root") == ["a/1.jpg", "in.jpg"]


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has other file rights")
def test_folders_that_cannot_be_read_are_passed_over_with_one_warning(public_folder):
    touch(public_folder, "a/1.jpg", "private/2.jpg", "secret/3.jpg")
    for name in ("private", "secret"):
        (public_folder / name).chmod(0)
    with as_somebody_else(), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert names_found(public_folder) == ["a/1.jpg"]
    assert len(heard) == 1
    assert " 2 could not be listed and were skipped: " in str(heard[0].message)
    for name in ("private", "secret"):
        assert f"the folder '{name}' (Permission denied)" in str(heard[0].message)
    for name in ("private", "secret"):
        (public_folder / name).chmod(stat.S_IRWXU)


@pytest.mark.parametrize(
    "name, error", [("missing", FileNotFoundError), ("file.jpg", NotADirectoryError)]
)
def test_a_root_that_is_no_folder_is_named(name, error, tmp_path):
    touch(tmp_path, "file.jpg")
    with pytest.raises(error, match=f"The folder cannot be read.*{name}"):
        find_pictures(tmp_path / name)


def test_a_folder_that_changes_while_it_is_read_does_no_harm(tmp_path):
    touch(tmp_path, *(f"{folder}/{number}.jpg" for folder in "abc" for number in range(20)))
    steady = set(names_found(tmp_path))
    done = threading.Event()

    def change():
        while not done.is_set():
            touch(tmp_path, "b/x/y/1.jpg", "z.jpg")
            for name in ("b/x/y/1.jpg", "z.jpg"):
                (tmp_path / name).unlink()
            for name in ("b/x/y", "b/x"):
                (tmp_path / name).rmdir()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(200):
                assert set(names_found(tmp_path)) - {"b/x/y/1.jpg", "z.jpg"} == steady
    finally:
        done.set()
        thread.join()


def test_a_tree_deeper_than_a_path_may_be_is_survived(tmp_path):
    touch(tmp_path, "1.jpg")
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(45):  # 45 × 101 bytes: beyond the 4,096 that a path may have
        os.mkdir("d" * 100, dir_fd=here)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        assert names_found(tmp_path) == ["1.jpg"]
