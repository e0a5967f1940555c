"""Sums and activations that overwrite features which are no longer needed, if no gradient is recorded.

Allocating a new buffer for every sum takes more time than the sum, because its pages must be mapped first, and more memory. While
gradients are recorded, or the network is compiled or exported, these functions allocate new buffers, like the plain operations.
Even then they save time, because a product and a sum read the features only once.
"""

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks import (
    AddMerge,
    ChannelAttention,
    ChannelAttentionBlock,
    GatedMLP,
    OriginalResolutionBlock,
    ResidualChannelAttentionBlock,
    ResidualDenseChannelAttentionBlock,
    SupervisedAttentionModule,
    add_image,
)
from restorekit.inference.passes._base import has_hooks, rewriting
from restorekit.ops import Pyramid
from restorekit.stages import CrossStageFeatureFusion, TimmUNetStage, UNetStage


def add(x: Float[Tensor, "n c h w"], branch: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return ``x + branch``, in the memory of ``branch`` if possible.

    Args:
        x: features; they are not changed.
        branch: features that the caller has created and no longer needs afterwards.
    """
    return branch.add_(x) if _overwritable(branch, x) else x + branch


def add_scaled(
    x: Float[Tensor, "n c h w"], branch: Float[Tensor, "n c h w"], scale: Float[Tensor, "n c _ _"]
) -> Float[Tensor, "n c h w"]:
    """Return ``x + branch * scale`` reading the features once, in the memory of ``branch`` if possible.

    Args:
        x: features; they are not changed.
        branch: features that the caller has created and no longer needs afterwards.
        scale: factors.
    """
    if _overwritable(branch, x, scale):
        return torch.addcmul(x, branch, scale, out=branch)
    return torch.addcmul(x, branch, scale)


def activate(act: nn.Module, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return ``act(x)``, in the memory of ``x`` if ``act`` is a PReLU with one slope on the CPU.

    Args:
        act: the activation.
        x: features that the caller has created and no longer needs afterwards.
    """
    if type(act) is nn.PReLU and act.num_parameters == 1 and x.device.type == "cpu" and _overwritable(x, act.weight):
        return F.leaky_relu_(x, act.weight.item())
    return act(x)


def _overwritable(target: Tensor, *others: Tensor) -> bool:
    """Return whether a result may overwrite the first of these tensors."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or type(target) is not Tensor:
        return False
    return all(other.dtype == target.dtype for other in others)


def _channel_attention_block(block: ChannelAttentionBlock, x: Tensor) -> Tensor:
    y = block.conv2(activate(block.act, block.conv1(x)))
    if isinstance(block.attention, ChannelAttention):
        return add_scaled(x, y, block.attention.scale(y))
    return add(x, block.attention(y))


def _residual_channel_attention_block(block: ResidualChannelAttentionBlock, x: Tensor) -> Tensor:
    y = block.conv2(block.act(block.conv1(block.norm(x))))
    return add_scaled(x, y, block.attention.scale(y))


def _residual_dense_channel_attention_block(block: ResidualDenseChannelAttentionBlock, x: Tensor) -> Tensor:
    y = block.conv2(F.gelu(block.conv1(block.norm(x)), approximate="tanh"))
    return add_scaled(x, y, block.attention.scale(y))


def _original_resolution_block(block: OriginalResolutionBlock, x: Tensor) -> Tensor:
    return add(x, block.conv(block.blocks(x)))


def _gated_mlp(block: GatedMLP, x: Tensor) -> Tensor:
    u, v = F.gelu(block.expand(block.norm(x)), approximate="tanh").chunk(2, dim=1)
    v = block.mixing(block.gate_norm(v))
    return x + block.project(torch.addcmul(u, u, v))


def _supervised_attention(module: SupervisedAttentionModule, x: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    restored = add_image(module.to_image(x), image, module.of)
    return add_scaled(x, module.features(x), module.attention(restored).sigmoid()), restored


def _fusion(fusion: CrossStageFeatureFusion, encoded: Pyramid, decoded: Pyramid) -> Pyramid:
    fused = [path(x) for path, x in zip(fusion.encoder_paths, encoded, strict=False)]
    for i, path in enumerate(fusion.decoder_paths):
        fused[i] = add(fused[i], path(decoded[i]))
    return tuple(fused)


def _merged(stage: UNetStage, i: int, encoded: Tensor, below: Tensor) -> Tensor:
    merge, skip, risen = stage.merges[i], stage.skips[i](encoded), stage.ups[i](below)
    return add(skip, risen) if type(merge) is AddMerge and not has_hooks(merge) else merge(skip, risen)


def _decode(stage: TimmUNetStage, encoded: Pyramid) -> Pyramid:
    x = stage.decoders[-1](stage.skips[-1](encoded[-1]))
    decoded = [x]
    for i in reversed(range(len(encoded) - 1)):
        x = stage.decoders[i](add(cast(Tensor, stage.skips[i](encoded[i])), stage.ups[i](x)))
        decoded.append(x)
    return tuple(reversed(decoded))


REUSE = rewriting(
    {
        ChannelAttentionBlock: {"forward": _channel_attention_block},
        ResidualChannelAttentionBlock: {"forward": _residual_channel_attention_block},
        ResidualDenseChannelAttentionBlock: {"forward": _residual_dense_channel_attention_block},
        OriginalResolutionBlock: {"forward": _original_resolution_block},
        GatedMLP: {"forward": _gated_mlp},
        SupervisedAttentionModule: {"forward": _supervised_attention},
        CrossStageFeatureFusion: {"forward": _fusion},
        UNetStage: {"merged": _merged},
        TimmUNetStage: {"decode": _decode},
    }
)
"""Lets sums and activations overwrite features that are no longer needed."""
