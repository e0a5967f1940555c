"""``restorekit convert``."""

from pathlib import Path
from typing import Annotated

import typer

from restorekit.cli.common import fail, say

EXAMPLES = """
Examples:

  restorekit convert model_deblurring.pth mprnet_deblur.safetensors

  restorekit convert runs/denoise/weights.safetensors small.safetensors --half
"""


def convert_command(
    source: Annotated[
        Path, typer.Argument(help="Checkpoint of the original authors (.pth) or of this library.", show_default=False)
    ],
    target: Annotated[Path, typer.Argument(help="The .safetensors file to write.", show_default=False)],
    half: Annotated[bool, typer.Option("--half", help="Store float16: half the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Convert a checkpoint to safetensors in the names of this library.

    Architecture and hyper-parameters are recognised from names and shapes, and kept in the file, so that
    `restorekit restore --weights` needs nothing else. A file that wants to run code is refused.
    """
    import torch

    from restorekit.checkpoint import CheckpointError, save_weights
    from restorekit.zoo import model_from_checkpoint

    if target.suffix != ".safetensors":
        fail(f"the target must be a .safetensors file; got {target}", 2)
    if target.exists() and not overwrite:
        fail(f"{target} exists; choose another name, or pass --overwrite", 2)
    try:
        model, metadata = model_from_checkpoint(source)
        save_weights(model, target, metadata, dtype=torch.float16 if half else None)
    except (CheckpointError, OSError) as error:
        fail(error)
    say(f"{target}: {metadata['architecture']}, arguments {metadata['arguments']}")
