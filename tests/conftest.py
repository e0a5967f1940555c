"""What all tests share: checked annotations, devices, amounts of random examples."""

import os
import tempfile

import hypothesis
import jaxtyping
import pytest
import torch

# Before anything imports huggingface_hub, which reads them then: no network, and nobody's cache.
hf_home = tempfile.TemporaryDirectory(prefix="restorekit-tests-")
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": hf_home.name, "HF_HUB_DISABLE_TELEMETRY": "1"}
for variable in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_CACHE", "RESTOREKIT_HOME", "RESTOREKIT_MIRROR"):
    os.environ.pop(variable, None)
if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: one thread each, and in the commands that tests run
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
# Before anything imports restorekit; by PEP 484, whole numbers are floating-point numbers, too.
jaxtyping.install_import_hook("restorekit", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# Choose with --hypothesis-profile. Networks take their time, and fixtures here hold nothing that examples change.
common = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
}
hypothesis.settings.register_profile("ci", max_examples=12, derandomize=True, **common)
hypothesis.settings.register_profile("nightly", max_examples=300, **common)
hypothesis.settings.load_profile("ci")


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        choices=("cpu", "cuda"),
        help="run the tests that need a device on this one only; by default on the CPU and, where there is one, on a CUDA GPU",
    )


def pytest_configure(config):
    if config.getoption("--device") == "cuda" and not torch.cuda.is_available():
        raise pytest.UsageError("--device cuda: PyTorch finds no CUDA GPU here; leave the option out to test on the CPU")


def pytest_generate_tests(metafunc):
    if "device" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--device")
        devices = [chosen] if chosen else ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
        metafunc.parametrize("device", devices, indirect=True)


@pytest.fixture
def device(request):
    """The device to test on: the CPU and, where there is one, a CUDA GPU, whose convolutions then compute in full float32."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield torch.device(request.param)
    torch.backends.cudnn.allow_tf32 = allowed


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub on loopback that huggingface_hub talks to, an empty cache, and waits that take no time."""
    from huggingface_hub import constants

    from _helpers.hub_server import HubServer

    with HubServer() as server:
        settings = {
            "ENDPOINT": server.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_OFFLINE": False,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_CACHE": str(tmp_path / "hf" / "hub"),
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_DOWNLOAD_TIMEOUT": 5,
        }
        for name, value in settings.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setattr("time.sleep", lambda seconds: server.waits.append(seconds))
        yield server


@pytest.fixture
def unchecked_annotations(monkeypatch):
    """Turns the checking of annotations off: to see the errors that users see, and for tracing, which it is in the way of."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
