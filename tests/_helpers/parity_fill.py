"""Weights and pictures that are functions of names, shapes and seeds.

The targets in ``data`` were computed with the original authors' code and these weights, so that a network of twenty million
parameters can be compared without its weights. Changing anything here makes the targets useless.
"""

import zlib

import numpy as np
import numpy.typing as npt

GAIN = 0.7  # keeps activations of order one through about a hundred layers


def fill(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the tensor that stands for a parameter.

    Args:
        name: name of the parameter in the original state dict, which seeds it.
        shape: shape of the parameter; a single element is a PReLU slope, one dimension a bias, more a convolution.

    Returns:
        The slope 0.2; or normal values, of deviation 0.02 for a bias and 0.7 / sqrt(fan in) for a convolution.
    """
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    if int(np.prod(shape)) == 1:
        return np.full(shape, 0.2, dtype=np.float32)
    if len(shape) == 1:
        return (0.02 * generator.standard_normal(shape)).astype(np.float32)
    fan_in = int(np.prod(shape[1:]))
    return (GAIN / np.sqrt(fan_in) * generator.standard_normal(shape)).astype(np.float32)


def picture(shape: tuple[int, int, int, int], seed: int) -> npt.NDArray[np.float32]:
    """Return a batch of smooth pictures with a little noise.

    Args:
        shape: N x C x H x W.
        seed: seed of the waves and the noise.

    Returns:
        Pictures in [0, 1].
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    num_images, num_channels, height, width = shape
    row, column = np.mgrid[0:height, 0:width].astype(np.float64)
    image = np.zeros(shape)
    for i in range(num_images):
        for j in range(num_channels):
            per_row, per_column, phase = generator.uniform(0.05, 0.4), generator.uniform(0.05, 0.4), generator.uniform(0, 6.28)
            image[i, j] = 0.5 + 0.4 * np.sin(per_row * row + per_column * column + phase)
    image += 0.05 * generator.standard_normal(shape)
    return np.clip(image, 0.0, 1.0).astype(np.float32)
