"""The shell commands that look after weights, against a Hub on loopback."""

import json

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from _helpers.small_model import ORIGINALS, Small, about, network, original, safetensors
from restorekit import register_model
from restorekit.checkpoints import originals
from restorekit.checkpoints.hub import Entry, home
from restorekit.cli import app
from restorekit.models import architectures
from restorekit.provenance import HubFile

# huggingface_hub 2.4 uploads with an argument that httpx2 wants to be called otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NAME = "small.rain"
REPOSITORY = "lab/restorers"


@pytest.fixture
def restorekit(hub, monkeypatch, unchecked_annotations):
    """Return a function that runs a command in this process, and gives its status and what it printed."""
    for registry in (architectures, originals):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    published = about(HubFile(REPOSITORY, "*derain*"), size=1000)
    register_model("small", pretrained={"rain": published}, checkpoints=ORIGINALS)(Small)
    hub.add(REPOSITORY, {"derain.pth": original(network())})

    def run(*arguments):
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run


def test_download_path_info_verify_clear(restorekit, hub):
    status, output = restorekit("weights", "path", NAME)
    assert status == 1
    status, output = restorekit("weights", "download", "small")
    assert status == 0
    path = Entry(NAME).weights
    assert output.startswith(f"small: {path} (0.0 MiB)")
    assert restorekit("weights", "path", "small") == (0, f"{path}\n")
    status, output = restorekit("weights", "info", NAME)
    record = Entry(NAME).record()
    for words in (
        "  licence  Test Licence; commercial use not allowed\n  terms    https://example.org/terms\n",
        record.sha256,
        record.when,
        str(path),
    ):
        assert words in output
    assert restorekit("weights", "verify") == (0, f"{NAME}: good\n")
    status, output = restorekit("weights", "list")
    row = next(line for line in output.splitlines() if line.startswith(NAME))
    assert "cached" in row
    assert str(home()) in output
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    status, output = restorekit("weights", "verify", NAME)
    assert status == 1
    assert "DAMAGED; it is downloaded again on next use" in output
    status, output = restorekit("weights", "clear", NAME)
    assert status == 0
    assert not path.exists()
    assert Entry(NAME).record() == record
    assert "cached   no longer" in restorekit("weights", "info", NAME)[1]
    assert restorekit("weights", "verify") == (0, f"{NAME}: cleared\n")
    assert restorekit("weights", "clear", "--all", "--forget")[0] == 0
    assert restorekit("weights", "verify") == (0, f"there are no weights in {home()}\n")


def test_trust_accepts_what_download_refuses(restorekit, hub):
    restorekit("weights", "download", "small*")
    restorekit("weights", "clear", "small")
    hub.add(REPOSITORY, {"derain.pth": original(network(seed=1))})
    status, output = restorekit("weights", "download", NAME)
    assert status == 1
    assert "differ from those of the first use" in output
    status, output = restorekit("weights", "trust", NAME)
    assert status == 0
    assert f"{NAME}: sha256 {Entry(NAME).record().sha256} from http://" in output
    assert restorekit("weights", "download", NAME)[0] == 0
    assert "the weights have not changed" in restorekit("weights", "trust", NAME)[1]


def test_download_goes_on_after_weights_that_cannot_be_had(restorekit, hub):
    register_model("small_gone", pretrained={"rain": about(HubFile("lab/gone", "*derain*"))})(Small)
    status, output = restorekit("weights", "download", "small_gone", "small*")
    assert status == 1
    assert output.count("error: the weights small_gone.rain are not available:") == 2
    assert f"{NAME}: {Entry(NAME).weights} (" in output


