"""Boxes of the ISO base media file format (ISO/IEC 14496-12), the container of AVIF and HEIC files."""

from pathlib import Path
from typing import BinaryIO

from restorekit.images._metadata import refuse_hdr

HEADER = 2**16  # bytes that are searched for the description of the picture


def brands(head: bytes) -> set[bytes]:
    """Return the brand of a file, from its first bytes."""
    if head[4:8] != b"ftyp":
        return set()
    box = head[8 : int.from_bytes(head[:4], "big")]
    return {box[:4], *(box[i : i + 4] for i in range(8, len(box) - 3, 4))}


def property_of(file: BinaryIO, name: bytes) -> bytes:
    """Return the start of the first property with a name, or nothing."""
    file.seek(0)
    head = file.read(HEADER)
    start = head.find(name)
    return head[start + len(name) : start + len(name) + 16] if start >= 0 else b""


def refuse_hdr_in(file: BinaryIO, path: Path) -> None:
    """Raise for a file with an HDR transfer function."""
    colours = property_of(file, b"colrnclx")
    refuse_hdr(path, int.from_bytes(colours[:2], "big"), int.from_bytes(colours[2:4], "big"))
