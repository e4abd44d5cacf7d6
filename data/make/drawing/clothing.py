"""Clothing, photographed as shops do it: on an invisible mannequin, seen from the front."""

from __future__ import annotations

import numpy as np
import skia

from drawing.canvas import (
    CREAM,
    DARK_BROWN,
    GOLD,
    NAVY,
    NEAR_BLACK,
    NEAR_WHITE,
    SILVER,
    STEEL,
    TAN,
    Brush,
    band,
    box,
    circle,
    common,
    curve,
    darker,
    flipped,
    lighter,
    luminance,
    mix,
    oval,
    polygon,
    register,
    symmetric,
    union,
)

# ------------------------------------------------------------------------- shared pieces


def _wave(left: float, right: float, y: float, height: float, waves: int, rng) -> list:
    """Return points of a wavy hem from left to right."""
    count = 2 * waves + 1
    xs = np.linspace(left, right, count)
    return [
        (float(x), float(y + (height if number % 2 else -height) * rng.uniform(0.5, 1.0)))
        for number, x in enumerate(xs)
    ]


def _fan_folds(brush, within, top, bottom, top_half, bottom_half, count, depth=0.6, centre=0.5):
    """Draw folds that fan out from a waist to a hem."""
    for share in np.linspace(-0.92, 0.92, count):
        share += brush.between(-0.5, 0.5) / count
        start = top + (bottom - top) * brush.between(0.0, 0.25)
        x0 = centre + share * (top_half + (bottom_half - top_half) * (start - top) / (bottom - top))
        x1 = centre + share * bottom_half * brush.between(0.95, 1.05)
        bend = (x0 + x1) / 2 + brush.between(-0.01, 0.01)
        width = brush.between(0.5, 1.1) * 1.3 * bottom_half / count
        points = [(x0, start), (bend, (start + bottom) / 2), (x1, bottom + 0.03)]
        brush.fold(points, width, depth * brush.between(0.6, 1.1), within=within)


def _sleeve(
    shoulder, armpit, angle: float, length: float, cuff: float, bend: float = 0.0
) -> tuple[skia.Path, skia.Path, list]:
    """Return the right sleeve, its cuff's strip, and the two ends of the cuff.

    ``angle`` is measured from straight down, in degrees, ``cuff`` is the width at the wrist.
    """
    sx, sy = shoulder
    ax, ay = armpit
    theta = np.radians(angle)
    down = np.array([np.sin(theta), np.cos(theta)])
    theta2 = np.radians(angle - bend)
    lower = np.array([np.sin(theta2), np.cos(theta2)])
    root = (np.array([sx, sy]) + np.array([ax, ay])) / 2
    elbow = root + down * length * 0.5
    wrist = elbow + lower * length * 0.5
    side = np.array([lower[1], -lower[0]])
    upper_side = np.array([down[1], -down[0]])
    upper = float(np.hypot(sx - ax, sy - ay)) * 0.78
    middle = (upper + cuff) / 2
    outer, inner = wrist + side * cuff / 2, wrist - side * cuff / 2
    path = curve(
        [
            (sx - 0.03, sy + 0.005, 0),
            (sx, sy),
            tuple(root + down * length * 0.22 + upper_side * upper * 0.55),
            tuple(elbow + upper_side * middle * 0.52),
            (*outer, 0),
            (*inner, 0),
            tuple(elbow - upper_side * middle * 0.46),
            (ax, ay + 0.005),
            (ax - 0.04, ay, 0),
        ]
    )
    depth = lower * 0.045
    strip = curve(
        [
            (*(outer - depth + side * 0.004), 0),
            (*(outer + side * 0.002), 0),
            (*(inner - side * 0.002), 0),
            (*(inner - depth - side * 0.004), 0),
        ]
    )
    return path, strip, [tuple(outer), tuple(inner)]


def _mirror(path: skia.Path, axis: float = 0.5) -> skia.Path:
    mirrored = skia.Path(path)
    matrix = skia.Matrix()
    matrix.setScale(-1, 1)
    matrix.postTranslate(2 * axis, 0)
    mirrored.transform(matrix)
    return mirrored


class _Top:
    """The cut of a garment for the upper body, from which its parts are made."""

    def __init__(
        self,
        brush: Brush,
        neck: float = 0.085,
        neck_top: float = 0.15,
        neck_drop: float = 0.08,
        neck_shape: str = "round",
        shoulder: tuple[float, float] = (0.20, 0.215),
        armpit: tuple[float, float] = (0.175, 0.37),
        waist: tuple[float, float] = (0.165, 0.60),
        hem: tuple[float, float] = (0.175, 0.86),
        hem_drop: float = 0.012,
        open_front: float = 0.0,
    ) -> None:
        self.brush = brush
        self.neck, self.neck_top, self.neck_drop = neck, neck_top, neck_drop
        self.neck_shape = neck_shape
        self.shoulder = (0.5 + shoulder[0], shoulder[1])
        self.armpit = (0.5 + armpit[0], armpit[1])
        self.waist, self.hem = (0.5 + waist[0], waist[1]), (0.5 + hem[0], hem[1])
        self.hem_drop, self.open_front = hem_drop, open_front

    def neckline(self) -> list:
        """Return the neckline's right half, from its lowest point up to the shoulder."""
        low = self.neck_top + self.neck_drop
        x, top = 0.5 + self.neck, self.neck_top
        if self.neck_shape == "v":
            return [(0.5, low, 0), (0.5 + self.neck * 0.55, (low + top) / 2 + 0.01), (x, top, 0)]
        if self.neck_shape == "square":
            return [(0.5, low), (x - 0.012, low - 0.003, 0), (x, top, 0)]
        return [(0.5, low), (0.5 + self.neck * 0.72, low - self.neck_drop * 0.33), (x, top, 0)]

    def body(self) -> skia.Path:
        """Return the outline of front and back, without sleeves."""
        hx, hy = self.hem
        return symmetric(
            [
                *self.neckline(),
                (*self.shoulder, 0),
                (self.shoulder[0] - 0.022, (self.shoulder[1] + self.armpit[1]) / 2 + 0.01),
                (*self.armpit, 0),
                self.waist,
                (hx, hy, 0),
                (0.5 + (hx - 0.5) * 0.5, hy + self.hem_drop),
                (0.5, hy + self.hem_drop),
            ]
        )

    def back(self) -> None:
        """Draw the inside of the back, seen through the neckline, and its label."""
        x, top = 0.5 + self.neck, self.neck_top
        low = top + self.neck_drop + 0.02
        inside = symmetric(
            [
                (0.5, top + 0.012),
                (0.5 + self.neck * 0.6, top + 0.007),
                (x + 0.006, top - 0.012, 0),
                (x + 0.012, top + 0.02, 0),
                (0.5 + self.neck * 0.6, low, 0),
            ]
        )
        self.brush.inside(inside)
        self.brush.shadow([(x, top), (0.5, low - 0.01), (1 - x, top)], 0.04, 0.5, within=inside)
        label = box(0.484, top + 0.022, 0.516, top + 0.044, 0.002)
        if self.neck_drop > 0.05:
            shade = NEAR_BLACK if luminance(self.brush.shade) > 0.8 else NEAR_WHITE
            self.brush.fill(
                label, shade=mix(shade, self.brush.shade, 0.2), wrinkles=0, volume=0.2, edge=0.2
            )

    def armhole(self) -> list:
        """Return the right armhole's seam."""
        (sx, sy), (ax, ay) = self.shoulder, self.armpit
        return [(sx - 0.004, sy), (sx - 0.024, (sy + ay) / 2 + 0.01), (ax - 0.003, ay)]

    def torso_folds(self, within, depth: float = 0.5) -> None:
        """Draw the pulls that cloth shows below the arms and towards the waist."""
        brush = self.brush
        ax, ay = self.armpit
        for points in (self.armhole(), flipped(self.armhole())):
            brush.shadow(points, 0.03, 0.28, within=within)
        for side in (1, -1):
            for number in range(3):
                reach = brush.between(0.08, 0.15)
                drop = brush.between(0.03, 0.20)
                y = ay + 0.015 + number * brush.between(0.02, 0.08)
                x0 = 0.5 + side * (ax - 0.5 - 0.005)
                x1 = 0.5 + side * (ax - 0.5 - reach)
                brush.fold(
                    [(x0, y), ((x0 + x1) / 2, y + drop * 0.35), (x1, y + drop)],
                    brush.between(0.012, 0.026),
                    depth * brush.between(0.4, 1.0),
                    within=within,
                )
        hx, hy = self.hem
        for _ in range(3):
            x = 0.5 + brush.between(-0.8, 0.8) * (hx - 0.5)
            brush.fold(
                [(x, hy + 0.02), (x + brush.between(-0.02, 0.02), hy - brush.between(0.08, 0.22))],
                brush.between(0.014, 0.03),
                depth * brush.between(0.4, 0.9),
                within=within,
            )

    def sleeves(self, length, cuff, angle=None, bend=None, cuffs="plain", **fabric):
        """Draw both sleeves behind the body; return their paths, the right one first."""
        drawn = []
        brush = self.brush
        angle = brush.between(12, 20) if angle is None else angle
        bend = brush.between(-2, 8) if bend is None else bend
        fabric = {"form": "cylinder", "wrinkles": 0.7, "volume": 0.6, **fabric}
        for side in (1, -1):
            slope = angle + brush.between(-2, 2)
            path, strip, ends = _sleeve(self.shoulder, self.armpit, slope, length, cuff, bend)
            if side < 0:
                path, strip, ends = _mirror(path), _mirror(strip), flipped(ends)
            (ox, oy), (ix, iy) = ends
            # The far side of the opening shows the inside.
            brush.inside(band([(ox, oy), ((ox + ix) / 2, (oy + iy) / 2 + 0.010), (ix, iy)], 0.008))
            turn = -side * slope
            drawn.append(path)
            brush.fill(path, turn=turn, **fabric)
            for _ in range(2 if length < 0.3 else 5):
                share = brush.between(0.25, 0.92)
                x = self.shoulder[0] + np.sin(np.radians(slope)) * length * share - 0.02
                y = self.shoulder[1] + 0.07 + np.cos(np.radians(slope)) * length * share
                x = x if side > 0 else 1 - x
                brush.fold(
                    [(x - 0.05 * side, y - 0.02), (x, y), (x + 0.045 * side, y - 0.01)],
                    brush.between(0.012, 0.02),
                    brush.between(0.25, 0.6),
                    within=path,
                )
            if cuffs == "rib":
                brush.fill(
                    common(strip, path),
                    pattern=False,
                    texture="rib",
                    wrinkles=0.1,
                    turn=turn,
                    form="cylinder",
                    edge=0.6,
                    grain=1.0,
                )
            elif cuffs == "stitched":
                (ox, oy), (ix, iy) = ends
                lift = 0.022
                brush.seam([(ox, oy - lift), (ix, iy - lift)], 0.35, within=path)
            elif cuffs == "shirt":
                brush.fill(
                    common(strip, path),
                    wrinkles=0.1,
                    turn=turn,
                    form="cylinder",
                    edge=0.8,
                    texture=fabric.get("texture", "weave"),
                )
                brush.button((ox * 0.65 + ix * 0.35), oy * 0.65 + iy * 0.35 - 0.022, 0.007)
        return drawn


