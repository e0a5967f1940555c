"""Weights from a Hub on loopback: every fault is an error that says what to do, leaves nothing half-written, and can be cured."""

import contextlib
import hashlib
import os
import pickle
import re
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from huggingface_hub import constants
from safetensors.torch import load_file

from _helpers import hub_server as faults
from _helpers.full_disk import largest_file
from _helpers.small_model import LICENCE, ORIGINALS, Small, about, network, original, pickled, safetensors
from restorekit import CheckpointError, create_model, register_model
from restorekit.checkpoints import originals
from restorekit.checkpoints.hub import (
    AccessError,
    CacheError,
    ChangedWeightsError,
    Entry,
    IntegrityError,
    NotFoundError,
    UnreachableError,
    WeightsError,
    home,
)
from restorekit.models import architectures, fetch_weights
from restorekit.provenance import Drive, HubFile, LocalFile

REPOSITORY = "lab/restorers"
NAME = "small.rain"
API = rf"GET /api/models/{REPOSITORY}"
FILE = rf"GET /{REPOSITORY}/resolve/"
GOOD = original(network())


@pytest.fixture
def register(monkeypatch):
    """Return a function that registers the small network with sources of its weights."""
    for registry in (architectures, originals):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))

    def add(*sources, **changes):
        for registry in (architectures, originals):
            registry._entries.pop("small", None)
        register_model("small", pretrained={"rain": about(*sources, **changes)}, checkpoints=ORIGINALS)(Small)

    add(HubFile(REPOSITORY, "*derain*"))
    return add


@pytest.fixture
def published(hub, register):
    """A Hub that has the weights."""
    hub.add(REPOSITORY, {"model_deraining.pth": GOOD, "README.md": b"# weights", "other.txt": b"x"})
    return hub


def assert_nothing_is_kept():
    entry = Entry(NAME)
    assert entry.cached() is None
    assert not entry.incoming.exists()
    assert not entry.weights.exists()
    snapshots = Path(constants.HF_HUB_CACHE).rglob("snapshots/*/*.pth")
    assert not [path for path in snapshots if path.resolve().read_bytes() != GOOD]
    assert not list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete"))


def assert_works():
    model = create_model("small", pretrained=True)
    assert not model.training
    for name, tensor in network().state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    return model


def assert_fails(kind, words):
    with pytest.raises(kind, match=words) as raised:
        create_model("small", pretrained=True)
    assert type(raised.value) is kind
    assert_nothing_is_kept()


# ---- without faults


def test_weights_are_fetched_once_and_work_without_the_hub_afterwards(published, monkeypatch, caplog):
    model = assert_works()
    assert model.pretrained_config.licence is LICENCE
    size, origin = f"{Entry(NAME).weights.stat().st_size / 2**20:.1f} MiB", Entry(NAME).record().origin
    assert [record.message for record in caplog.records if record.name == "restorekit"] == [
        f"small.rain ({size}, from {origin}): Test Licence; commercial use not allowed; terms: https://example.org/terms"
    ]
    published.log.clear()
    caplog.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert_works()
    assert published.log == []
    assert not caplog.records


def test_the_record_says_where_the_weights_came_from(published):
    path = fetch_weights(NAME)
    record = Entry(NAME).record()
    commit = published.repositories[REPOSITORY].refs["main"]
    assert record.origin == f"{published.url}/{REPOSITORY}/resolve/{commit}/model_deraining.pth"
    assert record.sha256 == hashlib.sha256(GOOD).hexdigest()
    assert record.stored == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record.size == path.stat().st_size
    assert record.config == {"architecture": "small", "arguments": {}}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record.when)
    assert set(load_file(path)) == set(network().state_dict())


def test_the_cache_is_below_hf_home_unless_a_variable_says_otherwise(published, monkeypatch, tmp_path):
    assert fetch_weights(NAME).parent == tmp_path / "hf" / "restorekit" / NAME
    monkeypatch.setenv("RESTOREKIT_HOME", str(tmp_path / "mine"))
    assert fetch_weights(NAME).parent == tmp_path / "mine" / NAME


@pytest.mark.parametrize("wrapper", ["params", "params_ema", "state_dict"])
def test_files_of_other_frameworks_load(wrapper, hub, register):
    hub.add(REPOSITORY, {"derain.pth": original(network(), wrapper)})
    assert_works()


