"""Passes: functions that return a network which gives the same, or nearly the same, result in another way."""

from restorekit.inference.passes._local_pooling import LocalMean, LocalNormalisation, local_pooling
from restorekit.inference.passes._winograd import WinogradConv2d, gains_by_winograd, use_winograd

__all__ = ["LocalMean", "LocalNormalisation", "WinogradConv2d", "gains_by_winograd", "local_pooling", "use_winograd"]

__dir__ = __all__.copy
