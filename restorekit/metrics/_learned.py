"""Learned metrics, through torchmetrics: distances between features of networks trained on ImageNet."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restorekit._packages import from_extra
from restorekit.metrics._pairs import Image, comparable_batches


def lpips(a: Image, b: Image, *, download: bool = False) -> float:
    """Return the learned perceptual image patch similarity (LPIPS) with AlexNet: 0 for equal images, larger is worse.

    Features of five layers of AlexNet, normalised over channels, are subtracted, squared, weighted by version 0.1 of the published
    linear layers and averaged over the image. Source: Zhang et al., CVPR 2018, arXiv:1801.03924; computed by torchmetrics.

    Args:
        a: 8-bit image or floating-point image in [0, 1]: an array, H x W x 3, or a tensor, N x 3 x H x W, which is averaged.
        b: image of the same kind and shape.
        download: whether AlexNet's weights may be downloaded if they are not on this machine.

    Raises:
        ValueError: if the images do not match or do not have three channels.
        FileNotFoundError: if the weights are not on this machine and may not be downloaded.
        ModuleNotFoundError: if torchmetrics or torchvision is not installed.
    """
    return _measure("LPIPS", a, b, download)


def dists(a: Image, b: Image, *, download: bool = False) -> float:
    """Return the deep image structure and texture similarity (DISTS) with VGG-16: 0 for equal images, larger is worse.

    Source: Ding et al., IEEE Transactions on Pattern Analysis and Machine Intelligence 44(5), 2022, arXiv:2004.07728; computed by
    torchmetrics, at the size of the images.

    Args:
        a: 8-bit image or floating-point image in [0, 1]: an array, H x W x 3, or a tensor, N x 3 x H x W, which is averaged.
        b: image of the same kind and shape.
        download: whether the weights of VGG-16 may be downloaded if they are not on this machine.

    Raises:
        ValueError: if the images do not match or do not have three channels.
        FileNotFoundError: if the weights are not on this machine and may not be downloaded.
        ModuleNotFoundError: if torchmetrics or torchvision is not installed.
    """
    return _measure("DISTS", a, b, download)


def _measure(name: str, a: Image, b: Image, download: bool) -> float:
    first, second, peak = comparable_batches(a, b)
    if first.shape[1] != 3:
        raise ValueError(f"{name} compares RGB images with 3 channels; got {first.shape[1]}")
    distance = _distance(name, download)
    with torch.no_grad():
        return float(distance((first / peak).float().cpu(), (second / peak).float().cpu()))


@functools.cache
def _distance(name: str, download: bool) -> Callable[[Tensor, Tensor], Any]:
    """Return the metric as a function of two batches in [0, 1]."""
    with from_extra("perceptual", f"{name} needs torchmetrics and torchvision"):
        import torchvision
        from torchmetrics.functional.image.dists import DISTSNetwork
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    if name == "LPIPS":
        _check_on_disk(name, torchvision.models.AlexNet_Weights.DEFAULT, download)
        metric: Callable[[Tensor, Tensor], Any] = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
        return metric
    _check_on_disk(name, torchvision.models.VGG16_Weights.DEFAULT, download)
    network = DISTSNetwork().eval()
    return lambda a, b: network(a, b).mean()


def _check_on_disk(name: str, weights: Any, download: bool) -> None:
    """Raise unless the weights of the network are where torchvision looks for them, or may be downloaded."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if not path.exists() and not download:
        raise FileNotFoundError(
            f"{name} needs {path.name} ({weights.meta['_file_size']:.0f} MB, from {weights.url}), which is not at {path}; put it "
            "there, or allow the download: download=True, or --download in the shell"
        )
