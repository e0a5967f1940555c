"""Deciding, before any work, whether an image is restored at once or in tiles, by the memory that there is."""

import math
import re
from dataclasses import dataclass

import torch

from restorekit._memory import available_bytes, peak_bytes
from restorekit.inference._tiling import OVERLAP, Tiling
from restorekit.network import RestorationNetwork

PLANNED_FROM = 2**20  # pixels; smaller images fit, and planning takes a second or more
SAFE_SHARE = 0.8  # of the memory that is available
# What a process takes for each byte that its tensors hold: 1.1 if all that is freed goes back to the system, 1.4 if the allocator
# keeps small blocks, as it does by default, and up to 2.2 if it keeps all, as the command line has it; and what it takes beside:
# for code that is loaded as the work begins, and the work space of kernels. Measured at 0.6 to 100 megapixels.
PROCESS_SHARE = 2.2
BESIDE = 200_000_000
BYTES_OF_BAND = 16  # for each value of a row of tiles: their sum, the pixels that they are made of, and rows on the way to the file
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@dataclass(frozen=True)
class Plan:
    """How an image is going to be restored.

    Attributes:
        tiling: the tiles; there is one if the image is restored at once.
        needed: bytes that the network takes at its peak, about; None if that cannot be told.
        room: bytes that it may take; None if there is no limit that is known.
    """

    tiling: Tiling
    needed: int | None
    room: int | None


def plan(
    model: RestorationNetwork,
    size: tuple[int, int],
    *,
    number: int = 1,
    dtype: torch.dtype,
    tile: str | int | None = "auto",
    overlap: int = OVERLAP,
    max_memory: str | int | None = None,
    held: int = 0,
) -> Plan:
    """Decide how to restore an image.

    Args:
        model: the network, in evaluation mode.
        size: height and width of the image, padded to what the network takes.
        number: images in the batch.
        dtype: to compute in.
        tile: ``"auto"``, the side of tiles in pixels, or None for the whole image at once.
        overlap: pixels that tiles share at least.
        max_memory: bytes that may be taken, or words such as ``"2GB"``; by default, four fifths of what is free.
        held: bytes of ``max_memory`` that the images take.

    Raises:
        ValueError: if the tile is too small or of another kind, or the memory is not understood.
        MemoryError: if the image does not fit, and may not be cut into smaller tiles.
    """
    room = _room(model, max_memory, held)
    multiple = model.size_multiple
    tiling = Tiling(size, size, multiple, overlap)
    if overlap < 0:
        raise ValueError(f"overlap must not be negative; got {overlap}")
    if isinstance(tile, int) and not isinstance(tile, bool):
        side = tile // multiple * multiple
        if side < tiling.least:
            raise ValueError(
                f"tile must be at least {tiling.least} pixels for this network with an overlap of {overlap}; got {tile}"
            )
        tiling = tiling.at_most(side)
    elif tile not in ("auto", None):
        raise ValueError(f"tile must be 'auto', a number of pixels, or None for the whole image at once; got {tile!r}")
    if room is None or (max_memory is None and number * tiling.tile[0] * tiling.tile[1] < PLANNED_FROM):
        return Plan(tiling, None, room)
    needed = _needed(model, number, tiling, dtype)
    if tile == "auto":
        while needed is not None and needed > room and tiling.can_shrink:
            tiling = tiling.within(math.prod(tiling.tile) * room / needed)
            needed = _needed(model, number, tiling, dtype)
    if needed is not None and needed > room:
        raise MemoryError(too_large(tiling.tile, f" (about {needed / 1e9:.1f} GB needed, {room / 1e9:.1f} GB allowed)"))
    return Plan(tiling, needed, room)


def parse_bytes(text: str | int) -> int:
    """Return a number of bytes, from words such as ``"2GB"`` (10**9 bytes each) or ``"512MiB"`` (2**20 bytes each).

    Raises:
        ValueError: if it is not understood, or not positive.

    Example:
        >>> parse_bytes("1.5 GB"), parse_bytes("2MiB")
        (1500000000, 2097152)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", str(text), re.IGNORECASE)
    size = round(float(match[1]) * UNITS[(match[2] or "").lower()]) if match else 0
    if size <= 0:
        raise ValueError(f"memory must be a size such as 2GB or 512MiB, or a number of bytes; got {text!r}")
    return size


def too_large(size: tuple[int, int], numbers: str = "") -> str:
    """Return what to say of an image or a tile that does not fit."""
    return (
        f"not enough memory to restore {size[1]}x{size[0]} pixels at once{numbers}; use smaller tiles (tile, --tile), precision "
        "bfloat16 (about half the memory), a smaller network or a machine with more memory"
    )


def _room(model: RestorationNetwork, max_memory: str | int | None, held: int) -> int | None:
    if max_memory is not None:
        return max(0, parse_bytes(max_memory) - held)
    device = next(model.parameters()).device
    free = available_bytes() if device.type == "cpu" else None
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    return None if free is None else int(SAFE_SHARE * free)


def _needed(model: RestorationNetwork, number: int, tiling: Tiling, dtype: torch.dtype) -> int | None:
    """Return about how many bytes a network takes, or None for one whose computation depends on pixels."""
    shape = (number, model.image_channels)
    band = 0 if tiling.num_tiles == 1 else math.prod(shape) * tiling.tile[0] * tiling.size[1] * BYTES_OF_BAND
    try:
        weights = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
        return BESIDE + weights + band + int(PROCESS_SHARE * peak_bytes(model, (*shape, *tiling.tile), dtype))
    except RuntimeError:
        return None
