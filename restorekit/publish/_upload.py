"""A model as a repository that anyone can load by name: weights, config, card, licence."""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from restorekit._files import write_json
from restorekit.checkpoints import save_weights
from restorekit.checkpoints.hub import CONFIG_FILE, WEIGHTS_FILE, WeightsError, about_to_data, client, patiently
from restorekit.models import config_of, metadata_of
from restorekit.network import RestorationNetwork
from restorekit.provenance import PretrainedConfig, WeightsLicence
from restorekit.publish._card import model_card

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
        WeightsError: if the Hub refuses, or the text of the licence is not available.
    """
    about = about or model.pretrained_config
    missing = [str(path) for path in (comparison, licence_file, *examples) if path is not None and not path.is_file()]
    if missing:
        raise WeightsError(f"there is no file at {', '.join(missing)}")

    def write(folder: Path) -> None:
        if licence_file is not None:
            shutil.copyfile(licence_file, folder / LICENCE_FILE)
        elif about is not None and about.licence.text_url:
            (folder / LICENCE_FILE).write_text(_text_of(about.licence, about.licence.text_url))
        _write_model(model, folder, repository, about, comparison, examples)

    if dry_run is not None:
        dry_run.mkdir(parents=True, exist_ok=True)
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


def save(model: RestorationNetwork, folder: str | os.PathLike[str]) -> None:
    """Write a model to a folder: weights, config, card. ``create_model("local-dir:folder", pretrained=True)`` loads it.

    Args:
        model: a model that was built by name, or composed of registered parts.
        folder: folder to write to; it is created if it does not exist.

    Raises:
        ValueError: if the model is neither of these, so that it could not be built again.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_model(model, folder, folder.resolve().name, model.pretrained_config, None, ())


def _write_model(
    model: RestorationNetwork,
    folder: Path,
    repository: str,
    about: PretrainedConfig | None,
    comparison: Path | None,
    examples: Sequence[Path],
) -> None:
    config = config_of(model)
    save_weights(model, folder / WEIGHTS_FILE, metadata_of(config))
    if about is not None:
        about = dataclasses.replace(about, size=(folder / WEIGHTS_FILE).stat().st_size)
    write_json(folder / CONFIG_FILE, config | ({"weights": about_to_data(about)} if about else {}))
    picture = None
    if comparison is not None:
        picture = f"comparison{comparison.suffix}"
        shutil.copyfile(comparison, folder / picture)
    for example in examples:
        (folder / "examples").mkdir(exist_ok=True)
        shutil.copyfile(example, folder / "examples" / example.name)
    card = model_card(model, repository, config, about, picture, [f"examples/{example.name}" for example in examples])
    (folder / "README.md").write_text(card)


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
