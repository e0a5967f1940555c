"""Fine-tuning: what fits is loaded, parts that are frozen or learn at other rates, memory, early stopping, trackers."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from _helpers.training import photos, recipe
from restorekit import create_model
from restorekit.checkpoints import load_partial, save_weights
from restorekit.composition import compose
from restorekit.errors import CheckpointError, ConfigError
from restorekit.images import Picture, write_picture
from restorekit.train import _loop, build_model, build_optimizer, checkpoint_blocks, freeze, train

UNET = {"name": "unet", "widths": [4, 6], "block": "cab"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return compose({"stages": [UNET, UNET | {"guided": True}]})


def state(run):
    return torch.load(run / "checkpoint.pth", weights_only=True)


@pytest.mark.parametrize("channels", [1, 4])
def test_weights_are_adapted_to_other_image_channels(channels):
    torch.manual_seed(0)
    colour, other = (create_model("nafnet", width=4, image_channels=each) for each in (3, channels))
    report = load_partial(other, colour.state_dict())
    assert set(report.adapted) == {"stems.0.0.weight", "heads.0.to_image.weight", "heads.0.to_image.bias"}
    assert (report.misshapen, report.missing, report.unused) == ({}, (), ())
    first, stem = colour.stems[0][0].weight, other.stems[0][0].weight
    if channels == 1:
        torch.testing.assert_close(stem, first.sum(1, keepdim=True))
        grey = torch.rand(1, 1, 16, 16)
        torch.testing.assert_close(other(grey)[:, 0], colour(grey.expand(-1, 3, -1, -1)).mean(1))
    else:
        torch.testing.assert_close(stem, first[:, [0, 1, 2, 0]] * 3 / 4)


def test_what_does_not_fit_is_reported_and_kept(network):
    other = compose({"stages": [UNET | {"widths": [4, 8]}]})
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    report = load_partial(other, network.state_dict())
    assert "stages.0.encoders.0.0.conv1.weight" in report.loaded
    for name in report.loaded:
        assert torch.equal(other.state_dict()[name], network.state_dict()[name])
    for name, (found, needed) in report.misshapen.items():
        assert (found, needed) == (tuple(network.state_dict()[name].shape), tuple(before[name].shape))
        assert torch.equal(other.state_dict()[name], before[name])
    assert {name.split(".")[0] for name in report.unused} == {"stages", "stems", "joins", "supervisors", "fusions"}
    assert "not loaded, another shape (" in str(report)
    assert "6x4x1x1 in the file, 8x4x1x1 in the model" in str(report)


def test_what_cannot_be_loaded_in_part_is_refused(network):
    with pytest.raises(CheckpointError, match="none of its 1 tensors has the name and shape of one in the model"):
        load_partial(network, {"body.weight": torch.zeros(1)})
    broken = network.state_dict() | {"stems.0.0.weight": torch.full((4, 3, 3, 3), torch.nan)}
    with pytest.raises(CheckpointError, match=r"1 tensors are NaN or infinite \(stems.0.0.weight\)"):
        load_partial(network, broken)


def test_frozen_parts_stay_and_others_learn(tmp_path, folder):
    options = ["run.steps=2", "schedule.warmup=1", "model.freeze=['stages.0', 'st?ms.*.weight']", "optimizer.weight_decay=0.1"]
    after = load_file(train(recipe(folder, *options, "run.seed=0", "run.ema=0"), tmp_path / "run", device="cpu"))
    torch.manual_seed(0)
    before = build_model(recipe(folder).model).state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert not [name for name in changed if name.startswith("stages.0.")]
    assert "stems.0.0.weight" not in changed
    assert "heads.0.to_image.weight" in changed
    assert [name for name in changed if name.startswith("stages.1.")]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["stage.0"], r"model.freeze: no module or parameter is called 'stage.0'; did you mean 'stages.0'"),
        (["*"], "model.freeze leaves no parameter that learns"),
    ],
)
def test_what_cannot_be_frozen_is_named(network, patterns, message):
    with pytest.raises(ConfigError, match=message):
        freeze(network, patterns)


def test_parts_learn_at_their_own_rates(folder, network):
    options = ["optimizer.lr_scale={ 'stages.0.encoders.?.0' = 0.5, 'stages.0' = 0.1, heads = 2 }", "optimizer.weight_decay=0.1"]
    optimizer = build_optimizer(recipe(folder, *options), network)
    factors = {id(each): group["lr_scale"] for group in optimizer.param_groups for each in group["params"]}
    wanted = {"stages.0.encoders.0.0.": 0.5, "stages.0.encoders.1.0.": 0.5, "stages.0.": 0.1, "heads.": 2, "": 1}
    for name, parameter in network.named_parameters():
        assert factors[id(parameter)] == next(factor for prefix, factor in wanted.items() if name.startswith(prefix)), name
    for group in optimizer.param_groups:
        assert {each.ndim > 1 for each in group["params"]} == {group["weight_decay"] > 0}
    with pytest.raises(ConfigError, match=r"optimizer.lr_scale: no module or parameter is called 'head'; did you mean 'heads'"):
        build_optimizer(recipe(folder, "optimizer.lr_scale={ head = 2 }"), network)
    with pytest.raises(ConfigError, match=r"layer_decay has no effect with optimizer.lr_scale"):
        build_optimizer(recipe(folder, "optimizer.lr_scale={ heads = 2 }", "optimizer.arguments={ layer_decay = 0.9 }"), network)


def test_checkpointing_keeps_gradients_and_less_in_memory(network):
    image = torch.rand(1, 3, 16, 16)

    def learn():
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda tensor: tensor):
            loss = sum(output.square().mean() for output in network.forward_stages(image))
        network.zero_grad()
        loss.backward()
        return [parameter.grad for parameter in network.parameters()], sum(kept)

    plain, much = learn()
    names = list(network.state_dict())
    checkpoint_blocks(network)
    again, little = learn()
    for one, other in zip(plain, again, strict=True):
        assert torch.equal(one, other)
    assert little < much / 2
    assert list(network.state_dict()) == names
    with pytest.raises(ConfigError, match="the network has no registered block"):
        checkpoint_blocks(torch.nn.Conv2d(3, 3, 3))


def test_a_run_with_everything_resumes_exactly(tmp_path, folder, monkeypatch):
    """Float16 on the CPU takes the same way as on a GPU; there it is refused only because it is slow."""
    monkeypatch.setattr(_loop, "SCALED", ("cpu",))
    first = tmp_path / "other.safetensors"
    torch.manual_seed(1)
    save_weights(compose({"stages": [UNET]}), first)
    options = [f"model.init={first}", "model.partial=true", "model.freeze=['stages.0.encoders']", "run.precision=float16"]
    options += ["optimizer.lr_scale={ heads = 3, 'stages.1' = 0.3 }", "run.checkpointing=true", f"validation.path={folder}"]
    options += ["validation.every=1", "validation.crop=0", "validation.options={ tile = 64, overlap = 8, precision = 'float32' }"]
    options += ["validation.patience=2", "validation.pictures=0", "run.trackers=[]", "run.steps=5"]
    notices, steps = [], []
    whole = train(recipe(folder, *options), tmp_path / "whole", device="cpu", on_notice=notices.append)
    assert f"{first}: " in notices[0]
    assert "not in the file (" in notices[0]
    assert json.loads((tmp_path / "whole" / "run.json").read_text())[0]["loaded"]["missing"]
    stopped = train(
        recipe(folder, *options), tmp_path / "parts", device="cpu", on_progress=steps.append, stopping=lambda: True, on_notice=len
    )
    assert stopped is None
    assert len(steps) == 1
    parts = train(recipe(folder, *options), tmp_path / "parts", device="cpu", on_notice=lambda text: pytest.fail(text))
    assert parts.read_bytes() == whole.read_bytes()
    assert state(tmp_path / "parts")["scaler"] == state(tmp_path / "whole")["scaler"]
    assert not (tmp_path / "whole" / "tensorboard").exists()


def test_float16_is_refused_on_a_cpu(tmp_path, folder):
    with pytest.raises(ConfigError, match="'float16' needs a GPU; on cpu, use bfloat16 or float32"):
        train(recipe(folder, "run.precision=float16"), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_ends_when_it_gets_no_better(tmp_path, folder, monkeypatch):
    results = iter([20.0, 21.0, 20.5, 20.9, 22.0, 23.0])
    monkeypatch.setattr(_loop, "_validated", lambda *arguments: (next(results), 0.5))
    options = [f"validation.path={folder}", "validation.every=1", "validation.patience=2", "validation.pictures=0"]
    for again in (False, True):  # the same command has nothing more to do
        seen = []
        weights = train(recipe(folder, *options), tmp_path / "run", device="cpu", on_progress=seen.append)
        assert weights.exists()
        assert [row["step"] for row in seen] == ([] if again else [1, 2, 3, 4])
    assert state(tmp_path / "run")["step"] == 4
    assert state(tmp_path / "run")["journal"] == {"best_psnr": 21.0, "stale": 2}


def test_trackers_get_curves_and_pictures(tmp_path, folder, monkeypatch):
    tracking = pytest.importorskip("accelerate.tracking")

    class Fake(tracking.GeneralTracker):
        name, requires_logging_directory, tracker, made = "wandb", False, None, []

        def __init__(self, project, **options):
            super().__init__()
            self.options, self.seen = options, []
            self.made.append(self)

        def store_init_configuration(self, values):
            self.seen.append(values["run"]["steps"])

        def log(self, values, step=None, **kwargs):
            self.seen.append((step, "loss/sum" in values))

        def log_images(self, values, step=None, **kwargs):
            self.seen.append((step, values["pictures"].ndim))

        def finish(self):
            self.seen.append("finished")

    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "wandb", Fake)
    options = [f"validation.path={folder}", "validation.every=2", "validation.pictures=1", "run.trackers=['wandb']"]
    for steps in (1, 2):
        wanted = recipe(folder, *options, f"run.steps={steps}", "schedule.length=2", "schedule.warmup=1")
        train(wanted, tmp_path / "run", device="cpu", allow_changes=True)
    first, second = Fake.made
    assert first.options == second.options
    assert first.options["resume"] == "allow"
    assert first.seen == [1, (1, 4), (1, True), "finished"]
    assert second.seen == [2, (2, 4), (2, True), "finished"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.partial=true"], "model.partial has no effect without model.init"),
        (["run.trackers=['wandbb']"], r"run.trackers\[0\] must be .*did you mean 'wandb'"),
        (["validation.options={ tille = 64 }"], "validation.options: unknown option 'tille'; did you mean 'tile'"),
        (["validation.options={ tile = 64, overlap = 100 }"], "validation.options.tile must be at least 300 pixels"),
        (["validation.patience=3"], "validation.patience has no effect without validation.path"),
        (["optimizer.lr_scale={ heads = 0 }"], "optimizer.lr_scale.heads must be greater than 0; got 0"),
    ],
)
def test_settings_are_checked(folder, overrides, message):
    with pytest.raises(ConfigError, match=message):
        recipe(folder, *overrides)


@pytest.mark.parametrize(("kind", "channels"), [("grey", 1), ("deep", 3), ("raw", 4)])
def test_pairs_of_other_kinds_train_a_network(tmp_path, kind, channels):
    values = np.random.default_rng(0).integers(0, 2**16, (32, 48, 4), np.uint16)
    for place in ("input", "target"):
        (tmp_path / place).mkdir()
        if kind == "raw":
            np.save(tmp_path / place / "a.npy", values)
        else:
            pixels = values[..., 0].astype(np.uint8) if kind == "grey" else values[..., :3]
            write_picture(Picture(pixels), tmp_path / place / "a.png")
    network = f"{{ stages = [{{ name = 'unet', widths = [4, 6], block = 'cab' }}], image_channels = {channels} }}"
    options = [
        f"model.composition={network}",
        "data.layout=folders",
        "data.degradations=[]",
        "data.half_size=false",
        "run.steps=1",
        "schedule.warmup=0",
    ]
    options += [f"validation.path={tmp_path}", "validation.layout=folders", "validation.crop=0"]
    seen = []
    train(recipe(tmp_path, *options), tmp_path / "run", device="cpu", on_progress=seen.append)
    assert 10 < seen[0]["psnr"] < 100
    assert (tmp_path / "run" / "pictures" / "step-0000001.png").exists()


def test_photographs_need_a_network_of_colours(tmp_path, folder):
    network = "model.composition={ stages = [{ name = 'unet', widths = [4, 6], block = 'cab' }], image_channels = 1 }"
    with pytest.raises(ConfigError, match=r"data.layout: photographs are degraded in colour, but this network maps images of 1"):
        train(recipe(folder, network), tmp_path / "run", device="cpu")
