"""Writes published.md, the page that lists all weights, from what the models say of them: python docs/published.py."""

from pathlib import Path

from restorekit.models import list_models, pretrained_config
from restorekit.provenance import Bundled, Drive, HubFile, PretrainedConfig, Source, WebFile

PAGE = Path(__file__).parent / "published.md"
HEAD = """# Published weights

This page lists all published weights; `restorekit models --details` shows the same. `docs/published.py` generates it from the
models. Weights have their own licences, separate from that of the code: [Licences](howto/licences.md).
"""


def page() -> str:
    """Return the text of the page."""
    names = list_models(pretrained=True)
    rows = [f"| [`{name}`](#{anchor(name)}) | {row(pretrained_config(name))} |" for name in names]
    table = "\n".join(["| name | task | trained on | size | licence | commercial use |", "|---|---|---|---|---|---|", *rows])
    return "\n".join([HEAD, table, *(section(name, pretrained_config(name)) for name in names)])


def anchor(name: str) -> str:
    """Return the anchor that the heading of a name gets."""
    return name.replace(".", "")


def row(about: PretrainedConfig) -> str:
    """Return what the table says of weights."""
    size = "-" if about.size is None else f"{about.size / 2**20:.1f} MiB"
    allowed = "yes" if about.licence.commercial_use else "**no**"
    return f"{about.task} | {about.training_data} | {size} | {about.licence.name} | {allowed}"


def section(name: str, about: PretrainedConfig) -> str:
    """Return what follows the table."""
    source = f"<{about.source}>" if about.source.startswith("https://") else f"`{about.source}`"
    lines = [
        f"\n## {name}\n",
        f"- Load: `restorekit.create_model({name!r}, pretrained=True)`".replace("'", '"'),
        f"- Licence: [{about.licence.name}]({about.licence.url}); "
        f"commercial use is {'allowed' if about.licence.commercial_use else 'not allowed'}",
        f"- Trained by {about.trained_by}, on {about.training_data}",
        f"- Source: {source}",
        f"- Places, in this order: {', '.join(place(source) for source in about.sources) or 'none, because nobody publishes them'}",
    ]
    if about.metrics:
        lines += ["", "| data | metric | value | protocol |", "|---|---|---|---|"]
        lines += [f"| {m.dataset} | {m.name} | {m.text}{m.unit} | {m.protocol} |" for m in about.metrics]
    return "\n".join(lines) + "\n"


def place(source: Source) -> str:
    """Return where a file is, with a link if it is elsewhere."""
    if isinstance(source, Bundled):
        return "in the package"
    if isinstance(source, HubFile):
        return f"[`{source.repository}` on the Hub](https://huggingface.co/{source.repository})"
    if isinstance(source, Drive):
        return f"[Google Drive]({source.url}) (needs the extra `drive`)"
    if isinstance(source, WebFile):
        return f"[{source.url}]({source.url})"
    return f"`{source.path}`"


if __name__ == "__main__":
    PAGE.write_text(page())