def _mannequin_shade(brush: Brush):
    """Return the plastic of a shop's mannequin, apart from the product's own colour."""
    tones = [(0.86, 0.68, 0.56), (0.72, 0.52, 0.40), (0.93, 0.78, 0.68), (0.50, 0.34, 0.25)]
    tones = [tone for tone in tones if abs(luminance(tone) - luminance(brush.shade)) > 0.12]
    return tones[int(brush.rng.integers(len(tones)))]


def _plastic(brush: Brush, path: skia.Path, shade) -> None:
    brush.fill(
        path, shade=shade, texture="satin", wrinkles=0, form="cylinder", volume=0.75, edge=0.35
    )


def _mannequin_legs(brush, shade, hip_y: float, hip: float, foot_y: float = 1.03) -> None:
    """Draw a mannequin's legs from below the hips out of the picture."""
    length = foot_y - hip_y
    stance = brush.between(0.0, 0.02)
    for side in (-1, 1):
        points = [
            (0.5 + side * 0.002, hip_y, 0),
            (0.5 + side * hip, hip_y, 0),
            (0.5 + side * (hip * 0.93 + stance), hip_y + length * 0.25),
            (0.5 + side * (hip * 0.70 + stance), hip_y + length * 0.56),
            (0.5 + side * (hip * 0.74 + stance), hip_y + length * 0.74),
            (0.5 + side * (hip * 0.50 + stance), foot_y, 0),
            (0.5 + side * (hip * 0.20 + stance), foot_y, 0),
            (0.5 + side * (hip * 0.16 + stance), hip_y + length * 0.76),
            (0.5 + side * (hip * 0.20 + stance), hip_y + length * 0.55),
            (0.5 + side * (hip * 0.06), hip_y + length * 0.25),
        ]
        leg = curve(points)
        _plastic(brush, leg, shade)
        knee = (0.5 + side * (hip * 0.45 + stance), hip_y + length * 0.55)
        brush.shadow(
            [(knee[0] - 0.02, knee[1] + 0.025), (knee[0] + 0.02, knee[1] + 0.025)], 0.03, 0.16, leg
        )


def _mannequin_torso(
    brush,
    shade,
    neck_y=0.02,
    shoulder_y=0.13,
    shoulder=0.17,
    bust=0.122,
    waist=0.098,
    waist_y=0.44,
    hip=0.142,
    hip_y=0.62,
    arms=True,
) -> None:
    """Draw a mannequin's neck, shoulders, upper arms and trunk."""
    if arms:
        for side in (-1, 1):
            arm = curve(
                [
                    (0.5 + side * (shoulder - 0.045), shoulder_y + 0.005, 0),
                    (0.5 + side * (shoulder + 0.005), shoulder_y + 0.035),
                    (0.5 + side * (shoulder + 0.028), shoulder_y + 0.18),
                    (0.5 + side * (shoulder + 0.045), shoulder_y + 0.34),
                    (0.5 + side * (shoulder + 0.06), shoulder_y + 0.50),
                    (0.5 + side * (shoulder + 0.025), shoulder_y + 0.505),
                    (0.5 + side * (shoulder - 0.005), shoulder_y + 0.34),
                    (0.5 + side * (shoulder - 0.035), shoulder_y + 0.15, 0),
                ]
            )
            _plastic(brush, arm, shade)
    trunk = symmetric(
        [
            (0.5, neck_y),
            (0.5 + 0.042, neck_y + 0.004, 0),
            (0.5 + 0.046, neck_y + 0.06),
            (0.5 + 0.075, shoulder_y - 0.025),
            (0.5 + shoulder, shoulder_y + 0.025),
            (0.5 + shoulder - 0.02, shoulder_y + 0.09),
            (0.5 + bust, shoulder_y + 0.17),
            (0.5 + bust, shoulder_y + 0.23),
            (0.5 + waist, waist_y),
            (0.5 + hip, hip_y),
            (0.5 + hip * 0.97, hip_y + 0.08, 0),
            (0.5, hip_y + 0.16),
        ]
    )
    _plastic(brush, trunk, shade)
    for side in (-1, 1):
        brush.shadow(
            [(0.5 + side * 0.02, shoulder_y + 0.005), (0.5 + side * 0.10, shoulder_y - 0.005)],
            0.012,
            0.22,
        )
    brush.shadow([(0.47, neck_y + 0.085), (0.5, neck_y + 0.10), (0.53, neck_y + 0.085)], 0.03, 0.2)


def _length_word(value: float, words: tuple[str, ...], low: float, high: float) -> str:
    share = (value - low) / (high - low)
    return words[min(len(words) - 1, max(0, int(share * len(words))))]


# ------------------------------------------------------------------------ women's clothing


@register("dress", "women's clothing", {"gown", "overskirt", "hoopskirt"})
def dress(brush: Brush) -> str:
    """Draw a dress: bodice, waist, a skirt that falls in folds."""
    sleeves = brush.pick("sleeveless", "sleeveless", "short-sleeved", "long-sleeved", "strapless")
    bottom = brush.between(0.72, 0.91)
    length = _length_word(bottom, ("knee-length", "midi", "maxi", "maxi"), 0.72, 0.91)
    flare = brush.between(0.20, 0.30)
    waist_y, waist = brush.between(0.36, 0.40), brush.between(0.082, 0.095)
    top_y = 0.11
    texture = brush.pick("weave", "satin", "satin")
    neck = brush.pick("round", "v", "square")
    top = _Top(
        brush,
        neck=brush.between(0.05, 0.075),
        neck_top=top_y,
        neck_drop=brush.between(0.04, 0.08),
        neck_shape=neck,
        shoulder=(0.105, top_y + 0.025),
        armpit=(0.105, 0.235),
        waist=(waist, waist_y),
        hem=(waist, waist_y + 0.012),
        hem_drop=0.003,
    )
    waves = int(brush.rng.integers(4, 7))
    hem = _wave(0.5 + flare, 0.5 - flare, bottom, 0.006, waves, brush.rng)
    hem = [(x, y + 0.022 * (1 - ((x - 0.5) / flare) ** 2)) for x, y in hem]
    skirt = curve(
        [
            (0.5 + waist, waist_y, 0),
            (0.5 + waist + (flare - waist) * 0.50, waist_y + (bottom - waist_y) * 0.35),
            (hem[0][0], hem[0][1], 0),
            *hem[1:-1],
            (hem[-1][0], hem[-1][1], 0),
            (0.5 - waist - (flare - waist) * 0.50, waist_y + (bottom - waist_y) * 0.35),
            (0.5 - waist, waist_y, 0),
        ]
    )
    if sleeves == "strapless":
        bodice = symmetric(
            [
                (0.5, 0.205),
                (0.55, 0.175),
                (0.5 + 0.102, 0.19, 0),
                (0.5 + 0.095, 0.27),
                (0.5 + waist, waist_y + 0.012, 0),
                (0.5, waist_y + 0.015),
            ]
        )
        brush.inside(symmetric([(0.5, 0.182), (0.59, 0.185, 0), (0.56, 0.23)]))
        if brush.chance(0.5):
            for side in (1, -1):
                strap = band([(0.5 + side * 0.065, 0.185), (0.5 + side * 0.045, 0.10)], 0.008)
                brush.fill(strap, wrinkles=0, pattern=False)
            sleeves = "strappy"
    else:
        bodice = top.body()
        top.back()
        if sleeves == "short-sleeved":
            top.sleeves(0.10, 0.085, angle=30, texture=texture, cuffs="stitched")
        elif sleeves == "long-sleeved":
            top.sleeves(0.30, 0.05, angle=16, texture=texture)
    brush.fill(skirt, form="cylinder", volume=0.7, wrinkles=0.5, texture=texture)
    _fan_folds(brush, skirt, waist_y, bottom, waist, flare, int(brush.rng.integers(9, 14)), 0.85)
    brush.fill(bodice, form="cylinder", volume=0.7, wrinkles=0.45, texture=texture)
    for side in (1, -1):
        # The bust: shade below, light above; and the darts.
        brush.shadow(
            [(0.5 + side * 0.015, 0.275), (0.5 + side * 0.05, 0.29), (0.5 + side * 0.085, 0.27)],
            0.03,
            0.3,
            within=bodice,
        )
        brush.highlight([(0.5 + side * 0.05, 0.245), (0.5 + side * 0.055, 0.25)], 0.04, 0.2, bodice)
        brush.seam([(0.5 + side * 0.05, 0.285), (0.5 + side * 0.045, waist_y)], 0.4, within=bodice)
    if brush.chance(0.5):
        belt = symmetric(
            [
                (0.5, waist_y - 0.012),
                (0.5 + waist + 0.003, waist_y - 0.016, 0),
                (0.5 + waist + 0.003, waist_y + 0.014, 0),
                (0.5, waist_y + 0.018),
            ]
        )
        brush.cast(belt, 0.4, 0.012)
        brush.fill(
            belt, pattern=False, shade=darker(brush.shade, 0.35), wrinkles=0.2, form="cylinder"
        )
    else:
        brush.seam(
            [(0.5 - waist, waist_y + 0.004), (0.5, waist_y + 0.010), (0.5 + waist, waist_y + 0.004)]
        )
    brush.shadow([(0.5 - waist, waist_y + 0.025), (0.5 + waist, waist_y + 0.025)], 0.03, 0.3, skirt)
    return f"{sleeves} {length}"


