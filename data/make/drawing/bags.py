"""Bags: handbags, backpacks and purses, seen from the front."""

from __future__ import annotations

import skia

from drawing.canvas import (
    CREAM,
    DARK_BROWN,
    GOLD,
    NEAR_BLACK,
    SILVER,
    TAN,
    Brush,
    band,
    box,
    circle,
    curve,
    darker,
    minus,
    oval,
    register,
    symmetric,
)
from drawing.relief import contrast, plate, solid, within


def _leather(brush: Brush) -> tuple[str, dict]:
    """Return a material's name and how it takes the light."""
    name = brush.pick("leather", "leather", "suede", "canvas", "patent")
    return name, {
        "leather": dict(gloss=0.30, patent=0.10, texture="leather", grain=0.45),
        "patent": dict(gloss=0.5, patent=0.7, texture="satin", grain=0.3),
        "suede": dict(gloss=0.05, patent=0.0, texture="suede", grain=0.8),
        "canvas": dict(gloss=0.05, patent=0.0, texture="weave", grain=1.0),
    }[name]


def _trim(brush: Brush):
    """Return the leather of the trimmings: the bag's own, a darker one or tan."""
    if brush.colour in ("brown", "orange", "beige"):
        return brush.pick(None, contrast(brush), DARK_BROWN)
    return brush.pick(
        None, None, contrast(brush), TAN if brush.colour != "black" else contrast(brush)
    )


def _ring(brush: Brush, x: float, y: float, radius: float, metal) -> None:
    plate(brush, minus(circle(x, y, radius), circle(x, y, radius * 0.62)), metal, radius * 0.2)


