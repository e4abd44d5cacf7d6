"""Open a picture, or say why not.

Every picture that simlib reads goes through :func:`load_image`. What it is given comes from
downloads, phones and scanners, so nothing about a file is believed: not its suffix, not its header,
not that it is a file at all.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import unicodedata
from collections.abc import Callable, Iterator
from typing import IO, TypeAlias

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import COMPRESSION_INFO, ImageFileDirectory_v2, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from simlib.arguments import require_count
from simlib.extras import install_command

MAX_SIDE = 4096
"""The longer side of what ``load_image`` returns, in pixels, unless told otherwise."""

MAX_PIXELS = 80_000_000
"""The most pixels a picture may claim in its header (Pillow itself warns from 89 million on)."""

MAX_FILE_BYTES = 2**29
"""The largest file that is opened as a picture (512 MiB): some decoders read the whole of it."""

MAX_SCANS = 64
"""The most scans of a progressive JPEG (about 10 is usual): each costs a pass over the picture."""

ResizesTo: TypeAlias = Callable[[tuple[int, int]], tuple[int, int] | None]
"""From the width and height of a picture to those that its reader resizes it to; None for as is."""

_SCALES = (8, 4, 2)
"""libjpeg decodes at 1/8, 1/4 and 1/2 by a smaller inverse DCT; Pillow's ``draft`` asks for it."""

_UPRIGHT = {  # the EXIF orientation → what turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXIF_ORIENTATION = 0x0112
_JPEG = b"\xff\xd8\xff"
_TIFF_BITS_PER_SAMPLE = 258
_TIFF_COMPRESSION = 259
_TIFF_PHOTOMETRIC = 262
_TIFF_PLANAR = 284
_TIFF_EXTRA_SAMPLES = 338
_TIFF_SAMPLE_FORMAT = 339
_TIFF_SUBSAMPLING = 530
_TIFF_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}


class ImageError(ValueError):
    """A picture that cannot be opened; the message is a sentence that names it and says why.

    Attributes
    ----------
    path : str
        The picture, as it was asked for.
    reason : str
        Why it could not be opened.

    Examples
    --------
    >>> print(ImageError("shoe.jpg", "the file is empty"))
    The picture 'shoe.jpg' could not be opened: the file is empty.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)  # both in args, so that it survives pickling by a worker
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"The picture {self.path!r} could not be opened: {self.reason}."


class _Refused(Exception):
    """The reason why a file is not opened; ``load_image`` adds the file's name."""


def load_image(
    path: str | os.PathLike[str],
    max_pixels_side: int = MAX_SIDE,
    resizes_to: ResizesTo | None = None,
) -> Image.Image:
    """Open a picture as upright RGB, fully decoded, its file closed again.

    The content decides the format, not the suffix: JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF, PPM, and
    HEIC where the package pillow-heif is installed. Of an animation or a file of many pages the
    first picture is taken, and nothing behind it is read. The EXIF orientation is applied,
    transparency is laid on white, 16-bit greyscale is scaled to 8 bits and CMYK converted (by
    Pillow's plain formula; embedded colour profiles are not applied). Greyscale beyond 16 bits and
    floating-point pictures, which have no agreed white, are taken as they are where they lie in
    [0, 255], times 255 where they lie in [0, 1] (float), and are stretched from their minimum to
    their maximum otherwise; NaN is black.

    Parameters
    ----------
    path : str or os.PathLike
        The picture.
    max_pixels_side : int
        A picture whose longer side exceeds this many pixels is made smaller, keeping its shape; a
        much larger JPEG is then decoded at a fraction of its size, which is many times faster.
    resizes_to : callable, optional
        From the width and height of the upright picture to those that the caller resizes it to,
        such as ``encoder.resizes_to``. A JPEG is then decoded at the smallest of 1/8, 1/4 and 1/2
        of its size that has at least twice these pixels, in width and in height; where none has,
        and in any other format, the picture is the same as without.

    Returns
    -------
    PIL.Image.Image
        Mode RGB, 8 bits a channel. Its ``info`` is empty: the orientation is not applied twice.

    Raises
    ------
    ImageError
        For whatever cannot be opened: missing, unreadable, empty, cut short, damaged, not a
        picture, not a regular file, or of more than `MAX_PIXELS` pixels (refused from its header).

    Notes
    -----
    Safe to call from many threads: no setting of Pillow's and no warning filter is touched.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> folder = tempfile.TemporaryDirectory()
    >>> glass = os.path.join(folder.name, "glass.png")
    >>> Image.new("RGBA", (6, 4), (255, 0, 0, 0)).save(glass)
    >>> picture = load_image(glass)
    >>> picture.mode, picture.size, picture.getpixel((0, 0))
    ('RGB', (6, 4), (255, 255, 255))
    >>> load_image("shoe.jpg")
    Traceback (most recent call last):
        ...
    simlib.images.ImageError: The picture 'shoe.jpg' could not be opened: there is no such file.
    >>> folder.cleanup()
    """
    max_pixels_side = require_count("max_pixels_side", max_pixels_side)
    with _named_errors(path) as name, _open_regular_file(name) as file:
        return _decode(file, max_pixels_side, resizes_to)


