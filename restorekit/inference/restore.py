"""Restoring images of any kind and size."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from restorekit.inference.local_pooling import local_pooling
from restorekit.inference.memory import available_bytes, peak_bytes
from restorekit.model import RestorationModel
from restorekit.ops import pad_centred, pad_to_multiple

PRECISIONS = ("auto", "float32", "bfloat16")
POOLINGS = ("global", "local")
Restorable = TypeVar("Restorable")

PLANNED_FROM = 2**20  # pixels; smaller images fit, and planning takes a second or more
# What a process takes over what its tensors hold: 1.19 to 1.21 measured with float32 at 6.5 megapixels. The allocator keeps small
# blocks that are freed, so it varies, and was up to 1.4 at 0.6 megapixels (width 32); with none kept, it is 1.09.
PROCESS_SHARE = 1.2
PEAKS = {torch.uint8: 255, torch.uint16: 65535}


@dataclass(frozen=True)
class _Settings:
    """How a network runs: the arguments of :func:`restore` of the same names."""

    precision: str
    stages: int | None


def restore(
    model: RestorationModel,
    image: Restorable,
    *,
    precision: str = "auto",
    stages: int | None = None,
    pooling: str = "global",
) -> Restorable:
    """Restore an image of any size; the result is of the kind that was given.

    The image is padded to what the network takes (reflected; repeated at the border where it is too small for that), restored,
    cropped, clamped to [0, 1] and, for integer pixels, rounded. A grey image goes through a colour network as three equal channels,
    whose mean is the result. Transparency (a channel more than the network takes) is kept as it is. The model is not changed.

    Args:
        model: the network; the image is moved to its device.
        image: one of

            - a tensor, C x H x W or N x C x H x W: floating point in [0, 1], uint8 or uint16;
            - an array, H x W or H x W x C: floating point in [0, 1], uint8 or uint16;
            - a PIL image of 8 bits a channel, or grey of 16;
            - the path of an image file; the result is a PIL image.
        precision: ``"float32"``, ``"bfloat16"`` (faster where the processor supports it) or ``"auto"``: bfloat16 for 8-bit images
            on processors with bfloat16 arithmetic, otherwise the precision of the model.
        stages: how many supervised stages to run; by default all. With fewer, the network stops there: faster, at lower quality.
        pooling: ``"global"``, or ``"local"`` for means over windows, as :func:`local_pooling` makes them for training crops of 256.
            For another size of crops, or several images, call that once and pass its result as ``model``.

    Returns:
        The restored image: same kind, shape, dtype and device; a PIL image keeps its colour profile and EXIF data.

    Raises:
        ValueError: if the image is empty, of a wrong dtype or range, or has channels that the network does not take; or if the
            network has fewer supervised stages, or means that cannot be made local.
        ImageError: if an image file cannot be read or would lose bits.
        TypeError: if the image is of another kind.
        MemoryError: if the image is too large for the memory that is free.

    Example:
        >>> import torch
        >>> from restorekit import create_model
        >>> restore(create_model("mprnet_tiny"), torch.zeros(1, 3, 30, 40)).shape
        torch.Size([1, 3, 30, 40])
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}; got {precision!r}")
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}; got {pooling!r}")
    model.check_stages(stages)
    model = local_pooling(model) if pooling == "local" else model
    return cast(Restorable, _restore(model, image, _Settings(precision, stages)))


def _restore(model: RestorationModel, image: Any, settings: _Settings) -> Any:
    if isinstance(image, Tensor):
        if image.ndim not in (3, 4):
            raise ValueError(f"a tensor must be C x H x W or N x C x H x W; got shape {tuple(image.shape)}")
        batch = image if image.ndim == 4 else image[None]
        return _restore_batch(model, batch, settings).reshape(image.shape)
    if isinstance(image, np.ndarray):
        return _restore_array(model, image, settings)
    if isinstance(image, (str, os.PathLike)):
        from restorekit.data.images import read_image

        return _restore(model, read_image(image), settings)

    from PIL import Image

    if isinstance(image, Image.Image):
        from restorekit.data.images import from_array, to_array

        return from_array(_restore_array(model, to_array(image), settings), image.info)
    raise TypeError(f"image must be a tensor, an array, a PIL image or a path; got {type(image).__name__}")


def _restore_array(model: RestorationModel, pixels: npt.NDArray[Any], settings: _Settings) -> npt.NDArray[Any]:
    if pixels.ndim not in (2, 3):
        raise ValueError(f"an array must be H x W or H x W x C; got shape {pixels.shape}")
    native = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=True)
    channels_last = torch.from_numpy(native if pixels.ndim == 3 else native[..., None])
    restored = _restore_batch(model, channels_last.permute(2, 0, 1)[None], settings)
    return restored[0].permute(1, 2, 0).numpy().reshape(pixels.shape)


