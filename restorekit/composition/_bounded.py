"""Building a network that a file describes, unless it is too large."""

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from restorekit._limits import excess
from restorekit.errors import ConfigError

Network = TypeVar("Network", bound=nn.Module)

PARAMETERS = 250_000_000  # of one network, 1 GB in float32; the largest with published weights here has 116 million
MODULES = 5_000  # of one network; the largest here has 2,000


class _TooLargeError(Exception):
    """A network is above a limit."""


class _Uninitialised(TorchFunctionMode):
    """Skips the filling of parameters, which have no values on the meta device; PyTorch is slow to do nothing there."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function, unless it fills a tensor in place."""
        name = getattr(function, "__name__", "")
        fills = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
        if fills and args and isinstance(args[0], torch.Tensor) and args[0].is_meta:
            return args[0]
        return function(*args, **(kwargs or {}))


def bounded(build: Callable[[], Network]) -> Network:
    """Return the network that ``build`` makes, unless it has too many parameters or modules.

    It is first built without memory for its parameters. A part that cannot be built so is counted while it is built.

    Raises:
        ConfigError: if it is too large; the message says how to lift the limit.
    """
    try:
        try:
            sketched(build)
        except _TooLargeError:
            raise
        except Exception:  # of a part that needs values to be built, or an error that comes again
            pass
        with _counted():
            return build()
    except _TooLargeError as error:
        raise ConfigError(str(error)) from None


def sketched(build: Callable[[], Network]) -> Network:
    """Return a network without values on the meta device, which takes little time and memory.

    Raises:
        Exception: if it is too large, or a part needs values to be built.
    """
    with _counted(), warnings.catch_warnings(), torch.device("meta"), _Uninitialised():
        warnings.simplefilter("ignore")
        return build()


@contextmanager
def _counted() -> Iterator[None]:
    """Refuse too many parameters and modules while this thread builds a network.

    Raises:
        _TooLargeError: once one of them exceeds its limit.
        ConfigError: if PyTorch or Python cannot have something so large.
    """
    thread, problem = threading.get_ident(), ""
    parameters = modules = 0

    def add(number: int, total: int, usual: int, unit: str) -> int:
        nonlocal problem
        if threading.get_ident() == thread:
            total += number
            problem = excess("the network has at least", total, usual, unit)
            if problem:
                raise _TooLargeError(problem)
        return total

    def add_tensor(module: nn.Module, name: str, tensor: torch.Tensor | None) -> None:
        nonlocal parameters
        parameters = add(0 if tensor is None else tensor.numel(), parameters, PARAMETERS, "parameters")

    def add_module(module: nn.Module, name: str, added: nn.Module | None) -> None:
        nonlocal modules
        modules = add(1, modules, MODULES, "modules")

    handles = [
        hooks.register_module_parameter_registration_hook(add_tensor),
        hooks.register_module_buffer_registration_hook(add_tensor),
        hooks.register_module_module_registration_hook(add_module),
    ]
    try:
        yield
    except Exception as error:
        if problem:  # a part may have turned the error into another
            raise _TooLargeError(problem) from error
        if isinstance(error, (RuntimeError, OverflowError, MemoryError)):  # sizes that no tensor, or no list, can have
            raise ConfigError(f"the network cannot be built: {str(error).partition(chr(10))[0] or type(error).__name__}") from error
        raise
    finally:
        for handle in handles:
            handle.remove()
