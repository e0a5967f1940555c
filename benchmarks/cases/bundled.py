"""Measures a bundled network, or a candidate, on the degradation that its recipe uses for validation.

The images are the central crops of the photographs in the folder (benchmarks/tools/photos.py gathers them), and of scikit-image's
astronaut, coffee and chelsea. Each is degraded several times, from fixed seeds, clipped and rounded to 8 bits; so are the results.
PSNR and SSIM are on RGB, averaged over the draws. The PSNR between a clean photograph and the network's output for it is measured,
too. A run validates on the first draws of the six photographs.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _harness import Column, Measurement
from cases._crops import held_out_crops
from rich.progress import track

import restorekit
from restorekit.data import Degradation, degrade
from restorekit.images import Pixels, contact_sheet, write_image
from restorekit.metrics import psnr, ssim
from restorekit.models import model_from_checkpoint
from restorekit.network import RestorationNetwork
from restorekit.train import degradation_of, load_recipe

UNCHANGED = 100.0  # dB, in place of the infinite PSNR of a clean image that comes back as it was
TASKS = ("denoise", "deblur", "derain")


class Figures(NamedTuple):
    """What was measured of an image: means over the draws."""

    input_psnr: float
    psnr: float
    input_ssim: float
    ssim: float
    clean_psnr: float

    @property
    def row(self) -> dict[str, float]:
        """The figures by the keys of columns, the gain in PSNR among them."""
        return {**self._asdict(), "gain": self.psnr - self.input_psnr}


COLUMNS = {
    "image": Column("image"),
    "input_psnr": Column("input, dB", ".2f"),
    "psnr": Column("restored, dB", ".2f"),
    "gain": Column("gain, dB", "+.2f"),
    "input_ssim": Column("input, SSIM", ".4f"),
    "ssim": Column("restored, SSIM", ".4f"),
    "clean_psnr": Column("clean to itself, dB", ".2f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("photos", type=Path, help="folder of held-out photographs")
    parser.add_argument("--model", default="mprnet_tiny", help="the bundled network (default mprnet_tiny)")
    parser.add_argument("--weights", type=Path, help="a checkpoint; by default the bundled one of the task")
    parser.add_argument("--pictures", type=Path, help="picture file to write: input, restored and clean, one image a row")
    parser.add_argument("--crop", type=int, default=256, help="side of the central crops (default 256)")
    parser.add_argument("--draws", type=int, default=4, help="how often each image is degraded (default 4)")
    parser.add_argument("--precision", default="float32", help="float32, bfloat16 or auto (default float32)")


def validation_degradation(name: str) -> Degradation:
    """Return what the recipe of a bundled network validates it on."""
    recipe = load_recipe(name)
    return degradation_of(recipe.validation.degradations or recipe.data.degradations, "validation.degradations")


def restored(
    model: RestorationNetwork, clean: Pixels, degraded: Sequence[Pixels], precision: str
) -> tuple[Figures, list[tuple[Pixels, str]]]:
    """Return the figures of an image, and a row of pictures of its first draw."""
    results = [restorekit.restore(model, image, precision=precision) for image in degraded]
    figures = Figures(
        *(float(np.mean([psnr(image, clean) for image in images])) for images in (degraded, results)),
        *(float(np.mean([ssim(image, clean) for image in images])) for images in (degraded, results)),
        min(UNCHANGED, psnr(restorekit.restore(model, clean, precision=precision), clean)),
    )
    before, after = psnr(degraded[0], clean), psnr(results[0], clean)
    row = [(degraded[0], f"input: {before:.2f} dB"), (results[0], f"restored: {after:.2f} dB"), (clean, "clean")]
    return figures, row


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Measure all images."""
    bundled = f"{options.model}.{options.task}"
    degradation = validation_degradation(bundled)
    if options.weights:
        model, _ = model_from_checkpoint(options.weights)
    else:
        model = restorekit.create_model(bundled, pretrained=True)
    crops = held_out_crops(options.photos, options.crop)
    measured: dict[str, Figures] = {}
    pictures = []
    for i, (name, clean) in track(enumerate(crops.items()), total=len(crops), description=options.task):
        degraded = [degrade(clean, degradation, seed=draw, index=i) for draw in range(options.draws)]
        measured[name], row = restored(model, clean, degraded, options.precision)
        pictures.append(row)
    if options.pictures:
        write_image(contact_sheet(pictures), options.pictures, quality=80)
    mean = Figures(*(float(value) for value in np.mean(list(measured.values()), axis=0)))
    yield Measurement(
        options.weights.stem if options.weights else bundled,
        f"{degradation}; {options.draws} seeded draws for each image; RGB, central {options.crop} x {options.crop} crops, 8 "
        f"bits, {options.precision}. The last column is the PSNR of the network's output for the clean image to that image; "
        f"{UNCHANGED:.0f} if nothing changed",
        COLUMNS,
        [{"image": name, **figures.row} for name, figures in measured.items()] + [{"image": "mean", **mean.row, "bold": True}],
    )
