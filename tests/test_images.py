"""Image files: what should survive does, what would be lost is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from restorekit.data.images import ImageError, check_can_hold, find_images, normal_mode, read_image, to_array, write_image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)
ORIENTATION = 0x0112


def exif() -> bytes:
    data = Image.Exif()
    data[ORIENTATION] = 6
    data[ExifTags.Base.Artist] = "A. Photographer"
    return data.tobytes()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_profile_orientation_and_pixels_survive(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    Image.fromarray(PIXELS).save(source, icc_profile=b"a profile", exif=exif())
    image = read_image(source)
    write_image(image, target)
    again = read_image(target)
    assert again.info["icc_profile"] == b"a profile"
    assert again.getexif()[ExifTags.Base.Artist] == "A. Photographer"
    with Image.open(source) as first:
        upright = ImageOps.exif_transpose(first)
        assert ImageOps.exif_transpose(again).size == upright.size
        if suffix in (".png", ".tif"):
            np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(again)), np.asarray(upright))
    assert again.size == image.size


def test_sixteen_bits_of_grey_are_kept(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (9, 14)).astype(np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    write_image(read_image(tmp_path / "a.png"), tmp_path / "b.png")
    np.testing.assert_array_equal(to_array(read_image(tmp_path / "b.png")), pixels)


@pytest.mark.parametrize("mode", ["I;16B", "I;16"])
def test_sixteen_bits_of_either_byte_order_are_kept(mode: str) -> None:
    image = Image.new(mode, (4, 3), 54321)
    assert (to_array(image) == 54321).all()


def test_sixteen_bits_of_colour_are_refused(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + RNG.bytes(4 * 6) for _ in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(content)
    with pytest.raises(ImageError, match="16 bits a colour channel, which would be cut to 8"):
        read_image(tmp_path / "deep.png")


def test_palettes_and_bilevel_images_become_colour_and_grey() -> None:
    image = Image.fromarray(PIXELS).quantize(8)
    assert normal_mode(image).mode == "RGB"
    assert normal_mode(image.convert("1")).mode == "L"
    image.info["transparency"] = 0
    assert normal_mode(image).mode == "RGBA"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no image that can be read"), (b"hello", "no image that can be read"), (None, "no image at")],
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


def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match="too large"):
        read_image(tmp_path / "a.png")


def test_several_frames_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="several frames"):
        read_image(tmp_path / "a.tif")


def test_what_a_format_cannot_hold_is_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="JPEG cannot hold transparency; write a"):
        write_image(Image.new("RGBA", (4, 4)), tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="JPEG cannot hold 16 bits"):
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
    with pytest.raises(ImageError, match="holds no image"):
        find_images(tmp_path)
    with pytest.raises(ImageError, match="not a folder"):
        find_images(tmp_path / "none")
