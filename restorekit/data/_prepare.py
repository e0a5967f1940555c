"""Cutting large data sets into crops once, so that training need not decode whole photographs."""

import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from restorekit._files import write_json
from restorekit.data._datasets import random_crop
from restorekit.data._degrading import sample_rng
from restorekit.data._layouts import sidd_medium
from restorekit.data._pairs import read_pair
from restorekit.errors import DataError
from restorekit.images import write_image


def prepare_sidd(
    source: Path,
    target: Path,
    *,
    crops: int = 300,
    side: int = 256,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Cut random crops out of SIDD-Medium into ``target/input`` and ``target/target``; return how many pairs there are.

    The defaults give 96,000 crops, the number that MPRNet was trained on: 300 of each of 320 pairs (Zamir et al., CVPR 2021).
    Their positions depend only on the seed and the pair. Repeat an interrupted call to resume it.

    Args:
        source: ``SIDD_Medium_Srgb`` as published.
        target: folder to write to.
        crops: number of crops of each pair.
        side: side of a crop in pixels.
        seed: seed of their positions.
        on_progress: called with the number of pairs of photographs that are done, and the total.

    Raises:
        DataError: if the source is not as published, a photograph is smaller than a crop, or the target contains other crops.
        ImageError: if a file cannot be read or written; the message names it.
    """
    if crops < 1 or side < 1:
        raise ValueError(f"crops and side must be at least 1; got {crops} and {side}")
    pairs = sidd_medium(source)
    settings = {"source": str(source.resolve()), "crops": crops, "side": side, "seed": seed}
    _check_target(target, settings)
    for folder in ("input", "target"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    write_json(target / "prepared.json", settings)
    for i, pair in enumerate(pairs):
        files = [[target / folder / f"{pair.name}_{k:03}.png" for folder in ("input", "target")] for k in range(crops)]
        if not all(path.exists() for both in files for path in both):
            images, rng = read_pair(pair), sample_rng(seed, i)
            if min(images[0].shape[:2]) < side:
                raise DataError(f"{pair.input} is smaller than a crop of {side}x{side}; choose a smaller side")
            for both in files:
                for path, crop in zip(both, random_crop(images, side, rng, augment=False), strict=True):
                    write_image(Image.fromarray(crop), path)
        on_progress(i + 1, len(pairs))
    return len(pairs) * crops


def _check_target(target: Path, settings: dict[str, object]) -> None:
    """Raise unless a folder is new, empty, or contains crops with the same settings."""
    file = target / "prepared.json"
    if file.is_file():
        before = json.loads(file.read_text())
        changed = [
            f"{key} (was {before.get(key)!r}, now {settings[key]!r})" for key in settings if before.get(key) != settings[key]
        ]
        if changed:
            raise DataError(f"{target} contains crops with a different {', '.join(changed)}; choose another folder, or empty it")
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(f"{target} is in use; choose another folder, or empty it")
