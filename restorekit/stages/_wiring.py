"""Checks of a network's wiring: whether stages, grids, connectors and images fit together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from restorekit.blocks import multiple_of
from restorekit.errors import ConfigError, WiringError
from restorekit.network import Condition, ImageSpec
from restorekit.ops import WHOLE, Grid
from restorekit.parts import Part, factories
from restorekit.stages._base import Stage, StageSpec, describe_levels
from restorekit.stages._transition import Transition

ADVICE = {
    "head": "'direct' (adds no image), 'residual_head' with of=[...] (the input channels that are the image), or 'pixel_shuffle' "
    "with the scale",
    "supervise": "'none', 'sam' or 'plain' with of=[...] (the input channels that are the image; [] adds none), or "
    "{'name': 'head', 'head': ...} with a head that fits",
}


def connector_factories(
    role: str, part: Part | Sequence[Part], count: int, *, exactly: bool = False
) -> list[Callable[..., nn.Module]]:
    """Return the factories of connectors, from one part for all or a list with one for each; their errors name the role.

    Args:
        role: role of the connectors.
        part: the part, or a list.
        count: how many are needed, for the scales of images or, with ``exactly``, for the places between stages.
        exactly: whether a list must not be longer.
    """
    if exactly and isinstance(part, Sequence) and not isinstance(part, str) and len(part) != count:
        raise WiringError(
            f"{role} is a list of {len(part)} parts, but there are {count} places between two stages; give one for each"
        )
    try:
        makes = factories(role, part, count)
    except ConfigError as error:
        raise WiringError(str(error)) from error

    def named(make: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        def build(*arguments: Any) -> nn.Module:
            try:
                return make(*arguments)
            except ValueError as error:
                raise WiringError(f"{role}: {error}") from error

        return build

    return [named(make) for make in makes]


def _name(stages: Sequence[Stage], i: int) -> str:
    """Return number and class of a stage, for messages."""
    return f"stage {i + 1} ({type(stages[i]).__name__})"


def check_stages(stages: Sequence[Stage]) -> None:
    """Raise unless there are stages that declare their inputs and outputs."""
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


def checked_grids(stages: Sequence[Stage], grids: Sequence[Sequence[int]] | None) -> tuple[Grid, ...]:
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


def check_specs(stages: Sequence[Stage]) -> None:
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


def levels_handed_on(stages: Sequence[Stage], i: int) -> tuple[int, ...]:
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


def levels_restored(
    stages: Sequence[Stage], handed_on: Sequence[Sequence[int]], supervised_at: Sequence[Sequence[int]] | None
) -> list[tuple[int, ...]]:
    """Return, for each stage, the decoder levels from which images are restored although no next stage starts there.

    Args:
        stages: the stages.
        handed_on: for each stage, the levels that the next one starts from.
        supervised_at: for each stage, the strides at which images are restored; by default those of these levels.
    """
    if supervised_at is None:
        return [()] * len(stages)
    found = []
    for i, strides in enumerate(checked_lists("supervised_at", stages, supervised_at)):
        name, levels = _name(stages, i), stages[i].spec.decoder
        offered, needed = [level.stride for level in levels], [levels[k].stride for k in handed_on[i]]
        if not set(needed) <= set(strides) <= set(offered):
            raise WiringError(
                f"supervised_at lists the strides {strides} for {name}; they must include {needed}, which are needed anyway, "
                f"and be among those of its decoder {describe_levels(levels)}"
            )
        found.append(tuple(offered.index(stride) for stride in sorted(set(strides) - set(needed))))
    return found


def check_coarse(stages: Sequence[Stage], coarse: Sequence[Sequence[int]], unsupervised: Sequence[bool]) -> None:
    """Raise if a stage is supervised at coarse levels only."""
    for i, (levels, none) in enumerate(zip(coarse, unsupervised, strict=False)):
        if levels and none:
            raise WiringError(
                f"supervised_at asks for coarse images of {_name(stages, i)}, which is not supervised at full size; choose "
                "another supervision than 'none' after it, such as 'plain'"
            )


def fusion(stages: Sequence[Stage], source: int, target: int, make: Callable[..., nn.Module]) -> nn.Module:
    """Return the fusion that turns features of one stage into guidance for another."""
    try:
        return make(stages[source].spec, stages[target].spec.guidance)
    except WiringError as error:
        raise WiringError(f"between {_name(stages, source)} and {_name(stages, target)}: {error}") from error


def checked_lists(argument: str, stages: Sequence[Stage], lists: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return one list of numbers for each stage."""
    if len(lists) != len(stages) or not all(isinstance(numbers, Sequence) for numbers in lists):
        raise WiringError(f"{argument} must be {len(stages)} lists of numbers, one for each stage; got {list(lists)}")
    return [list(numbers) for numbers in lists]


