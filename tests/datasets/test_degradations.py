"""Degradations: what they do to an image is what their formulas say, and depends on seed and index alone."""

import numpy as np
import pytest

from restorekit.data import (
    Combination,
    DefocusBlur,
    GaussianNoise,
    MotionBlur,
    PoissonGaussianNoise,
    Rain,
    create_degradation,
    degradations,
    degrade,
    sample_rng,
    to_pixels,
)
from restorekit.data._degradations import JPEG, motion_kernel
from restorekit.images import sample_photo

PHOTO = sample_photo()[150:230, 100:220]
ALL = [create_degradation(name) for name in degradations]
every_degradation = pytest.mark.parametrize("degradation", [*ALL, Combination(ALL)], ids=lambda d: type(d).__name__)


def flat(value, side=96):
    return np.full((side, side, 3), value, np.float32)


@every_degradation
def test_reproducible_from_seed_and_index_alone(degradation):
    before = PHOTO.copy()
    first = degrade(PHOTO, degradation, seed=1, index=5)
    np.random.default_rng(0).random(3)
    assert np.array_equal(first, degrade(PHOTO, degradation, seed=1, index=5))
    assert np.array_equal(PHOTO, before)
    assert first.shape == PHOTO.shape
    assert first.dtype == np.uint8
    others = [degrade(PHOTO, degradation, seed=seed, index=index) for seed, index in ((1, 6), (2, 5))]
    assert not any(np.array_equal(first, other) for other in others)


@every_degradation
@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 1, 3), (40, 30, 1)])
def test_any_size_and_grey(degradation, shape):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    degraded = degradation(image, sample_rng(0, 0))
    assert degraded.shape == shape
    assert degraded.dtype == np.float32
    assert np.isfinite(degraded).all()


def test_gaussian_noise_has_its_deviation():
    noise = GaussianNoise(20)(flat(0.5), sample_rng(0, 0)) - 0.5
    assert noise.std() * 255 == pytest.approx(20, rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=3e-3)


def test_blind_noise_draws_its_deviation_for_every_image():
    deviations = [255 * (GaussianNoise((5, 30))(flat(0.5), sample_rng(0, i)) - 0.5).std() for i in range(20)]
    assert 4.8 < min(deviations) < 12
    assert 23 < max(deviations) < 30.8


@pytest.mark.parametrize("intensity", [0.2, 0.6])
def test_poisson_gaussian_noise_has_its_variance(intensity):
    noisy = PoissonGaussianNoise(gain=0.004, read=5)(flat(intensity), sample_rng(0, 0))
    assert noisy.mean() == pytest.approx(intensity, rel=0.01)
    assert noisy.var() == pytest.approx(0.004 * intensity + (5 / 255) ** 2, rel=0.05)


