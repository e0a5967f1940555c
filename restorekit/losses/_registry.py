"""The registry of losses."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from restorekit.parts import Argument, Registry, signature_of

LossFunction = Callable[..., Tensor]
Function = TypeVar("Function", bound=LossFunction)

_losses: Registry[LossFunction] = Registry("loss", "restorekit.losses")


def register_loss(name: str) -> Callable[[Function], Function]:
    """Return a decorator that registers a loss: a function of the restored image and the ground truth that returns a scalar.

    Recipes refer to it by this name. Its arguments other than the two images must have default values and be plain data.

    Args:
        name: unique among the losses.

    Raises:
        ValueError: if the name is taken.
    """
    return _losses.register(name)


def list_losses() -> list[str]:
    """Return the names of all registered losses."""
    return list(_losses)


def find_loss(name: str) -> LossFunction:
    """Return the loss registered under a name.

    Raises:
        ValueError: if there is no such loss; the message suggests the nearest names.

    Example:
        >>> find_loss("l1")(torch.ones(2), torch.zeros(2))
        tensor(1.)
    """
    return _losses.get(name)


def loss_arguments(loss: LossFunction) -> list[Argument]:
    """Return the arguments of a loss other than the two images."""
    return signature_of(loss)[2:]
