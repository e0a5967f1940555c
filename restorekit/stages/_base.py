"""The contract between stages: what a stage declares, and what it computes."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from torch import nn

from restorekit.blocks import multiple_of
from restorekit.ops import Pyramid
from restorekit.parts import remember_arguments


class Level(NamedTuple):
    """One level of a pyramid: tensors of shape (n, width, h / stride, w / stride)."""

    width: int
    stride: int = 1


@dataclass(frozen=True)
class StageSpec:
    """Everything that the rest of the library may know about a stage.

    Attributes:
        inputs: inputs of ``encode``.
        encoder: results of ``encode``, finest first.
        decoder: results of ``decode``, finest first.
        guidance: guidance that ``encode`` needs from the previous stage; empty for none.
        multiple: height and width at stride 1 must be multiples of this, in both halves, in addition to the strides.
    """

    inputs: tuple[Level, ...]
    encoder: tuple[Level, ...]
    decoder: tuple[Level, ...]
    guidance: tuple[Level, ...] = ()
    multiple: int = 1


def unchanged(encoded: Pyramid) -> Pyramid:
    """Return the features unchanged."""
    return encoded


class Stage(nn.Module, ABC):
    """Maps features to features, in two halves; it does not depend on images, grids or other stages.

    A stage implements :meth:`encode` and :meth:`decode`. Networks call the stage, which runs both, so that hooks fire.

    Attributes:
        spec: what the stage declares.
        description: the arguments that it was created with, as data.
    """

    spec: StageSpec
    description: dict[str, Any]

    def __init_subclass__(cls) -> None:
        """Make every stage record its arguments, so that a network can be converted to data."""
        super().__init_subclass__()
        remember_arguments(cls)

    def forward(
        self, inputs: Pyramid, guidance: Pyramid = (), between: Callable[[Pyramid], Pyramid] = unchanged
    ) -> tuple[Pyramid, Pyramid]:
        """Return the results of both halves of the stage, as ``spec.encoder`` and ``spec.decoder`` declare.

        Args:
            inputs: features as in ``spec.inputs``.
            guidance: features from the previous stage, as in ``spec.guidance``.
            between: applied to encoded features before they are decoded and returned; a network cuts them into other patches.
        """
        encoded = between(self.encode(inputs, guidance))
        return encoded, self.decode(encoded)

    @abstractmethod
    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the pyramid that ``spec.encoder`` declares.

        Args:
            inputs: features as in ``spec.inputs``.
            guidance: features from the previous stage, as in ``spec.guidance``; the stage must use all of them.
        """

    @abstractmethod
    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the pyramid that ``spec.decoder`` declares.

        Args:
            encoded: result of ``encode``, possibly cut into other patches.
        """


def least_side(levels: Sequence[Level], *rows: Iterable[nn.Module]) -> int:
    """Return the ``multiple`` of a spec: sides at stride 1 must be multiples of it, so that modules of all levels take them.

    Args:
        levels: levels of a stage.
        *rows: modules that work at the first level, at the second, and so on; rows may be shorter than ``levels``.
    """
    return math.lcm(*(level.stride * multiple_of(module) for row in rows for level, module in zip(levels, row, strict=False)))


def describe_levels(levels: Sequence[Level]) -> str:
    """Return levels in words, for error messages."""
    return "(" + ", ".join(f"{level.width} at stride {level.stride}" for level in levels) + ")"


def level_modules(modules: nn.Module) -> Iterator[nn.Module]:
    """Return the modules of the levels in a list of lists, finest first; for the type checker, its entries are just modules."""
    return iter(cast(nn.ModuleList, modules))
