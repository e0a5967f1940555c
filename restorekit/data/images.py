"""Image files and PIL images: reading without silent loss, writing without partial files."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from restorekit.checkpoint import atomic_path

Array = npt.NDArray[Any]

FORMATS = {  # by suffix, the names that Pillow gives
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
MODES = {  # of the files that each format can hold
    "PNG": {"L", "LA", "RGB", "RGBA", "I;16"},
    "JPEG": {"L", "RGB"},
    "WEBP": {"RGB", "RGBA", "L"},
    "TIFF": {"L", "LA", "RGB", "RGBA", "I;16"},
    "BMP": {"L", "RGB"},
}
WRITE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
DESCRIPTIVE_TAGS = {  # of a TIFF file, those that describe the picture
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
}
KEPT = ("icc_profile", "exif", "dpi")


class ImageError(ValueError):
    """An image that cannot be read, kept or written; the message says what was found and what to do."""


def find_images(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted.

    Raises:
        ImageError: if the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMATS and not path.name.startswith("."))
    if not paths:
        raise ImageError(f"{folder} holds no image ({', '.join(FORMATS)})")
    return paths


def read_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read an image file whole, with its colour profile and EXIF data.

    Pixels stay as they are stored, so that an orientation in the EXIF data goes on being true.

    Raises:
        ImageError: if the file is missing, no image, truncated, too large, animated, or would lose bits or colours.
    """
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"no image at {path}" if not path.exists() else f"{path} is not a file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=sorted(set(FORMATS.values()))) as image:
                _check_lossless(image, path)
                image.load()
                return _detached(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise ImageError(
            f"{path} is too large: more than {limit:.0f} megapixels; cut it into parts, or raise PIL.Image.MAX_IMAGE_PIXELS"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is no image that can be read here ({', '.join(FORMATS)})") from error
    except (OSError, SyntaxError, EOFError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{path} cannot be read: {error}") from error


def write_image(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write an image file, atomically; the suffix says the format.

    The colour profile, EXIF data and resolution in ``image.info`` are written too. JPEG is written at quality 95 without
    chroma subsampling, WebP lossless.

    Raises:
        ImageError: if the format cannot hold the image, or the file cannot be written.
    """
    path = Path(path)
    check_can_hold(path, image.mode)
    file_format = FORMATS[path.suffix.lower()]
    options = WRITE_OPTIONS.get(file_format, {}) | {key: image.info[key] for key in KEPT if image.info.get(key)}
    try:
        with atomic_path(path) as temporary:
            image.save(temporary, format=file_format, **options)
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}") from error


def check_can_hold(path: Path, mode: str) -> None:
    """Raise an :class:`ImageError` unless a file of this suffix can hold an image of this mode."""
    file_format = FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise ImageError(f"{path}: unknown image format {path.suffix!r}; use one of {', '.join(FORMATS)}")
    if mode not in MODES[file_format]:
        what = {"RGBA": "transparency", "LA": "transparency", "I;16": "16 bits"}.get(mode, f"mode {mode}")
        raise ImageError(f"{path}: {file_format} cannot hold {what}; write a .png or .tif")


def normal_mode(image: Image.Image) -> Image.Image:
    """Return the image in one of the modes L, LA, RGB, RGBA and I;16; palettes and bilevel images become colour or grey.

    Raises:
        ImageError: if that is not possible without loss.
    """
    if image.mode in ("I;16B", "I;16L", "I;16N"):  # Pillow's own conversion would clip to 8 bits
        return from_array(np.asarray(image).astype(np.uint16), image.info)
    transparent = "transparency" in image.info
    mode = {
        "1": "LA" if transparent else "L",
        "L": "LA" if transparent else "L",
        "P": "RGBA" if transparent else "RGB",
        "PA": "RGBA",
        "RGB": "RGBA" if transparent else "RGB",
    }.get(image.mode, image.mode)
    if mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        raise ImageError(f"images of mode {image.mode} are not supported; convert it to RGB first, with its colour profile")
    return image if mode == image.mode else image.convert(mode)


def to_array(image: Image.Image) -> Array:
    """Return the pixels of a PIL image: H x W (grey) or H x W x C, 8 or 16 bits; transparency is the last channel.

    Raises:
        ImageError: if the image's mode has no such form.
    """
    return np.asarray(normal_mode(image))


def from_array(pixels: Array, info: dict[Any, Any]) -> Image.Image:
    """Return a PIL image of 8- or 16-bit pixels, with the colour profile, EXIF data and resolution of ``info``."""
    image = Image.fromarray(pixels)
    image.info |= {key: info[key] for key in KEPT if key in info}
    return image


def _check_lossless(image: Image.Image, path: Path) -> None:
    """Raise for images that Pillow would read with a silent loss, and for those with several frames."""
    if getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"{path} has several frames or pages; extract the one to restore")
    if image.mode == "CMYK":
        raise ImageError(f"{path} is a CMYK image; convert it to RGB first, with its colour profile")
    deep = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
    if deep and not image.mode.startswith("I;16"):
        raise ImageError(
            f"{path} has 16 bits a colour channel, which would be cut to 8; 16 bits are kept for grey images, arrays and "
            "tensors: pass the pixels as a uint16 array to restorekit.restore, or convert the file to 8 bits yourself"
        )


def _detached(image: Image.Image) -> Image.Image:
    """Return a copy that keeps the metadata and no file."""
    copy = image.copy()
    if image.format == "TIFF":  # its pixels are upright already, and its tags also say how the file is laid out
        exif, kept = image.getexif(), Image.Exif()
        for tag in set(exif) & DESCRIPTIVE_TAGS:
            kept[tag] = exif[tag]
        for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if details := exif.get_ifd(part):
                kept.get_ifd(part).update(details)
        copy.info["exif"] = kept.tobytes()
    return copy
