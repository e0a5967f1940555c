"""Programs that show the curves and pictures of a run, through Hugging Face Accelerate."""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from restorekit._packages import from_extra
from restorekit.train._recipe import Recipe
from restorekit.train._run import Run

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

PROJECT = "restorekit"


def open_trackers(recipe: Recipe, run: Run, first: int) -> list["GeneralTracker"]:
    """Return the trackers of a recipe, ready to log; a run that resumes continues its curves.

    Args:
        recipe: the recipe.
        run: the run, after :meth:`Run.begin`.
        first: the step that the run resumes at; TensorBoard hides what was logged after it.

    Raises:
        ModuleNotFoundError: if the package of a tracker is not installed.
    """
    with from_extra("train", "training needs further packages"):
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS
    name = run.folder.resolve().name
    identity = hashlib.sha256(f"{name} {run.starts()[0]['date']}".encode()).hexdigest()[:16]
    arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "tensorboard": (("tensorboard", run.folder), {"purge_step": first + 1}),
        "trackio": ((PROJECT,), {"name": f"{name} {identity[:4]}", "resume": "allow"}),
        "wandb": ((PROJECT,), {"name": name, "id": identity, "resume": "allow", "dir": str(run.folder)}),
    }
    trackers = []
    for wanted in recipe.run.trackers:
        places, options = arguments[wanted]
        tracker = LOGGER_TYPE_TO_CLASS[wanted](*places, **options)
        try:
            tracker.start()
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"run.trackers contains {wanted!r}, which is not installed: pip install {wanted}") from error
        if wanted != "tensorboard":  # which would show it as a separate run
            tracker.store_init_configuration(recipe.model_dump())
        trackers.append(tracker)
    return trackers


def show_picture(trackers: Iterable["GeneralTracker"], picture: Image.Image, step: int) -> None:
    """Show a picture in the trackers that can."""
    pixels = np.asarray(picture)[None]
    for tracker in trackers:
        if tracker.name == "tensorboard":
            tracker.log_images({"pictures": pixels}, step=step, dataformats="NHWC")
        elif tracker.name == "wandb":
            tracker.log_images({"pictures": pixels}, step=step)