def guiding_stages(stages: Sequence[Stage], guided_by: Sequence[Sequence[int]] | None) -> tuple[tuple[int, ...], ...]:
    """Return the indexes of the stages that guide each stage: by default the one before it, if it takes guidance."""
    if guided_by is None:
        spec = stages[0].spec
        if spec.guidance and stages[0] not in stages[1:]:
            raise WiringError(
                f"{_name(stages, 0)} declares guidance {describe_levels(spec.guidance)}, but there is no stage before it; "
                "build it with guided=False, or start it from zeros with guided_by=[[], ...]"
            )
        return tuple((i - 1,) if i and stage.spec.guidance else () for i, stage in enumerate(stages))
    for i, sources in enumerate(checked_lists("guided_by", stages, guided_by)):
        name = _name(stages, i)
        if not all(0 <= source < i for source in sources) or len(set(sources)) < len(sources):
            raise WiringError(
                f"guided_by lists {sources} for {name}; these must be different indexes of earlier stages, "
                + (f"from 0 to {i - 1}" if i else "and the first has none")
            )
        if sources and not stages[i].spec.guidance:
            raise WiringError(f"guided_by lists {sources} for {name}, which takes no guidance; build it with guided=True")
    return tuple(map(tuple, guided_by))


def checked_conditions(conditions: Sequence[str | Condition]) -> tuple[Condition, ...]:
    """Return conditions, which may be given by name."""
    if isinstance(conditions, str):
        raise WiringError(f"conditions must be a list, such as [{conditions!r}]; got {conditions!r}")
    try:
        found = tuple(Condition(each) if isinstance(each, str) else each for each in conditions)
    except ValueError as error:
        raise WiringError(str(error)) from error
    names = [condition.name for condition in found]
    if len(set(names)) < len(names):
        raise WiringError(f"conditions have the names {names}; give each another one")
    return found


def check_images(transitions: Sequence[Transition], image_channels: int, output: ImageSpec) -> None:
    """Raise unless all connectors restore images as a network declares; they are tried with a small one.

    Args:
        transitions: the transitions of the network.
        image_channels: channels of the degraded image.
        output: the restored image that the network declares.
    """
    for gap in transitions:
        for role, modules, takes, _ in gap.connections:
            if role in ADVICE:
                for module, ((features,), _) in zip(modules, takes, strict=True):
                    _check_image(role, module, features.width, image_channels, output)


def _check_image(role: str, module: nn.Module, width: int, image_channels: int, output: ImageSpec) -> None:
    side = 2 * multiple_of(module)
    like = next(module.parameters(), torch.empty(0))
    features, image = (torch.zeros(1, channels, side, side).to(like) for channels in (width, image_channels))
    wanted = (1, output.channels, side * output.scale, side * output.scale)
    try:
        with torch.no_grad():
            restored = module(features, image)
    except (RuntimeError, TypeError, IndexError) as error:
        reason = str(error).partition("\n")[0]
    else:
        restored = restored[1] if role == "supervise" else restored
        if restored is None or restored.shape == wanted:
            return
        reason = f"it gives {restored.shape[1]} channels at scale {restored.shape[-1] // side}"
    raise WiringError(
        f"{role}: {type(module).__name__} cannot restore an image of {output.channels} channels at scale {output.scale} from "
        f"one of {image_channels} channels ({reason}); choose {ADVICE[role]}"
    )
