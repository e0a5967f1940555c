"""Degradations that are computed rather than photographed."""

import numpy as np

from restorekit.images import Pixels


def add_gaussian_noise(image: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Return an 8-bit image with white Gaussian noise, clipped to [0, 255] and rounded, as stored in a file.

    Args:
        image: clean image.
        sigma: standard deviation, in units of 8-bit pixel values (0 to 255).
        rng: source of the noise.

    Raises:
        ValueError: if sigma is negative.
    """
    if sigma < 0:
        raise ValueError(f"sigma must not be negative; got {sigma}")
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return np.rint(np.clip(image + np.float32(sigma) * noise, 0, 255)).astype(np.uint8)
