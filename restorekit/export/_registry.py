"""The registry of export targets."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from restorekit.errors import OptionError
from restorekit.network import RestorationNetwork
from restorekit.parts import Registry

Write = TypeVar("Write", bound=Callable[..., None])


class Exporter(NamedTuple):
    """An export target.

    Attributes:
        name: name for :func:`export_model`.
        suffixes: suffixes of its files, the usual one first.
        extra: extra of this package that installs its requirements; empty if it needs nothing.
        write: function of a network, a path and options that writes the file.
    """

    name: str
    suffixes: Sequence[str]
    extra: str
    write: Callable[..., None]


_exporters: Registry[Exporter] = Registry("exporter", "restorekit.export")


def register_exporter(name: str, *, suffixes: Sequence[str], extra: str = "") -> Callable[[Write], Write]:
    """Return a decorator that registers a target: a function ``(model, path, **options)``.

    The function gets its own copy of the network, in evaluation mode, whose images have heights and widths that are multiples of
    ``size_multiple``. It writes the file, which must accept images of any such size, and raises an error if the file computes
    something else than the network. It imports the packages of the extra only when it is called.

    Args:
        name: unique among the targets.
        suffixes: suffixes of its files, the usual one first.
        extra: extra of this package that installs the requirements of the target.

    Raises:
        ValueError: if the name is taken.
    """
    return _exporters.register(name, lambda write: Exporter(name, tuple(suffixes), extra, write))


def list_exporters() -> list[str]:
    """Return the names of all targets."""
    return list(_exporters)


def find_exporter(name: str) -> Exporter:
    """Return a target.

    Raises:
        ValueError: if there is no such target; the message suggests the nearest names.

    Example:
        >>> find_exporter("torch").suffixes
        ('.pt2',)
    """
    return _exporters.get(name)


def export_model(model: RestorationNetwork, path: Path, target: str, **options: Any) -> None:
    """Write a network to a file that another program can run.

    Args:
        model: the network; it is not changed.
        path: file to write; an existing file is replaced once the new one is complete and checked.
        target: one of :func:`list_exporters`.
        **options: options of the target.

    Raises:
        ValueError: if there is no such target.
        OptionError: if the path does not have a suffix of the target, or the packages of its extra are missing.
        RuntimeError: if the file does not compute the same as the network.
    """
    exporter = find_exporter(target)
    if path.suffix not in exporter.suffixes:
        raise OptionError("path", f"must end in {' or '.join(exporter.suffixes)} for the target {target!r}; got {path}")
    try:
        exporter.write(copy.deepcopy(model).eval(), path, **options)
    except ModuleNotFoundError as error:
        if not exporter.extra:
            raise
        raise OptionError("target", f"{target!r} needs {error.name}: pip install 'restorekit[{exporter.extra}]'") from error
