"""Passes: other ways to compute the same network, each in one file, each with the same result or nearly so.

The blocks and stages of this library read as the papers write them. Optimisations of time and memory are here, and are applied to a
network by :func:`restorekit.inference.prepare`, or by the training. Export and ``torch.compile`` see the plain network.
"""

import torch

from restorekit.inference.passes._base import Pass, rewriting
from restorekit.inference.passes._channels_last import CHANNELS_LAST
from restorekit.inference.passes._gradients import GRADIENTS
from restorekit.inference.passes._half_precision import precision
from restorekit.inference.passes._local_pooling import LocalMean, LocalNormalisation, local_pooling
from restorekit.inference.passes._reuse import REUSE
from restorekit.inference.passes._seamless import seamless
from restorekit.inference.passes._winograd import WINOGRAD, WinogradConv2d

__all__ = [
    "CHANNELS_LAST",
    "GRADIENTS",
    "REUSE",
    "WINOGRAD",
    "LocalMean",
    "LocalNormalisation",
    "Pass",
    "WinogradConv2d",
    "for_inference",
    "for_training",
    "local_pooling",
    "precision",
    "rewriting",
    "seamless",
]

__dir__ = __all__.copy


def for_inference(dtype: torch.dtype, *, compile: bool = False) -> list[Pass]:
    """Return the passes that prepare a network to restore images in a dtype, in the order in which they run.

    Args:
        dtype: dtype to compute in.
        compile: whether the network will be compiled, which fuses operations itself.
    """
    return [precision(dtype), CHANNELS_LAST, *(() if compile else (REUSE, WINOGRAD))]


def for_training(*, compile: bool = False) -> list[Pass]:
    """Return the passes that make training faster.

    Args:
        compile: whether the network will be compiled, which fuses operations itself.
    """
    return [] if compile else [REUSE, GRADIENTS]
