"""``restorekit export``."""

import time
from pathlib import Path
from typing import Annotated

import typer

from restorekit.cli._common import Overwrite, fail, refuse_existing, say, showing_warnings
from restorekit.cli._network import load_with
from restorekit.errors import ExportError, OptionError
from restorekit.export import Precision, check_target, export_model, find_exporter, list_exporters

EXAMPLES = """
Examples:

  restorekit export nafnet_tiny.denoise -o denoise.onnx

  restorekit export model_deblurring.pth -o deblur.onnx --precision float16

  restorekit export network.toml --weights runs/mine/weights.safetensors -o mine.xml

  restorekit export mprnet_tiny.deblur -o deblur.pt2 --uint8
"""


def export_command(
    model: Annotated[
        str,
        typer.Argument(
            help="Name of a set of weights, or the path of a checkpoint; with --weights also an architecture or a composition.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write: .onnx, .xml (OpenVINO) or .pt2.", show_default=False)
    ],
    to: Annotated[
        str | None, typer.Option(help="onnx, openvino or torch; by default the one that the suffix says.", show_default=False)
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="File of weights for an architecture or a composition.", show_default=False)
    ] = None,
    precision: Annotated[Precision, typer.Option(help="float32, or float16: half the size. Images stay in float32.")] = "float32",
    uint8: Annotated[bool, typer.Option("--uint8", help="Take and return 8-bit pixels from 0 to 255.")] = False,
    clamp: Annotated[bool, typer.Option("--clamp", help="Clamp the result to [0, 1]; 8-bit pixels always are.")] = False,
    stages: Annotated[
        int | None, typer.Option(help="Stop after this many supervised stages: faster, lower quality.", min=1, show_default=False)
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a network to a file that other programs run, for images of any size.

    Padding and cropping are inside the file, which states name, task, licence and range of pixels. It is run at several
    odd sizes and compared with the network before it appears; if the results differ, no file is written.
    """
    started = time.perf_counter()
    try:
        target = to or _target_of(output)
        check_target(output, target)
        refuse_existing(output, overwrite)
        with showing_warnings():
            files, check = export_model(
                load_with(model, weights),
                output,
                target,
                precision=precision,
                uint8=uint8,
                clamp=clamp,
                stages=stages,
            )
    except (ValueError, FileNotFoundError, IsADirectoryError) as error:
        fail(error, 2)
    except (ExportError, OSError, MemoryError) as error:
        fail(error)
    unit = "grey levels" if uint8 else "for pixels in [0, 1]"
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    say(f"{', '.join(map(str, files))}: {megabytes:.1f} MB for {target}, in {time.perf_counter() - started:.1f} s")
    sizes = ", ".join(check.sizes)
    say(f"at {sizes}: largest difference from the network {check.difference:.2g} {unit} (accepted: {check.bound:.2g})")


def _target_of(output: Path) -> str:
    """Return the target whose files have a suffix."""
    exporters = [find_exporter(name) for name in list_exporters()]
    for exporter in exporters:
        if output.suffix in exporter.suffixes:
            return exporter.name
    known = ", ".join(f"{exporter.suffixes[0]} ({exporter.name})" for exporter in exporters)
    raise OptionError("output", f"must have a suffix that says what to write: {known}; got {output}")
