"""Safetensors files."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from restorekit.checkpoints.formats._format import Format, first_line, formats
from restorekit.errors import CheckpointError


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file.

    Raises:
        CheckpointError: if it is truncated or not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {first_line(error)}") from error
    except (KeyError, AttributeError, TypeError, ValueError, RuntimeError) as error:  # for dtypes that PyTorch does not have
        raise CheckpointError(f"{path} has tensors that PyTorch cannot represent: {first_line(error)}") from error


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a file.

    Raises:
        CheckpointError: if it is truncated or not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {first_line(error)}") from error


def save_safetensors(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors, and strings as metadata, to a file.

    Raises:
        OSError: if the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(dict(state), path, metadata=dict(metadata))
    except SafetensorError as error:  # it reports a full disk only in its text
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def is_safetensors(path: Path) -> bool:
    """Return whether a file starts with the length of a header, followed by a header."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and 8 + int.from_bytes(start[:8], "little") <= path.stat().st_size


formats.add(
    "safetensors",
    Format((".safetensors",), is_safetensors, read_safetensors, save_safetensors, metadata=read_metadata, preference=1),
)
