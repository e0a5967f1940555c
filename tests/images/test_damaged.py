"""Damaged files: refused, or restored as far as they go, with what is missing in words; rows and the whole picture agree."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from _helpers.identity import Identity
from restorekit.batch import Outcome, plan_jobs, restore_files
from restorekit.cli import app
from restorekit.errors import ImageError
from restorekit.images import Picture, RowReader, can_be_read_by_rows, read_picture, sample_photo, write_picture
from restorekit.inference import InferenceOptions, Restorer

CASES = Path(__file__).parent.parent / "data" / "cases"
PHOTO = sample_photo()[:130, :100]
HEIGHT = len(PHOTO)


def encoded(name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    if name == "TIFF":
        tifffile.imwrite(file, PHOTO, photometric="rgb", **options)
    else:
        Image.fromarray(PHOTO).convert(options.pop("mode", "RGB")).save(file, name, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "subsampling": "4:2:0"}),
        ("PNG", {}),
        ("PNG", {"mode": "RGBA"}),
        ("PNG", {"mode": "P"}),
        ("TIFF", {}),
        ("TIFF", {"rowsperstrip": 16, "compression": "zlib"}),
        ("TIFF", {"rowsperstrip": 16, "planarconfig": "contig", "predictor": True, "compression": "zlib"}),
    ],
)
def test_rows_of_a_truncated_file_are_kept_and_the_missing_ones_counted(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    content, path = encoded(name, **options), tmp_path / "a"
    path.write_bytes(content)
    whole = np.atleast_3d(read_picture(path, damaged="keep").pixels)
    assert read_picture(path, damaged="keep").damage == ""
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ImageError, match=r"; to read what is left: --damaged keep, in Python damaged='keep'"):
        read_picture(path)
    picture = read_picture(path, damaged="keep")
    missing, of = picture.damage.removesuffix(" rows are missing or incomplete").split(" of ")
    assert of == str(HEIGHT)
    assert 20 < int(missing) < 70
    present = HEIGHT - int(missing)
    np.testing.assert_array_equal(picture.pixels[:present], whole[:present])
    assert (picture.pixels[-1, -1, :3] == 128).all()
    assert "A" not in picture.mode or (picture.pixels[-1, -1, 3] == 255).all()


def test_a_file_that_lacks_only_its_end_lacks_no_row(tmp_path: Path) -> None:
    assert read_picture(CASES / "noeoi.jpg", damaged="keep").damage == "its end is missing, but all rows are there"
    content = encoded("JPEG", progressive=True)
    (tmp_path / "a.jpg").write_bytes(content[: len(content) * 3 // 4])
    assert read_picture(tmp_path / "a.jpg", damaged="keep").damage == (
        "its end is missing: all rows are there, perhaps with less detail"
    )


def test_sixteen_bits_are_kept_in_what_is_left(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (HEIGHT, 60, 3)).astype(np.uint16)
    write_picture(Picture(deep), tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    picture = read_picture(tmp_path / "a.png", damaged="keep")
    present = HEIGHT - int(picture.damage.split()[0])
    assert present > 50
    np.testing.assert_array_equal(picture.pixels[:present], deep[:present])
    assert (picture.pixels[present:] == 32768).all()


def test_damaged_tiles_become_grey_and_the_others_stay() -> None:
    picture = read_picture(CASES / "damaged_tiled.tif", damaged="keep")
    assert picture.damage == "16 of 48 rows are missing or incomplete"
    grey = (picture.pixels.reshape(48, -1) == 128).all(axis=1)
    assert not grey[:16].any()


def test_a_wrong_byte_in_a_png_hides_what_comes_after_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (400, 300, 3), dtype=np.uint8)).save(tmp_path / "a.png")  # has several chunks of pixels
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[len(content) * 3 // 4] ^= 255
    (tmp_path / "b.png").write_bytes(content)
    picture = read_picture(tmp_path / "b.png", damaged="keep")
    present = 400 - int(picture.damage.split()[0])
    assert 100 < present < 300
    np.testing.assert_array_equal(picture.pixels[:present], read_picture(tmp_path / "a.png").pixels[:present])


@pytest.mark.parametrize("content", [encoded("PNG")[:80], encoded("JPEG")[:700], encoded("WEBP")[:300], encoded("GIF")[:900]])
def test_where_nothing_can_be_kept_that_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ImageError, match="cannot be read"):
        read_picture(tmp_path / "a", damaged="keep")


def test_an_interlaced_picture_has_no_missing_rows_to_count(tmp_path: Path) -> None:
    pyvips = pytest.importorskip("pyvips")
    pyvips.Image.new_from_array(PHOTO).write_to_file(str(tmp_path / "a.png"), interlace=True)
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match="damaged and interlaced"):
        read_picture(tmp_path / "a.png", damaged="keep")


@pytest.mark.usefixtures("unchecked_annotations")
def test_the_shell_restores_what_is_left_when_told_to(tmp_path: Path) -> None:
    run = CliRunner()
    content = encoded("JPEG")
    source, target, report = tmp_path / "a.jpg", tmp_path / "b.png", tmp_path / "report.jsonl"
    source.write_bytes(content[: len(content) // 2])
    refused = run.invoke(app, ["restore", str(source), "-o", str(target)])
    assert refused.exit_code == 1
    assert "--damaged keep" in " ".join(refused.stderr.split())
    kept = run.invoke(app, ["restore", str(source), "-o", str(target), "--damaged", "keep", "--report", str(report)])
    assert kept.exit_code == 0, kept.stderr
    words = f"of {HEIGHT} rows are missing or incomplete"
    assert words in kept.stderr
    assert words in report.read_text()
    assert read_picture(target).pixels.shape == PHOTO.shape
    wrong = run.invoke(app, ["restore", str(source), "--damaged", "maybe"])
    assert (wrong.exit_code, "--damaged must be one of refuse, keep; got 'maybe'" in wrong.stderr) == (2, True)


def test_large_files_are_kept_in_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restorekit.batch._pipeline.LARGE", 1)
    content = encoded("PNG")
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    jobs, _ = plan_jobs([tmp_path / "a.png"], tmp_path / "b.png")
    outcomes: list[Outcome] = []
    restore_files(Restorer(Identity(), InferenceOptions(precision="float32")), jobs, outcomes.append, damaged="keep")
    assert outcomes[0].error == ""
    np.testing.assert_array_equal(read_picture(tmp_path / "b.png").pixels, read_picture(tmp_path / "a.png", damaged="keep").pixels)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}, None])
def test_rows_and_the_whole_picture_agree_on_every_damaged_file(tmp_path: Path, options: dict[str, Any] | None) -> None:
    """Files are cut, or bytes are changed, anywhere."""
    pytest.importorskip("pyvips")
    content = encoded("PNG") if options is None else encoded("JPEG", **options)
    rng, path, read = np.random.default_rng(0), tmp_path / "a", 0
    for i in range(60):
        mutant = bytearray(content[: rng.integers(50, len(content))] if i % 3 == 0 else content)
        for place in rng.integers(0, len(mutant), i % 3):
            mutant[place] = rng.integers(256)
        path.write_bytes(mutant)
        whole, rows = _or_none(lambda: np.atleast_3d(read_picture(path).pixels)), _or_none(lambda: _by_rows(path))
        assert (whole is None) == (rows is None), i
        if whole is not None:
            np.testing.assert_array_equal(whole, rows)
            read += 1
    assert read < 60


def _or_none(read: Any) -> Any:
    try:
        return read()
    except ImageError:
        return None


def _by_rows(path: Path) -> np.ndarray[Any, Any]:
    if not can_be_read_by_rows(path):
        return np.atleast_3d(read_picture(path).pixels)
    reader = RowReader(path)
    return reader.read(0, reader.shape[0]).copy()


def test_a_jpeg_that_lacks_something_in_the_middle_is_refused_or_kept_with_words(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for options in ({}, {"subsampling": "4:4:4"}, {"progressive": True}, {"restart_marker_blocks": 4}, {"mode": "L"}):
        content = encoded("JPEG", **options)
        middle = len(content) * 2 // 3
        path.write_bytes(content[:middle] + content[middle + 300 :])
        with pytest.raises(ImageError, match=r"pixels are missing or damaged in it \(.*\); to read what is left: --damaged keep"):
            read_picture(path)
        if can_be_read_by_rows(path):
            with pytest.raises(ImageError, match="pixels are missing or damaged in it"):
                RowReader(path)
        assert "something is missing or changed among its pixels" in read_picture(path, damaged="keep").damage


def test_bytes_between_the_pixels_and_the_end_of_a_jpeg_are_no_damage(tmp_path: Path) -> None:
    content = encoded("JPEG")
    (tmp_path / "a.jpg").write_bytes(content)
    (tmp_path / "b.jpg").write_bytes(content[:-2] + bytes(300) + content[-2:] + bytes(300))
    whole, padded = (read_picture(tmp_path / name) for name in ("a.jpg", "b.jpg"))
    np.testing.assert_array_equal(whole.pixels, padded.pixels)
