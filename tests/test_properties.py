"""What holds for any tensor, image or list of stages."""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch import nn

from restorekit.blocks import ResidualHead, SupervisedAttentionModule, conv
from restorekit.metrics import psnr
from restorekit.model import RestorationModel
from restorekit.ops import WHOLE, Grid, join, least_multiple, pad_to_multiple, regrid, regrid_pyramid, split
from restorekit.stages import (
    CrossStageFeatureFusion,
    Level,
    MultiStage,
    ORSNetStage,
    Stage,
    StageSpec,
    UNetStage,
    WiringError,
)
from restorekit.testing import check_model

GRIDS = st.builds(Grid, st.integers(1, 3), st.integers(1, 3))
SEEDS = st.integers(0, 1000)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# ---- patches


@given(n=st.integers(1, 3), grid=GRIDS, height=st.integers(1, 4), width=st.integers(1, 4), seed=SEEDS)
def test_join_undoes_split(n, grid, height, width, seed):
    x = noise(n, 2, grid.rows * height, grid.cols * width, seed=seed)
    patches = split(x, grid)
    assert patches.shape == (n * grid.rows * grid.cols, 2, height, width)
    assert torch.equal(join(patches, grid), x)


@given(n=st.integers(1, 3), grid=GRIDS)
def test_patches_of_an_image_stay_together_in_reading_order(n, grid):
    x = noise(n, 1, grid.rows * 2, grid.cols * 3)
    expected = [
        x[i, :, 2 * row : 2 * row + 2, 3 * col : 3 * col + 3]
        for i in range(n)
        for row in range(grid.rows)
        for col in range(grid.cols)
    ]
    assert torch.equal(split(x, grid), torch.stack(expected))


@given(old=GRIDS, new=GRIDS, other=GRIDS)
def test_regrid_is_a_split_of_the_whole(old, new, other):
    x = noise(2, 1, 12, 6)
    patches = split(x, old)
    assert torch.equal(regrid(patches, old, new), split(x, new))
    assert torch.equal(regrid(regrid(patches, old, other), other, new), regrid(patches, old, new))
    (finest, coarsest) = regrid_pyramid((patches, patches[:, :, :1]), old, WHOLE)
    assert torch.equal(finest, x)
    assert coarsest.shape[-2:] == (old.rows, 6)


@given(needs=st.lists(st.tuples(GRIDS, st.sampled_from([1, 2, 4, 8])), min_size=1, max_size=4))
def test_least_multiple_is_divided_by_all_and_is_least(needs):
    multiple = least_multiple(needs)
    divisors = [side * stride for grid, stride in needs for side in grid]
    assert all(multiple % divisor == 0 for divisor in divisors)
    assert not any(all(smaller % divisor == 0 for divisor in divisors) for smaller in range(1, multiple))


# ---- padding


@given(height=st.integers(1, 20), width=st.integers(1, 20), multiple=st.integers(1, 12), seed=SEEDS)
def test_crop_undoes_padding_to_the_next_multiples(height, width, multiple, seed):
    image = noise(2, 3, height, width, seed=seed)
    padded = pad_to_multiple(image, multiple)
    assert torch.equal(padded[..., :height, :width], image)
    for side, before in zip(padded.shape[-2:], (height, width), strict=True):
        assert side % multiple == 0
        assert 0 <= side - before < multiple


def test_padding_reflects_the_border():
    image = torch.arange(6.0).reshape(1, 1, 1, 6)
    assert pad_to_multiple(image, 4)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3]


# ---- PSNR


def pictures(seed):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)


@given(seed=SEEDS)
def test_psnr_is_symmetric_and_infinite_on_equal_images(seed):
    a, b = pictures(seed)
    assert psnr(a, b) == psnr(b, a)
    assert psnr(a, a) == math.inf
    assert math.isfinite(psnr(a, b))


@given(seed=SEEDS)
def test_psnr_is_the_same_for_8_bit_and_float_arrays_and_tensors(seed):
    a, b = pictures(seed)
    value = psnr(a, b)
    assert psnr(a / 255, b / 255) == pytest.approx(value, rel=1e-9)
    assert psnr(torch.from_numpy(a), torch.from_numpy(b)) == value
    assert psnr(torch.from_numpy(a / 255), torch.from_numpy(b / 255)) == pytest.approx(value, rel=1e-9)


@given(seed=SEEDS, error=st.integers(1, 100))
def test_psnr_is_its_definition(seed, error):
    a = pictures(seed)[0] // 2
    assert psnr(a, a + np.uint8(error)) == pytest.approx(20 * math.log10(255 / error))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (torch.zeros(1, 3, 4, 4), torch.zeros(3, 4, 4), r"one shape.*\(1, 3, 4, 4\) and \(3, 4, 4\)"),
        (torch.zeros(0, 3), torch.zeros(0, 3), "not be empty"),
        (torch.zeros(3, 3), torch.zeros(3, 3, dtype=torch.uint8), "both uint8 or both floating point"),
        (torch.zeros(3, 3, dtype=torch.int64), torch.zeros(3, 3), r"uint8 or floating point in \[0, 1\]; got torch.int64"),
    ],
)
def test_psnr_refuses_what_it_cannot_compare(a, b, words):
    with pytest.raises(ValueError, match=words):
        psnr(a, b)


