"""Compares training steps of the deraining network with a plain loop over the original network, on the same data.

Needs the extras `bench` and `train`. A step is one of `restorekit train`: forward, losses of all stages (Charbonnier and
0.05 edge), backward, clipping, Adam, moving average. The plain loop has no clipping and no average, computes in eager float32, and
uses the same losses. Runs alternate; times are medians. CPUs without bfloat16 arithmetic skip bfloat16.
"""

import argparse
from collections.abc import Callable, Iterator

import torch
from _harness import Column, Measurement, alternate, medians
from cases._original import original_mprnet
from torch import Tensor

import restorekit
from restorekit.inference import has_bfloat16
from restorekit.inference.passes import for_training
from restorekit.losses import charbonnier, edge
from restorekit.train import AllStages

ORIGINAL = "original, float32"
CANDIDATES = {  # whether bfloat16, channels_last, compiled
    "ours, float32": (False, False, False),
    "ours, float32 channels_last": (False, True, False),
    "ours, bfloat16 channels_last": (True, True, False),
    "ours, float32 channels_last compiled": (False, True, True),
    "ours, bfloat16 channels_last compiled": (True, True, True),
}
COLUMNS = {
    "loop": Column("loop"),
    "seconds": Column("seconds a step", ".3f"),
    "speed": Column("times the original's speed", ".2f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5, help="timed steps, after one to warm up")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="measure compiled networks too, which takes minutes to begin")


def loss_of(outputs: list[Tensor], target: Tensor) -> Tensor:
    """Return the published loss: Charbonnier and 0.05 edge, summed over the outputs."""
    return torch.stack([charbonnier(output.float(), target) + 0.05 * edge(output.float(), target) for output in outputs]).sum()


def plain_loop(device: torch.device) -> Callable[[Tensor, Tensor], float]:
    """Return a step of a plain loop over the original network."""
    network = original_mprnet(restorekit.create_model("mprnet_derain")).to(device).train().requires_grad_()
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
    for each in for_training(compile=compiled):
        each.run(model)
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


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time all loops."""
    device = torch.device(options.device)
    torch.manual_seed(0)
    target = torch.rand(options.batch, 3, options.crop, options.crop, device=device)
    image = (target + 0.1 * torch.randn_like(target)).clamp(0, 1)
    loops = {ORIGINAL: plain_loop(device)}
    for name, (bfloat16, channels_last, compiled) in CANDIDATES.items():
        if (options.compile or not compiled) and (has_bfloat16(device) or not bfloat16):
            loops[name] = our_loop(device, bfloat16, channels_last, compiled)
    seconds = medians(alternate({name: (lambda step=step: step(image, target)) for name, step in loops.items()}, options.steps))
    yield Measurement(
        f"mprnet_derain {options.batch}x{options.crop} {device.type}",
        f"mprnet_derain, {options.batch} crops of {options.crop} x {options.crop} a step; "
        f"medians of {options.steps} steps, alternating",
        COLUMNS,
        [{"loop": name, "seconds": taken, "speed": seconds[ORIGINAL] / taken} for name, taken in seconds.items()],
    )
