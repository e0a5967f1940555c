"""Writes the table of losses into the page of recipes, and their reference into that of the API.

``prepare.py`` calls these functions, so a loss needs its own file and nothing else.
"""

from restorekit._config import argument_docs, summary
from restorekit.losses import find_loss, list_losses, loss_arguments


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
