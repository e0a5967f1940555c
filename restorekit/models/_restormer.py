"""Restormer: one U-Net of transformer blocks on the whole image, with attention between channels.

Source: Zamir et al., Restormer: Efficient Transformer for High-Resolution Image Restoration, CVPR 2022, arXiv:2111.09881.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from restorekit import blocks, stages
from restorekit.checkpoints import Originals
from restorekit.models._registry import register_model
from restorekit.provenance import ACADEMIC, Metric, PretrainedConfig, WebFile, psnr_and_ssim

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.stages import MultiStage

BLOCK = {  # names in a block of the authors -> names here
    "norm1.body": "attention.norm",
    "attn.temperature": "attention.scale",  # a parameter; all others are modules
    "attn.qkv": "attention.expand",
    "attn.qkv_dwconv": "attention.depthwise",
    "attn.project_out": "attention.project",
    "norm2.body": "feed_forward.norm",
    "ffn.project_in": "feed_forward.expand",
    "ffn.dwconv": "feed_forward.depthwise",
    "ffn.project_out": "feed_forward.project",
}


def infer_arguments(state: Mapping[str, "Tensor"]) -> dict[str, Any] | None:
    """Return the arguments of :func:`restormer` for a checkpoint with the original names, or None if it is not from Restormer."""
    if "patch_embed.proj.weight" not in state or "latent.0.attn.temperature" not in state:
        return None
    width, image_channels = state["patch_embed.proj.weight"].shape[:2]
    finer = _count(state, r"down\d+_\d+\.body\.0\.weight")
    levels = [f"encoder_level{i + 1}" for i in range(finer)] + ["latent"]
    temperatures = [state.get(f"{level}.0.attn.temperature", ()) for level in levels]  # one for each head
    hidden = {len(state[name]): state[name].shape[1] for name in state if re.fullmatch(r"\w+\.\d+\.ffn\.project_out\.weight", name)}
    return {
        "width": width,
        "num_blocks": tuple(_count(state, rf"{level}\.\d+\.attn\.temperature") for level in levels),
        "refinement_blocks": _count(state, r"refinement\.\d+\.attn\.temperature"),
        "heads": tuple(len(each) or 1 for each in temperatures),
        "expansion": _expansion(hidden),
        "bias": "output.bias" in state,
        "norm_bias": "latent.0.norm1.body.bias" in state,
        "image_channels": image_channels,
        "output_channels": len(state["output.weight"]),
        "dual_pixel": "skip_conv.weight" in state,
    }


def _count(state: Mapping[str, "Tensor"], pattern: str) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in state)


def _expansion(hidden: Mapping[int, int]) -> float:
    """Return the shortest number from which the hidden widths follow: those of blocks by width, rounded down."""
    least = max(wide / width for width, wide in hidden.items())
    candidates = (math.ceil(least * 10**digits) / 10**digits for digits in range(16))
    return next(number for number in (*candidates, least) if all(int(width * number) == wide for width, wide in hidden.items()))


def original_names(num_blocks: Sequence[int], refinement_blocks: int, dual_pixel: bool) -> dict[str, str]:
    """Return the table: name in the authors' checkpoints -> name here, of modules and of the parameter of each attention."""
    coarsest = len(num_blocks) - 1
    table = {"patch_embed.proj": "stems.0.0", "output": "heads.0.to_image"}

    def row(original: str, ours: str, count: int, first: int = 0) -> None:
        for j in range(count):
            table.update({f"{original}.{j}.{theirs}": f"{ours}.{first + j}.{mine}" for theirs, mine in BLOCK.items()})

    for i, count in enumerate(num_blocks[:-1]):
        row(f"encoder_level{i + 1}", f"stages.0.encoders.{i}", count)
        row(f"decoder_level{i + 1}", f"stages.0.decoders.{i}", count)
        table[f"down{i + 1}_{i + 2}.body.0"] = f"stages.0.downs.{i}.conv"
        table[f"up{i + 2}_{i + 1}.body.0"] = f"stages.0.ups.{i}.conv"
        if i > 0:
            table[f"reduce_chan_level{i + 1}"] = f"stages.0.merges.{i}.conv"
    row("latent", f"stages.0.encoders.{coarsest}", num_blocks[-1])
    row("refinement", "stages.0.decoders.0", refinement_blocks, first=num_blocks[0])
    if dual_pixel:
        table["skip_conv"] = "stages.0.shortcuts.0"
    return table


