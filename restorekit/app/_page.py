"""The page: Gradio's components, and what happens when they are used."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr
import torch

from restorekit.app._work import CancelledError, restore_pictures
from restorekit.batch import Outcome
from restorekit.errors import printable
from restorekit.images import Pixels, before_and_after, read_picture
from restorekit.inference import InferenceOptions, Restorer
from restorekit.models import DEFAULT_MODELS, create_model, list_models, pretrained_config
from restorekit.provenance import Bundled

TITLE = "restorekit"
ABOUT = (
    "Restores photographs on this machine. Nothing is sent anywhere. Metadata, colours and bits are kept, as by "
    "`restorekit restore`."
)
COLUMNS = ["picture", "result"]
AUTOMATIC = 0  # side of tiles
KEPT_FOR = 24 * 60 * 60  # seconds until results are removed while the window is open; they are removed when it closes, too


def build(folder: Path | None) -> gr.Blocks:
    """Return the window as :func:`restorekit.app.build_app` does."""
    window = _Window()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(KEPT_FOR, KEPT_FOR)) as app:
        gr.Markdown(f"# {TITLE}\n{ABOUT}")
        with gr.Row():
            with gr.Column(scale=1):
                pictures = gr.File(label="Pictures: drop them here", file_count="multiple", elem_id="pictures")
                more = gr.UploadButton("Add a folder", file_count="directory", size="sm", elem_id="folder")
                if folder is None:
                    local = gr.State(())
                else:
                    local = gr.FileExplorer(root_dir=str(folder), label=f"Or choose from {folder}", elem_id="local")
                model = gr.Dropdown(_choices(), value=DEFAULT_MODELS["denoise"], label="What to do", elem_id="model")
                licence = gr.Markdown(_terms(DEFAULT_MODELS["denoise"]), elem_id="licence")
                strength = gr.Slider(0, 1.5, value=1, step=0.05, label="Strength: 0 nothing, 1 all, more exaggerates")
                with gr.Accordion("More", open=False):
                    device = gr.Dropdown(_devices(), value="cpu", label="Device")
                    tile = gr.Number(AUTOMATIC, label="Side of tiles in pixels; 0: automatic", precision=0, minimum=0)
                with gr.Row():
                    start = gr.Button("Restore", variant="primary", elem_id="restore")
                    stop = gr.Button("Cancel", elem_id="cancel")
            with gr.Column(scale=2):
                message = gr.Markdown(elem_id="message")
                slider = gr.ImageSlider(
                    label="Before and after", type="numpy", format="png", interactive=False, max_height=700, elem_id="slider"
                )
                table = gr.Dataframe(
                    headers=COLUMNS, label="Results: choose one to compare it", interactive=False, wrap=True, elem_id="results"
                )
                results = gr.File(label="Download", file_count="multiple", interactive=False, elem_id="download")
                everything = gr.DownloadButton("Download all as one file", visible=False, elem_id="everything")
        more.upload(lambda held, new: [*(held or []), *new], [pictures, more], pictures, api_name=False)
        model.change(_terms, model, licence, show_progress="hidden", api_name=False)
        chosen = [pictures, local, model, strength, device, tile]
        shown = [message, slider, table, results, everything]
        start.click(
            window.restore, chosen, shown, show_progress="full", show_progress_on=message, concurrency_limit=1, api_name=False
        )
        stop.click(window.cancel, None, message, queue=False, api_name=False)
        table.select(window.compare, None, slider, api_name=False)
        app.unload(window.forget)
    return app


class _Window:
    """The sessions of the browsers that have the page open: what they restored, and how to stop them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="restorekit-"))
        self.restorers: dict[tuple[Any, ...], Restorer] = {}  # the last one, with its options
        self.cancelled: dict[str, Event] = {}
        self.outcomes: dict[str, list[Outcome]] = {}

    def restore(
        self,
        uploaded: list[str] | None,
        local: list[str] | None,
        model: str,
        strength: float,
        device: str,
        tile: int,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # this is how Gradio knows that it is wanted
    ) -> Iterator[tuple[Any, ...]]:
        """Restore the chosen pictures, and yield what to show after each."""
        pictures = [Path(name) for name in (*(uploaded or ()), *(local or ()))]
        session = str(request.session_hash)
        outcomes = self.outcomes[session] = []
        stop = self.cancelled[session] = Event()
        if not pictures:
            raise gr.Error("Add a picture first.", print_exception=False)
        yield "", None, [], None, gr.update(visible=False)
        try:
            progress(0, desc=f"loading {model}")
            restorer = self._restorer(model, strength=strength, device=device, tile="auto" if tile == AUTOMATIC else int(tile))
            target = Path(tempfile.mkdtemp(dir=self.folder))
            tell = lambda share, what: progress(share, desc=what)  # noqa: E731
            for outcome in restore_pictures(restorer, pictures, target, cancelled=stop, told=tell):
                outcomes.append(outcome)
                yield self._shown(outcomes, len(pictures))
        except CancelledError:
            yield (f"Cancelled: {_count(outcomes, len(pictures))}.", *self._shown(outcomes, len(pictures))[1:])
        except (ValueError, OSError, MemoryError) as error:
            raise gr.Error(printable(error), print_exception=False) from error

    def cancel(self, request: gr.Request) -> str:
        """Stop the work of a session after the current tile."""
        event = self.cancelled.get(str(request.session_hash))
        if event is None:
            return "There is nothing to cancel."
        event.set()
        return "Stopping after the current tile …"

    def compare(self, chosen: gr.SelectData, request: gr.Request) -> tuple[Pixels, Pixels] | None:
        """Return before and after of the chosen row."""
        outcomes = self.outcomes.get(str(request.session_hash), [])
        row = chosen.index[0] if isinstance(chosen.index, Sequence) else chosen.index
        return _pair(outcomes[row]) if row < len(outcomes) else None

    def forget(self, request: gr.Request) -> None:
        """Remove the results of a session whose page was closed, and stop its work."""
        if event := self.cancelled.pop(str(request.session_hash), None):
            event.set()
        for outcome in self.outcomes.pop(str(request.session_hash), []):
            shutil.rmtree(outcome.job.target.parent, ignore_errors=True)

    def _restorer(self, model: str, **options: Any) -> Restorer:
        key = (model, *options.items())
        if key not in self.restorers:
            checked = InferenceOptions(**options)
            self.restorers = {key: Restorer(create_model(model, pretrained=True), checked)}
        return self.restorers[key]

    def _shown(self, outcomes: list[Outcome], total: int) -> tuple[Any, ...]:
        """Return what each component shows after these outcomes."""
        files = [outcome.job.target for outcome in outcomes if not outcome.error]
        rows = [[outcome.job.source.name, _result(outcome)] for outcome in outcomes]
        archive = self._archive(files) if len(outcomes) == total and len(files) > 1 else None
        button = gr.update(value=archive, visible=archive is not None)
        last = next((outcome for outcome in reversed(outcomes) if not outcome.error), None)
        return f"{_count(outcomes, total)}.", last and _pair(last), rows, [str(file) for file in files] or None, button

    def _archive(self, files: list[Path]) -> str:
        return shutil.make_archive(str(Path(tempfile.mkdtemp(dir=self.folder)) / "restored"), "zip", files[0].parent)


