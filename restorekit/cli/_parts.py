"""The option ``--parts`` of every command that builds networks."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from restorekit.cli._common import fail
from restorekit.errors import ConfigError
from restorekit.parts import load_parts

OPTION = typer.Option("--parts", help="Python file that registers parts or models of yours; repeatable.", show_default=False)


def with_parts(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the option ``--parts``, whose files are loaded first."""

    @wraps(command)
    def decorated(parts: list[Path] | None = None, **arguments: Any) -> None:
        try:
            for path in parts or ():
                load_parts(path)
        except ConfigError as error:
            fail(error, 2)
        command(**arguments)

    own = inspect.Parameter("parts", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[list[Path] | None, OPTION])
    parameters = [*inspect.signature(command).parameters.values(), own]
    decorated.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads the options from it
    decorated.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return decorated
