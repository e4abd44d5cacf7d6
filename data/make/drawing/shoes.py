"""Shoes: sneakers, high heels, boots, sandals and loafers, seen from the side."""

from __future__ import annotations

import numpy as np
import skia

from drawing.canvas import (
    CREAM,
    DARK_BROWN,
    GOLD,
    NEAR_BLACK,
    NEAR_WHITE,
    SILVER,
    TAN,
    Brush,
    Shade,
    along,
    band,
    box,
    circle,
    curve,
    darker,
    ink,
    lighter,
    luminance,
    minus,
    mix,
    oval,
    polygon,
    register,
    union,
)
from drawing.relief import contrast, pair, plate, solid, within

GUM: Shade = (0.72, 0.50, 0.30)
SOLE_WHITE: Shade = (0.90, 0.90, 0.88)


@register("sneaker", "shoes", {"running shoe"}, tilt=4.0)
def sneaker(brush: Brush) -> str:
    style = brush.pick("running", "running", "running", "running", "court", "court", "high-top")
    trim = brush.pick(NEAR_WHITE, NEAR_WHITE, contrast(brush), NEAR_BLACK)
    if brush.colour == "white":
        trim = brush.pick((0.80, 0.81, 0.83), (0.25, 0.27, 0.32), (0.70, 0.72, 0.75))
    sole_shade = brush.pick(SOLE_WHITE, SOLE_WHITE, SOLE_WHITE, GUM, NEAR_BLACK)
    if brush.colour == "black":
        sole_shade = brush.pick(SOLE_WHITE, SOLE_WHITE, NEAR_BLACK)
    texture = brush.pick("mesh", "leather", "suede") if style != "high-top" else "weave"
    lean = 0.045 if style == "high-top" else 0.0  # how much narrower it is there
    collar = 0.12 if style == "high-top" else 0.0  # how much higher the ankle stands
    thick = brush.between(0.075, 0.10) if style == "running" else brush.between(0.055, 0.07)
    bottom = 0.70
    top = bottom - thick
    brush.ground_shadow(0.10, 0.90, bottom + 0.015)
    # The shoe points to the right: heel at 0.10, toe at 0.90.
    spring = 0.02 if style == "running" else 0.006
    upper = curve(
        [
            (0.115, top + 0.02, 0),
            (0.108, 0.56),
            (0.122 + lean * 0.3, 0.47),
            (0.112 + lean * 0.5, 0.385 - collar),
            (0.145 + lean * 0.4, 0.355 - collar),
            (0.20, 0.395 - collar * 0.95),
            (0.29, 0.425 - collar),
            (0.37 - lean, 0.385 - collar),
            (0.405 - lean, 0.365 - collar, 0),
            (0.47 - lean * 0.9, 0.405 - collar * 0.5),
            (0.555, 0.455 - collar * 0.12),
            (0.65, 0.505),
            (0.75, 0.525),
            (0.83, 0.545),
            (0.888, 0.59 - spring),
            (0.895, top + 0.025 - spring, 0),
        ]
    )
    # the inside of the far collar and the tongue
    tongue = curve(
        [
            (0.36 - lean, 0.42 - collar, 0),
            (0.365 - lean, 0.33 - collar),
            (0.40 - lean, 0.305 - collar),
            (0.445 - lean, 0.325 - collar),
            (0.52 - lean, 0.42 - collar * 0.5),
            (0.50 - lean, 0.47 - collar * 0.5, 0),
        ]
    )
    solid(brush, tongue, None, 0.03, gloss=0.1, texture="weave", pattern=False)
    far = curve(
        [
            (0.13 + lean * 0.5, 0.40 - collar, 0),
            (0.155 + lean * 0.5, 0.345 - collar),
            (0.23, 0.365 - collar),
            (0.31, 0.385 - collar),
            (0.40 - lean, 0.345 - collar, 0),
            (0.40 - lean, 0.45 - collar, 0),
            (0.2, 0.47 - collar, 0),
        ]
    )
    solid(brush, far, darker(brush.shade, 0.45), 0.02, gloss=0.05, texture="weave")
    bends = [
        ([(0.60, 0.54), (0.63, 0.60), (0.62, 0.64)], 0.02, 0.35),
        ([(0.66, 0.55), (0.69, 0.61), (0.68, 0.65)], 0.02, 0.3),
    ]
    solid(brush, upper, None, 0.11, 0.75, gloss=0.16, texture=texture, grain=0.5, grooves=bends)
    # overlays
    smooth = dict(texture="leather", grain=0.25, pattern=False)
    eyestay = curve(
        [
            (0.375 - lean, 0.375 - collar, 0),
            (0.405 - lean, 0.365 - collar, 0),
            (0.47 - lean * 0.9, 0.405 - collar * 0.5),
            (0.555, 0.465 - collar * 0.12),
            (0.635, 0.512, 0),
            (0.625, 0.560),
            (0.56, 0.555),
            (0.50, 0.52 - collar * 0.1),
            (0.42 - lean, 0.47 - collar * 0.6),
        ]
    )
    toe = curve(
        [
            (0.735, 0.515, 0),
            (0.85, 0.53),
            (0.91, 0.60),
            (0.91, top + 0.03, 0),
            (0.66, top + 0.03, 0),
            (0.70, 0.58),
        ]
    )
    heel = curve(
        [
            (0.10, top + 0.03, 0),
            (0.10, 0.56),
            (0.122 + lean * 0.3, 0.47),
            (0.112 + lean * 0.5, 0.385 - collar),
            (0.150 + lean * 0.5, 0.375 - collar),
            (0.185, 0.46 - collar * 0.5),
            (0.19, 0.53),
            (0.26, 0.585),
            (0.27, top + 0.03, 0),
        ]
    )
    panel = brush.pick(None, contrast(brush), trim)
    toe_shade = brush.pick(None, contrast(brush))
    if style == "high-top":
        toe_shade = SOLE_WHITE
    with within(brush, upper):
        solid(brush, heel, panel, 0.05, 0.6, 0.2, **smooth)
        solid(brush, toe, toe_shade, 0.06, 0.8, 0.3, **smooth)
        solid(brush, eyestay, panel, 0.02, 0.6, 0.2, **smooth)
        # the emblem on the side
        mark = brush.pick("bars", "wave", "arrow", "bars")
        mark_shade = trim if trim is not panel else contrast(brush)
        if style == "high-top":
            disc = circle(0.245, 0.42 - collar * 0.55, 0.042)
            solid(brush, disc, SOLE_WHITE, 0.01, 0.5, below=0.3)
            solid(brush, circle(0.245, 0.42 - collar * 0.55, 0.022), contrast(brush), 0.01, 0.4)
        elif mark == "bars":
            for step in range(brush.pick(2, 3, 3)):
                x = 0.345 + step * 0.062
                bar = polygon(
                    [
                        (x + 0.055, 0.47),
                        (x + 0.085, 0.485),
                        (x + 0.02, top + 0.01),
                        (x - 0.015, top),
                    ]
                )
                solid(brush, bar, mark_shade, 0.012, 0.5, 0.2, **smooth)
        elif mark == "wave":
            wave = curve(
                [
                    (0.22, 0.50, 0),
                    (0.30, 0.585),
                    (0.42, 0.565),
                    (0.60, 0.50, 0),
                    (0.45, 0.615),
                    (0.30, 0.635),
                    (0.23, 0.57),
                ]
            )
            solid(brush, wave, mark_shade, 0.012, 0.5, 0.2, **smooth)
        else:
            for shift in (0.0, 0.07):
                chevron = band(
                    [
                        (0.30 + shift, 0.49, 0),
                        (0.37 + shift, 0.55, 0),
                        (0.33 + shift, top + 0.01, 0),
                    ],
                    0.026,
                )
                solid(brush, chevron, mark_shade, 0.012, 0.5, 0.2, **smooth)
        brush.stitch(
            [(0.40 - lean, 0.475 - collar * 0.7), (0.50, 0.512), (0.56, 0.545), (0.615, 0.55)]
        )
        brush.stitch([(0.725, 0.53), (0.69, 0.58), (0.65, top - 0.005)])
        brush.stitch([(0.20, 0.49 - collar * 0.4), (0.21, 0.53), (0.27, 0.575)])
        # padded collar
        solid(
            brush,
            band(
                [
                    (0.10 + lean * 0.5, 0.385 - collar),
                    (0.145 + lean * 0.4, 0.365 - collar),
                    (0.20, 0.405 - collar * 0.95),
                    (0.29, 0.435 - collar),
                    (0.38 - lean, 0.385 - collar),
                ],
                0.035,
                cap="round",
            ),
            None,
            0.02,
            0.7,
            0.1,
            texture="weave",
            pattern=False,
            below=0.3,
        )
    # laces
    lace = brush.pick(NEAR_WHITE, NEAR_WHITE, trim, contrast(brush))
    count = 7 if style == "high-top" else 5
    for step in range(count):
        share = step / (count - 1)
        x = 0.415 + 0.185 * share - lean * (1 - share) * 1.1
        y = (0.40 - collar) * (1 - share) + 0.515 * share - collar * 0.25 * share * (1 - share)
        y -= 0.02 * np.sin(share * np.pi)
        hole = circle(x - 0.008, y + 0.035, 0.009)
        plate(brush, hole, SILVER, 0.008, below=0.2)
        strap = band(
            [(x - 0.008, y + 0.035), (x + 0.012, y + 0.008), (x + 0.038, y - 0.012)],
            0.019,
            cap="round",
        )
        solid(brush, strap, lace, 0.01, 0.8, 0.1, texture="knit", grain=0.5)
    for loop in (
        [(0.42, 0.375), (0.37, 0.36), (0.345, 0.405), (0.40, 0.41), (0.43, 0.385)],
        [(0.43, 0.375), (0.475, 0.385), (0.47, 0.44), (0.435, 0.415), (0.425, 0.385)],
    ):
        placed = [(x - lean, y - collar) for x, y in loop]
        solid(brush, band(placed, 0.014, cap="round"), lace, 0.008, 0.8, 0.1, texture="knit")
    # the sole
    if style == "running":
        sole = curve(
            [
                (0.095, top - 0.018, 0),
                (0.25, top + 0.012),
                (0.45, top + 0.02),
                (0.68, top + 0.012),
                (0.83, top - 0.004),
                (0.905, top - 0.028, 0),
                (0.915, top + 0.01),
                (0.88, bottom - 0.022),
                (0.80, bottom - 0.004),
                (0.70, bottom, 0),
                (0.45, bottom - 0.010),
                (0.30, bottom, 0),
                (0.13, bottom, 0),
                (0.088, bottom - 0.03),
            ]
        )
    else:
        sole = curve(
            [
                (0.10, top, 0),
                (0.45, top + 0.012),
                (0.80, top + 0.004),
                (0.905, top - 0.008, 0),
                (0.91, bottom - 0.025),
                (0.885, bottom - 0.006),
                (0.80, bottom),
                (0.13, bottom),
                (0.098, bottom - 0.012),
            ]
        )
    middle = top + thick * 0.58
    grooves = [([(0.09, middle), (0.50, middle + 0.012), (0.92, middle - 0.02)], 0.006, 0.8)]
    solid(brush, sole, sole_shade, 0.03, 0.7, 0.12, texture="satin", grooves=grooves, below=0.5)
    if brush.chance(0.5) or style == "high-top":
        stripe = band([(0.09, middle), (0.50, middle + 0.010), (0.93, middle - 0.02)], 0.010)
        with within(brush, sole):
            solid(brush, stripe, None if sole_shade != brush.shade else trim, 0.006, pattern=False)
    tread_shade = brush.pick(NEAR_BLACK, GUM, darker(sole_shade, 0.4))
    with within(brush, sole):
        for x in np.arange(0.09, 0.92, 0.030):
            notch = polygon(
                [
                    (x, bottom - 0.013),
                    (x + 0.017, bottom - 0.013),
                    (x + 0.013, bottom + 0.01),
                    (x - 0.002, bottom + 0.01),
                ]
            )
            brush.canvas.drawPath(notch, skia.Paint(AntiAlias=True, Color=ink(tread_shade, 0.85)))
    brush.seam([(0.10, top + 0.004), (0.45, top + 0.018), (0.80, top + 0.004)], 0.5)
    return style


