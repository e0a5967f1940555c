"""Files of ``torch.save``; nothing in them is executed."""

import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restorekit.checkpoints.formats._archives import check_zip, names_in_zip
from restorekit.checkpoints.formats._format import Format, first_line, formats, starts_with
from restorekit.errors import CheckpointError

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a number that older versions of torch.save wrote first


def read_torch(path: Path) -> Any:
    """Return the content of a ``torch.save`` file, if it contains only tensors and plain data.

    Raises:
        CheckpointError: if it is truncated, not such a file, or a pickle that would run code.
        ValueError: if it is damaged, or unpacks to too much.
    """
    if zipfile.is_zipfile(path):
        check_zip(path)
    try:
        with path.open("rb") as file, warnings.catch_warnings():  # given a path, torch.load would look at the suffix
            warnings.simplefilter("ignore")  # about other pickle protocols; if they cannot be read, that is the error
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, error)) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # given a damaged or foreign pickle, PyTorch raises errors of any kind
        raise CheckpointError(f"{path} is truncated or not a checkpoint; download it again") from error


def save_torch(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors to a file under the key ``state_dict``, with metadata next to them.

    Raises:
        OSError: if the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            torch.save({"state_dict": dict(state), **metadata}, file)
    except RuntimeError as error:  # torch raises its own error for a full disk
        raise OSError(f"{path} could not be written: {first_line(error)}") from error


def _refusal(path: Path, error: pickle.UnpicklingError) -> str:
    text = str(error)
    if ("GLOBAL" not in text and "global" not in text) or _ends_early(path):
        return f"{path} is truncated or not a checkpoint"  # torch's own message recommends weights_only=False
    try:
        wanted = ", ".join(torch.serialization.get_unsafe_globals_in_checkpoint(path)) or "unknown"
    except Exception:  # older formats cannot be listed; the error names the first one
        named = re.search(r"GLOBAL ([\w.]+)", text)
        wanted = named.group(1).rstrip(".") if named else "unknown"
    return f"{path} is a pickle that would run code ({wanted}) and is refused; ask its author for a safetensors file"


def _ends_early(path: Path) -> bool:
    """Return whether a file of the old format ends within one of its pickles, such as in the middle of a name."""
    if zipfile.is_zipfile(path):
        return False
    with path.open("rb") as file:
        try:
            while file.peek(1):
                for _ in pickletools.genops(file):
                    pass
        except ValueError:  # also of the numbers after the pickles
            return file.peek(1) == b""
    return False


def is_torch(path: Path) -> bool:
    """Return whether a file is an archive of ``torch.save``, or a sequence of pickles as older versions wrote."""
    return any(name.endswith("data.pkl") for name in names_in_zip(path)) or starts_with(path, MAGIC)


formats.add("torch", Format((".pth", ".pt", ".bin", ".ckpt"), is_torch, read_torch, save_torch, preference=2))
