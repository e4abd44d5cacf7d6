"""Public names of simlib, in code cells and in prose, lead to their pages of the reference."""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

import simlib

# As Pygments writes simlib.nearest.
IN_CODE = re.compile(
    r'(<span class="n">simlib</span><span class="o">\.</span>)(<span class="n">(\w+)</span>)'
)
# As viewcode writes the way back from a source: with the module that it met first, and to __init__.
BACK = re.compile(r'(reference/((?:\w+\.)*(\w+))\.html#)simlib(?:\.\w+)*?\.\3((?:\.\w+)*)"')
IN_PROSE = re.compile(r"simlib\.(\w+)(\(.*\))?", re.S)


def link_prose(app: Sphinx, document: nodes.document) -> None:
    for literal in list(document.findall(nodes.literal)):
        name = IN_PROSE.fullmatch(literal.astext())
        linked = isinstance(literal.parent, (nodes.reference, addnodes.pending_xref))
        if name and name[1] in simlib.__all__ and not linked:
            target = {"refdomain": "py", "reftype": "obj", "reftarget": f"simlib.{name[1]}"}
            link = addnodes.pending_xref("", refdoc=app.env.docname, refexplicit=True, **target)
            literal.replace_self(link)
            link += literal


def link_code(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    if pagename.startswith("_modules/"):
        context["body"] = BACK.sub(
            lambda found: f'{found[1]}{found[2]}{found[4].removesuffix(".__init__")}"',
            context["body"],
        )
    if doctree is None or "body" not in context or app.builder.name == "singlehtml":
        return
    up = "../" * pagename.count("/")

    def linked(found: re.Match) -> str:
        before, span, name = found.groups()
        page = f"reference/simlib.{name}"
        if name not in simlib.__all__ or page == pagename:
            return found[0]
        return f'{before}<a class="api" href="{up}{page}.html">{span}</a>'

    context["body"] = IN_CODE.sub(linked, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", link_prose)
    app.connect("html-page-context", link_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
