"""NAFNet: one U-Net on the whole image, without activation functions.

Source: Chen et al., Simple Baselines for Image Restoration, ECCV 2022, arXiv:2204.04676.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from restorekit import blocks, stages
from restorekit.checkpoints import Originals
from restorekit.models._registry import register_model
from restorekit.provenance import MIT, Drive, HubFile, Metric, PretrainedConfig

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.stages import MultiStage


def infer_arguments(state: Mapping[str, "Tensor"]) -> dict[str, Any] | None:
    """Return the arguments of :func:`nafnet` for a checkpoint with the original names, or None if it is not from NAFNet."""
    if "intro.weight" not in state or "ending.weight" not in state or not _count(state, r".+\.sca\.1\.weight"):
        return None
    width, image_channels = state["intro.weight"].shape[:2]
    levels = range(_count(state, r"downs\.\d+\.weight"))
    return {
        "width": width,
        "encoder_blocks": tuple(_count(state, rf"encoders\.{level}\.\d+\.beta") for level in levels),
        "middle_blocks": _count(state, r"middle_blks\.\d+\.beta"),
        "decoder_blocks": tuple(_count(state, rf"decoders\.{level}\.\d+\.beta") for level in reversed(levels)),
        "image_channels": image_channels,
    }


def _count(state: Mapping[str, "Tensor"], pattern: str) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in state)


def original_names(encoder_blocks: Sequence[int], middle_blocks: int, decoder_blocks: Sequence[int]) -> dict[str, str]:
    """Return the table: module name in the authors' checkpoints -> module name here."""
    table = {"intro": "stems.0.0", "ending": "heads.0.to_image"}

    def row(original: str, ours: str, count: int) -> None:
        for j in range(count):
            table[f"{original}.{j}"] = f"{ours}.{j}"  # which contains beta and gamma
            for theirs, mine in {
                "norm1": "norm1",
                "conv1": "expand1",
                "conv2": "depthwise",
                "sca.1": "attention.conv",
                "conv3": "project1",
                "norm2": "norm2",
                "conv4": "expand2",
                "conv5": "project2",
            }.items():
                table[f"{original}.{j}.{theirs}"] = f"{ours}.{j}.{mine}"

    coarsest = len(encoder_blocks)
    for level in range(coarsest):
        step = coarsest - 1 - level  # the authors count decoder levels from the coarsest
        row(f"encoders.{level}", f"stages.0.encoders.{level}", encoder_blocks[level])
        row(f"decoders.{step}", f"stages.0.decoders.{level}", decoder_blocks[level])
        table[f"downs.{level}"] = f"stages.0.downs.{level}.conv"
        table[f"ups.{step}.0"] = f"stages.0.ups.{level}.conv"
    row("middle_blks", f"stages.0.encoders.{coarsest}", middle_blocks)
    return table


@register_model("nafnet", parameters=17_111_907, checkpoints=Originals(original_names, infer_arguments))
def nafnet(
    width: int = 32,
    encoder_blocks: Sequence[int] = (1, 1, 1, 28),
    middle_blocks: int = 1,
    decoder_blocks: Sequence[int] = (1, 1, 1, 1),
    *,
    image_channels: int = 3,
) -> "MultiStage":
    """Build NAFNet.

    Args:
        width: channels at full resolution; they double with each level.
        encoder_blocks: blocks of each level of the encoder except the coarsest, finest first (the original's ``enc_blk_nums``).
        middle_blocks: blocks of the coarsest level (``middle_blk_num``).
        decoder_blocks: blocks of each level of the decoder except the coarsest, finest first (``dec_blk_nums``, which is
            coarsest first).
        image_channels: channels of the images (``img_channel``).

    Raises:
        ValueError: if encoder and decoder have different numbers of levels, or numbers of blocks are negative.
    """
    if len(encoder_blocks) != len(decoder_blocks):
        raise ValueError(
            f"encoder_blocks and decoder_blocks must have the same length; got {tuple(encoder_blocks)} and {tuple(decoder_blocks)}"
        )
    widths = [width * 2**level for level in range(len(encoder_blocks) + 1)]
    return naf_unet(widths, (*encoder_blocks, middle_blocks), (*decoder_blocks, 0), image_channels)


def naf_unet(
    widths: Sequence[int],
    encoder_blocks: Sequence[int],
    decoder_blocks: Sequence[int],
    image_channels: int,
    *,
    tile: int | None = None,
) -> "MultiStage":
    """Build a U-Net of NAF blocks on the whole image; widths and numbers of blocks are those of all levels, finest first."""
    stage = stages.UNetStage(
        widths,
        blocks.NAFBlock,
        encoder_blocks=encoder_blocks,
        decoder_blocks=decoder_blocks,
        skip="identity",
        downsample=partial(blocks.StridedConv, kernel_size=2, bias=True),
        upsample=blocks.PixelShuffle,
    )
    return stages.MultiStage(
        [stage],
        image_channels=image_channels,
        stem=partial(blocks.conv, bias=True),
        head=partial(blocks.ResidualHead, bias=True),
        tile=tile,
    )


def _published(task: str, data: str, width: int, psnr: float, protocol: str, drive: str | None = None) -> PretrainedConfig:
    """Return the config of the authors' weights; the sizes of the files are not known."""
    copies = HubFile("nyanko7/nafnet-models", f"NAFNet-{data}-width{width}.pth")  # the authors' page links no file on the Hub
    return PretrainedConfig(
        task=task,
        licence=MIT,
        sources=(copies,) if drive is None else (copies, Drive(drive)),
        training_data=data,
        trained_by="the authors of NAFNet",
        source="https://github.com/megvii-research/NAFNet",
        metrics=(Metric(data, "PSNR", psnr, protocol),),
    )


RGB = "published; RGB"
RGB_LOCAL = "published; RGB, with local pooling"
DENOISE: dict[str, Any] = {"encoder_blocks": (2, 2, 4, 8), "middle_blocks": 12, "decoder_blocks": (2, 2, 2, 2)}


@register_model("nafnet_deblur", parameters=17_111_907, pretrained={"gopro": _published("deblur", "GoPro", 32, 32.87, RGB_LOCAL)})
def nafnet_deblur(**kwargs: Any) -> "MultiStage":
    """Build NAFNet as published for deblurring, 32 channels wide."""
    return nafnet(**kwargs)


@register_model(
    "nafnet_deblur_w64",
    parameters=67_888_835,
    pretrained={"gopro": _published("deblur", "GoPro", 64, 33.71, RGB_LOCAL, "1S0PVRbyTakYY9a82kujgZLbMihfNBLfC")},
)
def nafnet_deblur_w64(**kwargs: Any) -> "MultiStage":
    """Build NAFNet as published for deblurring, 64 channels wide."""
    return nafnet(**{"width": 64} | kwargs)


@register_model("nafnet_denoise", parameters=29_159_715, pretrained={"sidd": _published("denoise", "SIDD", 32, 39.97, RGB)})
def nafnet_denoise(**kwargs: Any) -> "MultiStage":
    """Build NAFNet as published for denoising, 32 channels wide."""
    return nafnet(**DENOISE | kwargs)


@register_model(
    "nafnet_denoise_w64",
    parameters=115_982_915,
    pretrained={"sidd": _published("denoise", "SIDD", 64, 40.30, RGB, "14Fht1QQJ2gMlk4N1ERCRuElg8JfjrWWR")},
)
def nafnet_denoise_w64(**kwargs: Any) -> "MultiStage":
    """Build NAFNet as published for denoising, 64 channels wide."""
    return nafnet(**DENOISE | {"width": 64} | kwargs)
