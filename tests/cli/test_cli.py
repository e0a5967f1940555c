"""The shell commands, run as a user runs them."""

import contextlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from restorekit.checkpoints import original_names, save_weights
from restorekit.cli import _demo as demo
from restorekit.cli import app
from restorekit.cli._main import COMMANDS, imported
from restorekit.composition import compose
from restorekit.data import add_gaussian_noise
from restorekit.images import noisy_photo, sample_photo
from restorekit.models import create_model, list_models, mprnet

SMALL = {"width": 8, "unet_step": 4, "ors_step": 4, "num_blocks": 1}


def restorekit(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from restorekit.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, env=os.environ | {"COLUMNS": "200"})


def in_process(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Do the same without the start of Python and torch, which is what takes time."""
    with contextlib.chdir(cwd or Path.cwd()):
        result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    torch.manual_seed(0)
    save_weights(mprnet(**SMALL), path, {"architecture": "mprnet", "arguments": json.dumps(SMALL)})
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (21, 30, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.usefixtures("unchecked_annotations")
def test_demo_writes_a_picture_and_gains_five_decibels(tmp_path: Path) -> None:
    result = in_process("demo", "-o", "demo.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    first = result.stdout.split()
    assert float(first[5]) > float(first[1]) + 5, result.stdout
    with Image.open(tmp_path / "demo.png") as sheet:
        assert sheet.width > 3 * 500
        night, restored = (np.asarray(sheet.crop((left, 592, left + 752, 1072))) for left in (12, 776))
    assert (night == noisy_photo()).all()
    grain = [np.diff(each.astype(float)[::2, ::2].mean(-1)).std() for each in (restored, night)]
    assert grain[0] < 0.8 * grain[1], "the night is less noisy"


@pytest.mark.parametrize("name", [name for name in list_models("mprnet_tiny.*", pretrained=True) if not name.endswith("denoise")])
@pytest.mark.usefixtures("unchecked_annotations")
def test_demo_of_every_other_bundled_network(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--task", name.partition(".")[2], "-o", str(tmp_path / "demo.png")])
    assert result.exit_code == 0, result.stderr
    first = result.stdout.split()
    assert float(first[5]) > float(first[1]) + 2, result.stdout


@pytest.mark.parametrize(("task", "words"), [("deblurr", "did you mean 'deblur'"), ("upscale", "known: deblur, denoise, derain")])
@pytest.mark.usefixtures("unchecked_annotations")
def test_demo_explains_which_tasks_there_are(task: str, words: str) -> None:
    result = CliRunner().invoke(app, ["demo", "--task", task])
    assert result.exit_code == 1
    assert words in " ".join(result.stderr.split())


@pytest.mark.usefixtures("unchecked_annotations")
def test_demo_of_a_task_without_bundled_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(demo.TASKS, "dehaze", ("hazy", {"name": "jpeg"}))
    result = CliRunner().invoke(app, ["demo", "--task", "dehaze"])
    assert result.exit_code == 1
    assert "no bundled weights for dehaze; available tasks" in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("demo",),
        ("restore",),
        ("models",),
        ("inspect",),
        ("convert",),
        ("train",),
        ("push",),
        ("weights",),
        ("data", "preview"),
        ("data", "prepare"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_help_teaches_by_example(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout
    assert not command or f"restorekit {command[0]}" in result.stdout.split("Example")[1]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("data", "weights")])
def test_no_option_is_declared_twice(name: str) -> None:
    options = [option for parameter in imported(name).params for option in (*parameter.opts, *parameter.secondary_opts)]
    assert sorted(options) == sorted(set(options))


@pytest.mark.usefixtures("unchecked_annotations")
def test_models_shows_parameters_size_and_licence() -> None:
    result = in_process("models", "mprnet_*")
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line}
    assert "20,127,073" in rows["mprnet_deblur.gopro"]
    assert "76.8 MiB" in rows["mprnet_deblur.gopro"]
    assert "non-commercial" in rows["mprnet_deblur.gopro"]
    assert "Apache-2.0" in rows["mprnet_tiny.denoise"]
    assert "bundled" in rows["mprnet_tiny.denoise"]


@pytest.mark.usefixtures("unchecked_annotations")
def test_models_lists_what_is_asked_for() -> None:
    run = CliRunner().invoke
    allowed = run(app, ["models", "mprnet_*", "--commercial-use"]).stdout
    assert "mprnet_tiny.denoise" in allowed
    assert "mprnet_deblur" not in allowed
    assert run(app, ["models", "nothing*"]).exit_code == 1
    assert " ~84.6 MiB " in run(app, ["models", "hinet_half*"]).stdout  # of the parameters, as nobody states the size of the file


@pytest.mark.usefixtures("unchecked_annotations")
def test_restore_removes_noise_from_a_file(tmp_path: Path) -> None:
    clean = sample_photo()[100:228, 100:260]
    noisy = add_gaussian_noise(clean, 25.0, np.random.default_rng(0))
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    result = in_process("restore", "noisy.png", "-o", "out/restored.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "out" / "restored.png") as image:
        restored = np.asarray(image).astype(float)
    assert np.square(restored - clean).mean() < 0.4 * np.square(noisy.astype(float) - clean).mean()


@pytest.mark.usefixtures("unchecked_annotations")
def test_restore_stops_after_some_stages(tmp_path: Path, photo: Path, weights: Path) -> None:
    for k in (1, 3):
        result = in_process("restore", photo, "-o", tmp_path / f"{k}.png", "--weights", weights, "--stages", k)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "3.png").read_bytes()
    result = in_process("restore", photo, "-o", tmp_path / "4.png", "--weights", weights, "--stages", 4)
    assert result.returncode == 2
    assert "stages must be from 1 to 3" in result.stderr


@pytest.mark.usefixtures("unchecked_annotations")
def test_restore_enlarges_and_tells_conditions(tmp_path: Path, photo: Path) -> None:
    """Files get the size that the network restores, at once and by rows, and the comparison too."""
    config = {"stages": [{"name": "unet", "widths": [4, 6]}], "output": {"scale": 2}, "head": "pixel_shuffle"}
    model = compose(config | {"conditions": [{"name": "noise_level", "unit": 255}]})
    save_weights(model, tmp_path / "twice.safetensors", {"composition": json.dumps(model.config)})
    common = ["restore", photo, "-o", tmp_path / "out.png", "--weights", tmp_path / "twice.safetensors"]
    result = in_process(*common, "--compare", "--condition", "noise_level=25")
    assert result.returncode == 0, result.stderr
    with Image.open(photo) as before, Image.open(tmp_path / "out.png") as after, Image.open(tmp_path / "out.compare.png") as both:
        assert after.size == (2 * before.width, 2 * before.height)
        assert both.width > 2 * after.width
    told = (tmp_path / "out.png").read_bytes()
    assert in_process(*common, "--overwrite", "--sigma", "25").returncode == 0
    assert (tmp_path / "out.png").read_bytes() == told
    refused = {
        (): "--condition noise_level is missing",
        ("--condition", "noise_level"): "--condition must be NAME=NUMBER",
        ("--sigma", "much"): "--noise-level must be a number; got 'much'",
    }
    for given, words in refused.items():
        result = in_process(*common, "--overwrite", *given)
        assert result.returncode == 2
        assert words in result.stderr
    result = in_process("restore", photo, "-o", tmp_path / "none.png", "--sigma", "25")
    assert result.returncode == 2
    assert "--noise-level is not for this network" in result.stderr


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_folder_goes_on_after_bad_files_and_says_so(tmp_path: Path, photo: Path, weights: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "good.png").write_bytes(photo.read_bytes())
    (folder / "truncated.png").write_bytes(photo.read_bytes()[:700])
    (folder / "text.jpg").write_text("not an image")
    result = in_process("restore", folder, "-o", tmp_path / "out", "--weights", weights)
    assert result.returncode == 1
    assert "restored 1 of 3 images" in result.stdout
    assert "truncated.png" in result.stderr
    assert "text.jpg is not an image" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == ["good.png"]


@pytest.mark.usefixtures("unchecked_annotations")
def test_an_existing_output_is_refused_without_overwrite(tmp_path: Path, photo: Path, weights: Path) -> None:
    before = photo.read_bytes()
    result = in_process("restore", photo, "-o", photo, "--weights", weights)
    assert result.returncode == 1
    assert "output is the input itself" in result.stderr
    assert photo.read_bytes() == before
    other = tmp_path / "other.png"
    other.write_text("mine")
    assert "exists" in in_process("restore", photo, "-o", other, "--weights", weights).stderr
    assert other.read_text() == "mine"
    assert in_process("restore", photo, "-o", photo, "--weights", weights, "--overwrite").returncode == 0
    assert photo.read_bytes() != before


@pytest.mark.usefixtures("unchecked_annotations")
def test_restore_of_a_photo_alone_says_what_it_did(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["restore", "photo.png", "--compare", "--task", "denoise"])
    assert result.exit_code == 0, result.stderr
    assert re.fullmatch(
        r"photo.png -> photo.restored.png: 30 x 21 by nafnet_tiny.denoise in (bfloat16|float32), \d+\.\d s\n", result.stdout
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "photo.restored.compare.png", "photo.restored.png"]


@pytest.mark.usefixtures("unchecked_annotations")
def test_restore_goes_on_where_it_stopped_and_reports(
    tmp_path: Path, photo: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for i in range(4):
        Path("in", f"{i}.png").write_bytes(photo.read_bytes())
    common = ["restore", "in/*.png", "-o", "out", "--weights", str(weights), "--report", "report.jsonl", "--workers", "1"]
    result = CliRunner().invoke(app, [*common, "--shard", "1/2", "--batch", "2"])
    assert result.stdout.startswith("restored 2 of 2 images to out; "), result.stderr
    assert sorted(path.name for path in Path("out").iterdir()) == ["0.png", "2.png"]
    result = CliRunner().invoke(app, common)
    assert result.stdout.startswith("restored 2 of 4 images to out, 2 already existed; ")
    assert CliRunner().invoke(app, common).stdout.startswith("restored 0 of 4 images to out, 4 already existed; ")
    lines = [json.loads(line) for line in Path("report.jsonl").read_text().splitlines()]
    assert sorted(line["input"] for line in lines) == [f"in/{i}.png" for i in range(4)]
    assert {line["model"] for line in lines} == {str(weights)}
    assert {path.read_bytes() for path in Path("out").iterdir()} == {Path("out/0.png").read_bytes()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("photo.png", "--task", "deblurr"), "did you mean 'deblur'"),
        (
            ("photo.png", "--task", "denoise", "--model", "mprnet_tiny"),
            "--task and --model each choose the network; give only one of them",
        ),
        (("photo.png", "--shard", "3/2"), "i from 1 to n, such as 1/4; got 3/2"),
        (("photo.png", "--shard", "half"), "a shard is i/n"),
        (("photo.png", "--alpha", "drop"), "--alpha must be one of keep, restore; got 'drop'"),
        (("photo.png", "--report", "none/report.jsonl"), "--report none/report.jsonl cannot be used"),
        (("none*.png",), "no image matches none*.png"),
        (("photo.png", "-o", "out.mp4"), "out.mp4: unknown image format '.mp4'"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations", "photo")
def test_options_of_restore_are_explained(
    tmp_path: Path, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["restore", *arguments])
    assert result.exit_code in (1, 2)
    assert words in " ".join(result.stderr.split())
    assert isinstance(result.exception, SystemExit)
    assert list(tmp_path.iterdir()) == [tmp_path / "photo.png"]


@pytest.mark.usefixtures("unchecked_annotations")
def test_quality_of_the_output_is_settable(tmp_path: Path, weights: Path) -> None:
    source = tmp_path / "a.png"
    Image.fromarray(sample_photo()[:64, :64]).save(source)
    for quality in ([], ["--quality", "50"]):
        target = tmp_path / f"{len(quality)}.jpg"
        result = CliRunner().invoke(app, ["restore", str(source), "-o", str(target), "--weights", str(weights), *quality])
        assert result.exit_code == 0, result.stderr
    assert (tmp_path / "2.jpg").stat().st_size < (tmp_path / "0.jpg").stat().st_size / 2


@pytest.mark.usefixtures("unchecked_annotations")
def test_two_inputs_for_one_output_are_refused(tmp_path: Path, photo: Path, weights: Path) -> None:
    other = tmp_path / "other" / photo.name
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    result = in_process("restore", photo, other, "-o", tmp_path / "out", "--weights", weights)
    assert result.returncode == 1
    assert "is also the output of" in result.stderr
    assert (tmp_path / "out" / photo.name).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing.png", "-o", "out.png"), "no image at missing.png"),
        (("photo.png", "-o", "out.xyz"), "out.xyz: unknown image format '.xyz'"),
        (("photo.png", "-o", "photo.png/out.png"), "cannot make the folder photo.png: a file has this name"),
        (("photo.png", "-o", "out.png", "--model", "mprnet_tyni"), "did you mean 'mprnet_tiny'"),
        (("photo.png", "-o", "out.png", "--model", "mprnet_tiny.denoize"), "did you mean 'denoise'"),
        (("photo.png", "-o", "out.png", "--model", "mprnet_deblur.gopro"), "are not available"),
        (("photo.png", "-o", "out.png", "--weights", "photo.png"), "not a checkpoint"),
        (("photo.png", "-o", "out.png", "--precision", "float8"), "must be one of"),
        (("photo.png", "-o", "out.png", "--device", "tpu9"), "--device tpu9 is not available; use cpu"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_restore_explains_what_is_wrong(tmp_path: Path, photo: Path, arguments: tuple[str, ...], words: str) -> None:
    result = in_process("restore", *arguments, cwd=tmp_path)
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1 or words == "are not available"  # which lists all places
    assert result.returncode in (1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


class Executed:
    """Unpickling this would make a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def damaged(weights: Path, folder: Path) -> dict[str, str]:
    """Write checkpoints that are no good; return what is to be said of each, by file name."""
    state = load_file(weights)
    name = next(name for name in state if name.endswith("squeeze.weight"))
    meta = {"architecture": "mprnet", "arguments": json.dumps(SMALL)}
    for file, changed in {
        "missing": {key: tensor for key, tensor in state.items() if key != name},
        "extra": state | {"extra.weight": torch.zeros(2)},
        "misshapen": state | {name: torch.zeros(2, 3)},
        "nan": state | {name: state[name] * torch.nan},
    }.items():
        save_file(changed, folder / f"{file}.safetensors", meta)
    save_file(state, folder / "metadata.safetensors", meta | {"arguments": "{not JSON"})
    save_file(state, folder / "arguments.safetensors", meta | {"arguments": '{"widht": 8}'})
    save_file(state, folder / "kind.safetensors", meta | {"arguments": "[8]"})
    (folder / "cut.safetensors").write_bytes(weights.read_bytes()[:1000])
    (folder / "empty.pth").write_bytes(b"")
    (folder / "text.pth").write_text("hello")
    torch.save({"state_dict": Executed()}, folder / "code.pth")
    (folder / "pickle.pth").write_bytes(pickle.dumps({"state_dict": Executed()}))
    return {
        "missing.safetensors": "1 missing",
        "extra.safetensors": "1 unexpected (extra.weight)",
        "misshapen.safetensors": "is (2, 3), expected",
        "nan.safetensors": f"does not fit mprnet: 1 NaN or infinite ({name})\n",
        "metadata.safetensors": "'arguments' in its metadata is '{not JSON', which is not JSON; if you know the model",
        "arguments.safetensors": "unexpected keyword argument 'widht'",
        "kind.safetensors": "kind.safetensors (its metadata): 'arguments' is [8], expected a dict",
        "cut.safetensors": "is truncated or not a safetensors file",
        "empty.pth": "is truncated or not a checkpoint; download it again",
        "text.pth": "is truncated or not a checkpoint; download it again",
        "code.pth": "is a pickle that would run code",
        "pickle.pth": "is truncated or not a checkpoint",
        "none.pth": "no checkpoint at none.pth",
    }


@pytest.mark.usefixtures("unchecked_annotations")
def test_bad_checkpoints_give_one_line_and_no_file(tmp_path: Path, weights: Path) -> None:
    expected = damaged(weights, tmp_path)
    before = sorted(tmp_path.iterdir())
    for name, words in expected.items():
        result = in_process("convert", name, "out.safetensors", cwd=tmp_path)
        assert result.returncode == 1, result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert result.stderr.startswith("error: ")
        assert words in result.stderr, name
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("unchecked_annotations")
def test_an_image_that_needs_too_much_memory_is_refused_at_once(tmp_path: Path) -> None:
    Image.new("RGB", (5000, 4000)).save(tmp_path / "large.png")
    result = in_process("restore", "large.png", "-o", "out.png", "--tile", "none", "--max-memory", "2GB", cwd=tmp_path)
    assert result.returncode == 1
    assert re.fullmatch(
        r"failed: large.png: not enough memory to restore 5000x4000 pixels at once "
        r"\(about \d+\.\d GB needed, 2\.0 GB allowed\); use smaller tiles.*\n",
        result.stderr,
    )
    assert not (tmp_path / "out.png").exists()


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_file_that_is_named_twice_is_restored_once(tmp_path: Path, photo: Path, weights: Path) -> None:
    result = in_process("restore", photo, photo, "-o", tmp_path / "out", "--weights", weights)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(" -> ") == 1


@pytest.mark.parametrize(
    ("target", "words"),
    [("none/out.safetensors", "there is no folder none"), ("folder.safetensors", "folder.safetensors is a folder")],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_convert_explains_a_target_that_cannot_be_written(
    tmp_path: Path, weights: Path, target: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.safetensors").mkdir()
    result = CliRunner().invoke(app, ["convert", str(weights), target, "--overwrite"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {words}")
    assert len(result.stderr.splitlines()) == 1


def test_an_interrupted_folder_leaves_only_whole_files(tmp_path: Path, photo: Path, weights: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i in range(300):
        (folder / f"{i:03}.png").write_bytes(photo.read_bytes())
    command = [
        sys.executable,
        "-c",
        "from restorekit.cli import main; main()",
        "restore",
        folder,
        "-o",
        out,
        "--weights",
        weights,
    ]
    listening = partial(signal.signal, signal.SIGINT, signal.default_int_handler)  # a job in the background ignores Ctrl-C
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listening)
    while process.poll() is None and not (out / "002.png").exists():
        time.sleep(0.001)
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


@pytest.mark.usefixtures("unchecked_annotations")
def test_convert_recognises_an_original_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["convert", *arguments])

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = mprnet(**SMALL, bias=True)
    ours = {mine: theirs for theirs, mine in original_names(model).items()}
    original = {}
    for name, tensor in model.state_dict().items():
        module, _, parameter = name.rpartition(".")
        original[f"module.{ours[module]}.{parameter}"] = tensor
    torch.save({"epoch": 3, "state_dict": original}, tmp_path / "original.pth")
    result = convert("original.pth", "model.safetensors")
    assert result.exit_code == 0, result.stderr
    loaded = create_model("mprnet", tmp_path / "model.safetensors", **SMALL, bias=True)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert convert("model.safetensors", "back.pth", "--to", "original").exit_code == 0
    back = torch.load(tmp_path / "back.pth", weights_only=True)["state_dict"]
    assert set(back) == {name.removeprefix("module.") for name in original}
    assert "exists" in convert("original.pth", "model.safetensors").stderr
    assert convert("original.pth", "model.pth").exit_code == 2


@pytest.mark.parametrize(
    "arguments", [("demo", "-o"), ("data", "preview", "-o"), ("inspect", "mprnet_tiny", "--draw")], ids=lambda each: each[0]
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_a_file_that_exists_is_replaced_only_if_asked(arguments: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / ("a.svg" if "inspect" in arguments else "a.png")
    path.write_text("mine")
    result = in_process(*arguments, path.name, cwd=tmp_path)
    assert result.returncode == 2
    assert f"error: {path.name} exists; choose another name, or pass --overwrite" in result.stderr
    assert path.read_text() == "mine"
    assert in_process(*arguments, path.name, "--overwrite", cwd=tmp_path).returncode == 0
    assert path.read_bytes() != b"mine"


@pytest.mark.usefixtures("unchecked_annotations")
def test_data_preview_draws_what_is_asked_for(tmp_path: Path, photo: Path) -> None:
    options = ("--side", 32, "--rows", 2, "-d", "rain:layers=2,angle=-10..10", "-d", "jpeg:quality=30")
    for run, name in ((in_process, "first.png"), (restorekit, "again.png")):  # the same in another process
        result = run("data", "preview", photo, "-o", name, *options, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    with Image.open(tmp_path / "first.png") as sheet:
        assert sheet.width == 3 * (32 + 12) + 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("preview", "-d", "rian"), "did you mean 'rain'"),
        (("preview", "-d", "rain:lenght=3"), "unexpected keyword argument 'lenght'"),
        (("preview", "-d", "rain:length=long"), "expected name:argument=value"),
        (("preview", "missing.png"), "no image at missing.png"),
        (("prepare", "gopro", "in", "-o", "out"), "only sidd needs preparing"),
        (("prepare", "sidd", "in", "-o", "out"), "in is not a folder"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_data_explains_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["data", *arguments])
    assert result.exit_code in (1, 2)
    assert words in " ".join(result.stderr.split())
    assert isinstance(result.exception, SystemExit)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("unchecked_annotations")
def test_data_prepare_cuts_crops(tmp_path: Path) -> None:
    scene = tmp_path / "SIDD_Medium_Srgb" / "Data" / "0001_001_S6"
    scene.mkdir(parents=True)
    for kind in ("NOISY", "GT"):
        Image.fromarray(sample_photo()[:40, :50]).save(scene / f"0001_{kind}_SRGB_010.PNG")
    result = in_process("data", "prepare", "sidd", "SIDD_Medium_Srgb", "-o", "crops", "--crops", 2, "--side", 16, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "2 pairs of crops in crops" in result.stdout
    assert len(list((tmp_path / "crops" / "input").glob("*.png"))) == 2
