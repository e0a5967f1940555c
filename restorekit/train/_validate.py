"""Measuring and showing a network while it learns."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from restorekit.data import to_pixels, to_tensor
from restorekit.images import Pixels, contact_sheet
from restorekit.inference import Restorer
from restorekit.metrics import psnr, ssim
from restorekit.network import RestorationNetwork
from restorekit.ops import pad_to_multiple
from restorekit.train._recipe import Recipe
from restorekit.train._sources import Example


def measure(model: RestorationNetwork, examples: Sequence[Example], recipe: Recipe) -> tuple[float, float]:
    """Return the sums of PSNR and SSIM over examples: RGB, results rounded to 8 bits."""
    restorer = Restorer(model, recipe.validation.inference_options(recipe.run.precision))
    restored = [restorer(degraded) for degraded, _ in examples]
    pairs = list(zip(restored, (clean for _, clean in examples), strict=True))
    return sum(psnr(*pair) for pair in pairs), sum(ssim(*pair) for pair in pairs)


@torch.no_grad()
def picture_grid(model: RestorationNetwork, examples: Sequence[Example]) -> Image.Image:
    """Return a picture with one example per row: input, output of every stage, target."""
    device = next(model.parameters()).device
    rows = []
    for degraded, clean in examples:
        height, width = clean.shape[:2]
        outputs = model.forward_stages(pad_to_multiple(to_tensor(degraded)[None].to(device), model.size_multiple))
        shown = [_full_size(output[0].float().cpu(), outputs[-1].shape[-1])[:height, :width] for output in outputs]
        labels = [
            f"{'coarse ' if len(output[0, 0]) < len(outputs[-1][0, 0]) else ''}output {i + 1}" for i, output in enumerate(outputs)
        ]
        captions = [f"{label}: {psnr(image, clean):.2f} dB" for label, image in zip(labels, shown, strict=True)]
        first = (degraded, f"input: {psnr(degraded, clean):.2f} dB")
        rows.append([first, *zip(shown, captions, strict=True), (clean, "target")])
    return contact_sheet(rows)


def _full_size(image: torch.Tensor, width: int) -> Pixels:
    """Return an output as pixels; the pixels of a coarse output are repeated."""
    factor = width // image.shape[-1]
    return np.repeat(np.repeat(to_pixels(image.permute(1, 2, 0).numpy()), factor, axis=0), factor, axis=1)
