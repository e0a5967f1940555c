"""What every restoration network offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

LIKELY_RANGE = 16.0  # unclipped noise leaves [0, 1]; values beyond this are pixels in 0..255


class RestorationModel(nn.Module, ABC):
    """A network that maps a degraded image to a restored one.

    Attributes:
        image_channels: channels of the images it takes and gives.
        size_multiple: height and width of its images must be multiples of this.
        original_names: module names of the authors' checkpoints -> module names here; empty if there are none.
            :func:`restorekit.load_weights` reads both kinds of names.
    """

    image_channels: int
    size_multiple: int
    original_names: Mapping[str, str]

    @abstractmethod
    def forward_stages(self, image: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Return the output of every supervised stage, first stage first, the result last.

        Args:
            image: degraded image in [0, 1].

        Returns:
            Restored images of the same shape, not clamped.
        """

    def forward(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the restored image.

        Args:
            image: degraded image in [0, 1].

        Returns:
            Restored image, same shape, not clamped.

        Raises:
            ValueError: if the image is of a wrong shape, dtype, size or range.
        """
        return self.forward_stages(image)[-1]

    def check_image(self, image: Tensor) -> None:
        """Raise a ``ValueError`` that says what to do if the network cannot take ``image``.

        The range is only checked where that costs nothing: in eager mode on the CPU.
        """
        check_image_tensor(image, self.image_channels)
        height, width = image.shape[-2:]
        multiple = self.size_multiple
        if height % multiple or width % multiple:
            up = [side + -side % multiple for side in (height, width)]
            raise ValueError(
                f"got {height}x{width}; height and width must be multiples of {multiple}; "
                f"pad to {up[0]}x{up[1]}, or call restorekit.restore"
            )
        if not torch.compiler.is_compiling() and type(image) is Tensor and image.device.type == "cpu":
            largest = image.detach().abs().amax().item()
            if largest > LIKELY_RANGE:
                raise ValueError(f"image must be in [0, 1]; got values up to {largest:g}; divide 8-bit values by 255")


def check_image_tensor(image: Tensor, image_channels: int) -> None:
    """Raise a ``ValueError`` unless ``image`` is a non-empty floating-point N x ``image_channels`` x H x W tensor."""
    if image.ndim != 4:
        raise ValueError(f"image must be N x C x H x W; got {image.ndim} dimensions, shape {tuple(image.shape)}; see unsqueeze")
    if image.shape[1] != image_channels:
        raise ValueError(
            f"this network takes images of {image_channels} channels; got {image.shape[1]} (shape {tuple(image.shape)}, "
            "read as N x C x H x W)"
        )
    if not image.is_floating_point():
        raise ValueError(f"image must be floating point in [0, 1]; got {image.dtype}; convert with image.float() / 255")
    if image.numel() == 0:
        raise ValueError(f"image is empty: shape {tuple(image.shape)}")
