"""Shapes lit as rounded bodies: what gives shoes, bags, jewellery and accessories their volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import skia
from scipy.ndimage import distance_transform_edt, gaussian_filter

from drawing.canvas import (
    SILVER,
    Brush,
    Shade,
    curve,
    darker,
    ink,
    lighter,
    luminance,
)

_PIXELS = 448  # the side of the height map of a whole picture
_LIGHT = np.array([-0.42, -0.60, 0.68]) / np.linalg.norm([-0.42, -0.60, 0.68])
_HALFWAY = (_LIGHT + [0, 0, 1]) / np.linalg.norm(_LIGHT + [0, 0, 1])

Groove = tuple[object, float, float]  # the line (points or a path), its width, its depth


def _coverage(path: skia.Path, width: float = 0.0) -> np.ndarray:
    """Return how much of each pixel the path covers, or its line of that width."""
    surface = skia.Surface(_PIXELS, _PIXELS)
    canvas = surface.getCanvas()
    canvas.clear(skia.ColorTRANSPARENT)
    canvas.scale(_PIXELS, _PIXELS)
    paint = skia.Paint(AntiAlias=True, Color=skia.ColorWHITE)
    if width:
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(width)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
    canvas.drawPath(path, paint)
    return surface.toarray()[:, :, 3].astype(np.float32) / 255


def _as_path(line) -> skia.Path:
    return line if isinstance(line, skia.Path) else curve(line, closed=False)


def _relief(
    path: skia.Path, rounding: float, height: float, grooves: Sequence[Groove]
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
    """Return the window of the path, its coverage there, and the body's unit normals."""
    mask = _coverage(path)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    window = (
        slice(max(rows[0] - 4, 0), rows[-1] + 5),
        slice(max(columns[0] - 4, 0), columns[-1] + 5),
    )
    mask = mask[window]
    reach = max(rounding * _PIXELS, 1.2)
    depth = distance_transform_edt(mask > 0.5).astype(np.float32)
    share = np.clip(depth / reach, 0, 1)
    body = reach * np.sqrt(1 - (1 - share) ** 2) * height
    body = gaussian_filter(body, max(reach * 0.1, 0.7))
    if reach > 14:  # a pillow has no ridge
        body = 0.45 * body + 0.55 * gaussian_filter(body, reach * 0.3)
    for line, width, deep in grooves:
        cut = _coverage(_as_path(line), width)[window]
        body -= gaussian_filter(cut, max(width * _PIXELS * 0.35, 0.6)) * deep * _PIXELS * 0.01
    down, across = np.gradient(body)
    normals = np.stack([-across, -down, np.ones_like(body)])
    return window, mask, normals / np.linalg.norm(normals, axis=0)


def _lay(brush: Brush, path: skia.Path, window, layer: np.ndarray) -> None:
    """Draw a premultiplied float layer ``(h, w, 4)`` over its window, clipped to the path."""
    layer = np.ascontiguousarray(np.clip(layer * 255, 0, 255).astype(np.uint8))
    image = skia.Image.fromarray(
        layer, colorType=skia.kRGBA_8888_ColorType, alphaType=skia.kPremul_AlphaType
    )
    rows, columns = window
    top, left = rows.start / _PIXELS, columns.start / _PIXELS
    target = skia.Rect.MakeXYWH(left, top, layer.shape[1] / _PIXELS, layer.shape[0] / _PIXELS)
    canvas = brush.canvas
    canvas.save()
    canvas.clipPath(path, skia.ClipOp.kIntersect, True)
    canvas.drawImageRect(image, target, skia.SamplingOptions(skia.FilterMode.kLinear))
    canvas.restore()


def shade_below(brush: Brush, path: skia.Path, strength: float = 0.5, reach: float = 0.015):
    """Darken what is already drawn around the path: the shadow of what is drawn next."""
    paint = skia.Paint(
        AntiAlias=True, Color=ink((0.02, 0.02, 0.03), strength), BlendMode=skia.BlendMode.kSrcATop
    )
    paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, reach * 0.6))
    shifted = skia.Path(path)
    shifted.offset(reach * 0.25, reach * 0.5)
    brush.canvas.drawPath(shifted, paint)


