"""Time MPRNet beside the original, with the same weights and input, in one run.

    pip install -e ".[bench]"
    python benchmarks/speed.py -o benchmarks/speed.md
    python benchmarks/speed.py --size 720 1280 --runs 1 -o benchmarks/speed.md

Weights are drawn at random and given to both under the original names. The original runs as it is, in float32; ours as
``restorekit.restore`` runs it, on what ``restorekit.inference.prepare`` returns. Runs alternate; times are medians. Memory is the
highest resident memory during one run in a process of its own, less what the process held before that run (Linux only). The
roof is the time of all multiply-accumulates at the rate that the network's commonest convolution has alone. The original is
the copy in the package spandrel_extra_arches, which is for non-commercial use: it is measured, never needed. On processors
that do not compute in bfloat16, bfloat16 is left out.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from results import show
from torch import Tensor, nn

import restorekit
from restorekit.checkpoints import original_names
from restorekit.inference import keep_freed_memory, prepare
from restorekit.inspection import inspect_model

ORIGINAL = "original, float32"
CANDIDATES = (ORIGINAL, "ours, float32", "ours, bfloat16")


def build(name: str, candidate: str) -> Callable[[Tensor], Tensor]:
    """Return a network as a function; all candidates have the same weights."""
    torch.manual_seed(0)
    ours = restorekit.create_model(name).eval()
    if candidate == ORIGINAL:
        from spandrel_extra_arches.architectures.MPRNet import MPRNetArch

        names = {mine: theirs for theirs, mine in original_names(ours).items()}
        state = {}
        for full_name, tensor in ours.state_dict().items():
            module, _, parameter = full_name.rpartition(".")
            state[f"{names[module]}.{parameter}"] = tensor
        return MPRNetArch().load(state).model.eval()
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
    times = [timed(lambda: convolution(x)) for _ in range(12)][2:]
    return statistics.median(times) * sum(macs.values()) / (h * w * convolution.weight.numel())


def timed(run: Callable[[], object]) -> float:
    """Return how many seconds a function takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def result(output: Tensor | list[Tensor]) -> Tensor:
    """Return the final image; the original may return all stages, the result first."""
    return output if isinstance(output, Tensor) else output[0]


def alone(name: str, candidate: str, height: int, width: int) -> tuple[float, float]:
    """Return seconds and peak memory of one run, in GB over what the process held before, in a process of its own."""
    command = [sys.executable, __file__, "--one", candidate, "--model", name, "--size", str(height), str(width)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def run_one(name: str, candidate: str, height: int, width: int) -> None:
    """Run a candidate once and print how long it took, and its peak memory."""
    network = build(name, candidate)
    image = torch.rand(1, 3, height, width)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = resident_memory("VmRSS")
    with torch.no_grad():
        seconds = timed(lambda: network(image))
    print(json.dumps([seconds, resident_memory("VmHWM") - before]))


def resident_memory(key: str) -> float:
    """Return the resident memory of this process in GB: now (``VmRSS``) or at its peak (``VmHWM``)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024 / 1e9


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write the table to; it is added to what is there")
    parser.add_argument("--model", default="mprnet_deblur", choices=("mprnet_deblur", "mprnet_denoise", "mprnet_derain"))
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=5, help="1: only that of the process whose memory is measured (default 5)")
    parser.add_argument("--keep-memory", action="store_true", help="for all networks, see keep_freed_memory")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    name, (height, width) = arguments.model, arguments.size
    if arguments.keep_memory:
        keep_freed_memory()
    if arguments.one:
        run_one(name, arguments.one, height, width)
        return
    capabilities = torch.cpu.get_capabilities()
    arithmetic = [name for name in ("avx512_bf16", "amx_bf16") if capabilities.get(name)]
    candidates = [candidate for candidate in CANDIDATES if arithmetic or "bfloat16" not in candidate]
    apart = {candidate: alone(name, candidate, height, width) for candidate in candidates}
    outputs, rounds = {}, [{candidate: seconds for candidate, (seconds, _) in apart.items()}]
    if arguments.runs > 1:
        networks = {candidate: build(name, candidate) for candidate in candidates}
        image = torch.rand(1, 3, height, width)
        with torch.no_grad():
            outputs = {candidate: result(network(image)) for candidate, network in networks.items()}  # also warms up
            rounds = [
                {candidate: timed(lambda network=network: network(image)) for candidate, network in networks.items()}
                for _ in range(arguments.runs)
            ]
    roofs = {f"ours, {key}": roof(name, height, width, getattr(torch, key)) for key in ("float32", "bfloat16")}
    seconds = {candidate: statistics.median(times[candidate] for times in rounds) for candidate in candidates}
    macs = inspect_model(restorekit.create_model(name), (height, width)).macs
    lines = [
        f"{name} at {height} x {width} ({macs / 1e9:.0f} GMACs), {torch.get_num_threads()} threads, "
        f"{capabilities.get('cpu_name', platform.machine())} ({', '.join(arithmetic) or 'no bfloat16 arithmetic'}), "
        f"torch {torch.__version__}; "
        f"{f'medians of {arguments.runs}, runs alternating' if arguments.runs > 1 else 'one run, without another to warm up'}"
        f"{', freed memory kept' if arguments.keep_memory else ''}.",
        "",
        "| network | seconds | times the original's speed | share of the roof | peak memory, GB | PSNR to the original, dB |",
        "|---|---|---|---|---|---|",
    ]
    for candidate in candidates:
        share = f"{roofs[candidate] / seconds[candidate]:.0%}" if candidate in roofs else ""
        psnr = ""
        if outputs and candidate != ORIGINAL:
            error = (outputs[candidate].double() - outputs[ORIGINAL].clamp(0, 1).double()).square().mean()
            psnr = f"{-10 * error.log10().item():.1f}"
        lines.append(
            f"| {candidate} | {seconds[candidate]:.2f} | {seconds[ORIGINAL] / seconds[candidate]:.2f} | {share} "
            f"| {apart[candidate][1]:.2f} | {psnr} |"
        )
    show(lines, arguments.output, add=True)


if __name__ == "__main__":
    main()
