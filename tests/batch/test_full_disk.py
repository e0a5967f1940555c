"""What does not fit on the disk is an error, and no file: whichever writer it is, and however little was missing."""

import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from _helpers.full_disk import largest_file
from _helpers.identity import Identity
from _helpers.marks import nightly
from restorekit.batch import FfmpegError, restore_video
from restorekit.batch.video._ffmpeg import Process
from restorekit.checkpoints import save_original_weights, save_weights
from restorekit.cli import app
from restorekit.errors import ImageError
from restorekit.images import Picture, read_picture, rows_written, write_picture
from restorekit.inference import InferenceOptions, Restorer
from restorekit.models import mprnet

NOISE = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
DEEP = np.random.default_rng(0).integers(0, 65536, (150, 150, 3)).astype(np.uint16)
SMALL = {"width": 8, "unet_step": 4, "ors_step": 4, "num_blocks": 1}


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def whole(path, pixels):
    write_picture(Picture(pixels), path)


def by_rows(path, pixels, quality=100):
    with rows_written(path, pixels.shape, pixels.dtype, {}, quality=quality) as write:
        for top in range(0, len(pixels), 30):
            write(pixels[top : top + 30])


@pytest.mark.parametrize(
    ("write", "suffix", "pixels"),
    [
        *((whole, suffix, NOISE) for suffix in (".jpg", ".bmp", ".png", ".tif", ".webp", ".avif")),
        *((whole, suffix, DEEP) for suffix in (".png", ".tif")),
        *((by_rows, suffix, NOISE) for suffix in (".jpg", ".png", ".tif")),
    ],
)
def test_a_picture_that_does_not_fit_is_an_error_and_no_file(tmp_path, write, suffix, pixels):
    path = tmp_path / f"a{suffix}"
    write(path, pixels)
    size = path.stat().st_size
    before = path.read_bytes()
    for largest in (0, 1, size // 2, size - 4097, size - 1):
        with largest_file(largest), pytest.raises(ImageError, match=rf"a{suffix} cannot be written: {os.strerror(errno.EFBIG)}"):
            write(path, pixels)
        assert names(tmp_path) == [path.name]
        assert path.read_bytes() == before
    write(path, pixels)


@pytest.mark.parametrize(("save", "suffix"), [(save_weights, ".safetensors"), (save_original_weights, ".pth")])
def test_weights_that_do_not_fit_are_an_error_and_no_file(tmp_path, save, suffix):
    path = tmp_path / f"a{suffix}"
    model = mprnet(**SMALL)
    save(model, path)
    size = path.stat().st_size
    path.unlink()
    for largest in (0, size // 2, size - 1):
        with largest_file(largest), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            save(model, path)
        assert names(tmp_path) == []


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_did_not_fit_is_reported_and_done_by_the_next_call(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "b.bmp", "c.png", "d.webp", "e.tif"):
        whole(tmp_path / "in" / name, NOISE)
    whole(tmp_path / "in" / "small.jpg", NOISE[:8, :8])
    arguments = ("restore", "in", "-o", "out", "--report", "report.jsonl")
    monkeypatch.chdir(tmp_path)
    with largest_file(5_000):
        result = in_process(*arguments)
    assert result.exit_code == 1
    assert result.stdout.startswith("restored 1 of 6 images to out; ")
    assert result.stderr.count("cannot be written: ") == 5, result.stderr
    assert "Traceback" not in result.stderr
    assert names(tmp_path / "out") == ["small.jpg"]
    result = in_process(*arguments)
    assert result.exit_code == 0, result.stderr
    assert names(tmp_path / "out") == names(tmp_path / "in")
    for name in names(tmp_path / "out"):
        assert read_picture(tmp_path / "out" / name).pixels.shape == read_picture(tmp_path / "in" / name).pixels.shape


def in_process(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_comparison_and_its_picture_appear_together_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole(tmp_path / "a.png", NOISE)
    with largest_file(75_000):  # the picture fits, and the comparison does not
        result = in_process("restore", "a.png", "-o", "out.png", "--compare")
    assert result.exit_code == 1
    assert "out.compare.png cannot be written" in result.stderr
    with largest_file(20_000):
        assert in_process("restore", "a.png", "-o", "out.png", "--compare").exit_code == 1
    assert names(tmp_path) == ["a.png"]
    assert in_process("restore", "a.png", "-o", "out.png", "--compare").exit_code == 0
    assert names(tmp_path) == ["a.png", "out.compare.png", "out.png"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.usefixtures("unchecked_annotations")
def test_a_large_picture_that_does_not_fit_leaves_nothing(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("restorekit.batch._pipeline.LARGE", 1)
    whole(tmp_path / "a.png", NOISE)
    with largest_file(20_000):
        result = in_process("restore", "a.png", "-o", f"out{suffix}")
    assert result.exit_code == 1
    assert f"out{suffix} cannot be written: " in result.stderr
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "name", "before"),
    [
        (("demo", "-o", "demo.jpg", "--overwrite"), "demo.jpg", "what was there"),
        (("data", "preview", "-o", "sheet.bmp"), "sheet.bmp", None),
        (("inspect", "mprnet_tiny", "--draw", "wiring.svg", "--overwrite"), "wiring.svg", "what was there"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_other_pictures_that_do_not_fit_leave_what_was_there(tmp_path, monkeypatch, arguments, name, before):
    monkeypatch.chdir(tmp_path)
    if before:
        (tmp_path / name).write_text(before)
    with largest_file(5_000):
        result = in_process(*arguments)
    assert result.exit_code in (1, 2)
    assert os.strerror(errno.EFBIG) in result.stderr
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ([before] if before else [])


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_report_page_that_does_not_fit_is_an_error_and_no_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    whole(tmp_path / "photos" / "a.png", NOISE)
    arguments = ("evaluate", "mprnet_tiny.denoise", "--data", "photos", "--protocol", "gaussian-25", "--report")
    with largest_file(20_000):
        result = in_process(*arguments)
    assert result.exit_code == 1
    assert os.strerror(errno.EFBIG) in result.stderr
    assert "evaluation/report.html" not in names(tmp_path)
    assert not [name for name in names(tmp_path) if "restorekit-part" in name]


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_report_that_does_not_fit_is_said_and_the_files_are_restored(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        whole(tmp_path / "in" / name, NOISE[:8, :8])
    monkeypatch.chdir(tmp_path)
    with largest_file(800):
        result = in_process("restore", "in", "-o", "out", "--report", "report.jsonl")
    assert result.exit_code == 1
    assert result.stderr.count("report.jsonl cannot be written: ") == 1, result.stderr
    assert names(tmp_path / "out") == ["a.png", "b.png", "c.png"]
    assert (tmp_path / "report.jsonl").read_bytes().endswith(b"}\n")


def test_an_ffmpeg_that_does_not_mind_a_full_disk_is_not_believed():
    complaint = f"Error closing file b.mkv: {os.strerror(errno.ENOSPC)}"
    with (
        pytest.raises(FfmpegError, match=f"ffmpeg failed: {os.strerror(errno.ENOSPC)}"),
        Process([sys.executable, "-c", f"import sys; sys.stderr.write({complaint!r})"]),
    ):
        pass


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize("suffix", [".mp4", nightly(".mkv")])
def test_a_video_that_does_not_fit_is_an_error_and_no_file(tmp_path, suffix):
    source = tmp_path / "a.mkv"
    picture = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=0.4", "-c:v", "libx264", "-crf", "0"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *picture, str(source)], check=True, capture_output=True)
    with torch.no_grad(), largest_file(2_000), pytest.raises(FfmpegError, match=r"ffmpeg failed: .+"):
        restore_video(Restorer(Identity(), InferenceOptions(precision="float32")), source, tmp_path / f"b{suffix}")
    assert names(tmp_path) == ["a.mkv"]
