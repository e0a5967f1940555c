"""Image files: what should survive does, what would be lost is refused."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from _helpers.identity import Identity
from restorekit import restore
from restorekit.errors import ImageError
from restorekit.images import (
    Picture,
    check_can_hold,
    find_images,
    look_at,
    normal_mode,
    read_image,
    read_picture,
    sample_photo,
    to_array,
    write_image,
    write_picture,
)
from restorekit.images import _picture as images
from restorekit.images.formats import FORMATS, MODE_OF
from restorekit.metrics import psnr

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)
ORIENTATION = 0x0112
SUFFIXES = (".png", ".jpg", ".webp", ".avif", ".tif", ".bmp")
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>é</x:xmpmeta>".encode()


def exif() -> bytes:
    data = Image.Exif()
    data[ORIENTATION] = 6
    data[ExifTags.Base.Artist] = "A. Photographer"
    data.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:02:02 20:20:20"
    return data.tobytes()


MODES_OF_SUFFIXES = [(suffix, mode) for suffix in SUFFIXES for mode in sorted(FORMATS[suffix].modes)]


def sample(mode: str, height: int = 9, width: int = 14) -> Picture:
    """Return random pixels with all the metadata that there can be."""
    channels, bits = next(kind for kind, name in MODE_OF.items() if name == mode)
    pixels = RNG.integers(0, 2**bits, (height, width, channels)).astype(f"uint{bits}")
    info = {"icc_profile": PROFILE, "exif": exif(), "xmp": XMP, "dpi": (300, 200)}
    return Picture(pixels[..., 0] if channels == 1 else pixels, info)


@pytest.mark.parametrize(("suffix", "mode"), MODES_OF_SUFFIXES)
def test_what_should_survive_does(tmp_path: Path, suffix: str, mode: str) -> None:
    """An image that a network leaves as it is: from file to file, and through an identity of a network."""
    written, restored = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    original = sample(mode)
    if suffix == ".bmp":
        original = Picture(original.pixels, {"dpi": (300, 200)})
    write_picture(original, written)
    first = read_picture(written)
    write_picture(Picture(restore(Identity(), first.pixels, precision="float32"), first.info), restored)
    second = read_picture(restored)
    assert second.pixels.dtype == original.pixels.dtype
    assert second.info == first.info
    assert np.allclose(second.info["dpi"], (300, 200), rtol=1e-4)
    upright = np.rot90(original.pixels, -1) if suffix == ".tif" else original.pixels  # Pillow turns these while reading
    if suffix in (".png", ".tif", ".bmp"):
        assert second.mode == mode
        np.testing.assert_array_equal(second.pixels, upright)
    elif suffix == ".webp":  # which has no grey
        np.testing.assert_array_equal(second.pixels, original.pixels if mode != "L" else np.stack([original.pixels] * 3, axis=-1))
    if suffix == ".bmp":
        return
    assert second.info["icc_profile"] == PROFILE
    assert second.info["xmp"] == XMP
    data = Image.Exif()
    data.load(second.info["exif"])
    assert data[ExifTags.Base.Artist] == "A. Photographer"
    assert data.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2020:02:02 20:20:20"
    if (suffix, mode) != (".tif", "LA;16"):  # which Pillow does not open
        with Image.open(restored) as image:
            assert ImageOps.exif_transpose(image).size == (9, 14)  # so it is shown upright
    if suffix in (".png", ".jpg"):
        assert second.info["exif"] == exif()


@pytest.mark.parametrize("suffix", [".jpg", ".avif", ".webp"])
def test_quality_is_visually_lossless_by_default_and_settable(tmp_path: Path, suffix: str) -> None:
    photo = Picture(sample_photo()[:160, :160])

    def written(quality: int | None) -> tuple[float, int]:
        path = tmp_path / f"{quality}{suffix}"
        write_picture(photo, path, quality=quality)
        return psnr(read_picture(path).pixels, photo.pixels), path.stat().st_size

    (default, size), (low, small) = written(None), written(60)
    assert default > 40
    assert low < default - 3
    assert small < size / 2


def test_grey_and_transparent_avif_keep_their_content(tmp_path: Path) -> None:
    grey = sample_photo()[:64, :64, 1]
    for name, pixels in {"grey": grey, "alpha": np.stack((grey, 255 - grey), axis=-1)}.items():
        write_picture(Picture(pixels), tmp_path / f"{name}.avif")
    assert psnr(read_picture(tmp_path / "grey.avif").pixels[..., 0], grey) > 40
    assert psnr(read_picture(tmp_path / "alpha.avif").pixels[..., 3], 255 - grey) > 40


def cmyk_profile() -> bytes:
    """Return a small profile by ICC.1:2001: a table from 2 x 2 x 2 x 2 amounts of ink to Lab; no inks are white, all are black."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    inks = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    table = np.stack([255 * (1 - inks[:, 3]) * (1 - inks[:, :3].mean(axis=1)), np.full(16, 128), np.full(16, 128)], axis=-1)
    identity = b"".join(number(float(i == j)) for i in range(3) for j in range(3))
    ramp = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + 4 * ramp + table.round().astype(np.uint8).tobytes() + 3 * ramp
    text = b"text" + bytes(4) + b"none\0\0\0\0"
    white = b"XYZ " + bytes(4) + number(0.9642) + number(1) + number(0.8249)
    tags, content = b"", b""
    parts = {
        b"A2B0": lut + bytes(-len(lut) % 4),
        b"cprt": text,
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 1) + bytes(80),
        b"wtpt": white,
    }
    for name, part in parts.items():
        tags += struct.pack(">4sII", name, 128 + 4 + 12 * len(parts) + len(content), len(part))
        content += part
    size = 128 + 4 + len(tags) + len(content)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"none", 0x02400000, b"prtr", b"CMYK", b"Lab ", bytes(12), b"acsp")
    header += bytes(28) + number(0.9642) + number(1) + number(0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(parts)) + tags + content


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_srgb_by_its_profile(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"inks{suffix}"
    inks = np.zeros((16, 48, 4), np.uint8)  # white
    inks[:, 16:32, 3] = 255  # black
    inks[:, 32:, 3] = 128
    Image.fromarray(inks, "CMYK").save(path, icc_profile=cmyk_profile(), exif=exif())
    picture = read_picture(path)
    shown = np.rot90(picture.pixels) if suffix == ".tif" else picture.pixels
    assert shown[8, 8].min() >= 254
    assert shown[8, 24].max() <= 2
    assert 60 < shown[8, 40].mean() < 190
    assert np.ptp(shown[8, 40]) <= 2
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert read_image(path).mode == "RGB"


def test_cmyk_without_a_usable_profile_is_refused(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match="CMYK image without a colour profile; convert it to RGB first"):
        read_picture(tmp_path / "a.tif")
    Image.new("CMYK", (8, 8)).save(tmp_path / "b.tif", icc_profile=b"no profile")
    with pytest.raises(ImageError, match="whose colour profile cannot be used"):
        read_picture(tmp_path / "b.tif")


def test_a_phone_photograph_with_a_preview_is_read_as_one(tmp_path: Path) -> None:
    image = Image.fromarray(sample_photo()[:32, :48])
    image.save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[image.resize((12, 8))], quality=95)
    with Image.open(tmp_path / "phone.jpg") as both:
        assert both.n_frames == 2
    assert read_picture(tmp_path / "phone.jpg").pixels.shape == (32, 48, 3)