@register("high heel", "shoes", {"sandal", "clog", "Loafer"}, tilt=3.0)
def high_heel(brush: Brush) -> str:
    return pair(brush, _high_heel) if brush.chance(0.6) else _high_heel(brush)


def _high_heel(brush: Brush) -> str:
    style = brush.pick("stiletto", "stiletto", "block-heel", "stiletto", "kitten-heel")
    rise = {"kitten-heel": 0.13, "block-heel": 0.20}.get(style) or brush.between(0.23, 0.28)
    finish = brush.pick("patent", "leather", "suede", "suede")
    patent, gloss = {"patent": (0.6, 0.35), "leather": (0.0, 0.15), "suede": (0.0, 0.04)}[finish]
    texture = "suede" if finish == "suede" else "satin" if finish == "patent" else "leather"
    strap = brush.pick("", "", "", "ankle-strap", "strappy")
    toe_shape = brush.pick("pointed", "round", "round")
    ground = 0.74
    heel_y = ground - rise - 0.05  # where the foot's heel rests
    brush.ground_shadow(0.52, 0.92, ground + 0.008, 0.02)
    brush.ground_shadow(0.12, 0.24, ground + 0.008, 0.015)
    look = dict(gloss=gloss, patent=patent, texture=texture, grain=0.35)
    tip = 0.92 if toe_shape == "pointed" else 0.885
    roof = 0.652 if toe_shape == "pointed" else 0.632
    top = heel_y - 0.17  # the top of the heel's counter
    # the far side and the lining
    lining = curve(
        [
            (0.13, top + 0.02, 0),
            (0.16, top - 0.012),
            (0.24, top + 0.055),
            (0.36, top + 0.15),
            (0.50, 0.60),
            (0.62, 0.615),
            (0.69, 0.625, 0),
            (0.60, 0.68),
            (0.42, heel_y + 0.06),
            (0.25, heel_y - 0.02),
            (0.15, heel_y - 0.05, 0),
        ]
    )
    inner = brush.pick(CREAM, TAN, darker(brush.shade, 0.4))
    if strap != "strappy":
        solid(brush, lining, inner, 0.05, 0.6, 0.1, texture="leather", grain=0.3, below=0)
    # the heel
    under = heel_y + 0.03
    if style == "block-heel":
        heel = curve(
            [
                (0.125, under - 0.03, 0),
                (0.135, ground - 0.05),
                (0.145, ground, 0),
                (0.255, ground, 0),
                (0.262, ground - 0.08),
                (0.30, under + 0.03, 0),
            ]
        )
    elif style == "kitten-heel":
        heel = curve(
            [
                (0.125, under - 0.02, 0),
                (0.155, under + 0.04),
                (0.185, ground - 0.03),
                (0.187, ground, 0),
                (0.222, ground, 0),
                (0.225, ground - 0.03),
                (0.25, under + 0.045),
                (0.32, under + 0.035, 0),
            ]
        )
    else:
        heel = curve(
            [
                (0.120, under - 0.03, 0),
                (0.142, under + 0.05),
                (0.158, ground - 0.07),
                (0.160, ground, 0),
                (0.186, ground, 0),
                (0.188, ground - 0.06),
                (0.215, under + 0.07),
                (0.31, under + 0.035, 0),
            ]
        )
    solid(brush, heel, None, 0.035, 0.9, **look)
    tap = common_box(heel, ground - 0.014, ground + 0.01)
    brush.canvas.drawPath(tap, skia.Paint(AntiAlias=True, Color=ink(NEAR_BLACK)))
    # the sole, seen as a thin edge and under the arch
    sole_shade = brush.pick(darker(brush.shade, 0.5), TAN, NEAR_BLACK, (0.70, 0.10, 0.12))
    sole = curve(
        [
            (0.13, heel_y + 0.01, 0),
            (0.26, heel_y + 0.045),
            (0.40, heel_y + 0.11 + rise * 0.15),
            (0.52, ground - 0.045),
            (0.64, ground - 0.02),
            (0.80, ground - 0.022),
            (tip - 0.005, ground - 0.03, 0),
            (tip - 0.05, ground - 0.004),
            (0.78, ground),
            (0.64, ground),
            (0.52, ground - 0.022),
            (0.39, heel_y + 0.135 + rise * 0.15),
            (0.25, heel_y + 0.068),
            (0.128, heel_y + 0.03, 0),
        ]
    )
    solid(brush, sole, sole_shade, 0.012, 0.6, 0.2, texture="leather", grain=0.3)
    depth = brush.between(-0.02, 0.035)  # how far the throat is cut out
    upper = curve(
        [
            (0.128, heel_y + 0.018, 0),
            (0.108, heel_y - 0.06),
            (0.128, top + 0.01),
            (0.150, top - 0.003, 0),
            (0.21, top + 0.085),
            (0.31, heel_y - 0.02),
            (0.45, heel_y + 0.065 + depth * 0.3),
            (0.58 + depth * 0.4, 0.668),
            (0.650 + depth, 0.640),
            (0.680 + depth, 0.600, 0),
            (0.76, roof - 0.012),
            (0.84, roof + 0.015),
            (tip - 0.012, ground - 0.055),
            (tip, ground - 0.028, 0),
            (0.80, ground - 0.018),
            (0.64, ground - 0.016),
            (0.52, ground - 0.04),
            (0.40, heel_y + 0.118 + rise * 0.15),
            (0.26, heel_y + 0.052),
        ]
    )
    if strap == "strappy":
        _straps(brush, heel_y, top, ground, rise, look)
    else:
        solid(brush, upper, None, 0.07, 0.85, **look)
        if brush.chance(0.35) and style != "kitten-heel" and brush.pattern == "plain":
            with within(brush, upper):
                cap = curve(
                    [
                        (0.80, 0.60, 0),
                        (0.78, 0.67),
                        (0.79, 0.76, 0),
                        (0.95, 0.76, 0),
                        (0.95, 0.6, 0),
                    ]
                )
                solid(
                    brush,
                    cap,
                    contrast(brush),
                    0.03,
                    0.5,
                    below=0.3,
                    gloss=gloss,
                    patent=patent,
                    texture=texture,
                )
        if strap == "ankle-strap":
            line = band(
                [
                    (0.135, top + 0.03, 0),
                    (0.20, top - 0.055),
                    (0.32, top - 0.075),
                    (0.375, top - 0.035),
                ],
                0.024,
                cap="round",
            )
            back = band(
                [
                    (0.13, top + 0.03),
                    (0.21, top + 0.012),
                    (0.30, top + 0.005),
                    (0.375, top - 0.035),
                ],
                0.024,
                cap="round",
            )
            solid(brush, line, darker(brush.shade, 0.3), 0.01, 0.8, pattern=False, below=0)
            solid(brush, back, None, 0.012, 0.8, gloss=0.3, pattern=False)
            brush.buckle(0.30, top + 0.006, 0.03, 0.036, brush.pick(GOLD, SILVER))
        elif brush.chance(0.4):
            x, y = 0.70 + depth, 0.635
            knot = brush.pick("bow", "buckle")
            if knot == "bow":
                for side in (-1, 1):
                    wing = curve(
                        [
                            (x, y, 0),
                            (x + side * 0.045, y - 0.04),
                            (x + side * 0.06, y + 0.005),
                            (x + side * 0.04, y + 0.025),
                        ]
                    )
                    solid(brush, wing, None, 0.02, 0.9, gloss=gloss, pattern=False)
                solid(brush, circle(x, y, 0.013), None, 0.01, gloss=gloss, pattern=False)
            else:
                plate(
                    brush,
                    minus(
                        oval(x + 0.01, y + 0.012, 0.036, 0.022),
                        oval(x + 0.01, y + 0.012, 0.022, 0.011),
                    ),
                    brush.pick(GOLD, SILVER),
                    0.008,
                )
    return f"{finish} {strap} {style}".replace("  ", " ")


