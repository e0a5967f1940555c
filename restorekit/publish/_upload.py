"""A model as a repository that anyone can load by name: weights, config, card, licence."""

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from restorekit._files import atomic_path, make_folder, write_json
from restorekit.checkpoints import save_weights
from restorekit.checkpoints.hub import CONFIG_FILE, WEIGHTS_FILE, WeightsError, about_to_data, client, patiently
from restorekit.models import config_of, metadata_of
from restorekit.network import RestorationNetwork
from restorekit.provenance import PretrainedConfig, WeightsLicence
from restorekit.publish._card import model_card
from restorekit.publish._replaceable import CARD_FILE, check_replaceable

LICENCE_FILE = "LICENSE"


def push(
    model: RestorationNetwork,
    repository: str,
    *,
    about: PretrainedConfig | None = None,
    comparison: Path | None = None,
    examples: Sequence[Path] = (),
    licence_file: Path | None = None,
    private: bool = False,
    branch: str | None = None,
    pull_request: bool = False,
    message: str = "Upload a model with restorekit",
    dry_run: Path | None = None,
) -> str:
    """Publish a model on the Hub; ``create_model("hf-hub:owner/repo", pretrained=True)`` then loads it anywhere.

    The repository contains weights (safetensors), config (registered name and arguments, or composition), a model card with
    metadata, the text of the licence, and any given pictures. The token comes from ``hf auth login`` or HF_TOKEN.

    Args:
        model: a model that was built by name, or composed of registered parts.
        repository: ``"owner/repo"``; it is created if it does not exist.
        about: provenance and licence of the weights; by default, those that the model was loaded with.
        comparison: picture of degraded and restored images, for the card.
        examples: pictures for the folder ``examples``.
        licence_file: text of the licence; by default it is downloaded from the address in the licence.
        private: whether a new repository is private.
        branch: branch to write to; it is created if it does not exist.
        pull_request: whether to open a pull request instead of writing to the branch.
        message: message of the commit.
        dry_run: folder to write to instead of the Hub; it can be loaded under the name ``"local-dir:folder"``.

    Returns:
        Address of the commit or of the pull request, or the folder of a dry run.

    Raises:
        ValueError: if the model is neither of these, so that it could not be built again.
        FileExistsError: if the folder of a dry run contains files of these names that this function did not write, or that were
            changed.
        WeightsError: if the weights must not be passed on, the Hub refuses, or the text of the licence is not available.
    """
    for each in (model.pretrained_config, about):
        if each is not None:
            check_redistributable(each)
    about = about or model.pretrained_config
    missing = [str(path) for path in (comparison, licence_file, *examples) if path is not None and not path.is_file()]
    if missing:
        raise WeightsError(f"there is no file at {', '.join(missing)}")

    if len({path.name for path in examples}) < len(examples):
        raise WeightsError("two examples have the same name, so that one would replace the other; rename one")

    def write(folder: Path) -> None:
        licence = None
        if licence_file is not None:
            licence = licence_file.read_bytes()
        elif about is not None and about.licence.text_url:
            licence = _text_of(about.licence, about.licence.text_url).encode()
        _write_model(model, folder, repository, about, comparison, examples, licence)

    if dry_run is not None:
        make_folder(dry_run)
        write(dry_run)
        return str(dry_run)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder)

        def upload() -> str:
            api = client()
            api.create_repo(repository, private=private, exist_ok=True)
            if branch is not None:
                api.create_branch(repository, branch=branch, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repository, folder_path=folder, revision=branch, create_pr=pull_request, commit_message=message
            )
            return str(commit.pr_url or commit.commit_url)

        size = sum(path.stat().st_size for path in folder.rglob("*"))
        return patiently(upload, repository, size, attempts=1)


def check_redistributable(about: PretrainedConfig) -> None:
    """Raise a ``WeightsError`` if the licence of weights does not allow passing them on."""
    if not about.licence.redistribution:
        raise WeightsError(
            f"the weights of {about.trained_by} must not be passed on ({about.licence.name}), so they are not pushed; others "
            f"fetch them from their authors: {about.source}; you can push weights that you trained"
        )


def save(model: RestorationNetwork, folder: str | os.PathLike[str]) -> None:
    """Write a model to a folder: weights, config, card. ``create_model("local-dir:folder", pretrained=True)`` loads it.

    Args:
        model: a model that was built by name, or composed of registered parts.
        folder: folder to write to; it is created if it does not exist.

    Raises:
        ValueError: if the model is neither of these, so that it could not be built again.
        FileExistsError: if the folder contains files of these names that this function did not write, or a card that was edited.
    """
    folder = Path(folder)
    make_folder(folder)
    _write_model(model, folder, folder.resolve().name, model.pretrained_config, None, ())


def _write_model(
    model: RestorationNetwork,
    folder: Path,
    repository: str,
    about: PretrainedConfig | None,
    comparison: Path | None,
    examples: Sequence[Path],
    licence: bytes | None = None,
) -> None:
    config = config_of(model)
    given = {f"examples/{example.name}": example.read_bytes() for example in examples}
    picture = None
    if comparison is not None:
        picture = f"comparison{comparison.suffix}"
        given[picture] = comparison.read_bytes()
    if licence is not None:
        given[LICENCE_FILE] = licence
    card = model_card(model, repository, config, about, picture, [name for name in given if name.startswith("examples/")])
    check_replaceable(folder, given)
    save_weights(model, folder / WEIGHTS_FILE, metadata_of(config))
    if about is not None:
        about = dataclasses.replace(about, size=(folder / WEIGHTS_FILE).stat().st_size)
    write_json(folder / CONFIG_FILE, config | ({"weights": about_to_data(about)} if about else {}))
    for name, content in {**given, CARD_FILE: card.encode()}.items():
        make_folder((folder / name).parent)
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)


def _text_of(licence: WeightsLicence, url: str) -> str:
    from huggingface_hub import constants, get_session

    instead = "or pass the text as licence_file (--licence-file)"
    try:
        answer = patiently(lambda: get_session().get(url, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT), url, attempts=1)
    except WeightsError as error:
        raise type(error)(f"{licence.name} requires its text next to the weights: {error}, {instead}") from error
    if answer.status_code != 200 or answer.text.lstrip().startswith("<"):
        raise WeightsError(
            f"{licence.name} requires its text next to the weights: {url} does not have it (HTTP {answer.status_code}); {instead}"
        )
    return answer.text
