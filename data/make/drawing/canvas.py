"""The studio in which the catalogue's products are drawn: colours, fabrics, light and pose.

A drawing is made in unit coordinates: (0, 0) is the upper left corner of the picture, (1, 1) the
lower right one. Keep a product within 0.10 to 0.90: the pose may enlarge it a little, and
encoders see only the central seven eighths of a picture. Light falls from the upper left.

A kind of product is one function that takes a `Brush`, draws, and returns the words of its
variation ("sleeveless midi"):

    @register("dress", "women's clothing", fitting_labels={"gown", "overskirt"})
    def dress(brush: Brush) -> str:
        body = brush.symmetric([(0.56, 0.15), (0.60, 0.40), (0.72, 0.85, 0)])
        brush.fill(body, form="cylinder", wrinkles=0.6)
        brush.seam([(0.4, 0.45), (0.6, 0.45)])
        return "sleeveless midi"

Requires skia-python (see data/make/requirements.txt).
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import skia
from PIL import Image

SIZE = 224
SUPERSAMPLING = 2

Shade = tuple[float, float, float]  # red, green, blue in [0, 1]
Point = tuple[float, ...]  # (x, y), or (x, y, 0) for a sharp corner

# The shades that a shop sells under each name: hue in degrees, saturation, lightness.
COLOURS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "black": ((0, 360), (0.0, 0.10), (0.07, 0.13)),
    "white": ((20, 60), (0.0, 0.20), (0.93, 0.97)),
    "grey": ((200, 230), (0.0, 0.05), (0.42, 0.62)),
    "red": ((349, 364), (0.68, 0.90), (0.38, 0.48)),
    "orange": ((19, 29), (0.85, 0.98), (0.48, 0.55)),
    "yellow": ((46, 54), (0.80, 0.98), (0.52, 0.62)),
    "green": ((100, 155), (0.35, 0.70), (0.26, 0.42)),
    "blue": ((210, 232), (0.50, 0.85), (0.30, 0.52)),
    "purple": ((266, 286), (0.40, 0.65), (0.34, 0.50)),
    "pink": ((328, 346), (0.60, 0.90), (0.68, 0.79)),
    "brown": ((17, 27), (0.38, 0.60), (0.20, 0.31)),
    "beige": ((32, 42), (0.30, 0.50), (0.71, 0.80)),
}
PATTERNS = ("plain", "striped", "dotted", "checked")
DEPARTMENTS = (
    "women's clothing",
    "men's clothing",
    "shoes",
    "bags",
    "jewellery",
    "watches",
    "accessories",
)

GOLD: Shade = (0.83, 0.66, 0.30)
SILVER: Shade = (0.74, 0.75, 0.78)
STEEL: Shade = (0.55, 0.57, 0.60)
TAN: Shade = (0.62, 0.40, 0.22)
DARK_BROWN: Shade = (0.27, 0.17, 0.11)
NEAR_BLACK: Shade = (0.10, 0.10, 0.11)
NEAR_WHITE: Shade = (0.95, 0.94, 0.92)
NAVY: Shade = (0.11, 0.15, 0.32)
CREAM: Shade = (0.94, 0.90, 0.80)

# What a pattern's second colour may be, by the product's colour.
_ACCENTS: dict[str, tuple[Shade, ...]] = {
    "black": (NEAR_WHITE, (0.75, 0.75, 0.77)),
    "white": (NAVY, (0.75, 0.12, 0.16), NEAR_BLACK, (0.25, 0.45, 0.75)),
    "grey": (NEAR_WHITE, NEAR_BLACK, (0.92, 0.90, 0.85)),
    "yellow": (NEAR_WHITE, NAVY, NEAR_BLACK),
    "pink": (NEAR_WHITE, NEAR_WHITE, (0.55, 0.10, 0.30)),
    "beige": (NEAR_WHITE, DARK_BROWN, NAVY),
    "brown": (CREAM, CREAM, (0.80, 0.65, 0.45)),
    "orange": (NEAR_WHITE, NAVY),
}

_BANK_SIDE = 512  # pixels of a texture for one unit of the canvas


def hsl(hue: float, saturation: float, lightness: float) -> Shade:
    """Return the shade of a hue in degrees, and saturation and lightness in [0, 1]."""
    return colorsys.hls_to_rgb(hue % 360 / 360, lightness, saturation)


def mix(one: Shade, other: Shade, share: float) -> Shade:
    """Return ``one`` with a ``share`` of ``other`` in it."""
    return tuple(a + (b - a) * share for a, b in zip(one, other, strict=True))


def darker(shade: Shade, amount: float = 0.3) -> Shade:
    """Return the shade as it looks in shadow: towards a deep version of its own hue."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*shade)
    return mix(shade, colorsys.hls_to_rgb(hue, lightness * 0.12, saturation * 0.8), amount)


def lighter(shade: Shade, amount: float = 0.3) -> Shade:
    """Return the shade as it looks in the light."""
    return mix(shade, (1.0, 1.0, 1.0), amount)


def luminance(shade: Shade) -> float:
    """Return how light a shade looks, in [0, 1]."""
    return 0.3 * shade[0] + 0.59 * shade[1] + 0.11 * shade[2]


def ink(shade: Shade, alpha: float = 1.0) -> int:
    """Return the skia colour of a shade."""
    red, green, blue = (int(round(255 * min(1.0, max(0.0, value)))) for value in shade)
    return skia.Color(red, green, blue, int(round(255 * min(1.0, max(0.0, alpha)))))


# ---------------------------------------------------------------------------------- paths


