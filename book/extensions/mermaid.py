"""Mermaid's diagrams, drawn into SVG when the book is built; their labels are the alt text."""

import hashlib
import re
from pathlib import Path

import mermaidx
from docutils import nodes
from sphinx.application import Sphinx

LABEL = re.compile(r'"([^"]+)"|\|([^|]+)\|')


def labels(diagram: str) -> list[str]:
    found = ["".join(pair) for pair in LABEL.findall(diagram)]
    return list(dict.fromkeys(re.sub(r"\s*<[^>]*>\s*", " ", label).strip() for label in found))


def draw(app: Sphinx, document: nodes.document) -> None:
    blocks = document.findall(nodes.literal_block)
    for block in [block for block in blocks if block.get("language") == "mermaid"]:
        diagram = block.astext()
        name = f"generated/{hashlib.sha256(diagram.encode()).hexdigest()[:16]}.svg"
        path = Path(app.srcdir, name)
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            path.write_text(mermaidx.render(diagram).svg(), encoding="utf-8")
        image = nodes.image(uri=f"/{name}", alt=", ".join(labels(diagram)))
        block.replace_self(nodes.container("", image, classes=["diagram"]))


def setup(app: Sphinx) -> dict[str, bool]:
    # Before Sphinx collects the images of a page.
    app.connect("doctree-read", draw, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
