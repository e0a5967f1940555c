"""Packages that import a module when one of its names is used (PEP 562), and modules that are discovered.

The ``__init__.py`` of a package lists its public names in ``__all__``. It imports them only under ``TYPE_CHECKING``, for type
checkers, editors and the documentation; at run time, :func:`lazy` finds them. So ``restorekit.data`` is there after
``import restorekit``, and commands that compute nothing start without PyTorch.
"""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any


def lazy(package: str, names: Sequence[str], *sources: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: its ``__name__``.
        names: its ``__all__``: names of sub-packages, or names that its modules define.
        *sources: modules to search for these names, relative to the package (``"._loading"``), in this order; by default all.
    """

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if importlib.util.find_spec(f"{package}.{name}") is not None:
            return importlib.import_module(f"{package}.{name}")
        for module in (importlib.import_module(source, package) for source in sources) if sources else modules_of(package):
            if name in getattr(module, "__all__", vars(module)):
                value = getattr(module, name)
                setattr(sys.modules[package], name, value)  # the next look-up costs nothing
                return value
        raise AttributeError(f"{package} lists {name!r} in __all__, but none of its modules defines it")

    return get, lambda: list(names)


def modules_of(package: str) -> Iterator[ModuleType]:
    """Import the modules of a package in the order of their names, so that they register their content."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        yield importlib.import_module(f"{package}.{module.name}")


def deferred(module: str, name: str) -> Callable[..., Any]:
    """Return a function that imports and calls another function, to avoid importing a higher layer when a module is loaded."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    call.__name__, call.__qualname__, call.__doc__ = name, name, f"Call :func:`{module}.{name}`, which describes the arguments."
    return call
