"""All options of inference in one place: their meaning, their allowed values, and their help in the shell."""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from restorekit.errors import OptionError

CHOICES = {
    "engine": ("torch", "onnxruntime", "openvino", "auto"),
    "precision": ("auto", "float32", "bfloat16", "float16"),
    "pooling": ("global", "local"),
    "patches": ("published", "seamless"),
    "alpha": ("keep", "restore"),
    "ensemble": (False, True),
    "compile": (False, True),
}
LEAST = {  # least values of whole numbers, and how to say so
    "stages": (1, "be from 1 to the number of supervised stages"),
    "train_size": (1, "be 1 pixel or more"),
    "overlap": (0, "not be negative"),
}
MAX_STRENGTH = 1.5
ENGINE_PACKAGES = {"onnxruntime": ("onnx", ("onnx", "onnxruntime")), "openvino": ("openvino", ("onnx", "openvino"))}  # with extras
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def _option(default: Any, help: str, metavar: str = "", *short: str) -> Any:
    """Return a field with its line of help for the shell, and further names of it there."""
    return field(default=default, metadata={"help": help, "metavar": metavar, "short": short})


@dataclass(frozen=True, kw_only=True)
class InferenceOptions:
    """How a network restores images. All fields are checked when the options are created, before anything is loaded.

    Args:
        device: where to compute, such as ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``; by default on the device of the network.
        engine: what computes: ``"torch"``; on the CPU also ``"onnxruntime"`` or ``"openvino"``, which need the extra of that name
            (``onnx`` or ``openvino``); or ``"auto"`` for the installed one that measurements show to be fastest for this kind of
            network. The first use of a network takes some seconds more.
        precision: ``"float32"``, ``"bfloat16"`` (faster where the CPU supports it), ``"float16"`` (for GPUs) or ``"auto"``:
            bfloat16 for 8-bit images on devices with bfloat16 arithmetic, otherwise the precision of the network.
        strength: how much of the restoration to apply, from 0 to 1.5. The result is image + strength x (restored - image),
            clamped: 0 returns the image, 1 the restored image, and values above 1 exaggerate the difference.
        stages: how many supervised stages to run; by default all. With fewer, the network stops there: faster, at lower quality.
        pooling: ``"global"``, or ``"local"`` for means over windows (:func:`~restorekit.inference.local_pooling`).
        train_size: with local pooling, the side of the crops that the network was trained on.
        patches: for networks with stages on patches, ``"published"``: as they were trained, or ``"seamless"``: all stages on the
            whole image, so that no lines appear where patches meet (:func:`~restorekit.inference.seamless`).
        ensemble: whether to average over the image turned and mirrored in all eight ways: eight times slower, and better by some
            hundredths to tenths of a decibel.
        tile: ``"auto"`` for the whole image at once if it fits in memory, otherwise the largest tiles that do, up to the side that
            the network declares in its attribute ``tile``; the side of tiles in pixels; or None for the whole image at once.
        overlap: least number of pixels that neighbouring tiles share; a tile is at least three times as large. With local pooling,
            tiles give the same result as the whole image if the network sees no farther than a quarter of this.
        max_memory: how much memory pixels and network may take, such as ``"2GB"``, or a number of bytes; by default, the network
            takes at most four fifths of the free memory.
        compile: whether to compile the network (``torch.compile``). The first image of each size then takes a minute or more, and
            later ones less time.
        alpha: how to treat transparency (one more channel than the network takes): ``"keep"`` it unchanged, or ``"restore"`` it
            as a separate grey image.
        condition: for networks with ``conditions``, the value of each by name: a number, or a map as large as the image,
            such as ``{"noise_level": 25}``.
        noise_level: for networks with the condition of this name, its value: usually the standard deviation of the noise, for
            pixels from 0 to 255.

    Raises:
        OptionError: if a value is not valid; the message names the option.

    Example:
        >>> InferenceOptions(strength=0.7, tile=512).overlap
        64
        >>> InferenceOptions(strength=3)
        Traceback (most recent call last):
        restorekit.errors.OptionError: strength must be from 0 to 1.5; got 3
    """

    device: str | None = _option(None, "Where to compute: cpu, cuda, cuda:1 or mps.")
    engine: str = _option("torch", "torch, onnxruntime, openvino, or auto: the fastest installed one for the network, on CPUs.")
    precision: str = _option("auto", "float32, bfloat16 (less memory), float16, or auto: bfloat16 where that is faster.")
    strength: int | float = _option(1.0, "How much of the restoration to apply: 0 none, 1 all, up to 1.5 exaggerated.", "NUMBER")
    stages: int | None = _option(None, "Stop after this many supervised stages: faster, lower quality.", "NUMBER")
    pooling: str = _option("global", "global, or local: means over windows, for images larger than crops.")
    train_size: int = _option(256, "With --pooling local: side of the training crops.", "PIXELS")
    patches: str = _option("published", "published, or seamless: no lines where the patches of MPRNet's stages meet.")
    ensemble: bool = _option(False, "Average over 8 turned and mirrored images: takes 8 times as long.")
    tile: str | int | None = _option(
        "auto", "Side of overlapping tiles in pixels; auto: as large as memory allows; none: no tiles.", "PIXELS"
    )
    overlap: int = _option(64, "Least number of pixels that tiles share.", "PIXELS")
    max_memory: str | int | None = _option(
        None, "Memory for the network, such as 2GB; by default, four fifths of the free memory.", "SIZE"
    )
    compile: bool = _option(False, "Compile the network: a minute at first, then faster.")
    alpha: str = _option("keep", "keep transparency unchanged, or restore it as a grey image.")
    condition: Mapping[str, Any] | None = _option(
        None, "What a network must be told, such as noise_level=25; repeat it for each condition.", "NAME=NUMBER"
    )
    noise_level: int | float | None = _option(
        None, "Sigma of the noise, from 0 to 255, for networks that must be told (noise_level).", "NUMBER", "--sigma"
    )

    def __post_init__(self) -> None:
        """Check every field; :class:`~restorekit.inference.Restorer` checks what depends on the network."""
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise OptionError(name, f"must be one of {', '.join(map(str, choices))}; got {getattr(self, name)!r}")
        for name, (least, what) in LEAST.items():
            value = getattr(self, name)
            if value is None and OPTIONS[name].default is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                raise OptionError(name, f"must be a whole number; got {value!r}")
            if value < least:
                raise OptionError(name, f"must {what}; got {value}")
        strength = self.strength
        if not isinstance(strength, int | float) or isinstance(strength, bool) or not 0 <= strength <= MAX_STRENGTH:
            raise OptionError("strength", f"must be from 0 to {MAX_STRENGTH}; got {strength!r}")
        if isinstance(self.tile, int) and not isinstance(self.tile, bool):
            check_tile(self.tile, self.overlap)
        elif self.tile not in ("auto", None):
            raise OptionError("tile", f"must be 'auto', a number of pixels, or None for the whole image at once; got {self.tile!r}")
        if self.max_memory is not None:
            parse_bytes(self.max_memory)
        if not isinstance(self.condition, Mapping | None):
            raise OptionError("condition", f"must be a mapping of names and values; got {self.condition!r}")
        if self.device is not None:
            _check_device(self.device)
        _check_engine(self)
        self._check_noise_level()

    def _check_noise_level(self) -> None:
        """Raise an ``OptionError`` if the level of the noise is not a number, or given in two ways."""
        if isinstance(self.noise_level, bool) or not isinstance(self.noise_level, int | float | None):
            raise OptionError("noise_level", f"must be a number; got {self.noise_level!r}")
        if self.noise_level is not None and "noise_level" in (self.condition or {}):
            raise OptionError("noise_level", f"is given twice: {self.noise_level} and condition {self.condition!r}; leave out one")

    @property
    def conditions(self) -> dict[str, Any]:
        """The values of all conditions by name."""
        return {**(self.condition or {})} | ({} if self.noise_level is None else {"noise_level": self.noise_level})

    @classmethod
    def from_text(cls, values: Mapping[str, Any]) -> "InferenceOptions":
        """Return options from text, as typed in a shell or a form: numbers are parsed, and ``"none"`` becomes None.

        Raises:
            OptionError: if a value is not valid.

        Example:
            >>> InferenceOptions.from_text({"tile": "512", "strength": "0.5"}).tile
            512
        """
        return cls(**{name: _from_text(name, value) for name, value in values.items()})


