"""Opening the window; Gradio is imported when it is."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from restorekit._packages import from_extra

if TYPE_CHECKING:
    import gradio as gr


def build_app(folder: Path | None = None) -> "gr.Blocks":
    """Return the window as a Gradio app.

    Args:
        folder: folder of pictures on this machine that can be chosen in the window; by default only uploads can.

    Raises:
        ModuleNotFoundError: if Gradio is missing: ``pip install "restorekit[app]"``.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before the import: nothing is sent anywhere
    with from_extra("app", "the window in the browser needs Gradio"):
        from restorekit.app import _page
    return _page.build(folder)


def launch_app(folder: Path | None = None, *, host: str = "127.0.0.1", port: int | None = None, browser: bool = True) -> None:
    """Open the window in the browser, and serve it until the program is interrupted.

    Args:
        folder: as for :func:`build_app`.
        host: address to listen on; by default only this machine can connect. ``"0.0.0.0"`` lets every machine of the network in.
        port: its port; by default the first free one from 7860.
        browser: whether to open the browser.

    Raises:
        ModuleNotFoundError: if Gradio is missing: ``pip install "restorekit[app]"``.
        OSError: if the port is taken.
    """
    app = build_app(folder)
    from gradio import themes

    app.queue(default_concurrency_limit=1).launch(
        server_name=host,
        server_port=port,
        inbrowser=browser,
        share=False,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        theme=themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),  # fetched from nowhere
        quiet=True,
        show_error=True,
        allowed_paths=[str(folder)] if folder is not None else None,
    )
