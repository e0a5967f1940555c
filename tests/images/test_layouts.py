"""Files of other programs, of every layout that they can write: what is read is what they mean, or is refused."""

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from _helpers.marks import mostly_nightly
from restorekit.errors import ImageError
from restorekit.images import RowReader, can_be_read_by_rows, read_picture

HEIGHT, WIDTH = 83, 70  # no multiples of the tiles, and more rows than are read at a time
COMPRESSIONS = [None, "zlib"]  # others need imagecodecs; libvips writes them below
SHAPES = {"strips": {"rowsperstrip": 16}, "one strip": {}, "tiles": {"tile": (32, 16)}}
ORDERS = {"<": False, ">": True}  # and whether as BigTIFF
KINDS: dict[str, tuple[str, int, dict[str, Any]]] = {  # type of numbers, channels, and what tifffile is told
    "grey": ("u1", 1, {"photometric": "minisblack"}),
    "white is zero": ("u1", 1, {"photometric": "miniswhite"}),
    "white is zero, deep": ("u2", 1, {"photometric": "miniswhite"}),
    "deep grey": ("u2", 1, {"photometric": "minisblack"}),
    "grey, alpha": ("u1", 2, {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
    "deep grey, alpha": ("u2", 2, {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
    "colour": ("u1", 3, {"photometric": "rgb"}),
    "deep colour": ("u2", 3, {"photometric": "rgb"}),
    "colour, alpha": ("u1", 4, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "deep colour, alpha": ("u2", 4, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "float": ("f4", 3, {"photometric": "rgb"}),
    "half": ("f2", 3, {"photometric": "rgb"}),
    "32 bits": ("u4", 3, {"photometric": "rgb"}),
}
INTEGERS = ["grey", "deep grey", "colour", "deep colour", "colour, alpha", "deep colour, alpha"]


def numbers(kind: str, channels: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(len(kind) + channels)
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    if kind.startswith("f"):
        return rng.random(shape).astype(kind)
    return rng.integers(0, np.iinfo(kind).max, shape, dtype=kind, endpoint=True)


def meant(pixels: np.ndarray[Any, Any], white_is_zero: bool) -> np.ndarray[Any, Any]:
    if pixels.dtype.kind == "f":
        return np.rint(pixels.astype(float) * 65535).astype(np.uint16)
    if pixels.dtype.itemsize == 4:
        return np.rint(pixels / (2**32 - 1) * 65535).astype(np.uint16)
    return np.iinfo(pixels.dtype).max - pixels if white_is_zero else pixels


def assert_read(path: Path, expected: np.ndarray[Any, Any]) -> None:
    """Whole, and by rows where that is possible."""
    picture = read_picture(path)
    assert picture.pixels.dtype == expected.dtype
    np.testing.assert_array_equal(picture.pixels, expected)
    if can_be_read_by_rows(path):
        reader = RowReader(path)
        rows = [reader.read(top, min(top + 30, HEIGHT)).copy() for top in range(0, HEIGHT, 30)]
        np.testing.assert_array_equal(np.concatenate(rows), np.atleast_3d(expected))
        assert (reader.mode, reader.info) == (picture.mode, picture.info)


@mostly_nightly("kind", KINDS, {"white is zero, deep", "deep grey, alpha", "colour", "deep colour, alpha", "half", "32 bits"})
def test_what_tifffile_writes(tmp_path: Path, kind: str) -> None:
    """Strips and tiles, packed or planar, of both orders of bytes, compressed, with a predictor: 18 or 36 of each kind."""
    dtype, channels, options = KINDS[kind]
    pixels = numbers(dtype, channels)
    expected = meant(pixels, options["photometric"] == "miniswhite")
    tried = 0
    for compression, shape, order, planar, predictor in itertools.product(
        COMPRESSIONS, SHAPES, ORDERS, (False, True), (False, True)
    ):
        if (planar and channels == 1) or (predictor and not compression):
            continue
        if predictor and dtype.startswith("f"):  # which tifffile cannot write by itself
            continue
        path = tmp_path / "a.tif"
        written = np.moveaxis(pixels, -1, 0) if planar else pixels
        layout = {**SHAPES[shape], "compression": compression, "predictor": predictor, "byteorder": order, "bigtiff": ORDERS[order]}
        tifffile.imwrite(
            path, written, planarconfig="separate" if planar else "contig" if channels > 1 else None, **layout, **options
        )
        assert_read(path, expected)
        tried += 1
    assert tried >= 18


@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits", "none"])
@mostly_nightly("kind", INTEGERS, {"deep grey", "colour, alpha"})
def test_what_libvips_writes(tmp_path: Path, kind: str, compression: str) -> None:
    pyvips = pytest.importorskip("pyvips")
    dtype, channels, _ = KINDS[kind]
    pixels = numbers(dtype, channels)
    deep = dtype == "u2"
    space = ("grey16" if deep else "b-w") if channels < 3 else ("rgb16" if deep else "srgb")
    image = pyvips.Image.new_from_array(pixels).copy(interpretation=space)
    for tile, predictor, bigtiff in itertools.product((False, True), ("none", "horizontal"), (False, True)):
        layout = {"tile": tile, "predictor": predictor, "bigtiff": bigtiff, "tile_width": 32, "tile_height": 16}
        image.tiffsave(str(tmp_path / "a.tif"), compression=compression, **layout)
        assert_read(tmp_path / "a.tif", pixels)


@pytest.mark.parametrize("predictor", ["none", "horizontal", "float"])
@pytest.mark.parametrize("compression", ["lzw", "deflate"])
def test_floating_point_of_libvips(tmp_path: Path, compression: str, predictor: str) -> None:
    pyvips = pytest.importorskip("pyvips")
    pixels = numbers("f4", 3)
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="scrgb")
    image.tiffsave(str(tmp_path / "a.tif"), compression=compression, predictor=predictor)
    assert_read(tmp_path / "a.tif", meant(pixels, False))


@pytest.mark.parametrize("suffix", [".tif", ".png", ".bmp", ".gif", ".jp2", ".ppm", ".webp"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_pillow_writes(tmp_path: Path, suffix: str, mode: str) -> None:
    image = Image.fromarray(numbers("u1", 3)).convert("RGBA" if "A" in mode else "RGB")
    image = Image.fromarray(numbers("u2", 1)) if mode == "I;16" else image.convert(mode)
    path = tmp_path / f"a{suffix}"
    try:
        image.save(path, **({"lossless": True, "exact": True} if suffix == ".webp" else {}))
    except (OSError, ValueError):
        pytest.skip("Pillow does not write it")
    with Image.open(path) as again:  # of some modes, formats make others
        mode = {"1": "L", "P": "RGB"}.get(again.mode, again.mode)
        mode = "RGBA" if again.mode == "P" and "transparency" in again.info else mode
        expected = np.array(again) if mode in ("I", "I;16", "I;16B") else np.array(again.convert(mode))
    try:
        assert_read(path, expected.astype(np.uint16) if mode.startswith("I") else expected)
    except ImageError as error:
        if not re.search("convert it|extra channel", str(error)):
            raise


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_those_of_pillow(tmp_path: Path, orientation: int) -> None:
    pixels = numbers("u1", 3)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, np.array(image))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_damage_is_never_taken_for_pixels(tmp_path: Path, shape: str, compression: str | None) -> None:
    """Bytes are changed anywhere: rows and the whole picture are the same, or refused both."""
    tifffile.imwrite(tmp_path / "a.tif", numbers("u2", 3), photometric="rgb", compression=compression, **SHAPES[shape])
    whole = (tmp_path / "a.tif").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(40):
        content = bytearray(whole)
        for place in rng.integers(0, 400 if i % 2 else len(content), 3):
            content[place] = rng.integers(256)
        (tmp_path / "b.tif").write_bytes(content)
        results: list[Any] = []
        for read in (_by_rows, _at_once):
            try:
                results.append(read(tmp_path / "b.tif"))
            except ImageError:
                results.append(None)
        refused += results[1] is None
        assert (results[0] is None) == (results[1] is None)
        if results[0] is not None:
            np.testing.assert_array_equal(*results)
    assert refused


def _at_once(path: Path) -> np.ndarray[Any, Any]:
    return np.atleast_3d(read_picture(path).pixels)


def _by_rows(path: Path) -> np.ndarray[Any, Any]:
    if not can_be_read_by_rows(path):
        return _at_once(path)
    reader = RowReader(path)
    return reader.read(0, reader.shape[0]).copy()
