"""Models by the name of a repository or folder: published, loaded by others, and nothing believed that is not checked."""

import json

import pytest
import torch
import yaml
from huggingface_hub import constants
from test_hub_processes import run

from _helpers import hub_server as faults
from _helpers.small_model import LICENCE, Small, about, network, safetensors
from restorekit import CheckpointError, create_model, load_weights, register_model
from restorekit.checkpoints.hub import (
    AccessError,
    ChangedWeightsError,
    Entry,
    IntegrityError,
    NotFoundError,
    UnreachableError,
    WeightsError,
    content_of,
)
from restorekit.models import architectures, config_of, fetch_weights, model_from_config, pretrained_config
from restorekit.provenance import ALL_RIGHTS_RESERVED, APACHE, Bundled, HubFile, Metric, WeightsLicence
from restorekit.publish import push
from restorekit.stages import MultiStage, UNetStage

# huggingface_hub 2.4 uploads with an argument that httpx2 wants to be called otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPOSITORY = "lab/small"
NAME = f"hf-hub:{REPOSITORY}"
CONFIG = {"architecture": "small", "arguments": {"width": 5}}
ABOUT = about(metrics=(Metric("Rain100L", "PSNR", 36.4, "published; Y"), Metric("Rain100L", "SSIM", 0.965, "published; Y")))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(architectures, "_entries", dict(architectures._entries))
    register_model("small")(Small)


@pytest.fixture
def model():
    """A model of another size than the default, built by name."""
    model = create_model("small", width=5)
    return load_weights(model, network(width=5).state_dict())


@pytest.fixture
def published(hub):
    hub.add(REPOSITORY, {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": safetensors(network(width=5))})
    return hub


def assert_same(model, other):
    assert [*model.state_dict()] == [*other.state_dict()]
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())


# ---- loading


def test_a_repository_is_loaded_by_name_and_offline_afterwards(published, monkeypatch):
    model = create_model(NAME, pretrained=True)
    assert_same(model, network(width=5))
    assert not model.training
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert_same(create_model(NAME, pretrained=True), model)


def test_without_weights_only_the_config_is_fetched(published):
    model = create_model(NAME)
    assert model.head.out_channels == 5
    assert model.training
    assert not [line for line in published.log if "safetensors" in line]


def test_arguments_can_be_replaced(published):
    assert create_model(NAME, width=7).head.out_channels == 7
    with pytest.raises(CheckpointError, match=r"does not fit small: .* with a wrong shape"):
        create_model(NAME, pretrained=True, width=7)


def test_a_revision_is_another_set_of_weights(published):
    published.add(REPOSITORY, {"model.safetensors": safetensors(network(seed=1, width=5))}, branch="v2")
    assert_same(create_model(NAME, pretrained=True), network(width=5))
    assert_same(create_model(f"{NAME}@v2", pretrained=True), network(seed=1, width=5))


def test_weights_that_change_are_refused_until_they_are_trusted(published):
    fetch_weights(NAME)
    published.add(REPOSITORY, {"model.safetensors": safetensors(network(seed=1, width=5))})
    assert_same(create_model(NAME, pretrained=True), network(width=5))  # repeatable: the copy in the cache
    Entry(NAME).clear()
    with pytest.raises(ChangedWeightsError, match=f"accept it: restorekit weights trust {NAME}"):
        create_model(NAME, pretrained=True)
    fetch_weights(NAME, trust=True)
    assert_same(create_model(NAME, pretrained=True), network(seed=1, width=5))


def test_a_repository_that_states_nothing_allows_nothing(published):
    known = create_model(NAME, pretrained=True).pretrained_config
    assert known.licence.summary == "not stated; commercial use not allowed"


def test_a_folder_is_loaded_by_name(tmp_path, model):
    push(model, REPOSITORY, about=ABOUT, dry_run=tmp_path)
    loaded = create_model(f"local-dir:{tmp_path}", pretrained=True)
    assert_same(loaded, model)
    assert loaded.pretrained_config.licence == LICENCE
    assert fetch_weights(f"local-dir:{tmp_path}") == tmp_path / "model.safetensors"
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(NotFoundError, match=r"no model\.safetensors in .*; model.save_pretrained\(folder\) writes such a folder"):
        create_model(f"local-dir:{tmp_path}", pretrained=True)


# ---- names and configs that are not believed


@pytest.mark.parametrize(
    "name",
    ["", "repo", "a/b/c", "../etc", "a/..", "lab/..", "lab/x@../../y", "lab/x@", "/lab/x", "lab/x--y", "http://lab/x", "lab/x\n"],
)
def test_a_name_that_is_none_is_refused(name, hub):
    with pytest.raises(WeightsError, match="is not the name of a repository; it must look like hf-hub:owner/repo"):
        create_model(f"hf-hub:{name}")
    assert hub.log == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b"<html>", "config.json of lab/small is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", 'does not say how the model is built; it must be a JSON object with "architecture"'),
        (b"{}", "does not say how the model is built"),
        (b'{"architecture": "small", "composition": {}}', "does not say how the model is built"),
        (b'{"architecture": ["small"]}', r"'architecture' is \['small'\], expected a str"),
        (b'{"architecture": "small", "arguments": [4]}', r"'arguments' is \[4\], expected a dict"),
        (b'{"architecture": "smal"}', "describes a model that cannot be built here: unknown model 'smal'; did you mean 'small'"),
        (b'{"architecture": "os.system"}', r"unknown model 'os\.system'"),
        (b'{"architecture": "restorekit.models.mprnet:mprnet"}', "unknown model"),
        (b'{"architecture": "small", "arguments": {"depth": 3}}', "cannot be built here: .*unexpected keyword argument 'depth'"),
        (b'{"architecture": "small", "arguments": {"width": "os.system"}}', "cannot be built here"),
        (b'{"architecture": "small", "arguments": {"width": -1}}', "cannot be built here: .*negative dimension"),
        (b"[" * 10**5, "is not JSON"),
        (
            b" " * 2**20 + b"{}",
            "is too large for a config: it has 1,048,578 bytes, and the limit is 1,048,576; .*RESTOREKIT_MAX_SIZE=2",
        ),
    ],
    ids=lambda case: case[:40] if isinstance(case, bytes) else "",
)
def test_a_config_that_is_none_is_refused(config, words, published, unchecked_annotations):
    published.add(REPOSITORY, {"config.json": config})
    with pytest.raises(CheckpointError, match=words):
        create_model(NAME, pretrained=True)
    assert Entry(NAME).cached() is None


