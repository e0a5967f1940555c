"""Restoring pictures or frames of one size together."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from restorekit.inference import Progress, Restorer

Array = npt.NDArray[Any]


def restored_stack(restorer: Restorer, pixels: Array, progress: Progress | None = None) -> Array:
    """Return the restored pixels, N x H x W x C as they were given."""
    batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(0, 3, 1, 2)
    return restorer(batch, progress=progress or Progress()).permute(0, 2, 3, 1).numpy()
