"""Links to a file of the repository that is no page of the book lead to the repository."""

import posixpath
from pathlib import Path
from urllib.parse import unquote

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]


def address(app: Sphinx, target: str) -> str | None:
    """Return where a file or folder is in the repository, None if there is none."""
    path, _, fragment = target.partition("#")
    here = posixpath.dirname(app.env.docname)
    full = posixpath.normpath(posixpath.join(here, unquote(path)))
    if not path or ":" in path or full.startswith("..") or not (ROOT / full).exists():
        return None
    if posixpath.splitext(full)[0] in app.env.found_docs and full.endswith((".md", ".ipynb")):
        return None
    kind = "tree" if (ROOT / full).is_dir() else "blob"
    anchor = f"#{fragment}" if fragment else ""
    return f"{app.config.repository_url}/{kind}/main/{full}{anchor}"


def lead_to_the_repository(app: Sphinx, document: nodes.document) -> None:
    unresolved = (addnodes.pending_xref, addnodes.download_reference)
    for node in list(document.findall(lambda node: isinstance(node, unresolved))):
        found = address(app, node.get("reftarget", ""))
        if found:
            link = nodes.reference("", "", *node.children, refuri=found, internal=False)
            node.replace_self(link)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("repository_url", "", "env")
    app.connect("doctree-read", lead_to_the_repository)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
