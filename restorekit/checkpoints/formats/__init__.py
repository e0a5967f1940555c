"""Formats of checkpoints: one a file, which registers what it reads and writes, and is found by itself."""

from restorekit.checkpoints.formats._format import (
    Format,
    format_of,
    format_to_write,
    formats,
    read_example,
    read_metadata,
    weight_suffixes,
)

__all__ = ["Format", "format_of", "format_to_write", "formats", "read_example", "read_metadata", "weight_suffixes"]

__dir__ = __all__.copy
