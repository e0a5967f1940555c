"""Restoring images with a model."""

from restorekit.inference._allocator import keep_freed_memory
from restorekit.inference._bands import Options, Source, restored_bands
from restorekit.inference._ensemble import self_ensemble
from restorekit.inference._planning import Plan, parse_bytes, plan
from restorekit.inference._precision import PRECISIONS, compute_dtype, converted, has_bfloat16, prepare
from restorekit.inference._restore import POOLINGS, restore
from restorekit.inference._tiling import Tiling, blended
from restorekit.inference.passes import local_pooling, seamless

__all__ = [
    "POOLINGS",
    "PRECISIONS",
    "Options",
    "Plan",
    "Source",
    "Tiling",
    "blended",
    "compute_dtype",
    "converted",
    "has_bfloat16",
    "keep_freed_memory",
    "local_pooling",
    "parse_bytes",
    "plan",
    "prepare",
    "restore",
    "restored_bands",
    "seamless",
    "self_ensemble",
]
