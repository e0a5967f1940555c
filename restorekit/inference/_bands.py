"""Restoring pixels from top to bottom, in bands of rows, so that neither the image nor the result must be in memory as a whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from restorekit.inference._ensemble import self_ensemble
from restorekit.inference._options import InferenceOptions
from restorekit.inference._planning import plan, restored_by_plan
from restorekit.inference._progress import Progress
from restorekit.inference._tiling import Tiling
from restorekit.network import RestorationNetwork
from restorekit.ops import pad_centred, pad_to_multiple

PEAKS = {torch.uint8: 255, torch.uint16: 65535}
ROWS = 64  # finished at a time, in wider numbers than the image has


@dataclass(frozen=True)
class Source:
    """Pixels that are read from top to bottom.

    Attributes:
        shape: number of images, channels (transparency is the last), height and width.
        dtype: uint8, uint16, or floating point in [0, 1].
        read: returns the rows from a first one to before a last one, N x C x rows x W. The first row never decreases between calls.
        held: bytes that the pixels and the result take while the network runs.
    """

    shape: tuple[int, int, int, int]
    dtype: torch.dtype
    read: Callable[[int, int], Tensor]
    held: int


def restored_bands(model: RestorationNetwork, source: Source, options: InferenceOptions, progress: Progress) -> Iterator[Tensor]:
    """Yield the restored image from top to bottom, in bands of rows, with the same dtype, on the device of the network.

    The image is padded to a size that the network takes, restored, cropped, clamped and, for integer pixels, rounded. A grey image
    goes through a colour network as three equal channels, whose mean is the result. Transparency (one more channel than the
    network takes) is kept as it is, its pixels repeated if the network enlarges the image.

    Args:
        model: the network, ready to compute in the dtype of its parameters; it is not changed.
        source: the pixels.
        options: options; precision and pooling must already be applied to the network.
        progress: callbacks.

    Raises:
        ValueError: if the network does not take this many channels or gives values that are not finite.
        MemoryError: if the image, or the smallest tile, is too large for the memory.
    """
    num_colours, scale = colours_of(model, source.shape[1]), model.output.scale
    peak = PEAKS.get(source.dtype, 1)
    rows = _Rows(source)
    first = 0

    def finished(band: Tensor) -> Iterator[Tensor]:
        """Yield the colours, a few rows at a time, since the conversion needs more memory."""
        nonlocal first
        for colours in band.split(ROWS * scale, dim=2):
            result = colours.mean(dim=1, keepdim=True) if num_colours < model.image_channels else colours
            result = result.clamp(0, 1)
            given = rows.again(first, first + colours.shape[2] // scale)
            first += colours.shape[2] // scale
            if options.strength != 1:
                result = _mixed(given[:, :num_colours], result, float(options.strength), peak)
            result = result * peak
            # PyTorch converts float64 to uint16, but not float32.
            pixels = result.to(source.dtype) if peak == 1 else result.round_().double().to(source.dtype)
            transparency = given[:, num_colours:].to(pixels.device)
            if scale > 1:
                transparency = transparency.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
            yield torch.cat((pixels, transparency), dim=1)

    for band in _colours(model, rows, num_colours, peak, options, progress):
        yield from finished(band)


def colours_of(model: RestorationNetwork, channels: int) -> int:
    """Return how many channels of an image are colours; the rest is transparency.

    Raises:
        ValueError: if the network does not take them.
    """
    takes = model.image_channels
    grey = model.output_channels == takes  # the mean of the result is grey, too
    if channels == takes or (channels == 1 and grey):
        return channels
    if channels == takes + 1 or (channels == 2 and grey):
        return channels - 1
    raise ValueError(
        f"got an image with {channels} channels; this network takes {takes}, {'grey (1), or either' if grey else 'or these'} with "
        "transparency (one channel more, the last). Tensors are C x H x W, arrays H x W x C"
    )


def restored_shape(model: RestorationNetwork, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return channels, height and width of the restored image for those of an image.

    Raises:
        ValueError: if the network does not take an image with these channels.
    """
    channels, height, width = shape
    colours = colours_of(model, channels)
    restored = model.output_channels if colours == model.image_channels else colours
    return restored + channels - colours, height * model.output.scale, width * model.output.scale


