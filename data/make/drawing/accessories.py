"""Accessories: sunglasses, hats, ties, bow ties, umbrellas, mittens, socks and scarves."""

from __future__ import annotations

import numpy as np
import skia

from drawing.canvas import (
    CREAM,
    DARK_BROWN,
    GOLD,
    NEAR_BLACK,
    SILVER,
    TAN,
    Brush,
    Shade,
    band,
    box,
    circle,
    curve,
    darker,
    flipped,
    ink,
    lighter,
    luminance,
    minus,
    mix,
    oval,
    polygon,
    register,
    symmetric,
    union,
)
from drawing.relief import contrast, plate, solid, within


@register("sunglasses", "accessories", {"sunglass", "sunglasses"}, patterns=("plain",), tilt=4.0)
def sunglasses(brush: Brush) -> str:
    style = brush.pick("wayfarer", "round", "cat-eye", "aviator", "oversized", "rectangular")
    wire = style == "aviator" or (style == "round" and brush.chance(0.5))
    high = {"rectangular": 0.085, "oversized": 0.165, "round": 0.14, "aviator": 0.15}.get(
        style, 0.125
    )
    wide = {"rectangular": 0.165, "round": 0.15, "oversized": 0.165}.get(style, 0.155)
    gap = 0.20
    y = 0.52
    corners = {
        "wayfarer": [
            (-1, -0.75),
            (0.2, -0.98),
            (1.05, -0.95),
            (1.02, -0.2),
            (0.72, 0.75),
            (0.0, 1.0),
            (-0.7, 0.8),
            (-0.98, 0.0),
        ],
        "round": [(0.7 * a, 0.7 * b) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))],
        "cat-eye": [
            (-0.95, -0.45),
            (0.0, -0.80),
            (0.75, -1.05),
            (1.22, -1.18),
            (1.04, -0.2),
            (0.72, 0.7),
            (0.0, 0.98),
            (-0.7, 0.7),
        ],
        "aviator": [
            (-0.85, -0.85),
            (0.2, -1.0),
            (0.98, -0.8),
            (1.02, 0.0),
            (0.7, 0.85),
            (0.2, 1.08),
            (-0.5, 0.7),
            (-0.98, -0.2),
        ],
        "oversized": [
            (-0.95, -0.7),
            (0.0, -0.98),
            (0.98, -0.85),
            (1.02, 0.0),
            (0.78, 0.82),
            (0.0, 1.02),
            (-0.75, 0.85),
            (-1.0, 0.0),
        ],
        "rectangular": [
            (-0.98, -0.8),
            (0.0, -1.0),
            (1.0, -0.95),
            (1.02, 0.0),
            (0.9, 0.85),
            (0.0, 1.0),
            (-0.88, 0.85),
            (-1.0, 0.0),
        ],
    }[style]

    def lens_path(side: int, grow: float) -> skia.Path:
        if style == "round":
            return oval(0.5 + side * gap, y, wide * grow + (grow - 1) * 0.02, high * grow)
        pad = (grow - 1) * 0.12
        return curve(
            [(0.5 + side * (gap + cx * (wide + pad)), y + cy * (high + pad)) for cx, cy in corners]
        )

    metal = brush.pick(GOLD, SILVER, (0.25, 0.25, 0.27))
    rim = 1.10 if wire else brush.between(1.18, 1.32)
    frame_shade = brush.shade
    # the arms, folded open behind, seen through the lenses and past them
    for side in (-1, 1):
        hinge = 0.5 + side * (gap + wide * 1.02)
        arm = band(
            [
                (hinge, y - high * 0.62),
                (hinge + side * 0.03, y - high * 0.85 - 0.05),
                (hinge - side * 0.05, y - high - 0.13),
                (hinge - side * 0.13, y - high - 0.155),
            ],
            0.014 if wire else 0.022,
            cap="round",
        )
        if wire:
            plate(brush, arm, metal, 0.007, below=0)
            tip = band(
                [(hinge - side * 0.02, y - high - 0.115), (hinge - side * 0.13, y - high - 0.155)],
                0.02,
                cap="round",
            )
            solid(brush, tip, None, 0.01, 0.9, gloss=0.5, texture="satin", below=0)
        else:
            solid(
                brush,
                arm,
                darker(frame_shade, 0.2),
                0.012,
                0.9,
                gloss=0.5,
                patent=0.4,
                texture="satin",
                below=0,
            )
    tint_style = brush.pick("gradient", "dark", "mirror", "gradient")
    own = brush.shade if brush.colour not in ("white", "beige") else (0.42, 0.36, 0.32)
    tint = {
        "gradient": mix(own, (0.12, 0.10, 0.10), 0.45),
        "dark": mix(own, (0.05, 0.05, 0.06), 0.78),
        "mirror": own,
    }[tint_style]
    if wire:
        tint = mix(own, (0.1, 0.1, 0.1), 0.25)
    lenses = [lens_path(side, 1.0) for side in (-1, 1)]
    for lens in lenses:
        bounds = lens.computeTightBounds()
        top, low = bounds.top(), bounds.bottom()
        ends = [skia.Point(0.5, top), skia.Point(0.5, low)]
        tones = [
            ink(darker(tint, 0.55), 0.97),
            ink(tint, 0.93),
            ink(lighter(tint, 0.35), 0.72 if tint_style == "gradient" else 0.93),
        ]
        with within(brush, lens):
            brush.canvas.drawPaint(
                skia.Paint(
                    Shader=skia.GradientShader.MakeLinear(ends, tones, [0.0, 0.55, 1.0]),
                    Dither=True,
                )
            )
            # a window's reflection
            left, width = bounds.left(), bounds.width()
            gleam = polygon(
                [
                    (left + width * 0.16, low),
                    (left + width * 0.52, top),
                    (left + width * 0.74, top),
                    (left + width * 0.36, low),
                ]
            )
            paint = skia.Paint(
                AntiAlias=True, Color=ink((1, 1, 1), 0.30 if tint_style == "mirror" else 0.17)
            )
            paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.005))
            brush.canvas.drawPath(gleam, paint)
            brush.highlight(
                [(left + width * 0.10, top + 0.04), (left + width * 0.3, top + 0.018)], 0.02, 0.35
            )
            brush.shadow([(left, top), (left + width, top)], 0.05, 0.5)
    if wire:
        bridge = [
            band(
                [
                    (0.5 - gap + wide * 0.92, y - high * 0.15),
                    (0.5, y - high * 0.42),
                    (0.5 + gap - wide * 0.92, y - high * 0.15),
                ],
                0.013,
            )
        ]
        if style == "aviator":
            bridge.append(
                band(
                    [
                        (0.5 - gap + wide * 0.5, y - high * 0.97),
                        (0.5, y - high * 1.0),
                        (0.5 + gap - wide * 0.5, y - high * 0.97),
                    ],
                    0.013,
                )
            )
        rims = union(
            *(minus(lens_path(side, 1.08), lens_path(side, 1.0)) for side in (-1, 1)), *bridge
        )
        plate(brush, rims, mix(metal, frame_shade, 0.35), 0.006)
        brow = union(
            *(
                common_top(minus(lens_path(side, 1.14), lens_path(side, 0.97)), y - high * 0.35)
                for side in (-1, 1)
            )
        )
        if brush.chance(0.6):
            solid(brush, brow, None, 0.012, 0.9, gloss=0.6, patent=0.4, texture="satin")
    else:
        bridge = curve(
            [
                (0.5 - gap + wide * 0.85, y - high * 0.80, 0),
                (0.5, y - high * 0.78),
                (0.5 + gap - wide * 0.85, y - high * 0.80, 0),
                (0.5 + gap - wide * 0.98, y + high * 0.05, 0),
                (0.5, y - high * 0.35),
                (0.5 - gap + wide * 0.98, y + high * 0.05, 0),
            ]
        )
        whole = union(lens_path(-1, rim), lens_path(1, rim), bridge)
        for lens in lenses:
            whole = minus(whole, lens)
        solid(
            brush,
            whole,
            None,
            0.018,
            0.9,
            gloss=0.6,
            focus=24,
            patent=0.55,
            texture="satin",
            grain=0.2,
        )
        for side in (-1, 1):
            x = 0.5 + side * (gap + wide * (1.06 if style != "cat-eye" else 1.1))
            plate(
                brush,
                oval(x, y - high * 0.82, 0.010, 0.006),
                brush.pick(SILVER, GOLD),
                0.005,
                below=0.2,
            )
    return style


