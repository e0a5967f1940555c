"""Weights are read strictly, nothing in a file is executed, and nothing is half done."""

import json
import os
import pickle
import stat
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import restorekit
from _helpers.leftover import leftover
from restorekit import CheckpointError, create_model, load_weights
from restorekit._files import atomic_path, remove_leftovers, write_json
from restorekit.checkpoints import original_names, read_checkpoint, save_original_weights, save_weights, unwrap
from restorekit.checkpoints.formats import read_metadata
from restorekit.models import model_from_checkpoint

ARGUMENTS = {"width": 4, "unet_step": 2, "ors_step": 2, "num_blocks": 1}
SLOPE = "stages.2.orbs.2.blocks.0.act.weight"  # a later one of the names of the PReLU slope that all blocks share


@pytest.fixture(scope="module")
def source():
    """A small model whose weights the tests write, break and read; nothing changes it."""
    torch.manual_seed(1)
    return create_model("mprnet", **ARGUMENTS)


@pytest.fixture
def state(source):
    return {name: tensor.clone() for name, tensor in source.state_dict().items()}


@pytest.fixture
def model():
    return create_model("mprnet", **ARGUMENTS)


def original_state(model):
    """Return the state dict of a model as the authors' code would name it."""
    theirs = {ours: original for original, ours in original_names(model).items()}
    modules = [(name.rpartition("."), tensor) for name, tensor in model.state_dict().items()]
    return {f"{theirs[module]}.{parameter}": tensor.clone() for (module, _, parameter), tensor in modules}


def assert_same_state(model, state):
    assert {name: tensor.dtype for name, tensor in model.state_dict().items()} == dict.fromkeys(state, torch.float32)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name].float()), name


# ---- weights that do not fit


def drop(state):
    del state["heads.0.to_image.weight"]


def add(state):
    state["head.extra"] = torch.zeros(1)


def misshape(state):
    state["heads.0.to_image.weight"] = state["heads.0.to_image.weight"][:, :, 1:]


def set_nan(state):
    state["heads.0.to_image.weight"][0, 0, 0, 0] = torch.nan


def set_infinite(state):
    state["heads.0.to_image.weight"][0, 0, 0, 0] = -torch.inf


def part_the_shared(state):
    state[SLOPE] = state[SLOPE] + 1


FAULTS = {
    drop: r"1 missing \(heads\.0\.to_image\.weight\)",
    add: r"1 unexpected \(head\.extra\)",
    misshape: r"1 with a wrong shape \(heads\.0\.to_image\.weight is \(3, 6, 2, 3\), expected \(3, 6, 3, 3\)\)",
    set_nan: r"1 NaN or infinite \(heads\.0\.to_image\.weight\)",
    set_infinite: r"1 NaN or infinite \(heads\.0\.to_image\.weight\)",
    part_the_shared: r"1 shared by the model, different in the file \(stages\.2\.orbs\.2\.blocks\.0\.act\.weight\)",
}
every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)


