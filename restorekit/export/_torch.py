"""PyTorch's own format of exported programs, which runs without the code of this package."""

import json
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from restorekit.errors import ExportError
from restorekit.export._program import Program
from restorekit.export._registry import Run, register_exporter

FACTS = "restorekit"  # the name of the file inside that states the facts, as JSON


@register_exporter("torch", suffixes=(".pt2",), tiny=False)
def export_torch(program: Program, path: Path) -> Run:
    """Write a program for ``torch.export.load``; ``extra_files={"restorekit": ""}`` receives the facts as JSON.

    PyTorch distinguishes sizes of 1 from others, so that images must be larger than the multiple.
    """
    example = program.example((2 * program.network.size_multiple + 3, program.network.size_multiple + 5), number=2)
    free = {"image": {0: torch.export.Dim("n", min=1), 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}}
    with torch.no_grad():
        try:
            exported = torch.export.export(program, (example,), dynamic_shapes=free)
        except RuntimeError as error:
            raise ExportError(f"PyTorch cannot export this network: {str(error).splitlines()[0]}") from error
        torch.export.save(exported, path, extra_files={FACTS: json.dumps(dict(program.facts))})
    loaded = torch.export.load(path).module()

    def run(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        with torch.no_grad():
            return loaded(torch.from_numpy(image)).numpy()

    return run
