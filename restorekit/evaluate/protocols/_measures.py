"""Measures that protocols share, and their descriptions."""

from restorekit.images import Array
from restorekit.metrics import align, psnr, rgb_to_y, ssim, ssim_3d

VOLUME = (
    "PSNR over all RGB channels jointly, SSIM of the image as a volume (as MATLAB's ssim of an H x W x 3 array), mean over images"
)
Y = (
    "PSNR and SSIM (11 x 11 Gaussian, sigma 1.5, windows inside the image) on the luma of MATLAB's rgb2ycbcr (16..235, 8-bit), "
    "mean over images"
)
RGB = "PSNR over all RGB channels jointly, SSIM (11 x 11 Gaussian, windows inside the image) per channel, mean over images"
ALIGNED = (
    "intensity and place of the result fitted to the target (one factor; ECC homography), then PSNR over all RGB channels and SSIM "
    "per channel where the moved image has pixels, mean over images"
)


def measure_y(restored: Array, target: Array) -> dict[str, float]:
    """Return PSNR and SSIM of the luma."""
    pair = rgb_to_y(restored), rgb_to_y(target)
    return {"psnr": psnr(*pair), "ssim": ssim(*pair)}


def measure_rgb(restored: Array, target: Array) -> dict[str, float]:
    """Return PSNR of all channels jointly, and the mean SSIM of the channels."""
    return {"psnr": psnr(restored, target), "ssim": ssim(restored, target)}


def measure_volume(restored: Array, target: Array) -> dict[str, float]:
    """Return PSNR of all channels jointly, and SSIM of the image as a volume."""
    return {"psnr": psnr(restored, target), "ssim": ssim_3d(restored, target)}


def measure_aligned(restored: Array, target: Array) -> dict[str, float]:
    """Return PSNR and SSIM after alignment, where the moved image has pixels."""
    moved, fixed, mask = align(restored, target)
    return {"psnr": psnr(moved, fixed, mask=mask), "ssim": ssim(moved, fixed, mask=mask)}
