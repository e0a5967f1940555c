"""Building the network, optimiser and scheduler of a recipe."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from restorekit.checkpoints import PartialLoad, load_partial, load_weights
from restorekit.composition import compose
from restorekit.errors import ConfigError
from restorekit.losses import find_loss
from restorekit.models import architectures, create_model
from restorekit.network import RestorationNetwork
from restorekit.ops import downscale
from restorekit.parts import did_you_mean
from restorekit.stages import MultiStage
from restorekit.train._recipe import LossRecipe, ModelRecipe, Recipe
from restorekit.train._tuning import freeze, learning_groups

GROUPING = {"filter_bias_and_bn", "layer_decay", "layer_decay_min_scale", "layer_decay_no_opt_scale", "param_group_fn"}


class AllStages(nn.Module):
    """A network whose ``forward`` returns the outputs of all stages, as needed for compiling and for training in several processes.

    Args:
        model: the network.
    """

    def __init__(self, model: RestorationNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the output of every supervised stage."""
        return self.model.forward_stages(image)


def build_model(recipe: ModelRecipe, on_partial: Callable[[PartialLoad], None] = lambda report: None) -> RestorationNetwork:
    """Return the network of a recipe, in training mode, with its initial weights and its frozen parts.

    Args:
        recipe: the section ``model``.
        on_partial: called, if ``partial`` is set, with what was loaded of the initial weights, and what was not.

    Raises:
        ConfigError: if it cannot be built, or a name in ``freeze`` is unknown.
        CheckpointError: if the weights to start from are not available or do not fit.
    """
    if recipe.composition:
        model: RestorationNetwork = compose(recipe.composition)
    else:
        try:
            model = create_model(recipe.name, **recipe.arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"model: {error}") from error
    if recipe.init:
        registered = recipe.init.partition(".")[0] in architectures and not Path(recipe.init).exists()
        source = create_model(recipe.init, pretrained=True).state_dict() if registered else recipe.init
        if recipe.partial:
            on_partial(replace(load_partial(model, source), origin=recipe.init))
        else:
            load_weights(model, source)
    if recipe.freeze:
        freeze(model, recipe.freeze)
    return model.train()


def build_optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """Return the optimiser of a recipe.

    Raises:
        ConfigError: if timm has no optimiser of this name, it does not take an argument, or a name in ``lr_scale`` is unknown.
    """
    from timm.optim import create_optimizer_v2, list_optimizers

    section = recipe.optimizer
    known = [str(name) for name in list_optimizers()]
    if section.name.lower() not in known:
        raise ConfigError(f"optimizer.name: unknown optimiser {section.name!r}{did_you_mean(section.name, known)}")
    parameters: nn.Module | list[dict[str, Any]] = model
    if section.lr_scale:
        if idle := sorted(GROUPING & section.arguments.keys()):
            raise ConfigError(f"optimizer.arguments.{idle[0]} has no effect with optimizer.lr_scale; leave one of them out")
        parameters = learning_groups(model, section.lr_scale, section.weight_decay)
    try:
        return create_optimizer_v2(parameters, section.name, lr=section.lr, weight_decay=section.weight_decay, **section.arguments)
    except (TypeError, ValueError, AssertionError, ImportError) as error:
        raise ConfigError(f"optimizer.arguments: {error}") from error


def build_schedule(recipe: Recipe, optimizer: Optimizer) -> Any:
    """Return the scheduler of a recipe; its ``step_update(step)`` sets the learning rate, which depends only on the step.

    Raises:
        ConfigError: if it does not take an argument.
    """
    from timm.scheduler import create_scheduler_v2

    section = recipe.schedule
    try:
        scheduler, _ = create_scheduler_v2(
            optimizer,
            sched=section.name,
            num_epochs=(section.length or recipe.run.steps) - section.warmup,
            warmup_epochs=section.warmup,
            warmup_lr=recipe.optimizer.lr / max(1, section.warmup),  # so that the first step has an effect
            warmup_prefix=True,
            min_lr=section.min_lr,
            step_on_epochs=False,
            updates_per_epoch=1,
            **section.arguments,
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"schedule.arguments: {error}") from error
    return scheduler


def stage_losses(outputs: Sequence[Tensor], target: Tensor, recipe: LossRecipe, model: RestorationNetwork) -> Tensor:
    """Return the weighted loss of every output; coarser ones are compared with the target at their scale.

    Raises:
        ConfigError: if the numbers of weights and outputs differ.
    """
    weights = recipe.stages or (1.0,) * len(outputs)
    if len(weights) != len(outputs):
        raise ConfigError(f"loss.stages has {len(weights)} weights, but the network has {len(outputs)} outputs; give one each")
    mode = model.scale_mode if isinstance(model, MultiStage) else "area"
    values = []
    for output, weight in zip(outputs, weights, strict=True):
        restored = output.float().clamp(0, 1) if recipe.clamp else output.float()
        truth = downscale(target, target.shape[-1] // restored.shape[-1], mode)
        terms = [term.weight * find_loss(term.name)(restored, truth, **term.arguments) for term in recipe.terms if term.weight]
        values.append(weight * torch.stack(terms).sum())
    return torch.stack(values)
