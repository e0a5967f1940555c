"""Operations that overwrite features which are needed no more, where no gradient is recorded.

A fresh buffer for every sum costs more time than the sum, because its pages have to be mapped first, and more memory. While
gradients are recorded, or the network is compiled or exported, these functions make fresh buffers, as the plain operations do.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.ops._gradients import prelu


def add(x: Float[Tensor, "n c h w"], branch: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return ``x + branch``, in the memory of ``branch`` where that is possible.

    Args:
        x: features; they stay as they are.
        branch: features that the caller has made, and does not need afterwards.
    """
    return branch.add_(x) if _overwritable(branch, x) else x + branch


def add_scaled(
    x: Float[Tensor, "n c h w"], branch: Float[Tensor, "n c h w"], scale: Float[Tensor, "n c _ _"]
) -> Float[Tensor, "n c h w"]:
    """Return ``x + branch * scale`` in one pass over the features, in the memory of ``branch`` where that is possible.

    Args:
        x: features; they stay as they are.
        branch: features that the caller has made, and does not need afterwards.
        scale: factors.
    """
    if _overwritable(branch, x, scale):
        return torch.addcmul(x, branch, scale, out=branch)
    return torch.addcmul(x, branch, scale)


def activate(act: nn.Module, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return ``act(x)``, in the memory of ``x`` where ``act`` is a PReLU of one slope on the CPU.

    Args:
        act: the activation.
        x: features that the caller has made, and does not need afterwards.
    """
    if type(act) is not nn.PReLU or act.num_parameters > 1:
        return act(x)
    if x.device.type == "cpu" and _overwritable(x, act.weight):
        return F.leaky_relu_(x, act.weight.item())
    return prelu(x, act.weight)


def only_computes(x: Float[Tensor, "..."]) -> bool:
    """Return whether PyTorch only computes what becomes of these features, and neither records a gradient nor compiles it."""
    return type(x) is Tensor and not torch.compiler.is_compiling() and not (torch.is_grad_enabled() and x.requires_grad)


def _overwritable(target: Tensor, *others: Tensor) -> bool:
    """Return whether a result of all these may be written over the first of them."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or type(target) is not Tensor:
        return False
    return all(other.dtype == target.dtype for other in others)
