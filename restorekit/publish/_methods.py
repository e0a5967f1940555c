"""Implementations of the network methods with the same names; the network itself does not depend on the Hub."""

import os
from pathlib import Path
from typing import Any

from restorekit.network import RestorationNetwork
from restorekit.publish._upload import push, save


def save_pretrained(network: RestorationNetwork, folder: str | os.PathLike[str]) -> None:
    """Write weights, config and card to a folder; ``create_model("local-dir:folder", pretrained=True)`` loads it.

    Args:
        network: the network, as ``self``.
        folder: folder to write to; it is created if it does not exist.
    """
    save(network, Path(folder))


def push_to_hub(network: RestorationNetwork, repository: str, **options: Any) -> str:
    """Publish the network on the Hugging Face Hub; return the address of the commit.

    Args:
        network: the network, as ``self``.
        repository: ``"owner/repo"``.
        **options: options of :func:`restorekit.publish.push`.
    """
    return push(network, repository, **options)
