"""Transitions: the connectors before the first stage, between two stages, and after the last."""

import itertools
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add, itemgetter
from typing import Any, NamedTuple

from torch import Tensor, nn

from restorekit.ops import Grid, Pyramid, ScaleMode, downscale, join, split
from restorekit.stages._base import Level


class Handover(NamedTuple):
    """The result of a transition for the features of a stage.

    Attributes:
        images: restored images of the previous stage, from coarse to fine; empty if it is not supervised.
        inputs: inputs of the next stage.
        guidance: guidance for the next stage.
    """

    images: list[Tensor]
    inputs: Pyramid
    guidance: Pyramid


class Connection(NamedTuple):
    """Connectors of one role: one for each scale of the image, or one fusion for each stage that guides the next.

    Attributes:
        role: ``"stem"``, ``"join"``, ``"supervise"``, ``"fuse"`` or ``"head"``.
        modules: the connectors, finest scale first.
        takes: the pyramids that each of them takes.
        gives: the levels that they return together.
    """

    role: str
    modules: tuple[nn.Module, ...]
    takes: tuple[tuple[tuple[Level, ...], ...], ...]
    gives: tuple[Level, ...]

    def run(self, inputs: Pyramid) -> list[Any]:
        """Return the result of each module for its share of tensors of the levels in ``takes``."""
        given = iter(inputs)
        results = []
        for module, pyramids in zip(self.modules, self.takes, strict=True):
            shares = [tuple(itertools.islice(given, len(levels))) for levels in pyramids]
            results.append(module(*(shares if self.role == "fuse" else itertools.chain(*shares))))
        return results


class Transition(NamedTuple):
    """A gap between stages with all its connectors, on the grid of the next stage.

    Supervision comes first, then stems, joins and fusions, and heads for coarse images that the next stage does not need. Before
    the first stage there are only stems, after the last only heads. A transition owns no parameters: its modules are in the lists
    of the network, whose names are used in checkpoints.

    Attributes:
        grid: patches that all connectors run on: those of the next stage, or the whole image after the last.
        scales: the image at each scale, as levels, without the channels of conditions.
        scale_mode: how the image is made smaller.
        supervised: the decoder levels of the previous stage that are supervised and handed on.
        restored: the decoder levels of the previous stage that heads restore images from.
        connections: the connectors, in the order in which they run.
    """

    grid: Grid
    scales: tuple[Level, ...]
    scale_mode: ScaleMode
    supervised: tuple[int, ...]
    restored: tuple[int, ...]
    connections: tuple[Connection, ...]


def begin(gap: Transition, image: Tensor) -> Pyramid:
    """Return the inputs of the first stage."""
    return tuple(stem(patch) for stem, patch in zip(_modules(gap, "stem"), _patches(gap, image), strict=True))


def hand_over(
    gap: Transition,
    image: Tensor,
    decoded: Pyramid,
    sources: Sequence[tuple[Pyramid, Pyramid]],
    *,
    coarse: bool = True,
    last: bool = False,
) -> Handover:
    """Return the restored images of the previous stage, and the inputs and guidance of the next.

    Args:
        gap: the transition between the two.
        image: the degraded image, with conditions.
        decoded: decoded features of the previous stage, on the grid of this transition.
        sources: encoded and decoded features of each stage that guides the next, on the same grid.
        coarse: whether to restore images at coarser scales that the next stage does not need, too.
        last: whether only images are needed, if there are any.
    """
    patches = _patches(gap, image)
    features = [decoded[k] for k in gap.supervised]
    supervisors = zip(_modules(gap, "supervise"), features, patches, gap.scales, strict=True)
    supervised = [supervise(x, _image(patch, level)) for supervise, x, patch, level in supervisors]
    images = [(level.stride, restored) for level, (_, restored) in zip(gap.scales, supervised, strict=True) if restored is not None]
    if coarse:
        images += _by_heads(gap, image, decoded)
    restored = [join(restored, gap.grid) for _, restored in sorted(images, key=itemgetter(0), reverse=True)]
    if images and last:
        return Handover(restored, (), ())
    entries = zip(_modules(gap, "join"), _modules(gap, "stem"), patches, supervised, strict=True)
    inputs = tuple(connect(stem(patch), attended) for connect, stem, patch, (attended, _) in entries)
    fused = [fuse(*halves) for fuse, halves in zip(_modules(gap, "fuse"), sources, strict=False)]
    return Handover(restored, inputs, tuple(reduce(add, levels) for levels in zip(*fused, strict=True)))


def finish(gap: Transition, image: Tensor, decoded: Pyramid, *, coarse: bool = True) -> Handover:
    """Return the images of the last stage, from coarse to fine.

    Args:
        gap: the transition after the last stage.
        image: the degraded image, with conditions.
        decoded: decoded features of the last stage.
        coarse: whether to return images at coarser scales than the result, too.
    """
    images = _by_heads(gap, image, decoded, None if coarse else 1)
    return Handover([restored for _, restored in sorted(images, key=itemgetter(0), reverse=True)], (), ())


def _by_heads(gap: Transition, image: Tensor, decoded: Pyramid, count: int | None = None) -> list[tuple[int, Tensor]]:
    """Return the images that heads restore, with their strides; only the first ones if there is a count."""
    found = []
    for connection in gap.connections:
        if connection.role == "head":
            for head, k, ((level,), (scale,)) in list(zip(connection.modules, gap.restored, connection.takes, strict=True))[:count]:
                found.append((level.stride, head(decoded[k], _image(_patch(gap, image, level.stride), scale))))
    return found


def connectors(role: str, modules: Iterable[nn.Module], takes: Sequence[tuple[Level, ...]], gives: Sequence[Level]) -> Connection:
    """Return a connection with one connector per scale, each of which takes features of some levels."""
    pyramids = tuple(tuple((level,) for level in levels) for levels in takes)
    return Connection(role, tuple(modules), pyramids, tuple(gives))


def _modules(gap: Transition, role: str) -> tuple[nn.Module, ...]:
    """Return the connectors of a role."""
    (modules,) = (connection.modules for connection in gap.connections if connection.role == role)
    return modules


def _patches(gap: Transition, image: Tensor) -> list[Tensor]:
    """Return the patches of the image at each scale, with conditions."""
    return [_patch(gap, image, level.stride) for level in gap.scales]


def _patch(gap: Transition, image: Tensor, stride: int) -> Tensor:
    return split(downscale(image, stride, gap.scale_mode), gap.grid)


def _image(patch: Tensor, level: Level) -> Tensor:
    """Return a patch of the image without conditions."""
    return patch if patch.shape[1] == level.width else patch[:, : level.width]
