"""The network that an argument names: weights by name, a checkpoint, or a composition."""

from pathlib import Path

from restorekit.checkpoints import load_weights
from restorekit.composition import compose, read_config
from restorekit.models import create_model, fetch_weights, model_from_checkpoint
from restorekit.network import RestorationNetwork

COMPOSITIONS = (".json", ".toml")


def load(model: str) -> tuple[RestorationNetwork, Path | None]:
    """Return the requested model, and the file of its weights.

    Args:
        model: name of a set of weights, or the path of a checkpoint.

    Raises:
        ValueError: if there is no such model, or its weights cannot be used.
    """
    path = Path(model)
    if path.is_file():
        return model_from_checkpoint(path)[0], path
    return create_model(model, pretrained=True), fetch_weights(model)


def load_with(model: str, weights: Path | None) -> RestorationNetwork:
    """Return the requested model with weights from a file, if there is one.

    Args:
        model: as for :func:`load`, or with weights also the name of an architecture or the path of a composition.
        weights: the file.

    Raises:
        ValueError: if there is no such model, or its weights cannot be used.
    """
    composition = Path(model).suffix in COMPOSITIONS
    if weights is None:
        if composition:
            raise ValueError(f"{model} has no weights; pass those it was trained to, with --weights FILE")
        return load(model)[0]
    if not composition:
        return create_model(model, pretrained=weights)
    network = compose(read_config(model))
    load_weights(network, weights)
    return network.eval()
