"""The Darmstadt Noise Dataset: results are sent to its server, since only the server has the ground truth.

Source: Ploetz and Roth, Benchmarking denoising algorithms with real photographs, CVPR 2017, arXiv:1707.01313.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from restorekit._files import atomic_path
from restorekit.data import listed
from restorekit.errors import DataError
from restorekit.evaluate._mat import read_array, read_boxes
from restorekit.evaluate._run import Options, options_of
from restorekit.images import Array
from restorekit.inference import Restorer
from restorekit.network import RestorationNetwork

EVAL_VERSION = "1.0"


def write_dnd_submission(
    model: RestorationNetwork,
    data: Path,
    output: Path,
    *,
    options: Options = None,
    on_progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> int:
    """Denoise the boxes of DND's sRGB images and write the submission for its server; return the number of boxes.

    Every image becomes a file ``0001.mat``, ... with the cell array ``Idenoised`` (float32 in [0, 1], not rounded), ``israw`` = 0
    and ``eval_version``.

    Args:
        model: the network.
        data: folder that contains ``info.mat`` and ``images_srgb`` as published.
        output: folder to write the files to.
        options: as for :func:`restorekit.evaluate.evaluate`.
        on_progress: called before each image with the number of images done, the total, and the image's name.

    Raises:
        DataError: if a file is missing or not as published.
        ModuleNotFoundError: if SciPy or h5py is not installed.
    """
    boxes = read_boxes(data / "info.mat")
    names = [f"{i + 1:04}.mat" for i in range(len(boxes))]
    missing = [name for name in names if not (data / "images_srgb" / name).is_file()]
    if missing:
        raise DataError(f"{data / 'images_srgb'} lacks {len(missing)} of {len(names)} images: {listed(missing)}")
    import scipy.io

    restorer = Restorer(model, options_of(options))
    output.mkdir(parents=True, exist_ok=True)
    for done, (name, places) in enumerate(zip(names, boxes, strict=True)):
        on_progress(done, len(names), name)
        path = data / "images_srgb" / name
        image = np.clip(read_array(path, "InoisySRGB"), 0, 1).astype(np.float32)
        crops = np.empty((1, len(places)), dtype=object)
        for k, place in enumerate(places):
            crops[0, k] = restorer(_box(image, place, path))
        with atomic_path(output / name) as temporary:
            scipy.io.savemat(temporary, {"Idenoised": crops, "israw": 0, "eval_version": EVAL_VERSION})
    return sum(len(places) for places in boxes)


def _box(image: Array, place: Array, path: Path) -> Array:
    """Return a box: first row, first column, last row, last column, counted from 1, all inside."""
    top, left, bottom, right = (int(number) for number in place)
    height, width = image.shape[:2]
    if not (1 <= top <= bottom <= height and 1 <= left <= right <= width):
        raise DataError(f"{path} is {width}x{height}; the box of rows {top}..{bottom}, columns {left}..{right} is outside it")
    return np.ascontiguousarray(image[top - 1 : bottom, left - 1 : right])
