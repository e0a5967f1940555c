"""Alignment of a restored image with a photograph taken by another camera."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from restorekit._packages import from_extra
from restorekit.metrics._pairs import Image, comparable_batches

ITERATIONS = 100
BLUR = 5  # side of the Gaussian filter before the estimation, in pixels


class Aligned(NamedTuple):
    """Two aligned images; all tensors or arrays are floating point, with the same type and shape.

    Attributes:
        restored: the restored image, matched to the target's intensity and position.
        target: the target.
        mask: one where the moved image has a pixel of the restored image, otherwise zero.
    """

    restored: Image
    target: Image
    mask: Image


def align(restored: Image, target: Image) -> Aligned:
    """Match a restored image to the intensity and position of its target, as the RealBlur benchmark does before measuring.

    1. Intensity: one factor a = sum(target * restored) / sum(restored^2), the least-squares fit, over all channels.
    2. Place: the homography that maximises the enhanced correlation coefficient of the grey images (OpenCV's ``findTransformECC``,
       100 iterations, Gaussian filter of 5 pixels).
    3. The restored image is warped with cubic interpolation and reflected borders, an image of ones with nearest neighbours
       and zeros outside: the mask.

    Measure with ``psnr(*aligned[:2], mask=aligned.mask)``, and ``ssim`` likewise. Source: Rim et al., ECCV 2020 (RealBlur).
    Versions of OpenCV differ a little: 4.10 and 5.0 by 0.0003 dB and 0.0001 of SSIM on one of our pairs.

    Args:
        restored: 8-bit image or floating-point image in [0, 1]: an array, H x W x 3, or a tensor, N x 3 x H x W.
        target: image of the same kind and shape.

    Returns:
        Images of the same kind in [0, 1] (cubic interpolation may exceed the range a little), and the mask.

    Raises:
        ValueError: if the images do not match or do not have three channels, or the estimation does not converge.
        ModuleNotFoundError: if OpenCV is not installed.
    """
    first, second, peak = comparable_batches(restored, target)
    if first.shape[1] != 3:
        raise ValueError(f"images to align must have 3 channels; got {first.shape[1]}")
    moved, mask = [], []
    for one, other in zip(first / peak, second / peak, strict=True):
        pixels, valid = _align_one(_to_array(one), _to_array(other))
        moved.append(_to_tensor(pixels))
        mask.append(_to_tensor(valid))
    batches = (torch.stack(moved), (second / peak).float().cpu(), torch.stack(mask))
    if isinstance(restored, Tensor):
        return Aligned(*(batch.to(restored.device) for batch in batches))
    return Aligned(*(_to_array(batch[0]) for batch in batches))


def _align_one(restored: npt.NDArray[np.float32], target: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    with from_extra("evaluate", "alignment needs OpenCV"):
        import cv2
    energy = np.square(restored, dtype=np.float64).sum()
    if energy == 0:
        raise ValueError("the restored image is black and cannot be aligned; check the model's output")
    restored = (np.multiply(target, restored, dtype=np.float64).sum() / energy).astype(np.float32) * restored
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ITERATIONS, 0.0)
    grey, grey_target = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (restored, target))
    start = np.eye(3, dtype=np.float32)
    try:
        _, homography = cv2.findTransformECC(grey_target, grey, start, cv2.MOTION_HOMOGRAPHY, criteria, None, BLUR)
    except cv2.error as error:
        raise ValueError(
            "the restored image cannot be aligned with its target: the estimation does not converge; the two must show the same "
            "scene and have some texture"
        ) from error
    size = (target.shape[1], target.shape[0])
    cubic, nearest = (flag | cv2.WARP_INVERSE_MAP for flag in (cv2.INTER_CUBIC, cv2.INTER_NEAREST))
    moved = cv2.warpPerspective(restored, homography, size, flags=cubic, borderMode=cv2.BORDER_REFLECT)
    ones = np.ones_like(target)
    return moved, cv2.warpPerspective(ones, homography, size, flags=nearest, borderMode=cv2.BORDER_CONSTANT, borderValue=0)


def _to_array(image: Tensor) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(image.permute(1, 2, 0).float().cpu().numpy())


def _to_tensor(pixels: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
