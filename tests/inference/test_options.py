"""The options of inference: checked when they are made, spelled as the caller spells them, the same in every command."""

import importlib
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from _helpers.identity import Identity
from restorekit import create_model, restore
from restorekit.cli import app
from restorekit.errors import OptionError
from restorekit.inference import OPTIONS, InferenceOptions, Progress, Restorer
from restorekit.stages import MultiStage, UNetStage

WRONG = {  # what is typed, and the one sentence that answers
    "--max-memory foo": "--max-memory must be a size such as 2GB or 512MiB, or a number of bytes; got 'foo'",
    "--tile 3": "--tile must be at least 192 pixels with an overlap of 64; got 3",
    "--tile abc": "--tile must be 'auto', a number of pixels, or None for the whole image at once; got 'abc'",
    "--overlap 9999 --tile 64": "--tile must be at least 29997 pixels with an overlap of 9999; got 64",
    "--overlap -1": "--overlap must not be negative; got -1",
    "--overlap much": "--overlap must be a whole number; got 'much'",
    "--device gpu": "--device gpu is not available; use cpu, or a device of this machine such as cuda, cuda:1 or mps",
    "--device meta": "--device meta is not available; use cpu, or another device of this machine",
    "--precision x": "--precision must be one of auto, float32, bfloat16, float16; got 'x'",
    "--pooling max": "--pooling must be one of global, local; got 'max'",
    "--train-size 0": "--train-size must be 1 pixel or more; got 0",
    "--stages 0": "--stages must be from 1 to the number of supervised stages; got 0",
    "--stages two": "--stages must be a whole number; got 'two'",
    "--strength 3": "--strength must be from 0 to 1.5; got 3.0",
    "--strength nan": "--strength must be from 0 to 1.5; got nan",
    "--strength most": "--strength must be a number; got 'most'",
}
NETWORK = {  # what is only wrong for the network
    "--stages 4": "--stages must be from 1 to 3, the supervised stages of this network; got 4",
    "--tile 9 --overlap 1": "--tile must be at least 16 pixels for this network with an overlap of 1; got 9",
    "--pooling local --train-size 33": "--pooling cannot be local: train_size is 33; this network takes sides",
}
COMMANDS = {
    "restore": ("a.png", "b.png", "--model", "mprnet_tiny.denoise"),
    "demo": ("--model", "mprnet_tiny.denoise"),
    "evaluate": ("mprnet_tiny.denoise", "--data", "data", "--protocol", "pairs"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "data/input/1.png", "data/target/1.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)).save(name)
    return tmp_path


def refused(command: str, typed: str, words: str) -> None:
    before = sorted(Path().rglob("*"))
    result = CliRunner().invoke(app, [command, *COMMANDS[command], *typed.split()])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"error: {words}"), result.stderr
    assert len(result.stderr.splitlines()) == 1  # and so it is said once, of all files
    assert not result.stdout
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("unchecked_annotations", "folder")
def test_what_is_wrong_is_said_before_anything_is_loaded(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*arguments: object, **others: object) -> None:
        raise AssertionError("a model is loaded")

    module = importlib.import_module(f"restorekit.cli._{command}")  # where a command has its names from
    for name in {"create_model", "model_from_checkpoint", "fetch_weights"} & set(vars(module)):
        monkeypatch.setattr(module, name, load)
    for typed, words in WRONG.items():
        refused(command, typed, words)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("unchecked_annotations", "folder")
def test_what_does_not_fit_the_network_is_said_once(command: str) -> None:
    for typed, words in NETWORK.items():
        refused(command, typed, words)


@pytest.mark.usefixtures("unchecked_annotations")
def test_every_command_has_every_option_and_says_which_defaults_differ() -> None:
    defaults = {name: option.default for name, option in OPTIONS.items()} | {"device": "cpu"}
    for command, others in (("restore", {}), ("demo", {}), ("evaluate", {"precision": "float32"})):
        lines = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout.splitlines()
        for name, default in (defaults | others).items():
            if name == "alpha" and command != "restore":  # the other images have none
                continue
            line = next(line for line in lines if re.search(f"--{name.replace('_', '-')}[ ,]", line))
            assert f"[default: {default}]" in line or default in (None, False), line


@pytest.mark.parametrize("typed", WRONG)
@pytest.mark.usefixtures("unchecked_annotations")
def test_python_spells_its_own_names(typed: str) -> None:
    words = typed.split()
    values = dict(zip((word[2:].replace("-", "_") for word in words[::2]), words[1::2], strict=True))
    with pytest.raises(OptionError) as caught:
        InferenceOptions.from_text(values)
    assert str(caught.value).startswith(f"{caught.value.option} ")
    assert caught.value.option in values
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    "wrong", [{"stages": 1.5}, {"stages": True}, {"overlap": None}, {"ensemble": "yes"}, {"strength": "1"}, {"strength": True}]
)
def test_every_field_is_checked_in_python(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=rf"^{next(iter(wrong))} must"):
        restore(Identity(), torch.zeros(3, 8, 8), **wrong)
    with pytest.raises(TypeError, match="tiel"):
        restore(Identity(), torch.zeros(3, 8, 8), tiel=64)


