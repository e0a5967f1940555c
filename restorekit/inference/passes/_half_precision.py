"""Computing in another precision than the weights have, in particular in half precision."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks import GlobalMean
from restorekit.inference.passes._base import Pass, rewrite

HALF = (torch.bfloat16, torch.float16)


def precision(dtype: torch.dtype) -> Pass:
    """Return a pass that converts parameters and buffers to a dtype, and speeds up means in half precision on the CPU."""

    def slow_mean(module: nn.Module) -> bool:
        return dtype in HALF and type(module) is GlobalMean and "forward" not in vars(module)

    def applies_to(module: nn.Module) -> bool:
        own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
        return slow_mean(module) or any(tensor.is_floating_point() and tensor.dtype != dtype for tensor in own)

    def replace(module: nn.Module) -> nn.Module:
        if slow_mean(module):
            rewrite(module, "forward", _mean_module)
        return module.to(dtype)

    return Pass(applies_to, replace)


def mean(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 1 1"]:
    """Return the means of channels; in half precision on the CPU by rows, since PyTorch's mean can take fifty times as long."""
    if x.device.type == "cpu" and x.dtype in HALF and not torch.compiler.is_compiling():
        return F.avg_pool2d(x, (1, x.shape[-1])).float().mean(dim=-2, keepdim=True).to(x.dtype)
    return F.adaptive_avg_pool2d(x, 1)


def _mean_module(module: GlobalMean, x: Tensor) -> Tensor:
    return mean(x)
