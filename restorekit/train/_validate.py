"""Measuring and showing a network while it learns."""

from collections.abc import Mapping, Sequence

import torch
from PIL import Image

from restorekit.data import to_pixels, to_tensor
from restorekit.images import Pixels, contact_sheet
from restorekit.inference import InferenceOptions, Restorer
from restorekit.metrics import psnr, ssim
from restorekit.network import RestorationNetwork
from restorekit.ops import pad_to_multiple
from restorekit.train._recipe import Recipe
from restorekit.train._sources import Example


def measure(model: RestorationNetwork, examples: Sequence[Example], recipe: Recipe) -> tuple[float, float]:
    """Return the sums of PSNR and SSIM over examples: RGB, results rounded to 8 bits."""
    restorer = Restorer(model, InferenceOptions(precision=recipe.run.precision, condition=recipe.data.condition))
    restored = [restorer(degraded) for degraded, _ in examples]
    pairs = list(zip(restored, (clean for _, clean in examples), strict=True))
    return sum(psnr(*pair) for pair in pairs), sum(ssim(*pair) for pair in pairs)


@torch.no_grad()
def picture_grid(model: RestorationNetwork, examples: Sequence[Example], condition: Mapping[str, float]) -> Image.Image:
    """Return a picture with one example per row: input, output of every stage, target."""
    device = next(model.parameters()).device
    rows = []
    for degraded, clean in examples:
        height, width = clean.shape[:2]
        image = pad_to_multiple(to_tensor(degraded)[None].to(device), model.size_multiple)
        outputs = model.forward_stages(model.with_conditions(image, condition))
        shown = [_full_size(output[0].float().cpu(), outputs[-1].shape[-1])[:height, :width] for output in outputs]
        labels = [
            f"{'coarse ' if len(output[0, 0]) < len(outputs[-1][0, 0]) else ''}output {i + 1}" for i, output in enumerate(outputs)
        ]
        captions = [f"{label}: {psnr(image, clean):.2f} dB" for label, image in zip(labels, shown, strict=True)]
        enlarged = _repeated(degraded, model.output.scale)
        first = (enlarged, f"input: {psnr(enlarged, clean):.2f} dB")
        rows.append([first, *zip(shown, captions, strict=True), (clean, "target")])
    return contact_sheet(rows)


def _full_size(image: torch.Tensor, width: int) -> Pixels:
    """Return an output as pixels; the pixels of a coarse output are repeated."""
    return _repeated(to_pixels(image.permute(1, 2, 0).numpy()), width // image.shape[-1])


def _repeated(pixels: Pixels, factor: int) -> Pixels:
    """Return pixels enlarged by repetition."""
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