def test_models_of_repositories_are_listed_and_cleared(restorekit, hub):
    licence = {"name": "[/]free", "commercial_use": True, "url": ""}
    known = {"task": "derain", "training_data": "rain", "trained_by": "lab", "source": "paper", "licence": licence}
    config = json.dumps({"architecture": "small", "weights": known}).encode()
    hub.add("lab/mine", {"config.json": config, "model.safetensors": safetensors(network())})
    assert restorekit("weights", "download", "hf-hub:lab/mine")[0] == 0
    output = restorekit("weights", "list")[1]
    assert "hf-hub:lab/mine" in output
    assert "[/]free; commercial use allowed" in output
    assert restorekit("weights", "clear", "hf-hub:lab/mine")[0] == 0
    hub.log.clear()
    assert "hf-hub:lab/mine" not in restorekit("weights", "list")[1]
    assert hub.log == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("weights", "download", "smal"), "unknown model 'smal'; did you mean 'small'"),
        (("weights", "download", "smal*x"), "no weights match 'smal*x'"),
        (("weights", "info", "small.snow"), "unknown tag 'snow'"),
        (("weights", "path", "mprnet"), "has no pretrained weights"),
        (("weights", "trust", "nothing"), "unknown model 'nothing'"),
        (("weights", "verify", "small"), "not in the cache: small.rain; "),
        (("weights", "clear"), "give the names of the weights to clear, or pass --all"),
        (("weights", "clear", "small", "--all"), "give the names of the weights to clear, or pass --all"),
        (("push", "none.pth", "--to", "lab/x"), "unknown model 'none'"),
        (("push", "small", "--to", "lab/x", "--about", "none.json"), "none.json"),
        (("convert", "a.pth", "b.pth"), "must be a .safetensors file, or with --to original a .pth file"),
        (("convert", "a.pth", "b.pth", "--to", "theirs"), "--to must be ours or original"),
    ],
)
def test_what_is_wrong_is_explained(arguments, words, restorekit):
    status, output = restorekit(*arguments)
    assert status in (1, 2)
    assert words in output.replace("\n", "")


def test_push_republishes_for_a_mirror(restorekit, hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    status, output = restorekit("push", "small", "--to", "mylab", "--private")
    assert status == 0, output
    assert set(hub.files("mylab/small.rain")) == {"README.md", "config.json", "model.safetensors"}
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    status, output = restorekit("push", "small", "--to", "mylab/x", "--dry-run", tmp_path / "out")
    assert (status, output) == (0, f"{tmp_path / 'out'}\n")


def test_push_downloads_nothing_that_must_not_be_passed_on(restorekit, hub):
    status, output = restorekit("push", "prenet.rain100h", "--to", "mylab")
    assert status == 1
    assert "must not be passed on" in output.replace("\n", " ")
    assert not hub.log


def test_push_takes_a_checkpoint_and_what_is_known_of_it(restorekit, hub, tmp_path):
    restorekit("weights", "download", NAME)
    known = {"task": "derain", "training_data": "rain", "trained_by": "me", "source": "none", "metrics": []}
    known["licence"] = {"name": "MIT", "commercial_use": True, "url": "https://opensource.org/license/mit", "hub_id": "mit"}
    (tmp_path / "about.json").write_text(json.dumps(known))
    options = ("--about", tmp_path / "about.json", "--dry-run", tmp_path / "out")
    status, output = restorekit("push", Entry(NAME).weights, "--to", "me/small", *options)
    assert status == 0, output
    assert "license: mit" in (tmp_path / "out" / "README.md").read_text()
    (tmp_path / "about.json").write_text("{}")
    status, output = restorekit("push", Entry(NAME).weights, "--to", "me/small", *options)
    assert status == 1
    assert "does not describe the weights" in output.replace("\n", "")


def test_details_tell_all(restorekit):
    output = restorekit("models", "mprnet_deblur", "--details")[1]
    for words in (
        "GoPro: PSNR 32.66 dB, SSIM 0.959 (published",
        "  trained  by the authors of MPRNet, on GoPro\n",
        "  places   Hub: deepinv/MPRNet\n           https://drive.google.com/",
    ):
        assert words in output
