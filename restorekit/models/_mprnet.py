"""MPRNet: two U-Nets on patches, then a subnetwork at the original resolution.

Source: Zamir et al., Multi-Stage Progressive Image Restoration, CVPR 2021, arXiv:2102.02808.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from restorekit import blocks, parts, stages
from restorekit.checkpoints import Originals
from restorekit.models._registry import register_model
from restorekit.provenance import ACADEMIC, APACHE, Bundled, Drive, HubFile, Metric, PretrainedConfig, psnr_and_ssim

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.stages import MultiStage


def infer_arguments(state: Mapping[str, "Tensor"]) -> dict[str, Any] | None:
    """Return the arguments of :func:`mprnet` for a checkpoint with the original names, or None if it is not from MPRNet."""
    needed = ("shallow_feat1.0.weight", "stage1_encoder.down12.down.1.weight", "concat23.weight")
    if any(name not in state for name in needed):
        return None
    width, image_channels, kernel_size, _ = state["shallow_feat1.0.weight"].shape
    squeezes = [tensor.shape[:2] for name, tensor in state.items() if name.endswith(".CA.conv_du.0.weight")]
    num_blocks = sum(1 for name in state if name.startswith("stage3_orsnet.orb1.body.") and name.endswith(".body.0.weight"))
    return {
        "width": width,
        "unet_step": state["stage1_encoder.down12.down.1.weight"].shape[0] - width,
        "ors_step": state["concat23.weight"].shape[0] - width,
        "num_blocks": num_blocks,
        "kernel_size": kernel_size,
        # From hidden = squeezed // reduction: the least value that the shapes allow. One layer alone may allow several.
        "reduction": max((squeezed // (hidden + 1) + 1 for hidden, squeezed in squeezes), default=4),
        "bias": "shallow_feat1.0.bias" in state,
        "image_channels": image_channels,
    }


def original_names(num_blocks: int) -> dict[str, str]:
    """Return the table: module name in the authors' checkpoints -> module name here."""
    table: dict[str, str] = {}

    def block(original: str, ours: str) -> None:
        for theirs, mine in {
            "body.0": "conv1",
            "body.1": "act",
            "body.2": "conv2",
            "CA.conv_du.0": "attention.squeeze",
            "CA.conv_du.2": "attention.excite",
        }.items():
            table[f"{original}.{theirs}"] = f"{ours}.{mine}"

    for i in range(3):  # stems
        table[f"shallow_feat{i + 1}.0"] = f"stems.{i}.0.0"
        block(f"shallow_feat{i + 1}.1", f"stems.{i}.0.1")

    for i in range(2):  # U-Nets
        encoder, decoder, ours = f"stage{i + 1}_encoder", f"stage{i + 1}_decoder", f"stages.{i}"
        for level in range(3):
            for j in range(2):
                block(f"{encoder}.encoder_level{level + 1}.{j}", f"{ours}.encoders.{level}.{j}")
                block(f"{decoder}.decoder_level{level + 1}.{j}", f"{ours}.decoders.{level}.{j}")
        for level in range(2):
            fine, coarse = level + 1, level + 2
            table[f"{encoder}.down{fine}{coarse}.down.1"] = f"{ours}.downs.{level}.conv"
            table[f"{decoder}.up{coarse}{fine}.up.1"] = f"{ours}.ups.{level}.conv"
            block(f"{decoder}.skip_attn{fine}", f"{ours}.skips.{level}")

    for i in range(3):  # ORSNet
        for j in range(num_blocks):
            block(f"stage3_orsnet.orb{i + 1}.body.{j}", f"stages.2.orbs.{i}.blocks.{j}")
        table[f"stage3_orsnet.orb{i + 1}.body.{num_blocks}"] = f"stages.2.orbs.{i}.conv"

    for half in ("encoder", "decoder"):  # cross-stage feature fusion
        for level in range(3):
            short = half[:3]
            table[f"stage2_encoder.csff_{short}{level + 1}"] = f"fusions.0.{half}_paths.{level}.0"
            table[f"stage3_orsnet.conv_{short}{level + 1}"] = f"fusions.1.{half}_paths.{level}.{level}"
        table[f"stage3_orsnet.up_{short}1.up.1"] = f"fusions.1.{half}_paths.1.0.conv"
        for step in range(2):
            table[f"stage3_orsnet.up_{short}2.{step}.up.1"] = f"fusions.1.{half}_paths.2.{step}.conv"

    for i in range(2):  # supervised attention, join
        for theirs, mine in {"conv1": "features", "conv2": "to_image", "conv3": "attention"}.items():
            table[f"sam{i + 1}{i + 2}.{theirs}"] = f"supervisors.{i}.0.{mine}"
        table[f"concat{i + 1}{i + 2}"] = f"joins.{i}.0.conv"
    table["tail"] = "heads.0.to_image"
    return table


