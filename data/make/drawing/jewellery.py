"""Jewellery and watches: necklaces, bracelets, rings and wristwatches."""

from __future__ import annotations

import numpy as np
import skia

from drawing.canvas import (
    GOLD,
    NEAR_BLACK,
    NEAR_WHITE,
    SILVER,
    Brush,
    Shade,
    box,
    circle,
    curve,
    darker,
    ink,
    lighter,
    luminance,
    minus,
    oval,
    polygon,
    register,
    symmetric,
)
from drawing.relief import contrast, plate, shade_below, solid, within

ROSE_GOLD: Shade = (0.84, 0.60, 0.50)


def _moved(path: skia.Path, x: float, y: float, angle: float = 0.0) -> skia.Path:
    """Return a path drawn round the origin, turned and moved to its place."""
    matrix = skia.Matrix()
    matrix.setTranslate(x, y)
    matrix.preRotate(angle)
    placed = skia.Path(path)
    placed.transform(matrix)
    return placed


def _chain(brush: Brush, points, metal: Shade, radius: float = 0.011) -> None:
    """Draw a fine chain of links along the line."""
    for number, (x, y, angle) in enumerate(brush.along(points, radius * 1.5)):
        if number % 2:
            link = box(-radius * 0.9, -radius * 0.26, radius * 0.9, radius * 0.26, radius * 0.2)
        else:
            link = minus(oval(0, 0, radius, radius * 0.7), oval(0, 0, radius * 0.6, radius * 0.33))
        brush.metal(_moved(link, x, y, angle), metal)


def _beads(brush: Brush, places, shade: Shade | None = None, gloss: float = 0.8) -> None:
    """Draw beads at ``(x, y, radius)``; every second one first, so that neighbours overlap."""
    for start in (0, 1):
        path = skia.Path()
        largest = 0.0
        for x, y, radius in places[start::2]:
            path.addCircle(x, y, radius)
            largest = max(largest, radius)
        solid(
            brush,
            path,
            shade,
            largest,
            1.0,
            gloss=gloss,
            focus=26,
            texture="satin",
            grain=0.2,
            below=0.5,
        )


def _gem(brush: Brush, x: float, y: float, wide: float, high: float, shade: Shade, sides: int = 12):
    """Draw a cut stone: facets round a table, each as light as it happens to face the room."""
    outline = oval(x, y, wide, high)
    shade_below(brush, outline, 0.5)
    canvas = brush.canvas
    canvas.drawPath(outline, skia.Paint(AntiAlias=True, Color=ink(darker(shade, 0.25))))
    turn = brush.between(0, 0.5)

    def at(step: float, reach: float) -> tuple[float, float]:
        angle = 2 * np.pi * (step + turn) / sides
        return x + wide * reach * float(np.cos(angle)), y + high * reach * float(np.sin(angle))

    for step in range(sides):
        for corners in (
            [at(step, 1.0), at(step + 1, 1.0), at(step + 0.5, 0.56)],
            [at(step + 0.5, 0.56), at(step + 1, 1.0), at(step + 1.5, 0.56)],
        ):
            angle = 2 * np.pi * (step + turn) / sides
            facing = -np.cos(angle - 0.9)
            amount = 0.35 * facing + brush.between(-0.35, 0.35)
            tone = (
                lighter(shade, min(amount, 0.8)) if amount > 0 else darker(shade, min(-amount, 0.7))
            )
            canvas.drawPath(polygon(corners), skia.Paint(AntiAlias=True, Color=ink(tone)))
    table = polygon([at(step + 0.5, 0.58) for step in range(sides)])
    canvas.drawPath(table, skia.Paint(AntiAlias=True, Color=ink(lighter(shade, 0.12))))
    gleam = polygon([at(sides * 0.50, 0.56), at(sides * 0.72, 0.56), at(sides * 0.62, 0.05)])
    with within(brush, table):
        canvas.drawPath(gleam, skia.Paint(AntiAlias=True, Color=ink((1, 1, 1), 0.45)))
        low = polygon([at(sides * 0.05, 0.56), at(sides * 0.22, 0.56), at(sides * 0.14, 0.1)])
        canvas.drawPath(low, skia.Paint(AntiAlias=True, Color=ink((1, 1, 1), 0.22)))
    brush.highlight(
        [(x - wide * 0.35, y - high * 0.38), (x - wide * 0.28, y - high * 0.42)], 0.012, 0.9
    )


