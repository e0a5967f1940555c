"""``--report``: only ever written over a report, or as a new file; whatever else is there stays as it is."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from _helpers.full_disk import largest_file
from restorekit.cli import app

LINE = {"input": "photo.png", "output": "out.png", "status": "failed", "error": "of an earlier call"}
WHOLE = json.dumps(LINE).encode() + b"\n"


@pytest.fixture
def here(tmp_path, monkeypatch, unchecked_annotations):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((8, 8, 3), 99, np.uint8)).save("photo.png")
    return tmp_path


def restore(*arguments):
    result = CliRunner().invoke(app, ["restore", "photo.png", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def state(folder):
    """Return all that is in a folder, with contents and times."""
    return {path.name: (path.read_bytes() if path.is_file() else None, path.lstat().st_mtime_ns) for path in folder.iterdir()}


FOREIGN = {
    "note": b"no newline at the end",
    "text": b"a line\nanother\n",
    "photo": b"\xff\xd8\xff\xe0" + bytes(range(256)),
    "newline": b"\n",
    "JSON": b'{"a": 1}\n',
    "rows of JSON": b'{"input": 1}\n{"input": 2}\n',
    "array": b"[1, 2]\n",
    "number": b"1\n",
    "log of something else": b'{"input": "a", "output": "b", "status": "done"}\n',
    "report with a foreign line": WHOLE + b"mine\n",
    "report with a foreign end": WHOLE + b"mine",
    "report with a hole": WHOLE + b"\n" + WHOLE,
    "cut JSON of something else": b'{"in',
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_report_is_refused_before_the_work(here, content):
    (here / "mine").write_bytes(content)
    before = state(here)
    result = restore("-o", "out.png", "--report", "mine")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "--report mine cannot be used: it exists and is not a report of restorekit restore; choose a new file" in result.stderr
    assert state(here) == before


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("photo.png", "it is an input of this call"),
        ("./photo.png", "it is an input of this call"),
        ("again.png", "it is an input of this call"),
        ("hard.png", "it is an input of this call"),
        ("out.png", "it is an output of this call"),
        ("out.compare.png", "it is an output of this call"),
        ("folder", "it is a folder; give the name of a file"),
        ("none/report.jsonl", "there is no folder none to write it to; make it first"),
        ("dangling", "it is a broken link"),
    ],
)
def test_inputs_outputs_and_folders_are_refused(here, report, words):
    (here / "folder").mkdir()
    (here / "again.png").symlink_to("photo.png")
    (here / "hard.png").hardlink_to("photo.png")
    (here / "dangling").symlink_to("nowhere")
    before = state(here)
    result = restore("-o", "out.png", "--compare", "--report", report)
    assert result.exit_code == 2
    assert f"--report {report.removeprefix('./')} cannot be used: {words}" in result.stderr
    assert state(here) == before


def test_a_report_where_a_folder_of_outputs_is_to_be_is_refused(here):
    (here / "in").mkdir()
    (here / "photo.png").rename(here / "in" / "photo.png")
    before = state(here)
    result = CliRunner().invoke(app, ["restore", "in", "-o", "out", "--report", "out"])
    assert result.exit_code == 2
    assert "--report out cannot be used: out/photo.png must be written below it" in result.stderr
    assert state(here) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs a device")
def test_a_device_is_refused(here):
    result = restore("--report", "/dev/null")
    assert result.exit_code == 2
    assert "it is a device or a pipe" in result.stderr


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"", []),
        (WHOLE, [LINE]),
        (WHOLE.removesuffix(b"\n"), [LINE]),
        (WHOLE + WHOLE[:20], [LINE]),
        (WHOLE + WHOLE[:3], [LINE]),
        (WHOLE[:20], []),
    ],
    ids=["empty", "whole", "without the end of a line", "cut", "cut early", "cut in the first line"],
)
def test_a_report_is_continued_and_a_line_that_was_cut_is_removed(here, content, kept):
    (here / "kept.jsonl").write_bytes(content)
    (here / "report.jsonl").symlink_to("kept.jsonl")
    result = restore("-o", "out.png", "--report", "report.jsonl")
    assert result.exit_code == 0, result.stderr
    *before, last = [json.loads(line) for line in (here / "report.jsonl").read_text().splitlines()]
    assert before == kept
    assert (last["input"], last["output"], last["status"]) == ("photo.png", "out.png", "restored")
    assert (here / "report.jsonl").is_symlink()


def test_an_error_before_the_work_writes_no_report(here):
    (here / "cut.jsonl").write_bytes(WHOLE + WHOLE[:20])
    before = state(here)
    for report in ("new.jsonl", "cut.jsonl"):
        assert restore("-o", "out.png", "--weights", "none.pth", "--report", report).exit_code == 2
        assert restore("-o", "out.png", "--device", "nonsense", "--report", report).exit_code != 0
    assert state(here) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_report_without_permission_is_refused(here):
    (here / "report.jsonl").write_bytes(WHOLE)
    (here / "report.jsonl").chmod(0o400)
    assert "no permission to write it" in restore("-o", "out.png", "--report", "report.jsonl").stderr


def test_a_photograph_with_the_name_of_a_comparison_stays(here):
    mine = Image.fromarray(np.full((8, 8, 3), 7, np.uint8))
    for name in ("out.compare.png", "photo.restored.compare.png"):
        mine.save(name)
    before = state(here)
    for arguments in (("-o", "out.png"), ()):
        result = restore("--compare", *arguments)
        assert result.exit_code == 1
        assert "compare.png exists and was not written by --compare; move it, choose another output, or" in result.stderr
        assert state(here) == before
    assert restore("-o", "out.png", "--compare", "--overwrite").exit_code == 0
    (here / "out.png").unlink()  # as when a process was killed between the two
    assert restore("-o", "out.png", "--compare").exit_code == 0


def test_a_new_report_that_does_not_fit_leaves_none(here):
    with largest_file(100):
        result = restore("--report", "report.jsonl")
    assert result.exit_code == 1
    assert not (here / "report.jsonl").exists()
