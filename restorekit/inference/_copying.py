"""Fast copies of networks."""

import copy
from collections import OrderedDict
from typing import Any, TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)
CUSTOM = ("__copy__", "__deepcopy__", "__getnewargs__", "__getnewargs_ex__", "__getstate__", "__reduce__", "__reduce_ex__")
ATOMS = frozenset((bool, int, float, str, type(None), torch.dtype, torch.device))


def copy_network(model: Model) -> Model:
    """Return a deep copy without gradients, in a third of the time of ``copy.deepcopy``, which matters for small images.

    Modules that customise how they are copied, and all values but numbers, texts and parameters, are left to ``copy.deepcopy``.
    """
    memo: dict[int, Any] = {id(module): object.__new__(type(module)) for module in model.modules() if _is_plain(type(module))}
    for parameter in model.parameters():
        if type(parameter) is nn.Parameter:
            memo[id(parameter)] = nn.Parameter(parameter.detach().clone(), requires_grad=False)
    for module in model.modules():
        if id(module) in memo:
            vars(memo[id(module)]).update({name: _copied(value, memo) for name, value in vars(module).items()})
    copied: Model = copy.deepcopy(model, memo)
    return copied.requires_grad_(False)


def _is_plain(kind: type[nn.Module]) -> bool:
    """Return whether copying the attributes copies a module of this class."""
    own = any(getattr(kind, name, None) is not getattr(nn.Module, name, None) for name in CUSTOM)
    return not own and kind.__setstate__.__module__.startswith("torch.nn.")


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """Return a copy of an attribute of a module; ``memo`` is that of ``copy.deepcopy``."""
    kind = type(value)
    if kind in ATOMS or (kind is tuple and all(type(each) in ATOMS for each in value)):
        return value
    if kind in (dict, OrderedDict):
        return kind((key, memo[id(each)] if id(each) in memo else copy.deepcopy(each, memo)) for key, each in value.items())
    return copy.deepcopy(value, memo)
