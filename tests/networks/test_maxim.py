"""MAXIM computes what the authors' code computes.

``data/maxim_*_expected.npz`` contains what the original code makes, in float64, of weights and pictures that
``_helpers/parity_fill.py`` makes again; ``data/maxim_mini_inside.npz`` the outputs of its modules, their first four channels; all
are stored as float32.
"""

import copy
import functools
import os
import re

import numpy as np
import pytest
import torch
from einops import rearrange

from _helpers import DATA
from _helpers.flax_weights import SMALL, original_shapes, original_state, small_maxim
from _helpers.marks import mostly_nightly
from _helpers.parity_fill import picture
from restorekit import create_model, load_weights, restore
from restorekit.blocks import CrossGating, GatedMLP, MultiAxisGatedMLP, RatioResize, SpatialMixing, multiple_of
from restorekit.checkpoints import original_names
from restorekit.errors import WiringError
from restorekit.losses import charbonnier
from restorekit.ops import pad_centred
from restorekit.stages import Level, MAXIMStage, MultiStage, StageSpec, SumFusion, UNetStage
from restorekit.testing import check_model, check_stage

# In float64 the rounding of the stored targets is left. In float32 some hundred layers add up their products in another order; the
# largest difference seen is 6e-6.
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-6}

PUBLISHED = {  # arguments of the networks that there are targets for
    "mini": {"features": 8, "stages": 2, "block_size": (8, 4), "grid_size": (4, 8), "coarse_block_size": (4, 2)},
    "tiny": {"features": 8, "stages": 2, "num_groups": 1, "num_bottleneck_blocks": 1},
    "s3": {},
}
every_network = pytest.mark.parametrize("name", PUBLISHED)


@functools.cache
def original(name):
    """Return a network with the weights of the targets; do not change it."""
    return load_weights(create_model("maxim", **PUBLISHED[name]), original_state(name)).eval()


@pytest.fixture
def small():
    return small_maxim()


# ---- parity


@mostly_nightly("name", PUBLISHED, {"mini", "tiny"})
def test_outputs_of_every_stage_and_scale(name, device):
    expected = np.load(DATA / f"maxim_{name}_expected.npz")
    image = torch.from_numpy(picture(tuple(expected["shape"].tolist()), int(expected["seed"])))
    for dtype, tolerance in TOLERANCE.items():
        model = copy.deepcopy(original(name)).to(device, dtype)
        with torch.no_grad():
            outputs = model.forward_stages(image.to(device, dtype))
        keys = [f"stage{s}_scale{k}" for s in range(len(outputs) // 3) for k in range(3)]
        assert set(keys) == set(expected) - {"shape", "seed"}
        for key, output in zip(keys, outputs, strict=True):
            wanted = torch.from_numpy(expected[key]).double()
            torch.testing.assert_close(output.double().cpu(), wanted, rtol=0, atol=tolerance, msg=f"{key}, {dtype}")


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
    model = copy.deepcopy(original("mini")).to(dtype)
    expected = np.load(DATA / "maxim_mini_inside.npz")
    modules, found = dict(model.named_modules()), {}
    for key in expected:
        path, _, index = key.partition("#")

        def keep(module, inputs, output, key=key, index=index):
            found[key] = output[int(index)] if isinstance(output, tuple) else output

        if path.endswith("/channel_attention"):  # scales within the sum of its block
            block = modules[module_of(path, index, original_names(model)).rpartition(".")[0]]
            block.conv2.register_forward_hook(
                lambda module, inputs, output, block=block, keep=keep: keep(module, inputs, block.attention(output))
            )
        else:
            modules[module_of(path, int(index or 0), original_names(model))].register_forward_hook(keep)
    with torch.no_grad():
        model(torch.from_numpy(picture((1, 3, 64, 32), 11)).to(dtype))
    assert len(found) == len(expected.files) == 43
    for key, wanted in expected.items():
        x, wanted = found[key][:, :4].double(), torch.from_numpy(wanted).double()
        tolerance = TOLERANCE[dtype] * max(1.0, wanted.abs().max().item())  # features are larger than images
        torch.testing.assert_close(x, wanted, rtol=0, atol=tolerance, msg=f"{key}, {dtype}")


@every_network
def test_name_table_is_exact_both_ways(name):
    with torch.device("meta"):
        model = create_model("maxim", **PUBLISHED[name])
    paths = {key.rpartition("/")[0] for key in original_shapes(name)}
    assert set(original_names(model)) == paths
    assert sorted(original_names(model).values()) == sorted({key.rpartition(".")[0] for key in model.state_dict()})
    assert model.size_multiple == {"mini": 32}.get(name, 64)


def test_stages_are_given_coarse_to_fine_and_may_stop_early(small):
    image = torch.rand(1, 3, 16, 24)
    outputs = small.forward_stages(image)
    assert [tuple(x.shape[-2:]) for x in outputs] == [(8, 12), (16, 24)] * 2
    assert torch.equal(small(image), outputs[-1])
    for x, wanted in zip(small.forward_stages(image, stages=1), outputs, strict=False):
        assert torch.equal(x, wanted)
    assert len(small.forward_stages(image, coarse=False)) == 3


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
            "got features of 20x32; a grid of 16x16 needs a height that is a multiple of 16 and a width of 16; pad to 32x32",
        ),
        (
            lambda: GatedMLP(4, axis="block", size=(4, 8))(torch.zeros(1, 4, 4, 12)),
            "a width of 8; pad to 4x16 .* another block_size",
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
    with pytest.raises(WiringError, match="join is a list of 1 parts, but there are 2 levels; give one for each, finest first"):
        MultiStage(stages, join=["concat"])


def test_features_of_other_widths_cannot_be_summed():
    spec = UNetStage((4, 8)).spec
    with pytest.raises(WiringError, match=r"guidance \(4 at stride 1, 6 at stride 2\) is needed.* or choose the fusion 'csff'"):
        SumFusion(spec, (Level(4), Level(6, 2)))


def test_a_stage_of_channel_attention_feeds_one_of_maxim():
    """As docs/ablations/37-cab-maxim.toml: a U-Net of CABs restores at two scales, and its features gate those of MAXIM."""
    torch.manual_seed(0)
    sizes = {"block_size": 2, "grid_size": 2}
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
    optimiser = torch.optim.Adam(network.parameters(), lr=4e-3)
    clean = torch.rand(1, 3, 2, 4).repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    noisy = clean + 0.1 * torch.randn(clean.shape)
    losses = []
    for _ in range(8):
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