def _straps(brush: Brush, heel_y, top, ground, rise, look) -> None:
    """Draw the open upper of an evening sandal: counter, ankle strap and toe straps."""
    bed = [
        (0.135, heel_y + 0.008),
        (0.26, heel_y + 0.040),
        (0.40, heel_y + 0.105 + rise * 0.15),
        (0.52, ground - 0.052),
        (0.64, ground - 0.030),
        (0.80, ground - 0.032),
        (0.895, ground - 0.045),
    ]
    far_look = {**look, "pattern": False, "below": 0}
    deep = darker(brush.shade, 0.4)
    for points in (
        [
            (0.60, ground - 0.05),
            (0.68, ground - 0.165),
            (0.77, ground - 0.13),
            (0.80, ground - 0.05),
        ],
        [(0.14, top + 0.06), (0.18, top - 0.035), (0.29, top - 0.055), (0.36, top - 0.005)],
    ):
        solid(brush, band(points, 0.030), deep, 0.012, 0.8, **far_look)
    solid(
        brush,
        band(bed, 0.030, cap="round"),
        brush.pick(None, contrast(brush), TAN),
        0.014,
        0.8,
        0.2,
        pattern=False,
    )
    counter = curve(
        [
            (0.128, heel_y + 0.018, 0),
            (0.108, heel_y - 0.06),
            (0.128, top + 0.01),
            (0.165, top - 0.005),
            (0.195, top + 0.07),
            (0.215, heel_y - 0.05),
            (0.27, heel_y + 0.05, 0),
        ]
    )
    solid(brush, counter, None, 0.04, 0.85, **look)
    ankle = [(0.125, top + 0.035), (0.21, top + 0.045), (0.30, top + 0.03), (0.365, top - 0.01)]
    solid(brush, band(ankle, 0.028, cap="round"), None, 0.012, 0.85, **look)
    brush.buckle(0.29, top + 0.033, 0.034, 0.040, brush.pick(GOLD, SILVER))
    if brush.chance(0.5):
        instep = [
            (0.36, top - 0.005),
            (0.46, ground - 0.22),
            (0.56, ground - 0.16),
            (0.66, ground - 0.15),
        ]
        solid(brush, band(instep, 0.024), None, 0.012, 0.85, **look)
    rows = brush.pick(1, 2, 3)
    for row in range(rows):
        x = 0.60 + 0.10 * row if rows > 1 else 0.63
        width = 0.115 if rows == 1 else 0.062
        lift = 0.145 - 0.028 * row
        toe = [(x, ground - 0.020), (x + 0.025, ground - lift * 0.72), (x + 0.085, ground - lift)]
        path = band([*toe, (x + 0.125, ground - lift * 0.95)], width)
        solid(brush, path, None, 0.03, 0.85, **look)


