"""Training: exact resume, several processes, what is skipped, what is kept."""

import json
import math
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from _helpers import HELPERS, ROOT, TESTS
from _helpers.marks import nightly
from _helpers.training import MPRNET, photos, recipe
from restorekit import losses
from restorekit.checkpoints import read_metadata
from restorekit.composition import compose
from restorekit.data import Sample
from restorekit.errors import CheckpointError, ConfigError, ImageError
from restorekit.losses._registry import _losses
from restorekit.models import model_from_checkpoint
from restorekit.ops import downscale
from restorekit.stages import MultiStage
from restorekit.train import (
    AllStages,
    Guard,
    LossRecipe,
    build_optimizer,
    build_schedule,
    list_recipes,
    load_recipe,
    mixed,
    open_data,
    stage_losses,
    train,
)
from restorekit.train._run import Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("data") / "photos")


def rows(run):
    """Return the rows of a log, without their times."""
    found = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for row in found:
        row.pop("seconds")
    return found


def state(run):
    return torch.load(run / "checkpoint.pth", weights_only=True)


def assert_same(a, b):
    """Compare nested states bit by bit."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        assert a == b


def program(*command, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{TESTS}"} | environment,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("kills", [2, nightly(8)])
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bits(tmp_path, folder, kills):
    """Killed at random moments, among them those in which a checkpoint is written."""
    options = [
        f"run.steps={2 * kills + 4}",
        "run.save_every=2",
        "optimizer.name=muon",
        "run.accumulate=2",
        "data.mixup=0.6",
        "data.mixup_from=3",
    ]
    options += [f"validation.path={folder}", "validation.every=5", "validation.pictures=1"]
    whole = train(recipe(folder, *options), tmp_path / "whole", device="cpu")
    program(HELPERS / "training.py", "killed", folder, tmp_path / "killed", kills, *options, OMP_NUM_THREADS="1")
    assert (tmp_path / "killed" / "weights.safetensors").read_bytes() == whole.read_bytes()
    assert (tmp_path / "killed" / "best.safetensors").read_bytes() == (tmp_path / "whole" / "best.safetensors").read_bytes()
    assert_same(state(tmp_path / "killed"), state(tmp_path / "whole"))
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    assert not [path for path in (tmp_path / "killed").iterdir() if path.name.startswith(".")]
    assert len(json.loads((tmp_path / "killed" / "run.json").read_text())) == kills + 1


LAUNCH = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"


@pytest.mark.parametrize("launched", [False, nightly(True)])
def test_two_processes_do_what_one_does_with_the_whole_batch(tmp_path, folder, launched):
    """Sums are taken in another order, so float32 differs in its last digits. The second two steps go on from a checkpoint."""
    options = [f"validation.path={folder}", "validation.every=2", "optimizer.name=sgd", "optimizer.lr=0.05", "run.clip=inf"]
    launch = [*LAUNCH.split(), "--main_process_port", "0"] if launched else []
    how = "shared" if launched else "forked"
    program(*launch, HELPERS / "training.py", how, folder, tmp_path / "two", *options, OMP_NUM_THREADS="1")
    starts = json.loads((tmp_path / "two" / "run.json").read_text())
    assert [start["processes"] for start in starts] == [2, 2]
    one = recipe(folder, *options, "schedule.length=4", "run.steps=4")
    train(one, tmp_path / "one", device="cpu")
    assert [row["step"] for row in rows(tmp_path / "two")] == [1, 2, 3, 4]
    for both in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        for key in ("loss", "stages", "gradient_norm", "lr"):
            assert both[1][key] == pytest.approx(both[0][key], rel=1e-5), key
    assert rows(tmp_path / "two")[-1]["psnr"] == pytest.approx(rows(tmp_path / "one")[-1]["psnr"], abs=1e-3)
    first, second = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-5, atol=1e-6)


def test_parts_of_a_batch_give_its_gradient(tmp_path, folder):
    for name, parts in (("whole", 1), ("parts", 4)):
        train(recipe(folder, f"run.accumulate={parts}", "run.steps=1", "schedule.warmup=0"), tmp_path / name, device="cpu")
    (whole,), (parts,) = rows(tmp_path / "whole"), rows(tmp_path / "parts")
    assert parts["stages"] == pytest.approx(whole["stages"], rel=1e-5)
    assert parts["gradient_norm"] == pytest.approx(whole["gradient_norm"], rel=1e-4)


def test_what_is_kept(tmp_path, folder):
    options = [f"validation.path={folder}", "validation.every=3", "run.keep_every=4", "run.save_every=4", "task=denoise", *MPRNET]
    options += ["run.channels_last=false", "data.workers=0", "model.arguments.bias=true"]
    weights = train(recipe(folder, *options), tmp_path / "run", device="cpu")
    kept = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    curves = {name for name in kept if name.startswith("tensorboard/events")}
    assert len(curves) == 1
    assert kept - curves == {
        *("README.md", "best.safetensors", "checkpoint.pth", "log.jsonl", "recipe.toml", "run.json", "step-0000004.safetensors"),
        *("weights.safetensors", "pictures/step-0000003.png", "pictures/step-0000006.png"),
    }
    assert list(rows(tmp_path / "run")[2]) == ["step", "loss", "stages", "gradient_norm", "lr", "skipped", "psnr", "ssim"]
    assert weights.stat().st_size < (tmp_path / "run" / "checkpoint.pth").stat().st_size / 2
    model, metadata = model_from_checkpoint(weights)
    assert metadata["architecture"] == "mprnet"
    assert model.stems[0][0][0].bias is not None
    assert load_recipe(str(tmp_path / "run" / "recipe.toml")) == recipe(folder, *options)
    (start,) = json.loads((tmp_path / "run" / "run.json").read_text())
    assert {"torch", "timm", "accelerate", "restorekit"} <= set(start["versions"])
    card = (tmp_path / "run" / "README.md").read_text()
    assert "# mprnet, denoise" in card
    assert "6 steps of 4 crops of 16 x 16" in card
    assert f"{sum(p.numel() for p in model.parameters()):,} parameters" in card
    with Image.open(tmp_path / "run" / "pictures" / "step-0000006.png") as picture:
        assert picture.width == 5 * (32 + 12) + 12  # input, three stages, target


def test_a_composed_network_can_be_trained_and_read_again(tmp_path, folder):
    options = ["run.steps=1", "schedule.warmup=0"]
    weights = train(recipe(folder, *options), tmp_path / "run", device="cpu")
    assert "composition" in read_metadata(weights)
    model, _ = model_from_checkpoint(weights)
    assert isinstance(model, MultiStage)
    assert model.grids[0] == (2, 1)
    train(recipe(folder, *options, f"model.init={weights}"), tmp_path / "more", device="cpu")


def test_fine_tuning_starts_from_weights(tmp_path, folder):
    first = train(recipe(folder), tmp_path / "first", device="cpu")
    more = ["run.steps=1", "schedule.warmup=0", "optimizer.lr=1e-12", "optimizer.weight_decay=0"]
    second = train(recipe(folder, *more, f"model.init={first}"), tmp_path / "second", device="cpu")
    for name, tensor in load_file(first).items():
        torch.testing.assert_close(load_file(second)[name], tensor)
    bundled = ["model.composition=", "model.name=mprnet_tiny", "model.init=mprnet_tiny.denoise", *more]
    assert rows(train(recipe(folder, *bundled), tmp_path / "tiny", device="cpu").parent)[0]["loss"] < 0.2
    with pytest.raises(CheckpointError, match="does not fit MultiStage"):
        train(recipe(folder, "model.init=mprnet_tiny.denoise"), tmp_path / "other", device="cpu")


def test_steps_that_would_ruin_the_weights_are_skipped_and_named(tmp_path, folder, monkeypatch):
    """Batch 3 gives NaN."""
    charbonnier, calls = losses.charbonnier, []

    def sometimes_nan(output, target):
        calls.append(len(calls))
        return charbonnier(output, target) * (math.nan if len(calls) in (5, 6) else 1)  # two outputs a step

    monkeypatch.setitem(_losses._entries, "charbonnier", sometimes_nan)
    seen = []
    weights = train(recipe(folder), tmp_path / "run", device="cpu", on_progress=seen.append)
    assert [row["skipped"] for row in seen] == [0, 0, 1, 0, 0, 0]
    assert seen[2]["samples"] == [8, 11]
    assert rows(tmp_path / "run")[2]["loss"] == "nan"
    assert all(tensor.isfinite().all() for tensor in load_file(weights).values())


def test_a_run_that_explodes_stops_with_advice(tmp_path, folder, monkeypatch):
    monkeypatch.setitem(_losses._entries, "charbonnier", lambda output, target: output.mean() * math.inf)
    with pytest.raises(FloatingPointError, match=r"2 steps in a row .* lower learning rate \(optimizer.lr=... --allow-changes\)"):
        train(recipe(folder, "run.max_skipped=2"), tmp_path / "run", device="cpu")
    assert [row["skipped"] for row in rows(tmp_path / "run")] == [1, 2]


def test_guard_refuses_what_is_unusual():
    guard = Guard(5.0, 3)
    assert all(guard.accepts(0.1, norm) for norm in [100.0, *[1.0] * 11])
    assert not guard.accepts(0.1, 5.1)
    assert guard.accepts(0.1, 4.9)
    assert guard.refused == 0
    assert not guard.accepts(math.inf, 1.0)
    other = Guard(5.0, 3)
    other.load_state_dict(guard.state_dict())
    assert not other.accepts(0.1, 5.1)
    assert (other.refused, guard.refused) == (2, 1)


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path, folder, monkeypatch):
    run = tmp_path / "run"
    train(recipe(folder, "run.steps=2", "schedule.length=6"), run, device="cpu")
    before = (run / "checkpoint.pth").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OSError, match=r"checkpoint.pth could not be written .* the last checkpoint is complete"):
            train(recipe(folder, "schedule.length=6"), run, device="cpu", allow_changes=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (run / "checkpoint.pth").read_bytes() == before
    assert not list(run.glob(".*"))
    usage = shutil.disk_usage(run)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2**20))
    with pytest.raises(OSError, match=r"has 1 MB of free space, but a run needs \d\d MB; free space"):
        train(recipe(folder), tmp_path / "other", device="cpu")
    assert not (tmp_path / "other" / "log.jsonl").exists()
    monkeypatch.undo()
    assert len(rows(train(recipe(folder, "schedule.length=6"), run, device="cpu", allow_changes=True).parent)) == 6


def test_a_disk_that_fills_up_stops_the_run_before_anything_is_lost(tmp_path, folder, monkeypatch):
    whole = train(recipe(folder), tmp_path / "whole", device="cpu")
    usage = shutil.disk_usage(tmp_path)
    free = usage.free
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))

    def fill(row):
        nonlocal free
        free = 2**20 if row["step"] == 3 else free

    with pytest.raises(
        OSError, match=r"run has 1 MB of free space, but a run needs 17 MB; free space, and run the same command to resume"
    ):
        train(recipe(folder), tmp_path / "run", device="cpu", on_progress=fill)
    assert state(tmp_path / "run")["step"] == 4
    free = 2**10  # not even enough for a checkpoint
    with pytest.raises(OSError, match="has 0 MB of free space"):
        train(recipe(folder), tmp_path / "run", device="cpu")
    free = usage.free
    assert train(recipe(folder), tmp_path / "run", device="cpu").read_bytes() == whole.read_bytes()
    assert len(rows(tmp_path / "run")) == 6


def test_a_changed_recipe_is_refused_unless_asked(tmp_path, folder):
    run = tmp_path / "run"
    train(recipe(folder), run, device="cpu")
    before = (run / "recipe.toml").read_text()
    changed = recipe(folder, "optimizer.lr=1e-3", "run.steps=7")
    with pytest.raises(ConfigError, match=r"another recipe: optimizer.lr \(was 0.002, now 0.001\), run.steps \(was 6, now 7\)"):
        train(changed, run, device="cpu")
    assert (run / "recipe.toml").read_text() == before
    train(recipe(folder, "run.save_every=3", f"validation.path={folder}"), run, device="cpu")  # without effect on the weights
    train(changed, run, device="cpu", allow_changes=True)
    assert rows(run)[-1]["step"] == 7
    with pytest.raises(CheckpointError, match=r"checkpoint.pth does not fit the model of this recipe"):
        train(recipe(folder, *MPRNET), run, device="cpu", allow_changes=True)
    assert rows(run)[-1]["step"] == 7
    (run / "checkpoint.pth").write_bytes((run / "checkpoint.pth").read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r"checkpoint.pth is damaged"):
        train(changed, run, device="cpu")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_saves_first(tmp_path, folder, workers):
    for kind in ("input", "target"):
        for i in range(12):
            (tmp_path / "pairs" / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / "a.png", tmp_path / "pairs" / kind / f"{i}.png")
    options = [f"data.path={tmp_path / 'pairs'}", "data.layout=folders", "data.degradations=[]", "data.half_size=false"]
    options += [f"data.workers={workers}", "run.batch=2"]
    order = [open_data(recipe(folder, *options))[i].name for i in range(6)]
    damaged = tmp_path / "pairs" / "input" / f"{order[4]}.png"
    damaged.write_bytes(damaged.read_bytes()[:300])  # its header is whole
    with pytest.raises(ImageError, match=rf"^{damaged} cannot be read"):
        train(recipe(folder, *options), tmp_path / "run", device="cpu")
    assert state(tmp_path / "run")["step"] == 2


@pytest.fixture
def unet():
    return compose({"stages": [{"name": "unet", "widths": [4, 6]}]})


@pytest.mark.parametrize("mode", ["nearest", "area"])
def test_coarse_outputs_are_compared_with_a_coarse_target(mode, unet):
    unet.scale_mode = mode
    target = torch.rand(2, 3, 8, 8)
    values = stage_losses([downscale(target, 4, mode), downscale(target, 2, mode), target], target, LossRecipe(l1=1.0), unet)
    assert values.tolist() == [0.0, 0.0, 0.0]


def test_losses_are_weighted_by_term_and_stage(unet):
    target, output = torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 1.5)
    values = stage_losses([output, output], target, LossRecipe(l1=2.0, charbonnier=1.0, stages=(0.5, 1.0)), unet)
    both = 2 * 1.5 + losses.charbonnier(output, target).item()
    assert values.tolist() == pytest.approx([both / 2, both])
    assert stage_losses([output], target, LossRecipe(l1=1.0, clamp=True), unet).item() == 1.0
    wide = LossRecipe(terms=[{"name": "charbonnier", "weight": 2.0, "eps": 3.0}])
    assert torch.equal(stage_losses([output], target, wide, unet)[0], 2 * losses.charbonnier(output, target, eps=3.0))
    with pytest.raises(ConfigError, match=r"loss.stages has 3 weights, but the network has 1 outputs"):
        stage_losses([output], target, LossRecipe(l1=1.0, stages=(1.0, 1.0, 1.0)), unet)


def test_mixup_mixes_neighbours_by_seed_and_number():
    images = torch.rand(4, 3, 2, 2)
    batch = Sample(images, images.flip(1), list("abcd"), torch.arange(6, 10), {})
    both = mixed(batch, 0.6, seed=3)
    factors = [np.random.default_rng([3, number, 2]).beta(0.6, 0.6) for number in range(6, 10)]
    expected = torch.stack([factors[i] * images[i] + (1 - factors[i]) * images[i ^ 1] for i in range(4)])
    torch.testing.assert_close(both.input, expected.float())
    torch.testing.assert_close(both.target, expected.float().flip(1))


@pytest.mark.parametrize("name", list_recipes())
def test_learning_rates_of_recipes(name):
    """Up in a line, then down; that of SIDD stops on the way, at the rate that its epoch 80 of 117 has."""
    wanted = load_recipe(name)
    optimizer = build_optimizer(wanted, nn.Linear(2, 2))
    schedule = build_schedule(wanted, optimizer)

    def rate(step):
        schedule.step_update(step)
        return optimizer.param_groups[0]["lr"]

    warmup, lr = wanted.schedule.warmup, wanted.optimizer.lr
    assert rate(0) == pytest.approx(lr / warmup)
    assert rate(warmup // 2) == pytest.approx(lr / 2, rel=0.02)
    assert rate(warmup) == pytest.approx(lr)
    last = {"mprnet_denoise.sidd": 5.3e-5}.get(name, wanted.schedule.min_lr)
    assert rate(wanted.run.steps - 1) == pytest.approx(last, rel=0.02, abs=1e-8)


def test_the_network_is_compiled_if_asked(tmp_path, folder, monkeypatch):
    """Not with a compiler, as that is slow and not everywhere; conformance tests compile every network."""
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    train(recipe(folder, "run.compile=true", "run.steps=1", "schedule.warmup=0"), tmp_path / "run", device="cpu")
    assert [type(module) for module in compiled] == [AllStages]


def test_a_shared_parameter_is_averaged_once(tmp_path, folder):
    """The PReLU's slope has a name for every block."""
    weights = load_file(train(recipe(folder, "run.steps=5", "run.ema=0.5", *MPRNET), tmp_path / "run", device="cpu"))
    slopes = {tuple(tensor.tolist()) for name, tensor in weights.items() if name.endswith(".act.weight")}
    assert len(slopes) == 1
    kept = state(tmp_path / "run")
    name = next(name for name in weights if name.endswith(".act.weight"))
    assert abs(weights[name].item() - kept["model"][name].item()) > 1e-6  # 0.5 to the power of many names would leave no difference


