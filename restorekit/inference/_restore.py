"""Restoring images of any kind and size."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from restorekit.inference._bands import PEAKS, OnPlan, Options, Progress, Source, restored_bands
from restorekit.inference._tiling import OVERLAP
from restorekit.inference.passes import local_pooling
from restorekit.network import RestorationNetwork

POOLINGS = ("global", "local")
Restorable = TypeVar("Restorable")
Run = Callable[[Tensor], Tensor]

IMAGES_HELD = 3  # copies of the pixels: as they were given, as they are arranged for the network, and restored


def restore(
    model: RestorationNetwork,
    image: Restorable,
    *,
    precision: str = "auto",
    stages: int | None = None,
    pooling: str = "global",
    ensemble: bool = False,
    tile: str | int | None = "auto",
    overlap: int = OVERLAP,
    max_memory: str | int | None = None,
    on_plan: OnPlan = lambda plan: None,
    on_tile: Progress = lambda done, total: None,
) -> Restorable:
    """Restore an image of any size; the result is of the kind that was given.

    The image is padded to what the network takes (reflected; repeated at the border where it is too small for that), restored,
    cropped, clamped to [0, 1] and, for integer pixels, rounded. A grey image goes through a colour network as three equal channels,
    whose mean is the result. Transparency (a channel more than the network takes) is kept as it is. The model is not changed.

    An image that does not fit into the memory is cut into tiles that overlap and fade into each other. Networks that look at the
    whole image, by channel attention for example, then look at tiles, so the result differs a little from that of the whole image.

    Args:
        model: the network, or what :func:`prepare` made of it; the image is moved to its device.
        image: one of

            - a tensor, C x H x W or N x C x H x W: floating point in [0, 1], uint8 or uint16;
            - an array, H x W or H x W x C: floating point in [0, 1], uint8 or uint16;
            - a PIL image of 8 bits a channel, or grey of 16;
            - the path of an image file; the result is a PIL image.
        precision: ``"float32"``, ``"bfloat16"`` (faster where the processor supports it), ``"float16"`` (for GPUs) or ``"auto"``:
            bfloat16 for 8-bit images on processors with bfloat16 arithmetic, otherwise the precision of the model.
        stages: how many supervised stages to run; by default all. With fewer, the network stops there: faster, at lower quality.
        pooling: ``"global"``, or ``"local"`` for means over windows, as :func:`local_pooling` makes them for training crops of 256.
            For another size of crops, or several images, call that once and pass its result as ``model``.
        ensemble: whether to average over the image turned and mirrored in all eight ways: eight times slower, and better by some
            hundredths to tenths of a decibel.
        tile: ``"auto"`` for the whole image at once if it fits, otherwise the largest tiles that do; the side of tiles in pixels;
            or None for the whole image at once in any case.
        overlap: pixels that neighbouring tiles share at least. With local pooling, tiles give what the whole image gives if a
            quarter of this is as far as the network sees.
        max_memory: what pixels and network may take, such as ``"2GB"``, or a number of bytes; by default, the network takes at most
            four fifths of what is free.
        on_plan: is called before the first tile with the :class:`~restorekit.inference.Plan`.
        on_tile: is called after each tile with how many are done and how many there are.

    Returns:
        The restored image: same kind, shape, dtype and device; a PIL image keeps its colour profile and EXIF data.

    Raises:
        ValueError: if the image is empty, of a wrong dtype or range, or has channels that the network does not take; if the
            network has fewer supervised stages, or means that cannot be made local; or if an argument is not understood.
        ImageError: if an image file cannot be read or would lose bits.
        TypeError: if the image is of another kind.
        MemoryError: if the image, or the smallest tile, is too large for the memory.

    Example:
        >>> import torch
        >>> from restorekit import create_model
        >>> restore(create_model("mprnet_tiny"), torch.zeros(1, 3, 30, 40)).shape
        torch.Size([1, 3, 30, 40])
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}; got {pooling!r}")
    model.check_stages(stages)
    model = local_pooling(model) if pooling == "local" else model
    options = Options(precision, stages, ensemble, tile, overlap, max_memory)
    return cast(Restorable, _restore(partial(_restore_batch, model, options, on_plan, on_tile), image))


def _restore(run: Run, image: Any) -> Any:
    if isinstance(image, Tensor):
        if image.ndim not in (3, 4):
            raise ValueError(f"a tensor must be C x H x W or N x C x H x W; got shape {tuple(image.shape)}")
        return run(image if image.ndim == 4 else image[None]).reshape(image.shape)
    if isinstance(image, np.ndarray):
        return _restore_array(run, image)
    if isinstance(image, (str, os.PathLike)):
        from restorekit.images import read_image

        return _restore(run, read_image(image))

    from PIL import Image

    if isinstance(image, Image.Image):
        from restorekit.images import from_array, to_array

        return from_array(_restore_array(run, to_array(image)), image.info)
    raise TypeError(f"image must be a tensor, an array, a PIL image or a path; got {type(image).__name__}")


def _restore_array(run: Run, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.ndim not in (2, 3):
        raise ValueError(f"an array must be H x W or H x W x C; got shape {pixels.shape}")
    native = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=True)
    channels_last = torch.from_numpy(native if pixels.ndim == 3 else native[..., None])
    restored = run(channels_last.permute(2, 0, 1)[None])
    return restored[0].permute(1, 2, 0).numpy().reshape(pixels.shape)


@torch.no_grad()
def _restore_batch(model: RestorationNetwork, options: Options, on_plan: OnPlan, on_tile: Progress, batch: Tensor) -> Tensor:
    """Restore N x C x H x W pixels of any supported dtype."""
    _check_pixels(batch)
    number, channels, height, width = batch.shape

    def read(first: int, last: int) -> Tensor:
        return batch[:, :, first:last]

    source = Source((number, channels, height, width), batch.dtype, read, IMAGES_HELD * batch.nbytes)
    restored = torch.empty_like(batch)
    row = 0
    for band in restored_bands(model, source, options, on_plan=on_plan, on_tile=on_tile):
        restored[:, :, row : row + band.shape[2]] = band
        row += band.shape[2]
    return restored


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
