"""Passing features of one stage to the encoder of the next."""

from collections.abc import Sequence

import torch
from torch import nn

from restorekit.blocks import Downsample, Upsample, conv
from restorekit.errors import WiringError
from restorekit.ops import Pyramid
from restorekit.parts import register_connector
from restorekit.stages._base import Level, StageSpec, describe_levels


@register_connector("csff", role="fuse")
class CrossStageFeatureFusion(nn.Module):
    """Cross-stage feature fusion (CSFF): encoder and decoder features of a stage, projected and added in the next one.

    For each level of guidance, the features of the same index in both halves of the source are resized to the requested stride
    (by factors of two, each with a 1x1 convolution), projected by convolutions, and added to each other. A shorter decoder
    (ORSNet's has one level) contributes to the levels it has.
    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.4, figure 5; also in HINet (arXiv:2105.06086), with 3x3 kernels.

    Args:
        source: spec of the stage that the features come from.
        guidance: levels that the next stage needs.
        kernel_size: side of the projections' kernels.
        bias: whether the projections have biases.

    Raises:
        WiringError: if the source's encoder has too few levels, or strides that cannot be brought to the requested ones by
            factors of two.
    """

    def __init__(self, source: StageSpec, guidance: Sequence[Level], *, kernel_size: int = 1, bias: bool = False) -> None:
        super().__init__()
        _check_levels(source, guidance)

        def path(levels: Sequence[Level], i: int) -> nn.Sequential:
            steps, width = _resizing(levels, i, guidance[i].stride)
            return nn.Sequential(*steps, conv(width, guidance[i].width, kernel_size, bias=bias))

        decoder = source.decoder[: len(guidance)]
        self.encoder_paths = nn.ModuleList(path(source.encoder, i) for i in range(len(guidance)))
        self.decoder_paths = nn.ModuleList(path(source.decoder, i) for i in range(len(decoder)))

    def forward(self, encoded: Pyramid, decoded: Pyramid) -> Pyramid:
        """Return the guidance for the next stage."""
        fused = [path(x) for path, x in zip(self.encoder_paths, encoded, strict=False)]
        for i, path in enumerate(self.decoder_paths):
            fused[i] = fused[i] + path(decoded[i])
        return tuple(fused)


@register_connector("concat", role="fuse")
class ConcatFusion(nn.Module):
    """Feature fusion by concatenation: encoder and decoder features of a level, then one convolution over both.

    Like :class:`CrossStageFeatureFusion`, but the two halves meet before a larger kernel instead of after two small ones.

    Args:
        source: spec of the stage that the features come from.
        guidance: levels that the next stage needs.
        kernel_size: side of the kernels.
        bias: whether the convolutions have biases.

    Raises:
        WiringError: as for :class:`CrossStageFeatureFusion`.
    """

    def __init__(self, source: StageSpec, guidance: Sequence[Level], *, kernel_size: int = 3, bias: bool = True) -> None:
        super().__init__()
        _check_levels(source, guidance)
        self.encoder_paths, self.decoder_paths, self.convs = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i, wanted in enumerate(guidance):
            steps, width = _resizing(source.encoder, i, wanted.stride)
            self.encoder_paths.append(nn.Sequential(*steps))
            if i < len(source.decoder):
                steps, decoder_width = _resizing(source.decoder, i, wanted.stride)
                self.decoder_paths.append(nn.Sequential(*steps))
                width += decoder_width
            self.convs.append(conv(width, wanted.width, kernel_size, bias=bias))

    def forward(self, encoded: Pyramid, decoded: Pyramid) -> Pyramid:
        """Return the guidance for the next stage."""
        halves = [[path(x)] for path, x in zip(self.encoder_paths, encoded, strict=False)]
        for i, path in enumerate(self.decoder_paths):
            halves[i].append(path(decoded[i]))
        return tuple(convolve(torch.cat(both, dim=1)) for convolve, both in zip(self.convs, halves, strict=True))


