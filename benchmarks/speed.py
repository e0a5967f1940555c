"""Time MPRNet for deblurring beside the original, with the same weights and input, in one run.

    pip install -e ".[bench]"
    python benchmarks/speed.py -o benchmarks/speed.md

Weights are drawn at random and given to both under the original names. Runs alternate; times are medians. Peak memory is the
highest resident memory during one run in a process of its own, less what the process held before that run (Linux only). The
original is the copy in the package spandrel_extra_arches, which is for non-commercial use: it is measured, never needed. On
processors that do not compute in bfloat16, bfloat16 is left out.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import restorekit

CANDIDATES = ("original, float32", "ours, float32", "ours, float32 channels_last", "ours, bfloat16 channels_last")


def build(candidate: str) -> Callable[[Tensor], Tensor]:
    """Return a network as a function; all candidates have the same weights."""
    torch.manual_seed(0)
    ours = restorekit.create_model("mprnet_deblur").eval()
    if candidate.startswith("original"):
        from spandrel_extra_arches.architectures.MPRNet import MPRNetArch

        names = {mine: theirs for theirs, mine in ours.original_names.items()}
        state = {}
        for name, tensor in ours.state_dict().items():
            module, _, parameter = name.rpartition(".")
            state[f"{names[module]}.{parameter}"] = tensor
        return MPRNetArch().load(state).model.eval()
    dtype = torch.bfloat16 if "bfloat16" in candidate else torch.float32
    memory_format = torch.channels_last if "channels_last" in candidate else torch.contiguous_format
    ours = ours.to(dtype=dtype, memory_format=memory_format)
    return lambda image: ours(image.to(dtype, memory_format=memory_format)).float()


def result(output: Tensor | list[Tensor]) -> Tensor:
    """Return the final image; the original may return all stages, the result first."""
    return output if isinstance(output, Tensor) else output[0]


def peak_memory(candidate: str, height: int, width: int) -> float:
    """Return the peak memory of one run, in GB over what the process held before, in a process of its own."""
    command = [sys.executable, __file__, "--one", candidate, "--size", str(height), str(width)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def run_one(candidate: str, height: int, width: int) -> None:
    """Run a candidate once and print its peak memory."""
    network = build(candidate)
    image = torch.rand(1, 3, height, width)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = resident_memory("VmRSS")
    with torch.no_grad():
        network(image)
    print(json.dumps(resident_memory("VmHWM") - before))


def resident_memory(key: str) -> float:
    """Return the resident memory of this process in GB: now (``VmRSS``) or at its peak (``VmHWM``)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024 / 1e9


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    height, width = arguments.size
    if arguments.one:
        run_one(arguments.one, height, width)
        return
    capabilities = torch.cpu.get_capabilities()
    arithmetic = [name for name in ("avx512_bf16", "amx_bf16") if capabilities.get(name)]
    candidates = [name for name in CANDIDATES if arithmetic or "bfloat16" not in name]
    networks = {candidate: build(candidate) for candidate in candidates}
    image = torch.rand(1, 3, height, width)
    times: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    with torch.no_grad():
        outputs = {candidate: result(network(image)) for candidate, network in networks.items()}  # also warms up
        for _ in range(arguments.runs):
            for candidate, network in networks.items():
                started = time.perf_counter()
                network(image)
                times[candidate].append(time.perf_counter() - started)
    reference, first = outputs[CANDIDATES[0]], statistics.median(times[CANDIDATES[0]])
    lines = [
        f"mprnet_deblur at {height} x {width}, {torch.get_num_threads()} threads, "
        f"{capabilities.get('cpu_name', platform.machine())} ({', '.join(arithmetic) or 'no bfloat16 arithmetic'}), "
        f"torch {torch.__version__}; "
        f"medians of {arguments.runs}, runs alternating.",
        "",
        "| network | seconds | times the original's speed | peak memory, GB | largest difference to the original |",
        "|---|---|---|---|---|",
    ]
    for candidate in candidates:
        seconds = statistics.median(times[candidate])
        difference = (outputs[candidate] - reference).abs().max().item()
        memory = peak_memory(candidate, height, width)
        lines.append(f"| {candidate} | {seconds:.2f} | {first / seconds:.2f} | {memory:.2f} | {difference:.1e} |")
    text = "\n".join(lines) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
