"""Other programs: spandrel computes the same from what is exported. With the group ``interop``: pytest -n 0 -m interop."""

import pytest
import torch

from _helpers.parity_fill import picture
from restorekit import create_model, load_weights
from restorekit.checkpoints import save_original_weights

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is:FutureWarning"),  # some of its networks use it
]

ARGUMENTS = {"width": 40, "unet_step": 20, "ors_step": 16, "num_blocks": 8}


@pytest.fixture(scope="module")
def loader():
    import spandrel
    import spandrel_extra_arches

    spandrel_extra_arches.install(ignore_duplicates=True)
    return spandrel.ModelLoader()


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return create_model("mprnet", **ARGUMENTS).eval()


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_spandrel_loads_what_is_exported_and_computes_the_same(kind, loader, model, tmp_path):
    save_original_weights(model, tmp_path / f"model.{kind}")
    other = loader.load_from_file(tmp_path / f"model.{kind}")
    assert other.architecture.id == "MPRNet"
    image = torch.from_numpy(picture((1, 3, 32, 40), 3)).float()
    with torch.no_grad():
        torch.testing.assert_close(other(image), model(image).clamp(0, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("wrapper", ["params", "params_ema", None])
def test_what_spandrel_holds_loads_here(wrapper, loader, model, tmp_path):
    save_original_weights(model, tmp_path / "model.pth")
    state = loader.load_from_file(tmp_path / "model.pth").model.state_dict()
    torch.save({wrapper: state} if wrapper else state, tmp_path / "theirs.pth")
    loaded = load_weights(create_model("mprnet", **ARGUMENTS), tmp_path / "theirs.pth")
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in loaded.state_dict().items())
