"""The book as one page, to be printed: its links lead to a place in it, or else to the site.

Sphinx joins the pages as they are, so that anchors of two pages may be the same, and links to an
anchor of another page, ``#document-PAGE#ANCHOR``, lead nowhere.
"""

import re

from sphinx.application import Sphinx

PAGE = re.compile(r'(<span id="document-([^"]+)"></span>)')
IDENTIFIER = re.compile(r'(<[^>]*\bid=")(?!document-)([^"]+)')
LINK = re.compile(r'href="#(?:document-([^"#]+))?#?([^"]*)"')


def joined(body: str, first: str, site: str) -> str:
    """Return the body with anchors that are each one page's own, and with links to these."""
    before, *rest = PAGE.split(body)
    pages = [(first, before)]
    pages += [(name, start + text) for start, name, text in zip(*[iter(rest)] * 3, strict=True)]
    names = {name for name, _ in pages}

    def of_page(name: str, text: str) -> str:
        def link(found: re.Match[str]) -> str:
            target, anchor = found[1] or name, found[2]
            if target not in names:
                return f'href="{site}{target}.html{"#" * bool(anchor)}{anchor}"'
            return f'href="#document-{target}{"#" * bool(anchor)}{anchor}"'

        return LINK.sub(link, IDENTIFIER.sub(rf"\1document-{name}#\2", text))

    return "".join(of_page(name, text) for name, text in pages)


def finish(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    if app.builder.name == "singlehtml" and "body" in context:
        body = joined(context["body"], app.config.root_doc, app.config.html_baseurl)
        # On paper nothing can be unfolded.
        context["body"] = body.replace("<details", "<details open")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