@register_model("mprnet", parameters=20_127_073, checkpoints=Originals(original_names, infer_arguments))
def mprnet(
    width: int = 96,
    unet_step: int = 48,
    ors_step: int = 32,
    *,
    num_blocks: int = 8,
    kernel_size: int = 3,
    reduction: int = 4,
    bias: bool = False,
    image_channels: int = 3,
) -> "MultiStage":
    """Build MPRNet.

    Args:
        width: channels at full resolution (the original's ``n_feat``).
        unet_step: channels added at each halving of the resolution (``scale_unetfeats``).
        ors_step: channels added in the last stage (``scale_orsnetfeats``).
        num_blocks: channel attention blocks in each ORB of the last stage (``num_cab``).
        kernel_size: side of the kernels.
        reduction: reduction of the channel attention.
        bias: whether convolutions have biases.
        image_channels: channels of the images (``in_c``).
    """
    act = parts.activation("prelu")  # one for all blocks, as in the published weights
    block = partial(blocks.ChannelAttentionBlock, act=act, reduction=reduction, kernel_size=kernel_size, bias=bias)
    widths = (width, width + unet_step, width + 2 * unet_step)
    return stages.MultiStage(
        [
            stages.UNetStage(widths, block),
            stages.UNetStage(widths, block, guided=True),
            stages.ORSNetStage(width + ors_step, block, num_blocks=num_blocks, kernel_size=kernel_size, guided=True),
        ],
        grids=[(2, 2), (2, 1), (1, 1)],
        image_channels=image_channels,
        stem=partial(blocks.conv_block, block=block, kernel_size=kernel_size, bias=bias),
        join=partial(blocks.ConcatJoin, kernel_size=kernel_size, bias=bias),
        supervise=partial(blocks.SupervisedAttentionModule, bias=bias),
        fuse=partial(stages.CrossStageFeatureFusion, bias=bias),
        head=partial(blocks.ResidualHead, kernel_size=kernel_size, bias=bias),
    )


Y = "published; Y of YCbCr, 8 bits; mean over the images"
RGB = "published; RGB, 8 bits; SSIM with a 3-D window"
RGB_FLOAT = "published; RGB, not rounded to 8 bits; SSIM with a 3-D window"
SERVER = "published; by the server of the benchmark"


def _published(
    task: str, size: float, training_data: str, drive: str, figures: Mapping[str, tuple[float, float, str]]
) -> PretrainedConfig:
    """Return the config of the authors' weights; ``size`` is in MiB, a figure is PSNR, SSIM and protocol."""
    return PretrainedConfig(
        task=task,
        licence=ACADEMIC,
        sources=(HubFile("deepinv/MPRNet", f"*{task}*"), Drive(drive)),
        size=round(size * 2**20),
        training_data=training_data,
        trained_by="the authors of MPRNet",
        source="https://arxiv.org/abs/2102.02808",
        metrics=tuple(metric for dataset, figure in figures.items() for metric in psnr_and_ssim(dataset, *figure)),
    )


@register_model(
    "mprnet_deblur",
    parameters=20_127_073,
    pretrained={
        "gopro": _published(
            "deblur",
            76.8,
            "GoPro",
            "1QwQUVbk6YVOJViCsOKYNykCsdJSVGRtb",
            {"GoPro": (32.66, 0.959, RGB), "HIDE": (30.96, 0.939, RGB)},
        )
    },
)
def mprnet_deblur(**kwargs: Any) -> "MultiStage":
    """Build MPRNet as published for deblurring: widths 96, 144, 192, and 128 in the last stage."""
    return mprnet(**{"width": 96, "unet_step": 48, "ors_step": 32} | kwargs)


