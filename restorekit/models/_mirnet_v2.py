"""MIRNet-v2: one stage on the whole image, whose blocks work at three scales side by side.

Source: Zamir et al., Learning Enriched Features for Fast Image Restoration and Enhancement, TPAMI 2022.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from restorekit import blocks, stages
from restorekit.checkpoints import Originals
from restorekit.models._registry import register_model

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.stages import MultiStage

BLOCK = {  # modules in a block of the authors -> modules here
    "down2.body.0.bot.1": "downs.1.0.conv",
    "down4.0.body.0.bot.1": "downs.2.0.conv",
    "down4.1.body.0.bot.1": "downs.2.1.conv",
    "up21_1.body.0.bot.0": "ups.0.0.conv",
    "up32_1.body.0.bot.0": "ups.0.1.conv",
    "up21_2.body.0.bot.0": "ups.1.0.conv",
    "up32_2.body.0.bot.0": "ups.1.1.conv",
    "conv_out": "project",
}
CONTEXTUAL = {
    "body.0": "body.0",
    "body.2": "body.2",
    "gcnet.conv_mask": "attend",
    "gcnet.channel_add_conv.0": "context.0",
    "gcnet.channel_add_conv.2": "context.2",
}
MERGE = {"conv_du.0": "squeeze", "fcs.0": "select.0", "fcs.1": "select.1"}
BLOCK |= {f"dau_{s}.{k}": f"blocks.{i}.{v}" for i, s in enumerate(("top", "mid", "bot")) for k, v in CONTEXTUAL.items()}
BLOCK |= {f"skff_{s}.{k}": f"merges.{i}.{v}" for i, s in enumerate(("top", "mid")) for k, v in MERGE.items()}


def infer_arguments(state: Mapping[str, "Tensor"]) -> dict[str, Any] | None:
    """Return the arguments of :func:`mirnet_v2` for a checkpoint with the original names, or None if it is not from MIRNet-v2."""
    first = "body.{}.body.0.dau_top.body.0.weight"
    if "conv_in.weight" not in state or first.format(0) not in state:
        return None
    width, image_channels = state["conv_in.weight"].shape[:2]
    num_groups = next(i for i in range(len(state)) if first.format(i) not in state)
    return {
        "width": width,
        "groups": tuple(width // state[first.format(i)].shape[1] for i in range(num_groups)),
        "num_blocks": next(j for j in range(len(state)) if f"body.0.body.{j}.conv_out.weight" not in state),
        "factor": len(state["body.0.body.0.down2.body.0.bot.1.weight"]) / width,
        "image_channels": image_channels,
    }


def original_names(groups: Sequence[int], num_blocks: int) -> dict[str, str]:
    """Return the table: module name in the authors' checkpoints -> module name here."""
    table = {"conv_in": "stems.0.0", "conv_out": "heads.0.to_image"}
    for i in range(len(groups)):
        table[f"body.{i}.body.{num_blocks}"] = f"stages.0.orbs.{i}.conv"
        for j in range(num_blocks):
            table |= {f"body.{i}.body.{j}.{theirs}": f"stages.0.orbs.{i}.blocks.{j}.{mine}" for theirs, mine in BLOCK.items()}
    return table


@register_model("mirnet_v2", parameters=5_858_560, checkpoints=Originals(original_names, infer_arguments))
def mirnet_v2(
    width: int = 80,
    groups: Sequence[int] = (1, 2, 4, 4),
    num_blocks: int = 2,
    *,
    factor: float = 1.5,
    image_channels: int = 3,
) -> "MultiStage":
    """Build MIRNet-v2.

    Args:
        width: channels at full resolution (the original's ``n_feat``).
        groups: for each residual group of blocks, the groups of channels of the 3x3 convolutions in its blocks.
        num_blocks: multi-scale blocks in each residual group (``n_MRB``).
        factor: how many times as wide as the next finer one a scale is (``chan_factor``).
        image_channels: channels of the images (``inp_channels``, ``out_channels``).

    Raises:
        ValueError: if there is no residual group or no block, or groups do not divide the channels of a scale.
    """
    return stages.MultiStage(
        [
            stages.ORSNetStage(
                width,
                [
                    partial(
                        blocks.MultiScaleResidualBlock, block=partial(blocks.ResidualContextualBlock, groups=each), factor=factor
                    )
                    for each in groups
                ],
                num_orbs=len(groups),
                num_blocks=num_blocks,
            )
        ],
        image_channels=image_channels,
    )
