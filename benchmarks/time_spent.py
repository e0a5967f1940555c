"""Where the time goes when a photograph is restored, from file to file.

    python benchmarks/time_spent.py -o benchmarks/time_spent.md

The photograph in the package, tiled to the size, is read from a PNG file, restored and written. Operations of the network are those
that torch.profiler tells, by the time that each takes itself; a median of several runs for each kind.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from results import show
from torch.profiler import ProfilerActivity, profile

import restorekit
from restorekit.images import Picture, read_picture, sample_photo, write_picture
from restorekit.inference import keep_freed_memory, prepare

CONVOLUTIONS, TRANSFORMS, CONVERSIONS = "convolutions", "Winograd's transforms", "conversions and copies"
KINDS = {  # by the beginning of the names of operations; those of no kind are memory-bound: sums, activations, resizing, means, ...
    CONVOLUTIONS: ("aten::mkldnn_convolution", "aten::_slow_conv", "aten::mm", "aten::addmm"),
    TRANSFORMS: ("aten::bmm",),
    CONVERSIONS: ("aten::copy_", "aten::_to_copy", "aten::to", "aten::clone", "aten::contiguous"),
}
MEMORY_BOUND, READ, WRITTEN, REST = "memory-bound operations", "reading the PNG file", "writing the PNG file", "Python and the rest"
ROWS = (CONVOLUTIONS, TRANSFORMS, MEMORY_BOUND, CONVERSIONS, REST, READ, WRITTEN)


def kind_of(name: str) -> str:
    """Return which kind an operation is of."""
    return next((kind for kind, names in KINDS.items() if name.startswith(names)), MEMORY_BOUND)


def spent(model: restorekit.RestorationNetwork, precision: str, folder: Path) -> tuple[dict[str, float], Counter[str]]:
    """Return seconds by kind for one photograph, and those of each memory-bound operation."""
    seconds = dict.fromkeys(ROWS, 0.0)
    operations: Counter[str] = Counter()
    started = time.perf_counter()
    picture = read_picture(folder / "photo.png")
    seconds[READ] = time.perf_counter() - started
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        started = time.perf_counter()
        restored = restorekit.restore(model, picture.pixels, precision=precision, tile=None)
        seconds[REST] = time.perf_counter() - started
    for event in profiler.key_averages():
        kind, taken = kind_of(event.key), event.self_cpu_time_total / 1e6
        seconds[kind] += taken
        seconds[REST] -= taken
        if kind == MEMORY_BOUND:
            operations[event.key.removeprefix("aten::")] += taken
    started = time.perf_counter()
    write_picture(Picture(restored, picture.info), folder / "restored.png")
    seconds[WRITTEN] = time.perf_counter() - started
    return seconds, operations


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--model", default="mprnet_deblur")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    keep_freed_memory()
    height, width = arguments.size
    torch.manual_seed(0)
    network = restorekit.create_model(arguments.model)
    table: dict[str, list[float]] = {}
    memory_bound: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = sample_photo()
        repeats = (-(-height // photo.shape[0]), -(-width // photo.shape[1]), 1)
        write_picture(Picture(np.tile(photo, repeats)[:height, :width]), folder / "photo.png")
        for precision in ("float32", "bfloat16"):
            prepared = prepare(network, precision=precision)
            spent(prepared, precision, folder)
            runs = [spent(prepared, precision, folder) for _ in range(arguments.runs)]
            table[precision] = [statistics.median(seconds[row] for seconds, _ in runs) for row in ROWS]
            memory_bound[precision] = runs[-1][1]
    totals = {precision: sum(column) for precision, column in table.items()}
    lines = [
        f"{arguments.model}, {width} x {height}, 8 bits, {torch.get_num_threads()} threads, {platform.machine()}, "
        f"torch {torch.__version__}; medians of {arguments.runs} runs.",
        "",
        "| | float32, s | share | bfloat16, s | share |",
        "|---|---|---|---|---|",
    ]
    for i, row in enumerate(ROWS):
        cells = [f"{column[i]:.3f} | {column[i] / totals[precision]:.1%}" for precision, column in table.items()]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    lines.append(f"| **all** | {' | '.join(f'**{total:.3f}** | ' for total in totals.values())} |")
    for precision, operations in memory_bound.items():
        most = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in operations.most_common(6))
        lines += ["", f"Memory-bound operations that take most in {precision}: {most}."]
    show(lines, arguments.output)


if __name__ == "__main__":
    main()