def test_a_repository_without_config_is_explained(hub):
    hub.add(REPOSITORY, {"model.safetensors": b""})
    with pytest.raises(
        NotFoundError, match=r"config\.json of lab/small: no such file; the repository has model\.safetensors\. A repository"
    ):
        create_model(NAME)


def test_weights_that_do_not_fit_the_config_are_refused(published):
    published.add(REPOSITORY, {"model.safetensors": safetensors(network())})
    with pytest.raises(CheckpointError, match=r"model\.safetensors: .* does not fit small: .* with a wrong shape"):
        create_model(NAME, pretrained=True)


STATED = {"task": "derain", "training_data": "rain", "trained_by": "lab", "source": "paper"} | {
    "licence": {"name": "MIT", "commercial_use": True, "url": ""}
}


@pytest.mark.parametrize(
    "weights",
    [
        {"licence": "free"},
        {"licence": {"name": "free", "commercial_use": "yes", "url": ""}},
        {"licence": {"name": "x"}},
        {"task": 3},
        {"more": 1},
        {"metrics": [1]},
        {"metrics": [{"dataset": "x", "name": "PSNR", "value": "high", "protocol": "y"}]},
        {"size": "large"},
    ],
    ids=str,
)
def test_what_a_config_says_of_its_weights_is_checked(weights, published):
    published.add(REPOSITORY, {"config.json": json.dumps(CONFIG | {"weights": STATED | weights}).encode()})
    assert pretrained_config(NAME).licence.name == "not stated"


def test_what_a_config_says_of_its_weights_cannot_command_a_terminal(published):
    stated = STATED | {"trained_by": "lab\x1b[2J\nlicence: free"}
    published.add(REPOSITORY, {"config.json": json.dumps(CONFIG | {"weights": stated}).encode()})
    assert pretrained_config(NAME).trained_by == "lab [2J licence: free"
    assert pretrained_config(NAME).licence.name == "MIT"


