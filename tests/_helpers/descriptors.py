"""How to make a small one of every registered part, and what to feed it.

A new block, stage, connector or model needs an entry here, and no test code: the tests in test_conformance.py go over all of them.
Run as a program, before a release, this file writes the manifest of parameter names, ``data/parameter_names.json``, which pins
those of new parts from then on.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from restorekit.blocks import (
    AddGuidance,
    AddJoin,
    AddMerge,
    ChannelAttention,
    ChannelAttentionBlock,
    ConcatJoin,
    ConcatMerge,
    CrossGating,
    DirectHead,
    Downsample,
    FeatureAttentionModule,
    FeedbackSupervision,
    GatedDconvFeedForward,
    GatedGuidance,
    GatedMLP,
    HalfInstanceNormBlock,
    HeadSupervision,
    ImageHead,
    MultiAxisGatedMLP,
    MultiDconvHeadTransposedAttention,
    MultiScaleResidualBlock,
    NAFBlock,
    NoSupervision,
    OriginalResolutionBlock,
    PixelShuffle,
    PixelShuffleHead,
    PixelUnshuffle,
    PlainSupervision,
    RatioResize,
    RepeatStem,
    ResidualBlock,
    ResidualChannelAttentionBlock,
    ResidualContextualBlock,
    ResidualDenseBlock,
    ResidualDenseChannelAttentionBlock,
    ResidualHead,
    SelectiveKernelMerge,
    ShallowConvolutionalModule,
    SimplifiedChannelAttention,
    SplitHeadGating,
    StackJoin,
    StridedConv,
    SupervisedAttentionModule,
    TransformerBlock,
    TransposedConv,
    Upsample,
    conv,
    conv_act,
    conv_block,
    multiple_of,
)
from restorekit.models import architectures, create_model
from restorekit.network import RestorationNetwork
from restorekit.stages import (
    ConcatFusion,
    CrossStageFeatureFusion,
    HINetStage,
    Level,
    MAXIMStage,
    MIMOUNetStage,
    NoFusion,
    ORSNetStage,
    PReNetStage,
    Stage,
    StateFusion,
    SumFusion,
    TimmUNetStage,
    UNetStage,
)

MANIFEST = Path(__file__).parent.parent / "data" / "parameter_names.json"

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Part:
    """A small part, what it takes and what it gives.

    Attributes:
        make: returns a new part, with random weights.
        takes: levels of the tensors to feed it.
        gives: levels of the tensors it returns.
        run: calls the part with the tensors of ``takes``, and returns the tensors of ``gives``.
        multiple: height and width at stride 1 must be multiples of this, beside the strides.
        stride: height and width at stride 1 must be multiples of this.
    """

    make: Callable[[], nn.Module]
    takes: tuple[Level, ...]
    gives: tuple[Level, ...]
    run: Callable[[nn.Module, Tensors], Tensors] = lambda part, inputs: (part(*inputs),)
    multiple: int = 1

    @property
    def stride(self) -> int:
        return math.lcm(self.multiple, *(level.stride for level in self.takes + self.gives))

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


Module = TypeVar("Module", bound=nn.Module)


def awake(module: Module) -> Module:
    """Give random values to the factors of branches that start at zero, so that tests see the branches; return the module."""
    for part in module.modules():
        if isinstance(part, NAFBlock):
            nn.init.normal_(part.beta)
            nn.init.normal_(part.gamma)
    return module


def block(make: Callable[..., nn.Module], width: int, **kwargs: Any) -> Part:
    """Return the descriptor of a block."""
    multiple = multiple_of(make(width, **kwargs))
    return Part(lambda: awake(make(width, **kwargs)), takes=(Level(width),), gives=(Level(width),), multiple=multiple)


def stage(make: Callable[..., Stage], *args: Any, **kwargs: Any) -> Part:
    """Return the descriptor of a stage, with what its spec declares."""
    spec = make(*args, **kwargs).spec

    def run(part: nn.Module, inputs: Tensors) -> Tensors:
        assert isinstance(part, Stage)
        encoded = part.encode(inputs[: len(spec.inputs)], inputs[len(spec.inputs) :])
        return encoded + part.decode(encoded)

    return Part(partial(make, *args, **kwargs), spec.inputs + spec.guidance, spec.encoder + spec.decoder, run, spec.multiple)


SIZES = {"block_size": (2, 4), "grid_size": (4, 2)}  # of blocks and grids

# The levels of a small U-Net's two halves, fused for a guided U-Net of other widths.
SOURCE = UNetStage((4, 6, 8)).spec
WANTED = (Level(5, 1), Level(7, 1), Level(6, 1))

BLOCKS = {
    "ca": block(ChannelAttention, 8),
    "cab": block(ChannelAttentionBlock, 8),
    "orb": block(OriginalResolutionBlock, 8, num_blocks=2),
    "identity": block(nn.Identity, 8),
    "hin": block(HalfInstanceNormBlock, 8),
    "sca": block(SimplifiedChannelAttention, 8),
    "naf": block(NAFBlock, 8),
    "mdta": block(MultiDconvHeadTransposedAttention, 8, num_heads=2),
    "gdfn": block(GatedDconvFeedForward, 8),
    "restormer": block(TransformerBlock, 8, num_heads=2, bias=True),
    "gmlp": block(GatedMLP, 8, axis="block", size=(2, 4)),
    "mab": block(MultiAxisGatedMLP, 4, **SIZES),
    "split_head_gating": block(SplitHeadGating, 4, **SIZES),
    "rcb": block(ResidualContextualBlock, 8, groups=2),
    "mrb": block(MultiScaleResidualBlock, 8, num_scales=2),
    "rcab": block(ResidualChannelAttentionBlock, 8, reduction=2),
    "rdcab": block(ResidualDenseChannelAttentionBlock, 8, reduction=2),
    "res": block(ResidualBlock, 8, rectified=True),
    "rdb": block(ResidualDenseBlock, 8, growth=4, num_convs=3),
}
STAGES = {
    "unet": stage(UNetStage, (8, 12, 16), guided=True, num_blocks=1),
    "orsnet": stage(ORSNetStage, 8, num_orbs=2, num_blocks=1, guided=True),
    "hinet": stage(HINetStage, (4, 8, 16), norm_levels=(0, 1), guided=True),
    "maxim": stage(
        MAXIMStage, (6, 8), num_groups=1, num_bottleneck_blocks=1, coarse_block_size=2, reduction=1, guided=True, **SIZES
    ),
    "mimo_unet": stage(MIMOUNetStage, (4, 6, 8), num_blocks=1, guided=True),
    "prenet": stage(PReNetStage, 8, num_blocks=2),
    "timm_unet": stage(
        TimmUNetStage,
        "test_resnet",
        8,
        guided=True,
        num_blocks=1,
        num_levels=2,
        backbone_args={"norm_layer": "groupnorm1", "zero_init_last": False},  # its batch norm would mix samples
    ),
}
CONNECTORS: dict[str, dict[str, Part]] = {
    "stem": {
        "conv": Part(partial(conv, 3, 8), takes=(Level(3),), gives=(Level(8),)),
        "conv_block": Part(partial(conv_block, 3, 8), takes=(Level(3),), gives=(Level(8),)),
        "conv_act": Part(partial(conv_act, 3, 8), takes=(Level(3),), gives=(Level(8),)),
        "scm": Part(partial(ShallowConvolutionalModule, 3, 8), takes=(Level(3),), gives=(Level(8),)),
        "repeat": Part(partial(RepeatStem, 3, 6), takes=(Level(3),), gives=(Level(6),)),
    },
    "join": {
        "concat": Part(partial(ConcatJoin, 4, 6), takes=(Level(4), Level(4)), gives=(Level(6),)),
        "add": Part(partial(AddJoin, 4, 6), takes=(Level(4), Level(4)), gives=(Level(6),)),
        "cross_gating": Part(partial(CrossGating, 4, 6, **SIZES), (Level(4), Level(4)), gives=(Level(6),), multiple=4),
        "stack": Part(partial(StackJoin, 4, 8), takes=(Level(4), Level(4)), gives=(Level(8),)),
    },
    "supervise": {
        "sam": Part(
            partial(SupervisedAttentionModule, 8, 3), (Level(8), Level(3)), (Level(8), Level(3)), lambda part, inputs: part(*inputs)
        ),
        "plain": Part(
            partial(PlainSupervision, 8, 3), (Level(8), Level(3)), (Level(8), Level(3)), lambda part, inputs: part(*inputs)
        ),
        "head": Part(
            partial(HeadSupervision, 8, 3, head="residual_head"),
            (Level(8), Level(3)),
            (Level(8), Level(3)),
            lambda part, inputs: part(*inputs),
        ),
        "feedback": Part(
            partial(FeedbackSupervision, 3, 3), (Level(3), Level(3)), (Level(3), Level(3)), lambda part, inputs: part(*inputs)
        ),
        "none": Part(
            partial(NoSupervision, 8, 3), (Level(8),), (Level(8),), lambda part, inputs: part(inputs[0], inputs[0][:, :3])[:1]
        ),
    },
    "fuse": {
        "csff": Part(
            partial(CrossStageFeatureFusion, SOURCE, WANTED),
            takes=SOURCE.encoder + SOURCE.decoder,
            gives=WANTED,
            run=lambda part, inputs: part(inputs[:3], inputs[3:]),
        ),
        "concat": Part(
            partial(ConcatFusion, SOURCE, WANTED),
            takes=SOURCE.encoder + SOURCE.decoder,
            gives=WANTED,
            run=lambda part, inputs: part(inputs[:3], inputs[3:]),
        ),
        "sum": Part(
            partial(SumFusion, SOURCE, SOURCE.decoder[:2]),
            takes=SOURCE.encoder[:2] + SOURCE.decoder[:2],
            gives=SOURCE.decoder[:2],
            run=lambda part, inputs: part(inputs[:2], inputs[2:]),
        ),
        "state": Part(
            partial(StateFusion, SOURCE, SOURCE.encoder[:2]),
            takes=SOURCE.encoder[:2],
            gives=SOURCE.encoder[:2],
            run=lambda part, inputs: part(inputs, ()),
        ),
        "none": Part(partial(NoFusion, SOURCE, ()), takes=(), gives=(), run=lambda part, inputs: part(inputs, inputs)),
    },
    "head": {
        "residual_head": Part(partial(ResidualHead, 8, 3), takes=(Level(8), Level(3)), gives=(Level(3),)),
        "direct": Part(
            partial(DirectHead, 8, 3), (Level(8),), (Level(3),), lambda part, inputs: (part(inputs[0], inputs[0][:, :3]),)
        ),
        "image": Part(partial(ImageHead, 3, 3), takes=(Level(3), Level(3)), gives=(Level(3),)),
        "pixel_shuffle": Part(
            partial(PixelShuffleHead, 8, 3), (Level(8, 2),), (Level(3),), lambda part, inputs: (part(inputs[0], inputs[0][:, :3]),)
        ),
    },
    "merge": {
        "add": Part(partial(AddMerge, 4, 4), takes=(Level(4), Level(4)), gives=(Level(4),)),
        "skff": Part(partial(SelectiveKernelMerge, 4, 4), takes=(Level(4), Level(4)), gives=(Level(4),)),
        "concat": Part(partial(ConcatMerge, 4, 6, bias=True, act="relu"), takes=(Level(4), Level(4)), gives=(Level(6),)),
    },
    "guide": {
        "add": Part(partial(AddGuidance, 8), takes=(Level(8), Level(8)), gives=(Level(8),)),
        "fam": Part(partial(FeatureAttentionModule, 8), takes=(Level(8), Level(8)), gives=(Level(8),)),
        "gate": Part(partial(GatedGuidance, 8), takes=(Level(8), Level(8)), gives=(Level(8),)),
        "cross_gating": Part(partial(CrossGating, 4, **SIZES), (Level(4), Level(4)), gives=(Level(4),), multiple=4),
    },
    "downsample": {
        "bilinear": Part(partial(Downsample, 4, 6), takes=(Level(4, 1),), gives=(Level(6, 2),)),
        "antialiased": Part(partial(RatioResize, 4, 6), takes=(Level(4, 1),), gives=(Level(6, 2),)),
        "pixel_unshuffle": Part(partial(PixelUnshuffle, 4, 8), takes=(Level(4, 1),), gives=(Level(8, 2),)),
        "strided_conv": Part(partial(StridedConv, 4, 6), takes=(Level(4, 1),), gives=(Level(6, 2),)),
    },
    "upsample": {
        "bilinear": Part(partial(Upsample, 6, 4), takes=(Level(6, 2),), gives=(Level(4, 1),)),
        "pixel_shuffle": Part(partial(PixelShuffle, 6, 4), takes=(Level(6, 2),), gives=(Level(4, 1),)),
        "transposed_conv": Part(partial(TransposedConv, 6, 4), takes=(Level(6, 2),), gives=(Level(4, 1),)),
    },
}
DESCRIBED = {"block": BLOCKS, "stage": STAGES, **CONNECTORS}
PARTS = {f"{kind}:{name}": part for kind, described in DESCRIBED.items() for name, part in described.items() if part.gives}


@dataclass(frozen=True)
class Family:
    """Small arguments for the models of a paper, which share the beginning of their names.

    Attributes:
        arguments: what ``create_model`` gets beside the name.
        base: what the family's own builder gets, too, but its variants do not.
        pinned: models whose parameter names the manifest pins, and their arguments; by default the base with ``arguments``.
    """

    arguments: dict[str, Any]
    base: dict[str, Any] = field(default_factory=dict)
    pinned: dict[str, dict[str, Any]] | None = None


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

    def make(self, name: str) -> RestorationNetwork:
        """Return a new small model, with random weights."""
        return awake(create_model(name, **self.arguments))


SMALL_MPRNET = {"width": 8, "unet_step": 4, "ors_step": 4, "num_blocks": 1}
SMALL_HINET = {"width": 4, "depth": 3, "norm_levels": (1, 2)}
SMALL_NAFNET = {"width": 4, "encoder_blocks": (2,), "middle_blocks": 1, "decoder_blocks": (1,)}
SMALL_RESTORMER = {"width": 4, "num_blocks": (1, 1), "refinement_blocks": 1, "heads": (1, 2)}
SMALL_MIRNET_V2 = {"width": 8, "groups": (2,), "num_blocks": 1}
SMALL_MAXIM = {"features": 4, "stages": 2, "depth": 2, "scales": 2, "num_groups": 1, "num_bottleneck_blocks": 1}
SMALL_MAXIM |= {"block_size": 4, "grid_size": 2, "coarse_block_size": 2}
SMALL_MIMO_UNET = {"width": 4, "num_blocks": 1, "dropout": 0.0}
SMALL_PRENET = {"width": 4, "iterations": 2, "shared_blocks": False}

FAMILIES = {
    "mprnet": Family(SMALL_MPRNET, base={"bias": True}, pinned={"mprnet_tiny": {}}),
    "hinet": Family(SMALL_HINET),
    "maxim": Family(SMALL_MAXIM),
    "nafnet": Family(SMALL_NAFNET),
    "mirnet_v2": Family(SMALL_MIRNET_V2),
    "restormer": Family(
        SMALL_RESTORMER | {"norm_bias": True, "image_channels": 3, "output_channels": 3, "dual_pixel": False}, base={"bias": True}
    ),
    "mimo_unet": Family(SMALL_MIMO_UNET),
    "prenet": Family(SMALL_PRENET),
    "prn": Family(SMALL_PRENET),
    "nafnet_tiny": Family({"widths": (4, 8), "encoder_blocks": (0, 1), "decoder_blocks": (0, 1)}, pinned={"nafnet_tiny": {}}),
}


def family_of(name: str) -> str | None:
    """Return the family that a registered model is of, by its name: ``"nafnet_deblur"`` is a ``"nafnet"``."""
    return max((family for family in FAMILIES if f"{name}_".startswith(f"{family}_")), key=len, default=None)


def described(name: str, family: str) -> ModelDescriptor:
    """Return the descriptor of a registered model."""
    of, is_base = FAMILIES[family], name == family
    pinned = {family: of.arguments} if of.pinned is None else of.pinned
    return ModelDescriptor(of.arguments | (of.base if is_base else {}), None if is_base else family, pinned.get(name))


MODELS = {name: described(name, family) for name in architectures if (family := family_of(name))}


def parameter_names() -> dict[str, list[str]]:
    """Return the names in the state dict of every part, and of the models whose names are pinned."""
    made = {name: descriptor.make() for name, descriptor in PARTS.items()}
    made = {name: part for name, part in made.items() if part.state_dict()}
    made |= {name: create_model(name, **d.pinned) for name, d in MODELS.items() if d.pinned is not None}
    return {name: sorted(module.state_dict()) for name, module in made.items()}


if __name__ == "__main__":
    MANIFEST.write_text(json.dumps(parameter_names(), indent=1) + "\n")
