"""Kill restoring, training, downloading and pushing at random moments, and check what is left.

    python tests/fuzz/faults.py [--kills 30] [--seed 0] [folder] [train] [download] [push]

After each kill: whatever has a final name is whole. After the next run: no leftovers, and the same result as without a kill. It
is not part of the tests, because it takes minutes. Processes are forked, so that PyTorch is imported once.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WORK = Path(tempfile.mkdtemp(prefix="restorekit-faults-"))
REPOSITORY, PUSHED = "lab/small", "lab/pushed"


def serve() -> tuple[int, str]:
    """Start a Hub in a process of its own; return its number and address."""
    reading, writing = os.pipe()
    server = os.fork()
    if server == 0:
        from _helpers.hub_server import HubServer
        from _helpers.small_model import network, original

        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # it would report every connection of a killed process
        with HubServer() as hub:
            hub.add(REPOSITORY, {"model_derain.pth": original(network())})
            os.write(writing, hub.url.encode())
            while True:
                time.sleep(60)
    return server, os.read(reading, 1000).decode()


def start(work: Callable[[Path], object], folder: Path) -> int:
    process = os.fork()
    if process == 0:
        sys.stderr.flush()
        os.dup2(os.open(WORK / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        try:
            work(folder)
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    return process


def completed(work: Callable[[Path], object], folder: Path) -> float:
    """Do the work in a process; return how long it took."""
    started = time.perf_counter()
    status = os.waitpid(start(work, folder), 0)[1]
    assert status == 0, (WORK / "stderr").read_text()
    return time.perf_counter() - started


# ---- what is killed: each prepares, works in a folder, and returns the result as a mapping of names to contents


class Folder:
    """Sixteen pictures, each with a comparison."""

    def __init__(self) -> None:
        import numpy as np

        from restorekit.images import Picture, write_picture

        rng = np.random.default_rng(0)
        (WORK / "in").mkdir()
        for i in range(16):
            suffix = ("png", "jpg", "tif", "webp")[i % 4]
            write_picture(Picture(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)), WORK / "in" / f"{i:02}.{suffix}")

    def work(self, folder: Path) -> None:
        import torch

        from _helpers.identity import Identity
        from restorekit.batch import plan_jobs, restore_files
        from restorekit.inference import InferenceOptions, Restorer

        torch.set_num_threads(1)
        network = Identity()
        network.weight.data.fill_(0.75)
        jobs, _ = plan_jobs([WORK / "in"], folder)
        restore_files(Restorer(network, InferenceOptions(precision="float32")), jobs, lambda outcome: None, compare=True)

    def result(self, folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.glob("*")}

    def whole(self, folder: Path, expected: dict[str, bytes]) -> bool:
        return all(expected[name] == content for name, content in self.result(folder).items() if not name.startswith("."))


class Train:
    """Six steps of a tiny network, with a checkpoint after every second one."""

    def __init__(self) -> None:
        from _helpers.training import photos, recipe

        self.recipe = recipe(
            photos(WORK / "photos"), "run.save_every=2", f"validation.path={WORK / 'photos'}", "validation.every=3"
        )

    def work(self, folder: Path) -> None:
        import torch

        from restorekit.train import train

        torch.set_num_threads(1)
        train(self.recipe, folder, device="cpu")

    def result(self, folder: Path) -> dict[str, bytes]:
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        plain = {name: b"" for name in names if not name.startswith("tensorboard/")}
        return plain | {name: (folder / name).read_bytes() for name in names if name.endswith((".safetensors", ".png"))}

    def whole(self, folder: Path, expected: dict[str, bytes]) -> bool:
        import torch
        from safetensors.torch import load_file

        for path in folder.rglob("*"):
            if path.name.startswith("."):
                continue
            if path.suffix == ".pth":
                torch.load(path, weights_only=True)
            if path.suffix == ".safetensors":
                load_file(path)
            if path.suffix == ".json":
                json.loads(path.read_text())
        return True


class Download:
    """Weights that are fetched, converted, and kept with a record."""

    name = "small.rain"

    def __init__(self) -> None:
        from _helpers.small_model import ORIGINALS, Small, about
        from restorekit import register_model
        from restorekit.provenance import HubFile

        register_model("small", pretrained={"rain": about(HubFile(REPOSITORY, "*derain*"))}, checkpoints=ORIGINALS)(Small)

    def _at(self, folder: Path) -> None:
        from huggingface_hub import constants

        os.environ["RESTOREKIT_HOME"] = os.environ["HF_HOME"] = constants.HF_HOME = str(folder)
        constants.HF_HUB_CACHE = str(folder / "hub")

    def work(self, folder: Path) -> None:
        from restorekit.models import fetch_weights

        self._at(folder)
        fetch_weights(self.name)

    def result(self, folder: Path) -> dict[str, bytes]:
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".lock", ".json")]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name != ".lock"}

    def whole(self, folder: Path, expected: dict[str, bytes]) -> bool:
        found = {path.name: path.read_bytes() for path in folder.rglob("weights.safetensors") if path.parent.name == self.name}
        return all(content in expected.values() for content in found.values())


class Push:
    """A model that is pushed: one commit with three files."""

    files = ("README.md", "config.json", "model.safetensors")

    def __init__(self) -> None:
        from _helpers.small_model import Small
        from restorekit import register_model

        register_model("small_pushed")(Small)

    def work(self, folder: Path) -> None:
        import torch

        from restorekit import create_model
        from restorekit.publish import push

        tempfile.tempdir = str(WORK)
        torch.manual_seed(0)
        push(create_model("small_pushed"), f"{PUSHED}-{folder.name}")

    def result(self, folder: Path) -> dict[str, bytes]:
        def get(path: str) -> bytes:
            with urllib.request.urlopen(f"{os.environ['HF_ENDPOINT']}/{path}") as answer:
                return answer.read()

        repository = f"{PUSHED}-{folder.name}"
        try:
            names = [file["path"] for file in json.loads(get(f"api/models/{repository}/tree/main"))]
        except OSError:  # the repository was not made yet
            return {}
        found = {name: get(f"{repository}/resolve/main/{name}") for name in names}
        return {name: content.replace(folder.name.encode(), b"") for name, content in found.items()}

    def whole(self, folder: Path, expected: dict[str, bytes]) -> bool:
        found = self.result(folder)
        return not found or unsigned(found) == unsigned(expected)


def unsigned(found: dict[str, bytes]) -> dict[str, bytes]:
    """Return files without the checksum of the card, which depends on the name of the repository."""
    return {name: content.split(b"<!-- restorekit")[0] for name, content in found.items()}


def campaign(kind: type, kills: int, draw: random.Random) -> bool:
    """Kill one kind of work at random moments; print what was seen."""
    case = kind()
    completed(case.work, WORK / "warm-up")
    seconds = completed(case.work, WORK / "whole")
    expected = case.result(WORK / "whole")
    assert expected
    killed = halves = leftovers = different = 0
    for i in range(kills):
        folder = WORK / f"{kind.__name__}{i}"
        process = start(case.work, folder)
        time.sleep(draw.random() * seconds)
        os.kill(process, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(process, 0)[1])
        halves += folder.exists() and not case.whole(folder, expected)
        completed(case.work, folder)
        found = case.result(folder)
        if left := found.keys() - expected.keys():
            leftovers += 1
            sys.stdout.write(f"left over: {', '.join(sorted(left))}\n")
        sys.stderr.write(f"\r{kind.__name__.lower()}: {i + 1} of {kills} ")  # under load, a kind may take many minutes
        different += unsigned({name: found.get(name, b"") for name in expected}) != unsigned(expected)
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(WORK / "whole", ignore_errors=True)
    shutil.rmtree(WORK / "warm-up", ignore_errors=True)
    sys.stderr.write("\n")
    sys.stdout.write(
        f"{kind.__name__.lower():8} {kills} kills within {seconds:.2f} s, {killed} before the end: {halves} with a half file, "
        f"{leftovers} with leftovers after the next run, {different} with another result\n"
    )
    sys.stdout.flush()
    return not (halves or leftovers or different)


def main() -> None:
    kinds = {kind.__name__.lower(): kind for kind in (Folder, Train, Download, Push)}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=[*kinds], help=", ".join(kinds))
    parser.add_argument("--kills", type=int, default=30, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    server, address = serve()
    os.environ |= {"HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_TOKEN": "hf_x"}
    os.environ["HF_HUB_OFFLINE"] = "0"
    try:
        good = [campaign(kinds[name], options.kills, random.Random(options.seed)) for name in options.kinds]
    finally:
        os.kill(server, signal.SIGKILL)
        shutil.rmtree(WORK)
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
