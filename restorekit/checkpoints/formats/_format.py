"""What a format of checkpoints is, and which one a file has."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restorekit.errors import CheckpointError
from restorekit.parts import Registry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Format:
    """A format of checkpoints. Reading executes nothing that a file contains.

    Attributes:
        suffixes: of the names of such files, usual one first.
        recognise: tells from the content whether a file or folder has the format.
        read: returns what is in it: names and tensors or arrays, bare or wrapped. A ``ValueError`` says why it cannot.
        write: writes tensors, and strings as metadata, to a file; None if nothing is written in this format.
        metadata: returns the strings that are kept with the tensors; None if the format keeps none.
        example: returns the file of a picture that the model is shown with, if there is one; None if the format has none.
        preference: of several files of the same weights, those of the format with the lowest number are taken.
    """

    suffixes: tuple[str, ...]
    recognise: Callable[[Path], bool]
    read: Callable[[Path], Any]
    write: "Callable[[Mapping[str, Tensor], Path, Mapping[str, str]], None] | None" = None
    metadata: Callable[[Path], dict[str, str]] | None = None
    example: Callable[[Path], bytes | None] | None = None
    preference: int = 10


formats: Registry[Format] = Registry("format", "restorekit.checkpoints.formats")


def format_of(path: str | os.PathLike[str]) -> Format:
    """Return the format of a file or folder: the one that its content shows, or else the one that its suffix promises.

    Raises:
        CheckpointError: if there is no such file, or it is in no registered format.
    """
    path = Path(path)
    if not path.exists():
        raise CheckpointError(f"no checkpoint at {path}")
    known = {name: formats.get(name) for name in formats}
    for kind in known.values():
        if kind.recognise(path):
            return kind
    for kind in known.values():
        if path.suffix in kind.suffixes:
            return kind
    raise CheckpointError(f"{path} is truncated or not a checkpoint; formats that can be read: {', '.join(known)}")


def format_to_write(path: str | os.PathLike[str]) -> Format:
    """Return the format that a file is written in, by its suffix.

    Raises:
        ValueError: if the suffix is not one of a format that can be written.
    """
    writable = [kind for name in formats if (kind := formats.get(name)).write is not None]
    for kind in writable:
        if Path(path).suffix in kind.suffixes:
            return kind
    suffixes = ", ".join(kind.suffixes[0] for kind in writable)
    raise ValueError(f"weights are written to files that end in {suffixes}; got {path}")


def weight_suffixes() -> tuple[str, ...]:
    """Return the suffixes of files of weights, in the order of preference."""
    kinds = sorted((formats.get(name) for name in formats), key=lambda kind: kind.preference)
    return tuple(suffix for kind in kinds for suffix in kind.suffixes)


def starts_with(path: Path, *beginnings: bytes) -> bool:
    """Whether a path is that of a file that starts with one of these bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(max(map(len, beginnings))).startswith(beginnings)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the metadata of a checkpoint; nothing if its format has none.

    Raises:
        CheckpointError: if the file is missing, or not of the format that it seems to be.
    """
    kind = format_of(path)
    return {} if kind.metadata is None else kind.metadata(Path(path))


def read_example(path: str | os.PathLike[str]) -> bytes | None:
    """Return the file of the picture that a checkpoint shows its model with, as npm packages do, or None if there is none."""
    kind = format_of(path) if Path(path).exists() else None
    return None if kind is None or kind.example is None else kind.example(Path(path))
