"""Training losses: registered functions that return scalars, and modules of the same names.

Each takes the restored image and the ground truth, N x C x H x W in [0, 1], with equal shapes. All are zero or smallest if both are
equal. A file in this folder that registers a loss is discovered; the imports below only tell type checkers the names.
"""

from restorekit.losses._charbonnier import Charbonnier, charbonnier
from restorekit.losses._edge import Edge, edge
from restorekit.losses._fft import FFT, fft
from restorekit.losses._l1 import L1, l1
from restorekit.losses._psnr import PSNR, psnr
from restorekit.losses._registry import LossFunction, find_loss, list_losses, loss_arguments, register_loss
from restorekit.losses._ssim import SSIM, ssim

__all__ = [
    "FFT",
    "L1",
    "PSNR",
    "SSIM",
    "Charbonnier",
    "Edge",
    "LossFunction",
    "charbonnier",
    "edge",
    "fft",
    "find_loss",
    "l1",
    "list_losses",
    "loss_arguments",
    "psnr",
    "register_loss",
    "ssim",
]


def __getattr__(name: str) -> LossFunction:
    """Return a registered loss that is not imported above."""
    if name in list_losses():
        return find_loss(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *list_losses()})
