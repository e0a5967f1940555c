"""Checkpoints: reading, checking, renaming, loading and writing weights."""

from restorekit.checkpoints._loading import load_state, load_weights
from restorekit.checkpoints._names import to_original_names
from restorekit.checkpoints._reading import read_checkpoint, unwrap
from restorekit.checkpoints._writing import save_original_weights, save_weights
from restorekit.checkpoints.formats import read_example, read_metadata

__all__ = [
    "load_state",
    "load_weights",
    "read_checkpoint",
    "read_example",
    "read_metadata",
    "save_original_weights",
    "save_weights",
    "to_original_names",
    "unwrap",
]
