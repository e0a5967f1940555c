"""What a network is made of, and the cost of its parts: parameters, multiply-accumulates, memory, time."""

import copy
import inspect
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from restorekit._memory import peak_bytes
from restorekit.blocks import Upsample
from restorekit.inference.passes import REUSE
from restorekit.ops import Grid, Pyramid
from restorekit.parts import Reference, Unregistered, name_of
from restorekit.stages import Connection, Level, MultiStage, NoFusion

DEFAULT_SIZE = (256, 256)
LEAVING = ("supervise", "head")  # connectors that belong to the previous stage
Size = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """One part of a network: a stage, or a connector between stages.

    Attributes:
        stage: number of the stage that it belongs to, from 1; a fusion belongs to the stage that it leads to.
        role: ``"stem"``, ``"join"``, ``"stage"``, ``"supervise"``, ``"fuse"`` or ``"head"``.
        kind: registered name; for an unregistered part, the name of its class. A stage that runs again names its first run.
        grids: grids that it runs on; two for a stage, of its encoder and of its decoder.
        takes: its inputs on each grid.
        gives: levels that it returns on each grid; images are levels too.
        modules: its modules: one, or one for each scale.
        calls: functions that compute it on each grid, with tensors as in ``takes``.
    """

    stage: int
    role: str
    kind: str
    grids: tuple[Grid, ...]
    takes: tuple[tuple[Level, ...], ...]
    gives: tuple[tuple[Level, ...], ...]
    modules: tuple[nn.Module, ...]
    calls: tuple[Callable[[Pyramid], Any], ...]

    def run(self, inputs: Sequence[Pyramid]) -> list[Any]:
        """Return the outputs of the part for tensors as :meth:`inputs` returns them, for each grid."""
        return [call(tensors) for call, tensors in zip(self.calls, inputs, strict=True)]

    def inputs(self, size: Size, **like: Any) -> list[Pyramid]:
        """Return tensors of the declared shapes for an image of ``size``, for each grid, with device and dtype of ``like``."""
        height, width = size
        return [
            tuple(
                torch.zeros(
                    grid.rows * grid.cols,
                    level.width,
                    height // grid.rows // level.stride,
                    width // grid.cols // level.stride,
                    **like,
                )
                for level in levels
            )
            for grid, levels in zip(self.grids, self.takes, strict=True)
        ]


@dataclass(frozen=True)
class PartCost:
    """The cost of a part.

    Attributes:
        stage: number of the stage that it belongs to, from 1.
        role: its role; see :class:`Part`.
        kind: registered name, or the name of its class.
        grids: (rows, columns) of the patches that it runs on; two for a stage, of its encoder and of its decoder.
        levels: (width, stride) of its outputs, for each of the grids.
        parameters: its parameters; those that parts share count for the first.
        macs: multiply-accumulates of convolutions and matrix products.
        published_macs: the same if every upsampling came before its 1x1 convolution, as in the figures of papers.
        seconds: median time, if it was measured.
    """

    stage: int
    role: str
    kind: str
    grids: tuple[Grid, ...]
    levels: tuple[tuple[Level, ...], ...]
    parameters: int
    macs: int
    published_macs: int
    seconds: float | None = None


