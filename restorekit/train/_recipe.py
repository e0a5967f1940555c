"""Recipes: everything that a training run depends on, as typed data from a TOML file."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, model_validator

from restorekit._config import Section, arguments_model, problem
from restorekit.errors import OptionError
from restorekit.inference import OPTIONS, InferenceOptions
from restorekit.losses import find_loss, list_losses, loss_arguments
from restorekit.parts import did_you_mean
from restorekit.train._conditions import Ranges, check_ranges

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Arguments = Mapping[str, Any]
SECTION: Any = Field(default_factory=dict, validate_default=True)
WEIGHTS = TypeAdapter(dict[str, Weight], config=ConfigDict(strict=True))


class ModelRecipe(Section):
    """The network."""

    name: str = ""
    """Registered architecture, such as ``mprnet_tiny``."""

    arguments: Arguments = Field({})
    """Arguments of its builder."""

    composition: str | Arguments = ""
    """A network as data, instead of a name: a composition for :func:`restorekit.compose`, or the path of its file."""

    init: str = ""
    """Initial weights: a name such as ``mprnet_deblur.gopro``, or the path of a checkpoint. From scratch if empty."""

    partial: bool = False
    """Whether to take from ``init`` only the weights that fit; the run reports those that do not."""

    freeze: tuple[str, ...] = Field((), strict=False)
    """Names of modules or parameters that do not learn, such as ``stages.0``; ``*`` and ``?`` are wildcards."""

    @model_validator(mode="after")
    def _check(self) -> "ModelRecipe":
        """Check that there is exactly one network."""
        if bool(self.name) == bool(self.composition):
            raise ValueError("model needs either a name or a composition, but not both")
        if "." in self.name:
            raise ValueError(f"model.name must be an architecture; got {self.name!r}: to start from its weights, use model.init")
        if self.partial and not self.init:
            raise ValueError("model.partial has no effect without model.init; give the weights to start from")
        return self


class DataRecipe(Section):
    """The training data."""

    path: str = ""
    """Folder of the data set."""

    layout: Literal["photos", "folders", "gopro", "rain13k", "sidd"] = "photos"
    """``photos``: clean photographs, which are degraded; ``folders``: pairs in ``input/`` and ``target/``, of images or
    NumPy arrays; ``gopro``, ``rain13k``, ``sidd``: as published."""

    degradations: tuple[Arguments, ...] = Field((), strict=False)
    """Degradations of the photographs, in this order: mappings of a name and arguments, as in ``restorekit data preview``."""

    random_order: bool = False
    """Whether to shuffle the degradations for every crop."""

    probability: Share = 1.0
    """Probability that a photograph is degraded at all; less than 1 also teaches the network to leave clean images alone."""

    crop: Count = 128
    """Side of a crop in pixels."""

    augment: bool = True
    """Whether to flip and rotate by multiples of 90 degrees."""

    saturation: Share = 0.0
    """In one pair of three, the saturation is multiplied by a factor from 1 - this to 1 + this. Not for photographs."""

    half_size: bool = False
    """Whether half of the crops come from photographs at half size. Not for pairs."""

    mixup: Weight = 0.0
    """Parameter of the Beta distribution of MixUp; none if 0."""

    mixup_from: Natural = 0
    """First step with MixUp."""

    condition: Ranges = Field({})
    """What the network is told: numbers by name, or ranges to draw them from, used as in ``sigma = "@noise_level"``."""

    workers: Natural = 0
    """Processes that read and degrade images next to the one that trains; 0 for none."""

    @model_validator(mode="after")
    def _check(self) -> "DataRecipe":
        """Check that the settings apply to this layout."""
        photos = self.layout == "photos"
        idle = ("saturation",) if photos else ("degradations", "random_order", "half_size")
        for name in idle:
            if getattr(self, name):
                raise ValueError(f"data.{name} has no effect with data.layout = {self.layout!r}; leave it out")
        if photos and not self.degradations:
            raise ValueError(
                "data.degradations is empty; list degradations for the photographs, such as [{name = 'gaussian', sigma = 25}]"
            )
        check_ranges(self.condition, layout=self.layout, probability=self.probability, mixup=self.mixup)
        return self


class ChoiceRecipe(Section):
    """One of several lists of degradations: ``{ name = "choice", parts = [[...], [...]], weights = [2, 1] }``."""

    name: Literal["choice"]
    """Distinguishes it from a registered degradation."""

    parts: tuple[Annotated[tuple[Arguments, ...], Field(strict=False, min_length=1)], ...] = Field(strict=False, min_length=1)
    """Lists of degradations."""

    weights: tuple[float, ...] = Field((), strict=False)
    """How often each list is chosen, in proportion; equally often if empty."""


class LossTerm(Section):
    """A registered loss with a weight; further keys are arguments of the loss."""

    model_config = ConfigDict(extra="allow")

    name: str
    """Registered name of the loss."""

    weight: Weight = 1.0
    """Factor by which it is multiplied."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the loss."""
        return self.model_extra or {}

    @model_validator(mode="after")
    def _check(self) -> "LossTerm":
        """Check that there is such a loss, and that it takes the arguments."""
        try:
            loss = find_loss(self.name)
        except ValueError as error:
            raise problem("told", text=str(error)) from error
        arguments_model(self.name, loss_arguments(loss), {}).model_validate(self.arguments)
        return self


