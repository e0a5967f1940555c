"""Pictures: reading and writing files, whole or row by row, with metadata and colour."""

from restorekit.images._metadata import metadata_of
from restorekit.images._panels import contact_sheet, side_by_side
from restorekit.images._picture import (
    FORMATS,
    Array,
    Picture,
    Pixels,
    check_can_hold,
    find_images,
    from_array,
    is_image,
    look_at,
    normal_mode,
    opened,
    picture_written,
    read_image,
    read_picture,
    to_array,
    write_image,
    write_picture,
)
from restorekit.images._rows import RowReader, can_be_read_by_rows, can_be_written_by_rows, has_libvips, rows_written
from restorekit.images._samples import sample_photo

__all__ = [
    "FORMATS",
    "Array",
    "Picture",
    "Pixels",
    "RowReader",
    "can_be_read_by_rows",
    "can_be_written_by_rows",
    "check_can_hold",
    "contact_sheet",
    "find_images",
    "from_array",
    "has_libvips",
    "is_image",
    "look_at",
    "metadata_of",
    "normal_mode",
    "opened",
    "picture_written",
    "read_image",
    "read_picture",
    "rows_written",
    "sample_photo",
    "side_by_side",
    "to_array",
    "write_image",
    "write_picture",
]

__dir__ = __all__.copy
