"""The contract between stages: what a stage declares, and what it does."""

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
    """All that the rest of the library may know about a stage.

    Attributes:
        inputs: what ``encode`` starts from.
        encoder: what ``encode`` returns, finest first.
        decoder: what ``decode`` returns, finest first.
        guidance: what ``encode`` needs from the stage before; empty if nothing.
        multiple: height and width at stride 1 must be multiples of this, in both halves; that strides divide them is understood.
    """

    inputs: tuple[Level, ...]
    encoder: tuple[Level, ...]
    decoder: tuple[Level, ...]
    guidance: tuple[Level, ...] = ()
    multiple: int = 1


def unchanged(encoded: Pyramid) -> Pyramid:
    """Return features as they are."""
    return encoded


class Stage(nn.Module, ABC):
    """Features in, features out, in two halves; knows no image, no grid and no other stage.

    A stage is written as :meth:`encode` and :meth:`decode`. Networks call the stage, which runs both, so that hooks fire.

    Attributes:
        spec: what the stage declares.
        description: the arguments that it was made with, as data.
    """

    spec: StageSpec
    description: dict[str, Any]

    def __init_subclass__(cls) -> None:
        """Let every stage remember what it was made with, so that a network can be written down."""
        super().__init_subclass__()
        remember_arguments(cls)

    def forward(
        self, inputs: Pyramid, guidance: Pyramid = (), between: Callable[[Pyramid], Pyramid] = unchanged
    ) -> tuple[Pyramid, Pyramid]:
        """Return what both halves of the stage give, as ``spec.encoder`` and ``spec.decoder`` declare.

        Args:
            inputs: features as in ``spec.inputs``.
            guidance: features from the stage before, as in ``spec.guidance``.
            between: what happens to encoded features before they are decoded and returned; a network cuts them into other patches.
        """
        encoded = between(self.encode(inputs, guidance))
        return encoded, self.decode(encoded)

    @abstractmethod
    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the pyramid that ``spec.encoder`` declares.

        Args:
            inputs: features as in ``spec.inputs``.
            guidance: features from the stage before, as in ``spec.guidance``; the stage must use all of them.
        """

    @abstractmethod
    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the pyramid that ``spec.decoder`` declares.

        Args:
            encoded: what ``encode`` returned, possibly cut into other patches.
        """


def least_side(levels: Sequence[Level], *rows: Iterable[nn.Module]) -> int:
    """Return what sides at stride 1 must be multiples of, so that modules of all levels take them: a spec's ``multiple``.

    Args:
        levels: levels of a stage.
        *rows: modules that work at the first level, at the second, and so on; rows may be shorter than ``levels``.
    """
    return math.lcm(*(level.stride * multiple_of(module) for row in rows for level, module in zip(levels, row, strict=False)))


def describe_levels(levels: Sequence[Level]) -> str:
    """Return levels as error messages say them."""
    return "(" + ", ".join(f"{level.width} at stride {level.stride}" for level in levels) + ")"


def level_modules(modules: nn.Module) -> Iterator[nn.Module]:
    """Return the modules of the levels in a list of lists, finest first; to the type checker, its entries are just modules."""
    return iter(cast(nn.ModuleList, modules))