def common_top(path: skia.Path, bottom: float) -> skia.Path:
    """Return the part of a path above a height."""
    return skia.Op(path, box(-1, -1, 2, bottom), skia.PathOp.kIntersect_PathOp)


@register("hat", "accessories", {"cowboy hat", "sombrero"}, tilt=4.0)
def hat(brush: Brush) -> str:
    style = brush.pick("cowboy", "cowboy", "fedora", "sun", "sun")
    material = (
        brush.pick("felt", "straw") if style != "sun" else brush.pick("straw", "straw", "woven")
    )
    texture = {"felt": "suede", "straw": "straw", "woven": "weave"}[material]
    look = dict(gloss=0.06, texture=texture, grain=0.9)
    ribbon_shade = brush.pick(NEAR_BLACK, DARK_BROWN, contrast(brush), CREAM)
    if brush.colour in ("black", "brown"):
        ribbon_shade = brush.pick(CREAM, TAN, contrast(brush))
    y = 0.62
    wide = {"cowboy": 0.40, "fedora": 0.36, "sun": 0.41}[style]
    crown_wide = {"cowboy": 0.205, "fedora": 0.205, "sun": 0.21}[style] + brush.between(
        -0.012, 0.012
    )
    tall = {"cowboy": 0.31, "fedora": 0.26, "sun": 0.24}[style] + brush.between(-0.015, 0.02)
    brush.ground_shadow(0.5 - wide * 0.85, 0.5 + wide * 0.85, y + 0.135, 0.03, 0.4)
    if style == "cowboy":
        curl = brush.between(0.07, 0.12)
        # the far brim, the crown, the near brim that dips in front and rolls up at the sides
        far = symmetric(
            [
                (0.5, y - 0.01),
                (0.5 + wide * 0.6, y - 0.05),
                (0.5 + wide * 0.98, y - curl, 0),
                (0.5 + wide * 0.6, y + 0.05),
                (0.5, y + 0.06),
            ]
        )
        solid(
            brush, far, darker(brush.shade, 0.35), 0.03, 0.6, below=0, **{**look, "pattern": False}
        )
        crown = symmetric(
            [
                (0.5, y - tall + 0.045),
                (0.5 + crown_wide * 0.35, y - tall + 0.005),
                (0.5 + crown_wide * 0.62, y - tall),
                (0.5 + crown_wide * 0.86, y - tall + 0.07),
                (0.5 + crown_wide * 0.98, y - 0.10),
                (0.5 + crown_wide * 1.06, y + 0.05),
                (0.5 + crown_wide * 0.5, y + 0.09),
            ]
        )
        dents = [
            ([(0.5, y - tall + 0.02), (0.5, y - tall + 0.13)], 0.07, 3.2),
            (
                [
                    (0.5 - crown_wide * 0.55, y - tall + 0.05),
                    (0.5 - crown_wide * 0.6, y - tall + 0.17),
                ],
                0.05,
                2.2,
            ),
            (
                [
                    (0.5 + crown_wide * 0.55, y - tall + 0.05),
                    (0.5 + crown_wide * 0.6, y - tall + 0.17),
                ],
                0.05,
                2.2,
            ),
        ]
        solid(brush, crown, None, 0.13, 0.9, grooves=dents, **look)
        band_line = [
            (0.5 - crown_wide * 1.12, y - 0.035),
            (0.5 - crown_wide * 0.5, y + 0.012),
            (0.5, y + 0.022),
            (0.5 + crown_wide * 0.5, y + 0.012),
            (0.5 + crown_wide * 1.12, y - 0.035),
        ]
        _ribbon(brush, crown, band_line, ribbon_shade, 0.045)
        brim = symmetric(
            [
                (0.5, y + 0.045),
                (0.5 + crown_wide * 0.8, y + 0.03),
                (0.5 + wide * 0.72, y - 0.015),
                (0.5 + wide * 0.92, y - curl + 0.01),
                (0.5 + wide * 1.02, y - curl - 0.015, 0),
                (0.5 + wide * 1.05, y - curl * 0.4),
                (0.5 + wide * 0.9, y + 0.045),
                (0.5 + wide * 0.5, y + 0.115),
                (0.5, y + 0.135),
            ]
        )
        solid(brush, brim, None, 0.05, 0.9, **look)
        with within(brush, brim):
            brush.stitch(
                [
                    (0.5 - wide * 1.0, y - curl * 0.5),
                    (0.5 - wide * 0.87, y + 0.032),
                    (0.5 - wide * 0.48, y + 0.100),
                    (0.5, y + 0.119),
                    (0.5 + wide * 0.48, y + 0.100),
                    (0.5 + wide * 0.87, y + 0.032),
                    (0.5 + wide * 1.0, y - curl * 0.5),
                ]
            )
        return f"{material} cowboy"
    if style == "fedora":
        brim = symmetric(
            [
                (0.5, y - 0.02),
                (0.5 + wide * 0.7, y - 0.03),
                (0.5 + wide * 1.02, y + 0.0),
                (0.5 + wide * 0.95, y + 0.055),
                (0.5 + wide * 0.5, y + 0.11),
                (0.5, y + 0.125),
            ]
        )
        solid(brush, brim, None, 0.04, 0.8, below=0, **look)
        crown = symmetric(
            [
                (0.5, y - tall + 0.03),
                (0.5 + crown_wide * 0.45, y - tall),
                (0.5 + crown_wide * 0.75, y - tall + 0.03),
                (0.5 + crown_wide * 0.93, y - 0.10),
                (0.5 + crown_wide * 1.03, y + 0.035),
                (0.5 + crown_wide * 0.5, y + 0.075),
            ]
        )
        dents = [
            (
                [
                    (0.5 - crown_wide * 0.35, y - tall + 0.06),
                    (0.5 - crown_wide * 0.5, y - tall + 0.15),
                ],
                0.05,
                2.4,
            ),
            (
                [
                    (0.5 + crown_wide * 0.40, y - tall + 0.06),
                    (0.5 + crown_wide * 0.55, y - tall + 0.15),
                ],
                0.05,
                2.4,
            ),
            ([(0.5, y - tall + 0.01), (0.5, y - tall + 0.07)], 0.06, 2.4),
        ]
    else:
        brim = symmetric(
            [
                (0.5, y - 0.075),
                (0.5 + wide * 0.7, y - 0.05),
                (0.5 + wide * 1.03, y + 0.035),
                (0.5 + wide * 0.85, y + 0.115),
                (0.5 + wide * 0.4, y + 0.145),
                (0.5, y + 0.15),
            ]
        )
        rings = [
            (oval(0.5, y + 0.035, wide * s, 0.11 * s), 0.006, 0.7)
            for s in (0.62, 0.70, 0.78, 0.86, 0.94)
        ]
        solid(brush, brim, None, 0.05, 0.6, below=0, grooves=rings, **look)
        crown = symmetric(
            [
                (0.5, y - tall + 0.01),
                (0.5 + crown_wide * 0.5, y - tall + 0.03),
                (0.5 + crown_wide * 0.86, y - tall + 0.11),
                (0.5 + crown_wide * 0.98, y - 0.05),
                (0.5 + crown_wide * 1.02, y + 0.035),
                (0.5 + crown_wide * 0.5, y + 0.072),
            ]
        )
        dents = [
            (
                [
                    (0.5 - crown_wide, y - tall + h),
                    (0.5, y - tall + h + 0.03),
                    (0.5 + crown_wide, y - tall + h),
                ],
                0.005,
                0.6,
            )
            for h in np.arange(0.03, tall, 0.022)
        ]
    solid(brush, crown, None, 0.13, 0.9, grooves=dents, below=0.7, **look)
    line = [
        (0.5 - crown_wide * 1.08, y - 0.03),
        (0.5 - crown_wide * 0.5, y + 0.026),
        (0.5, y + 0.038),
        (0.5 + crown_wide * 0.5, y + 0.026),
        (0.5 + crown_wide * 1.08, y - 0.03),
    ]
    _ribbon(brush, crown, line, ribbon_shade, brush.between(0.05, 0.075))
    return f"{material} {style}"


