"""Compares float32 convolutions of PyTorch with those of ``restorekit.inference.passes``, alone and in whole networks.

Runs alternate; times are medians. Errors are the largest differences to a convolution in float64, for features of unit variance and
weights as PyTorch draws them; for a network, the difference of its images in [0, 1]. Winograd's are used on every CPU.
"""

import argparse
import copy
from collections.abc import Callable, Iterator

import torch
from _harness import Column, Measurement, alternate, medians
from torch import nn

import restorekit
from restorekit import _cpu
from restorekit.inference.passes import WINOGRAD, WinogradConv2d

LAYERS = [(48, 256), (64, 256), (80, 256), (96, 256), (128, 256), (144, 128), (192, 64), (192, 32)]  # channels and side
NETWORKS = ("mprnet_deblur", "mprnet_denoise")
COLUMNS = {
    "what": Column(""),
    "plain": Column("PyTorch, ms", ".1f"),
    "winograd": Column("Winograd, ms", ".1f"),
    "times": Column("times as fast", ".2f"),
    "plain_error": Column("PyTorch, error", ".1e"),
    "winograd_error": Column("Winograd, error", ".1e"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--runs", type=int, default=9, help="of each convolution (default 9)")
    parser.add_argument("--network-runs", type=int, default=5, help="of each network (default 5)")


def row(name: str, plain: Callable[[], object], fast: Callable[[], object], runs: int) -> dict[str, str | float]:
    """Return a row of the table, the errors aside."""
    taken = {key: 1e3 * seconds for key, seconds in medians(alternate({"plain": plain, "winograd": fast}, runs)).items()}
    return {"what": name, **taken, "times": taken["plain"] / taken["winograd"]}


def layer(channels: int, side: int, runs: int) -> dict[str, str | float]:
    """Measure a convolution, and return its row."""
    plain = nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    fast = WinogradConv2d(plain)
    x = torch.randn(1, channels, side, side).contiguous(memory_format=torch.channels_last)
    exact = nn.functional.conv2d(x.double(), plain.weight.double(), padding=1)
    errors = [(network(x) - exact).abs().max().item() for network in (plain, fast)]
    found = row(f"{channels} channels, {side} x {side}", lambda: plain(x), lambda: fast(x), runs)
    return found | {"plain_error": errors[0], "winograd_error": errors[1]}


def network(name: str, side: int, runs: int) -> dict[str, str | float]:
    """Measure a network, and return its row."""
    plain: nn.Module = restorekit.create_model(name).eval().to(memory_format=torch.channels_last)
    fast = copy.deepcopy(plain)
    WINOGRAD.run(fast)
    image = torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    error = (plain(image) - fast(image)).abs().max().item()
    return row(f"{name}, {side} x {side}", lambda: plain(image), lambda: fast(image), runs) | {"winograd_error": error}


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time convolutions and networks."""
    torch.manual_seed(0)
    _cpu.capabilities = dict  # type: ignore[assignment]  # as on a CPU where they pay
    with torch.no_grad():
        rows = [layer(*size, options.runs) for size in LAYERS] + [network(name, 256, options.network_runs) for name in NETWORKS]
    yield Measurement(
        "convolutions", f"Medians of {options.runs} (networks: {options.network_runs}), runs alternating", COLUMNS, rows
    )
