"""Modules that only take features of certain sizes."""

import math
from abc import ABC, abstractmethod

from torch import nn


class SizedModule(nn.Module, ABC):
    """A module whose features must have sides that are multiples of a number.

    Stages and networks collect these numbers with :func:`multiple_of` to determine which images they take.
    """

    @property
    @abstractmethod
    def multiple(self) -> int:
        """Height and width of the features must be multiples of this; at least 1."""


def multiple_of(*modules: nn.Module) -> int:
    """Return the number whose multiples height and width must be, so that all these modules take the features.

    Args:
        *modules: modules that work at one resolution, each possibly containing others.

    Example:
        >>> from restorekit.blocks._channel_attention import ChannelAttentionBlock
        >>> from restorekit.blocks._gated_mlp import MultiAxisGatedMLP
        >>> multiple_of(ChannelAttentionBlock(8), MultiAxisGatedMLP(8, block_size=4, grid_size=(2, 6)))
        12
    """
    return math.lcm(*(part.multiple for module in modules for part in module.modules() if isinstance(part, SizedModule)))
