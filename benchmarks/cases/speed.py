"""Compares MPRNet with the original, with the same weights and input: time, memory and difference.

Needs the group `bench`. Both get the same random weights under the original names. The original runs unchanged, in float32; ours
runs as ``restorekit.restore`` runs it, prepared by ``restorekit.inference.prepare``. Runs alternate; times are medians. Memory is
the highest resident memory during one run in a separate process, minus what the process used before that run (Linux only). The
roof is the time of all multiply-accumulates at the rate that the network's commonest convolution reaches alone. CPUs without
bfloat16 arithmetic skip bfloat16.
"""

import argparse
import statistics
from collections import Counter
from collections.abc import Callable, Iterator

import torch
from _harness import Column, Measurement, alternate, apart, medians, run_once
from cases._original import original_mprnet
from torch import Tensor, nn

import restorekit
from restorekit.inference import has_bfloat16, keep_freed_memory, prepare
from restorekit.inspection import inspect_model

ORIGINAL = "original, float32"
CANDIDATES = (ORIGINAL, "ours, float32", "ours, bfloat16")
COLUMNS = {
    "network": Column("network"),
    "seconds": Column("seconds", ".2f"),
    "speed": Column("times the original's speed", ".2f"),
    "roof": Column("share of the roof", ".0%"),
    "memory": Column("peak memory, GB", ".2f"),
    "psnr": Column("PSNR to the original, dB", ".1f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--model", default="mprnet_deblur", choices=("mprnet_deblur", "mprnet_denoise", "mprnet_derain"))
    parser.add_argument(
        "--size", type=int, nargs="+", default=[256], metavar="SIDE", help="height and width, or one side of a square"
    )
    parser.add_argument("--runs", type=int, default=5, help="1: only that of the process whose memory is measured (default 5)")
    parser.add_argument("--keep-memory", action="store_true", help="for all networks, see keep_freed_memory")


def build(name: str, candidate: str) -> Callable[[Tensor], Tensor]:
    """Return a network as a function; all candidates have the same weights."""
    torch.manual_seed(0)
    ours = restorekit.create_model(name).eval()
    if candidate == ORIGINAL:
        return original_mprnet(ours).eval()
    precision = candidate.removeprefix("ours, ")
    prepared = prepare(ours, precision=precision)
    return lambda image: restorekit.restore(prepared, image, precision=precision, tile=None)


def roof(name: str, height: int, width: int, dtype: torch.dtype) -> float:
    """Return how many seconds the multiply-accumulates take at the rate of the commonest convolution."""
    model = restorekit.create_model(name).eval().to("meta")
    macs: Counter[tuple[int, int, int, int, int]] = Counter()

    def count(module: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        kernel, (number, _, h, w) = module.kernel_size[0], output.shape
        macs[module.in_channels, module.out_channels, kernel, number * h, w] += number * h * w * module.weight.numel()

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    model(torch.empty(1, 3, height, width, device="meta"))
    ((channels, out, kernel, h, w), _) = macs.most_common(1)[0]
    convolution = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False).to(dtype, memory_format=torch.channels_last)
    x = torch.rand(1, channels, h, w).to(dtype, memory_format=torch.channels_last)
    seconds = statistics.median(alternate({"": lambda: convolution(x)}, 10, warm_up=2)[""])
    return seconds * sum(macs.values()) / (h * w * convolution.weight.numel())


def result(output: Tensor | list[Tensor]) -> Tensor:
    """Return the final image; the original may return all stages, the result first."""
    return output if isinstance(output, Tensor) else output[0]


def run_one(name: str, candidate: str, height: int, width: int, keep: bool) -> tuple[float, float]:
    """Run a candidate once; return the seconds, and the peak memory in GB."""
    if keep:
        keep_freed_memory()
    network = build(name, candidate)
    image = torch.rand(1, 3, height, width)
    with torch.no_grad():
        return run_once(lambda: network(image))


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time all candidates."""
    name, (height, width) = options.model, (*options.size, options.size[0])[:2]
    if options.keep_memory:
        keep_freed_memory()
    candidates = [each for each in CANDIDATES if has_bfloat16(torch.device("cpu")) or "bfloat16" not in each]
    alone = {each: apart(run_one, name, each, height, width, options.keep_memory) for each in candidates}
    seconds, outputs = {each: taken for each, (taken, _) in alone.items()}, {}
    with torch.no_grad():
        if options.runs > 1:
            networks = {each: build(name, each) for each in candidates}
            image = torch.rand(1, 3, height, width)
            outputs = {each: result(network(image)) for each, network in networks.items()}  # also warms up
            runs = {each: (lambda network=network: network(image)) for each, network in networks.items()}
            seconds = medians(alternate(runs, options.runs, warm_up=0))
        roofs = {f"ours, {key}": roof(name, height, width, getattr(torch, key)) for key in ("float32", "bfloat16")}
    rows = []
    for each in candidates:
        row = {"network": each, "seconds": seconds[each], "speed": seconds[ORIGINAL] / seconds[each], "memory": alone[each][1]}
        if each in roofs:
            row["roof"] = roofs[each] / seconds[each]
        if outputs and each != ORIGINAL:
            error = (outputs[each].double() - outputs[ORIGINAL].clamp(0, 1).double()).square().mean()
            row["psnr"] = -10 * error.log10().item()
        rows.append(row)
    macs = inspect_model(restorekit.create_model(name), (height, width)).macs
    how = f"medians of {options.runs}, runs alternating" if options.runs > 1 else "one run, without another to warm up"
    yield Measurement(
        f"{name} {height}x{width}" + (" kept" if options.keep_memory else ""),
        f"{name} at {height} x {width} ({macs / 1e9:.0f} GMACs); {how}{', freed memory kept' if options.keep_memory else ''}",
        COLUMNS,
        rows,
    )
