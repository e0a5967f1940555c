"""Transitions: the connectors before the first stage, between two stages, and after the last."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from restorekit.ops import Grid, Pyramid, ScaleMode, downscale, join, split
from restorekit.stages._base import Level, level_modules


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
    """Connectors of one role: one for each scale of the image, or the one fusion.

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

    Supervision comes first, then stems, joins and the fusion. Before the first stage there are only stems, after the last only
    heads. A transition owns no parameters: its modules are in the lists of the network, whose names are used in checkpoints.

    Attributes:
        grid: patches that all connectors run on: those of the next stage, or the whole image after the last.
        scales: the image at each scale, as levels.
        scale_mode: how the image is made smaller.
        supervised: the decoder levels of the previous stage from which images are restored.
        connections: the connectors, in the order in which they run.
    """

    grid: Grid
    scales: tuple[Level, ...]
    scale_mode: ScaleMode
    supervised: tuple[int, ...]
    connections: tuple[Connection, ...]


def begin(gap: Transition, image: Tensor) -> Pyramid:
    """Return the inputs of the first stage."""
    return tuple(stem(patch) for stem, patch in zip(_modules(gap, "stem"), _patches(gap, image), strict=True))


def hand_over(gap: Transition, image: Tensor, encoded: Pyramid, decoded: Pyramid, *, last: bool = False) -> Handover:
    """Return the restored images of the previous stage, and the inputs and guidance of the next.

    Args:
        gap: the transition between the two.
        image: the degraded image.
        encoded: encoded features of the previous stage, on the grid of this transition.
        decoded: its decoded features.
        last: whether only images are needed, if there are any.
    """
    features = [decoded[k] for k in gap.supervised]
    patches = _patches(gap, image)
    supervised = [supervise(x, patch) for supervise, x, patch in zip(_modules(gap, "supervise"), features, patches, strict=True)]
    images = [join(restored, gap.grid) for _, restored in reversed(supervised) if restored is not None]
    if images and last:
        return Handover(images, (), ())
    entries = zip(_modules(gap, "join"), _modules(gap, "stem"), patches, supervised, strict=True)
    inputs = tuple(connect(stem(patch), attended) for connect, stem, patch, (attended, _) in entries)
    (fuse,) = _modules(gap, "fuse")
    return Handover(images, inputs, fuse(encoded, decoded))


def finish(gap: Transition, image: Tensor, decoded: Pyramid, *, coarse: bool = True) -> Handover:
    """Return the images of the last stage, from coarse to fine.

    Args:
        gap: the transition after the last stage.
        image: the degraded image.
        decoded: decoded features of the last stage.
        coarse: whether to return images at coarser scales than the result, too.
    """
    features = [decoded[k] for k in gap.supervised]
    heads = _modules(gap, "head")[: None if coarse else 1]
    images = [head(x, patch) for head, x, patch in zip(heads, features, _patches(gap, image), strict=False)]
    return Handover(images[::-1], (), ())


def connectors(role: str, modules: nn.Module, takes: Sequence[tuple[Level, ...]], gives: Sequence[Level]) -> Connection:
    """Return a connection with one connector per scale, each of which takes features of some levels."""
    pyramids = tuple(tuple((level,) for level in levels) for levels in takes)
    return Connection(role, tuple(level_modules(modules)), pyramids, tuple(gives))


def _modules(gap: Transition, role: str) -> tuple[nn.Module, ...]:
    """Return the connectors of a role."""
    (modules,) = (connection.modules for connection in gap.connections if connection.role == role)
    return modules


def _patches(gap: Transition, image: Tensor) -> list[Tensor]:
    """Return the patches of the image at each scale."""
    return [split(downscale(image, level.stride, gap.scale_mode), gap.grid) for level in gap.scales]
