"""What a network is made of, what it costs, and pictures of its wiring."""

from restorekit.inspection._costs import DEFAULT_SIZE, Inspection, PartCost, inspect_model, peak_memory, time_parts
from restorekit.inspection._drawing import draw, wiring
from restorekit.inspection._features import StageFeatures, features
from restorekit.inspection._sheet import Label, Line, Sheet, check_drawable, save, to_svg

__all__ = [
    "DEFAULT_SIZE",
    "Inspection",
    "Label",
    "Line",
    "PartCost",
    "Sheet",
    "StageFeatures",
    "check_drawable",
    "draw",
    "features",
    "inspect_model",
    "peak_memory",
    "save",
    "time_parts",
    "to_svg",
    "wiring",
]

__dir__ = __all__.copy
