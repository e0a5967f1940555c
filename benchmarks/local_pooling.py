"""Time local pooling beside global pooling, with the same weights and input, in one run.

    python benchmarks/local_pooling.py -o benchmarks/local_pooling.md

Weights are drawn at random. Runs alternate; times are medians, after one run of each to warm up.
"""

import argparse
import platform
import statistics
import time
from pathlib import Path

import torch
from results import show

import restorekit
from restorekit.inference import local_pooling

MODELS = ("mprnet_deblur", "hinet_deblur", "nafnet_deblur")


def seconds(model: restorekit.RestorationModel, image: torch.Tensor) -> float:
    """Return how long a model takes once."""
    started = time.perf_counter()
    with torch.no_grad():
        model(image)
    if image.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    on_gpu = device.type == "cuda"
    where = torch.cuda.get_device_name(device) if on_gpu else f"{platform.machine()}, {torch.get_num_threads()} threads"
    lines = [
        f"{arguments.size[1]} x {arguments.size[0]} pixels, windows for crops of 256, float32, {where}, torch {torch.__version__}; "
        f"medians of {arguments.runs}, runs alternating.",
        "",
        "| model | global, seconds | local, seconds | times as long |",
        "|---|---|---|---|",
    ]
    image = torch.rand(1, 3, *arguments.size, device=device)
    for name in arguments.models:
        model = restorekit.create_model(name).eval().to(device)
        networks = {"global": model, "local": local_pooling(model)}
        times: dict[str, list[float]] = {pooling: [] for pooling in networks}
        for _ in range(arguments.runs + 1):
            for pooling, network in networks.items():
                times[pooling].append(seconds(network, image))
        before, after = (statistics.median(times[pooling][1:]) for pooling in ("global", "local"))
        lines.append(f"| {name} | {before:.2f} | {after:.2f} | {after / before:.2f} |")
    show(lines, arguments.output)


if __name__ == "__main__":
    main()
