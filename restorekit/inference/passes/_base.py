"""The definition of a pass: another way to compute some modules of a network, with the same results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Pass:
    """A change to the modules of a network that saves time or memory. Names and values of parameters do not change.

    A pass changes the given network. :func:`restorekit.inference.prepare` runs passes on a copy.

    Attributes:
        applies_to: whether a module would benefit. A module that the pass has already changed does not.
        replace: returns the replacement of such a module: the module itself, changed, or another one.
    """

    applies_to: Callable[[nn.Module], bool]
    replace: Callable[[nn.Module], nn.Module]

    def gains(self, model: nn.Module) -> bool:
        """Return whether the pass would change a network."""
        return any(self.applies_to(module) for module in model.modules())

    def run(self, model: nn.Module) -> None:
        """Change a network. The network itself can be changed, but not replaced by another module."""
        if self.applies_to(model):
            self.replace(model)
        for parent in list(model.modules()):
            for name, child in parent.named_children():
                if self.applies_to(child):
                    setattr(parent, name, self.replace(child))


def rewriting(methods: Mapping[type[nn.Module], Mapping[str, Callable[..., Any]]]) -> Pass:
    """Return a pass that replaces methods of single modules. Their classes, and so their names in configs, do not change.

    Args:
        methods: for each class of modules, replacement functions by method name; their first argument is the module. Modules of
            subclasses, and modules whose children have hooks, are left unchanged: hooks must see the modules that they were
            registered for.
    """

    def applies_to(module: nn.Module) -> bool:
        names = methods.get(type(module), {})
        return any(name not in vars(module) for name in names) and not any(has_hooks(child) for child in module.children())

    def replace(module: nn.Module) -> nn.Module:
        for name, function in methods[type(module)].items():
            rewrite(module, name, function)
        return module

    return Pass(applies_to, replace)


def rewrite(module: nn.Module, name: str, function: Callable[..., Any]) -> None:
    """Replace a method of a single module; copies and pickles of the module keep the replacement."""
    vars(module)[name] = partial(function, module)


def only_computes(x: Float[Tensor, "..."]) -> bool:
    """Return whether PyTorch only computes with these features: it records no gradient and is not compiling."""
    return type(x) is Tensor and not torch.compiler.is_compiling() and not (torch.is_grad_enabled() and x.requires_grad)


def has_hooks(module: nn.Module) -> bool:
    """Return whether hooks are registered for a module."""
    return bool(module._forward_hooks or module._forward_pre_hooks)
