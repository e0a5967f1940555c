"""Shows where the time goes when a photograph is restored, from file to file.

The bundled photograph, tiled to the size, is read from a PNG file, restored and written. torch.profiler measures the operations of
the network, each without the operations that it calls; times are medians of several runs for each kind.
"""

import argparse
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from _harness import Column, Measurement, seconds_of
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
PRECISIONS = ("float32", "bfloat16")
COLUMNS = {"kind": Column("")}
for _precision in PRECISIONS:
    COLUMNS |= {_precision: Column(f"{_precision}, s", ".3f"), f"{_precision}_share": Column("share", ".1%")}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--model", default="mprnet_deblur")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=5)


def kind_of(name: str) -> str:
    """Return which kind an operation is of."""
    return next((kind for kind, names in KINDS.items() if name.startswith(names)), MEMORY_BOUND)


def spent(model: restorekit.RestorationNetwork, precision: str, folder: Path) -> tuple[dict[str, float], Counter[str]]:
    """Return seconds by kind for one photograph, and those of each memory-bound operation."""
    seconds = dict.fromkeys(ROWS, 0.0)
    operations: Counter[str] = Counter()
    picture, restored = read_picture(folder / "photo.png"), None

    def restoring() -> None:
        nonlocal restored
        restored = restorekit.restore(model, picture.pixels, precision=precision, tile=None)

    seconds[READ] = seconds_of(lambda: read_picture(folder / "photo.png"))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        seconds[REST] = seconds_of(restoring)
    for event in profiler.key_averages():
        kind, taken = kind_of(event.key), event.self_cpu_time_total / 1e6
        seconds[kind] += taken
        seconds[REST] -= taken
        if kind == MEMORY_BOUND:
            operations[event.key.removeprefix("aten::")] += taken
    seconds[WRITTEN] = seconds_of(lambda: write_picture(Picture(restored, picture.info), folder / "restored.png"))
    return seconds, operations


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Profile the network, and time files."""
    keep_freed_memory()
    height, width = options.size
    torch.manual_seed(0)
    network = restorekit.create_model(options.model)
    table: dict[str, dict[str, float]] = {}
    most: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = sample_photo()
        repeats = (-(-height // photo.shape[0]), -(-width // photo.shape[1]), 1)
        write_picture(Picture(np.tile(photo, repeats)[:height, :width]), folder / "photo.png")
        for precision in PRECISIONS:
            prepared = prepare(network, precision=precision)
            spent(prepared, precision, folder)
            runs = [spent(prepared, precision, folder) for _ in range(options.runs)]
            table[precision] = {row: statistics.median(seconds[row] for seconds, _ in runs) for row in ROWS}
            most[precision] = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in runs[-1][1].most_common(6))
    totals = {precision: sum(column.values()) for precision, column in table.items()}
    rows = []
    for kind in ROWS:
        row: dict[str, str | float] = {"kind": kind}
        for precision in PRECISIONS:
            row |= {precision: table[precision][kind], f"{precision}_share": table[precision][kind] / totals[precision]}
        rows.append(row)
    yield Measurement(
        f"{options.model} {height}x{width}",
        f"{options.model}, {width} x {height}, 8 bits; medians of {options.runs} runs",
        COLUMNS,
        [*rows, {"kind": "all", **totals, "bold": True}],
        values=most,
        notes=[f"Memory-bound operations that take most in {precision}: {{{precision}}}." for precision in PRECISIONS],
    )
