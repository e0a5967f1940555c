"""Image quality metrics."""

from restorekit.metrics.alignment import Aligned, align
from restorekit.metrics.colour import rgb_to_y
from restorekit.metrics.learned import dists, lpips
from restorekit.metrics.psnr import psnr
from restorekit.metrics.ssim import ssim, ssim_3d

__all__ = ["Aligned", "align", "dists", "lpips", "psnr", "rgb_to_y", "ssim", "ssim_3d"]
