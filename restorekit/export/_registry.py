"""The registry of targets of export."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from restorekit.errors import OptionError
from restorekit.network import RestorationNetwork
from restorekit.parts import Registry

Write = TypeVar("Write", bound=Callable[..., None])


class Exporter(NamedTuple):
    """A target of export.

    Attributes:
        name: what :func:`export_model` takes.
        suffixes: of its files, the usual one first.
        extra: of this package, which installs what it needs; empty if it needs nothing.
        write: function of a network, a path and options, which writes the file.
    """

    name: str
    suffixes: Sequence[str]
    extra: str
    write: Callable[..., None]


_exporters: Registry[Exporter] = Registry("exporter")


def register_exporter(name: str, *, suffixes: Sequence[str], extra: str = "") -> Callable[[Write], Write]:
    """Return a decorator that registers a target: a function ``(model, path, **options)``.

    The function gets a network of its own in evaluation mode, whose images have heights and widths that are multiples of
    ``size_multiple``. It writes the file, which takes images of any such size, and raises an error if the file computes
    something else than the network. It imports what the extra installs when it is called, not before.

    Args:
        name: unique among the targets.
        suffixes: of its files, the usual one first.
        extra: of this package, which installs what the target needs.

    Raises:
        ValueError: if the name is taken.
    """

    def decorator(write: Write) -> Write:
        _exporters.add(name, Exporter(name, tuple(suffixes), extra, write))
        return write

    return decorator


def list_exporters() -> list[str]:
    """Return the names of all targets."""
    return list(_exporters)


def find_exporter(name: str) -> Exporter:
    """Return a target.

    Raises:
        ValueError: if there is none of this name; the message names the nearest.

    Example:
        >>> find_exporter("torch").suffixes
        ('.pt2',)
    """
    return _exporters.get(name)


def export_model(model: RestorationNetwork, path: Path, target: str, **options: Any) -> None:
    """Write a network to a file that another program runs.

    Args:
        model: the network; it stays as it is.
        path: where to write; an existing file is replaced once the new one is complete and checked.
        target: one of :func:`list_exporters`.
        **options: of the target.

    Raises:
        ValueError: if there is no such target.
        OptionError: if the path has another suffix than the files of the target, or the packages of its extra are missing.
        RuntimeError: if the file would compute something else than the network.
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
