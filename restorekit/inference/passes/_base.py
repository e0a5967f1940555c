"""What a pass is: other ways to compute for some modules of a network, which leave its results as they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Pass:
    """A change to the modules of a network that saves time or memory. Names and values of parameters stay as they are.

    A pass changes the network that it is given. :func:`restorekit.inference.prepare` runs passes on a copy.

    Attributes:
        applies_to: whether a module would gain. A module that the pass has changed does not.
        replace: returns what stands in the place of such a module: the module itself, changed, or another one.
    """

    applies_to: Callable[[nn.Module], bool]
    replace: Callable[[nn.Module], nn.Module]

    def gains(self, model: nn.Module) -> bool:
        """Return whether the pass would change a network."""
        return any(self.applies_to(module) for module in model.modules())

    def run(self, model: nn.Module) -> None:
        """Change a network. The network itself can be changed, but not exchanged for another module."""
        if self.applies_to(model):
            self.replace(model)
        for parent in list(model.modules()):
            for name, child in parent.named_children():
                if self.applies_to(child):
                    setattr(parent, name, self.replace(child))


def rewriting(methods: Mapping[type[nn.Module], Mapping[str, Callable[..., Any]]]) -> Pass:
    """Return a pass that gives other methods to single modules. Their classes, and so their names in configs, stay.

    Args:
        methods: for each class of modules, functions by the names of the methods whose place they take; the module is their first
            argument. Modules of subclasses, and modules whose children have hooks, are left alone: hooks must see what they
            were registered for.
    """

    def applies_to(module: nn.Module) -> bool:
        names = methods.get(type(module), {})
        return any(name not in vars(module) for name in names) and not any(_has_hooks(child) for child in module.children())

    def replace(module: nn.Module) -> nn.Module:
        for name, function in methods[type(module)].items():
            rewrite(module, name, function)
        return module

    return Pass(applies_to, replace)


def rewrite(module: nn.Module, name: str, function: Callable[..., Any]) -> None:
    """Give one module another method; copies of the module and pickles of it have it, too."""
    vars(module)[name] = partial(function, module)


def only_computes(x: Float[Tensor, "..."]) -> bool:
    """Return whether PyTorch only computes what becomes of these features, and neither records a gradient nor compiles it."""
    return type(x) is Tensor and not torch.compiler.is_compiling() and not (torch.is_grad_enabled() and x.requires_grad)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
