"""What holds for any tensor or image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from restorekit.metrics import psnr
from restorekit.ops import Grid, join, least_multiple, pad_to_multiple, regrid, regrid_pyramid, split
from restorekit.ops._patches import WHOLE

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


@given(n=st.integers(1, 3), grid=GRIDS, height=st.integers(2, 4), width=st.integers(2, 4))
def test_patches_keep_the_order_in_memory(n, grid, height, width):
    x = noise(n, 3, grid.rows * height, grid.cols * width)
    channels_last = x.contiguous(memory_format=torch.channels_last)
    patches = split(channels_last, grid)
    assert torch.equal(patches, split(x, grid))
    assert torch.equal(join(patches, grid), x)
    for maps in (patches, join(patches, grid)):
        assert maps.is_contiguous(memory_format=torch.channels_last)


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
        (torch.zeros(1, 3, 4, 4), torch.zeros(3, 4, 4), r"same shape.*\(1, 3, 4, 4\) and \(3, 4, 4\)"),
        (torch.zeros(0, 3), torch.zeros(0, 3), "not be empty"),
        (torch.zeros(3, 3), torch.zeros(3, 3, dtype=torch.uint8), "both uint8 or both floating point"),
        (torch.zeros(3, 3, dtype=torch.int64), torch.zeros(3, 3), r"uint8 or floating point in \[0, 1\]; got torch.int64"),
    ],
)
def test_psnr_refuses_what_it_cannot_compare(a, b, words):
    with pytest.raises(ValueError, match=words):
        psnr(a, b)
