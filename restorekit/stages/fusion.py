"""Handing features of one stage to the encoder of the next."""

from collections.abc import Sequence

from torch import nn

from restorekit.blocks import Upsample, conv
from restorekit.ops import Pyramid
from restorekit.registry import register_connector
from restorekit.stages.base import Level, StageSpec, WiringError


@register_connector("csff")
class CrossStageFeatureFusion(nn.Module):
    """Cross-stage feature fusion (CSFF): encoder and decoder features of a stage, projected for the next one to add.

    For each level of guidance, the features of the same index in both halves of the source are brought to the stride that is
    wanted (up by two and 1x1 convolution, once an octave), projected by 1x1 convolutions, and added to each other.
    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.4, figure 5; also in HINet (arXiv:2105.06086), with 3x3 kernels.

    Args:
        source: spec of the stage that the features come from.
        guidance: levels that the next stage wants.
        kernel_size: side of the projections' kernels.
        bias: whether the projections have biases.

    Raises:
        WiringError: if the source has fewer levels than are wanted, or is not fine enough anywhere that it would have to be.
    """

    def __init__(self, source: StageSpec, guidance: Sequence[Level], *, kernel_size: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.encoder_paths = nn.ModuleList()
        self.decoder_paths = nn.ModuleList()
        for paths, half, levels in (
            (self.encoder_paths, "encoder", source.encoder),
            (self.decoder_paths, "decoder", source.decoder),
        ):
            if len(levels) < len(guidance) and half == "encoder":
                raise WiringError(
                    f"cross-stage feature fusion: {len(guidance)} levels of guidance are wanted, the source's {half} has "
                    f"{len(levels)}; give the source more levels, or the next stage fewer"
                )
            # A decoder that is shorter (ORSNet's has one level) contributes to the levels it has.
            for i in range(min(len(levels), len(guidance))):
                paths.append(_path(levels, i, guidance[i], kernel_size, bias))

    def forward(self, encoded: Pyramid, decoded: Pyramid) -> Pyramid:
        """Return the guidance for the next stage."""
        fused = [path(x) for path, x in zip(self.encoder_paths, encoded, strict=False)]
        for i, path in enumerate(self.decoder_paths):
            fused[i] = fused[i] + path(decoded[i])
        return tuple(fused)


def _path(levels: Sequence[Level], i: int, wanted: Level, kernel_size: int, bias: bool) -> nn.Sequential:
    """Return what turns level ``i`` into the wanted level: up through the widths of the levels above it, then a projection."""
    width, stride = levels[i]
    steps: list[nn.Module] = []
    while stride > wanted.stride:
        i -= 1
        if i < 0 or levels[i].stride * 2 != stride:
            break
        steps.append(Upsample(width, levels[i].width))
        width, stride = levels[i]
    if stride != wanted.stride:
        raise WiringError(
            f"cross-stage feature fusion: guidance of stride {wanted.stride} is wanted, and the source offers levels "
            f"{_describe(levels)}, from which stride {wanted.stride} cannot be reached by doubling"
        )
    return nn.Sequential(*steps, conv(width, wanted.width, kernel_size, bias=bias))


def _describe(levels: Sequence[Level]) -> str:
    return ", ".join(f"{level.width} channels at stride {level.stride}" for level in levels)