def _choices() -> list[tuple[str, str]]:
    """Return the models with weights as label and name: the bundled ones of each task first."""
    tasks = [(f"{task} ({name})", name) for task, name in DEFAULT_MODELS.items()]
    return tasks + [(name, name) for name in list_models(pretrained=True) if name not in DEFAULT_MODELS.values()]


def _terms(model: str) -> str:
    """Return the licence of weights, and whether they must be downloaded, in words."""
    config = pretrained_config(model)
    allowed = "commercial use allowed" if config.licence.commercial_use else "no commercial use"
    bundled = any(isinstance(source, Bundled) for source in config.sources)
    return f"Weights: {config.licence.name}, {allowed}" + ("" if bundled else "; they are downloaded first") + "."


def _devices() -> list[str]:
    found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return found + (["mps"] if torch.backends.mps.is_available() else [])


def _count(outcomes: list[Outcome], total: int) -> str:
    failed = sum(bool(outcome.error) for outcome in outcomes)
    return f"{len(outcomes) - failed} of {total} restored" + (f", {failed} could not be" if failed else "")


def _result(outcome: Outcome) -> str:
    if outcome.error:
        return printable(outcome.error.replace(str(outcome.job.source), outcome.job.source.name))
    return f"{outcome.details['width']} x {outcome.details['height']}, {outcome.details['precision']}"


def _pair(outcome: Outcome) -> tuple[Pixels, Pixels] | None:
    """Return a picture before and after, of one size, or None if it was not restored."""
    if outcome.error:
        return None
    return before_and_after(read_picture(outcome.job.source), read_picture(outcome.job.target))