def test_sixteen_bits_of_grey_are_kept(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (9, 14)).astype(np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    write_image(read_image(tmp_path / "a.png"), tmp_path / "b.png")
    np.testing.assert_array_equal(to_array(read_image(tmp_path / "b.png")), pixels)


@pytest.mark.parametrize("mode", ["I;16B", "I;16"])
def test_sixteen_bits_of_either_byte_order_are_kept(mode: str) -> None:
    image = Image.new(mode, (4, 3), 54321)
    assert (to_array(image) == 54321).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_of_colour_are_refused_where_they_would_be_cut(tmp_path: Path, suffix: str) -> None:
    write_picture(sample("RGB;16"), tmp_path / f"deep{suffix}")
    with pytest.raises(ImageError, match="16 bits per colour channel, which a PIL image cannot store; read it with"):
        read_image(tmp_path / f"deep{suffix}")
    with pytest.raises(ImageError, match=r"JPEG cannot store 16 bits; write a .png or .tif"):
        write_picture(sample("RGB;16"), tmp_path / "deep.jpg")
    assert [path.name for path in tmp_path.iterdir()] == [f"deep{suffix}"]


OTHERS_FILES = [
    (mode, suffix, options)
    for suffix, ways in {
        ".png": [{}, {"interlace": True}],
        ".tif": [{"compression": "lzw"}, {"compression": "none"}, {"tile": True}],
    }.items()
    for mode in (mode for mode in sorted(FORMATS[suffix].modes) if mode in ("LA;16", "RGB;16", "RGBA;16"))
    for options in ways
]


@pytest.mark.parametrize(("mode", "suffix", "options"), OTHERS_FILES)
def test_sixteen_bits_are_what_another_library_wrote_and_reads(
    tmp_path: Path, mode: str, suffix: str, options: dict[str, object]
) -> None:
    pyvips = pytest.importorskip("pyvips")
    pixels = sample(mode, 300, 33).pixels  # more rows than are compressed at a time
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="grey16" if mode == "LA;16" else "rgb16")
    image.write_to_file(str(tmp_path / f"theirs{suffix}"), **options)
    np.testing.assert_array_equal(read_picture(tmp_path / f"theirs{suffix}").pixels, pixels)
    write_picture(Picture(pixels), tmp_path / f"ours{suffix}")
    np.testing.assert_array_equal(pyvips.Image.new_from_file(str(tmp_path / f"ours{suffix}")).numpy(), pixels)


