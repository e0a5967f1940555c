"""Scaling numbers with ranges other than 0 to 255 and 0 to 65535."""

import numpy as np
import numpy.typing as npt

from restorekit.images.formats._record import Array


def to_sixteen_bits(pixels: Array, bits: int) -> npt.NDArray[np.uint16]:
    """Return whole numbers of 9 to 32 bits as 16 bits: black stays black, and white stays white."""
    largest = 2**bits - 1
    return ((pixels.astype(np.uint64) * 65535 + largest // 2) // largest).astype(np.uint16)


def without_premultiplication(pixels: Array) -> Array:
    """Return pixels whose colours were multiplied by their transparency, the last channel, with the original colours."""
    largest = np.iinfo(pixels.dtype).max
    colours, alpha = pixels[..., :-1].astype(np.uint64), pixels[..., -1:].astype(np.uint64)
    divided = (colours * largest + alpha // 2) // np.maximum(alpha, 1)
    return np.concatenate((np.minimum(divided, largest).astype(pixels.dtype), pixels[..., -1:]), axis=-1)
