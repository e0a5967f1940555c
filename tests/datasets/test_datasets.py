"""Pairs, layouts, data sets: matched by name, complete, and drawn from seed and index alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from restorekit.data import (
    DegradedCrops,
    GaussianNoise,
    PairedCrops,
    PairPaths,
    find_pairs,
    folders,
    gopro,
    hide,
    prepare_sidd,
    rain_test,
    random_crop,
    read_pair,
    read_planes,
    read_rgb,
    realblur,
    saturated,
)
from restorekit.data._layouts import LAYOUTS, RAIN_SETS
from restorekit.errors import DataError, ImageError
from restorekit.images import Picture, write_picture


def picture(path, size=(20, 16), mode="RGB"):
    """Write a small picture that its path determines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(str(path.name).encode())
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, *channels), dtype=np.uint8)).save(path)
    return path


def folder_pair(root, names=("a.png", "b.png", "sub/c.png"), size=(20, 16)):
    for name in names:
        picture(root / "input" / name, size)
        picture(root / "target" / name, size)
    return root


def names_of(pairs):
    return [pair.name for pair in pairs]


def test_pairs_are_matched_by_name_whatever_the_suffix(tmp_path: Path) -> None:
    folder_pair(tmp_path)
    (tmp_path / "target" / "a.png").rename(tmp_path / "target" / "a.bmp")
    pairs = find_pairs(tmp_path / "input", tmp_path / "target")
    assert names_of(pairs) == ["a", "b", "sub/c"]
    assert pairs[0].target.name == "a.bmp"


def test_missing_partners_are_listed(tmp_path: Path) -> None:
    folder_pair(tmp_path)
    (tmp_path / "target" / "b.png").unlink()
    picture(tmp_path / "target" / "d.png")
    with pytest.raises(DataError, match=r"partner of the same name; 2 missing .*target/b \(for .*input/b.png\), .*input/d \(for"):
        find_pairs(tmp_path / "input", tmp_path / "target")


def test_many_missing_partners_are_counted(tmp_path: Path) -> None:
    folder_pair(tmp_path, ["a.png"])
    for i in range(15):
        picture(tmp_path / "input" / f"{i:02}.png")
    with pytest.raises(DataError, match=r"15 missing .* and 5 more"):
        find_pairs(tmp_path / "input", tmp_path / "target")


def test_ambiguous_names_are_refused(tmp_path: Path) -> None:
    folder_pair(tmp_path, ["a.png"])
    picture(tmp_path / "input" / "a.bmp")
    with pytest.raises(DataError, match=r"a.bmp and .*a.png have the same name"):
        find_pairs(tmp_path / "input", tmp_path / "target")


def test_bad_pairs_are_refused_by_name(tmp_path: Path) -> None:
    good = picture(tmp_path / "good.png")

    def refused(path, words):
        with pytest.raises(ImageError, match=words):
            read_pair(PairPaths("x", good, path))

    refused(picture(tmp_path / "small.png", (20, 15)), "good.png is 16x20 and .*small.png is 15x20")
    refused(picture(tmp_path / "grey.png", mode="L"), "grey.png is grey but its partner .*good.png is in colour")
    refused(picture(tmp_path / "clear.png", mode="RGBA"), "clear.png has transparent pixels")
    Image.fromarray(np.zeros((20, 16), np.uint16)).save(tmp_path / "deep.png")
    refused(tmp_path / "deep.png", "deep.png has 16 bits")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:300])
    refused(tmp_path / "cut.png", "cut.png cannot be read")


def test_grey_pairs_and_opaque_alpha_become_colour(tmp_path: Path) -> None:
    grey = picture(tmp_path / "grey.png", mode="L")
    image, _ = read_pair(PairPaths("x", grey, grey))
    assert image.shape == (20, 16, 3)
    assert (image == image[..., :1]).all()
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(tmp_path / "opaque.png")
    assert read_rgb(tmp_path / "opaque.png")[0, 0].tolist() == [1, 2, 3]


