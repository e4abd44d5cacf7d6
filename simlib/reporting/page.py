"""A page of HTML that stands alone: what users wrote is always text, and nothing is fetched."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from xml.etree import ElementTree

MOST_SHOWN = 200
"""So many characters of a text are shown at most."""

Element: TypeAlias = ElementTree.Element

# Whatever this page may hold can neither run nor ask for anything.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1b1d21; --faint: #595f69;
  --line: #d5d8dd; --soft: #f3f4f6; --link: #0b57d0; --hit: #12733a; --miss: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #15171a; --text: #e7e9ec; --faint: #a7adb7;
  --line: #3b4048; --soft: #20242a; --link: #8ab4f8; --hit: #62c98a; --miss: #f2938c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1, h2, h3, h4 { line-height: 1.25; margin: 1.5em 0 .5em; }
h1 { margin-top: 0; } h2 { border-top: 1px solid var(--line); padding-top: 1em; }
h4 { font-size: .95rem; margin: .75em 0 .25em; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; }
.faint, footer { color: var(--faint); font-size: .875rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
td.text, th.text { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr));
  gap: .6rem; padding: 0; margin: .25rem 0; list-style: none; }
figure { margin: 0; }
.pictures figure { max-width: 7rem; }
.pictures img { display: block; width: 100%; height: auto; background: #fff;
  border: 2px solid var(--line); border-radius: 4px; }
.query img { border-color: var(--link); } .hit img { border-color: var(--hit); }
.miss img { border-color: var(--miss); border-style: dashed; }
figcaption { font-size: .8rem; line-height: 1.3; color: var(--faint); padding-top: .2rem; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
  gap: 1rem; }
.maps img { width: 100%; height: auto; background: #fff; border: 1px solid var(--line); }
svg { display: block; width: 6rem; height: .7rem; margin-top: .2rem; }
svg line { stroke: var(--line); stroke-width: 1; } svg .interval { stroke: var(--link);
  stroke-width: 4; } svg .mean { stroke: var(--text); }
@media print { .pictures, tr { break-inside: avoid; } }
"""


def shown(text: object) -> str:
    """Return a text of a user's as a page can hold it: on one line, not too long, Unicode.

    Examples
    --------
    >>> shown("two\\nlines and half a character: \\udce9")
    'two lines and half a character: \\\\udce9'
    """
    line = " ".join(str(text)[: MOST_SHOWN + 1].encode(errors="backslashreplace").decode().split())
    line = "".join(sign if unicodedata.category(sign) != "Cc" else "�" for sign in line)
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN - 1]}…"


def element(tag: str, *children: str | Element | None, **attributes: object) -> Element:
    """Return an element. A child that is a str is text, never markup; None is left out.

    ``class_`` stands for ``class`` and ``aria_label`` for ``aria-label``.

    Examples
    --------
    >>> ElementTree.tostring(element("p", "1 < 2", class_='"'), encoding="unicode", method="html")
    '<p class="&quot;">1 &lt; 2</p>'
    """
    names = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    built = ElementTree.Element(tag, names)
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            if last is None:
                built.text = (built.text or "") + child
            else:
                last.tail = (last.tail or "") + child
        elif child is not None:
            built.append(child)
            last = child
    return built


def users(text: object) -> Element:
    """Return a user's text as an element of its own: its direction does not spill over."""
    return element("bdi", shown(text))


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str | Element]],
    texts: Sequence[int] = (0,),
) -> Element:
    """Return a table that scrolls by itself where the screen is narrow.

    The first cell of a row is its heading. The columns at the places ``texts`` break their lines.
    """
    kinds = [{"class_": "text"} if place in texts else {} for place in range(len(head))]
    lines = [
        element(
            "tr",
            element("th", row[0], scope="row", **kinds[0]),
            *(element("td", cell, **kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in rows
    ]
    titles = [
        element("th", name, scope="col", **kind) for name, kind in zip(head, kinds, strict=True)
    ]
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", *titles)),
            element("tbody", *lines),
        ),
        class_="scroll",
        role="region",
        tabindex=0,
        aria_label=caption,
    )


def interval_bar(mean: float, low: float, high: float) -> Element:
    """Return a small drawing of a mean and its interval in [0, 1]; the text beside says it."""
    across = [f"{2 + 96 * value:.1f}" for value in (low, high, mean)]
    return element(
        "svg",
        element("line", x1=2, x2=98, y1=5, y2=5),
        element("line", x1=across[0], x2=across[1], y1=5, y2=5, class_="interval"),
        element("line", x1=across[2], x2=across[2], y1=0, y2=10, class_="mean"),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def document(title: str, header: Sequence[Element], sections: dict[str, list[Element]]) -> bytes:
    """Return a whole page, UTF-8: the header, links to the sections, and these under headings."""
    anchors = {name: f"section-{number}" for number, name in enumerate(sections, 1)}
    links = [
        element("li", element("a", name, href=f"#{anchor}")) for name, anchor in anchors.items()
    ]
    body = [
        element("section", element("h2", name, id=f"{anchors[name]}-title"), *parts,
                id=anchors[name], aria_labelledby=f"{anchors[name]}-title")
        for name, parts in sections.items()
    ]  # fmt: skip
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", **{"http-equiv": "Content-Security-Policy"}, content=POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", shown(title)),
            element("link", rel="icon", href="data:,"),  # or browsers ask the server for one
            element("style", STYLE),
        ),
        element(
            "body",
            element("header", element("h1", users(title)), *header),
            element("nav", element("ul", *links), aria_label="Sections"),
            element("main", *body),
        ),
        lang="en",
    )
    text = ElementTree.tostring(page, encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{text}\n".encode()
