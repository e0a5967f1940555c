"""Which files in a folder may be replaced by those of a model: the ones that an earlier call wrote."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from restorekit.checkpoints.hub import CONFIG_FILE, WEIGHTS_FILE
from restorekit.publish._card import is_own_card

CARD_FILE = "README.md"
OURS = {"architecture", "composition"}  # one of these is in every config, and in the metadata of its weights


def check_replaceable(folder: Path, given: Mapping[str, bytes]) -> None:
    """Raise an error if the files of a model would replace files that were not written by this library, or edited since.

    Args:
        folder: folder to write to.
        given: contents of further files, by name; those with the same content may stay.

    Raises:
        FileExistsError: if there are such files.
    """
    own: dict[str, Callable[[Path], bool]] = {WEIGHTS_FILE: _are_own_weights, CONFIG_FILE: _is_own_config, CARD_FILE: _is_own_card}
    foreign = [name for name, is_own in own.items() if (folder / name).exists() and not _holds(is_own, folder / name)]
    foreign += [name for name, content in given.items() if (folder / name).exists() and not _has(folder / name, content)]
    if foreign:
        raise FileExistsError(
            f"{folder} contains {', '.join(foreign)}, which restorekit did not write, or which was edited since; move it, or "
            "choose another folder"
        )


def _holds(is_own: Callable[[Path], bool], path: Path) -> bool:
    try:
        return path.is_file() and is_own(path)
    except (OSError, ValueError, RecursionError, SafetensorError):
        return False


def _has(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _are_own_weights(path: Path) -> bool:
    with safe_open(path, "pt") as file:
        return bool(OURS & (file.metadata() or {}).keys())


def _is_own_config(path: Path) -> bool:
    content = json.loads(path.read_bytes())
    return isinstance(content, dict) and bool(OURS & content.keys())


def _is_own_card(path: Path) -> bool:
    return is_own_card(path.read_text(encoding="utf-8"))