def _ribbon(brush: Brush, crown: skia.Path, line, shade: Shade, width: float) -> None:
    """Lay a ribbon round a crown, with a flat bow at the side."""
    with within(brush, crown):
        solid(
            brush,
            band([(x, y - width * 0.5) for x, y in line], width),
            shade,
            0.02,
            0.6,
            gloss=0.2,
            texture="rib",
            grain=0.25,
            pattern=False,
            below=0.3,
        )
    if brush.chance(0.6):
        x, y = line[1][0] - 0.05, line[1][1] - width * 0.62
        for side in (-1, 1):
            wing = polygon(
                [
                    (x, y - width * 0.3),
                    (x + side * 0.055, y - width * 0.45),
                    (x + side * 0.055, y + width * 0.40),
                    (x, y + width * 0.3),
                ]
            )
            solid(
                brush, wing, shade, 0.015, 0.7, gloss=0.2, texture="satin", pattern=False, below=0.4
            )
        solid(
            brush,
            box(x - 0.012, y - width * 0.42, x + 0.012, y + width * 0.42, 0.005),
            shade,
            0.01,
            0.8,
            pattern=False,
        )


@register("tie", "accessories", {"Windsor tie"}, tilt=10.0)
def tie(brush: Brush) -> str:
    style = brush.pick("silk", "silk", "knitted", "wool")
    texture, gloss = {
        "silk": ("denim", 0.16),
        "knitted": ("knit", 0.03),
        "wool": ("weave", 0.03),
    }[style]
    look = dict(texture=texture, grain=0.8, gloss=gloss, focus=6.0)
    width = brush.between(0.105, 0.135) if style != "knitted" else brush.between(0.08, 0.09)
    top, tip = 0.17, brush.between(0.90, 0.93)
    lean = brush.between(-0.02, 0.02)
    # the loop for the neck, its far side and its near side
    wide = brush.between(0.16, 0.20)
    inner = curve(
        [
            (0.5 - 0.045, top + 0.02, 0),
            (0.5 - wide * 0.9, 0.085),
            (0.5 - wide * 0.5, 0.045),
            (0.5, 0.038),
            (0.5 + wide * 0.5, 0.045),
            (0.5 + wide * 0.9, 0.085),
            (0.5 + 0.045, top + 0.02, 0),
            (0.5 + wide * 0.55, 0.10),
            (0.5, 0.075),
            (0.5 - wide * 0.55, 0.10),
        ]
    )
    solid(brush, inner, darker(brush.shade, 0.3), 0.02, 0.7, below=0, **{**look, "pattern": False})
    for side in (-1, 1):
        collar = curve(
            [
                (0.5 + side * 0.03, top - 0.015, 0),
                (0.5 + side * wide * 0.75, 0.075, 0),
                (0.5 + side * wide, 0.085),
                (0.5 + side * wide * 0.75, 0.135),
                (0.5 + side * 0.045, top + 0.045, 0),
            ]
        )
        solid(brush, collar, None, 0.02, 0.8, below=0.3, turn=side * 30, **look)
    # the narrow end behind
    tail = polygon(
        [
            (0.5 - 0.02, top + 0.08),
            (0.5 + 0.02, top + 0.08),
            (0.5 + lean * 2 + 0.085, tip - 0.17),
            (0.5 + lean * 2 + 0.055, tip - 0.12),
            (0.5 + lean * 2, tip - 0.16),
        ]
    )
    solid(brush, tail, darker(brush.shade, 0.12), 0.02, 0.5, **look)
    blade = curve(
        [
            (0.5 - 0.042, top + 0.085, 0),
            (0.5 - 0.062, 0.42),
            (0.5 + lean - width, tip - 0.125, 0),
            (0.5 + lean, tip, 0),
            (0.5 + lean + width, tip - 0.125, 0),
            (0.5 + 0.062, 0.42),
            (0.5 + 0.042, top + 0.085, 0),
        ]
    )
    folds = [
        ([(0.5, top + 0.09), (0.49, top + 0.20), (0.497, top + 0.30)], 0.022, 1.2),
        ([(0.5 - 0.03, top + 0.12), (0.5 - 0.042, 0.5)], 0.02, 0.5),
    ]
    solid(brush, blade, None, 0.035, 0.75, grooves=folds, wrinkles=0.15, **look)
    with within(brush, blade):
        brush.shadow([(0.44, top + 0.10), (0.56, top + 0.10)], 0.05, 0.7)
    knot = curve(
        [
            (0.5 - 0.066, top - 0.012, 0),
            (0.5, top - 0.004),
            (0.5 + 0.066, top - 0.012, 0),
            (0.5 + 0.06, top + 0.03),
            (0.5 + 0.040, top + 0.092, 0),
            (0.5, top + 0.10),
            (0.5 - 0.040, top + 0.092, 0),
            (0.5 - 0.06, top + 0.03),
        ]
    )
    crease = [
        (
            [(0.5 - 0.062, top + 0.01), (0.5 - 0.02, top + 0.055), (0.5 + 0.035, top + 0.085)],
            0.012,
            0.7,
        )
    ]
    solid(brush, knot, None, 0.035, 0.9, turn=28, below=0.6, grooves=crease, **look)
    if brush.chance(0.25):
        plate(
            brush, box(0.5 - 0.06, 0.52, 0.5 + 0.085, 0.54, 0.004), brush.pick(GOLD, SILVER), 0.008
        )
    return f"{'slim ' if width < 0.1 else ''}{style}"


