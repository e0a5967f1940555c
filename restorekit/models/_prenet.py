"""PReNet and PRN: a small network that runs several times, each time on the image and on its last result.

Source: Ren et al., Progressive Image Deraining Networks: A Better and Simpler Baseline, CVPR 2019, arXiv:1901.09221.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from restorekit import parts, stages
from restorekit.checkpoints import Originals
from restorekit.models._registry import register_model
from restorekit.provenance import ALL_RIGHTS_RESERVED, PretrainedConfig, WebFile, psnr_and_ssim

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.stages import MultiStage

NUM_BLOCKS = 5
GATES = {"conv_i": "input_gate", "conv_f": "forget_gate", "conv_g": "candidate", "conv_o": "output_gate"}


def infer_arguments(state: Mapping[str, "Tensor"]) -> dict[str, Any] | None:
    """Return the arguments of :func:`prenet` for a checkpoint with the original names, or None if it is not from PReNet or PRN.

    The number of iterations is not in the checkpoint; it is the default. Some networks of the paper's ablation and those for
    real photographs have the same names and shapes, but compute something else.
    """
    recurrent, shared_blocks = "conv_i.0.weight" in state, "res_conv2.0.weight" not in state
    if {name.rpartition(".")[0] for name in state} != set(original_names(recurrent, shared_blocks)):
        return None
    image_channels, width = state["conv.0.weight"].shape[:2]
    if state["conv0.0.weight"].shape[1] != 2 * image_channels:
        return None
    return {"width": width, "recurrent": recurrent, "shared_blocks": shared_blocks, "image_channels": image_channels}


def original_names(recurrent: bool, shared_blocks: bool) -> dict[str, str]:
    """Return the table: module name in the authors' checkpoints -> module name here."""
    table = {"conv0.0": "stages.0.entry.0", "conv.0": "stages.0.exit"}
    for i in range(1 if shared_blocks else NUM_BLOCKS):
        table |= {f"res_conv{i + 1}.{2 * j}": f"stages.0.blocks.{i}.conv{j + 1}" for j in range(2)}
    return table | {f"{theirs}.0": f"stages.0.lstm.{ours}" for theirs, ours in GATES.items() if recurrent}


def _published(network: str, **figures: tuple[float, float]) -> dict[str, PretrainedConfig]:
    """Return the configs of the authors' weights, which are in their repository, by tag.

    Args:
        network: name of the network there.
        **figures: PSNR and SSIM by data set.
    """
    folder = "https://raw.githubusercontent.com/csdwren/PReNet/6d908d1e3c7ff5c26fee624112297ad1c8603ca7/logs"
    return {
        data.lower(): PretrainedConfig(
            task="derain",
            licence=ALL_RIGHTS_RESERVED,
            sources=(WebFile(f"{folder}/{data}/{network}/net_latest.pth"),),
            training_data=data,
            trained_by="the authors of PReNet",
            source="https://github.com/csdwren/PReNet",
            metrics=psnr_and_ssim(data, *figures[data], "published; Y, of pixels cut off to 8 bits"),
        )
        for data in figures
    }


@register_model(
    "prenet",
    parameters=168_963,
    checkpoints=Originals(original_names, infer_arguments),
    pretrained=_published("PReNet6", Rain100H=(29.46, 0.899), Rain100L=(37.48, 0.979), Rain1400=(32.60, 0.946)),
)
def prenet(
    width: int = 32,
    iterations: int = 6,
    recurrent: bool = True,
    shared_blocks: bool = False,
    *,
    image_channels: int = 3,
) -> "MultiStage":
    """Build PReNet, or with ``recurrent=False`` PRN.

    Args:
        width: channels of the features.
        iterations: how many times the network runs (the original's ``recurrent_iter``).
        recurrent: whether an LSTM remembers earlier runs.
        shared_blocks: whether one residual block takes the place of all five (the original's ``_r``).
        image_channels: channels of the images.

    Raises:
        ValueError: if a number is not positive.
    """
    block = {"name": "res", "rectified": True}
    step = stages.PReNetStage(
        width,
        parts.Shared(block) if shared_blocks else block,
        in_width=2 * image_channels,
        out_width=image_channels,
        num_blocks=NUM_BLOCKS,
        recurrent=recurrent,
    )
    return stages.MultiStage(
        [step] * iterations,
        image_channels=image_channels,
        stem="repeat",
        join="stack",
        supervise="feedback",
        fuse="state",
        head="image",
        guided_by=[[]] if recurrent and iterations == 1 else None,  # a stage that runs once does not start from zeros by itself
    )


@register_model(
    "prenet_r",
    parameters=94_979,
    pretrained=_published("PReNet6_r", Rain100H=(28.98, 0.892), Rain100L=(37.10, 0.977), Rain1400=(32.44, 0.944)),
)
def prenet_r(**kwargs: Any) -> "MultiStage":
    """Build PReNet with one residual block that is used five times."""
    return prenet(**{"shared_blocks": True} | kwargs)


@register_model(
    "prn",
    parameters=95_107,
    pretrained=_published("PRN6", Rain100H=(28.07, 0.884), Rain100L=(36.99, 0.977), Rain1400=(31.69, 0.941)),
)
def prn(**kwargs: Any) -> "MultiStage":
    """Build PRN: PReNet without the LSTM."""
    return prenet(**{"recurrent": False} | kwargs)


@register_model(
    "prn_r",
    parameters=21_123,
    pretrained=_published("PRN6_r", Rain100H=(27.43, 0.874), Rain100L=(36.11, 0.973), Rain1400=(31.31, 0.937)),
)
def prn_r(**kwargs: Any) -> "MultiStage":
    """Build PRN with one residual block that is used five times."""
    return prenet(**{"recurrent": False, "shared_blocks": True} | kwargs)
