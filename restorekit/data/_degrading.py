"""What a degradation is, and what all of them share: the registry, seeds, ranges."""

import io
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from restorekit.images import Pixels
from restorekit.parts import Registry

FloatImage = npt.NDArray[np.float32]
Kernel = npt.NDArray[np.float64]
Degradation = Callable[[FloatImage, np.random.Generator], FloatImage]
Number = int | float
Range = Number | Sequence[Number]
"""A number, or the smallest and the largest of numbers that are drawn uniformly for every image."""

CONDITION = 3  # separates the random source of conditions from those of the samples

degradations: Registry[Callable[..., Degradation]] = Registry("degradation")


class PairDegradation(ABC):
    """A degradation that also changes the target: processing that follows the fault in a camera is applied to both pictures.

    Called like any other degradation, it returns only the degraded image.
    """

    @abstractmethod
    def pair(self, image: FloatImage, target: FloatImage, rng: np.random.Generator) -> tuple[FloatImage, FloatImage]:
        """Return the degraded image and its target.

        Args:
            image: image to degrade; the same object as the target if no degradation came before.
            target: what it should be restored to.
            rng: source of all randomness.
        """

    def __call__(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Return the degraded image."""
        return self.pair(image, image, rng)[0]


def apply_pair(
    degradation: Degradation, image: FloatImage, target: FloatImage, rng: np.random.Generator
) -> tuple[FloatImage, FloatImage]:
    """Return the degraded image, and the target that belongs to it."""
    if isinstance(degradation, PairDegradation):
        return degradation.pair(image, target, rng)
    return degradation(image, rng), target


def degrade(image: Pixels, degradation: Degradation, *, seed: int, index: int) -> Pixels:
    """Return a degraded 8-bit image, as stored in a file; the result depends only on the image, the seed and the index.

    Args:
        image: clean image, H x W x C.
        degradation: degradation to apply.
        seed: seed of the data set.
        index: index of the sample.

    Example:
        >>> from restorekit.data import GaussianNoise
        >>> image = np.full((8, 8, 3), 128, np.uint8)
        >>> first, again = (degrade(image, GaussianNoise(25), seed=0, index=3) for _ in range(2))
        >>> bool((first == again).all())
        True
    """
    return degrade_pair(image, degradation, seed=seed, index=index)[0]


def degrade_pair(image: Pixels, degradation: Degradation, *, seed: int, index: int) -> tuple[Pixels, Pixels]:
    """Return a degraded 8-bit image, and its target: the image itself, unless the degradation also changes the target.

    Args:
        image: clean image, H x W x C.
        degradation: degradation to apply.
        seed: seed of the data set.
        index: index of the sample.
    """
    clean = image.astype(np.float32) / np.float32(255)
    degraded, target = apply_pair(degradation, clean, clean, sample_rng(seed, index))
    return to_pixels(degraded), image if target is clean else to_pixels(target)


def sample_rng(seed: int, index: int) -> np.random.Generator:
    """Return the source of all randomness in a sample."""
    return np.random.default_rng([seed, index])


def drawn_condition(condition: Mapping[str, Range], seed: int, index: int) -> dict[str, float]:
    """Return what a network is told about a sample: numbers by name, drawn from the ranges among them."""
    rng = np.random.default_rng([seed, index, CONDITION])
    return {name: draw(rng, condition[name]) for name in sorted(condition)}


def to_pixels(image: npt.NDArray[np.floating]) -> Pixels:
    """Return a floating-point image in [0, 1] as 8-bit pixels: clipped, then rounded."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def create_degradation(name: str, **arguments: Any) -> Degradation:
    """Build a degradation by name.

    Args:
        name: ``"gaussian"``, ``"poisson_gaussian"``, ``"motion_blur"``, ``"defocus"``, ``"rain"`` or ``"jpeg"``.
        **arguments: arguments of its class.

    Raises:
        ValueError: if there is no degradation of this name, or a number is out of its range.
        TypeError: if an argument is unknown.

    Example:
        >>> create_degradation("jpeg", quality=[30, 60])
        JPEG(quality=[30, 60])
    """
    return degradations.get(name)(**arguments)


def clipped(image: npt.NDArray[Any]) -> FloatImage:
    """Return an image clipped to [0, 1], as float32."""
    return np.clip(image, 0, 1).astype(np.float32)


def compressed(image: FloatImage, quality: int, subsampling: str) -> FloatImage:
    """Return an image after JPEG compression by Pillow; the subsampling of chroma, such as ``"4:2:0"``, is for colour images."""
    pixels, file = to_pixels(image), io.BytesIO()
    if pixels.shape[2] == 1:
        Image.fromarray(pixels[..., 0]).save(file, "JPEG", quality=quality)
    else:
        Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(file) as opened:
        return np.asarray(opened, dtype=np.float32).reshape(image.shape) / np.float32(255)


def draw(rng: np.random.Generator, value: Range, *, log: bool = False) -> float:
    """Return a number from a range, uniform in the number or in its logarithm.

    A random number is drawn even if the value is fixed, so that later numbers stay the same.
    """
    low, high = bounds(value)
    if log:
        return math.exp(math.log(low) + (math.log(high) - math.log(low)) * rng.random())
    return low + (high - low) * rng.random()


def bounds(value: Range) -> tuple[float, float]:
    """Return both ends of a range; those of a number are the number."""
    low, high = value if isinstance(value, Sequence) else (value, value)
    return float(low), float(high)


def check_range(name: str, value: Range, least: Number, largest: Number = math.inf) -> None:
    """Raise a ``ValueError`` unless a number, or both ends of a range, are within bounds."""
    if isinstance(value, Sequence) and len(value) != 2:
        raise ValueError(f"{name} must be a number or a range of two, the smallest and the largest; got {value}")
    low, high = bounds(value)
    if not least <= low <= high <= largest:
        limits = f"at least {least:g}" if largest == math.inf else f"from {least:g} to {largest:g}"
        raise ValueError(f"{name} must be {limits}, with the smallest of a range first; got {value}")
