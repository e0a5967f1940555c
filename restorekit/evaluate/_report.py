"""One HTML page that shows a result: figures, before-and-after pictures, error maps."""

import base64
import importlib.resources
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from restorekit._files import atomic_path
from restorekit.evaluate._results import Evaluation, Picture
from restorekit.images import Pixels

QUALITY = 92  # of the pictures in the page; the figures are measured on the images themselves
ERROR_SCALE = 32  # difference of 8-bit values that gets the brightest colour
COLOURS = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))  # from no error to the largest
PLACE_OF_DATA = "/*DATA*/"


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write a result as one self-contained HTML page that works offline.

    It contains a sortable table of all images, and the pictures that were kept: sliders between input and result, the target, and
    an error map.

    Args:
        evaluation: the result, with pictures (see ``pictures`` of :func:`restorekit.evaluate.evaluate`).
        path: file to write; an existing file is replaced.
    """
    content = evaluation.as_json() | {
        "pictures": [_picture(picture) for picture in evaluation.pictures],
        "error_scale": ERROR_SCALE,
    }
    template = (importlib.resources.files("restorekit") / "assets" / "report.html").read_text(encoding="utf-8")
    data = json.dumps(content).replace("<", "\\u003c")  # so that no name can end the script
    with atomic_path(path) as temporary:
        temporary.write_text(template.replace(PLACE_OF_DATA, data), encoding="utf-8")


def error_map(restored: Pixels, target: Pixels) -> Pixels:
    """Return the largest difference of the channels as a colour: black for none, pale yellow from 32 of 255 on."""
    error = np.abs(restored.astype(np.int16) - target).max(axis=2)
    place = np.minimum(error / ERROR_SCALE, 1) * (len(COLOURS) - 1)
    channels = [np.interp(place, range(len(COLOURS)), channel) for channel in zip(*COLOURS, strict=True)]
    return np.rint(np.stack(channels, axis=2)).astype(np.uint8)


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "set": picture.set,
        "name": picture.name,
        "box": picture.box,
        "size": picture.size,
        "input": _encoded(picture.input),
        "restored": _encoded(picture.restored),
        "target": _encoded(picture.target),
        "error": _encoded(error_map(picture.restored, picture.target)),
    }


def _encoded(pixels: Pixels) -> str:
    """Return pixels as a data URI."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
