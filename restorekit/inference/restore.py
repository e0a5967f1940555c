"""Restoring images of any kind and size."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from restorekit.inference.local_pooling import local_pooling
from restorekit.inference.planning import plan, too_large
from restorekit.inference.precision import compute_dtype, converted
from restorekit.inference.tiling import OVERLAP, blended
from restorekit.model import RestorationModel
from restorekit.ops import pad_centred, pad_to_multiple

POOLINGS = ("global", "local")
Restorable = TypeVar("Restorable")
Progress = Callable[[int, int], None]

IMAGES_HELD = 3  # copies of the pixels: as they were given, as they are arranged for the network, and restored
PEAKS = {torch.uint8: 255, torch.uint16: 65535}


@dataclass(frozen=True)
class _Settings:
    """How a network runs: the arguments of :func:`restore` of the same names."""

    precision: str
    stages: int | None
    tile: str | int | None
    overlap: int
    max_memory: str | int | None
    on_tile: Progress


def restore(
    model: RestorationModel,
    image: Restorable,
    *,
    precision: str = "auto",
    stages: int | None = None,
    pooling: str = "global",
    tile: str | int | None = "auto",
    overlap: int = OVERLAP,
    max_memory: str | int | None = None,
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
        tile: ``"auto"`` for the whole image at once if it fits, otherwise the largest tiles that do; the side of tiles in pixels;
            or None for the whole image at once in any case.
        overlap: pixels that neighbouring tiles share at least. With local pooling, tiles give what the whole image gives if a
            quarter of this is as far as the network sees.
        max_memory: what pixels and network may take, such as ``"2GB"``, or a number of bytes; by default, the network takes at most
            four fifths of what is free.
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
    return cast(Restorable, _restore(model, image, _Settings(precision, stages, tile, overlap, max_memory, on_tile)))


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
    model = converted(model, compute_dtype(model, settings.precision, batch.dtype))
    peak = PEAKS.get(batch.dtype, 1)
    restored = batch.clone()  # alpha stays as it is
    row = 0
    for band in _restored_rows(model, batch[:, :num_colours], peak, settings):
        colours = band.mean(dim=1, keepdim=True) if num_colours < model.image_channels else band
        scaled = colours.clamp(0, 1) * peak
        # PyTorch converts float64 to uint16, and not float32.
        finished = scaled.to(batch.dtype) if peak == 1 else scaled.round().double().to(batch.dtype)
        restored[:, :num_colours, row : row + band.shape[2]] = finished.to(batch.device)
        row += band.shape[2]
    return restored


def _restored_rows(model: RestorationModel, pixels: Tensor, peak: int, settings: _Settings) -> Iterator[Tensor]:
    """Yield the restored image from top to bottom, in one piece or in bands of rows; neither clamped nor rounded."""
    parameter = next(model.parameters())
    height, width = pixels.shape[-2:]
    (rows, top), (columns, left) = _padded_places(model, height), _padded_places(model, width)
    reduced = parameter.dtype in (torch.bfloat16, torch.float16)
    exact = torch.promote_types(parameter.dtype, torch.float32)  # the image itself is added to what the network finds
    autocast = torch.autocast(parameter.device.type, parameter.dtype if reduced else torch.bfloat16, enabled=reduced)

    with _evaluating(model):
        tiling = plan(
            model,
            (len(rows), len(columns)),
            number=pixels.shape[0],
            dtype=parameter.dtype,
            tile=settings.tile,
            overlap=settings.overlap,
            max_memory=settings.max_memory,
            held=IMAGES_HELD * pixels.nbytes,
        ).tiling
    done = 0

    def run(first_row: int, first_column: int) -> Tensor:
        nonlocal done
        tile_rows = rows[first_row : first_row + tiling.tile[0]]
        tile_columns = columns[first_column : first_column + tiling.tile[1]]
        tile = _window(pixels, tile_rows, tile_columns).to(parameter.device, exact) / peak
        tile = tile.expand(-1, model.image_channels, -1, -1).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), _evaluating(model), autocast, _explaining_memory(tiling.tile):
            restored = model(tile, stages=settings.stages).to(exact)
        if not restored.isfinite().all():
            raise ValueError("the network gave values that are not finite; check its weights, or use precision='float32'")
        done += 1
        settings.on_tile(done, tiling.num_tiles)
        return restored

    first = 0
    bands = blended(run, tiling)
    while True:
        try:
            band = next(bands, None)
        except MemoryError:
            if done or settings.tile != "auto" or not tiling.can_shrink:
                raise
            tiling = tiling.within(math.prod(tiling.tile) / 2)  # nothing is done yet
            bands = blended(run, tiling)
            continue
        if band is None:
            return
        inside = slice(max(0, top - first), max(0, top + height - first))
        first += band.shape[2]
        yield band[..., inside, left : left + width]


def _padded_places(model: RestorationModel, side: int) -> tuple[Tensor, int]:
    """Return which rows (or columns) of an image a padded one has, and where the image starts in it."""
    places = torch.arange(side, dtype=torch.float64).view(1, 1, side, 1)
    if model.padding == "centre":
        padded, (start, _) = pad_centred(places, model.size_multiple)
    else:
        padded, start = pad_to_multiple(places, model.size_multiple), 0
    return padded[0, 0, :, 0].long(), start


def _window(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return some rows and columns of an image, which may be out of order where it is padded; 16-bit integers become wider."""
    top, left = int(rows.min()), int(columns.min())
    inside = pixels[..., top : int(rows.max()) + 1, left : int(columns.max()) + 1]
    inside = inside.to(torch.int32) if inside.dtype == torch.uint16 else inside  # PyTorch does not index them
    return inside.index_select(-2, (rows - top).to(pixels.device)).index_select(-1, (columns - left).to(pixels.device))


@contextmanager
def _explaining_memory(size: tuple[int, int]) -> Iterator[None]:
    """Turn an allocation that failed into an error that says what to do."""
    try:
        yield
    except RuntimeError as error:  # on the CPU, torch has no class of its own for this
        if not isinstance(error, torch.OutOfMemoryError) and "not enough memory" not in str(error):
            raise
        raise MemoryError(too_large(size)) from error


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