@register("bow tie", "accessories", {"bow tie"}, tilt=4.0)
def bow_tie(brush: Brush) -> str:
    style = brush.pick("satin", "velvet", "cotton")
    look = {
        "satin": dict(texture="satin", gloss=0.4, focus=6.0),
        "velvet": dict(texture="suede", gloss=0.1, focus=4.0),
        "cotton": dict(texture="weave", gloss=0.02, grain=1.0),
    }[style]
    shape = brush.pick("butterfly", "batwing", "pointed")
    wide, high = (
        brush.between(0.34, 0.37),
        brush.between(0.135, 0.18) if shape != "batwing" else 0.11,
    )
    y = 0.5
    if brush.chance(0.7):
        for side in (-1, 1):
            strap = band(
                [
                    (0.5, y - 0.01),
                    (0.5 + side * 0.25, y - 0.09),
                    (0.5 + side * 0.37, y - 0.20),
                    (0.5 + side * 0.30, y - 0.29),
                    (0.5, y - 0.325),
                ],
                0.04,
            )
            solid(
                brush,
                strap,
                darker(brush.shade, 0.15),
                0.016,
                0.7,
                below=0,
                **{**look, "pattern": False},
            )
        metal = brush.pick(GOLD, SILVER)
        plate(
            brush,
            minus(
                box(0.60, y - 0.345, 0.66, y - 0.278, 0.01),
                box(0.612, y - 0.33, 0.648, y - 0.293, 0.004),
            ),
            metal,
            0.006,
        )
    back = [
        (0.5, y - 0.05, 0),
        (0.5 + wide * 0.6, y - high * 0.9),
        (0.5 + wide * 0.97, y - high * 1.12, 0),
        (0.5 + wide * 0.92, y),
        (0.5 + wide * 0.97, y + high * 1.12, 0),
        (0.5 + wide * 0.6, y + high * 0.85),
        (0.5, y + 0.05, 0),
    ]
    for side in (-1, 1):
        points = back if side > 0 else flipped(back)
        solid(brush, curve(points), darker(brush.shade, 0.2), 0.03, 0.6, below=0.3, **look)
    front = [
        (0.5, y - 0.045, 0),
        (0.5 + wide * 0.35, y - high * 0.72),
        (0.5 + wide * 0.78, y - high),
        (0.5 + wide * 0.99, y - high * 0.9, 0),
        (0.5 + wide * (0.99 if shape != "pointed" else 1.16), y),
        (0.5 + wide * 0.99, y + high * 0.9, 0),
        (0.5 + wide * 0.78, y + high),
        (0.5 + wide * 0.35, y + high * 0.68),
        (0.5, y + 0.045, 0),
    ]
    for side in (-1, 1):
        points = front if side > 0 else flipped(front)
        folds = [
            ([(0.5 + side * 0.03, y + dy * 0.2), (0.5 + side * wide * reach, y + dy)], 0.022, deep)
            for dy, reach, deep in (
                (-high * 0.40, 0.50, 1.5),
                (high * 0.05, 0.62, 1.7),
                (high * 0.42, 0.46, 1.4),
            )
        ]
        solid(
            brush,
            curve(points),
            None,
            0.06,
            0.8,
            grooves=folds,
            below=0.5,
            turn=side * 6,
            wrinkles=0.1,
            **look,
        )
        with within(brush, curve(points)):
            brush.shadow(
                [
                    (0.5 + side * 0.055, y - 0.08),
                    (0.5 + side * 0.065, y),
                    (0.5 + side * 0.055, y + 0.08),
                ],
                0.05,
                0.7,
            )
    knot = curve(
        [
            (0.5 - 0.058, y - 0.075),
            (0.5, y - 0.082),
            (0.5 + 0.058, y - 0.075),
            (0.5 + 0.052, y),
            (0.5 + 0.058, y + 0.075),
            (0.5, y + 0.082),
            (0.5 - 0.058, y + 0.075),
            (0.5 - 0.052, y),
        ]
    )
    folds = [
        ([(0.5 - 0.02, y - 0.08), (0.5 - 0.012, y + 0.08)], 0.012, 0.9),
        ([(0.5 + 0.022, y - 0.08), (0.5 + 0.018, y + 0.08)], 0.012, 0.7),
    ]
    solid(brush, knot, None, 0.05, 0.95, grooves=folds, below=0.7, **look)
    return f"{style} {shape}"