@register("skirt", "women's clothing", {"miniskirt", "overskirt", "hoopskirt"})
def skirt(brush: Brush) -> str:
    """Draw a skirt: pleated, flared or straight, with a waistband."""
    cut = brush.pick("pleated", "flared", "A-line", "pleated")
    top, waist = brush.between(0.19, 0.23), brush.between(0.125, 0.145)
    bottom = brush.between(0.58, 0.72)
    flare = {"pleated": 0.28, "flared": 0.31, "A-line": 0.22}[cut] * brush.between(0.92, 1.05)
    texture = brush.pick("weave", "denim" if brush.colour == "blue" else "weave", "suede")
    waves = {"pleated": 11, "flared": 6, "A-line": 2}[cut]
    height = {"pleated": 0.008, "flared": 0.016, "A-line": 0.002}[cut]
    sag = 0.02
    hem = _wave(0.5 + flare, 0.5 - flare, bottom, height, waves, brush.rng)
    hem = [(x, y + sag * (1 - ((x - 0.5) / flare) ** 2)) for x, y in hem]
    hip = 0.5 + waist + (flare - waist) * 0.42
    path = curve(
        [
            (0.5 + waist, top, 0),
            (hip, top + (bottom - top) * 0.3),
            (*hem[0], 0),
            *hem[1:-1],
            (*hem[-1], 0),
            (1 - hip, top + (bottom - top) * 0.3),
            (0.5 - waist, top, 0),
            (0.5, top + 0.012),
        ]
    )
    worn = brush.chance(0.85)
    if worn:
        plastic = _mannequin_shade(brush)
        trunk = symmetric(
            [
                (0.5, top - 0.16),
                (0.5 + waist * 1.05, top - 0.16, 0),
                (0.5 + waist * 0.93, top - 0.06),
                (0.5 + waist, top + 0.02, 0),
                (0.5, top + 0.05),
            ]
        )
        brush.inside(oval(0.5, bottom + 0.002, flare - 0.012, 0.020), 0.6)
        _mannequin_legs(brush, plastic, bottom - 0.08, waist * 0.95, foot_y=bottom + 0.66)
        brush.shadow([(0.5 - waist, bottom + 0.035), (0.5 + waist, bottom + 0.035)], 0.06, 0.45)
        if brush.chance(0.5):
            _plastic(brush, trunk, plastic)
        else:
            cloth = NEAR_BLACK if luminance(brush.shade) > 0.7 else NEAR_WHITE
            brush.fill(trunk, shade=cloth, form="cylinder", wrinkles=0.7)
    else:
        brush.inside(
            symmetric([(0.5, top - 0.014), (0.5 + waist, top - 0.002, 0), (0.5, top + 0.03)])
        )
        brush.inside(oval(0.5, bottom + 0.002, flare - 0.01, 0.022), 0.6)
    brush.fill(path, form="cylinder", volume=0.7, wrinkles=0.35, texture=texture)
    if cut == "pleated":
        for share in np.linspace(-0.9, 0.9, 12):
            x0, x1 = 0.5 + share * waist, 0.5 + share * flare
            points = [
                (x0, top + 0.03),
                (x0 + (x1 - x0) * 0.45, (top + bottom) / 2),
                (x1, bottom + 0.04),
            ]
            brush.fold(points, 0.020, 0.85, within=path)
            brush.seam(points, 0.6, within=path)
    else:
        count = 12 if cut == "flared" else 6
        _fan_folds(brush, path, top + 0.03, bottom, waist, flare, count, 0.8)
        brush.stitch(
            [
                (0.5 - flare * 0.98, bottom - 0.02),
                (0.5, bottom + sag - 0.018),
                (0.5 + flare * 0.98, bottom - 0.02),
            ]
        )
    waistband = symmetric(
        [
            (0.5, top + 0.010),
            (0.5 + waist + 0.002, top - 0.004, 0),
            (0.5 + waist + 0.008, top + 0.036, 0),
            (0.5, top + 0.052),
        ]
    )
    brush.cast(waistband, 0.45, 0.012, within=path)
    brush.fill(waistband, form="cylinder", wrinkles=0.1, texture=texture, pattern=False, edge=0.6)
    brush.stitch([(0.5 - waist, top + 0.004), (0.5, top + 0.018), (0.5 + waist, top + 0.004)])
    if brush.chance(0.5):
        brush.button(0.5, top + 0.031, 0.012)
    length = "mini" if bottom < 0.66 else "knee-length"
    return f"{cut} {length}"


def _lapels(brush, top_y, neck, low, width, notch=0.30, texture="weave", shade=None, pattern=True):
    """Draw the turned lapels and the collar of a coat or jacket."""
    for side in (-1, 1):
        lapel = [
            (0.5 + neck, top_y + 0.01, 0),
            (0.5 + width, top_y + (low - top_y) * notch, 0),
            (0.5 + width * 0.86, top_y + (low - top_y) * (notch + 0.06), 0),
            (0.5 + width * 1.05, top_y + (low - top_y) * (notch + 0.10), 0),
            (0.5 + width * 0.65, top_y + (low - top_y) * 0.72),
            (0.5 - 0.006, low, 0),
            (0.5 + neck * 0.45, top_y + (low - top_y) * 0.45),
        ]
        path = curve(lapel if side > 0 else flipped(lapel))
        brush.cast(path, 0.55, 0.016)
        brush.fill(
            path,
            shade=shade,
            wrinkles=0.15,
            texture=texture,
            turn=-12 * side,
            edge=0.8,
            pattern=pattern,
        )
        collar = [
            (0.5 + neck * 0.75, top_y - 0.028),
            (0.5 + neck + 0.012, top_y - 0.012),
            (0.5 + width * 0.95, top_y + (low - top_y) * (notch - 0.10), 0),
            (0.5 + width * 0.90, top_y + (low - top_y) * (notch + 0.015), 0),
            (0.5 + neck * 0.85, top_y + (low - top_y) * 0.20),
            (0.5 + neck * 0.62, top_y + 0.012, 0),
        ]
        path = curve(collar if side > 0 else flipped(collar))
        brush.cast(path, 0.45, 0.012)
        brush.fill(
            path,
            shade=shade,
            wrinkles=0.1,
            texture=texture,
            turn=30 * side,
            edge=0.8,
            pattern=pattern,
        )


