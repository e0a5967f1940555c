"""Training losses: functions that return scalars, and modules of the same names.

Each takes the restored image and the ground truth, N x C x H x W in [0, 1], of one shape. All are zero or smallest where both are
equal.
"""

from restorekit.losses._charbonnier import Charbonnier, charbonnier
from restorekit.losses._edge import Edge, edge
from restorekit.losses._fft import FFT, fft
from restorekit.losses._l1 import L1, l1
from restorekit.losses._psnr import PSNR, psnr
from restorekit.losses._ssim import SSIM, ssim

__all__ = ["FFT", "L1", "PSNR", "SSIM", "Charbonnier", "Edge", "charbonnier", "edge", "fft", "l1", "psnr", "ssim"]

__dir__ = __all__.copy
