"""Writes the table of image formats into the page about files, from their records. ``prepare.py`` calls it."""

from restorekit.images import ImageFormat, all_formats

HEAD = (
    "format",
    "suffixes",
    "read",
    "written",
    "loss",
    "ICC",
    "EXIF",
    "XMP",
    "IPTC",
    "comments",
    "resolution",
    "several",
    "by rows",
)
METADATA = ("icc_profile", "exif", "xmp", "iptc", "comment", "dpi")


def table() -> str:
    """Return what each format reads, writes and keeps."""
    rows = [HEAD, ("---",) * len(HEAD), *(row(record) for record in all_formats())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def row(record: ImageFormat) -> tuple[str, ...]:
    """Return what the table says of a format."""
    loss = "-" if not record.modes else "none" if record.lossless else "hardly visible"
    loss += ", unless a quality is given" if record.lossless and record.quality else ""
    kept = ["-" if not record.modes else "yes" if key in record.holds else "no" for key in METADATA]
    suffixes = ", ".join(f"`{suffix}`" for suffix in record.suffixes)
    several = record.several or ("-" if not record.modes else "no")
    return (record.name, suffixes, record.reads, written(record), loss, *kept, several, "yes" if record.rows else "no")


def written(record: ImageFormat) -> str:
    """Return in words with which pixels a format is written."""
    if not record.modes:
        return "no"
    deep = {mode for mode in record.modes if mode.endswith(";16")}
    transparent = "transparency, " if {"LA", "RGBA"} & record.modes else ""
    return f"{transparent}8 bits" + ("" if not deep else " and 16 of grey" if deep == {"I;16"} else " and 16")
