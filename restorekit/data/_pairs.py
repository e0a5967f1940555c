"""Pairs of degraded and clean images, matched by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from restorekit.errors import DataError, ImageError
from restorekit.images import Array, Pixels, find_images, is_image, look_at, read_picture
from restorekit.network import LIKELY_RANGE

Channels = tuple[int, int]  # of the degraded and the clean image of a pair

ARRAY = ".npy"
MAX_LISTED = 10


class PairPaths(NamedTuple):
    """The two files of a pair.

    Attributes:
        name: their common path below their folders, without the suffix.
        input: the degraded image.
        target: the clean image.
    """

    name: str
    input: Path
    target: Path


def find_pairs(inputs: Path, targets: Path) -> list[PairPaths]:
    """Return the pairs of two folders, matched by path and name without the suffix, never by position.

    Args:
        inputs: folder of degraded images, searched recursively.
        targets: folder of clean images.

    Raises:
        DataError: if images have no partner (all are listed), or two images of a folder differ only in the suffix.
        ImageError: if a folder is missing or contains no image.
    """
    first, second = _by_name(inputs), _by_name(targets)
    missing = [f"{targets / name} (for {first[name]})" for name in first if name not in second]
    missing += [f"{inputs / name} (for {second[name]})" for name in second if name not in first]
    if missing:
        raise DataError(
            f"images in {inputs} and {targets} need a partner of the same name; {len(missing)} missing (with the suffix of any "
            f"image format): {listed(missing)}"
        )
    return [PairPaths(name, path, second[name]) for name, path in first.items()]


def pair_size(pair: PairPaths, channels: Channels = (3, 3), scale: int = 1) -> tuple[int, int]:
    """Return width and height of the degraded image of a pair; images are decoded only if something seems to be wrong with them.

    Args:
        pair: the files.
        channels: as for :func:`read_planes`.
        scale: the same.

    Raises:
        ImageError: as :func:`read_planes`, except if an image is damaged after its header.
    """
    (width, height, first), (*size, second) = (_look(path) for path in (pair.input, pair.target))
    usual = first == channels[0] or (first, channels[0]) == (1, 3)
    wanted = first if channels[0] == channels[1] else channels[1]
    if not usual or size != [scale * width, scale * height] or second != wanted:
        height, width = read_planes(pair, channels, scale)[0].shape[:2]
    return width, height


def read_pair(pair: PairPaths, scale: int = 1) -> tuple[Pixels, Pixels]:
    """Read the two images of a pair as 8-bit RGB, H x W x 3.

    Args:
        pair: the files.
        scale: how many times as high and wide as the degraded image the clean one is.

    Raises:
        ImageError: if one cannot be read, has 16 bits or transparency, or if their sizes do not fit or only one of them is grey.
    """
    first, second = (_eight_bits(path, _opaque(path)) for path in (pair.input, pair.target))
    _check_alike(pair, first, second, scale)
    return _as_rgb(first), _as_rgb(second)


def read_planes(pair: PairPaths, channels: Channels = (3, 3), scale: int = 1) -> tuple[Array, Array]:
    """Read the two images of a pair with all their bits, H x W x C.

    A file is an image of 8 or 16 bits, or an array of NumPy (``.npy``): H x W or H x W x C, uint8, uint16 or floating point in
    [0, 1], such as the four planes of a raw image. Grey images become three equal channels if three are needed.

    Args:
        pair: the files.
        channels: how many channels the degraded and the clean image must have.
        scale: how many times as high and wide as the degraded image the clean one is.

    Raises:
        ImageError: if one cannot be read, has other channels or transparency, or if their sizes do not fit or only one is grey.
    """
    first, second = (_opaque(path) for path in (pair.input, pair.target))
    _check_alike(pair, first, second, scale, may_differ=channels[0] != channels[1])
    planes = []
    for path, image, wanted in zip(pair[1:], (first, second), channels, strict=True):
        planes.append(_as_rgb(image) if wanted == 3 else image)
        if planes[-1].shape[2] != wanted:
            raise ImageError(
                f"{path} has {image.shape[2]} channels, but the network needs {wanted}; convert the images, or store their planes "
                "in .npy files, H x W x C"
            )
    return planes[0], planes[1]


def read_rgb(path: Path) -> Pixels:
    """Read an image file as 8-bit RGB, H x W x 3; grey becomes three equal channels.

    Raises:
        ImageError: if it cannot be read, or has 16 bits or transparency.
    """
    return _as_rgb(_eight_bits(path, _opaque(path)))


def listed(things: Sequence[object]) -> str:
    """Return the first of many items, and how many more there are."""
    more = len(things) - MAX_LISTED
    return ", ".join(str(thing) for thing in things[:MAX_LISTED]) + (f", and {more} more" if more > 0 else "")


def _by_name(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _files(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DataError(f"{found[name]} and {path} have the same name, so partners cannot be told apart; rename one")
        found[name] = path
    return found


def _files(folder: Path) -> list[Path]:
    """Return the images of a folder, or its arrays if it contains no image."""
    arrays = sorted(path for path in folder.rglob(f"*{ARRAY}") if not path.name.startswith("."))
    return arrays if arrays and not any(map(is_image, folder.rglob("*"))) else find_images(folder)


def _look(path: Path) -> tuple[int, int, int | None]:
    """Return width, height and channels of a file, from its header; None for channels that need a closer look."""
    if path.suffix == ARRAY:
        shape = _array(path, mmap_mode="r").shape
        return shape[1], shape[0], shape[2]
    look = look_at(path)
    channels = {"L": 1, "I;16": 1, "RGB": 3, "RGB;16": 3}.get(look.mode)
    return look.width, look.height, None if look.several else channels


def _opaque(path: Path) -> Array:
    """Return the pixels of a file with all their bits, H x W x C, without transparency."""
    if path.suffix == ARRAY:
        return _array(path)
    picture = read_picture(path)
    if not picture.has_alpha:
        return np.atleast_3d(picture.pixels)
    if (picture.pixels[..., -1] != np.iinfo(picture.pixels.dtype).max).any():
        raise ImageError(f"{path} has transparent pixels; images of a data set must be opaque: flatten it first")
    return picture.pixels[..., :-1]


def _array(path: Path, mmap_mode: Literal["r"] | None = None) -> Array:
    """Return the content of a file of NumPy, H x W x C."""
    try:
        array = np.atleast_3d(np.load(path, mmap_mode=mmap_mode, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise ImageError(f"{path} is not an array of NumPy: {error}") from error
    if array.ndim != 3 or not array.size or not (array.dtype in (np.uint8, np.uint16) or array.dtype.kind == "f"):
        raise ImageError(f"{path} contains {array.dtype}, {array.shape}; needed is H x W x C, uint8, uint16 or floats in [0, 1]")
    if array.dtype.kind != "f" or mmap_mode:
        return array
    largest = np.abs(array).max()
    if not largest <= LIKELY_RANGE:
        raise ImageError(f"{path} has values up to {largest:g}; divide them by that of white, so that they are in [0, 1]")
    return array.astype(np.float32)


def _eight_bits(path: Path, image: Array) -> Pixels:
    if image.dtype != np.uint8:
        raise ImageError(f"{path} has 16 bits; here, images must have 8: convert it, with the rounding of your choice")
    return image


def _as_rgb(image: Array) -> Array:
    return image.repeat(3, axis=2) if image.shape[2] == 1 else image


def _check_alike(pair: PairPaths, first: Array, second: Array, scale: int, *, may_differ: bool = False) -> None:
    """Raise unless the sizes of two images fit, and, unless they may differ, both are grey or in colour."""
    if (scale * first.shape[0], scale * first.shape[1]) != second.shape[:2]:
        sizes = [f"{path} is {image.shape[1]}x{image.shape[0]}" for path, image in zip(pair[1:], (first, second), strict=True)]
        needed = "must have the same size" if scale == 1 else f"must differ in size by a factor of {scale}"
        raise ImageError(f"the images of a pair {needed}; {' and '.join(sizes)}")
    if not may_differ and {first.shape[2], second.shape[2]} == {1, 3}:
        grey, colour = (pair.input, pair.target) if first.shape[2] == 1 else (pair.target, pair.input)
        raise ImageError(f"{grey} is grey but its partner {colour} is in colour; convert one of them")
