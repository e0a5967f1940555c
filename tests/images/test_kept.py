"""The table of what each format keeps, in the page about files, is what happens."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from restorekit.errors import ImageError
from restorekit.images import ImageFormat, Picture, all_formats, read_picture, write_picture

DOCS = Path(__file__).parents[2] / "docs"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def _exif() -> bytes:
    data = Image.Exif()
    data[0x013B] = "A. Photographer"
    return data.tobytes()


METADATA: dict[str, tuple[str, Any]] = {  # by the column of the table
    "ICC": ("icc_profile", PROFILE),
    "EXIF": ("exif", _exif()),
    "XMP": ("xmp", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"),
    "IPTC": ("iptc", b"\x1c\x02\x05\0\x04mine"),
    "comments": ("comment", b"scanned by me"),
    "resolution": ("dpi", (300.0, 200.0)),
}
WRITTEN = [record for record in all_formats() if record.modes and record.usable]


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, str]]:
    sys.path.insert(0, str(DOCS))
    try:
        import formats
    finally:
        sys.path.remove(str(DOCS))
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in formats.table().splitlines()]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


@pytest.mark.parametrize("record", WRITTEN, ids=lambda record: record.name)
def test_what_the_table_says_of_metadata_is_true(record: ImageFormat, table: dict[str, dict[str, str]], tmp_path: Path) -> None:
    pixels, path = np.full((16, 24, 3), 90, np.uint8), tmp_path / f"a{record.suffixes[0]}"
    for column, (key, value) in METADATA.items():
        try:
            write_picture(Picture(pixels, {key: value}), path)
            info = read_picture(path).info
            words = " ".join(map(str, (info.get("comment"), info.get("text"), info.get("exif"))))
            kept = (
                np.allclose(info.get("dpi", 0), value, rtol=1e-3)
                if key == "dpi"
                else "scanned by me" in words
                if key == "comment"
                else b"A. Photographer" in info.get(key, b"")
                if key == "exif"
                else info.get(key) == value
            )
        except ImageError:  # which the tests of refusals look at
            kept = False
        assert table[record.name][column] == ("yes" if kept else "no"), column


@pytest.mark.parametrize("record", WRITTEN, ids=lambda record: record.name)
def test_what_the_table_says_of_pixels_is_true(record: ImageFormat, table: dict[str, dict[str, str]], tmp_path: Path) -> None:
    rng, path, row = np.random.default_rng(0), tmp_path / f"a{record.suffixes[0]}", table[record.name]
    held, exact = set(), True
    for bits in (8, 16):
        for mode, channels in MODES.items():
            smooth = np.linspace(0, 2**bits - 1, 32)[None, :, None] + np.zeros((16, 1, channels))
            noise = rng.integers(0, 2**bits, (16, 32, channels))
            pixels = np.squeeze((noise if row["loss"].startswith("none") else smooth).astype(f"uint{bits}"))
            try:
                write_picture(Picture(pixels), path)
            except ImageError:
                continue
            held.add((mode, bits))
            again = read_picture(path).pixels
            colours = pixels if again.ndim == pixels.ndim else np.stack([pixels] * 3, axis=-1)
            exact &= again.shape == colours.shape and bool((again == colours).all())
    assert ("transparency" in row["written"]) == (("RGBA", 8) in held)
    assert (re.search("and 16$", row["written"]) is not None) == (("RGB", 16) in held)
    assert (("L", 16) in held) == ("16" in row["written"])
    assert exact or not row["loss"].startswith("none")


def test_formats_that_are_only_read_are_not_written(table: dict[str, dict[str, str]], tmp_path: Path) -> None:
    for record in all_formats():
        if not record.modes:
            assert table[record.name]["written"] == "no"
            with pytest.raises(ImageError, match="cannot be written"):
                write_picture(Picture(np.zeros((8, 8, 3), np.uint8)), tmp_path / f"a{record.suffixes[0]}")
    assert {"TIFF": "pages", "GIF": "frames", "PNG": "frames", "WebP": "frames", "AVIF": "frames", "JPEG": "no"}.items() <= {
        name: row["several"] for name, row in table.items()
    }.items()
