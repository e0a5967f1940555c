"""The folder of a training run: recipe, log, checkpoint, weights."""

import contextlib
import datetime
import json
import math
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from restorekit._files import atomic_path, write_json
from restorekit._versions import versions_of
from restorekit.checkpoints import save_weights
from restorekit.errors import CheckpointError, ConfigError
from restorekit.images import write_image
from restorekit.train._recipe import Recipe
from restorekit.train._recipe_files import differences, load_recipe, to_toml

RECORDED = ("restorekit", "torch", "timm", "accelerate", "numpy", "pillow")
SPARE = 16 * 2**20  # bytes that must stay free, for logs and pictures


class Run:
    """Reads and writes the folder of one training run.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe_file = folder / "recipe.toml"
        self.about_file = folder / "run.json"
        self.log_file = folder / "log.jsonl"
        self.checkpoint = folder / "checkpoint.pth"
        self.weights = folder / "weights.safetensors"

    def check(self, recipe: Recipe, *, allow_changes: bool) -> None:
        """Make the folder, or check that it holds a run of this recipe.

        Raises:
            ConfigError: if it is a file, or holds a run of another recipe and changes are not allowed.
            OSError: if it cannot be made.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{self.folder} is a file; a run needs a folder: choose another with --output")
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.recipe_file.exists() and not allow_changes:
            changed = differences(load_recipe(str(self.recipe_file)), recipe)
            if changed:
                raise ConfigError(
                    f"{self.folder} holds a run of another recipe: {', '.join(changed)}; choose another folder, give the values of "
                    "before, or go on with the new ones: --allow-changes"
                )

    def begin(self, recipe: Recipe, processes: int) -> None:
        """Write down recipe, command, processes, versions, commit; remove what a process left that was killed while it wrote."""
        for left in self.folder.glob(".*"):
            if left.suffix in (".pth", ".safetensors", ".jsonl", ".json", ".toml", ".png", ".md"):
                left.unlink()
        with atomic_path(self.recipe_file) as temporary:
            temporary.write_text(to_toml(recipe), encoding="utf-8")
        starts = json.loads(self.about_file.read_text()) if self.about_file.exists() else []
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        start = {"date": now, "command": sys.argv, "processes": processes, "commit": git_commit()}
        write_json(self.about_file, [*starts, start | {"versions": versions_of(RECORDED)}])

    def resume(self, **parts: Any) -> int:
        """Load the checkpoint, if there is one, into the parts (anything with ``load_state_dict``); return the next step.

        Raises:
            CheckpointError: if it is that of another network or optimiser.
        """
        if not self.checkpoint.exists():
            return 0
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise CheckpointError(
                f"{self.checkpoint} is damaged; start from other weights, with model.init, in another folder"
            ) from error
        for name, part in parts.items():
            try:
                part.load_state_dict(state[name])
            except (RuntimeError, ValueError, KeyError) as error:
                raise CheckpointError(
                    f"{self.checkpoint} does not fit the {name} of this recipe: {str(error).splitlines()[0]} To start from its "
                    f"weights, take another folder and model.init=FILE.safetensors"
                ) from error
        return int(state["step"])

    def save(self, step: int, **parts: Any) -> None:
        """Write the checkpoint, atomically: ``step`` steps are done.

        Raises:
            OSError: if it cannot be written; the checkpoint of before is still there.
        """
        state = {"step": step} | {name: part.state_dict() for name, part in parts.items()}
        with self._explained(self.checkpoint), atomic_path(self.checkpoint) as temporary, temporary.open("wb") as file:
            torch.save(state, file)

    def shortage(self, size: int, *, spare: int = SPARE) -> str:
        """Return what is wrong if the disk lacks space for so many bytes, and some more; otherwise nothing."""
        free = shutil.disk_usage(self.folder).free
        if free >= size + spare:
            return ""
        return (
            f"{self.folder} has {free / 1e6:.0f} MB of free space, and a run needs {(size + SPARE) / 1e6:.0f} MB; make space, and "
            "the same command goes on"
        )

    def check_space(self, size: int, *, spare: int = SPARE) -> None:
        """Raise an ``OSError`` if the disk lacks space for so many bytes, and some more."""
        if shortage := self.shortage(size, spare=spare):
            raise OSError(shortage)

    @contextlib.contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        """Turn the failure to write a file into an ``OSError`` that says what is left, and how to go on."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # torch gives errors of its own for a write that fails
            left = "the last checkpoint is whole: when there is space again" if self.checkpoint.exists() else "afterwards"
            raise OSError(f"{path} could not be written ({error}); {left}, the same command goes on") from error

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a row to the log; values that JSON does not have, such as NaN, are written as text.

        Raises:
            OSError: if it cannot be written.
        """
        plain = {key: str(value) if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        with self._explained(self.log_file), self.log_file.open("a") as file:
            file.write(json.dumps(plain) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the log; one that was cut off by a kill is left out."""
        lines = self.log_file.read_text().splitlines(keepends=True) if self.log_file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}\n")]

    def forget_after(self, step: int) -> None:
        """Cut off the rows of steps that are done again because they came after the checkpoint."""
        rows = [row for row in self.rows() if row["step"] <= step]
        with atomic_path(self.log_file) as temporary:
            temporary.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def show(self, picture: Image.Image, step: int) -> None:
        """Write a picture of what the network does after a step."""
        (self.folder / "pictures").mkdir(exist_ok=True)
        write_image(picture, self.folder / "pictures" / f"step-{step:07}.png")

    def export(self, model: nn.Module, metadata: Mapping[str, str], name: str) -> Path:
        """Write weights, without optimiser state, and return their path.

        Raises:
            OSError: if they cannot be written.
        """
        self.check_space(size_of(model.state_dict()))
        path = self.folder / f"{name}.safetensors"
        save_weights(model, path, metadata)
        return path


def size_of(state: Any) -> int:
    """Return about how many bytes a state takes in a file."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    entries = state.values() if isinstance(state, Mapping) else state if isinstance(state, (list, tuple)) else ()
    return sum(map(size_of, entries))


def git_commit() -> str | None:
    """Return the git commit of this package, with ``-dirty`` if its code was changed since; None if it is not run from a clone."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        own = git("ls-files", "--", Path(__file__).name)
        return (git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or None) if own else None
    except OSError:  # there is no git
        return None