# ---- stages in a row


@dataclass(frozen=True)
class Recipe:
    """How to build one stage: a U-Net with a width for each level, or an ORSNet with an ORB for each."""

    kind: str
    widths: tuple[int, ...]
    guided: bool = False

    def build(self) -> Stage:
        if self.kind == "unet":
            return UNetStage(self.widths, guided=self.guided, num_blocks=1)
        return ORSNetStage(self.widths[0], num_orbs=len(self.widths), num_blocks=1, guided=self.guided)

    def can_guide(self, following: "Recipe") -> bool:
        """Whether fusion can make the guidance that ``following`` wants: it goes up, never down."""
        enough = len(self.widths) >= len(following.widths)
        return enough and (self.kind == "unet" or following.kind == "orsnet" or len(following.widths) == 1)


RECIPES = st.builds(
    Recipe,
    kind=st.sampled_from(["unet", "orsnet"]),
    widths=st.lists(st.integers(4, 7), min_size=1, max_size=3).map(tuple),
    guided=st.booleans(),
)


@st.composite
def chains(draw, min_size=1, max_size=4):
    """Draw recipes for stages that fit together: guided only where the stage before can give guidance."""
    recipes = draw(st.lists(RECIPES, min_size=min_size, max_size=max_size))
    first = replace(recipes[0], guided=False)
    return [first] + [
        replace(recipe, guided=recipe.guided and before.can_guide(recipe))
        for before, recipe in zip(recipes[:-1], recipes[1:], strict=True)
    ]


@dataclass(frozen=True)
class Network:
    """How to build a network of random stages, grids and parts between them."""

    recipes: list[Recipe]
    arguments: dict[str, object]

    def build(self) -> MultiStage:
        return MultiStage([recipe.build() for recipe in self.recipes], **self.arguments)


def stem_with_activation(channels: int, width: int) -> nn.Module:
    return nn.Sequential(conv(channels, width), nn.PReLU())


@st.composite
def networks(draw):
    recipes = draw(chains())
    choices = {
        "grids": st.none() | st.lists(GRIDS, min_size=len(recipes), max_size=len(recipes)),
        "image_channels": st.integers(1, 4),
        "stem": st.sampled_from([conv, stem_with_activation]),
        "join": st.sampled_from([conv, partial(conv, kernel_size=1, bias=True)]),
        "supervise": st.sampled_from([SupervisedAttentionModule, partial(SupervisedAttentionModule, kernel_size=3, bias=True)]),
        "fuse": st.sampled_from([CrossStageFeatureFusion, partial(CrossStageFeatureFusion, kernel_size=3, bias=True)]),
        "head": st.sampled_from([ResidualHead, partial(ResidualHead, kernel_size=5, bias=True)]),
    }
    return Network(recipes, draw(st.fixed_dictionaries({}, optional=choices)))


# Decoding on finer patches than encoding: the coarsest level must divide into the patches of the next stage.
FINER_PATCHES = Network([Recipe("unet", (4, 5, 6)), Recipe("orsnet", (4,))], {"grids": [(1, 1), (2, 2)]})


def test_size_multiple_counts_the_grid_that_a_stage_decodes_on():
    assert FINER_PATCHES.build().size_multiple == 8


@given(network=networks())
@example(network=FINER_PATCHES)
def test_any_valid_list_of_stages_makes_a_network(network):
    """Shapes, gradients and independence of samples are in check_model."""
    model = network.build()
    check_model(model)
    image = noise(1, model.image_channels, model.size_multiple, model.size_multiple)
    restored = model.forward_stages(image)
    assert [x.shape for x in restored] == [image.shape] * len(network.recipes)


@given(network=networks(), rows=st.integers(1, 30), cols=st.integers(1, 30))
def test_sizes_that_are_no_multiples_are_refused_with_the_size_to_pad_to(network, rows, cols):
    model = network.build()
    multiple = model.size_multiple
    assume(rows % multiple or cols % multiple)
    padded = f"{math.ceil(rows / multiple) * multiple}x{math.ceil(cols / multiple) * multiple}"
    with pytest.raises(
        ValueError, match=f"got {rows}x{cols};.* multiples of {multiple}; pad to {padded}, or call restorekit.restore"
    ):
        model(noise(1, model.image_channels, rows, cols))


