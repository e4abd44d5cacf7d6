"""Give every output picture of a notebook an alt text: what the prose before it says it shows.

A cell whose metadata has ``{"mystnb": {"image": {"alt": …}}}`` brings its own.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx

LONGEST = 250


def is_code_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def last_sentences(text: str) -> str:
    """Return as many whole sentences from the end of a text as an alt text has room for."""
    sentences = re.split(r"(?<=[.!?:])\s+|(?<=[。！？：])", " ".join(text.split()))
    chosen = ""
    for sentence in reversed([one for one in sentences if one]):
        if chosen and len(sentence) + len(chosen) > LONGEST:
            break
        chosen = f"{sentence} {chosen}".strip()
    return chosen.rstrip(":：")


def prose_before(cell: nodes.Node) -> str:
    """Return the end of the last paragraph before a cell, in its section."""
    siblings = cell.parent.children[: cell.parent.index(cell)]
    for sibling in reversed(siblings):
        if isinstance(sibling, nodes.paragraph):
            return last_sentences(sibling.astext())
    return ""


def title_of(cell: nodes.Node) -> str:
    section = cell.parent
    while section is not None and not isinstance(section, nodes.section):
        section = section.parent
    return section[0].astext() if section is not None else ""


def describe(app: Sphinx, document: nodes.document) -> None:
    for cell in document.findall(is_code_cell):
        images = [image for image in cell.findall(nodes.image) if not image.get("alt")]
        for number, image in enumerate(images, 1):
            parts = [title_of(cell), prose_before(cell)]
            alt = ": ".join(dict.fromkeys(part for part in parts if part))
            image["alt"] = f"{alt} ({number}/{len(images)})" if len(images) > 1 else alt


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
