"""Reading a state dict from a file in any registered format."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restorekit.checkpoints._flax import without_optimiser
from restorekit.checkpoints._names import State
from restorekit.checkpoints.formats import format_of
from restorekit.errors import CheckpointError

WRAPPERS = ("state_dict", "params_ema", "params", "model")  # in the order of preference
PREFIX = "module."


def read_checkpoint(path: str | os.PathLike[str]) -> State:
    """Read a state dict from a file; wrappers such as ``state_dict`` and ``module.`` are removed.

    Args:
        path: a file or folder in a format of :mod:`restorekit.checkpoints.formats`: safetensors, ``torch.save``, numpy
            (``.npz``), or a TensorFlow.js model (its folder, or an npm package). The content shows the format, or else the suffix.

    Raises:
        CheckpointError: if the file is missing, truncated, not a checkpoint, or a pickle that contains more than tensors;
            such a pickle is refused, never executed.
    """
    kind = format_of(path)
    try:
        content = kind.read(Path(path))
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    return unwrap(content, str(path))


def unwrap(content: Any, origin: str) -> State:
    """Return the state dict inside the content of a file.

    Raises:
        CheckpointError: if there is no state dict.
    """
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{origin} contains no state dict: got {type(content).__name__}, expected names and tensors")
    for name, value in content.items():
        numbers = isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiu")
        if not isinstance(name, str) or not numbers:
            raise CheckpointError(f"{origin} contains no state dict: {name!r} is a {type(value).__name__}, expected a tensor")
    names = without_optimiser(content)
    return {short.removeprefix(PREFIX): _tensor(content[name]) for name, short in names.items()}


def _tensor(value: Any) -> Tensor:
    return torch.from_numpy(np.array(value, order="C")) if isinstance(value, np.ndarray) else value
