"""What tells one set of weights from another."""

import hashlib

import torch
from torch import nn


def weights_sha256(model: nn.Module) -> str:
    """Return a checksum of the names, shapes and values of all parameters and buffers, whatever file they come from.

    Args:
        model: the model.

    Example:
        >>> first, second = (nn.Conv2d(1, 1, 3) for _ in range(2))
        >>> weights_sha256(first) == weights_sha256(second)
        False
    """
    checksum = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        checksum.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        checksum.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return checksum.hexdigest()
