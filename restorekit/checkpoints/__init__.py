"""Checkpoints: reading, checking, renaming, loading and writing weights."""

from typing import TYPE_CHECKING

from restorekit._lazy import lazy
from restorekit.checkpoints._originals import Originals, original_names, originals

if TYPE_CHECKING:
    from restorekit.checkpoints import formats, hub
    from restorekit.checkpoints._loading import load_best, load_state, load_weights
    from restorekit.checkpoints._names import common_prefixes, to_original_names
    from restorekit.checkpoints._partial import PartialLoad, load_partial
    from restorekit.checkpoints._reading import StateDict, read_checkpoint, read_states, unwrap
    from restorekit.checkpoints._writing import save_original_weights, save_weights
    from restorekit.checkpoints.formats import read_example, read_metadata

__all__ = [
    "Originals",
    "PartialLoad",
    "StateDict",
    "common_prefixes",
    "formats",
    "hub",
    "load_best",
    "load_partial",
    "load_state",
    "load_weights",
    "original_names",
    "originals",
    "read_checkpoint",
    "read_example",
    "read_metadata",
    "read_states",
    "save_original_weights",
    "save_weights",
    "to_original_names",
    "unwrap",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, __all__, ".formats", "._names", "._reading", "._loading", "._partial", "._writing")