def _restore_batch(model: RestorationModel, batch: Tensor, settings: _Settings) -> Tensor:
    """Restore N x C x H x W pixels of any supported dtype; alpha and grey are dealt with here."""
    _check_pixels(batch)
    num_colours = _num_colours(model, batch.shape[1])
    colours, alpha = batch[:, :num_colours], batch[:, num_colours:]
    parameter = next(model.parameters())
    autocast_dtype = _autocast_dtype(settings.precision, parameter, batch.dtype)
    _check_memory(model, batch, autocast_dtype or parameter.dtype)
    peak = PEAKS.get(batch.dtype, 1)
    x = colours.to(parameter.device, parameter.dtype) / peak
    x = x.expand(-1, model.image_channels, -1, -1).contiguous(memory_format=torch.channels_last)
    restored = _run(model, x, autocast_dtype, settings.stages)
    if num_colours < model.image_channels:
        restored = restored.mean(dim=1, keepdim=True)
    restored = restored.clamp(0, 1) * peak
    if peak != 1:
        restored = restored.round()
    return torch.cat((restored.to(batch.device, torch.float64).to(batch.dtype), alpha), dim=1)


def _run(model: RestorationModel, x: Tensor, autocast_dtype: torch.dtype | None, stages: int | None) -> Tensor:
    height, width = x.shape[-2:]
    autocast = torch.autocast(x.device.type, autocast_dtype or torch.bfloat16, enabled=autocast_dtype is not None)
    with torch.no_grad(), _evaluating(model), autocast, _explaining_memory(height, width):
        if model.padding == "centre":
            padded, (top, left) = pad_centred(x, model.size_multiple)
        else:
            padded, (top, left) = pad_to_multiple(x, model.size_multiple), (0, 0)
        restored = model(padded, stages=stages)
    restored = restored[..., top : top + height, left : left + width].to(x.dtype)
    if not restored.isfinite().all():
        raise ValueError("the network gave values that are not finite; check its weights, or use precision='float32'")
    return restored


def _check_memory(model: RestorationModel, batch: Tensor, dtype: torch.dtype) -> None:
    """Raise a ``MemoryError`` for an image that would need more memory than there is.

    Without it, Linux would let the process run out of memory and kill it without a word. A GPU refuses by itself.
    """
    number, _, height, width = batch.shape
    if number * height * width < PLANNED_FROM or next(model.parameters()).device.type != "cpu":
        return
    available = available_bytes()
    if available is None:
        return
    padded = (side + -side % model.size_multiple for side in (height, width))
    with _evaluating(model):
        try:
            needed = PROCESS_SHARE * peak_bytes(model, (number, model.image_channels, *padded), dtype)
        except RuntimeError:  # a network whose computation depends on pixels cannot be planned
            return
    if needed > available:
        raise MemoryError(_too_large(height, width, f" (about {needed / 1e9:.1f} GB needed, {available / 1e9:.1f} GB available)"))


def _too_large(height: int, width: int, numbers: str = "") -> str:
    return (
        f"not enough memory to restore {width}x{height} pixels at once{numbers}; use precision bfloat16 (about half the memory), a "
        "smaller network or a machine with more memory, or cut the image into parts"
    )


@contextmanager
def _explaining_memory(height: int, width: int) -> Iterator[None]:
    """Turn an allocation that failed into an error that says what to do."""
    try:
        yield
    except RuntimeError as error:  # on the CPU, torch has no class of its own for this
        if not isinstance(error, torch.OutOfMemoryError) and "not enough memory" not in str(error):
            raise
        raise MemoryError(_too_large(height, width)) from error


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode for a while."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def _check_pixels(batch: Tensor) -> None:
    if batch.numel() == 0:
        raise ValueError(f"the image is empty: shape {tuple(batch.shape)} (N x C x H x W)")
    if batch.dtype in PEAKS:
        return
    if not batch.is_floating_point():
        raise ValueError(f"pixels must be uint8, uint16 or floating point in [0, 1]; got {batch.dtype}")
    if not batch.isfinite().all():
        raise ValueError("the image holds NaN or infinite values")
    low, high = batch.min().item(), batch.max().item()
    if low < 0 or high > 1:
        hint = "divide 8-bit values by 255, or pass them as uint8" if high > 2 else "clamp them, or call the model itself"
        raise ValueError(f"floating-point pixels must be in [0, 1]; got values from {low:g} to {high:g}; {hint}")


def _num_colours(model: RestorationModel, channels: int) -> int:
    """Return how many of an image's channels are colours; the rest is alpha."""
    takes = model.image_channels
    if channels in (1, takes):
        return channels
    if channels in (2, takes + 1):
        return channels - 1
    raise ValueError(
        f"got an image of {channels} channels; this network takes {takes}, grey (1), or either with transparency "
        "(one channel more, the last). Tensors are C x H x W, arrays H x W x C"
    )


def _autocast_dtype(precision: str, parameter: Tensor, pixels: torch.dtype) -> torch.dtype | None:
    """Return the dtype to compute in if it is not that of the parameters."""
    if precision == "bfloat16" or (
        precision == "auto" and parameter.dtype == torch.float32 and pixels == torch.uint8 and has_bfloat16(parameter.device)
    ):
        return torch.bfloat16
    return None


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device computes in bfloat16 faster than in float32."""
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
