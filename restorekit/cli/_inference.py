"""The inference options of every command that restores, made from :class:`~restorekit.inference.InferenceOptions`."""

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Annotated, Any

import typer

from restorekit.cli._common import fail
from restorekit.errors import OptionError
from restorekit.inference import OPTIONS, InferenceOptions

PANEL = "The network"
DEFAULTS = {"device": "cpu"}  # where networks are created
REPEATED = "condition"  # the option that may be given several times

Command = Callable[..., None]


def with_inference_options(*, without: Collection[str] = (), **defaults: Any) -> Callable[[Command], Command]:
    """Return a decorator that gives a command the inference options, checked, in place of its parameter ``options``.

    An invalid value ends the command with status 2 before it does anything.

    Args:
        without: fields that the command does not offer.
        **defaults: fields whose default differs from the one in Python.
    """
    names = [name for name in OPTIONS if name not in without]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def decorated(**arguments: Any) -> None:
            given = {name: arguments.pop(name) for name in names}
            try:
                options = InferenceOptions.from_text(given)
            except OptionError as error:
                fail(error)
            command(**arguments, options=options)

        parameters: list[inspect.Parameter] = []
        own = inspect.signature(command).parameters
        for parameter in own.values():
            if parameter.name == "options":
                parameters += [_parameter(name, (DEFAULTS | defaults).get(name, OPTIONS[name].default), own) for name in names]
            else:
                parameters.append(parameter)
        decorated.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads the options from it
        decorated.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return decorated

    return decorate


def _parameter(name: str, default: Any, own: Collection[str]) -> inspect.Parameter:
    """Return the parameter of an option; all but flags are text, which :class:`InferenceOptions` parses.

    Args:
        name: field of the options.
        default: its default.
        own: parameters of the command itself, whose names the option must not take.
    """
    about = OPTIONS[name].metadata
    flag = isinstance(default, bool)
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        *(short for short in about["short"] if short.removeprefix("--") not in own),
        help=about["help"],
        metavar=about["metavar"] or None,
        show_default=not flag and default is not None,
        rich_help_panel=PANEL,
    )
    kind: Any = bool if flag else list[str] | None if name == REPEATED else str | None
    shown = default if flag or default is None else str(default)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=shown, annotation=Annotated[kind, option])
