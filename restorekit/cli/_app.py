"""``restorekit app``."""

from pathlib import Path
from typing import Annotated

import typer

from restorekit.app import launch_app
from restorekit.cli._common import fail, say_aside

EXAMPLES = """
Examples:

  restorekit app

  restorekit app --folder ~/Pictures

  restorekit app --port 8000 --no-browser
"""


def app_command(
    folder: Annotated[
        Path | None,
        typer.Option(help="Also offer the pictures of this folder.", show_default=False),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. 0.0.0.0 lets all machines of the network use the window.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(help="Port; by default the first free one from 7860.", min=1, max=65535, show_default=False),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    r"""Open a window in the browser that restores pictures on this machine.

    Drop pictures or a folder, choose what to do and how strongly, compare before and after, and download the results. Nothing is
    sent anywhere, and only this machine can connect unless --host says otherwise. Needs: pip install "restorekit\[app]".
    """
    if folder is not None and not folder.is_dir():
        fail(f"--folder {folder} is not a folder", 2)
    say_aside(f"the window is at http://{host}:{port or 7860} or the next free port; Ctrl-C closes it")
    try:
        launch_app(folder, host=host, port=port, browser=browser)
    except ModuleNotFoundError as error:
        fail(error)
    except OSError as error:
        fail(f"the window cannot be opened: {error}")
