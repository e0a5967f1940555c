"""Loading the weights that fit a model, to start from another network."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from restorekit.checkpoints._checks import converts, unshared
from restorekit.checkpoints._flax import to_torch
from restorekit.checkpoints._loading import best_of
from restorekit.checkpoints._names import to_our_names
from restorekit.checkpoints._originals import original_names
from restorekit.checkpoints._reading import read_states, states_in
from restorekit.errors import CheckpointError
from restorekit.network import RestorationNetwork

Shapes = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]

MAX_LISTED = 10


@dataclass(frozen=True)
class PartialLoad:
    """What :func:`load_partial` did with each tensor. Its text lists what was not loaded as it is.

    Attributes:
        origin: where the weights come from.
        loaded: names that were loaded unchanged.
        adapted: names that were loaded for another number of image channels, with both shapes: in the file and in the model.
        misshapen: names that were not loaded since their shapes differ, with both shapes.
        missing: names of the model that the file lacks. Like misshapen ones, they keep their initial values.
        unused: names in the file that the model lacks.
    """

    origin: str
    loaded: tuple[str, ...]
    adapted: Shapes
    misshapen: Shapes
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        total = len(self.loaded) + len(self.adapted) + len(self.misshapen) + len(self.missing)
        parts = [f"{self.origin}: {len(self.loaded) + len(self.adapted)} of {total} tensors loaded"]
        for what, names in (
            ("adapted to the image channels", _with_shapes(self.adapted)),
            ("not loaded, another shape", _with_shapes(self.misshapen)),
            ("not in the file", self.missing),
            ("in the file only", self.unused),
        ):
            if names:
                more = f", and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
                parts.append(f"{len(names)} {what} ({', '.join(names[:MAX_LISTED])}{more})")
        return "; ".join(parts)


def load_partial(model: RestorationNetwork, source: str | os.PathLike[str] | Mapping[str, Any]) -> PartialLoad:
    """Load the weights that fit a model by name and shape; the rest of the model keeps its values.

    Convolutions from or to images of another number of channels are adapted. The weights of those from images are summed for one
    channel; for more, they are repeated in order, and scaled so that their sum stays about the same, as in timm. One channel of
    those to images becomes the mean; more are repeated.

    Args:
        model: a model of this library.
        source: as for :func:`restorekit.load_weights`.

    Returns:
        What was loaded, and what was not.

    Raises:
        CheckpointError: if the file cannot be read, nothing in it fits the model, or what fits is not finite.

    Example:
        >>> from restorekit import create_model
        >>> colour, grey = (create_model("nafnet", width=4, image_channels=channels) for channels in (3, 1))
        >>> report = load_partial(grey, colour.state_dict())
        >>> report.adapted["stems.0.0.weight"]
        ((4, 3, 3, 3), (4, 1, 3, 3))
    """
    found, prefix = best_of(model, states_in(source, "state dict") if isinstance(source, Mapping) else read_states(source))
    chosen, names = found.under(prefix), original_names(model)
    state, origin = to_our_names(to_torch(chosen.state, model, names), names), chosen.origin
    wanted = model.state_dict(keep_vars=True)
    both = {name: (tuple(state[name].shape), tuple(wanted[name].shape)) for name in wanted if name in state}
    fitting = {name: state[name] for name, (found, needed) in both.items() if found == needed}
    adapted = {
        name: tensor
        for name, (found, needed) in both.items()
        if found != needed
        and (tensor := _for_channels(state[name], needed, (model.input_channels, model.output_channels))) is not None
    }
    if not fitting:
        raise CheckpointError(
            f"{origin}: none of its {len(state)} tensors has the name and shape of one in the model; its first names are "
            f"{', '.join(list(state)[:3])}, those of the model {', '.join(list(wanted)[:3])}"
        )
    values = fitting | adapted
    for problem, wrong in (
        ("have another type", [name for name, tensor in values.items() if not converts(tensor.dtype, wanted[name].dtype)]),
        ("are NaN or infinite", [name for name, tensor in values.items() if not tensor.isfinite().all()]),
        ("are shared by the model, but differ in the file", unshared({name: wanted[name] for name in values}, values)),
    ):
        if wrong:
            raise CheckpointError(f"{origin}: {len(wrong)} tensors {problem} ({', '.join(wrong[:3])})")
    model.load_state_dict(values, strict=False)
    return PartialLoad(
        origin,
        tuple(fitting),
        {name: both[name] for name in adapted},
        {name: shapes for name, shapes in both.items() if name not in values},
        tuple(name for name in wanted if name not in state),
        tuple(name for name in state if name not in wanted) + tuple(name for name in found.state if not name.startswith(prefix)),
    )


def _for_channels(tensor: Tensor, shape: tuple[int, ...], of_images: tuple[int, int]) -> Tensor | None:
    """Return the weight or bias of a convolution from or to images for another number of channels; None if it is not one.

    Args:
        tensor: the weight or bias in the file.
        shape: its shape in the model.
        of_images: channels of what the model takes, and of what it returns.
    """
    differing = [i for i, (found, needed) in enumerate(zip(tensor.shape, shape, strict=False)) if found != needed]
    if tensor.ndim != len(shape) or len(differing) != 1 or differing[0] > 1:
        return None
    (dim,) = differing
    found, channels = tensor.shape[dim], shape[dim]
    if channels not in (of_images if dim == 1 else of_images[1:]):
        return None
    if channels == 1:
        return tensor.sum(dim, keepdim=True) if dim == 1 else tensor.mean(dim, keepdim=True)
    repeated = torch.cat([tensor] * -(-channels // found), dim).narrow(dim, 0, channels)
    return repeated * (found / channels) if dim == 1 else repeated


def _with_shapes(shapes: Shapes) -> list[str]:
    return [f"{name}: {_shape(found)} in the file, {_shape(needed)} in the model" for name, (found, needed) in shapes.items()]


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