@register("trench coat", "women's clothing", {"trench coat"}, tilt=2.5)
def trench_coat(brush: Brush) -> str:
    """Draw a belted, double-breasted coat with lapels and epaulettes."""
    length = brush.between(0.84, 0.90)
    waist_y = brush.between(0.44, 0.48)
    flare = brush.between(0.165, 0.20)
    top = _Top(
        brush,
        neck=0.06,
        neck_top=0.135,
        neck_drop=0.10,
        neck_shape="v",
        shoulder=(0.155, 0.175),
        armpit=(0.14, 0.31),
        waist=(0.115, waist_y),
        hem=(flare, length),
        hem_drop=0.006,
    )
    texture = brush.pick("weave", "weave", "suede")
    top.back()
    sleeves = top.sleeves(0.40, 0.075, angle=brush.between(10, 15), texture=texture, wrinkles=0.6)
    for side, sleeve in zip((1, -1), sleeves, strict=True):
        wrist = (0.5 + side * 0.242, 0.60)
        strap = band(
            [(wrist[0] - 0.07, wrist[1] - 0.012), (wrist[0] + 0.07, wrist[1] - 0.012)], 0.016
        )
        brush.fill(common(strap, sleeve), wrinkles=0, edge=0.8, texture=texture)
    body = top.body()
    brush.fill(body, form="cylinder", volume=0.6, wrinkles=0.5, texture=texture)
    top.torso_folds(body, 0.4)
    _fan_folds(brush, body, waist_y + 0.03, length, 0.11, flare, 7, 0.6)
    edge_x = 0.5 + 0.055
    front = [(0.505, 0.30), (edge_x, 0.36), (edge_x, waist_y), (edge_x + 0.012, length + 0.02)]
    brush.shadow([(x + 0.006, y) for x, y in front], 0.02, 0.45, within=body)
    brush.seam(front, 0.9, within=body)
    brush.stitch([(x - 0.012, y) for x, y in front[1:-1]] + [(edge_x - 0.002, length)])
    for side in (1, -1):
        flap = [
            (0.5 + side * 0.05, 0.215),
            (0.5 + side * 0.135, 0.20),
            (0.5 + side * 0.13, 0.30),
            (0.5 + side * 0.06, 0.31),
        ]
        if side < 0 or brush.chance(0.5):
            brush.seam(flap[1:], 0.6, within=body)
    _lapels(brush, 0.135, 0.06, 0.33, 0.115, notch=0.36, texture=texture)
    for side in (1, -1):
        epaulette = curve(
            [
                (0.5 + side * 0.150, 0.168, 0),
                (0.5 + side * 0.150, 0.186, 0),
                (0.5 + side * 0.09, 0.170, 0),
                (0.5 + side * 0.085, 0.158),
                (0.5 + side * 0.09, 0.150, 0),
            ]
        )
        brush.cast(epaulette, 0.5, 0.008)
        brush.fill(epaulette, wrinkles=0, edge=0.8)
        brush.button(0.5 + side * 0.098, 0.160, 0.006, shade=DARK_BROWN)
    buttons = (
        DARK_BROWN if luminance(brush.shade) > 0.25 else mix(brush.shade, (0.6, 0.6, 0.6), 0.5)
    )
    for y in (0.355, 0.415, 0.545, 0.615):
        if abs(y - waist_y) > 0.035:
            for x in (-0.045, 0.032):
                brush.button(0.5 + x, y, 0.011, shade=buttons)
    for side in (1, -1):
        x = 0.5 + side * 0.105
        welt = polygon(
            [
                (x - 0.012 * side, 0.545),
                (x + 0.010 * side, 0.55),
                (x + 0.028 * side, 0.64),
                (x + 0.006 * side, 0.64),
            ]
        )
        brush.cast(welt, 0.4, 0.01, within=body)
        brush.fill(welt, wrinkles=0, edge=0.9, texture=texture)
    belt = symmetric(
        [
            (0.5, waist_y - 0.012),
            (0.5 + 0.121, waist_y - 0.022, 0),
            (0.5 + 0.121, waist_y + 0.016, 0),
            (0.5, waist_y + 0.026),
        ]
    )
    brush.cast(belt, 0.7, 0.016, within=body)
    brush.fill(belt, form="cylinder", wrinkles=0.2, edge=0.9, texture=texture)
    if brush.chance(0.6):
        brush.buckle(0.5, waist_y + 0.006, 0.05, 0.055, brush.pick(DARK_BROWN, GOLD, NEAR_BLACK))
        words = "belted"
    else:
        for dx, end in ((-0.02, 0.62), (0.035, 0.66)):
            tail = curve(
                [
                    (0.5, waist_y, 0),
                    (0.5 + dx + 0.02, waist_y + 0.06),
                    (0.5 + dx + 0.03, end, 0),
                    (0.5 + dx, end, 0),
                    (0.5 + dx - 0.005, waist_y + 0.07),
                ]
            )
            brush.cast(tail, 0.5, 0.014)
            brush.fill(tail, wrinkles=0.3, edge=0.8, texture=texture)
        knot = oval(0.5, waist_y + 0.006, 0.024, 0.028)
        brush.cast(knot, 0.5, 0.01)
        brush.fill(knot, form="sphere", wrinkles=0.5, edge=0.9)
        words = "tied"
    return f"{words} {brush.pick('double-breasted', 'classic')}"


@register("cardigan", "women's clothing", {"cardigan", "wool"})
def cardigan(brush: Brush) -> str:
    """Draw a knitted cardigan with a ribbed button band."""
    low = brush.between(0.36, 0.46)
    bottom = brush.between(0.76, 0.86)
    top = _Top(
        brush,
        neck=0.075,
        neck_top=0.15,
        neck_drop=low - 0.15,
        neck_shape="v",
        shoulder=(0.18, 0.20),
        armpit=(0.17, 0.35),
        waist=(0.155, 0.58),
        hem=(0.17, bottom),
        hem_drop=0.01,
    )
    texture, grain = "knit", brush.between(1.0, 1.4)
    top.back()
    top.sleeves(0.45, 0.075, cuffs="rib", texture=texture, grain=grain, wrinkles=0.7)
    body = top.body()
    brush.fill(body, form="cylinder", volume=0.55, wrinkles=0.55, texture=texture, grain=grain)
    top.torso_folds(body, 0.5)
    hem = common(body, box(0.2, bottom - 0.055, 0.8, bottom + 0.05))
    brush.fill(
        hem, pattern=False, texture="rib", wrinkles=0.1, form="cylinder", edge=0.5, grain=1.2
    )
    for points in (top.armhole(), flipped(top.armhole())):
        brush.seam(points, 0.6)
    x = 0.5 + 0.075
    rim = [
        (x + 0.004, 0.138),
        (0.5 + 0.05, 0.15 + (low - 0.15) * 0.5),
        (0.512, low),
        (0.5, low + 0.06),
        (0.5, bottom + 0.012),
    ]
    left = band([(1 - px, py) for px, py in rim], 0.036)
    right = band(rim, 0.036)
    for strip in (left, right):
        brush.cast(strip, 0.5, 0.014)
        brush.fill(
            strip,
            pattern=False,
            texture="rib",
            wrinkles=0,
            edge=0.8,
            form="flat",
            turn=90,
            grain=1.2,
        )
    count = int(brush.rng.integers(4, 7))
    shade = brush.pick(None, DARK_BROWN, NEAR_WHITE, NEAR_BLACK)
    for y in np.linspace(low + 0.03, bottom - 0.035, count):
        brush.button(0.5, float(y), 0.012, shade=shade)
    pockets = brush.chance(0.5)
    if pockets:
        for side in (1, -1):
            px = 0.5 + side * 0.095
            pocket = box(px - 0.045, bottom - 0.20, px + 0.045, bottom - 0.07, 0.006)
            brush.cast(pocket, 0.25, 0.008)
            brush.fill(pocket, texture=texture, grain=grain, wrinkles=0.2, edge=0.5)
            lip = box(px - 0.045, bottom - 0.20, px + 0.045, bottom - 0.175, 0.004)
            brush.fill(lip, pattern=False, texture="rib", wrinkles=0, edge=0.7)
    return "knitted " + ("two-pocket" if pockets else brush.pick("V-neck", "buttoned"))


@register("swimsuit", "women's clothing", {"maillot", "tank suit"})
def swimsuit(brush: Brush) -> str:
    """Draw a one-piece swimsuit."""
    back = brush.pick("scoop-neck", "V-neck", "square-neck")
    leg = brush.between(0.60, 0.68)
    hip, waist, bust = 0.150, brush.between(0.112, 0.122), 0.128
    neck_low = {"scoop-neck": 0.27, "V-neck": 0.33, "square-neck": 0.25}[back]
    strap_x, strap_w = 0.085, brush.between(0.012, 0.03)
    crotch = brush.between(0.80, 0.83)
    # The back, seen through neck and arms.
    worn = brush.chance(0.8)
    if worn:
        plastic = _mannequin_shade(brush)
        _mannequin_legs(brush, plastic, leg + 0.01, hip - 0.006, foot_y=leg + 0.95)
        _mannequin_torso(
            brush,
            plastic,
            neck_y=-0.03,
            shoulder_y=0.105,
            shoulder=0.165,
            bust=bust - 0.004,
            waist=waist - 0.004,
            waist_y=0.47,
            hip=hip - 0.006,
            hip_y=leg - 0.03,
            arms=brush.chance(0.7),
        )
    else:
        low = symmetric(
            [(0.5, 0.28), (0.56, 0.26), (0.5 + 0.12, 0.27, 0), (0.5 + 0.11, 0.38, 0), (0.5, 0.42)]
        )
        brush.inside(low)
    inner, outer = 0.5 + strap_x - strap_w / 2, 0.5 + strap_x + strap_w / 2
    neckline = {
        "scoop-neck": [(0.5, neck_low), (0.5 + strap_x * 0.6, neck_low - 0.025)],
        "V-neck": [(0.5, neck_low, 0), (0.5 + strap_x * 0.55, neck_low - 0.085)],
        "square-neck": [(0.5, neck_low), (inner - 0.004, neck_low - 0.004, 0)],
    }[back]
    body = symmetric(
        [
            *neckline,
            (inner, 0.125, 0),
            (outer, 0.122, 0),
            (outer + 0.005, 0.23),
            (0.5 + bust, 0.30, 0),
            (0.5 + bust + 0.002, 0.345),
            (0.5 + waist, 0.47),
            (0.5 + hip, leg - 0.01),
            (0.5 + hip - 0.004, leg + 0.012, 0),
            (0.5 + 0.085, leg + 0.075),
            (0.5 + 0.040, crotch - 0.025),
            (0.5 + 0.033, crotch, 0),
            (0.5, crotch + 0.008),
        ]
    )
    rear = symmetric(
        [
            (0.5, leg),
            (0.5 + hip - 0.006, leg, 0),
            (0.5 + 0.105, leg + 0.115),
            (0.5 + 0.03, crotch + 0.004, 0),
        ]
    )
    if not worn:
        brush.inside(rear)
    brush.cast(body, 0.4, 0.010)
    brush.fill(
        body, texture="satin", form="cylinder", volume=0.9, wrinkles=0.18, shine=0.5, edge=0.6
    )
    for side in (1, -1):
        x = 0.5 + side * 0.062
        brush.shadow([(x - 0.05, 0.375), (x, 0.40), (x + 0.05, 0.375)], 0.035, 0.38, within=body)
        brush.highlight([(x - 0.012, 0.325), (x, 0.33)], 0.06, 0.28, within=body)
    brush.shadow([(0.5, 0.30), (0.5, 0.39)], 0.03, 0.25, within=body)
    brush.highlight([(0.49, 0.50), (0.485, 0.62)], 0.05, 0.25, within=body)
    brush.shadow([(0.5 - 0.05, 0.70), (0.5, 0.735), (0.55, 0.70)], 0.05, 0.2, within=body)
    trim = [
        (0.5 + hip - 0.004, leg + 0.006),
        (0.5 + 0.085, leg + 0.069),
        (0.5 + 0.042, crotch - 0.028),
    ]
    for points in (trim, flipped(trim)):
        brush.seam(points, 0.6)
    return back


