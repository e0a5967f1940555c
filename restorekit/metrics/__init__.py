"""Image quality metrics."""

from restorekit.metrics._alignment import Aligned, align
from restorekit.metrics._colour import rgb_to_y
from restorekit.metrics._learned import dists, lpips
from restorekit.metrics._psnr import psnr
from restorekit.metrics._ssim import SSIM_RADIUS, ssim, ssim_3d, ssim_map

__all__ = ["SSIM_RADIUS", "Aligned", "align", "dists", "lpips", "psnr", "rgb_to_y", "ssim", "ssim_3d", "ssim_map"]

__dir__ = __all__.copy
