"""Of an exercise's solution only the question is shown; the rest is folded away until it is opened.

A solution is a section of a page in ``notebooks/solutions``; its first paragraph is the question.
"""

from docutils import nodes
from sphinx.application import Sphinx

FOLDED = '<details class="solution"><summary>{}</summary>'
TITLES = {"en": "Solution", "zh_CN": "参考答案"}


def fold(app: Sphinx, document: nodes.document) -> None:
    if not app.env.docname.startswith("notebooks/solutions/"):
        return
    for section in document.findall(nodes.section):
        question = section.first_child_matching_class(nodes.paragraph)
        if question is None or isinstance(section.parent, nodes.document):
            continue  # the page's own
        opening = FOLDED.format(TITLES[app.config.language])
        section.insert(question + 1, nodes.raw("", opening, format="html"))
        section += nodes.raw("", "</details>", format="html")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
