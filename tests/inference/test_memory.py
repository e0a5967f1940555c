"""What a network needs and what there is are told before it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from _helpers.identity import Identity
from restorekit import _memory as memory
from restorekit import create_model, restore
from restorekit._memory import _cgroup_rooms, _LiveBytes, available_bytes, peak_bytes
from restorekit.inference import _planning as planning

# Only the second run counts: the first makes the process load what it needs. The highest use is read from /proc, as getrusage
# tells that of the parent, which is pytest, if it was higher.
MEASURE = """
import torch
from pathlib import Path
from restorekit import create_model, restore
highest = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
model = create_model("mprnet", width=8, unet_step=4, ors_step=0, num_blocks=1)
restore(model, torch.rand(1, 3, 32, 32), precision="float32")
before = highest()
restore(model, torch.rand(1, 3, 640, 640), precision="float32")
print(highest() - before)
"""


def test_live_memory_is_that_of_the_tensors_that_exist() -> None:
    with _LiveBytes() as follower:
        x = torch.zeros(100, device="meta")
        y = x + 1
        del x
        z = y.view(10, 10)[2:]
        del y
        w = z * 2
    assert (follower.live, follower.peak) == (400 + 320, 800)
    del z, w
    assert follower.live == 0


def test_peak_is_that_of_the_live_tensors() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 2, 1))
    assert peak_bytes(layers, (1, 3, 10, 10), torch.float32) == (8 + 4) * 100 * 4
    assert peak_bytes(layers, (1, 3, 10, 10), torch.bfloat16) == (8 + 4) * 100 * 2
    assert next(layers.parameters()).device.type == "cpu"


@pytest.mark.skipif(sys.platform != "linux", reason="needs its units and its allocator")
def test_the_peak_agrees_with_what_a_process_takes() -> None:
    """Freed blocks go back to the system here whatever their size, as those of large images do; otherwise the figure varies."""
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", MEASURE]
    taken = float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    model = create_model("mprnet", width=8, unet_step=4, ors_step=0, num_blocks=1)
    assert 0.9 < taken / peak_bytes(model, (1, 3, 640, 640), torch.float32) < 1.3


def test_an_image_is_refused_before_the_network_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda: 10**6)
    ran: list[Tensor] = []

    class Watched(Identity):
        def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
            if image.device.type == "cpu":
                ran.append(image)
            return [image * self.weight]

    with pytest.raises(MemoryError, match=r"restore 1024x1032 pixels at once \(about 0.2 GB needed, 0.0 GB allowed\); use"):
        restore(Watched(), torch.zeros(3, 1025, 1024), tile=None)
    assert not ran
    restore(Watched(), torch.zeros(3, 100, 100))
    monkeypatch.setattr(planning, "available_bytes", lambda: None)
    restore(Watched(), torch.zeros(3, 1025, 1024))
    assert len(ran) == 2


def test_a_network_that_cannot_be_planned_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda: 1)

    class Looks(Identity):
        def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
            return [image * self.weight * (1.0 if image.amax().item() < 2 else 0.5)]

    image = torch.rand(3, 1024, 1024)
    torch.testing.assert_close(restore(Looks(), image, precision="float32"), image)


def test_what_is_available_is_less_than_what_the_machine_has() -> None:
    available = available_bytes()
    if sys.platform == "linux":
        assert available is not None
        assert 0 <= available <= memory._numbers(Path("/proc/meminfo"))["MemTotal:"] * 1024
    else:
        assert available is None


def test_limits_of_control_groups_count(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/user/job\n")
    for group, limit in (("user", "1000"), ("user/job", "max"), (".", "5000")):
        folder = tmp_path / "cgroup" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text("700\n")
        (folder / "memory.stat").write_text("anon 600\ninactive_file 100\n")
    assert list(_cgroup_rooms(tmp_path / "membership", tmp_path / "cgroup")) == [400, 4400]
    assert list(_cgroup_rooms(tmp_path / "none", tmp_path / "cgroup")) == []
