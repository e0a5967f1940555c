"""Restoring and measuring a data set."""

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from restorekit._files import sha256_of
from restorekit._packages import versions_of
from restorekit.data import to_pixels
from restorekit.evaluate._results import Evaluation, ImageResult, Picture, Values
from restorekit.evaluate.protocols import Example, Protocol, find_protocol
from restorekit.images import Array, Pixels
from restorekit.inference import InferenceOptions, Restorer
from restorekit.metrics import dists, lpips
from restorekit.network import RestorationNetwork

LEARNED = {"lpips": lpips, "dists": dists}
RECORDED = ("restorekit", "torch", "numpy", "pillow", "opencv-python-headless", "torchmetrics")
DEFAULTS = {"precision": "float32"}  # so that figures can be compared with published ones
PICTURE_SIDE = 384
STEP = 16  # between the positions that are tried for a picture
Progress = Callable[[int, int, str], None]
Options = InferenceOptions | Mapping[str, Any] | None


def evaluate(
    model: RestorationNetwork,
    data: Path,
    protocol: str | Protocol,
    *,
    options: Options = None,
    learned: Sequence[str] = (),
    download: bool = False,
    pictures: int = 0,
    name: str | None = None,
    weights: Path | None = None,
    on_progress: Progress = lambda done, total, what: None,
) -> Evaluation:
    """Restore every image of a data set and measure it by a protocol; the degraded images are measured in the same way.

    For a network that enlarges images, targets must be larger by the same factor; the degraded images are measured with their
    pixels repeated.

    Args:
        model: the network.
        data: folder of the data set.
        protocol: name of a protocol, or a custom one.
        options: how to restore, or the fields of :class:`~restorekit.inference.InferenceOptions` that differ from the defaults;
            the precision is then float32 unless given. All options are recorded, with the largest number of tiles of an image.
        learned: further metrics, ``"lpips"`` and ``"dists"``.
        download: whether these may download the weights of their networks.
        pictures: how many of the worst and how many of the best images to keep parts of, for a report.
        name: name of the model, to record.
        weights: file of the weights, whose checksum is recorded.
        on_progress: called before each image with the number of images done, the total, and the image's name.

    Returns:
        The figures of every image; ``rows()`` gives the means.

    Raises:
        ValueError: if there is no such protocol or metric, or an image cannot be restored or measured.
        DataError: if the folder does not have the layout that the protocol needs.
    """
    if isinstance(protocol, str):
        protocol = find_protocol(protocol)
    unknown = [metric for metric in learned if metric not in LEARNED]
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; known: {', '.join(LEARNED)}")
    further = {metric: partial(LEARNED[metric], download=download) for metric in learned}
    tiles = 1
    restorer = Restorer(model, options_of(options))
    sets = protocol.find(data)
    examples = [(set_, example) for set_, found in sets.items() for example in found]
    started = time.perf_counter()
    images: list[ImageResult] = []
    kept: list[Picture] = []
    for done, (set_, example) in enumerate(examples):
        on_progress(done, len(examples), f"{set_}/{example.name}")
        try:
            values, pixels = _measured(restorer, protocol, example, further)
        except ValueError as error:
            raise ValueError(f"{set_}/{example.name}: {error}") from error
        tiles = max(tiles, restorer.num_tiles)
        images.append(ImageResult(set_, example.name, values))
        if pictures:
            kept = _worst_and_best([*kept, _picture(set_, example.name, values["psnr"], pixels)], pictures)
    about = describe(model, restorer.options, name=name, weights=weights) | {
        "data": str(data),
        "seconds": round(time.perf_counter() - started, 3),
    }
    about["inference"]["tiles"] = tiles
    return Evaluation(protocol.name, protocol.definition, dict(protocol.counts), images, about, kept, protocol.published)


def options_of(options: Options) -> InferenceOptions:
    """Return the options of a measurement: the given ones, with the defaults for measurements where fields are missing."""
    return options if isinstance(options, InferenceOptions) else InferenceOptions(**{**DEFAULTS, **(options or {})})


def describe(model: RestorationNetwork, options: Options, *, name: str | None, weights: Path | None) -> dict[str, Any]:
    """Return the data to record with a figure: model, checksum of the weights, inference options, versions, device, date."""
    chosen = options_of(options)
    device = torch.device(chosen.device) if chosen.device else next(model.parameters()).device
    return {
        "model": name or type(model).__name__,
        "weights_sha256": None if weights is None else sha256_of(weights),
        "inference": {option: value for option, value in asdict(chosen).items() if option != "device"},
        "device": _device(device),
        "versions": versions_of(RECORDED),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _measured(
    restorer: Restorer,
    protocol: Protocol,
    example: Example,
    further: Mapping[str, Callable[[Array, Array], float]],
) -> tuple[Values, tuple[Pixels, Pixels, Pixels]]:
    """Return the figures of an image, and its pixels: degraded, restored, ground truth."""
    degraded, target = _read(example, restorer.model.output.scale)
    images: list[Array] = [degraded, target]
    if not protocol.quantised:
        images = [image.astype(np.float32) / np.float32(255) for image in images]
    restored = restorer(images[0])
    degraded, images[0] = (_enlarged(image, restorer.model.output.scale) for image in (degraded, images[0]))
    values = protocol.measure(restored, images[1])
    values |= {metric: measure(restored, images[1]) for metric, measure in further.items()}
    values |= {f"input_{metric}": value for metric, value in protocol.measure(*images).items()}
    return values, (degraded, restored if protocol.quantised else to_pixels(restored), target)


def _read(example: Example, scale: int) -> tuple[Pixels, Pixels]:
    if scale == 1:
        return example.read()
    if example.read_scaled is None:
        raise ValueError(
            f"this protocol has targets of the size of the images, but the network enlarges images {scale} times; use the protocol "
            "pairs with targets that are larger by this factor"
        )
    return example.read_scaled(scale)


def _enlarged(image: Array, scale: int) -> Array:
    return image if scale == 1 else image.repeat(scale, axis=0).repeat(scale, axis=1)


def _picture(set_: str, name: str, psnr: float, images: tuple[Pixels, Pixels, Pixels]) -> Picture:
    """Return the part of the images, with at most the given side, where the restored one has the largest error."""
    height, width = images[0].shape[:2]
    rows, columns = min(height, PICTURE_SIDE), min(width, PICTURE_SIDE)
    error = np.square(images[1].astype(np.float32) - images[2]).sum(axis=2)
    sums = np.pad(error.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
    places = [
        (sums[top + rows, left + columns] - sums[top, left + columns] - sums[top + rows, left] + sums[top, left], top, left)
        for top in range(0, height - rows + 1, STEP)
        for left in range(0, width - columns + 1, STEP)
    ]
    _, top, left = max(places)
    box = (left, top, left + columns, top + rows)
    parts = (image[top : top + rows, left : left + columns].copy() for image in images)
    return Picture(set_, name, psnr, box, (width, height), *parts)


def _worst_and_best(pictures: list[Picture], number: int) -> list[Picture]:
    ranked = sorted(pictures, key=lambda picture: picture.psnr)
    return ranked if len(ranked) <= 2 * number else ranked[:number] + ranked[len(ranked) - number :]


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