@register("handbag", "bags", {"purse", "mailbag"}, tilt=2.5)
def handbag(brush: Brush) -> str:
    style = brush.pick("tote", "top-handle", "satchel", "hobo", "top-handle")
    material, look = _leather(brush)
    metal = brush.pick(GOLD, GOLD, SILVER)
    trim = _trim(brush)
    bottom = brush.between(0.82, 0.86)
    brush.ground_shadow(0.18, 0.82, bottom + 0.005, 0.03, 0.45)
    trim_look = {**look, "pattern": False}
    if style == "hobo":
        return _hobo(brush, material, look, metal, trim, bottom)
    wide_top = {"tote": 0.345, "top-handle": 0.27, "satchel": 0.32}[style] + brush.between(
        -0.02, 0.02
    )
    wide_bottom = {"tote": 0.29, "top-handle": 0.36, "satchel": 0.355}[style] + brush.between(
        -0.02, 0.02
    )
    top = {"tote": 0.38, "top-handle": 0.42, "satchel": 0.45}[style] + brush.between(-0.02, 0.02)
    peak = top - {"tote": 0.26, "top-handle": 0.25, "satchel": 0.20}[style] - brush.between(0, 0.04)
    spread = {"tote": 0.16, "top-handle": 0.14, "satchel": 0.11}[style]
    handle = 0.030
    # the far handle, then its near twin
    line = [
        (0.5 - spread, top + 0.06),
        (0.5 - spread * 0.95, 0.5 * (top + peak)),
        (0.5 - spread * 0.5, peak),
        (0.5 + spread * 0.5, peak),
        (0.5 + spread * 0.95, 0.5 * (top + peak)),
        (0.5 + spread, top + 0.06),
    ]
    far = [(x * 0.96 + 0.02, y - 0.022) for x, y in line]
    shade = brush.shade if trim is None else trim
    solid(brush, band(far, handle * 0.85), darker(shade, 0.35), 0.014, 0.9, below=0, pattern=False)
    back = symmetric(
        [
            (0.5 + wide_top * 0.4, top - 0.03),
            (0.5 + wide_top - 0.015, top - 0.012, 0),
            (0.5 + wide_top - 0.01, top + 0.06, 0),
        ]
    )
    solid(brush, back, darker(brush.shade, 0.45), 0.02, 0.5, **{**look, "pattern": False})
    body = symmetric(
        [
            (0.5 + wide_top, top, 0),
            (0.5 + 0.6 * wide_top + 0.4 * wide_bottom + 0.006, 0.5 * (top + bottom)),
            (0.5 + wide_bottom + 0.005, bottom - 0.05),
            (0.5 + wide_bottom - 0.02, bottom - 0.006),
            (0.5 + wide_bottom * 0.5, bottom),
        ]
    )
    folds = [
        ([(0.5 - wide_top * 0.9, top + 0.02), (0.5 - wide_bottom * 0.75, top + 0.17)], 0.04, 1.0),
        ([(0.5 + wide_top * 0.9, top + 0.02), (0.5 + wide_bottom * 0.72, top + 0.20)], 0.04, 1.0),
        (
            [
                (0.5 - wide_bottom * 0.55, bottom - 0.01),
                (0.5, bottom - 0.04),
                (0.5 + wide_bottom * 0.6, bottom - 0.012),
            ],
            0.03,
            0.6,
        ),
    ]
    solid(brush, body, None, 0.13, 0.75, grooves=folds, wrinkles=0.12, **look)
    with within(brush, body):
        if style == "tote":
            hem = box(0, top, 1, top + 0.035)
            solid(brush, hem, trim, 0.01, 0.5, below=0.3, **trim_look)
            brush.stitch([(0.05, top + 0.03), (0.95, top + 0.03)])
            if brush.chance(0.5):
                base = box(0, bottom - 0.13, 1, 1)
                solid(brush, base, trim or contrast(brush), 0.01, 0.4, below=0.3, **trim_look)
                brush.stitch([(0.05, bottom - 0.12), (0.95, bottom - 0.12)])
        elif style == "top-handle":
            flap = symmetric(
                [
                    (0.5 + wide_top + 0.02, top - 0.02, 0),
                    (0.5 + wide_top + 0.02, top + 0.07, 0),
                    (0.5 + wide_top * 0.85, top + 0.16),
                    (0.5 + wide_top * 0.4, top + brush.between(0.19, 0.24)),
                ]
            )
            solid(brush, flap, None, 0.04, 0.6, below=0.7, **look)
            brush.stitch(
                [
                    (0.5 - wide_top * 0.97, top + 0.055),
                    (0.5 - wide_top * 0.82, top + 0.145),
                    (0.5 - wide_top * 0.38, top + 0.18),
                    (0.5 + wide_top * 0.38, top + 0.18),
                    (0.5 + wide_top * 0.82, top + 0.145),
                    (0.5 + wide_top * 0.97, top + 0.055),
                ]
            )
        else:
            brush.zip(
                [(0.5 + wide_top * 0.93, top + 0.018), (0.5 - wide_top, top + 0.018)], 0.018, metal
            )
            pocket = box(
                0.5 - wide_top * 0.72, top + 0.14, 0.5 + wide_top * 0.72, bottom - 0.04, 0.03
            )
            solid(brush, pocket, None, 0.04, 0.6, below=0.5, **look)
            brush.stitch(
                box(
                    0.5 - wide_top * 0.68, top + 0.155, 0.5 + wide_top * 0.68, bottom - 0.055, 0.025
                )
            )
        for side in (-1, 1):
            edge = [
                (0.5 + side * (wide_top - 0.022), top + 0.02),
                (0.5 + side * (0.6 * wide_top + 0.4 * wide_bottom - 0.018), 0.5 * (top + bottom)),
                (0.5 + side * (wide_bottom - 0.018), bottom - 0.06),
            ]
            brush.seam(edge, 0.5)
    # the near handle on its tabs
    for side in (-1, 1):
        x = 0.5 + side * spread
        tab_end = top + {"tote": 0.15, "top-handle": 0.07, "satchel": 0.12}[style]
        tab = symmetric(
            [(x + 0.020, top + 0.035, 0), (x + 0.024, tab_end - 0.02), (x + 0.012, tab_end)], x
        )
        solid(brush, tab, trim, 0.012, 0.7, below=0.6, **trim_look)
        brush.stitch([(x - 0.012, top + 0.05), (x - 0.012, tab_end - 0.02)])
        brush.stitch([(x + 0.012, top + 0.05), (x + 0.012, tab_end - 0.02)])
        _ring(brush, x, top + 0.035, 0.028, metal)
    solid(brush, band(line, handle), trim, 0.016, 1.0, below=0.5, **trim_look)
    if style == "top-handle":
        lock_y = top + 0.20
        plate(brush, box(0.46, lock_y - 0.03, 0.54, lock_y + 0.025, 0.012), metal, 0.012)
        plate(brush, box(0.485, lock_y - 0.012, 0.515, lock_y + 0.045, 0.008), metal, 0.008)
    elif style == "tote" and brush.chance(0.5):
        tag = box(0.5 - spread - 0.03, top + 0.12, 0.5 - spread + 0.035, top + 0.23, 0.01)
        solid(brush, tag, trim or contrast(brush), 0.012, 0.7, below=0.6, **trim_look)
    elif style == "satchel":
        for side in (-1, 1):
            x = 0.5 + side * wide_top * 0.45
            strap = box(x - 0.022, top + 0.05, x + 0.022, bottom - 0.14, 0.012)
            solid(brush, strap, trim, 0.012, 0.7, below=0.6, **trim_look)
            brush.buckle(x, bottom - 0.19, 0.065, 0.055, metal)
    return f"{material} {style}"