def with_shorter_side(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return width and height of a picture whose shorter side is resized to ``side`` pixels.

    Rounded down, as torchvision's ``Resize`` does.

    Examples
    --------
    >>> with_shorter_side((4000, 3000), 256)
    (341, 256)
    """
    width, height = (length * side // min(size) for length in size)
    return width, height


def read_image_file(path: str | os.PathLike[str]) -> bytes:
    """Read the bytes of a picture's file; ``decode_image`` makes the picture of them.

    The two are `load_image` in two steps, for whoever needs to know the content before the picture.

    Raises
    ------
    ImageError
        If the file is missing, unreadable, empty, too large or not a regular file.

    Examples
    --------
    >>> read_image_file("shoe.jpg")
    Traceback (most recent call last):
        ...
    simlib.images.ImageError: The picture 'shoe.jpg' could not be opened: there is no such file.
    """
    with _named_errors(path) as name, _open_regular_file(name) as file:
        return file.read()


def decode_image(
    data: bytes,
    path: str | os.PathLike[str],
    max_pixels_side: int = MAX_SIDE,
    resizes_to: ResizesTo | None = None,
) -> Image.Image:
    """Return the picture, upright RGB, in the bytes of a file; ``path`` names it in errors.

    The other parameters are those of `load_image`.

    Raises
    ------
    ImageError
        As ``load_image`` does.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("L", (6, 4)).save(file, "PNG")
    >>> picture = decode_image(file.getvalue(), "shoe.png")
    >>> picture.mode, picture.size
    ('RGB', (6, 4))
    """
    with _named_errors(path):
        return _decode(io.BytesIO(data), max_pixels_side, resizes_to)


def scale_of(data: bytes, resizes_to: ResizesTo) -> int:
    """Return whether ``decode_image`` would give another picture with ``resizes_to`` than without.

    Only the header is read.

    Returns
    -------
    int
        2, 4 or 8 for a JPEG that would be decoded at that fraction of its size; 1 for the same
        picture.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("L", (4000, 3000)).save(file, "JPEG")
    >>> scale_of(file.getvalue(), lambda size: (341, 256)), scale_of(b"text", lambda size: None)
    (4, 1)
    """
    if not data.startswith(_JPEG):
        return 1
    file = io.BytesIO(data)
    try:
        picture = JpegImageFile(file)
        scale = _scale(picture, file, MAX_SIDE, resizes_to)
        return scale if scale != _scale(picture, file, MAX_SIDE) else 1
    except Exception:  # whatever is wrong with it, decode_image says so
        return 1


@contextlib.contextmanager
def _named_errors(path: str | os.PathLike[str]) -> Iterator[str]:
    """Give the path as a str; turn whatever goes wrong inside into an ImageError that names it."""
    try:
        name = os.fsdecode(os.fspath(path))
    except TypeError as error:
        raise ImageError(
            repr(path), f"a path is expected (str or os.PathLike), not {type(path).__name__}"
        ) from error
    try:
        yield name
    except Exception as error:  # Pillow's decoders raise nearly every type there is
        raise ImageError(name, _reason(error)) from error


def _open_regular_file(name: str) -> IO[bytes]:
    """Open without ever waiting: a pipe or a device is refused before it is touched."""
    if "\0" in name:  # what os.stat says of it differs between versions of Python
        raise _Refused("its path holds a null byte")
    status = os.stat(name)
    if stat.S_ISDIR(status.st_mode):
        raise _Refused("it is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise _Refused("it is a pipe, a socket or a device, not a regular file")
    if status.st_size == 0:
        raise _Refused("the file is empty")
    if status.st_size > MAX_FILE_BYTES:
        raise _Refused(
            f"the file has {status.st_size:,} bytes, and at most {MAX_FILE_BYTES:,} are read"
        )
    # O_NONBLOCK, for the case that the file was exchanged for a pipe since
    wait_for_nobody = getattr(os, "O_NONBLOCK", 0)
    return open(name, "rb", opener=lambda name, flags: os.open(name, flags | wait_for_nobody))


def _decode(file: IO[bytes], max_side: int, resizes_to: ResizesTo | None = None) -> Image.Image:
    head = file.read(128)
    file.seek(0)
    plugin, claimed_size = _identify(head, file)
    if claimed_size:
        _check_size(claimed_size)  # before Pillow sets memory aside for it
    file.seek(0)
    # The plugin itself and not Image.open: that warns of large pictures, and warning filters are
    # shared by all threads; it also picks the plugin by its own, longer list of formats.
    try:
        picture = plugin(file)
    except SyntaxError as error:
        if plugin is TiffImageFile and (kind := _unknown_tiff(file, str(error))):
            raise _Refused(kind) from error
        raise
    _check_size(picture.size)
    if isinstance(picture, PngImageFile):
        picture.verify()  # the checksums, which load() leaves out: a half-fetched file may be whole
        file.seek(0)  # in length, with zeros for the rest
        picture = plugin(file)
    if isinstance(picture, TiffImageFile):
        _check_rows(picture)
        _check_tiff_kind(picture)
    if isinstance(picture, JpegImageFile):
        _check_scans(picture, file)
        scale = _scale(picture, file, max_side, resizes_to)
        if scale > 1:  # the largest of 8, 4 and 2 that leaves at least the size that is asked for
            picture.draft(None, (picture.width // scale, picture.height // scale))
    picture.load()
    orientation = _orientation(picture)  # after load(): some formats store it behind the pixels
    rgb = _to_rgb(picture, head)
    rgb.info = {}
    if max(rgb.size) > max_side:
        rgb.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return rgb


def _identify(
    head: bytes, file: IO[bytes]
) -> tuple[type[ImageFile.ImageFile], tuple[int, int] | None]:
    """The plugin for a file by its first bytes, and its size where Pillow would check it late."""
    if head.startswith(_JPEG):
        return JpegImageFile, None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile, None
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GifImageFile, _gif_size(file)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WebPImageFile, _webp_size(head)
    if head.startswith(b"BM"):
        return BmpImageFile, None
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return TiffImageFile, None
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return PpmImageFile, None
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4], "big")]
        if b"avif" in brands or b"avis" in brands:
            return _avif_plugin(), None
        if any(brand in brands for brand in (b"hei", b"hev", b"mif1", b"msf1")):
            return _heif_plugin(), None
    raise _Refused(
        "its content is not that of a picture (JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF, HEIC or PPM)"
    )


def _avif_plugin() -> type[ImageFile.ImageFile]:
    try:
        from PIL.AvifImagePlugin import SUPPORTED, AvifImageFile
    except ImportError:
        SUPPORTED = False
    if not SUPPORTED:
        raise _Refused(
            "it is an AVIF picture, which this build of Pillow does not open; "
            "`pip install --upgrade pillow` brings one that does (11.3 or later)"
        )
    return AvifImageFile


def _heif_plugin() -> type[ImageFile.ImageFile]:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise _Refused(
            f"it is a HEIC picture, which simlib's core can't open; run {install_command('heic')}"
        ) from None
    return HeifImageFile


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """The canvas of a WebP, https://developers.google.com/speed/webp/docs/riff_container."""
    if len(head) < 30:
        return None
    if head[12:16] == b"VP8X":
        width, height = (int.from_bytes(head[i : i + 3], "little") + 1 for i in (24, 27))
    elif head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack("<2H", head[26:30]))
    return width, height


