"""Race networks for the bundled denoiser: the same photographs, the same degradations, the same time.

    pip install -e . --group bench
    python benchmarks/tools/race.py PHOTOS/train naf_pair cab_pair -o runs/race --minutes 10

`train` gives each contender (a composition in benchmarks/tools/race/) as many steps as fit into the time on one CPU core, by
benchmarks/tools/race/recipe.toml. A call that was interrupted resumes.
"""

import argparse
import time
from pathlib import Path

import torch
from rich.progress import Progress

from restorekit.composition import read_config
from restorekit.train import Recipe, load_recipe, train

FOLDER = Path(__file__).parent / "race"
STEPS_TIMED = 12


def recipe_of(contender: str, photos: Path, steps: int) -> Recipe:
    """Return the recipe of a contender."""
    composition = FOLDER / f"{contender}.toml"
    recipe = load_recipe(
        str(FOLDER / "recipe.toml"), [f"model.composition={composition}", f"data.path={photos}", f"run.steps={steps}"]
    )
    model = recipe.model.model_copy(update={"composition": read_config(composition)})
    return recipe.model_copy(update={"model": model})


def steps_within(contender: str, photos: Path, folder: Path, minutes: float) -> int:
    """Return how many steps a contender does in this many minutes of CPU time, estimated from a few timed steps."""
    note = folder / "steps.txt"
    if not note.exists():
        times: list[float] = []
        train(
            recipe_of(contender, photos, 1000),
            folder / "timing",
            stopping=lambda: times.append(time.process_time()) or len(times) > STEPS_TIMED,
        )
        step = sorted(after - before for before, after in zip(times, times[1:], strict=False))[STEPS_TIMED // 2]
        note.write_text(str(int(60 * minutes / step)))
    return int(note.read_text())


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("contenders", nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for contender in arguments.contenders:
        folder = arguments.output / contender
        folder.mkdir(parents=True, exist_ok=True)
        steps = steps_within(contender, arguments.photos, folder, arguments.minutes)
        race(recipe_of(contender, arguments.photos, steps), folder, contender)


def race(recipe: Recipe, folder: Path, contender: str) -> None:
    """Train a contender, and show how far it is."""
    with Progress() as progress:
        task = progress.add_task(contender, total=recipe.run.steps)
        train(recipe, folder, on_progress=lambda row: progress.update(task, completed=row["step"]))


if __name__ == "__main__":
    main()