OPTIONS = {option.name: option for option in fields(InferenceOptions)}


def parse_bytes(text: str | int) -> int:
    """Return a number of bytes from a size such as ``"2GB"`` (10**9 bytes each) or ``"512MiB"`` (2**20 bytes each).

    Raises:
        OptionError: if it cannot be parsed, or is not positive.

    Example:
        >>> parse_bytes("1.5 GB"), parse_bytes("2MiB")
        (1500000000, 2097152)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", str(text), re.IGNORECASE)
    size = round(float(match[1]) * UNITS[(match[2] or "").lower()]) if match else 0
    if size <= 0:
        raise OptionError("max_memory", f"must be a size such as 2GB or 512MiB, or a number of bytes; got {text!r}")
    return size


def check_tile(tile: int, overlap: int, multiple: int = 1) -> None:
    """Raise an ``OptionError`` if tiles are too small for their overlap.

    Args:
        tile: side of a tile.
        overlap: least number of pixels that neighbours share.
        multiple: the sides of the network's images are multiples of this; 1 while the network is not known.
    """
    least = least_tile(overlap, multiple)
    if tile // multiple * multiple < least:
        network = "" if multiple == 1 else "for this network "
        raise OptionError("tile", f"must be at least {least} pixels {network}with an overlap of {overlap}; got {tile}")


def least_tile(overlap: int, multiple: int) -> int:
    """Return the least side of a tile if there are several: more than the shared pixels, and three times the overlap."""
    return -(-max(overlap + multiple + 1, 3 * overlap) // multiple) * multiple


def _check_engine(options: InferenceOptions) -> None:
    """Raise an ``OptionError`` if an engine is not installed, or cannot do what other options want."""
    engine = options.engine
    if engine not in ENGINE_PACKAGES:
        return
    extra, packages = ENGINE_PACKAGES[engine]
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise OptionError("engine", f"{engine} needs {' and '.join(missing)}: pip install 'restorekit[{extra}]'")
    unfit = {"device": options.device not in (None, "cpu"), "compile": options.compile, "pooling": options.pooling == "local"}
    for name in (name for name in unfit if unfit[name]):
        raise OptionError("engine", f"must be torch or auto with {name}={getattr(options, name)}; got {engine}")


def _check_device(device: str) -> None:
    """Raise an ``OptionError`` if a device cannot compute."""
    import torch

    try:
        known = torch.device(device)
    except RuntimeError:
        raise OptionError(
            "device", f"{device} is not available; use cpu, or a device of this machine such as cuda, cuda:1 or mps"
        ) from None
    try:
        torch.ones(1, device=known).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # raised by a torch that was built without the device
        reason = str(error).splitlines()[0]
        raise OptionError("device", f"{device} is not available; use cpu, or another device of this machine ({reason})") from error


def _from_text(name: str, value: Any) -> Any:
    """Return the value of a typed option."""
    if name == "condition" and not isinstance(value, Mapping):
        return dict(map(_condition, value)) if value else None
    if not isinstance(value, str):
        return value
    if name == "tile":
        return int(value) if value.isdecimal() else None if value.lower() == "none" else value
    fraction = name in ("strength", "noise_level")
    if fraction or OPTIONS[name].type in (int, int | None):
        try:
            return float(value) if fraction else int(value)
        except ValueError:
            raise OptionError(name, f"must be a {'' if fraction else 'whole '}number; got {value!r}") from None
    return value


def _condition(text: str) -> tuple[str, float]:
    """Return name and value of a condition from text."""
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise OptionError("condition", f"must be NAME=NUMBER, such as noise_level=25; got {text!r}") from None