def common_box(path: skia.Path, top: float, bottom: float) -> skia.Path:
    """Return the part of a path between two heights."""
    return skia.Op(path, box(-1, top, 2, bottom), skia.PathOp.kIntersect_PathOp)


@register("boot", "shoes", {"cowboy boot"}, tilt=3.0)
def boot(brush: Brush) -> str:
    style = brush.pick("western", "western", "western", "ankle", "riding")
    texture = brush.pick("leather", "leather", "suede")
    gloss = 0.32 if texture == "leather" else 0.05
    top = {"western": 0.14, "ankle": 0.26, "riding": 0.09}[style]
    ground = 0.86
    brush.ground_shadow(0.22, 0.86, ground + 0.01)
    heel_height = {"western": 0.075, "ankle": 0.06, "riding": 0.045}[style]
    wide = brush.between(-0.01, 0.02)
    left, right = 0.235 - wide, 0.54 + wide
    # opening, then the shaft with the foot
    scallop = 0.055 if style == "western" else 0.0
    rim = [
        (left, top + 0.02, 0),
        (left + 0.08, top + 0.004 - scallop * 0.2),
        (0.5 * (left + right), top + 0.005 + scallop),
        (right - 0.08, top - scallop * 0.2),
        (right, top + 0.012, 0),
    ]
    back = curve(
        [
            (left + 0.004, top + 0.02, 0),
            (left + 0.05, top - 0.02 - scallop * 0.5),
            (0.5 * (left + right), top - 0.025 - scallop * 0.7),
            (right - 0.05, top - 0.025 - scallop * 0.5),
            (right - 0.004, top + 0.012, 0),
            (0.5 * (left + right), top + 0.12, 0),
        ]
    )
    solid(brush, back, darker(brush.shade, 0.5), 0.02, 0.5, 0.1, texture=texture, pattern=False)
    sole_y = ground - 0.018
    upper = curve(
        [
            *rim,
            (right - 0.012, 0.34),
            (right - 0.025, 0.50),
            (right - 0.002, 0.60),
            (0.62, 0.665),
            (0.72, 0.715),
            (0.815, 0.765),
            (0.862, 0.81),
            (0.872, sole_y, 0),
            (0.70, sole_y),
            (0.56, sole_y - 0.012),
            (0.47, sole_y - heel_height * 0.75),
            (0.36, ground - heel_height - 0.008),
            (0.245, ground - heel_height, 0),
            (0.222, 0.74),
            (0.248, 0.66),
            (0.262, 0.55),
            (left + 0.012, 0.34),
        ]
    )
    bends = [
        ([(0.28, 0.645), (0.36, 0.665), (0.45, 0.63)], 0.03, 0.7),
        ([(0.27, 0.60), (0.36, 0.615), (0.47, 0.575)], 0.025, 0.5),
        ([(0.60, 0.68), (0.585, 0.74), (0.60, 0.78)], 0.025, 0.4),
    ]
    solid(
        brush,
        upper,
        None,
        0.15,
        0.85,
        gloss,
        texture=texture,
        grain=0.4,
        grooves=bends,
        patent=0.12 if texture == "leather" else 0,
    )
    thread = brush.pick(CREAM, contrast(brush), lighter(brush.shade, 0.5))
    if luminance(brush.shade) > 0.6:
        thread = brush.pick(TAN, darker(brush.shade, 0.5))
    with within(brush, upper):
        if style == "western":
            toe = curve(
                [
                    (0.90, 0.72, 0),
                    (0.80, 0.73),
                    (0.735, 0.70, 0),
                    (0.70, 0.76),
                    (0.715, 0.80),
                    (0.665, ground, 0),
                    (0.95, ground, 0),
                ]
            )
            heel = curve(
                [
                    (0.15, 0.60, 0),
                    (0.25, 0.655),
                    (0.305, 0.70),
                    (0.325, 0.755),
                    (0.385, 0.79),
                    (0.40, ground, 0),
                    (0.15, ground, 0),
                ]
            )
            overlay = brush.pick(None, contrast(brush), darker(brush.shade, 0.3))
            for piece in (toe, heel):
                solid(
                    brush,
                    piece,
                    overlay,
                    0.04,
                    0.5,
                    gloss,
                    texture=texture,
                    grain=0.4,
                    below=0.3,
                    pattern=False,
                )
            middle = 0.5 * (left + right) - 0.005
            for spread in (0.0, 0.028, 0.056):
                for side in (-1, 1):
                    flame = [
                        (middle, 0.28 + spread * 1.2),
                        (middle + side * (0.05 + spread * 0.6), 0.24 + spread * 0.4),
                        (middle + side * (0.085 + spread * 0.5), 0.31),
                        (middle + side * (0.04 + spread * 0.55), 0.40),
                        (middle + side * (0.07 + spread * 0.4), 0.47),
                        (middle, 0.555 - spread * 0.9),
                    ]
                    brush.line(flame, 0.0055, thread, 0.9)
            for line in (
                [(0.62, 0.655), (0.60, 0.72), (0.66, 0.755), (0.69, 0.72)],
                [(0.575, 0.64), (0.565, 0.72), (0.64, 0.79), (0.70, 0.79)],
            ):
                brush.line(line, 0.005, thread, 0.85)
            side_seam = [(middle, top), (middle + 0.01, 0.4), (middle - 0.005, 0.62)]
            piping = band(side_seam, 0.010)
            solid(brush, piping, overlay or contrast(brush), 0.005, 0.8, below=0.3)
        elif style == "ankle":
            gore = curve(
                [
                    (0.345, top - 0.02, 0),
                    (0.44, top - 0.02, 0),
                    (0.435, 0.45),
                    (0.41, 0.58),
                    (0.375, 0.58),
                    (0.352, 0.45),
                ]
            )
            solid(
                brush,
                gore,
                mix(darker(brush.shade, 0.45), (0.1, 0.1, 0.1), 0.2),
                0.01,
                0.4,
                0.05,
                texture="rib",
                grain=0.9,
                pattern=False,
            )
            brush.stitch([(0.445, top), (0.45, 0.45), (0.415, 0.60)])
            brush.stitch([(0.335, top), (0.338, 0.45), (0.37, 0.60)])
        else:
            strap = band([(0.18, 0.60), (0.35, 0.625), (0.56, 0.57)], 0.030)
            solid(brush, strap, contrast(brush), 0.01, 0.8, gloss, pattern=False)
            brush.buckle(0.40, 0.618, 0.04, 0.045, brush.pick(GOLD, SILVER))
            cuff = band(
                [(left - 0.02, top + 0.045), (0.4, top + 0.04), (right + 0.02, top + 0.035)], 0.035
            )
            solid(brush, cuff, contrast(brush), 0.012, 0.6, gloss, pattern=False)
            brush.seam([(0.30, top), (0.30, 0.4), (0.305, 0.78)], 0.5)
    edge = band(rim, 0.013, cap="round")
    solid(
        brush,
        edge,
        overlay if style == "western" and overlay else contrast(brush),
        0.006,
        0.8,
        pattern=False,
        below=0.2,
    )
    if style != "riding":
        mid = 0.5 * (left + right)
        for x in (left + 0.035, mid) if style == "ankle" else (mid,):
            y = top + (0.012 if style == "ankle" else scallop * 0.9)
            loop = band(
                [
                    (x - 0.014, y + 0.065),
                    (x - 0.012, y - 0.035),
                    (x + 0.012, y - 0.035),
                    (x + 0.014, y + 0.065),
                ],
                0.014,
            )
            solid(brush, loop, contrast(brush), 0.006, 0.8, pattern=False, below=0.3)
    # heel and sole
    sole_shade = brush.pick(DARK_BROWN, NEAR_BLACK, TAN if brush.colour != "black" else NEAR_BLACK)
    lean = 0.03 if style == "western" else 0.005
    heel = polygon(
        [
            (
                0.235,
                ground - heel_height,
            ),
            (0.40, ground - heel_height + 0.012),
            (0.385 - lean * 0.3, ground),
            (0.245 + lean, ground),
        ]
    )
    layers = [
        ([(0.2, ground - heel_height * s), (0.45, ground - heel_height * s)], 0.004, 0.7)
        for s in (0.25, 0.5, 0.75)
    ]
    solid(brush, heel, sole_shade, 0.02, 0.7, 0.2, texture="leather", grooves=layers, grain=0.3)
    welt = curve(
        [
            (0.232, ground - heel_height - 0.012, 0),
            (0.36, ground - heel_height - 0.012),
            (0.47, sole_y - heel_height * 0.72),
            (0.56, sole_y - 0.014),
            (0.70, sole_y - 0.004),
            (0.884, sole_y - 0.006, 0),
            (0.878, ground - 0.004),
            (0.70, ground),
            (0.56, ground - 0.004),
            (0.47, ground - heel_height * 0.6),
            (0.39, ground - heel_height + 0.012),
            (0.235, ground - heel_height + 0.008, 0),
        ]
    )
    solid(brush, welt, sole_shade, 0.008, 0.7, 0.25, texture="leather", grain=0.3)
    brush.stitch([(0.56, sole_y - 0.005), (0.70, sole_y + 0.004), (0.875, sole_y + 0.002)], CREAM)
    return f"{'suede' if texture == 'suede' else 'leather'} {style}"