def test_typed_options_are_those_of_python() -> None:
    typed = InferenceOptions.from_text({"tile": "none", "overlap": "8", "stages": "2", "strength": "0.5", "ensemble": True})
    assert typed == InferenceOptions(tile=None, overlap=8, stages=2, strength=0.5, ensemble=True)
    assert InferenceOptions.from_text({}) == InferenceOptions()


def test_options_and_overrides_are_one() -> None:
    image = torch.rand(3, 40, 50)
    options = InferenceOptions(strength=0.5, precision="float32")
    half = torch.nn.Parameter(torch.tensor(0.5))
    model = Identity()
    model.weight = half
    torch.testing.assert_close(restore(model, image, options), image * 0.75)
    torch.testing.assert_close(restore(model, image, options, strength=1.0), image * 0.5)
    assert torch.equal(Restorer(model, options)(image), restore(model, image, strength=0.5, precision="float32"))


def test_progress_is_told_in_order() -> None:
    seen: list[object] = []
    progress = Progress(
        lambda plan: seen.append(plan.tiling.num_tiles), lambda *count: seen.append(count), lambda: seen.append("finished")
    )
    restorer = Restorer(Identity(), InferenceOptions(tile=64, overlap=16))
    restorer(torch.rand(3, 64, 100), progress=progress)
    assert seen == [2, (1, 2), (2, 2), "finished"]
    assert restorer.num_tiles == 2


class Noisy(Identity):
    """Adds what differs from place to place, and leaves the range."""

    def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        height, width = image.shape[-2:]
        ramp = torch.arange(height).reshape(-1, 1) / 50 - torch.arange(width) / 70
        return [image + ramp.to(image).sin()]


def pixels_of(dtype: type, channels: int) -> np.ndarray:
    pixels = np.random.default_rng(channels).random((40, 70, channels))
    return pixels.astype(dtype) if dtype in (np.float32, np.float64) else (pixels * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("channels", "how"),
    [
        (1, {}),
        (2, {"alpha": "restore"}),
        (3, {"ensemble": True}),
        (3, {"precision": "bfloat16"}),
        (4, {"tile": 32, "overlap": 8}),
        (4, {"alpha": "restore", "tile": 32, "overlap": 8}),
    ],
)
def test_strength_goes_from_the_image_to_the_restored_one(dtype: type, channels: int, how: dict[str, object]) -> None:
    image = pixels_of(dtype, channels)
    peak = 1 if dtype in (np.float32, np.float64) else np.iinfo(dtype).max
    restored = restore(Noisy(), image, **how)
    assert not np.array_equal(restored, image)
    np.testing.assert_array_equal(restore(Noisy(), image, strength=0, **how), image)
    np.testing.assert_array_equal(restore(Noisy(), image, strength=1, **how), restored)
    for strength in (0.3, 0.7, 1.5):
        given, full = image.astype(np.float64), restored.astype(np.float64)
        expected = (given + strength * (full - given)).clip(0, peak)
        found = restore(Noisy(), image, strength=strength, **how)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, atol=1e-6 if peak == 1 else 1.3)  # restored is rounded already


@pytest.mark.parametrize("strength", [0, 0.6, 1])
def test_strength_by_rows_is_that_of_the_whole(strength: float) -> None:
    image = pixels_of(np.uint8, 4)
    restorer = Restorer(Noisy(), InferenceOptions(strength=strength, tile=32, overlap=8))
    rows = list(restorer.by_rows(image.shape, image.dtype, lambda first, last: image[first:last]))
    np.testing.assert_array_equal(np.concatenate(rows), restorer(image))
    assert restorer.describe(image.dtype)["strength"] == strength


@given(st.floats(0, 1.5), st.integers(0, 2**32 - 1))
def test_strength_never_leaves_the_range(strength: float, seed: int) -> None:
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    found = restore(Noisy(), image, strength=strength)
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.usefixtures("unchecked_annotations")
def test_strength_in_the_shell(folder: Path) -> None:
    for strength in ("0", "0.5", "1"):
        command = ["restore", "a.png", "--strength", strength, "-o", f"{strength}.png", "--report", "report.jsonl"]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    plain = CliRunner().invoke(app, ["restore", "a.png", "-o", "plain.png"])
    assert plain.exit_code == 0
    pixels = {path.stem: np.asarray(Image.open(path)) for path in folder.glob("*.png")}
    np.testing.assert_array_equal(pixels["0"], pixels["a"])
    np.testing.assert_array_equal(pixels["1"], pixels["plain"])
    assert not np.array_equal(pixels["0.5"], pixels["a"])
    report = (folder / "report.jsonl").read_text()
    assert [f'"strength": {number}' in report for number in (0.0, 0.5, 1.0)] == [True] * 3


def test_a_network_without_means_cannot_pool_locally_and_says_so() -> None:
    with pytest.raises(OptionError, match=r"^pooling cannot be local: this network has no means over the whole image"):
        Restorer(MultiStage([UNetStage((4, 6), "rdb")]), InferenceOptions(pooling="local"))
    with pytest.raises(OptionError, match=r"^stages must be from 1 to 3"):
        Restorer(create_model("mprnet_tiny"), InferenceOptions(stages=4))
