"""Tiles: they cover the image, fade into each other, leave no seam, and keep to the memory."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from _helpers.identity import Identity
from _helpers.marks import nightly
from restorekit import create_model, restore
from restorekit.data import add_gaussian_noise
from restorekit.errors import WiringError
from restorekit.images import sample_photo
from restorekit.inference import InferenceOptions, Tiling, blended, local_pooling, parse_bytes, plan
from restorekit.inference._planning import BESIDE
from restorekit.inference._tiling import _fades
from restorekit.network import RestorationNetwork
from restorekit.stages import MultiStage, UNetStage


class Blur(Identity):
    """Looks at two pixels on either side."""

    def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        return [nn.functional.avg_pool2d(nn.functional.pad(image, (2, 2, 2, 2), mode="replicate"), 5, 1) * self.weight]


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    multiple, overlap = draw(st.integers(1, 8)), draw(st.integers(0, 12))
    least = Tiling((1, 1), (1, 1), multiple, overlap).least
    length = draw(st.integers(1, 40)) * multiple
    tile = min(length, least + draw(st.integers(0, 5)) * multiple)
    return Tiling((length, length), (tile, tile), multiple, overlap)


@pytest.mark.parametrize(("multiple", "overlap"), [(1, 0), (8, 0), (8, 2), (8, 3), (4, 12)])
def test_the_least_tile_is_larger_than_what_neighbours_share(multiple: int, overlap: int) -> None:
    least = Tiling((160, 160), (160, 160), multiple, overlap).least
    starts, _ = Tiling((160, 160), (least, least), multiple, overlap).starts
    assert starts == sorted(starts)
    assert starts[-1] + least == 160


@given(tilings())
@example(Tiling((4, 4), (2, 2), 1, 0))
@example(Tiling((64, 64), (16, 16), 8, 2))
def test_tiles_cover_the_image_and_weights_add_up_to_one(tiling: Tiling) -> None:
    (starts, _), (length, tile) = tiling.starts, (tiling.size[0], tiling.tile[0])
    assert starts[0] == 0
    assert starts[-1] + tile == length
    assert all(start % tiling.multiple == 0 for start in starts)
    assert all(second - first <= tile - tiling.overlap for first, second in zip(starts, starts[1:], strict=False))
    total = torch.zeros(length, dtype=torch.float64)
    for start, fade in zip(starts, _fades(starts, tile, tiling.overlap // 2), strict=True):
        total[start : start + tile] += fade
    torch.testing.assert_close(total, torch.ones_like(total))


@given(tilings())
def test_an_image_comes_back_from_its_tiles_in_bands(tiling: Tiling) -> None:
    image = torch.rand(1, 2, *tiling.size, dtype=torch.float64)
    height, width = tiling.tile
    bands = [band.clone() for band in blended(lambda top, left: image[..., top : top + height, left : left + width], tiling)]
    torch.testing.assert_close(torch.cat(bands, dim=2), image)
    assert len(bands) == len(tiling.starts[0])


@pytest.mark.parametrize("size", [(200, 300), (64, 500), (97, 95)])
@pytest.mark.parametrize("padding", ["corner", "centre"])
def test_what_looks_near_gives_the_same_in_tiles(size: tuple[int, int], padding: str) -> None:
    model = Blur()
    model.padding = padding
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    seen: list[tuple[int, int]] = []
    tiled = restore(model, pixels, precision="float32", tile=96, overlap=32, on_tile=lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(tiled, restore(model, pixels, precision="float32", tile=None))
    assert seen == [(i + 1, len(seen)) for i in range(len(seen))]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_every_kind_of_pixels_goes_through_tiles(dtype: type, channels: int) -> None:
    pixels = np.random.default_rng(0).random((150, 130, channels)) * (1 if dtype is np.float32 else 65535)
    pixels = pixels.astype(dtype)
    restored = restore(Identity(), pixels, tile=64, overlap=16)
    np.testing.assert_allclose(restored, pixels, atol=1e-6 if dtype is np.float32 else 0)


def test_with_local_pooling_tiles_give_what_the_whole_image_gives() -> None:
    torch.manual_seed(0)
    model = MultiStage([UNetStage((8, 12), num_blocks=1)]).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    local = local_pooling(model, train_size=8)
    image = torch.rand(1, 3, 900, 80)
    # A quarter of the overlap is what all blocks see together: each a window of 12 and two kernels of 3, twice that at stride 2.
    torch.testing.assert_close(restore(local, image, tile=768, overlap=256), restore(local, image, tile=None), rtol=0, atol=1e-4)
    assert (restore(local, image, tile=96, overlap=32) - restore(local, image, tile=None)).abs().max() > 1e-4


def roughness(image: Tensor, lines: Sequence[int]) -> float:
    """Return how much the steps across some rows stand out: their mean size, less that of the steps on either side."""
    steps = image.diff(dim=-2).abs().mean(dim=(0, 1, 3))
    return float(torch.stack([steps[y - 1] - (steps[y - 2] + steps[y]) / 2 for y in lines]).mean())


@pytest.mark.parametrize("name", [nightly("mprnet_tiny.denoise"), "nafnet_tiny.denoise"])
def test_no_seam_is_left_in_a_photograph(name: str) -> None:
    model = create_model(name, pretrained=True)
    noisy = add_gaussian_noise(sample_photo()[:352], 25.0, np.random.default_rng(0))
    restored = torch.from_numpy(restore(model, noisy, tile=192)).permute(2, 0, 1)[None] / 255
    (rows, _), shared = Tiling((352, 504), (192, 192), 8).starts, 32
    inside = [y + shared for y in rows[1:]] + [y + 192 - shared for y in rows[:-1]]
    elsewhere = [roughness(restored, [y]) for y in range(8, 344)]
    assert roughness(restored, inside) < np.quantile(elsewhere, 0.95)


def test_a_network_can_declare_the_tiles_that_suit_it() -> None:
    model = MultiStage([UNetStage((8, 12), num_blocks=1)], tile=256)
    assert plan(model, (200, 300), dtype=torch.float32).tiling.tile == (200, 192)
    assert plan(model, (200, 300), InferenceOptions(tile=None), dtype=torch.float32).tiling.num_tiles == 1
    assert plan(model, (600, 256), InferenceOptions(tile=512), dtype=torch.float32).tiling.tile[0] > 256
    assert model.config["tile"] == 256
    with pytest.raises(WiringError, match="at least 1 pixel"):
        MultiStage([UNetStage((8, 12), num_blocks=1)], tile=0)


def test_the_memory_decides_on_the_tiles() -> None:
    model = create_model("mprnet", width=8, unet_step=4, ors_step=0, num_blocks=1).eval()
    size = (2048, 1024)
    whole = plan(model, size, InferenceOptions(max_memory="100GB"), dtype=torch.float32)
    assert whole.tiling.num_tiles == 1
    assert whole.needed is not None
    for share in (2, 20):
        allowed = BESIDE + (whole.needed - BESIDE) // share
        part = plan(model, size, InferenceOptions(max_memory=allowed), dtype=torch.float32)
        assert part.needed is not None
        assert part.needed <= allowed
        assert part.tiling.num_tiles > share
    with pytest.raises(MemoryError, match=r"192x192 pixels at once \(about .* needed, 0.0 GB allowed\); use"):
        plan(model, size, InferenceOptions(max_memory="1kB"), dtype=torch.float32)


def test_tiles_become_smaller_when_the_memory_does_not_suffice() -> None:
    class Hungry(Blur):
        def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
            if image.shape[-1] * image.shape[-2] > 300**2:
                raise torch.OutOfMemoryError("full")
            return super().forward_stages(image)

    image = torch.rand(3, 500, 700)
    torch.testing.assert_close(restore(Hungry(), image), restore(Blur(), image))
    with pytest.raises(MemoryError, match="use smaller tiles"):
        restore(Hungry(), image, tile=400)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tile": 100}, "tile must be at least 192 pixels with an overlap of 64; got 100"),
        ({"tile": 15, "overlap": 1}, "tile must be at least 16 pixels for this network with an overlap of 1; got 15"),
        ({"tile": "small"}, "tile must be 'auto', a number of pixels, or None"),
        ({"tile": True}, "tile must be 'auto', a number of pixels, or None"),
        ({"overlap": -1}, "overlap must not be negative"),
        ({"max_memory": "much"}, "a size such as 2GB or 512MiB"),
        ({"max_memory": 0}, "a size such as 2GB or 512MiB"),
    ],
)
def test_wrong_arguments_are_explained(arguments: dict[str, object], words: str) -> None:
    model: RestorationNetwork = Identity()
    with pytest.raises(ValueError, match=words):
        restore(model, torch.zeros(3, 8, 8), **arguments)


def test_sizes_of_memory_are_read() -> None:
    sizes = {"2GB": 2 * 10**9, "1.5gib": 3 * 2**29, "700 m": 7 * 10**8, 5: 5, "12B": 12}
    assert {text: parse_bytes(text) for text in sizes} == sizes
