"""What a Hub does not answer, answers too slowly or answers wrongly ends in an error that says so; names are looked up again."""

import json
import time

import pytest
import torch
from huggingface_hub import constants

from _helpers import hub_server as faults
from _helpers.small_model import Small, about, network, safetensors
from restorekit import ConfigError, create_model, register_model
from restorekit.checkpoints.hub import Entry, NotFoundError, UnreachableError
from restorekit.models import architectures, fetch_weights, pretrained_config
from restorekit.provenance import LocalFile, WebFile
from restorekit.publish import push

REPOSITORY = "lab/small"
NAME = f"hf-hub:{REPOSITORY}"
API = rf"GET /api/models/{REPOSITORY}"


@pytest.fixture
def published(hub, monkeypatch):
    monkeypatch.setattr(architectures, "_entries", dict(architectures._entries))
    register_model("small")(Small)
    config = json.dumps({"architecture": "small", "arguments": {"width": 5}}).encode()
    hub.add(REPOSITORY, {"config.json": config, "model.safetensors": safetensors(network(width=5))})
    return hub


# ---- deadlines


def within(seconds, use, place):
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=rf"{place}: not finished within 0\.\d+ s; try again, or .*RESTOREKIT_DEADLINE=3"):
        use()
    assert time.monotonic() - started < seconds


@pytest.mark.parametrize("requests", [API, "resolve/.*config", "resolve/.*safetensors"], ids=["question", "config", "weights"])
def test_a_hub_that_sends_byte_by_byte_meets_the_deadline(requests, published, monkeypatch):
    monkeypatch.setenv("RESTOREKIT_DEADLINE", "0.3")
    published.fail(requests, faults.drip)
    within(9, lambda: create_model(NAME, pretrained=True), REPOSITORY)
    assert Entry(NAME).cached() is None


def test_a_hub_that_asks_to_wait_meets_the_deadline(published, monkeypatch):
    monkeypatch.setenv("RESTOREKIT_DEADLINE", "0.3")
    monkeypatch.setattr("time.sleep", lambda seconds: faults.threading.Event().wait(min(seconds, 1)))
    published.fail("", faults.status(503))
    within(9, lambda: create_model(NAME), REPOSITORY)


def test_a_push_and_a_download_meet_the_deadline(published, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    model = create_model("small")
    url = f"{published.url}/{REPOSITORY}/resolve/main/model.safetensors"
    register_model("web", pretrained={"rain": about(WebFile(url), size=1)})(Small)
    monkeypatch.setenv("RESTOREKIT_DEADLINE", "0.3")
    published.fail("POST|resolve", faults.drip)
    within(9, lambda: push(model, REPOSITORY), REPOSITORY)
    within(9, lambda: create_model("web", pretrained=True), url)


def test_a_deadline_that_is_none_is_refused(published, monkeypatch):
    monkeypatch.setenv("RESTOREKIT_DEADLINE", "soon")
    with pytest.raises(ConfigError, match="RESTOREKIT_DEADLINE must be a positive number, such as 600; got 'soon'"):
        create_model(NAME)


# ---- wrong answers


FILE = {"rfilename": "config.json", "size": 3, "blobId": "0"}


@pytest.mark.parametrize(
    "answer",
    [
        [],
        None,
        3,
        {"id": REPOSITORY},
        {"id": REPOSITORY, "sha": "0", "siblings": 3},
        {"id": REPOSITORY, "sha": "0", "siblings": [3]},
        {"id": REPOSITORY, "sha": "0", "siblings": [{}]},
        {"id": REPOSITORY, "sha": "0", "siblings": [FILE | {"rfilename": 3}]},
        {"id": REPOSITORY, "sha": "0", "siblings": [FILE | {"size": "large"}]},
        {"id": REPOSITORY, "sha": "0", "siblings": [FILE | {"lfs": {"sha256": 3, "size": 3, "pointerSize": 3}}]},
        {"id": REPOSITORY, "sha": "0", "siblings": [FILE | {"lfs": "yes"}]},
    ],
    ids=str,
)
def test_an_answer_of_wrong_types_names_the_repository(answer, published):
    published.fail(API, faults.instead(answer))
    with pytest.raises((UnreachableError, NotFoundError), match=REPOSITORY):
        create_model(NAME)
    published.heal()
    assert create_model(NAME).head.out_channels == 5


# ---- names are looked up again


def lines(caplog):
    return [record.message for record in caplog.records if record.name == "restorekit"]


def test_nothing_is_said_while_the_repository_has_the_same_weights(published, caplog):
    fetch_weights(NAME)
    published.add(REPOSITORY, {"README.md": b"changed"})
    caplog.clear()
    published.log.clear()
    create_model(NAME, pretrained=True)
    assert lines(caplog) == []
    assert [line.partition("?")[0] for line in published.log] == [API]


def test_new_weights_are_told_of_and_used_when_trusted(published, caplog):
    fetch_weights(NAME)
    commit = published.add(REPOSITORY, {"model.safetensors": safetensors(network(seed=1, width=5))})
    caplog.clear()
    assert torch.equal(create_model(NAME, pretrained=True).tail.weight, network(width=5).tail.weight)
    (line,) = lines(caplog)
    assert f"the repository has changed since then (now commit {commit[:8]})" in line
    assert line.endswith(f"to use what it has now: restorekit weights trust {NAME}")
    fetch_weights(NAME, trust=True)
    caplog.clear()
    assert torch.equal(create_model(NAME, pretrained=True).tail.weight, network(seed=1, width=5).tail.weight)
    assert lines(caplog) == []


def absent(hub, monkeypatch):
    hub.fail("", faults.status(503))


def offline(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def gone(hub, monkeypatch):
    hub.repositories.clear()


@pytest.mark.parametrize("fault", [absent, offline, gone], ids=lambda fault: fault.__name__)
def test_the_copy_is_used_and_told_of_when_the_hub_does_not_answer(fault, published, monkeypatch, caplog):
    fetch_weights(NAME)
    fault(published, monkeypatch)
    caplog.clear()
    assert torch.equal(create_model(NAME, pretrained=True).tail.weight, network(width=5).tail.weight)
    when = Entry(NAME).record().when
    (line,) = lines(caplog)
    assert line.startswith(
        f"{NAME}: the copy of {when} is used, since the Hub was not able to tell whether it is current: lab/small"
    )


def test_a_commit_is_not_looked_up_again(published, monkeypatch, caplog):
    name = f"{NAME}@{published.repositories[REPOSITORY].refs['main']}"
    fetch_weights(name)
    caplog.clear()
    published.log.clear()
    create_model(name, pretrained=True)
    pretrained_config(name)
    assert published.log == lines(caplog) == []


# ---- files on this machine


def test_a_local_file_that_is_missing_is_named(published, tmp_path):
    path = tmp_path / "gone.safetensors"
    register_model("local", pretrained={"rain": about(LocalFile(path))})(Small)
    with pytest.raises(NotFoundError, match=rf"local\.rain are not available:\n- there is no file {path}; restore it, or change"):
        create_model("local", pretrained=True)
