"""A network with the settings that it restores pictures with."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from restorekit.inference import local_pooling, restore
from restorekit.inference.ensemble import self_ensemble
from restorekit.inference.restore import PEAKS, POOLINGS, PRECISIONS, has_bfloat16
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
        alpha: what becomes of transparency: ``"keep"``, or ``"restore"``, as a grey image of its own.

    Raises:
        ValueError: if a choice is unknown.
    """

    precision: str = "auto"
    stages: int | None = None
    pooling: str = "global"
    train_size: int = 256
    ensemble: bool = False
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
        parameter = next(self.model.parameters())
        if self.settings.precision != "auto":
            return self.settings.precision
        return "bfloat16" if np.dtype(dtype) == np.uint8 and has_bfloat16(parameter.device) else "float32"

    def describe(self, pixels: Array) -> dict[str, Any]:
        """Return how pixels are restored, as plain data for a report."""
        return {
            "precision": self.precision(pixels.dtype),
            "tiles": 1,
            "pooling": self.settings.pooling,
            "stages": self.settings.stages or self.model.num_supervised,
            "ensemble": self.settings.ensemble,
        }

    def _restore(self, batch: Tensor) -> Tensor:
        precision = self.precision(np.uint8 if batch.dtype == torch.uint8 else np.uint16)
        run = partial(restore, self.model, precision=precision, stages=self.settings.stages)
        if not self.settings.ensemble:
            return run(batch)
        peak = PEAKS[batch.dtype]
        return (self_ensemble(run, batch.float() / peak) * peak).round().to(batch.dtype)
