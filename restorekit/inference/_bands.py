"""Restoring pixels from top to bottom, in bands of rows, so that neither the image nor the result needs to be held as a whole."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from restorekit.inference._ensemble import self_ensemble
from restorekit.inference._planning import Plan, plan, too_large
from restorekit.inference._precision import compute_dtype, converted
from restorekit.inference._tiling import OVERLAP, blended
from restorekit.network import RestorationNetwork
from restorekit.ops import pad_centred, pad_to_multiple

Progress = Callable[[int, int], None]
OnPlan = Callable[[Plan], None]

PEAKS = {torch.uint8: 255, torch.uint16: 65535}
ROWS = 64  # that are finished at a time, in wider numbers than those of the image


@dataclass(frozen=True)
class Options:
    """How a network runs.

    Args:
        precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` or ``"auto"``.
        stages: how many supervised stages to run; by default all.
        ensemble: whether to average over the image turned and mirrored in all eight ways.
        tile: ``"auto"``, the side of tiles in pixels, or None for the whole image at once.
        overlap: pixels that neighbouring tiles share at least.
        max_memory: what the network and the pixels may take, such as ``"2GB"``; by default, the network takes at most four fifths
            of what is free.
    """

    precision: str = "auto"
    stages: int | None = None
    ensemble: bool = False
    tile: str | int | None = "auto"
    overlap: int = OVERLAP
    max_memory: str | int | None = None


@dataclass(frozen=True)
class Source:
    """Pixels that are read from top to bottom.

    Attributes:
        shape: number of images, channels (transparency is the last), height and width.
        dtype: uint8, uint16, or floating point in [0, 1].
        read: returns the rows from a first one to before a last one, N x C x rows x W. The first ones asked for never decrease.
        held: bytes that the pixels and the result take as long as the network runs.
    """

    shape: tuple[int, int, int, int]
    dtype: torch.dtype
    read: Callable[[int, int], Tensor]
    held: int


def restored_bands(
    model: RestorationNetwork,
    source: Source,
    options: Options,
    *,
    on_plan: OnPlan = lambda plan: None,
    on_tile: Progress = lambda done, total: None,
) -> Iterator[Tensor]:
    """Yield the restored image from top to bottom, in bands of rows; of the same dtype, on the device of the network.

    The image is padded to what the network takes, restored, cropped, clamped and, for integer pixels, rounded. A grey image goes
    through a colour network as three equal channels, whose mean is the result. Transparency (a channel more than the network
    takes) is kept as it is.

    Args:
        model: the network; it is not changed.
        source: the pixels.
        options: how to restore.
        on_plan: is called before any tile, and again if tiles become smaller since the memory does not suffice after all.
        on_tile: is called after each tile with how many are done and how many there are.

    Raises:
        ValueError: if the network does not take so many channels or gives values that are not finite, or an option is wrong.
        MemoryError: if the image, or the smallest tile, is too large for the memory.
    """
    num_colours = _num_colours(model, source.shape[1])
    model = converted(model, compute_dtype(model, options.precision, source.dtype))
    peak = PEAKS.get(source.dtype, 1)
    rows = _Rows(source)
    first = 0

    def finished(band: Tensor) -> Iterator[Tensor]:
        """Yield the pixels of colours, a few rows at a time, since they take more memory on the way."""
        nonlocal first
        for colours in band.split(ROWS, dim=2):
            result = colours.mean(dim=1, keepdim=True) if num_colours < model.image_channels else colours
            result = result.clamp(0, 1) * peak
            # PyTorch converts float64 to uint16, and not float32.
            pixels = result.to(source.dtype) if peak == 1 else result.round_().double().to(source.dtype)
            given = rows.again(first, first + colours.shape[2])
            first += colours.shape[2]
            yield torch.cat((pixels, given[:, num_colours:].to(pixels.device)), dim=1)

    for band in _colours(model, rows, num_colours, peak, options, on_plan, on_tile):
        yield from finished(band)


class _Rows:
    """The rows that a row of tiles needs, which are read once for all of them."""

    def __init__(self, source: Source) -> None:
        self.source, self.first, self.pixels = source, 0, torch.empty(*source.shape[:2], 0, source.shape[3], dtype=source.dtype)

    def read(self, first: int, last: int) -> Tensor:
        """Return rows, which become those that are kept."""
        if (first, last - first) != (self.first, self.pixels.shape[2]):
            self.first, self.pixels = first, self.source.read(first, last)
        return self.pixels

    def again(self, first: int, last: int) -> Tensor:
        """Return some of the rows that are kept."""
        return self.pixels[:, :, first - self.first : last - self.first]


def _colours(
    model: RestorationNetwork,
    pixels: _Rows,
    num_colours: int,
    peak: int,
    options: Options,
    on_plan: OnPlan,
    on_tile: Progress,
) -> Iterator[Tensor]:
    """Yield the restored colours from top to bottom, in one piece or in bands of rows; neither clamped nor rounded."""
    parameter = next(model.parameters())
    height, width = pixels.source.shape[2:]
    (rows, top), (columns, left) = _padded_places(model, height), _padded_places(model, width)
    reduced = parameter.dtype in (torch.bfloat16, torch.float16)
    exact = torch.promote_types(parameter.dtype, torch.float32)  # the image itself is added to what the network finds
    autocast = torch.autocast(parameter.device.type, parameter.dtype if reduced else torch.bfloat16, enabled=reduced)
    run_model = partial(model, stages=options.stages)
    with _evaluating(model):
        planned = plan(
            model,
            (len(rows), len(columns)),
            number=pixels.source.shape[0],
            dtype=parameter.dtype,
            tile=options.tile,
            overlap=options.overlap,
            max_memory=options.max_memory,
            held=pixels.source.held,
        )
    on_plan(planned)
    tiling = planned.tiling
    done = 0

    def run(first_row: int, first_column: int) -> Tensor:
        nonlocal done
        tile_rows = rows[first_row : first_row + tiling.tile[0]]
        tile_columns = columns[first_column : first_column + tiling.tile[1]]
        strip = pixels.read(int(tile_rows.min()), int(tile_rows.max()) + 1)[:, :num_colours]
        tile = _window(strip, tile_rows - pixels.first, tile_columns).to(parameter.device, exact) / peak
        tile = tile.expand(-1, model.image_channels, -1, -1).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), _evaluating(model), autocast, _explaining_memory(tiling.tile):
            restored = (self_ensemble(run_model, tile) if options.ensemble else run_model(tile)).to(exact)
        if not restored.isfinite().all():
            raise ValueError("the network gave values that are not finite; check its weights, or use precision='float32'")
        done += 1
        on_tile(done, tiling.num_tiles)
        return restored

    first = 0
    bands = blended(run, tiling)
    while True:
        try:
            band = next(bands, None)
        except MemoryError:
            if done or options.tile != "auto" or not tiling.can_shrink:
                raise
            tiling = tiling.within(math.prod(tiling.tile) / 2)  # nothing is done yet
            on_plan(Plan(tiling, None, planned.room))
            bands = blended(run, tiling)
            continue
        if band is None:
            return
        inside = slice(max(0, top - first), max(0, top + height - first))
        first += band.shape[2]
        yield band[..., inside, left : left + width]


def _padded_places(model: RestorationNetwork, side: int) -> tuple[Tensor, int]:
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


def _num_colours(model: RestorationNetwork, channels: int) -> int:
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
