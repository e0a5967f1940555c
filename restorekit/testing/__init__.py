"""For testing parts and networks of one's own as this library tests its own: checks, and random networks."""

from restorekit.testing._checks import check_block, check_model, check_stage
from restorekit.testing._strategies import compositions

__all__ = ["check_block", "check_model", "check_stage", "compositions"]

__dir__ = __all__.copy
