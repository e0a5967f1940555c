"""Writing the weights of a model to a file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from restorekit._files import atomic_path
from restorekit.checkpoints._checks import check_ties
from restorekit.checkpoints._names import State, to_original_names
from restorekit.checkpoints._originals import original_names
from restorekit.checkpoints._reading import descriptions_in
from restorekit.checkpoints.formats import Format, format_to_write, formats
from restorekit.network import RestorationNetwork, network_in, networks_in


def save_weights(
    model: nn.Module,
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write the weights of a model to a safetensors file, atomically.

    The file says how the network is built, if it was built by name or is composed of registered parts. A parameter that several
    modules share is written once per name, so that every reader can load the file strictly.

    Args:
        model: the model. Of a wrapper such as ``DataParallel`` or that of ``torch.compile``, the network inside is written.
        path: file to write; an existing file is replaced.
        metadata: strings to store with the weights; by default, how the network is built.
        dtype: dtype to store floating-point tensors in; by default, each keeps its own.

    Raises:
        CheckpointError: if modules were given the same parameters by hand, which would be separate ones in a network that is built
            from its ``config`` and loads the file.
        ValueError: if a wrapper contains several networks.
        OSError: if the file cannot be written; no partial file is left.
    """
    model = network_in(model) if networks_in(model) else model
    check_ties(model)
    if metadata is None:
        metadata = json.loads(next(iter(descriptions_in(model.state_dict()).values()), "{}"))
    with atomic_path(path) as temporary:
        _write(formats.get("safetensors"), _stored(model, dtype), temporary, metadata)


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
