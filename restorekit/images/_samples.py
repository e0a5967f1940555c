"""The photograph that comes with the package."""

import importlib.resources

import numpy as np
from PIL import Image

from restorekit.images._picture import Pixels

SAMPLE = "u76c0g_bliznaca.png"
SAMPLE_CREDIT = "wesaturate (bliznaca), CC0-1.0; from the test data of the JPEG XL project"


def sample_photo() -> Pixels:
    """Return the bundled photograph, 500 x 500 x 3; no bundled weights were trained on it."""
    with (importlib.resources.files("restorekit") / "assets" / SAMPLE).open("rb") as file, Image.open(file) as image:
        return np.asarray(image.convert("RGB"))
