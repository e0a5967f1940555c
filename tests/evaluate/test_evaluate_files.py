"""What an evaluation may replace in its folder: the files of an earlier one."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from restorekit.cli import app
from restorekit.evaluate import foreign_files

FOREIGN = {"report.html": "<title>My report</title>", "results.csv": "a,b", "results.json": '{"protocol": "mine"}'}


@pytest.fixture
def here(tmp_path, monkeypatch, unchecked_annotations):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.full((16, 16, 3), 99, np.uint8)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "out").mkdir()
    return tmp_path


def evaluate(*arguments):
    command = ["evaluate", "mprnet_tiny.denoise", "--data", "photos", "--protocol", "gaussian-25", "-o", "out", *arguments]
    result = CliRunner().invoke(app, command)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("name", FOREIGN)
def test_what_no_evaluation_wrote_is_refused_and_stays(here, name):
    (here / "out" / name).write_text(FOREIGN[name])
    for arguments in (["--overwrite"], ["--overwrite", "--report"]):
        result = evaluate(*arguments)
        assert result.exit_code == 1
        assert f"out/{name} would be replaced, but no evaluation has written it; move it" in result.stderr
        assert {path.name: path.read_text() for path in (here / "out").iterdir()} == {name: FOREIGN[name]}


def test_results_of_an_earlier_evaluation_are_replaced(here):
    (here / "out" / "notes.txt").write_text("mine")
    assert evaluate("--overwrite", "--report").exit_code == 0
    assert foreign_files(here / "out") == []
    assert evaluate("--overwrite").exit_code == 0
    assert sorted(path.name for path in (here / "out").iterdir()) == ["notes.txt", "results.csv", "results.json"]


def test_the_file_next_to_a_submission_is_not_replaced_unless_it_is_one(here):
    (here / "out.json").write_text(json.dumps({"mine": 1}))
    assert foreign_files(here / "out") == [here / "out.json"]
    (here / "out.json").write_text(json.dumps({"protocol": "dnd", "boxes": 20}))
    assert foreign_files(here / "out") == []
