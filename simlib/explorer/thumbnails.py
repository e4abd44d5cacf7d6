"""Small JPEGs of pictures, for pages that show many."""

from __future__ import annotations

import base64
import io
import os
from collections import OrderedDict
from typing import Any

from PIL import Image

from simlib.images import ImageError, load_image

THUMBNAIL = 112
"""Width and height of a thumbnail, in pixels."""

MOST_THUMBNAILS = 2000
"""So many thumbnails are kept, the ones shown last: about 5 MB, whatever is opened how often."""

UNREADABLE = "data:image/svg+xml;base64," + base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><rect width="100" height="100" '
    b'fill="lightgrey"/><path d="M0 0L100 100M0 100L100 0" stroke="grey" stroke-width="2"/></svg>'
).decode("ascii")


def jpeg(image: Image.Image, side: int) -> bytes:
    """Return a picture as a square JPEG of ``side`` × ``side`` pixels, white around the picture."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    small = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    square = Image.new("RGB", (side, side), "white")
    square.paste(small, ((side - width) // 2, (side - height) // 2))
    file = io.BytesIO()
    square.save(file, "JPEG", quality=85)
    return file.getvalue()


def data_uri(picture: bytes | None, kind: str = "jpeg") -> str:
    """Return an address that holds a JPEG, or a PNG, itself; a crossed-out area for None."""
    if picture is None:
        return UNREADABLE
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")


class Thumbnails:
    """Small JPEGs of pictures, made when first asked for; the ones asked for last are kept.

    A file that has changed since gets a new one.

    Examples
    --------
    >>> thumbnails = Thumbnails()
    >>> thumbnails.get("no such picture.jpg") is None
    True
    """

    def __init__(self, most: int = MOST_THUMBNAILS) -> None:
        self.most = most
        self._kept: OrderedDict[object, bytes | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        return sum(len(picture) for picture in self._kept.values() if picture is not None)

    def get(self, path: Any) -> bytes | None:
        """Return the thumbnail, or None for a picture that can't be opened."""
        key = path if isinstance(path, str) else repr(path), _last_change(path)
        if key not in self._kept:
            try:
                # Opened somewhat larger, so that the last step is a clean one.
                self._kept[key] = jpeg(load_image(path, 2 * THUMBNAIL), THUMBNAIL)
            except ImageError:
                self._kept[key] = None
        self._kept.move_to_end(key)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return self._kept[key]


def _last_change(path: Any) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, TypeError, ValueError):
        return None  # there is no such file, or it is not even a path
