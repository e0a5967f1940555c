"""Fine-tuning: parts that do not learn, or learn at another rate, and activations that are computed again to save memory."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from itertools import accumulate
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from restorekit.errors import ConfigError
from restorekit.parts import blocks, did_you_mean


def freeze(model: nn.Module, patterns: Iterable[str]) -> None:
    """Make parameters keep their values.

    Args:
        model: the network.
        patterns: names of modules or parameters, such as ``"stages.0"``, with ``*`` and ``?`` as wildcards. What a module
            contains is frozen, too, including parameters that it shares with others.

    Raises:
        ConfigError: if nothing has a name of a pattern, or nothing is left that learns.
    """
    for pattern in patterns:
        for name in _matching(model, pattern, "model.freeze"):
            model.get_parameter(name).requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError("model.freeze leaves no parameter that learns; leave out some of its patterns")


def learning_groups(model: nn.Module, scales: Mapping[str, float], weight_decay: float) -> list[dict[str, Any]]:
    """Return the parameters that learn, grouped by the factor of their learning rate and by whether they decay.

    Args:
        model: the network.
        scales: factors by pattern, as in :func:`freeze`; the first pattern that matches a parameter counts.
        weight_decay: weight decay of all parameters except biases and other vectors.

    Returns:
        Groups for an optimiser. The schedulers of timm multiply learning rates by ``lr_scale``.

    Raises:
        ConfigError: if nothing has a name of a pattern.
    """
    factors = {
        name: scale for pattern, scale in reversed(list(scales.items())) for name in _matching(model, pattern, "optimizer.lr_scale")
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((factors.get(name, 1.0), decay), []).append(parameter)
    unscaled_first = sorted(groups.items(), key=lambda group: group[0][0] != 1)
    return [{"params": group, "lr_scale": scale, "weight_decay": decay} for (scale, decay), group in unscaled_first]


def checkpoint_blocks(model: nn.Module) -> None:
    """Make the blocks of a network keep only their inputs while it learns, and compute the rest again for the gradient.

    This saves most of the memory, and takes about a third more time. Gradients stay the same. Source: Chen et al., Training deep
    nets with sublinear memory cost, 2016, arXiv:1604.06174.

    Args:
        model: the network. It is changed; names and values of its parameters are not.

    Raises:
        ConfigError: if it contains no registered block.
    """
    kinds = tuple(kind for kind in map(blocks.get, blocks) if isinstance(kind, type))
    found = list(_outermost(model, kinds))
    if not found:
        raise ConfigError("run.checkpointing has no effect: the network has no registered block; see restorekit.register_block")
    for block in found:
        vars(block)["forward"] = partial(checkpoint, block.forward, use_reentrant=False)


def _outermost(module: nn.Module, kinds: tuple[type, ...]) -> Iterator[nn.Module]:
    """Yield the modules of some classes that are not part of another one."""
    if isinstance(module, kinds):
        yield module
    else:
        for child in module.children():
            yield from _outermost(child, kinds)


def _matching(model: nn.Module, pattern: str, key: str) -> list[str]:
    """Return the names of parameters that a pattern names, or whose module it names."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    found = [name for name in parameters if any(fnmatchcase(place, pattern) for place in _places(name))]
    if not found:
        places = dict.fromkeys(place for name in parameters for place in _places(name))
        raise ConfigError(f"{key}: no module or parameter is called {pattern!r}{did_you_mean(pattern, places)}")
    kept = {parameter: name for name, parameter in reversed(list(parameters.items()))}  # the first name of one that is shared
    return [kept[parameters[name]] for name in found]


def _places(name: str) -> Iterator[str]:
    """Yield the names of the modules that contain a parameter, outermost first, and its own."""
    return accumulate(name.split("."), "{}.{}".format)
