"""The training and validation data of a recipe."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from restorekit._config import arguments_model, checked
from restorekit.data import (
    LAYOUTS,
    Choice,
    Combination,
    Degradation,
    DegradedCrops,
    PairedCrops,
    PairPaths,
    Sample,
    central_crop,
    degradations,
    degrade_pair,
    drawn_condition,
    folders,
    gopro,
    read_planes,
    read_rgb,
)
from restorekit.errors import ConfigError, DataError, ImageError
from restorekit.images import Array, find_images
from restorekit.parts import did_you_mean, signature_of
from restorekit.train._conditions import Numbers, check_used, ends, with_numbers
from restorekit.train._recipe import ChoiceRecipe, DataRecipe, Recipe

VALIDATION_LAYOUTS: Mapping[str, Callable[[Path], list[PairPaths]]] = {
    "folders": folders,
    "gopro": partial(gopro, split="test"),
}
CHOICE = "choice"
MIXUP = 2  # separates the random source of MixUp from those of the samples


class Example(NamedTuple):
    """An image for the validation.

    Attributes:
        degraded: the degraded image.
        clean: the clean one.
        condition: what the network is told about it.
    """

    degraded: Array
    clean: Array
    condition: Numbers


def open_data(recipe: Recipe, scale: int = 1, channels: tuple[int, int] = (3, 3)) -> DegradedCrops | PairedCrops:
    """Return the data set of a recipe; sample ``i`` of the log is its element ``i``.

    Args:
        recipe: the recipe.
        scale: how many times as high and wide as the degraded images the clean ones are.
        channels: channels of the degraded and the clean images that the network needs.

    Raises:
        ConfigError: if no folder is given, a degradation is not valid, or the network does not suit photographs.
        DataError: if the folder does not have the layout.
        ImageError: if an image cannot be used; damage after the header of an image is found only when a pair is needed.
    """
    data, run = recipe.data, recipe.run
    if not data.path:
        raise ConfigError("data.path is empty; give the folder of the data set: data.path=FOLDER")
    samples = run.steps * run.batch
    if data.layout == "photos":
        _check_photographs("data", scale, channels)
        make = partial(degradation_of, data.degradations, "data.degradations", data)
        degradation, _ = map(make, ends(data.condition))  # also finds numbers that are out of range
        check_used(data.condition, data.degradations, "write '@NAME' where it is used, as in sigma = '@noise_level'")
        return DegradedCrops(
            _photos(Path(data.path), "data.layout"),
            make if data.condition else degradation,
            data.crop,
            seed=run.seed,
            samples=samples,
            augment=data.augment,
            half_size=data.half_size,
            condition=data.condition,
        )
    pairs = LAYOUTS[data.layout](Path(data.path))
    return PairedCrops(
        pairs,
        data.crop,
        seed=run.seed,
        samples=samples,
        augment=data.augment,
        saturation=data.saturation,
        scale=scale,
        channels=channels,
        condition=data.condition,
    )


def shares(recipe: Recipe, data: Dataset[Sample], first: int, rank: int, processes: int) -> Iterator[Sample]:
    """Return this process's share of every part of every batch, from step ``first`` on.

    The shares of all processes together are the batch that a single process would have, in the same order.

    Raises:
        ConfigError: if a batch cannot be shared equally.
    """
    run = recipe.run
    part = run.batch // run.accumulate
    share = part // processes
    if share * processes != part or (recipe.data.mixup and share % 2):
        raise ConfigError(
            f"run.batch = {run.batch} in {run.accumulate} parts cannot be shared by {processes} processes; choose a multiple of "
            f"{run.accumulate * processes * (2 if recipe.data.mixup else 1)}"
        )
    starts = range(first * run.batch + rank * share, run.steps * run.batch, part)
    loader = DataLoader(
        data,
        batch_sampler=cast(Any, (range(start, start + share) for start in starts)),
        num_workers=recipe.data.workers,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)


def mixed(batch: Sample, alpha: float, seed: int) -> Sample:
    """Return a batch whose samples are mixed in pairs: l x + (1 - l) y, with l ~ Beta(alpha, alpha) drawn for each.

    Neighbours are mixed, since samples are in random order anyway; so the result depends only on the seed and the samples.
    Source: Zhang et al., mixup: beyond empirical risk minimization, ICLR 2018, arXiv:1710.09412.
    """
    drawn = [np.random.default_rng([seed, int(number), MIXUP]).beta(alpha, alpha) for number in cast(Iterable[int], batch.number)]
    factors = torch.tensor(drawn, dtype=batch.input.dtype, device=batch.input.device).view(-1, 1, 1, 1)

    def mix(images: torch.Tensor) -> torch.Tensor:
        partners = images.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
        return factors * images + (1 - factors) * partners

    return batch._replace(input=mix(batch.input), target=mix(batch.target))


def validation_examples(recipe: Recipe, scale: int = 1, channels: tuple[int, int] = (3, 3)) -> list[Example]:
    """Return the degraded and clean central crops for the validation of a recipe.

    Args:
        recipe: the recipe.
        scale: how many times as high and wide as the degraded images the clean ones are.
        channels: as for :func:`open_data`.

    Raises:
        ConfigError, DataError, ImageError: as :func:`open_data`.
    """
    section = recipe.validation
    if not section.path:
        return []
    fixed = section.inference_options().conditions
    drawn = {name: value for name, value in recipe.data.condition.items() if name not in fixed}
    entries = () if section.layout != "photos" else section.degradations or recipe.data.degradations
    check_used(drawn, entries, "give its value for the validation, as in validation.options = { noise_level = 25 }")

    def told(index: int) -> Numbers:
        return drawn_condition(drawn, 0, index) | fixed

    if section.layout != "photos":
        pairs = _spread(VALIDATION_LAYOUTS[section.layout](Path(section.path)), section.images)
        read = (_central(read_planes(pair, channels, scale), section.crop, scale) for pair in pairs)
        return [Example(*pair, told(i)) for i, pair in enumerate(read)]
    _check_photographs("validation", scale, channels)
    key = "validation" if section.degradations else "data"
    paths = _spread(_photos(Path(section.path), "validation.layout"), section.images)
    clean = [_central((photo, photo), section.crop, 1)[1] for photo in map(read_rgb, paths)]
    make = partial(degradation_of, entries, f"{key}.degradations", None)
    return [Example(*degrade_pair(image, make(told(i)), seed=0, index=i), told(i)) for i, image in enumerate(clean)]


def _check_photographs(section: str, scale: int, channels: tuple[int, int]) -> None:
    """Raise if a network does not restore photographs, which are in colour, at their size."""
    if channels != (3, 3):
        raise ConfigError(
            f"{section}.layout: photographs are degraded in colour, but this network maps images of {channels[0]} channels to "
            f"images of {channels[1]}; train it on pairs, {section}.layout=folders"
        )
    if scale > 1:
        raise ConfigError(
            f"{section}.layout: photographs are degraded at their size, but this network enlarges images {scale} times; train it "
            f"on pairs of two sizes, {section}.layout=folders"
        )


def _central(pair: tuple[Array, Array], side: int, scale: int) -> tuple[Array, Array]:
    """Return the central crops of a pair, at the same place; all of them if ``side`` is 0."""
    degraded, clean = pair
    side = side or max(degraded.shape[:2])
    top, left = (max(0, (length - side) // 2) for length in degraded.shape[:2])
    place = tuple(slice(scale * first, scale * (first + side)) for first in (top, left))
    return central_crop(degraded, side), clean[place]


def degradation_of(
    entries: Sequence[Mapping[str, Any]], path: str, data: DataRecipe | None = None, condition: Numbers | None = None
) -> Degradation:
    """Return the degradation that entries of a recipe describe: one, or several one after the other.

    Args:
        entries: names and arguments.
        path: where they are in the recipe.
        data: says how several are combined, if that is not one after the other.
        condition: numbers to which the entries refer by name.

    Raises:
        ConfigError: if a name or an argument is unknown, or a value has a wrong type or is out of range.
    """
    entries = with_numbers(entries, condition or {}, path)
    parts = [_degradation(entry, f"{path}[{i}]") for i, entry in enumerate(entries)]
    if data is None or (len(parts) == 1 and data.probability == 1):
        return parts[0] if len(parts) == 1 else Combination(parts, random_order=False)
    return Combination(parts, random_order=data.random_order, probability=data.probability)


def _degradation(entry: Mapping[str, Any], path: str) -> Degradation:
    name = entry.get("name")
    if name == CHOICE:
        return _choice(entry, path)
    if not isinstance(name, str) or name not in degradations:
        raise ConfigError(f"{path}: unknown degradation {name!r}{did_you_mean(str(name), [*degradations, CHOICE])}")
    make, arguments = degradations.get(name), {key: value for key, value in entry.items() if key != "name"}
    checked(arguments_model(name, signature_of(make), {}), arguments, path=path, owner=f"degradation {name!r}")
    try:
        return make(**arguments)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _choice(entry: Mapping[str, Any], path: str) -> Choice:
    """Return one of several lists of degradations, from ``{name = "choice", parts = [[...], [...]], weights = [2, 1]}``."""
    choice = checked(ChoiceRecipe, entry, path=path, owner="a choice")
    parts = [degradation_of(part, f"{path}.parts[{i}]") for i, part in enumerate(choice.parts)]
    try:
        return Choice(parts, choice.weights)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _photos(root: Path, key: str) -> list[Path]:
    """Return the photographs of a folder, which must not be a folder of pairs."""
    if all((root / name).is_dir() for name in ("input", "target")):
        raise DataError(
            f"{root} contains pairs, input/ and target/, not clean photographs; set {key}=folders, or give {root / 'target'}"
        )
    return find_images(root)


def _spread(things: Sequence[Any], number: int) -> list[Any]:
    """Return this many of the items, evenly spread, in their order."""
    if len(things) <= number:
        return list(things)
    return [things[i * len(things) // number] for i in range(number)]


def without_traceback(error: ImageError) -> ImageError:
    """Return the original error of a data set, before a worker process wrapped it into a traceback."""
    lines = str(error).strip().splitlines()
    return ImageError(lines[-1].partition("ImageError: ")[2]) if len(lines) > 1 else error
