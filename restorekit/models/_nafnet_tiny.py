"""A small U-Net of NAFNet's blocks for photographs, trained by this project.

The blocks are those of Chen et al., Simple Baselines for Image Restoration, ECCV 2022, arXiv:2204.04676. At full resolution there
are only the stem, the skip and the head; all blocks work at half the resolution and below, where a pixel costs a quarter or less.
It restores large images in tiles of 512 pixels, whose means are closer to those of its training crops than the means of a whole
photograph.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from restorekit.models._nafnet import naf_unet
from restorekit.models._registry import register_model
from restorekit.provenance import APACHE, Bundled, PretrainedConfig

if TYPE_CHECKING:
    from restorekit.stages import MultiStage


@register_model(
    "nafnet_tiny",
    parameters=1_399_635,
    pretrained={
        "denoise": PretrainedConfig(
            task="denoise",
            licence=APACHE,
            sources=(
                Bundled("nafnet_tiny.denoise.safetensors", "20a58d089b4fa4245f7a86d330d081d818d57d21df00fc93541ae5c37d7c7ef1"),
            ),
            size=2_827_934,
            training_data="71 photographs (credits in the model card), noise of cameras, white noise, JPEG",
            trained_by="this project",
            source="restorekit/assets/weights/nafnet_tiny.denoise.md",
        ),
        "deblur": PretrainedConfig(
            task="deblur",
            licence=APACHE,
            sources=(
                Bundled("nafnet_tiny.deblur.safetensors", "fc0ff1968e713c5124930107a065399eb26063399e5e950042ddb44fbd8d8551"),
            ),
            size=2_827_934,
            training_data="71 photographs (credits in the model card), blur of shaking and defocused cameras, noise, JPEG",
            trained_by="this project",
            source="restorekit/assets/weights/nafnet_tiny.deblur.md",
        ),
        "derain": PretrainedConfig(
            task="derain",
            licence=APACHE,
            sources=(
                Bundled("nafnet_tiny.derain.safetensors", "fbe8865cf15c6ede398c42acd6230a1b9e4eefbea90f2dd8c6f5b08027647fbf"),
            ),
            size=2_827_934,
            training_data="71 photographs (credits in the model card), streaks of rain, noise, JPEG",
            trained_by="this project",
            source="restorekit/assets/weights/nafnet_tiny.derain.md",
        ),
    },
)
def nafnet_tiny(
    widths: Sequence[int] = (16, 48, 96, 160),
    encoder_blocks: Sequence[int] = (0, 2, 4, 4),
    decoder_blocks: Sequence[int] = (0, 3, 2, 0),
    *,
    image_channels: int = 3,
) -> "MultiStage":
    """Build a small U-Net of NAFNet's blocks that is fast on a CPU.

    Args:
        widths: channels of each level, finest first.
        encoder_blocks: blocks of each level of the encoder, finest first.
        decoder_blocks: blocks of each level of the decoder, finest first.
        image_channels: channels of the images.

    Raises:
        ValueError: if there is not one number of blocks per width, or some are negative.
    """
    return naf_unet(widths, encoder_blocks, decoder_blocks, image_channels, tile=512)
