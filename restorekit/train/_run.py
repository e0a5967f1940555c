"""The folder of a training run: recipe, log, checkpoint, weights."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from restorekit._files import atomic_path, folder_locked, remove_leftovers, write_json
from restorekit._packages import versions_of
from restorekit.checkpoints import PartialLoad, save_weights
from restorekit.errors import CheckpointError, ConfigError
from restorekit.images import write_image
from restorekit.train._recipe import Recipe
from restorekit.train._recipe_files import differences, load_recipe, to_toml

RECORDED = ("restorekit", "torch", "timm", "accelerate", "numpy", "pillow")
START = {"date", "command", "processes", "commit", "versions"}  # what is recorded about each start
ROW = {"step", "loss"}  # keys that each row of the log has, among others
SPARE = 16 * 2**20  # bytes that must stay free, for logs and pictures


class Run:
    """Reads and writes the folder of one training run.

    Args:
        folder: folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe_file = folder / "recipe.toml"
        self.about_file = folder / "run.json"
        self.log_file = folder / "log.jsonl"
        self.checkpoint = folder / "checkpoint.pth"
        self.weights = folder / "weights.safetensors"
        self.card = folder / "README.md"
        self.pictures = folder / "pictures"
        self._held = contextlib.ExitStack()

    def check(self, recipe: Recipe, *, allow_changes: bool) -> None:
        """Check that the folder is new, or contains a run of this recipe, or at least no file that the run would overwrite.

        Nothing is written.

        Raises:
            ConfigError: if it is a file, or contains files of others, or a run of another recipe while changes are not allowed.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{self.folder} is a file; a run needs a folder: choose another with --output")
        if foreign := self._foreign(recipe):
            raise ConfigError(
                f"{self.folder} contains {', '.join(foreign)}, not written by a restorekit run, which this run would "
                "overwrite; choose another folder with --output"
            )
        if self.recipe_file.exists() and not allow_changes:
            changed = differences(load_recipe(str(self.recipe_file)), recipe)
            if changed:
                raise ConfigError(
                    f"{self.folder} contains a run of another recipe: {', '.join(changed)}; choose another folder, use the earlier "
                    "values, or resume with the new ones: --allow-changes"
                )

    def begin(self, recipe: Recipe, processes: int, loaded: Sequence[PartialLoad] = ()) -> None:
        """Lock the folder; record command, processes, versions, commit and recipe; remove partial files of a killed process.

        Args:
            recipe: the recipe.
            processes: number of processes.
            loaded: what was loaded of the initial weights, if only some of them fit.

        Raises:
            ConfigError: if another process is training in the folder.
        """
        if not self._held.enter_context(folder_locked(self.folder)):
            raise ConfigError(
                f"another process is training in {self.folder}; wait until it has finished, stop it, or choose another folder with "
                "--output"
            )
        remove_leftovers(self._outputs(recipe))
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        start = {"date": now, "command": sys.argv, "processes": processes, "commit": git_commit()}
        start |= {"loaded": dataclasses.asdict(loaded[0])} if loaded else {}
        # First, since it marks the other files as those of a run.
        write_json(self.about_file, [*self.starts(), start | {"versions": versions_of(RECORDED)}])
        if not self.recipe_file.exists() or load_recipe(str(self.recipe_file)) != recipe:  # otherwise, comments in it are kept
            with atomic_path(self.recipe_file) as temporary:
                temporary.write_text(to_toml(recipe), encoding="utf-8")

    def close(self) -> None:
        """Release the folder."""
        self._held.close()

    def starts(self) -> list[dict[str, Any]]:
        """Return the records of all starts of the run; empty if there is no run in the folder."""
        try:
            starts = json.loads(self.about_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        known = isinstance(starts, list) and all(isinstance(start, dict) and start.keys() >= START for start in starts)
        return starts if known else []

    def write_card(self, text: str) -> bool:
        """Write the model card, unless one exists that the run did not write or that was changed; return whether it was written."""
        starts = self.starts()
        if os.path.lexists(self.card):
            known = [start.get("card") for start in starts]
            if not self.card.is_file() or hashlib.sha256(self.card.read_bytes()).hexdigest() not in known:
                return False
        starts[-1]["card"] = hashlib.sha256(text.encode()).hexdigest()
        write_json(self.about_file, starts)  # first, so that the card is recognised even if the process is killed
        with atomic_path(self.card) as temporary:
            temporary.write_bytes(text.encode())
        return True

    def _outputs(self, recipe: Recipe) -> list[Path]:
        """Return all files that the run overwrites."""
        steps, checked = recipe.run.steps, recipe.validation
        kept = range(recipe.run.keep_every, steps + 1, recipe.run.keep_every) if recipe.run.keep_every else ()
        shown = {*range(checked.every, steps + 1, checked.every), steps} if checked.pictures else set()
        return [
            *(self.about_file, self.recipe_file, self.log_file, self.checkpoint, self.weights, self._exported("best"), self.card),
            *(self._exported(f"step-{step:07}") for step in kept),
            *(self._picture(step) for step in sorted(shown)),
        ]

    def _exported(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def _picture(self, step: int) -> Path:
        return self.pictures / f"step-{step:07}.png"

    def _foreign(self, recipe: Recipe) -> list[str]:
        """Return the names of existing files that the run would overwrite but that do not belong to a run."""
        if self.starts():
            found = [] if self._has_own_log() else [self.log_file]
        else:
            found = [path for path in self._outputs(recipe) if os.path.lexists(path)]
        found += [path for path in (self.pictures, self.folder / "tensorboard") if os.path.lexists(path) and not path.is_dir()]
        return [path.relative_to(self.folder).as_posix() for path in found]

    def _has_own_log(self) -> bool:
        try:
            return all(row.keys() >= ROW and isinstance(row["step"], int) for row in self.rows())
        except (ValueError, AttributeError, RecursionError):
            return False

    def resume(self, **parts: Any) -> int:
        """Load the checkpoint, if there is one, into the parts (any objects with ``load_state_dict``); return the next step.

        Raises:
            CheckpointError: if it belongs to another network or optimiser.
        """
        if not self.checkpoint.exists():
            return 0
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise CheckpointError(
                f"{self.checkpoint} is damaged; start from other weights, with model.init, in another folder"
            ) from error
        if not isinstance(state, Mapping) or "step" not in state:
            raise CheckpointError(f"{self.checkpoint} is not a checkpoint of a run; choose another folder with --output")
        for name, part in parts.items():
            try:
                part.load_state_dict(state[name])
            except (RuntimeError, ValueError, KeyError) as error:
                raise CheckpointError(
                    f"{self.checkpoint} does not fit the {name} of this recipe: {str(error).splitlines()[0]} To start from its "
                    f"weights, use another folder and model.init=FILE.safetensors"
                ) from error
        return int(state["step"])

    def save(self, step: int, **parts: Any) -> None:
        """Write the checkpoint after ``step`` steps, atomically.

        Raises:
            OSError: if it cannot be written; the previous checkpoint is still there.
        """
        state = {"step": step} | {name: part.state_dict() for name, part in parts.items()}
        with self._explained(self.checkpoint), atomic_path(self.checkpoint) as temporary, temporary.open("wb") as file:
            torch.save(state, file)

    def shortage(self, size: int, *, spare: int = SPARE) -> str:
        """Return an error message if the disk lacks space for this many bytes, plus a reserve; otherwise nothing."""
        free = shutil.disk_usage(self.folder).free
        if free >= size + spare:
            return ""
        return (
            f"{self.folder} has {free / 1e6:.0f} MB of free space, but a run needs {(size + SPARE) / 1e6:.0f} MB; free space, and "
            "run the same command to resume"
        )

    def check_space(self, size: int, *, spare: int = SPARE) -> None:
        """Raise an ``OSError`` if the disk lacks space for this many bytes, plus a reserve."""
        if shortage := self.shortage(size, spare=spare):
            raise OSError(shortage)

    @contextlib.contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        """Turn the failure to write a file into an ``OSError`` that says what is left, and how to resume."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # torch raises its own errors for a failed write
            left = "the last checkpoint is complete; when there is space again" if self.checkpoint.exists() else "afterwards"
            raise OSError(f"{path} could not be written ({error}); {left}, run the same command to resume") from error

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a row to the log; values that JSON cannot represent, such as NaN, are written as text.

        Raises:
            OSError: if it cannot be written.
        """
        plain = {key: str(value) if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        with self._explained(self.log_file), self.log_file.open("a") as file:
            file.write(json.dumps(plain) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the log, without one that was truncated by a kill."""
        lines = self.log_file.read_text().splitlines(keepends=True) if self.log_file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}\n")]

    def forget_after(self, step: int) -> None:
        """Remove the rows of steps after the checkpoint, which will be repeated."""
        rows = [row for row in self.rows() if row["step"] <= step]
        with atomic_path(self.log_file) as temporary:
            temporary.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def show(self, picture: Image.Image, step: int) -> None:
        """Write a picture of the network's results after a step."""
        self.pictures.mkdir(exist_ok=True)
        write_image(picture, self._picture(step))

    def export(self, model: nn.Module, metadata: Mapping[str, str], name: str) -> Path:
        """Write weights, without optimiser state, and return their path.

        Raises:
            OSError: if they cannot be written.
        """
        self.check_space(size_of(model.state_dict()))
        path = self._exported(name)
        save_weights(model, path, metadata)
        return path


def size_of(state: Any) -> int:
    """Return the approximate size in bytes of a state in a file."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    entries = state.values() if isinstance(state, Mapping) else state if isinstance(state, (list, tuple)) else ()
    return sum(map(size_of, entries))


def git_commit() -> str | None:
    """Return the git commit of this package, with ``-dirty`` if its code is modified; None if it is not run from a clone."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        own = git("ls-files", "--", Path(__file__).name)
        return (git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or None) if own else None
    except OSError:  # git is not installed
        return None
