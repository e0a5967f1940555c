"""Restoring images with a model."""

from restorekit._allocator import keep_freed_memory
from restorekit.inference._ensemble import self_ensemble
from restorekit.inference._options import OPTIONS, InferenceOptions, parse_bytes
from restorekit.inference._planning import plan
from restorekit.inference._precision import has_bfloat16, prepare
from restorekit.inference._progress import Plan, Progress
from restorekit.inference._restore import restore
from restorekit.inference._restorer import Restorer
from restorekit.inference._tiling import Tiling, blended
from restorekit.inference.passes import local_pooling, seamless

__all__ = [
    "OPTIONS",
    "InferenceOptions",
    "Plan",
    "Progress",
    "Restorer",
    "Tiling",
    "blended",
    "has_bfloat16",
    "keep_freed_memory",
    "local_pooling",
    "parse_bytes",
    "plan",
    "prepare",
    "restore",
    "seamless",
    "self_ensemble",
]

__dir__ = __all__.copy