@dataclass(frozen=True)
class Inspection:
    """The cost of a network, for one image.

    Attributes:
        size: height and width of the image.
        size_multiple: height and width must be multiples of this.
        parts: the parts, in the order in which they run.
        peak_bytes: largest memory that weights, image and features take at once, in float32; see :func:`peak_memory`.
        time_size: height and width of the image that times were measured with; None if they were not.
    """

    size: Size
    size_multiple: int
    parts: tuple[PartCost, ...]
    peak_bytes: int
    time_size: Size | None = None

    @property
    def parameters(self) -> int:
        """Parameters of the whole network."""
        return sum(part.parameters for part in self.parts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole network."""
        return sum(part.macs for part in self.parts)

    @property
    def published_macs(self) -> int:
        """Multiply-accumulates of the whole network, as counted in papers."""
        return sum(part.published_macs for part in self.parts)

    @property
    def seconds(self) -> float | None:
        """Total time of all parts, if it was measured."""
        times = [part.seconds for part in self.parts if part.seconds is not None]
        return sum(times) if times else None

    def as_data(self) -> dict[str, Any]:
        """Return everything as plain data, including totals."""
        totals = {name: getattr(self, name) for name in ("parameters", "macs", "published_macs", "seconds")}
        return asdict(self) | totals


def inspect_model(model: MultiStage, size: Size = DEFAULT_SIZE) -> Inspection:
    """Return what a network is made of and what it costs, without computing anything.

    Every part gets tensors of the shapes that the stages declare, without values. Multiply-accumulates cover convolutions and
    matrix products; a bias, an activation, a mean or a resizing does not count.

    Args:
        model: the network; it may be on the meta device. It is not changed.
        size: height and width of the image.

    Raises:
        ValueError: if the size is not a multiple of what the network takes.

    Example:
        >>> from restorekit import create_model
        >>> with torch.device("meta"):
        ...     model = create_model("mprnet_deblur")
        >>> found = inspect_model(model)
        >>> round(found.macs / 1e9, 1), round(found.published_macs / 1e9, 1), found.parameters
        (754.0, 759.4, 20127073)
    """
    check_size(model, size)
    model = on_meta(model)
    seen: set[nn.Parameter] = set()
    costs = []
    for part in network_parts(model):
        own = {parameter for module in part.modules for parameter in module.parameters()} - seen
        seen |= own
        macs, published = _count_macs(part, size)
        costs.append(
            PartCost(part.stage, part.role, part.kind, part.grids, part.gives, sum(p.numel() for p in own), macs, published)
        )
    return Inspection(size, model.size_multiple, tuple(costs), peak_memory(model, size))


def time_parts(model: MultiStage, found: Inspection, size: Size, *, runs: int = 5) -> Inspection:
    """Return an inspection with the time that each part takes.

    Every part runs alone, on zeros of the declared shapes, on the model's device and in its dtype, after one run to warm up.

    Args:
        model: the network that was inspected.
        found: what :func:`inspect_model` returned.
        size: height and width of the image.
        runs: how often each part runs; the median is reported.

    Raises:
        ValueError: if the size is not a multiple of what the network takes.
    """
    check_size(model, size)
    like = next(model.parameters())
    timed = []
    for part, cost in zip(network_parts(model), found.parts, strict=True):
        inputs = part.inputs(size, device=like.device, dtype=like.dtype)
        times = [_seconds(part, inputs, like.device) for _ in range(runs + 1)]
        timed.append(replace(cost, seconds=statistics.median(times[1:])))
    return replace(found, parts=tuple(timed), time_size=size)


def peak_memory(model: MultiStage, size: Size = DEFAULT_SIZE) -> int:
    """Return the peak number of bytes that weights, image and features take at once, for one image in float32.

    Nothing is computed: the network runs on tensors without values, and the memory of those alive is added up. Like
    prepared networks, it overwrites features that are no longer needed. The work space of kernels, and memory that the
    allocator keeps, are not included.

    Args:
        model: the network.
        size: height and width of the image.
    """
    numbers = sum(p.numel() for p in {*model.parameters(), *model.buffers()}) + model.input_channels * math.prod(size)
    prepared = on_meta(model)
    REUSE.run(prepared)
    return 4 * numbers + peak_bytes(prepared, (1, model.input_channels, *size), torch.float32)


def check_size(model: MultiStage, size: Size) -> None:
    """Raise a ``ValueError`` that suggests a valid size, unless ``size`` is one."""
    multiple = model.size_multiple
    if min(size) < 1 or any(side % multiple for side in size):
        fits = "x".join(str(max(multiple, side + -side % multiple)) for side in size)
        raise ValueError(f"size {size[0]}x{size[1]}: height and width must be multiples of {multiple}; the next is {fits}")


def network_parts(model: MultiStage) -> list[Part]:
    """Return the parts of a network in the order in which they run, with the shapes of their inputs and outputs."""
    parts = []
    for i, transition in enumerate(model.transitions):
        for connection in transition.connections:
            if not isinstance(connection.modules[0], NoFusion):
                parts.append(_connector(model, i if connection.role in LEAVING else i + 1, transition.grid, connection))
        if i < len(model.order):
            parts.append(_stage(model, i))
    return parts


def on_meta(model: MultiStage) -> MultiStage:
    """Return a copy of a network that has shapes but no values, in float32."""
    return copy.deepcopy(model).to(device="meta", dtype=torch.float32)


def _connector(model: MultiStage, stage: int, grid: Grid, connection: Connection) -> Part:
    """Return the connectors of a transition."""
    between = None if connection.role in ("stem", "join", "head") else stage - 1 - (connection.role == "fuse")
    kind = _connector_kind(model, connection.role, connection.modules, between)
    takes = tuple(level for pyramids in connection.takes for levels in pyramids for level in levels)
    return Part(stage, connection.role, kind, (grid,), (takes,), (connection.gives,), connection.modules, (connection.run,))


def _stage(model: MultiStage, i: int) -> Part:
    stage = model.runs[i]
    spec = stage.spec
    count, first = len(spec.inputs), model.order.index(model.order[i])
    again = f", as stage {first + 1}" if first < i else ""

    def encode(inputs: Pyramid) -> Pyramid:
        return stage.encode(inputs[:count], inputs[count:])

    return Part(
        stage=i + 1,
        role="stage",
        kind=_kind(name_of("stage", type(stage)), stage) + again,
        grids=model.grids[i : i + 2],
        takes=(spec.inputs + spec.guidance, spec.encoder),
        gives=(spec.encoder, spec.decoder),
        modules=(stage,),
        calls=(encode, stage.decode),
    )


def _connector_kind(model: MultiStage, role: str, modules: Sequence[nn.Module], between: int | None) -> str:
    """Return the name that a connector was requested by, or else that of its class; several if scales differ.

    Args:
        model: the network.
        role: role of the connector.
        modules: its modules.
        between: for connectors of which there is one for each place between stages, the index of the place.
    """
    described = model.description.get(role, inspect.signature(MultiStage).parameters[role].default)
    if isinstance(described, list) and between is not None:
        described = described[between]
    each = described if isinstance(described, list) else [described] * len(modules)
    return ", ".join(dict.fromkeys(_kind(entry, module) for entry, module in zip(each, modules, strict=False)))


def _kind(described: Any, module: nn.Module) -> str:
    described = described.data if isinstance(described, Reference) else described
    if isinstance(described, Unregistered):
        return type(module).__name__
    return str(described if isinstance(described, str) else described["name"])


def _count_macs(part: Part, size: Size) -> tuple[int, int]:
    """Return the multiply-accumulates of a part, as computed and as counted in papers."""
    late = 0

    def add(module: nn.Module, inputs: Pyramid, output: Tensor) -> None:
        nonlocal late
        late += 3 * inputs[0].numel() * output.shape[1]  # after resizing, the convolution would process four times the pixels

    with _hooked(part.modules, Upsample, add), torch.no_grad(), FlopCounterMode(display=False) as counter:
        part.run(part.inputs(size, device="meta"))
    macs = counter.get_total_flops() // 2
    return macs, macs + late


@contextmanager
def _hooked(modules: Sequence[nn.Module], wanted: type[nn.Module], hook: Callable[..., None]) -> Iterator[None]:
    """Call a hook after every module of a class, temporarily."""
    found = [child for module in modules for child in module.modules() if isinstance(child, wanted)]
    handles = [child.register_forward_hook(hook) for child in found]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _seconds(part: Part, inputs: Sequence[Pyramid], device: torch.device) -> float:
    """Return the time of one run of a part."""
    with torch.no_grad():
        _synchronise(device)
        started = time.perf_counter()
        part.run(inputs)
        _synchronise(device)
        return time.perf_counter() - started


def _synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