def test_rows_that_a_kill_cut_off_are_left_out(tmp_path):
    run = Run(tmp_path)
    for step in (1, 2, 3):
        run.log({"step": step, "loss": math.nan})
    with run.log_file.open("a") as file:
        file.write('{"step": 4, "lo')
    assert [row["step"] for row in run.rows()] == [1, 2, 3]
    run.forget_after(2)
    assert run.log_file.read_text() == '{"step": 1, "loss": "nan"}\n{"step": 2, "loss": "nan"}\n'


def test_pairs_of_two_sizes_train_a_network_that_enlarges(tmp_path, folder):
    """Crops of the clean images are twice as large, at the same places; the network is told the same condition every time."""
    for path in folder.glob("*.png"):
        with Image.open(path) as clean:
            for name, image in (("input", clean.resize((48, 32))), ("target", clean)):
                (tmp_path / "pairs" / name).mkdir(parents=True, exist_ok=True)
                image.save(tmp_path / "pairs" / name / path.name)
    stage = "{ name = 'unet', widths = [4, 6] }"
    output = "output = { scale = 2 }, head = 'pixel_shuffle', conditions = [{ name = 'noise_level', unit = 255 }]"
    options = [f"model.composition={{ stages = [{stage}], {output} }}", "data.condition={ noise_level = 25 }", "run.steps=2"]
    options += ["data.degradations=[]", "data.half_size=false", "validation.layout=folders", "validation.degradations=[]"]
    options += ["schedule.warmup=0", "validation.every=1", f"validation.path={tmp_path / 'pairs'}", "validation.pictures=1"]
    wanted = recipe(folder, *options, f"data.path={tmp_path / 'pairs'}", "data.layout=folders")
    sample = open_data(wanted, 2)[0]
    assert (sample.input.shape, sample.target.shape) == ((3, 16, 16), (3, 32, 32))
    assert (F.avg_pool2d(sample.target, 2) - sample.input).abs().mean() < 0.05
    run = train(wanted, tmp_path / "run", device="cpu").parent
    assert all(row["psnr"] > 0 for row in rows(run))
    with pytest.raises(ConfigError, match=r"data.layout: photographs are degraded at their size, .* enlarges images 2 times"):
        train(recipe(folder, options[0], options[1]), tmp_path / "photos", device="cpu")
    with pytest.raises(ConfigError, match=r"data.condition noise_level is missing; this network takes the conditions noise_level"):
        train(recipe(folder, options[0]), tmp_path / "untold", device="cpu")