def test_what_a_model_is_built_from_goes_there_and_back(model):
    assert config_of(model) == CONFIG | {"requires": ["_helpers"]}  # the package of its parts
    assert model_from_config(config_of(model), "here").head.out_channels == 5
    with pytest.raises(ValueError, match="this Small was not built by create_model"):
        config_of(network())
    register_model("made")(lambda make: make())
    with pytest.raises(ValueError, match="the arguments of made are not plain data"):
        config_of(create_model("made", make=Small))


# ---- publishing


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_x")


def composed():
    """Return a network that nobody registered."""
    return MultiStage([UNetStage((4, 6), "naf"), UNetStage((4, 6), guided=True)], grids=[(2, 1), (1, 1)], fuse="concat")


def test_what_is_pushed_loads_in_a_new_process_bit_by_bit(hub, token, model, tmp_path):
    """A registered model, a composition, a recurrence and three scales, in one process: its start is what takes time."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"a picture")
    address = model.push_to_hub(REPOSITORY, about=ABOUT, comparison=picture, examples=[picture])
    assert address.startswith(f"{hub.url}/")
    files = hub.files(REPOSITORY)
    assert set(files) == {"README.md", "config.json", "model.safetensors", "comparison.png", "examples/picture.png"}
    assert json.loads(files["config.json"])["arguments"] == {"width": 5}
    pushed = {
        "composed": composed(),
        "recurrent": create_model("prenet_r", width=4),
        "scales": create_model("mimo_unet", width=4, num_blocks=1),
    }
    for name, each in pushed.items():
        each.push_to_hub(f"lab/{name}")
    assert json.loads(hub.files("lab/composed")["config.json"])["composition"] == pushed["composed"].config
    program = f"""
from _helpers.small_model import Small
import restorekit
from restorekit.checkpoints.hub import content_of
restorekit.register_model("small")(Small)
for name in ["small", *{list(pushed)}]:
    model = restorekit.create_model("hf-hub:lab/" + name, pretrained=True)
    licence, tensors = model.pretrained_config.licence.name, len(list(model.parameters()))
    print(content_of(model.state_dict()), licence, model.size_multiple, tensors, sep="|")
