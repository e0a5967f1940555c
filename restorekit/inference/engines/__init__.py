"""Engines: other programs that run a network, behind the same interface, so that tiles and everything else stay the same.

An engine runs the network as ``restorekit export`` writes it to ONNX, compared with PyTorch before its first use. The file
is kept in the cache, so that the next start takes no longer than that of PyTorch.
"""

from restorekit.inference.engines._choice import best_engine
from restorekit.inference.engines._network import EngineNetwork, run_by

__all__ = ["EngineNetwork", "best_engine", "run_by"]

__dir__ = __all__.copy
