"""Weights of networks written in flax: their names, and the order of their dimensions.

A flax parameter is named by its path, such as ``"encoder/Conv_0/kernel"``, and the dimensions of its kernels are in another order
than in PyTorch. Two formats contain such weights: numpy archives and TensorFlow.js graph models.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt
from torch import Tensor, nn

from restorekit.network import RestorationNetwork

Arrays = dict[str, npt.NDArray[Any]]
TARGET = "opt/target/"  # prefix of the weights in a file that also contains the state of an optimiser
LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias"}


def without_optimiser(names: Iterable[str]) -> dict[str, str]:
    """Return the names of weights in a file -> their paths; the state of an optimiser is left out."""
    names = list(names)
    return {name: name.removeprefix(TARGET) for name in names if name.startswith(TARGET)} or {name: name for name in names}


def to_torch(state: Mapping[str, Tensor], model: RestorationNetwork, original_names: Mapping[str, str]) -> dict[str, Tensor]:
    """Return weights with the names and dimensions of PyTorch; weights that are not from flax are returned as they are.

    Args:
        state: weights by name.
        model: the model that the weights are for.
        original_names: maps paths to module names of the model.
    """
    modules = dict(model.named_modules())
    converted = {}
    for name, tensor in state.items():
        path, _, leaf = name.rpartition("/")
        if not path or leaf not in LEAVES:
            converted[name] = tensor
            continue
        module = modules.get(original_names.get(path, ""))
        is_kernel = leaf == "kernel" and tensor.ndim in (2, 4)  # no other fits any module
        converted[f"{path}.{LEAVES[leaf]}"] = _kernel(tensor, module) if is_kernel else tensor
    return converted


def _kernel(kernel: Tensor, module: nn.Module | None) -> Tensor:
    """Return a kernel with its dimensions in the order that a PyTorch module expects."""
    if kernel.ndim == 2:  # of a dense layer: in, out
        return kernel.T[:, :, None, None] if isinstance(module, nn.Conv2d) else kernel.T
    if isinstance(module, nn.ConvTranspose2d):  # height, width, in, out, and rotated by 180 degrees
        return kernel.flip(0, 1).permute(2, 3, 0, 1)
    return kernel.permute(3, 2, 0, 1)  # height, width, in, out
