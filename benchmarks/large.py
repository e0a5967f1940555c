"""Restore images of 4 to 100 megapixels within one bound of memory, by the shell command; write a table.

    python benchmarks/large.py -o benchmarks/large.md
    python benchmarks/large.py --model mprnet_tiny.denoise --precision float32 -o benchmarks/large.md

Images are noise over a gradient, as PNG files without compression. Without --model, the network is a small MPRNet with random
weights, since memory and tiles are what is looked at. A table is added to what the file holds. Peak memory is the highest resident
memory of the process (Linux only), less that of a process that only imports the library. Each image is restored once. Files go row
by row if the extra `io` is installed.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from results import show

import restorekit

NETWORK = {"width": 16, "unet_step": 8, "ors_step": 0, "num_blocks": 1}
SMALL = f"MPRNet of width {NETWORK['width']}"
IMPORTS = "import restorekit.batch, restorekit.cli, restorekit.models"
# The process tells its own peak: what the parent of a process could ask for is that of the parent, if it was higher.
PROGRAM = """
import atexit, sys
from pathlib import Path
atexit.register(lambda: print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]))
{imports}
if sys.argv[1:]:
    restorekit.cli.main()
"""
SIZES = ((1632, 2448), (2448, 4080), (4080, 6120), (8160, 12240))


def run(*arguments: str) -> tuple[float, float]:
    """Run the shell command, or without arguments only import it; return how many seconds it took, and its peak memory in GB."""
    started = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM.format(imports=IMPORTS), *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - started, int(done.stdout.splitlines()[-1]) * 1024 / 1e9


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--max-memory", default="2GB")
    parser.add_argument("--model", help="a model with weights in the package, for longer runs")
    parser.add_argument("--precision", default="auto")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        network, image, restored = (Path(folder) / name for name in ("network", "large.png", "restored.png"))
        torch.manual_seed(0)
        if not arguments.model:
            restorekit.create_model("mprnet", **NETWORK).save_pretrained(network)
        options = ["--model", arguments.model or f"local-dir:{network}", "--precision", arguments.precision]
        options += ["--max-memory", arguments.max_memory, "--overwrite"]
        empty, nothing = (statistics.median(measured) for measured in zip(*(run() for _ in range(3)), strict=True))
        rows = []
        for height, width in SIZES:
            rng = np.random.default_rng(0)
            gradient = np.linspace(0, 200, width, dtype=np.uint8)[None, :, None]
            Image.fromarray(gradient + rng.integers(0, 50, (height, width, 3), dtype=np.uint8)).save(image, compress_level=0)
            seconds, memory = run("restore", str(image), "-o", str(restored), *options)
            rows.append((height * width / 1e6, seconds - empty, memory - nothing))
    further = ["", *(f"{(b[1] - a[1]) / (b[0] - a[0]):.2f}" for a, b in itertools.pairwise(rows))]
    lines = [
        f"{arguments.model or SMALL}, --precision {arguments.precision}, --max-memory {arguments.max_memory}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}; time and memory are over those of a process "
        f"that imports the library ({empty:.1f} s, {nothing:.2f} GB).",
        "",
        "| megapixels | seconds | seconds a megapixel | for each more than in the row above | peak memory, GB |",
        "|---|---|---|---|---|",
        *(
            f"| {pixels:.0f} | {seconds:.1f} | {seconds / pixels:.2f} | {more} | {memory:.2f} |"
            for (pixels, seconds, memory), more in zip(rows, further, strict=True)
        ),
    ]
    show(lines, arguments.output, add=True)


if __name__ == "__main__":
    main()
