"""How to make a small one of every registered part, and what to feed it.

A new block, stage, connector or model needs an entry here, and no test code: the tests in test_conformance.py go over all of them.
Run as a program, this file writes the manifest of parameter names, ``data/parameter_names.json``.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restorekit.blocks import (
    ChannelAttention,
    ChannelAttentionBlock,
    Downsample,
    OriginalResolutionBlock,
    ResidualHead,
    SupervisedAttentionModule,
    Upsample,
)
from restorekit.model import RestorationModel
from restorekit.registry import blocks, connectors, stages
from restorekit.stages import CrossStageFeatureFusion, Level, ORSNetStage, Stage, UNetStage
from restorekit.zoo import create_model

MANIFEST = Path(__file__).parent / "data" / "parameter_names.json"

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Part:
    """A small part, what it takes and what it gives.

    Attributes:
        make: returns a new part, with random weights.
        takes: levels of the tensors to feed it.
        gives: levels of the tensors it returns.
        run: calls the part with the tensors of ``takes``, and returns the tensors of ``gives``.
        stride: height and width at stride 1 must be multiples of this.
    """

    make: Callable[[], nn.Module]
    takes: tuple[Level, ...]
    gives: tuple[Level, ...]
    run: Callable[[nn.Module, Tensors], Tensors] = lambda part, inputs: (part(*inputs),)

    @property
    def stride(self) -> int:
        return max(level.stride for level in self.takes + self.gives)

    def feed(self, height: int, width: int, *, n: int = 2, seed: int = 0, **like: Any) -> Tensors:
        """Return features to feed it; ``height`` and ``width`` count strides."""
        return self._tensors(self.takes, height, width, n=n, seed=seed, **like)

    def shapes(self, height: int, width: int, *, n: int = 2) -> list[tuple[int, ...]]:
        """Return the shapes that it must give."""
        return [tuple(x.shape) for x in self._tensors(self.gives, height, width, n=n, seed=0, device="meta")]

    def _tensors(self, levels: tuple[Level, ...], height: int, width: int, *, n: int, seed: int, **like: Any) -> Tensors:
        generator = None if "device" in like else torch.Generator().manual_seed(seed)
        return tuple(
            torch.randn(
                (n, level.width, height * self.stride // level.stride, width * self.stride // level.stride),
                generator=generator,
                **like,
            )
            for level in levels
        )


class Flat(nn.Module):
    """A part as a module that takes and gives tensors, whatever the part's own signature: what tracing needs."""

    def __init__(self, descriptor: Part, part: nn.Module) -> None:
        super().__init__()
        self.run = descriptor.run
        self.part = part

    def forward(self, *inputs: Tensor) -> Tensors:
        return self.run(self.part, inputs)


def block(make: Callable[..., nn.Module], width: int, **kwargs: Any) -> Part:
    """Return the descriptor of a block."""
    return Part(partial(make, width, **kwargs), takes=(Level(width),), gives=(Level(width),))


def stage(make: Callable[..., Stage], *args: Any, **kwargs: Any) -> Part:
    """Return the descriptor of a stage, with what its spec declares."""
    spec = make(*args, **kwargs).spec

    def run(part: nn.Module, inputs: Tensors) -> Tensors:
        assert isinstance(part, Stage)
        encoded = part.encode(inputs[: len(spec.inputs)], inputs[len(spec.inputs) :])
        return encoded + part.decode(encoded)

    return Part(partial(make, *args, **kwargs), spec.inputs + spec.guidance, spec.encoder + spec.decoder, run)


# The levels of a small U-Net's two halves, fused for a guided U-Net of other widths.
SOURCE = UNetStage((4, 6, 8)).spec
WANTED = (Level(5, 1), Level(7, 1), Level(6, 1))

BLOCKS = {
    "ca": block(ChannelAttention, 8),
    "cab": block(ChannelAttentionBlock, 8),
    "orb": block(OriginalResolutionBlock, 8, num_blocks=2),
}
STAGES = {
    "unet": stage(UNetStage, (8, 12, 16), guided=True, num_blocks=1),
    "orsnet": stage(ORSNetStage, 8, num_orbs=2, num_blocks=1, guided=True),
}
CONNECTORS = {
    "downsample": Part(partial(Downsample, 4, 6), takes=(Level(4, 1),), gives=(Level(6, 2),)),
    "upsample": Part(partial(Upsample, 6, 4), takes=(Level(6, 2),), gives=(Level(4, 1),)),
    "sam": Part(
        partial(SupervisedAttentionModule, 8, 3),
        takes=(Level(8), Level(3)),
        gives=(Level(8), Level(3)),
        run=lambda part, inputs: part(*inputs),
    ),
    "residual_head": Part(partial(ResidualHead, 8, 3), takes=(Level(8), Level(3)), gives=(Level(3),)),
    "csff": Part(
        partial(CrossStageFeatureFusion, SOURCE, WANTED),
        takes=SOURCE.encoder + SOURCE.decoder,
        gives=WANTED,
        run=lambda part, inputs: part(inputs[:3], inputs[3:]),
    ),
}
PARTS = BLOCKS | STAGES | CONNECTORS
REGISTRIES = {"block": (blocks, BLOCKS), "stage": (stages, STAGES), "connector": (connectors, CONNECTORS)}


@dataclass(frozen=True)
class ModelDescriptor:
    """Small arguments for a registered model.

    Attributes:
        arguments: what ``create_model`` gets beside the name.
        variant_of: the model whose builder it fills in; tracing is tested with that one only.
        pinned: arguments of the model whose parameter names the manifest pins; None for none.
    """

    arguments: dict[str, Any]
    variant_of: str | None = None
    pinned: dict[str, Any] | None = field(default=None)

    def make(self, name: str) -> RestorationModel:
        """Return a new small model, with random weights."""
        return create_model(name, **self.arguments)


SMALL_MPRNET = {"width": 8, "unet_step": 4, "ors_step": 4, "num_blocks": 1}

MODELS = {
    "mprnet": ModelDescriptor(SMALL_MPRNET | {"bias": True}),
    "mprnet_deblur": ModelDescriptor(SMALL_MPRNET, variant_of="mprnet"),
    "mprnet_denoise": ModelDescriptor(SMALL_MPRNET, variant_of="mprnet"),
    "mprnet_derain": ModelDescriptor(SMALL_MPRNET, variant_of="mprnet"),
    "mprnet_tiny": ModelDescriptor(SMALL_MPRNET, variant_of="mprnet", pinned={}),
}


def parameter_names() -> dict[str, list[str]]:
    """Return the names in the state dict of every part, and of the models whose names are pinned."""
    made = {name: descriptor.make() for name, descriptor in PARTS.items()}
    made |= {name: create_model(name, **d.pinned) for name, d in MODELS.items() if d.pinned is not None}
    return {name: sorted(module.state_dict()) for name, module in made.items()}


if __name__ == "__main__":
    MANIFEST.write_text(json.dumps(parameter_names(), indent=1) + "\n")
