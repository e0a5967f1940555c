"""The contract between stages: what a stage declares, and what it does."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from restorekit.ops import Pyramid


class WiringError(ValueError):
    """Stages that do not fit together; the message names them, what they declare and what to change."""


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
    """

    inputs: tuple[Level, ...]
    encoder: tuple[Level, ...]
    decoder: tuple[Level, ...]
    guidance: tuple[Level, ...] = ()


class Stage(nn.Module, ABC):
    """Features in, features out, in two halves; knows no image, no grid and no other stage."""

    spec: StageSpec

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