def _hobo(brush: Brush, material, look, metal, trim, bottom) -> str:
    """Draw a shoulder bag that hangs in a crescent from one strap."""
    trim_look = {**look, "pattern": False}
    top = 0.48
    strap = [
        (0.20, top + 0.02),
        (0.25, 0.30),
        (0.38, 0.155),
        (0.5, 0.125),
        (0.62, 0.155),
        (0.75, 0.30),
        (0.80, top + 0.02),
    ]
    solid(brush, band(strap, 0.042), trim, 0.02, 0.9, below=0, **trim_look)
    body = symmetric(
        [
            (0.56, top + 0.10),
            (0.70, top + 0.055),
            (0.80, top - 0.02, 0),
            (0.845, top + 0.08),
            (0.865, top + 0.20),
            (0.80, bottom - 0.06),
            (0.66, bottom - 0.005),
        ]
    )
    folds = [
        ([(0.20, top + 0.02), (0.24, top + 0.12), (0.34, top + 0.20)], 0.04, 1.3),
        ([(0.80, top + 0.02), (0.76, top + 0.12), (0.66, top + 0.20)], 0.04, 1.3),
        ([(0.24, top + 0.04), (0.36, top + 0.15), (0.5, top + 0.19)], 0.03, 0.8),
        ([(0.76, top + 0.04), (0.64, top + 0.15), (0.5, top + 0.19)], 0.03, 0.8),
    ]
    solid(brush, body, None, 0.16, 0.8, grooves=folds, wrinkles=0.25, **look)
    with within(brush, body):
        brush.seam(
            [
                (0.17, top + 0.12),
                (0.3, bottom - 0.08),
                (0.5, bottom - 0.05),
                (0.7, bottom - 0.08),
                (0.83, top + 0.12),
            ],
            0.6,
        )
        brush.zip(
            [
                (0.72, top + 0.078),
                (0.60, top + 0.115),
                (0.5, top + 0.125),
                (0.40, top + 0.115),
                (0.28, top + 0.078),
            ],
            0.018,
            metal,
        )
    for x in (0.20, 0.80):
        _ring(brush, x, top + 0.0, 0.034, metal)
    return f"{material} hobo"


