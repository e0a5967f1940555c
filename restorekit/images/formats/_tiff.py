"""TIFF: 8 to 16 bits, and floating point from 0 to 1; other content is converted faithfully, or refused."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from restorekit.errors import ImageError
from restorekit.images._metadata import chosen, comment_of, loaded_exif
from restorekit.images.formats._pillow import open_with_pillow
from restorekit.images.formats._record import MODE_OF, Array, Content, ImageFormat, Info, register_format
from restorekit.images.formats._rescue import rows_lost
from restorekit.images.formats._scaled import to_sixteen_bits, without_premultiplication
from restorekit.images.formats._tiff_rows import TiffWriter
from restorekit.images.formats._tiff_segments import SegmentReader, cannot_decode, damage, layout_of

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}  # channels that are not extra
OTHER = {4: "a mask", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "raw data of a sensor", 34892: "linear raw data"}
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG = (6, 7)  # compressions that only Pillow reads
UNSPECIFIED, PREMULTIPLIED, ALPHA = 0, 1, 2  # kinds of extra channels
SMALL = 2**24  # 32-bit numbers up to this are unlikely to use the whole range
MAX_PAGES = 100  # that are inspected
DESCRIPTIVE_TAGS = {
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.Base.DocumentName,
    ExifTags.Base.PageName,
    ExifTags.Base.PageNumber,
    ExifTags.Base.HostComputer,
}
PARTS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
XMP_TAG, IPTC_TAG, PROFILE_TAG, ORIENTATION_TAG = 700, 33723, 34675, 274
X_RESOLUTION, Y_RESOLUTION, UNIT = 282, 283, 296
PER_INCH = {2: 1.0, 3: 2.54}  # factor to pixels per inch, by unit
CONVERT = "convert it first, for example: magick in.tif -colorspace sRGB -depth 16 out.tif"
UPRIGHT: dict[int, Callable[[Array], Array]] = {  # by orientation
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}


def _open(file: BinaryIO, path: Path) -> Content:
    from tifffile import TiffFile  # slow to import, and most pictures have other formats

    tiff = TiffFile(file)
    pages, stack = _pages(tiff)
    content = _content(file, path, tiff, pages[0])
    if max(len(pages), stack) == 1:
        return content

    def each() -> Iterator[Content]:
        return (_content(file, path, tiff, page) for page in pages)

    content = replace(content, by_rows=False, rows=None, rescue=None)
    return replace(content, frames=max(len(pages), stack), what="pages", each=None if stack > 1 else each)


def _content(file: BinaryIO, path: Path, tiff: "TiffFile", number: int) -> Content:
    page = tiff.pages[number].aspage()
    photometric = int(page.photometric) if page.photometric is not None else -1
    if photometric not in COLOURS:
        raise ImageError(f"{path} is a TIFF file with {OTHER.get(photometric, f'the colours {photometric}')}; {CONVERT}")
    alpha = _alpha(page, photometric, path)

    def info() -> dict[str, Any]:
        return _metadata(file, tiff, page)

    if photometric in (PALETTE, CMYK, YCBCR) or page.bitspersample < 8 or int(page.compression) in JPEG:
        content = open_with_pillow(file, path, "TIFF", by_rows=False, page=number)
        merged = lambda: info() | chosen(content.info(), "icc_profile")  # noqa: E731  # the profile changes with the colours
        return replace(content, info=merged, frames=1)
    layout = layout_of(page, tiff.byteorder)
    if words := cannot_decode(layout):
        raise ImageError(f"{path} is a TIFF file with {words}, which cannot be read; {CONVERT}")
    if page.imagedepth > 1:
        raise ImageError(f"{path} is a volume of {page.imagedepth} layers; save each as a separate file first")
    orientation, channels = int(page.tags.valueof(ORIENTATION_TAG, 1)), layout.channels
    reader = SegmentReader(path, layout)

    def rows(first: int, last: int) -> Array:
        pixels = _as_displayed(reader.rows(first, last), layout.bits, photometric == WHITE_IS_ZERO, path)
        return without_premultiplication(pixels) if alpha == PREMULTIPLIED else pixels

    def pixels() -> Array:
        whole = UPRIGHT.get(orientation, UPRIGHT[1])(rows(0, layout.height))
        return np.ascontiguousarray(whole if channels > 1 else whole[..., 0])

    def rescue() -> tuple[Array, str]:
        reader.lost = set()
        return pixels(), rows_lost(len(reader.lost), layout.height)

    width, height = (layout.height, layout.width) if orientation in (5, 6, 7, 8) else (layout.width, layout.height)
    mode = MODE_OF[channels, 8 if layout.bits == 8 else 16]
    by_rows = orientation == 1 and not (layout.kind == "u" and layout.bits == 32)
    words = damage(layout, tiff.filehandle.size)
    return Content(width, height, mode, pixels, info, by_rows=by_rows, rows=rows if by_rows else None, damage=words, rescue=rescue)


def _pages(tiff: "TiffFile") -> tuple[list[int], int]:
    """Return the numbers of the pages, without small previews, and how many pictures a page of ImageJ contains."""
    stack = int((tiff.imagej_metadata or {}).get("images", 1)) if tiff.is_imagej else 1
    everything = list(range(len(tiff.pages)))
    if len(everything) > MAX_PAGES or tiff.pages.first.is_reduced:
        return everything, stack
    return [number for number in everything if not tiff.pages[number].aspage().is_reduced], stack


def _alpha(page: "TiffPage", photometric: int, path: Path) -> int | None:
    """Return the kind of transparency, if there is any; raise for channels that would be lost."""
    extra = page.samplesperpixel - COLOURS[photometric]
    kinds = [int(kind) for kind in page.extrasamples]
    if extra == 0 and not kinds:
        return None
    if extra > 1 or extra < 0 or photometric in (PALETTE, CMYK, YCBCR):
        raise ImageError(
            f"{path} has {page.samplesperpixel} channels, but at most colour and transparency can be kept; "
            "remove the others first, for example: magick in.tif -channel RGB -separate -combine out.tif"
        )
    kind = kinds[0] if kinds else ALPHA  # programs take an undeclared channel for transparency
    if kind not in (PREMULTIPLIED, ALPHA):
        raise ImageError(
            f"{path} has an extra channel of an undeclared kind; if it is transparency: "
            f"tiffset -s 338 1 2 {path.name}, otherwise: magick in.tif -alpha off out.tif"
        )
    return kind


def _as_displayed(pixels: Array, bits: int, white_is_zero: bool, path: Path) -> Array:
    """Return pixels of 8 or 16 bits, in which zero is black."""
    if pixels.dtype.kind == "f":
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= 0 and high <= 1):
            raise ImageError(
                f"{path} has floating point numbers from {low:g} to {high:g}, but those of a picture must be between 0 and 1; "
                "scale them first to the range to display, for example: magick in.tif -auto-level -depth 16 out.png"
            )
        pixels = np.rint(pixels.astype(np.float64) * 65535).astype(np.uint16)
    elif bits == 32:
        if 0 < pixels.max() < SMALL:
            raise ImageError(
                f"{path} has 32-bit numbers that only go up to {pixels.max()}, so white is unknown; convert it to 16 bits first, "
                "with the range of your choice"
            )
        pixels = to_sixteen_bits(pixels, bits)
    elif 8 < bits < 16:
        pixels = to_sixteen_bits(pixels, bits)
    elif not pixels.dtype.isnative:
        pixels = pixels.astype(np.uint16)
    if white_is_zero:
        colours = pixels.copy()
        colours[..., :1] = np.iinfo(pixels.dtype).max - pixels[..., :1]
        return colours
    return pixels


def metadata_of_tiff(file: BinaryIO) -> dict[str, Any]:
    """Return the metadata of the first page of a file that is laid out as a TIFF file, whatever its pixels are."""
    from tifffile import TiffFile

    file.seek(0)
    tiff = TiffFile(file)
    return _metadata(file, tiff, tiff.pages.first)


def _metadata(file: BinaryIO, tiff: "TiffFile", page: "TiffPage") -> dict[str, Any]:
    """Return the metadata, without the tags about the layout of the file; its pixels are already upright."""
    exif = _tags(file, tiff, page)
    kept = Image.Exif()
    for tag in set(exif) & DESCRIPTIVE_TAGS:
        kept[tag] = exif[tag]
    for part in PARTS:
        if details := exif.get_ifd(part):
            kept.get_ifd(part).update(details)
    info: dict[str, Any] = {"exif": kept.tobytes()} if len(kept) else {}
    for key, tag in (("icc_profile", PROFILE_TAG), ("xmp", XMP_TAG), ("iptc", IPTC_TAG)):
        if content := _bytes(page.tags.valueof(tag), tiff.byteorder):
            info[key] = content
    dpi: list[Any] = [exif.get(X_RESOLUTION), exif.get(Y_RESOLUTION)]
    unit = PER_INCH.get(exif.get(UNIT, 2))
    if unit and all(dots and float(dots) > 0 for dots in dpi):
        info["dpi"] = tuple(float(dots) * unit for dots in dpi)
    return info


def _tags(file: BinaryIO, tiff: "TiffFile", page: "TiffPage") -> Image.Exif:
    """Return the tags as Pillow reads them, since its writer writes them; for big-endian BigTIFF, only the plain ones."""
    exif = Image.Exif()
    if not (tiff.is_bigtiff and tiff.byteorder == ">"):
        exif.bigtiff, exif.endian = tiff.is_bigtiff, tiff.byteorder
        exif.load_from_fp(file, page.offset)
        return exif
    if any(page.tags.valueof(part) is not None for part in PARTS):
        raise ValueError(
            "it is a big-endian BigTIFF file with EXIF data, which cannot be read; copy it first: tiffcp -L in.tif out.tif"
        )
    for tag in DESCRIPTIVE_TAGS | {X_RESOLUTION, Y_RESOLUTION, UNIT}:
        if (value := page.tags.valueof(tag)) is not None:
            exif[tag] = IFDRational(*value) if isinstance(value, tuple) else value
    return exif


def _bytes(value: Any, order: str) -> bytes:
    """Return the content of a tag that some programs write as four-byte numbers."""
    if isinstance(value, (bytes, str)):
        return value.encode() if isinstance(value, str) else value
    if value is None:
        return b""
    numbers = np.atleast_1d(np.asarray(value))
    return numbers.astype(f"{order}u{numbers.dtype.itemsize if numbers.dtype.itemsize < 8 else 4}").tobytes()


def _options(info: Info) -> dict[str, Any]:
    options = chosen(info, "icc_profile", "dpi")
    options["exif"] = loaded_exif(info.get("exif"))
    if xmp := info.get("xmp"):
        options["exif"][XMP_TAG] = xmp
    if (comment := comment_of(info)) and ExifTags.Base.ImageDescription not in options["exif"]:
        options["exif"][ExifTags.Base.ImageDescription] = comment.decode("utf-8", "replace").encode("ascii", "replace").decode()
    if iptc := info.get("iptc"):
        options["iptc"] = iptc
    return options


def _writer(path: Path, shape: tuple[int, int, int], bits: int, info: Info, quality: int | None) -> TiffWriter:
    return TiffWriter(path, shape, bits, _options(info))


def _write(pixels: Array, path: Path, info: Info, quality: int | None) -> None:
    _write_several([(pixels, info)], 1, path, quality)


def _write_several(pages: Iterable[tuple[Array, Info]], count: int, path: Path, quality: int | None) -> None:
    with path.open("wb") as file:
        link = 0
        for pixels, info in pages:
            shaped = np.atleast_3d(pixels)
            with closing(_writer(path, shaped.shape, 8 * shaped.itemsize, info, quality)) as writer:
                writer.write(shaped)
                link = writer.append_to(file, link)


FORMAT = register_format(
    ImageFormat(
        name="TIFF",
        suffixes=(".tif", ".tiff"),
        starts=lambda head: head[:4] in MAGIC,
        open=_open,
        reads="1 to 16 and 32 bits, floating point from 0 to 1; grey, colour, palettes, transparency, CMYK with a profile",
        modes=frozenset(MODE_OF.values()),
        holds=frozenset({"icc_profile", "exif", "xmp", "iptc", "dpi", "comment"}),
        write=_write,
        several="pages",
        write_several=_write_several,
        rows=_writer,
    )
)
