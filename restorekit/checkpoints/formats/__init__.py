"""Formats of checkpoints, one a file."""

from restorekit.checkpoints.formats._npz import read_npz
from restorekit.checkpoints.formats._safetensors import read_metadata, read_safetensors, save_safetensors
from restorekit.checkpoints.formats._tfjs import read_example, read_graph_model
from restorekit.checkpoints.formats._torch import read_torch, save_torch

__all__ = [
    "read_example",
    "read_graph_model",
    "read_metadata",
    "read_npz",
    "read_safetensors",
    "read_torch",
    "save_safetensors",
    "save_torch",
]
