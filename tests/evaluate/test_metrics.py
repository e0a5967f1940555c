"""Metrics: against scikit-image where definitions meet, by hand where they do not."""

import itertools

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from restorekit import metrics
from restorekit.data import add_gaussian_noise
from restorekit.images import sample_photo
from restorekit.metrics import align, psnr, rgb_to_y, ssim, ssim_3d

CLEAN = sample_photo()[200:264, 180:260].copy()
NOISY = add_gaussian_noise(CLEAN, 20.0, np.random.default_rng(0))


def as_batch(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def scikit_ssim(a, b, peak, **kwargs):
    return structural_similarity(
        a, b, data_range=peak, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=-1, **kwargs
    )


@pytest.mark.parametrize("metric", [psnr, ssim, ssim_3d])
def test_kinds_agree(metric):
    value = metric(NOISY, CLEAN)
    assert metric(as_batch(NOISY), as_batch(CLEAN)) == pytest.approx(value, rel=1e-12)
    assert metric(NOISY / 255, CLEAN / 255) == pytest.approx(value, rel=1e-9)
    assert metric(as_batch(NOISY / 255), as_batch(CLEAN / 255)) == pytest.approx(value, rel=1e-9)
    assert metric(CLEAN, NOISY) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("metric", [ssim, ssim_3d])
def test_structural_similarity_of_equal_images_is_one(metric):
    assert metric(CLEAN, CLEAN) == pytest.approx(1, abs=1e-12)
    assert metric(NOISY, CLEAN) < 0.9


@pytest.mark.parametrize("metric", [ssim, ssim_3d])
def test_a_batch_is_averaged(metric):
    batch = torch.cat((as_batch(NOISY), as_batch(CLEAN)))
    assert metric(batch, as_batch(CLEAN).repeat(2, 1, 1, 1)) == pytest.approx((metric(NOISY, CLEAN) + 1) / 2)


def test_psnr_is_scikit_images():
    assert psnr(NOISY, CLEAN) == pytest.approx(peak_signal_noise_ratio(CLEAN, NOISY))


def test_ssim_is_scikit_images_inside_the_border():
    assert ssim(NOISY, CLEAN) == pytest.approx(scikit_ssim(NOISY, CLEAN, 255), rel=1e-9)
    assert ssim(NOISY[..., 0], CLEAN[..., 0]) == pytest.approx(scikit_ssim(NOISY[..., :1], CLEAN[..., :1], 255), rel=1e-9)


def test_ssim_of_constant_images_by_hand():
    """Without variance only luminance counts: (2 a b + C1) / (a^2 + b^2 + C1)."""
    a, b, c1 = 100, 120, (0.01 * 255) ** 2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    images = [np.full((12, 12, 3), value, np.uint8) for value in (a, b)]
    assert ssim(*images) == pytest.approx(expected)
    assert ssim_3d(*images) == pytest.approx(expected)


def test_ssim_3d_by_hand():
    """Every voxel from its definition: an 11 x 11 x 11 Gaussian around it, coordinates outside the volume moved to its border."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4, 3, 3))
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights = np.einsum("i,j,k->ijk", line, line, line)
    weights /= weights.sum()
    values = []
    for place in itertools.product(*map(range, a.shape)):
        axes = [np.clip(place[axis] + offsets, 0, a.shape[axis] - 1) for axis in range(3)]
        x, y = (image[np.ix_(*axes)] for image in (a, b))
        mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
        var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
        cov = (weights * (x - mean_x) * (y - mean_y)).sum()
        c1, c2 = 0.01**2, 0.03**2
        values.append((2 * mean_x * mean_y + c1) * (2 * cov + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)))
    assert ssim_3d(a, b) == pytest.approx(np.mean(values), rel=1e-9)


def test_the_two_definitions_differ_in_colour():
    assert abs(ssim(NOISY, CLEAN) - ssim_3d(NOISY, CLEAN)) > 0.01


def test_masks_weight_the_means():
    mask = np.zeros(CLEAN.shape)
    mask[10:50, 15:60] = 1
    assert psnr(NOISY, CLEAN, mask=mask) == pytest.approx(psnr(NOISY[10:50, 15:60], CLEAN[10:50, 15:60]))
    _, values = scikit_ssim(NOISY, CLEAN, 255, full=True)
    assert ssim(NOISY, CLEAN, mask=mask) == pytest.approx(values[10:50, 15:60].mean(), rel=1e-9)
    assert ssim(NOISY, CLEAN, mask=np.ones(CLEAN.shape)) == pytest.approx(ssim(NOISY, CLEAN))
    for metric in (psnr, ssim):
        with pytest.raises(ValueError, match="mask"):
            metric(NOISY, CLEAN, mask=np.zeros(CLEAN.shape))
        with pytest.raises(ValueError, match="mask"):
            metric(NOISY, CLEAN, mask=np.ones((5, 5, 3)))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((12, 12, 3), np.uint8), np.zeros((12, 13, 3), np.uint8), "the same shape"),
        (np.zeros((12, 12, 3), np.uint8), np.zeros((12, 12, 3)), "both uint8 or both floating point"),
        (np.zeros(12), np.zeros(12), "H x W or H x W x C"),
        (torch.zeros(3, 12, 12), torch.zeros(3, 12, 12), "N x C x H x W"),
    ],
)
@pytest.mark.parametrize("metric", [ssim, ssim_3d])
def test_what_cannot_be_compared_is_refused(metric, a, b, words):
    with pytest.raises(ValueError, match=words):
        metric(a, b)


def test_ssim_needs_a_window():
    with pytest.raises(ValueError, match="at least 11x11 pixels; got 10x40"):
        ssim(np.zeros((10, 40, 3)), np.zeros((10, 40, 3)))


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        # By hand: 16 + (65.481 R + 128.553 G + 24.966 B) / 255
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81),  # 81.481
        ((0, 255, 0), 145),  # 144.553
        ((0, 0, 255), 41),  # 40.966
        ((10, 200, 90), 128),  # 128.206
        ((128, 128, 128), 126),  # 125.929
    ],
)
def test_luma_by_hand(rgb, y):
    pixels = np.array([[rgb]], np.uint8)
    luma = rgb_to_y(pixels)
    assert luma.dtype == np.uint8
    assert luma.tolist() == [[[y]]]
    assert rgb_to_y(as_batch(pixels)).tolist() == [[[[y]]]]
    exact = (16 + np.dot(rgb, [65.481, 128.553, 24.966]) / 255) / 255
    assert rgb_to_y(pixels / 255).item() == pytest.approx(exact)


def test_luma_is_scikit_images_rounded():
    from skimage.color import rgb2ycbcr

    np.testing.assert_array_equal(rgb_to_y(NOISY)[..., 0], np.floor(rgb2ycbcr(NOISY)[..., 0] + 0.5))


def test_luma_needs_three_channels(unchecked_annotations):
    with pytest.raises(ValueError, match=r"3 channels .* got shape \(4, 4, 1\)"):
        rgb_to_y(np.zeros((4, 4, 1)))
    with pytest.raises(ValueError, match="uint8 or floating point"):
        rgb_to_y(np.zeros((4, 4, 3), np.int32))


def moved_pair():
    """Return a photograph and the same seen three pixels to the right and two down, darker by a quarter."""
    photo = sample_photo()[100:300, 100:340] / 255
    return photo[:-2, :-3] * 0.75, photo[2:, 3:]


def test_alignment_undoes_shift_and_intensity():
    pytest.importorskip("cv2", reason="OpenCV is an extra")
    restored, target = moved_pair()
    aligned = align(restored, target)
    assert psnr(restored, target) < 20
    assert psnr(aligned.restored, aligned.target, mask=aligned.mask) > 35
    assert ssim(aligned.restored, aligned.target, mask=aligned.mask) > 0.98
    assert set(np.unique(aligned.mask)) == {0, 1}
    outside = (aligned.mask == 0).mean()  # three columns and two rows have left the picture
    assert outside == pytest.approx(3 / 237 + 2 / 198, abs=0.01)
    batch = align(as_batch(restored), as_batch(target))
    np.testing.assert_allclose(batch.restored[0].permute(1, 2, 0), aligned.restored)
    assert batch.mask.shape == as_batch(target).shape


def test_alignment_finds_the_least_squares_intensity():
    pytest.importorskip("cv2", reason="OpenCV is an extra")
    photo = sample_photo()[100:200, 100:220] / 255
    aligned = align(photo * 0.5, photo)
    np.testing.assert_allclose(aligned.restored, photo, atol=1e-3)
    assert aligned.mask.mean() > 0.97


def test_alignment_explains_what_it_cannot_do():
    pytest.importorskip("cv2", reason="OpenCV is an extra")
    _, target = moved_pair()
    with pytest.raises(ValueError, match="black"):
        align(np.zeros_like(target), target)
    with pytest.raises(ValueError, match="does not converge"):
        align(np.full_like(target, 0.5), target)
    with pytest.raises(ValueError, match="3 channels; got 1"):
        align(target[..., :1], target[..., :1])


@pytest.mark.parametrize(("name", "file"), [("lpips", "alexnet-owt-7be5be79.pth"), ("dists", "vgg16-397923af.pth")])
def test_learned_metrics_download_nothing_unasked(name, file, tmp_path, monkeypatch):
    pytest.importorskip("torchmetrics", reason="torchmetrics is an extra")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=rf"{file} \(\d+ MB, from https://.*download=True, or --download"):
        getattr(metrics, name)(NOISY, CLEAN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_learned_metrics_compare_batches_in_the_unit_range(name, monkeypatch):
    def distance(a, b):
        assert a.shape == b.shape == (1, 3, *CLEAN.shape[:2])
        assert a.dtype == b.dtype == torch.float32
        return (a - b).abs().mean()

    monkeypatch.setattr("restorekit.metrics._learned._distance", lambda name, download: distance)
    expected = np.abs(NOISY.astype(float) - CLEAN).mean() / 255
    for images in ((NOISY, CLEAN), (NOISY / 255, CLEAN / 255), (as_batch(NOISY), as_batch(CLEAN))):
        assert getattr(metrics, name)(*images) == pytest.approx(expected, rel=1e-5)


def test_learned_metrics_need_colour():
    with pytest.raises(ValueError, match="LPIPS compares RGB images with 3 channels; got 1"):
        metrics.lpips(CLEAN[..., :1], CLEAN[..., :1])


@pytest.mark.parametrize("metric", [psnr, ssim, ssim_3d])
def test_tensors_of_any_device(metric, device):
    images = as_batch(NOISY).to(device), as_batch(CLEAN).to(device)
    assert metric(*images) == pytest.approx(metric(NOISY, CLEAN), rel=1e-9)
    assert rgb_to_y(images[0]).device == images[0].device
