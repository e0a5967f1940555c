"""Recipes: all that a training run depends on, as typed data from a TOML file."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from restorekit.data import Number
from restorekit.errors import ConfigError


@dataclass(frozen=True)
class ModelRecipe:
    """The network.

    Attributes:
        name: registered architecture, such as ``mprnet_tiny``.
        arguments: of its builder.
        composition: in place of a name, a network as data: what :func:`restorekit.compose` takes, or the path of its file.
        init: weights to start from: a name such as ``mprnet_deblur.gopro``, or the path of a checkpoint. From scratch if empty.
    """

    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    composition: str | Mapping[str, Any] = ""
    init: str = ""

    def __post_init__(self) -> None:
        """Check that there is one network."""
        if bool(self.name) == bool(self.composition):
            raise ConfigError("model needs a name or a composition, and not both")
        if "." in self.name:
            raise ConfigError(f"model.name must be an architecture; got {self.name!r}: to start from its weights, use model.init")


@dataclass(frozen=True)
class DataRecipe:
    """What to train on.

    Attributes:
        path: folder of the data set.
        layout: ``photos``: clean photographs, which are degraded; ``folders``: pairs in ``input/`` and ``target/``; ``gopro``,
            ``rain13k``, ``sidd``: as published.
        degradations: of clean photographs, in this order: mappings of a name and arguments, as ``restorekit data preview`` takes.
        random_order: whether to shuffle the degradations for every crop.
        probability: that a degradation is done at all; less than 1 also teaches the network to leave clean images alone.
        crop: side of a crop in pixels.
        augment: whether to flip and rotate by multiples of 90 degrees.
        saturation: in one pair of three, the saturation is multiplied by a factor from 1 - this to 1 + this. Not for photographs.
        half_size: whether half of the crops come from photographs at half size. Not for pairs.
        mixup: parameter of the Beta distribution of MixUp; none if 0.
        mixup_from: step from which on there is MixUp.
        workers: processes that read and degrade images beside the one that trains; 0 for none.
    """

    path: str = ""
    layout: Literal["photos", "folders", "gopro", "rain13k", "sidd"] = "photos"
    degradations: Sequence[Mapping[str, Any]] = ()
    random_order: bool = False
    probability: float = 1.0
    crop: int = 128
    augment: bool = True
    saturation: float = 0.0
    half_size: bool = False
    mixup: float = 0.0
    mixup_from: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        """Check the numbers, and that what is asked for is for this layout."""
        _within("data.crop", self.crop, 1)
        _within("data.probability", self.probability, 0, 1)
        _within("data.saturation", self.saturation, 0, 1)
        _within("data.mixup", self.mixup, 0)
        _within("data.mixup_from", self.mixup_from, 0)
        _within("data.workers", self.workers, 0)
        photos = self.layout == "photos"
        idle = ("saturation",) if photos else ("degradations", "random_order", "half_size")
        for name in idle:
            if getattr(self, name):
                raise ConfigError(f"data.{name} has no effect with data.layout = {self.layout!r}; leave it out")
        if photos and not self.degradations:
            raise ConfigError(
                "data.degradations is empty: say what to do to the photographs, such as [{name = 'gaussian', sigma = 25}]"
            )


@dataclass(frozen=True)
class LossRecipe:
    """What to minimise: weights of losses, which are summed over the outputs of the network.

    Attributes:
        charbonnier: weight of the Charbonnier loss.
        edge: weight of the edge loss.
        l1: weight of the mean absolute difference.
        psnr: weight of the negative PSNR.
        ssim: weight of 1 - SSIM.
        fft: weight of the difference of Fourier transforms.
        stages: weights of the outputs, first stage first; all 1 if empty.
        clamp: whether outputs are clamped to [0, 1] first.
    """

    charbonnier: float = 0.0
    edge: float = 0.0
    l1: float = 0.0
    psnr: float = 0.0
    ssim: float = 0.0
    fft: float = 0.0
    stages: Sequence[float] = ()
    clamp: bool = False

    def __post_init__(self) -> None:
        """Check that something is to be minimised."""
        weights = self.weights()
        for name, weight in weights.items():
            _within(f"loss.{name}", weight, 0)
        if not weights:
            raise ConfigError("loss has no weight above 0; give one, such as charbonnier = 1.0")
        for i, weight in enumerate(self.stages):
            _within(f"loss.stages[{i}]", weight, 0)

    def weights(self) -> dict[str, float]:
        """Return the weights of the losses that have one."""
        return {
            name: weight for name, weight in dataclasses.asdict(self).items() if name not in ("stages", "clamp") and weight != 0
        }


@dataclass(frozen=True)
class OptimizerRecipe:
    """How weights are changed.

    Attributes:
        name: of an optimiser of timm (``timm.optim.list_optimizers()``).
        lr: highest learning rate.
        weight_decay: as the optimiser defines it; not for biases and other vectors.
        arguments: further ones of ``timm.optim.create_optimizer_v2``.
    """

    name: str = "adamw"
    lr: float = 2e-4
    weight_decay: float = 0.0
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers."""
        _within("optimizer.lr", self.lr, 1e-12)
        _within("optimizer.weight_decay", self.weight_decay, 0)


