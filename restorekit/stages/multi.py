"""Stages in a row: the one module that knows images and patches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks import ResidualHead, SupervisedAttentionModule, conv
from restorekit.model import RestorationModel
from restorekit.ops import WHOLE, Grid, Pyramid, least_multiple, regrid, regrid_pyramid, split
from restorekit.stages.base import Level, Stage, StageSpec, WiringError
from restorekit.stages.fusion import CrossStageFeatureFusion

StemFactory = Callable[[int, int], nn.Module]  # (image_channels, width): image -> features
JoinFactory = Callable[[int, int], nn.Module]  # (in_width, out_width): concatenated features -> features
SuperviseFactory = Callable[[int, int], nn.Module]  # (width, image_channels): features, image -> attended, restored
FuseFactory = Callable[[StageSpec, Sequence[Level]], nn.Module]  # encoded, decoded -> guidance
HeadFactory = Callable[[int, int], nn.Module]  # (width, image_channels): features, image -> restored


class MultiStage(RestorationModel):
    """Runs stages in a row, each on its own grid of patches, and builds what lies between them.

    A stage encodes on its own grid. All that follows (decode, supervised attention, feature fusion) runs on the grid of the
    stage it feeds, and on the whole image after the last. Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.

    Args:
        stages: the stages, first first.
        grids: (rows, columns) of patches that each stage encodes on; by default all work on the whole image.
        image_channels: channels of the images.
        stem: makes the module that turns an image into features, from (image channels, width).
        join: makes the module that turns stem features and attended features, concatenated, into the inputs of a stage,
            from (width of both together, width of the inputs).
        supervise: makes the module between two stages that restores an image and selects features, from (width, image channels).
        fuse: makes the module that turns encoded and decoded features of a stage into guidance for the next, from
            (spec of the stage, levels of guidance).
        head: makes the module that restores the final image, from (width, image channels).
        original_names: module names of the authors' checkpoints -> module names here.

    Raises:
        WiringError: if the stages do not fit together.

    Example:
        >>> from restorekit.stages import ORSNetStage, UNetStage
        >>> model = MultiStage([UNetStage((8, 12)), ORSNetStage(16, num_orbs=2, num_blocks=1, guided=True)], grids=[(2, 2), (1, 1)])
        >>> model.size_multiple
        4
        >>> [restored.shape for restored in model.forward_stages(torch.zeros(1, 3, 8, 12))]
        [torch.Size([1, 3, 8, 12]), torch.Size([1, 3, 8, 12])]
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        grids: Sequence[tuple[int, int]] | None = None,
        image_channels: int = 3,
        stem: StemFactory = conv,
        join: JoinFactory = conv,
        supervise: SuperviseFactory = SupervisedAttentionModule,
        fuse: FuseFactory = CrossStageFeatureFusion,
        head: HeadFactory = ResidualHead,
        original_names: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.grids = _checked_grids(stages, grids)
        _check_specs(stages)
        if image_channels < 1:
            raise WiringError(f"image_channels must be at least 1; got {image_channels}")
        self.image_channels = image_channels
        self.original_names = dict(original_names or {})
        specs = [stage.spec for stage in stages]
        self.size_multiple = least_multiple(
            [
                (grid, max(level.stride for level in levels))
                for spec, own, following in zip(specs, self.grids[:-1], self.grids[1:], strict=True)
                for grid, levels in ((own, spec.encoder), (following, spec.encoder + spec.decoder))
            ]
        )
        self.stages = nn.ModuleList(stages)
        self.stems = nn.ModuleList([stem(image_channels, specs[0].inputs[0].width)])
        self.supervisors, self.joins, self.fusions = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i, (spec, following_spec) in enumerate(zip(specs, specs[1:], strict=False)):
            attended_width = spec.decoder[0].width
            self.supervisors.append(supervise(attended_width, image_channels))
            self.stems.append(stem(image_channels, attended_width))
            self.joins.append(join(2 * attended_width, following_spec.inputs[0].width))
            self.fusions.append(_fusion(fuse, i, spec, following_spec))
        self.head = head(specs[-1].decoder[0].width, image_channels)

    def forward_stages(self, image: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Return the restored image of every stage, first stage first, the result last; not clamped."""
        self.check_image(image)
        restored: list[Tensor] = []
        guidance: Pyramid = ()
        patches = split(image, self.grids[0])
        x = self.stems[0](patches)
        for i, stage in enumerate(cast(Iterable[Stage], self.stages)):
            own, following = self.grids[i], self.grids[i + 1]
            encoded = regrid_pyramid(stage.encode((x,), guidance), own, following)
            decoded = stage.decode(encoded)
            patches = split(image, following)
            if i == len(self.stages) - 1:
                restored.append(self.head(decoded[0], patches))
            else:
                attended, supervised = self.supervisors[i](decoded[0], patches)
                restored.append(regrid(supervised, following, WHOLE))
                x = self.joins[i](torch.cat((self.stems[i + 1](patches), attended), dim=1))
                guidance = self.fusions[i](encoded, decoded)
        return restored


class NoFusion(nn.Module):
    """Stands where a stage wants no guidance."""

    def forward(self, encoded: Pyramid, decoded: Pyramid) -> Pyramid:
        """Return no guidance."""
        return ()


def _name(stages: Sequence[Stage], i: int) -> str:
    return f"stage {i + 1} ({type(stages[i]).__name__})"


def _checked_grids(stages: Sequence[Stage], grids: Sequence[tuple[int, int]] | None) -> tuple[Grid, ...]:
    """Return one grid a stage, and the whole image after the last."""
    if not stages:
        raise WiringError("there are no stages; a network needs at least one, such as UNetStage((48, 72, 96))")
    if grids is None:
        grids = [WHOLE] * len(stages)
    if len(grids) != len(stages):
        raise WiringError(f"{len(stages)} stages need {len(stages)} grids, one each; got {len(grids)}: {list(grids)}")
    for i, grid in enumerate(grids):
        if len(grid) != 2 or min(grid) < 1:
            raise WiringError(f"grid of {_name(stages, i)} must be (rows, columns), both at least 1; got {tuple(grid)}")
    return (*(Grid(*grid) for grid in grids), WHOLE)


def _check_specs(stages: Sequence[Stage]) -> None:
    """Raise unless every stage can stand where it does."""
    for i, stage in enumerate(stages):
        spec, name = stage.spec, _name(stages, i)
        if stage in stages[:i]:
            raise WiringError(f"{name} is the same object as an earlier stage; build one for each place")
        if len(spec.inputs) != 1 or spec.inputs[0].stride != 1:
            raise WiringError(
                f"{name} declares inputs {_levels(spec.inputs)}; it must start from one level at stride 1, the stem's features"
            )
        if not spec.encoder:
            raise WiringError(f"{name} declares an empty encoder pyramid; encode must return at least one level")
        if not spec.decoder or spec.decoder[0].stride != 1:
            raise WiringError(
                f"{name} declares decoder {_levels(spec.decoder)}; its finest level must have stride 1, to restore an image from it"
            )
        if i == 0 and spec.guidance:
            raise WiringError(
                f"{name} declares guidance {_levels(spec.guidance)}, and there is no stage before it; build it with guided=False"
            )


def _fusion(fuse: FuseFactory, i: int, source: StageSpec, target: StageSpec) -> nn.Module:
    if not target.guidance:
        return NoFusion()
    try:
        return fuse(source, target.guidance)
    except WiringError as error:
        raise WiringError(f"between stage {i + 1} and stage {i + 2}: {error}") from error


def _levels(levels: Sequence[Level]) -> str:
    return "(" + ", ".join(f"{level.width} at stride {level.stride}" for level in levels) + ")"
