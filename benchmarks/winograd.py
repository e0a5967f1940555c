"""Time convolutions in float32 as PyTorch has them and as ``restorekit.inference.passes`` has them, alone and in whole networks.

    pip install -e ".[bench]"
    python benchmarks/winograd.py -o benchmarks/winograd.md

Runs alternate; times are medians. Errors are the largest differences to a convolution in float64, for features of unit variance and
weights as PyTorch draws them; for a network, the difference of its images in [0, 1]. Winograd's are used whatever the processor.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from results import show
from torch import Tensor, nn

import restorekit
from restorekit.inference.passes import WinogradConv2d, use_winograd

LAYERS = [(48, 256), (64, 256), (80, 256), (96, 256), (128, 256), (144, 128), (192, 64), (192, 32)]  # channels and side
NETWORKS = ("mprnet_deblur", "mprnet_denoise")
HEADER = ("| | PyTorch, ms | Winograd, ms | times as fast | PyTorch, error | Winograd, error |", "|---|---|---|---|---|---|")


def medians(functions: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Return the median milliseconds of functions, which run in turns, after one turn to warm up."""
    times: list[list[float]] = [[] for _ in functions]
    for turn in range(runs + 1):
        for function, measured in zip(functions, times, strict=True):
            started = time.perf_counter()
            function()
            if turn:
                measured.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(measured) for measured in times]


def row(name: str, seconds: Sequence[float], errors: Sequence[str]) -> str:
    """Return a row of the table."""
    plain, fast = seconds
    return f"| {name} | {plain:.1f} | {fast:.1f} | {plain / fast:.2f} | {errors[0]} | {errors[1]} |"


def layer(channels: int, side: int, runs: int) -> str:
    """Measure a convolution, and return its row."""
    plain = nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    fast = WinogradConv2d(plain)
    x = torch.randn(1, channels, side, side).contiguous(memory_format=torch.channels_last)
    exact = nn.functional.conv2d(x.double(), plain.weight.double(), padding=1)
    errors = [f"{(network(x) - exact).abs().max().item():.1e}" for network in (plain, fast)]
    return row(f"{channels} channels, {side} x {side}", medians([lambda: plain(x), lambda: fast(x)], runs), errors)


def network(name: str, side: int, runs: int) -> str:
    """Measure a network, and return its row."""
    plain: nn.Module = restorekit.create_model(name).eval().to(memory_format=torch.channels_last)
    fast = copy.deepcopy(plain)
    use_winograd(fast)
    image: Tensor = torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    error = (plain(image) - fast(image)).abs().max().item()
    return row(f"{name}, {side} x {side}", medians([lambda: plain(image), lambda: fast(image)], runs), ["", f"{error:.1e}"])


@torch.no_grad()
def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--runs", type=int, default=9, help="of each convolution (default 9)")
    parser.add_argument("--network-runs", type=int, default=5, help="of each network (default 5)")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.cpu.get_capabilities = dict  # type: ignore[assignment]  # as on a processor where they pay
    lines = [
        f"{torch.get_num_threads()} threads, torch {torch.__version__}; medians of {arguments.runs} (networks: "
        f"{arguments.network_runs}), in turns.",
        "",
        *HEADER,
        *[layer(*size, arguments.runs) for size in LAYERS],
        *[network(name, 256, arguments.network_runs) for name in NETWORKS],
    ]
    show(lines, arguments.output)


if __name__ == "__main__":
    main()
