"""Test-time local pooling: statistics over a window as large as in training, instead of over the whole image."""

import copy
from collections.abc import Callable
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks import ChannelAttention, ChannelAttentionBlock, MultiDconvHeadTransposedAttention
from restorekit.blocks.pooling import EPSILON, GlobalMean, GlobalNormalisation
from restorekit.model import RestorationModel

Window = tuple[int, int]
Model = TypeVar("Model", bound=RestorationModel)


def local_pooling(model: Model, train_size: int = 256) -> Model:
    """Return a copy of a network whose means over the whole image are means over a window around each pixel.

    A network trained on crops learns from the means of crops. Means over a large image are of another kind; those over a window,
    1.5 times as high and wide as the features were in training, are not. The weights stay as they are. Local become the means of
    channel attention and of simplified channel attention, and mean and variance of half instance norm. Near the border the window
    stays inside the image. Where it covers the features, nothing changes.
    Source: Chu et al., Improving Image Restoration by Revisiting Global Information Aggregation, ECCV 2022, arXiv:2112.04491.

    Args:
        model: the network; it is not changed.
        train_size: side of the crops that the network was trained on, in pixels.

    Returns:
        The copy, with weights of its own, under the same names.

    Raises:
        ValueError: if the network does not take crops of that size, has no such means, or has others that cannot be made local.

    Example:
        >>> from restorekit import create_model
        >>> model = create_model("mprnet", width=8, unet_step=4, ors_step=4, num_blocks=1)
        >>> local = local_pooling(model, train_size=32)
        >>> image = torch.rand(1, 3, 40, 32)
        >>> torch.equal(local(image), model(image)), torch.equal(local(image[..., :16]), model(image[..., :16]))
        (True, True)
    """
    _check_parts(model)
    windows = _windows(model, train_size)
    local = copy.deepcopy(model)
    for name, window in windows.items():
        parent, _, attribute = name.rpartition(".")
        setattr(local.get_submodule(parent), attribute, LOCAL[type(local.get_submodule(name))](window))
    return local


class LocalMean(nn.Module):
    """Mean of every channel over a window around each pixel.

    Args:
        window: height and width of the window; it is cut where it is larger than the features.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c _ _"]:
        """Return the mean at each pixel; one for all if the window covers the features."""
        if _covers(self.window, x):
            return GlobalMean()(x)
        return _spread(_window_mean(_accurate(x), self.window), x).to(x.dtype)


class LocalNormalisation(nn.Module):
    """Normalises every pixel by mean and variance of a window around it.

    Args:
        window: height and width of the window; it is cut where it is larger than the features.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the normalised features."""
        if _covers(self.window, x):
            return GlobalNormalisation()(x)
        features = _accurate(x)
        features = features - features.mean(dim=(2, 3), keepdim=True)  # so that squares are small, and their difference accurate
        mean = _window_mean(features, self.window)
        variance = (_window_mean(features.square(), self.window) - mean.square()).clamp(min=0)
        scale = (variance + EPSILON).rsqrt()
        return ((features - _spread(mean, x)) * _spread(scale, x)).to(x.dtype)


LOCAL: dict[type[nn.Module], Callable[[Window], nn.Module]] = {GlobalMean: LocalMean, GlobalNormalisation: LocalNormalisation}


def _check_parts(model: RestorationModel) -> None:
    """Raise if a network looks at the whole image in ways that cannot be made local."""
    for name, module in model.named_modules():
        foreign = isinstance(module, ChannelAttentionBlock) and not isinstance(module.attention, ChannelAttention)
        if foreign or isinstance(module, MultiDconvHeadTransposedAttention):
            part = cast(nn.Module, module.attention) if foreign else module
            raise ValueError(
                f"{name}: {type(part).__name__} looks at the whole image in a way that cannot be made local; local pooling is for "
                "networks of channel attention (ca), simplified channel attention (sca) and half instance norm (hin)"
            )


def _windows(model: RestorationModel, train_size: int) -> dict[str, Window]:
    """Return the window of every global mean by name, from what it meets in an image of the training size."""
    multiple = model.size_multiple
    if train_size < 1 or train_size % multiple:
        fits = max(multiple, train_size + -train_size % multiple)
        raise ValueError(f"train_size is {train_size}; this network takes sides that are multiples of {multiple}, such as {fits}")
    shapes = copy.deepcopy(model).to("meta")  # shapes without numbers
    windows: dict[str, Window] = {}

    def look(name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
            height, width = inputs[0].shape[-2:]
            window = (height * 3 // 2, width * 3 // 2)
            if windows.setdefault(name, window) != window:
                raise ValueError(f"{name} is used at two sizes of features, so that no one window fits; use a module for each")

        return hook

    for name, module in shapes.named_modules():
        if type(module) in LOCAL:
            module.register_forward_pre_hook(look(name))
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        shapes(torch.zeros(1, model.image_channels, train_size, train_size, device="meta", dtype=dtype))
    if not windows:
        raise ValueError("this network takes no means over the whole image; there is nothing to make local")
    return windows


def _covers(window: Window, x: Tensor) -> bool:
    return window[0] >= x.shape[-2] and window[1] >= x.shape[-1]


def _accurate(x: Tensor) -> Tensor:
    """Return features in a precision that sums of many of them can do with: at least float32."""
    return x if x.dtype == torch.float64 else x.float()


def _window_mean(x: Float[Tensor, "n c h w"], window: Window) -> Float[Tensor, "n c h_fits w_fits"]:
    """Return the means over all windows that fit, from differences of prefix sums along one axis after the other."""
    for dim, size in ((-2, min(window[0], x.shape[-2])), (-1, min(window[1], x.shape[-1]))):
        sums = x.cumsum(dim)
        first = sums.narrow(dim, size - 1, 1)
        later = sums.narrow(dim, size, sums.shape[dim] - size) - sums.narrow(dim, 0, sums.shape[dim] - size)
        x = torch.cat((first, later), dim) / size
    return x


def _spread(means: Float[Tensor, "n c h_fits w_fits"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return means for every pixel of the features: those of the nearest window that fits."""
    missing = [x.shape[dim] - means.shape[dim] for dim in (-1, -2)]
    return F.pad(means, [side for total in missing for side in (total // 2, total - total // 2)], mode="replicate")