def _gif_size(file: IO[bytes]) -> tuple[int, int] | None:
    """The canvas of a GIF with its first frame, which may reach out of the canvas."""
    try:
        file.seek(6)
        width, height, flags = struct.unpack("<2HB2x", file.read(7))
        if flags & 0x80:
            file.seek(3 << (flags & 7) + 1, os.SEEK_CUR)  # the palette
        while (kind := file.read(1)) not in (b"", b";"):
            if kind == b"!":  # an extension: its label and its blocks
                file.seek(1, os.SEEK_CUR)
                while length := file.read(1)[0]:
                    file.seek(length, os.SEEK_CUR)
            elif kind == b",":
                left, top, frame_width, frame_height = struct.unpack("<4H", file.read(8))
                return max(width, left + frame_width), max(height, top + frame_height)
    except (struct.error, IndexError):  # cut short: the decoder will say so
        return None
    return width, height


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise _Refused(
            f"it claims {width:,} × {height:,} pixels, and at most {MAX_PIXELS:,} are decoded; "
            "make it smaller first"
        )


def _check_scans(picture: JpegImageFile, file: IO[bytes]) -> None:
    if not picture.info.get("progressive"):
        return
    position = file.tell()
    file.seek(0)
    scans = file.read().count(b"\xff\xda")  # within a scan, 0xFF is always followed by 0
    file.seek(position)
    if scans > MAX_SCANS:
        raise _Refused(
            f"it is a progressive JPEG of {scans:,} scans, and at most {MAX_SCANS} are decoded"
        )