@register("fur coat", "women's clothing", {"fur coat"}, patterns=("plain",), tilt=2.5)
def fur_coat(brush: Brush) -> str:
    """Draw a coat of long fur with a wide collar."""
    bottom = brush.between(0.72, 0.90)
    top = _Top(
        brush,
        neck=0.05,
        neck_top=0.15,
        neck_drop=0.12,
        neck_shape="v",
        shoulder=(0.185, 0.185),
        armpit=(0.175, 0.34),
        waist=(0.175, 0.55),
        hem=(0.21, bottom),
        hem_drop=0.008,
    )
    fur = {"texture": "fur", "grain": 1.5, "wrinkles": 0.7}
    parts = []
    top.back()
    top.sleeves(0.42, 0.115, angle=brush.between(12, 17), **fur)
    body = top.body()
    brush.fill(body, form="cylinder", volume=0.7, **fur)
    top.torso_folds(body, 0.8)
    front = [(0.5, 0.27), (0.512, 0.5), (0.505, bottom + 0.02)]
    brush.shadow([(x + 0.008, y) for x, y in front], 0.045, 0.7, within=body)
    _tufts(brush, body)
    for side in (1, -1):
        collar = [
            (0.5 + 0.03, 0.125),
            (0.5 + 0.085, 0.115),
            (0.5 + 0.14, 0.20),
            (0.5 + 0.125, 0.30),
            (0.5 + 0.05, 0.40),
            (0.5 + 0.006, 0.42),
            (0.5 + 0.008, 0.33),
            (0.5 + 0.045, 0.22),
        ]
        path = curve(collar if side > 0 else flipped(collar))
        brush.cast(path, 0.7, 0.03)
        brush.fill(path, form="sphere", volume=0.6, edge=0.7, turn=20 * side, **fur)
        parts.append(path)
        _tufts(brush, path, 260)
    for path in parts:
        brush.highlight(path, 0.01, 0.08)
    length = "short" if bottom < 0.78 else "knee-length" if bottom < 0.85 else "long"
    return f"{length} {brush.pick('shawl-collar', 'fluffy')}"


def _tufts(brush: Brush, path: skia.Path, count: int = 900) -> None:
    """Draw single hairs on a path and over its edge."""
    outline = brush.along(path, 0.006)
    bounds = path.computeTightBounds()
    deep, light = darker(brush.shade, 0.5), lighter(brush.shade, 0.35)
    hairs = {0: skia.Path(), 1: skia.Path(), 2: skia.Path()}
    for x, y, _ in outline:
        for number in range(4):
            angle = np.radians(brush.between(40, 140))
            reach = brush.between(0.012, 0.028)
            dx = np.cos(angle) * reach + (x - bounds.centerX()) * 0.06
            strand = hairs[min(2, number)]
            strand.moveTo(float(x - dx * 0.5), float(y - np.sin(angle) * reach * 0.5))
            strand.lineTo(float(x + dx * 0.8), float(y + np.sin(angle) * reach * 0.7))
    for number in range(count):
        x = brush.between(bounds.left(), bounds.right())
        y = brush.between(bounds.top(), bounds.bottom())
        if path.contains(x, y):
            reach = brush.between(0.012, 0.03)
            hairs[number % 2].moveTo(x, y)
            hairs[number % 2].lineTo(x + brush.between(-0.5, 0.5) * reach, y + reach)
    for number, shade, alpha in ((2, brush.shade, 0.5), (0, deep, 0.45), (1, light, 0.35)):
        brush.line(hairs[number], 0.003, shade, alpha)


@register("kimono", "women's clothing", {"kimono"}, tilt=2.0)
def kimono(brush: Brush) -> str:
    """Draw a kimono: crossed fronts, wide hanging sleeves, a broad sash."""
    bottom = brush.between(0.86, 0.91)
    waist_y = brush.between(0.40, 0.44)
    texture = brush.pick("satin", "weave")
    drop = brush.between(0.46, 0.56)
    reach = brush.between(0.36, 0.40)
    brush.inside(symmetric([(0.5, 0.125), (0.55, 0.12, 0), (0.53, 0.24), (0.5, 0.27)]))
    sash_shade = brush.pick(
        NEAR_WHITE if luminance(brush.shade) < 0.75 else (0.6, 0.1, 0.15),
        NEAR_BLACK if luminance(brush.shade) > 0.2 else (0.6, 0.1, 0.15),
        darker(brush.shade, 0.55),
        GOLD,
    )
    for side in (1, -1):
        sleeve = curve(
            [
                (0.5 + side * 0.08, 0.155, 0),
                (0.5 + side * 0.22, 0.20),
                (0.5 + side * reach, 0.265, 0),
                (0.5 + side * (reach + 0.01), 0.40),
                (0.5 + side * (reach - 0.005), drop + 0.02, 0),
                (0.5 + side * (reach - 0.08), drop + 0.035),
                (0.5 + side * 0.19, drop, 0),
                (0.5 + side * 0.15, 0.36, 0),
            ]
        )
        brush.fill(
            sleeve, texture=texture, wrinkles=0.6, volume=0.5, turn=-12 * side, form="cylinder"
        )
        mouth = curve(
            [
                (0.5 + side * (reach - 0.003), 0.27, 0),
                (0.5 + side * (reach + 0.007), 0.40),
                (0.5 + side * (reach - 0.006), 0.415),
                (0.5 + side * (reach - 0.016), 0.34),
            ]
        )
        brush.inside(mouth, 0.6)
        for _ in range(4):
            x = brush.between(0.20, reach - 0.03)
            brush.fold(
                [
                    (0.5 + side * brush.between(0.12, 0.2), 0.24),
                    (0.5 + side * x, 0.36),
                    (0.5 + side * (x + 0.02), drop + 0.03),
                ],
                0.022,
                brush.between(0.4, 0.8),
                within=sleeve,
            )
    for side in (-1, 1):
        front = curve(
            [
                (0.5 + side * 0.055, 0.125, 0),
                (0.5 + side * 0.17, 0.175, 0),
                (0.5 + side * 0.155, 0.36),
                (0.5 + side * 0.135, waist_y),
                (0.5 + side * 0.165, bottom, 0),
                (0.5 + side * 0.04, bottom + 0.012),
                (0.5 - side * 0.075, bottom, 0),
                (0.5 - side * 0.07, waist_y, 0),
                (0.5 + side * 0.01, 0.25),
            ]
        )
        brush.cast(front, 0.5, 0.018)
        brush.fill(front, texture=texture, wrinkles=0.55, form="cylinder", volume=0.5)
        for _ in range(4):
            x = brush.between(0.0, 0.13)
            brush.fold(
                [(0.5 + side * x, waist_y + 0.05), (0.5 + side * (x + 0.015), bottom)],
                0.025,
                brush.between(0.3, 0.7),
                within=front,
            )
        hem = [
            (0.5 + side * 0.05, 0.13),
            (0.5 + side * 0.012, 0.25),
            (0.5 - side * 0.058, waist_y),
            (0.5 - side * 0.064, bottom),
        ]
        lining = band(
            [(0.5 + side * 0.042, 0.125), (0.5 + side * 0.004, 0.25), (0.5 - side * 0.05, waist_y)],
            0.014,
        )
        brush.fill(
            lining, shade=NEAR_WHITE if luminance(brush.shade) < 0.8 else sash_shade, wrinkles=0
        )
        strip = band(hem, 0.030)
        brush.cast(strip, 0.4, 0.01)
        brush.fill(
            strip,
            pattern=False,
            texture=texture,
            wrinkles=0,
            edge=0.7,
            shade=darker(brush.shade, 0.18),
        )
    sash = symmetric(
        [
            (0.5, waist_y - 0.05),
            (0.5 + 0.142, waist_y - 0.055, 0),
            (0.5 + 0.142, waist_y + 0.045, 0),
            (0.5, waist_y + 0.055),
        ]
    )
    brush.cast(sash, 0.6, 0.016)
    brush.fill(
        sash,
        shade=sash_shade,
        texture="satin",
        form="cylinder",
        volume=0.7,
        wrinkles=0.35,
        drape="across",
        edge=0.7,
    )
    cord = band([(0.355, waist_y - 0.003), (0.5, waist_y + 0.004), (0.645, waist_y - 0.003)], 0.014)
    brush.cast(cord, 0.4, 0.008)
    brush.fill(
        cord,
        pattern=False,
        form="tube",
        wrinkles=0,
        shade=brush.shade if luminance(sash_shade) < 0.5 or brush.colour != "white" else NAVY,
    )
    return brush.pick("long", "silky" if texture == "satin" else "cotton") + " wide-sleeved"


