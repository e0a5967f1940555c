"""Pixels of TIFF files: strips and tiles of any layout, according to the tags that tifffile reads.

tifffile's own decoder needs imagecodecs, a package of 60 MB, for LZW, 12 bits and floating-point predictors, and libvips reads
damaged tiles as black. So segments are decoded here, with the same code for the whole picture and for rows.
"""

import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from restorekit.images.formats._pillow import pillow_image
from restorekit.images.formats._record import Array

if TYPE_CHECKING:
    from tifffile import TiffPage

PLAIN, LZW, DEFLATE, PACKBITS = 1, 5, (8, 32946), 32773
DIFFERENCES, FLOAT_DIFFERENCES = 2, 3  # predictors
SAMPLES = {1: "u", 3: "f"}  # whole numbers and floating point, by SampleFormat
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
ROWS = 64  # of which single bits are in memory at a time


@dataclass(frozen=True)
class Layout:
    """How the pixels are laid out in a TIFF file.

    Attributes:
        width: width of the picture, as stored.
        height: height of the picture.
        channels: channels of a pixel, including extra ones.
        bits: bits per channel.
        kind: ``u`` for whole numbers, ``f`` for floating point.
        order: ``<`` or ``>``, the byte order.
        compression: the tag's number.
        predictor: the tag's number.
        reversed: whether the bits of a byte go from lowest to highest.
        planar: whether each channel is stored separately.
        tile: height and width of a strip or tile.
        tiled: whether these are tiles, which are complete at the edges too.
        offsets: where each begins in the file.
        sizes: how many bytes each has.
    """

    width: int
    height: int
    channels: int
    bits: int
    kind: str
    order: str
    compression: int
    predictor: int
    reversed: bool
    planar: bool
    tile: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def bands(self) -> int:
        """Number of strips, or rows of tiles, below each other."""
        return math.ceil(self.height / self.tile[0])

    @property
    def across(self) -> int:
        """Number of strips or tiles next to each other."""
        return math.ceil(self.width / self.tile[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of a decoded channel."""
        return np.dtype(f"{self.kind}{2 if 8 < self.bits < 16 else self.bits // 8}")


def layout_of(page: "TiffPage", order: str) -> Layout:
    """Return the layout of a picture whose compression, if any, applies to bytes."""
    tile = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, page.imagelength), page.imagewidth)
    return Layout(
        page.imagewidth,
        page.imagelength,
        page.samplesperpixel,
        int(page.bitspersample),
        SAMPLES.get(int(page.sampleformat), ""),
        order,
        int(page.compression),
        int(page.predictor),
        page.fillorder == 2,
        page.planarconfig == 2 and page.samplesperpixel > 1,
        tile,
        page.is_tiled,
        tuple(page.dataoffsets),
        tuple(page.databytecounts),
    )


def cannot_decode(layout: Layout) -> str:
    """Describe what in a layout cannot be read, or return "" if everything can."""
    if not layout.kind:
        return "signed or complex numbers"
    if layout.kind == "u" and not (8 <= layout.bits <= 16 or layout.bits == 32):
        return f"whole numbers of {layout.bits} bits"
    if layout.kind == "f" and layout.bits not in (16, 32, 64):
        return f"floating point of {layout.bits} bits"
    if layout.compression not in (PLAIN, LZW, *DEFLATE) and not _unpacks(layout.compression):
        return f"the compression {layout.compression}"
    packed = layout.bits not in (8, 16, 32, 64)
    float_differences = layout.predictor == FLOAT_DIFFERENCES and layout.kind == "f"
    if not (layout.predictor == 1 or (layout.predictor == DIFFERENCES and not packed) or float_differences):
        return f"the predictor {layout.predictor} with {layout.bits} bits"
    return ""


def damage(layout: Layout, size: int) -> str:
    """Describe what is missing in a file of this size, or return "" if nothing is."""
    expected = layout.bands * layout.across * (layout.channels if layout.planar else 1)
    if not (len(layout.offsets) == len(layout.sizes) == expected):
        return f"it lists {len(layout.offsets)} strips or tiles, but needs {expected}"
    missing = sum(not count or start + count > size for start, count in zip(layout.offsets, layout.sizes, strict=True))
    return f"{missing} of {expected} strips or tiles are missing" if missing else ""


class SegmentReader:
    """Reads the rows of a picture.

    Args:
        path: path of the file.
        layout: how its pixels are laid out.

    Attributes:
        lost: if this is a set, damaged parts become grey, and the numbers of their rows are added to it.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self.lost: set[int] | None = None
        self._kept: dict[int, tuple[int, Array]] = {}  # by plane, the last decoded band

    def rows(self, first: int, last: int) -> Array:
        """Return the rows from a first one to before a last one, H x W x C, as stored."""
        layout = self.layout
        planes = layout.channels if layout.planar else 1
        found = np.empty((last - first, layout.width, layout.channels), layout.dtype)
        with self.path.open("rb") as file:
            for plane in range(planes):
                target = found[..., plane : plane + 1] if layout.planar else found
                for band in range(first // layout.tile[0], math.ceil(last / layout.tile[0])):
                    top = band * layout.tile[0]
                    start, end = max(first, top), min(last, top + layout.tile[0])
                    target[start - first : end - first] = self._band(file, plane, band, start - top, end - top)
        return found

    def _band(self, file: BinaryIO, plane: int, band: int, first: int, last: int) -> Array:
        """Return some rows of a strip, or of tiles next to each other."""
        layout = self.layout
        place = (plane * layout.bands + band) * layout.across
        top = band * layout.tile[0]
        if not layout.tiled and layout.compression == PLAIN and layout.predictor == 1:  # a strip may be the whole picture
            stride = _row_bytes(layout)

            def part(first: int, last: int) -> Array:
                content = _read(file, layout.offsets[place] + first * stride, (last - first) * stride)
                return _decoded(layout, content, last - first)

            if self.lost is None:
                return part(first, last)
            rows = [self._or_grey(partial(part, row, row + 1), plane, top + row, 1) for row in range(first, last)]
            return np.concatenate(rows)
        if self._kept.get(plane, (-1,))[0] != band:
            count = layout.tile[0] if layout.tiled else min(layout.tile[0], layout.height - top)

            def tile(i: int) -> Array:
                return _decoded(layout, _unpacked(layout, _read(file, layout.offsets[i], layout.sizes[i]), count), count)

            tiles = [self._or_grey(partial(tile, i), plane, top, count) for i in range(place, place + layout.across)]
            self._kept[plane] = band, np.concatenate(tiles, axis=1)[:, : layout.width]
        return self._kept[plane][1][first:last]

    def _or_grey(self, decode: Callable[[], Array], plane: int, top: int, rows: int) -> Array:
        """Return decoded pixels; medium grey, and opaque, if they are damaged and that is not an error."""
        if self.lost is None:
            return decode()
        try:
            return decode()
        except Exception:  # decoders raise many kinds of errors
            layout = self.layout
            self.lost.update(range(top, min(top + rows, layout.height)))
            most = 1 if layout.kind == "f" else 2**layout.bits - 1
            grey = np.full((rows, layout.tile[1], _samples(layout)), most, layout.dtype)
            colours = layout.channels - (layout.channels in (2, 4))
            medium = 0.5 if layout.kind == "f" else most // 2 + 1
            if not layout.planar:
                grey[..., :colours] = medium
            elif plane < colours:
                grey[:] = medium
            return grey


def _row_bytes(layout: Layout) -> int:
    return math.ceil(layout.tile[1] * _samples(layout) * layout.bits / 8)


def _samples(layout: Layout) -> int:
    """Return how many channels are stored together."""
    return 1 if layout.planar else layout.channels


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    content = file.read(size)
    if len(content) < size:
        raise ValueError(f"it is truncated: a strip or tile has {len(content)} of {size} bytes")
    return content


def _unpacks(compression: int) -> bool:
    from tifffile import TIFF  # slow to import, and most pictures have other formats

    try:
        return compression == PACKBITS or (
            compression not in TIFF.IMAGE_COMPRESSIONS and TIFF.DECOMPRESSORS[compression] is not None
        )
    except KeyError:
        return False


def _unpacked(layout: Layout, content: bytes, rows: int) -> bytes:
    """Return the bytes of a strip or tile, decompressed."""
    size = rows * _row_bytes(layout)
    content = content.translate(REVERSED) if layout.reversed and layout.compression != PLAIN else content
    if layout.compression in DEFLATE:
        stream = zlib.decompressobj()
        content = stream.decompress(content, size)
        stream.decompress(stream.unconsumed_tail, 64)  # up to the checksum at the end
    elif layout.compression == LZW:
        content = _lzw(content, size)
    elif layout.compression != PLAIN:
        from tifffile import TIFF

        content = bytes(TIFF.DECOMPRESSORS[layout.compression](content))
    if len(content) < size:
        raise ValueError(f"it is damaged: a strip or tile has {len(content)} bytes, but needs {size}")
    return content[:size]


def _lzw(content: bytes, size: int) -> bytes:
    """Return decompressed bytes, through Pillow, as if they were a picture of one row."""
    tags = [
        (256, size),
        (257, 1),
        (258, 8),
        (259, LZW),
        (262, 1),
        (273, 8 + 2 + 9 * 12 + 4),
        (277, 1),
        (278, 1),
        (279, len(content)),
    ]
    header = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags
    )
    return pillow_image(BytesIO(header + bytes(4) + content), "TIFF").tobytes()


def _decoded(layout: Layout, content: bytes, rows: int) -> Array:
    """Return decompressed bytes as numbers, H x W x C."""
    if layout.reversed and layout.compression == PLAIN:
        content = content.translate(REVERSED)
    shape = (rows, layout.tile[1], _samples(layout))
    if layout.bits not in (8, 16, 32, 64):
        return _single_bits(np.frombuffer(content, np.uint8).reshape(rows, -1), layout).reshape(shape)
    if layout.predictor == FLOAT_DIFFERENCES:
        return _from_float_differences(content, shape, layout.dtype)
    pixels = np.frombuffer(content, f"{layout.order}{layout.dtype.str[1:]}").reshape(shape)
    if layout.predictor == DIFFERENCES:
        whole = (
            pixels.astype(f"=u{layout.dtype.itemsize}") if layout.kind == "u" else pixels.view(f"{layout.order}u{layout.bits // 8}")
        )
        return np.cumsum(whole, axis=1, dtype=f"u{layout.dtype.itemsize}").view(layout.dtype)
    return pixels


def _single_bits(content: Array, layout: Layout) -> Array:
    """Return numbers of 9 to 15 bits, from rows that end with whole bytes."""
    count = layout.tile[1] * _samples(layout)
    weights = 1 << np.arange(layout.bits - 1, -1, -1)
    found = np.empty((len(content), count), np.uint16)
    for top in range(0, len(content), ROWS):
        bits = np.unpackbits(content[top : top + ROWS], axis=1, count=count * layout.bits)
        found[top : top + ROWS] = bits.reshape(-1, count, layout.bits) @ weights
    return found


def _from_float_differences(content: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Array:
    """Undo the predictor of Adobe's technical note 3: bytes sorted by significance, as differences."""
    rows, width, samples = shape
    differences = np.frombuffer(content, np.uint8).reshape(rows, -1, samples)
    planes = np.cumsum(differences, axis=1, dtype=np.uint8).reshape(rows, dtype.itemsize, width * samples)
    return np.ascontiguousarray(planes.swapaxes(1, 2)).view(dtype.newbyteorder(">")).reshape(shape)
