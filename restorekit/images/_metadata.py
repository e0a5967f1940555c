"""What an image file says beside its pixels: colour profile, EXIF and XMP data, resolution."""

from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

KEPT = ("icc_profile", "exif", "xmp", "dpi")
DESCRIPTIVE_TAGS = {  # of a TIFF file, those that describe the picture
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
}
PARTS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
NUMBERS = (int, float, IFDRational)  # that a resolution can be
INCHES = 2  # as the unit of the resolution
XMP_TAG = 700  # of TIFF
EXIF_RESOLUTION = ("WEBP", "AVIF")  # formats that have a place for the resolution in their EXIF data only
WORDS = {"icc_profile": "a colour profile", "exif": "EXIF data", "xmp": "XMP data"}


def metadata_of(image: Image.Image) -> dict[str, Any]:
    """Return what is kept of an image from a file, which must be loaded, by Pillow's names."""
    info = {key: image.info[key] for key in KEPT if image.info.get(key)}
    if image.format == "TIFF":  # its pixels are upright already, and its tags also say how the file is laid out
        exif, kept = image.getexif(), Image.Exif()
        for tag in set(exif) & DESCRIPTIVE_TAGS:
            kept[tag] = exif[tag]
        for part in PARTS:
            if details := exif.get_ifd(part):
                kept.get_ifd(part).update(details)
        info.pop("exif", None)
        if len(kept):
            info["exif"] = kept.tobytes()
    if image.format in EXIF_RESOLUTION and "dpi" not in info:
        exif = image.getexif()
        dpi: list[Any] = [exif.get(tag) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution)]
        if exif.get(ExifTags.Base.ResolutionUnit, 2) == INCHES and all(
            isinstance(dots, NUMBERS) and float(dots) > 0 for dots in dpi
        ):
            info["dpi"] = tuple(map(float, dpi))
    return info


def lost_in(file_format: str, info: Mapping[str, Any]) -> list[str]:
    """Return in words what a format cannot hold of the metadata."""
    return [words for key, words in WORDS.items() if info.get(key)] if file_format == "BMP" else []


def save_options(file_format: str, info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options by which Pillow writes metadata to a format."""
    options = {key: info[key] for key in KEPT if info.get(key)}
    if file_format == "TIFF":
        options["exif"] = _exif(options.get("exif"))
        if xmp := options.pop("xmp", None):
            options["exif"][XMP_TAG] = xmp
    elif file_format == "PNG" and "xmp" in options:
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode("utf-8", "replace"))
        options["pnginfo"] = texts
    elif file_format in EXIF_RESOLUTION and "dpi" in options:
        dpi = options.pop("dpi")
        exif = _exif(options.get("exif"))
        if ExifTags.Base.XResolution not in exif:
            exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = dpi
            exif[ExifTags.Base.ResolutionUnit] = INCHES
            options["exif"] = exif.tobytes()
    return options


def _exif(content: bytes | None) -> Image.Exif:
    exif = Image.Exif()
    exif.load(content or b"")
    return exif