# -------------------------------------------------------------------------- men's clothing


@register("t-shirt", "men's clothing", {"jersey", "T-shirt", "tee shirt"})
def t_shirt(brush: Brush) -> str:
    """Draw a T-shirt."""
    neck = brush.pick("round", "round", "v")
    top = _Top(
        brush,
        neck=brush.between(0.075, 0.09),
        neck_top=0.155,
        neck_drop=brush.between(0.05, 0.065) if neck == "round" else 0.11,
        neck_shape=neck,
        shoulder=(0.205, 0.205),
        armpit=(0.185, 0.38),
        waist=(0.18, 0.62),
        hem=(0.188, brush.between(0.83, 0.88)),
    )
    top.back()
    top.sleeves(
        brush.between(0.15, 0.20),
        0.135,
        angle=brush.between(24, 36),
        bend=0,
        cuffs="stitched",
        wrinkles=0.8,
    )
    body = top.body()
    brush.fill(body, form="cylinder", volume=0.5, wrinkles=0.75, texture="weave")
    top.torso_folds(body, 0.6)
    for points in (top.armhole(), flipped(top.armhole())):
        brush.seam(points, 0.55)
    line = top.neckline()
    half = [(x, y + 0.006) for x, y, *_ in line]
    rim = [*reversed(half), *flipped(half)[1:]]
    if neck == "round":
        collar = band(curve(rim, closed=False), 0.022)
    else:
        collar = union(band(half, 0.020), band(flipped(half), 0.020))
    collar = common(collar, union(body, box(0.3, 0.13, 0.7, 0.2)))
    brush.cast(collar, 0.35, 0.010)
    brush.fill(
        collar,
        pattern=False,
        texture="weave",
        wrinkles=0,
        edge=0.7,
        shade=brush.pick(None, None, brush.shade, darker(brush.shade, 0.25)),
    )
    hx, hy = top.hem
    brush.stitch(
        [(1 - hx + 0.004, hy - 0.018), (0.5, hy + top.hem_drop - 0.018), (hx - 0.004, hy - 0.018)]
    )
    if brush.chance(0.3):
        px = brush.pick(0.59)
        pocket = box(px - 0.045, 0.34, px + 0.045, 0.43, 0.006)
        brush.fill(pocket, wrinkles=0.2, edge=0.5)
        brush.stitch([(px - 0.045, 0.352), (px + 0.045, 0.352)])
    return "crew-neck" if neck == "round" else "V-neck"


@register("sweatshirt", "men's clothing", {"sweatshirt"})
def sweatshirt(brush: Brush) -> str:
    """Draw a sweatshirt, mostly with a hood and a pouch."""
    hooded = brush.chance(0.8)
    bottom = brush.between(0.80, 0.85)
    top = _Top(
        brush,
        neck=0.085,
        neck_top=0.19 if hooded else 0.155,
        neck_drop=0.07 if hooded else 0.055,
        shoulder=(0.20, 0.245 if hooded else 0.21),
        armpit=(0.18, 0.41 if hooded else 0.38),
        waist=(0.19, 0.62),
        hem=(0.165, bottom),
        hem_drop=0.008,
    )
    if not hooded:
        top.back()
    top.sleeves(
        0.44, 0.075, angle=brush.between(11, 17), cuffs="rib", wrinkles=0.95, texture="suede"
    )
    body = top.body()
    brush.fill(body, form="cylinder", volume=0.55, wrinkles=0.85, texture="suede")
    top.torso_folds(body, 0.7)
    for points in (top.armhole(), flipped(top.armhole())):
        brush.seam(points, 0.7)
    hem = common(body, box(0.2, bottom - 0.05, 0.8, bottom + 0.05))
    brush.fill(hem, pattern=False, texture="rib", wrinkles=0.1, form="cylinder", edge=0.6)
    zipped = hooded and brush.chance(0.35)
    if hooded:
        hood = symmetric(
            [
                (0.5, 0.095),
                (0.565, 0.105),
                (0.615, 0.16),
                (0.625, 0.225),
                (0.575, 0.285),
                (0.5, 0.325),
            ]
        )
        brush.cast(hood, 0.6, 0.02)
        brush.fill(hood, texture="suede", form="sphere", volume=0.6, wrinkles=0.6, edge=0.6)
        opening = symmetric(
            [(0.5, 0.125), (0.545, 0.135), (0.575, 0.185), (0.555, 0.245), (0.5, 0.30)]
        )
        brush.inside(opening, 0.55)
        brush.shadow(
            [(0.43, 0.2), (0.46, 0.14), (0.54, 0.14), (0.57, 0.2)], 0.05, 0.6, within=opening
        )
        brush.shadow([(0.5, 0.13), (0.5, 0.22)], 0.012, 0.4, within=opening)
        rim = [(0.5, 0.118), (0.552, 0.130), (0.585, 0.185), (0.563, 0.250), (0.5, 0.308)]
        brush.stitch(curve([*rim, *reversed(flipped(rim)[1:-1])]))
        for side in (1, -1):
            edge = [
                (0.5 + side * 0.035, 0.28),
                (0.5 + side * 0.04, 0.34),
                (0.5 + side * 0.037, brush.between(0.42, 0.48)),
            ]
            shade = NEAR_WHITE if luminance(brush.shade) < 0.7 else STEEL
            brush.shadow([(x + 0.006, y + 0.004) for x, y in edge], 0.012, 0.5)
            brush.line(edge, 0.009, shade)
            brush.metal(circle(0.5 + side * 0.035, 0.28, 0.007), SILVER)
    else:
        line = top.neckline()
        half = [(x, y + 0.008) for x, y, *_ in line]
        collar = band(curve([*reversed(half), *flipped(half)[1:]], closed=False), 0.03)
        brush.cast(collar, 0.4, 0.012)
        brush.fill(collar, pattern=False, texture="rib", wrinkles=0, edge=0.7)
        brush.seam([(0.48, 0.232), (0.5, 0.262), (0.52, 0.232)], 0.6)
    if hooded or brush.chance(0.4):
        pouch = symmetric(
            [
                (0.5, bottom - 0.20),
                (0.565, bottom - 0.20, 0),
                (0.625, bottom - 0.09, 0),
                (0.625, bottom - 0.05, 0),
                (0.5, bottom - 0.05),
            ]
        )
        brush.cast(pouch, 0.45, 0.014)
        brush.fill(pouch, texture="suede", wrinkles=0.5, edge=0.6)
        for side in (1, -1):
            slit = [
                (0.5 + side * 0.065, bottom - 0.20),
                (0.5 + side * 0.10, bottom - 0.15),
                (0.5 + side * 0.125, bottom - 0.09),
            ]
            brush.shadow(slit, 0.025, 0.45)
            brush.stitch([(x - side * 0.014, y) for x, y in slit])
    if zipped:
        brush.zip([(0.5, 0.31), (0.5, bottom + 0.005)], 0.018)
    return ("zipped hooded" if zipped else "hooded") if hooded else "crew-neck"