def test_strict_loading_decides_among_files_that_fit(hub, register):
    other = original(network(width=6))
    hub.add(REPOSITORY, {"a_derain.pth": other, "b_derain.pth": pickled({"a": torch.zeros(1)}), "c_derain.pth": GOOD})
    assert_works()
    assert Entry(NAME).record().origin.endswith("c_derain.pth")


def test_safetensors_are_preferred(hub, register):
    hub.add(REPOSITORY, {"derain.pth": GOOD, "derain.safetensors": safetensors(network())})
    fetch_weights(NAME)
    assert Entry(NAME).record().origin.endswith("derain.safetensors")


def test_a_file_of_another_name_is_found_by_its_size(hub, register):
    register(HubFile(REPOSITORY, "*derain*"), size=round(len(GOOD) * 1.01))
    hub.add(REPOSITORY, {"rain100.pth": GOOD, "large.pth": bytes(3 * len(GOOD))})
    assert_works()


def test_a_local_file_is_used_where_it_is(hub, register, tmp_path):
    (tmp_path / "weights.pth").write_bytes(GOOD)
    register(LocalFile(tmp_path / "weights.pth"), HubFile(REPOSITORY, "*derain*"))
    assert_works()
    assert fetch_weights(NAME) == tmp_path / "weights.pth"
    assert hub.log == []
    register(LocalFile(tmp_path / "weights.pth", sha256="0" * 64))
    with pytest.raises(IntegrityError, match=r"weights\.pth has sha256 .*, pinned is 0000"):
        create_model("small", pretrained=True)


def test_tools_for_the_cache_of_huggingface_hub_go_on_working(published):
    from huggingface_hub import scan_cache_dir

    fetch_weights(NAME)
    found = scan_cache_dir(constants.HF_HUB_CACHE)
    assert [repo.repo_id for repo in found.repos] == [REPOSITORY]
    assert not found.warnings
    found.delete_revisions(*(revision.commit_hash for repo in found.repos for revision in repo.revisions)).execute()
    published.log.clear()
    assert_works()
    assert published.log == []


# ---- the Hub says no


def absent(hub):
    constants.ENDPOINT = "http://127.0.0.1:1"  # where nobody listens


def missing(hub):
    hub.repositories.clear()


def private(hub):
    hub.repositories[REPOSITORY].private = True


def gated(hub):
    hub.repositories[REPOSITORY].gated = True


def without_file(hub):
    hub.add(REPOSITORY, {})
    hub.repositories[REPOSITORY].refs["main"] = hub.repositories[REPOSITORY].commit({}, "main")


def forbidden(hub):
    hub.fail(API, faults.status(403))


def always_500(hub):
    hub.fail("", faults.status(500))


def file_500(hub):
    hub.fail(FILE, faults.status(500))


def too_many(hub):
    hub.fail(API, faults.status(429, Retry_After="3600"))


def too_many_files(hub):
    hub.fail(FILE, faults.status(429, Retry_After="3600"))


def redirected_to_a_page(hub):
    hub.fail(API, faults.page)


def slow(hub):
    constants.HF_HUB_DOWNLOAD_TIMEOUT = 0.1
    hub.fail(API, faults.slow)


def slow_file(hub):
    constants.HF_HUB_DOWNLOAD_TIMEOUT = 0.1
    hub.fail(FILE, faults.slow)


def reset(hub):
    hub.fail(FILE, faults.reset)


def short(hub):
    hub.fail(FILE, faults.short)


def wrong_bytes(hub):
    hub.fail(FILE, faults.wrong_bytes)


def page(hub):
    hub.fail(rf"(GET|HEAD) /{REPOSITORY}/resolve/", faults.page)


def redirect_loop(hub):
    hub.fail("", faults.status(302, Location="/"))


