"""Restores images of 4 to 100 megapixels within a fixed amount of memory, with the shell command.

Images are noise over a gradient, as PNG files without compression. Without --model, the network is a small MPRNet with random
weights, since only memory and tiles matter here. Peak memory is the highest resident memory of the process (Linux only), less
that of a process that only imports the library. Each image is restored once. Files go row by row if the extra `io` is installed.

With --files, the network is as small as can be, and images of 6, 24 and 100 megapixels are restored from and to each format; memory
is that of the whole process.
"""

import argparse
import itertools
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _harness import Column, Measurement, shell_command
from PIL import Image

import restorekit
from restorekit.images import Pixels
from restorekit.inference import parse_bytes

NETWORK = {"width": 16, "unet_step": 8, "ors_step": 0, "num_blocks": 1}
SMALL = f"MPRNet of width {NETWORK['width']}"
SIZES = ((1632, 2448), (2448, 4080), (4080, 6120), (8160, 12240))
SMALLEST = {"width": 2, "encoder_blocks": (1,), "middle_blocks": 1, "decoder_blocks": (1,)}  # of nafnet
FILES: dict[str, tuple[str, dict[str, Any]]] = {  # suffix, and Pillow's options for the input
    "PNG": (".png", {"compress_level": 0}),
    "JPEG": (".jpg", {"quality": 95}),
    "TIFF": (".tif", {}),
    "WebP": (".webp", {"quality": 50, "method": 0}),
}
SIZES_OF_FILES = ((2000, 3000), (4000, 6000), (8160, 12240))
COLUMNS_OF_FILES = {
    "format": Column("format"),
    "megapixels": Column("megapixels", ".0f"),
    "memory": Column("peak memory, GB", ".2f"),
    "share": Column("of the bound", ".0%"),
}
COLUMNS = {
    "megapixels": Column("megapixels", ".0f"),
    "seconds": Column("seconds", ".1f"),
    "each": Column("seconds a megapixel", ".2f"),
    "further": Column("for each more than in the row above", ".2f"),
    "memory": Column("peak memory, GB", ".2f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--max-memory", default="2GB")
    parser.add_argument("--model", help="a model with weights in the package, for longer runs")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--files", action="store_true", help="from and to each format, with the smallest network")


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Restore images, each larger than the one before."""
    yield measure_files(options.max_memory) if options.files else measure_sizes(options)


def measure_files(max_memory: str) -> Measurement:
    """Return the peak memory of restoring from and to each format."""
    rows: list[dict[str, str | float | None]] = []
    with tempfile.TemporaryDirectory() as folder:
        network = Path(folder) / "network"
        torch.manual_seed(0)
        restorekit.create_model("nafnet", **SMALLEST).save_pretrained(network)
        chosen = ["--model", f"local-dir:{network}", "--precision", "float32", "--max-memory", max_memory]
        for (name, (suffix, how)), (height, width) in itertools.product(FILES.items(), SIZES_OF_FILES):
            image, restored = Path(folder) / f"large{suffix}", Path(folder) / f"restored{suffix}"
            Image.fromarray(_noise(height, width)).save(image, **how)
            row: dict[str, str | float | None] = {"format": name, "megapixels": height * width / 1e6}
            try:
                _, memory = shell_command("restore", str(image), "-o", str(restored), *chosen, "--overwrite")
                row |= {"memory": memory, "share": memory * 1e9 / parse_bytes(max_memory)}
            except subprocess.CalledProcessError:
                row["share"] = "refused"
            rows.append(row)
    about = f"NAFNet of width {SMALLEST['width']}, --precision float32, --max-memory {max_memory}; memory of the whole process"
    return Measurement(f"files {max_memory}", about, COLUMNS_OF_FILES, rows)


def _noise(height: int, width: int) -> Pixels:
    """Return noise over a gradient."""
    gradient = np.linspace(0, 200, width, dtype=np.uint8)[None, :, None]
    return gradient + np.random.default_rng(0).integers(0, 50, (height, width, 3), dtype=np.uint8)


def measure_sizes(options: argparse.Namespace) -> Measurement:
    """Return time and memory of restoring PNG files of several sizes."""
    with tempfile.TemporaryDirectory() as folder:
        network, image, restored = (Path(folder) / name for name in ("network", "large.png", "restored.png"))
        torch.manual_seed(0)
        if not options.model:
            restorekit.create_model("mprnet", **NETWORK).save_pretrained(network)
        chosen = ["--model", options.model or f"local-dir:{network}", "--precision", options.precision]
        chosen += ["--max-memory", options.max_memory, "--overwrite"]
        empty, nothing = (statistics.median(each) for each in zip(*(shell_command() for _ in range(3)), strict=True))
        found = []
        for height, width in SIZES:
            Image.fromarray(_noise(height, width)).save(image, compress_level=0)
            seconds, memory = shell_command("restore", str(image), "-o", str(restored), *chosen)
            found.append((height * width / 1e6, seconds - empty, memory - nothing))
    further = [None, *((b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(found))]
    return Measurement(
        f"{options.model or SMALL} {options.precision} {options.max_memory}",
        f"{options.model or SMALL}, --precision {options.precision}, --max-memory {options.max_memory}; time and memory are over "
        f"those of a process that imports the library ({empty:.1f} s, {nothing:.2f} GB)",
        COLUMNS,
        [
            {"megapixels": pixels, "seconds": seconds, "each": seconds / pixels, "further": more, "memory": memory}
            for (pixels, seconds, memory), more in zip(found, further, strict=True)
        ],
    )
