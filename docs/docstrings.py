"""Prepares docstrings for the API reference (an extension of griffe, which mkdocstrings reads the code with)."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod):`([^`]+)`")
REGISTERED = "register_model"
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Turns what the source writes for readers of code into what mkdocstrings knows: Sphinx roles, and ``Example:``."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub("Examples:", ROLE.sub(r"`\1`", obj.docstring.value))

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Show the functions that build models in the package, which finds them by itself when it is imported."""
        models = pkg.members["models"]
        for module in [member for member in models.members.values() if isinstance(member, griffe.Module)]:
            for function in module.functions.values():
                if any(decorator.callable_path.endswith(REGISTERED) for decorator in function.decorators):
                    models.set_member(function.name, griffe.Alias(function.name, function))
