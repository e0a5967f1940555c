"""``restorekit train``."""

from pathlib import Path
from typing import Annotated

import typer


def train_command(
    photos: Annotated[Path, typer.Argument(help="Folder of clean photographs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run; an interrupted run goes on.")],
    validation: Annotated[Path | None, typer.Option(help="Folder of photographs to measure progress on.")] = None,
    model: Annotated[str, typer.Option(help="Registered architecture.")] = "mprnet_tiny",
    iterations: Annotated[int, typer.Option(help="Optimiser steps.")] = 4000,
    batch: Annotated[int, typer.Option(help="Crops a step.")] = 8,
    crop: Annotated[int, typer.Option(help="Side of a crop in pixels.")] = 96,
    sigma_max: Annotated[float, typer.Option(help="Largest noise level, in 8-bit pixel values.")] = 55.0,
    optimizer: Annotated[str, typer.Option(help="Optimiser of timm.")] = "muon",
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-3,
    warmup: Annotated[int, typer.Option(help="Steps of linear warm-up.")] = 100,
    clip: Annotated[float, typer.Option(help="Largest gradient norm.")] = 1.0,
    ema: Annotated[float, typer.Option(help="Decay of the moving average of the weights.")] = 0.999,
    bfloat16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 100,
    validate_every: Annotated[int, typer.Option(help="Steps between validations.")] = 250,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
) -> None:
    from restorekit.data.photos import find_photos
    from restorekit.train.loop import TrainConfig, train

    config = TrainConfig(
        model=model,
        iterations=iterations,
        batch=batch,
        crop=crop,
        sigma_max=sigma_max,
        optimizer=optimizer,
        lr=lr,
        warmup=warmup,
        clip=clip,
        ema=ema,
        bfloat16=bfloat16,
        seed=seed,
        save_every=save_every,
        validate_every=validate_every,
    )

    def report(row: dict[str, float]) -> None:
        if row["step"] % 20 == 0 or "psnr" in row:
            print(row, flush=True)

    weights = train(
        config,
        find_photos(photos),
        output,
        validation=find_photos(validation) if validation else (),
        device=device,
        on_progress=report,
    )
    typer.echo(f"weights: {weights}")
