"""Measures the start-up time of imports, and of the shell command that restores one photo.

Each runs in a separate process, and they alternate; times are medians. The first round fills the caches and does not count. The
photo is a JPEG file of 512 x 512 pixels; the network is the bundled one.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from _harness import Column, Measurement, alternate, medians

from restorekit.images import Picture, sample_photo, write_picture


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--runs", type=int, default=5)


def python(arguments: list[str]) -> Callable[[], object]:
    """Return a function that runs Python with these arguments."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time processes."""
    with tempfile.TemporaryDirectory() as folder:
        photo, restored = Path(folder) / "photo.jpg", Path(folder) / "restored.jpg"
        write_picture(Picture(np.tile(sample_photo(), (2, 2, 1))[:512, :512]), photo)
        processes = {
            "`import torch`": ["-c", "import torch"],
            "`import restorekit`": ["-c", "import restorekit"],
            "`restorekit restore photo.jpg`": ["-m", "restorekit", "restore", str(photo), "-o", str(restored), "--overwrite"],
        }
        seconds = medians(alternate({name: python(arguments) for name, arguments in processes.items()}, options.runs))
    torch = seconds["`import torch`"]
    yield Measurement(
        "processes",
        f"Medians of {options.runs}, runs alternating",
        {"process": Column("process"), "seconds": Column("seconds", ".2f"), "times": Column("times that of torch", ".2f")},
        [{"process": name, "seconds": taken, "times": taken / torch} for name, taken in seconds.items()],
        values={"bound": 1.5 * torch + 2},
        notes=["1.5 times that of torch and 2 s more are {bound:.2f} s."],
    )
