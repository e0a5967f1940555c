"""Measures what storing the bundled denoiser in float16 can cost.

The file contains weights that were rounded to float16. The benchmark draws random weights that all round to the same file, and
compares their PSNR on the central crops of the photographs (sigma 25, float32 arithmetic) with that of the file.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from _harness import Column, Measurement

import restorekit
from restorekit.data import add_gaussian_noise, central_crop, read_rgb
from restorekit.images import find_images
from restorekit.metrics import psnr

SMALLEST_NORMAL = 2.0**-14
MANTISSA_BITS = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("photos", type=Path, help="folder of held-out photographs")
    parser.add_argument("--draws", type=int, default=3)


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Measure the PSNR of the file, and how far that of the draws is from it."""
    torch.manual_seed(0)
    model = restorekit.create_model("mprnet_tiny.denoise", pretrained=True)
    images = [central_crop(read_rgb(path), 256) for path in find_images(options.photos)]
    pairs = [(image, add_gaussian_noise(image, 25.0, np.random.default_rng(0))) for image in images]

    def score() -> float:
        return float(np.mean([psnr(restorekit.restore(model, noisy, precision="float32"), clean) for clean, noisy in pairs]))

    stored = [(parameter, parameter.detach().clone()) for parameter in model.parameters()]
    reference = score()
    differences = []
    for _ in range(options.draws):
        for parameter, value in stored:
            step = 2.0 ** (value.abs().clamp_min(SMALLEST_NORMAL).log2().floor() - MANTISSA_BITS)  # between float16 neighbours
            parameter.data.copy_(value + (torch.rand_like(value) - 0.5) * step)
        differences.append(score() - reference)
    yield Measurement(
        "mprnet_tiny.denoise",
        f"Central 256 x 256 crops of {len(pairs)} photographs, sigma 25, float32: PSNR of the file {reference:.4f} dB",
        {"draw": Column("draw", "d"), "difference": Column("difference, dB", "+.4f")},
        [{"draw": draw, "difference": difference} for draw, difference in enumerate(differences, start=1)],
        values={"draws": options.draws, "largest": max(map(abs, differences))},
        notes=["{draws} draws differ from the file by at most {largest:.4f} dB."],
    )