@register(
    "suit",
    "men's clothing",
    {"suit", "suit of clothes"},
    patterns=("plain", "striped", "checked"),
    tilt=2.5,
)
def suit(brush: Brush) -> str:
    """Draw a suit jacket over a shirt and a tie."""
    brush.stripes(90, brush.between(0.030, 0.045))
    bottom = brush.between(0.85, 0.89)
    top = _Top(
        brush,
        neck=0.07,
        neck_top=0.14,
        neck_drop=0.32,
        neck_shape="v",
        shoulder=(0.205, 0.195),
        armpit=(0.175, 0.37),
        waist=(0.150, 0.54),
        hem=(0.180, bottom),
        hem_drop=0.012,
    )
    double = brush.chance(0.25)
    low = 0.50 if not double else 0.46
    shirt_shade = brush.pick(NEAR_WHITE, (0.97, 0.97, 0.98), (0.80, 0.87, 0.95))
    if brush.colour == "white":
        shirt_shade = brush.pick(NAVY, NEAR_BLACK, (0.80, 0.87, 0.95))
    shirt = symmetric(
        [(0.5, 0.15), (0.57, 0.13, 0), (0.62, 0.30), (0.56, low + 0.02), (0.5, low + 0.03)]
    )
    texture = "satin"
    top.sleeves(0.46, 0.085, angle=brush.between(7, 11), bend=3, texture=texture, wrinkles=0.4)
    for side in (1, -1):
        for dy in (0.0, 0.022, 0.044):
            brush.button(0.5 + side * (0.268 - dy * 0.15), 0.715 - dy, 0.006)
    brush.fill(shirt, shade=shirt_shade, wrinkles=0.25, form="cylinder", volume=0.3)
    brush.seam([(0.5, 0.2), (0.5, low)], 0.2, within=shirt)
    # Shirt collar and tie.
    tie_shade = brush.pick(NAVY, (0.55, 0.08, 0.12), NEAR_BLACK, darker(brush.shade, 0.4))
    if luminance(shirt_shade) < 0.3:
        tie_shade = brush.pick(STEEL, (0.55, 0.08, 0.12))
    stand = symmetric([(0.5, 0.108), (0.545, 0.106, 0), (0.545, 0.15, 0), (0.5, 0.185)])
    brush.fill(stand, shade=darker(shirt_shade, 0.25), wrinkles=0, form="up")
    tie = symmetric([(0.5, 0.195), (0.514, 0.197, 0), (0.535, 0.42), (0.5, 0.56, 0)])
    brush.cast(tie, 0.5, 0.012)
    brush.fill(
        tie, shade=tie_shade, texture="satin", form="cylinder", volume=0.7, wrinkles=0.1, turn=20
    )
    knot = symmetric([(0.5, 0.160), (0.523, 0.163, 0), (0.514, 0.202, 0), (0.5, 0.205)])
    brush.fill(
        knot, shade=tie_shade, texture="satin", form="cylinder", volume=0.7, wrinkles=0.1, edge=0.8
    )
    for side in (1, -1):
        collar = [
            (0.5 + 0.040, 0.104),
            (0.5 + 0.056, 0.116),
            (0.5 + 0.066, 0.150, 0),
            (0.5 + 0.058, 0.215, 0),
            (0.5 + 0.008, 0.163, 0),
        ]
        path = curve(collar if side > 0 else flipped(collar))
        brush.cast(path, 0.4, 0.010)
        brush.fill(path, shade=shirt_shade, wrinkles=0, edge=0.4)
    for side in (-1, 1):  # the left front last: it closes over the right one
        over = 0.012 if not double else 0.055
        front = [
            (0.5 + 0.068, 0.135, 0),
            (0.5 + 0.205, 0.195, 0),
            (0.5 + 0.180, 0.29),
            (0.5 + 0.175, 0.37, 0),
            (0.5 + 0.150, 0.54),
            (0.5 + 0.180, bottom, 0),
            (0.5 + 0.06, bottom + 0.012),
            (0.5 + 0.02, bottom - 0.015),
            (0.5 - over, bottom - 0.12),
            (0.5 - over, low, 0),
            (0.5 + 0.08, 0.30),
        ]
        path = curve(front if side > 0 else flipped(front))
        brush.cast(path, 0.5, 0.016)
        brush.fill(path, texture=texture, wrinkles=0.3, volume=0.5, form="cylinder")
        x = 0.5 + side * 0.11
        brush.seam([(0.5 + side * 0.10, 0.40), (0.5 + side * 0.095, 0.64)], 0.45, within=path)
        for y in (0.45, 0.5):
            brush.fold(
                [(0.5 + side * 0.03, low + 0.01), (0.5 + side * 0.14, y)], 0.02, 0.4, within=path
            )
        flap = polygon([(x - 0.05, 0.655), (x + 0.05, 0.650), (x + 0.05, 0.688), (x - 0.05, 0.692)])
        brush.cast(flap, 0.4, 0.010, within=path)
        brush.fill(common(flap, path), texture=texture, wrinkles=0, edge=0.9)
        armhole = top.armhole() if side > 0 else flipped(top.armhole())
        brush.shadow(armhole, 0.03, 0.3, within=path)
        brush.seam(armhole, 0.8)
        # Lapel and collar.
        lapel = [
            (0.5 + 0.075, 0.215, 0),
            (0.5 + 0.118, 0.235, 0),
            (0.5 + 0.102, 0.258, 0),
            (0.5 + 0.142, 0.252, 0),
            (0.5 + 0.105, 0.37),
            (0.5 - over * 0.8, low, 0),
            (0.5 + 0.052, 0.33),
        ]
        lap = curve(lapel if side > 0 else flipped(lapel))
        brush.cast(lap, 0.6, 0.014)
        brush.fill(lap, texture=texture, wrinkles=0.1, turn=-15 * side, edge=0.9)
        collar = [
            (0.5 + 0.050, 0.116),
            (0.5 + 0.074, 0.122),
            (0.5 + 0.092, 0.150),
            (0.5 + 0.120, 0.230, 0),
            (0.5 + 0.104, 0.252, 0),
            (0.5 + 0.066, 0.21),
            (0.5 + 0.046, 0.140, 0),
        ]
        col = curve(collar if side > 0 else flipped(collar))
        brush.cast(col, 0.5, 0.010)
        brush.fill(col, texture=texture, wrinkles=0.1, turn=20 * side, edge=0.9)
    pocket = polygon([(0.585, 0.395), (0.655, 0.385), (0.655, 0.402), (0.585, 0.412)])
    if brush.chance(0.6):
        square = polygon(
            [(0.592, 0.395), (0.60, 0.365), (0.618, 0.38), (0.632, 0.358), (0.648, 0.388)]
        )
        brush.fill(square, shade=brush.pick(NEAR_WHITE, tie_shade), wrinkles=0.2)
    brush.fill(pocket, texture=texture, wrinkles=0, edge=0.9)
    if double:
        for y in (low + 0.03, low + 0.11):
            for dx in (-0.04, 0.04):
                brush.button(0.5 + dx, y, 0.011)
        return "double-breasted"
    for y in (low + 0.015, low + 0.10):
        brush.button(0.5, y, 0.011)
    return brush.pick("two-button", "slim-fit", "classic")


def _leg(brush, side, waist, top_y, bottom, hip, knee, ankle, crotch_y, spread):
    """Return one trouser leg."""
    return curve(
        [
            (0.5 - side * 0.002, top_y + 0.012, 0),
            (0.5 + side * waist, top_y, 0),
            (0.5 + side * hip, top_y + (crotch_y - top_y) * 0.75),
            (0.5 + side * (spread * 0.86 + knee * 1.12), (crotch_y + bottom) / 2),
            (0.5 + side * (spread + ankle), bottom, 0),
            (0.5 + side * (spread - ankle * 0.55), bottom + 0.004, 0),
            (0.5 + side * (spread * 0.72 - knee * 0.5), (crotch_y + bottom) / 2),
            (0.5 + side * 0.004, crotch_y, 0),
        ]
    )


@register("jeans", "men's clothing", {"jean", "blue jean", "denim"}, patterns=("plain",), tilt=3)
def jeans(brush: Brush) -> str:
    """Draw jeans: denim with worn thighs, five pockets, orange stitches, a fly."""
    cut = brush.pick("slim-fit", "straight", "loose")
    ankle = {"slim-fit": 0.058, "straight": 0.072, "loose": 0.086}[cut]
    knee = ankle + brush.between(0.008, 0.016)
    top_y, bottom = 0.10, 0.905
    waist, hip, crotch = 0.145, 0.178, 0.38
    thread = (0.80, 0.52, 0.20) if brush.colour not in ("orange", "yellow", "brown") else CREAM
    spread = brush.between(0.10, 0.125)
    back = symmetric(
        [(0.5, top_y - 0.012), (0.5 + waist - 0.003, top_y - 0.002, 0), (0.5, top_y + 0.045)]
    )
    brush.inside(back)
    patch = box(0.475, top_y - 0.004, 0.525, top_y + 0.022)
    brush.fill(patch, shade=TAN, texture="leather", wrinkles=0)
    legs = []
    for side in (1, -1):
        leg = _leg(brush, side, waist, top_y, bottom, hip, knee, ankle, crotch, spread)
        legs.append(leg)
        brush.fill(
            leg,
            texture="denim",
            form="cylinder",
            volume=0.75,
            wrinkles=0.75,
            grain=1.3,
            turn=-3 * side,
            edge=0.6,
        )
        centre = 0.5 + side * (spread + 0.01)
        fade = 0.35 if luminance(brush.shade) < 0.7 else 0.5
        brush.highlight(
            [(centre - 0.005, 0.34), (centre, 0.46), (centre, 0.62)], 0.075, fade, within=leg
        )
        for _ in range(4):  # whiskers at the hip
            y = brush.between(0.28, 0.36)
            brush.highlight(
                [(0.5 + side * 0.02, y + 0.02), (0.5 + side * 0.12, y - 0.03)],
                0.008,
                0.22,
                within=leg,
            )
            brush.fold(
                [(0.5 + side * 0.015, y + 0.03), (0.5 + side * 0.11, y - 0.02)],
                0.014,
                0.4,
                within=leg,
            )
        for _ in range(5):  # the knee and the ankle
            y = brush.pick(brush.between(0.58, 0.70), brush.between(0.78, 0.88))
            x = 0.5 + side * spread
            brush.fold(
                [(x - 0.05, y), (x, y + 0.012), (x + 0.06, y - 0.008)],
                0.015,
                brush.between(0.3, 0.7),
                within=leg,
            )
        outer = [
            (0.5 + side * (hip - 0.006), 0.30),
            (0.5 + side * (spread + knee - 0.006), 0.63),
            (0.5 + side * (spread + ankle - 0.005), 0.90),
        ]
        brush.seam(outer, 0.5, within=leg)
        brush.stitch(
            [
                (0.5 + side * (spread - ankle * 0.5), bottom - 0.018),
                (0.5 + side * (spread + ankle * 0.95), bottom - 0.020),
            ],
            thread,
        )
        pocket = [
            (0.5 + side * 0.062, top_y + 0.036),
            (0.5 + side * 0.082, top_y + 0.085),
            (0.5 + side * 0.134, top_y + 0.105),
        ]
        brush.shadow(pocket, 0.016, 0.4, within=leg)
        brush.seam(pocket, 0.9, within=leg)
        brush.stitch([(x - side * 0.007, y + 0.008) for x, y in pocket], thread)
    whole = union(*legs)
    brush.shadow([(0.5, 0.30), (0.5, 0.40)], 0.03, 0.4, within=whole)
    fly = [(0.5, top_y + 0.04), (0.5, crotch)]
    brush.seam(fly, 0.9)
    brush.stitch([(0.535, top_y + 0.045), (0.533, top_y + 0.15), (0.503, top_y + 0.20)], thread)
    waistband = symmetric(
        [
            (0.5, top_y + 0.012),
            (0.5 + waist + 0.001, top_y - 0.002, 0),
            (0.5 + waist + 0.006, top_y + 0.032, 0),
            (0.5, top_y + 0.048),
        ]
    )
    brush.cast(waistband, 0.4, 0.010, within=whole)
    brush.fill(waistband, texture="denim", form="cylinder", wrinkles=0.1, edge=0.8)
    for dy in (0.017, 0.043):
        brush.stitch(
            [
                (0.5 - waist, top_y - 0.010 + dy),
                (0.5, top_y + dy),
                (0.5 + waist, top_y - 0.010 + dy),
            ],
            thread,
        )
    for x in (-0.075, 0.075):
        loop = box(0.5 + x - 0.007, top_y - 0.006, 0.5 + x + 0.007, top_y + 0.042, 0.003)
        brush.cast(loop, 0.4, 0.008)
        brush.fill(loop, texture="denim", wrinkles=0, edge=0.8)
    brush.metal(circle(0.503, top_y + 0.030, 0.011), brush.pick((0.72, 0.50, 0.28), SILVER))
    return cut


