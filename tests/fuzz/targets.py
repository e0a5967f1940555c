"""What is tried: for each kind of input, small valid ones, how the library uses one, and what must hold then."""

import contextlib
import functools
import gzip
import io
import json
import random
import tarfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import tifffile
import torch
from hub_answers import REPOSITORY, RULES, addresses, asked, own_cache, published
from PIL import Image, ImageFile

from _helpers import DATA
from _helpers.small_model import ORIGINALS, Small, network, original, pickled, safetensors
from restorekit import compose, load_weights, register_model
from restorekit.batch import Job, Outcome, ReportFile
from restorekit.checkpoints import read_states
from restorekit.errors import CheckpointError, ConfigError, ImageError, RestorekitError, WiringError
from restorekit.images import RowReader, can_be_read_by_rows, has_libvips, read_frames, read_picture
from restorekit.images._colour import srgb_profile
from restorekit.models import architectures, create_model, model_from_checkpoint
from restorekit.testing._strategies import BLOCKS, _network
from restorekit.train import list_recipes, load_recipe, to_toml
from restorekit.train._run import Run

Seeds = dict[str, bytes]  # contents by name


@dataclass(frozen=True)
class Target:
    """A kind of input: valid ones, a function that reads one and asserts that the result is right, and the errors that refuse."""

    seeds: Callable[[], Seeds]
    use: Callable[[Path], None]
    refusals: tuple[type[Exception], ...]


TARGETS: dict[str, Target] = {}