@every_fault
def test_weights_that_do_not_fit_are_refused_and_change_nothing(fault, state, model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fault(state)
    with pytest.raises(CheckpointError, match=f"state dict does not fit mprnet: .*{FAULTS[fault]}"):
        load_weights(model, state)
    assert_same_state(model, before)


@every_fault
def test_the_file_that_does_not_fit_is_named(fault, state, model, tmp_path):
    fault(state)
    for path in (tmp_path / "weights.pth", tmp_path / "weights.safetensors"):
        torch.save(state, path) if path.suffix == ".pth" else save_file(
            {name: tensor.contiguous() for name, tensor in state.items()}, path
        )
        with pytest.raises(CheckpointError, match=f"{path.name} does not fit mprnet: .*{FAULTS[fault]}"):
            load_weights(model, path)


def test_all_that_is_wrong_is_told_at_once(state, model):
    drop(state)
    add(state)
    state["stems.0.0.0.weight"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=r"1 missing .*; 1 unexpected .*; 1 with a wrong shape"):
        load_weights(model, state)


def test_another_networks_weights_are_refused_with_a_few_examples(model):
    with pytest.raises(CheckpointError, match=r"missing \(.*, .*, .*, \.\.\.\); 1 unexpected \(body\.weight\)"):
        load_weights(model, {"body.weight": torch.zeros(3, 3)})


def test_an_original_name_that_the_table_lacks_is_refused(source, model):
    state = original_state(source)
    state["stage4.body.0.weight"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=r"1 unexpected \(stage4\.body\.0\.weight\)"):
        load_weights(model, state)


def test_the_original_names_of_another_size_are_refused(source):
    with pytest.raises(CheckpointError, match=r"missing .*; .* with a wrong shape"):
        load_weights(create_model("mprnet", **ARGUMENTS | {"width": 8, "num_blocks": 2}), original_state(source))


# ---- files that are not checkpoints


@pytest.fixture
def weights(tmp_path, source):
    """Return the path of a sound checkpoint of a kind."""

    def write(kind):
        path = tmp_path / f"weights.{kind}"
        if kind == "safetensors":
            save_weights(source, path)
        else:
            torch.save(source.state_dict(), path)
        return path

    return write


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(kind, kept, weights, model):
    path = weights(kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=rf"weights\.{kind} is truncated or not a"):
        load_weights(model, path)
    assert_same_state(model, before)


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"hello, I am text\n", b"<!DOCTYPE html>\n" * 20, bytes(64), b"PK\x03\x04" + bytes(60), b"\xff" * 64], ids=repr
)
def test_another_kind_of_file_is_refused(kind, content, tmp_path, model):
    path = tmp_path / f"weights.{kind}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"weights\.{kind} is truncated or not a") as caught:
        load_weights(model, path)
    assert "weights_only" not in str(caught.value)  # PyTorch's own message advises to run what is in the file


def test_a_zip_that_is_no_checkpoint_is_refused(tmp_path, model):
    import zipfile

    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"weights\.pth is truncated or not a checkpoint"):
        load_weights(model, path)


@pytest.mark.parametrize("name", ["none.pth", "none.safetensors"])
def test_a_missing_file_is_named(name, tmp_path, model):
    with pytest.raises(CheckpointError, match=f"no checkpoint at .*{(tmp_path / name).name}"):
        load_weights(model, tmp_path / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (torch.zeros(3), "contains no state dict: got Tensor, expected names and tensors"),
        ({}, "contains no state dict: got dict"),
        ([torch.zeros(3)], "contains no state dict: got list"),
        ({"epoch": 3}, "contains no state dict: 'epoch' is a int, expected a tensor"),
        ({1: torch.zeros(3)}, "contains no state dict: 1 is a Tensor"),
        ({"state_dict": {}}, "contains no state dict: got dict"),
    ],
    ids=str,
)
def test_a_file_without_a_state_dict_is_refused(content, words, tmp_path, model):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=rf"weights\.pth {words}"):
        load_weights(model, tmp_path / "weights.pth")


# ---- pickles that want to run code


