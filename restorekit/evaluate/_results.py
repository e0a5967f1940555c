"""The results of a measurement, as JSON and as rows of a table."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from restorekit._files import atomic_path, write_json
from restorekit.evaluate.protocols import MEAN, Published
from restorekit.images import Pixels

Values = dict[str, float]


@dataclass(frozen=True)
class ImageResult:
    """Figures of one image.

    Attributes:
        set: the set that it belongs to.
        name: its name in the set.
        values: values by metric; those that start with ``input_`` are for the degraded image.
    """

    set: str
    name: str
    values: Values


@dataclass(frozen=True)
class Picture:
    """Part of an image worth looking at: where the result is worst.

    Attributes:
        set: the set that it belongs to.
        name: its name in the set.
        psnr: PSNR of the whole image.
        box: left, top, right and bottom in the image.
        size: width and height of the image.
        input: degraded pixels.
        restored: restored pixels.
        target: ground-truth pixels.
    """

    set: str
    name: str
    psnr: float
    box: tuple[int, int, int, int]
    size: tuple[int, int]
    input: Pixels
    restored: Pixels
    target: Pixels


@dataclass(frozen=True)
class Evaluation:
    """Result of :func:`restorekit.evaluate.evaluate`.

    Attributes:
        protocol: name of the protocol.
        definition: the protocol in words.
        counts: how many images the published sets have.
        images: figures of every image.
        about: model, checksum of its weights, inference options, versions, device, date, seconds.
        pictures: the worst and the best images, worst first.
        published: figures of papers, by set.
    """

    protocol: str
    definition: str
    counts: Mapping[str, int]
    images: Sequence[ImageResult]
    about: Mapping[str, Any]
    pictures: Sequence[Picture] = field(default=(), repr=False)
    published: Mapping[str, Sequence[Published]] = field(default_factory=dict, repr=False)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each set, and one for their mean if there are several, each with the published figures."""
        names = list(dict.fromkeys(image.set for image in self.images))
        rows = [self._row(name, [image.values for image in self.images if image.set == name]) for name in names]
        if len(rows) > 1:
            mean = self._row(MEAN, [row["values"] for row in rows])  # mean of the means: every set counts equally
            mean |= {"images": len(self.images), "complete": all(row["complete"] for row in rows)}
            rows.append(mean)
        for row in rows:
            row["published"] = self._published(row)
        return rows

    def as_json(self) -> dict[str, Any]:
        """Return all figures as plain data; an infinite PSNR becomes the text ``inf``."""
        return _plain(
            {
                "protocol": self.protocol,
                "definition": self.definition,
                **self.about,
                "sets": self.rows(),
                "images": [asdict(image) for image in self.images],
            }
        )

    def _row(self, name: str, values: Sequence[Values]) -> dict[str, Any]:
        means = {key: float(np.mean([value[key] for value in values])) for key in values[0]}
        return {"set": name, "images": len(values), "complete": len(values) == self.counts.get(name), "values": means}

    def _published(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        beside = []
        for other in self.published.get(row["set"], ()):
            difference = {
                key: row["values"][key] - value for key, value in (("psnr", other.psnr), ("ssim", other.ssim)) if value is not None
            }
            beside.append(other._asdict() | {"difference": difference if row["complete"] else None})
        return beside


def write_results(evaluation: Evaluation, path: Path) -> None:
    """Write all figures to a JSON file, atomically."""
    write_json(path, evaluation.as_json())


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Write one row for each set, and for their mean, to a CSV file, atomically."""
    table = [_csv_row(evaluation, row) for row in evaluation.rows()]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue())


def _csv_row(evaluation: Evaluation, row: Mapping[str, Any]) -> dict[str, Any]:
    about = evaluation.about
    return {
        "date": about["date"],
        "model": about["model"],
        "weights_sha256": about["weights_sha256"] or "",
        "protocol": evaluation.protocol,
        "set": row["set"],
        "images": row["images"],
        "complete": row["complete"],
        **{key: f"{value:.4f}" for key, value in row["values"].items()},
        "published": "; ".join(published_text(other) for other in row["published"]),
        **about["inference"],
        "device": about["device"],
        **{f"version_{name}": version for name, version in about["versions"].items()},
    }


def published_text(other: Mapping[str, Any]) -> str:
    """Return a published figure in words, with its difference if the two are comparable."""
    figures = [f"{other['psnr']:.2f}"] + ([f"{other['ssim']:.3f}"] if other["ssim"] is not None else [])
    text = f"{other['method']} {'/'.join(figures)}"
    return text if other["difference"] is None else f"{text} ({other['difference']['psnr']:+.2f})"


def _plain(value: Any) -> Any:
    """Return data that JSON can represent: JSON has no infinity."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