class LossRecipe(Section):
    """The loss: terms, which are summed over the outputs of the network.

    ``charbonnier = 1.0``, the name of a loss and its weight, is short for a term without arguments. If there is already a term
    with that name, this replaces its weight.
    """

    terms: tuple[LossTerm, ...] = Field((), strict=False)
    """Losses with their weights and arguments, such as ``{ name = "charbonnier", weight = 1.0, eps = 1e-3 }``."""

    stages: tuple[Weight, ...] = Field((), strict=False)
    """Weights of the outputs, in the order of the stages; all 1 if empty."""

    clamp: bool = False
    """Whether outputs are clamped to [0, 1] first."""

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        """Return the data with every weight of a loss turned into a term."""
        if not isinstance(data, Mapping):
            return data
        short = WEIGHTS.validate_python({key: value for key, value in data.items() if key in list_losses()})
        data = {key: value for key, value in data.items() if key not in short}
        terms = data.get("terms", ())
        if not isinstance(terms, list | tuple):
            return data
        terms = [dict(term) if isinstance(term, Mapping) else term for term in terms]
        for name, weight in short.items():
            same = [term for term in terms if isinstance(term, dict) and term.get("name") == name]
            for term in same:
                term["weight"] = weight
            terms += [] if same else [{"name": name, "weight": weight}]
        return data | {"terms": terms}

    @model_validator(mode="after")
    def _check(self) -> "LossRecipe":
        """Check that there is something to minimise."""
        if not any(term.weight for term in self.terms):
            raise ValueError("loss has no weight above 0; give one, such as charbonnier = 1.0")
        return self


class OptimizerRecipe(Section):
    """The optimiser."""

    name: str = "adamw"
    """Name of an optimiser of timm (``timm.optim.list_optimizers()``)."""

    lr: Annotated[float, Field(gt=0)] = 2e-4
    """Highest learning rate."""

    weight_decay: Weight = 0.0
    """Weight decay as the optimiser defines it; not applied to biases and other vectors."""

    lr_scale: Mapping[str, Annotated[float, Field(gt=0)]] = Field({})
    """Factors of the learning rate by module or parameter, such as ``{ "stages.0" = 0.1 }``; wildcards as in ``model.freeze``. The
    first one that matches counts."""

    arguments: Arguments = Field({})
    """Further arguments of ``timm.optim.create_optimizer_v2``."""


class ScheduleRecipe(Section):
    """The learning rate schedule, step by step."""

    name: Literal["cosine", "tanh", "step", "multistep", "poly", "wsd", "rsqrt", "constant"] = "cosine"
    """Name of a scheduler of timm: ``cosine``, ``tanh``, ``step``, ``multistep``, ``poly``, ``wsd``, ``rsqrt`` or ``constant``."""

    warmup: Natural = 0
    """Steps of linear warm-up at the start."""

    min_lr: Weight = 0.0
    """Learning rate at the end."""

    length: Natural = 0
    """Step at which it ends, including the warm-up; by default (0) ``run.steps``. A shorter run stops on the way."""

    arguments: Arguments = Field({})
    """Further arguments of ``timm.scheduler.create_scheduler_v2``, which here counts steps wherever it says epochs."""