@register("umbrella", "accessories", {"umbrella"}, tilt=8.0)
def umbrella(brush: Brush) -> str:
    handle_style = brush.pick("crook", "crook", "straight")
    wood = brush.pick((0.45, 0.26, 0.14), (0.62, 0.40, 0.22), NEAR_BLACK, None)
    top, rim = 0.17, brush.between(0.50, 0.54)
    wide = brush.between(0.37, 0.40)
    low = 0.90
    # the inside seen below the rim's arcs, then the shaft, then the panels
    inside = symmetric(
        [
            (0.5, rim - 0.10),
            (0.5 + wide * 0.6, rim - 0.07),
            (0.5 + wide * 0.97, rim, 0),
            (0.5 + wide * 0.5, rim + 0.005),
            (0.5, rim + 0.012),
        ]
    )
    solid(
        brush,
        inside,
        darker(brush.shade, 0.55),
        0.03,
        0.5,
        0.05,
        texture="weave",
        pattern=False,
        below=0,
    )
    plate(brush, box(0.5 - 0.008, rim - 0.06, 0.5 + 0.008, low - 0.12), SILVER, 0.008, below=0)
    if handle_style == "crook":
        crook = band(
            [
                (0.5, low - 0.16),
                (0.5, low - 0.06),
                (0.515, low - 0.01),
                (0.555, low + 0.01),
                (0.595, low - 0.01),
                (0.60, low - 0.05),
            ],
            0.034,
            cap="round",
        )
        solid(brush, crook, wood, 0.017, 1.0, gloss=0.5, texture="satin", pattern=False, below=0)
    else:
        grip = box(0.5 - 0.022, low - 0.15, 0.5 + 0.022, low + 0.01, 0.018)
        solid(brush, grip, wood, 0.02, 1.0, gloss=0.4, texture="satin", pattern=False, below=0)
    plate(
        brush,
        box(0.5 - 0.019, low - 0.165, 0.5 + 0.019, low - 0.145, 0.004),
        brush.pick(GOLD, SILVER),
        0.012,
    )
    # the panels: ribs run from the tip to the rim as arcs
    ribs = [-1.0, -0.72, -0.30, 0.18, 0.64, 1.0]
    shift = brush.between(-0.06, 0.06)
    ribs = [r if abs(r) == 1 else r + shift for r in ribs]
    tip = (0.5, top)

    def rib(share: float) -> list[tuple[float, float]]:
        x = 0.5 + wide * share
        drop = rim + 0.055 * (1 - share**2)
        out = wide * share
        return [
            tip,
            (0.5 + out * 0.45, top + (drop - top) * 0.10),
            (0.5 + out * 0.82, top + (drop - top) * 0.44),
            (x, drop),
        ]

    alternate = brush.chance(0.2) and brush.pattern == "plain"
    for number, (left, right) in enumerate(zip(ribs, ribs[1:], strict=False)):
        a, b = rib(left), rib(right)
        middle = (
            (a[-1][0] + b[-1][0]) / 2,
            (a[-1][1] + b[-1][1]) / 2 - 0.030 - 0.02 * abs(right - left),
        )
        panel = curve([(*tip, 0), *b[1:-1], (*b[-1], 0), middle, (*a[-1], 0), *reversed(a[1:-1])])
        facing = -0.5 * (left + right)
        base = brush.shade
        shade = None
        if alternate and number % 2:
            shade = lighter(base, 0.75) if luminance(base) < 0.7 else darker(base, 0.4)
        solid(
            brush,
            panel,
            shade,
            0.05,
            0.75,
            gloss=0.15,
            focus=6,
            texture="weave",
            grain=0.6,
            turn=-38 * 0.5 * (left + right),
            below=0.25,
        )
        tone = (
            ink((1, 1, 1), 0.14 * facing) if facing > 0 else ink(darker(base, 0.9), -0.38 * facing)
        )
        with within(brush, panel):
            brush.canvas.drawPaint(skia.Paint(Color=tone))
            ends = [skia.Point(0.5, top), skia.Point(0.5, rim + 0.05)]
            fade = [ink((1, 1, 1), 0.10), ink((1, 1, 1), 0.0), ink((0, 0, 0.02), 0.16)]
            brush.canvas.drawPaint(skia.Paint(Shader=skia.GradientShader.MakeLinear(ends, fade)))
        brush.seam(b, 0.35, within=panel)
        plate(brush, circle(b[-1][0], b[-1][1] + 0.004, 0.007), SILVER, 0.006, below=0)
    a = rib(-1.0)
    plate(brush, circle(a[-1][0], a[-1][1] + 0.004, 0.007), SILVER, 0.006, below=0)
    plate(
        brush,
        polygon(
            [
                (0.5 - 0.011, top + 0.012),
                (0.5 - 0.006, top - 0.055),
                (0.5 + 0.006, top - 0.055),
                (0.5 + 0.011, top + 0.012),
            ]
        ),
        SILVER,
        0.008,
    )
    return f"{handle_style}-handle"


