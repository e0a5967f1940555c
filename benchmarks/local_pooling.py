"""Time local pooling beside global pooling, with the same weights and input, in one run.

    python benchmarks/local_pooling.py -o benchmarks/local_pooling.md

Networks run as ``restorekit.restore`` runs them, on what ``restorekit.inference.prepare`` returns, on the whole image at once.
Weights and image are drawn at random. Runs alternate; times are medians, after one run of each to warm up.
"""

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path

import torch
from results import show

import restorekit
from restorekit.inference import keep_freed_memory, local_pooling, prepare

MODELS = ("mprnet_deblur", "mprnet_derain", "mprnet_tiny", "hinet_deblur", "nafnet_deblur")
PRECISIONS = ("float32", "bfloat16")


def seconds(model: restorekit.RestorationNetwork, image: torch.Tensor, precision: str) -> float:
    """Return how long a network takes to restore an image."""
    started = time.perf_counter()
    restorekit.restore(model, image, precision=precision, tile=None)
    if image.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def compare(name: str, precision: str, image: torch.Tensor, runs: int) -> str:
    """Return a row of the table."""
    torch.manual_seed(0)
    model = restorekit.create_model(name).to(image.device)
    networks = {"global": prepare(model, precision=precision), "local": prepare(local_pooling(model), precision=precision)}
    times: dict[str, list[float]] = {pooling: [] for pooling in networks}
    for _ in range(runs + 1):
        for pooling, network in networks.items():
            times[pooling].append(seconds(network, image, precision))
    before, after = (statistics.median(times[pooling][1:]) for pooling in networks)
    return f"| {name} | {precision} | {before:.2f} | {after:.2f} | {after / before:.2f} |"


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    keep_freed_memory()  # as the command line does
    device = torch.device(arguments.device)
    on_gpu = device.type == "cuda"
    where = torch.cuda.get_device_name(device) if on_gpu else f"{platform.machine()}, {torch.get_num_threads()} threads"
    lines = [
        f"{arguments.size[1]} x {arguments.size[0]} pixels, windows for crops of 256, {where}, torch {torch.__version__}; "
        f"medians of {arguments.runs}, runs alternating.",
        "",
        "| model | precision | global, seconds | local, seconds | times as long |",
        "|---|---|---|---|---|",
    ]
    image = (torch.rand(3, *arguments.size, generator=torch.Generator().manual_seed(0)) * 255).byte().to(device)
    for name in arguments.models:
        for precision in arguments.precisions:
            lines.append(compare(name, precision, image, arguments.runs))
            print(lines[-1], file=sys.stderr)
    show(lines, arguments.output)


if __name__ == "__main__":
    main()
