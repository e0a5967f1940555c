"""Functions whose gradients are slow in PyTorch on CPUs, with custom gradients that take a fraction of the time.

The values are the same, and so are the gradients, up to rounding. They can be differentiated again, in forward mode too, and
with `torch.func`.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks import GlobalMean
from restorekit.inference.passes._base import Pass, rewrite
from restorekit.inference.passes._half_precision import mean


def prelu(x: Float[Tensor, "n c h w"], slope: Float[Tensor, "1"]) -> Float[Tensor, "n c h w"]:
    """Return ``x`` where it is positive, and ``slope * x`` elsewhere.

    Source: He et al., Delving Deep into Rectifiers, ICCV 2015, arXiv:1502.01852, equation 1.

    Args:
        x: features.
        slope: the slope shared by all channels; it is rounded to the precision of ``x``.
    """
    slope = slope.to(x.dtype)
    return _PReLU.apply(x, slope) if _records_gradients(x, slope) else F.prelu(x, slope)


def global_mean(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 1 1"]:
    """Return the mean of every channel over height and width."""
    return _GlobalMean.apply(x) if _records_gradients(x) else mean(x)


def _records_gradients(*tensors: Tensor) -> bool:
    """Return whether a function of these tensors will be differentiated on the CPU, by PyTorch in eager mode."""
    traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if traced or torch.compiler.is_compiling() or tensors[0].device.type != "cpu":
        return False
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


class _PReLU(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, slope: Tensor) -> Tensor:
        return F.prelu(x, slope)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        positive = torch.ops.aten.threshold_backward(gradient, x, 0)  # the gradient where x is positive, elsewhere 0
        negative = gradient - positive
        return torch.addcmul(positive, negative, slope), (negative * x).sum().reshape(slope.shape)

    @staticmethod
    def jvp(ctx: Any, x_tangent: Tensor, slope_tangent: Tensor) -> Tensor:
        x, slope = ctx.saved_tensors
        return torch.where(x > 0, x_tangent, slope * x_tangent) + x.clamp_max(0) * slope_tangent


class _GlobalMean(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return mean(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.shape = inputs[0].shape

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return (gradient / (ctx.shape[-2] * ctx.shape[-1])).expand(ctx.shape)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return mean(tangent)


def _prelu_module(act: nn.PReLU, x: Tensor) -> Tensor:
    return prelu(x, act.weight)


def _global_mean_module(module: GlobalMean, x: Tensor) -> Tensor:
    return global_mean(x)


def _applies_to(module: nn.Module) -> bool:
    replaceable = type(module) is GlobalMean or (type(module) is nn.PReLU and module.num_parameters == 1)
    return replaceable and "forward" not in vars(module)


def _replace(module: nn.Module) -> nn.Module:
    rewrite(module, "forward", _prelu_module if isinstance(module, nn.PReLU) else _global_mean_module)
    return module


GRADIENTS = Pass(_applies_to, _replace)
"""PReLU and global means with custom gradients, for training on a CPU."""
