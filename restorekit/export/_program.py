"""A network as other programs want it: one function of an image of any size, with everything around the network inside."""

import json
from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Num
from torch import Tensor, nn

from restorekit._packages import versions_of
from restorekit.checkpoints.hub import content_of
from restorekit.network import Padding, RestorationNetwork

Precision = Literal["float32", "float16"]


class Program(nn.Module):
    """A network with its padding, cropping and conversion of pixels, written so that all sizes may be unknown while it is traced.

    Args:
        network: the network, in evaluation mode; its weights are converted to the precision.
        precision: ``"float32"``, or ``"float16"`` for weights and features of half the size; images stay in float32.
        uint8: whether pixels are 8-bit numbers, in the image and in the result, which is then clamped and rounded.
        clamp: whether the result is clamped to [0, 1].
        stages: how many supervised stages to run; by default all.

    Example:
        >>> from restorekit import create_model
        >>> program = Program(create_model("mprnet_tiny"), uint8=True)
        >>> program(torch.zeros(1, 3, 5, 7, dtype=torch.uint8)).shape
        torch.Size([1, 3, 5, 7])
    """

    def __init__(
        self,
        network: RestorationNetwork,
        *,
        precision: Precision = "float32",
        uint8: bool = False,
        clamp: bool = False,
        stages: int | None = None,
    ) -> None:
        super().__init__()
        self.facts = _facts(network, precision=precision, uint8=uint8, clamp=clamp)  # of the weights as they were
        self.network = network.to(getattr(torch, precision))
        self.precision, self.uint8, self.clamp, self.stages = precision, uint8, clamp, stages

    def forward(self, image: Num[Tensor, "n c h w"]) -> Num[Tensor, "n c_out h_out w_out"]:
        """Return the restored image; floating-point pixels are not clamped unless that was asked for."""
        network, (height, width) = self.network, image.shape[-2:]
        pixels = image.float() / 255 if self.uint8 else image
        top, rows = padded_places(height, network.size_multiple, network.padding)
        left, columns = padded_places(width, network.size_multiple, network.padding)
        pixels = pixels.index_select(2, rows).index_select(3, columns)
        restored = network(pixels.to(getattr(torch, self.precision)), stages=self.stages).float()
        scale = network.output.scale
        restored = restored.index_select(2, scale * top + torch.arange(scale * height))
        restored = restored.index_select(3, scale * left + torch.arange(scale * width))
        if self.uint8:
            return (restored.clamp(0, 1) * 255).round().to(torch.uint8)
        return restored.clamp(0, 1) if self.clamp else restored

    def example(self, size: tuple[int, int], *, number: int = 1) -> Tensor:
        """Return images of noise, always the same."""
        shape = (number, self.network.input_channels, *size)
        image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        return (image * 255).round().to(torch.uint8) if self.uint8 else image


def padded_places(side: int, multiple: int, padding: Padding) -> tuple[int, Tensor]:
    """Return where an image starts in a padded one, and which row (or column) of the image each one of the padded image is.

    They are those of :func:`restorekit.ops.pad_to_multiple` and :func:`restorekit.ops.pad_centred`. Here, no step depends on the
    value of ``side``, which is unknown while the function is traced.
    """
    last = torch.arange(side)[-1]
    if padding == "corner":
        places = torch.arange((side + multiple - 1) // multiple * multiple)
        reflected = 2 * last - places
        return 0, torch.where(places <= last, places, torch.where(reflected[-1] < 0, last, reflected))
    even = side + side % 2
    whole = (even + multiple - 1) // multiple * multiple
    start = (whole - even) // 2
    return start, _reflected(_reflected(torch.arange(whole) - start, last + side % 2), last)


def _reflected(places: Tensor, last: Tensor) -> Tensor:
    """Return places between 0 and the last for places beyond, which go back and forth."""
    return last - (last - places % (2 * last).clamp(min=1)).abs()


def _facts(network: RestorationNetwork, *, precision: Precision, uint8: bool, clamp: bool) -> Mapping[str, str]:
    """Return what a file says about itself, as text."""
    about = network.pretrained_config
    recipe = network.recipe or {"architecture": "a composition"}
    channels = ", ".join([f"image: {network.image_channels}", *(f"{c.name}: {c.channels}" for c in network.conditions)])
    return {
        **{f"version_{package}": version for package, version in versions_of(("restorekit", "torch")).items()},
        "name": recipe["architecture"],
        "task": about.task if about else "",
        "licence": about.licence.summary if about else "not stated",
        "trained_by": about.trained_by if about else "",
        "range": "0 to 255" if uint8 else "0 to 1",
        "clamped": json.dumps(clamp or uint8),
        "layout": "N x C x H x W, colours in the order red, green, blue",
        "channels": channels,
        "output_channels": str(network.output_channels),
        "scale": str(network.output.scale),
        "size_multiple": str(network.size_multiple),
        "precision": precision,
        "weights_sha256": content_of(network.state_dict()),
    }
