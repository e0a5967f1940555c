"""Convolution weights with channels innermost in memory, as the fast kernels of CPUs and GPUs expect them."""

import torch
from torch import nn

from restorekit.inference.passes._base import Pass


def _applies_to(module: nn.Module) -> bool:
    own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return any(tensor.ndim == 4 and not tensor.is_contiguous(memory_format=torch.channels_last) for tensor in own)


def _replace(module: nn.Module) -> nn.Module:
    return module.to(memory_format=torch.channels_last)


CHANNELS_LAST = Pass(_applies_to, _replace)
"""Converts weights to the memory format of the images, so that convolutions need not rearrange them for each image."""
