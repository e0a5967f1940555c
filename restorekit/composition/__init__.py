"""Networks as data: from a dict, a JSON or a TOML file to a network, and back.

A composition contains the arguments of :class:`restorekit.MultiStage`. Every part in it is the registered name of the part, or a
mapping of its name and arguments:

    {"stages": [{"name": "unet", "widths": [16, 24, 32], "block": {"name": "cab", "reduction": 8}}], "grids": [[2, 2]]}

An activation that parts share is written once, under ``shared``, and referred to by its name with an @ in front. The attribute
``config`` of a network converts it back to data.
"""

from typing import TYPE_CHECKING

from restorekit._lazy import lazy

if TYPE_CHECKING:
    from restorekit.composition._bounded import bounded, sketched
    from restorekit.composition._build import compose, read_config
    from restorekit.composition._check import check_config, json_schema, network_arguments

__all__ = ["bounded", "check_config", "compose", "json_schema", "network_arguments", "read_config", "sketched"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, __all__)
