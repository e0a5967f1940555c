"""Formats of checkpoints: one per file, which registers how the format is read and written. All are discovered."""

from restorekit.checkpoints.formats._format import (
    Format,
    first_line,
    format_of,
    format_to_write,
    formats,
    read_example,
    read_metadata,
    weight_suffixes,
)

__all__ = ["Format", "first_line", "format_of", "format_to_write", "formats", "read_example", "read_metadata", "weight_suffixes"]

__dir__ = __all__.copy
