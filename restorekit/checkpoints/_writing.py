"""Writing the weights of a model to a file."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from restorekit._files import atomic_path
from restorekit.checkpoints._checks import check_ties
from restorekit.checkpoints._names import State, to_original_names
from restorekit.checkpoints._originals import original_names
from restorekit.checkpoints.formats import Format, format_to_write, formats
from restorekit.network import RestorationNetwork


def save_weights(
    model: nn.Module,
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write the weights of a model to a safetensors file, atomically.

    A parameter that several modules share is written once per name, so that every reader can load the file strictly.

    Args:
        model: the model.
        path: file to write; an existing file is replaced.
        metadata: strings to store with the weights.
        dtype: dtype to store floating-point tensors in; by default, each keeps its own.

    Raises:
        CheckpointError: if modules were given the same parameters by hand, which would be separate ones in a network that is built
            from its ``config`` and loads the file.
        OSError: if the file cannot be written; no partial file is left.
    """
    check_ties(model)
    with atomic_path(path) as temporary:
        _write(formats.get("safetensors"), _stored(model, dtype), temporary, metadata or {})


def save_original_weights(model: RestorationNetwork, path: str | os.PathLike[str], *, dtype: torch.dtype | None = None) -> None:
    """Write the weights of a model under the names of the original authors, for their code and other programs.

    Args:
        model: the model.
        path: file to write, atomically: a ``.safetensors`` file, or a ``.pth`` file of ``torch.save`` with the key ``state_dict``.
        dtype: dtype to store; by default the dtype of the parameters.

    Raises:
        ValueError: if the network was never published and so has no such names, or the suffix is unknown.
        OSError: if the file cannot be written; no partial file is left.
    """
    kind, state = format_to_write(path), to_original_names(_stored(model, dtype), original_names(model))
    with atomic_path(path) as temporary:
        _write(kind, state, temporary, {})


def _write(kind: Format, state: State, path: Path, metadata: Mapping[str, str]) -> None:
    assert kind.write is not None
    kind.write(state, path, metadata)


def _stored(model: nn.Module, dtype: torch.dtype | None) -> State:
    return {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous().clone()
        for name, tensor in model.state_dict().items()
    }