def _scale(
    picture: JpegImageFile, file: IO[bytes], max_side: int, resizes_to: ResizesTo | None = None
) -> int:
    """The fraction of its size, 1/1, 1/2, 1/4 or 1/8, at which a JPEG suffices."""
    width, height = picture.size
    enough = []  # width and height
    if max(picture.size) > max_side:
        shrunk = max_side / max(picture.size)
        if max_side < MAX_SIDE:  # it is for the eye, which sees a coarse last step
            shrunk *= 2
        enough.append((max(1, int(width * shrunk)), max(1, int(height * shrunk))))
    if resizes_to is not None:
        turned = _orientation(picture) in (5, 6, 7, 8)  # stored on its side
        read = resizes_to((height, width) if turned else (width, height))
        if read is not None:
            enough.append((2 * read[turned], 2 * read[not turned]))
    scales = [
        scale for w, h in enough for scale in _SCALES if scale * w <= width and scale * h <= height
    ]
    return 1 if not scales or _is_lossless(file) else max(scales)


def _is_lossless(file: IO[bytes]) -> bool:
    """Whether a JPEG that Pillow has opened stores pixels and no DCT, so that it has one size."""
    position = file.tell()
    try:
        file.seek(2)
        while len(marker := file.read(2)) == 2:
            while marker[1] == 0xFF:  # filled up
                marker = marker[1:] + file.read(1)
            if marker[0] != 0xFF or marker[1] == 0xDA:
                return False
            if marker[1] in (0xC3, 0xC7, 0xCB, 0xCF):
                return True
            if 0xD0 <= marker[1] <= 0xD9 or marker[1] == 1:  # no segment follows
                continue
            file.seek(int.from_bytes(file.read(2), "big") - 2, os.SEEK_CUR)
        return False
    except (IndexError, OSError, ValueError):
        return False
    finally:
        file.seek(position)


def _check_rows(picture: TiffImageFile) -> None:
    """Refuse a TIFF that stores fewer rows than it claims: Pillow would fill up with black."""
    width, height = picture.size
    areas = (extents for _, extents, *_ in picture.tile if extents is not None)
    stored = sum((right - left) * (lower - upper) for left, upper, right, lower in areas)
    if stored < width * height:
        raise _Refused(
            f"it is cut short or damaged (of {width * height:,} pixels {stored:,} are stored)"
        )


def _unknown_tiff(file: IO[bytes], said: str) -> str | None:
    """What kind of TIFF it is, if Pillow refused it (and ``said`` so) for its kind alone."""
    file.seek(0)
    tags = ImageFileDirectory_v2(file.read(8))
    file.seek(tags.next)
    tags.load(file)
    known = tags.get(_TIFF_COMPRESSION, 1) in COMPRESSION_INFO and tags.get(_TIFF_PLANAR) != 2
    return None if known and "unknown pixel mode" not in said else _tiff_kind(tags)


def _check_tiff_kind(picture: TiffImageFile) -> None:
    """Refuse the kinds of TIFF that Pillow takes for others, and would open as noise."""
    tags = picture.tag_v2
    bits = tags.get(_TIFF_BITS_PER_SAMPLE, (1,))
    in_planes = tags.get(_TIFF_PLANAR) == 2 and len(bits) > 1
    sound_planes = (
        picture.mode in ("RGB", "RGBA", "CMYK")
        and set(bits) == {8}
        and tags.get(_TIFF_EXTRA_SAMPLES, (2,)) == (2,)
    )
    subsampled = (
        picture.mode == "YCbCr"
        and tags.get(_TIFF_COMPRESSION, 1) == 1
        and tags.get(_TIFF_SUBSAMPLING, (2, 2)) != (1, 1)
    )
    if (in_planes and not sound_planes) or subsampled:
        raise _Refused(_tiff_kind(tags))


def _tiff_kind(tags: ImageFileDirectory_v2) -> str:
    bits = tags.get(_TIFF_BITS_PER_SAMPLE, (1,))
    formats = tags.get(_TIFF_SAMPLE_FORMAT, (1,))
    kind = _TIFF_FORMATS.get(formats[0], "untyped")
    details = [
        f"{len(bits)} channel{'s' * (len(bits) > 1)} of {bits[0]} bits, {kind}",
        f"photometric interpretation {tags.get(_TIFF_PHOTOMETRIC, 0)}",
        f"compression {tags.get(_TIFF_COMPRESSION, 1)}",
    ]
    if tags.get(_TIFF_PLANAR) == 2:
        details.append("in separate planes")
    return f"it is a kind of TIFF that is not read ({'; '.join(details)}); save it as 8-bit RGB"