@register_model("restormer", parameters=26_126_644, checkpoints=Originals(original_names, infer_arguments))
def restormer(
    width: int = 48,
    num_blocks: Sequence[int] = (4, 6, 6, 8),
    refinement_blocks: int = 4,
    heads: Sequence[int] = (1, 2, 4, 8),
    *,
    expansion: float = 2.66,
    bias: bool = False,
    norm_bias: bool = True,
    image_channels: int = 3,
    output_channels: int = 3,
    dual_pixel: bool = False,
) -> "MultiStage":
    """Build Restormer.

    The finest level of the decoder is twice as wide as that of the encoder: its skip is concatenated, and nothing reduces it.

    Args:
        width: channels at full resolution (the original's ``dim``), an even number; they double with each level.
        num_blocks: blocks of each level, finest first, in the encoder and in the decoder; the coarsest is only in the encoder.
        refinement_blocks: further blocks at the end of the finest level of the decoder (``num_refinement_blocks``).
        heads: heads of the attention at each level, finest first.
        expansion: factor by which a branch of the feed-forward network is wider (``ffn_expansion_factor``).
        bias: whether the convolutions have biases, except the first one and those that resize.
        norm_bias: whether the normalisation subtracts means and has offsets (``LayerNorm_type``: ``"WithBias"``, ``"BiasFree"``).
        image_channels: channels of the degraded image (``inp_channels``); 6 for a pair of views.
        output_channels: channels of the restored image (``out_channels``).
        dual_pixel: whether the image is a pair of views (``dual_pixel_task``): the restored image is then not their residual, and
            a shortcut leads around the U-Net.

    Raises:
        ValueError: if there are fewer than two levels, ``heads`` is not one number for each, or a number is not possible.
    """
    from restorekit.network import ImageSpec  # needs PyTorch

    if len(num_blocks) < 2 or len(heads) != len(num_blocks):
        raise ValueError(
            f"num_blocks and heads must be one number for each of at least two levels; got {tuple(num_blocks)} and {tuple(heads)}"
        )
    widths = [width * 2**level for level in range(len(num_blocks))]
    block = partial(blocks.TransformerBlock, expansion=expansion, bias=bias, norm_bias=norm_bias)
    stage = stages.UNetStage(
        widths,
        [partial(block, num_heads=each) for each in heads],
        encoder_blocks=num_blocks,
        decoder_blocks=(num_blocks[0] + refinement_blocks, *num_blocks[1:-1], 0),
        decoder_widths=(2 * width, *widths[1:]),
        merge=partial(blocks.ConcatMerge, bias=bias),
        skip="identity",
        shortcut=partial(blocks.conv, kernel_size=1, bias=bias) if dual_pixel else None,
        downsample=blocks.PixelUnshuffle,
        upsample=partial(blocks.PixelShuffle, kernel_size=3),
    )
    return stages.MultiStage(
        [stage],
        image_channels=image_channels,
        output=ImageSpec(output_channels),
        head=partial(blocks.DirectHead if dual_pixel else blocks.ResidualHead, bias=bias),
    )


LICENCE = replace(
    ACADEMIC,
    url="https://github.com/swz30/Restormer/blob/main/LICENSE.md",
    text_url="https://raw.githubusercontent.com/swz30/Restormer/main/LICENSE.md",
)
MEASURED = "weights of the authors, measured by MMagic (configs/restormer); RGB, 8 bits"
MEASURED_Y = "weights of the authors, measured by MMagic (configs/restormer); Y of YCbCr"
UNCONFIRMED = "published (?: not confirmed in a second source)"
GAUSSIAN = "DIV2K, Flickr2K, BSD, WED"
TAGS = {"blind": "sigma 0 to 50"} | {f"sigma{sigma}": f"sigma {sigma}" for sigma in (15, 25, 50)}


def _published(task: str, training_data: str, file: str, *metrics: Metric) -> PretrainedConfig:
    """Return the config of the authors' weights; the sizes of the files are not known."""
    return PretrainedConfig(
        task=task,
        licence=LICENCE,
        sources=(WebFile(f"https://github.com/swz30/Restormer/releases/download/v1.0/{file}.pth"),),
        training_data=training_data,
        trained_by="the authors of Restormer",
        source="https://arxiv.org/abs/2111.09881",
        metrics=metrics,
    )


def _psnr(protocol: str, **figures: float) -> list[Metric]:
    """Return figures by data set."""
    return [Metric(dataset, "PSNR", psnr, protocol) for dataset, psnr in figures.items()]


