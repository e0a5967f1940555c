"""Pairs of degraded and clean images, matched by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from restorekit.errors import DataError, ImageError
from restorekit.images import Pixels, find_images, look_at, normal_mode, read_image

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


def pair_size(pair: PairPaths, scale: int = 1) -> tuple[int, int]:
    """Return width and height of the degraded image of a pair; images are decoded only if something seems to be wrong with them.

    Args:
        pair: the files.
        scale: as for :func:`read_pair`.

    Raises:
        ImageError: as :func:`read_pair`, except if an image is damaged after its header.
    """
    look, other = (look_at(path) for path in (pair.input, pair.target))
    width, height = look.width, look.height
    if other != look._replace(width=scale * width, height=scale * height) or look.several or look.mode not in ("L", "RGB"):
        height, width = read_pair(pair, scale)[0].shape[:2]
    return width, height


def read_pair(pair: PairPaths, scale: int = 1) -> tuple[Pixels, Pixels]:
    """Read the two images of a pair as 8-bit RGB, H x W x 3.

    Args:
        pair: the files.
        scale: how many times as high and wide as the degraded image the clean one is.

    Raises:
        ImageError: if one cannot be read, has 16 bits or transparency, or if their sizes do not fit or only one of them is grey.
    """
    (first, first_grey), (second, second_grey) = (_read(path) for path in (pair.input, pair.target))
    if (scale * first.shape[0], scale * first.shape[1]) != second.shape[:2]:
        sizes = [f"{path} is {image.shape[1]}x{image.shape[0]}" for path, image in zip(pair[1:], (first, second), strict=True)]
        needed = "must have the same size" if scale == 1 else f"must differ in size by a factor of {scale}"
        raise ImageError(f"the images of a pair {needed}; {' and '.join(sizes)}")
    if first_grey != second_grey:
        grey, colour = (pair.input, pair.target) if first_grey else (pair.target, pair.input)
        raise ImageError(f"{grey} is grey but its partner {colour} is in colour; convert one of them")
    return first, second


def read_rgb(path: Path) -> Pixels:
    """Read an image file as 8-bit RGB, H x W x 3; grey becomes three equal channels.

    Raises:
        ImageError: if it cannot be read, or has 16 bits or transparency.
    """
    return _read(path)[0]


def listed(things: Sequence[object]) -> str:
    """Return the first of many items, and how many more there are."""
    more = len(things) - MAX_LISTED
    return ", ".join(str(thing) for thing in things[:MAX_LISTED]) + (f", and {more} more" if more > 0 else "")


def _by_name(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in find_images(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DataError(f"{found[name]} and {path} have the same name, so partners cannot be told apart; rename one")
        found[name] = path
    return found


def _read(path: Path) -> tuple[Pixels, bool]:
    """Return an image file as 8-bit RGB, and whether it is grey."""
    image = normal_mode(read_image(path))
    if image.mode == "I;16":
        raise ImageError(f"{path} has 16 bits; images of a data set must have 8: convert it, with the rounding of your choice")
    if image.mode in ("LA", "RGBA"):
        if image.getchannel("A").getextrema() != (255, 255):
            raise ImageError(f"{path} has transparent pixels; images of a data set must be opaque: flatten it first")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    return np.asarray(image.convert("RGB")), image.mode == "L"
