"""Raw files of cameras, developed through rawpy (LibRaw), the extra ``raw``; not written."""

import importlib.util
from pathlib import Path
from typing import Any, BinaryIO

from restorekit.images._colour import srgb_profile
from restorekit.images.formats._record import Array, Content, ImageFormat, register_format
from restorekit.images.formats._tiff import MAGIC, metadata_of_tiff

DEVELOPED = "developed at 16 bits with the camera's white balance"
ON_ITS_SIDE = (5, 6)  # values of LibRaw's flip
SRGB = (2.4, 12.92)  # gamma, and the slope near black
OTHER_MAGIC = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR")


def _open(file: BinaryIO, path: Path) -> Content:
    import rawpy

    with rawpy.imread(str(path)) as raw:
        sizes = raw.sizes
    sides = (sizes.height, sizes.width) if sizes.flip in ON_ITS_SIDE else (sizes.width, sizes.height)
    described = _metadata(file)

    def pixels() -> Array:
        with rawpy.imread(str(path)) as raw:
            developed: Array = raw.postprocess(output_bps=16, use_camera_wb=True, no_auto_bright=True, gamma=SRGB)
        return developed

    note = DEVELOPED if "exif" in described else f"{DEVELOPED}, without the camera's EXIF data"
    return Content(*sides, "RGB;16", pixels, lambda: described | {"icc_profile": srgb_profile()}, note=note)


def _metadata(file: BinaryIO) -> dict[str, Any]:
    """Return the metadata of files that are laid out as TIFF files."""
    file.seek(0)
    return metadata_of_tiff(file) if file.read(4) in MAGIC else {}


def _starts(head: bytes) -> bool:
    return head.startswith((*MAGIC, *OTHER_MAGIC)) or head[4:12] == b"ftypcrx "


def _missing() -> str:
    return "" if importlib.util.find_spec("rawpy") else "raw files of cameras need another library; pip install 'restorekit[raw]'"


FORMAT = register_format(
    ImageFormat(
        name="raw",
        suffixes=(
            *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2"),
            *(".pef", ".srw", ".3fr", ".erf", ".iiq", ".kdc", ".dcr", ".mrw", ".x3f"),
        ),
        starts=_starts,
        by_suffix=True,
        open=_open,
        reads="developed at 16 bits, with the extra `raw`",
        written_as=".tif",
        missing=_missing,
    )
)
