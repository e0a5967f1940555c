"""Stages in a row: the one module that deals with images and patches."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit._lazy import deferred
from restorekit.blocks import NoSupervision, multiple_of
from restorekit.errors import WiringError
from restorekit.network import Padding, RestorationNetwork
from restorekit.ops import WHOLE, Grid, Pyramid, ScaleMode, least_multiple, regrid_pyramid
from restorekit.parts import FuseLike, HeadLike, JoinLike, Part, StemLike, SuperviseLike, factories, factory, remember_arguments
from restorekit.stages._base import Level, Stage, StageSpec, describe_levels, level_modules
from restorekit.stages._config import network_config
from restorekit.stages._fusion import NoFusion
from restorekit.stages._transition import Connection, Handover, Transition, begin, connectors, finish, hand_over


class MultiStage(RestorationNetwork):
    """Runs stages in a row, each on its own grid of patches, and builds the connectors between them.

    A stage encodes on its grid. Everything after that (decode, supervised attention, feature fusion) runs on the grid of the
    next stage, and on the whole image after the last. Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.
    If a stage declares inputs at several strides, it gets the image at these scales, and the previous stage is supervised at each
    of them, as in Tu et al., CVPR 2022, arXiv:2201.02973.

    Every connector is given as a factory, by its registered name, or as a mapping of name and arguments.

    Args:
        stages: the stages, in order.
        grids: (rows, columns) of patches that each stage encodes on; by default all work on the whole image.
        image_channels: channels of the images.
        stem: makes the module that turns an image into features, from (image channels, width).
        join: makes the module that turns stem features and attended features into an input of a stage, from
            (width of either, width of the input); or a list of factories, one for each scale, finest first.
        supervise: makes the module between two stages that restores an image and selects features, from (width, image channels).
        fuse: makes the module that turns encoded and decoded features of a stage into guidance for the next, from
            (spec of the stage, levels of guidance).
        head: makes the module that restores the final image, from (width, image channels).
        scale_mode: how an image is made smaller for the coarser inputs of a stage: ``"area"`` or ``"nearest"``.
        padding: where :func:`restorekit.restore` pads images: ``"corner"`` (below and on the right) or ``"centre"`` (on all sides).
        tile: side of the largest tiles that :func:`restorekit.restore` uses by default; None for whole images if they fit.

    Attributes:
        description: the arguments that the network was created with, as data.
        features: returns the features of stages for an image: :func:`restorekit.inspection.features`.

    Raises:
        WiringError: if the stages do not fit together.

    Example:
        >>> import torch
        >>> from restorekit.stages._orsnet import ORSNetStage
        >>> from restorekit.stages._unet import UNetStage
        >>> model = MultiStage([UNetStage((8, 12)), ORSNetStage(16, num_orbs=2, num_blocks=1, guided=True)], grids=[(2, 2), (1, 1)])
        >>> model.size_multiple
        4
        >>> [restored.shape for restored in model.forward_stages(torch.zeros(1, 3, 8, 12))]
        [torch.Size([1, 3, 8, 12]), torch.Size([1, 3, 8, 12])]
    """

    description: dict[str, Any]
    features: ClassVar[Callable[..., Any]] = deferred("restorekit.inspection", "features")

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        grids: Sequence[Sequence[int]] | None = None,
        image_channels: int = 3,
        stem: StemLike = "conv",
        join: JoinLike | Sequence[JoinLike] = "concat",
        supervise: SuperviseLike = "sam",
        fuse: FuseLike = "csff",
        head: HeadLike = "residual_head",
        scale_mode: ScaleMode = "area",
        padding: Padding = "corner",
        tile: int | None = None,
    ) -> None:
        super().__init__()
        _check_stages(stages)
        self.grids = _checked_grids(stages, grids)
        _check_specs(stages)
        if image_channels < 1:
            raise WiringError(f"image_channels must be at least 1; got {image_channels}")
        if tile is not None and tile < 1:
            raise WiringError(f"tile must be at least 1 pixel, or None; got {tile}")
        self.image_channels = image_channels
        self.scale_mode = scale_mode
        self.padding = padding
        self.tile = tile
        specs = [stage.spec for stage in stages]
        make_stem, make_head = _connector("stem", stem), _connector("head", head)
        num_joins = max((len(spec.inputs) for spec in specs[1:]), default=0)
        make_joins = [_connector("join", make) for make in factories("join", join, num_joins)]
        make_supervisor, make_fusion = _connector("supervise", supervise), _connector("fuse", fuse)
        self.stages = nn.ModuleList(stages)
        # The scales of the images that enter the first stage and leave each stage, and the decoder levels they come from.
        self.strides = [[level.stride for level in spec.inputs] for spec in (*specs, specs[-1])]
        self.supervised = [_supervised_levels(stages, i) for i in range(len(stages))]
        self.stems = nn.ModuleList([nn.ModuleList(make_stem(image_channels, level.width) for level in specs[0].inputs)])
        self.supervisors, self.joins, self.fusions = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i, following in enumerate(specs[1:]):
            attended = [specs[i].decoder[k].width for k in self.supervised[i]]
            inputs = [level.width for level in following.inputs]
            self.supervisors.append(nn.ModuleList(make_supervisor(width, image_channels) for width in attended))
            self.stems.append(nn.ModuleList(make_stem(image_channels, width) for width in attended))
            joins = zip(make_joins, attended, inputs, strict=False)
            self.joins.append(nn.ModuleList(make_join(*widths) for make_join, *widths in joins))
            try:
                fusion = make_fusion if following.guidance else NoFusion
                self.fusions.append(fusion(specs[i], following.guidance))
            except WiringError as error:
                raise WiringError(f"between {_name(stages, i)} and {_name(stages, i + 1)}: {error}") from error
        unsupervised = sum(isinstance(next(level_modules(modules)), NoSupervision) for modules in self.supervisors)
        self.num_supervised = len(stages) - unsupervised
        self.heads = nn.ModuleList(make_head(specs[-1].decoder[k].width, image_channels) for k in self.supervised[-1])
        self.optional = {f"heads.{k}": f"the last stage's image at 1/{stride}" for k, stride in enumerate(self.strides[-1]) if k}
        self.size_multiple = least_multiple([*self._sizes_of_stages(), *self._sizes_between()])

    @property
    def config(self) -> dict[str, Any]:
        """The network as plain data; :func:`restorekit.compose` builds the same network from it.

        Raises:
            ConfigError: if a part is not registered; the message names it.
        """
        return network_config(self.description)

    def forward_stages(self, image: Float[Tensor, "n c h w"], *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        """Return the restored images of all supervised stages in order, with the result last; not clamped.

        A stage that is supervised at several scales returns its images from coarse to fine.

        Args:
            image: degraded image in [0, 1].
            stages: how many supervised stages to run; by default all.
            coarse: whether the last stage also returns its images at coarser scales, which the result does not need.

        Raises:
            ValueError: if the image has a wrong shape, dtype, size or range, there are fewer supervised stages, or the loaded
                weights lack parameters that are needed.
        """
        self.check_image(image)
        self.check_stages(stages)
        if torch.compiler.is_compiling():  # sizes may be unknown: this tells the tracer what divides them
            height, width = (side // self.size_multiple * self.size_multiple for side in image.shape[-2:])
            image = image[..., :height, :width]
        inputs = begin(self._transition(0), image)
        guidance: Pyramid = ()
        restored: list[Tensor] = []
        missing = self.num_supervised if stages is None else stages
        for i in range(len(self.stages)):
            images, inputs, guidance = self._run_stage(i, image, inputs, guidance, coarse=coarse, last=missing == 1)
            restored += images
            missing -= bool(images)
            if missing == 0:
                break
        return restored

    def _run_stage(self, i: int, image: Tensor, inputs: Pyramid, guidance: Pyramid, *, coarse: bool, last: bool) -> Handover:
        """Run a stage and the connectors after it, up to an image if it is the ``last`` one needed.

        All other features are released on return, so that the next stage can use their memory.
        """
        after = self._transition(i + 1)
        encoded, decoded = self.stages[i](inputs, guidance, partial(regrid_pyramid, old=self.grids[i], new=after.grid))
        if i == len(self.stages) - 1:
            return finish(after, image, decoded, coarse=coarse)
        return hand_over(after, image, encoded, decoded, last=last)

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """The transitions before the first stage, between each two, and after the last, in order."""
        return tuple(self._transition(i) for i in range(len(self.stages) + 1))

    def _transition(self, i: int) -> Transition:
        """Return the transition before a stage, or after the last: a view of the current modules of the network."""
        specs = [cast(Stage, stage).spec for stage in self.stages]
        scales = tuple(Level(self.image_channels, stride) for stride in self.strides[i])
        supervised = self.supervised[i - 1] if i else ()
        features = [specs[i - 1].decoder[k] for k in supervised] if i else specs[0].inputs
        pairs = list(zip(features, scales, strict=True))
        stems = [connectors("stem", self.stems[i], [(scale,) for scale in scales], features)] if i < len(specs) else []
        if i == 0:
            connections = stems
        elif i == len(specs):
            connections = [connectors("head", self.heads, pairs, scales)]
        else:
            source, target = specs[i - 1], specs[i]
            connections = [
                connectors("supervise", self.supervisors[i - 1], pairs, features),
                *stems,
                connectors("join", self.joins[i - 1], [(x, x) for x in features], target.inputs),
                Connection("fuse", (self.fusions[i - 1],), ((source.encoder, source.decoder),), target.guidance),
            ]
        return Transition(self.grids[i], scales, self.scale_mode, supervised, tuple(connections))

    def use_grids(self, grids: Sequence[Sequence[int]]) -> None:
        """Make the stages work on other patches from now on.

        Args:
            grids: (rows, columns) of patches that each stage encodes on.

        Raises:
            WiringError: if the number of grids and stages differ.
        """
        self.grids = _checked_grids([cast(Stage, stage) for stage in self.stages], grids)
        self.description["grids"] = [list(grid) for grid in self.grids[:-1]]
        self.size_multiple = least_multiple([*self._sizes_of_stages(), *self._sizes_between()])

    def _sizes_of_stages(self) -> Iterator[tuple[Grid, int]]:
        """Return the grids that stages work on, with the numbers that sides of their patches must be multiples of."""
        stages = cast(Iterable[Stage], self.stages)
        for spec, own, following in zip((stage.spec for stage in stages), self.grids[:-1], self.grids[1:], strict=True):
            for grid, levels in ((own, spec.inputs + spec.encoder), (following, spec.encoder + spec.decoder)):
                yield grid, math.lcm(spec.multiple, *(level.stride for level in levels))

    def _sizes_between(self) -> Iterator[tuple[Grid, int]]:
        """Return the same for the connectors between the stages."""
        for transition in self.transitions:
            for connection in transition.connections:
                if connection.role != "fuse":
                    for module, level in zip(connection.modules, transition.scales, strict=True):
                        yield transition.grid, level.stride * multiple_of(module)


remember_arguments(MultiStage)


def _connector(role: str, part: Part) -> Callable[..., nn.Module]:
    """Return the factory of a connector; its errors name the role."""
    make = factory(role, part)

    def named(*arguments: Any) -> nn.Module:
        try:
            return make(*arguments)
        except ValueError as error:
            raise WiringError(f"{role}: {error}") from error

    return named


def _name(stages: Sequence[Stage], i: int) -> str:
    return f"stage {i + 1} ({type(stages[i]).__name__})"


def _check_stages(stages: Sequence[Stage]) -> None:
    """Raise unless there are stages, all different objects that declare their inputs and outputs."""
    example = "such as [UNetStage((48, 72, 96))]"
    if isinstance(stages, nn.Module | str | Mapping):
        raise WiringError(f"stages must be a list of stages, {example}; got a {type(stages).__name__}")
    if not stages:
        raise WiringError(f"there are no stages; a network needs at least one, {example}")
    for i, stage in enumerate(stages):
        if not isinstance(stage, Stage):
            found = stage if isinstance(stage, type | str) else f"a {type(stage).__name__}"
            raise WiringError(f"stage {i + 1} is {found}; it must be an instance of a stage class, {example}")
        if not isinstance(getattr(stage, "spec", None), StageSpec):
            raise WiringError(f"{_name(stages, i)} does not declare its inputs and outputs; set self.spec = StageSpec(...) in it")
        if stage in stages[:i]:
            raise WiringError(f"{_name(stages, i)} is the same object as an earlier stage; build a separate one for each place")


def _checked_grids(stages: Sequence[Stage], grids: Sequence[Sequence[int]] | None) -> tuple[Grid, ...]:
    """Return one grid per stage, and the whole image after the last."""
    if grids is None:
        grids = [WHOLE] * len(stages)
    if len(grids) != len(stages):
        raise WiringError(
            f"grids must be a list of {len(stages)} (rows, columns), one for each stage; got {len(grids)}: {list(grids)}"
        )
    for i, grid in enumerate(grids):
        if not isinstance(grid, Sequence) or len(grid) != 2 or min(grid) < 1:
            raise WiringError(f"grid of {_name(stages, i)} must be (rows, columns), both at least 1; got {grid}")
    return (*(Grid(*grid) for grid in grids), WHOLE)


def _check_specs(stages: Sequence[Stage]) -> None:
    """Raise unless every stage fits its position."""
    for i, stage in enumerate(stages):
        spec, name = stage.spec, _name(stages, i)
        strides = [level.stride for level in spec.inputs]
        if not strides or strides[0] != 1 or strides != sorted(set(strides)):
            raise WiringError(
                f"{name} declares inputs {describe_levels(spec.inputs)}; it must start from levels of different strides, "
                "finest first, the finest at stride 1"
            )
        if not spec.encoder:
            raise WiringError(f"{name} declares an empty encoder pyramid; encode must return at least one level")
        if not spec.decoder or spec.decoder[0].stride != 1:
            raise WiringError(
                f"{name} declares decoder {describe_levels(spec.decoder)}; its finest level must have stride 1, to restore an "
                "image from it"
            )
        if i == 0 and spec.guidance:
            raise WiringError(
                f"{name} declares guidance {describe_levels(spec.guidance)}, but there is no stage before it; build it with "
                "guided=False"
            )


def _supervised_levels(stages: Sequence[Stage], i: int) -> tuple[int, ...]:
    """Return the supervised decoder levels of a stage: those at the strides of the next inputs, or of its inputs after the last."""
    following = min(i + 1, len(stages) - 1)
    offered = [level.stride for level in stages[i].spec.decoder]
    wanted = stages[following].spec.inputs
    missing = [level for level in wanted if level.stride not in offered]
    if missing:
        raise WiringError(
            f"{_name(stages, following)} declares inputs {describe_levels(wanted)}, but the decoder of {_name(stages, i)} gives "
            f"{describe_levels(stages[i].spec.decoder)}: there is nothing to restore at stride {missing[0].stride}; give "
            f"{_name(stages, i)} a decoder level of that stride, or {_name(stages, following)} fewer inputs"
        )
    return tuple(offered.index(level.stride) for level in wanted)
