"""Chinese has no italics: it is emphasised by dots, which only Latin words must not get."""

import re

from docutils import nodes
from sphinx.application import Sphinx

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def mark_latin(app: Sphinx, document: nodes.document) -> None:
    for emphasis in document.findall(nodes.emphasis):
        if not CHINESE.search(emphasis.astext()):
            emphasis["classes"].append("latin")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", mark_latin)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
