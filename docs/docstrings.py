"""Prepares docstrings for the API reference (an extension of griffe, which mkdocstrings reads the code with)."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod):`([^`]+)`")
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Turns what the source writes for readers of code into what mkdocstrings knows: Sphinx roles, and ``Example:``."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub("Examples:", ROLE.sub(r"`\1`", obj.docstring.value))
