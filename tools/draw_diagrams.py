"""Draw the diagrams of the notebooks, ``notebooks/images/*.svg``.

python tools/draw_diagrams.py

Each diagram is a function below that returns its shapes as SVG. They lie on a white card, so that
they can be read on light and dark pages, and are 800 units wide, about the width of a notebook.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "notebooks" / "images"
WIDTH = 800
INK, LINE = "#1d2733", "#5a6472"
COLOURS = {  # fill and outline
    "blue": ("#e3edf9", "#2f6db5"),
    "green": ("#e2f3e5", "#2f7d43"),
    "orange": ("#fdebdc", "#c8600f"),
    "grey": ("#eef1f4", "#5a6472"),
    "white": ("#ffffff", "#5a6472"),
}
RED_BAG, BLUE_BAG, GREEN_BAG = "#cc2222", "#2f6db5", "#2f7d43"

Point = tuple[float, float]
DIAGRAMS: dict[str, str] = {}


def diagram(height: int, title: str, description: str) -> Callable[[Callable[[], str]], None]:
    """Register what a function draws, on its card, under the name of the function."""

    def register(draw: Callable[[], str]) -> None:
        DIAGRAMS[draw.__name__] = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" font-family="sans-serif" fill="{INK}" '
            f'text-anchor="middle">\n'
            f"<title>{escape(title)}</title>\n<desc>{escape(description)}</desc>\n"
            f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="12" fill="#fff" '
            f'stroke="#c9d0d8"/>\n{draw()}\n</svg>\n'
        )

    return register


# Shapes


def join(*shapes: str | Iterable[str]) -> str:
    return "\n".join(s if isinstance(s, str) else "\n".join(s) for s in shapes)


def number(value: float) -> str:
    return f"{round(value, 1):g}"


def text(
    x: float, y: float, line: str, size: float = 14, anchor: str = "middle",
    colour: str = INK, bold: bool = False,
) -> str:  # fmt: skip
    more = "" if anchor == "middle" else f' text-anchor="{anchor}"'
    more += "" if colour == INK else f' fill="{colour}"'
    more += ' font-weight="bold"' if bold else ""
    return f'<text x="{number(x)}" y="{number(y)}" font-size="{size:g}"{more}>{escape(line)}</text>'


def rect(
    x: float, y: float, width: float, height: float,
    fill: str = "none", stroke: str = LINE, round_by: float = 0, more: str = "",
) -> str:  # fmt: skip
    more += f' rx="{number(round_by)}"' if round_by else ""
    more += "" if stroke == "none" else f' stroke="{stroke}"'
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" '
        f'height="{number(height)}" fill="{fill}" {more.strip()}/>'
    )


def box(
    x: float, y: float, width: float, height: float, *lines: str,
    colour: str = "blue", size: float = 14, bold: int = 1,
) -> str:  # fmt: skip
    """A rounded box with its lines in the middle, the first of them bold."""
    fill, stroke = COLOURS[colour]
    step = size * 1.3
    top = y + height / 2 - step * (len(lines) - 1) / 2 + size * 0.36
    return join(
        rect(x, y, width, height, fill, stroke, 8, 'stroke-width="1.5"'),
        [
            text(x + width / 2, top + i * step, line, size, bold=i < bold)
            for i, line in enumerate(lines)
        ],
    )


def diamond(x: float, y: float, width: float, height: float, *lines: str) -> str:
    """A question, drawn around its centre."""
    corners = [(x, y - height / 2), (x + width / 2, y), (x, y + height / 2), (x - width / 2, y)]
    top = y - 16 * (len(lines) - 1) / 2 + 4.5
    return join(
        polygon(corners, *COLOURS["orange"]),
        [text(x, top + i * 16, line, 13) for i, line in enumerate(lines)],
    )


def polygon(points: Iterable[Point], fill: str = "none", stroke: str = LINE, more: str = "") -> str:
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return f'<polygon points="{corners}" fill="{fill}" stroke="{stroke}" {more}/>'


def path(points: Iterable[Point], colour: str = LINE, width: float = 1.5, dash: str = "") -> str:
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<polyline points="{corners}" fill="none" stroke="{colour}" '
        f'stroke-width="{width:g}"{dashed}/>'
    )


def arrow(*points: Point, colour: str = LINE, width: float = 1.8, dash: str = "") -> str:
    """A line through the points, with a head at the last of them."""
    (x1, y1), (x2, y2) = points[-2:]
    turn = math.atan2(y2 - y1, x2 - x1)
    ahead, aside = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    base = (x2 - 9 * ahead[0], y2 - 9 * ahead[1])
    wings = [(base[0] + s * 4.5 * aside[0], base[1] + s * 4.5 * aside[1]) for s in (1, -1)]
    return join(
        path([*points[:-1], base], colour, width, dash),
        polygon([(x2, y2), *wings], colour, "none"),
    )


def dot(x: float, y: float, radius: float = 5, fill: str = LINE, stroke: str = "") -> str:
    rim = f' stroke="{stroke}" stroke-width="1.5"' if stroke else ""
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{radius:g}" fill="{fill}"{rim}/>'


def cells(
    x: float, y: float, side: float, rows: list[list[str]], labels: list[list[str]] | None = None,
    size: float = 11,
) -> str:  # fmt: skip
    """A table of coloured squares, with a label in each."""
    squares, texts = [], []
    for i, row in enumerate(rows):
        for j, fill in enumerate(row):
            left, top = x + j * side, y + i * side
            squares.append(rect(left, top, side, side, fill, "none"))
            if labels:
                texts.append(
                    text(left + side / 2, top + side / 2 + size * 0.36, labels[i][j], size)
                )
    return join('<g stroke="#9aa4af">', squares, "</g>", texts)


def picture(
    x: float, y: float, side: float, colour: str,
    view: tuple[int, int, int, int] = (0, 0, 100, 100), mirrored: bool = False, boot: bool = False,
) -> str:  # fmt: skip
    """A bag, or a boot, of which ``view`` is seen: left, top, width, height."""
    product = (
        f'<path d="M30 15h26v38q24 4 28 16v14H30z" fill="{colour}"/>'
        f'<path d="M30 83h54v6H30z" fill="{INK}"/>'
        if boot
        else f'<path d="M34 46c0-34 32-34 32 0" fill="none" stroke="{colour}" stroke-width="6"/>'
        f'<path d="M20 44h60l6 42H14z" fill="{colour}"/><path d="M26 54h16v9H26z" fill="#fff"/>'
    )
    if mirrored:
        left, _, width, _ = view
        product = f'<g transform="translate({2 * left + width} 0) scale(-1 1)">{product}</g>'
    return (
        f'<svg x="{number(x)}" y="{number(y)}" width="{side:g}" height="{side:g}" '
        f'viewBox="{" ".join(map(str, view))}"><rect x="-100" y="-100" width="300" height="300" '
        f'fill="#fff"/>{product}</svg>' + rect(x, y, side, side)
    )


def bars(x: float, y: float, heights: Iterable[int], colour: str = "#2f6db5") -> str:
    """A row of numbers, as small bars that stand on ``y``."""
    return join(
        rect(x + 8 * i, y - height, 6, height, colour, "none") for i, height in enumerate(heights)
    )


# The series


@diagram(
    370,
    "The road map of the series",
    "Notebook 00 makes a first embedding of three numbers; 01 flattens pixels; 02 takes a "
    "classifier's features; 03 learns from pictures alone; 04 shares a space with words. 05 "
    "chooses among them, 06 scales up, 07 adapts to labels.",
)
def road_map() -> str:
    first = [
        ("00", "Set-up, data", "a picture becomes", "three numbers"),
        ("01", "Flattened pixels", "all its pixels,", "in one row"),
        ("02", "Classifier", "what it computes", "before the name"),
        ("03", "Metric learning", "learnt from", "pictures alone"),
        ("04", "Image and text", "a space shared", "with words"),
    ]
    then = [
        ("05", "Choosing", "which of them is", "right for your search?"),
        ("06", "Scaling", "the same search", "in 100 million pictures"),
        ("07", "Adapting", "better still, with", "the labels you have"),
    ]
    lefts = [16 + 156.5 * i for i in range(5)]
    later = [120 + 205 * i for i in range(3)]
    return join(
        text(16, 32, "Ways to turn a picture into numbers", 15, "start", bold=True),
        [
            join(
                box(x, 48, 142, 112, *lines, colour="blue", size=13.5, bold=2),
                arrow((x + 142, 104), (x + 156.5, 104)) if x < lefts[-1] else "",
            )
            for x, lines in zip(lefts, first, strict=True)
        ],
        arrow((lefts[-1] + 71, 160), (lefts[-1] + 71, 190), (later[0] + 92, 190),
              (later[0] + 92, 236)),
        text(later[0] + 106, 222, "Using them", 15, "start", bold=True),
        [
            join(
                box(x, 236, 185, 112, *lines, colour="green", size=13.5, bold=2),
                arrow((x + 185, 292), (x + 205, 292)) if x < later[-1] else "",
            )
            for x, lines in zip(later, then, strict=True)
        ],
    )  # fmt: skip


@diagram(
    232,
    "How the data flows",
    "Catalogue, encoder, embeddings, search, plot or measure: each takes what the one before it "
    "gives, from pictures on a disk to neighbours in a figure.",
)
def pipeline() -> str:
    steps = ["catalogue", "encoder", "embeddings", "search", "plot, measure"]
    calls = ["load_catalogue", "load_encoder", "embed", "nearest", "plot_similar"]
    gives = ["where pictures are", "picture → numbers", "a row a picture", "most similar rows",
             "what you see"]  # fmt: skip
    lefts = [14 + 158 * i for i in range(5)]
    mids = [x + 70 for x in lefts]
    return join(
        [box(x, 20, 140, 44, step, size=15) for x, step in zip(lefts, steps, strict=True)],
        [arrow((x + 140, 42), (x + 158, 42)) for x in lefts[:-1]],
        [text(x, 88, call, 13, colour=LINE) for x, call in zip(mids, calls, strict=True)],
        [text(x, 216, line, 13) for x, line in zip(mids, gives, strict=True)],
        picture(mids[0] - 52, 108, 40, RED_BAG),
        picture(mids[0] - 6, 108, 40, GREEN_BAG, boot=True),
        picture(mids[0] - 30, 152, 40, BLUE_BAG),
        polygon([(mids[1] + x, 150 + y) for x, y in ((-42, -42), (42, -20), (42, 20), (-42, 42))],
                *COLOURS["blue"]),
        text(mids[1], 155, "network", 13),
        bars(mids[2] - 35, 132, [18, 5, 12, 20, 8, 3, 15, 10, 6]),
        bars(mids[2] - 35, 162, [4, 17, 6, 9, 20, 12, 3, 8, 14]),
        bars(mids[2] - 35, 192, [17, 7, 13, 19, 5, 4, 14, 12, 7]),
        [dot(mids[3] + x, 150 + y) for x, y in
         ((-45, -25), (-38, 20), (40, -30), (48, 12), (30, 34))],
        [path([(mids[3], 150), (mids[3] + x, 150 + y)]) for x, y in ((17, -8), (-12, -16))],
        [dot(mids[3] + x, 150 + y, fill="#2f6db5") for x, y in ((17, -8), (-12, -16))],
        dot(mids[3], 150, 7, "#c8600f"),
        picture(mids[4] - 68, 130, 42, RED_BAG),
        rect(mids[4] - 70, 128, 46, 46, stroke="#c8600f", more='stroke-width="3"'),
        picture(mids[4] - 20, 130, 42, RED_BAG, mirrored=True),
        picture(mids[4] + 26, 130, 42, BLUE_BAG),
    )  # fmt: skip


# Notebook 01


@diagram(
    330,
    "From a picture to a row of numbers",
    "A picture of three by three pixels is three tables of numbers: red, green and blue. Written "
    "one pixel after another and divided by 255, they are one row of 27 numbers.",
)
def picture_to_row() -> str:
    white, pink, red, dark = (255, 255, 255), (255, 153, 153), (204, 0, 0), (102, 0, 0)
    pixels = [[white, pink, white], [red, red, red], [red, dark, red]]
    hexed = [["#{:02x}{:02x}{:02x}".format(*pixel) for pixel in row] for row in pixels]
    tints = ["#f7c6c6", "#c9e8cf", "#c8daf3"]
    names = ["red", "green", "blue"]
    tables = []
    for channel, name in enumerate(names):
        x = 262 + 184 * channel
        values = [[str(pixel[channel]) for pixel in row] for row in pixels]
        tables.append(text(x + 66, 34, name, 15, bold=True))
        tables.append(cells(x, 46, 44, [[tints[channel]] * 3] * 3, values, 13))
    flat = [pixel for row in pixels for pixel in row]
    row = [f"{value / 255:.1f}" for pixel in flat for value in pixel]
    left, side = 22, 28
    return join(
        text(88, 34, "3 × 3 pixels", 15, bold=True),
        cells(22, 46, 44, hexed),
        arrow((172, 112), (244, 112)),
        text(207, 100, "split", 13),
        tables,
        arrow((400, 186), (400, 228)),
        text(414, 212, "pixel after pixel, each as red, green, blue; divided by 255", 13, "start"),
        cells(left, 240, side, [tints * 9], [row], 11),
        [rect(left + 3 * side * i, 240, 3 * side, side, stroke=INK, more='stroke-width="1.5"')
         for i in range(9)],
        [text(left + 3 * side * (i + 0.5), 288, f"pixel {i + 1}", 12) for i in range(9)],
        text(400, 314, "one row of 3 · 3 · 3 = 27 numbers: the embedding", 15, bold=True),
    )  # fmt: skip


@diagram(
    410,
    "The RGB cube",
    "A cube with an axis each for red, green and blue, from 0 to 255. Black, (0, 0, 0), and white, "
    "(255, 255, 255), are opposite corners, and all greys lie on the line between them.",
)
def rgb_cube() -> str:
    x, y, step, deep = 130, 350, 220, (120, -75)

    def corner(red: int, green: int, blue: int) -> Point:
        return x + step * red + deep[0] * blue, y - step * green + deep[1] * blue

    edges = [
        (corner(*a), corner(*b), 0 in (sum(a), sum(b)) or a == (0, 0, 1) or b == (0, 0, 1))
        for a in ((r, g, b) for r in (0, 1) for g in (0, 1) for b in (0, 1))
        for b in ((min(a[0] + i, 1), min(a[1] + j, 1), min(a[2] + k, 1))
                  for i, j, k in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
        if a != b
    ]  # fmt: skip
    hidden = corner(0, 0, 1)
    labels = [
        ((0, 0, 0), "black", -12, 22, "end"), ((1, 0, 0), "red", 6, 26, "middle"),
        ((0, 1, 0), "green", -12, 0, "end"), ((1, 1, 0), "yellow", -12, -30, "end"),
        ((0, 0, 1), "blue", 14, 22, "start"), ((1, 0, 1), "magenta", 14, 12, "start"),
        ((0, 1, 1), "cyan", -14, -20, "end"), ((1, 1, 1), "white", 14, -4, "start"),
    ]  # fmt: skip
    shapes = []
    for place, name, right, down, anchor in labels:
        px, py = corner(*place)
        fill = "#{:02x}{:02x}{:02x}".format(*(255 * value for value in place))
        values = f"({', '.join(str(255 * value) for value in place)})"
        shapes.append(dot(px, py, 10, fill, LINE))
        shapes.append(text(px + right, py + down, name, 14, anchor, bold=True))
        shapes.append(text(px + right, py + down + 16, values, 12.5, anchor))
    return join(
        [path([a, b], dash="4 4" if hidden in (a, b) else "") for a, b, _ in edges],
        path([corner(0, 0, 0), corner(1, 1, 1)], "#8a929c", 5),
        shapes,
        text(604, 200, "A colour is a point:", 14.5, "start", bold=True),
        text(604, 222, "how much red, green", 14, "start"),
        text(604, 241, "and blue, 0 to 255.", 14, "start"),
        text(604, 282, "The thick line from", 14, "start"),
        text(604, 301, "black to white holds", 14, "start"),
        text(604, 320, "the greys. A white back-", 14, "start"),
        text(604, 339, "ground is the far corner:", 14, "start"),
        text(604, 358, "the largest numbers.", 14, "start"),
    )


# Notebook 02


@diagram(
    330,
    "A classifier, cut into an encoder and a head",
    "A picture goes through convolutions, whose feature maps become smaller and more numerous, and "
    "an average, which leaves 1,280 features. The head, one layer, turns them into 1,000 class "
    "scores. Cut before the head: what stays is an encoder.",
)
def encoder_and_head() -> str:
    maps = [(150, 132, 8), (182, 100, 14), (222, 68, 22), (272, 40, 34)]  # left, side, thickness
    blocks = []
    for left, side, thick in maps:
        top = 150 - side / 2
        corners = [(left, top), (left + thick, top), (left + thick, top + side), (left, top + side)]
        blocks.append(polygon(corners, *COLOURS["blue"], 'stroke-width="1.5"'))
    return join(
        text(16, 36, "A classifier, from the picture to its classes", 15, "start", bold=True),
        picture(16, 102, 96, RED_BAG),
        text(64, 236, "picture", 14, bold=True),
        text(64, 254, "224 × 224 × 3", 12.5),
        arrow((116, 150), (145, 150)),
        blocks,
        text(228, 236, "convolutions", 14, bold=True),
        text(228, 254, "smaller and smaller,", 12.5),
        text(228, 271, "down to 7 × 7 × 1,280", 12.5),
        arrow((312, 150), (356, 150)),
        text(334, 140, "mean", 12.5),
        bars(364, 172, [34, 8, 20, 42, 12, 4, 28, 16, 38, 9, 22]),
        text(407, 236, "features", 14, bold=True),
        text(407, 254, "1,280 numbers:", 12.5),
        text(407, 271, "the embedding", 12.5),
        path([(484, 66), (484, 282)], "#c8600f", 3, "9 6"),
        text(484, 54, "cut here", 14.5, colour="#c8600f", bold=True),
        arrow((456, 150), (508, 150)),
        box(512, 116, 84, 68, "one layer", "weights", colour="grey", size=13),
        arrow((598, 150), (628, 150)),
        text(636, 118, "purse", 13, "start"), rect(690, 107, 86, 14, "#9aa4af", "none"),
        text(636, 144, "mailbag", 13, "start"), rect(698, 133, 30, 14, "#9aa4af", "none"),
        text(636, 170, "basket", 13, "start"), rect(690, 159, 18, 14, "#9aa4af", "none"),
        text(636, 192, "… 1,000 classes", 13, "start"),
        text(640, 236, "head", 14, bold=True),
        text(640, 254, "features → logits", 12.5),
        text(640, 271, "→ probabilities (softmax)", 12.5),
        path([(16, 288), (16, 296), (470, 296), (470, 288)], "#2f6db5", 2),
        text(243, 317, "encoder: keep", 15, colour="#2f6db5", bold=True),
        path([(498, 288), (498, 296), (784, 296), (784, 288)], LINE, 2),
        text(641, 317, "head: drop", 15, colour=LINE, bold=True),
    )  # fmt: skip


# Notebook 03


@diagram(
    340,
    "SimCLR: two views of one picture belong together",
    "Two random views of a picture go through the same encoder, then through a projection head; "
    "the loss asks that the two results agree, and differ from those of all other pictures. After "
    "training the projection head is dropped, and the encoder's output is the embedding.",
)
def two_views() -> str:
    shapes = []
    views = [
        (46, "view 1", (8, 6, 66, 66), RED_BAG, False, [30, 8, 20, 34, 12, 24]),
        (206, "view 2", (26, 30, 64, 64), "#d98a2b", True, [26, 12, 17, 34, 9, 27]),
    ]
    for top, name, view, colour, mirrored, embedding in views:
        middle = top + 42
        shapes += [
            arrow((106, 170), (138, middle)),
            picture(144, top, 84, colour, view, mirrored),
            text(186, top - 8, name, 14, bold=True),
            arrow((232, middle), (268, middle)),
            box(272, middle - 32, 128, 64, "encoder", "ResNet-18", size=14),
            arrow((400, middle), (428, middle)),
            bars(432, middle + 16, embedding),
            arrow((484, middle), (512, middle)),
            box(516, middle - 32, 112, 64, "projection", "head", colour="orange", size=14),
            arrow((628, middle), (656, middle)),
            bars(660, middle + 16, [28, 10, 22], "#c8600f"),
            arrow((690, middle), (712, 170 + (24 if top > 100 else -24))),
        ]
    return join(
        picture(16, 126, 88, RED_BAG),
        text(60, 238, "one picture", 14, bold=True),
        shapes,
        path([(336, 120), (336, 216)], "#2f6db5", 2, "5 4"),
        text(348, 174, "the same weights", 13, "start", "#2f6db5"),
        path([(572, 120), (572, 216)], "#c8600f", 2, "5 4"),
        box(694, 146, 94, 48, "loss", "NT-Xent", colour="grey", size=13),
        text(741, 254, "agree with", 12.5), text(741, 270, "each other,", 12.5),
        text(741, 286, "not with others", 12.5),
        text(455, 46, "embedding", 13.5, colour="#2f6db5", bold=True),
        path([(144, 306), (144, 312), (496, 312), (496, 306)], "#2f6db5", 2),
        text(320, 331, "kept for the search", 13.5, colour="#2f6db5", bold=True),
        path([(508, 306), (508, 312), (784, 312), (784, 306)], "#c8600f", 2),
        text(646, 331, "only for the training", 13.5, colour="#c8600f", bold=True),
    )  # fmt: skip


@diagram(
    330,
    "Anchor, positive, negative",
    "A siamese network is one network used on two or three pictures. Training pulls the positive "
    "towards the anchor and pushes the negative away.",
)
def anchor_positive_negative() -> str:
    rows = [
        (18, "anchor", RED_BAG, {}),
        (120, "positive", BLUE_BAG, {"mirrored": True}),
        (222, "negative", GREEN_BAG, {"boot": True}),
    ]
    shapes = []
    for top, name, colour, options in rows:
        shapes += [
            picture(104, top, 84, colour, **options),
            text(92, top + 47, name, 15, "end", bold=True),
            arrow((192, top + 42), (232, top + 42)),
            box(236, top + 14, 116, 56, "encoder", size=15),
            arrow((352, top + 42), (392, top + 42)),
        ]
    anchor, positive, negative = (580, 150), (690, 92), (520, 222)
    return join(
        shapes,
        path([(294, 88), (294, 134)], "#2f6db5", 2, "5 4"),
        path([(294, 190), (294, 236)], "#2f6db5", 2, "5 4"),
        text(304, 116, "same weights", 12.5, "start", "#2f6db5"),
        rect(404, 18, 380, 288, "#f7f9fb", "#c9d0d8", 8),
        text(594, 42, "the space of the embeddings", 13.5, colour=LINE),
        arrow((678, 98), (606, 136), colour="#2f7d43", width=3),
        text(650, 140, "pull", 15, "start", "#2f7d43", True),
        arrow((512, 230), (446, 278), colour="#c8600f", width=3),
        text(494, 272, "push", 15, "start", "#c8600f", True),
        path([anchor, negative], "#9aa4af", 1.5, "4 4"),
        dot(*anchor, 10, RED_BAG), dot(*positive, 10, BLUE_BAG), dot(*negative, 10, GREEN_BAG),
        text(564, 146, "anchor", 14, "end", bold=True),
        text(690, 76, "positive", 14, bold=True),
        text(540, 230, "negative", 14, "start", bold=True),
    )  # fmt: skip


# Notebook 04


@diagram(
    420,
    "Two towers and their table",
    "One tower turns N pictures into rows, the other N captions. The table of every picture with "
    "every caption has the true pairs on its diagonal: training makes those large and all others "
    "small.",
)
def two_towers() -> str:
    captions = ["a red bag", "a green boot", "a blue bag", "an orange boot"]
    colours = [(RED_BAG, False), (GREEN_BAG, True), (BLUE_BAG, False), ("#d97a1a", True)]
    left, top, side = 452, 144, 60
    shades = [["#2f6db5" if i == j else "#e3edf9" for j in range(4)] for i in range(4)]
    shapes = [cells(left, top, side, shades)]
    for i, (colour, boot) in enumerate(colours):
        middle = top + side * (i + 0.5)
        shapes += [
            picture(28, middle - 25, 50, colour, boot=boot),
            path([(84, middle), (112, middle)]),
            bars(
                330,
                middle + 12,
                [[22, 8, 14, 18], [6, 20, 10, 24], [19, 7, 22, 9], [9, 24, 13, 6]][i],
            ),
            arrow((370, middle), (left - 8, middle)),
            text(left + side * (i + 0.5), middle + 5, "pair", 13.5, colour="#fff", bold=True),
        ]
        across = left + side * (i + 0.5)
        shapes += [arrow((across, 106), (across, top - 6))]
    return join(
        shapes,
        text(28, 132, "N pictures", 14, "start", bold=True),
        box(116, top, 150, 240, "image encoder", "ViT or ResNet", "+ projection", size=14.5),
        arrow((266, top + 120), (322, top + 120)),
        text(28, 28, "N captions", 14, "start", bold=True),
        [text(28, 48 + 17 * i, f"“{caption}”", 13, "start") for i, caption in enumerate(captions)],
        arrow((164, 74), (210, 74)),
        box(214, 40, 170, 66, "text encoder", "transformer", "+ projection", colour="green",
            size=14),
        arrow((384, 73), (418, 73)),
        path([(424, 102), (left + 4 * side + 4, 102)], "#2f7d43", 2),
        [bars(left + side * (i + 0.5) - 15, 96, heights, "#2f7d43") for i, heights in
         enumerate([[20, 9, 15, 19], [7, 22, 9, 21], [18, 6, 24, 11], [10, 21, 12, 8]])],
        text(left + 4 * side + 12, 178, "a row: which", 12.5, "start"),
        text(left + 4 * side + 12, 194, "text fits?", 12.5, "start"),
        text(left + 2 * side, 406, "a column: which picture fits?", 13),
    )  # fmt: skip


# Notebook 05


@diagram(
    690,
    "Which embedding for your search?",
    "What do your users bring? Words: the image-text network. Pictures: what makes two products "
    "alike? One picture: thumbnails. Colour: the leader of row C. Their kind: have you labels? "
    "Then adapt; notebook 07 measures the gain. If not, is a ready-made network good enough in "
    "row B? Classifier, or image-text network where words will come. No: is there a newer "
    "ready-made model? Try it; else SimCLR on many pictures of your own. Too large in row F? "
    "Fewer dimensions.",
)
def choosing() -> str:
    return join(
        box(300, 16, 200, 46, "What do users bring?", colour="orange", size=15),
        arrow((300, 39), (190, 39)), text(246, 31, "words", 13),
        box(16, 14, 170, 50, "image-text network", "row A", size=13.5),
        arrow((400, 62), (400, 96)), text(410, 84, "a picture", 13, "start"),
        diamond(400, 138, 224, 84, "What makes two", "products alike?"),
        arrow((288, 138), (190, 138)), text(240, 130, "one picture", 13),
        box(16, 108, 170, 60, "thumbnails", "row G; row E", "of the pixels", size=13),
        arrow((512, 138), (610, 138)), text(560, 130, "colour", 13),
        box(614, 108, 170, 60, "the leader of row C", "perhaps with", "that of row B", size=13),
        arrow((400, 180), (400, 216)), text(410, 203, "their kind", 13, "start"),
        diamond(400, 254, 224, 76, "Have you labels", "of your own?"),
        arrow((512, 254), (610, 254)), text(560, 246, "yes", 13),
        box(614, 226, 170, 56, "adapt to them", "notebook 07: the gain", colour="green", size=13.5),
        arrow((400, 292), (400, 326)), text(410, 314, "no", 13, "start"),
        diamond(400, 372, 240, 92, "Is a ready-made", "network good enough", "in row B?"),
        arrow((280, 372), (190, 372)), text(236, 364, "yes", 13),
        box(16, 336, 170, 72, "classifier", "or image-text, if", "words will come", size=13.5),
        arrow((400, 418), (400, 456)), text(410, 442, "no", 13, "start"),
        diamond(400, 500, 240, 88, "Is there a newer", "ready-made model", "you may use?"),
        arrow((520, 500), (610, 500)), text(566, 492, "yes", 13),
        box(614, 466, 170, 68, "load_encoder", "“timm:…”, “hf:…”:", "measure it in row B",
            colour="green", size=13),
        arrow((400, 544), (400, 578)), text(410, 566, "no", 13, "start"),
        box(312, 582, 176, 56, "SimCLR", "on many of your own", size=13.5),
        arrow((101, 408), (101, 582)),
        box(16, 582, 170, 56, "Too large in row F?", "fewer dimensions", colour="orange",
            size=13.5),
        arrow((312, 610), (190, 610)),
        arrow((699, 534), (699, 668), (101, 668), (101, 642)),
        text(500, 661, "then the same question", 13),
    )  # fmt: skip


# Notebook 06

CENTRES: list[Point] = [(80, 80), (205, 60), (330, 95), (70, 215), (195, 195), (320, 230)]


def nearest_region(centre: Point, width: float, height: float) -> list[Point]:
    """The part of a rectangle that is nearer to a centre than to any other of CENTRES."""
    region: list[Point] = [(0, 0), (width, 0), (width, height), (0, height)]
    for other in CENTRES:
        if other == centre:
            continue
        middle = (centre[0] + other[0]) / 2, (centre[1] + other[1]) / 2
        away = other[0] - centre[0], other[1] - centre[1]
        sides = [(x - middle[0]) * away[0] + (y - middle[1]) * away[1] for x, y in region]
        cut = []
        for i, (point, side) in enumerate(zip(region, sides, strict=True)):
            before, side_before = region[i - 1], sides[i - 1]
            if side * side_before < 0:
                share = side_before / (side_before - side)
                cut.append(
                    (
                        before[0] + share * (point[0] - before[0]),
                        before[1] + share * (point[1] - before[1]),
                    )
                )
            if side <= 0:
                cut.append(point)
        region = cut  # fmt: skip
    return region


@diagram(
    350,
    "Inverted lists (IVF)",
    "The rows are sorted into six lists, each around a centre. For a query only those of the two "
    "nearest centres are read, here 3 and 6; a neighbour in another list is missed.",
)
def inverted_lists() -> str:
    query = (292, 158)
    read = {2, 5}
    shapes, table = [], []
    for place, centre in enumerate(CENTRES):
        fill = COLOURS["blue"][0] if place in read else "#f7f9fb"
        region = [(x + 20, y + 40) for x, y in nearest_region(centre, 400, 290)]
        shapes.append(polygon(region, fill, "#9aa4af"))
    for place, centre in enumerate(CENTRES):
        for i in range(7):
            turn, reach = 2.4 * i + place, 17 + 4.6 * i
            x, y = centre[0] + reach * math.cos(turn), centre[1] + reach * math.sin(turn)
            shapes.append(dot(x + 20, y + 40, 4.5, "#2f6db5" if place in read else "#9aa4af"))
        x, y = centre[0] + 20, centre[1] + 40
        shapes.append(rect(x - 10, y - 10, 20, 20, INK, "none", 3))
        shapes.append(text(x, y + 5, str(place + 1), 13, colour="#fff", bold=True))
        top, seen = 62 + 42 * place, place in read
        fill = "#2f6db5" if seen else "#c9d0d8"
        table += [
            rect(450, top, 20, 20, INK, "none", 3),
            text(460, top + 15, str(place + 1), 13, colour="#fff", bold=True),
            [rect(482 + 22 * i, top, 18, 20, fill, "none") for i in range(7)],
            text(646, top + 15, "read" if seen else "skipped", 13.5, "start", bold=seen),
        ]
    x, y = query[0] + 20, query[1] + 40
    return join(
        shapes,
        dot(x, y, 9, "#c8600f"),
        text(x + 10, y - 11, "query", 14, "start", "#c8600f", True),
        text(20, 28, "every row is in the list of its nearest centre", 14, "start", bold=True),
        text(450, 28, "nlist = 6 lists, nprobe = 2 read", 14, "start", bold=True),
        [join(part) for part in table],
        text(450, 328, "More lists read: slower, less missed.", 13.5, "start"),
    )


@diagram(
    400,
    "An HNSW graph",
    "Three layers of points: the top one has few, with long links, the bottom one all. The search "
    "enters at the top, walks to the point nearest to the query, goes down, and repeats.",
)
def hnsw() -> str:
    places = [
        (60, 30), (150, 62), (240, 22), (330, 58), (420, 28), (505, 64), (110, 92), (205, 98),
        (295, 100), (385, 96), (470, 104), (560, 90),
    ]  # fmt: skip
    layers: list[tuple[int, list[int], list[tuple[int, int]], list[int]]] = [
        (20, [0, 3, 11], [(0, 3), (3, 11)], [0, 3]),
        (142, [0, 1, 3, 4, 8, 11], [(0, 1), (1, 3), (3, 4), (3, 8), (4, 11), (8, 11)], [3, 4]),
        (264, list(range(12)), [(0, 1), (1, 2), (0, 6), (1, 6), (6, 7), (7, 8), (2, 3), (3, 8),
         (2, 7), (3, 4), (8, 9), (3, 9), (4, 9), (4, 5), (9, 10), (5, 10), (5, 11), (10, 11)],
         [4, 5]),
    ]  # fmt: skip
    names = ["top layer: few points, long links", "middle layer", "bottom layer: every row"]

    def at(layer_top: int, place: int) -> Point:
        return 18 + places[place][0], layer_top + places[place][1]

    shapes, walk = [], []
    for (top, members, links, walked), name in zip(layers, names, strict=True):
        shapes.append(rect(14, top, 612, 116, "#f7f9fb", "#c9d0d8", 8))
        shapes += [path([at(top, a), at(top, b)], "#b4bcc6") for a, b in links]
        shapes += [dot(*at(top, place), 6, "#2f6db5") for place in members]
        walk.append([at(top, place) for place in walked])
        first, *more = name.split(": ")
        shapes.append(text(638, top + 50, first, 14, "start", bold=True))
        shapes += [text(638, top + 70, line, 12.5, "start") for line in more]
    orange = "#c8600f"
    for i, steps in enumerate(walk):
        (x1, y1), (x2, y2) = steps
        length = math.hypot(x2 - x1, y2 - y1)
        stop = (x2 - 8 * (x2 - x1) / length, y2 - 8 * (y2 - y1) / length)
        shapes.append(arrow((x1, y1), stop, colour=orange, width=3))
        if i < 2:
            x, y = walk[i + 1][0]
            shapes.append(arrow((x2, y2 + 8), (x, y - 8), colour=orange, width=3, dash="6 4"))
    enter, found = walk[0][0], walk[2][1]
    return join(
        shapes,
        dot(*enter, 8, orange),
        text(enter[0] + 14, enter[1] - 8, "enter", 13.5, "start", orange, True),
        dot(*found, 8, orange),
        dot(found[0] + 30, found[1] - 26, 8, "#fff", orange),
        text(found[0] + 44, found[1] - 22, "query", 13.5, "start", orange, True),
        text(638, 90 + 264, "the walk ends at", 12.5, "start", orange),
        text(638, 106 + 264, "the nearest found", 12.5, "start", orange),
    )


@diagram(
    350,
    "Product quantisation (PQ)",
    "A row of eight numbers is cut into four parts. Each is replaced by the number of the most "
    "similar of 256 stored parts, one byte, so four bytes stand for eight numbers.",
)
def product_quantisation() -> str:
    values = ["0.3", "0.9", "0.1", "0.4", "0.7", "0.2", "0.5", "0.8"]
    codes, tints = [17, 203, 84, 5], ["#e3edf9", "#e2f3e5", "#fdebdc", "#eee6f6"]
    lefts = [150 + 160 * i for i in range(4)]
    shapes = []
    for i, x in enumerate(lefts):
        middle = x + 60
        shapes += [
            cells(x, 24, 60, [[tints[i]] * 2], [values[2 * i : 2 * i + 2]], 15),
            arrow((middle, 84), (middle, 116)),
            rect(x, 120, 120, 118, "#fff", LINE, 6),
            [rect(x + 10, 130 + 25 * j, 100, 20, tints[i] if j != i % 3 + 1 else "#2f6db5", "none")
             for j in range(4)],
            text(middle, 145 + 25 * (i % 3 + 1), f"no. {codes[i]}", 13, colour="#fff", bold=True),
            arrow((middle, 238), (middle, 268)),
            cells(x + 30, 272, 60, [[tints[i]]]),
            text(middle, 307, str(codes[i]), 16, bold=True),
        ]  # fmt: skip
    return join(
        [shape if isinstance(shape, str) else join(shape) for shape in shapes],
        text(20, 50, "a row, cut", 14, "start", bold=True),
        text(20, 68, "8 × 4 bytes", 13, "start"),
        text(20, 160, "the most", 14, "start", bold=True),
        text(20, 178, "similar of", 14, "start", bold=True),
        text(20, 196, "256 parts", 14, "start", bold=True),
        text(20, 298, "its codes", 14, "start", bold=True),
        text(20, 316, "4 × 1 byte", 13, "start"),
    )


@diagram(
    330,
    "Where everything runs",
    "Ray embeds the pictures of an object store, one shard a worker, into Parquet shards. "
    "index_shards loads those into a Milvus cluster: proxies, query nodes with segments in memory, "
    "and data and index nodes that write segments to the object store behind a log. The shop asks "
    "the proxies with what the encoder makes of a text or a picture.",
)
def production() -> str:
    return join(
        box(16, 20, 150, 58, "object store", "pictures", colour="grey", size=13.5),
        arrow((166, 49), (212, 49)),
        box(216, 20, 170, 58, "embed_folder on Ray", "one shard a worker", size=13.5),
        arrow((386, 49), (432, 49)),
        box(436, 20, 150, 58, "object store", "Parquet shards", colour="grey", size=13.5),
        arrow((586, 49), (632, 49)),
        box(636, 20, 148, 58, "index_shards", "rows in batches", size=13.5),
        rect(216, 112, 568, 142, "#f7f9fb", LINE, 10, 'stroke-width="1.5"'),
        text(500, 132, "Milvus cluster", 13.5, bold=True),
        box(232, 150, 132, 58, "proxies", "check, combine", colour="green", size=13.5),
        arrow((710, 78), (710, 100), (298, 100), (298, 146)),
        box(418, 150, 150, 58, "query nodes", "segments in memory", colour="green", size=13),
        arrow((364, 170), (414, 170)), arrow((418, 190), (368, 190)),
        box(618, 150, 150, 58, "data, index nodes", "behind a log", colour="green", size=13),
        arrow((618, 179), (572, 179)),
        arrow((693, 208), (693, 268)),
        box(618, 272, 150, 46, "object store", "segments", colour="grey", size=13.5),
        box(16, 150, 100, 58, "shop", "text, picture", colour="orange", size=13.5),
        arrow((66, 208), (66, 268)),
        box(16, 272, 150, 46, "encoder", "one vector", size=13.5),
        arrow((166, 295), (260, 295), (260, 212)),
        arrow((232, 179), (120, 179)), text(166, 171, "rows", 12.5),
    )  # fmt: skip


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, drawing in DIAGRAMS.items():
        (FOLDER / f"{name}.svg").write_text(drawing, encoding="utf-8", newline="\n")
        print(f"{FOLDER / name}.svg: {len(drawing) / 1000:.1f} kB")


if __name__ == "__main__":
    main()
