"""What a run records: log, curves, pictures, weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from restorekit.network import RestorationNetwork
from restorekit.train._card import write_card
from restorekit.train._recipe import Recipe
from restorekit.train._run import Run
from restorekit.train._sources import Example
from restorekit.train._trackers import open_trackers, show_picture
from restorekit.train._validate import picture_grid

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker as Tracker


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
        self.stale = 0  # validations since the best
        self.trackers: list[Tracker] = []

    def open(self, first: int) -> None:
        """Begin with step ``first``; records of later steps are removed.

        Raises:
            ModuleNotFoundError: if the package of a tracker is not installed.
        """
        self.run.forget_after(first)
        self.trackers = open_trackers(self.recipe, self.run, first)

    def judge(self, psnr: float) -> None:
        """Remember, in every process, whether a validation is the best one so far."""
        self.stale = 0 if psnr > self.best_psnr else self.stale + 1
        self.best_psnr = max(psnr, self.best_psnr)

    @property
    def is_exhausted(self) -> bool:
        """Whether there were enough validations without a better result to stop."""
        return 0 < self.recipe.validation.patience <= self.stale

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
            if self.stale == 0:
                self.run.export(model, self.metadata, "best")
        if self.recipe.run.keep_every and step % self.recipe.run.keep_every == 0:
            self.run.export(model, self.metadata, f"step-{step:07}")
        self.run.log(row)
        curves = {f"loss/stage{i + 1}": loss for i, loss in enumerate(row["stages"])}
        curves |= {"loss/sum": row["loss"]} | {
            key: row[key] for key in ("gradient_norm", "lr", "skipped", "seconds", "psnr", "ssim") if key in row
        }
        for tracker in self.trackers:
            tracker.log(curves, step=step)

    def close(self) -> None:
        """Close the trackers, and release the folder."""
        for tracker in self.trackers:
            tracker.finish()
        self.run.close()

    def finish(self, model: nn.Module) -> bool:
        """Write the final weights and the model card; return whether the card was written, rather than kept as somebody's own."""
        self.run.export(model, self.metadata, "weights")
        return write_card(self.run, self.recipe, model, len(self.examples))

    def _show(self, model: RestorationNetwork, step: int) -> None:
        picture = picture_grid(model, self.examples[: self.recipe.validation.pictures])
        self.run.show(picture, step)
        show_picture(self.trackers, picture, step)

    def state_dict(self) -> dict[str, float]:
        """Return the state that is needed to resume a run exactly."""
        return {"best_psnr": self.best_psnr, "stale": self.stale}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore a state."""
        self.best_psnr, self.stale = state["best_psnr"], int(state.get("stale", 0))