@register("sandal", "shoes", {"sandal"}, tilt=4.0)
def sandal(brush: Brush) -> str:
    if brush.chance(0.72):
        return _sandals_from_above(brush)
    return pair(brush, _sandal) if brush.chance(0.6) else _sandal(brush)


def _sandals_from_above(brush: Brush) -> str:
    """Draw a pair of flat sandals as they stand on the floor, seen from above."""
    style = brush.pick("flip-flop", "slide", "cross-strap", "ankle-strap", "slide")
    texture, gloss = brush.pick(("leather", 0.25), ("suede", 0.03), ("satin", 0.4))
    look = dict(texture=texture, gloss=gloss, grain=0.4)
    # The footbed is the largest part: it must not outvote the product's colour.
    own = brush.pick(contrast(brush), lighter(brush.shade, 0.3))
    if brush.colour in ("white", "beige", "brown", "black"):
        own = contrast(brush)
    pale = (0.90, 0.88, 0.84)
    bed = brush.pick(own, brush.shade) if style == "flip-flop" else brush.pick(own, own, own, pale)
    metal = brush.pick(GOLD, SILVER)
    chance = brush.rng.bit_generator.state
    for side in (-1, 1):
        brush.rng.bit_generator.state = chance
        canvas = brush.canvas
        canvas.save()
        canvas.translate(0.5 + side * 0.175, 0.5)
        canvas.rotate(side * 6)
        canvas.scale(side, 1.0)  # the left shoe is the right one mirrored
        canvas.translate(-0.5, -0.5)
        outline = curve(
            [
                (0.425, 0.115),
                (0.50, 0.105),
                (0.57, 0.15),
                (0.625, 0.26),
                (0.635, 0.38),
                (0.605, 0.52),
                (0.595, 0.66),
                (0.605, 0.78),
                (0.575, 0.87),
                (0.50, 0.90),
                (0.425, 0.87),
                (0.395, 0.77),
                (0.405, 0.64),
                (0.385, 0.50),
                (0.365, 0.36),
                (0.36, 0.23),
                (0.38, 0.15),
            ]
        )
        thick = skia.Path(outline)
        thick.offset(0.008, 0.016)
        solid(brush, thick, darker(bed, 0.5), 0.01, 0.6, 0.05, texture="suede", below=0)
        solid(
            brush,
            outline,
            bed,
            0.035,
            0.5,
            0.1,
            texture="leather",
            grain=0.4,
            below=0,
            pattern=style == "flip-flop",
            grooves=[
                (oval(0.50, 0.78, 0.05, 0.06), 0.03, 0.5),
                (oval(0.50, 0.33, 0.07, 0.09), 0.03, 0.4),
            ],
        )
        brush.stitch(_shrunk(outline, 0.90))
        reach = union(outline, band(outline, 0.034))

        def strap(points, width, outline=outline, reach=reach):
            path = skia.Op(band(points, width), reach, skia.PathOp.kIntersect_PathOp)
            brush.cast(path, 0.6, 0.03, within=outline)
            solid(brush, path, None, min(0.03, width * 0.5), 0.9, below=0.2, **look)
            if width > 0.06:
                with within(brush, path):
                    brush.stitch(band_edge(points, width * 0.40))
                    brush.stitch(band_edge(points, -width * 0.40))

        if style == "flip-flop":
            strap([(0.455, 0.24), (0.41, 0.32), (0.385, 0.42), (0.378, 0.50)], 0.042)
            strap([(0.455, 0.24), (0.53, 0.29), (0.595, 0.38), (0.615, 0.48)], 0.042)
            solid(
                brush,
                circle(0.455, 0.235, 0.026),
                None,
                0.02,
                1.0,
                below=0.5,
                pattern=False,
                **look,
            )
            if brush.chance(0.4):
                plate(brush, circle(0.455, 0.245, 0.018), metal, 0.018)
        elif style == "slide":
            width = brush.between(0.13, 0.18)
            strap([(0.352, 0.40), (0.43, 0.345), (0.54, 0.345), (0.652, 0.41)], width)
            if brush.chance(0.5):
                brush.buckle(0.60, 0.375, 0.05, 0.07, metal)
        elif style == "cross-strap":
            strap([(0.345, 0.285), (0.45, 0.30), (0.56, 0.38), (0.635, 0.475)], 0.066)
            strap([(0.645, 0.285), (0.54, 0.29), (0.43, 0.37), (0.365, 0.475)], 0.066)
            strap([(0.392, 0.66), (0.44, 0.60), (0.56, 0.60), (0.605, 0.66)], 0.034)
        else:
            strap([(0.350, 0.27), (0.44, 0.235), (0.54, 0.24), (0.640, 0.30)], 0.060)
            strap([(0.49, 0.24), (0.495, 0.42), (0.50, 0.58)], 0.034)
            strap([(0.383, 0.66), (0.43, 0.585), (0.57, 0.585), (0.612, 0.66)], 0.040)
            brush.buckle(0.59, 0.615, 0.045, 0.045, metal)
        if style in ("cross-strap", "ankle-strap"):
            heel = curve(
                [
                    (0.392, 0.70, 0),
                    (0.388, 0.80),
                    (0.42, 0.885),
                    (0.50, 0.915),
                    (0.58, 0.885),
                    (0.61, 0.80),
                    (0.606, 0.70, 0),
                    (0.575, 0.80),
                    (0.55, 0.85),
                    (0.50, 0.868),
                    (0.45, 0.85),
                    (0.425, 0.80),
                ]
            )
            solid(brush, heel, None, 0.025, 0.9, below=0.5, **look)
        canvas.restore()
    return style


