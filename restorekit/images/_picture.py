"""Image files: reading without silent loss, writing without partial files."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from restorekit._files import atomic_path
from restorekit.errors import ImageError
from restorekit.images._metadata import KEPT, lost_in
from restorekit.images._modes import from_array, to_array
from restorekit.images.formats import FORMATS, MODE_OF, Content, ImageFormat, all_formats

Array = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 2**29  # limit for reading, since a small file may claim any size
DAMAGED = ("refuse", "keep")
LEFT = "; to read what is left: --damaged keep, in Python damaged='keep'"
HEAD = 64  # number of bytes for recognising a format


@dataclass(frozen=True)
class Picture:
    """The pixels of an image file, and its metadata.

    Attributes:
        pixels: H x W (grey) or H x W x C, uint8 or uint16; transparency is the last channel.
        info: ``icc_profile``, ``exif``, ``xmp``, ``iptc`` and ``comment`` as bytes, ``dpi``, ``text`` as pairs of name and text,
            and for PNG files ``chunks`` (pairs of name and content) and ``colour`` (in words, a colour space that only these chunks
            describe); only those that are present. Frames of an animation also have their ``duration`` in milliseconds, and how
            often the animation ``plays``, 0 for ever.
        note: in words, what the reader did beyond decoding; usually empty.
        damage: in words, what was missing in a damaged file, and is grey in the pixels; empty for a whole one.
    """

    pixels: Array
    info: Mapping[str, Any] = field(default_factory=dict)
    damage: str = ""
    note: str = ""

    @property
    def mode(self) -> str:
        """Name of the kind of pixels: Pillow's, or ``LA;16``, ``RGB;16`` and ``RGBA;16``, which Pillow does not have."""
        channels = 1 if self.pixels.ndim == 2 else self.pixels.shape[2]
        return MODE_OF[channels, 8 * self.pixels.itemsize]

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is transparency."""
        return "A" in self.mode


class Look(NamedTuple):
    """What a look at an image file tells.

    Attributes:
        width: width of the picture; of several, the first.
        height: height of the picture.
        mode: kind of the pixels, as in :class:`Picture`.
        frames: number of pages or frames.
        several: ``"pages"`` or ``"frames"`` if there are several, otherwise empty.
    """

    width: int
    height: int
    mode: str
    frames: int = 1
    several: str = ""


def find_images(folder: Path, *, only_read: bool = False) -> list[Path]:
    """Return the image files below a folder, sorted.

    Args:
        folder: the folder.
        only_read: as for :func:`is_image`.

    Raises:
        ImageError: if the folder is missing or contains no image.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder")
    paths = sorted(path for path in folder.rglob("*") if is_image(path, only_read=only_read))
    if not paths:
        raise ImageError(f"{folder} contains no image ({_known()})")
    return paths


def is_image(path: Path, *, only_read: bool = False) -> bool:
    """Return whether a file name has a suffix that can be read and written, and is not hidden.

    Args:
        path: path of the file.
        only_read: whether formats that can be read, but not written, count too.
    """
    record = FORMATS.get(path.suffix.lower())
    if record is None or not record.usable or path.name.startswith("."):
        return False
    return bool(record.modes or (only_read and record.written_as))


def output_suffix(path: Path) -> str:
    """Return the suffix of the result for an input if none is named: its own, or that of another format if it is only read."""
    record = FORMATS.get(path.suffix.lower())
    return (record.written_as if record else "") or path.suffix


