"""Measuring and showing a network while it learns."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from restorekit.data import peak_of, to_pixels, to_tensor
from restorekit.images import Array, Pixels, contact_sheet
from restorekit.inference import Restorer
from restorekit.metrics import psnr, ssim
from restorekit.network import RestorationNetwork
from restorekit.ops import pad_to_multiple
from restorekit.train._recipe import Recipe
from restorekit.train._sources import Example


def measure(model: RestorationNetwork, examples: Sequence[Example], recipe: Recipe) -> tuple[float, float]:
    """Return the sums of PSNR and SSIM over examples; results have the bits of the degraded images."""
    if not examples:
        return 0.0, 0.0
    options = recipe.validation.inference_options(precision=recipe.run.precision)
    restorer = Restorer(model, replace(options, condition=examples[0].condition, noise_level=None))
    pairs = [_comparable(restorer.told(each.condition)(each.degraded), each.clean) for each in examples]
    return sum(psnr(*pair) for pair in pairs), sum(ssim(*pair) for pair in pairs)


@torch.no_grad()
def picture_grid(model: RestorationNetwork, examples: Sequence[Example]) -> Image.Image:
    """Return a picture with one example per row: input, output of every stage, target."""
    device = next(model.parameters()).device
    rows = []
    for degraded, clean, condition in examples:
        height, width = clean.shape[:2]
        image = pad_to_multiple(to_tensor(degraded)[None].to(device), model.size_multiple)
        outputs = model.forward_stages(model.with_conditions(image, condition))
        truth = _shown(clean)
        shown = [_full_size(output[0].float().cpu(), outputs[-1].shape[-1])[:height, :width] for output in outputs]
        labels = [
            f"{'coarse ' if len(output[0, 0]) < len(outputs[-1][0, 0]) else ''}output {i + 1}" for i, output in enumerate(outputs)
        ]
        captions = [f"{label}: {psnr(image, truth):.2f} dB" for label, image in zip(labels, shown, strict=True)]
        given = _repeated(_shown(degraded), model.output.scale)
        first = (given, f"input: {psnr(given, truth):.2f} dB")
        rows.append([first, *zip(shown, captions, strict=True), (truth, "target")])
    return contact_sheet(rows)


def _full_size(image: torch.Tensor, width: int) -> Pixels:
    """Return an output as pixels; the pixels of a coarse output are repeated."""
    return _repeated(_shown(image.permute(1, 2, 0).numpy()), width // image.shape[-1])


def _repeated(pixels: Pixels, factor: int) -> Pixels:
    """Return pixels enlarged by repetition."""
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _shown(image: Array) -> Pixels:
    """Return an image as 8-bit RGB: of four planes (R, G, G, B), the mean of the greens; of other numbers but three, the first."""
    image = image if image.dtype == np.uint8 else to_pixels(image / peak_of(image))
    if image.shape[2] == 4:
        image = np.stack((image[..., 0], image[..., 1:3].mean(axis=2).astype(np.uint8), image[..., 3]), axis=2)
    return image if image.shape[2] == 3 else image[..., :1].repeat(3, axis=2)


def _comparable(first: Array, second: Array) -> tuple[Array, Array]:
    """Return two images as metrics take them: both with 8 bits, or both in [0, 1]."""
    if first.dtype == second.dtype == np.uint8:
        return first, second
    return first / peak_of(first), second / peak_of(second)
