"""What a run records: log, curves, pictures, weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from restorekit._packages import from_extra
from restorekit.network import RestorationNetwork
from restorekit.train._card import write_card
from restorekit.train._recipe import Recipe
from restorekit.train._run import Run
from restorekit.train._sources import Example
from restorekit.train._validate import picture_grid

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Journal:
    """Writes the records of a run; only the first of several processes opens it.

    Args:
        run: folder of the run.
        recipe: its recipe.
        metadata: what weights files record about the network.
        examples: examples, of which the first ones are shown as pictures.
    """

    def __init__(self, run: Run, recipe: Recipe, metadata: Mapping[str, str], examples: Sequence[Example]) -> None:
        self.run = run
        self.recipe = recipe
        self.metadata = metadata
        self.examples = examples
        self.best_psnr = 0.0
        self.board: SummaryWriter | None = None

    def open(self, first: int) -> None:
        """Begin with step ``first``; records of later steps are removed.

        Raises:
            ModuleNotFoundError: if TensorBoard is not installed.
        """
        with from_extra("train", "training needs further packages"):
            from torch.utils.tensorboard import SummaryWriter
        self.run.forget_after(first)
        self.board = SummaryWriter(str(self.run.folder / "tensorboard"), purge_step=first + 1)

    def record(self, row: Mapping[str, Any], model: RestorationNetwork) -> None:
        """Record a step; after a validation, also show pictures, and keep the weights if they are the best.

        Args:
            row: data of the step.
            model: the moving average.
        """
        step = row["step"]
        if "psnr" in row:
            if self.recipe.validation.pictures:
                self._show(model, step)
            if row["psnr"] > self.best_psnr:
                self.best_psnr = row["psnr"]
                self.run.export(model, self.metadata, "best")
        if self.recipe.run.keep_every and step % self.recipe.run.keep_every == 0:
            self.run.export(model, self.metadata, f"step-{step:07}")
        self.run.log(row)
        curves = {f"loss/stage{i + 1}": loss for i, loss in enumerate(row["stages"])}
        curves |= {"loss/sum": row["loss"]} | {
            key: row[key] for key in ("gradient_norm", "lr", "skipped", "seconds", "psnr", "ssim") if key in row
        }
        if self.board is not None:
            for key, value in curves.items():
                self.board.add_scalar(key, value, step)

    def close(self) -> None:
        """Close the open files."""
        if self.board is not None:
            self.board.close()

    def finish(self, model: nn.Module) -> bool:
        """Write the final weights and the model card; return whether the card was written, rather than kept as somebody's own."""
        self.run.export(model, self.metadata, "weights")
        return write_card(self.run, self.recipe, model, len(self.examples))

    def _show(self, model: RestorationNetwork, step: int) -> None:
        picture = picture_grid(model, self.examples[: self.recipe.validation.pictures], self.recipe.data.condition)
        self.run.show(picture, step)
        if self.board is not None:
            self.board.add_image("pictures", np.asarray(picture), step, dataformats="HWC")

    def state_dict(self) -> dict[str, float]:
        """Return the state that is needed to resume a run exactly."""
        return {"best_psnr": self.best_psnr}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore a state."""
        self.best_psnr = state["best_psnr"]
