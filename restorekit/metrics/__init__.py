"""Image quality metrics."""

from restorekit.metrics.psnr import psnr

__all__ = ["psnr"]
