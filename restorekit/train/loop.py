"""The training loop: one page of plain PyTorch."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restorekit.data.noise import Pixels, add_gaussian_noise
from restorekit.data.photos import PhotoCrops, read_rgb
from restorekit.metrics import psnr
from restorekit.train.losses import charbonnier
from restorekit.train.run import Run
from restorekit.zoo import create_model

VALIDATION_SIDE = 256  # central crop of each validation photograph
VALIDATION_SIGMA = 25.0
MAX_SKIPPED = 10  # steps in a row


@dataclass(frozen=True)
class TrainConfig:
    """What a run does; it is written into the run's folder.

    Attributes:
        model: registered architecture.
        model_args: arguments of its builder.
        init: path of weights to start from, or None to start from scratch.
        iterations: optimiser steps.
        batch: crops a step.
        crop: side of a crop in pixels; must be a multiple of the network's ``size_multiple``.
        sigma_max: noise levels are drawn uniformly from 0 to this, in 8-bit pixel values.
        optimizer: name of an optimiser of timm.
        lr: highest learning rate.
        weight_decay: decoupled weight decay.
        warmup: steps of linear warm-up; a cosine to zero follows.
        clip: largest norm of the gradient; a longer one is shortened to it.
        skip: norm of the gradient from which a step is not taken at all: its batch made the network explode.
        ema: decay of the moving average of the weights, which is what is saved.
        bfloat16: whether to compute in bfloat16 (autocast).
        seed: seed of initialisation, crops and noise.
        save_every: steps between checkpoints.
        validate_every: steps between validations.
    """

    model: str = "mprnet_tiny"
    model_args: dict[str, Any] = field(default_factory=dict)
    init: str | None = None
    iterations: int = 4000
    batch: int = 8
    crop: int = 96
    sigma_max: float = 55.0
    optimizer: str = "muon"
    lr: float = 2e-3
    weight_decay: float = 0.05
    warmup: int = 100
    clip: float = 1.0
    skip: float = 20.0
    ema: float = 0.999
    bfloat16: bool = True
    seed: int = 0
    save_every: int = 100
    validate_every: int = 500

    def __post_init__(self) -> None:
        """Check the numbers, so that a mistake is found before any work."""
        for name in ("iterations", "batch", "crop", "save_every", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("sigma_max", "lr", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1); got {self.ema}")


def train(
    config: TrainConfig,
    photos: Sequence[Path],
    folder: Path,
    *,
    validation: Sequence[Path] = (),
    device: torch.device | str = "cpu",
    on_progress: Callable[[dict[str, float]], None] = lambda row: None,
) -> Path:
    """Train a blind Gaussian denoiser on crops of clean photographs, or go on with a run that was interrupted.

    The loss is the Charbonnier loss summed over the outputs of all stages. Everything that is drawn depends on the seed and
    the step alone, so an interrupted run that goes on from its last checkpoint is the run that it would have been.

    Args:
        config: what to do.
        photos: clean photographs.
        folder: of the run: config, log (JSON lines), checkpoint, weights.
        validation: photographs whose central crops are denoised from time to time (sigma 25).
        device: where to train.
        on_progress: called after each step with its row of the log.

    Returns:
        Path of the weights (the moving average).

    Raises:
        ValueError: if the folder holds a run with another config, or a photograph cannot be used.
        FloatingPointError: if the loss is not finite.
    """
    torch.manual_seed(config.seed)
    model = create_model(config.model, config.init or False, **config.model_args).train()
    model = model.to(device).to(memory_format=torch.channels_last)
    if config.crop % model.size_multiple:
        raise ValueError(f"crop must be a multiple of {model.size_multiple} for {config.model}; got {config.crop}")
    from timm.optim import create_optimizer_v2
    from timm.utils import ModelEmaV3

    optimizer = create_optimizer_v2(model, opt=config.optimizer, lr=config.lr, weight_decay=config.weight_decay)
    average = ModelEmaV3(model, decay=config.ema, use_warmup=True)
    run = Run(folder, asdict(config))
    first = run.resume(model=model, average=average.module, optimizer=optimizer)
    crops = PhotoCrops(photos, config.crop, config.seed)
    pairs = [_validation_pair(path) for path in validation]
    precision = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=config.bfloat16)

    skipped = 0
    for step in range(first, config.iterations):
        started = time.perf_counter()
        lr = learning_rate(step, config)
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
        clean, rng = crops.batch(step, config.batch)
        noisy = np.stack([add_gaussian_noise(image, rng.uniform(0, config.sigma_max), rng) for image in clean])
        target = to_tensor(clean, device)
        with precision:
            outputs = model.forward_stages(to_tensor(noisy, device))
        losses = [charbonnier(output.float(), target) for output in outputs]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        skipped = 0 if norm.item() < config.skip else skipped + 1  # NaN is not less either
        if skipped == 0:
            optimizer.step()
            average.update(model, step=step)
        elif skipped == MAX_SKIPPED:
            raise FloatingPointError(
                f"{MAX_SKIPPED} steps in a row would explode: loss {loss.item():.3g}, gradient norm {norm.item():.3g} at step "
                f"{step}; go on from the last checkpoint in {folder} in a new run with a lower lr than {config.lr}"
            )
        row = {"step": step + 1, "loss": loss.item(), "gradient_norm": norm.item(), "lr": lr, "skipped": skipped}
        row["seconds"] = time.perf_counter() - started
        last = step + 1 == config.iterations
        if pairs and (last or (step + 1) % config.validate_every == 0):
            with precision:
                row["psnr"] = validate(average.module, pairs, device)
        run.log(row)
        if last or (step + 1) % config.save_every == 0:
            run.save(step + 1, model=model, average=average.module, optimizer=optimizer)
        on_progress(row)
    return run.export(average.module, config.model, config.model_args)


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step (from 0): linear warm-up, then a cosine to zero."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.iterations - config.warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * progress))


def to_tensor(pixels: Pixels, device: torch.device | str = "cpu") -> Tensor:
    """Return a batch of 8-bit images (n, h, w, 3) as a float tensor (n, 3, h, w) in [0, 1], channels_last."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def validate(model: torch.nn.Module, pairs: Sequence[tuple[Pixels, Pixels]], device: torch.device | str) -> float:
    """Return the mean PSNR of the clamped results on pairs of clean and noisy images."""
    values = []
    for clean, noisy in pairs:
        restored = model(to_tensor(noisy[None], device)).float().clamp(0, 1)
        values.append(psnr(restored, to_tensor(clean[None], device)))
    return float(np.mean(values))


def _validation_pair(path: Path) -> tuple[Pixels, Pixels]:
    clean = central_crop(read_rgb(path), VALIDATION_SIDE)
    return clean, add_gaussian_noise(clean, VALIDATION_SIGMA, np.random.default_rng(0))


def central_crop(image: Pixels, side: int) -> Pixels:
    """Return the central ``side x side`` pixels of an image, or what it has of them."""
    top, left = (max(0, (length - side) // 2) for length in image.shape[:2])
    return image[top : top + side, left : left + side]
