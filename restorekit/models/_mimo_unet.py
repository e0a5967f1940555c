"""MIMO-UNet: one U-Net that takes the image at three scales, and restores it at three.

Source: Cho et al., Rethinking Coarse-to-Fine Approach in Single Image Deblurring, ICCV 2021, arXiv:2108.05054.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from restorekit import blocks, stages
from restorekit.checkpoints import Originals
from restorekit.models._registry import register_model
from restorekit.provenance import ALL_RIGHTS_RESERVED, Drive, Metric, PretrainedConfig, psnr_and_ssim

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.stages import MultiStage

NUM_LEVELS = 3
PLUS: dict[str, Any] = {"num_blocks": 20, "dropout": 0.1}


def infer_arguments(state: Mapping[str, "Tensor"]) -> dict[str, Any] | None:
    """Return the arguments of :func:`mimo_unet` for a checkpoint with the original names, or None if it is not from MIMO-UNet."""
    if "feat_extract.0.main.0.weight" not in state or "SCM1.conv.main.0.weight" not in state:
        return None
    width, image_channels = state["feat_extract.0.main.0.weight"].shape[:2]
    num_blocks = sum(f"Encoder.0.layers.{j}.main.0.main.0.weight" in state for j in range(len(state)))
    dropout = PLUS["dropout"] if num_blocks == PLUS["num_blocks"] else 0.0  # MIMO-UNet+ alone has it, without parameters
    return {"width": width, "num_blocks": num_blocks, "image_channels": image_channels, "dropout": dropout}


def original_names(num_blocks: int) -> dict[str, str]:
    """Return the table: module name in the authors' checkpoints -> module name here."""
    table: dict[str, str] = {"feat_extract.0.main.0": "stems.0.0.0", "feat_extract.5.main.0": "heads.0.to_image"}
    coarsest = NUM_LEVELS - 1
    for level in range(NUM_LEVELS):
        step = coarsest - level  # the authors count decoder levels from the coarsest
        for theirs, ours in {f"Encoder.{level}": "encoders", f"Decoder.{step}": "decoders"}.items():
            for j in range(num_blocks):
                for k in range(2):
                    table[f"{theirs}.layers.{j}.main.{k}.main.0"] = f"stages.0.{ours}.{level}.{j}.conv{k + 1}"
    for fine in range(coarsest):
        step = coarsest - fine  # of coarser inputs, too: 1 is the coarsest
        table |= {
            f"feat_extract.{fine + 1}.main.0": f"stages.0.downs.{fine}.conv",
            f"feat_extract.{step + coarsest}.main.0": f"stages.0.ups.{fine}.conv",
            f"Convs.{step - 1}.main.0": f"stages.0.merges.{fine}.conv",
            f"ConvsOut.{step - 1}.main.0": f"heads.{fine + 1}.to_image",
            f"AFFs.{fine}.conv.0.main.0": f"stages.0.fusions.{fine}.merge.0",
            f"AFFs.{fine}.conv.1.main.0": f"stages.0.fusions.{fine}.conv",
            f"FAM{step}.merge.main.0": f"stages.0.attentions.{fine}.conv",
            f"SCM{step}.conv.main.0": f"stems.0.{fine + 1}.project",
        }
        table |= {f"SCM{step}.main.{j}.main.0": f"stems.0.{fine + 1}.convs.{j}.0" for j in range(4)}
    return table


def _published(training_data: str, drive: str, *metrics: Metric) -> PretrainedConfig:
    """Return the config of the authors' weights, as linked on their page; the sizes of the files are not known."""
    return PretrainedConfig(
        task="deblur",
        licence=ALL_RIGHTS_RESERVED,
        sources=(Drive(drive),),
        training_data=training_data,
        trained_by="the authors of MIMO-UNet",
        source="https://github.com/chosj95/MIMO-UNet",
        metrics=metrics,
    )


RGB = "published; RGB, not rounded to 8 bits"


@register_model(
    "mimo_unet",
    parameters=6_807_171,
    checkpoints=Originals(original_names, infer_arguments),
    pretrained={
        "gopro": _published("GoPro", "1EQJoQj3YMLFfzrbgzWMD3Xj96RqLdIlx", *psnr_and_ssim("GoPro", 31.73, 0.951, RGB)),
    },
)
def mimo_unet(width: int = 32, num_blocks: int = 8, image_channels: int = 3, *, dropout: float = 0.0) -> "MultiStage":
    """Build MIMO-UNet.

    Args:
        width: channels at full resolution; they double with each level.
        num_blocks: residual blocks of each level, in encoder and decoder (the original's ``num_res``).
        image_channels: channels of the images.
        dropout: share of the channels of each skip that are set to zero while the network is trained.

    Raises:
        ValueError: if a number is out of range, or the width is too small for the image.
    """
    return stages.MultiStage(
        [stages.MIMOUNetStage([width * 2**level for level in range(NUM_LEVELS)], num_blocks=num_blocks, dropout=dropout)],
        image_channels=image_channels,
        stem=["conv_act", *["scm"] * (NUM_LEVELS - 1)],
        head=partial(blocks.ResidualHead, bias=True),
        scale_mode="corner",
    )


@register_model(
    "mimo_unet_plus",
    parameters=16_107_651,
    pretrained={
        "gopro": _published("GoPro", "166sufeHcdDTgXHNbCRzTC4T6DzuflB5m", *psnr_and_ssim("GoPro", 32.45, 0.957, RGB)),
        "realblur": _published("RealBlur-J", "1N3n-ozw1twt96ohX4tjsSAIcHrlNwHZ7"),
    },
)
def mimo_unet_plus(**kwargs: Any) -> "MultiStage":
    """Build MIMO-UNet+: 20 blocks at each level, and dropout of skips."""
    return mimo_unet(**PLUS | kwargs)
