"""Losses beyond what parity covers: hand-computed values, gradients, modules."""

import json
import math

import pytest
import torch

from _helpers import DATA
from _helpers.parity_fill import picture
from restorekit import losses
from restorekit.losses._edge import PYRAMID_KERNEL
from restorekit.metrics import psnr as psnr_metric
from restorekit.metrics import ssim as ssim_metric

IMAGES = torch.rand(2, 2, 3, 13, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
AT_EQUALITY = {"charbonnier": 1e-3, "edge": 1e-3, "l1": 0.0, "psnr": -80.0, "ssim": 0.0, "fft": 0.0}
MODULES = {
    "charbonnier": losses.Charbonnier,
    "edge": losses.Edge,
    "l1": losses.L1,
    "psnr": losses.PSNR,
    "ssim": losses.SSIM,
    "fft": losses.FFT,
}
every_loss = pytest.mark.parametrize("name", AT_EQUALITY)


@pytest.mark.parametrize("case", json.loads((DATA / "losses_expected.json").read_text()), ids=lambda case: str(case["shape"]))
def test_edge_is_that_of_the_original(case, device):
    """Computed in float32; taking the Laplacian of the difference rather than of both images moves the mean by a few 1e-7 of it."""
    images = (torch.from_numpy(picture(tuple(case["shape"]), case[seed])).to(device) for seed in ("seed_output", "seed_target"))
    assert losses.edge(*images).item() == pytest.approx(case["edge"], rel=1e-6)


@every_loss
def test_value_at_equality_and_beyond(name):
    loss = getattr(losses, name)
    assert loss(IMAGES[0], IMAGES[0]).item() == pytest.approx(AT_EQUALITY[name], abs=1e-9)
    assert loss(IMAGES[0], IMAGES[1]).item() > AT_EQUALITY[name]


@every_loss
def test_module_computes_the_function(name):
    assert torch.equal(MODULES[name]()(*IMAGES), getattr(losses, name)(*IMAGES))


@pytest.mark.parametrize("name", ["charbonnier", "edge", "psnr"])
def test_module_passes_its_argument_on(name):
    assert torch.equal(MODULES[name](eps=0.1)(*IMAGES), getattr(losses, name)(*IMAGES, eps=0.1))


@every_loss
def test_gradient(name):
    output = IMAGES[0, :1, :1].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: getattr(losses, name)(x, IMAGES[1, :1, :1]), output, fast_mode=True)


@every_loss
def test_shapes_must_agree(name, unchecked_annotations):
    with pytest.raises(ValueError, match=r"the same shape; got \(1, 3, 16, 16\) and \(1, 3, 16, 17\)"):
        getattr(losses, name)(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 17))


def test_edge_of_one_pixel_by_hand():
    """One bright pixel at an even place: blurred, four times its even neighbours, blurred again, and subtracted."""
    k = torch.tensor(PYRAMID_KERNEL, dtype=torch.float64)
    line = torch.zeros(17, dtype=torch.float64)
    line[8] = 1
    blur = torch.zeros(17, 17, dtype=torch.float64)
    for i in range(17):
        for offset in range(-2, 3):
            blur[i, min(max(i + offset, 0), 16)] += k[offset + 2]
    kept = blur @ line
    kept[1::2] = 0
    low = blur @ (2 * kept)
    laplacian = torch.outer(line, line) - torch.outer(low, low)
    expected = (laplacian.square() + 1e-6).sqrt().mean().item()
    image = torch.outer(line, line)[None, None]
    assert losses.edge(image, torch.zeros_like(image)).item() == pytest.approx(expected, rel=1e-12)


def test_l1_by_hand():
    assert losses.l1(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.75])).item() == 0.375


def test_psnr_is_the_mean_over_images_of_the_metric():
    values = [psnr_metric(a[None], b[None]) for a, b in zip(*IMAGES, strict=True)]
    assert losses.psnr(*IMAGES, eps=0.0).item() == pytest.approx(-sum(values) / 2)


def test_ssim_is_one_less_the_metric():
    assert losses.ssim(*IMAGES).item() == pytest.approx(1 - ssim_metric(*IMAGES))
    with pytest.raises(ValueError, match="at least 11 pixels per side"):
        losses.ssim(IMAGES[0, ..., :10, :], IMAGES[1, ..., :10, :])


def test_fft_of_a_constant_and_of_a_wave_by_hand():
    """A constant c is h w c at frequency zero; a cosine of amplitude 1 is h w / 2 at two frequencies. Half of all are imaginary."""
    zero = torch.zeros(1, 1, 4, 8, dtype=torch.float64)
    assert losses.fft(zero + 0.5, zero).item() == pytest.approx(0.5 * 32 / (2 * 32))
    wave = torch.cos(2 * math.pi * torch.arange(8, dtype=torch.float64) / 8).expand(1, 1, 4, 8)
    assert losses.fft(wave, zero).item() == pytest.approx(2 * 16 / (2 * 32))