def _gaussian(colours: str, protocol: str, figures: Mapping[str, Mapping[str, float]]) -> dict[str, PretrainedConfig]:
    """Return the configs of weights for white noise: blind, and for a level each, with figures by tag and data set."""
    return {
        tag: _published(
            "denoise",
            f"{GAUSSIAN}; {noise}",
            f"gaussian_{colours}_denoising_{tag}",
            *_psnr(protocol, **figures.get(tag, {})),
        )
        for tag, noise in TAGS.items()
    }


@register_model(
    "restormer_derain",
    parameters=26_126_644,
    pretrained={
        "rain13k": _published(
            "derain",
            "Rain13K",
            "deraining",
            *_psnr(MEASURED_Y, Test100=32.03, Rain100H=31.48, Rain100L=39.10, Test2800=34.22, Test1200=33.23),
        )
    },
)
def restormer_derain(**kwargs: Any) -> "MultiStage":
    """Build Restormer as published for deraining."""
    return restormer(**kwargs)


@register_model(
    "restormer_deblur",
    parameters=26_126_644,
    pretrained={"gopro": _published("deblur", "GoPro", "motion_deblurring", *_psnr(MEASURED, GoPro=32.93, HIDE=31.23))},
)
def restormer_deblur(**kwargs: Any) -> "MultiStage":
    """Build Restormer as published for motion deblurring."""
    return restormer(**kwargs)


@register_model(
    "restormer_defocus",
    parameters=26_126_644,
    pretrained={"dpdd": _published("deblur", "DPDD", "single_image_defocus_deblurring", *_psnr(MEASURED, DPDD=25.98))},
)
def restormer_defocus(**kwargs: Any) -> "MultiStage":
    """Build Restormer as published for defocus deblurring of a single image."""
    return restormer(**kwargs)


@register_model(
    "restormer_dual_pixel",
    parameters=26_132_548,
    pretrained={
        "dpdd": _published(
            "deblur", "DPDD, pairs of views in 16 bits", "dual_pixel_defocus_deblurring", *_psnr(MEASURED, DPDD=26.62)
        )
    },
)
def restormer_dual_pixel(**kwargs: Any) -> "MultiStage":
    """Build Restormer as published for defocus deblurring of the two views of a dual-pixel sensor: left and right, 6 channels."""
    return restormer(**{"image_channels": 6, "dual_pixel": True} | kwargs)


@register_model(
    "restormer_denoise",
    parameters=26_111_668,
    pretrained={
        "sidd": _published(
            "denoise",
            "SIDD",
            "real_denoising",
            *psnr_and_ssim("SIDD validation", 40.02, 0.960, UNCONFIRMED),
            *psnr_and_ssim("DND", 40.03, 0.956, UNCONFIRMED),
        )
    },
)
def restormer_denoise(**kwargs: Any) -> "MultiStage":
    """Build Restormer as published for the noise of cameras: normalisation without means and offsets."""
    return restormer(**{"norm_bias": False} | kwargs)


@register_model(
    "restormer_gray",
    parameters=26_109_076,
    pretrained=_gaussian(
        "gray",
        f"{UNCONFIRMED}; unclipped noise",
        {
            "sigma15": {"Set12": 33.42, "BSD68": 31.96, "Urban100": 33.79},
            "sigma25": {"Set12": 31.08, "BSD68": 29.52, "Urban100": 31.46},
            "sigma50": {"Set12": 28.00, "BSD68": 26.62, "Urban100": 28.29},
        },
    ),
)
def restormer_gray(**kwargs: Any) -> "MultiStage":
    """Build Restormer as published for white noise on grey images."""
    return restormer(**{"norm_bias": False, "image_channels": 1, "output_channels": 1} | kwargs)


@register_model(
    "restormer_color",
    parameters=26_111_668,
    pretrained=_gaussian(
        "color",
        f"{MEASURED}; unclipped noise",
        {
            "sigma15": {"CBSD68": 34.35, "Kodak24": 35.49, "McMaster": 35.61, "Urban100": 35.15},
            "sigma25": {"CBSD68": 31.75, "Kodak24": 33.05, "McMaster": 33.33, "Urban100": 32.97},
            "sigma50": {"CBSD68": 28.56},
        },
    ),
)
def restormer_color(**kwargs: Any) -> "MultiStage":
    """Build Restormer as published for white noise on colour images."""
    return restormer(**{"norm_bias": False} | kwargs)
