"""What a network is told while it learns: numbers, or numbers that are drawn for every image and used by its degradation."""

import pytest
import torch

from _helpers.training import photos, recipe
from restorekit.data import DegradedCrops, GaussianNoise
from restorekit.errors import ConfigError
from restorekit.train import open_data, train
from restorekit.train._sources import validation_examples

NETWORK = "model.composition={ stages = [{ name = 'unet', widths = [4, 6] }], conditions = ['noise_level'] }"
RANGE = "data.condition={ noise_level = [0, 100] }"
NOISE = "data.degradations=[{ name = 'gaussian', sigma = '@noise_level' }]"
TOLD = (NETWORK, RANGE, NOISE, "validation.degradations=[]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("data") / "photos")


def told(degraded, clean, condition):
    """Return the level that the network is told, and the level of the noise, which clipping makes a little smaller."""
    return condition["noise_level"] / 255, (degraded - clean).std().item()


def test_each_sample_has_the_noise_that_the_network_is_told(folder):
    data = open_data(recipe(folder, *TOLD))
    levels = [told(sample.input, sample.target, sample.condition) for sample in map(data.__getitem__, range(8))]
    assert len({level for level, _ in levels}) == 8
    assert all(0.6 * level - 0.01 < found < 1.1 * level + 0.01 for level, found in levels)
    assert data[3].condition == data[3].condition
    examples = validation_examples(recipe(folder, *TOLD, f"validation.path={folder}"))
    tensors = [(torch.from_numpy(x) / 255 for x in (each.degraded, each.clean)) for each in examples]
    levels = [told(*pair, each.condition) for pair, each in zip(tensors, examples, strict=True)]
    assert all(0.6 * level - 0.01 < found < 1.1 * level + 0.01 for level, found in levels)
    fixed = "validation.options={ noise_level = 25 }"
    examples = validation_examples(recipe(folder, *TOLD, f"validation.path={folder}", fixed))
    assert {each.condition["noise_level"] for each in examples} == {25}


def test_a_network_learns_and_is_measured_with_what_it_is_told(folder, tmp_path):
    options = ["run.steps=2", "validation.every=1", f"validation.path={folder}", "validation.pictures=1", "schedule.warmup=0"]
    rows = []
    train(recipe(folder, *TOLD, *options), tmp_path / "run", device="cpu", on_progress=rows.append)
    assert all(row["psnr"] > 0 for row in rows)
    assert len(list((tmp_path / "run" / "pictures").iterdir())) == 2


def test_a_data_set_of_ones_own(folder):
    def noise(told):
        return GaussianNoise(told["noise_level"])

    data = DegradedCrops(sorted(folder.glob("*.png")), noise, 16, seed=0, condition={"noise_level": (0, 50), "mask": 1})
    assert 0 < data[0].condition["noise_level"] < 50
    assert data[0].condition["mask"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["data.degradations=[{ name = 'gaussian', sigma = 25 }]"], "condition.noise_level is a range, but no degradation uses it"),
        (["data.degradations=[{ name = 'gaussian', sigma = '@noise' }]"], r"degradations\[0\].sigma: '@noise' is not in data.cond"),
        (["data.condition={ noise_level = [-5, 5] }"], r"data.degradations\[0\]: sigma must be at least 0.* got -5"),
        (["data.condition={ noise_level = [1, 2, 3] }"], "data.condition.noise_level must be"),
        (["data.condition={ noise_level = [5, 1] }"], "condition.noise_level must be a range with the smallest number first; got"),
        (["data.mixup=1.2"], "data.condition has a range, which needs data.mixup = 0; got 1.2"),
        (["data.probability=0.5"], "data.condition has a range, which needs data.probability = 1; got 0.5"),
        (
            ["validation.degradations=[{ name = 'gaussian', sigma = 25 }]"],
            "is a range, .* uses it: give its value for the validation",
        ),
    ],
)
def test_what_a_network_cannot_be_told_is_refused(folder, tmp_path, change, words):
    with pytest.raises(ConfigError, match=words):
        train(recipe(folder, *TOLD, f"validation.path={folder}", *change), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
