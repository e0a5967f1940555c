"""Random crops of a folder of clean photographs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from restorekit.data.images import ImageError, normal_mode, read_image
from restorekit.data.noise import Pixels


class PhotoCrops:
    """Seeded random crops; the batch of a step depends on the seed and the step alone.

    Photographs are held in memory as 8-bit RGB, at full and at half size (where that still holds a crop): half-size
    photographs have more detail a pixel. Each photograph is drawn equally often, each size half of the time.

    Args:
        paths: the photographs.
        crop: side of a crop in pixels.
        seed: seed of all draws.
        on_load: called with each path before it is read.

    Raises:
        ValueError: if a photograph cannot be read or is smaller than a crop.
    """

    def __init__(self, paths: Sequence[Path], crop: int, seed: int, on_load: Callable[[Path], None] = lambda path: None) -> None:
        self.crop = crop
        self.seed = seed
        self.photos: list[list[Pixels]] = []
        for path in paths:
            on_load(path)
            self.photos.append(_sizes(path, crop))

    def batch(self, step: int, size: int) -> tuple[Pixels, np.random.Generator]:
        """Return ``size`` crops (n, h, w, 3) for a step, and the generator to go on with."""
        rng = np.random.default_rng([self.seed, step])
        return np.stack([self._draw(rng) for _ in range(size)]), rng

    def _draw(self, rng: np.random.Generator) -> Pixels:
        sizes = self.photos[rng.integers(len(self.photos))]
        photo = sizes[rng.integers(len(sizes))]
        top, left = (rng.integers(side - self.crop + 1) for side in photo.shape[:2])
        crop = photo[top : top + self.crop, left : left + self.crop]
        crop = np.rot90(crop, int(rng.integers(4)))
        return crop[::-1] if rng.integers(2) else crop


def read_rgb(path: Path) -> Pixels:
    """Return an image file as 8-bit RGB, H x W x 3.

    Raises:
        ImageError: if it cannot be read, or has 16 bits.
    """
    image = normal_mode(read_image(path))
    if image.mode == "I;16":
        raise ImageError(f"{path} has 16 bits; photographs to train on must have 8")
    return np.asarray(image.convert("RGB"))


def _sizes(path: Path, crop: int) -> list[Pixels]:
    photo = read_rgb(path)
    height, width = photo.shape[:2]
    if min(height, width) < crop:
        raise ValueError(f"{path} is {width}x{height}, smaller than a crop of {crop}x{crop}; remove it or use smaller crops")
    sizes = [photo]
    if min(height, width) // 2 >= crop:
        half = Image.fromarray(photo).resize((width // 2, height // 2), Image.Resampling.LANCZOS)
        sizes.append(np.asarray(half))
    return sizes
