"""Animations as PNG files (PNG, third edition, section 11.3.6), frame by frame; Pillow would collect all frames in memory."""

import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from restorekit.images.formats._pillow import encoded
from restorekit.images.formats._png_rows import SIGNATURE
from restorekit.images.formats._record import Array, Info

LEVEL = 3  # of compression
LARGEST = 65535  # number in the fraction of seconds that a frame is shown


def write_apng(frames: Iterable[tuple[Array, Info]], count: int, path: Path, options_of: Callable[[Info], dict[str, Any]]) -> None:
    """Write an animation, each frame whole.

    Args:
        frames: pixels of 8 bits, all of one size and kind, and metadata of each frame.
        count: number of frames, with one that is not part of the animation.
        path: file to write.
        options_of: returns the options for Pillow, given the metadata of the first frame.
    """
    kind, sequence = b"", 0
    with path.open("wb") as file:

        def put(name: bytes, *content: bytes) -> None:
            PngImagePlugin.putchunk(file, name, *content)

        for pixels, info in frames:
            chunks = list(
                _chunks(encoded(Image.fromarray(pixels), "PNG", compress_level=LEVEL, **({} if kind else options_of(info))))
            )
            first = not kind
            if first:
                kind = chunks[0][1]
                file.write(SIGNATURE)
                put(b"IHDR", kind)
                put(b"acTL", struct.pack(">II", count - info.get("hidden", False), info.get("plays", 0)))
                for name, content in chunks[1:]:
                    if name not in (b"IDAT", b"IEND"):
                        put(name, content)
            if chunks[0][1] != kind:
                raise ValueError("the frames of an animation must have the same size and the same channels")
            if not info.get("hidden"):
                height, width = pixels.shape[:2]
                seconds = Fraction(info.get("duration", 0) / 1000).limit_denominator(LARGEST)
                seconds = seconds if seconds.numerator <= LARGEST else Fraction(min(round(seconds), LARGEST))
                put(b"fcTL", struct.pack(">5I2H2B", sequence, width, height, 0, 0, seconds.numerator, seconds.denominator, 0, 0))
                sequence += 1
            for content in (content for name, content in chunks if name == b"IDAT"):
                if first:
                    put(b"IDAT", content)
                else:
                    put(b"fdAT", struct.pack(">I", sequence), content)
                    sequence += 1
        put(b"IEND")


def _chunks(file: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and content of all chunks of a PNG file."""
    place = len(SIGNATURE)
    while place < len(file):
        length, name = struct.unpack(">I4s", file[place : place + 8])
        yield name, bytes(file[place + 8 : place + 8 + length])
        place += 12 + length