FAULTS = {
    absent: (UnreachableError, r"no connection \(.*\); check the network, proxy and HF_ENDPOINT \(http://127\.0\.0\.1"),
    missing: (AccessError, r"lab/restorers: access refused \(HTTP 401\).*or does not exist; set HF_TOKEN"),
    private: (AccessError, r"access refused \(HTTP 401\): it is private"),
    gated: (AccessError, r"the authors ask you to accept their terms: do so on its page, then set HF_TOKEN"),
    forbidden: (AccessError, r"access refused \(HTTP 403\)"),
    without_file: (NotFoundError, r"no weights in it match '\*derain\*'; it has no files"),
    always_500: (UnreachableError, r"the server failed \(HTTP 500\); try again later"),
    file_500: (UnreachableError, r"model_deraining\.pth of lab/restorers: the server failed \(HTTP 500\)"),
    too_many: (UnreachableError, r"too many requests \(HTTP 429\); wait 3600 s"),
    too_many_files: (UnreachableError, r"model_deraining\.pth of lab/restorers: too many requests \(HTTP 429\); wait 3600 s"),
    redirected_to_a_page: (
        UnreachableError,
        r"the answer is not from a Hub; check HF_ENDPOINT .*and whether this network requires a login",
    ),
    slow: (UnreachableError, r"no answer within 0\.1 s; try again, or allow more with HF_HUB_DOWNLOAD_TIMEOUT"),
    slow_file: (UnreachableError, r"model_deraining\.pth .*no answer within 0\.1 s"),
    reset: (UnreachableError, r"the connection broke \(.*\); nothing was kept, try again"),
    short: (IntegrityError, r"the file arrived incomplete; nothing was kept, try again"),
    wrong_bytes: (IntegrityError, r"damaged: sha256 is \w{64}, the Hub states \w{64}; nothing was kept, try again"),
    page: (UnreachableError, r"the answer is not from a Hub"),
    redirect_loop: (UnreachableError, r"the connection broke|not from a Hub"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_fault_is_explained_and_can_be_cured(fault, published):
    commits = dict(published.repositories)
    refs = dict(published.repositories[REPOSITORY].refs)
    fault(published)
    assert_fails(*FAULTS[fault])
    assert max(published.waits, default=0) <= 8, "nobody waits for long without being asked"
    published.heal()
    constants.ENDPOINT, constants.HF_HUB_DOWNLOAD_TIMEOUT = published.url, 5
    published.repositories.update(commits)
    repository = published.repositories[REPOSITORY]
    repository.private = repository.gated = False
    repository.refs.update(refs)
    assert_works()


def test_a_token_opens_a_private_repository(published, monkeypatch):
    private(published)
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    assert_works()
    missing(published)
    Entry(NAME).clear(forget=True)
    assert_fails(NotFoundError, r"lab/restorers: not found \(HTTP 404\); check the name, and HF_ENDPOINT")


def test_a_missing_revision_is_named(published, register):
    register(HubFile(REPOSITORY, "*derain*", revision="v9"))
    assert_fails(NotFoundError, "lab/restorers@v9: no such revision; its page lists branches and tags")
    published.add(REPOSITORY, {"model_deraining.pth": GOOD}, branch="v9")
    assert_works()


@pytest.mark.parametrize("requests", [API, FILE])
def test_a_server_that_recovers_is_asked_again(requests, published):
    published.fail(requests, faults.status(500), times=1)
    assert_works()
    assert published.waits == [1]


@pytest.mark.parametrize(("requests", "waits"), [(API, [7]), (FILE, [8])])  # huggingface_hub adds a second
def test_a_short_wait_that_is_asked_for_is_kept(requests, waits, published):
    published.fail(requests, faults.status(429, Retry_After="7"), times=1)
    assert_works()
    assert published.waits == waits


@pytest.mark.parametrize("fault", [faults.reset, faults.short, faults.wrong_bytes], ids=lambda fault: fault.__name__)
def test_one_broken_transfer_is_made_good(fault, published):
    published.fail(FILE, fault, times=1)
    if fault is faults.short:  # a server that contradicts itself is not asked again
        assert_fails(IntegrityError, "incomplete")
    assert_works()


def test_a_redirect_is_followed(published):
    sha256 = hashlib.sha256(GOOD).hexdigest()
    size, port = str(len(GOOD)), published.url.rpartition(":")[2]

    def elsewhere(answer):
        return faults.Answer(
            302,
            b"",
            {
                **answer.headers,
                "Location": f"http://localhost:{port}/cdn/{sha256}",
                "X-Linked-Size": size,
                "X-Linked-Etag": f'"{sha256}"',
            },
        )

    published.fail(rf"(GET|HEAD) /{REPOSITORY}/resolve/", elsewhere)
    assert_works()
    assert f"GET /cdn/{sha256}" in published.log


# ---- files that must not be used


class Code:
    """Unpickles to a call that creates a folder."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_a_pickle_that_wants_to_run_code_is_refused_and_not_run(hub, register, tmp_path):
    hub.add(REPOSITORY, {"derain.pth": pickled({"state_dict": Code(tmp_path / "it_ran")})})
    assert_fails(CheckpointError, rf"derain\.pth: .*run code \({os.mkdir.__module__}\.mkdir\) and is refused")
    assert not (tmp_path / "it_ran").exists()
    hub.add(REPOSITORY, {"derain.pth": GOOD})
    assert_works()


def test_a_bare_pickle_is_refused(hub, register, tmp_path):
    hub.add(REPOSITORY, {"derain.pth": pickle.dumps(Code(tmp_path / "it_ran"), protocol=2)})
    assert_fails(CheckpointError, "run code")
    assert not (tmp_path / "it_ran").exists()


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"<!DOCTYPE html><html></html>", IntegrityError, r"derain\.pth is a web page, not weights"),
        (b"\n <html>", IntegrityError, "is a web page"),
        (b"hello", CheckpointError, "is truncated or not a checkpoint"),
        (b"", CheckpointError, "is truncated or not a checkpoint"),
        (GOOD[: len(GOOD) // 2], CheckpointError, "is truncated or not a checkpoint"),
        (original(network(width=5)), CheckpointError, r"does not fit small: 3 with a wrong shape"),
    ],
    ids=["page", "page after a space", "text", "empty", "half", "another network"],
)
def test_files_that_are_not_these_weights_are_refused(content, kind, words, hub, register):
    hub.add(REPOSITORY, {"derain.pth": content})
    assert_fails(kind, words)
    hub.add(REPOSITORY, {"derain.pth": GOOD})
    assert_works()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(value, hub, register):
    model = network()
    model.tail.weight.data[0, 0, 0, 0] = value
    hub.add(REPOSITORY, {"derain.pth": original(model)})
    assert_fails(CheckpointError, r"1 NaN or infinite \(tail\.weight\)")


@pytest.mark.parametrize("name", ["../../derain.pth", "/etc/derain.pth", "a/../../derain.pth", "..\\derain.pth"])
def test_a_name_that_leads_out_of_the_cache_is_refused(name, hub, register, tmp_path):
    hub.add(REPOSITORY, {name: GOOD})
    assert_fails(IntegrityError, "this name points outside the folder of the repository and is refused")
    assert not list(tmp_path.rglob("*derain.pth"))


# ---- checksums


@pytest.mark.parametrize(("arguments", "times"), [({}, 1), ({"width": 4}, 2)])
def test_a_model_is_built_once_while_its_weights_are_fetched(arguments, times, published, monkeypatch):
    """With arguments of its own it may be another model than the one that the weights are for, which checks them."""
    built = []
    make = Small.__init__

    def count(self, *args, **kwargs):
        make(self, *args, **kwargs)
        if not self.head.weight.is_meta:  # as when only its size is looked at
            built.append(self)

    monkeypatch.setattr(Small, "__init__", count)
    model = create_model(NAME, pretrained=True, **arguments)
    assert len(built) == times
    assert model.tail.weight.equal(network().tail.weight)


def test_a_pinned_checksum_is_checked(published, register):
    register(HubFile(REPOSITORY, "*derain*", sha256="0" * 64))
    assert_fails(IntegrityError, r"model_deraining\.pth has sha256 \w{64}, pinned is 0{64}; the file was not used")
    register(HubFile(REPOSITORY, "*derain*", sha256=hashlib.sha256(GOOD).hexdigest()))
    assert_works()


def test_weights_that_differ_from_those_of_the_first_use_are_refused_until_they_are_trusted(published):
    fetch_weights(NAME)
    first = Entry(NAME).record()
    Entry(NAME).clear()
    changed = original(network(seed=1))
    published.add(REPOSITORY, {"model_deraining.pth": changed})
    now = hashlib.sha256(changed).hexdigest()
    words = (
        rf"differ from those of the first use: on {re.escape(first.when)}, sha256 {first.sha256} came from .*; now, sha256 {now}"
    )
    assert_fails(ChangedWeightsError, rf"{words} comes .* accept it: restorekit weights trust small\.rain")
    assert Entry(NAME).record() == first
    fetch_weights(NAME, trust=True)
    assert Entry(NAME).record().sha256 == now
    assert create_model("small", pretrained=True).tail.weight.equal(network(seed=1).tail.weight)


def test_the_same_weights_in_another_file_are_those_of_the_first_use(published):
    fetch_weights(NAME)
    Entry(NAME).clear()
    published.add(REPOSITORY, {"derain.safetensors": safetensors(network())})
    assert_works()


@pytest.mark.parametrize("what", ["weights", "record"])
def test_a_damaged_copy_in_the_cache_is_fetched_anew(what, published):
    fetch_weights(NAME)
    path = Entry(NAME).weights if what == "weights" else Entry(NAME).folder / "record.json"
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    assert Entry(NAME).cached() is None
    assert_works()
    assert Entry(NAME).cached() is not None


def test_what_a_killed_process_downloaded_is_removed_unless_another_one_is_downloading(published):
    fetch_weights(NAME)
    blob = next(Path(constants.HF_HUB_CACHE).rglob("snapshots/*/*.pth")).resolve()
    partial = blob.with_name(f"{blob.name}.0123abcd.incomplete")
    partial.write_bytes(b"half")
    lock = Path(constants.HF_HUB_CACHE, ".locks", blob.parents[1].name, f"{blob.name}.lock")
    with FileLock(lock):
        fetch_weights(NAME, trust=True)
        assert partial.exists()
    fetch_weights(NAME, trust=True)
    assert not partial.exists()


# ---- offline


def test_offline_without_a_copy_says_how_to_get_one(published, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    advice = r"For a machine without a connection: run `restorekit weights download small\.rain` on another one"
    assert_fails(UnreachableError, rf"HF_HUB_OFFLINE is set, and no copy is in the cache\n{advice}")
    assert published.log == []


@pytest.mark.parametrize("offline", [True, False])
def test_a_copy_in_the_cache_of_huggingface_hub_is_used_when_the_hub_cannot_be_asked(offline, published, monkeypatch):
    from huggingface_hub import snapshot_download

    snapshot_download(REPOSITORY)
    if offline:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    else:
        published.fail("", faults.status(500))
    assert_works()


def test_a_folder_of_the_cache_can_be_carried_to_another_machine(published, monkeypatch, tmp_path):
    folder = fetch_weights(NAME).parent
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("RESTOREKIT_HOME", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    folder.rename(tmp_path / "elsewhere" / folder.name)
    assert_works()


# ---- several places


def test_the_next_place_is_asked_and_all_are_told_of(hub, register):
    register(HubFile("lab/gone", "*derain*"), HubFile(REPOSITORY, "*derain*"))
    hub.fail(API, faults.status(500))
    words = r"are not available:\n- lab/gone: access refused .*\n- lab/restorers: the server failed"
    assert_fails(UnreachableError, words)
    hub.heal()
    hub.add(REPOSITORY, {"derain.pth": GOOD})
    assert_works()


def test_a_mirror_goes_first(published, monkeypatch):
    monkeypatch.setenv("RESTOREKIT_MIRROR", "mylab")
    published.add("mylab/small.rain", {"model.safetensors": safetensors(network())})
    assert_works()
    assert "/mylab/small.rain/" in Entry(NAME).record().origin


def test_a_mirror_that_lacks_the_weights_is_passed_over(published, monkeypatch, caplog):
    monkeypatch.setenv("RESTOREKIT_MIRROR", "mylab")
    assert_works()
    assert caplog.records[0].message.startswith("small.rain: skipped: mylab/small.rain: access refused (HTTP 401)")
    assert REPOSITORY in Entry(NAME).record().origin


def test_a_mirror_with_other_weights_is_not_hidden(published, monkeypatch):
    fetch_weights(NAME)
    Entry(NAME).clear()
    monkeypatch.setenv("RESTOREKIT_MIRROR", "mylab")
    published.add("mylab/small.rain", {"model.safetensors": safetensors(network(seed=1))})
    assert_fails(ChangedWeightsError, r"now, sha256 \w+ comes from http.*/mylab/small\.rain")


# ---- Google Drive


@pytest.fixture
def drive(hub, register, monkeypatch):
    """The server as Google Drive, and weights that are only there."""
    requests = pytest.importorskip("requests")
    pytest.importorskip("gdown")
    get = requests.Session.get

    def redirected(session, url, **kwargs):
        return get(session, re.sub(r"https://drive\.(google|usercontent\.google)\.com", f"{hub.url}/drive", url), **kwargs)

    monkeypatch.setattr(requests.Session, "get", redirected)
    register(Drive("1abc"))
    hub.drive["1abc"] = GOOD
    return hub


def test_the_warning_page_of_drive_is_passed(drive):
    assert_works()
    assert Entry(NAME).record().origin == "https://drive.google.com/file/d/1abc/view"
    assert any("confirm=t" in line for line in drive.log)


def test_a_page_of_drive_instead_of_the_file_is_explained(drive):
    drive.fail("confirm=t", lambda answer: faults.Answer(200, b"<html>quota</html>", {"Content-Type": "text/html"}))
    words = r"Google Drive: 1abc: received a page instead of the file .*download https://drive\.google\.com/file/d/1abc/view"
    assert_fails(AccessError, rf"{words} in a browser")
    drive.heal()
    assert_works()


def test_a_page_that_drive_sends_as_the_file_is_refused(drive):
    drive.drive["1abc"] = b"<!DOCTYPE html>too large to scan"
    assert_fails(IntegrityError, "is a web page, not weights")


def test_a_broken_connection_to_drive_is_explained(drive):
    drive.fail("confirm=t", faults.reset)
    assert_fails(UnreachableError, "Google Drive: 1abc: the connection failed; check the network and proxy; try again, or download")
    drive.heal()
    assert_works()


def test_a_slow_drive_is_explained(drive):
    constants.HF_HUB_DOWNLOAD_TIMEOUT = 0.1
    drive.fail("confirm=t", faults.slow)
    assert_fails(UnreachableError, r"Google Drive: 1abc: no answer within 0\.1 s; HF_HUB_DOWNLOAD_TIMEOUT=60 allows more")


def test_drive_without_gdown_names_the_extra(hub, register, monkeypatch):
    register(Drive("1abc"))
    monkeypatch.setitem(sys.modules, "gdown", None)
    assert_fails(
        WeightsError, r'needs gdown; pip install "restorekit\[drive\]", or download https://drive\.google\.com/file/d/1abc/view'
    )


# ---- disks


@pytest.mark.parametrize(
    ("limit", "variable"), [(len(GOOD) // 2, "HF_HOME"), (None, "RESTOREKIT_HOME")], ids=["download", "conversion"]
)
def test_a_full_disk_is_explained(limit, variable, published, monkeypatch, tmp_path):
    if limit is None:  # the download is there, the converted file is what does not fit
        from huggingface_hub import snapshot_download

        snapshot_download(REPOSITORY)
        limit = 1000
    with largest_file(limit):
        assert_fails(CacheError, rf"the disk is full \(.*; free some space, or set {variable}")
    assert_works()


@contextlib.contextmanager
def unprivileged():
    """Give up the rights of root, which would let a test write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def read_only(monkeypatch):
    """A cache that cannot be written, in a folder that everybody can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("RESTOREKIT_HOME", folder)
        yield lambda: [path.chmod(0o555) for path in (Path(folder), *Path(folder).iterdir())]
        Path(folder).chmod(0o755)


def test_a_read_only_cache_is_explained(published, read_only):
    read_only()
    with unprivileged():
        words = r"no permission to write .*small\.rain.*; set RESTOREKIT_HOME to a folder that you may write to"
        with pytest.raises(CacheError, match=words):
            create_model("small", pretrained=True)


def test_a_read_only_cache_with_the_weights_works(published, read_only):
    fetch_weights(NAME)
    read_only()
    with unprivileged():
        assert_works()


def test_the_place_of_the_cache_can_be_asked_for(hub, tmp_path):
    assert home() == tmp_path / "hf" / "restorekit"
