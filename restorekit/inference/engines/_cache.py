"""Graphs for engines that were made and checked before, on disk."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from restorekit import _cpu
from restorekit._files import atomic_path
from restorekit._packages import versions_of
from restorekit.checkpoints import hub
from restorekit.export import Program, traced
from restorekit.models import description_of

CHECKSUM = 64  # digits at the end of a file's name


def graph_of(program: Program, engine: str, *, variant: str, check: Callable[[bytes], None]) -> bytes:
    """Return the ONNX graph of a program from the cache, or make, check and keep it.

    A file in the cache is for one network, its weights, the versions of all packages involved and this kind of CPU. Its name
    ends with its checksum; a file that does not match is made again. If the cache cannot be written, nothing is kept.

    Args:
        program: the network.
        engine: name of the engine.
        variant: how the network differs from the one that its description builds.
        check: raises an error if the engine computes something else than the network.
    """
    folder = hub.home() / "engines"
    key = _key(program, engine, variant)
    for path in folder.glob(f"{key}-*.onnx") if key else ():
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == path.stem[-CHECKSUM:]:
            return content
        path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        content = traced(program, Path(temporary) / "graph.onnx").SerializeToString()
    check(content)
    if key:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(folder / f"{key}-{hashlib.sha256(content).hexdigest()}.onnx") as part:
                part.write_bytes(content)
    return content


def _key(program: Program, engine: str, variant: str) -> str:
    """Return what tells a graph from others; empty for a network that cannot be described."""
    network = program.network
    try:
        description = description_of(network)
    except ValueError:
        return ""
    parts = [
        description,
        variant,
        hub.content_of(network.state_dict()),
        versions_of(("restorekit", "torch", "onnx", engine)),
        {name: str(value) for name, value in _cpu.capabilities().items()},
    ]
    return f"{engine}-{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]}"
