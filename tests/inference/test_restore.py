"""restorekit.restore: every kind of image, any size, nothing lost, clear refusals."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from _helpers.identity import Identity
from restorekit import create_model, restore
from restorekit.errors import ImageError
from restorekit.images import from_array, to_array

RNG = np.random.default_rng(0)


@given(st.integers(1, 19), st.integers(1, 19), st.sampled_from([1, 2, 3, 4]), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_arrays_of_any_size_come_back(height: int, width: int, channels: int, dtype: type) -> None:
    peak = 1 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = (np.random.default_rng(height * width).random((height, width, channels)) * peak).astype(dtype)
    restored = restore(Identity(), pixels, precision="float32")
    assert restored.dtype == pixels.dtype
    np.testing.assert_allclose(restored, pixels, atol=0 if dtype != np.float32 else 1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 8), (8, 8), (33, 17)])
def test_a_network_takes_every_size(size: tuple[int, int], device: torch.device) -> None:
    model = create_model("mprnet", width=8, unet_step=4, ors_step=0, num_blocks=1).to(device)
    image = torch.rand(2, 3, *size, device=device)
    restored = restore(model, image)
    assert restored.shape == image.shape
    assert restored.device == image.device
    assert restored.min() >= 0
    assert restored.max() <= 1


def test_a_multiple_of_the_size_is_the_plain_model_clamped() -> None:
    model = create_model("mprnet", width=8, unet_step=4, ors_step=0, num_blocks=1).eval()
    image = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(restore(model, image), model(image).clamp(0, 1), rtol=0, atol=1e-6)


def test_the_model_is_left_as_it_was() -> None:
    model = create_model("mprnet", width=8, unet_step=4, ors_step=0, num_blocks=1).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    restore(model, torch.rand(3, 9, 9))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_alpha_is_kept_and_grey_becomes_grey() -> None:
    model = Identity()
    with torch.no_grad():
        model.weight.fill_(0.5)
    pixels = 2 * RNG.integers(0, 128, (6, 7, 4), dtype=np.uint8)
    restored = restore(model, pixels, precision="float32")
    np.testing.assert_array_equal(restored[..., 3], pixels[..., 3])
    np.testing.assert_array_equal(restored[..., :3], pixels[..., :3] // 2)
    grey = restore(model, pixels[..., 0], precision="float32")
    np.testing.assert_array_equal(grey, pixels[..., 0] // 2)
    assert model.seen.shape[1] == 3


def test_integers_are_rounded_not_truncated() -> None:
    model = Identity()
    with torch.no_grad():
        model.weight.fill_(0.999)
    assert (restore(model, np.full((8, 8, 3), 100, np.uint8), precision="float32") == 100).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_pil_images_keep_mode_profile_and_exif(mode: str) -> None:
    shape = {"L": (9, 5), "I;16": (9, 5), "LA": (9, 5, 2), "RGB": (9, 5, 3), "RGBA": (9, 5, 4)}[mode]
    pixels = RNG.integers(0, 65536, shape).astype(np.uint16) if mode == "I;16" else RNG.integers(0, 256, shape, dtype=np.uint8)
    image = from_array(pixels, {"icc_profile": b"profile", "exif": b"Exif\0\0data", "other": 1})
    assert image.mode == mode
    restored = restore(Identity(), image, precision="float32")
    assert restored.mode == mode
    assert restored.info == {"icc_profile": b"profile", "exif": b"Exif\0\0data"}
    np.testing.assert_array_equal(to_array(restored), pixels)


def test_a_path_gives_a_pil_image(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    restored = restore(Identity(), tmp_path / "a.png", precision="float32")
    assert isinstance(restored, Image.Image)
    np.testing.assert_array_equal(np.asarray(restored), pixels)


def test_bfloat16_is_close_to_float32() -> None:
    torch.manual_seed(0)
    model = create_model("mprnet_tiny", pretrained=True)
    image = torch.rand(1, 3, 32, 32)
    assert (restore(model, image, precision="bfloat16") - restore(model, image, precision="float32")).abs().max() < 0.05


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (torch.zeros(3, 0, 8), ValueError, "empty"),
        (torch.zeros(8, 8), ValueError, "C x H x W"),
        (torch.zeros(5, 8, 8), ValueError, "5 channels; this network takes 3"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), ValueError, "uint8, uint16 or floating point"),
        (torch.full((3, 8, 8), 200.0), ValueError, "divide 8-bit values by 255"),
        (torch.full((3, 8, 8), -0.1), ValueError, "clamp them"),
        (torch.full((3, 8, 8), torch.nan), ValueError, "NaN"),
        (np.zeros((2, 2, 2, 2)), ValueError, "H x W x C"),
        (np.zeros((8, 8, 3), bool), ValueError, "uint8, uint16"),
        (Image.new("CMYK", (8, 8)), ImageError, "convert it to RGB"),
        (Image.new("F", (8, 8)), ImageError, "mode F"),
        ([[1, 2]], TypeError, "list"),
        ("missing.png", ImageError, "no image at missing.png"),
    ],
)
def test_a_wrong_image_is_explained(image: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        restore(Identity(), image)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), RuntimeError("DefaultCPUAllocator: not enough memory")])
def test_too_little_memory_is_explained(error: RuntimeError) -> None:
    class Hungry(Identity):
        def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
            raise error

    with pytest.raises(MemoryError, match="restore 16x8 pixels at once"):
        restore(Hungry(), torch.zeros(3, 8, 9))


def test_a_wrong_precision_and_infinite_results_are_errors() -> None:
    with pytest.raises(ValueError, match="must be one of auto, float32, bfloat16"):
        restore(Identity(), torch.zeros(3, 8, 8), precision="float8")
    model = Identity()
    with torch.no_grad():
        model.weight.fill_(torch.inf)
    with pytest.raises(ValueError, match="not finite"):
        restore(model, torch.ones(3, 8, 8))


def test_fewer_stages_restore_what_they_are_supervised_to() -> None:
    model = create_model("mprnet", width=8, unet_step=4, ors_step=4, num_blocks=1)
    image = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        first = model.forward_stages(image)[0].clamp(0, 1)
    torch.testing.assert_close(restore(model, image, stages=1, precision="float32"), first)
    with pytest.raises(ValueError, match="stages must be from 1 to 3"):
        restore(model, "missing.png", stages=4)
