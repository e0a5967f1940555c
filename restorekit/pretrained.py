"""Weights as data: where they are, whose they are, and what may be done with them."""

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class WeightsLicence:
    """What may be done with a set of weights; it is not the licence of the code.

    Attributes:
        name: short name.
        commercial_use: whether commercial use is allowed.
        url: where the terms are.
    """

    name: str
    commercial_use: bool
    url: str


@dataclass(frozen=True)
class PretrainedConfig:
    """One set of weights of a model.

    Attributes:
        task: what it restores: ``"denoise"``, ``"deblur"`` or ``"derain"``.
        licence: the licence of the weights.
        size: size of the file in bytes.
        training_data: what it was trained on.
        source: paper or model card.
        file: name of the file in this package, if it is bundled.
        sha256: checksum of the bundled file.
        repository: Hub repository that holds the file, if it is not bundled.
        metrics: published or measured figures, each with its protocol.
    """

    task: str
    licence: WeightsLicence
    size: int
    training_data: str
    source: str
    file: str | None = None
    sha256: str | None = None
    repository: str | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)

    def bundled_path(self) -> Path | None:
        """Return the path of the bundled file, or None if the weights are not bundled."""
        if self.file is None:
            return None
        return Path(str(importlib.resources.files("restorekit") / "weights" / self.file))


APACHE = WeightsLicence("Apache-2.0", True, "https://www.apache.org/licenses/LICENSE-2.0")
ACADEMIC = WeightsLicence("Academic Public License (non-commercial)", False, "https://github.com/swz30/MPRNet/blob/main/LICENSE.md")