@pytest.mark.usefixtures("unchecked_annotations")
@given(network=networks())
@example(network=FINER_PATCHES)
def test_size_multiple_is_the_least_that_works(network):
    """Without the check of the size, an image that lacks one prime factor of the multiple cannot be computed."""
    model = network.build()
    multiple = model.size_multiple
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RestorationModel, "check_image", lambda self, image: None)
        for prime in (prime for prime in (2, 3) if multiple % prime == 0):
            side = multiple + multiple // prime
            with pytest.raises(RuntimeError):  # of einops or of an addition: the words do not matter
                model(noise(1, model.image_channels, side, side))


@given(recipes=st.lists(RECIPES, min_size=2, max_size=3))
def test_guidance_that_cannot_be_made_is_refused(recipes):
    first, *following = recipes
    recipes = [replace(first, guided=False)] + [replace(recipe, guided=True) for recipe in following]
    fits = [before.can_guide(recipe) for before, recipe in zip(recipes[:-1], recipes[1:], strict=True)]
    stages = [recipe.build() for recipe in recipes]
    if all(fits):
        assert len(MultiStage(stages).stages) == len(recipes)
    else:
        i = fits.index(False)
        with pytest.raises(WiringError, match=rf"between stage {i + 1} and stage {i + 2}: .*(wanted|cannot be reached)"):
            MultiStage(stages)


class Stub(Stage):
    """A stage that is nothing but its spec."""

    def __init__(self, spec: StageSpec) -> None:
        super().__init__()
        self.spec = spec

    def encode(self, inputs, guidance):
        raise NotImplementedError

    def decode(self, encoded):
        raise NotImplementedError


FINE, COARSE = Level(4), Level(4, 2)
STUBS = {
    "inputs at stride 2": (StageSpec((COARSE,), (FINE,), (FINE,)), r"declares inputs \(4 at stride 2\).* one level at stride 1"),
    "two inputs": (StageSpec((FINE, COARSE), (FINE,), (FINE,)), r"declares inputs \(4 at stride 1, 4 at stride 2\)"),
    "no encoder": (StageSpec((FINE,), (), (FINE,)), "empty encoder pyramid; encode must return at least one level"),
    "decoder at stride 2": (StageSpec((FINE,), (FINE,), (COARSE,)), r"declares decoder \(4 at stride 2\).*finest .* stride 1"),
    "no decoder": (StageSpec((FINE,), (FINE,), ()), "declares decoder .*finest level must have stride 1"),
}


@pytest.mark.parametrize("fault", STUBS)
@given(recipes=chains(max_size=3), data=st.data())
def test_a_stage_that_cannot_stand_in_a_row_is_named(fault, recipes, data):
    spec, words = STUBS[fault]
    stages = [recipe.build() for recipe in recipes]
    at = data.draw(st.integers(0, len(stages)))
    stages.insert(at, Stub(spec))
    with pytest.raises(WiringError, match=rf"stage {at + 1} \(Stub\) .*{words}"):
        MultiStage(stages)


@given(recipes=chains(max_size=3))
def test_guidance_of_the_first_stage_is_refused(recipes):
    stages = [replace(recipes[0], guided=True).build(), *(recipe.build() for recipe in recipes[1:])]
    with pytest.raises(WiringError, match=r"stage 1 .*there is no stage before it; build it with guided=False"):
        MultiStage(stages)


@given(recipes=chains(), count=st.integers(0, 5))
def test_one_grid_a_stage_is_needed(recipes, count):
    assume(count != len(recipes))
    with pytest.raises(WiringError, match=f"{len(recipes)} stages need {len(recipes)} grids, one each; got {count}"):
        MultiStage([recipe.build() for recipe in recipes], grids=[(1, 1)] * count)


@given(recipes=chains(), grid=st.sampled_from([(0, 1), (2, 0), (-1, 2)]), data=st.data())
def test_grids_without_patches_are_refused(recipes, grid, data):
    at = data.draw(st.integers(0, len(recipes) - 1))
    grids = [(1, 1)] * len(recipes)
    grids[at] = grid
    with pytest.raises(
        WiringError, match=rf"grid of stage {at + 1} .*\(rows, columns\), both at least 1; got \({grid[0]}, {grid[1]}\)"
    ):
        MultiStage([recipe.build() for recipe in recipes], grids=grids)


@given(recipes=chains(max_size=3))
def test_one_stage_in_two_places_is_refused(recipes):
    stages = [recipe.build() for recipe in recipes]
    with pytest.raises(
        WiringError, match=rf"stage {len(stages) + 1} .* is the same object as an earlier stage; build one for each"
    ):
        MultiStage([*stages, stages[0]])


def test_no_stages_are_refused():
    with pytest.raises(WiringError, match="there are no stages; a network needs at least one"):
        MultiStage([])


def test_no_image_channels_are_refused():
    with pytest.raises(WiringError, match="image_channels must be at least 1; got 0"):
        MultiStage([UNetStage((4,))], image_channels=0)
