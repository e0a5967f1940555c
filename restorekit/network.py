"""The contract of a restoration network: what every network offers, whatever its parts."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit._lazy import deferred
from restorekit.errors import OptionError
from restorekit.provenance import PretrainedConfig

Padding = Literal["corner", "centre"]

DESCRIPTION = "restorekit"  # key in the metadata of a state dict
LIKELY_RANGE = 16.0  # unclipped noise leaves [0, 1]; values beyond this are pixels in 0..255


class RestorationNetwork(nn.Module, ABC):
    """A network that maps a degraded image to a restored one.

    Attributes:
        image_channels: number of channels of input and output images.
        size_multiple: height and width of its images must be multiples of this.
        num_supervised: how many of its stages restore an image; the last does.
        pretrained_config: authors, licence and figures of the weights, if they were loaded by name.
        recipe: registered name and arguments that it was built from, if it was built by name.
        family: registered name and all arguments of its published architecture, if it has one. With them,
            :mod:`restorekit.checkpoints` finds the names of its parameters in files of the original authors.
        optional: modules that published weights may lack, and their purpose. The result must not need them.
        is_prepared: whether :func:`restorekit.inference.prepare` made it; :func:`restorekit.restore` then runs it unchanged.
        save_pretrained: writes the network to a folder: :func:`restorekit.publish.save`.
        push_to_hub: publishes the network on the Hugging Face Hub: :func:`restorekit.publish.push`.
        padding: where :func:`restorekit.restore` pads images to a size that the network takes: ``"corner"``, below and on the
            right, or ``"centre"``, on all sides.
        tile: side of the largest tiles that :func:`restorekit.restore` uses with ``tile="auto"``; None for the whole image at once
            if it fits in memory. For networks whose means over an image are best over an area like the crops they were trained on.
    """

    image_channels: int = 3
    size_multiple: int = 1
    num_supervised: int = 1
    pretrained_config: PretrainedConfig | None = None
    recipe: Mapping[str, Any] | None = None
    family: Mapping[str, Any] | None = None
    optional: Mapping[str, str] = MappingProxyType({})
    is_prepared: bool = False
    padding: Padding = "corner"
    tile: int | None = None
    save_pretrained: ClassVar[Callable[..., None]] = deferred("restorekit.publish", "save")
    push_to_hub: ClassVar[Callable[..., str]] = deferred("restorekit.publish", "push")

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Record in the metadata of a state dict how the network is built, so that a file with nothing else can be recognised."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        with suppress(ValueError, AttributeError):  # it cannot be described as data, or the caller's dict has no metadata
            destination._metadata[prefix[:-1]][DESCRIPTION] = json.dumps(deferred("restorekit.models", "description_of")(self))

    @abstractmethod
    def forward_stages(self, image: Float[Tensor, "n c h w"], *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        """Return the outputs of all supervised stages in order, with the result last.

        Args:
            image: degraded image in [0, 1].
            stages: how many supervised stages to run; by default all.
            coarse: whether the last stage also returns its images at coarser scales, which the result does not need.

        Returns:
            Restored images, not clamped. They have the shape of the input, except that a stage that is supervised at several scales
            also returns its coarser images, before the full one.
        """

    def forward(self, image: Float[Tensor, "n c h w"], *, stages: int | None = None) -> Float[Tensor, "n c h w"]:
        """Return the restored image.

        Args:
            image: degraded image in [0, 1].
            stages: how many supervised stages to run; by default all. With fewer, the network stops there and computes only what is
                needed; quality is lower, but the network was supervised there.

        Returns:
            Restored image of the same shape, not clamped.

        Raises:
            ValueError: if the image has a wrong shape, dtype, size or range, or the network has fewer supervised stages.
        """
        return self.forward_stages(image, stages=stages, coarse=False)[-1]

    def check_stages(self, stages: int | None) -> None:
        """Raise an ``OptionError`` unless the network has this many supervised stages; None means all."""
        if stages is not None and not 1 <= stages <= self.num_supervised:
            raise OptionError(
                "stages", f"must be from 1 to {self.num_supervised}, the supervised stages of this network; got {stages}"
            )

    def check_image(self, image: Tensor) -> None:
        """Raise a ``ValueError`` with advice if the network cannot take ``image``.

        The range is only checked where that is free: in eager mode on the CPU.
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


def networks_in(module: nn.Module) -> list[RestorationNetwork]:
    """Return the restoration networks in a module: itself, or what wrappers such as ``DataParallel`` contain."""
    if isinstance(module, RestorationNetwork):
        return [module]
    return [network for child in module.children() for network in networks_in(child)]


def network_in(module: nn.Module) -> RestorationNetwork:
    """Return the only restoration network in a module: itself, or the one in a wrapper such as ``DataParallel``.

    Raises:
        ValueError: if there is not exactly one.

    Example:
        >>> from restorekit import create_model
        >>> network = create_model("nafnet", width=4)
        >>> network_in(nn.DataParallel(network)) is network
        True
    """
    found = networks_in(module)
    if len(found) != 1:
        raise ValueError(f"a {type(module).__name__} contains {len(found) or 'no'} restoration networks; pass the network itself")
    return found[0]


def check_image_tensor(image: Tensor, image_channels: int) -> None:
    """Raise a ``ValueError`` unless ``image`` is a non-empty floating-point N x ``image_channels`` x H x W tensor."""
    if image.ndim != 4:
        raise ValueError(f"image must be N x C x H x W; got {image.ndim} dimensions, shape {tuple(image.shape)}; see unsqueeze")
    if image.shape[1] != image_channels:
        raise ValueError(
            f"this network takes images with {image_channels} channels; got {image.shape[1]} (shape {tuple(image.shape)}, "
            "read as N x C x H x W)"
        )
    if not image.is_floating_point():
        raise ValueError(f"image must be floating point in [0, 1]; got {image.dtype}; convert with image.float() / 255")
    if image.numel() == 0:
        raise ValueError(f"image is empty: shape {tuple(image.shape)}")
