"""A network with the settings that it restores pictures with."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from restorekit.inference import local_pooling, prepare, restore
from restorekit.inference.ensemble import ensembled
from restorekit.inference.precision import PRECISIONS, compute_dtype
from restorekit.inference.restore import POOLINGS
from restorekit.inference.tiling import OVERLAP
from restorekit.model import RestorationModel

Array = npt.NDArray[Any]
ALPHAS = ("keep", "restore")


@dataclass(frozen=True)
class Settings:
    """How a network restores pictures.

    Args:
        precision: as :func:`restorekit.restore` takes it.
        stages: how many supervised stages to run; by default all.
        pooling: ``"global"``, or ``"local"`` for means over windows.
        train_size: with local pooling, the side of the crops that the network was trained on.
        ensemble: whether to average over the image turned and mirrored in all eight ways.
        tile: ``"auto"``, the side of tiles in pixels, or None for the whole image at once.
        overlap: pixels that neighbouring tiles share at least.
        max_memory: what the network may take, such as ``"2GB"``; by default, four fifths of what is free.
        compile: whether to compile the network.
        alpha: what becomes of transparency: ``"keep"``, or ``"restore"``, as a grey image of its own.

    Raises:
        ValueError: if a choice is unknown.
    """

    precision: str = "auto"
    stages: int | None = None
    pooling: str = "global"
    train_size: int = 256
    ensemble: bool = False
    tile: str | int | None = "auto"
    overlap: int = OVERLAP
    max_memory: str | int | None = None
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

    def __init__(self, model: RestorationModel, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        model.check_stages(self.settings.stages)
        self.model = local_pooling(model, self.settings.train_size) if self.settings.pooling == "local" else model
        self._prepared: dict[str, RestorationModel] = {}  # by precision
        self._tiles = 1

    def __call__(self, pixels: Array, *, alpha: bool = False) -> Array:
        """Return restored pixels.

        Args:
            pixels: N x H x W x C, uint8 or uint16.
            alpha: whether the last channel is transparency.
        """
        batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(0, 3, 1, 2)
        if alpha and self.settings.alpha == "restore":
            restored = torch.cat((self._restore(batch[:, :-1]), self._restore(batch[:, -1:])), dim=1)
        else:
            restored = self._restore(batch)
        return restored.permute(0, 2, 3, 1).numpy()

    def precision(self, dtype: npt.DTypeLike) -> str:
        """Return what the network computes in for pixels of a dtype."""
        pixels = torch.uint8 if np.dtype(dtype) == np.uint8 else torch.uint16
        return str(compute_dtype(self.model, self.settings.precision, pixels)).removeprefix("torch.")

    def describe(self, pixels: Array) -> dict[str, Any]:
        """Return how the pixels of the last call were restored, as plain data for a report."""
        return {
            "precision": self.precision(pixels.dtype),
            "tiles": self._tiles,
            "pooling": self.settings.pooling,
            "stages": self.settings.stages or self.model.num_supervised,
            "ensemble": self.settings.ensemble,
        }

    def _restore(self, batch: Tensor) -> Tensor:
        settings, precision = self.settings, self.precision(np.uint8 if batch.dtype == torch.uint8 else np.uint16)
        if precision not in self._prepared:
            self._prepared[precision] = prepare(self.model, precision=precision, compile=settings.compile)
        run = partial(
            restore,
            self._prepared[precision],
            precision=precision,
            stages=settings.stages,
            tile=settings.tile,
            overlap=settings.overlap,
            max_memory=settings.max_memory,
            on_tile=self._count_tiles,
        )
        return ensembled(run, batch) if settings.ensemble else run(batch)

    def _count_tiles(self, done: int, total: int) -> None:
        self._tiles = total