def test_pairs_keep_their_bits_and_planes(tmp_path: Path) -> None:
    """Grey, colour and raw images of 8 and 16 bits and arrays, mixed."""
    values = np.random.default_rng(0).integers(0, 2**16, (8, 10, 4), np.uint16)
    for folder in ("input", "target"):
        (tmp_path / folder).mkdir()
    write_picture(Picture(values[..., :3]), tmp_path / "input" / "a.png")
    np.save(tmp_path / "target" / "a.npy", values[..., :3] / 65535)
    (pair,) = folders(tmp_path)
    assert (read_planes(pair)[0] == values[..., :3]).all()
    (sample,) = PairedCrops([pair], 8, seed=0, samples=1)
    torch.testing.assert_close(sample.input, sample.target)
    assert sample.input.dtype == torch.float32
    write_picture(Picture(values[..., 0]), tmp_path / "grey.png")
    grey = PairPaths("x", tmp_path / "grey.png", tmp_path / "grey.png")
    assert [read_planes(grey, (each, each))[0].shape for each in (1, 3)] == [(8, 10, 1), (8, 10, 3)]
    np.save(tmp_path / "raw.npy", values)
    raw = PairPaths("x", tmp_path / "raw.npy", pair.target)
    (sample,) = PairedCrops([raw], 8, seed=0, samples=1, channels=(4, 3))
    torch.testing.assert_close(sample.input[:3], sample.target)


