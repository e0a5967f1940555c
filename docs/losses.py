"""Writes the table of losses into the page of recipes, and their reference into that of the API.

MkDocs calls this function (``hooks`` in mkdocs.yml), so a loss needs its own file and nothing else.
"""

from collections.abc import Mapping
from typing import Any

from mkdocs.structure.pages import Page

from restorekit._config import argument_docs, summary
from restorekit.losses import find_loss, list_losses, loss_arguments

TABLE, REFERENCE = "recipes.md", "api/training.md"
MARK = "<!-- losses -->"


def on_page_markdown(markdown: str, *, page: Page, **kwargs: Any) -> str:
    """Write the losses into their pages."""
    texts: Mapping[str, Any] = {TABLE: table, REFERENCE: reference}
    written = texts.get(page.file.src_uri)
    return markdown.replace(MARK, written()) if written else markdown


def table() -> str:
    """Return the table of registered losses."""
    rows = ["| loss | what it is | arguments |", "|---|---|---|"]
    for name in list_losses():
        loss = find_loss(name)
        docs = argument_docs(loss)
        arguments = [f"`{each.name}` = {each.default}: {docs[each.name].rstrip('.')}" for each in loss_arguments(loss)]
        rows.append(f"| `{name}` | {summary(loss).removeprefix('Return ')} | {'; '.join(arguments)} |")
    return "\n".join(rows)


def reference() -> str:
    """Return what mkdocstrings replaces by the docstrings of registered losses."""
    losses = [find_loss(name) for name in list_losses()]
    return "\n\n".join(f"::: {loss.__module__}.{loss.__qualname__}" for loss in losses if loss.__module__.startswith("restorekit."))
