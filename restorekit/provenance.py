"""Provenance of weights as data: where they are, who made them, and what may be done with them."""

import importlib.resources
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WeightsLicence:
    """What may be done with a set of weights; this is not the licence of the code.

    Attributes:
        name: short name.
        commercial_use: whether commercial use is allowed.
        url: page with the terms; empty if none were stated.
        hub_id: the Hub's identifier for it, such as ``"apache-2.0"``; ``"other"`` for a licence without one.
        text_url: address of its plain text, which is added to the weights when they are republished.
        redistribution: whether the weights may be passed on to others. If not, they are fetched from their authors only, and
            cannot be pushed.
    """

    name: str
    commercial_use: bool
    url: str
    hub_id: str = "other"
    text_url: str | None = None
    redistribution: bool = True

    @property
    def summary(self) -> str:
        """Name and commercial use, in short."""
        return f"{self.name}; commercial use {'allowed' if self.commercial_use else 'not allowed'}"


@dataclass(frozen=True)
class Metric:
    """A published or measured figure.

    Attributes:
        dataset: what it was measured on.
        name: ``"PSNR"`` (in dB) or ``"SSIM"``.
        value: the figure.
        protocol: how it was measured, and by whom if not by the authors of the weights.
    """

    dataset: str
    name: str
    value: float
    protocol: str

    @property
    def text(self) -> str:
        """The value as papers print it: two digits for PSNR and three for other metrics, or all digits."""
        rounded = f"{self.value:.{2 if self.name == 'PSNR' else 3}f}"
        return rounded if float(rounded) == self.value else str(self.value)

    @property
    def unit(self) -> str:
        """The text after the value: a space and the unit, or nothing."""
        return " dB" if self.name == "PSNR" else ""


def psnr_and_ssim(dataset: str, psnr: float, ssim: float, protocol: str) -> tuple[Metric, Metric]:
    """Return the two figures that papers report for a data set."""
    return Metric(dataset, "PSNR", psnr, protocol), Metric(dataset, "SSIM", ssim, protocol)


@dataclass(frozen=True)
class Bundled:
    """A file in this package.

    Attributes:
        file: its name in the folder ``assets/weights``.
        sha256: its checksum.
    """

    file: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(str(importlib.resources.files("restorekit") / "assets" / "weights" / self.file))

    def __str__(self) -> str:
        return "bundled"


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine or on a shared disk; it is used where it is.

    Attributes:
        path: where it is.
        sha256: its checksum, if it is pinned.
    """

    path: Path
    sha256: str | None = None

    def __str__(self) -> str:
        return f"file: {self.path}"


@dataclass(frozen=True)
class HubFile:
    """A file in a repository on the Hugging Face Hub.

    Attributes:
        repository: ``"owner/name"``.
        filename: its name, or a pattern with ``*``. Of the matching files, the first that loads strictly is used; if none
            matches, files of the declared size are tried.
        revision: branch, tag or commit; the main branch if None.
        sha256: its checksum, if it is pinned.
    """

    repository: str
    filename: str
    revision: str | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        return f"Hub: {self.repository}" + (f"@{self.revision}" if self.revision else "")


@dataclass(frozen=True)
class Drive:
    """A file that is shared on Google Drive; it needs the extra ``drive``.

    Attributes:
        id: its identifier there.
        sha256: its checksum, if it is pinned.
    """

    id: str
    sha256: str | None = None

    @property
    def url(self) -> str:
        """The page for downloading it in a browser."""
        return f"https://drive.google.com/file/d/{self.id}/view"

    def __str__(self) -> str:
        return f"Google Drive: {self.id}"


@dataclass(frozen=True)
class WebFile:
    """A file at a web address.

    Attributes:
        url: its address.
        sha256: its checksum, if it is pinned.
    """

    url: str
    sha256: str | None = None

    def __str__(self) -> str:
        return f"web: {self.url.split('/')[2]}"


Source = Bundled | LocalFile | HubFile | Drive | WebFile


@dataclass(frozen=True)
class PretrainedConfig:
    """One set of weights of a model.

    Attributes:
        task: what it restores: ``"denoise"``, ``"deblur"`` or ``"derain"``.
        licence: the licence of the weights.
        sources: where the file is; the first source that has it is used.
        training_data: what it was trained on.
        trained_by: who trained it.
        source: paper or model card.
        size: size of the file in bytes; None if it is not known.
        metrics: published or measured figures, each with its protocol.
    """

    task: str
    licence: WeightsLicence
    sources: tuple[Source, ...]
    training_data: str
    trained_by: str
    source: str
    size: int | None = None
    metrics: tuple[Metric, ...] = ()

    def bundled_path(self) -> Path | None:
        """Return the path of the bundled file, or None if the weights are not bundled."""
        return next((source.path for source in self.sources if isinstance(source, Bundled)), None)


MIT = WeightsLicence("MIT", True, "https://opensource.org/license/mit", hub_id="mit")
APACHE = WeightsLicence(
    "Apache-2.0",
    True,
    "https://www.apache.org/licenses/LICENSE-2.0",
    hub_id="apache-2.0",
    text_url="https://www.apache.org/licenses/LICENSE-2.0.txt",
)
ACADEMIC = WeightsLicence(
    "Academic Public License (non-commercial)",
    False,
    "https://github.com/swz30/MPRNet/blob/main/LICENSE.md",
    text_url="https://raw.githubusercontent.com/swz30/MPRNet/main/LICENSE.md",
)
ALL_RIGHTS_RESERVED = WeightsLicence("no licence stated: all rights reserved", False, "", redistribution=False)
UNKNOWN = WeightsLicence("not stated", False, "")
