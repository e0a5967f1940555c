"""The folder of a training run: config, log, checkpoint, weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from restorekit.checkpoint import atomic_path, save_weights, write_json

MAY_CHANGE = ("iterations", "save_every", "validate_every")  # on resume, without making it another run


class Run:
    """Reads and writes the folder of one training run.

    Args:
        folder: is made if it does not exist.
        config: of the run; a folder that holds another one is refused.

    Raises:
        ValueError: if the folder holds a run with another config.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = folder / "checkpoint.pth"
        self.weights = folder / "weights.safetensors"
        self.log_file = folder / "log.jsonl"
        config_file = folder / "config.json"
        if config_file.exists():
            before = json.loads(config_file.read_text())
            changed = [key for key in config if config[key] != before.get(key) and key not in MAY_CHANGE]
            if changed:
                what = ", ".join(f"{key} (was {before.get(key)!r}, now {config[key]!r})" for key in changed)
                raise ValueError(f"{folder} holds a run with another config: {what}; choose another folder, or restore the values")
        write_json(config_file, dict(config))

    def resume(self, **parts: Any) -> int:
        """Load the checkpoint, if there is one, into the parts (anything with ``load_state_dict``); return the next step."""
        if not self.checkpoint.exists():
            return 0
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        rows = [line for line in self.log_file.read_text().splitlines() if json.loads(line)["step"] <= state["step"]]
        with atomic_path(self.log_file) as temporary:  # steps after the checkpoint are done again
            temporary.write_text("".join(f"{row}\n" for row in rows))
        return int(state["step"])

    def save(self, step: int, **parts: Any) -> None:
        """Write the checkpoint: ``step`` steps are done."""
        state = {name: part.state_dict() for name, part in parts.items()}
        with atomic_path(self.checkpoint) as temporary:
            torch.save({"step": step, **state}, temporary)

    def log(self, row: Mapping[str, float]) -> None:
        """Append a row to the log."""
        with self.log_file.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def export(self, model: nn.Module, architecture: str, arguments: Mapping[str, Any]) -> Path:
        """Write the weights, without optimiser state, and return their path."""
        save_weights(model, self.weights, {"architecture": architecture, "arguments": json.dumps(dict(arguments))})
        return self.weights
