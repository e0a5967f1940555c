"""The model card: information about a model for readers and for the Hub."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from restorekit.network import RestorationNetwork
from restorekit.provenance import PretrainedConfig

SIGNATURE = re.compile(r"\n<!-- restorekit replaces this file unless it was edited: ([0-9a-f]{64}) -->\n\Z")
NOT_STATED = "No licence is stated for these weights: ask their author before you use them."


def model_card(
    model: RestorationNetwork,
    repository: str,
    config: Mapping[str, Any],
    about: PretrainedConfig | None,
    comparison: str | None,
    examples: Sequence[str],
) -> str:
    """Return the text of a model card, starting with its metadata.

    Args:
        model: the model.
        repository: ``"owner/repo"``.
        config: how the model is built.
        about: provenance of the weights, if known.
        comparison: name of a picture in the repository.
        examples: names of pictures in the repository.
    """
    name = repository.rpartition("/")[2]
    what = config.get("architecture", "a composition of restorekit's parts")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    sections = [
        f"# {name}",
        f"A network for image restoration{f' ({about.task})' if about else ''}: {what}, {parameters:,} parameters.",
        f"![degraded and restored]({comparison})" if comparison else "",
        "## Use",
        f"```python\nimport restorekit\n\nmodel = restorekit.create_model({f'hf-hub:{repository}'!r}, pretrained=True)\n"
        'restorekit.restore(model, "photo.jpg").save("restored.png")\n```'.replace("'", '"'),
        "## Licence",
        _licence(about) if about else NOT_STATED,
        _training(about) if about else "",
        _figures(about) if about and about.metrics else "",
        "## Architecture",
        f"```json\n{json.dumps({key: config[key] for key in config if key != 'weights'}, indent=2)}\n```",
        _notes(about) if about else "",
        "## Examples\n\n" + "\n".join(f"![{example}]({example})" for example in examples) if examples else "",
    ]
    text = f"---\n{_metadata(name, about)}\n---\n\n" + "\n\n".join(section for section in sections if section) + "\n"
    return f"{text}\n<!-- restorekit replaces this file unless it was edited: {_checksum(text)} -->\n"


def is_own_card(text: str) -> bool:
    """Return whether a text is a model card as :func:`model_card` returned it, without changes."""
    signature = SIGNATURE.search(text)
    return signature is not None and signature[1] == _checksum(text[: signature.start()])


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _metadata(name: str, about: PretrainedConfig | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    known: dict[str, Any] = {"library_name": "restorekit", "pipeline_tag": "image-to-image", "tags": ["image-restoration"]}
    if about is not None:
        known["tags"] = ["image-restoration", about.task]
        known["license"] = about.licence.hub_id
        if about.licence.hub_id == "other":
            known |= {"license_name": _slug(about.licence.name), "license_link": about.licence.url}
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", about.training_data):
            known["datasets"] = [about.training_data]
        if about.metrics:
            known["model_name"] = name
            known["eval_results"] = [
                EvalResult(
                    task_type="image-to-image",
                    task_name=about.task,
                    dataset_type=_slug(metric.dataset),
                    dataset_name=metric.dataset,
                    metric_type=metric.name.lower(),
                    metric_name=f"{metric.name} ({metric.protocol})",
                    metric_value=metric.value,
                )
                for metric in about.metrics
            ]
    return ModelCardData(**known).to_yaml()


def _licence(about: PretrainedConfig) -> str:
    licence = about.licence
    terms = f" [Terms]({licence.url})." if licence.url else ""
    return f"{licence.name}. Commercial use is {'allowed' if licence.commercial_use else '**not allowed**'}.{terms}"


def _training(about: PretrainedConfig) -> str:
    return f"## Training\n\nTrained by {about.trained_by} on {about.training_data}. Source: {about.source}"


def _notes(about: PretrainedConfig) -> str:
    """Return the card of bundled weights: its credits must accompany the weights."""
    bundled = about.bundled_path()
    return "" if bundled is None else re.sub(r"^#", "##", bundled.with_suffix(".md").read_text().strip(), flags=re.MULTILINE)


def _figures(about: PretrainedConfig) -> str:
    rows = [f"| {m.dataset} | {m.name} | {m.text}{m.unit} | {m.protocol} |" for m in about.metrics]
    return "\n".join(["## Figures\n", "| data | metric | value | protocol |", "|---|---|---|---|", *rows])


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
