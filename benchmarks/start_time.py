"""Time what starts anew each time: imports, and the restoration of one photo by the shell command.

    python benchmarks/start_time.py -o benchmarks/start_time.md

Each is a process of its own, and they alternate; times are medians. The first turn, which fills the caches, does not count. The
photo has 512 x 512 pixels, as a JPEG file; the network is that of the package.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from results import show

from restorekit.images import Picture, sample_photo, write_picture


def seconds(arguments: list[str]) -> float:
    """Return how long Python takes with these arguments."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo, restored = Path(folder) / "photo.jpg", Path(folder) / "restored.jpg"
        write_picture(Picture(np.tile(sample_photo(), (2, 2, 1))[:512, :512]), photo)
        processes = {
            "import torch": ["-c", "import torch"],
            "import restorekit": ["-c", "import restorekit"],
            "restorekit restore photo.jpg": ["-m", "restorekit", "restore", str(photo), "-o", str(restored), "--overwrite"],
        }
        turns = [[seconds(process) for process in processes.values()] for _ in range(arguments.runs + 1)][1:]
    medians = [statistics.median(column) for column in zip(*turns, strict=True)]
    lines = [
        f"{torch.get_num_threads()} threads, torch {torch.__version__}; medians of {arguments.runs}.",
        "",
        "| process | seconds | times that of torch |",
        "|---|---|---|",
        *(f"| `{name}` | {taken:.2f} | {taken / medians[0]:.2f} |" for name, taken in zip(processes, medians, strict=True)),
        "",
        f"1.5 times that of torch and 2 s more are {1.5 * medians[0] + 2:.2f} s.",
    ]
    show(lines, arguments.output)


if __name__ == "__main__":
    main()