class RunRecipe(Section):
    """Length, speed and outputs of the run."""

    steps: Count = 100_000
    """Optimiser steps."""

    batch: Count = 16
    """Crops per step, over all processes."""

    accumulate: Count = 1
    """Number of parts that a batch is divided into, computed one after the other to save memory."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """``bfloat16`` or, on GPUs, ``float16`` (autocast), ``float32``, or ``auto``: bfloat16 where the hardware supports it."""

    checkpointing: bool = False
    """Whether blocks keep only their inputs, and are computed again for the gradient: less memory, a third more time."""

    channels_last: bool = True
    """Whether images and weights have the channels last in memory, which is faster on most hardware."""

    compile: bool = False
    """Whether to compile the network (``torch.compile``); the first step then takes minutes."""

    seed: Natural = 0
    """Seed of the initial weights, and of all random choices."""

    clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient; a larger gradient is scaled down to it. ``inf`` for no limit."""

    explode: Annotated[float, Field(ge=1)] = 20.0
    """A step is skipped if its gradient is larger than this many times the median of those before."""

    max_skipped: Count = 10
    """This many skipped steps in a row stop the run."""

    ema: Annotated[float, Field(ge=0, le=0.999999)] = 0.999
    """Decay of the moving average of the weights, which is measured and exported."""

    save_every: Count = 500
    """Steps between checkpoints."""

    keep_every: Natural = 0
    """Steps between exports of the weights that are kept; none if 0."""

    trackers: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = Field(("tensorboard",), strict=False)
    """Programs that show curves and pictures: ``tensorboard``, ``trackio``, ``wandb``; the latter two need their packages."""

    @model_validator(mode="after")
    def _check(self) -> "RunRecipe":
        """Check that batches can be divided into the parts."""
        if self.batch % self.accumulate:
            raise ValueError(f"run.batch must be a multiple of run.accumulate; got {self.batch} and {self.accumulate}")
        return self


class ValidationRecipe(Section):
    """What to measure during the run: PSNR and SSIM, and pictures."""

    path: str = ""
    """Folder of images that are not trained on; no validation if empty."""

    layout: Literal["photos", "folders", "gopro"] = "photos"
    """``photos``, which are degraded; ``folders``: pairs in ``input/`` and ``target/``; ``gopro``: its test pairs."""

    degradations: tuple[Arguments, ...] = Field((), strict=False)
    """Degradations of the photographs; by default those of the training data."""

    every: Count = 1000
    """Steps between validations."""

    images: Count = 32
    """Number of images, spread evenly over the folder."""

    crop: Annotated[int, Field(ge=16)] | Literal[0] = 256
    """Side of their central crops; 0 for whole images."""

    options: Arguments = Field({})
    """Options of :class:`restorekit.inference.InferenceOptions`, such as ``{ tile = 512, pooling = "local" }``."""

    patience: Natural = 0
    """The run ends after this many validations in a row without a better PSNR; it does not end early if 0."""

    pictures: Natural = 4
    """Number of images to show as ``pictures/*.png``: input, output of every stage, target."""

    @model_validator(mode="after")
    def _check(self) -> "ValidationRecipe":
        """Check the options, and that there is something to be patient about."""
        self.inference_options()
        if self.patience and not self.path:
            raise ValueError("validation.patience has no effect without validation.path")
        return self

    def inference_options(self, **defaults: Any) -> InferenceOptions:
        """Return how validation images are restored.

        Args:
            **defaults: options that count unless ``options`` contains them.

        Raises:
            ValueError: if an option is unknown or not valid.
        """
        known = [name for name in OPTIONS if name != "device"]
        for name in self.options:
            if name not in known:
                raise ValueError(f"validation.options: unknown option {name!r}{did_you_mean(name, known)}")
        try:
            return InferenceOptions(**{**defaults, **self.options})
        except OptionError as error:
            raise ValueError(f"validation.options.{error}") from error


class Recipe(Section):
    """Everything that a training run depends on."""

    model: ModelRecipe = SECTION
    """The network."""

    data: DataRecipe = SECTION
    """The training data."""

    loss: LossRecipe = SECTION
    """The loss."""

    optimizer: OptimizerRecipe = SECTION
    """The optimiser."""

    schedule: ScheduleRecipe = SECTION
    """The learning rate schedule."""

    run: RunRecipe = SECTION
    """Length, speed and outputs of the run."""

    validation: ValidationRecipe = SECTION
    """What to measure during the run."""

    task: str = ""
    """The task of the network, in a word, for the model card."""

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        """Check combinations of settings across sections."""
        length = self.schedule.length or self.run.steps
        if self.schedule.warmup >= length:
            raise ValueError(
                f"schedule.warmup must be less than the {length} steps of the schedule; got {self.schedule.warmup}. Lower it, or "
                "raise run.steps"
            )
        if (
            self.validation.layout == "photos"
            and self.validation.path
            and not (self.validation.degradations or self.data.degradations)
        ):
            raise ValueError("validation.degradations is empty; list degradations for the photographs, or set validation.layout")
        if self.data.mixup and self.run.batch // self.run.accumulate % 2:
            raise ValueError("data.mixup mixes pairs of samples, so run.batch / run.accumulate must be even")
        return self


WITHOUT_EFFECT = ("data.workers", "run.save_every", "run.keep_every", "run.trackers", "validation")
"""Settings that may differ when a run is resumed, because they do not change the weights."""
