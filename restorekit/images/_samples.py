"""The photographs that come with the package; ``assets/photographs.md`` gives their credits."""

import importlib.resources

import numpy as np
from PIL import Image

from restorekit.images._picture import Pixels


def sample_photo() -> Pixels:
    """Return a clean photograph, 500 x 500 x 3; no bundled weights were trained on it."""
    return _bundled("u76c0g_bliznaca.png")


def noisy_photo() -> Pixels:
    """Return a photograph that is noisy as its camera left it, 480 x 752 x 3; ``nafnet_tiny.denoise`` was not trained on it."""
    return _bundled("lanterns.jpg")


def _bundled(name: str) -> Pixels:
    with (importlib.resources.files("restorekit") / "assets" / name).open("rb") as file, Image.open(file) as image:
        return np.asarray(image.convert("RGB"))
