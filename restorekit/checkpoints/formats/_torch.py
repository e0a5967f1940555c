"""Files of ``torch.save``, of which nothing is executed."""

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from restorekit.checkpoints.formats._safetensors import first_line
from restorekit.errors import CheckpointError


def read_torch(path: Path) -> Any:
    """Return what is in a file that ``torch.save`` wrote, if it is nothing but tensors and plain data.

    Raises:
        CheckpointError: if it is truncated, not such a file, or a pickle that wants to run code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other pickle protocols; if they cannot be read, that is the error
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, error)) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise CheckpointError(f"{path} is truncated or not a checkpoint; fetch it again") from error


def save_torch(content: Any, path: Path) -> None:
    """Write tensors and plain data to a file.

    Raises:
        OSError: if the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:  # torch has errors of its own for a full disk
        raise OSError(f"{path} could not be written: {first_line(error)}") from error


def _refusal(path: Path, error: pickle.UnpicklingError) -> str:
    text = str(error)
    if "GLOBAL" not in text and "global" not in text:
        return f"{path} is truncated or not a checkpoint"  # torch's own words advise to load it with weights_only=False
    try:
        wanted = ", ".join(torch.serialization.get_unsafe_globals_in_checkpoint(path)) or "unknown"
    except Exception:  # older formats cannot be listed; the error says what came first
        named = re.search(r"GLOBAL ([\w.]+)", text)
        wanted = named.group(1).rstrip(".") if named else "unknown"
    return f"{path} is a pickle that wants to run code (it names: {wanted}); refused. Ask its author for a safetensors file"