def target(seeds: Callable[[], Seeds], *refusals: type[Exception]) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Add a function that uses an input to those that are tried, under its name."""

    def add(use: Callable[[Path], None]) -> Callable[[Path], None]:
        TARGETS[use.__name__] = Target(functools.cache(seeds), use, refusals)
        return use

    return add


# ---- images


def image_seeds() -> Seeds:
    rows, columns = np.mgrid[:70, :24]
    rgb = np.stack([rows * 3, columns * 9, rows + columns], axis=-1).astype(np.uint8)
    rgba, deep = np.concatenate([rgb, rgb[..., :1]], axis=-1), rgb.astype(np.uint16) * 257
    found: Seeds = {}

    def add(name: str, array: Any, mode: str | None = None, **options: Any) -> None:
        file, picture = io.BytesIO(), Image.fromarray(array)
        suffix = {".ppm": "PPM", ".jp2": "JPEG2000", ".jpg": "JPEG"}.get(Path(name).suffix, Path(name).suffix[1:].upper())
        (picture.convert(mode) if mode else picture).save(file, suffix, **options)
        found[name] = file.getvalue()

    exif = Image.Exif()
    exif[274], exif[315] = 6, "somebody"
    frames = {"save_all": True, "append_images": [Image.fromarray(np.roll(rgb, i * 9, 0)) for i in (1, 2)], "duration": 40}
    for name in ("rgb.png", "rgb.jpg", "rgb.webp", "rgb.bmp", "rgb.ppm", "rgb.jp2", "rgb.avif", "rgb.gif"):
        add(name, rgb)
        if not name.endswith((".ppm", ".jp2", ".avif")):
            add(name.replace("rgb", "grey"), rgb[..., 0])
    for name in ("rgba.png", "rgba.webp", "rgba.jp2"):
        add(name, rgba)
    for name in ("frames.png", "frames.webp", "frames.gif", "frames.avif"):
        add(name, rgb, **frames)
    add("palette.png", rgb, "P", transparency=3)
    add("one_bit.png", rgb, "1")
    add("deep.png", deep[..., 0], exif=exif)
    add("progressive.jpg", rgb, progressive=True, exif=exif, icc_profile=srgb_profile(), comment=b"a note")
    add("lossless.webp", rgba, lossless=True, exif=exif)
    tiffs: dict[str, tuple[Any, dict[str, Any]]] = {
        "strips": (rgb, {"rowsperstrip": 16}),
        "tiles": (rgba, {"tile": (16, 16), "compression": "zlib", "predictor": True, "extrasamples": ["unassalpha"]}),
        "planar": (deep.transpose(2, 0, 1), {"planarconfig": "separate", "photometric": "rgb"}),
        "big": (deep, {"bigtiff": True, "byteorder": ">"}),
        "float": (rgb[..., 0].astype(np.float32) / 255, {"compression": "zlib"}),
        "pages": (np.stack([rgb, rgb[::-1]]), {"photometric": "rgb"}),
    }
    for name, (array, options) in tiffs.items():
        file = io.BytesIO()
        tifffile.imwrite(file, array, **options)
        found[f"{name}.tif"] = file.getvalue()
    for compression in ("tiff_lzw", "packbits", "jpeg"):
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "TIFF", compression=compression)
        found[f"{compression}.tif"] = file.getvalue()
    return found | {path.name: path.read_bytes() for path in sorted((DATA / "cases").iterdir())}


@target(image_seeds, ImageError)
def images(path: Path) -> None:
    """As a whole, frame by frame, row by row, and what a damaged one still has: where two ways read it, they agree."""
    whole = refused = None
    try:
        whole = [picture.pixels for picture in read_frames(path)]
        for pixels in whole:
            assert pixels.dtype in (np.uint8, np.uint16)
            assert pixels.size
    except ImageError as error:
        refused = error
    if has_libvips():
        with contextlib.suppress(ImageError):
            rows = _by_rows(path)
            if whole is None and rows is not None:
                whole = [_behind_the_end(path, refused)]
            assert rows is None or np.array_equal(rows, np.atleast_3d(whole[0])), "the row reader and the whole reader differ"
    with contextlib.suppress(ImageError):
        kept = read_picture(path, damaged="keep")
        assert whole is None or np.array_equal(kept.pixels, whole[0]), "a sound file is changed by damaged=keep"
        assert kept.pixels.size
    if refused is not None:
        raise refused


def _behind_the_end(path: Path, refused: ImageError | None) -> Any:
    """Return the pixels of a JPEG file that is refused for what follows the last row, which a reader of rows does not see."""
    assert path.suffix == ".jpg", f"the row reader reads what the whole reader refuses: {refused}"
    with patch.object(ImageFile, "LOAD_TRUNCATED_IMAGES", True):
        return np.asarray(Image.open(io.BytesIO(path.read_bytes())))


def _by_rows(path: Path) -> Any:
    if not can_be_read_by_rows(path):
        return None
    reader = RowReader(path)
    height = reader.shape[0]
    found = np.empty(reader.shape, reader.dtype)
    for first in range(0, height, 48):
        last = min(height, first + 48)
        found[first:last] = reader.read(first, last)
    return found


# ---- checkpoints


def checkpoint_seeds() -> Seeds:
    register_once("small")
    model, legacy, arrays, tar = network(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"model": model.state_dict(), "epoch": 3}, legacy, _use_new_zipfile_serialization=False)
    np.savez(arrays, **{"opt/target/a/kernel": np.ones((3, 3, 3, 4), np.float32), "opt/target/a/bias": np.ones(4, np.float16)})
    shapes = {"k": [3, 3, 3, 4], "b": [4]}
    manifest = [{"paths": ["w.bin"], "weights": [{"name": n, "dtype": "float32", "shape": s} for n, s in shapes.items()]}]
    nodes = [
        {"name": "net/backbone/a/Conv", "op": "Conv2D", "input": ["x", "k"]},
        {"name": "net/backbone/a/add", "op": "AddV2", "input": ["net/backbone/a/Conv:0", "b"]},
    ]
    graph = {"weightsManifest": manifest, "modelTopology": {"node": nodes}}
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in {"model.json": json.dumps(graph).encode(), "w.bin": bytes(4 * (108 + 4))}.items():
            entry = tarfile.TarInfo(f"package/models/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    about = {"architecture": "small", "arguments": "{}"}
    from safetensors.torch import save

    return {
        "described.safetensors": save({k: v.clone() for k, v in model.state_dict().items()}, about),
        "bare.safetensors": safetensors(model),
        "wrapped.pth": original(model),
        "bare.pth": pickled(model.state_dict()),
        "legacy.pth": legacy.getvalue(),
        "flax.npz": arrays.getvalue(),
        "package.tgz": gzip.compress(tar.getvalue(), 1),
    }


def register_once(name: str) -> None:
    if name not in architectures:
        register_model(name, checkpoints=ORIGINALS)(Small)


@target(checkpoint_seeds, CheckpointError)
def checkpoints(path: Path) -> None:
    """Read, loaded into a network that may fit, and as a model: a network has finite weights, or none of the file's."""
    for found in read_states(path):
        assert all(isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in found.state.items())
    model = network(seed=1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        load_weights(model, path)
    except CheckpointError:
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()), "half loaded"
    else:
        assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values()), "not finite"
    built, _ = model_from_checkpoint(path)
    assert all(bool(tensor.isfinite().all()) for tensor in built.state_dict().values()), "not finite"


# ---- networks as data