def curve(points: Sequence[Point], closed: bool = True) -> skia.Path:
    """Return a smooth path through the points (Catmull-Rom); ``(x, y, 0)`` is a sharp corner."""
    path = skia.Path()
    places = [np.array(point[:2], dtype=float) for point in points]
    sharp = [len(point) > 2 for point in points]
    count = len(places)

    def handle(index: int) -> np.ndarray:
        if sharp[index] or (not closed and index in (0, count - 1)):
            return np.zeros(2)
        before, here = places[index - 1], places[index]
        after = places[(index + 1) % count]
        tangent = after - before
        length = float(np.hypot(*tangent)) or 1.0
        # As long as the shorter neighbour allows, so that uneven spacing makes no loops.
        reach = min(np.hypot(*(here - before)), np.hypot(*(after - here))) / 3
        return tangent / length * reach * 1.1

    path.moveTo(*map(float, places[0]))
    for index in range(count if closed else count - 1):
        after = (index + 1) % count
        first = places[index] + handle(index)
        second = places[after] - handle(after)
        path.cubicTo(*(float(value) for value in (*first, *second, *places[after])))
    if closed:
        path.close()
    return path


def flipped(points: Iterable[Point], axis: float = 0.5) -> list[Point]:
    """Return the points mirrored at the vertical line ``x = axis``."""
    return [(2 * axis - point[0], *point[1:]) for point in points]


def symmetric(points: Sequence[Point], axis: float = 0.5) -> skia.Path:
    """Return a closed path from its right half, top to bottom, mirrored at ``x = axis``."""
    aside = [point for point in points if point[0] != axis]  # points on the axis stay single
    return curve([*points, *reversed(flipped(aside, axis))])


def polygon(points: Sequence[Point]) -> skia.Path:
    """Return a closed path with straight sides."""
    return curve([(x, y, 0) for x, y in points])


def circle(x: float, y: float, radius: float) -> skia.Path:
    """Return a circle."""
    return oval(x, y, radius, radius)


def oval(x: float, y: float, radius_x: float, radius_y: float) -> skia.Path:
    """Return an ellipse."""
    path = skia.Path()
    path.addOval(skia.Rect(x - radius_x, y - radius_y, x + radius_x, y + radius_y))
    return path


def box(left: float, top: float, right: float, bottom: float, radius: float = 0.0) -> skia.Path:
    """Return a rectangle with rounded corners."""
    path = skia.Path()
    path.addRoundRect(skia.Rect(left, top, right, bottom), radius, radius)
    return path


def union(*paths: skia.Path) -> skia.Path:
    """Return what lies in any of the paths."""
    whole = paths[0]
    for path in paths[1:]:
        whole = skia.Op(whole, path, skia.PathOp.kUnion_PathOp)
    return whole


def minus(one: skia.Path, other: skia.Path) -> skia.Path:
    """Return what lies in one path and not in the other."""
    return skia.Op(one, other, skia.PathOp.kDifference_PathOp)


def common(one: skia.Path, other: skia.Path) -> skia.Path:
    """Return what lies in both paths."""
    return skia.Op(one, other, skia.PathOp.kIntersect_PathOp)


def band(points: Sequence[Point], width: float, closed: bool = False, cap: str = "butt"):
    """Return a strap, chain or handle: the smooth line through the points, ``width`` wide."""
    line = points if isinstance(points, skia.Path) else curve(points, closed)
    paint = skia.Paint(Style=skia.Paint.kStroke_Style, StrokeWidth=width)
    paint.setStrokeCap(
        {"butt": skia.Paint.kButt_Cap, "round": skia.Paint.kRound_Cap}.get(cap)
        or skia.Paint.kSquare_Cap
    )
    paint.setStrokeJoin(skia.Paint.kRound_Join)
    # Outlined at a large scale: skia flattens curves to the precision of one pixel.
    large = skia.Path(line)
    large.transform(skia.Matrix.Scale(1000, 1000))
    paint.setStrokeWidth(1000 * width)
    outline = skia.Path()
    paint.getFillPath(large, outline)
    outline.transform(skia.Matrix.Scale(0.001, 0.001))
    return skia.Simplify(outline)


def along(points: Sequence[Point], step: float) -> list[tuple[float, float, float]]:
    """Return ``(x, y, angle in degrees)`` every ``step`` along the smooth line."""
    path = points if isinstance(points, skia.Path) else curve(points, closed=False)
    large = skia.Path(path)
    large.transform(skia.Matrix.Scale(1000, 1000))
    measure = skia.PathMeasure(large, False)
    found = []
    for distance in np.arange(0.0, measure.getLength(), step * 1000):
        place, tangent = measure.getPosTan(float(distance))
        angle = float(np.degrees(np.arctan2(tangent.y(), tangent.x())))
        found.append((place.x() / 1000, place.y() / 1000, angle))
    return found


# ------------------------------------------------------------------------------- textures