def _shrunk(path: skia.Path, scale: float) -> skia.Path:
    """Return the path made smaller round its own middle."""
    bounds = path.computeTightBounds()
    matrix = skia.Matrix()
    matrix.setScale(scale, (scale + 1) / 2, bounds.centerX(), bounds.centerY())
    small = skia.Path(path)
    small.transform(matrix)
    return small


def _sandal(brush: Brush) -> str:
    style = brush.pick("espadrille", "wedge")
    ground = 0.73
    raised = {"espadrille": brush.between(0.07, 0.10), "wedge": brush.between(0.13, 0.19)}[style]
    front = 0.055
    brush.ground_shadow(0.10, 0.90, ground + 0.01)
    heel_top, toe_top = ground - front - raised, ground - front
    bed = [
        (0.115, heel_top),
        (0.24, heel_top + 0.004),
        (0.40, heel_top + 0.25 * raised + 0.005),
        (0.58, toe_top - 0.06 * raised),
        (0.74, toe_top + 0.003),
        (0.89, toe_top - 0.022),
    ]
    sole = curve(
        [
            (0.105, heel_top, 0),
            *bed[1:-1],
            (0.895, toe_top - 0.02, 0),
            (0.90, ground - 0.03),
            (0.86, ground - 0.006),
            (0.72, ground),
            (0.56, ground - 0.004),
            (0.42, ground - 0.002),
            (0.13, ground, 0),
            (0.10, 0.5 * (heel_top + ground)),
        ]
    )
    cork = brush.pick((0.74, 0.55, 0.36), brush.shade, contrast(brush), brush.shade)
    metal = brush.pick(GOLD, SILVER)
    texture = brush.pick("leather", "leather", "suede", "satin")
    gloss = {"leather": 0.28, "suede": 0.05, "satin": 0.4}[texture]
    look = dict(gloss=gloss, texture=texture, grain=0.35)

    def strap(points, width, under=False):
        if under:
            solid(brush, band(points, width), darker(brush.shade, 0.45), 0.012, 0.7, pattern=False)
        else:
            path = band(points, width)
            solid(brush, path, None, 0.02, 0.8, **look)
            if width > 0.05:
                brush.stitch(band_edge(points, width * 0.42))
                brush.stitch(band_edge(points, -width * 0.42))

    # far halves of the straps
    strap(
        [
            (0.17, heel_top),
            (0.215, heel_top - 0.20),
            (0.33, heel_top - 0.215),
            (0.40, heel_top - 0.14),
        ],
        0.028,
        True,
    )
    strap([(0.60, toe_top), (0.68, toe_top - 0.13), (0.77, toe_top - 0.02)], 0.05, True)
    solid(brush, sole, cork, 0.03, 0.6, 0.08, texture="suede", grain=1.2)
    if style == "espadrille" or brush.chance(0.4):
        with within(brush, sole):
            for y in np.arange(heel_top - 0.02, ground, 0.018):
                brush.seam([(0.08, y), (0.4, y + 0.012), (0.92, y + 0.02)], 0.55)
    outsole = common_box(sole, ground - 0.016, ground + 0.02)
    solid(brush, outsole, brush.pick(NEAR_BLACK, DARK_BROWN, TAN), 0.006, 0.6, 0.1, below=0)
    insole = band(
        [
            (0.112, heel_top - 0.004),
            *[(x, y - 0.004) for x, y in bed[1:-1]],
            (0.888, toe_top - 0.024),
        ],
        0.020,
        cap="round",
    )
    solid(brush, insole, brush.pick(None, TAN, contrast(brush)), 0.01, 0.8, 0.1, pattern=False)
    # heel counter, ankle strap, instep and toe straps
    counter = curve(
        [
            (0.115, heel_top + 0.01, 0),
            (0.10, heel_top - 0.09),
            (0.125, heel_top - 0.19),
            (0.16, heel_top - 0.205),
            (0.195, heel_top - 0.165),
            (0.205, heel_top - 0.08),
            (0.27, heel_top + 0.012, 0),
        ]
    )
    solid(brush, counter, None, 0.04, 0.8, **look)
    strap(
        [
            (0.13, heel_top - 0.175),
            (0.22, heel_top - 0.165),
            (0.33, heel_top - 0.155),
            (0.405, heel_top - 0.145),
        ],
        0.034,
    )
    brush.buckle(0.335, heel_top - 0.155, 0.04, 0.046, metal)
    if brush.chance(0.5):
        strap(
            [(0.395, heel_top - 0.14), (0.44, heel_top - 0.05), (0.47, toe_top - 0.2 * raised)],
            0.032,
        )
        strap([(0.40, heel_top - 0.14), (0.56, toe_top - 0.11), (0.68, toe_top - 0.10)], 0.030)
    cross = brush.chance(0.5)
    if cross:
        strap(
            [
                (0.52, toe_top + 0.012 - raised * 0.1),
                (0.62, toe_top - 0.10),
                (0.745, toe_top - 0.105),
                (0.775, toe_top - 0.09),
            ],
            0.055,
        )
        strap(
            [
                (0.80, toe_top + 0.012),
                (0.745, toe_top - 0.075),
                (0.66, toe_top - 0.12),
                (0.63, toe_top - 0.125),
            ],
            0.055,
        )
    else:
        wide = curve(
            [
                (0.60, toe_top + 0.012, 0),
                (0.625, toe_top - 0.075),
                (0.67, toe_top - 0.125, 0),
                (0.745, toe_top - 0.105, 0),
                (0.80, toe_top - 0.065),
                (0.815, toe_top + 0.012, 0),
            ]
        )
        solid(brush, wide, None, 0.05, 0.8, **look)
        brush.stitch([(0.615, toe_top), (0.64, toe_top - 0.07), (0.68, toe_top - 0.115)])
        brush.stitch([(0.80, toe_top), (0.785, toe_top - 0.06), (0.74, toe_top - 0.095)])
    return style