@pytest.mark.parametrize(
    ("array", "channels", "words"),
    [
        (np.zeros((4, 4), np.int32), 1, r"x.npy contains int32, \(4, 4, 1\); needed is H x W x C, uint8, uint16 or floats"),
        (np.full((4, 4, 3), 4095.0), 3, r"x.npy has values up to 4095; divide them by that of white"),
        (np.full((4, 4, 3), np.nan), 3, r"x.npy has values up to nan"),
        (np.zeros((4, 4, 3), np.uint8), 1, r"x.npy has 3 channels, but the network needs 1; convert the images, or store"),
        (np.array([{}]), 3, r"x.npy is not an array of NumPy: .*allow_pickle"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path: Path, array, channels, words) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(ImageError, match=words):
        read_planes(PairPaths("x", tmp_path / "x.npy", tmp_path / "x.npy"), (channels, channels))


def test_gopro_as_published_and_repacked(tmp_path: Path) -> None:
    for split, scene in (("train", "GOPR1"), ("train", "GOPR2"), ("test", "GOPR3")):
        for kind in ("blur", "blur_gamma", "sharp"):
            picture(tmp_path / split / scene / kind / "000001.png")
    pairs = gopro(tmp_path)
    assert names_of(pairs) == ["GOPR1/000001", "GOPR2/000001"]
    assert pairs[0].input.parent.name == "blur"
    assert names_of(gopro(tmp_path, "test")) == ["GOPR3/000001"]
    folder_pair(tmp_path / "other" / "test" / "GoPro", ["x.png"])
    assert names_of(gopro(tmp_path / "other", "test")) == ["x"]
    (tmp_path / "train" / "GOPR2" / "sharp" / "000001.png").unlink()
    with pytest.raises(ValueError, match="GOPR2"):
        gopro(tmp_path)


def test_rain_sets(tmp_path: Path) -> None:
    folder_pair(tmp_path / "train" / "Rain13K", ["1.png"])
    assert names_of(LAYOUTS["rain13k"](tmp_path)) == ["1"]
    for name in RAIN_SETS[:-2]:
        folder_pair(tmp_path / "test" / name, ["1.png"])
    with pytest.raises(DataError, match="lacks Test2800, Test1200 of the five"):
        rain_test(tmp_path)
    for name in RAIN_SETS[-2:]:
        folder_pair(tmp_path / name, ["1.png"])
    assert list(rain_test(tmp_path)) == list(RAIN_SETS)


def test_hide_as_published_and_repacked(tmp_path: Path) -> None:
    for path in ("test/test-close-ups/1.png", "test/test-long-shot/2.png", "GT/1.png", "GT/2.png", "GT/3.png", "train/3.png"):
        picture(tmp_path / path)
    assert names_of(hide(tmp_path)) == ["1", "2"]
    (tmp_path / "GT" / "2.png").unlink()
    with pytest.raises(DataError, match=r"1 test images .*missing: .*GT/2.png"):
        hide(tmp_path)
    folder_pair(tmp_path / "other" / "HIDE", ["x.png"])
    assert names_of(hide(tmp_path / "other")) == ["x"]


def test_realblur_as_listed_and_repacked(tmp_path: Path) -> None:
    lines = []
    for scene in ("scene001", "scene002"):
        for kind in ("gt", "blur"):
            picture(tmp_path / "RealBlur-J" / scene / kind / f"{kind}_1.png")
        lines.append(f"RealBlur-J/{scene}/gt/gt_1.png RealBlur-J/{scene}/blur/blur_1.png")
    file = tmp_path / "RealBlur_J_test_list.txt"
    file.write_text("\n".join(lines) + "\n")
    pairs = realblur(tmp_path, "J")
    assert names_of(pairs) == ["scene001/blur_1", "scene002/blur_1"]
    assert pairs[0].target.name == "gt_1.png"
    file.write_text(lines[0].replace("scene001", "scene009") + "\n")
    with pytest.raises(DataError, match=r"2 files listed in .* are missing"):
        realblur(tmp_path, "J")
    file.write_text("one two\n")
    with pytest.raises(DataError, match="line 1: expected a path in gt/"):
        realblur(tmp_path, "J")
    with pytest.raises(DataError, match=r"does not contain RealBlur-R; looked for RealBlur_R_test_list.txt"):
        realblur(tmp_path, "R")


def sidd(root, scenes=2, size=(24, 32)):
    for i in range(1, scenes + 1):
        for shot in ("010", "011"):
            for kind in ("NOISY", "GT"):
                picture(root / "Data" / f"{i:04}_001_S6_00100" / f"{i:04}_{kind}_SRGB_{shot}.PNG", size)
    return root


def test_sidd_is_found_and_cut_and_goes_on(tmp_path: Path) -> None:
    source = sidd(tmp_path / "SIDD_Medium_Srgb")
    names = names_of(LAYOUTS["sidd"](source))
    assert names == [f"{i:04}_001_S6_00100_{shot}" for i in (1, 2) for shot in ("010", "011")]
    done = []
    total = prepare_sidd(source, tmp_path / "crops", crops=3, side=8, on_progress=lambda *progress: done.append(progress))
    assert total == 12
    assert done == [(i, 4) for i in (1, 2, 3, 4)]
    pairs = LAYOUTS["folders"](tmp_path / "crops")
    assert len(pairs) == 12
    noisy, clean = read_pair(pairs[4])
    assert noisy.shape == (8, 8, 3)
    photos = read_pair(LAYOUTS["sidd"](source)[1])
    places = [(i, j) for i in range(17) for j in range(25) if np.array_equal(photos[0][i : i + 8, j : j + 8], noisy)]
    assert [np.array_equal(photos[1][i : i + 8, j : j + 8], clean) for i, j in places] == [True]
    before = {path: path.read_bytes() for path in (tmp_path / "crops").rglob("*.png")}
    pairs[5].target.unlink()
    prepare_sidd(source, tmp_path / "crops", crops=3, side=8)
    assert {path: path.read_bytes() for path in (tmp_path / "crops").rglob("*.png")} == before
    with pytest.raises(DataError, match=r"different side \(was 8, now 9\)"):
        prepare_sidd(source, tmp_path / "crops", crops=3, side=9)
    with pytest.raises(DataError, match="smaller than a crop of 25x25"):
        prepare_sidd(source, tmp_path / "large", crops=1, side=25)
    with pytest.raises(DataError, match="is in use"):
        prepare_sidd(source, source, crops=1, side=8)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_no_data_set_is_explained(name, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"does not contain .*; looked for .*; it contains: notes.txt"):
        LAYOUTS[name](tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        LAYOUTS[name](tmp_path / "none")


@pytest.fixture
def paired(tmp_path: Path):
    return find_pairs(folder_pair(tmp_path, size=(30, 40)) / "input", tmp_path / "target")


@pytest.fixture
def photos(tmp_path: Path):
    return [picture(tmp_path / "photos" / name, (40, 50)) for name in ("a.png", "b.png", "c.png")]


def make(kind, paired, photos, **arguments):
    if kind == "pairs":
        return PairedCrops(paired, 16, saturation=0.2, **arguments)
    return DegradedCrops(photos, GaussianNoise(), 16, half_size=True, **arguments)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["pairs", "photos"])
def test_samples_depend_on_seed_and_index_alone(kind, paired, photos) -> None:
    data = make(kind, paired, photos, seed=3, samples=10)
    samples = [data[i] for i in range(10)]
    again = make(kind, paired, photos, seed=3, samples=10)
    for loaded in (DataLoader(again, batch_size=5), DataLoader(again, batch_size=5, num_workers=2)):
        batches = list(loaded)
        assert torch.equal(torch.cat([batch.input for batch in batches]), torch.stack([sample.input for sample in samples]))
        assert torch.equal(torch.cat([batch.target for batch in batches]), torch.stack([sample.target for sample in samples]))
        assert [number for batch in batches for number in batch.number.tolist()] == list(range(10))
    other = make(kind, paired, photos, seed=4, samples=10)
    assert not torch.equal(other[0].input, samples[0].input)
    assert not any(torch.equal(samples[0].input, sample.input) for sample in samples[1:])
    assert samples[0].input.shape == (3, 16, 16)
    assert 0 <= samples[0].input.min() <= samples[0].input.max() <= 1
    with pytest.raises(IndexError, match="no sample 10; the data set has 10"):
        data[10]


@pytest.mark.parametrize("kind", ["pairs", "photos"])
def test_each_round_draws_every_image_once_in_an_order_of_its_own(kind, paired, photos) -> None:
    data = make(kind, paired, photos, seed=0, samples=60)
    rounds = [tuple(data[i].name for i in range(first, first + 3)) for first in range(0, 60, 3)]
    assert {frozenset(names) for names in rounds} == {frozenset(rounds[0])}
    assert len(set(rounds)) > 3
    assert len(make(kind, paired, photos, seed=0)) == 3


def test_both_images_of_a_pair_are_cropped_and_turned_alike(tmp_path: Path) -> None:
    folder_pair(tmp_path, ["a.png"], (30, 40))
    (tmp_path / "target" / "a.png").write_bytes((tmp_path / "input" / "a.png").read_bytes())
    data = PairedCrops(find_pairs(tmp_path / "input", tmp_path / "target"), 16, seed=0, samples=30, saturation=0.5)
    assert all(torch.equal(sample.input, sample.target) for sample in (data[i] for i in range(30)))


def test_pairs_are_looked_at_before_they_are_needed(tmp_path: Path) -> None:
    folder_pair(tmp_path, ["a.png", "b.png", "c.png"], (30, 40))
    for kind in ("input", "target"):
        picture(tmp_path / kind / "b.png", (30, 15))
    pairs = find_pairs(tmp_path / "input", tmp_path / "target")
    pairs[2].input.write_bytes(pairs[2].input.read_bytes()[:300])  # headers are whole, pixels are not
    data = PairedCrops(pairs, 16, seed=0)
    assert data.small == ["b"]
    with pytest.raises(ImageError, match=r"c.png cannot be read"):
        [data[i] for i in range(3)]
    picture(pairs[0].target, (40, 30))
    with pytest.raises(ImageError, match=r"must have the same size; .*input/a.png is 40x30 and .*target/a.png is 30x40"):
        PairedCrops(pairs, 16, seed=0)


def test_small_images_are_reflected_at_the_right_and_the_bottom() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    (crop,) = random_crop([image], 4, np.random.default_rng(0), augment=False)
    assert crop.shape == (4, 4, 3)
    assert np.array_equal(crop[:2, :2], image)
    assert crop[:, :, 0].tolist() == [[0, 3, 0, 3], [6, 9, 6, 9], [0, 3, 0, 3], [6, 9, 6, 9]]


def test_saturation_moves_colours_from_grey() -> None:
    image = np.array([[[200, 100, 50]]], np.uint8)
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert saturated(image, 1.0).tolist() == image.tolist()
    assert saturated(image, 0.0).tolist() == [[[round(grey)] * 3]]
    assert saturated(image, 1.2)[0, 0, 1] == round(grey + 1.2 * (100 - grey))


def test_data_sets_check_their_numbers(paired) -> None:
    with pytest.raises(ValueError, match="no image was given"):
        PairedCrops([], 16, seed=0)
    with pytest.raises(ValueError, match="crop must be at least 1"):
        PairedCrops(paired, 0, seed=0)
    with pytest.raises(ValueError, match="saturation must be from 0 to 1"):
        PairedCrops(paired, 16, seed=0, saturation=2)
