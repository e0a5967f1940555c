"""Exporting networks to formats that other programs run.

A target is a registered function ``(model, path, **options)``: it writes the network to a file, and checks at two or more sizes
that the file computes the same as the network. A file in this folder that registers a target is discovered automatically.
"""

import importlib
import pkgutil

from restorekit.export._registry import Exporter, export_model, find_exporter, list_exporters, register_exporter

__all__ = ["Exporter", "export_model", "find_exporter", "list_exporters", "register_exporter"]

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")

__dir__ = __all__.copy