def solid(
    brush: Brush,
    path: skia.Path,
    shade: Shade | None = None,
    rounding: float = 0.06,
    height: float = 0.8,
    gloss: float = 0.25,
    focus: float = 14.0,
    patent: float = 0.0,
    texture: str = "leather",
    grain: float = 0.45,
    grooves: Sequence[Groove] = (),
    below: float = 0.4,
    pattern: bool = True,
    turn: float = 0.0,
    wrinkles: float = 0.0,
    alpha: float = 1.0,
) -> None:
    """Fill a path as a rounded body under the studio's light.

    Parameters
    ----------
    rounding : how far the rounding reaches in from the edge, in units of the picture.
    height : 1 for a full quarter circle at the edge, less for a flatter body.
    gloss, focus : how strong and how small the reflections are.
    patent : how strongly a long lamp is mirrored (patent leather, plastic).
    grooves : lines pressed into the body (seams, creases); a negative depth raises them.
    below : how strongly the part darkens what it lies on.
    """
    relief = _relief(path, rounding, height, grooves)
    if relief is None:
        return
    window, mask, (across, down, out) = relief
    if below:
        shade_below(brush, path, below)
    if alpha == 1.0:
        brush.fill(
            path,
            shade,
            pattern=pattern,
            texture=texture,
            grain=grain,
            form="none",
            wrinkles=wrinkles,
            edge=0.0,
            turn=turn,
            drape="crumpled",
        )
    else:
        brush.canvas.drawPath(path, skia.Paint(AntiAlias=True, Color=ink(shade, alpha)))
    base = np.array(brush.shade if shade is None else shade)
    diffuse = np.clip(across * _LIGHT[0] + down * _LIGHT[1] + out * _LIGHT[2], 0, 1)
    light = 0.52 * (1 - 0.4 * down) + 0.50 * diffuse / _LIGHT[2]
    shine = np.clip(across * _HALFWAY[0] + down * _HALFWAY[1] + out * _HALFWAY[2], 0, 1) ** focus
    white = gloss * np.maximum(shine - 0.75 * _HALFWAY[2] ** focus, 0) * 1.6
    rim = np.clip(1 - out, 0, 1) ** 2
    white += rim * gloss * 0.35 * np.clip(-down, 0, 1)
    if patent:
        lamp = 1 / (1 + np.exp(-(-down - 0.34) * 26)) - 1 / (1 + np.exp(-(-down - 0.62) * 26))
        white += patent * 0.75 * lamp * np.clip(1 - np.abs(across + 0.1), 0, 1)
    layer = np.zeros((*mask.shape, 4))
    layer[..., 3] = np.clip(1 - light, 0, 0.85)
    layer[..., :3] = np.maximum(light - 1, 0)[..., None] * base * 0.9 + white[..., None]
    # On black, only reflections show a form.
    if luminance(tuple(base)) < 0.2:
        layer[..., :3] += (np.clip(light - 0.8, 0, 1) * 0.10)[..., None]
    _lay(brush, path, window, layer)


def plate(
    brush: Brush,
    path: skia.Path,
    shade: Shade = SILVER,
    rounding: float = 0.02,
    height: float = 1.0,
    grooves: Sequence[Groove] = (),
    below: float = 0.5,
) -> None:
    """Fill a path as polished metal that mirrors a bright room with a dark horizon."""
    relief = _relief(path, rounding, height, grooves)
    if relief is None:
        return
    window, mask, (across, down, out) = relief
    if below:
        shade_below(brush, path, below, 0.012)
    slope = -down * 0.85 - across * 0.45
    room = 0.62 + 0.42 * np.tanh((slope - 0.02) * 4.0)
    room += 0.50 * np.exp(-(((slope + 0.50) / 0.16) ** 2))
    room += 0.45 * np.exp(-(((slope - 0.30) / 0.10) ** 2))
    room = np.clip(room, 0.14, 1.6)[..., None]
    tone = np.array(shade) * room
    tone = np.where(tone > 0.9, 0.9 + (tone - 0.9) * 0.5, tone) + np.clip(room - 1.1, 0, 1) * 0.5
    layer = np.concatenate([np.clip(tone, 0, 1), np.ones((*mask.shape, 1))], axis=-1)
    brush.canvas.drawPath(path, skia.Paint(AntiAlias=True, Color=ink(darker(shade, 0.3))))
    _lay(brush, path, window, layer)


def within(brush: Brush, path: skia.Path):
    """Clip what is drawn in a ``with`` block to the path."""
    return _Clip(brush, path)


class _Clip:
    def __init__(self, brush: Brush, path: skia.Path) -> None:
        self.canvas, self.path = brush.canvas, path

    def __enter__(self) -> None:
        self.canvas.save()
        self.canvas.clipPath(self.path, skia.ClipOp.kIntersect, True)

    def __exit__(self, *_) -> None:
        self.canvas.restore()


def pair(brush: Brush, draw_one: Callable[[Brush], str], back: tuple[float, float] = (0.08, -0.07)):
    """Draw the same shoe twice, the far one further back, and return its words."""
    chance = brush.rng.bit_generator.state
    words = ""
    for dx, dy, scale in ((back[0], back[1], 0.86), (-0.045, 0.07, 0.90)):
        brush.rng.bit_generator.state = chance  # the other shoe is the same shoe
        for canvas in (brush.canvas, brush.ground):
            canvas.save()
            canvas.translate(0.5 + dx, 0.5 + dy)
            canvas.scale(scale, scale)
            canvas.translate(-0.5, -0.55)
        words = draw_one(brush)
        for canvas in (brush.canvas, brush.ground):
            canvas.restore()
        if scale < 0.9:  # less light falls there
            veil = skia.Paint(Color=ink((0, 0, 0.02), 0.16), BlendMode=skia.BlendMode.kSrcATop)
            brush.canvas.drawPaint(veil)
    return words


def contrast(brush: Brush) -> Shade:
    """Return a shade of the product's own colour that is told apart from it."""
    if luminance(brush.shade) < 0.25:
        return lighter(brush.shade, 0.22)
    return darker(brush.shade, 0.28)
