"""The training loop: a page of plain PyTorch on Hugging Face Accelerate."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from restorekit._packages import from_extra
from restorekit.checkpoints import PartialLoad
from restorekit.data import DegradedCrops, PairedCrops, Sample, listed
from restorekit.errors import ConfigError, ImageError, OptionError
from restorekit.inference import has_bfloat16
from restorekit.inference.passes import for_training
from restorekit.models import config_of, metadata_of
from restorekit.network import RestorationNetwork
from restorekit.train._build import AllStages, build_model, build_optimizer, build_schedule, stage_losses
from restorekit.train._guard import Guard
from restorekit.train._journal import Journal
from restorekit.train._recipe import Recipe
from restorekit.train._run import Run, size_of
from restorekit.train._sources import Example, mixed, open_data, shares, validation_examples, without_traceback
from restorekit.train._tuning import checkpoint_blocks
from restorekit.train._validate import measure

if TYPE_CHECKING:
    from accelerate import Accelerator

SCALED = ("cuda",)  # devices for float16 with scaled losses


def train(
    recipe: Recipe,
    folder: Path,
    *,
    device: str = "auto",
    allow_changes: bool = False,
    on_progress: Callable[[dict[str, Any]], None] = lambda row: None,
    on_notice: Callable[[str], None] = warnings.warn,
    stopping: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Train a network from a recipe, or resume an interrupted run.

    All random choices depend only on the seed and the step, so a run that resumes from its last checkpoint gives the same result
    as an uninterrupted one. Under ``accelerate launch`` it runs in several processes, which share every batch.

    Args:
        recipe: the recipe.
        folder: folder of the run: recipe, log, checkpoint, pictures, weights.
        device: ``"auto"`` or ``"cpu"``.
        allow_changes: whether to resume a run of a different recipe.
        on_progress: called after each step with its row of the log, in the first process.
        on_notice: called, in the first process, with notes about the data before the work starts.
        stopping: called after each step; returns whether to save and stop.

    Returns:
        Path of the weights (the moving average), or None if the run was stopped.

    Raises:
        ConfigError: if the recipe is not valid, or the folder contains a run of another recipe, or other files, or
            another process is training in it.
        ImageError: if an image cannot be used; a checkpoint is written first.
        ValueError: if the data or the initial weights cannot be used.
        OSError: if the disk is nearly full, after a last checkpoint, or cannot be written to; the last checkpoint is still whole.
        FloatingPointError: if too many steps in a row would have ruined the weights.
    """
    accelerator = _accelerator(recipe, device)
    main = accelerator.is_main_process
    run = Run(folder)
    if main:
        run.check(recipe, allow_changes=allow_changes)
    loaded: list[PartialLoad] = []
    learner = _learner(recipe, accelerator, loaded.append)
    scale, channels = learner.model.output.scale, (learner.model.image_channels, learner.model.output_channels)
    data, examples = open_data(recipe, scale, channels), validation_examples(recipe, scale, channels)
    journal = Journal(run, recipe, metadata_of(config_of(learner.model)), examples)
    parts = learner.parts | {"journal": journal}
    size = 6 * size_of(learner.model.state_dict())  # size of a checkpoint and related files: average, two moments, exports
    with accelerator.main_process_first():
        if main:
            folder.mkdir(parents=True, exist_ok=True)
            run.check_space(size)
        first = run.resume(**parts)

    with contextlib.closing(journal):
        if main:
            _note(data, recipe.data.path, loaded if first == 0 else (), on_notice)
            run.begin(recipe, accelerator.num_processes, loaded)
            journal.open(first)
        batches = shares(recipe, data, first, accelerator.process_index, accelerator.num_processes)
        for step in takewhile(lambda _: not journal.is_exhausted, range(first, recipe.run.steps)):
            try:
                row, stop = _step(recipe, step, batches, accelerator, learner, stopping)
            except ImageError as error:
                if main and step > first:
                    run.save(step, **parts)
                raise without_traceback(error) from error
            done, last = step + 1, step + 1 == recipe.run.steps
            if examples and (last or done % recipe.validation.every == 0):
                row["psnr"], row["ssim"] = _validated(learner.average.module, examples, recipe, accelerator)
                journal.judge(row["psnr"])
                last = last or journal.is_exhausted
            if main:
                run.check_space(size, spare=0)
                journal.record(row, learner.average.module)
                shortage = run.shortage(size)
                if stop or last or shortage or done % recipe.run.save_every == 0:
                    run.save(done, **parts)
                on_progress(row)
                if shortage:
                    raise OSError(shortage)
            learner.guard.check(row["loss"], row["gradient_norm"])
            if stop and not last:
                return None
    if main and not journal.finish(learner.average.module):
        on_notice(f"{run.card} is not as the run wrote it, and is kept; to write a new one, move it and run the same command")
    accelerator.wait_for_everyone()
    return run.weights


