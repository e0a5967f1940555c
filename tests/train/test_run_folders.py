"""The folder of a run: what no run has written stays as it is."""

import json
import os
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from _helpers.leftover import leftover
from _helpers.training import TINY, photos
from restorekit._files import folder_locked
from restorekit.cli import app

OPTIONS = ["mprnet_tiny.denoise", *TINY, "data.path=photos", "run.steps=2", "schedule.warmup=1", "validation.path=photos"]
OPTIONS += ["validation.every=1", "run.keep_every=2"]
HIDDEN = (".markdownlint.json", ".config.toml", ".notes.md", ".log.jsonl", ".a.png", ".a.pth", ".b.abcdefgh.part.safetensors")
WRITTEN = ("README.md", "recipe.toml", "run.json", "log.jsonl", "checkpoint.pth", "weights.safetensors", "best.safetensors")
WRITTEN += ("step-0000002.safetensors", "pictures/step-0000001.png")


@pytest.fixture
def here(tmp_path, monkeypatch, unchecked_annotations):
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "photos")
    for name in HIDDEN:
        Path(name).write_text(f"my {name}")
    return tmp_path


def train(*arguments):
    result = CliRunner().invoke(app, ["train", *OPTIONS, "-o", ".", "--device", "cpu", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def state(folder):
    """Return all files in a folder, with contents and times."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_hidden_files_of_others_stay(here):
    before = state(here)
    for _ in range(2):  # a new run, and one that goes on
        result = train()
        assert result.exit_code == 0, result.stderr
        assert before.items() <= state(here).items()


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_no_run_has_written_is_refused_before_the_work(here, name):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text('{"mine": 1}\n')
    before = state(here)
    result = train("--allow-changes")
    assert result.exit_code == 1
    assert f"error: . contains {name}, not written by a restorekit run, which this run would overwrite; choose another " in (
        result.stderr
    )
    assert "reading images" not in result.stderr
    assert state(here) == before


@pytest.mark.parametrize("content", ["[]", "{}", "[1]", '[{"date": 1}]', "not JSON", "[" * 10])
def test_what_is_no_record_of_a_run_is_not_taken_for_one(here, content):
    Path("run.json").write_text(content)
    Path("README.md").write_text("mine")
    before = state(here)
    assert ". contains run.json, README.md, not written by a restorekit run" in train().stderr
    assert state(here) == before


@pytest.mark.parametrize("name", ["pictures", "tensorboard", "README.md"])
def test_files_for_folders_and_folders_for_files_are_refused(here, name):
    if name == "README.md":
        Path(name).mkdir()
    else:
        Path(name).write_text("mine")
    before = state(here)
    assert f". contains {name}, not" in train().stderr
    assert state(here) == before


def test_files_that_the_run_does_not_write_are_no_matter(here):
    Path("pictures").mkdir()
    for name in ("mine.toml", "readme.txt", "pictures/step-0000009.png", "step-0000001.safetensors"):
        Path(name).write_text("mine")
    before = state(here)
    assert train().exit_code == 0
    assert before.items() <= state(here).items()


def test_a_foreign_log_in_the_folder_of_a_run_is_refused(here):
    assert train().exit_code == 0
    Path("log.jsonl").write_text('{"mine": 1}\n')
    before = state(here)
    assert ". contains log.jsonl, not written by a restorekit run" in train().stderr
    assert state(here) == before


@pytest.mark.parametrize("step", ["[1]", '"1"', "null"])
def test_a_log_without_steps_is_foreign(here, step):
    assert train().exit_code == 0
    Path("log.jsonl").write_text(f'{{"step": {step}, "loss": 1}}\n')
    before = state(here)
    assert ". contains log.jsonl, not written by a restorekit run" in train().stderr
    assert state(here) == before


def test_a_second_process_in_the_folder_is_refused(here):
    assert train().exit_code == 0
    before = state(here)
    with folder_locked(here) as alone:
        assert alone
        result = train("run.steps=4", "--allow-changes")
    assert result.exit_code == 1
    assert "error: another process is training in .; wait until it has finished, stop it, or choose another folder with" in (
        result.stderr
    )
    assert state(here) == before
    assert train("run.steps=4", "--allow-changes").exit_code == 0


def test_what_a_process_leaves_running_does_not_lock_the_folder(tmp_path):
    here, there = socket.socketpair()
    with folder_locked(tmp_path) as alone:
        assert alone
        child = os.fork()
        if child == 0:  # as a worker that reads data
            here.close()
            there.send(b"started")
            there.recv(1)  # until the other end is closed
            os._exit(0)
        here.recv(7)
    with folder_locked(tmp_path) as alone:
        assert alone
    here.close()
    there.close()
    assert os.waitpid(child, 0)[1] == 0


def test_a_foreign_checkpoint_in_the_folder_of_a_run_is_refused(here):
    import torch

    assert train().exit_code == 0
    torch.save([1, 2], "checkpoint.pth")
    before = state(here)
    assert "checkpoint.pth is not a checkpoint of a run" in train().stderr
    assert state(here) == before


def test_a_card_that_was_changed_is_kept_and_one_that_was_not_is_written_again(here):
    assert train().exit_code == 0
    assert train("run.steps=3", "--allow-changes").exit_code == 0
    card = Path("README.md").read_text()
    assert "3 steps of" in card
    changed = f"{card}\nThe photographs are by me."
    Path("README.md").write_text(changed)
    result = train("run.steps=4", "--allow-changes")
    assert result.exit_code == 0
    assert "README.md is not as the run wrote it, and is kept; to write a new one, move it" in " ".join(result.stderr.split())
    assert Path("README.md").read_text() == changed


def test_notes_in_the_recipe_of_a_run_stay_while_it_goes_on(here):
    assert train().exit_code == 0
    text = "# my notes\n" + Path("recipe.toml").read_text()
    Path("recipe.toml").write_text(text)
    assert train().exit_code == 0
    assert Path("recipe.toml").read_text() == text


def test_leftovers_of_a_killed_run_are_removed(here):
    assert train().exit_code == 0
    kept = leftover("photo.png")  # of another command
    before = {name: Path(name).read_bytes() for name in WRITTEN}
    left = [leftover(name) for name in WRITTEN]
    for name, content in before.items():
        Path(name).write_bytes(content)
    assert train().exit_code == 0
    assert not any(map(os.path.lexists, left))
    assert kept.exists()


def test_a_run_that_was_killed_at_its_start_goes_on(here, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("restorekit.train._run.to_toml", killed)
        assert train().exit_code == 130
    assert json.loads(Path("run.json").read_text())
    assert not Path("recipe.toml").exists()
    assert train().exit_code == 0