"""
    assert run(["-c", program], hub, tmp_path / "home").stdout.splitlines() == [
        f"{content_of(each.state_dict())}|{licence}|{each.size_multiple}|{len(list(each.parameters()))}"
        for each, licence in [(model, "Test Licence"), *((each, "not stated") for each in pushed.values())]
    ]


def test_weights_that_must_not_be_passed_on_are_not_pushed(hub, token, tmp_path):
    """Not under another description either, and not to a folder."""
    model = create_model("prenet", width=4)
    model.pretrained_config = pretrained_config("prenet.rain100h")
    words = r"of the authors of PReNet must not be passed on \(no licence stated: all rights reserved\).*: https://github.com/csdw"
    for arguments in ({}, {"about": ABOUT}, {"dry_run": tmp_path / "folder"}):
        with pytest.raises(WeightsError, match=words):
            push(model, REPOSITORY, **arguments)
    with pytest.raises(WeightsError, match=words):
        push(create_model("prenet", width=4), REPOSITORY, about=pretrained_config("prenet.rain100h"))
    assert not hub.log
    assert not list(tmp_path.iterdir())


def test_a_mirror_is_not_asked_for_weights_that_must_not_be_passed_on(hub, monkeypatch):
    hub.add("authors/small", {"model.safetensors": safetensors(network())})
    known = about(HubFile("authors/small", "model.safetensors"), licence=ALL_RIGHTS_RESERVED)
    architectures._entries.pop("small")
    register_model("small", pretrained={"rain": known})(Small)
    monkeypatch.setenv("RESTOREKIT_MIRROR", "mylab")
    assert_same(create_model("small", pretrained=True), network())
    assert not [line for line in hub.log if "mylab" in line]


def test_a_saved_composition_is_rebuilt_from_its_folder(tmp_path):
    model = composed().eval()
    model.save_pretrained(tmp_path / "saved")
    again = create_model(f"local-dir:{tmp_path / 'saved'}", pretrained=True)
    image = torch.rand(1, 3, 8, 8)
    assert again.config == model.config
    assert torch.equal(again(image), model(image))


def test_what_cannot_be_rebuilt_is_not_saved(tmp_path):
    model = MultiStage([UNetStage((4, 6), lambda width: torch.nn.Conv2d(width, width, 3, padding=1))])
    with pytest.raises(ValueError, match=r"stages\[0\].block is .*lambda.*, which is not a registered block; register it"):
        model.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved" / "config.json").exists()


def test_a_composition_from_a_folder_names_registered_parts_only(tmp_path):
    composed().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["composition"]["stages"][0]["block"] = "os.system"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"cannot be built here: stages\[0\].block: unknown block 'os.system'"):
        create_model(f"local-dir:{tmp_path}")


def test_the_card_has_metadata_for_the_hub_and_text_for_people(hub, token, model):
    model.push_to_hub(REPOSITORY, about=ABOUT)
    _, metadata, text = hub.files(REPOSITORY)["README.md"].decode().split("---\n", 2)
    data = yaml.safe_load(metadata)
    assert data["library_name"] == "restorekit"
    assert data["pipeline_tag"] == "image-to-image"
    assert (data["license"], data["license_name"], data["license_link"]) == ("other", "test-licence", LICENCE.url)
    assert data["datasets"] == ["rain"]
    results = data["model-index"][0]["results"]
    assert [(r["dataset"]["name"], m["type"], m["value"]) for r in results for m in r["metrics"]] == [
        ("Rain100L", "psnr", 36.4),
        ("Rain100L", "ssim", 0.965),
    ]
    for words in (
        f'create_model("{NAME}", pretrained=True)',
        "Commercial use is **not allowed**",
        "by the lab on rain",
        "| Rain100L | PSNR | 36.40 dB |",
        "| Rain100L | SSIM | 0.965 |",
        "published; Y",
    ):
        assert words in text


def test_what_is_published_says_how_large_the_file_is(model, tmp_path):
    push(model, REPOSITORY, about=about(size=3), dry_run=tmp_path)
    size = json.loads((tmp_path / "config.json").read_text())["weights"]["size"]
    assert size == (tmp_path / "model.safetensors").stat().st_size


def test_the_credits_of_bundled_weights_go_with_them(tmp_path):
    (tmp_path / "terms").write_text("terms")
    push(create_model("mprnet_tiny", pretrained=True), REPOSITORY, dry_run=tmp_path, licence_file=tmp_path / "terms")
    assert "| CC-BY-4.0 | Jakkub Mede | train |" in (tmp_path / "README.md").read_text()


OTHERS = {
    "README.md": "# My project",
    "config.json": '{"architectures": ["Bert"]}',
    "model.safetensors": "no weights",
    "LICENSE": "mine",
    "comparison.png": "a photograph",
    "examples/picture.png": "a photograph",
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_others_in_the_folder_are_refused_and_stay(tmp_path, model, name):
    folder, picture, terms = tmp_path / "folder", tmp_path / "picture.png", tmp_path / "terms"
    picture.write_text("a picture")
    terms.write_text("terms")
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text(OTHERS[name])
    with pytest.raises(FileExistsError, match=f"folder contains {name}, which restorekit did not write, or which was edited since"):
        push(model, REPOSITORY, dry_run=folder, comparison=picture, examples=[picture], licence_file=terms)
    if name in ("README.md", "config.json", "model.safetensors"):
        with pytest.raises(FileExistsError, match=name):
            model.save_pretrained(folder)
    assert {path.read_text() for path in folder.rglob("*") if path.is_file()} == {OTHERS[name]}


def test_what_was_written_is_replaced_and_what_was_edited_is_not(tmp_path, model):
    for repository in ("lab/first", "lab/second"):
        push(model, repository, dry_run=tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card.count("# second") == 1
    (tmp_path / "README.md").write_text(card.replace("# second", "# My second"))
    with pytest.raises(FileExistsError, match=r"README.md, which restorekit did not write, or which was edited since"):
        model.save_pretrained(tmp_path)
    assert "# My second" in (tmp_path / "README.md").read_text()


def test_two_examples_of_one_name_are_refused(tmp_path, model):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_text(folder)
    with pytest.raises(WeightsError, match="two examples have the same name"):
        push(model, REPOSITORY, dry_run=tmp_path / "out", examples=[tmp_path / "a" / "x.png", tmp_path / "b" / "x.png"])


def test_a_model_of_which_nothing_is_known_says_so(tmp_path, model):
    push(model, REPOSITORY, dry_run=tmp_path)
    assert "No licence is stated" in (tmp_path / "README.md").read_text()
    assert "weights" not in json.loads((tmp_path / "config.json").read_text())


def test_private_branch_and_pull_request(hub, token, model):
    model.push_to_hub(REPOSITORY, private=True)
    assert hub.repositories[REPOSITORY].private
    main = hub.files(REPOSITORY)
    load_weights(model, network(seed=1, width=5).state_dict())
    model.push_to_hub(REPOSITORY, branch="v2")
    assert hub.files(REPOSITORY) == main
    assert hub.files(REPOSITORY, "v2")["model.safetensors"] != main["model.safetensors"]
    assert model.push_to_hub(REPOSITORY, pull_request=True).endswith("/discussions/1")
    assert hub.files(REPOSITORY) == main
    assert hub.files(REPOSITORY, "refs/pr/1")["model.safetensors"] != main["model.safetensors"]


def test_a_dry_run_asks_nobody(hub, model, tmp_path):
    assert model.push_to_hub(REPOSITORY, dry_run=tmp_path / "new") == str(tmp_path / "new")
    assert hub.log == []


@pytest.mark.parametrize("fault", [401, 403])
def test_a_push_without_the_right_is_explained(fault, hub, token, model):
    hub.fail("POST /api/(repos|models)", faults.status(fault))
    with pytest.raises(AccessError, match=rf"lab/small: access refused \(HTTP {fault}\).*set HF_TOKEN"):
        model.push_to_hub(REPOSITORY)


def test_a_push_that_is_offline_is_explained(hub, model, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE is set"):
        model.push_to_hub(REPOSITORY)


def test_the_text_of_the_licence_goes_with_the_weights(hub, model, tmp_path):
    hub.add("lab/licences", {"LICENSE.md": b"the terms"})
    url = f"{hub.url}/lab/licences/resolve/main/LICENSE.md"
    known = about(licence=WeightsLicence("Test Licence", False, "https://example.org", text_url=url))
    push(model, REPOSITORY, about=known, dry_run=tmp_path)
    assert (tmp_path / "LICENSE").read_text() == "the terms"
    for fault in (faults.page, faults.status(500)):
        hub.heal()
        hub.fail("LICENSE", fault)
        with pytest.raises(
            WeightsError, match=r"Test Licence requires its text next to the weights: .* or pass the text as licence_file"
        ):
            push(model, REPOSITORY, about=known, dry_run=tmp_path)
    (tmp_path / "mine.txt").write_text("my copy")
    push(model, REPOSITORY, about=known, dry_run=tmp_path / "second", licence_file=tmp_path / "mine.txt")
    assert (tmp_path / "second" / "LICENSE").read_text() == "my copy"


def test_a_picture_that_is_not_there_is_named(model, tmp_path):
    with pytest.raises(WeightsError, match=r"no file at .*none\.png"):
        push(model, REPOSITORY, comparison=tmp_path / "none.png", dry_run=tmp_path)


def test_a_mirror_republishes_weights_and_serves_them(hub, token, monkeypatch, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(safetensors(network()))
    (tmp_path / "LICENSE").write_text("terms")
    from restorekit.provenance import HubFile, LocalFile

    architectures._entries.pop("small")
    register_model("small", pretrained={"rain": about(LocalFile(tmp_path / "w.safetensors"), HubFile("authors/gone", "*"))})(Small)
    push(create_model("small", pretrained=True), "mylab/small.rain")
    (tmp_path / "w.safetensors").unlink()
    monkeypatch.setenv("RESTOREKIT_MIRROR", "mylab")
    assert_same(create_model("small", pretrained=True), network())


def test_bundled_weights_that_were_changed_are_refused(monkeypatch):
    architectures._entries.pop("small")
    known = about(Bundled("mprnet_tiny.denoise.safetensors", "0" * 64), licence=APACHE)
    register_model("small", pretrained={"rain": known})(Small)
    with pytest.raises(IntegrityError, match=r"has sha256 \w+, pinned is 0+; restore the original file"):
        create_model("small", pretrained=True)
