"""Image files: reading without silent loss, writing without partial files."""

import importlib.util
import io
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from restorekit._files import atomic_path
from restorekit.errors import ImageError
from restorekit.images._colour import cmyk_to_srgb
from restorekit.images._metadata import KEPT, lost_in, metadata_of, save_options
from restorekit.images.formats import PngWriter, TiffWriter, is_deep, raw_mode, read_deep, with_transparency

Array = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]

FORMATS = {  # by suffix, the names that Pillow gives
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
DEEP_COLOUR = {"LA;16", "RGB;16", "RGBA;16"}  # of which Pillow has no modes
MODES = {  # of the pixels that each format can hold
    "PNG": {"L", "LA", "RGB", "RGBA", "I;16"} | DEEP_COLOUR,
    "JPEG": {"L", "RGB"},
    "WEBP": {"RGB", "RGBA", "L"},
    "AVIF": {"RGB", "RGBA", "L", "LA"},
    "TIFF": {"L", "LA", "RGB", "RGBA", "I;16", "RGB;16", "RGBA;16"},
    "BMP": {"L", "RGB"},
}
MODE_OF = {  # by the number of channels and of bits
    (1, 8): "L",
    (2, 8): "LA",
    (3, 8): "RGB",
    (4, 8): "RGBA",
    (1, 16): "I;16",
    (2, 16): "LA;16",
    (3, 16): "RGB;16",
    (4, 16): "RGBA;16",
}
WRITE_OPTIONS: dict[str, dict[str, Any]] = {  # nothing that can be seen is lost by them
    "PNG": {"compress_level": 3},  # 5 % more bytes than 6, in a third of the time
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True, "exact": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}
MAX_PIXELS = 2**29  # of an image that is read; a small file may claim any size
_OPENING = threading.Lock()  # Pillow's limit is shared by all threads
SUBSAMPLED_BELOW = 90  # quality, at which colour at full resolution is no longer worth its bytes


@dataclass(frozen=True)
class Picture:
    """The pixels of an image file, and what the file says beside them.

    Attributes:
        pixels: H x W (grey) or H x W x C, uint8 or uint16; transparency is the last channel.
        info: ``icc_profile``, ``exif`` and ``xmp`` as bytes, and ``dpi``, as far as there are such.
    """

    pixels: Array
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """Name of the kind of pixels: Pillow's, or ``LA;16``, ``RGB;16`` and ``RGBA;16``, for which Pillow has none."""
        channels = 1 if self.pixels.ndim == 2 else self.pixels.shape[2]
        return MODE_OF[channels, 8 * self.pixels.itemsize]

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is transparency."""
        return "A" in self.mode


def find_images(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted.

    Raises:
        ImageError: if the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder")
    paths = sorted(path for path in folder.rglob("*") if is_image(path))
    if not paths:
        raise ImageError(f"{folder} holds no image ({', '.join(FORMATS)})")
    return paths


def is_image(path: Path) -> bool:
    """Return whether the name of a file is that of an image, and it is not hidden."""
    return path.suffix.lower() in FORMATS and not path.name.startswith(".")


def read_picture(path: str | os.PathLike[str]) -> Picture:
    """Read an image file with all its bits, colour profile, EXIF and XMP data and resolution.

    Pixels stay as they are stored, so that an orientation in the EXIF data goes on being true; those of a TIFF file are turned
    upright. Palettes and bilevel images become colour or grey; CMYK becomes sRGB by the profile in the file.

    Raises:
        ImageError: if the file is missing, no image, truncated, too large, animated, or would lose bits or colours.
    """
    with opened(path) as image:
        deep, transparent = is_deep(image), image.info.get("transparency")
        if deep:
            pixels = read_deep(image, Path(path))
        else:
            image.load()
            upright = cmyk_to_srgb(image) if image.mode == "CMYK" else image
            pixels = to_array(upright)
        if pixels.dtype == np.uint16 and transparent is not None:
            pixels = with_transparency(pixels, transparent)
        info = metadata_of(image)
        if image.mode == "CMYK":
            info["icc_profile"] = upright.info["icc_profile"]
        return Picture(pixels, info)


def read_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read an image file as a PIL image, with its colour profile, EXIF and XMP data.

    Pixels are those of :func:`read_picture`, which also reads colours of 16 bits.

    Raises:
        ImageError: if the file is missing, no image, truncated, too large, animated, or would lose bits or colours.
    """
    with opened(path) as image:
        if is_deep(image):
            raise ImageError(
                f"{path} has 16 bits a colour channel, which no PIL image holds; read it with "
                "restorekit.images.read_picture, and pass its pixels, a uint16 array, to restorekit.restore"
            )
        image.load()
        copy = cmyk_to_srgb(image) if image.mode == "CMYK" else image.copy()
        copy.info |= {key: value for key, value in metadata_of(image).items() if key not in copy.info or key == "exif"}
        return copy


def look_at(path: str | os.PathLike[str]) -> tuple[int, int, str]:
    """Return width and height of an image file, and what kind of pixels it has, without decoding it.

    Raises:
        ImageError: if it is no image.
    """
    with opened(path) as image:
        return (*image.size, raw_mode(image) if is_deep(image) else image.mode)


def write_picture(picture: Picture, path: str | os.PathLike[str], *, quality: int | None = None) -> None:
    """Write an image file, atomically, with its metadata; the suffix says the format.

    Args:
        picture: pixels and metadata.
        path: where to; an existing file is replaced.
        quality: from 1 to 100, for JPEG, WebP and AVIF. By default what is lost cannot be seen: 95 without chroma subsampling, and
            WebP without any loss.

    Raises:
        ImageError: if the format cannot hold the picture, or the file cannot be written.
    """
    with picture_written(picture, path, quality=quality):
        pass


@contextmanager
def picture_written(picture: Picture, path: str | os.PathLike[str], *, quality: int | None = None) -> Iterator[None]:
    """Write an image file as :func:`write_picture` does, which appears when the block ends without an error.

    All of it is on the disk before the block begins, so that what the block writes appears first, or neither does.

    Raises:
        ImageError: if the format cannot hold the picture, or the file cannot be written.
    """
    path = Path(path)
    check_can_hold(path, picture.mode, picture.info)
    file_format = FORMATS[path.suffix.lower()]
    options = save_options(file_format, picture.info)
    with explained(path), atomic_path(path) as temporary:
        if file_format == "TIFF" or picture.mode in DEEP_COLOUR:
            pixels = np.atleast_3d(picture.pixels)
            write = TiffWriter if file_format == "TIFF" else PngWriter
            with closing(write(temporary, pixels.shape, 8 * pixels.itemsize, options)) as writer:
                writer.write(pixels)
                writer.finish()
        else:  # by way of memory: Pillow's encoders do not notice that a disk took only a part of what they write to a file
            encoded = io.BytesIO()
            Image.fromarray(picture.pixels).save(encoded, format=file_format, **write_options(file_format, quality), **options)
            temporary.write_bytes(encoded.getbuffer())
        yield


def write_image(image: Image.Image, path: str | os.PathLike[str], *, quality: int | None = None) -> None:
    """Write a PIL image to a file, atomically; the suffix says the format.

    The colour profile, EXIF and XMP data and resolution in ``image.info`` are written too.

    Args:
        image: the image.
        path: where to; an existing file is replaced.
        quality: as :func:`write_picture` takes it.

    Raises:
        ImageError: if the format cannot hold the image, or the file cannot be written.
    """
    check_can_hold(Path(path), image.mode, image.info)
    info = {key: image.info[key] for key in KEPT if key in image.info}
    write_picture(Picture(to_array(image), info), path, quality=quality)


def check_can_hold(path: Path, mode: str, info: Mapping[Any, Any] | None = None) -> None:
    """Raise an :class:`ImageError` unless a file of this suffix can hold pixels of this mode, and the metadata."""
    file_format = FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise ImageError(f"{path}: unknown image format {path.suffix!r}; use one of {', '.join(FORMATS)}")
    _check_supported(path)
    if mode not in MODES[file_format]:
        channels, _, bits = mode.partition(";")
        what = "16 bits" if bits else "transparency" if channels in ("RGBA", "LA") else f"mode {mode}"
        better = ".png" if mode == "LA;16" else ".png or .tif"
        raise ImageError(f"{path}: {file_format} cannot hold {what}; write a {better}")
    if lost := lost_in(file_format, info or {}):
        raise ImageError(f"{path}: {file_format} cannot hold {' and '.join(lost)}; write a .png or .tif")


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
    return np.array(normal_mode(image))  # a copy of its own, which may be written to


def from_array(pixels: Array, info: Mapping[Any, Any]) -> Image.Image:
    """Return a PIL image of 8- or 16-bit pixels, with the colour profile, EXIF and XMP data and resolution of ``info``."""
    image = Image.fromarray(pixels)
    image.info |= {key: info[key] for key in KEPT if key in info}
    return image


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[ImageFile]:
    """Open an image file whose pixels are still to be loaded; whatever goes wrong in the block is an :class:`ImageError`."""
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"no image at {path}" if not path.exists() else f"{path} is not a file")
    _check_supported(path)
    try:
        with path.open("rb") as file:  # of a path, Pillow maps uncompressed TIFF files, and those on their side then wrongly
            with _OPENING, _any_size():
                image = Image.open(file, formats=_readable())
            _check_size(image, path)
            _check_lossless(image, path)
            yield image
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is no image that can be read here ({', '.join(FORMATS)})") from error
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # for damaged files, Pillow's readers raise errors of many kinds
        raise ImageError(f"{path} cannot be read: {error}") from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong with writing a file into an :class:`ImageError`."""
    try:
        yield
    except ImageError:  # which says what it is of
        raise
    except (OSError, ValueError) as error:  # a ValueError is of metadata that is too long for the format
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ImageError(f"{path} cannot be written: {reason}") from error


def write_options(file_format: str, quality: int | None) -> dict[str, Any]:
    """Return how Pillow is to compress, for a format and a quality."""
    if quality is None or file_format not in ("JPEG", "WEBP", "AVIF"):
        return WRITE_OPTIONS.get(file_format, {})
    subsampling = {} if file_format == "WEBP" else {"subsampling": "4:2:0" if quality < SUBSAMPLED_BELOW else "4:4:4"}
    return {"quality": quality, **subsampling}


def _has_avif() -> bool:
    return importlib.util.find_spec("PIL._avif") is not None


def _readable() -> list[str]:
    return sorted({name for name in FORMATS.values() if name != "AVIF" or _has_avif()})


def _check_supported(path: Path) -> None:
    if path.suffix.lower() == ".avif" and not _has_avif():
        raise ImageError(f"{path}: this Pillow knows no AVIF; pip install 'pillow>=11.3', or use another format")


@contextmanager
def _any_size() -> Iterator[None]:
    """Let Pillow open images of any size; its limit is made for servers that others send images to."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_size(image: Image.Image, path: Path) -> None:
    """Raise for an image whose pixels would take more memory than any that is meant."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ImageError(
            f"{path} is too large: {pixels / 1e6:.0f} megapixels, and at most {MAX_PIXELS / 1e6:.0f} are read; cut it into parts"
        )


def _check_lossless(image: Image.Image, path: Path) -> None:
    """Raise for images that would be read with a silent loss, and for those with several frames."""
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a photograph with its preview or gain map is read as one
        raise ImageError(f"{path} has several frames or pages; extract the one to restore")
    if image.mode == "CMYK" and not image.info.get("icc_profile"):
        raise ImageError(
            f"{path} is a CMYK image without a colour profile; convert it to RGB first, with the profile of its printer"
        )
    if image.format == "AVIF" and _has_deep_av1(path):
        raise ImageError(f"{path} has 10 or 12 bits a channel, which would be cut to 8; convert it to a 16-bit PNG first")


def _has_deep_av1(path: Path) -> bool:
    """Return whether an AVIF file has more than 8 bits a channel, which Pillow does not say: a flag of its box ``av1C``."""
    with path.open("rb") as file:
        head = file.read(2**16)
    start = head.find(b"av1C")
    return start >= 0 and len(head) > start + 6 and bool(head[start + 6] & 0x40)
