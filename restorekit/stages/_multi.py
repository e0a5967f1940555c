"""Stages in a row: the one module that deals with images and patches."""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit._lazy import deferred
from restorekit.blocks import NoSupervision, multiple_of
from restorekit.errors import WiringError
from restorekit.network import Condition, ImageSpec, Padding, RestorationNetwork
from restorekit.ops import Grid, Pyramid, ScaleMode, least_multiple, regrid_pyramid
from restorekit.parts import FuseLike, HeadLike, JoinLike, StemLike, SuperviseLike, remember_arguments
from restorekit.stages import _wiring as wiring
from restorekit.stages._base import Level, Stage, level_modules
from restorekit.stages._config import network_config
from restorekit.stages._fusion import NoFusion
from restorekit.stages._transition import Connection, Handover, Transition, begin, connectors, finish, hand_over

Halves = tuple[Pyramid, Pyramid]  # encoded and decoded features of a stage
Make = Callable[..., nn.Module]


class MultiStage(RestorationNetwork):
    """Runs stages in a row, each on its own grid of patches, and builds the connectors between them.

    A stage encodes on its grid. Everything after that (decode, supervised attention, feature fusion) runs on the grid of the
    next stage, and on the whole image after the last. Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.
    If a stage declares inputs at several strides, it gets the image at these scales, and the previous stage is supervised at each
    of them, as in Tu et al., CVPR 2022, arXiv:2201.02973.
    A stage that is listed several times runs several times, with the same weights, which are stored once. If its first run takes
    guidance but has no earlier stage, it gets zeros: the initial state of a recurrence.

    Every connector is given as a factory, by its registered name, or as a mapping of name and arguments.

    Args:
        stages: the stages, in order; the same one may be listed several times.
        grids: (rows, columns) of patches that each stage encodes on; by default all work on the whole image.
        image_channels: channels of the degraded image.
        output: channels and scale of the restored image; by default those of the degraded one.
        conditions: further channels of the input that are not an image, such as a noise level, by name; stems see them, and
            :func:`restorekit.restore` takes their values.
        stem: makes the module that turns an image and the conditions into features, from (their channels, width); or a list of
            factories, one for each scale, finest first.
        join: makes the module that turns stem features and attended features into an input of a stage, from
            (width of either, width of the input); or a list of factories, one for each scale.
        supervise: makes the module between two stages that restores an image and selects features, from (width, channels of the
            restored image); or a list of factories, one for each place between two stages.
        fuse: makes the module that turns encoded and decoded features of a stage into guidance for a later one, from
            (spec of the stage, levels of guidance); or a list of factories, one for each place between two stages.
        head: makes the module that restores the final image, from (width, channels of the restored image); or a list of factories,
            one for each scale.
        supervised_at: for each stage, the strides at which images are restored from its decoder; by default those that the next
            stage starts from, and for the last stage those that it starts from itself. Further ones get a head.
        guided_by: for each stage, indexes of the earlier stages whose fused features are its guidance, added up; by default
            the previous one. With an empty list, a stage that takes guidance gets zeros.
        scale_mode: how an image is made smaller for the coarser inputs of a stage: ``"area"``, ``"nearest"`` or ``"corner"``.
        padding: where :func:`restorekit.restore` pads images: ``"corner"`` (below and on the right) or ``"centre"`` (on all sides).
        tile: side of the largest tiles that :func:`restorekit.restore` uses by default; None for whole images if they fit.

    Attributes:
        order: for each run of a stage, in order, its index in ``stages``, which contains each stage once.
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
        output: ImageSpec | None = None,
        conditions: Sequence[str | Condition] = (),
        stem: StemLike | Sequence[StemLike] = "conv",
        join: JoinLike | Sequence[JoinLike] = "concat",
        supervise: SuperviseLike | Sequence[SuperviseLike] = "sam",
        fuse: FuseLike | Sequence[FuseLike] = "csff",
        head: HeadLike | Sequence[HeadLike] = "residual_head",
        supervised_at: Sequence[Sequence[int]] | None = None,
        guided_by: Sequence[Sequence[int]] | None = None,
        scale_mode: ScaleMode = "area",
        padding: Padding = "corner",
        tile: int | None = None,
    ) -> None:
        super().__init__()
        wiring.check_stages(stages)
        self.grids = wiring.checked_grids(stages, grids)
        wiring.check_specs(stages)
        if image_channels < 1:
            raise WiringError(f"image_channels must be at least 1; got {image_channels}")
        if tile is not None and tile < 1:
            raise WiringError(f"tile must be at least 1 pixel, or None; got {tile}")
        self.image_channels = image_channels
        self.output = ImageSpec(image_channels) if output is None else ImageSpec(output.channels or image_channels, output.scale)
        self.conditions = wiring.checked_conditions(conditions)
        self.scale_mode = scale_mode
        self.padding = padding
        self.tile = tile
        self.stages = nn.ModuleList(dict.fromkeys(stages))
        self.order = tuple(list(self.stages).index(stage) for stage in stages)
        self.sources = wiring.guiding_stages(stages, guided_by)
        specs = [stage.spec for stage in stages]
        # The scales of the images that enter the first stage and leave each stage; the decoder levels that they come from, because
        # the next stage starts there; and further levels that are only supervised.
        self.strides = [[level.stride for level in spec.inputs] for spec in (*specs, specs[-1])]
        self.supervised = [wiring.levels_handed_on(stages, i) for i in range(len(stages))]
        self.coarse = wiring.levels_restored(stages, self.supervised, supervised_at)
        num_scales, between = [len(strides) for strides in self.strides], len(stages) - 1
        self._build(
            stages,
            stems=wiring.connector_factories("stem", stem, max(num_scales)),
            joins=wiring.connector_factories("join", join, max(num_scales[1:-1], default=0)),
            supervisors=wiring.connector_factories("supervise", supervise, between, exactly=True),
            fusions=wiring.connector_factories("fuse", fuse, between, exactly=True),
            heads=wiring.connector_factories("head", head, max(map(len, map(operator.add, self.supervised, self.coarse)))),
        )
        wiring.check_images(self.transitions, self.image_channels, self.output)
        unsupervised = [isinstance(next(level_modules(modules)), NoSupervision) for modules in self.supervisors]
        wiring.check_coarse(stages, self.coarse, unsupervised)
        self.num_supervised = len(stages) - sum(unsupervised)
        self.optional = {f"heads.{k}": f"the last stage's image at 1/{stride}" for k, stride in enumerate(self.strides[-1]) if k}
        self.size_multiple = least_multiple([*self._sizes_of_stages(), *self._sizes_between()])

    def _build(
        self,
        stages: Sequence[Stage],
        *,
        stems: Sequence[Make],
        joins: Sequence[Make],
        supervisors: Sequence[Make],
        fusions: Sequence[Make],
        heads: Sequence[Make],
    ) -> None:
        """Build the connectors: stems, joins and heads for each scale, supervisors and fusions for each place between stages."""
        specs, channels = [stage.spec for stage in stages], self.output_channels

        def head(i: int, k: int) -> nn.Module:
            """Return the head for a decoder level of a stage."""
            strides = sorted(specs[i].decoder[each].stride for each in self.supervised[i] + self.coarse[i])
            return heads[strides.index(specs[i].decoder[k].stride)](specs[i].decoder[k].width, channels)

        def scales(makes: Sequence[Make], *widths: Sequence[int]) -> nn.ModuleList:
            """Return a connector for each scale."""
            return nn.ModuleList(make(*each) for make, *each in zip(makes, *widths, strict=False))

        inputs = [[level.width for level in spec.inputs] for spec in specs]
        self.stems = nn.ModuleList([scales(stems, [self.input_channels] * len(inputs[0]), inputs[0])])
        self.supervisors, self.joins, self.fusions = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i in range(len(stages) - 1):
            attended = [specs[i].decoder[k].width for k in self.supervised[i]]
            self.supervisors.append(nn.ModuleList(supervisors[i](width, channels) for width in attended))
            self.stems.append(scales(stems, [self.input_channels] * len(attended), attended))
            self.joins.append(scales(joins, attended, inputs[i + 1]))
            fuse = [wiring.fusion(stages, source, i + 1, fusions[i]) for source in self.sources[i + 1]] or [NoFusion(specs[i], ())]
            self.fusions.append(fuse[0] if len(fuse) == 1 else nn.ModuleList(fuse))
        self.heads = nn.ModuleList(head(-1, k) for k in self.supervised[-1])
        self.coarse_heads = nn.ModuleList(nn.ModuleList(head(i, k) for k in self.coarse[i]) for i in range(len(stages)))

    @property
    def config(self) -> dict[str, Any]:
        """The network as plain data; :func:`restorekit.compose` builds the same network from it.

        Raises:
            ConfigError: if a part is not registered; the message names it.
        """
        return network_config(self.description)

    @property
    def runs(self) -> tuple[Stage, ...]:
        """The stages in the order in which they run; one that runs several times is listed several times."""
        return tuple(cast(Stage, self.stages[i]) for i in self.order)

    def forward_stages(self, image: Float[Tensor, "n c h w"], *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        """Return the restored images of all supervised stages in order, with the result last; not clamped.

        A stage that is supervised at several scales returns its images from coarse to fine.

        Args:
            image: degraded image in [0, 1], followed by the channels of the conditions.
            stages: how many supervised stages to run; by default all.
            coarse: whether to return images at coarser scales that neither the result nor a later stage needs.

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
        kept: dict[int, Halves] = {}  # features of stages that guide later ones
        for i in range(len(self.order)):
            images, inputs, guidance = self._run_stage(i, image, inputs, guidance, kept, coarse=coarse, last=missing == 1)
            restored += images
            missing -= bool(images)
            if missing == 0:
                break
        return restored

    def _run_stage(
        self, i: int, image: Tensor, inputs: Pyramid, guidance: Pyramid, kept: dict[int, Halves], *, coarse: bool, last: bool
    ) -> Handover:
        """Run a stage and the connectors after it, up to an image if it is the ``last`` one needed.

        All features that no later stage needs are released on return, so that the next stage can use their memory.
        """
        after, stage = self._transition(i + 1), cast(Stage, self.stages[self.order[i]])
        guidance = guidance or _zeros(stage.spec.guidance, inputs[0])
        encoded, decoded = stage(inputs, guidance, partial(regrid_pyramid, old=self.grids[i], new=after.grid))
        if i == len(self.order) - 1:
            return finish(after, image, decoded, coarse=coarse)
        kept[i] = encoded, decoded
        features = [_regridded(kept[source], self.grids[source + 1], after.grid) for source in self.sources[i + 1] or [i]]
        needed = {source for sources in self.sources[i + 2 :] for source in sources}
        for unneeded in kept.keys() - needed:
            del kept[unneeded]
        return hand_over(after, image, decoded, features, coarse=coarse, last=last)

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """The transitions before the first stage, between each two, and after the last, in order."""
        return tuple(self._transition(i) for i in range(len(self.order) + 1))

    def _transition(self, i: int) -> Transition:
        """Return the transition before a stage, or after the last: a view of the current modules of the network."""
        specs = [stage.spec for stage in self.runs]
        scales = tuple(Level(self.image_channels, stride) for stride in self.strides[i])
        handed_on = self.supervised[i - 1] if i else ()
        features = [specs[i - 1].decoder[k] for k in handed_on] if i else specs[0].inputs
        given = [(Level(self.input_channels, level.stride),) for level in scales]
        stems = [connectors("stem", level_modules(self.stems[i]), given, features)] if i < len(specs) else []
        if i == 0:
            return Transition(self.grids[i], scales, self.scale_mode, (), (), tuple(stems))
        connections, restored, heads = stems, self.coarse[i - 1], list(level_modules(self.coarse_heads[i - 1]))
        if i == len(specs):
            restored, heads = handed_on + restored, [*level_modules(self.heads), *heads]
        else:
            target, sources = specs[i], [specs[source] for source in self.sources[i]] or [specs[i - 1]]
            fusions = self.fusions[i - 1]
            images = list(zip(features, scales, strict=True))
            connections = [
                connectors("supervise", level_modules(self.supervisors[i - 1]), images, features),
                *stems,
                connectors("join", level_modules(self.joins[i - 1]), [(x, x) for x in features], target.inputs),
                Connection(
                    "fuse",
                    tuple(fusions) if isinstance(fusions, nn.ModuleList) else (fusions,),
                    tuple((source.encoder, source.decoder) for source in sources),
                    target.guidance,
                ),
            ]
        if heads:
            levels = [specs[i - 1].decoder[k] for k in restored]
            images = [(level, Level(self.image_channels, level.stride)) for level in levels]
            gives = [Level(self.output_channels, level.stride) for level in levels]
            connections.append(connectors("head", heads, images, gives))
        return Transition(self.grids[i], scales, self.scale_mode, handed_on, restored, tuple(connections))

    def use_grids(self, grids: Sequence[Sequence[int]]) -> None:
        """Make the stages work on other patches from now on.

        Args:
            grids: (rows, columns) of patches that each stage encodes on.

        Raises:
            WiringError: if the number of grids and stages differ.
        """
        self.grids = wiring.checked_grids(self.runs, grids)
        self.description["grids"] = [list(grid) for grid in self.grids[:-1]]
        self.size_multiple = least_multiple([*self._sizes_of_stages(), *self._sizes_between()])

    def _sizes_of_stages(self) -> Iterator[tuple[Grid, int]]:
        """Return the grids that stages work on, or guide others on, with what sides of their patches must be multiples of."""
        for i, spec in enumerate(stage.spec for stage in self.runs):
            guided = [target for target, sources in enumerate(self.sources) if i in sources]
            yield self.grids[i], math.lcm(spec.multiple, *(level.stride for level in spec.inputs + spec.encoder))
            for place in (i + 1, *guided):
                yield self.grids[place], math.lcm(spec.multiple, *(level.stride for level in spec.encoder + spec.decoder))

    def _sizes_between(self) -> Iterator[tuple[Grid, int]]:
        """Return the same for the connectors between the stages."""
        for transition in self.transitions:
            for connection in transition.connections:
                if connection.role != "fuse":
                    for module, levels in zip(connection.modules, connection.takes, strict=True):
                        yield transition.grid, levels[0][0].stride * multiple_of(module)


remember_arguments(MultiStage)


def _regridded(halves: Halves, old: Grid, new: Grid) -> Halves:
    return regrid_pyramid(halves[0], old, new), regrid_pyramid(halves[1], old, new)


def _zeros(levels: Sequence[Level], x: Tensor) -> Pyramid:
    """Return guidance of zeros for a stage whose inputs at stride 1 are given."""
    number, _, height, width = x.shape
    return tuple(x.new_zeros(number, level.width, height // level.stride, width // level.stride) for level in levels)
