"""The contract of a restoration network: what every network offers, whatever its parts."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class ImageSpec:
    """What a network returns for an image.

    Args:
        channels: channels of the restored image; by default those of the degraded one.
        scale: how many times as high and wide as the degraded image it is.

    Raises:
        ValueError: if a number is not positive.

    Example:
        >>> ImageSpec(channels=3, scale=2)
        ImageSpec(channels=3, scale=2)
    """

    channels: int | None = None
    scale: int = 1

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.scale < 1 or (self.channels is not None and self.channels < 1):
            raise ValueError(f"channels and scale of an output must be at least 1; got {self.channels} and {self.scale}")


@dataclass(frozen=True)
class Condition:
    """Input channels that are not an image but tell the network about it, such as the level of its noise, a mask, or depth.

    Args:
        name: name, by which :func:`restorekit.restore` takes its value.
        channels: number of channels.
        unit: value that the network sees as 1: 255 for a noise level that is given for pixels from 0 to 255.

    Raises:
        ValueError: if the name is not an identifier, or a number is not positive.

    Example:
        >>> Condition("noise_level", unit=255)
        Condition(name='noise_level', channels=1, unit=255)
    """

    name: str
    channels: int = 1
    unit: int | float = 1

    def __post_init__(self) -> None:
        """Check name and numbers."""
        if not self.name.isidentifier():
            raise ValueError(f"a condition needs a name such as noise_level; got {self.name!r}")
        if self.channels < 1 or not self.unit > 0:
            raise ValueError(f"condition {self.name}: channels and unit must be positive; got {self.channels} and {self.unit}")


class RestorationNetwork(nn.Module, ABC):
    """A network that maps a degraded image to a restored one.

    Attributes:
        image_channels: number of channels of the degraded image.
        output: channels and scale of the restored image; by default those of the degraded one.
        conditions: further channels of the input, which follow those of the image.
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
    output: ImageSpec = ImageSpec()
    conditions: tuple[Condition, ...] = ()
    pretrained_config: PretrainedConfig | None = None
    recipe: Mapping[str, Any] | None = None
    family: Mapping[str, Any] | None = None
    optional: Mapping[str, str] = MappingProxyType({})
    is_prepared: bool = False
    padding: Padding = "corner"
    tile: int | None = None
    save_pretrained: ClassVar[Callable[..., None]] = deferred("restorekit.publish", "save")
    push_to_hub: ClassVar[Callable[..., str]] = deferred("restorekit.publish", "push")

    @property
    def input_channels(self) -> int:
        """Channels of the tensor that the network takes: those of the image, then those of the conditions."""
        return self.image_channels + sum(condition.channels for condition in self.conditions)

    @property
    def output_channels(self) -> int:
        """Channels of the restored image."""
        return self.output.channels or self.image_channels

    @property
    def keeps_shape(self) -> bool:
        """Whether the restored image has the shape of the degraded one."""
        return self.output_channels == self.image_channels and self.output.scale == 1

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Record in the metadata of a state dict how the network is built, so that a file with nothing else can be recognised."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        with suppress(ValueError, AttributeError):  # it cannot be described as data, or the caller's dict has no metadata
            destination._metadata[prefix[:-1]][DESCRIPTION] = json.dumps(deferred("restorekit.models", "description_of")(self))

    @abstractmethod
    def forward_stages(self, image: Float[Tensor, "n c h w"], *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        """Return the outputs of all supervised stages in order, with the result last.

        Args:
            image: degraded image in [0, 1], followed by the channels of the conditions.
            stages: how many supervised stages to run; by default all.
            coarse: whether to return images at coarser scales that the result does not need.

        Returns:
            Restored images, not clamped. They are as ``output`` declares, except that a stage that is supervised at several scales
            also returns its coarser images, before the full one.
        """

    def forward(self, image: Float[Tensor, "n c h w"], *, stages: int | None = None) -> Float[Tensor, "n c_out h_out w_out"]:
        """Return the restored image.

        Args:
            image: degraded image in [0, 1], followed by the channels of the conditions (:meth:`with_conditions`).
            stages: how many supervised stages to run; by default all. With fewer, the network stops there and computes only what is
                needed; quality is lower, but the network was supervised there.

        Returns:
            Restored image as ``output`` declares, by default of the same shape; not clamped.

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

    def with_conditions(self, image: Float[Tensor, "n c h w"], values: Mapping[str, Any]) -> Float[Tensor, "n c_in h w"]:
        """Return an image followed by the channels of the conditions: what the network takes.

        Args:
            image: degraded image in [0, 1].
            values: value of each condition by name, as for :meth:`condition_maps`.

        Raises:
            OptionError: if conditions are missing or unknown, or a map has another size than the image.
        """
        maps = self.condition_maps(values, (image.shape[-2], image.shape[-1]))
        return torch.cat((image, maps.to(image).expand(len(image), -1, *image.shape[-2:])), dim=1) if self.conditions else image

    def condition_maps(self, values: Mapping[str, Any], size: tuple[int, int]) -> Float[Tensor, "n c h w"]:
        """Return the channels of the conditions, in the units of the network.

        Args:
            values: for each condition a number, or a map: H x W, or C x H x W, or N x C x H x W.
            size: height and width of the image.

        Returns:
            The maps; height and width are 1 if all values are numbers.

        Raises:
            OptionError: if conditions are missing or unknown, or a map has another size than the image.
        """
        self.check_conditions(values)
        maps = [_condition_map(condition, values[condition.name], size) for condition in self.conditions]
        if not maps:
            return torch.empty(1, 0, 1, 1)
        largest = [max(sides) for sides in zip(*(x.shape for x in maps), strict=True)]
        return torch.cat([x.expand(largest[0], -1, *largest[2:]) for x in maps], dim=1)

    def check_conditions(self, values: Collection[str]) -> None:
        """Raise an ``OptionError`` unless these are the names of the conditions."""
        names = [condition.name for condition in self.conditions]
        takes = f"this network takes the conditions {', '.join(names)}" if names else "this network takes no conditions"
        for name in names:
            if name not in values:
                raise OptionError("condition", f"{name} is missing; {takes}: give {name}=NUMBER, or a map of the image's size")
        for name in values:
            if name not in names:
                raise OptionError("condition", f"{name} is unknown; {takes}")

    def check_image(self, image: Tensor) -> None:
        """Raise a ``ValueError`` with advice if the network cannot take ``image``.

        The range is only checked where that is free: in eager mode on the CPU, and not for conditions.
        """
        further = f" and {self.input_channels - self.image_channels} of conditions (see with_conditions)" if self.conditions else ""
        check_image_tensor(image, self.input_channels, f"{self.image_channels} channels{further}")
        height, width = image.shape[-2:]
        multiple = self.size_multiple
        if height % multiple or width % multiple:
            up = [side + -side % multiple for side in (height, width)]
            raise ValueError(
                f"got {height}x{width}; height and width must be multiples of {multiple}; "
                f"pad to {up[0]}x{up[1]}, or call restorekit.restore"
            )
        if not torch.compiler.is_compiling() and type(image) is Tensor and image.device.type == "cpu":
            largest = image[:, : self.image_channels].detach().abs().amax().item()
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


def check_image_tensor(image: Tensor, channels: int, words: str) -> None:
    """Raise a ``ValueError`` unless ``image`` is a non-empty floating-point N x C x H x W tensor.

    Args:
        image: the tensor.
        channels: number of channels that it must have.
        words: the same in words.
    """
    if image.ndim != 4:
        raise ValueError(f"image must be N x C x H x W; got {image.ndim} dimensions, shape {tuple(image.shape)}; see unsqueeze")
    if image.shape[1] != channels:
        raise ValueError(
            f"this network takes images with {words}; got {image.shape[1]} (shape {tuple(image.shape)}, read as N x C x H x W)"
        )
    if not image.is_floating_point():
        raise ValueError(f"image must be floating point in [0, 1]; got {image.dtype}; convert with image.float() / 255")
    if image.numel() == 0:
        raise ValueError(f"image is empty: shape {tuple(image.shape)}")


def _condition_map(condition: Condition, value: Any, size: tuple[int, int]) -> Float[Tensor, "n c h w"]:
    """Return the channels of a condition, with height and width 1 for a number."""
    x = torch.as_tensor(value, dtype=torch.get_default_dtype()) / condition.unit
    x = x.reshape((1,) * (4 - x.ndim) + x.shape) if x.ndim < 4 else x
    if x.shape[1] not in (1, condition.channels) or tuple(x.shape[-2:]) not in ((1, 1), size):
        raise OptionError(
            "condition",
            f"{condition.name} must be a number, or a map of {condition.channels} x {size[0]} x {size[1]}, as large as the image; "
            f"got shape {tuple(x.shape)}",
        )
    if not x.isfinite().all():
        raise OptionError("condition", f"{condition.name} has NaN or infinite values")
    return x.expand(-1, condition.channels, -1, -1)