def _smooth_noise(rng: np.random.Generator, side: int, across: float, down: float) -> np.ndarray:
    """Return noise in [-1, 1] with that many bumps across and down the picture."""
    grid = rng.normal(size=(max(2, int(down) + 2), max(2, int(across) + 2)))
    image = Image.fromarray(grid.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    noise = np.asarray(image)
    return noise / (np.abs(noise).max() + 1e-6)


def _blurred(values: np.ndarray, radius: float) -> np.ndarray:
    """Return the values blurred with a Gaussian that wraps around the edges."""
    down = np.fft.fftfreq(values.shape[0])[:, None]
    across = np.fft.rfftfreq(values.shape[1])[None, :]
    kernel = np.exp(-2 * (np.pi * radius) ** 2 * (down**2 + across**2))
    return np.fft.irfft2(np.fft.rfft2(values) * kernel, s=values.shape)


def _lit(height: np.ndarray, strength: float) -> np.ndarray:
    """Return how light a surface of that height looks under light from the upper left."""
    down, across = np.gradient(height)
    slope = -(0.8 * across + 0.6 * down)
    slope = slope / (3.0 * slope.std() + 1e-9)
    return np.clip(0.5 + strength * np.tanh(slope * 1.4) * 0.5, 0, 1)


def _grey_image(values: np.ndarray) -> skia.Image:
    grey = np.clip(values * 255, 0, 255).astype(np.uint8)
    alpha = np.full_like(grey, 255)
    stacked = np.ascontiguousarray(np.stack([grey, grey, grey, alpha], axis=-1))
    return skia.Image.fromarray(stacked, colorType=skia.kRGBA_8888_ColorType)


@cache
def _wrinkle_bank(direction: str) -> tuple[skia.Image, ...]:
    """Return pictures of lit folds: "hanging" (down), "across" or "crumpled"."""
    bank = []
    for seed in range(10):
        rng = np.random.default_rng([seed, len(direction)])
        side = 256
        if direction == "crumpled":
            scales = [(3, 3, 1.0), (6, 6, 0.5), (12, 12, 0.18)]
        else:
            scales = [(5, 1.4, 1.0), (9, 2.5, 0.5), (16, 4, 0.2)]
        height = sum(
            weight * (1 - np.abs(_smooth_noise(rng, side, across, down)))  # ridges: creases
            + 0.8 * weight * _smooth_noise(rng, side, across, down)
            for across, down, weight in scales
        )
        lit = _lit(_blurred(height, 2.0), 1.0)
        # Matt cloth: deep in the creases, hardly brighter on the ridges.
        lit = np.where(lit > 0.5, 0.5 + 0.45 * (lit - 0.5), lit)
        bank.append(_grey_image(lit.T if direction == "across" else lit))
    return tuple(bank)


@cache
def _texture(name: str) -> skia.Image:
    """Return a fine surface: weave, knit, denim, leather, rib, straw, fur, satin, suede, mesh."""
    rng = np.random.default_rng(sum(map(ord, name)))
    side = _BANK_SIDE
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    noise = rng.normal(size=(side, side)).astype(np.float32)

    def blurred(values: np.ndarray, radius: float) -> np.ndarray:
        soft = _blurred(values, radius)
        return soft / (soft.std() + 1e-9)

    if name == "knit":
        # Columns of V-shaped loops.
        column = (x % 12) / 12 - 0.5
        row = (y + np.abs(column) * 14) % 9 / 9
        height = np.cos(column * 2 * np.pi) * 0.8 + np.cos(row * 2 * np.pi) * 0.9
        values = 0.5 + 0.15 * height + 0.06 * blurred(noise, 1)
    elif name == "rib":
        values = 0.5 + 0.22 * np.cos(x / 10 * 2 * np.pi) + 0.05 * blurred(noise, 1)
    elif name == "denim":
        twill = np.sin((x + y) * 2 * np.pi / 5)
        values = 0.5 + 0.05 * twill + 0.05 * noise + 0.04 * blurred(noise, 1.2)
        values += 0.02 * blurred(noise, 18)
    elif name == "leather":
        height = blurred(noise, 2.2) + 0.6 * blurred(rng.normal(size=noise.shape), 4.5)
        values = 0.5 + 0.35 * (_lit(np.abs(height), 1.0) - 0.5)
    elif name == "straw":
        checker = np.sin(x * 2 * np.pi / 14) * np.sin(y * 2 * np.pi / 10)
        values = 0.5 + 0.28 * checker + 0.08 * blurred(noise, 1)
    elif name == "fur":
        tufts = Image.fromarray(noise).resize((side, side // 8)).resize((side, side))
        values = 0.5 + 0.18 * blurred(np.asarray(tufts), 1.2) + 0.08 * blurred(noise, 6)
    elif name == "satin":
        values = 0.5 + 0.015 * blurred(noise, 1)
    elif name == "suede":
        values = 0.5 + 0.05 * noise + 0.04 * blurred(noise, 6)
    elif name == "mesh":
        holes = np.cos(x * 2 * np.pi / 10) * np.cos(y * 2 * np.pi / 10)
        values = 0.5 - 0.25 * (holes > 0.35) + 0.04 * blurred(noise, 1)
    else:  # weave
        cross = np.sin(x * 2 * np.pi / 4) + np.sin(y * 2 * np.pi / 4)
        values = 0.5 + 0.02 * cross + 0.024 * noise + 0.013 * blurred(noise, 1.5)
    return _grey_image(values)


_LINEAR = skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear)


# ---------------------------------------------------------------------------------- brush


class Brush:
    """Draws one product of a colour and a pattern, in a random pose on a slight background.

    Attributes
    ----------
    rng : numpy.random.Generator
        All of a drawing's chance; the same generator state makes the same drawing.
    colour, pattern : str
        What the catalogue says about the product.
    shade : tuple
        The product's own shade of its colour. `fill` uses it unless told otherwise.
    accent : tuple
        The pattern's second colour, also good for contrasting trims.
    """

    def __init__(
        self, rng: np.random.Generator, colour: str, pattern: str = "plain", tilt: float = 3.0
    ) -> None:
        self.rng, self.colour, self.pattern = rng, colour, pattern
        hue, saturation, lightness = (rng.uniform(*span) for span in COLOURS[colour])
        self.shade: Shade = hsl(hue, saturation, lightness)
        accents = _ACCENTS.get(colour, (NEAR_WHITE, NEAR_WHITE, CREAM))
        self.accent: Shade = accents[rng.integers(len(accents))]
        self._pitch = rng.uniform(0.7, 1.3)
        self._stripe_turn = float(rng.choice([0.0, 0.0, 90.0, 90.0, 45.0]))
        side = SIZE * SUPERSAMPLING
        self._ground_surface = skia.Surface(side, side)
        self._surface = skia.Surface(side, side)
        self.ground = self._ground_surface.getCanvas()
        self.canvas = self._surface.getCanvas()
        self._draw_background()
        self.canvas.clear(skia.ColorTRANSPARENT)
        pose = self._pose(tilt)
        self.canvas.concat(pose)
        self.ground.concat(pose)
        self._tile: skia.Image | None = None

    # -- chance

    def pick(self, *options):
        """Return one of the options."""
        return options[int(self.rng.integers(len(options)))]

    def between(self, low: float, high: float) -> float:
        """Return a number from low to high."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """Return True with that probability."""
        return bool(self.rng.random() < probability)

    def stripes(self, turn: float, width: float | None = None) -> None:
        """Let stripes run at ``turn`` degrees (90 is upright), ``width`` apart (a suit's)."""
        self._stripe_turn = turn
        if self.pattern == "striped" and width is not None:
            self._tile = self._pattern_tile(thin=True)
            self._tile_span = width

    # -- what surrounds the product

    def _draw_background(self) -> None:
        side = SIZE * SUPERSAMPLING
        choice = self.rng.random()
        pale = self.colour in ("white", "beige")
        if choice < (0.15 if pale else 0.60):
            base = (1.0, 1.0, 1.0)
        elif choice < 0.85:
            base = hsl(self.between(200, 230), 0.06, self.between(0.84, 0.93))
        else:
            base = hsl(self.between(30, 45), 0.25, self.between(0.86, 0.94))
        if self.colour == "white":
            base = darker(base, 0.07)
        if self.colour == "beige" and base[0] > base[2] + 0.02:
            base = hsl(210, 0.05, 0.92)
        self._background = base
        self.ground.clear(ink(base))
        if base != (1.0, 1.0, 1.0):
            paint = skia.Paint(Dither=True)
            paint.setShader(
                skia.GradientShader.MakeRadial(
                    skia.Point(side * self.between(0.35, 0.65), side * self.between(0.3, 0.5)),
                    side * 0.85,
                    [ink((1, 1, 1), self.between(0.2, 0.6)), ink(darker(base, 0.25), 0.30)],
                )
            )
            self.ground.drawPaint(paint)

    def _pose(self, tilt: float) -> skia.Matrix:
        """Place the product as shops do: larger or smaller, off the centre, leaning, mirrored."""
        side = SIZE * SUPERSAMPLING
        angle = float(np.clip(self.rng.normal(0, tilt / 2), -tilt, tilt))
        angle += 10 * self.between(-1, 1) ** 3  # most lean a little, some a good deal
        scale = 1.02 - 0.34 * float(self.rng.beta(1.2, 1.8))
        room = max(0.0, 0.42 * (1 - scale)) + 0.015  # how far the product may leave the centre
        matrix = skia.Matrix()
        matrix.setScale(side, side)
        matrix.preTranslate(0.5 + self.between(-room, room), 0.5 + self.between(-room, room))
        matrix.preRotate(angle)
        matrix.preScale(scale * self.between(0.94, 1.06), scale)
        matrix.preSkew(self.between(-0.05, 0.05), 0)
        bent = skia.Matrix()
        bent.setPerspX(self.between(-0.08, 0.08))
        bent.setPerspY(self.between(-0.06, 0.06))
        matrix.preConcat(bent)
        if self.chance(0.5):
            matrix.preScale(-1, 1)
        matrix.preTranslate(-0.5, -0.5)
        return matrix

    def ground_shadow(
        self, left: float, right: float, y: float, height: float = 0.025, strength: float = 0.35
    ) -> None:
        """Lay the shadow of something that stands on the ground, from left to right at y."""
        for spread, share in ((2.2, 0.45), (0.9, 0.7)):
            paint = skia.Paint(AntiAlias=True, Color=ink((0.1, 0.1, 0.13), strength * share))
            paint.setMaskFilter(
                skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, height * spread * 0.7)
            )
            rect = skia.Rect(left, y - height * spread / 2, right, y + height * spread / 2)
            self.ground.drawOval(rect, paint)

    def soft_shadow(
        self, path: skia.Path, dx: float = 0.012, dy: float = 0.018, strength: float = 0.3
    ) -> None:
        """Lay the soft shadow of a path on the background (every product gets a faint one)."""
        paint = skia.Paint(AntiAlias=True, Color=ink((0.1, 0.1, 0.13), strength))
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.015))
        shifted = skia.Path(path)
        shifted.offset(dx, dy)
        self.ground.drawPath(shifted, paint)

    # -- surfaces

    def fill(
        self,
        path: skia.Path,
        shade: Shade | None = None,
        pattern: bool = True,
        texture: str = "weave",
        grain: float = 1.0,
        form: str = "flat",
        volume: float = 0.5,
        wrinkles: float = 0.4,
        drape: str = "hanging",
        edge: float = 0.4,
        turn: float = 0.0,
        shine: float = 0.0,
    ) -> None:
        """Fill a path with the product's fabric, lit from the upper left.

        Parameters
        ----------
        shade : another colour than the product's; such a part carries no pattern.
        pattern : False leaves the pattern out (collars, ribbing).
        texture : weave, knit, rib, denim, leather, straw, fur, satin, suede or mesh.
        grain : how strongly the texture shows.
        form : "flat", "cylinder" (dark at left and right), "tube" (dark at top and bottom),
            "sphere", "down" (darker downwards) or "up".
        volume : how strong the light and dark of the form is, 0 to 1.
        wrinkles : how strong the folds are, 0 to 1.
        drape : "hanging", "across" or "crumpled" folds.
        edge : how dark the rim is, 0 to 1.
        turn : degrees by which pattern, texture and folds are turned (along a sleeve).
        shine : a glossy reflection, 0 to 1 (leather, satin, patent).
        """
        patterned = shade is None and pattern and self.pattern != "plain"
        shade = self.shade if shade is None else shade
        canvas, bounds = self.canvas, path.computeTightBounds()
        deep = darker(shade, 0.85)
        # On dark fabric, light is what shows a form; on light fabric, shadow is.
        dim = 0.55 + 0.45 * luminance(shade)
        glow = 0.30 if luminance(shade) < 0.25 else 0.42
        canvas.save()
        canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        canvas.drawPaint(skia.Paint(Color=ink(shade)))
        if patterned:
            canvas.drawPaint(skia.Paint(Shader=self._pattern_shader(turn)))
        self._overlay(_texture(texture), min(1.0, 0.6 * grain * dim), turn, jitter=True)
        if wrinkles > 0:
            bank = _wrinkle_bank(drape)
            image = bank[int(self.rng.integers(len(bank)))]
            self._overlay(image, min(1.0, 0.62 * wrinkles), turn, bounds=bounds)
        self._model(bounds, form, volume, deep, dim, glow)
        # The rim turns away from the light: dark inside the edge, most at the lower right.
        width = 0.10 * min(1.0, 2.5 * min(bounds.width(), bounds.height()))
        for offset, blur, strength in ((-0.25, 0.5, 0.36), (-0.05, 0.16, 0.22)):
            paint = skia.Paint(
                AntiAlias=True,
                Style=skia.Paint.kStroke_Style,
                StrokeWidth=width * (0.5 if blur > 0.3 else 0.25),
                Color=ink(deep, strength * edge * 1.5 * dim),
            )
            paint.setMaskFilter(
                skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, max(width * blur * 0.5, 1e-3))
            )
            canvas.save()
            canvas.translate(offset * width * 0.5, offset * width * 0.5)
            canvas.drawPath(path, paint)
            canvas.restore()
        if shine > 0:
            self._shine(bounds, shine, glow)
        canvas.restore()
        line = skia.Paint(
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=0.0030,
            Color=ink(deep, 0.45 * edge),
        )
        canvas.drawPath(path, line)

    def _overlay(
        self,
        image: skia.Image,
        strength: float,
        turn: float,
        bounds: skia.Rect | None = None,
        jitter: bool = False,
    ) -> None:
        """Lay a grey picture over what is clipped: dark darkens, light lightens, grey nothing."""
        matrix = skia.Matrix()
        if bounds is None:
            scale = 1.0 / image.width()
            matrix.setRotate(turn, 0.5, 0.5)
            if jitter:
                matrix.preTranslate(self.between(-0.1, 0.1), self.between(-0.1, 0.1))
            matrix.preScale(scale, scale)
        else:
            reach = max(bounds.width(), bounds.height(), 0.12) * 1.15
            matrix.setRotate(turn, bounds.centerX(), bounds.centerY())
            matrix.preTranslate(bounds.centerX() - reach / 2, bounds.centerY() - reach / 2)
            matrix.preScale(reach / image.width(), reach / image.height())
        mirror = skia.TileMode.kMirror
        paint = skia.Paint(
            Shader=image.makeShader(mirror, mirror, _LINEAR, matrix),
            BlendMode=skia.BlendMode.kHardLight,
            Alphaf=strength,
        )
        self.canvas.drawPaint(paint)

    def _model(
        self, bounds: skia.Rect, form: str, volume: float, deep: Shade, dim: float, glow: float
    ) -> None:
        """Lay the large light and dark of a form over what is clipped."""
        if form == "none" or volume <= 0:
            return
        left, top, right, bottom = bounds.left(), bounds.top(), bounds.right(), bounds.bottom()
        dark = ink(deep, 0.75 * volume * dim)
        faint = ink(deep, 0.30 * volume * dim)
        clear = ink(deep, 0.0)
        light = ink((1, 1, 1), glow * volume)
        unlit = ink((1, 1, 1), 0.0)
        linear, point = skia.GradientShader.MakeLinear, skia.Point
        if form in ("cylinder", "tube"):
            ends = (
                [point(left, top), point(right, top)]
                if form == "cylinder"
                else [point(left, top), point(left, bottom)]
            )
            shaders = [
                linear(ends, [faint, clear, clear, faint, dark], [0.0, 0.2, 0.55, 0.8, 1.0]),
                linear(ends, [unlit, light, unlit, unlit], [0.05, 0.33, 0.6, 1.0]),
            ]
        elif form == "sphere":
            reach = 0.75 * max(right - left, bottom - top)
            middle = point(left + 0.38 * (right - left), top + 0.32 * (bottom - top))
            radial = skia.GradientShader.MakeRadial
            shaders = [
                radial(middle, reach, [clear, faint, dark], [0.25, 0.6, 1.0]),
                radial(middle, reach * 0.6, [light, unlit]),
            ]
        elif form in ("down", "up"):
            ends = [point(left, top), point(left, bottom)]
            if form == "up":
                ends.reverse()
            shaders = [
                linear(ends, [clear, faint, dark], [0.2, 0.6, 1.0]),
                linear(ends, [light, unlit], [0.0, 0.5]),
            ]
        else:
            ends = [point(left, top), point(right, bottom)]
            shaders = [
                linear(ends, [clear, clear, faint], [0.0, 0.4, 1.0]),
                linear(ends, [light, unlit], [0.0, 0.6]),
            ]
        for shader in shaders:
            self.canvas.drawPaint(skia.Paint(Shader=shader, Dither=True))

    def _shine(self, bounds: skia.Rect, strength: float, glow: float) -> None:
        left, top = bounds.left(), bounds.top()
        width, height = bounds.width(), bounds.height()
        for x, y, size in ((0.32, 0.25, 1.0), (0.7, 0.6, 0.5)):
            paint = skia.Paint(AntiAlias=True, Color=ink((1, 1, 1), glow * 1.3 * strength * size))
            reach = 0.12 * min(width, height)
            paint.setMaskFilter(
                skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, max(reach * 0.8, 1e-3))
            )
            cx, cy = left + width * x, top + height * y
            self.canvas.drawOval(
                skia.Rect(
                    cx - width * 0.16, cy - height * 0.16, cx + width * 0.16, cy + height * 0.16
                ),
                paint,
            )

    def _pattern_shader(self, turn: float) -> skia.Shader:
        if self._tile is None:
            self._tile = self._pattern_tile()
            spans = {"striped": (0.045, 0.09), "dotted": (0.05, 0.085), "checked": (0.06, 0.12)}
            self._tile_span = self.between(*spans[self.pattern])
        matrix = skia.Matrix()
        own = self._stripe_turn if self.pattern == "striped" else 0.0
        matrix.setRotate(turn + own, 0.5, 0.5)
        matrix.preScale(self._tile_span / self._tile.width(), self._tile_span / self._tile.height())
        repeat = skia.TileMode.kRepeat
        return self._tile.makeShader(repeat, repeat, _LINEAR, matrix)

    def _pattern_tile(self, thin: bool = False) -> skia.Image:
        side = 128
        surface = skia.Surface(side, side)
        canvas = surface.getCanvas()
        canvas.clear(skia.ColorTRANSPARENT)
        paint = skia.Paint(AntiAlias=True, Color=ink(self.accent, 0.95))
        if self.pattern == "striped":
            share = 0.08 if thin else self.between(0.22, 0.40)
            canvas.drawRect(skia.Rect(0, 0, side, side * share), paint)
            if not thin and self.chance(0.3):
                middle = side * (0.5 + share / 2)
                canvas.drawRect(skia.Rect(0, middle - 6, side, middle + 6), paint)
        elif self.pattern == "dotted":
            radius = side * self.between(0.15, 0.21)
            for x, y in ((0.25, 0.25), (0.75, 0.75)):
                canvas.drawCircle(side * x, side * y, radius, paint)
        else:
            share = self.between(0.28, 0.42)
            lined = self.chance(0.5)
            for upright in (False, True):
                veil = skia.Paint(Color=ink(self.accent, 0.42))
                fine = skia.Paint(Color=ink(darker(self.shade, 0.5), 0.6))
                span = (0, side * share)
                edges = (side * (share + 0.25), side * (share + 0.30))
                for (low, high), brush in (((span), veil), ((edges), fine)):
                    if brush is fine and not lined:
                        continue
                    rect = (low, 0, high, side) if upright else (0, low, side, high)
                    canvas.drawRect(skia.Rect(*rect), brush)
        return surface.makeImageSnapshot()

    # -- details

    def inside(self, path: skia.Path, amount: float = 0.45) -> None:
        """Fill what is seen of the product's inside (a neckline's back, a sleeve's opening)."""
        self.fill(
            path, shade=darker(self.shade, amount), form="up", volume=0.7, wrinkles=0.1, edge=0.5
        )

    def _line(
        self, points, width: float, colour: int, blur: float = 0.0, closed: bool = False
    ) -> None:
        path = points if isinstance(points, skia.Path) else curve(points, closed)
        paint = skia.Paint(
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=width,
            Color=colour,
            StrokeCap=skia.Paint.kRound_Cap,
        )
        if blur > 0:
            paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
        self.canvas.drawPath(path, paint)

    def line(self, points, width: float, shade: Shade, alpha: float = 1.0) -> None:
        """Draw a plain line (a watch's hand, a lace, a thread)."""
        self._line(points, width, ink(shade, alpha))

    def fold(self, points, width: float = 0.03, depth: float = 0.5, within=None) -> None:
        """Draw a fold: a soft shadow with a light ridge on its left. ``within`` clips it."""
        self._clipped(within)
        deep = darker(self.shade, 0.9)
        self._line(points, width, ink(deep, 0.55 * depth), blur=width * 0.45)
        self.canvas.save()
        self.canvas.translate(-width * 0.8, -width * 0.2)
        strength = 0.30 if luminance(self.shade) < 0.8 else 0.6
        self._line(points, width * 0.7, ink((1, 1, 1), strength * depth), blur=width * 0.4)
        self.canvas.restore()
        self._restored(within)

    def shadow(self, points, width: float = 0.04, strength: float = 0.5, within=None) -> None:
        """Draw a soft dark line: the shadow that one part casts on another."""
        self._clipped(within)
        self._line(points, width, ink((0.03, 0.03, 0.05), 0.7 * strength), blur=width * 0.5)
        self._restored(within)

    def highlight(self, points, width: float = 0.02, strength: float = 0.5, within=None) -> None:
        """Draw a soft light line: a reflection."""
        self._clipped(within)
        self._line(points, width, ink((1, 1, 1), 0.8 * strength), blur=width * 0.35)
        self._restored(within)

    def _clipped(self, within) -> None:
        if within is not None:
            self.canvas.save()
            self.canvas.clipPath(within, skia.ClipOp.kIntersect, True)

    def _restored(self, within) -> None:
        if within is not None:
            self.canvas.restore()

    def seam(self, points, strength: float = 0.6, within=None) -> None:
        """Draw a seam: a thin dark line with a faint light one beside it."""
        self._clipped(within)
        lift = 0.6 if luminance(self.shade) < 0.2 else 0.0
        deep = mix(darker(self.shade, 0.75), (0, 0, 0), lift)
        self._line(points, 0.005, ink(deep, strength))
        self._line(points, 0.014, ink(deep, 0.25 * strength), blur=0.006)
        self.canvas.save()
        self.canvas.translate(-0.004, -0.004)
        self._line(points, 0.003, ink((1, 1, 1), 0.28 * strength))
        self.canvas.restore()
        self._restored(within)

    def stitch(self, points, shade: Shade | None = None, length: float = 0.009) -> None:
        """Draw a dashed line of stitches."""
        if shade is None:
            dark = luminance(self.shade) < 0.35
            shade = lighter(self.shade, 0.4) if dark else darker(self.shade, 0.45)
        path = points if isinstance(points, skia.Path) else curve(points, closed=False)
        paint = skia.Paint(
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=0.0045,
            Color=ink(shade, 0.85),
        )
        paint.setPathEffect(skia.DashPathEffect.Make([length, length * 0.6], 0))
        self.canvas.drawPath(path, paint)

    def cast(self, path: skia.Path, strength: float = 0.5, reach: float = 0.02, within=None):
        """Draw the shadow that a part throws on what lies below it; draw the part afterwards."""
        self._clipped(within)
        paint = skia.Paint(AntiAlias=True, Color=ink((0.03, 0.03, 0.05), 0.7 * strength))
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, reach * 0.5))
        shifted = skia.Path(path)
        shifted.offset(reach * 0.4, reach * 0.6)
        self.canvas.drawPath(shifted, paint)
        self._restored(within)

    # -- trims

    def metal(self, path: skia.Path, shade: Shade = SILVER, turn: float = 20.0) -> None:
        """Fill a path with polished metal: bands of light and dark, a bright rim."""
        bounds = path.computeTightBounds()
        canvas = self.canvas
        canvas.save()
        canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        middle = skia.Point(bounds.centerX(), bounds.centerY())
        reach = 0.5 * float(np.hypot(bounds.width(), bounds.height()))
        angle = np.radians(90 + turn)
        dx, dy = reach * float(np.cos(angle)), reach * float(np.sin(angle))
        tones = [
            lighter(shade, 0.35),
            lighter(shade, 0.75),
            shade,
            darker(shade, 0.55),
            shade,
            lighter(shade, 0.6),
            darker(shade, 0.4),
        ]
        shader = skia.GradientShader.MakeLinear(
            [
                skia.Point(middle.x() - dx, middle.y() - dy),
                skia.Point(middle.x() + dx, middle.y() + dy),
            ],
            [ink(tone) for tone in tones],
            [0.0, 0.2, 0.38, 0.52, 0.66, 0.82, 1.0],
        )
        canvas.drawPaint(skia.Paint(Shader=shader, Dither=True))
        canvas.restore()
        self._line(path, 0.004, ink(darker(shade, 0.7), 0.7))

    def glass(self, path: skia.Path, tint: Shade = NEAR_BLACK, alpha: float = 0.9) -> None:
        """Fill a path with dark or clear glass and its reflection."""
        bounds = path.computeTightBounds()
        canvas = self.canvas
        canvas.save()
        canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        ends = [skia.Point(bounds.left(), bounds.top()), skia.Point(bounds.left(), bounds.bottom())]
        tones = [ink(darker(tint, 0.4), alpha), ink(lighter(tint, 0.25), alpha * 0.9)]
        canvas.drawPaint(skia.Paint(Shader=skia.GradientShader.MakeLinear(ends, tones)))
        left, top, width, height = (
            bounds.left(),
            bounds.top(),
            bounds.width(),
            bounds.height(),
        )
        gleam = polygon(
            [
                (left + width * 0.10, top + height * 0.75),
                (left + width * 0.45, top),
                (left + width * 0.66, top),
                (left + width * 0.28, top + height),
            ]
        )
        paint = skia.Paint(AntiAlias=True, Color=ink((1, 1, 1), 0.22))
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.006))
        canvas.drawPath(gleam, paint)
        canvas.restore()
        self._line(path, 0.004, ink((0, 0, 0), 0.5))

    def button(self, x: float, y: float, radius: float = 0.012, shade: Shade | None = None):
        """Sew on a button with four holes."""
        if shade is None:
            dark = luminance(self.shade) < 0.45
            shade = lighter(self.shade, 0.5) if dark else darker(self.shade, 0.45)
        disc = circle(x, y, radius)
        self.cast(disc, 0.6, radius * 0.9)
        self.fill(disc, shade=shade, form="sphere", wrinkles=0, texture="satin", volume=0.7)
        hole = ink(darker(shade, 0.8), 0.9)
        for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
            spot = circle(x + dx * radius * 0.28, y + dy * radius * 0.28, radius * 0.13)
            self.canvas.drawPath(spot, skia.Paint(AntiAlias=True, Color=hole))

    def zip(self, points, width: float = 0.016, shade: Shade = SILVER) -> None:
        """Draw a zip fastener: a dark tape, its metal teeth, and the pull at the first point."""
        self._line(points, width, ink(darker(self.shade, 0.6), 0.9))
        path = points if isinstance(points, skia.Path) else curve(points, closed=False)
        teeth = skia.Paint(
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=width * 0.5,
            Color=ink(shade),
        )
        teeth.setPathEffect(skia.DashPathEffect.Make([0.005, 0.004], 0))
        self.canvas.drawPath(path, teeth)
        if not isinstance(points, skia.Path):
            x, y = points[0][:2]
            self.metal(
                box(x - width * 0.4, y, x + width * 0.4, y + width * 2.2, width * 0.3), shade
            )

    def buckle(
        self, x: float, y: float, width: float, height: float, shade: Shade = SILVER
    ) -> None:
        """Draw a rectangular buckle with its prong, centred at (x, y)."""
        outer = box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, height * 0.15)
        rim = 0.18 * min(width, height)
        inner = box(
            x - width / 2 + rim, y - height / 2 + rim, x + width / 2 - rim, y + height / 2 - rim
        )
        frame = minus(outer, inner)
        self.cast(frame, 0.5, 0.01)
        self.metal(frame, shade)
        self.metal(box(x - width / 2, y - rim / 3, x + width * 0.35, y + rim / 3), shade)

    def ribbing(self, path: skia.Path, count: int, upright: bool = True, depth: float = 0.5):
        """Draw the ribs of a knitted cuff or hem across a path that is already filled."""
        bounds = path.computeTightBounds()
        for number in range(count):
            share = (number + 0.5) / count
            if upright:
                x = bounds.left() + bounds.width() * share
                ends = [(x, bounds.top() - 0.02), (x, bounds.bottom() + 0.02)]
                width = bounds.width() / count
            else:
                y = bounds.top() + bounds.height() * share
                ends = [(bounds.left() - 0.02, y), (bounds.right() + 0.02, y)]
                width = bounds.height() / count
            self.fold(ends, width * 0.4, depth, within=path)

    # -- the finished picture

    def picture(self) -> Image.Image:
        """Return the finished RGB picture of SIZE x SIZE."""
        self.ground.resetMatrix()
        product = self._surface.makeImageSnapshot()
        side = SIZE * SUPERSAMPLING
        for dx, dy, sigma, alpha in ((4, 7, 9, 0.16), (1.5, 2.5, 2.5, 0.16)):
            scale = side / 448
            paint = skia.Paint()
            paint.setImageFilter(
                skia.ImageFilters.DropShadow(
                    dx * scale,
                    dy * scale,
                    sigma * scale,
                    sigma * scale,
                    ink((0.08, 0.08, 0.12), alpha),
                )
            )
            self.ground.drawImage(product, 0, 0, skia.SamplingOptions(), paint)
        image = self._ground_surface.makeImageSnapshot()
        pixels = image.toarray(colorType=skia.kRGBA_8888_ColorType)[:, :, :3]
        small = Image.fromarray(np.ascontiguousarray(pixels)).reduce(SUPERSAMPLING)
        values = np.asarray(small, dtype=np.float32)
        grain = self.rng.normal(0, 1.0, size=(SIZE, SIZE, 1)).astype(np.float32)
        touched = np.any(values < 254, axis=-1, keepdims=True)  # a white background stays white
        values = values * self.between(0.97, 1.02) + grain * touched
        return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))

    # The paths' makers, at hand where a drawing needs them.
    curve = staticmethod(curve)
    symmetric = staticmethod(symmetric)
    polygon = staticmethod(polygon)
    circle = staticmethod(circle)
    oval = staticmethod(oval)
    box = staticmethod(box)
    band = staticmethod(band)
    along = staticmethod(along)
    union = staticmethod(union)
    minus = staticmethod(minus)
    common = staticmethod(common)


