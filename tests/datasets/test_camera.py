"""Camera noise: its statistics are those of the formulas, pushed through a linearised camera."""

import dataclasses

import numpy as np
import pytest

from restorekit.data import CameraNoise, Choice, Combination, DefocusBlur, GaussianNoise, degrade_pair, sample_rng
from restorekit.data._camera import _Camera
from restorekit.images import sample_photo
from restorekit.metrics import psnr

PLAIN = {"lens": 0, "resize": 1, "chroma": 0, "luma": 0, "sharpen": 0, "jpeg": 0}
PHOTO = sample_photo()[150:278, 100:228]


def camera_of(seed):
    return _Camera.draw(sample_rng(seed, 0))


def pushed(camera, colour, variances):
    """Return the covariance of sRGB colours whose raw ones have these variances, to first order."""
    raw = np.asarray(colour, np.float32).reshape(1, 1, 3)
    step = 1e-3
    columns = []
    for i in range(3):
        shift = np.zeros((1, 1, 3), np.float32)
        shift[..., i] = step
        columns.append(
            (camera.develop(raw + shift, demosaic=False) - camera.develop(raw - shift, demosaic=False)).ravel() / 2 / step
        )
    jacobian = np.stack(columns, axis=1)
    return jacobian @ np.diag(variances) @ jacobian.T


@pytest.mark.parametrize("intensity", [0.15, 0.4, 0.7])
def test_variance_and_correlation_of_colours_follow_the_intensity(intensity):
    noise = CameraNoise(shot=2e-4, read=0, mosaic=False, **PLAIN)
    image = np.full((200, 200, 3), intensity, np.float32)
    noisy, clean = noise.pair(image, image, sample_rng(3, 0))
    camera = camera_of(3)
    raw = camera.unprocess(image)[0, 0]
    expected = pushed(camera, raw, 2e-4 * raw)
    np.testing.assert_allclose(clean, image, atol=2e-3)
    np.testing.assert_allclose(np.cov((noisy - clean).reshape(-1, 3).T), expected, rtol=0.08, atol=0.02 * expected.max())


def test_read_noise_is_the_same_at_any_intensity():
    camera = camera_of(3)
    deviations = []
    for intensity in (0.3, 0.6):
        image = np.full((128, 128, 3), intensity, np.float32)
        noise = [CameraNoise(shot=1e-3, read=read, mosaic=False, **PLAIN).pair(image, image, sample_rng(3, 0)) for read in (0, 2)]
        raw = camera.unprocess(image)[0, 0]
        covariances = [np.cov((noisy - clean).reshape(-1, 3).T) for noisy, clean in noise]
        deviations.append((covariances[1] - covariances[0]).trace() / pushed(camera, raw, np.ones(3)).trace())
    assert deviations[0] == pytest.approx(deviations[1], rel=0.3)


def autocorrelation(noise, lag):
    """Return the mean correlation of channels with themselves, some pixels along a row and a column."""
    centred = noise - noise.mean(axis=(0, 1))
    along = (centred[:, lag:] * centred[:, :-lag]).mean() + (centred[lag:] * centred[:-lag]).mean()
    return along / 2 / (centred**2).mean()


def test_spatial_correlation_is_that_of_the_demosaicing_filters():
    camera = dataclasses.replace(camera_of(3), edge_aware=False)
    flat = np.full((64, 64), 0.2, np.float32)
    still = camera.develop(flat, demosaic=True)
    responses = []
    for row, column in ((30, 30), (30, 31), (31, 30), (31, 31)):  # the four sites of a mosaic
        pulse = flat.copy()
        pulse[row, column] += 1e-3
        responses.append(camera.develop(pulse, demosaic=True) - still)
    for lag in (1, 2, 3):
        expected = sum((r[:, lag:] * r[:, :-lag]).sum() + (r[lag:] * r[:-lag]).sum() for r in responses)
        expected /= 2 * sum((r**2).sum() for r in responses)
        noise = camera.develop(flat + np.random.default_rng(0).normal(0, 2e-3, (64, 64)).astype(np.float32), demosaic=True) - still
        assert autocorrelation(noise[4:-4, 4:-4], lag) == pytest.approx(expected, abs=0.05)
    white = np.random.default_rng(0).normal(0, 1, (64, 64, 3))
    assert abs(autocorrelation(white, 1)) < 0.03 < autocorrelation(noise, 1) - 0.1


@pytest.mark.parametrize("edge_aware", [True, False])
@pytest.mark.parametrize("phase", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_demosaicing_knows_the_phase(phase, edge_aware):
    camera = dataclasses.replace(camera_of(0), phase=phase, edge_aware=edge_aware)
    developed = camera.develop(camera.mosaic(camera.unprocess(PHOTO / np.float32(255))), demosaic=True)
    assert psnr(np.rint(developed * 255).astype(np.uint8)[8:-8, 8:-8], PHOTO[8:-8, 8:-8]) > 26


def test_target_is_the_input_without_noise():
    quiet = CameraNoise(shot=1e-8, read=0, jpeg=0)
    for index in range(8):
        noisy, target = degrade_pair(PHOTO, quiet, seed=0, index=index)
        assert psnr(noisy, target) > 45
    image, target = degrade_pair(PHOTO, CameraNoise(**PLAIN, mosaic=False), seed=0, index=0)
    assert psnr(target, PHOTO) > 50
    assert psnr(image, PHOTO) < 45


def test_after_another_degradation_the_target_is_developed_without_it():
    blurred = Combination([DefocusBlur(3), CameraNoise(shot=1e-6, **PLAIN)], random_order=False)
    image, target = degrade_pair(PHOTO, blurred, seed=0, index=0)
    sharp = degrade_pair(PHOTO, CameraNoise(shot=1e-6, **PLAIN, mosaic=True), seed=0, index=0)[1]
    assert psnr(image, target) < 38
    assert psnr(target, sharp) > 30


@pytest.mark.parametrize(("field", "value"), [("shot", 0), ("resize", (0.1, 1)), ("quality", 0), ("chroma", 1.5), ("lens", -1)])
def test_numbers_out_of_range(field, value):
    with pytest.raises(ValueError, match=field):
        CameraNoise(**{field: value})


def test_choice_draws_by_its_weights():
    image = np.full((4, 4, 3), 0.5, np.float32)
    never = Choice([GaussianNoise(0), GaussianNoise(50)], weights=[1, 0])
    assert all(np.array_equal(never(image, sample_rng(0, i)), image) for i in range(20))
    half = Choice([GaussianNoise(0), GaussianNoise(50)])
    assert 30 < sum(np.array_equal(half(image, sample_rng(0, i)), image) for i in range(100)) < 70


@pytest.mark.parametrize(("weights", "message"), [([1], "2 numbers"), ([0, 0], "above 0"), ([-1, 2], "negative")])
def test_choice_refuses_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        Choice([GaussianNoise(0), GaussianNoise(1)], weights=weights)
