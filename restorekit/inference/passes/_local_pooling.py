"""Test-time local pooling: statistics over a window as large as in training, instead of over the whole image."""

import copy
from collections.abc import Callable
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks import (
    EPSILON,
    ChannelAttention,
    ChannelAttentionBlock,
    GlobalMean,
    GlobalNormalisation,
    MultiDconvHeadTransposedAttention,
    ResidualContextualBlock,
    SimplifiedChannelAttention,
)
from restorekit.inference.passes._base import only_computes, rewrite
from restorekit.inference.passes._half_precision import mean
from restorekit.network import RestorationNetwork

Window = tuple[int, int]
Model = TypeVar("Model", bound=RestorationNetwork)

BLOCK = 16  # number of sums that are accumulated one by one; then the blocks are added


def local_pooling(model: Model, train_size: int = 256) -> Model:
    """Return a copy of a network whose means over the whole image are means over a window around each pixel.

    A network trained on crops learns from the means of crops. Means over a large image differ in distribution; means over a window
    1.5 times as high and wide as the features in training do not. The weights do not change. The means of channel attention and of
    simplified channel attention become local, and so do mean and variance of half instance norm. Near the border, the window
    stays inside the image. Where the window covers the features, nothing changes.
    Source: Chu et al., Improving Image Restoration by Revisiting Global Information Aggregation, ECCV 2022, arXiv:2112.04491.

    Args:
        model: the network; it is not changed.
        train_size: side of the crops that the network was trained on, in pixels.

    Returns:
        The copy, with separate weights under the same names.

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
        owner = local.get_submodule(parent)
        setattr(owner, attribute, LOCAL[type(local.get_submodule(name))](window))
        if type(owner) in SCALES:
            rewrite(owner, "scale", SCALES[type(owner)])
    return local


class LocalMean(nn.Module):
    """Mean of every channel over a window around each pixel.

    Args:
        window: height and width of the window; it is reduced where it is larger than the features.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c _ _"]:
        """Return the mean at each pixel; one for all if the window covers the features."""
        return mean(x) if _covers(self.window, x) else _spread(self.fitting(x), x)

    def fitting(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h_fits w_fits"]:
        """Return the means over the windows that fit, which are fewer than the pixels."""
        return _window_mean(x, self.window).to(x.dtype)


class LocalNormalisation(nn.Module):
    """Normalises every pixel by mean and variance of a window around it.

    Args:
        window: height and width of the window; it is reduced where it is larger than the features.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the normalised features."""
        if _covers(self.window, x):
            return GlobalNormalisation()(x)
        features = x.to(_accurate(x))
        features = features - features.mean(dim=(2, 3), keepdim=True)  # small squares have an accurate difference
        mean = _window_mean(features, self.window)
        variance = (_window_mean(features.square(), self.window) - mean.square()).clamp(min=0)
        scale = (variance + EPSILON).rsqrt()
        return ((features - _spread(mean, x)) * _spread(scale, x)).to(x.dtype)


def _scale(attention: ChannelAttention, x: Tensor) -> Tensor:
    """Return the factors of channel attention.

    Since a convolution is linear, the mean of its output is its output for the mean. It comes first, because it leaves
    fewer channels, and everything else comes before the means are spread.
    """
    local = cast(LocalMean, attention.mean)
    if _covers(local.window, x):
        return attention.excite(attention.squeeze(local(x)).relu()).sigmoid()
    return _spread(attention.excite(local.fitting(attention.squeeze(x)).relu()).sigmoid(), x)


def _simplified_scale(attention: SimplifiedChannelAttention, x: Tensor) -> Tensor:
    local = cast(LocalMean, attention.mean)
    return attention.conv(local(x)) if _covers(local.window, x) else _spread(attention.conv(local.fitting(x)), x)


LOCAL: dict[type[nn.Module], Callable[[Window], nn.Module]] = {GlobalMean: LocalMean, GlobalNormalisation: LocalNormalisation}
SCALES: dict[type[nn.Module], Callable[..., Tensor]] = {ChannelAttention: _scale, SimplifiedChannelAttention: _simplified_scale}


def _check_parts(model: RestorationNetwork) -> None:
    """Raise if a network uses statistics of the whole image that cannot be made local."""
    for name, module in model.named_modules():
        foreign = isinstance(module, ChannelAttentionBlock) and not isinstance(module.attention, ChannelAttention)
        if foreign or isinstance(module, MultiDconvHeadTransposedAttention | ResidualContextualBlock):
            part = cast(nn.Module, module.attention) if foreign else module
            raise ValueError(
                f"{name}: {type(part).__name__} uses the whole image in a way that cannot be made local; local pooling is for "
                "networks with channel attention (ca), simplified channel attention (sca) and half instance norm (hin)"
            )


def _windows(model: RestorationNetwork, train_size: int) -> dict[str, Window]:
    """Return the window of every global mean by name, based on its features for an image of the training size."""
    multiple = model.size_multiple
    if train_size < 1 or train_size % multiple:
        fits = max(multiple, train_size + -train_size % multiple)
        raise ValueError(f"train_size is {train_size}; this network takes sides that are multiples of {multiple}, such as {fits}")
    followed = copy.deepcopy(model).eval()
    try:  # sides of features grow linearly with those of the image, so the two smallest sizes determine the rest
        smallest, larger = (_sizes_of_features(followed, side) for side in (multiple, 2 * multiple))
    except (RuntimeError, ValueError):  # for norms and padding that need more than one pixel
        smallest = larger = _sizes_of_features(followed.to("meta"), train_size)  # on the meta device, which takes a second
    if not smallest:
        raise ValueError("this network has no means over the whole image; there is nothing to make local")
    steps = train_size // multiple - 1

    def window(name: str, dim: int) -> int:
        return (smallest[name][dim] + steps * (larger[name][dim] - smallest[name][dim])) * 3 // 2

    return {name: (window(name, 0), window(name, 1)) for name in smallest}


def _sizes_of_features(model: RestorationNetwork, side: int) -> dict[str, tuple[int, int]]:
    """Return height and width of the input of every global mean, for a square image."""
    sizes: dict[str, tuple[int, int]] = {}

    def look(name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
            size = (inputs[0].shape[-2], inputs[0].shape[-1])
            if sizes.setdefault(name, size) != size:
                raise ValueError(f"{name} is used at two sizes of features, so no single window fits; use one module for each")

        return hook

    means = [(name, module) for name, module in model.named_modules() if type(module) in LOCAL]
    handles = [module.register_forward_pre_hook(look(name)) for name, module in means]
    image = next(model.parameters()).new_zeros(1, model.input_channels, side, side)
    try:
        with torch.no_grad():
            model(image)
    finally:
        for handle in handles:
            handle.remove()
    return sizes


def _covers(window: Window, x: Tensor) -> bool:
    return window[0] >= x.shape[-2] and window[1] >= x.shape[-1]


def _accurate(x: Tensor) -> torch.dtype:
    """Return a precision that is sufficient for sums of many features: at least float32."""
    return torch.promote_types(x.dtype, torch.float32)


def _window_mean(x: Float[Tensor, "n c h w"], window: Window) -> Float[Tensor, "n c h_fits w_fits"]:
    """Return the means over all windows that fit, in at least float32."""
    number, channels, height, width = x.shape
    rows, columns = min(window[0], height), min(window[1], width)
    sums = _window_sums(x.permute(0, 2, 3, 1).reshape(number, height, width * channels), rows)
    sums = _window_sums(sums.reshape(-1, width, channels), columns).div_(rows * columns)
    return sums.view(number, -1, width - columns + 1, channels).permute(0, 3, 1, 2)


def _window_sums(x: Float[Tensor, "m l c"], size: int) -> Float[Tensor, "m l_fits c"]:
    """Return the sums over all windows of the middle axis that fit, each updated from the previous one."""
    first, entering, leaving = x[:, :size].sum(1, dtype=_accurate(x)), x[:, size:], x[:, : x.shape[1] - size]
    if x.device.type == "cpu" and only_computes(x):
        sums = first.new_empty(x.shape[0], 1 + entering.shape[1], x.shape[2])
        sums[:, 0] = first
        sums[:, 1:] = entering
        sums[:, 1:] -= leaving
        return _accumulate(sums)
    return torch.cat((first[:, None], entering.to(first.dtype) - leaving), 1).cumsum(1)


def _accumulate(values: Float[Tensor, "m l c"]) -> Float[Tensor, "m l c"]:
    """Return the cumulative sums along the middle axis, in the same memory.

    They take a small part of the time of PyTorch's, which processes each channel separately along this axis. Sums of blocks are
    added to those of the following blocks, which is also more accurate.
    """
    for place in range(1, BLOCK):
        sums = values[:, place::BLOCK]  # for all blocks at once
        sums += values[:, place - 1 :: BLOCK][:, : sums.shape[1]]
    before = values[:, BLOCK - 1 : -1 : BLOCK].clone()
    if before.numel():
        _accumulate(before)
        for place in range(BLOCK):
            sums = values[:, BLOCK + place :: BLOCK]
            sums += before[:, : sums.shape[1]]
    return values


def _spread(means: Float[Tensor, "n c h_fits w_fits"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return means for every pixel of the features, each from the nearest window that fits."""
    missing = [x.shape[dim] - means.shape[dim] for dim in (-1, -2)]
    with torch.autocast("cpu", enabled=False):  # autocast would return float32
        return F.pad(means, [side for total in missing for side in (total // 2, total - total // 2)], mode="replicate")
