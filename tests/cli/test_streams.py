"""Standard input, output and error: as images, and when they are closed or full; names that a terminal would obey."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from _helpers.marks import nightly
from restorekit.cli import app
from restorekit.cli._common import console
from restorekit.errors import printable

COMMAND = [sys.executable, "-m", "restorekit"]
FULL = Path("/dev/full")
LONGEST = f"{'x' * 251}.png"


@pytest.fixture
def here(tmp_path, monkeypatch, unchecked_annotations):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def encoded(form="PNG", value=99):
    file = io.BytesIO()
    Image.fromarray(np.full((8, 16, 3), value, np.uint8)).save(file, form)
    return file.getvalue()


def restore(*arguments, given=b""):
    result = CliRunner().invoke(app, ["restore", *map(str, arguments)], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def format_of(content):
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.format


@pytest.mark.parametrize(
    ("arguments", "given", "expected"),
    [
        (["-", "-o", "-"], "JPEG", "JPEG"),
        (["-"], "PNG", "PNG"),
        (["-", "-o", "-", "--format", "webp"], "JPEG", "WEBP"),
        (["a.png", "-o", "-"], "", "PNG"),
        (["a.png", "-o", "-", "--format", "tif"], "", "TIFF"),
    ],
)
def test_standard_output_gets_the_image_alone(here, arguments, given, expected):
    (here / "a.png").write_bytes(encoded())
    result = restore(*arguments, given=encoded(given) if given else b"")
    assert result.exit_code == 0, result.stderr
    assert format_of(result.stdout_bytes) == expected
    assert f"{'a.png' if 'a.png' in arguments else 'standard input'} -> standard output: 16 x 8" in result.stderr
    assert list(here.iterdir()) == [here / "a.png"]


def test_standard_input_becomes_a_file_and_the_report_names_it(here):
    assert restore("-", "-o", "out.png", "--report", "r.jsonl", given=encoded("BMP")).exit_code == 0
    assert format_of((here / "out.png").read_bytes()) == "PNG"
    assert '"input": "standard input", "output": "out.png"' in (here / "r.jsonl").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-"], "standard input is empty or closed; send an image through it"),
        (["-", "a.png"], "- stands for standard input, which must be the only input; got 2"),
        (["-", "-o", "folder"], "--output must be - or the name of a file, since standard input has no name; got folder"),
        (["a.png", "b.png", "-o", "-"], "--output must be a folder for several images; standard output (-) takes one"),
        (["folder", "-o", "-"], "--output must be a folder for several images"),
        (["a.png", "-o", "-", "--compare"], "--compare writes a file next to the output"),
        (["a.png", "b.png", "-o", "both.png"], "--output must be a folder for several inputs; both.png is the name of one file"),
        (["folder", "-o", "out.mp4"], "--output must be a folder for several inputs; out.mp4 is the name of one file"),
        (["a.png", "b.png", "-o", "a.png"], "--output must be a folder for several inputs; a.png is a file"),
        (["a.png", "--format", "heic"], "--format must be one of jpg, jpeg, avif"),
        (["a.png", "-o", "o.png", "--format", "webp"], "--format is webp, but the output is o.png: leave out one of the two"),
        (["a.png", "-o", "o.png", "--suffix", "_x"], "--suffix names the outputs of inputs; the output is already named o.png"),
        (["a.png", "--report", "-"], "--report - cannot be used: later calls continue a report, so it must be a file"),
        (["a.png", "--suffix", "a/b"], "--suffix must be text that names can end with, such as _restored; got 'a/b'"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_the_work(here, arguments, words):
    (here / "folder").mkdir()
    for name in ("a.png", "b.png"):
        (here / name).write_bytes(encoded())
    result = restore(*arguments)
    assert result.exit_code in (1, 2)
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert result.stdout == ""
    assert sorted(path.name for path in here.iterdir()) == ["a.png", "b.png", "folder"]


@pytest.mark.parametrize(
    ("arguments", "outputs"),
    [
        (["a.png", "--format", "webp"], ["a.restored.webp"]),
        (["a.png", "b.png", "--suffix", "_clean"], ["a_clean.png", "b_clean.png"]),
        (["a.png", "--suffix", "-2", "--format", ".JPG"], ["a-2.jpg"]),
        (["?.png", "-o", "out", "--format", "tif"], ["out/a.tif", "out/b.tif"]),
        (["?.png", "-o", "out", "--suffix", "_x"], ["out/a_x.png", "out/b_x.png"]),
        (["folder", "--suffix", "_x"], ["folder_x/c.png"]),
        (["folder", "-o", "out", "--suffix", "_x", "--format", "bmp"], ["out/c_x.bmp"]),
        (["a.png", "-o", "o.jpeg", "--format", "jpg"], ["o.jpeg"]),
    ],
)
def test_names_and_formats_of_outputs(here, arguments, outputs):
    (here / "folder").mkdir()
    for name in ("a.png", "b.png", "folder/c.png"):
        (here / name).write_bytes(encoded())
    result = restore(*arguments)
    assert result.exit_code == 0, result.stderr
    for output in outputs:
        assert format_of((here / output).read_bytes())
    found = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
    assert found == {"a.png", "b.png", "folder/c.png", *outputs}
    again = restore(*arguments)  # resumes, or refuses to replace a single file
    assert again.exit_code == (1 if "exists; choose" in again.stderr else 0)
    assert found == {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}


NAMES = [
    b"-x.png",
    b"a:b.png",
    b"new\nline.png",
    b"\x1b]0;title\x07\x1b[31mred.png",
    b"\xff\xfe.png",
    b"[bold]x.png",
    LONGEST.encode(),
]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these names are not possible")
@pytest.mark.parametrize("terminal", [False, True])
def test_any_name_is_restored_and_shown_without_its_escapes(here, terminal, monkeypatch):
    monkeypatch.setattr(console, "_force_terminal", terminal)
    names = [os.fsdecode(name) for name in NAMES]
    for name in names:
        (here / name).write_bytes(encoded())
    (here / "bad\x1b[31m.png").write_text("no image")
    result = restore("--suffix", "_y", "--report", "report", "--", *names, "bad\x1b[31m.png")
    assert result.exit_code == 1
    messages = re.sub("\x1b\\[[01;]+m", "", result.stderr).replace("\x1b[1;31m", "")  # the colours of the messages themselves
    assert r"failed: bad\x1b[31m.png is not an image in a readable format" in messages
    assert f"failed: {LONGEST}: its output cannot be {LONGEST[:-4]}_y.png: File name too long" in messages
    assert result.stdout.startswith("restored 6 of 8 images; ")
    assert not any(escape in result.stderr for escape in ("\x1b]", "\x1b[31mred", "\x07", "bad\x1b", "new\nline"))
    made = sorted(path.name for path in here.glob("*_y.png"))
    assert made == sorted(f"{name[:-4]}_y.png" for name in names[:-1])
    assert b"\x1b" not in (here / "report").read_bytes()


def test_what_is_shown():
    assert printable("a\x1b[31m\u202e\n\udcff\u2028\x9b", lines=False) == r"a\x1b[31m\u202e\n\xff\u2028\x9b"
    assert printable("Zürich 東京 👩\u200d🚀.png", lines=False) == "Zürich 東京 👩\u200d🚀.png"
    assert printable("a\nb\x07") == "a\nb\\x07"


def run(here, redirect, *arguments):
    """Run a command in a shell with closed or full streams."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    script = f'"$@" {redirect}'
    return subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *arguments], cwd=here, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not FULL.exists(), reason="needs a full device")
@pytest.mark.parametrize(
    ("redirect", "words"),
    [
        (">&- 2>&- <&-", ""),
        nightly(">/dev/full", "warning: standard output cannot be written: No space left on device; the message was: a.png -> "),
    ],
)
def test_lost_messages_do_not_change_the_status_of_the_images(here, redirect, words):
    (here / "a.png").write_bytes(encoded())
    result = run(here, redirect, "restore", "a.png")
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith(words)
    assert "Traceback" not in result.stderr
    assert format_of((here / "a.restored.png").read_bytes()) == "PNG"  # no message was written into it either


@pytest.mark.skipif(not FULL.exists(), reason="needs a full device")
def test_a_listing_that_cannot_be_printed_is_an_error(here):
    result = run(here, ">/dev/full", "models")
    assert (result.returncode, result.stderr) == (1, "error: standard output cannot be written: No space left on device\n")
