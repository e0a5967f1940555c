"""The plan and the progress of restoring an image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from restorekit.inference._tiling import Tiling


@dataclass(frozen=True)
class Plan:
    """The plan for restoring an image.

    Attributes:
        tiling: the tiles; a single one if the image is restored at once.
        needed: approximate peak memory of the network in bytes; None if it cannot be estimated.
        room: bytes that it may take; None if no limit is known.
    """

    tiling: Tiling
    needed: int | None
    room: int | None


def _ignored(*_: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Progress:
    """Functions that are called while an image is restored, in the thread that restores it.

    Args:
        planned: is called before any tile with the :class:`~restorekit.inference.Plan`, and again if tiles become smaller because
            there is not enough memory after all.
        tile_done: is called after each tile with the number of tiles done, and the total.
        finished: is called after the last tile.
        frame_done: is called by :mod:`restorekit.batch` after each page or frame of a file with several, with the number of those
            done, and the total; of the other functions, only ``planned`` is called then, for the first one.

    Example:
        >>> import torch
        >>> from restorekit import create_model
        >>> from restorekit.inference import Restorer
        >>> progress = Progress(tile_done=lambda done, total: print(f"tile {done} of {total}"))
        >>> restored = Restorer(create_model("mprnet_tiny"))(torch.zeros(3, 8, 8), progress=progress)
        tile 1 of 1
    """

    planned: Callable[[Plan], None] = _ignored
    tile_done: Callable[[int, int], None] = _ignored
    finished: Callable[[], None] = _ignored
    frame_done: Callable[[int, int], None] = _ignored


SILENT = Progress()
