"""Checks and random networks for testing custom parts and networks as this library tests its own."""

from restorekit.testing._checks import check_block, check_model, check_stage
from restorekit.testing._strategies import compositions

__all__ = ["check_block", "check_model", "check_stage", "compositions"]

__dir__ = __all__.copy
