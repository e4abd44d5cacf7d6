"""The directive ``citation``: CITATION.cff as a sentence and as BibTeX."""

from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CITATION = Path(__file__).parents[2] / "CITATION.cff"


def bibtex(citation: dict, url: str) -> str:
    authors = " and ".join(f"{{{author['name']}}}" for author in citation["authors"])
    lines = {
        "author": authors,
        "title": f"{{{citation['title']}}}",
        "version": citation["version"],
        "url": url,
        "note": f"Licence: {citation['license']}",
    }
    fields = "\n".join(f"  {name:<7} = {{{value}}}," for name, value in lines.items())
    return f"@software{{simlib,\n{fields}\n}}"


class Citation(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(CITATION))
        citation = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
        text = bibtex(citation, self.config.repository_url)
        names = ", ".join(author["name"] for author in citation["authors"])
        sentence = f"{names}: {citation['title']}, version {citation['version']}. "
        address = self.config.repository_url
        paragraph = nodes.paragraph("", sentence, nodes.reference("", address, refuri=address))
        return [paragraph, nodes.literal_block(text, text, language="bibtex")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("citation", Citation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
