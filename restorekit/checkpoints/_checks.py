"""Checks that weights fit a model."""

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn

from restorekit.composition import compose
from restorekit.errors import CheckpointError, ConfigError
from restorekit.network import RestorationNetwork
from restorekit.stages import SHARED, MultiStage

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_fits(model: RestorationNetwork, state: Mapping[str, Tensor], origin: str, absent: Collection[str] = ()) -> None:
    """Raise a :class:`CheckpointError` unless the state has exactly the model's names and shapes, and finite floats.

    Args:
        model: the model.
        state: the weights.
        origin: where the weights come from, for the message.
        absent: modules whose weights may be missing.
    """
    if any(tensor.is_meta for tensor in model.state_dict(keep_vars=True).values()):
        raise CheckpointError(
            f"{origin} cannot be loaded: the model is on the meta device, where parameters have no values; build it outside of "
            'torch.device("meta"), and load the weights then'
        )
    wanted = {
        name: tensor
        for name, tensor in model.state_dict(keep_vars=True).items()
        if not any(name.startswith(f"{module}.") for module in absent)
    }
    problems = [
        *_names("missing", [name for name in wanted if name not in state]),
        *_names("unexpected", [name for name in state if name not in wanted]),
    ]
    both = [name for name in wanted if name in state]
    misshapen = [name for name in both if state[name].shape != wanted[name].shape]
    problems += _names(
        "with a wrong shape",
        misshapen,
        lambda name: f"{name} is {tuple(state[name].shape)}, expected {tuple(wanted[name].shape)}",
    )
    problems += _names(
        "of a wrong type",
        [name for name in both if not converts(state[name].dtype, wanted[name].dtype)],
        lambda name: f"{name} is {state[name].dtype}, expected {wanted[name].dtype}",
    )
    if not problems:
        problems += _names("NaN or infinite", [name for name in both if not state[name].isfinite().all()])
    if not problems:
        problems += _names("shared by the model, different in the file", unshared(wanted, state))
    if problems:
        name = (model.recipe or {}).get("architecture", type(model).__name__)
        raise CheckpointError(f"{origin} does not fit {name}: " + "; ".join(problems))


def check_ties(model: nn.Module) -> None:
    """Raise a :class:`CheckpointError` if a network shares parameters that would be separate after it was saved and loaded.

    A network that cannot be built from its ``config``, because it has unregistered parts, is built by code that only its authors
    know, and passes.
    """
    ties = _ties(model)
    if not ties or not isinstance(model, MultiStage):
        return
    try:
        config = model.config
    except ConfigError:
        return
    for stage in [*config["stages"], *config.get(SHARED, {}).values()]:
        if isinstance(stage, dict) and "pretrained" in stage:
            stage["pretrained"] = False  # nothing is downloaded
    with torch.device("meta"):
        lost = sorted(ties - _ties(compose(config)))
    if lost:
        first, second = lost[0]
        raise CheckpointError(
            f"{second} is the same tensor as {first}, but a network built from the config has two ({len(lost)} in all), which "
            "would train differently; share the part: list a stage several times, or use restorekit.Shared or the key 'shared'"
        )


def _ties(model: nn.Module) -> set[tuple[str, str]]:
    """Return pairs of names of the same tensor: the first, and each further one."""
    first: dict[int, str] = {}
    named = model.state_dict(keep_vars=True).items()
    return {(first[id(tensor)], name) for name, tensor in named if first.setdefault(id(tensor), name) != name}


def converts(given: torch.dtype, wanted: torch.dtype) -> bool:
    """Return whether numbers of a type can be used as those of another without a loss that matters."""
    return given == wanted or (given in FLOATS and wanted in FLOATS)


def unshared(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """Return the names whose tensor the model shares with an earlier name, but whose value differs from the value of that name."""
    first: dict[int, str] = {}
    return [name for name, tensor in wanted.items() if not torch.equal(state[name], state[first.setdefault(id(tensor), name)])]


def _names(problem: str, names: list[str], describe: Callable[[str], str] = str) -> list[str]:
    if not names:
        return []
    shown = ", ".join(describe(name) for name in names[:3])
    return [f"{len(names)} {problem} ({shown}{', ...' if len(names) > 3 else ''})"]