def test_a_transparent_colour_of_sixteen_bits_becomes_transparency(tmp_path: Path) -> None:
    for mode, colour in (("RGB;16", (1, 2, 3)), ("I;16", (7,))):
        picture = sample(mode)
        picture.pixels[2, 3] = colour if len(colour) > 1 else colour[0]
        write_picture(Picture(picture.pixels), tmp_path / "a.png")
        content = (tmp_path / "a.png").read_bytes()
        declared = struct.pack(f">{len(colour)}H", *colour)
        chunk = struct.pack(">I", len(declared)) + b"tRNS" + declared + struct.pack(">I", zlib.crc32(b"tRNS" + declared))
        place = content.index(b"IDAT") - 4
        (tmp_path / "b.png").write_bytes(content[:place] + chunk + content[place:])
        pixels = read_picture(tmp_path / "b.png").pixels
        np.testing.assert_array_equal(pixels[..., : len(colour)], picture.pixels.reshape(9, 14, -1))
        assert (pixels[..., -1] == 0).sum() == 1
        assert pixels[2, 3, -1] == 0


@pytest.mark.parametrize("bits", [10, 12])
def test_more_than_eight_bits_of_avif_are_kept(tmp_path: Path, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pyvips = pytest.importorskip("pyvips")
    deep = sample_photo()[:64, :64].astype(np.uint16) * 257
    deep[:24] = 65535
    image = pyvips.Image.new_from_array(deep).copy(interpretation="rgb16")
    image.heifsave(str(tmp_path / "a.avif"), bitdepth=bits, compression="av1", Q=95, subsample_mode="off")
    picture = read_picture(tmp_path / "a.avif")
    assert picture.mode == "RGB;16"
    assert abs(picture.pixels.astype(int) - deep).mean() < 800
    assert picture.pixels[:8].min() > 65000  # white is white
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pyvips" else name)
    with pytest.raises(ImageError, match="10 or 12 bits per channel, which Pillow cuts to 8"):
        read_picture(tmp_path / "a.avif")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
def test_a_tiff_file_on_its_side_is_turned_upright(tmp_path: Path, mode: str) -> None:
    pixels = RNG.integers(0, 256, (9, 14, len(mode)), dtype=np.uint8)
    image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)
    image.save(tmp_path / "a.tif", exif=exif(), icc_profile=cmyk_profile() if mode == "CMYK" else None)
    shown = read_picture(tmp_path / "a.tif").pixels
    assert shown.shape[:2] == (14, 9)
    if mode != "CMYK":
        np.testing.assert_array_equal(np.rot90(shown), image)


def test_palettes_and_bilevel_images_become_colour_and_grey() -> None:
    image = Image.fromarray(PIXELS).quantize(8)
    assert normal_mode(image).mode == "RGB"
    assert normal_mode(image.convert("1")).mode == "L"
    image.info["transparency"] = 0
    assert normal_mode(image).mode == "RGBA"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "not an image in a readable format"), (b"hello", "not an image in a readable format"), (None, "there is no image at")],
)
def test_files_that_are_no_images_are_explained(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=words):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_truncated_files_are_explained(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(RNG.integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=path.name):
        read_image(path)


@pytest.mark.parametrize(
    ("suffix", "mode"), [(".png", "RGB;16"), (".tif", "RGB"), (".tif", "RGBA;16"), (".jpg", "L"), (".avif", "RGB")]
)
def test_damaged_files_are_read_or_explained(tmp_path: Path, suffix: str, mode: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_picture(sample(mode), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    explained: list[str] = []
    for _ in range(40):
        content = bytearray(whole)
        for place in rng.integers(0, min(len(content), 400), 4):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            look_at(path)
            write_picture(read_picture(path), tmp_path / f"b{suffix}")
        except ImageError as error:
            explained.append(str(error))
    assert explained
    assert all(message.startswith(str(path)) for message in explained)


def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    with pytest.raises(ImageError, match="too large: 0 megapixels, but at most"):
        read_image(tmp_path / "a.png")


def test_what_a_format_cannot_hold_is_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="JPEG cannot store transparency; write a"):
        write_image(Image.new("RGBA", (4, 4)), tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="JPEG cannot store 16 bits"):
        check_can_hold(tmp_path / "a.jpg", "I;16")
    with pytest.raises(ImageError, match="unknown image format"):
        check_can_hold(tmp_path / "a.xyz", "RGB")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"old")

    def fails(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fails)
    with pytest.raises(ImageError, match="cannot be written: No space left"):
        write_image(Image.new("RGB", (4, 4)), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_find_images_needs_images(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="contains no image"):
        find_images(tmp_path)
    with pytest.raises(ImageError, match="not a folder"):
        find_images(tmp_path / "none")


def test_a_damaged_header_is_explained_without_python(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:12])
    with pytest.raises(ImageError, match=r"a\.gif cannot be read: its header is not that of a GIF file, or is damaged"):
        read_picture(path)