@register("shorts", "men's clothing", {"swimming trunks", "bathing trunks"})
def shorts(brush: Brush) -> str:
    """Draw swim shorts with an elastic waist and a drawstring."""
    top_y, crotch = brush.between(0.19, 0.23), brush.between(0.55, 0.60)
    bottom = brush.between(0.70, 0.80)
    waist, hip = 0.20, brush.between(0.255, 0.275)
    brush.inside(
        symmetric([(0.5, top_y - 0.018), (0.5 + waist, top_y - 0.004, 0), (0.5, top_y + 0.045)])
    )
    legs = []
    for side in (1, -1):
        reach = hip + 0.045
        leg = curve(
            [
                (0.5 - side * 0.002, top_y + 0.012, 0),
                (0.5 + side * waist, top_y, 0),
                (0.5 + side * hip, (top_y + crotch) / 2),
                (0.5 + side * reach, bottom - 0.03, 0),
                (0.5 + side * (reach + 0.05) / 2, bottom + 0.006),
                (0.5 + side * 0.035, bottom, 0),
                (0.5 + side * 0.003, crotch, 0),
            ]
        )
        legs.append(leg)
        opening = curve(
            [
                (0.5 + side * reach, bottom - 0.03, 0),
                (0.5 + side * (reach + 0.05) / 2, bottom + 0.004),
                (0.5 + side * 0.035, bottom, 0),
                (0.5 + side * (reach + 0.05) / 2, bottom + 0.022),
            ]
        )
        brush.inside(opening)
        brush.fill(leg, texture="weave", form="cylinder", volume=0.6, wrinkles=0.9, turn=-6 * side)
        for x0, x1 in ((0.05, 0.07), (0.12, 0.17), (0.18, 0.25)):
            brush.fold(
                [(0.5 + side * x0, crotch - 0.14), (0.5 + side * x1, bottom + 0.02)],
                0.028,
                brush.between(0.35, 0.8),
                within=leg,
            )
        for _ in range(3):
            y = brush.between(0.42, 0.56)
            brush.fold(
                [(0.5 + side * 0.01, crotch - 0.03), (0.5 + side * 0.13, y - 0.05)],
                0.018,
                0.5,
                within=leg,
            )
        brush.stitch(
            [
                (0.5 + side * (reach - 0.005), bottom - 0.052),
                (0.5 + side * (reach + 0.05) / 2, bottom - 0.016),
                (0.5 + side * 0.035, bottom - 0.022),
            ]
        )
        pocket = [
            (0.5 + side * (waist - 0.02), top_y + 0.07),
            (0.5 + side * (hip - 0.012), top_y + 0.20),
        ]
        brush.shadow(pocket, 0.014, 0.4, within=leg)
        brush.seam(pocket, 0.8, within=leg)
    whole = union(*legs)
    brush.seam([(0.5, top_y + 0.05), (0.5, crotch)], 0.8)
    brush.shadow([(0.505, top_y + 0.1), (0.505, crotch + 0.02)], 0.03, 0.35, within=whole)
    waistband = symmetric(
        [
            (0.5, top_y + 0.014),
            (0.5 + waist + 0.002, top_y - 0.004, 0),
            (0.5 + waist + 0.008, top_y + 0.048, 0),
            (0.5, top_y + 0.068),
        ]
    )
    brush.cast(waistband, 0.4, 0.012, within=whole)
    brush.fill(waistband, form="cylinder", wrinkles=0.2, edge=0.7)
    brush.ribbing(waistband, 34, depth=0.55)
    cord = NEAR_WHITE if luminance(brush.shade) < 0.75 else NAVY
    for side in (1, -1):
        loop = [
            (0.5, top_y + 0.048),
            (0.5 + side * 0.04, top_y + 0.035),
            (0.5 + side * 0.045, top_y + 0.06),
            (0.5, top_y + 0.052),
        ]
        tail = [
            (0.5, top_y + 0.052),
            (0.5 + side * 0.018, top_y + 0.10),
            (0.5 + side * brush.between(0.02, 0.035), top_y + brush.between(0.14, 0.18)),
        ]
        for points in (loop, tail):
            brush.shadow([(x + 0.005, y + 0.006) for x, y in points], 0.010, 0.5)
            brush.line(points, 0.009, cord)
    return brush.pick("drawstring", "quick-dry") + " swim"


def _shirt_collar(brush, neck, top, tip, meet, pattern=True, trim=None, turn=30):
    """Draw a turned-down collar: the stand behind the neck and its two leaves."""
    stand = symmetric(
        [
            (0.5, top + 0.004),
            (0.5 + neck * 0.6, top),
            (0.5 + neck, top + 0.004, 0),
            (0.5 + neck + 0.006, top + 0.05, 0),
            (0.5 + neck * 0.5, top + 0.045),
            (0.5, top + 0.042),
        ]
    )
    brush.fill(stand, shade=darker(brush.shade, 0.12), wrinkles=0, form="up", edge=0.5)
    brush.shadow(
        [(0.5 - neck, top + 0.055), (0.5, top + 0.052), (0.5 + neck, top + 0.055)], 0.02, 0.5
    )
    for side in (1, -1):
        leaf = [
            (0.5 + neck - 0.008, top - 0.001),
            (0.5 + neck + 0.018, top + 0.022),
            (0.5 + tip[0], tip[1], 0),
            (0.5 + meet[0], meet[1], 0),
            (0.5 + neck * 0.55, (top + meet[1]) / 2 + 0.005),
        ]
        points = leaf if side > 0 else flipped(leaf)
        path = curve(points)
        brush.cast(path, 0.45, 0.012)
        brush.fill(path, wrinkles=0.05, turn=turn * side, edge=0.6, pattern=pattern)
        if trim is not None:
            (ax, ay, _), (bx, by, _) = points[2], points[3]
            brush.line([(ax - side * 0.006, ay - 0.012), (bx, by - 0.012)], 0.006, trim)


@register("polo shirt", "men's clothing", {"jersey", "T-shirt", "tee shirt"})
def polo_shirt(brush: Brush) -> str:
    """Draw a polo shirt: short sleeves with ribbed cuffs, a knitted collar, a short placket."""
    long_sleeves = brush.chance(0.12)
    bottom = brush.between(0.79, 0.84)
    top = _Top(
        brush,
        neck=0.068,
        neck_top=0.155,
        neck_drop=0.05,
        shoulder=(0.215, 0.205),
        armpit=(0.20, 0.385),
        waist=(0.195, 0.62),
        hem=(0.205, bottom),
    )
    if long_sleeves:
        top.sleeves(0.44, 0.075, angle=brush.between(11, 16), cuffs="rib", wrinkles=0.8)
    else:
        top.sleeves(
            brush.between(0.15, 0.18),
            0.13,
            angle=brush.between(24, 34),
            bend=0,
            cuffs="stitched",
            wrinkles=0.6,
            texture="satin",
        )
    body = top.body()
    brush.fill(body, form="cylinder", volume=0.5, wrinkles=0.6, texture="satin")
    top.torso_folds(body, 0.55)
    for points in (top.armhole(), flipped(top.armhole())):
        brush.seam(points, 0.55)
    low = brush.between(0.36, 0.41)
    opened = brush.chance(0.6)
    brush.inside(
        symmetric([(0.5, 0.14), (0.55, 0.14), (0.568, 0.16, 0), (0.5, 0.235 if opened else 0.205)])
    )
    placket = box(0.480, 0.205, 0.520, low, 0.003)
    brush.cast(placket, 0.3, 0.008, within=body)
    brush.fill(placket, wrinkles=0.1, edge=0.6, pattern=False)
    if opened:
        brush.inside(polygon([(0.48, 0.19), (0.535, 0.19), (0.503, 0.275)]), 0.55)
    brush.stitch([(0.480, low - 0.012), (0.520, low - 0.012)])
    for y in np.linspace(0.295 if opened else 0.23, low - 0.03, 2 if opened else 3):
        brush.button(0.5, float(y), 0.009, shade=NEAR_WHITE if brush.chance(0.5) else None)
    trim = brush.pick(None, None, brush.accent)
    meet = (0.022, 0.235) if opened else (0.004, 0.205)
    _shirt_collar(brush, 0.066, 0.125, (0.10, 0.225), meet, pattern=False, trim=trim)
    hx, hy = top.hem
    brush.stitch(
        [(1 - hx + 0.004, hy - 0.018), (0.5, hy + top.hem_drop - 0.018), (hx - 0.004, hy - 0.018)]
    )
    return "long-sleeved" if long_sleeves else "short-sleeved"
