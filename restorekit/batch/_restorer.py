"""A network with the settings that it restores pictures with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from restorekit.inference import (
    POOLINGS,
    PRECISIONS,
    Options,
    Plan,
    Source,
    compute_dtype,
    local_pooling,
    prepare,
    restore,
    restored_bands,
)
from restorekit.network import RestorationNetwork

Array = npt.NDArray[Any]
Watch = Callable[[Plan, int], None]
ALPHAS = ("keep", "restore")


@dataclass(frozen=True)
class Settings(Options):
    """How a network restores pictures: what :class:`~restorekit.inference.Options` says, and more.

    Args:
        pooling: ``"global"``, or ``"local"`` for means over windows.
        train_size: with local pooling, the side of the crops that the network was trained on.
        compile: whether to compile the network.
        alpha: what becomes of transparency: ``"keep"``, or ``"restore"``, as a grey image of its own.

    Raises:
        ValueError: if a choice is unknown.
    """

    pooling: str = "global"
    train_size: int = 256
    compile: bool = False
    alpha: str = "keep"

    def __post_init__(self) -> None:
        """Check the choices."""
        for name, choices in (("precision", PRECISIONS), ("pooling", POOLINGS), ("alpha", ALPHAS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}")


class Restorer:
    """Restores pixels with a network and settings.

    Args:
        model: the network, on the device to compute on; it is not changed.
        settings: how to restore.

    Raises:
        ValueError: if the network has fewer supervised stages, or means that cannot be made local.

    Example:
        >>> from restorekit import create_model
        >>> restorer = Restorer(create_model("mprnet_tiny"), Settings(stages=1))
        >>> restorer(np.zeros((2, 30, 40, 3), np.uint8)).shape
        (2, 30, 40, 3)
    """

    def __init__(self, model: RestorationNetwork, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        model.check_stages(self.settings.stages)
        self.model = local_pooling(model, self.settings.train_size) if self.settings.pooling == "local" else model
        self._prepared: dict[str, RestorationNetwork] = {}  # by precision
        self._tiles = 1

    def __call__(self, pixels: Array, *, alpha: bool = False, watch: Watch = lambda plan, done: None) -> Array:
        """Return restored pixels.

        Args:
            pixels: N x H x W x C, uint8 or uint16.
            alpha: whether the last channel is transparency.
            watch: is called before the first tile, and after each, with the plan and the number of tiles that are done.
        """
        batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(0, 3, 1, 2)
        parts = [batch[:, :-1], batch[:, -1:]] if alpha and self.settings.alpha == "restore" else [batch]
        restored = [restore(self._ready(pixels.dtype), part, **_arguments(self.settings), **self._watched(watch)) for part in parts]
        return torch.cat(restored, dim=1).permute(0, 2, 3, 1).numpy()

    def by_rows(
        self,
        shape: tuple[int, int, int],
        dtype: npt.DTypeLike,
        read: Callable[[int, int], Array],
        *,
        held: int = 0,
        watch: Watch = lambda plan, done: None,
    ) -> Iterator[Array]:
        """Yield the restored rows of one image, H x W x C, some at a time; transparency is kept as it is.

        Args:
            shape: height, width and channels.
            dtype: uint8 or uint16.
            read: returns the rows from a first one to before a last one; the first ones asked for never decrease.
            held: bytes that pixels take as long as the network runs.
            watch: as above.
        """
        height, width, channels = shape

        def tensor(first: int, last: int) -> Tensor:
            return torch.from_numpy(np.require(read(first, last), requirements=["C", "W"])).permute(2, 0, 1)[None]

        source = Source((1, channels, height, width), _torch(dtype), tensor, held)
        for band in restored_bands(self._ready(dtype), source, self.settings, **self._watched(watch)):
            yield band[0].permute(1, 2, 0).cpu().numpy()

    def precision(self, dtype: npt.DTypeLike) -> str:
        """Return what the network computes in for pixels of a dtype."""
        return str(compute_dtype(self.model, self.settings.precision, _torch(dtype))).removeprefix("torch.")

    def describe(self, dtype: npt.DTypeLike) -> dict[str, Any]:
        """Return how the pixels of the last call, of this dtype, were restored, as plain data for a report."""
        return {
            "precision": self.precision(dtype),
            "tiles": self._tiles,
            "pooling": self.settings.pooling,
            "stages": self.settings.stages or self.model.num_supervised,
            "ensemble": self.settings.ensemble,
        }

    def _ready(self, dtype: npt.DTypeLike) -> RestorationNetwork:
        """Return the network as it computes for pixels of a dtype."""
        precision = self.precision(dtype)
        if precision not in self._prepared:
            self._prepared[precision] = prepare(self.model, precision=precision, compile=self.settings.compile)
        return self._prepared[precision]

    def _watched(self, watch: Watch) -> dict[str, Any]:
        """Return the functions that are called before the tiles and after each, as arguments."""
        plans: list[Plan] = []

        def planned(plan: Plan) -> None:
            plans.append(plan)
            self._tiles = plan.tiling.num_tiles
            watch(plan, 0)

        def tile_done(done: int, total: int) -> None:
            watch(plans[-1], done)

        return {"on_plan": planned, "on_tile": tile_done}


def _arguments(settings: Settings) -> dict[str, Any]:
    """Return what of the settings are arguments of :func:`restore`."""
    return {field.name: getattr(settings, field.name) for field in fields(Options)}


def _torch(dtype: npt.DTypeLike) -> torch.dtype:
    return torch.uint8 if np.dtype(dtype) == np.uint8 else torch.uint16
