"""Time training steps of the deraining network beside a plain loop over the original network, with the same data, in one run.

    pip install -e ".[bench,train]"
    python benchmarks/train_speed.py -o benchmarks/train_speed.md

A step is what `restorekit train` does in one: forward, losses of all stages (Charbonnier and 0.05 edge), backward, clipping, Adam,
moving average. The plain loop has no clipping and no average, computes in eager float32, and uses the same losses. Runs alternate;
times are medians. The original network is the copy in the package spandrel_extra_arches, which is for non-commercial use: it is
measured, never needed. On processors that do not compute in bfloat16, bfloat16 is left out.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from results import show
from torch import Tensor

import restorekit
from restorekit.checkpoints import original_names
from restorekit.inference import has_bfloat16
from restorekit.losses import charbonnier, edge
from restorekit.train import AllStages

CANDIDATES = {  # whether bfloat16, channels_last, compiled
    "ours, float32": (False, False, False),
    "ours, float32 channels_last": (False, True, False),
    "ours, bfloat16 channels_last": (True, True, False),
    "ours, float32 channels_last compiled": (False, True, True),
    "ours, bfloat16 channels_last compiled": (True, True, True),
}


def loss_of(outputs: list[Tensor], target: Tensor) -> Tensor:
    """Return the published loss: Charbonnier and 0.05 edge, summed over the outputs."""
    return torch.stack([charbonnier(output.float(), target) + 0.05 * edge(output.float(), target) for output in outputs]).sum()


def plain_loop(device: torch.device) -> Callable[[Tensor, Tensor], float]:
    """Return a step of a plain loop over the original network."""
    from spandrel_extra_arches.architectures.MPRNet import MPRNetArch

    ours = restorekit.create_model("mprnet_derain")
    names = {mine: theirs for theirs, mine in original_names(ours).items()}
    state = {}
    for name, tensor in ours.state_dict().items():
        module, _, parameter = name.rpartition(".")
        state[f"{names[module]}.{parameter}"] = tensor
    network = MPRNetArch().load(state).model.to(device).train().requires_grad_()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)

    def step(image: Tensor, target: Tensor) -> float:
        optimizer.zero_grad()
        outputs = network(image)
        loss = loss_of(list(outputs) if isinstance(outputs, (list, tuple)) else [outputs], target)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def our_loop(device: torch.device, bfloat16: bool, channels_last: bool, compiled: bool) -> Callable[[Tensor, Tensor], float]:
    """Return a step as `restorekit train` does it."""
    from timm.utils import ModelEmaV3

    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    model = restorekit.create_model("mprnet_derain").to(device).to(memory_format=memory_format).train()
    network = AllStages(model)
    if compiled:
        network.compile()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
    average = ModelEmaV3(model, decay=0.999, use_warmup=True, exclude_buffers=True)

    def step(image: Tensor, target: Tensor) -> float:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            outputs = network(image.to(memory_format=memory_format))
        loss = loss_of(outputs, target.to(memory_format=memory_format))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model)
        return loss.item()

    return step


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5, help="timed steps, after one to warm up")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="measure compiled networks too, which takes minutes to begin")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    torch.manual_seed(0)
    target = torch.rand(arguments.batch, 3, arguments.crop, arguments.crop, device=device)
    image = (target + 0.1 * torch.randn_like(target)).clamp(0, 1)
    loops = {"original, float32": plain_loop(device)}
    for name, (bfloat16, channels_last, compiled) in CANDIDATES.items():
        if (arguments.compile or not compiled) and (has_bfloat16(device) or not bfloat16):
            loops[name] = our_loop(device, bfloat16, channels_last, compiled)
    times: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(arguments.steps + 1):
        for name, step in loops.items():
            started = time.perf_counter()
            step(image, target)
            if turn:
                times[name].append(time.perf_counter() - started)
    seconds = {name: statistics.median(measured) for name, measured in times.items()}
    processor = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    lines = [
        f"mprnet_derain, {arguments.batch} crops of {arguments.crop} x {arguments.crop} a step; {processor}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}; medians of {arguments.steps} steps, alternating.",
        "",
        "| loop | seconds a step | times the original's speed |",
        "|---|---|---|",
        *[f"| {name} | {value:.3f} | {seconds['original, float32'] / value:.2f} |" for name, value in seconds.items()],
    ]
    show(lines, arguments.output)


if __name__ == "__main__":
    main()
