"""The weights that come with the package."""

import hashlib

import pytest

from restorekit import create_model, list_models
from restorekit.models import pretrained_config

BUNDLED = [name for name in list_models(pretrained=True) if pretrained_config(name).bundled_path()]


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_weights_are_the_ones_that_are_declared(name: str) -> None:
    config = pretrained_config(name)
    path = config.bundled_path()
    assert path is not None
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == config.sources[0].sha256
    assert len(content) == config.size
    assert config.licence.commercial_use
    card = path.with_suffix(".md").read_text()
    assert config.licence.name in card
    assert "CC-BY-4.0" in card, "the photographs ask for credit"
    assert not create_model(name, pretrained=True).training


def test_weights_that_may_not_be_bundled_are_not() -> None:
    assert {name.partition(".")[0] for name in BUNDLED} == {"mprnet_tiny", "nafnet_tiny"}
    assert all(pretrained_config(name).bundled_path() is None for name in list_models(pretrained=True, commercial_use=False))