@register_model(
    "mprnet_denoise",
    parameters=15_741_025,
    pretrained={
        "sidd": _published(
            "denoise",
            60.1,
            "SIDD",
            "1LODPt9kYmxwU98g96UrRA0_Eh5HYcsRw",
            {"SIDD validation": (39.71, 0.958, RGB_FLOAT), "DND": (39.80, 0.954, SERVER)},
        )
    },
)
def mprnet_denoise(**kwargs: Any) -> "MultiStage":
    """Build MPRNet as published for denoising: widths 80, 128, 176, and 112 in the last stage."""
    return mprnet(**{"width": 80, "unet_step": 48, "ors_step": 32} | kwargs)


@register_model(
    "mprnet_derain",
    parameters=3_637_249,
    pretrained={
        "rain13k": _published(
            "derain",
            13.9,
            "Rain13K",
            "1O3WEJbcat7eTY6doXWeorAbQ1l_WmMnM",
            {
                "Test100": (30.27, 0.897, Y),
                "Rain100H": (30.41, 0.890, Y),
                "Rain100L": (36.40, 0.965, Y),
                "Test2800": (33.64, 0.938, Y),
                "Test1200": (32.91, 0.916, Y),
            },
        )
    },
)
def mprnet_derain(**kwargs: Any) -> "MultiStage":
    """Build MPRNet as published for deraining: widths 40, 60, 80, and 56 in the last stage."""
    return mprnet(**{"width": 40, "unet_step": 20, "ors_step": 16} | kwargs)


def _bundled(task: str, sha256: str, size: int, degradation: str, *metrics: Metric) -> PretrainedConfig:
    """Return the config of weights in this package; its model card is next to them."""
    return PretrainedConfig(
        task=task,
        licence=APACHE,
        sources=(Bundled(f"mprnet_tiny.{task}.safetensors", sha256),),
        size=size,
        training_data=f"18 photographs (BSD, CC0, CC-BY; credits in the model card), {degradation}",
        trained_by="this project",
        source=f"restorekit/assets/weights/mprnet_tiny.{task}.md",
        metrics=metrics,
    )


@register_model(
    "mprnet_tiny",
    parameters=1_571_329,
    pretrained={
        "denoise": _bundled(
            "denoise",
            "c55ea4e9ecb14dfb0f8b4cde089036ce643bd396db75f1a4abf3082b7bc3c050",
            3_168_360,
            "blind Gaussian noise, sigma 0 to 55",
            *(
                Metric(f"nine photographs, sigma {sigma}", "PSNR", psnr, "measured; RGB, 8 bits; see the model card")
                for sigma, psnr in ((15, 34.78), (25, 32.57), (50, 29.36))
            ),
        ),
        "deblur": _bundled(
            "deblur",
            "ca1a6f3d058aae7490d9a7565db0d4b7ebaa3a5d9072a85c62d4eb214ad2a4bc",
            3_168_360,
            "slight blur: defocus to 2 pixels in radius, motion to 4",
            *psnr_and_ssim("nine photographs, slight blur", 34.97, 0.9418, "measured; RGB, 8 bits; see the model card"),
        ),
        "derain": _bundled(
            "derain",
            "be6a327e6f875754bef405d14b0233c243cb66c8f2dd95a6888d94412e0da16d",
            3_168_360,
            "one to four layers of streaks of rain",
            *psnr_and_ssim("nine photographs, streaks of rain", 33.39, 0.9463, "measured; RGB, 8 bits; see the model card"),
        ),
    },
)
def mprnet_tiny(**kwargs: Any) -> "MultiStage":
    """Build an MPRNet with 1.6 million parameters: widths 32, 48, 64, three blocks in each ORB."""
    return mprnet(**{"width": 32, "unet_step": 16, "ors_step": 0, "num_blocks": 3} | kwargs)
