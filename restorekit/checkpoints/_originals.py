"""Checkpoints of the original authors: how they are recognised, and how their parameters are named.

This is registered together with a model, so that networks need not know about files.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restorekit.errors import CheckpointError
from restorekit.parts import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from restorekit.network import RestorationNetwork

State = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Originals:
    """How to read the checkpoints of an architecture's authors.

    Attributes:
        names: returns module names in these checkpoints -> module names here; also full names of parameters whose last part
            differs. Its parameters are named like the arguments of the builder that it needs, and are passed by keyword.
        infer_arguments: infers the builder's arguments from the names and shapes in a checkpoint, or returns None if the
            checkpoint belongs to another network. Without it, checkpoints load but are not recognised.
    """

    names: Callable[..., Mapping[str, str]]
    infer_arguments: Callable[[State], dict[str, Any] | None] | None = None

    def infer(self, state: State) -> dict[str, Any] | None:
        """Return the builder's arguments that a checkpoint was made with, or None if it is not recognised."""
        try:
            return None if self.infer_arguments is None else self.infer_arguments(state)
        except CheckpointError:
            raise
        except (LookupError, ValueError, TypeError, ArithmeticError):  # names of this network, with shapes that it never has
            return None


# Keyed by the name of the architecture; each entry is registered with its model.
originals: Registry[Originals] = Registry("checkpoint", "restorekit.models")


def original_names(model: "RestorationNetwork") -> dict[str, str]:
    """Return module names in the checkpoints of a model's authors -> module names here; empty if there are no such checkpoints.

    Parameters whose own names differ have entries, too, with full names.

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
