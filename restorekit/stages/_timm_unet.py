"""The encoder-decoder stage whose encoder is a backbone of timm."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from restorekit.blocks import Upsample, conv
from restorekit.ops import Pyramid
from restorekit.parts import BlockLike, GuideLike, did_you_mean, factory, register_stage
from restorekit.stages._base import Level, Stage, StageSpec, least_side


@register_stage("timm_unet")
class TimmUNetStage(Stage):
    """U-Net whose encoder is a timm backbone, with blocks at full resolution on top.

    The blocks refine the inputs at stride 1; the backbone takes their result, as images of ``width`` channels. Its levels are
    those that timm declares. In the decoder, each level is projected by a 1x1 convolution and added to the coarser one. Source of
    the backbones: Wightman, PyTorch Image Models, https://github.com/huggingface/pytorch-image-models; of decoders as narrow as
    this one: Lin et al., CVPR 2017, arXiv:1612.03144 (there, with one convolution per level instead of the blocks).

    A backbone with batch normalisation mixes the samples of a batch, and so the patches, while it is in training mode.

    Args:
        backbone: name of a model of timm that takes images of any size, such as ``"mobilenetv3_large_100"``.
        width: channels at stride 1, of inputs and outputs.
        block: makes one block of the given width.
        guided: whether the stage takes guidance from the previous stage, at each level. The backbone itself depends only on the
            guidance at stride 1.
        guide: makes the module that adds guidance to the features of a level, from their width.
        num_blocks: blocks at stride 1 on the way down, and at each level on the way up.
        num_levels: number of levels of the backbone to use, from the finest; by default all that timm offers.
        decoder_widths: channels of the decoder at stride 1 and at each level of the backbone; by default ``width`` everywhere.
        pretrained: whether to download timm's weights; timm adapts those of the first layer to ``width``.
        backbone_args: further arguments of ``timm.create_model``, such as ``{"drop_path_rate": 0.1}``.

    Raises:
        ValueError: if timm has no such model, or it cannot be used as an encoder; the message says why.

    Example:
        >>> TimmUNetStage("mobilenetv3_small_050", 24, num_levels=3).spec.encoder
        (Level(width=24, stride=1), Level(width=16, stride=2), Level(width=8, stride=4), Level(width=16, stride=8))
    """

    def __init__(
        self,
        backbone: str,
        width: int = 32,
        block: BlockLike = "cab",
        *,
        guided: bool = False,
        guide: GuideLike = "add",
        num_blocks: int = 2,
        num_levels: int | None = None,
        decoder_widths: Sequence[int] | None = None,
        pretrained: bool = False,
        backbone_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        arguments = {**(backbone_args or {}), "pretrained": pretrained, "in_chans": width}
        if num_levels is not None:
            if num_levels < 1:
                raise ValueError(f"num_levels must be at least 1; got {num_levels}")
            arguments["out_indices"] = tuple(range(num_levels))

        make_block, make_guide = factory("block", block), factory("guide", guide)

        def blocks(width: int) -> nn.Sequential:
            return nn.Sequential(*(make_block(width) for _ in range(num_blocks)))

        self.stem = blocks(width)
        self.backbone, levels = _build(backbone, arguments)
        encoder = (Level(width), *levels)
        widths = [width] * len(encoder) if decoder_widths is None else list(decoder_widths)
        if len(widths) != len(encoder):
            raise ValueError(f"decoder_widths must name {len(encoder)} widths, for strides {_strides(encoder)}; got {widths}")
        decoder = tuple(Level(width, level.stride) for width, level in zip(widths, encoder, strict=True))
        self.skips = nn.ModuleList(conv(level.width, width, 1) for level, width in zip(encoder, widths, strict=True))
        self.ups = nn.ModuleList(_up(coarse, fine) for fine, coarse in zip(decoder, decoder[1:], strict=False))
        self.decoders = nn.ModuleList(blocks(width) for width in widths)
        self.guides = nn.ModuleList(make_guide(level.width) for level in encoder if guided)
        multiple = least_side(encoder, [self.stem], self.decoders, self.guides)
        self.spec = StageSpec(encoder[:1], encoder=encoder, decoder=decoder, guidance=encoder if guided else (), multiple=multiple)

    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the features at stride 1 and those of the backbone."""
        (x,) = inputs
        x = self.stem(x)
        if not guidance:
            return (x, *self.backbone(x))
        x = self.guides[0](x, guidance[0])
        levels = zip(self.guides[1:], self.backbone(x), guidance[1:], strict=True)
        return (x, *(guide(level, given) for guide, level, given in levels))

    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the decoder's features of every level."""
        x = self.decoders[-1](self.skips[-1](encoded[-1]))
        decoded = [x]
        for i in reversed(range(len(encoded) - 1)):
            x = self.decoders[i](self.skips[i](encoded[i]) + self.ups[i](x))
            decoded.append(x)
        return tuple(reversed(decoded))


def _build(name: str, arguments: Mapping[str, Any]) -> tuple[nn.Module, tuple[Level, ...]]:
    """Return a backbone that maps features to a tuple of features, and the levels of these features."""
    import timm

    if not timm.is_model(name):
        raise ValueError(f"unknown timm model {name!r}{did_you_mean(name, timm.list_models())}")
    try:  # the getter omits everything after the last level, and always returns channels first
        backbone = timm.create_model(name, features_only=True, feature_cls="getter", **arguments)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError) as error:
        raise ValueError(
            f"timm cannot use {name!r} as an encoder with {arguments}: {error!r}; correct the arguments, or choose another model"
        ) from error
    info: Any = backbone.feature_info
    levels = tuple(Level(*level) for level in zip(info.channels(), info.reduction(), strict=True))
    if any(level.stride & (level.stride - 1) for level in levels):
        raise ValueError(f"timm model {name!r} has levels at strides {_strides(levels)}; an encoder's must be powers of two")
    _check_levels(name, backbone, levels, arguments["in_chans"])
    return backbone, levels


def _check_levels(name: str, backbone: nn.Module, levels: Sequence[Level], channels: int) -> None:
    """Raise unless a backbone takes images whose sides are any multiples of its coarsest stride, and returns its levels."""
    height, width = (side * max(level.stride for level in levels) for side in (2, 3))
    like = next(backbone.parameters())
    probe = torch.zeros(1, channels, height, width, device=like.device, dtype=like.dtype)
    what = f"timm model {name!r} cannot be used as an encoder: images of {height}x{width} pixels"
    advice = (
        "choose a model that takes images of any size, as most convolutional ones do; for some others, backbone_args="
        '{"dynamic_img_size": True} or {"strict_img_size": False} helps'
    )
    backbone.eval()  # so that the probe does not change running statistics
    try:
        with torch.no_grad():
            found = [tuple(x.shape) for x in backbone(probe)]
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ValueError(f"{what} fail ({error}); {advice}") from error
    backbone.train()
    wanted = [(1, level.width, height // level.stride, width // level.stride) for level in levels]
    if found != wanted:
        raise ValueError(f"{what} give features {found}, but it declares {wanted}; {advice}")


def _up(coarse: Level, fine: Level) -> nn.Module:
    """Return the modules that bring features to a finer level: first to its width, then doubled as often as needed."""
    octaves = (coarse.stride // fine.stride).bit_length() - 1
    if octaves == 0:
        return conv(coarse.width, fine.width, 1)
    return nn.Sequential(Upsample(coarse.width, fine.width), *(Upsample(fine.width, fine.width) for _ in range(octaves - 1)))


def _strides(levels: Sequence[Level]) -> str:
    return ", ".join(str(level.stride) for level in levels)
