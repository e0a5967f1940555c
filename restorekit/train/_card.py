"""The model card that is written next to the weights of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from restorekit.train._recipe import Recipe
from restorekit.train._recipe_files import to_toml
from restorekit.train._run import Run


def write_card(run: Run, recipe: Recipe, model: nn.Module, images: int) -> bool:
    """Write ``README.md`` into the folder of a finished run, and return whether it was written: one that was changed is kept.

    Args:
        run: the run.
        recipe: its recipe.
        model: its network.
        images: number of validation images.
    """
    return run.write_card(_text(run, recipe, model, run.rows(), images))


def _text(run: Run, recipe: Recipe, model: nn.Module, rows: Sequence[Mapping[str, Any]], images: int) -> str:
    name = recipe.model.name or "a composed network"
    parameters = sum(parameter.numel() for parameter in model.parameters())
    skipped = sum(row["skipped"] > 0 for row in rows)
    side = recipe.data.crop
    hours = sum(row["seconds"] for row in rows) / 3600
    commit = run.starts()[-1]["commit"] or "unknown, as the package was not run from a clone"
    return f"""# {name}{f", {recipe.task}" if recipe.task else ""}

{parameters:,} parameters. Weights: `{run.weights.name}` (a moving average, without optimiser state).

```python
from restorekit.models import model_from_checkpoint

model, _ = model_from_checkpoint("{run.weights.name}")
```

## Training

- Data: `{recipe.data.path}`, layout `{recipe.data.layout}`.
- {len(rows)} steps of {recipe.run.batch} crops of {side} x {side} in {hours:.2f} hours; {skipped} were skipped.
- Started from: {recipe.model.init or "scratch"}.
- Code: git commit {commit}; versions in `run.json`, losses of every step in `log.jsonl`.

## Validation

{_validation(recipe, rows, images)}

## Recipe

```toml
{to_toml(recipe)}```

## Licence and credits

State here the licence of these weights, and whose photographs they were trained on.
"""


def _validation(recipe: Recipe, rows: Sequence[Mapping[str, Any]], images: int) -> str:
    measured = [row for row in rows if "psnr" in row]
    if not measured:
        return "There was no validation."
    table = "\n".join(f"| {row['step']} | {row['psnr']:.2f} | {row['ssim']:.4f} |" for row in measured[-10:])
    best = max(measured, key=lambda row: row["psnr"])
    validation = recipe.validation
    part = f"central crops of at most {validation.crop} pixels per side" if validation.crop else "whole images"
    return f"""Means over {images} images of `{validation.path}`: {part}, rounded to the bits
of the degraded images. The best PSNR was {best["psnr"]:.2f} dB at step {best["step"]}.

| step | PSNR, dB | SSIM |
|---|---|---|
{table}"""