@register("mitten", "accessories", {"mitten"}, tilt=5.0)
def mitten(brush: Brush) -> str:
    style = brush.pick("knitted", "knitted", "fleece", "knitted")
    look = dict(texture="knit" if style == "knitted" else "fur", grain=1.0, gloss=0.0)
    cuff_shade = brush.pick(None, None, contrast(brush), lighter(brush.shade, 0.6))
    snow = style == "knitted" and brush.pattern == "plain" and brush.chance(0.5)
    for side, x, turn in ((-1, 0.29, -7), (1, 0.71, 7)):
        brush.canvas.save()
        brush.canvas.translate(x, 0.5)
        brush.canvas.rotate(turn)
        brush.canvas.scale(0.92, 0.92)
        brush.canvas.translate(-0.5, -0.5)
        inward = -side

        def points(raw, inward=inward):
            return [(0.5 + inward * px, py, *rest) for px, py, *rest in raw]

        thumb = curve(
            points(
                [
                    (0.10, 0.66),
                    (0.13, 0.52),
                    (0.19, 0.42),
                    (0.245, 0.375),
                    (0.285, 0.40),
                    (0.285, 0.46),
                    (0.235, 0.56),
                    (0.17, 0.66),
                    (0.13, 0.71),
                ]
            )
        )
        solid(brush, thumb, None, 0.06, 0.95, below=0, **look)
        hand = curve(
            points(
                [
                    (-0.145, 0.68, 0),
                    (-0.165, 0.50),
                    (-0.165, 0.32),
                    (-0.13, 0.19),
                    (-0.03, 0.125),
                    (0.075, 0.155),
                    (0.14, 0.26),
                    (0.155, 0.42),
                    (0.15, 0.56),
                    (0.14, 0.68, 0),
                ]
            )
        )
        solid(brush, hand, None, 0.12, 0.9, wrinkles=0.25, below=0.5, **look)
        with within(brush, hand):
            if snow:
                tone = (
                    lighter(brush.shade, 0.8)
                    if luminance(brush.shade) < 0.7
                    else darker(brush.shade, 0.4)
                )
                for angle in (0, 60, 120):
                    way = np.radians(angle + 30)
                    dx, dy = 0.085 * float(np.cos(way)), 0.085 * float(np.sin(way))
                    brush.line([(0.5 - dx, 0.38 - dy), (0.5 + dx, 0.38 + dy)], 0.014, tone, 0.95)
                    for end in (-1, 1):
                        for spread in (-35, 35):
                            bx, by = 0.5 + end * dx * 0.62, 0.38 + end * dy * 0.62
                            way = np.radians(angle + 30 + spread + (180 if end < 0 else 0))
                            brush.line(
                                [
                                    (bx, by),
                                    (
                                        bx + 0.035 * float(np.cos(way)),
                                        by + 0.035 * float(np.sin(way)),
                                    ),
                                ],
                                0.010,
                                tone,
                                0.95,
                            )
                for y in (0.56, 0.60):
                    for step in range(12):
                        px = 0.34 + step * 0.03
                        brush.line([(px, y), (px + 0.01, y + 0.012)], 0.012, tone, 0.95)
        cuff = curve(
            points(
                [
                    (-0.15, 0.66, 0),
                    (0.0, 0.655),
                    (0.15, 0.66, 0),
                    (0.155, 0.76),
                    (0.16, 0.86, 0),
                    (0.0, 0.87),
                    (-0.16, 0.86, 0),
                    (-0.155, 0.76),
                ]
            )
        )
        solid(
            brush,
            cuff,
            cuff_shade,
            0.04,
            0.8,
            below=0.5,
            texture="knit",
            grain=0.6,
            gloss=0.0,
            pattern=False,
        )
        brush.ribbing(cuff, 9, depth=0.8)
        brush.canvas.restore()
    return style


