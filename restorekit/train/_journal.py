"""What a run shows and keeps while it goes on: log, curves, pictures, weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from restorekit.network import RestorationNetwork
from restorekit.train._card import write_card
from restorekit.train._recipe import Recipe
from restorekit.train._run import Run
from restorekit.train._sources import Example
from restorekit.train._validate import picture_grid

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Journal:
    """Writes what a run shows and keeps; only the first of several processes opens it.

    Args:
        run: folder of the run.
        recipe: its recipe.
        metadata: what files of weights say of the network.
        examples: what is shown as pictures: the first of them.
    """

    def __init__(self, run: Run, recipe: Recipe, metadata: Mapping[str, str], examples: Sequence[Example]) -> None:
        self.run = run
        self.recipe = recipe
        self.metadata = metadata
        self.examples = examples
        self.best_psnr = 0.0
        self.board: SummaryWriter | None = None

    def open(self, first: int) -> None:
        """Begin with step ``first``; what was written of later ones is taken back.

        Raises:
            ImportError: if TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError('training needs further packages: pip install "restorekit[train]"') from error
        self.run.forget_after(first)
        self.board = SummaryWriter(str(self.run.folder / "tensorboard"), purge_step=first + 1)

    def record(self, row: Mapping[str, Any], model: RestorationNetwork) -> None:
        """Write down a step; after a validation, show pictures and keep the weights if they are the best.

        Args:
            row: what is known of the step.
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
        """Let go of the files that are open."""
        if self.board is not None:
            self.board.close()

    def finish(self, model: nn.Module) -> bool:
        """Write the final weights and the model card; return whether the card was written, and not one of somebody else kept."""
        self.run.export(model, self.metadata, "weights")
        return write_card(self.run, self.recipe, model, len(self.examples))

    def _show(self, model: RestorationNetwork, step: int) -> None:
        picture = picture_grid(model, self.examples[: self.recipe.validation.pictures])
        self.run.show(picture, step)
        if self.board is not None:
            self.board.add_image("pictures", np.asarray(picture), step, dataformats="HWC")

    def state_dict(self) -> dict[str, float]:
        """Return what must be kept for a run to go on as if it had not stopped."""
        return {"best_psnr": self.best_psnr}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Take up a state."""
        self.best_psnr = state["best_psnr"]
