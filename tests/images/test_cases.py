"""Files that were once read wrongly, or lost something: what is right, or why they are refused."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from restorekit.batch import left_out, plan_jobs
from restorekit.errors import ImageError
from restorekit.images import (
    FORMATS,
    ImageFormat,
    Picture,
    RowReader,
    all_formats,
    can_be_read_by_rows,
    check_can_hold,
    find_images,
    read_picture,
    register_format,
    write_picture,
)

CASES = Path(__file__).parent.parent / "data" / "cases"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("five_channels.tif", "has 5 channels, but at most colour and transparency can be kept; .* magick in.tif"),
        (
            "rgb_unspecified_extra.tif",
            "extra channel of an undeclared kind; if it is transparency: tiffset -s 338 1 2",
        ),
        ("lab.tif", "is a TIFF file with CIELab; convert it first, for example: magick"),
        ("cicp_pq.png", r"HDR transfer function PQ \(SMPTE ST 2084\)"),
        ("anim.gif", r"has 3 frames; .* extract one first, for example: magick 'anim.gif\[0\]' one.png"),
        ("damaged_tiled.tif", "3 of 12 strips or tiles are missing"),
        ("damaged_trns.png", "its chunk tRNS .transparency. is after its pixels"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_to_do(name: str, words: str) -> None:
    for read in (read_picture, can_be_read_by_rows, RowReader):
        with pytest.raises(ImageError, match=words):
            read(CASES / name)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
def test_the_command_for_hdr_works_as_printed(tmp_path: Path) -> None:
    source = tmp_path / "in the sun.png"
    shutil.copy(CASES / "cicp_pq.png", source)
    with pytest.raises(ImageError) as refused:
        read_picture(source)
    subprocess.run(str(refused.value).partition("for example: ")[2], shell=True, check=True, cwd=tmp_path, capture_output=True)
    assert read_picture(tmp_path / "out.png").pixels.shape == (96, 96, 3)


def test_a_png_that_needs_an_unknown_chunk_is_refused_by_all_readers(tmp_path: Path) -> None:
    content = (CASES / "gama1_chrm_text.png").read_bytes()
    chunk = b"CgBI" + bytes(4)
    (tmp_path / "a.png").write_bytes(
        content[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[33:]
    )
    for read in (read_picture, can_be_read_by_rows, RowReader):
        with pytest.raises(ImageError, match=r"has the chunk CgBI, without which its pixels cannot be understood; .*pngcrush"):
            read(tmp_path / "a.png")


def test_sixteen_bits_for_three_channels_are_eight_for_each(tmp_path: Path) -> None:
    values = np.arange(32, dtype=np.uint16)
    header = struct.pack("<IiiHHIIiiII", 40, 32, 1, 1, 16, 3, 0, 0, 0, 0, 0) + struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    pixels = (values << 11 | values << 6 | values).astype("<u2").tobytes()
    (tmp_path / "a.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 66 + 64, 0, 0, 66) + header + pixels)
    read = read_picture(tmp_path / "a.bmp").pixels
    assert (read.dtype, read.shape) == (np.uint8, (1, 32, 3))
    np.testing.assert_allclose(read[0, :, ::2], np.stack([values, values], axis=-1) * 255 / 31, atol=1)


def test_numbers_are_those_that_are_meant() -> None:
    def stored(name: str) -> np.ndarray:
        return np.asarray(tifffile.imread(CASES / name))

    def read(name: str) -> np.ndarray:
        return read_picture(CASES / name).pixels

    np.testing.assert_array_equal(read("rgb16_planar.tif"), np.moveaxis(stored("rgb16_planar.tif"), 0, -1))
    np.testing.assert_array_equal(read("gray16_miniswhite.tif"), 65535 - stored("gray16_miniswhite.tif"))
    np.testing.assert_array_equal(read("float32_gray.tif"), read("gray16_miniswhite.tif"))  # of the same picture
    packed = np.frombuffer((CASES / "gray12.tif").read_bytes()[8 : 8 + 96 * 144], np.uint8).reshape(-1, 3).astype(int)
    twelve = np.stack((packed[:, 0] * 16 + packed[:, 1] // 16, packed[:, 1] % 16 * 256 + packed[:, 2]), axis=-1).reshape(96, 96)
    np.testing.assert_array_equal(read("gray12.tif"), np.rint(twelve / 4095 * 65535))
    premultiplied, restored = stored("rgba16_premult.tif").astype(float), read("rgba16_premult.tif").astype(float)
    np.testing.assert_array_equal(restored[..., 3], premultiplied[..., 3])
    assert abs(restored[..., :3] * restored[..., 3:] / 65535 - premultiplied[..., :3]).max() <= 0.51


def test_floating_point_outside_of_zero_to_one_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), 1.5, np.float32), photometric="minisblack")
    with pytest.raises(ImageError, match=r"from 1.5 to 1.5, but those of a picture must be between 0 and 1"):
        read_picture(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), 60000, np.uint32), photometric="minisblack")
    with pytest.raises(ImageError, match="32-bit numbers that only go up to 60000"):
        read_picture(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.int16), photometric="minisblack")
    with pytest.raises(ImageError, match="signed or complex numbers"):
        read_picture(tmp_path / "a.tif")


def test_what_a_png_says_of_its_colours_time_and_author_is_kept(tmp_path: Path) -> None:
    picture = read_picture(CASES / "gama1_chrm_text.png")
    write_picture(picture, tmp_path / "whole.png")
    write_picture(Picture(picture.pixels.astype(np.uint16) * 257, picture.info), tmp_path / "deep.png")
    chunks = [chunk for chunk in _chunks(CASES / "gama1_chrm_text.png") if chunk[0] not in (b"IHDR", b"IDAT", b"IEND")]
    assert len(chunks) == 6
    for name in ("whole.png", "deep.png"):
        assert set(chunks) <= set(_chunks(tmp_path / name))
        assert read_picture(tmp_path / name).info == picture.info
        assert RowReader(tmp_path / name).info == picture.info
    with pytest.raises(ImageError, match=r"JPEG cannot store a gamma of 1.00; write a .png"):
        write_picture(picture, tmp_path / "a.jpg")


def test_texts_become_comments_where_there_are_no_names(tmp_path: Path) -> None:
    info = {key: value for key, value in read_picture(CASES / "gama1_chrm_text.png").info.items() if key == "text"}
    write_picture(Picture(np.zeros((8, 8, 3), np.uint8), info), tmp_path / "a.jpg")
    assert read_picture(tmp_path / "a.jpg").info["comment"].decode().splitlines()[:2] == ["Title: Hällo", "Comment: old photo"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_keywords_and_comments_of_a_jpeg_are_kept(tmp_path: Path, suffix: str) -> None:
    picture = read_picture(CASES / "jpeg_iptc_comment.jpg")
    assert picture.info["comment"] == b"scanned by me"
    write_picture(picture, tmp_path / f"a{suffix}")
    again = read_picture(tmp_path / f"a{suffix}").info
    assert again["iptc"] == picture.info["iptc"]
    assert RowReader(tmp_path / f"a{suffix}").info["iptc"] == picture.info["iptc"]
    if suffix == ".jpg":
        assert again == picture.info
    elif suffix == ".png":
        assert again["text"] == (("Comment", "scanned by me"),)
    with pytest.raises(ImageError, match=r"WebP cannot store IPTC data; write a .jpg or .png or .tif"):
        write_picture(Picture(picture.pixels, {"iptc": picture.info["iptc"]}), tmp_path / "a.webp")


def test_a_damaged_chunk_of_a_png_is_refused(tmp_path: Path) -> None:
    content = (CASES / "gama1_chrm_text.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content.replace(b"old photo", b"new photo"))
    for read in (read_picture, RowReader):
        with pytest.raises(ImageError, match="the checksum of its chunk tEXt is wrong"):
            read(tmp_path / "a.png")


def test_heic_is_read_where_its_library_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pi_heif")
    assert read_picture(CASES / "x.heic").pixels.shape == (96, 96, 3)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImageError, match=r"x.heic: HEIC needs another library; pip install 'restorekit\[heif\]'"):
        read_picture(CASES / "x.heic")


def test_what_is_only_read_is_not_written() -> None:
    with pytest.raises(ImageError, match=r"HEIC files cannot be written; write a .png or .tif"):
        check_can_hold(Path("a.heic"), "RGB")


def test_jpeg_xl_is_read_where_its_program_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match=r"x.jxl: JPEG XL needs the program djxl: apt install libjxl-tools"):
        read_picture(CASES / "x.jxl")
    deep = Picture(np.arange(0, 60000, 500, dtype=np.uint16).reshape(5, 8, 3), {"icc_profile": b"mine"})
    write_picture(deep, tmp_path / "theirs.png")
    stub = tmp_path / "djxl"  # stands for the program, which not every machine has
    stub.write_text(f'#!/bin/sh\n/bin/cp "{tmp_path}/theirs.png" "$2"\n')
    stub.chmod(0o755)
    boxes = (
        b"\0\0\0\x0cJXL \r\n\x87\n" + struct.pack(">I4sI", 16, b"Exif", 0) + b"MM\0*" + struct.pack(">I4s", 12, b"xml ") + b"<x/>"
    )
    (tmp_path / "a.jxl").write_bytes(boxes)
    picture = read_picture(tmp_path / "a.jxl")
    np.testing.assert_array_equal(picture.pixels, deep.pixels)
    assert picture.info == {"icc_profile": b"mine", "exif": b"Exif\0\0MM\0*", "xmp": b"<x/>"}
    stub.write_text("#!/bin/sh\necho 'bad codestream' >&2\nexit 1\n")
    with pytest.raises(ImageError, match=r"a.jxl cannot be read: bad codestream"):
        read_picture(tmp_path / "a.jxl")


def test_a_raw_file_is_developed_where_its_library_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "a.dng"
    numbers = np.linspace(1000, 30000, 96)[None, :] + np.zeros((64, 1))
    tifffile.imwrite(
        path,
        numbers.astype(np.uint16),
        photometric=32803,  # colours of a sensor
        metadata=None,
        extratags=[
            (33421, 3, 2, (2, 2), True),  # a mosaic of red, green, green, blue
            (33422, 1, 4, bytes([0, 1, 1, 2]), True),
            (50706, 1, 4, bytes([1, 4, 0, 0]), True),  # version of DNG
            (50708, 2, 0, "Test Camera", True),
            (50717, 4, 1, 65535, True),  # white
            (50721, 10, 9, tuple(n for i in range(9) for n in (int(i % 4 == 0), 1)), True),  # XYZ to the camera's colours
            (50728, 5, 3, (1, 2, 1, 1, 3, 4), True),  # what is neutral
            (272, 2, 0, "Test Camera", True),
        ],
    )
    picture = read_picture(path)
    assert (picture.mode, picture.pixels.shape) == ("RGB;16", (64, 96, 3))
    assert picture.note == "developed at 16 bits with the camera's white balance"
    assert b"Test Camera" in picture.info["exif"]
    assert np.diff(picture.pixels[32, 8:-8].astype(int).mean(axis=1)).min() >= 0
    jobs, _ = plan_jobs([path], None)
    assert jobs[0].target == tmp_path / "a.restored.tif"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImageError, match=r"a.dng: raw files of cameras need another library; pip install 'restorekit\[raw\]'"):
        read_picture(path)


def test_amounts_of_light_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(60))
    with pytest.raises(ImageError, match="contain amounts of light, for which no network is trained; convert it for a display"):
        read_picture(tmp_path / "a.exr")


def test_jpeg_2000_with_more_bits_than_pillow_keeps_is_refused(tmp_path: Path) -> None:
    content = bytearray((CASES / "x.jp2").read_bytes())
    content[content.index(b"\xff\x4f\xff\x51") + 4 + 38] = 15  # 16 bits of the first channel
    (tmp_path / "a.jp2").write_bytes(content)
    with pytest.raises(ImageError, match="3 channels of 8, 16 bits, but only 8 are kept"):
        read_picture(tmp_path / "a.jp2")


def test_files_that_are_only_read_are_restored_if_a_format_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    (tmp_path / "photo.heic").write_bytes(b"")
    assert "--format png restores those that can be read, too" in left_out([tmp_path])
    assert left_out([tmp_path], format="png") == ""
    for inputs, format in ((tmp_path, "png"), (tmp_path / "*.heic", None)):
        [job], problems = plan_jobs([inputs], tmp_path / "out", format=format)
        assert (job.source, job.target, problems) == (tmp_path / "photo.heic", tmp_path / "out" / "photo.png", [])


def test_a_folder_says_what_it_left_out(tmp_path: Path) -> None:
    names = ["1.heic", "2.HEIC", "3.heic", "a.txt", "b.txt", "c.cr2", "photo.png", ".hidden", "in.restored/x.txt"]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    folder = tmp_path / "in"
    said = left_out([folder], folder / "in.restored")
    assert said.split(";")[0] == "6 files of other kinds were left out: 3 .heic, 2 .txt, 1 .cr2"
    assert find_images(folder) == [folder / "photo.png"]
    assert left_out([folder / "photo.png"]) == ""


def test_a_format_is_one_record() -> None:
    assert {record.name for record in all_formats()} >= {"PNG", "JPEG", "TIFF", "WebP", "AVIF", "BMP", "GIF", "HEIC", "PPM"}
    with pytest.raises(ValueError, match=r"the suffix .png belongs to PNG; Mine needs another suffix"):
        register_format(ImageFormat("Mine", (".png",), lambda head: False, FORMATS[".png"].open, "nothing"))
    for record in all_formats():
        assert bool(record.modes) == (record.write is not None), record.name


def _chunks(path: Path) -> list[tuple[bytes, bytes]]:
    content, place, found = path.read_bytes(), 8, []
    while place < len(content):
        length, name = struct.unpack(">I4s", content[place : place + 8])
        found.append((name, content[place + 8 : place + 8 + length]))
        assert zlib.crc32(name + found[-1][1]) == int.from_bytes(content[place + 8 + length : place + 12 + length], "big")
        place += 12 + length
    return found