def _set_stone(brush: Brush, x: float, y: float, wide: float, high: float, metal: Shade) -> None:
    """Draw a stone of the product's colour in a metal setting with claws."""
    plate(brush, oval(x, y, wide * 1.16, high * 1.16), metal, 0.014)
    _gem(brush, x, y, wide, high, brush.shade)
    for angle in (45, 135, 225, 315):
        dx, dy = float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle)))
        plate(
            brush,
            circle(x + wide * dx, y + high * dy, min(wide, high) * 0.13),
            metal,
            0.008,
            below=0.2,
        )


@register("necklace", "jewellery", {"necklace", "chain"}, patterns=("plain",), tilt=2.0)
def necklace(brush: Brush) -> str:
    style = brush.pick("beaded", "beaded", "pendant", "gemstone", "two-strand")
    metal = brush.pick(GOLD, SILVER, ROSE_GOLD, GOLD)
    wide, low = brush.between(0.27, 0.32), brush.between(0.78, 0.84)
    loop = [
        (0.5 - wide * 0.22, 0.125),
        (0.5 - wide * 0.75, 0.21),
        (0.5 - wide, 0.40),
        (0.5 - wide * 0.86, 0.60),
        (0.5 - wide * 0.48, low - 0.05),
        (0.5, low),
        (0.5 + wide * 0.48, low - 0.05),
        (0.5 + wide * 0.86, 0.60),
        (0.5 + wide, 0.40),
        (0.5 + wide * 0.75, 0.21),
        (0.5 + wide * 0.22, 0.125),
    ]
    if style == "pendant":
        loop = [(x, 0.125 + (y - 0.125) * 0.78) for x, y in loop]
        low = 0.125 + (low - 0.125) * 0.78
    clasp = [(0.5 - wide * 0.24, 0.127), (0.5, 0.112), (0.5 + wide * 0.24, 0.127)]

    def strand(scale: float, size: float, grow: float) -> None:
        points = [(0.5 + (x - 0.5) * scale, 0.125 + (y - 0.125) * scale) for x, y in loop]
        steps = brush.along(points, 0.002)
        places, spot = [], 0
        while spot < len(steps):
            x, y, _ = steps[spot]
            share = (y - 0.125) / (low - 0.125)
            radius = size * (1 + grow * share**2)
            places.append((x, y, radius))
            spot += int(radius * 1.94 / 0.002)
        brush.line(points, 0.006, darker(brush.shade, 0.5))
        _beads(brush, places)

    if style in ("beaded", "two-strand"):
        _chain(brush, clasp, metal)
        plate(brush, circle(0.5, 0.113, 0.018), metal, 0.018)
        if style == "two-strand":
            strand(0.80, 0.016, 0.4)
            strand(1.0, 0.017, 0.5)
        else:
            strand(1.0, brush.between(0.018, 0.030), brush.pick(0.0, 0.6, 0.8))
        return style
    _chain(brush, [*loop[:1], *loop[1:-1], *loop[-1:]], metal, 0.012)
    _chain(brush, clasp, metal, 0.012)
    if style == "pendant":
        shape = brush.pick("oval", "drop", "heart")
        y = low + 0.125
        plate(
            brush,
            minus(oval(0.5, low + 0.012, 0.014, 0.024), oval(0.5, low + 0.012, 0.007, 0.014)),
            metal,
            0.006,
        )
        if shape == "oval":
            _set_stone(brush, 0.5, y, 0.085, 0.105, metal)
        elif shape == "drop":
            drop = symmetric(
                [
                    (0.5, y - 0.11, 0),
                    (0.53, y - 0.05),
                    (0.585, y + 0.03),
                    (0.56, y + 0.095),
                    (0.5, y + 0.115),
                ]
            )
            plate(brush, drop, metal, 0.03)
            _gem(brush, 0.5, y + 0.03, 0.064, 0.068, brush.shade)
        else:
            heart = symmetric(
                [
                    (0.5, y - 0.06, 0),
                    (0.54, y - 0.095),
                    (0.60, y - 0.06),
                    (0.59, y + 0.01),
                    (0.5, y + 0.115, 0),
                ]
            )
            plate(brush, heart, metal, 0.03)
            small = symmetric(
                [
                    (0.5, y - 0.045, 0),
                    (0.538, y - 0.076),
                    (0.583, y - 0.05),
                    (0.574, y + 0.005),
                    (0.5, y + 0.092, 0),
                ]
            )
            solid(brush, small, None, 0.05, 1.0, gloss=0.9, patent=0.5, texture="satin", grain=0.2)
        for side in (-1, 1):
            for step in range(1, 4):
                place = brush.along(loop, 0.01)
                x, yy, _ = place[int(len(place) * (0.5 + side * 0.055 * step))]
                _set_stone(brush, x, yy, 0.021, 0.021, metal)
        return f"{shape} pendant"
    places = brush.along(loop, 0.01)
    count = 7
    for step in sorted(range(-count // 2 + 1, count // 2 + 1), key=abs, reverse=True):
        x, y, _ = places[int(len(places) * (0.5 + 0.078 * step))]
        size = 0.062 - 0.009 * abs(step)
        _set_stone(brush, x, y + size * 0.8, size * brush.between(0.92, 1.0), size, metal)
        if step % 2 == 0:
            plate(brush, circle(x, y + size * 2.1, 0.010), metal, 0.01)
            _set_stone(brush, x, y + size * 2.1 + 0.034, 0.020, 0.026, metal)
    return "gemstone"


@register("bracelet", "jewellery", {"necklace", "chain"}, patterns=("plain",), tilt=6.0)
def bracelet(brush: Brush) -> str:
    style = brush.pick("beaded", "beaded", "double", "charm")
    metal = brush.pick(GOLD, SILVER, ROSE_GOLD)
    wide, high = brush.between(0.33, 0.36), brush.between(0.25, 0.31)
    size = brush.between(0.030, 0.042)
    rings = [(0.5, 0.5, 1.0)] if style != "double" else [(0.5, 0.45, 0.95), (0.5, 0.56, 1.0)]
    for x, y, scale in rings:
        # far beads are smaller: a ring lying on a table, seen from above
        ring = [
            (x + wide * scale * float(np.cos(a)), y + high * scale * float(np.sin(a)))
            for a in np.linspace(-np.pi / 2, 1.5 * np.pi, 25)
        ]
        steps, spot, places = brush.along(ring, 0.002), 0, []
        while spot < len(steps) - 4:
            px, py, _ = steps[spot]
            radius = size * (1 + 0.14 * (py - y) / (high * scale))
            places.append((px, py, radius))
            spot += int(radius * 1.92 / 0.002)
        shadow = skia.Path()
        for px, py, radius in places:
            shadow.addCircle(px + 0.006, py + 0.02, radius)
        brush.soft_shadow(shadow, 0.0, 0.012, 0.4)
        _beads(brush, places)
        if style != "charm":
            for number, (px, py, radius) in enumerate(places):
                if number in (len(places) // 2, len(places) // 2 - 4) and brush.chance(0.8):
                    plate(brush, circle(px, py, radius * 1.06), metal, radius)
    if style == "charm":
        for angle in (55, 75, 90, 105, 125):
            px = 0.5 + wide * float(np.cos(np.radians(angle)))
            py = 0.5 + high * float(np.sin(np.radians(angle))) + 0.055
            plate(
                brush,
                minus(circle(px, py - 0.012, 0.018), circle(px, py - 0.012, 0.011)),
                metal,
                0.004,
            )
            if angle == 90:
                _set_stone(brush, px, py + 0.045, 0.034, 0.040, metal)
            else:
                plate(
                    brush,
                    brush.pick(circle(px, py + 0.032, 0.026), _star(px, py + 0.032, 0.034)),
                    metal,
                    0.012,
                )
    return style


def _star(x: float, y: float, radius: float) -> skia.Path:
    corners = []
    for step in range(10):
        reach = radius if step % 2 == 0 else radius * 0.45
        angle = np.pi * step / 5 - np.pi / 2
        corners.append((x + reach * float(np.cos(angle)), y + reach * float(np.sin(angle))))
    return polygon(corners)


def _face_the_reader(brush: Brush) -> None:
    """Undo a mirrored pose: figures must not be read backwards."""
    pose = brush.canvas.getTotalMatrix()
    if pose.getScaleX() * pose.getScaleY() < pose.getSkewX() * pose.getSkewY():
        for canvas in (brush.canvas, brush.ground):
            canvas.translate(1, 0)
            canvas.scale(-1, 1)


# The strokes of the figures, in a box of width 1 and height 1.6: no font is the same everywhere.
_STROKES = {
    "0": [[(0.5, 0), (1, 0.4), (1, 1.2), (0.5, 1.6), (0, 1.2), (0, 0.4), (0.5, 0)]],
    "1": [[(0.2, 0.35, 0), (0.6, 0, 0), (0.6, 1.6, 0)]],
    "2": [
        [(0.02, 0.4), (0.5, 0), (0.98, 0.4), (0.7, 0.9), (0, 1.6, 0)],
        [(0, 1.6, 0), (1, 1.6, 0)],
    ],
    "3": [[(0.05, 0.15), (0.6, 0), (0.9, 0.4), (0.4, 0.75, 0), (1, 1.15), (0.55, 1.6), (0, 1.4)]],
    "4": [[(0.75, 1.6, 0), (0.75, 0, 0), (0, 1.1, 0), (1.05, 1.1, 0)]],
    "5": [[(0.95, 0, 0), (0.15, 0, 0), (0.1, 0.7, 0), (0.6, 0.6), (1, 1.1), (0.5, 1.6), (0, 1.4)]],
    "6": [
        [(0.8, 0.02), (0.15, 0.7), (0.1, 1.25), (0.5, 1.6), (0.95, 1.2), (0.55, 0.75), (0.1, 1.1)]
    ],
    "7": [[(0, 0, 0), (1, 0, 0), (0.35, 1.6, 0)]],
    "8": [
        [
            (0.5, 0.72),
            (0.1, 0.36),
            (0.5, 0),
            (0.9, 0.36),
            (0.5, 0.72),
            (0, 1.16),
            (0.5, 1.6),
            (1, 1.16),
            (0.5, 0.72),
        ]
    ],
    "9": [[(0.9, 0.5), (0.45, 0.85), (0.05, 0.4), (0.5, 0), (0.9, 0.35), (0.85, 0.9), (0.2, 1.58)]],
}


def _number(brush: Brush, text: str, x: float, y: float, size: float, shade: Shade) -> None:
    """Write a number centred at (x, y), ``size`` high."""
    unit = size / 1.6
    left = x - (len(text) * 1.45 - 0.45) * unit / 2
    for place, figure in enumerate(text):
        for stroke in _STROKES[figure]:
            points = [
                (left + (place * 1.45 + px) * unit, y + (py - 0.8) * unit, *rest)
                for px, py, *rest in stroke
            ]
            brush.line(points, unit * 0.28, shade)


@register(
    "watch",
    "watches",
    {"digital watch", "stopwatch", "analog clock"},
    patterns=("plain", "striped"),
    tilt=7.0,
)
def watch(brush: Brush) -> str:
    _face_the_reader(brush)
    digital = brush.chance(0.35)
    metal = brush.pick(SILVER, SILVER, GOLD, ROSE_GOLD, (0.32, 0.33, 0.35))
    radius = brush.between(0.20, 0.235)
    strap = brush.pick("leather", "leather", "silicone", "links", "fabric")
    if digital:
        strap = brush.pick("silicone", "silicone", "fabric")
    half = radius * brush.between(0.50, 0.60)
    look = {
        "leather": dict(gloss=0.25, texture="leather", grain=0.5),
        "silicone": dict(gloss=0.2, texture="satin", grain=0.3, patent=0.1),
        "links": dict(gloss=0.6, texture="satin", grain=0.3, patent=0.5),
        "fabric": dict(gloss=0.03, texture="weave", grain=1.2),
    }[strap]
    look["pattern"] = strap == "fabric" or brush.pattern != "plain"
    middle = 0.5
    # the strap's two halves, above and below
    for side in (-1, 1):
        end = middle + side * 0.47
        piece = curve(
            [
                (0.5 - half, middle + side * radius * 0.7, 0),
                (0.5 - half * 0.86, end - side * 0.05),
                (0.5 - half * 0.74, end, 0),
                (0.5 + half * 0.74, end, 0),
                (0.5 + half * 0.86, end - side * 0.05),
                (0.5 + half, middle + side * radius * 0.7, 0),
            ]
        )
        cuts = []
        if strap == "links":
            for y in np.arange(radius * 0.9, 0.50, 0.040):
                cuts.append(
                    ([(0.5 - half, middle + side * y), (0.5 + half, middle + side * y)], 0.007, 1.6)
                )
            for x in (-0.42, 0.42):
                cuts.append(
                    (
                        [(0.5 + half * x, middle + side * radius * 0.7), (0.5 + half * x, end)],
                        0.006,
                        1.2,
                    )
                )
        elif strap == "silicone":
            for x in (-0.45, 0.45):
                cuts.append(
                    (
                        [(0.5 + half * x, middle + side * radius), (0.5 + half * x * 0.8, end)],
                        0.014,
                        1.2,
                    )
                )
        solid(brush, piece, None, 0.035, 0.8, below=0, grooves=cuts, **look)
        if strap in ("leather", "fabric"):
            for x in (-0.80, 0.80):
                brush.stitch(
                    [(0.5 + half * x, middle + side * radius * 0.9), (0.5 + half * x * 0.84, end)]
                )
        if strap != "links":
            if side == 1:
                for y in (0.36, 0.40, 0.44):
                    hole = oval(0.5, middle + y, 0.011, 0.013)
                    brush.canvas.drawPath(
                        hole, skia.Paint(AntiAlias=True, Color=ink(darker(brush.shade, 0.85)))
                    )
            else:
                loop = box(
                    0.5 - half * 0.95, middle - 0.40, 0.5 + half * 0.95, middle - 0.365, 0.008
                )
                solid(brush, loop, None, 0.014, 0.8, below=0.6, **look)
        paint = skia.Paint(
            AntiAlias=True, Color=ink((0, 0, 0), 0.30), BlendMode=skia.BlendMode.kSrcATop
        )
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.05))
        brush.canvas.drawRect(skia.Rect(0.1, end - 0.03, 0.9, end + 0.05), paint)
    dial_shade = brush.shade
    hands = NEAR_WHITE if luminance(dial_shade) < 0.55 else NEAR_BLACK
    if digital:
        return _digital(brush, metal, radius, half, look) + f" {strap}"
    # lugs, crown, case
    for side in (-1, 1):
        for x in (-1, 1):
            lug = curve(
                [
                    (0.5 + x * half * 1.12, middle + side * radius * 0.75, 0),
                    (0.5 + x * half * 1.10, middle + side * radius * 1.16),
                    (0.5 + x * half * 0.92, middle + side * radius * 1.18),
                    (0.5 + x * half * 0.80, middle + side * radius * 0.75, 0),
                ]
            )
            plate(brush, lug, metal, 0.015)
    crown = box(0.5 + radius * 0.95, middle - 0.028, 0.5 + radius + 0.040, middle + 0.028, 0.008)
    ribs = [
        ([(0.5 + radius, middle + y), (0.6 + radius, middle + y)], 0.004, 1.0)
        for y in (-0.016, -0.005, 0.006, 0.017)
    ]
    plate(brush, crown, metal, 0.015, grooves=ribs)
    chrono = brush.chance(0.35)
    if chrono:
        for angle in (-38, 38):
            x = radius * 1.04 * np.cos(np.radians(angle))
            y = radius * 1.04 * np.sin(np.radians(angle))
            plate(
                brush,
                _moved(
                    box(-0.02, -0.018, 0.03, 0.018, 0.006), 0.5 + float(x), middle + float(y), angle
                ),
                metal,
                0.01,
            )
    plate(brush, circle(0.5, middle, radius * 1.06), metal, 0.022)
    bezel = brush.pick("plain", "diver", "plain", "stones")
    face = radius * (0.78 if bezel != "plain" else 0.90)
    if bezel == "diver":
        solid(
            brush,
            circle(0.5, middle, radius * 0.99),
            darker(brush.shade, 0.25) if luminance(brush.shade) > 0.2 else None,
            0.02,
            0.6,
            gloss=0.5,
            texture="satin",
            grain=0.2,
            pattern=False,
        )
        for step in range(60):
            angle = np.radians(step * 6)
            long = 0.07 if step % 5 == 0 else 0.03
            points = [
                (
                    0.5 + radius * r * float(np.cos(angle)),
                    middle + radius * r * float(np.sin(angle)),
                )
                for r in (0.89 - long, 0.89 + long)
            ]
            brush.line(points, 0.0035 if step % 5 else 0.008, lighter(hands, 0.1), 0.9)
    elif bezel == "stones":
        for step in range(24):
            angle = np.radians(step * 15)
            _gem(
                brush,
                0.5 + radius * 0.92 * float(np.cos(angle)),
                middle + radius * 0.92 * float(np.sin(angle)),
                radius * 0.085,
                radius * 0.085,
                (0.88, 0.90, 0.93),
                8,
            )
    plate(brush, circle(0.5, middle, face * 1.05), metal, 0.012, below=0.3)
    pale = brush.chance(0.15) and brush.colour not in ("white", "black")
    if pale:
        dial_shade, hands = (0.95, 0.95, 0.94), NEAR_BLACK
    dial = circle(0.5, middle, face)
    solid(
        brush,
        dial,
        dial_shade,
        0.02,
        -0.3,
        gloss=0.1,
        texture="satin",
        grain=0.3,
        below=0,
        pattern=False,
    )
    _sunray(brush, dial, middle, face)
    if chrono:
        for dx, dy in ((-0.45, 0), (0.45, 0), (0, 0.45)):
            x, y = 0.5 + face * dx, middle + face * dy
            brush.canvas.drawPath(
                circle(x, y, face * 0.22),
                skia.Paint(AntiAlias=True, Color=ink(darker(dial_shade, 0.25))),
            )
            brush.line(circle(x, y, face * 0.22), 0.003, hands, 0.6)
            turn = brush.between(0, 6.28)
            brush.line(
                [
                    (x, y),
                    (x + face * 0.17 * float(np.cos(turn)), y + face * 0.17 * float(np.sin(turn))),
                ],
                0.005,
                hands,
            )
    _markers(brush, middle, face, metal, hands, chrono)
    hour, minute = brush.between(9.6, 10.4), 0
    minute = (hour % 1) * 60
    turns = [(hour * 30 - 90, 0.52, 0.020), (minute * 6 - 90, 0.80, 0.014)]
    for angle, reach, thick in turns:
        angle = np.radians(angle)
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        hand = polygon(
            [
                (0.5 - sin * thick / 2, middle + cos * thick / 2),
                (
                    0.5 + cos * face * reach * 0.75 - sin * thick * 0.6,
                    middle + sin * face * reach * 0.75 + cos * thick * 0.6,
                ),
                (0.5 + cos * face * reach, middle + sin * face * reach),
                (
                    0.5 + cos * face * reach * 0.75 + sin * thick * 0.6,
                    middle + sin * face * reach * 0.75 - cos * thick * 0.6,
                ),
                (0.5 + sin * thick / 2, middle - cos * thick / 2),
            ]
        )
        brush.cast(hand, 0.5, 0.010, within=dial)
        brush.canvas.drawPath(hand, skia.Paint(AntiAlias=True, Color=ink(hands)))
    second = np.radians(brush.between(100, 160))
    brush.line(
        [
            (0.5 - face * 0.2 * float(np.cos(second)), middle - face * 0.2 * float(np.sin(second))),
            (
                0.5 + face * 0.85 * float(np.cos(second)),
                middle + face * 0.85 * float(np.sin(second)),
            ),
        ],
        0.005,
        brush.pick((0.85, 0.15, 0.12), hands),
    )
    plate(brush, circle(0.5, middle, 0.013), metal, 0.013, below=0.3)
    with within(brush, dial):
        brush.highlight(
            [(0.5 - face * 0.75, middle - face * 0.1), (0.5 - face * 0.1, middle - face * 0.75)],
            0.07,
            0.14,
        )
    kind = "chronograph" if chrono else "diver" if bezel == "diver" else "analog"
    return f"{kind} {strap}"


def _sunray(brush: Brush, dial: skia.Path, middle: float, face: float) -> None:
    """Lay the light that a brushed dial throws back in rays."""
    light, none = ink((1, 1, 1), 0.16), ink((1, 1, 1), 0.0)
    dark = ink((0, 0, 0), 0.14)
    shader = skia.GradientShader.MakeSweep(
        0.5, middle, [none, light, none, dark, none, light, none, dark, none]
    )
    with within(brush, dial):
        brush.canvas.drawPaint(skia.Paint(Shader=shader, Dither=True))


def _markers(
    brush: Brush, middle: float, face: float, metal: Shade, ink_shade: Shade, chrono: bool
) -> None:
    """Draw the hours as strokes, dots or figures, and the minutes."""
    style = brush.pick("strokes", "figures", "dots", "strokes")
    for step in range(60):
        angle = np.radians(step * 6)
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        if step % 5:
            brush.line(
                [
                    (0.5 + face * 0.93 * cos, middle + face * 0.93 * sin),
                    (0.5 + face * 0.97 * cos, middle + face * 0.97 * sin),
                ],
                0.0025,
                ink_shade,
                0.7,
            )
            continue
        long = step % 15 == 0
        x, y = 0.5 + face * 0.80 * cos, middle + face * 0.80 * sin
        if style == "figures":
            hour = (step // 5 + 3 - 1) % 12 + 1
            _number(brush, str(hour), x, y, face * 0.19, ink_shade)
        elif style == "dots":
            plate(brush, circle(x, y, face * (0.085 if long else 0.06)), metal, 0.004, below=0.3)
            brush.canvas.drawPath(
                circle(x, y, face * (0.062 if long else 0.042)),
                skia.Paint(AntiAlias=True, Color=ink(lighter(ink_shade, 0.1))),
            )
        else:
            brush.line(
                [
                    (
                        0.5 + face * (0.70 if long else 0.76) * cos,
                        middle + face * (0.70 if long else 0.76) * sin,
                    ),
                    (0.5 + face * 0.88 * cos, middle + face * 0.88 * sin),
                ],
                0.014 if long else 0.009,
                ink_shade,
            )


_SEGMENTS = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgedc",
    "7": "abc",
    "8": "abcdefg",
    "9": "abcdfg",
}


def _figure(
    brush: Brush, figure: str, x: float, y: float, wide: float, high: float, shade: Shade
) -> None:
    """Draw a figure of a seven-segment display with its upper left corner at (x, y)."""
    ends = {
        "a": ((0, 0), (1, 0)),
        "b": ((1, 0), (1, 0.5)),
        "c": ((1, 0.5), (1, 1)),
        "d": ((0, 1), (1, 1)),
        "e": ((0, 0.5), (0, 1)),
        "f": ((0, 0), (0, 0.5)),
        "g": ((0, 0.5), (1, 0.5)),
    }
    for segment, ((x1, y1), (x2, y2)) in ends.items():
        lit = segment in _SEGMENTS[figure]
        brush.line(
            [(x + x1 * wide, y + y1 * high), (x + x2 * wide, y + y2 * high)],
            wide * 0.24,
            shade,
            1.0 if lit else 0.05,
        )


def _digital(brush: Brush, metal: Shade, radius: float, half: float, look: dict) -> str:
    """Draw the case of a digital watch: a resin block, four buttons, a grey-green display."""
    middle = 0.5
    wide, high = radius * 1.02, radius * brush.between(1.0, 1.1)
    for side in (-1, 1):
        for y in (-0.45, 0.45):
            button = box(
                0.5 + side * wide * 0.9,
                middle + y * high - 0.026,
                0.5 + side * (wide + 0.030),
                middle + y * high + 0.026,
                0.01,
            )
            plate(brush, button, metal, 0.012)
    round_case = brush.chance(0.35)
    corner = wide * 0.3
    case = (
        circle(0.5, middle, wide * 1.06)
        if round_case
        else curve(
            [
                (0.5 - wide + corner, middle - high, 0),
                (0.5 + wide - corner, middle - high, 0),
                (0.5 + wide, middle - high + corner, 0),
                (0.5 + wide, middle + high - corner, 0),
                (0.5 + wide - corner, middle + high, 0),
                (0.5 - wide + corner, middle + high, 0),
                (0.5 - wide, middle + high - corner, 0),
                (0.5 - wide, middle - high + corner, 0),
            ]
        )
    )
    solid(
        brush,
        case,
        None,
        0.05,
        0.9,
        gloss=0.35,
        texture="satin",
        grain=0.3,
        patent=0.2,
        pattern=False,
    )
    inner_w, inner_h = wide * 0.80, high * (0.74 if not round_case else 0.66)
    inner = (
        oval(0.5, middle, wide * 0.85, wide * 0.85)
        if round_case
        else box(0.5 - inner_w, middle - inner_h, 0.5 + inner_w, middle + inner_h, 0.03)
    )
    rim = brush.pick(contrast(brush), metal, NEAR_BLACK)
    solid(brush, inner, rim, 0.015, 0.6, gloss=0.4, texture="satin", pattern=False)
    glass = box(
        0.5 - wide * 0.68, middle - high * 0.36, 0.5 + wide * 0.68, middle + high * 0.42, 0.015
    )
    dark = brush.chance(0.25)
    screen = (0.09, 0.10, 0.11) if dark else brush.pick((0.66, 0.71, 0.62), (0.72, 0.74, 0.72))
    figures = brush.pick((0.85, 0.95, 0.98), (0.98, 0.45, 0.30)) if dark else (0.10, 0.12, 0.11)
    solid(brush, glass, screen, 0.02, -0.4, gloss=0.1, texture="satin", below=0, pattern=False)
    hour, minute = int(brush.rng.integers(10, 13)), int(brush.rng.integers(0, 60))
    unit, tall = wide * 0.185, high * 0.33
    top = middle - tall * 0.36
    x = 0.5 - wide * 0.57
    for place, figure in enumerate(f"{hour:02d}{minute:02d}"):
        _figure(brush, figure, x, top, unit, tall, figures)
        x += unit * 1.62
        if place == 1:
            for y in (0.3, 0.7):
                brush.canvas.drawPath(
                    circle(x - unit * 0.12, top + tall * y, unit * 0.12),
                    skia.Paint(AntiAlias=True, Color=ink(figures)),
                )
            x += unit * 0.30
    small = f"{int(brush.rng.integers(10, 32))}"
    for place, figure in enumerate(small):
        _figure(
            brush,
            figure,
            0.5 + wide * (0.32 + 0.17 * place),
            middle - high * 0.29,
            unit * 0.5,
            tall * 0.4,
            figures,
        )
    brush.line(
        [(0.5 - wide * 0.6, middle - high * 0.16), (0.5 + wide * 0.6, middle - high * 0.16)],
        0.003,
        figures,
        0.6,
    )
    # words too small to be read
    for count, y in ((9, -0.52), (8, 0.56)):
        shade = NEAR_WHITE if luminance(rim) < 0.5 else NEAR_BLACK
        left = 0.5 - wide * 0.055 * (count - 1) / 2 * 1.6
        for letter in range(count):
            lx = left + letter * wide * 0.088
            brush.line(
                [
                    (lx, middle + high * (y - 0.022)),
                    (lx + wide * 0.03, middle + high * (y + 0.022)),
                ],
                0.006,
                shade,
                0.85,
            )
    with within(brush, glass):
        gleam = polygon(
            [
                (0.5 - wide * 0.5, middle + high * 0.5),
                (0.5 - wide * 0.1, middle - high * 0.5),
                (0.5 + wide * 0.1, middle - high * 0.5),
                (0.5 - wide * 0.3, middle + high * 0.5),
            ]
        )
        brush.canvas.drawPath(gleam, skia.Paint(AntiAlias=True, Color=ink((1, 1, 1), 0.10)))
    return "digital"
