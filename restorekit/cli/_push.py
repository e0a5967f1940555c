"""``restorekit push``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from restorekit.checkpoints.hub import about_from_data
from restorekit.cli._common import fail, say
from restorekit.models import create_model, full_name, model_from_checkpoint, pretrained_config
from restorekit.publish import check_redistributable, push

EXAMPLES = """
Examples:

  restorekit push mprnet_deblur.gopro --to mylab --private

  restorekit push runs/denoise/weights.safetensors --to me/denoiser --about about.json --comparison before-after.png

  restorekit push mprnet_tiny.denoise --to me/tiny --dry-run folder/ --licence-file LICENSE
"""


def push_command(
    source: Annotated[
        str, typer.Argument(help="Name of weights (arch.tag, hf-hub:owner/repo) or path of a checkpoint.", show_default=False)
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="Repository: owner/repo; or owner, for a mirror that RESTOREKIT_MIRROR finds.", show_default=False
        ),
    ],
    about: Annotated[
        Path | None,
        typer.Option(help='JSON file about the weights and their authors, like "weights" in a config.json.', show_default=False),
    ] = None,
    comparison: Annotated[Path | None, typer.Option(help="Picture for the model card.", show_default=False)] = None,
    example: Annotated[list[Path] | None, typer.Option(help="Picture for the folder examples/; can be repeated.")] = None,
    licence_file: Annotated[
        Path | None, typer.Option(help="File with the text of the licence; by default it is downloaded.", show_default=False)
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    branch: Annotated[str | None, typer.Option(help="Branch to write to.", show_default=False)] = None,
    pull_request: Annotated[bool, typer.Option("--pull-request", help="Open a pull request instead of pushing.")] = False,
    message: Annotated[str, typer.Option(help="Message of the commit.")] = "Upload a model with restorekit",
    dry_run: Annotated[Path | None, typer.Option(help="Write this folder instead of the repository.", show_default=False)] = None,
) -> None:
    """Publish a model on the Hugging Face Hub: weights, config, model card, licence.

    Weights of other authors are republished under their licence: `restorekit weights info` shows what it allows.
    """
    try:
        if Path(source).is_file():
            model = model_from_checkpoint(source)[0]
        else:
            source = full_name(source)
            check_redistributable(pretrained_config(source))  # before the download
            model = create_model(source, pretrained=True)
        address = push(
            model,
            to if "/" in to else f"{to}/{Path(source).name}",
            about=None if about is None else about_from_data(json.loads(about.read_text()), str(about)),
            comparison=comparison,
            examples=example or [],
            licence_file=licence_file,
            private=private,
            branch=branch,
            pull_request=pull_request,
            message=message,
            dry_run=dry_run,
        )
    except (ValueError, OSError) as error:
        fail(error)
    say(address)