@register_connector("sum", role="fuse")
class SumFusion(nn.Module):
    """Feature fusion without parameters: the sum of encoder and decoder features of a level, with which the next stage gates.

    Source: Tu et al., CVPR 2022, arXiv:2201.02973, section 3.4.

    Args:
        source: spec of the stage that the features come from.
        guidance: levels that the next stage needs, the first of those that the source has in both halves.

    Raises:
        WiringError: if the source's halves do not have these levels.
    """

    def __init__(self, source: StageSpec, guidance: Sequence[Level]) -> None:
        super().__init__()
        for half, levels in (("encoder", source.encoder), ("decoder", source.decoder)):
            if tuple(levels[: len(guidance)]) != tuple(guidance):
                raise WiringError(
                    f"guidance {describe_levels(guidance)} is needed, but the source's {half} gives {describe_levels(levels)}; to "
                    "be added, they must be the same; give both stages the same widths, or choose the fusion 'csff'"
                )
        self.num_levels = len(guidance)

    def forward(self, encoded: Pyramid, decoded: Pyramid) -> Pyramid:
        """Return the guidance for the next stage."""
        return tuple(encoded[i] + decoded[i] for i in range(self.num_levels))


@register_connector("state", role="fuse")
class StateFusion(nn.Module):
    """Hands on the encoder's features unchanged: the state of a stage that runs several times, such as that of an LSTM.

    The first run gets zeros. Source: Ren et al., PReNet, CVPR 2019, arXiv:1901.09221.

    Args:
        source: spec of the stage that the state comes from.
        guidance: the state that the next stage takes, the first of the source's encoder levels.

    Raises:
        WiringError: if the source's encoder does not have these levels.
    """

    def __init__(self, source: StageSpec, guidance: Sequence[Level]) -> None:
        super().__init__()
        if tuple(source.encoder[: len(guidance)]) != tuple(guidance):
            raise WiringError(
                f"the state {describe_levels(guidance)} is needed, but the source's encoder gives "
                f"{describe_levels(source.encoder)}; a state goes from a stage to the same stage; choose 'csff' between others"
            )
        self.num_levels = len(guidance)

    def forward(self, encoded: Pyramid, decoded: Pyramid) -> Pyramid:
        """Return the state."""
        return encoded[: self.num_levels]


@register_connector("none", role="fuse")
class NoFusion(nn.Module):
    """Takes the place of a fusion if a stage needs no guidance.

    Args:
        source: spec of the previous stage.
        guidance: must be empty.

    Raises:
        WiringError: if the next stage needs guidance.
    """

    def __init__(self, source: StageSpec, guidance: Sequence[Level]) -> None:
        super().__init__()
        if guidance:
            raise WiringError(
                f"the next stage needs guidance {describe_levels(guidance)}, but the fusion 'none' gives none; build that stage "
                "with guided=False, or choose another fusion, such as 'csff'"
            )

    def forward(self, encoded: Pyramid, decoded: Pyramid) -> Pyramid:
        """Return no guidance."""
        return ()


def _check_levels(source: StageSpec, guidance: Sequence[Level]) -> None:
    if len(source.encoder) < len(guidance):
        raise WiringError(
            f"{len(guidance)} levels of guidance are needed {describe_levels(guidance)}, but the source's encoder has "
            f"{len(source.encoder)} {describe_levels(source.encoder)}; give the source more levels, or the next stage fewer"
        )


def _resizing(levels: Sequence[Level], i: int, stride: int) -> tuple[list[nn.Module], int]:
    """Return the modules that bring level ``i`` to a stride, and its width then: that of the levels on the way, if any."""
    width, at = levels[i]
    widths = {level.stride: level.width for level in reversed(levels)}
    steps: list[nn.Module] = []
    ratio = max(at, stride) / min(at, stride)
    if ratio != 2 ** (int(ratio).bit_length() - 1):
        raise WiringError(
            f"guidance of stride {stride} is needed, but the source offers {describe_levels(levels)}; stride {at} cannot be "
            f"brought to {stride} by doubling or halving; choose levels whose strides differ by powers of two"
        )
    while at != stride:
        resize, at = (Upsample, at // 2) if at > stride else (Downsample, at * 2)
        steps.append(resize(width, widths.get(at, width)))
        width = widths.get(at, width)
    return steps, width
