"""How an image is going to be restored, and how far that is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from restorekit.inference._tiling import Tiling


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


def _ignored(*_: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Progress:
    """Functions that are called while an image is restored, in the thread that restores it.

    Args:
        planned: is called before any tile with the :class:`~restorekit.inference.Plan`, and again if tiles become smaller because
            the memory does not suffice after all.
        tile_done: is called after each tile with how many are done and how many there are.
        finished: is called after the last tile.

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


SILENT = Progress()
