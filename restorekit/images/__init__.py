"""Pictures: reading and writing files, whole or row by row, with metadata and colour."""

from restorekit.images._frames import frames_written, read_frames, write_frames
from restorekit.images._modes import from_array, normal_mode, to_array
from restorekit.images._panels import before_and_after, contact_sheet, side_by_side
from restorekit.images._picture import (
    DAMAGED,
    Array,
    Look,
    Picture,
    Pixels,
    check_can_hold,
    find_images,
    is_image,
    look_at,
    opened,
    output_suffix,
    picture_written,
    read_image,
    read_picture,
    write_image,
    write_picture,
)
from restorekit.images._rows import RowReader, can_be_read_by_rows, can_be_written_by_rows, has_libvips, rows_written
from restorekit.images._samples import noisy_photo, sample_photo
from restorekit.images.formats import FORMATS, Content, ImageFormat, all_formats, register_format

__all__ = [
    "DAMAGED",
    "FORMATS",
    "Array",
    "Content",
    "ImageFormat",
    "Look",
    "Picture",
    "Pixels",
    "RowReader",
    "all_formats",
    "before_and_after",
    "can_be_read_by_rows",
    "can_be_written_by_rows",
    "check_can_hold",
    "contact_sheet",
    "find_images",
    "frames_written",
    "from_array",
    "has_libvips",
    "is_image",
    "look_at",
    "noisy_photo",
    "normal_mode",
    "opened",
    "output_suffix",
    "picture_written",
    "read_frames",
    "read_image",
    "read_picture",
    "register_format",
    "rows_written",
    "sample_photo",
    "side_by_side",
    "to_array",
    "write_frames",
    "write_image",
    "write_picture",
]

__dir__ = __all__.copy
