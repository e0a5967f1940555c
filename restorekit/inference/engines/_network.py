"""A network whose computation an engine does."""

import copy
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from restorekit.errors import ExportError, OptionError
from restorekit.export import Program, checked
from restorekit.inference.engines._cache import graph_of
from restorekit.inference.engines._run import ENGINES
from restorekit.network import RestorationNetwork

Run = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


class EngineNetwork(RestorationNetwork):
    """A network that an engine computes; its attributes, and what is computed from shapes alone, are those of the original one.

    Args:
        network: the original network, on the CPU in float32.
        run: computes the restored image.
    """

    def __init__(self, network: RestorationNetwork, run: Run) -> None:
        super().__init__()
        self.network, self.run = network, run
        self.image_channels, self.output, self.conditions = network.image_channels, network.output, network.conditions
        self.size_multiple, self.num_supervised = network.size_multiple, network.num_supervised
        self.padding, self.tile = network.padding, network.tile

    def __deepcopy__(self, memo: dict[int, Any]) -> RestorationNetwork:
        """Return a copy of the original network, which is what estimates of memory run."""
        return copy.deepcopy(self.network, memo)

    def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        """Return the restored image; the number of stages was fixed when the engine was made."""
        return [torch.from_numpy(self.run(image.float().contiguous().numpy()))]


def run_by(
    engine: str, model: RestorationNetwork, dtype: torch.dtype, *, stages: int | None = None, variant: str = ""
) -> EngineNetwork:
    """Return a network that an engine computes.

    Args:
        engine: ``"onnxruntime"`` or ``"openvino"``.
        model: the network, on the CPU; it is not changed.
        dtype: dtype to compute in.
        stages: how many supervised stages to run; by default all.
        variant: how the network differs from the one that its description builds.

    Raises:
        OptionError: if the engine cannot compute in this dtype, or not this network.
    """
    made = ENGINES[engine]
    precision = str(dtype).removeprefix("torch.")
    if precision not in made.precisions:
        raise OptionError("precision", f"must be {' or '.join(made.precisions)} with the engine {engine}; got {precision}")
    network = copy.deepcopy(model).float().eval().requires_grad_(False)
    program = Program(network, stages=stages).eval()

    def check(run: Run) -> None:
        found = checked(network, program, run, tiny=True)
        if not found.passed:
            raise ExportError(
                f"at {found.worst}, its result differs from that of PyTorch by {found.difference:.2g}, more than {found.bound:.2g}"
            )

    try:
        made_for = f"{variant}, {stages} stages"
        graph = graph_of(program, engine, variant=made_for, check=lambda graph: check(made.load(graph, "float32")))
        return EngineNetwork(network, made.load(graph, precision))
    except ExportError as error:
        raise OptionError("engine", f"{engine} cannot compute this network: {error}; use the engine torch") from error