def _orientation(picture: Image.Image) -> int:
    try:
        return picture.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged EXIF, of which there is much: the pixels are none the worse
        return 1


def _to_rgb(picture: Image.Image, head: bytes) -> Image.Image:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16") or _stored_as(picture):
        picture = _to_8_bit(picture)
    elif picture.format == "PNG" and picture.mode in ("L", "RGB"):
        _scale_transparent_colour(picture, bits=head[24])
    if picture.mode == "La":  # multiplied by its alpha, and not convertible in one step
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture)
        return white
    return picture.convert("RGB")


def _scale_transparent_colour(picture: Image.Image, bits: int) -> None:
    """Bring the transparent colour of a PNG to 8 bits, as Pillow did with its pixels only."""
    colour = picture.info.get("transparency")
    if colour is None:
        return

    def scale(value: int) -> int:
        return value >> 8 if bits == 16 else min(255, value * 255 // (2**bits - 1))

    picture.info["transparency"] = (
        tuple(map(scale, colour)) if isinstance(colour, tuple) else scale(colour)
    )


def _to_8_bit(picture: Image.Image) -> Image.Image:
    """Greyscale of more than 8 bits as mode L, or LA where one of its values is transparent."""
    tags = getattr(picture, "tag_v2", {})  # a TIFF has them
    low, white = 0.0, 65535.0
    if picture.mode.startswith("I;16"):
        if tags.get(_TIFF_BITS_PER_SAMPLE) == (12,):
            white = 4095.0
    elif picture.mode in ("F", "L") or tags:  # (16-bit PPM, and PNG in older Pillow, are of mode I)
        low, white = _black_and_white(picture)
    grey = np.empty((picture.height, picture.width), dtype=np.uint8)
    for rows, values in _strips(picture):
        finite = np.where(np.isfinite(values), values, 0.0)  # float64
        grey[rows] = (np.clip(finite, low, white) - low) * (255 / (white - low)) + 0.5
    if tags.get(_TIFF_PHOTOMETRIC) == 0:  # WhiteIsZero
        grey = 255 - grey
    image = Image.fromarray(grey)
    if isinstance(transparent := picture.info.get("transparency"), int):
        alpha = np.empty_like(grey)
        for rows, values in _strips(picture):
            alpha[rows] = np.where(values == transparent, 0, 255)
        image.putalpha(Image.fromarray(alpha))
    return image


def _strips(picture: Image.Image) -> Iterator[tuple[slice, np.ndarray]]:
    """The values of a picture some rows at a time, which takes a fraction of the memory."""
    step = max(1, 2**20 // picture.width)
    stored_as = _stored_as(picture)
    for top in range(0, picture.height, step):
        bottom = min(top + step, picture.height)
        strip = np.asarray(picture.crop((0, top, picture.width, bottom)))  # uint16, int32, float32
        yield slice(top, bottom), strip.view(stored_as) if stored_as else strip


def _stored_as(picture: Image.Image) -> type[np.uint32 | np.int8] | None:
    """The type of a TIFF's values where Pillow takes their bits for another type's."""
    if isinstance(picture, TiffImageFile):
        kind = picture.tag_v2.get(_TIFF_SAMPLE_FORMAT, (1,))
        if picture.mode == "I" and kind == (1,):
            return np.uint32
        if picture.mode == "L" and kind == (2,):
            return np.int8
    return None


def _black_and_white(picture: Image.Image) -> tuple[float, float]:
    """What is black and what is white in a picture that does not say."""
    low, high = np.inf, -np.inf
    for _, values in _strips(picture):
        finite = values[np.isfinite(values)]
        if len(finite):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:  # all of it is NaN
        return 0.0, 1.0
    if low >= 0 and high <= 255:
        return 0.0, 1.0 if picture.mode == "F" and high <= 1 else 255.0
    if picture.mode == "I" and low >= 0 and high <= 65535:
        return 0.0, 65535.0
    return low, max(high, float(np.nextafter(low, np.inf)))


def _reason(error: Exception) -> str:
    """Why, in words that can stand behind a colon."""
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "you have no permission to read it"
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if isinstance(error, OSError) and error.errno:
        return f"the system says “{os.strerror(error.errno)}”"
    said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    said = "".join("?" if unicodedata.category(c).startswith("C") else c for c in said)
    return f"it is cut short or damaged ({said[:200]})"
