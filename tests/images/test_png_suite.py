"""PNG files of every kind that the specification allows, compared with two other readers.

They are made here from the text of the specification (PNG, second edition, sections 7 to 9): each colour type with each depth,
interlaced or not, with each filter, with and without a transparent colour, in one chunk or many.
"""

import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restorekit.images import RowReader, can_be_read_by_rows, read_picture

WIDTH, HEIGHT = 13, 11  # no multiples of 8, so that passes of interlacing and packed bits end within a byte
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # Adam7: start, step
KINDS = [(kind, depth) for kind, depths in DEPTHS.items() for depth in depths]


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def packed(samples: np.ndarray, depth: int) -> list[bytes]:
    """Return the bytes of each row of H x W x C samples."""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        return [row.astype(">u2").tobytes() for row in rows]
    bits = (rows[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    return [np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in bits]


def filtered(rows: list[bytes], step: int, filters: itertools.cycle) -> bytes:
    """Return rows with their filters; ``step`` bytes make a pixel."""
    found, above = b"", bytes(len(rows[0]) if rows else 0)
    for row in rows:
        number = next(filters)
        left = (bytes(step) + row)[: len(row)]
        corner = (bytes(step) + above)[: len(row)]
        predicted = [(0, a, b, (a + b) // 2, _paeth(a, b, c))[number] for a, b, c in zip(left, above, corner, strict=True)]
        found += bytes([number]) + bytes((x - p) % 256 for x, p in zip(row, predicted, strict=True))
        above = row
    return found


def _paeth(a: int, b: int, c: int) -> int:
    estimate = a + b - c
    return min((abs(estimate - a), 0, a), (abs(estimate - b), 1, b), (abs(estimate - c), 2, c))[2]


def png(kind: int, depth: int, *, interlaced: bool, filters: Any, transparent: bool, pieces: int) -> tuple[bytes, np.ndarray]:
    """Return a file and the samples in it."""
    rng = np.random.default_rng(100 * kind + depth)
    colours = min(2**depth, 7)
    samples = rng.integers(0, colours if kind == 3 else 2**depth, (HEIGHT, WIDTH, CHANNELS[kind]))
    step = max(1, CHANNELS[kind] * depth // 8)
    parts = [samples[top::down, left::across] for top, left, down, across in PASSES] if interlaced else [samples]
    order = itertools.cycle(filters)
    raw = b"".join(filtered(packed(part, depth), step, order) for part in parts if part.size)
    compressed = zlib.compress(raw)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, interlaced))
    if kind == 3:
        content += chunk(b"PLTE", bytes(rng.integers(0, 256, 3 * colours, dtype=np.uint8)))
    if transparent:
        first = samples[0, 0]
        content += chunk(b"tRNS", b"\0\x80" if kind == 3 else b"".join(int(x).to_bytes(2, "big") for x in first))
    size = -(-len(compressed) // pieces)
    for start in range(0, len(compressed), size):
        content += chunk(b"IDAT", compressed[start : start + size])
    return content + chunk(b"IEND", b""), samples


@pytest.mark.parametrize(("kind", "depth"), KINDS)
def test_every_kind_is_read_as_by_others(tmp_path: Path, kind: int, depth: int) -> None:
    pyvips = pytest.importorskip("pyvips")
    path, tried = tmp_path / "a.png", 0
    ways = [[number] for number in range(5)] + [[0, 1, 2, 3, 4]]
    for interlaced, filters, transparent, pieces in itertools.product((False, True), ways, (False, True), (1, 3)):
        if transparent and kind in (4, 6):
            continue
        content, samples = png(kind, depth, interlaced=interlaced, filters=filters, transparent=transparent, pieces=pieces)
        path.write_bytes(content)
        read = np.atleast_3d(read_picture(path).pixels)
        if kind != 3:  # what is stored is what is read, and all else is a property of the file
            scale = 1 if depth in (8, 16) else 255 // (2**depth - 1)
            np.testing.assert_array_equal(read[..., : CHANNELS[kind]], samples * scale)
            if transparent:
                hidden = (samples == samples[0, 0]).all(axis=-1)
                np.testing.assert_array_equal(read[..., -1] == 0, hidden)
        with Image.open(path) as image:
            if depth < 16 and not (transparent and depth in (2, 4)):  # where Pillow does not find the transparent colour
                np.testing.assert_array_equal(read, np.atleast_3d(np.asarray(image.convert(_mode(read)))))
        theirs = np.atleast_3d(pyvips.Image.new_from_file(str(path)).numpy())
        if theirs.shape == read.shape:
            np.testing.assert_array_equal(read, theirs)
        if can_be_read_by_rows(path):
            np.testing.assert_array_equal(RowReader(path).read(0, HEIGHT), read)
        tried += 1
    assert tried >= 24


def _mode(pixels: np.ndarray) -> str:
    return ("L", "LA", "RGB", "RGBA")[pixels.shape[2] - 1]