# ---------------------------------------------------------------------------------- kinds


@dataclass(frozen=True)
class Kind:
    """A kind of product and how to draw it.

    Attributes
    ----------
    name : the category, e.g. "dress".
    department : one of DEPARTMENTS.
    draw : draws with a Brush and returns the words of the variation, e.g. "sleeveless midi".
    fitting_labels : the ImageNet class names that fit, each the first synonym or the whole name.
    patterns : the patterns that make sense; plain is drawn most often.
    tilt : the largest rotation in degrees.
    noun : the word in the title, where it differs from the name.
    """

    name: str
    department: str
    draw: Callable[[Brush], str]
    fitting_labels: frozenset[str]
    patterns: tuple[str, ...] = PATTERNS
    tilt: float = 3.0
    noun: str = ""


@dataclass(frozen=True)
class Drawing:
    """One drawn product: the picture (RGB, SIZE x SIZE) and what the catalogue says of it."""

    image: Image.Image = field(repr=False)
    department: str
    category: str
    colour: str
    pattern: str
    title: str


KINDS: dict[str, Kind] = {}


def register(
    name: str,
    department: str,
    fitting_labels: Iterable[str],
    patterns: Sequence[str] = PATTERNS,
    tilt: float = 3.0,
    noun: str = "",
) -> Callable[[Callable[[Brush], str]], Callable[[Brush], str]]:
    """Enter the decorated function into KINDS as the way to draw a kind."""
    if department not in DEPARTMENTS:
        raise ValueError(f"{department!r} is no department; expected one of {DEPARTMENTS}.")

    def enter(function: Callable[[Brush], str]) -> Callable[[Brush], str]:
        KINDS[name] = Kind(
            name, department, function, frozenset(fitting_labels), tuple(patterns), tilt, noun
        )
        return function

    return enter


def draw(kind: str, colour: str, pattern: str, rng: np.random.Generator) -> Drawing:
    """Return a drawing of that kind, colour and pattern; all chance comes from ``rng``."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of product; expected one of {sorted(KINDS)}.")
    entry = KINDS[kind]
    brush = Brush(rng, colour, pattern, entry.tilt)
    words = entry.draw(brush).strip()
    noun = entry.noun or entry.name
    owner = {"women's clothing": "women's ", "men's clothing": "men's "}.get(entry.department, "")
    name = f"{owner}{words} {noun}".strip()
    title = f"{name[0].upper()}{name[1:]}, {colour}"
    if pattern != "plain":
        title += f", {pattern}"
    return Drawing(brush.picture(), entry.department, entry.name, colour, pattern, title)