def read_picture(path: str | os.PathLike[str], *, damaged: str = "refuse") -> Picture:
    """Read an image file with all its bits, colour profile and other metadata.

    Pixels keep their stored orientation, so that an orientation in the EXIF data stays correct; those of a TIFF or HEIC file are
    turned upright. Palettes and bilevel images become colour or grey; CMYK becomes sRGB using the profile in the file.

    Args:
        path: the file.
        damaged: ``"refuse"``, or ``"keep"``: read what a damaged JPEG, PNG or TIFF file still has. Missing pixels are grey, and
            ``damage`` says in words what is missing.

    Raises:
        ImageError: if the file is missing, not an image, truncated or too large, has several pages or frames
            (:func:`~restorekit.images.read_frames` reads them), or would lose bits or colours.
    """
    with opened(path, damaged=damaged) as content:
        if damaged == "refuse" or content.rescue is None:
            return Picture(content.pixels(), content.info(), note=content.note)
        try:
            if not content.damage:
                return Picture(content.pixels(), content.info())
        except MemoryError:
            raise
        except Exception:  # libraries raise many kinds of errors for damaged files
            pass
        pixels, words = content.rescue()
        return Picture(pixels, content.info(), words)


def read_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read an image file as a PIL image, with its metadata.

    Pixels are as in :func:`read_picture`, which can also read 16-bit colours.

    Raises:
        ImageError: as :func:`read_picture`.
    """
    with opened(path) as content:
        if content.mode.endswith(";16") and content.mode != "I;16":
            raise ImageError(
                f"{path} has 16 bits per colour channel, which a PIL image cannot store; read it with "
                "restorekit.images.read_picture, and pass its pixels, a uint16 array, to restorekit.restore"
            )
        return from_array(content.pixels(), content.info())


def look_at(path: str | os.PathLike[str]) -> Look:
    """Return width and height of an image file, the mode of its pixels, and the number of its frames, without decoding it.

    Raises:
        ImageError: if it is not an image.
    """
    with opened(path, several=True) as content:
        several = content.what if content.frames > 1 else ""
        return Look(content.width, content.height, content.mode, content.frames, several)


def write_picture(picture: Picture, path: str | os.PathLike[str], *, quality: int | None = None) -> None:
    """Write an image file, atomically, with its metadata; the suffix chooses the format.

    Args:
        picture: pixels and metadata.
        path: file to write; an existing file is replaced.
        quality: from 1 to 100, for JPEG, WebP and AVIF. The default is visually lossless: 95 without chroma subsampling, and
            lossless for WebP.

    Raises:
        ImageError: if the format cannot store the picture, or the file cannot be written.
    """
    with picture_written(picture, path, quality=quality):
        pass


@contextmanager
def picture_written(picture: Picture, path: str | os.PathLike[str], *, quality: int | None = None) -> Iterator[None]:
    """Write an image file as :func:`write_picture` does; it appears when the block ends without an error.

    All of it is on disk before the block begins, so that files written in the block appear first, or neither appears.

    Raises:
        ImageError: if the format cannot store the picture, or the file cannot be written.
    """
    path = Path(path)
    record = check_can_hold(path, picture.mode, picture.info)
    assert record.write is not None  # formats with modes can be written
    with explained(path), atomic_path(path) as temporary:
        record.write(picture.pixels, temporary, picture.info, quality)
        yield


def write_image(image: Image.Image, path: str | os.PathLike[str], *, quality: int | None = None) -> None:
    """Write a PIL image to a file, atomically; the suffix chooses the format.

    The colour profile and other metadata in ``image.info`` are written too.

    Args:
        image: the image.
        path: file to write; an existing file is replaced.
        quality: as in :func:`write_picture`.

    Raises:
        ImageError: if the format cannot store the image, or the file cannot be written.
    """
    info = {key: image.info[key] for key in KEPT if key in image.info}
    check_can_hold(Path(path), image.mode, info)
    write_picture(Picture(to_array(image), info), path, quality=quality)


def check_can_hold(path: Path, mode: str, info: Mapping[Any, Any] | None = None, *, several: str = "") -> ImageFormat:
    """Return the format of a file by its suffix.

    Args:
        path: path of the file.
        mode: kind of the pixels.
        info: the metadata.
        several: ``"pages"`` or ``"frames"`` for a file with several.

    Raises:
        ImageError: unless it can store pixels of this mode, the metadata, and several pages or frames if there are.
    """
    record = FORMATS.get(path.suffix.lower())
    if record is None:
        raise ImageError(f"{path}: unknown image format {path.suffix!r}; use one of {_known()}")
    if not record.modes:
        raise ImageError(f"{path}: {record.name} files cannot be written; write a .png or .tif instead, with -o or another suffix")
    if missing := record.missing():
        raise ImageError(f"{path}: {missing}, or use another format")
    if several and several != record.several:
        better = " or ".join(other.suffixes[0] for other in all_formats() if other.several == several)
        what = "an animation" if several == "frames" else "several pages"
        raise ImageError(f"{path}: {record.name} cannot store {what}; write a {better} instead")
    if mode not in record.modes:
        channels, _, bits = mode.partition(";")
        what = "16 bits" if bits else "transparency" if channels in ("RGBA", "LA") else f"mode {mode}"
        raise ImageError(f"{path}: {record.name} cannot store {what}; write a .png or .tif instead")
    if lost := lost_in(record.holds, info or {}):
        better = " or ".join(other.suffixes[0] for other in all_formats() if other.modes and not lost_in(other.holds, info or {}))
        raise ImageError(f"{path}: {record.name} cannot store {' and '.join(lost)}; write a {better or '.png'} instead")
    return record


@contextmanager
def opened(path: str | os.PathLike[str], *, several: bool = False, damaged: str = "refuse") -> Iterator[Content]:
    """Open an image file before its pixels are decoded; anything that goes wrong in the block becomes an :class:`ImageError`.

    Args:
        path: the file.
        several: whether it may contain several pages or frames.
        damaged: ``"refuse"``, or ``"keep"`` to open files that are known to be damaged.
    """
    path = Path(path)
    if damaged not in DAMAGED:
        raise ValueError(f"damaged must be one of {', '.join(DAMAGED)}; got {damaged!r}")
    if not path.is_file():
        raise ImageError(f"there is no image at {path}" if not path.exists() else f"{path} is not a file")
    rescuable = False
    try:
        with path.open("rb") as file:  # given a path, Pillow maps uncompressed TIFF files, and rotated ones wrongly
            record = _recognised(file.read(HEAD), path)
            file.seek(0)
            content = record.open(file, path)
            rescuable = content.rescue is not None and damaged == "refuse"
            check_size(content, path)
            if content.damage and damaged == "refuse":
                raise ImageError(f"{path} is damaged: {content.damage}{LEFT}")
            if content.frames > 1 and not (several and content.each):
                ways = (
                    "read them with restorekit.images.read_frames, or extract one" if content.each else "extract the one to restore"
                )
                raise ImageError(
                    f"{path} has {content.frames} {content.what}; {ways} first, for example: magick '{path.name}[0]' one.png"
                )
            yield content
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # libraries raise many kinds of errors for damaged files
        raise ImageError(f"{path} cannot be read: {error}{LEFT if rescuable else ''}") from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors in writing a file into an :class:`ImageError`."""
    try:
        yield
    except ImageError:  # it says already which file it is about
        raise
    except (OSError, ValueError) as error:  # a ValueError is for metadata that is too long for the format
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ImageError(f"{path} cannot be written: {reason}") from error


def _recognised(head: bytes, path: Path) -> ImageFormat:
    """Return the actual format of a file, whatever its suffix."""
    named = FORMATS.get(path.suffix.lower())
    plain = next((record for record in all_formats() if record.starts(head) and not record.by_suffix), None)
    record = named if named and named.by_suffix and named.starts(head) else plain
    if record is None:
        raise ImageError(f"{path} is not an image in a readable format ({_known()})")
    if missing := record.missing():
        raise ImageError(f"{path}: {missing}")
    return record


def _known() -> str:
    return ", ".join(suffix for record in all_formats() if record.modes for suffix in record.suffixes)


def check_size(content: Content, path: Path) -> None:
    """Raise for an image whose pixels would need an absurd amount of memory."""
    pixels = content.width * content.height
    if pixels > MAX_PIXELS:
        raise ImageError(
            f"{path} is too large: {pixels / 1e6:.0f} megapixels, but at most {MAX_PIXELS / 1e6:.0f} are read; cut it into parts"
        )
