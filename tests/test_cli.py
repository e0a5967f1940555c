"""The shell commands, run as a user runs them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restorekit.checkpoint import save_weights
from restorekit.data.noise import add_gaussian_noise
from restorekit.data.samples import sample_photo
from restorekit.models.mprnet import mprnet
from restorekit.zoo import create_model

SMALL = {"width": 8, "unet_step": 4, "ors_step": 4, "num_blocks": 1}


def restorekit(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from restorekit.cli.main import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, env=os.environ | {"COLUMNS": "200"})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    torch.manual_seed(0)
    import json

    save_weights(mprnet(**SMALL), path, {"architecture": "mprnet", "arguments": json.dumps(SMALL)})
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (21, 30, 3), dtype=np.uint8)).save(path)
    return path


def test_demo_writes_a_picture_and_gains_five_decibels(tmp_path: Path) -> None:
    result = restorekit("demo", "-o", "demo.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    first = result.stdout.split()
    assert float(first[5]) > float(first[1]) + 5, result.stdout
    with Image.open(tmp_path / "demo.png") as sheet:
        assert sheet.width > 3 * 500


@pytest.mark.parametrize("command", [(), ("demo",), ("restore",), ("models",), ("convert",), ("train",)])
def test_help_teaches_by_example(command: tuple[str, ...]) -> None:
    result = restorekit(*command, "--help")
    assert result.returncode == 0
    assert "Usage" in result.stdout
    assert not command or f"restorekit {command[0]}" in result.stdout.split("Example")[1]


def test_models_shows_parameters_size_and_licence() -> None:
    result = restorekit("models")
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line}
    assert "20,127,073" in rows["mprnet_deblur.gopro"]
    assert "76.8 MiB" in rows["mprnet_deblur.gopro"]
    assert "non-commercial" in rows["mprnet_deblur.gopro"]
    assert "Apache-2.0" in rows["mprnet_tiny.denoise"]
    assert "bundled" in rows["mprnet_tiny.denoise"]
    assert "mprnet_deblur" not in restorekit("models", "--commercial-use").stdout
    assert restorekit("models", "nothing*").returncode == 1


def test_restore_removes_noise_from_a_file(tmp_path: Path) -> None:
    clean = sample_photo()[100:228, 100:260]
    noisy = add_gaussian_noise(clean, 25.0, np.random.default_rng(0))
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    result = restorekit("restore", "noisy.png", "-o", "out/restored.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "out" / "restored.png") as image:
        restored = np.asarray(image).astype(float)
    assert np.square(restored - clean).mean() < 0.4 * np.square(noisy.astype(float) - clean).mean()


def test_a_folder_goes_on_after_bad_files_and_says_so(tmp_path: Path, photo: Path, weights: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "good.png").write_bytes(photo.read_bytes())
    (folder / "truncated.png").write_bytes(photo.read_bytes()[:700])
    (folder / "text.jpg").write_text("not an image")
    result = restorekit("restore", folder, "-o", tmp_path / "out", "--weights", weights)
    assert result.returncode == 1
    assert "restored 1 of 3 images" in result.stdout
    assert "truncated.png" in result.stderr
    assert "text.jpg is no image" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == ["good.png"]


def test_an_existing_output_is_refused_without_overwrite(tmp_path: Path, photo: Path, weights: Path) -> None:
    before = photo.read_bytes()
    result = restorekit("restore", photo, "-o", photo, "--weights", weights)
    assert result.returncode == 1
    assert "output is the input itself" in result.stderr
    assert photo.read_bytes() == before
    other = tmp_path / "other.png"
    other.write_text("mine")
    assert "exists" in restorekit("restore", photo, "-o", other, "--weights", weights).stderr
    assert other.read_text() == "mine"
    assert restorekit("restore", photo, "-o", photo, "--weights", weights, "--overwrite").returncode == 0
    assert photo.read_bytes() != before


def test_two_inputs_for_one_output_are_refused(tmp_path: Path, photo: Path, weights: Path) -> None:
    other = tmp_path / "other" / photo.name
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    result = restorekit("restore", photo, other, "-o", tmp_path / "out", "--weights", weights)
    assert result.returncode == 1
    assert "is the output of" in result.stderr
    assert (tmp_path / "out" / photo.name).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing.png", "-o", "out.png"), "no image at missing.png"),
        (("photo.png", "-o", "out.xyz/"), "restored 1 of 1"),
        (("photo.png", "-o", "out.png", "--model", "mprnet_tyni"), "did you mean 'mprnet_tiny'"),
        (("photo.png", "-o", "out.png", "--model", "mprnet_tiny.denoize"), "did you mean 'denoise'"),
        (("photo.png", "-o", "out.png", "--model", "mprnet_deblur.gopro"), "not bundled"),
        (("photo.png", "-o", "out.png", "--weights", "photo.png"), "not a checkpoint"),
        (("photo.png", "-o", "out.png", "--precision", "float8"), "must be one of"),
        (("photo.png", "-o", "out.png", "--device", "tpu9"), "tpu9"),
    ],
)
def test_restore_explains_what_is_wrong(tmp_path: Path, photo: Path, arguments: tuple[str, ...], words: str) -> None:
    result = restorekit("restore", *arguments, cwd=tmp_path)
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert (result.returncode == 0) == (words == "restored 1 of 1")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, photo: Path, weights: Path) -> None:
    (tmp_path / "file").write_text("")
    result = restorekit("restore", photo, "-o", tmp_path / "file" / "out.png", "--weights", weights)
    assert result.returncode == 1
    assert "failed" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_interrupted_folder_leaves_only_whole_files(tmp_path: Path, photo: Path, weights: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i in range(300):
        (folder / f"{i:03}.png").write_bytes(photo.read_bytes())
    command = [
        sys.executable,
        "-c",
        "from restorekit.cli.main import main; main()",
        "restore",
        folder,
        "-o",
        out,
        "--weights",
        weights,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (out / "002.png").exists():
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    done = sorted(out.iterdir())
    assert 3 <= len(done) < 300
    for path in done:
        assert not path.name.startswith(".")
        with Image.open(path) as image:
            image.load()


def test_convert_recognises_an_original_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = mprnet(**SMALL, bias=True)
    ours = {mine: theirs for theirs, mine in model.original_names.items()}
    original = {}
    for name, tensor in model.state_dict().items():
        module, _, parameter = name.rpartition(".")
        original[f"module.{ours[module]}.{parameter}"] = tensor
    torch.save({"epoch": 3, "state_dict": original}, tmp_path / "original.pth")
    result = restorekit("convert", "original.pth", "model.safetensors", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    loaded = create_model("mprnet", tmp_path / "model.safetensors", **SMALL, bias=True)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert "exists" in restorekit("convert", "original.pth", "model.safetensors", cwd=tmp_path).stderr
    assert restorekit("convert", "original.pth", "model.pth", cwd=tmp_path).returncode == 2


def test_train_resumes_to_the_same_weights(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(sample_photo()[:64, :96]).save(photos / "a.png")
    options = ("--crop", 16, "--batch", 2, "--warmup", 2, "--save-every", 2, "--validate-every", 2, "--validation", photos)
    assert restorekit("train", photos, "-o", tmp_path / "whole", *options, "--iterations", 4).returncode == 0
    lines = (tmp_path / "whole" / "log.jsonl").read_text().splitlines()
    assert len(lines) == 4
    assert '"psnr"' in lines[-1]
    again = restorekit("train", photos, "-o", tmp_path / "whole", *options, "--iterations", 4)
    assert again.returncode == 0
    assert (tmp_path / "whole" / "log.jsonl").read_text().splitlines() == lines
    changed = restorekit("train", photos, "-o", tmp_path / "whole", *options, "--iterations", 4, "--lr", 1)
    assert changed.returncode == 1
    assert "another config: lr" in changed.stderr
    missing = restorekit("train", tmp_path / "none", "-o", tmp_path / "other")
    assert missing.returncode == 1
    assert "is not a folder" in missing.stderr
