"""The folder layouts of published data sets.

Every function takes the unpacked folder, and returns pairs or raises a :class:`DataError` that says which layouts it looked for
and what it found. Each also accepts the repacked form that many papers share: ``input`` and ``target`` with equal names.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from restorekit.data._pairs import PairPaths, find_pairs, listed
from restorekit.errors import DataError
from restorekit.images import find_images

RAIN_SETS = ("Test100", "Rain100H", "Rain100L", "Test2800", "Test1200")


def folders(root: Path) -> list[PairPaths]:
    """Return the pairs of ``root/input`` and ``root/target``."""
    pairs = _repacked(root)
    if not pairs and any((root / "Data").glob("*/*NOISY_SRGB*")):
        raise DataError(
            f"{root} is SIDD-Medium as published, without input/ and target/; cut it into crops first: restorekit data prepare "
            f"sidd {root} -o CROPS, or read it as it is: data.layout=sidd"
        )
    return pairs or _nothing(root, "pairs", "input/ and target/")


def gopro(root: Path, split: str = "train") -> list[PairPaths]:
    """Return the pairs of a split of GoPro: the folders ``blur`` (not ``blur_gamma``) and ``sharp`` of every scene.

    Source: Nah et al., CVPR 2017, arXiv:1612.02177; 2,103 training and 1,111 test pairs.

    Args:
        root: folder that contains ``train`` and ``test`` as published, or a repacked one.
        split: ``"train"`` or ``"test"``.
    """
    scenes = sorted(path.parent for path in (root / split).glob("*/blur"))
    pairs = [
        pair._replace(name=f"{scene.name}/{pair.name}") for scene in scenes for pair in find_pairs(scene / "blur", scene / "sharp")
    ]
    return (
        pairs
        or _repacked(root, f"{split}/GoPro", "GoPro", split)
        or _nothing(root, f"GoPro ({split})", f"{split}/SCENE/blur/ and sharp/", "input/ and target/")
    )


def rain13k(root: Path) -> list[PairPaths]:
    """Return the pairs of Rain13K (as collected by Jiang et al., CVPR 2020): ``input`` and ``target``; 13,711 pairs.

    Args:
        root: folder that contains them, directly or in ``train/Rain13K``, ``Rain13K`` or ``train``.
    """
    return _repacked(root, "train/Rain13K", "Rain13K", "train") or _nothing(root, "Rain13K", "train/Rain13K/input/ and target/")


def rain_test(root: Path) -> dict[str, list[PairPaths]]:
    """Return the pairs of the five test sets for deraining, by name; each is a folder with ``input`` and ``target``.

    Args:
        root: folder that contains the five sets, directly or in ``test``.
    """
    pairs = {name: _repacked(root, f"test/{name}", name, itself=False) for name in RAIN_SETS}
    missing = [name for name, found in pairs.items() if not found]
    if missing:
        raise DataError(
            f"{root} lacks {', '.join(missing)} of the five deraining sets; each must be a folder with this name, input/ and "
            "target/, in it or in test/. To measure only one set, use --protocol pairs-y with its folder"
        )
    return pairs


def sidd_medium(root: Path) -> list[PairPaths]:
    """Return the pairs of SIDD-Medium (sRGB): ``*NOISY_SRGB*`` and ``*GT_SRGB*`` in every scene's folder.

    Source: Abdelhamed et al., CVPR 2018; 320 pairs.

    Args:
        root: ``SIDD_Medium_Srgb`` as published, or its folder ``Data``.
    """
    noisy = sorted(path for path in root.rglob("*") if "NOISY_SRGB" in path.name and path.is_file())
    if not noisy:
        return _nothing(root, "SIDD-Medium (sRGB)", "Data/SCENE/*_NOISY_SRGB_*.PNG and *_GT_SRGB_*.PNG")
    pairs = [
        PairPaths(
            f"{path.parent.name}_{path.stem.rpartition('_')[2]}", path, path.with_name(path.name.replace("NOISY_SRGB", "GT_SRGB"))
        )
        for path in noisy
    ]
    missing = [pair.target for pair in pairs if not pair.target.is_file()]
    if missing:
        raise DataError(f"{len(missing)} noisy images of {root} have no ground truth; missing: {listed(missing)}")
    return pairs


def hide(root: Path) -> list[PairPaths]:
    """Return the test pairs of HIDE: every image below ``test``, and the image of the same name in ``GT``.

    Source: Shen et al., ICCV 2019; 2,025 test pairs.

    Args:
        root: folder that contains ``test`` and ``GT`` as published, or a repacked one.
    """
    if not (root / "GT").is_dir():
        repacked = _repacked(root, "test/HIDE", "HIDE")
        return repacked or _nothing(root, "HIDE", "test/ and GT/", "input/ and target/")
    truth = {path.stem: path for path in find_images(root / "GT")}
    inputs = find_images(root / "test")
    missing = [root / "GT" / path.name for path in inputs if path.stem not in truth]
    if missing:
        raise DataError(f"{len(missing)} test images of {root} have no ground truth; missing: {listed(missing)}")
    return [PairPaths(path.stem, path, truth[path.stem]) for path in inputs]


def realblur(root: Path, kind: str) -> list[PairPaths]:
    """Return the test pairs of RealBlur, as in its list of test images: the ground truth in ``gt``, the input in ``blur``.

    Source: Rim et al., ECCV 2020; 980 test pairs of either kind.

    Args:
        root: folder that contains ``RealBlur_J_test_list.txt`` (or ``_R_``) and the listed images, or a repacked one.
        kind: ``"J"`` (JPEG of the camera) or ``"R"`` (raw).
    """
    file = root / f"RealBlur_{kind}_test_list.txt"
    if not file.is_file():
        repacked = _repacked(root, f"test/RealBlur_{kind}", f"RealBlur_{kind}")
        return repacked or _nothing(root, f"RealBlur-{kind}", f"{file.name} and the files in it", "input/ and target/")
    pairs = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        paths = {path.parent.name: root / path for path in map(Path, line.split())}
        if not paths:
            continue
        if not {"gt", "blur"} <= set(paths):
            raise DataError(f"{file}, line {number}: expected a path in gt/ and one in blur/, got {line!r}")
        scene, stem = paths["blur"].parent.parent.name, paths["blur"].stem
        pairs.append(PairPaths(f"{scene}/{stem}", paths["blur"], paths["gt"]))
    missing = [path for pair in pairs for path in pair[1:] if not path.is_file()]
    if missing or not pairs:
        raise DataError(f"{len(missing)} files listed in {file} are missing ({len(pairs)} pairs in all): {listed(missing)}")
    return pairs


LAYOUTS: Mapping[str, Callable[[Path], list[PairPaths]]] = {
    "folders": folders,
    "gopro": gopro,
    "rain13k": rain13k,
    "sidd": sidd_medium,
}
"""Training sets by name."""


def _repacked(root: Path, *places: str, itself: bool = True) -> list[PairPaths]:
    """Return the pairs of the first of several folders that contains ``input`` and ``target``, or none."""
    for place in (*places, *([""] if itself else [])):
        if (root / place / "input").is_dir() and (root / place / "target").is_dir():
            return find_pairs(root / place / "input", root / place / "target")
    return []


def _nothing(root: Path, what: str, *layouts: str) -> list[PairPaths]:
    if not root.is_dir():
        raise DataError(f"{root} is not a folder")
    held = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
    raise DataError(f"{root} does not contain {what}; looked for {', or '.join(layouts)}; it contains: {listed(held) or 'nothing'}")
