"""Restoring pictures or frames of one size together."""

import numpy as np
import torch

from restorekit.images import Array
from restorekit.inference import Progress, Restorer


def restored_stack(restorer: Restorer, pixels: Array, progress: Progress | None = None) -> Array:
    """Return the restored pixels, N x H x W x C as they were given."""
    batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(0, 3, 1, 2)
    return restorer(batch, progress=progress or Progress()).permute(0, 2, 3, 1).numpy()