@register("sock", "accessories", {"sock"}, tilt=5.0)
def sock(brush: Brush) -> str:
    style = brush.pick("crew", "knee", "ankle", "crew")
    trim = brush.pick(
        None,
        contrast(brush),
        lighter(brush.shade, 0.7) if luminance(brush.shade) < 0.7 else darker(brush.shade, 0.4),
    )
    look = dict(texture=brush.pick("knit", "weave"), grain=0.9, gloss=0.0)
    top = {"crew": 0.22, "knee": 0.10, "ankle": 0.36}[style]
    lift = {"crew": 0.0, "knee": 0.02, "ankle": -0.10}[style]
    for shift_x, shift_y, near in ((-0.10, -0.035, False), (0.07, 0.03, True)):
        canvas = brush.canvas
        canvas.save()
        canvas.translate(shift_x, shift_y + lift)
        body = curve(
            [
                (0.30, top, 0),
                (0.40, top - 0.006),
                (0.50, top, 0),
                (0.495, 0.36),
                (0.485, 0.50),
                (0.52, 0.60),
                (0.61, 0.665),
                (0.71, 0.71),
                (0.765, 0.765),
                (0.755, 0.825),
                (0.69, 0.85),
                (0.58, 0.825),
                (0.47, 0.79),
                (0.36, 0.775),
                (0.295, 0.72),
                (0.285, 0.63),
                (0.30, 0.52),
                (0.298, 0.38),
            ]
        )
        bends = [
            ([(0.31, 0.60), (0.40, 0.615), (0.49, 0.575)], 0.025, 0.8),
            ([(0.31, 0.56), (0.40, 0.57), (0.485, 0.535)], 0.02, 0.6),
        ]
        shade = None
        solid(
            brush,
            body,
            shade,
            0.09,
            0.8,
            grooves=bends,
            wrinkles=0.35,
            below=0.5 if near else 0,
            **look,
        )
        with within(brush, body):
            toe = curve(
                [(0.80, 0.66, 0), (0.70, 0.69, 0), (0.665, 0.76), (0.655, 0.87, 0), (0.82, 0.87, 0)]
            )
            heel = curve(
                [
                    (0.24, 0.60, 0),
                    (0.30, 0.605),
                    (0.36, 0.65),
                    (0.385, 0.71),
                    (0.365, 0.80, 0),
                    (0.24, 0.80, 0),
                ]
            )
            for piece in (toe, heel):
                solid(brush, piece, trim, 0.05, 0.6, below=0.25, pattern=False, **look)
            cuff = box(0.25, top - 0.05, 0.55, top + 0.085)
            solid(brush, cuff, trim, 0.03, 0.4, below=0.35, pattern=False, **look)
            brush.ribbing(box(0.29, top - 0.02, 0.51, top + 0.085), 12, depth=0.7)
            if trim is not None and brush.pattern == "plain" and style != "ankle":
                for y in (0.105, 0.14):
                    solid(
                        brush,
                        box(0.25, top + y, 0.55, top + y + 0.018),
                        trim,
                        0.005,
                        0.3,
                        below=0,
                        pattern=False,
                        **look,
                    )
        canvas.restore()
    return style