class Code:
    """Unpickles to a call that creates a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("where", ["zip", "old format", "bare pickle"])
def test_a_pickle_that_wants_to_run_code_is_refused_and_not_run(where, tmp_path, state, model):
    marker = tmp_path / "it_ran"
    content = {"state_dict": state, "hook": Code(marker)}
    path = tmp_path / "weights.pth"
    if where == "bare pickle":
        path.write_bytes(pickle.dumps(Code(marker), protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=where == "zip")
    with pytest.raises(CheckpointError, match=rf"run code \({os.mkdir.__module__}\.mkdir\) and is refused; ask its author for"):
        load_weights(model, path)
    assert not marker.exists()


def test_the_code_of_that_pickle_would_have_run(tmp_path):
    """The test above proves something: an ordinary unpickler does create the marker."""
    pickle.loads(pickle.dumps(Code(tmp_path / "it_ran")))
    assert (tmp_path / "it_ran").exists()


# ---- round trips


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_file_round_trip(kind, weights, model, source):
    assert load_weights(model, weights(kind)) is model
    assert_same_state(model, source.state_dict())


def test_the_old_format_of_torch_is_read(tmp_path, source, model):
    torch.save(source.state_dict(), tmp_path / "weights.pth", _use_new_zipfile_serialization=False)
    assert_same_state(load_weights(model, tmp_path / "weights.pth"), source.state_dict())


def test_shared_parameters_are_written_once_for_each_name_and_stay_shared(tmp_path, source, model):
    save_weights(source, tmp_path / "weights.safetensors")
    stored = load_file(tmp_path / "weights.safetensors")
    assert set(stored) == set(source.state_dict())
    assert len({id(p) for p in model.parameters()}) < len(stored)
    load_weights(model, tmp_path / "weights.safetensors")
    slopes = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.PReLU)}
    assert len(slopes) == 1
    model.get_parameter(SLOPE).data.fill_(0.5)
    assert model.get_parameter("stages.2.orbs.0.blocks.0.act.weight").item() == 0.5


def test_weights_stored_in_half_precision_load_into_float32(tmp_path, source, model):
    half = {name: tensor.half() for name, tensor in source.state_dict().items()}
    save_file({name: tensor.clone() for name, tensor in half.items()}, tmp_path / "weights.safetensors")
    assert_same_state(load_weights(model, tmp_path / "weights.safetensors"), half)


def test_metadata_is_kept(tmp_path, source):
    path = tmp_path / "weights.safetensors"
    save_weights(source, path, {"architecture": "mprnet", "note": "a"})
    assert read_metadata(path) == {"architecture": "mprnet", "note": "a"}
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["note"] == "a"


@pytest.mark.parametrize("content", [b"", b"text" * 20])
def test_metadata_of_another_kind_of_file_is_an_error(content, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights\.safetensors is truncated or not a safetensors file"):
        read_metadata(tmp_path / "weights.safetensors")


def test_wrappers_are_undone_in_the_order_of_preference(state):
    zeros = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    assert unwrap({"params": zeros, "params_ema": state}, "file").keys() == state.keys()
    assert unwrap({"params": zeros, "params_ema": state}, "file")[SLOPE].item() == state[SLOPE].item()
    assert unwrap({"state_dict": OrderedDict(state), "epoch": 1}, "file").keys() == state.keys()


def test_a_state_dict_in_our_names_is_read_as_it_is(tmp_path, state):
    torch.save({"epoch": 1, "optimizer": {"lr": 0.1}, "state_dict": state}, tmp_path / "weights.pth")
    assert read_checkpoint(tmp_path / "weights.pth").keys() == state.keys()


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_weights_are_written_under_the_original_names(kind, tmp_path, source, model):
    path = tmp_path / f"original.{kind}"
    save_original_weights(source, path)
    assert set(read_checkpoint(path)) == set(original_state(source))
    assert_same_state(load_weights(model, path), source.state_dict())


def test_a_model_that_was_never_published_has_no_original_names(tmp_path):
    stages = [restorekit.create_stage("unet", (4, 6))]
    with pytest.raises(ValueError, match=r".* has no original name; only models of published networks have original names"):
        save_original_weights(restorekit.MultiStage(stages), tmp_path / "original.pth")
    assert list(tmp_path.iterdir()) == []


# ---- writing


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("before", [None, "old"])
def test_an_error_leaves_no_partial_file(before, tmp_path):
    path = tmp_path / "file.txt"
    if before:
        path.write_text(before)

    def write():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [file.read_text() for file in tmp_path.iterdir()] == ([before] if before else [])


@pytest.mark.parametrize("name", ["a.png", "a", "a.b.png", "ü" * 125 + ".png"])
def test_leftovers_are_only_what_this_library_wrote(tmp_path, name):
    mine = [f".{Path(name).stem}.abcdefgh.part.png", ".a.png", ".a.abcdefgh.png", ".a.restorekit-part.png", ".notes.md"]
    for other in (*mine, ".b.abcdefgh.restorekit-part.png"):  # the last is of another file, which may be being written
        if len(os.fsencode(other)) < 256:
            (tmp_path / other).write_text("mine")
    (tmp_path / ".a.abcdefgh.restorekit-part.png").mkdir()
    before = sorted(tmp_path.iterdir())
    left = leftover(tmp_path / name)
    assert left.parent == tmp_path
    assert len(list(tmp_path.iterdir())) == len(before) + 1
    remove_leftovers([tmp_path / name])
    assert sorted(tmp_path.iterdir()) == before
    with atomic_path(tmp_path / name) as temporary:
        remove_leftovers([tmp_path / name])  # as another process does: this one is still writing
        temporary.write_text("new")
    assert (tmp_path / name).read_text() == "new"


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "ordinary").touch()
    write_json(tmp_path / "file.json", {"a": 1})
    assert json.loads((tmp_path / "file.json").read_text()) == {"a": 1}
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "file.json")}
    assert len(modes) == 1


# ---- create_model and files


def test_create_model_takes_the_path_of_a_checkpoint(weights, source):
    for path in (weights("pth"), str(weights("safetensors"))):
        model = create_model("mprnet", pretrained=path, **ARGUMENTS)
        assert_same_state(model, source.state_dict())
        assert not model.training


def test_create_model_without_weights_is_in_training_mode():
    assert create_model("mprnet", **ARGUMENTS).training


def test_an_unknown_argument_is_a_type_error():
    for name in ("mprnet", "mprnet_deblur"):
        with pytest.raises(TypeError, match="n_feat"):
            create_model(name, n_feat=96)


def test_two_tags_that_differ_are_refused():
    with pytest.raises(ValueError, match="two tags for 'mprnet_deblur': 'gopro' in the name, 'sidd' as pretrained"):
        create_model("mprnet_deblur.gopro", pretrained="sidd")


def test_an_unknown_tag_is_refused_before_anything_is_built():
    with pytest.raises(ValueError, match="unknown tag 'goprp' of model 'mprnet_deblur'; did you mean 'gopro'"):
        create_model("mprnet_deblur", pretrained="goprp")


@pytest.mark.parametrize("pretrained", [True, "gopro"])
def test_weights_that_cannot_be_had_say_where_they_were_looked_for(pretrained):
    with pytest.raises(CheckpointError, match=r"mprnet_deblur\.gopro are not available:\n- deepinv/MPRNet: HF_HUB_OFFLINE is set"):
        create_model("mprnet_deblur", pretrained=pretrained)


def test_bundled_weights_load():
    names = restorekit.list_models("mprnet_tiny.*", pretrained=True)
    assert names
    for name in names:
        assert not create_model(name, pretrained=True).training


def test_a_file_of_this_library_says_which_model_it_is_for(tmp_path, source):
    path = tmp_path / "weights.safetensors"
    metadata = {"architecture": "mprnet", "arguments": json.dumps(ARGUMENTS)}
    save_weights(source, path, metadata)
    model, found = model_from_checkpoint(path)
    assert found == metadata
    assert_same_state(model, source.state_dict())
    assert not model.training


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_the_model_of_an_original_checkpoint_is_recognised(kind, tmp_path, source):
    path = tmp_path / f"weights.{kind}"
    state = original_state(source)
    torch.save({"epoch": 1, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path) if kind == "pth" else save_file(
        state, path
    )
    model, metadata = model_from_checkpoint(path)
    assert_same_state(model, source.state_dict())
    assert not model.training
    assert metadata["architecture"] == "mprnet"
    save_weights(model, tmp_path / "converted.safetensors", metadata)
    assert_same_state(model_from_checkpoint(tmp_path / "converted.safetensors")[0], source.state_dict())


def test_a_checkpoint_of_no_registered_model_is_refused(tmp_path):
    torch.save({"body.weight": torch.zeros(1)}, tmp_path / "weights.pth")
    with pytest.raises(
        CheckpointError,
        match=r"does not belong to a registered model: 1 tensors, starting with body\.weight; .*recognised: .*mprnet",
    ):
        model_from_checkpoint(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            {"arguments": "{width"},
            "'arguments' in its metadata is '{width', which is not JSON; if you know the model, create_model",
        ),
        ({"arguments": "[8]"}, r"\(its metadata\): 'arguments' is \[8\], expected a dict"),
        ({"composition": "{}"}, r"\(its metadata\) does not say how the model is built; it must be"),
    ],
    ids=lambda case: str(case) if isinstance(case, dict) else "",
)
def test_metadata_that_cannot_be_used_are_refused(metadata, words, tmp_path, source):
    save_weights(source, tmp_path / "weights.safetensors", {"architecture": "mprnet"} | metadata)
    with pytest.raises(CheckpointError, match=rf"weights\.safetensors .*{words}"):
        model_from_checkpoint(tmp_path / "weights.safetensors")


def test_a_checkpoint_of_an_unknown_architecture_is_refused(tmp_path, source):
    save_weights(source, tmp_path / "weights.safetensors", {"architecture": "mprnett"})
    with pytest.raises(ValueError, match="unknown model 'mprnett'; did you mean 'mprnet'"):
        model_from_checkpoint(tmp_path / "weights.safetensors")
