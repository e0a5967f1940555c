"""HINet: two U-Nets on the whole image, which normalise half of their features.

Source: Chen et al., HINet: Half Instance Normalization Network for Image Restoration, CVPRW 2021, arXiv:2105.06086.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from restorekit import blocks, stages
from restorekit.checkpoints import Originals
from restorekit.models._registry import register_model
from restorekit.provenance import MIT, Drive, Metric, PretrainedConfig, psnr_and_ssim

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.stages import MultiStage


def infer_arguments(state: Mapping[str, "Tensor"]) -> dict[str, Any] | None:
    """Return the arguments of :func:`hinet` for a checkpoint with the original names, or None if it is not from HINet."""
    if any(name not in state for name in ("conv_01.weight", "cat12.weight", "down_path_1.0.identity.weight")):
        return None
    width, image_channels = state["conv_01.weight"].shape[:2]
    levels = [level for level in range(len(state)) if f"down_path_1.{level}.identity.weight" in state]
    normed = [level for level in levels if f"down_path_1.{level}.norm.weight" in state]
    return {
        "width": width,
        "depth": len(levels),
        "norm_levels": (normed[0], normed[-1]) if normed else (),
        "image_channels": image_channels,
    }


def original_names(depth: int, norm_levels: Sequence[int]) -> dict[str, str]:
    """Return the table: module name in the authors' checkpoints -> module name here."""
    table: dict[str, str] = {}
    first, last = norm_levels or (0, -1)

    def block(original: str, ours: str) -> None:
        for theirs, mine in {"conv_1": "conv1", "conv_2": "conv2", "identity": "shortcut"}.items():
            table[f"{original}.{theirs}"] = f"{ours}.{mine}"

    for i in range(2):  # U-Nets, with stems
        down, up, ours = f"down_path_{i + 1}", f"up_path_{i + 1}", f"stages.{i}"
        table[f"conv_0{i + 1}"] = f"stems.{i}.0"
        for level in range(depth):
            block(f"{down}.{level}", f"{ours}.encoders.{level}")
            if first <= level <= last:
                table[f"{down}.{level}.norm"] = f"{ours}.encoders.{level}.norm"
        for level in range(depth - 1):
            step = depth - 2 - level  # the authors count decoder levels from the coarsest
            table[f"{down}.{level}.downsample"] = f"{ours}.downs.{level}.conv"
            table[f"{up}.{step}.up"] = f"{ours}.ups.{level}.conv"
            table[f"skip_conv_{i + 1}.{step}"] = f"{ours}.skips.{level}"
            block(f"{up}.{step}.conv_block", f"{ours}.decoders.{level}")

    for level in range(depth - 1):  # cross-stage feature fusion
        for half in ("encoder", "decoder"):
            table[f"down_path_2.{level}.csff_{half[:3]}"] = f"fusions.0.{half}_paths.{level}.0"
    for theirs, mine in {"conv1": "features", "conv2": "to_image", "conv3": "attention"}.items():  # supervised attention
        table[f"sam12.{theirs}"] = f"supervisors.0.0.{mine}"
    table["cat12"] = "joins.0.0.conv"
    table["last"] = "heads.0.to_image"
    return table


@register_model("hinet", parameters=88_669_702, checkpoints=Originals(original_names, infer_arguments))
def hinet(
    width: int = 64,
    depth: int = 5,
    norm_levels: Sequence[int] = (0, 4),
    *,
    image_channels: int = 3,
) -> "MultiStage":
    """Build HINet.

    Args:
        width: channels at full resolution (the original's ``wf``); they double with each level.
        depth: levels of each U-Net.
        norm_levels: first and last level with half instance norm (``hin_position_left``, ``hin_position_right``); () for none.
        image_channels: channels of the images (``in_chn``).

    Raises:
        ValueError: if there is no level, or ``norm_levels`` names none of them.
    """
    widths = [width * 2**level for level in range(depth)]
    return stages.MultiStage(
        [stages.HINetStage(widths, norm_levels=norm_levels), stages.HINetStage(widths, norm_levels=norm_levels, guided=True)],
        image_channels=image_channels,
        stem=partial(blocks.conv, bias=True),
        join=partial(blocks.ConcatJoin, kernel_size=1, bias=True),
        supervise=partial(blocks.SupervisedAttentionModule, kernel_size=3, bias=True),
        fuse=partial(stages.CrossStageFeatureFusion, kernel_size=3, bias=True),
        head=partial(blocks.ResidualHead, bias=True),
    )


def _published(task: str, training_data: str, drive: str, *metrics: Metric) -> PretrainedConfig:
    """Return the config of the authors' weights, as linked on their page; the sizes of the files are not known."""
    return PretrainedConfig(
        task=task,
        licence=MIT,
        sources=(Drive(drive),),
        training_data=training_data,
        trained_by="the authors of HINet",
        source="https://github.com/megvii-model/HINet",
        metrics=metrics,
    )


@register_model(
    "hinet_half", parameters=22_176_518, pretrained={"sidd": _published("denoise", "SIDD", "1Y5YJQVNL0weifE--5us344bLwzBNS_sU")}
)
def hinet_half(**kwargs: Any) -> "MultiStage":
    """Build HINet of half the width, as published for denoising (0.5x): 32 channels at full resolution."""
    return hinet(**{"width": 32} | kwargs)


@register_model(
    "hinet_denoise",
    parameters=88_669_702,
    pretrained={
        "sidd": _published(
            "denoise",
            "SIDD",
            "1CU5z-M90Jc-TAcVpEaFjDCYA09fkubGi",
            *psnr_and_ssim("SIDD validation", 39.99, 0.958, "published; RGB"),
        )
    },
)
def hinet_denoise(**kwargs: Any) -> "MultiStage":
    """Build HINet as published for denoising: half instance norm at all levels."""
    return hinet(**kwargs)


@register_model(
    "hinet_deblur",
    parameters=88_668_806,
    pretrained={
        "gopro": _published(
            "deblur",
            "GoPro",
            "1dw8PKVkLfISzNtUu3gqGh83NBO83ZQ5n",
            *psnr_and_ssim("GoPro", 32.71, 0.959, "published; RGB"),
        ),
        "reds": _published("deblur", "REDS, with JPEG artifacts", "1uYH8XvLgrn-Vg6L0NjUcO2Fblhqrc8TU"),
    },
)
def hinet_deblur(**kwargs: Any) -> "MultiStage":
    """Build HINet as published for deblurring: half instance norm at the two coarsest levels."""
    return hinet(**{"norm_levels": (3, 4)} | kwargs)


@register_model(
    "hinet_derain",
    parameters=88_669_702,
    pretrained={
        "rain13k": _published(
            "derain",
            "Rain13K",
            "1AVedAkb1B2F2b3XGWlMFFVSsNfQlCwxa",
            *psnr_and_ssim("five sets of Rain13K", 33.03, 0.926, "published; Y, mean of the five means"),
        )
    },
)
def hinet_derain(**kwargs: Any) -> "MultiStage":
    """Build HINet as published for deraining: half instance norm at all levels."""
    return hinet(**kwargs)