@register("scarf", "accessories", {"stole"}, tilt=4.0)
def scarf(brush: Brush) -> str:
    style = brush.pick("wool", "knitted", "cashmere")
    look = dict(
        texture={"wool": "denim", "knitted": "knit", "cashmere": "rib"}[style], grain=1.0, gloss=0.0
    )
    # two ends hang down, one over the other, from a loop round an unseen neck
    tails = [
        (
            -1,
            [
                (0.40, 0.34, 0),
                (0.345, 0.5),
                (0.315, 0.80, 0),
                (0.475, 0.82, 0),
                (0.50, 0.5),
                (0.52, 0.36, 0),
            ],
        ),
        (
            1,
            [
                (0.46, 0.34, 0),
                (0.50, 0.5),
                (0.535, brush.between(0.84, 0.87), 0),
                (0.70, brush.between(0.82, 0.85), 0),
                (0.655, 0.5),
                (0.60, 0.34, 0),
            ],
        ),
    ]
    back = curve(
        [
            (0.27, 0.33),
            (0.30, 0.20),
            (0.40, 0.135),
            (0.5, 0.12),
            (0.60, 0.135),
            (0.70, 0.20),
            (0.73, 0.33),
            (0.62, 0.33),
            (0.5, 0.26),
            (0.38, 0.33),
        ]
    )
    solid(brush, back, darker(brush.shade, 0.35), 0.05, 0.7, below=0, **{**look, "pattern": False})
    for side, outline in tails:
        body = curve(outline)
        left, right = outline[2], outline[3]
        for share in np.linspace(0.03, 0.97, 13):
            x = left[0] + (right[0] - left[0]) * share
            y = left[1] + (right[1] - left[1]) * share
            thread = band(
                [
                    (x, y - 0.01),
                    (x + brush.between(-0.006, 0.006), y + 0.04),
                    (x + brush.between(-0.012, 0.012), y + 0.075),
                ],
                0.008,
                cap="round",
            )
            brush.canvas.drawPath(
                thread,
                skia.Paint(
                    AntiAlias=True, Color=ink(darker(brush.shade, brush.between(0.05, 0.35)))
                ),
            )
        folds = [
            (
                [
                    (0.5 + side * 0.03 * k, 0.36),
                    (0.5 + side * (0.02 + 0.048 * k), 0.6),
                    (0.5 + side * (0.02 + 0.055 * k), 0.78),
                ],
                0.026,
                1.1,
            )
            for k in (0.8, 2.0, 2.9)
        ]
        solid(
            brush,
            body,
            None,
            0.07,
            0.7,
            grooves=folds,
            wrinkles=0.35,
            below=0.6,
            turn=side * -6,
            **look,
        )
    near = curve(
        [
            (0.25, 0.29),
            (0.275, 0.22),
            (0.34, 0.255),
            (0.42, 0.31),
            (0.5, 0.325),
            (0.58, 0.31),
            (0.66, 0.255),
            (0.725, 0.22),
            (0.75, 0.29),
            (0.715, 0.385),
            (0.62, 0.455),
            (0.5, 0.475),
            (0.38, 0.455),
            (0.285, 0.385),
        ]
    )
    folds = [
        (
            [
                (0.27, 0.26 + d),
                (0.38, 0.345 + d),
                (0.5, 0.365 + d),
                (0.62, 0.345 + d),
                (0.73, 0.26 + d),
            ],
            0.022,
            1.5,
        )
        for d in (0.0, 0.045)
    ]
    solid(brush, near, None, 0.07, 0.9, grooves=folds, wrinkles=0.3, below=0.7, turn=90, **look)
    return style
