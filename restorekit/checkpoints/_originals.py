"""Checkpoints of the original authors: how they are recognised, and the names that parameters have in them.

This is told when a model is registered, so that networks know no file.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restorekit.parts import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.network import RestorationNetwork

State = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Originals:
    """What is known of the checkpoints of an architecture's authors.

    Attributes:
        names: returns module names in these checkpoints -> module names here. It takes those arguments of the builder that it
            names itself, by keyword.
        infer_arguments: tells the builder's arguments from names and shapes in a checkpoint, or None if the checkpoint is another
            network's; without it, checkpoints load, but are not recognised.
    """

    names: Callable[..., Mapping[str, str]]
    infer_arguments: Callable[[State], dict[str, Any] | None] | None = None

    def infer(self, state: State) -> dict[str, Any] | None:
        """Return the builder's arguments that a checkpoint was made with, or None if it is not recognised."""
        return None if self.infer_arguments is None else self.infer_arguments(state)


# By name of the architecture; each is registered with its model.
originals: Registry[Originals] = Registry("checkpoint", "restorekit.models")


def original_names(model: "RestorationNetwork") -> dict[str, str]:
    """Return module names in the checkpoints of a model's authors -> module names here; nothing if there are no such checkpoints.

    Example:
        >>> from restorekit import create_model
        >>> original_names(create_model("nafnet", width=8))["intro"]
        'stems.0.0'
    """
    if model.family is None:
        return {}
    names = originals.get(model.family["architecture"]).names
    arguments = model.family["arguments"]
    return dict(names(**{name: arguments[name] for name in inspect.signature(names).parameters}))