def config_seeds() -> Seeds:
    import tomli_w

    draw = random.Random(0)
    drawn = [_network(lambda *options: draw.choice(options), BLOCKS, 3) for _ in range(40)]
    as_json = {f"{i}.json": json.dumps(config).encode() for i, config in enumerate(drawn)}
    without_null = [config for config in drawn if "null" not in json.dumps(config)]  # which TOML lacks
    return as_json | {f"{i}.toml": tomli_w.dumps(config).encode() for i, config in enumerate(without_null[:10])}


@target(config_seeds, ConfigError, WiringError)
def configs(path: Path) -> None:
    """Built: the network says how to build it again, with the same parameters."""
    model = compose(path)
    again = compose(json.loads(json.dumps(model.config)))
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in again.state_dict().items()}, "built differently from its own config"


# ---- recipes


def recipe_seeds() -> Seeds:
    return {f"{name}.toml": to_toml(load_recipe(name)).encode() for name in list_recipes()}


@target(recipe_seeds, ConfigError)
def recipes(path: Path) -> None:
    """Read as a file, and as values that replace others: what is read can be written, and is the same when it is read again."""
    recipe = load_recipe(str(path))
    written = to_toml(recipe)
    again = path.with_name("again.toml")
    again.write_text(written, encoding="utf-8")
    try:
        assert to_toml(load_recipe(str(again))) == written, "another recipe when read again"
    finally:
        again.unlink()
    values = tomllib.loads(written)
    load_recipe("mprnet_tiny.denoise", [f"run.{key}={json.dumps(value)}" for key, value in values["run"].items()])


# ---- answers of a Hub


def hub_seeds() -> Seeds:
    register_once("small")
    with published() as hub:
        answers = {name: hub.respond("GET", place, {}, b"").body for name, place in addresses(hub).items()}
    return answers | {"rules.json": json.dumps(RULES).encode()}


@target(hub_seeds, RestorekitError)
def hub(path: Path) -> None:
    """A model of a repository of which one answer is changed, cut, late or an error has the published weights, or is refused."""
    with published() as server, asked(server, path), own_cache(path.parent.parent / "home"):
        model = create_model(f"hf-hub:{REPOSITORY}", pretrained=True)
        right = network(width=5).state_dict()
        assert all(torch.equal(tensor, right[name]) for name, tensor in model.state_dict().items()), "other weights"
        assert isinstance(model.pretrained_config.licence.summary, str)


# ---- reports, and the records of a training run


def report_seeds() -> Seeds:
    line = {"input": "a.png", "output": "out/a.png", "status": "restored", "seconds": 0.5, "size": [4, 5]}
    lines = [line, line | {"output": "b.png", "status": "failed", "error": "no"}, line | {"output": "c.png", "status": "skipped"}]
    rows = [{"step": i, "loss": 0.1, "stages": [0.1], "psnr": 30.0, "samples": [0, 4]} for i in range(1, 6)]
    start = {"date": "2026-01-01T00:00:00+00:00", "command": ["restorekit"], "processes": 1, "commit": None, "versions": {}}
    return {
        "report.jsonl": _lines(lines),
        "log.jsonl": _lines(rows),
        "run.json": json.dumps([start, start | {"card": "0" * 64}]).encode(),
        "recipe.toml": to_toml(load_recipe("mprnet_tiny.denoise")).encode(),
    }


def _lines(data: list[Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in data)


@target(report_seeds, ValueError)
def reports(path: Path) -> None:
    """Continued: every whole line stays, and the new one follows; or the file is not touched."""
    if path.name == "report.jsonl":
        before = path.read_bytes()
        report = ReportFile(path)
        report.add(Outcome(Job(Path("new.png"), Path("new.out.png")), details={"seconds": 1}))
        after = path.read_bytes()
        whole = before if before.endswith(b"\n") else before[: before.rfind(b"\n") + 1]
        assert after.startswith(whole), "a line was lost"
        assert json.loads(after.splitlines()[-1])["output"] == "new.out.png"
        path.write_bytes(before)
        return
    recipe = load_recipe("mprnet_tiny.denoise")
    folder = path.parent.parent / "home"
    folder.mkdir()
    for name, content in TARGETS["reports"].seeds().items():
        (folder / name).write_bytes(path.read_bytes() if name == path.name else content)
    run = Run(folder)
    run.check(recipe, allow_changes=False)
    before = run.rows()
    run.forget_after(3)
    assert run.rows() == [row for row in before if row["step"] <= 3], "rows were lost"
