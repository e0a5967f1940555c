"""``restorekit train`` from the shell: what is wrong is explained, and Ctrl-C saves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from _helpers import ROOT
from _helpers.training import MPRNET, TINY, photos
from restorekit.cli import app
from restorekit.train import load_recipe

RECIPE = "mprnet_tiny.denoise"
PAIRS = ["data.layout=folders", "data.degradations=[]", "data.half_size=false"]


def command(*arguments):
    return [sys.executable, "-m", "restorekit", "train", *map(str, arguments)]


def run(*arguments):
    result = CliRunner().invoke(app, ["train", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result, " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def here(tmp_path, monkeypatch, unchecked_annotations):
    """A working folder with photographs."""
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "photos")
    return tmp_path


def picture(path, mode="RGB", size=(40, 30), dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"RGB": (*size, 3), "L": size}[mode]
    Image.fromarray(np.full(shape, 99, dtype)).save(path)


def test_print_shows_the_merged_recipe(here):
    result, _ = run(RECIPE, "optimizer.lr=1e-3", "data.path=photos/", "--print")
    Path("merged.toml").write_text(result.stdout)
    assert load_recipe("merged.toml") == load_recipe(RECIPE, ["optimizer.lr=1e-3", "data.path=photos/"])
    assert sorted(path.name for path in here.iterdir()) == ["merged.toml", "photos"]


def test_a_run_from_a_file_into_the_usual_folder(here):
    (here / "mine.toml").write_text(run(RECIPE, *TINY, "data.path=photos", "run.steps=2", "schedule.warmup=1", "--print")[0].stdout)
    result, text = run("mine.toml", "validation.path=photos")
    assert result.exit_code == 0, text
    assert "weights: runs/mine/weights.safetensors" in result.stdout
    assert "step 2: loss" in text
    assert "dB, SSIM" in text


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["optimizer.lrr=1"], "optimizer.lrr: unknown key; did you mean 'lr'?"),
        ([], "data.path is empty; give the folder of the data set: data.path=FOLDER"),
        (["data.path=none"], "none is not a folder"),
        (["data.path=empty"], "empty contains no image"),
        (["data.path=pairs"], "pairs contains pairs, input/ and target/, not clean photographs; set data.layout=folders"),
        (["data.path=broken"], "broken/b.png is not an image in a readable format"),
        (["data.path=deep"], "deep/a.png has 16 bits"),
        (["data.path=photos", "validation.path=empty"], "empty contains no image"),
        (["data.path=photos", "validation.path=pairs"], "set validation.layout=folders"),
        (["data.path=photos", "data.crop=18"], "data.crop must be a multiple of 4 for this network; got 18"),
        (["data.path=photos", "model.init=none.pth"], "no checkpoint at none.pth"),
        (["data.path=photos", "model.init=mprnet_tiny.denoise"], "does not fit MultiStage"),
        (["data.path=photos", "-o", "photos/a.png"], "photos/a.png is a file; a run needs a folder"),
        (["data.path=photos", "--device", "tpu"], "device must be auto or cpu; got 'tpu'"),
    ],
)
def test_what_is_wrong_is_explained(here, overrides, words):
    (here / "empty").mkdir()
    for kind in ("input", "target"):
        picture(here / "pairs" / kind / "a.png")
    picture(here / "broken" / "a.png")
    (here / "broken" / "b.png").write_text("text")
    picture(here / "deep" / "a.png", "L", dtype=np.uint16)
    result, text = run(RECIPE, *TINY, "-o", "run", *overrides)
    assert result.exit_code in (1, 2)
    assert words in text
    assert "reading images" not in text
    assert not (here / "run").exists()


@pytest.mark.parametrize(
    ("layout", "files", "words"),
    [
        (
            "folders",
            {"input/a.png": {}, "input/b.png": {}, "target/a.png": {}},
            "images in data/input and data/target need a partner of the same name; 1 missing",
        ),
        (
            "folders",
            {"input/a.png": {}, "target/a.png": {"size": (40, 31)}},
            "a.png is 30x40 and data/target/a.png is 31x40",
        ),
        ("folders", {"input/a.png": {"mode": "L"}, "target/a.png": {}}, "data/input/a.png is grey but its partner"),
        ("folders", {"a.png": {}}, "data does not contain pairs; looked for input/ and target/; it contains: a.png"),
        ("folders", {"Data/1/1_NOISY_SRGB_010.PNG": {}}, "data is SIDD-Medium as published, without input/ and target/; cut it"),
        ("gopro", {"train/scene/sharp/a.png": {}}, "data does not contain GoPro (train); looked for train/SCENE/blur/ and sharp/"),
        ("rain13k", {"train/scene/blur/a.png": {}, "train/scene/sharp/a.png": {}}, "data does not contain Rain13K"),
    ],
)
def test_pairs_that_do_not_fit_are_explained(here, layout, files, words):
    for path, kind in files.items():
        picture(here / "data" / path, **kind)
    options = [*TINY, "data.path=data", *PAIRS, f"data.layout={layout}"]
    result, text = run(RECIPE, *options, "-o", "run")
    assert result.exit_code == 1
    assert words in text
    assert not (here / "run").exists()


@pytest.mark.parametrize("options", [["data.path=small"], ["data.path=pairs", *PAIRS]])
def test_crops_larger_than_images_are_padded_and_that_is_said(here, options):
    for folder in ("small", "pairs/input", "pairs/target"):
        picture(here / folder / "a.png", size=(20, 9))
        picture(here / folder / "b.png", size=(32, 32))
    result, text = run(RECIPE, *TINY, *options, "run.steps=1", "schedule.warmup=0", "data.crop=32", "-o", "run")
    assert result.exit_code == 0, text
    place = options[0].removeprefix("data.path=")
    assert f"warning: 1 images in {place} are smaller than a crop, 32 x 32, and reflected at the right and the bottom: a;" in text


def test_another_recipe_or_network_is_refused(here):
    options = ["data.path=photos", "run.steps=1", "schedule.warmup=0", "-o", "run"]
    assert run(RECIPE, *TINY, *options)[0].exit_code == 0
    assert (
        "run contains a run of another recipe: optimizer.lr (was 0.002, now 0.001)"
        in run(RECIPE, *TINY, *options, "optimizer.lr=1e-3")[1]
    )
    deblur = run("mprnet_tiny.deblur", *TINY, *options)[1]
    assert 'another recipe: task (was "denoise", now "deblur")' in deblur
    other = run(RECIPE, *TINY, *MPRNET, *options, "--allow-changes")[1]
    assert "run/checkpoint.pth does not fit the model of this recipe" in other
    assert "model.init=FILE.safetensors" in other


def test_full_disk(here, monkeypatch):
    import shutil

    usage = shutil.disk_usage(here)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    assert "run has 0 MB of free space" in run(RECIPE, *TINY, "data.path=photos", "-o", "run")[1]


def test_without_the_extra(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert 'pip install "restorekit[train]"' in run(RECIPE, *TINY, "data.path=photos", "-o", "run")[1]


def test_ctrl_c_saves_and_says_how_to_go_on(here):
    arguments = (RECIPE, *TINY, "data.path=photos", "run.steps=1000", "run.save_every=1000", "-o", "run", "--device", "cpu")
    root = str(ROOT)
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    log = here / "run" / "log.jsonl"
    while process.poll() is None and not (log.exists() and len(log.read_text().splitlines()) > 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "stopping after this step" in errors
    assert "The same command resumes run: restorekit train mprnet_tiny.denoise" in errors
    assert "Traceback" not in errors
    done = len(log.read_text().splitlines())
    assert 3 <= done < 1000
    steps = [f"run.steps={done + 1}" if text == "run.steps=1000" else text for text in arguments]
    result, text = run(*steps, "--allow-changes")
    assert result.exit_code == 0, text
    assert len(log.read_text().splitlines()) == done + 1