@register("backpack", "bags", {"backpack"}, tilt=2.5)
def backpack(brush: Brush) -> str:
    style = brush.pick("school", "school", "city", "hiking")
    metal = brush.pick(SILVER, GOLD, (0.3, 0.3, 0.32))
    look = brush.pick(
        dict(gloss=0.08, texture="weave", grain=1.0), dict(gloss=0.3, texture="leather", grain=0.4)
    )
    trim = brush.pick(
        None, contrast(brush), contrast(brush), TAN if style != "hiking" else NEAR_BLACK
    )
    if brush.colour in ("brown", "black") and trim == TAN:
        trim = contrast(brush)
    trim_look = {**look, "pattern": False}
    top, bottom = 0.20, 0.87
    wide = brush.between(0.26, 0.30)
    brush.ground_shadow(0.5 - wide, 0.5 + wide, bottom + 0.004, 0.03, 0.45)
    # the shoulder straps behind
    for side in (-1, 1):
        strap = band(
            [
                (0.5 + side * 0.10, top + 0.02),
                (0.5 + side * (wide + 0.03), top + 0.09),
                (0.5 + side * (wide + 0.085), 0.48),
                (0.5 + side * (wide + 0.07), 0.68),
                (0.5 + side * (wide - 0.02), bottom - 0.06),
            ],
            0.055,
        )
        solid(
            brush,
            strap,
            darker(brush.shade if trim is None else trim, 0.3),
            0.03,
            0.8,
            0.1,
            texture="weave",
            pattern=False,
            below=0,
        )
    grip = band(
        [
            (0.44, top + 0.03),
            (0.445, top - 0.055),
            (0.5, top - 0.08),
            (0.555, top - 0.055),
            (0.56, top + 0.03),
        ],
        0.030,
    )
    solid(brush, grip, trim, 0.016, 0.9, below=0.3, **trim_look)
    # side pockets
    for side in (-1, 1):
        pocket = curve(
            [
                (0.5 + side * (wide - 0.03), 0.58, 0),
                (0.5 + side * (wide + 0.045), 0.60),
                (0.5 + side * (wide + 0.055), 0.75),
                (0.5 + side * (wide + 0.03), bottom - 0.02),
                (0.5 + side * (wide - 0.04), bottom - 0.01, 0),
            ]
        )
        solid(brush, pocket, contrast(brush) if style == "hiking" else None, 0.04, 0.8, **trim_look)
    body = symmetric(
        [
            (0.5 + wide * 0.45, top - 0.012),
            (0.5 + wide * 0.85, top + 0.06),
            (0.5 + wide, top + 0.18),
            (0.5 + wide * 1.05, 0.60),
            (0.5 + wide * 1.03, bottom - 0.06),
            (0.5 + wide * 0.86, bottom - 0.005),
            (0.5 + wide * 0.4, bottom),
        ]
    )
    folds = [
        ([(0.5 - wide, 0.5), (0.5 - wide * 0.7, 0.53)], 0.03, 0.8),
        ([(0.5 + wide, 0.47), (0.5 + wide * 0.7, 0.50)], 0.03, 0.8),
    ]
    solid(brush, body, None, 0.13, 0.85, grooves=folds, wrinkles=0.3, **look)
    with within(brush, body):
        rim = [
            (0.5 - wide * 0.86, 0.50),
            (0.5 - wide * 0.84, top + 0.16),
            (0.5 - wide * 0.6, top + 0.055),
            (0.5, top + 0.028),
            (0.5 + wide * 0.6, top + 0.055),
            (0.5 + wide * 0.84, top + 0.16),
            (0.5 + wide * 0.86, 0.50),
        ]
        if style != "city":
            brush.zip(rim, 0.020, metal)
        # the pocket in front
        pocket_top = 0.53
        pocket = symmetric(
            [
                (0.5 + wide * 0.5, pocket_top - 0.01),
                (0.5 + wide * 0.76, pocket_top + 0.03),
                (0.5 + wide * 0.82, 0.68),
                (0.5 + wide * 0.78, bottom - 0.055),
                (0.5 + wide * 0.5, bottom - 0.035),
            ]
        )
        shade = brush.pick(None, None, trim)
        solid(brush, pocket, shade, 0.07, 0.8, below=0.7, **look)
        if style == "city":
            flap = symmetric(
                [
                    (0.5 + wide * 1.1, top - 0.05, 0),
                    (0.5 + wide * 1.1, 0.36, 0),
                    (0.5 + wide * 0.92, 0.47),
                    (0.5 + wide * 0.5, 0.51),
                ]
            )
            solid(brush, flap, None, 0.08, 0.7, below=0.7, **look)
            brush.stitch(
                [
                    (0.5 - wide * 0.9, 0.40),
                    (0.5 - wide * 0.8, 0.46),
                    (0.5, 0.497),
                    (0.5 + wide * 0.8, 0.46),
                    (0.5 + wide * 0.9, 0.40),
                ]
            )
            for side in (-1, 1) if brush.chance(0.6) else (0,):
                x = 0.5 + side * wide * 0.5
                belt = box(x - 0.023, 0.36, x + 0.023, 0.63, 0.015)
                solid(brush, belt, trim or contrast(brush), 0.012, 0.7, below=0.6, **trim_look)
                brush.buckle(x, 0.56, 0.066, 0.05, metal)
        else:
            brush.zip(
                [
                    (0.5 + wide * 0.70, pocket_top + 0.045),
                    (0.5 + wide * 0.4, pocket_top + 0.035),
                    (0.5 - wide * 0.4, pocket_top + 0.035),
                    (0.5 - wide * 0.74, pocket_top + 0.05),
                ],
                0.018,
                metal,
            )
            if style == "school":
                upper = symmetric(
                    [
                        (0.5 + wide * 0.45, 0.335),
                        (0.5 + wide * 0.6, 0.36),
                        (0.5 + wide * 0.62, 0.46),
                        (0.5 + wide * 0.5, 0.485),
                    ]
                )
                solid(brush, upper, trim, 0.03, 0.6, below=0.5, **trim_look)
                patch = box(0.445, 0.385, 0.555, 0.44, 0.01)
                solid(
                    brush,
                    patch,
                    brush.pick(TAN, CREAM, NEAR_BLACK),
                    0.01,
                    0.6,
                    below=0.4,
                    pattern=False,
                )
            else:
                for y in (0.40, 0.455):
                    cord = band(
                        [(0.5 - wide * 0.66, y), (0.5, y + 0.004), (0.5 + wide * 0.66, y)], 0.022
                    )
                    solid(brush, cord, trim or NEAR_BLACK, 0.008, 0.8, below=0.5, **trim_look)
                for side in (-1, 1):
                    x = 0.5 + side * wide * 0.6
                    web = box(x - 0.016, 0.27, x + 0.016, 0.54, 0.004)
                    solid(
                        brush,
                        web,
                        NEAR_BLACK,
                        0.008,
                        0.6,
                        below=0.5,
                        texture="weave",
                        pattern=False,
                    )
                    solid(
                        brush,
                        box(x - 0.024, 0.35, x + 0.024, 0.385, 0.008),
                        (0.2, 0.2, 0.22),
                        0.008,
                        0.8,
                    )
        brush.stitch(
            [
                (0.5 - wide * 0.74, 0.66),
                (0.5 - wide * 0.71, bottom - 0.075),
                (0.5 - wide * 0.48, bottom - 0.055),
                (0.5 + wide * 0.48, bottom - 0.055),
                (0.5 + wide * 0.71, bottom - 0.075),
                (0.5 + wide * 0.74, 0.66),
            ]
        )
    return style


