"""``restorekit train``."""

from pathlib import Path
from typing import Annotated

import typer

from restorekit.cli.common import console, fail, say

EXAMPLES = """
Examples:

  restorekit train photos/ -o runs/denoise --validation held-out/

  restorekit train photos/ -o runs/small --iterations 500 --crop 64

  restorekit train photos/ -o runs/more --init runs/denoise/weights.safetensors --lr 5e-4
"""


def train_command(
    photos: Annotated[Path, typer.Argument(help="Folder of clean photographs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run; an interrupted run goes on.")],
    validation: Annotated[Path | None, typer.Option(help="Folder of photographs to measure progress on.")] = None,
    model: Annotated[str, typer.Option(help="Registered architecture.")] = "mprnet_tiny",
    init: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    iterations: Annotated[int, typer.Option(help="Optimiser steps.")] = 4000,
    batch: Annotated[int, typer.Option(help="Crops a step.")] = 8,
    crop: Annotated[int, typer.Option(help="Side of a crop in pixels.")] = 96,
    sigma_max: Annotated[float, typer.Option(help="Largest noise level, in 8-bit pixel values.")] = 55.0,
    optimizer: Annotated[str, typer.Option(help="Optimiser of timm.")] = "muon",
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    weight_decay: Annotated[float, typer.Option(help="Decoupled weight decay.")] = 0.05,
    warmup: Annotated[int, typer.Option(help="Steps of linear warm-up.")] = 100,
    clip: Annotated[float, typer.Option(help="Largest gradient norm.")] = 1.0,
    ema: Annotated[float, typer.Option(help="Decay of the moving average of the weights.")] = 0.999,
    bfloat16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 100,
    validate_every: Annotated[int, typer.Option(help="Steps between validations.")] = 250,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
) -> None:
    """Train a blind Gaussian denoiser on clean photographs.

    Random crops, noise of random strength, Charbonnier loss over all stages, warm-up and cosine, moving average of the weights. An
    interrupted run goes on from its last checkpoint when the same command is given again. The folder of the run holds
    config.json, log.jsonl, checkpoint.pth and, at the end, weights.safetensors.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from restorekit.data.images import find_images
    from restorekit.train.loop import TrainConfig, train

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    try:
        config = TrainConfig(
            model=model,
            init=None if init is None else str(init),
            iterations=iterations,
            batch=batch,
            crop=crop,
            sigma_max=sigma_max,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            warmup=warmup,
            clip=clip,
            ema=ema,
            bfloat16=bfloat16,
            seed=seed,
            save_every=save_every,
            validate_every=validate_every,
        )
        paths = find_images(photos)
        held_out = find_images(validation) if validation else []
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("reading photographs", total=iterations)

            def report(row: dict[str, float]) -> None:
                progress.update(task, completed=row["step"], description=f"loss {row['loss']:.4f}")
                if "psnr" in row:
                    console.print(f"step {row['step']}: loss {row['loss']:.4f}, validation {row['psnr']:.2f} dB")

            weights = train(config, paths, output, validation=held_out, device=device, on_progress=report)
    except KeyboardInterrupt:
        console.print(f"interrupted; the same command goes on from the last checkpoint in {output}")
        raise typer.Exit(130) from None
    except (ValueError, OSError, FloatingPointError, RuntimeError) as error:
        fail(error)
    say(f"weights: {weights}")
