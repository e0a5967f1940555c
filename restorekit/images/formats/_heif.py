"""HEIC, from phones: read through pi-heif, the extra ``heif``; not written, since the encoder it would need is GPL."""

import importlib.util
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags

from restorekit.images._metadata import chosen, loaded_exif
from restorekit.images.formats._isobmff import brands, refuse_hdr_in
from restorekit.images.formats._record import Array, Content, ImageFormat, register_format
from restorekit.images.formats._scaled import to_sixteen_bits

UPRIGHT = 1


def _open(file: BinaryIO, path: Path) -> Content:
    import pi_heif

    refuse_hdr_in(file, path)
    file.seek(0)
    opened = pi_heif.open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    bits, transparent = int(opened.info.get("bit_depth", 8)), opened.has_alpha

    def pixels() -> Array:
        array = np.asarray(opened)
        return array.copy() if bits == 8 else to_sixteen_bits(array, bits)

    base = ("LA" if transparent else "L") if opened.mode.startswith("L") else ("RGBA" if transparent else "RGB")
    mode = base if bits == 8 else {"L": "I"}.get(base, base) + ";16"
    width, height = opened.size
    return Content(width, height, mode, pixels, lambda: _metadata(opened.info), len(opened))


def _metadata(described: dict[str, Any]) -> dict[str, Any]:
    info = chosen(described, "icc_profile", "exif", "xmp")
    if "exif" in info:  # the pixels are already upright
        exif = loaded_exif(info["exif"])
        if exif.get(ExifTags.Base.Orientation, UPRIGHT) != UPRIGHT:
            exif[ExifTags.Base.Orientation] = UPRIGHT
            info["exif"] = exif.tobytes()
    return info


def _missing() -> str:
    return "" if importlib.util.find_spec("pi_heif") else "HEIC needs another library; pip install 'restorekit[heif]'"


FORMAT = register_format(
    ImageFormat(
        name="HEIC",
        suffixes=(".heic", ".heif"),
        starts=lambda head: (
            bool(brands(head) & {b"heic", b"heix", b"heim", b"heis", b"mif1"}) and not brands(head) & {b"avif", b"avis"}
        ),
        open=_open,
        reads="8, 10 and 12 bits, with the extra `heif`; colour, transparency",
        written_as=".png",
        missing=_missing,
    )
)