def part_company() -> None:
    """End the connections to the other processes of ``accelerate launch``; otherwise one may crash when another ends first.

    Call it when there is nothing more to train.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@dataclass(frozen=True)
class Learner:
    """The state of learning: the network, and everything that changes it."""

    model: RestorationNetwork
    network: nn.Module  # the same network as it runs: all stages, over all processes
    average: Any
    optimizer: Any
    schedule: Any
    guard: Guard
    scaler: torch.amp.GradScaler  # of losses, for float16; otherwise it does nothing

    @property
    def parts(self) -> dict[str, Any]:
        """What a checkpoint keeps, by name; the schedule follows from the step."""
        parts = {"model": self.model, "average": self.average.module, "optimizer": self.optimizer, "guard": self.guard}
        return parts | ({"scaler": self.scaler} if self.scaler.is_enabled() else {})


def _note(data: DegradedCrops | PairedCrops, path: str, loaded: Iterable[PartialLoad], on_notice: Callable[[str], None]) -> None:
    """Say which weights were not loaded, and which images are smaller than a crop, if there are any."""
    for report in loaded:
        on_notice(str(report))
    if data.small:
        on_notice(
            f"{len(data.small)} images in {path} are smaller than a crop, {data.crop} x {data.crop}, and reflected "
            f"at the right and the bottom: {listed(data.small)}; a smaller data.crop avoids that"
        )


def _learner(recipe: Recipe, accelerator: "Accelerator", on_partial: Callable[[PartialLoad], None]) -> Learner:
    """Return a new learner, with the initial weights of the recipe."""
    from timm.utils import ModelEmaV3

    torch.manual_seed(recipe.run.seed)
    model = build_model(recipe.model, on_partial)
    if recipe.data.crop % model.size_multiple:
        raise ConfigError(f"data.crop must be a multiple of {model.size_multiple} for this network; got {recipe.data.crop}")
    try:
        model.check_conditions(recipe.data.condition)
    except OptionError as error:
        raise ConfigError(f"data.{error}") from error
    model = model.to(accelerator.device).to(memory_format=_memory_format(recipe))
    for each in for_training(compile=recipe.run.compile):
        each.run(model)
    # With buffers, it would go through the names, and average a parameter that is shared once for each of them.
    average = ModelEmaV3(model, decay=recipe.run.ema, use_warmup=True, exclude_buffers=True)
    if recipe.run.checkpointing:
        checkpoint_blocks(model)
    optimizer = build_optimizer(recipe, model)
    schedule, network = build_schedule(recipe, optimizer), AllStages(model)
    if recipe.run.compile:
        network.compile()
    network, optimizer = accelerator.prepare(network, optimizer)
    guard = Guard(recipe.run.explode, recipe.run.max_skipped)
    scaler = torch.amp.GradScaler(accelerator.device.type, enabled=recipe.run.precision == "float16")
    return Learner(model, network, average, optimizer, schedule, guard, scaler)


def _step(
    recipe: Recipe,
    step: int,
    batches: Iterator[Sample],
    accelerator: "Accelerator",
    learner: Learner,
    stopping: Callable[[], bool],
) -> tuple[dict[str, Any], bool]:
    """Do a step, and return its row of the log, and whether the run is to stop."""
    started = time.perf_counter()
    torch.manual_seed(_seed(recipe.run.seed, step, accelerator.process_index))  # for networks that draw, such as dropout
    learner.schedule.step_update(step)
    learner.optimizer.zero_grad()
    losses = _gradients(recipe, step, batches, accelerator, learner)
    learner.scaler.unscale_(learner.optimizer)
    norm = float(accelerator.clip_grad_norm_(learner.network.parameters(), recipe.run.clip))
    # What all processes must agree on: the mean loss, and whether one of them is to stop.
    told = torch.cat((losses, torch.tensor([float(stopping())], device=accelerator.device)))
    *stages, stop = accelerator.reduce(told, "mean").tolist()
    group = learner.optimizer.param_groups[0]
    lr = group["lr"] / group.get("lr_scale", 1)
    row = {"step": step + 1, "loss": sum(stages), "stages": stages, "gradient_norm": norm, "lr": lr}
    if learner.guard.accepts(row["loss"], norm):
        learner.scaler.step(learner.optimizer)
        learner.average.update(learner.model, step=step)
    else:
        row["samples"] = [step * recipe.run.batch, (step + 1) * recipe.run.batch - 1]
    learner.scaler.update()
    return row | {"skipped": learner.guard.refused, "seconds": time.perf_counter() - started}, stop > 0


def _gradients(recipe: Recipe, step: int, batches: Iterator[Sample], accelerator: "Accelerator", learner: Learner) -> Tensor:
    """Compute the gradient of a step, part by part, and return the loss of every output."""
    dtype, memory_format = _autocast(recipe, accelerator.device), _memory_format(recipe)
    parts = []
    for _ in range(recipe.run.accumulate):
        batch = next(batches)
        if recipe.data.mixup and step >= recipe.data.mixup_from:
            batch = mixed(batch, recipe.data.mixup, recipe.run.seed)
        image, target = (
            images.to(accelerator.device, memory_format=memory_format, non_blocking=True) for images in (batch.input, batch.target)
        )
        with accelerator.accumulate(learner.network):
            told = {name: torch.as_tensor(numbers)[:, None, None, None] for name, numbers in batch.condition.items()}
            image = learner.model.with_conditions(image, told)
            with torch.autocast(accelerator.device.type, dtype, enabled=dtype is not None):
                outputs = learner.network(image)
            losses = stage_losses(outputs, target, recipe.loss, learner.model)
            accelerator.backward(learner.scaler.scale(losses.sum()))
        parts.append(losses.detach())
    return torch.stack(parts).mean(dim=0)


def _validated(
    model: RestorationNetwork, examples: list[Example], recipe: Recipe, accelerator: "Accelerator"
) -> tuple[float, float]:
    """Return mean PSNR and SSIM; every process measures some of the examples."""
    mine = examples[accelerator.process_index :: accelerator.num_processes]
    sums = accelerator.reduce(torch.tensor(measure(model, mine, recipe), device=accelerator.device), "sum")
    psnr, ssim = (sums / len(examples)).tolist()
    return psnr, ssim


def _accelerator(recipe: Recipe, device: str) -> "Accelerator":
    with from_extra("train", "training needs further packages"):
        from accelerate import Accelerator
    if device not in ("auto", "cpu"):
        raise ConfigError(f"device must be auto or cpu; got {device!r}. CUDA_VISIBLE_DEVICES chooses among several GPUs")
    accelerator = Accelerator(cpu=device == "cpu", gradient_accumulation_steps=recipe.run.accumulate, mixed_precision="no")
    if recipe.run.precision == "float16" and accelerator.device.type not in SCALED:
        raise ConfigError(f"run.precision = 'float16' needs a GPU; on {accelerator.device.type}, use bfloat16 or float32")
    return accelerator


def _memory_format(recipe: Recipe) -> torch.memory_format:
    return torch.channels_last if recipe.run.channels_last else torch.contiguous_format


def _autocast(recipe: Recipe, device: torch.device) -> torch.dtype | None:
    """Return the dtype to compute in, or None for that of the weights."""
    if recipe.run.precision == "auto":
        return torch.bfloat16 if has_bfloat16(device) else None
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(recipe.run.precision)


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