def band_edge(points, shift: float):
    """Return the line moved sideways by ``shift``."""
    moved = []
    for x, y, angle in along(points, 0.02):
        turn = np.radians(angle + 90)
        moved.append((x + shift * float(np.cos(turn)), y + shift * float(np.sin(turn))))
    return moved if len(moved) > 1 else points


@register("loafer", "shoes", {"Loafer", "clog"}, tilt=3.0)
def loafer(brush: Brush) -> str:
    return pair(brush, _loafer) if brush.chance(0.4) else _loafer(brush)


def _loafer(brush: Brush) -> str:
    style = brush.pick("penny", "tassel", "horsebit", "driving")
    finish = brush.pick("leather", "leather", "patent", "suede")
    gloss, patent = {"leather": (0.35, 0.25), "patent": (0.5, 0.8), "suede": (0.04, 0.0)}[finish]
    look = dict(
        gloss=gloss,
        patent=patent,
        texture="suede" if finish == "suede" else "leather",
        grain=0.5 if finish == "suede" else 0.22,
    )
    ground = 0.70
    thick, heel_height = (0.022, 0.02) if style == "driving" else (0.024, 0.045)
    brush.ground_shadow(0.10, 0.91, ground + 0.012)
    top = ground - thick
    back = top - heel_height + 0.012
    lining = curve(
        [
            (0.125, 0.475, 0),
            (0.15, 0.44),
            (0.27, 0.478),
            (0.42, 0.485),
            (0.50, 0.455),
            (0.52, 0.46, 0),
            (0.50, 0.54),
            (0.35, 0.57),
            (0.16, 0.56, 0),
        ]
    )
    solid(
        brush, lining, brush.pick(TAN, CREAM, darker(brush.shade, 0.5)), 0.03, 0.6, 0.1, grain=0.2
    )
    upper = curve(
        [
            (0.115, back, 0),
            (0.102, 0.58),
            (0.12, 0.50),
            (0.125, 0.452, 0),
            (0.165, 0.478),
            (0.27, 0.515),
            (0.38, 0.515),
            (0.445, 0.475),
            (0.475, 0.43, 0),
            (0.515, 0.422),
            (0.60, 0.468),
            (0.70, 0.515),
            (0.80, 0.545),
            (0.872, 0.59),
            (0.892, 0.635),
            (0.885, top, 0),
            (0.66, top + 0.004),
            (0.46, top),
            (0.34, back + 0.016),
        ]
    )
    bends = [([(0.565, 0.50), (0.60, 0.56), (0.58, 0.62)], 0.02, 0.25)]
    solid(brush, upper, None, 0.12, 0.85, grooves=bends, **look)
    with within(brush, upper):
        # the moccasin's apron: a raised seam round the vamp
        apron = [
            (0.46, 0.56),
            (0.56, 0.555),
            (0.70, 0.567),
            (0.80, 0.583),
            (0.845, 0.565),
            (0.83, 0.53),
        ]
        ridge = band(apron, 0.016, cap="round")
        solid(brush, ridge, None, 0.008, 0.9, below=0.5, pattern=False, **look)
        for x, y, angle in along(apron, 0.022):
            turn = np.radians(angle + 100)
            dx, dy = 0.010 * float(np.cos(turn)), 0.010 * float(np.sin(turn))
            brush.line([(x - dx, y - dy), (x + dx, y + dy)], 0.0035, darker(brush.shade, 0.6), 0.8)
        # the strap across
        strap = curve(
            [
                (0.395, 0.62, 0),
                (0.42, 0.53),
                (0.455, 0.46),
                (0.50, 0.41, 0),
                (0.60, 0.44, 0),
                (0.555, 0.49),
                (0.53, 0.55),
                (0.515, 0.63, 0),
            ]
        )
        if style in ("penny", "horsebit"):
            solid(brush, strap, None, 0.025, 0.7, below=0.45, pattern=False, **look)
            brush.stitch([(0.408, 0.62), (0.43, 0.54), (0.465, 0.46), (0.505, 0.42)])
            brush.stitch([(0.503, 0.62), (0.518, 0.55), (0.543, 0.49), (0.585, 0.445)])
        if style == "penny":
            slot = curve(
                [(0.475, 0.545, 0), (0.495, 0.50), (0.53, 0.455, 0), (0.518, 0.50), (0.50, 0.55, 0)]
            )
            solid(brush, slot, darker(brush.shade, 0.6), 0.01, -0.5, 0, below=0)
        brush.seam([(0.395, 0.62), (0.30, 0.60), (0.20, 0.64)], 0.5)
        collar = band(
            [
                (0.115, 0.46),
                (0.165, 0.486),
                (0.27, 0.523),
                (0.38, 0.523),
                (0.45, 0.478),
                (0.48, 0.43),
            ],
            0.016,
        )
        solid(brush, collar, None, 0.008, 0.8, below=0.2, pattern=False, **look)
    if style == "horsebit":
        metal = brush.pick(GOLD, SILVER)
        for x, y in ((0.465, 0.555), (0.55, 0.445)):
            plate(brush, minus(oval(x, y, 0.024, 0.028), oval(x, y, 0.013, 0.017)), metal, 0.006)
        plate(
            brush,
            band([(0.472, 0.54), (0.505, 0.50), (0.545, 0.458)], 0.018, cap="round"),
            metal,
            0.009,
        )
    elif style == "tassel":
        for shift in (0.0, 0.045):
            x, y = 0.545 + shift, 0.475 + shift * 0.4
            cord = band([(0.50, 0.445), (0.53 + shift * 0.4, 0.45), (x, y)], 0.011, cap="round")
            solid(brush, cord, None, 0.006, 0.9, pattern=False)
            tassel = polygon(
                [
                    (x - 0.014, y - 0.005),
                    (x + 0.014, y - 0.005),
                    (x + 0.026, y + 0.068),
                    (x - 0.014, y + 0.072),
                ]
            )
            cuts = [
                ([(x + k * 0.35, y + 0.02), (x + k, y + 0.09)], 0.003, 0.8)
                for k in (-0.006, 0.002, 0.010, 0.018)
            ]
            solid(brush, tassel, None, 0.012, 0.8, grooves=cuts, pattern=False)
            solid(
                brush,
                box(x - 0.016, y - 0.012, x + 0.016, y + 0.012, 0.006),
                None,
                0.008,
                pattern=False,
            )
    elif style == "driving":
        for side in (-1, 1):
            bow = band(
                [
                    (0.525, 0.455),
                    (0.525 + side * 0.035, 0.43),
                    (0.525 + side * 0.05, 0.465),
                    (0.525, 0.458),
                    (0.525 + side * 0.025, 0.50),
                ],
                0.012,
                cap="round",
            )
            solid(brush, bow, contrast(brush), 0.006, 0.8, pattern=False)
    sole_shade = brush.pick(DARK_BROWN, NEAR_BLACK, GUM)
    if brush.colour == "black":
        sole_shade = NEAR_BLACK
    sole = curve(
        [
            (0.108, back - 0.012, 0),
            (0.34, back + 0.006),
            (0.46, top - 0.008),
            (0.66, top - 0.004),
            (0.897, top - 0.018, 0),
            (0.898, ground - 0.008),
            (0.82, ground),
            (0.60, ground),
            (0.46, ground - 0.008),
            (0.38, back + 0.04, 0),
            (0.36, ground, 0),
            (0.125, ground, 0),
        ]
    )
    cut = [([(0.1, back + 0.014), (0.36, back + 0.03)], 0.004, 0.7)]
    solid(brush, sole, sole_shade, 0.012, 0.7, 0.3, texture="leather", grain=0.3, grooves=cut)
    return f"{finish} {style}"
