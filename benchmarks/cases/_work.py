"""What `compare` gives two versions of the library to do: functions that prepare something, and return what is timed.

They use only what both versions have: public names, and the shell command.
"""

import runpy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import restorekit
from restorekit.inference import local_pooling, prepare

QUICK = ("--help", "--version", "models", "weights list")  # commands that compute nothing
Work = Callable[[Path], Callable[[], object]]
BUNDLED = "mprnet_tiny.denoise"
RECIPE = {
    "data.half_size": "false",
    "schedule.warmup": 0,
    "run.steps": 10,
    "run.batch": 1,
}


def photograph(folder: Path, height: int, width: int, name: str = "photo.png") -> Path:
    """Write noise over a gradient, and return its path."""
    gradient = np.linspace(0, 200, width, dtype=np.uint8)[None, :, None]
    pixels = gradient + np.random.default_rng(0).integers(0, 50, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def shell(*arguments: object) -> None:
    """Run ``restorekit`` with arguments in this process, so that it need not start again."""
    sys.argv = ["restorekit", *map(str, arguments)]
    try:
        runpy.run_module("restorekit", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise


def process(arguments: list[str]) -> Callable[[], object]:
    """Return a function that runs Python with these arguments."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def network(
    name: str, precision: str, folder: Path, *, size: tuple[int, int] = (256, 256), local: bool = False
) -> Callable[[], object]:
    """Restore an image with a prepared network of random weights."""
    torch.manual_seed(0)
    model = restorekit.create_model(name)
    prepared = prepare(local_pooling(model) if local else model, precision=precision)
    image = torch.rand(1, 3, *size)
    return lambda: restorekit.restore(prepared, image, precision=precision, tile=None)


def plain(name: str, folder: Path) -> Callable[[], object]:
    """Call a network that is not prepared."""
    torch.manual_seed(0)
    model = restorekit.create_model(name).eval()
    image = torch.rand(1, 3, 256, 256)
    return torch.no_grad()(lambda: model(image))


def bundled(precision: str, folder: Path) -> Callable[[], object]:
    """Restore 8-bit pixels with the bundled network, which is not prepared."""
    model = restorekit.create_model(BUNDLED, pretrained=True)
    pixels = np.asarray(Image.open(photograph(folder, 256, 256)))
    return lambda: restorekit.restore(model, pixels, precision=precision)


def training(model: str, folder: Path, *, crop: int = 64, precision: str = "auto") -> Callable[[], object]:
    """Train for a few steps, in a new folder each time."""
    data = folder / "photos"
    data.mkdir()
    photograph(data, 256, 256)
    chosen = {"model.name": model, "data.path": data, "data.crop": crop, "run.precision": precision}
    overrides = [f"{key}={value}" for key, value in (RECIPE | chosen).items()]

    def train() -> None:
        run = folder / f"run{sum(1 for _ in folder.glob('run*'))}"
        shell("train", "mprnet_tiny.derain", *overrides, "-o", run)

    return train


def files(number: int, side: int, folder: Path) -> Callable[[], object]:
    """Restore a folder of photos with the shell command."""
    source = folder / "photos"
    source.mkdir()
    for i in range(number):
        photograph(source, side, side, f"{i}.png")
    return partial(shell, "restore", source, "-o", folder / "restored", "--model", BUNDLED, "--overwrite")


def large(folder: Path) -> Callable[[], object]:
    """Restore a photo of four megapixels in little memory with the shell command."""
    torch.manual_seed(0)
    restorekit.create_model("mprnet", width=16, unet_step=8, ors_step=0, num_blocks=1).save_pretrained(folder / "network")
    image = photograph(folder, 1632, 2448)
    options = ["--model", f"local-dir:{folder / 'network'}", "--max-memory", "2GB", "--overwrite"]
    return partial(shell, "restore", image, "-o", folder / "restored.png", *options)


def start(folder: Path) -> Callable[[], object]:
    """Restore one photo with the shell command, in a new process."""
    image = photograph(folder, 512, 512, "photo.jpg")
    return process(["-m", "restorekit", "restore", str(image), "-o", str(folder / "out.jpg"), "--model", BUNDLED, "--overwrite"])


PRECISIONS = ("float32", "bfloat16")
NETWORKS = ("mprnet_deblur", "mprnet_denoise", "mprnet_derain", "hinet_deblur", "nafnet_deblur", "maxim_denoise")
STARTS = (["-c", "import torch"], ["-c", "import restorekit"], *(["-m", "restorekit", *each.split()] for each in QUICK))
WORK: dict[str, Work] = {
    **{f"{name}, 256 x 256, {each}": partial(network, name, each) for name in NETWORKS for each in PRECISIONS},
    **{
        f"{name}, 640 x 384, local pooling, {each}": partial(network, name, each, size=(384, 640), local=True)
        for name in ("mprnet_tiny", "nafnet_deblur")
        for each in PRECISIONS
    },
    "mprnet_derain, not prepared, 256 x 256": partial(plain, "mprnet_derain"),
    **{f"{BUNDLED}, not prepared, 256 x 256, {each}": partial(bundled, each) for each in PRECISIONS},
    "training mprnet_tiny, 10 steps": partial(training, "mprnet_tiny", crop=128),
    **{f"training mprnet_derain, 10 steps, {each}": partial(training, "mprnet_derain", precision=each) for each in PRECISIONS},
    "12 photos of 256 x 256, from file to file": partial(files, 12, 256),
    "a photo of 4 megapixels, --max-memory 2GB": large,
    "`restorekit restore photo.jpg`, a new process": start,
    **{f"`python {' '.join(each)}`, a new process": partial(lambda each, folder: process(each), each) for each in STARTS},
}