def _mixed(given: Tensor, restored: Tensor, strength: float, peak: int) -> Tensor:
    """Return the image moved towards the restored one, or beyond it; with strength 0, exactly the image.

    Args:
        given: pixels of the image.
        restored: restored pixels, in [0, 1].
        strength: how far to move.
        peak: value in the given pixels that corresponds to 1.
    """
    accurate = torch.promote_types(restored.dtype, given.dtype) if peak == 1 else restored.dtype
    image = given.to(restored.device, accurate) / peak
    return image.lerp(restored.to(accurate), strength).clamp_(0, 1)


class _Rows:
    """The rows that a row of tiles needs, read once for all of its tiles."""

    def __init__(self, source: Source) -> None:
        self.source, self.first, self.pixels = source, 0, torch.empty(*source.shape[:2], 0, source.shape[3], dtype=source.dtype)

    def read(self, first: int, last: int) -> Tensor:
        """Read rows and keep them in place of the earlier ones."""
        if (first, last - first) != (self.first, self.pixels.shape[2]):
            self.first, self.pixels = first, self.source.read(first, last)
        return self.pixels

    def again(self, first: int, last: int) -> Tensor:
        """Return some of the kept rows."""
        return self.pixels[:, :, first - self.first : last - self.first]


def _colours(
    model: RestorationNetwork, pixels: _Rows, num_colours: int, peak: int, options: InferenceOptions, progress: Progress
) -> Iterator[Tensor]:
    """Yield the restored colours from top to bottom, in one piece or in bands of rows; neither clamped nor rounded."""
    parameter = next(model.parameters())
    (number, _, height, width), held = pixels.source.shape, pixels.source.held
    (rows, top), (columns, left) = _padded_places(model, height), _padded_places(model, width)
    reduced = parameter.dtype in (torch.bfloat16, torch.float16)
    exact = torch.promote_types(parameter.dtype, torch.float32)  # the network adds the image itself to its output
    autocast = torch.autocast(parameter.device.type, parameter.dtype if reduced else torch.bfloat16, enabled=reduced)
    run_model = partial(model, stages=options.stages)
    conditions = model.condition_maps(options.conditions, (height, width)).to(parameter.device, exact)
    scale = model.output.scale

    def run(tiling: Tiling, first_row: int, first_column: int) -> Tensor:
        tile_rows = rows[first_row : first_row + tiling.tile[0]]
        tile_columns = columns[first_column : first_column + tiling.tile[1]]
        strip = pixels.read(int(tile_rows.min()), int(tile_rows.max()) + 1)[:, :num_colours]
        tile = _window(strip, tile_rows - pixels.first, tile_columns).to(parameter.device, exact) / peak
        tile = tile.expand(-1, model.image_channels, -1, -1)
        if model.conditions:
            maps = conditions if conditions.shape[-2:] == (1, 1) else _window(conditions, tile_rows, tile_columns)
            tile = torch.cat((tile, maps.expand(len(tile), -1, *tile.shape[-2:])), dim=1)
        tile = tile.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), _evaluating(model), autocast:
            restored = (self_ensemble(run_model, tile) if options.ensemble else run_model(tile)).to(exact)
        if not restored.isfinite().all():
            raise ValueError("the network gave values that are not finite; check its weights, or use precision='float32'")
        return restored

    with _evaluating(model):
        planned = plan(model, (len(rows), len(columns)), options, number=number, dtype=parameter.dtype, held=held)
    first = 0
    for band in restored_by_plan(planned, run, progress, may_shrink=options.tile == "auto", scale=scale):
        inside = slice(max(0, scale * top - first), max(0, scale * (top + height) - first))
        first += band.shape[2]
        yield band[..., inside, scale * left : scale * (left + width)]


def _padded_places(model: RestorationNetwork, side: int) -> tuple[Tensor, int]:
    """Return which rows (or columns) of an image a padded image has, and where the image starts in it."""
    places = torch.arange(side, dtype=torch.float64).view(1, 1, side, 1)
    if model.padding == "centre":
        padded, (start, _) = pad_centred(places, model.size_multiple)
    else:
        padded, start = pad_to_multiple(places, model.size_multiple), 0
    return padded[0, 0, :, 0].long(), start


def _window(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return some rows and columns of an image, which may be out of order in the padding; 16-bit integers become wider."""
    top, left = int(rows.min()), int(columns.min())
    inside = pixels[..., top : int(rows.max()) + 1, left : int(columns.max()) + 1]
    inside = inside.to(torch.int32) if inside.dtype == torch.uint16 else inside  # PyTorch cannot index uint16
    return inside.index_select(-2, (rows - top).to(pixels.device)).index_select(-1, (columns - left).to(pixels.device))


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode temporarily."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True
