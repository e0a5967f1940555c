"""The details that are reported about a restored picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def details_of(
    shape: tuple[int, ...], dtype: np.dtype[Any], mode: str, seconds: Mapping[str, float], network: Mapping[str, Any]
) -> dict[str, Any]:
    """Return as plain data: height and width, the kind of pixels, the seconds that each step took, and how the network ran."""
    height, width = shape[:2]
    rounded = {step: round(value, 4) for step, value in seconds.items()}
    return {"width": width, "height": height, "mode": mode, "bits": 8 * dtype.itemsize, "seconds": rounded, **network}
