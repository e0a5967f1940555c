"""Data sets for training: random crops of pairs, or of clean photographs and their degraded versions.

Sample ``i`` depends only on the seed and on ``i``: not on workers, processes, or earlier samples. A run that resumes at step n
starts with sample n times the batch, and gives the same result as an uninterrupted run.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from restorekit.data._degrading import Degradation, Number, Range, degrade_pair, drawn_condition, sample_rng
from restorekit.data._pairs import Channels, PairPaths, pair_size, read_planes, read_rgb
from restorekit.images import Array, Pixels

ORDER = 1  # separates the random source of the order of photographs from those of the samples
SATURATION_PROBABILITY = 1 / 3
LUMA = (0.299, 0.587, 0.114)


class Sample(NamedTuple):
    """One pair to train on, or a batch of them.

    Attributes:
        input: degraded image in [0, 1].
        target: clean image.
        name: name of the photograph.
        number: index of the sample; with the seed of the data set it determines all random choices.
        condition: what a network is told about it, by name; empty for networks without conditions.
    """

    input: Float[Tensor, "c h w"]
    target: Float[Tensor, "c h w"]
    name: str
    number: int
    condition: Mapping[str, float]


class PairedCrops(Dataset[Sample]):
    """Random crops of pairs of images; file headers are read at once, and pixels when they are needed.

    Every pair is used once before any is used again, in an order that changes from round to round. Images smaller than a crop are
    extended by reflection at the right and the bottom.

    Args:
        pairs: the files, from :func:`find_pairs` or a layout.
        crop: side of a crop in pixels.
        seed: seed of all random choices.
        samples: how many samples there are; by default as many as pairs.
        augment: whether to flip and rotate by multiples of 90 degrees.
        saturation: in one sample of three, the saturation of both images is multiplied by a factor from 1 - this to 1 + this.
        scale: how many times as high and wide as the degraded images the clean ones are; so are their crops.
        channels: channels of the degraded and the clean images, as for :func:`read_planes`.
        condition: what a network is told about every sample: numbers by name.

    Attributes:
        small: names of the pairs that are smaller than a crop.

    Raises:
        ValueError: if there is no pair, or a number is out of its range.
        ImageError: if a header says that a pair cannot be used; the message names it.
    """

    def __init__(
        self,
        pairs: Sequence[PairPaths],
        crop: int,
        *,
        seed: int,
        samples: int | None = None,
        augment: bool = True,
        saturation: Number = 0,
        scale: int = 1,
        channels: Channels = (3, 3),
        condition: Mapping[str, Range] | None = None,
    ) -> None:
        _check_numbers(len(pairs), crop, saturation)
        if saturation and channels != (3, 3):
            raise ValueError(f"saturation needs images in colour; got {channels[0]} and {channels[1]} channels")
        self.pairs = list(pairs)
        self.scale = scale
        self.channels = channels
        self.small = [pair.name for pair in pairs if min(pair_size(pair, channels, scale)) < crop]
        self.crop = crop
        self.seed = seed
        self.samples = len(pairs) if samples is None else samples
        self.augment = augment
        self.saturation = saturation
        self.condition = condition or {}

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Sample:
        """Return a sample.

        Raises:
            IndexError: if there is no sample of this index.
            ImageError: if a file cannot be used; the message names it.
        """
        rng = sample_rng(self.seed, _checked(index, self.samples))
        pair = self.pairs[drawn_place(self.seed, index, len(self.pairs))]
        images = random_crop(read_planes(pair, self.channels, self.scale), self.crop, rng, augment=self.augment)
        if self.saturation and rng.random() < SATURATION_PROBABILITY:
            factor = rng.uniform(1 - self.saturation, 1 + self.saturation)
            images = [saturated(image, factor) for image in images]
        return Sample(
            to_tensor(images[0]), to_tensor(images[1]), pair.name, index, drawn_condition(self.condition, self.seed, index)
        )


class DegradedCrops(Dataset[Sample]):
    """Random crops of clean photographs, degraded; photographs are kept in memory.

    Every photograph is used once before any is used again. Those smaller than a crop are reflected at the right and the bottom.

    Args:
        photos: image files.
        degradation: degradation of a crop, from :mod:`restorekit.data`; with ``condition``, a function that returns it for the
            values of a sample.
        crop: side of a crop in pixels.
        seed: seed of all random choices.
        samples: how many samples there are; by default as many as photographs.
        augment: whether to flip and rotate by multiples of 90 degrees.
        half_size: whether half of the samples come from photographs at half size, if these are still larger than a crop: they have
            more detail per pixel.
        condition: what a network is told about every sample, by name: numbers, or ranges to draw them from.

    Attributes:
        small: names of the photographs that are smaller than a crop.

    Raises:
        ValueError: if there is no photograph, or a number is out of its range.
        ImageError: if a file cannot be used; the message names it.
    """

    def __init__(
        self,
        photos: Sequence[Path],
        degradation: Degradation | Callable[[Mapping[str, float]], Degradation],
        crop: int,
        *,
        seed: int,
        samples: int | None = None,
        augment: bool = True,
        half_size: bool = False,
        condition: Mapping[str, Range] | None = None,
    ) -> None:
        _check_numbers(len(photos), crop, 0)
        self.names = [path.stem for path in photos]
        self.photos = [with_half_size(read_rgb(path), crop) if half_size else [read_rgb(path)] for path in photos]
        self.small = [name for name, sizes in zip(self.names, self.photos, strict=True) if min(sizes[0].shape[:2]) < crop]
        self.degradation = degradation
        self.crop = crop
        self.seed = seed
        self.samples = len(photos) if samples is None else samples
        self.augment = augment
        self.condition = condition or {}

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Sample:
        """Return a sample.

        Raises:
            IndexError: if there is no sample of this index.
        """
        rng = sample_rng(self.seed, _checked(index, self.samples))
        place = drawn_place(self.seed, index, len(self.photos))
        sizes = self.photos[place]
        (clean,) = random_crop((sizes[rng.integers(len(sizes))],), self.crop, rng, augment=self.augment)
        condition = drawn_condition(self.condition, self.seed, index)
        degradation: Any = self.degradation
        degradation = degradation(condition) if self.condition else degradation
        degraded, target = degrade_pair(clean, degradation, seed=int(rng.integers(2**32)), index=index)
        return Sample(to_tensor(degraded), to_tensor(target), self.names[place], index, condition)


def drawn_place(seed: int, index: int, length: int) -> int:
    """Return which of ``length`` items sample ``index`` uses: each item once per round, in an order specific to the round."""
    turn, place = divmod(index, length)
    return int(_order(seed, turn, length)[place])


@functools.lru_cache(maxsize=4)
def _order(seed: int, turn: int, length: int) -> npt.NDArray[np.integer]:
    return np.random.default_rng([seed, turn, ORDER]).permutation(length)


def random_crop(images: Sequence[Array], side: int, rng: np.random.Generator, *, augment: bool) -> list[Array]:
    """Return the same random crop of images, flipped and rotated if requested.

    Of images that are several times as large as the first, the crops are, too. Images smaller than the crop are reflected at the
    right and the bottom.
    """
    height, width = images[0].shape[:2]
    top, left = (int(rng.integers(max(0, length - side) + 1)) for length in (height, width))
    missing = [max(0, side - length) for length in (height, width)]
    crops = []
    for image in images:
        scale = len(image) // height
        crop = image[scale * top : scale * (top + side), scale * left : scale * (left + side)]
        if any(missing):
            crop = np.pad(crop, ((0, scale * missing[0]), (0, scale * missing[1]), (0, 0)), mode="reflect")
        crops.append(crop)
    if augment:
        turns, flipped = int(rng.integers(4)), bool(rng.integers(2))
        crops = [np.rot90(crop, turns)[:: -1 if flipped else 1] for crop in crops]
    return crops


def central_crop(image: Array, side: int) -> Array:
    """Return the central ``side x side`` pixels of an image, or fewer if it is smaller."""
    top, left = (max(0, (length - side) // 2) for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def saturated(image: Array, factor: float) -> Array:
    """Return an RGB image whose distances from grey (luma .299 .587 .114) are multiplied by a factor, clipped and rounded."""
    grey = (image @ np.array(LUMA))[..., None]
    changed = np.clip(grey + factor * (image - grey), 0, peak_of(image))
    return (changed if image.dtype.kind == "f" else np.rint(changed)).astype(image.dtype)


def to_tensor(image: Array) -> Float[Tensor, "c h w"]:
    """Return an image of 8 or 16 bits or in [0, 1], H x W x C, as a tensor in [0, 1], C x H x W."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / peak_of(image)


def peak_of(image: Array) -> int:
    """Return the value of white in an image of 8 or 16 bits, or in [0, 1]."""
    return 1 if image.dtype.kind == "f" else int(np.iinfo(image.dtype).max)


def with_half_size(photo: Pixels, crop: int) -> list[Pixels]:
    """Return a photograph, and the same at half size (Lanczos) if that is large enough for a crop."""
    height, width = photo.shape[:2]
    if min(height, width) // 2 < crop:
        return [photo]
    half = Image.fromarray(photo).resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    return [photo, np.asarray(half)]


def _checked(index: int, samples: int) -> int:
    if not 0 <= index < samples:
        raise IndexError(f"there is no sample {index}; the data set has {samples}, from 0")
    return index


def _check_numbers(length: int, crop: int, saturation: Number) -> None:
    if length == 0:
        raise ValueError("the data set is empty: no image was given")
    if crop < 1:
        raise ValueError(f"crop must be at least 1 pixel; got {crop}")
    if not 0 <= saturation <= 1:
        raise ValueError(f"saturation must be from 0 to 1; got {saturation}")
