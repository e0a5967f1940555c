"""Deciding, from the available memory, whether an image is restored at once or in tiles; and deciding again if memory runs out."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from restorekit._memory import available_bytes, peak_bytes
from restorekit.inference._options import InferenceOptions, check_tile, parse_bytes
from restorekit.inference._progress import Plan, Progress
from restorekit.inference._tiling import Tiling, blended
from restorekit.network import RestorationNetwork

PLANNED_FROM = 2**20  # pixels; smaller images fit, and planning takes a second or more
SAFE_SHARE = 0.8  # of the available memory
# How much a process takes per byte of its tensors: 1.1 if all freed memory goes back to the system, 1.4 if the allocator keeps
# small blocks, which is the default, and up to 2.2 if it keeps everything, as on the command line; and a constant, for code that
# is loaded when the work begins, and the work space of kernels. Measured at 0.6 to 100 megapixels.
PROCESS_SHARE = 2.2
BESIDE = 200_000_000
BYTES_OF_BAND = 16  # per value of a row of tiles: their sum, their input pixels, and rows waiting to be written


def plan(
    model: RestorationNetwork,
    size: tuple[int, int],
    options: InferenceOptions | None = None,
    *,
    number: int = 1,
    dtype: torch.dtype,
    held: int = 0,
) -> Plan:
    """Decide how to restore an image.

    Args:
        model: the network, in evaluation mode.
        size: height and width of the image, padded to a size that the network takes.
        options: options; ``tile``, ``overlap`` and ``max_memory`` are used.
        number: number of images in the batch.
        dtype: dtype to compute in.
        held: bytes of ``max_memory`` that the images take.

    Raises:
        OptionError: if the tiles are too small for this network.
        MemoryError: if the image does not fit, and smaller tiles are not allowed.
    """
    options = options or InferenceOptions()
    room = _room(model, options.max_memory, held)
    tiling = Tiling(size, size, model.size_multiple, options.overlap)
    if isinstance(options.tile, int):
        check_tile(options.tile, options.overlap, model.size_multiple)
    largest = model.tile if options.tile == "auto" else options.tile
    if isinstance(largest, int):
        tiling = tiling.at_most(largest)
    if room is None or (options.max_memory is None and number * math.prod(tiling.tile) < PLANNED_FROM):
        return Plan(tiling, None, room)
    needed = _needed(model, number, tiling, dtype)
    if options.tile == "auto":
        while needed is not None and needed > room and tiling.can_shrink:
            tiling = tiling.within(math.prod(tiling.tile) * room / needed)
            needed = _needed(model, number, tiling, dtype)
    if needed is not None and needed > room:
        raise MemoryError(too_large(tiling.tile, f" (about {needed / 1e9:.1f} GB needed, {room / 1e9:.1f} GB allowed)"))
    return Plan(tiling, needed, room)


def restored_by_plan(
    planned: Plan, run: Callable[[Tiling, int, int], Tensor], progress: Progress, *, may_shrink: bool, scale: int = 1
) -> Iterator[Tensor]:
    """Run all tiles of a plan and yield the image in bands, as :func:`blended` does; use smaller tiles if memory runs out.

    Only the first tile can lead to smaller tiles: once one is done, its result is used, and a later failure is an error.

    Args:
        planned: how to restore the image.
        run: restores the tile of a tiling that starts at a row and a column.
        progress: callbacks.
        may_shrink: whether tiles may become smaller.
        scale: how many times as high and wide as the image the restored one is.

    Raises:
        MemoryError: if even the smallest tile does not fit.
    """
    done = 0

    def run_one(top: int, left: int) -> Tensor:
        nonlocal done
        with _explaining_memory(planned.tiling.tile):
            tile = run(planned.tiling, top, left)
        done += 1
        progress.tile_done(done, planned.tiling.num_tiles)
        return tile

    while True:
        progress.planned(planned)
        try:
            yield from blended(run_one, planned.tiling, scale)
        except MemoryError:
            if done or not may_shrink or not planned.tiling.can_shrink:
                raise
            planned = Plan(planned.tiling.within(math.prod(planned.tiling.tile) / 2), None, planned.room)
        else:
            progress.finished()
            return


def too_large(size: tuple[int, int], numbers: str = "") -> str:
    """Return the error message for an image or a tile that does not fit."""
    return (
        f"not enough memory to restore {size[1]}x{size[0]} pixels at once{numbers}; use smaller tiles (tile, --tile), precision "
        "bfloat16 (about half the memory), a smaller network or a machine with more memory"
    )


@contextmanager
def _explaining_memory(size: tuple[int, int]) -> Iterator[None]:
    """Turn a failed allocation into an error that says what to do."""
    try:
        yield
    except RuntimeError as error:  # on the CPU, torch has no special class for this
        if not isinstance(error, torch.OutOfMemoryError) and "not enough memory" not in str(error):
            raise
        raise MemoryError(too_large(size)) from error


def _room(model: RestorationNetwork, max_memory: str | int | None, held: int) -> int | None:
    if max_memory is not None:
        return max(0, parse_bytes(max_memory) - held)
    device = next(model.parameters()).device
    free = available_bytes() if device.type == "cpu" else None
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    return None if free is None else int(SAFE_SHARE * free)


def _needed(model: RestorationNetwork, number: int, tiling: Tiling, dtype: torch.dtype) -> int | None:
    """Return about how many bytes a network takes, or None for one whose computation depends on the pixels."""
    shape = (number, model.input_channels)
    values = number * max(model.input_channels, model.output_channels * model.output.scale**2)  # per pixel of the image
    band = 0 if tiling.num_tiles == 1 else values * tiling.tile[0] * tiling.size[1] * BYTES_OF_BAND
    try:
        weights = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
        return BESIDE + weights + band + int(PROCESS_SHARE * peak_bytes(model, (*shape, *tiling.tile), dtype))
    except RuntimeError:
        return None