@register("purse", "bags", {"purse", "wallet"}, tilt=5.0)
def purse(brush: Brush) -> str:
    style = brush.pick("envelope", "clasp", "long", "clasp", "long")
    material, look = _leather(brush)
    metal = brush.pick(GOLD, GOLD, SILVER)
    if style == "clasp":
        # gathered under a metal frame with two balls that snap
        top, bottom = 0.34, brush.between(0.72, 0.78)
        wide = brush.between(0.30, 0.36)
        brush.ground_shadow(0.5 - wide, 0.5 + wide, bottom + 0.004)
        chained = brush.chance(0.5)
        if chained:
            _chain(
                brush,
                [
                    (0.5 - wide * 0.8, top + 0.05),
                    (0.24, 0.20),
                    (0.5, 0.12),
                    (0.76, 0.20),
                    (0.5 + wide * 0.8, top + 0.05),
                ],
                metal,
            )
        body = symmetric(
            [
                (0.5 + wide * 0.5, top - 0.002),
                (0.5 + wide * 0.82, top + 0.02),
                (0.5 + wide * 0.98, top + 0.16),
                (0.5 + wide * 1.08, bottom - 0.16),
                (0.5 + wide * 0.93, bottom - 0.03),
                (0.5 + wide * 0.5, bottom),
            ]
        )
        folds = [
            (
                [
                    (0.5 + s * wide, top + 0.03),
                    (0.5 + s * wide * 1.15, top + 0.03 + abs(s) * 0.02 + 0.14),
                ],
                0.022,
                1.5,
            )
            for s in (-0.62, -0.38, -0.15, 0.15, 0.38, 0.62)
        ]
        solid(brush, body, None, 0.16, 0.9, grooves=folds, wrinkles=0.2, **look)
        frame = band(
            [
                (0.5 - wide * 0.90, top + 0.13),
                (0.5 - wide * 0.83, top + 0.03),
                (0.5 - wide * 0.5, top),
                (0.5 + wide * 0.5, top),
                (0.5 + wide * 0.83, top + 0.03),
                (0.5 + wide * 0.90, top + 0.13),
            ],
            0.032,
            cap="round",
        )
        plate(brush, frame, metal, 0.016)
        for x in (0.478, 0.522):
            plate(brush, circle(x, top - 0.03, 0.026), metal, 0.026)
        return f"{material} clasp"
    left, right = 0.13, 0.87
    top, bottom = brush.between(0.30, 0.34), brush.between(0.68, 0.72)
    brush.ground_shadow(left, right, bottom + 0.004, 0.025, 0.45)
    body = box(left, top, right, bottom, 0.022)
    solid(
        brush,
        box(left + 0.006, top - 0.012, right - 0.004, bottom - 0.02, 0.02),
        darker(brush.shade, 0.4),
        0.01,
        0.5,
        pattern=False,
    )
    solid(brush, body, None, 0.05, 0.6, **look)
    if style == "envelope":
        point = brush.between(0.50, 0.60)
        flap = symmetric(
            [(right + 0.004, top - 0.004, 0), (right + 0.002, top + 0.05, 0), (0.54, point)]
        )
        solid(brush, flap, None, 0.035, 0.7, below=0.8, **look)
        brush.stitch(
            [
                (left + 0.015, top + 0.05, 0),
                (0.465, point - 0.022),
                (0.5, point - 0.012),
                (0.535, point - 0.022),
                (right - 0.015, top + 0.05, 0),
            ]
        )
        plate(brush, circle(0.5, point - 0.045, 0.028), metal, 0.02)
        brush.stitch(box(left + 0.018, top + 0.02, right - 0.018, bottom - 0.018, 0.014))
        if brush.chance(0.6):
            loop = band(
                [
                    (right - 0.005, top + 0.05),
                    (right + 0.045, top + 0.15),
                    (right + 0.03, bottom + 0.02),
                    (right - 0.035, bottom + 0.07),
                    (right - 0.07, bottom - 0.02),
                    (right - 0.01, top + 0.07),
                ],
                0.020,
            )
            solid(brush, loop, None, 0.01, 0.9, below=0.4, **{**look, "pattern": False})
    else:
        fold = top + brush.between(0.17, 0.24)
        flap = box(left - 0.004, top - 0.006, right + 0.004, fold, 0.02)
        solid(brush, flap, None, 0.04, 0.7, below=0.8, **look)
        brush.stitch(box(left + 0.012, top + 0.010, right - 0.012, fold - 0.014, 0.014))
        brush.stitch(
            [
                (left + 0.018, fold + 0.02),
                (left + 0.018, bottom - 0.018),
                (right - 0.018, bottom - 0.018),
                (right - 0.018, fold + 0.02),
            ]
        )
        tab = box(0.45, fold - 0.09, 0.55, fold + 0.05, 0.025)
        solid(
            brush,
            tab,
            brush.pick(None, contrast(brush)),
            0.02,
            0.7,
            below=0.6,
            **{**look, "pattern": False},
        )
        plate(brush, circle(0.5, fold + 0.012, 0.024), metal, 0.02)
        if brush.chance(0.5):
            plate(
                brush,
                box(left + 0.05, bottom - 0.07, left + 0.17, bottom - 0.045, 0.004),
                metal,
                0.005,
            )
    return f"{material} {style}"


def _chain(brush: Brush, points, metal, radius: float = 0.017) -> None:
    """Draw a chain of links along the line."""
    for number, (x, y, angle) in enumerate(brush.along(points, radius * 1.45)):
        flat = number % 2 == 0
        link = (
            minus(oval(0, 0, radius, radius * 0.68), oval(0, 0, radius * 0.62, radius * 0.34))
            if flat
            else (box(-radius * 0.9, -radius * 0.24, radius * 0.9, radius * 0.24, radius * 0.2))
        )
        matrix = skia.Matrix()
        matrix.setTranslate(x, y)
        matrix.preRotate(angle)
        link.transform(matrix)
        brush.metal(link, metal)
