"""Exporting networks to formats that other programs run.

A target is a registered function ``(model, path, **options)``: it writes the network to a file, and checks at two or more sizes
that the file computes the same as the network. A file in this folder that registers a target is discovered automatically.
"""

from restorekit.export._registry import Exporter, export_model, find_exporter, list_exporters, register_exporter

__all__ = ["Exporter", "export_model", "find_exporter", "list_exporters", "register_exporter"]

__dir__ = __all__.copy