@dataclass(frozen=True)
class ScheduleRecipe:
    """How the learning rate goes on, step by step.

    Attributes:
        name: of a scheduler of timm: ``cosine``, ``tanh``, ``step``, ``multistep``, ``poly``, ``wsd``, ``rsqrt`` or ``constant``.
        warmup: steps of linear warm-up, which come first.
        min_lr: where it ends.
        length: step at which it ends, with the warm-up; by default (0) ``run.steps``. A run that is shorter stops on the way.
        arguments: further ones of ``timm.scheduler.create_scheduler_v2``, which counts steps here wherever it says epochs.
    """

    name: Literal["cosine", "tanh", "step", "multistep", "poly", "wsd", "rsqrt", "constant"] = "cosine"
    warmup: int = 0
    min_lr: float = 0.0
    length: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers."""
        _within("schedule.warmup", self.warmup, 0)
        _within("schedule.min_lr", self.min_lr, 0)
        _within("schedule.length", self.length, 0)


@dataclass(frozen=True)
class RunRecipe:
    """How long, how fast, and what is kept.

    Attributes:
        steps: optimiser steps.
        batch: crops a step, over all processes.
        accumulate: parts that a batch is cut into, one after the other, to save memory.
        precision: ``bfloat16`` (autocast), ``float32``, or ``auto``: bfloat16 where the processor computes in it.
        channels_last: whether images and weights have the channels last in memory, which is faster on most processors.
        compile: whether to compile the network (``torch.compile``); the first step then takes minutes.
        seed: of initialisation, and of all that is drawn.
        clip: largest norm of the gradient; a longer one is shortened to it. ``inf`` for none.
        explode: a step is not taken if its gradient is longer than this many times the median of those before.
        max_skipped: so many skipped steps in a row stop the run.
        ema: decay of the moving average of the weights, which is measured and exported.
        save_every: steps between checkpoints.
        keep_every: steps between exports of the weights that are kept; none if 0.
    """

    steps: int = 100_000
    batch: int = 16
    accumulate: int = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    channels_last: bool = True
    compile: bool = False
    seed: int = 0
    clip: float = 1.0
    explode: float = 20.0
    max_skipped: int = 10
    ema: float = 0.999
    save_every: int = 500
    keep_every: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("steps", "batch", "accumulate", "max_skipped", "save_every"):
            _within(f"run.{name}", getattr(self, name), 1)
        _within("run.seed", self.seed, 0)
        _within("run.clip", self.clip, 1e-12)
        _within("run.explode", self.explode, 1)
        _within("run.ema", self.ema, 0, 0.999999)
        _within("run.keep_every", self.keep_every, 0)
        if self.batch % self.accumulate:
            raise ConfigError(f"run.batch must be a multiple of run.accumulate; got {self.batch} and {self.accumulate}")


@dataclass(frozen=True)
class ValidationRecipe:
    """What to look at while a run goes on: PSNR and SSIM (RGB, 8 bits), and pictures.

    Attributes:
        path: folder of images that are not trained on; no validation if empty.
        layout: ``photos``, which are degraded; ``folders``: pairs in ``input/`` and ``target/``; ``gopro``: its test pairs.
        degradations: of photographs; by default those of the data.
        every: steps between validations.
        images: how many images, spread evenly over the folder.
        crop: side of their central crops.
        pictures: how many of them to show as ``pictures/*.png``: input, output of every stage, target.
    """

    path: str = ""
    layout: Literal["photos", "folders", "gopro"] = "photos"
    degradations: Sequence[Mapping[str, Any]] = ()
    every: int = 1000
    images: int = 32
    crop: int = 256
    pictures: int = 4

    def __post_init__(self) -> None:
        """Check the numbers."""
        _within("validation.every", self.every, 1)
        _within("validation.images", self.images, 1)
        _within("validation.crop", self.crop, 16)
        _within("validation.pictures", self.pictures, 0)


@dataclass(frozen=True)
class Recipe:
    """All that a training run depends on.

    Attributes:
        task: what the network learns, in a word; it is written into the model card.
        model: the network.
        data: what to train on.
        loss: what to minimise.
        optimizer: how weights are changed.
        schedule: how the learning rate goes on.
        run: how long, how fast, and what is kept.
        validation: what to look at while the run goes on.
    """

    model: ModelRecipe
    data: DataRecipe
    loss: LossRecipe
    optimizer: OptimizerRecipe
    schedule: ScheduleRecipe
    run: RunRecipe
    validation: ValidationRecipe
    task: str = ""

    def __post_init__(self) -> None:
        """Check what sections say together."""
        length = self.schedule.length or self.run.steps
        if self.schedule.warmup >= length:
            raise ConfigError(
                f"schedule.warmup must be less than the {length} steps of the schedule; got {self.schedule.warmup}. Lower it, or "
                "raise run.steps"
            )
        if (
            self.validation.layout == "photos"
            and self.validation.path
            and not (self.validation.degradations or self.data.degradations)
        ):
            raise ConfigError("validation.degradations is empty: say what to do to the photographs, or set validation.layout")
        if self.data.mixup and self.run.batch // self.run.accumulate % 2:
            raise ConfigError("data.mixup mixes samples two by two; run.batch / run.accumulate must be even")


WITHOUT_EFFECT = ("data.workers", "run.save_every", "run.keep_every", "validation")
"""What may differ when a run goes on, because it does not change the weights."""


def _within(name: str, value: Number, least: Number, largest: Number = math.inf) -> None:
    if not least <= value <= largest:
        limits = f"at least {least:g}" if largest == math.inf else f"from {least:g} to {largest:g}"
        raise ConfigError(f"{name} must be {limits}; got {value:g}")
