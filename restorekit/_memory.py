"""How much memory a network needs, estimated before running it, and how much is available."""

import copy
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive while it is active."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.live = self.peak = 0
        self._storages: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        outputs = func(*args, **(kwargs or {}))
        for output in tree_leaves(outputs):
            if isinstance(output, Tensor):
                self._follow(output.untyped_storage())
        return outputs

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._storages:  # a view has the storage of another tensor
            self._storages.add(key)
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._release, key, storage.nbytes())

    def _release(self, key: int, size: int) -> None:
        self._storages.discard(key)
        self.live -= size


def peak_bytes(model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> int:
    """Return how many bytes the features of a network take at the peak, in addition to its weights and the image.

    A copy of the network runs on tensors that have a shape but no content, so this takes little time. The internal buffers of
    kernels are not included.

    Args:
        model: the network, in evaluation mode.
        shape: shape of the batch of images.
        dtype: dtype to compute in.
    """
    hollow = copy.deepcopy(model).to("meta", dtype)
    image = torch.empty(shape, dtype=dtype, device="meta")
    with torch.no_grad(), _LiveBytes() as follower:
        hollow(image)
    return follower.peak


def available_bytes() -> int | None:
    """Return how many bytes this process can still take without swapping, or None where the system does not say.

    On Linux, this is the available memory, or less if a control group (a container) sets a limit.
    """
    meminfo = _numbers(Path("/proc/meminfo"))
    if "MemAvailable:" not in meminfo:
        return None
    return min([meminfo["MemAvailable:"] * 1024, *_cgroup_rooms(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def _cgroup_rooms(membership: Path, root: Path) -> Iterator[int]:
    """Yield what is left of the limit of each control group (version 2) that contains this process."""
    lines = membership.read_text().splitlines() if membership.is_file() else []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is None:
        return
    for group in (root / own, *(root / own).parents):
        limit = group / "memory.max"
        if limit.is_file() and limit.read_text().strip() != "max":
            cache = _numbers(group / "memory.stat").get("inactive_file", 0)  # freed when memory is needed
            yield max(0, int(limit.read_text()) - int((group / "memory.current").read_text()) + cache)
        if group == root:
            return


def _numbers(path: Path) -> dict[str, int]:
    """Return the first two words of each line of a file, the second as a number; empty if the file does not exist."""
    if not path.is_file():
        return {}
    return {words[0]: int(words[1]) for words in map(str.split, path.read_text().splitlines()) if len(words) > 1}
