"""The bundled model of each task."""

from collections.abc import Iterable

from restorekit.parts import did_you_mean

DEFAULT_MODELS = {"denoise": "nafnet_tiny.denoise", "deblur": "mprnet_tiny.deblur", "derain": "mprnet_tiny.derain"}
TASKS = tuple(DEFAULT_MODELS)


def bundled_model(task: str, tasks: Iterable[str] = TASKS) -> str:
    """Return the name of the bundled model for a task.

    Raises:
        ValueError: if no bundled model fits.
    """
    if task not in tasks:
        raise ValueError(f"unknown task {task!r}{did_you_mean(task, tasks)}")
    if task not in DEFAULT_MODELS:
        raise ValueError(f"no bundled weights for {task}; available tasks: {', '.join(DEFAULT_MODELS)}")
    return DEFAULT_MODELS[task]
