"""The metadata of image files, by the keys of :class:`~restorekit.images.Picture`."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from restorekit.errors import ImageError

KEPT = ("icc_profile", "exif", "xmp", "iptc", "dpi", "comment", "text", "chunks", "colour")
WORDS = {  # for metadata that is never dropped: formats without it are refused
    "icc_profile": "a colour profile",
    "exif": "EXIF data",
    "xmp": "XMP data",
    "iptc": "IPTC data",
}
NUMBERS = (int, float, IFDRational)  # types of a resolution
INCHES = 2  # as the unit of the resolution
HDR = {16: ("PQ (SMPTE ST 2084)", "smpte2084"), 18: ("HLG (ARIB STD-B67)", "arib-std-b67")}  # transfer functions of ITU-T H.273
PRIMARIES = {1: "bt709", 9: "bt2020", 12: "smpte432"}  # of ITU-T H.273, by ffmpeg's names
TONE_MAPPING = "zscale=t=linear:npl=100,tonemap=hable,zscale=p=bt709:t=iec61966-2-1"


def metadata_of(image: Image.Image) -> dict[str, Any]:
    """Return the metadata to keep from an image file, by Pillow's names."""
    return {key: image.info[key] for key in ("icc_profile", "exif", "xmp", "dpi", "comment") if image.info.get(key)}


def lost_in(holds: frozenset[str], info: Mapping[str, Any]) -> list[str]:
    """Describe the metadata that a format which stores ``holds`` cannot keep, but must not drop."""
    lost = [words for key, words in WORDS.items() if info.get(key) and key not in holds]
    return lost + ([info["colour"]] if info.get("colour") and "colour" not in holds else [])


def with_exif_resolution(image: Image.Image) -> dict[str, Any]:
    """Return the metadata of an image whose format stores the resolution only in its EXIF data."""
    info = metadata_of(image)
    if "dpi" not in info:
        exif = image.getexif()
        dpi: list[Any] = [exif.get(tag) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution)]
        if exif.get(ExifTags.Base.ResolutionUnit, 2) == INCHES and all(
            isinstance(dots, NUMBERS) and float(dots) > 0 for dots in dpi
        ):
            info["dpi"] = tuple(map(float, dpi))
    return info


def exif_with_resolution(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that make Pillow write metadata in such a format."""
    options = chosen(info, "icc_profile", "exif", "xmp")
    if info.get("dpi"):
        exif = loaded_exif(info.get("exif"))
        if ExifTags.Base.XResolution not in exif:
            exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = info["dpi"]
            exif[ExifTags.Base.ResolutionUnit] = INCHES
            options["exif"] = exif.tobytes()
    return options


def chosen(info: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return the metadata that are present."""
    return {key: info[key] for key in keys if info.get(key)}


def loaded_exif(content: bytes | None) -> Image.Exif:
    """Return EXIF data as Pillow's mapping."""
    exif = Image.Exif()
    exif.load(content or b"")
    return exif


def comment_of(info: Mapping[str, Any]) -> bytes:
    """Return the comment, or named texts as lines of one, for formats without named texts."""
    if comment := info.get("comment"):
        return comment.encode() if isinstance(comment, str) else bytes(comment)
    texts: Sequence[tuple[str, str]] = info.get("text", ())
    return "\n".join(f"{name}: {text}" for name, text in texts).encode()


def refuse_hdr(path: Path, primaries: int, transfer: int, *, matrix: str = "") -> None:
    """Raise for a picture whose values are not those of a display, with the command that converts it.

    Args:
        path: the file.
        primaries: number of its colours in ITU-T H.273.
        transfer: number of its transfer function there.
        matrix: ffmpeg's name of the matrix if the file cannot name it.
    """
    if transfer not in HDR:
        return
    what, function = HDR[transfer]
    colours = f"color_primaries={PRIMARIES.get(primaries, 'bt2020')}:color_trc={function}{matrix and f':colorspace={matrix}'}"
    raise ImageError(
        f"{path} has the HDR transfer function {what}, for which no network is trained; convert it to sRGB first, for example: "
        f"ffmpeg -i {shlex.quote(str(path))} -vf setparams={colours},{TONE_MAPPING} out.png"
    )
