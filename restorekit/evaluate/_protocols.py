"""The protocols of published data sets: which images, which colours, which metrics, which means."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from restorekit.data import GaussianNoise, PairPaths, degrade, folders, gopro, hide, rain_test, read_pair, read_rgb, realblur
from restorekit.errors import DataError
from restorekit.evaluate._mat import read_array
from restorekit.images import Array, Pixels, find_images
from restorekit.metrics import align, psnr, rgb_to_y, ssim, ssim_3d
from restorekit.parts import did_you_mean

Measure = Callable[[Array, Array], dict[str, float]]
"""Function of the restored image and its target, both 8-bit or both float in [0, 1], H x W x 3."""


class Example(NamedTuple):
    """An image to restore, with its target.

    Attributes:
        name: of the image in its set.
        read: returns the degraded image and the target, 8-bit RGB.
    """

    name: str
    read: Callable[[], tuple[Pixels, Pixels]]


@dataclass(frozen=True)
class Protocol:
    """How a data set is measured.

    Attributes:
        name: what ``--protocol`` takes.
        definition: the protocol in words; it is written beside every result.
        find: returns the examples of a folder, by set.
        measure: PSNR and SSIM of one restored image.
        counts: how many images the published sets have; only complete sets are compared with published figures.
        quantised: whether results are rounded to 8 bits, as in a PNG file, before they are measured.
    """

    name: str
    definition: str
    find: Callable[[Path], Mapping[str, Sequence[Example]]]
    measure: Measure
    counts: Mapping[str, int]
    quantised: bool = True


def find_protocol(name: str) -> Protocol:
    """Return the protocol of a name: one of :data:`PROTOCOLS`, or ``gaussian-<sigma>``.

    Raises:
        ValueError: if there is none; the message names the nearest.

    Example:
        >>> find_protocol("gaussian-25").name
        'gaussian-25'
    """
    match = re.fullmatch(r"gaussian-(\d+(?:\.\d+)?)", name)
    if match:
        return _gaussian(float(match[1]))
    if name == DND:
        raise ValueError("DND can only be measured by its server; write_dnd_submission writes what that takes")
    if name not in PROTOCOLS:
        raise ValueError(f"unknown protocol {name!r}{did_you_mean(name, [*PROTOCOLS, 'gaussian-<sigma>', DND])}")
    return PROTOCOLS[name]


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
    """Return PSNR and SSIM after alignment, where the moved image holds pixels."""
    moved, fixed, mask = align(restored, target)
    return {"psnr": psnr(moved, fixed, mask=mask), "ssim": ssim(moved, fixed, mask=mask)}


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
    "per channel where the moved image holds pixels, mean over images"
)
DND = "dnd"


def _in_folders(pairs: Sequence[PairPaths]) -> list[Example]:
    return [Example(pair.name, partial(read_pair, pair)) for pair in pairs]


def _rain(root: Path) -> dict[str, list[Example]]:
    return {name: _in_folders(pairs) for name, pairs in rain_test(root).items()}


def _sidd(root: Path) -> dict[str, list[Example]]:
    kinds = ("ValidationNoisyBlocksSrgb", "ValidationGtBlocksSrgb")
    noisy, clean = (read_array(root / f"{kind}.mat", kind) for kind in kinds)
    if noisy.shape != clean.shape or noisy.ndim != 5 or noisy.dtype != np.uint8 or clean.dtype != np.uint8:
        raise DataError(
            f"{root}: the blocks must be uint8 arrays of one shape, images x blocks x H x W x 3 (40 x 32 x 256 x 256 x 3 as "
            f"published); got {noisy.dtype} {noisy.shape} and {clean.dtype} {clean.shape}"
        )
    places = list(np.ndindex(*noisy.shape[:2]))
    return {"SIDD": [Example(f"{i + 1:02}_{j + 1:02}", partial(_block, noisy, clean, (i, j))) for i, j in places]}


def _block(noisy: Array, clean: Array, place: tuple[int, int]) -> tuple[Pixels, Pixels]:
    return np.ascontiguousarray(noisy[place]), np.ascontiguousarray(clean[place])


def _gaussian(sigma: float) -> Protocol:
    def find(root: Path) -> dict[str, list[Example]]:
        return {
            "photos": [
                Example(path.relative_to(root).with_suffix("").as_posix(), partial(_noisy, path, sigma, i))
                for i, path in enumerate(find_images(root))
            ]
        }

    return Protocol(
        f"gaussian-{sigma:g}",
        f"white Gaussian noise of sigma {sigma:g} (8-bit values; seed 0 and the place of the image in the sorted folder), clipped "
        f"and rounded to 8 bits before restoration. {RGB}",
        find,
        measure_rgb,
        {},
    )


def _noisy(path: Path, sigma: float, index: int) -> tuple[Pixels, Pixels]:
    clean = read_rgb(path)
    return degrade(clean, GaussianNoise(sigma), seed=0, index=index), clean


PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "rain",
            f"{Y}; the mean of five sets is that of their means",
            _rain,
            measure_y,
            {"Test100": 100, "Rain100H": 100, "Rain100L": 100, "Test2800": 2800, "Test1200": 1200},
        ),
        Protocol("gopro", VOLUME, lambda root: {"GoPro": _in_folders(gopro(root, "test"))}, measure_volume, {"GoPro": 1111}),
        Protocol("hide", VOLUME, lambda root: {"HIDE": _in_folders(hide(root))}, measure_volume, {"HIDE": 2025}),
        Protocol(
            "realblur-r",
            ALIGNED,
            lambda root: {"RealBlur-R": _in_folders(realblur(root, "R"))},
            measure_aligned,
            {"RealBlur-R": 980},
        ),
        Protocol(
            "realblur-j",
            ALIGNED,
            lambda root: {"RealBlur-J": _in_folders(realblur(root, "J"))},
            measure_aligned,
            {"RealBlur-J": 980},
        ),
        Protocol("sidd-val", f"results not rounded to 8 bits. {VOLUME}", _sidd, measure_volume, {"SIDD": 1280}, quantised=False),
        Protocol("pairs", RGB, lambda root: {"pairs": _in_folders(folders(root))}, measure_rgb, {}),
        Protocol("pairs-y", Y, lambda root: {"pairs": _in_folders(folders(root))}, measure_y, {}),
    )
}
"""All protocols but ``gaussian-<sigma>``, which has a number in its name, and ``dnd``, which only a server can measure."""