@pytest.mark.parametrize("shake", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("length", [0.0, 1.0, 25.0])
def test_motion_kernel(length, shake):
    for seed in range(5):
        kernel = motion_kernel(length, shake, np.random.default_rng(seed))
        assert kernel.min() >= 0
        assert kernel.sum() == pytest.approx(1)
        assert kernel.shape[0] == kernel.shape[1]
        assert kernel.shape[0] % 2 == 1
        row, column = (np.mgrid[: kernel.shape[0], : kernel.shape[1]] * kernel).sum(axis=(1, 2))
        assert (row, column) == pytest.approx((kernel.shape[0] // 2,) * 2)  # the image does not move
        assert kernel.shape[0] <= length + 5


def test_a_camera_that_does_not_shake_draws_a_line():
    kernel = motion_kernel(30.0, 0.0, np.random.default_rng(3))
    row, column = np.nonzero(kernel)
    directions = np.linalg.svd(np.stack((row - row.mean(), column - column.mean())))[1]
    assert directions[1] < 0.1 * directions[0]
    assert np.hypot(np.ptp(row), np.ptp(column)) == pytest.approx(30, abs=3)


@pytest.mark.parametrize("blur", [MotionBlur(15, 0.5), DefocusBlur(3)])
def test_blur_keeps_constants_and_smooths(blur):
    np.testing.assert_allclose(blur(flat(0.3), sample_rng(0, 0)), 0.3, atol=1e-6)
    image = PHOTO.astype(np.float32) / 255
    assert np.abs(np.diff(blur(image, sample_rng(0, 0)), axis=0)).mean() < 0.75 * np.abs(np.diff(image, axis=0)).mean()


def test_defocus_of_a_point_is_a_disk():
    point = np.zeros((21, 21, 1), np.float32)
    point[10, 10] = 1
    disk = DefocusBlur(4)(point, sample_rng(0, 0))[..., 0]
    row, column = np.mgrid[-10:11, -10:11]
    distance = np.hypot(row, column)
    inside = disk[distance <= 3.5]
    np.testing.assert_allclose(inside, inside[0], atol=1e-6)
    np.testing.assert_allclose(disk[distance >= 4.5], 0, atol=1e-6)
    assert inside[0] == pytest.approx(1 / (np.pi * 4**2), rel=0.05)


def test_rain_only_brightens_and_leans_as_told():
    image = flat(0.2, 128)
    for angle in (-30, 0, 30):
        streaks = (Rain(length=40, angle=angle, density=1, width=4, layers=1)(image, sample_rng(0, 1)) - image)[..., 0]
        assert streaks.min() >= 0
        assert 0.005 < (streaks > 0.05).mean() < 0.5
        down, right = np.gradient(streaks)
        tensor = np.array([[(down * down).sum(), (down * right).sum()], [(down * right).sum(), (right * right).sum()]])
        along = np.linalg.eigh(tensor)[1][:, 0]  # the direction in which brightness changes least
        assert np.degrees(np.arctan(along[1] / along[0])) == pytest.approx(angle, abs=5)


def test_rain_is_as_dense_and_layered_as_told():
    def wet(**arguments):
        fixed = {"length": 20, "angle": 10, "density": 1, "intensity": 0.5, "width": 1.5, "layers": 1} | arguments
        return float((Rain(**fixed)(flat(0.2), sample_rng(0, 0)) > 0.25).mean())

    assert wet() < wet(density=4)
    assert wet() < wet(length=40)
    assert wet() < wet(layers=3)


def test_jpeg_is_pillows():
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", quality=40)
    with Image.open(file) as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(degrade(PHOTO, JPEG(40), seed=0, index=0), expected)


def test_a_combination_shuffles_its_parts_or_not():
    def append(letter):
        return lambda image, rng: (order.append(letter), image)[1]

    parts, orders, kept = [append(letter) for letter in "abc"], set(), set()
    for index in range(40):
        for combination, seen in ((Combination(parts), orders), (Combination(parts, random_order=False), kept)):
            order = []
            combination(flat(0.0, 2), sample_rng(0, index))
            seen.add("".join(order))
    assert len(orders) == 6
    assert kept == {"abc"}
    done = []
    for index in range(100):
        order = []
        Combination(parts, probability=0.5)(flat(0.0, 2), sample_rng(0, index))
        done.append(len(order))
    assert np.mean(done) == pytest.approx(1.5, abs=0.3)


def test_to_pixels_clips_and_rounds():
    assert to_pixels(np.array([-0.1, 0.4999 / 255, 0.501 / 255, 1.2])).tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("gausian", {}, "unknown degradation 'gausian'; did you mean 'gaussian'"),
        ("gaussian", {"sigma": -1}, "sigma must be at least 0, .* got -1"),
        ("gaussian", {"sigma": (30, 10)}, r"with the smallest of a range first; got \(30, 10\)"),
        ("jpeg", {"quality": [10, 20, 30]}, "a number or a range of two"),
        ("jpeg", {"quality": 101}, "quality must be from 1 to 100"),
    ],
)
def test_mistakes_are_explained(name, arguments, words):
    with pytest.raises(ValueError, match=words):
        create_degradation(name, **arguments)
    with pytest.raises(ValueError, match="at least one degradation"):
        Combination([])
