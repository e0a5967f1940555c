"""Comparison pictures: before and after, side by side."""

from pathlib import Path

import numpy as np

from restorekit.batch.video import VIDEO_SUFFIXES, is_video_comparison, video_comparison_path
from restorekit.errors import ImageError
from restorekit.images import Picture, before_and_after, opened, side_by_side

CREATOR = b"restorekit restore --compare"
MARK = (  # tells a comparison from a file of the user with the same name
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="' + CREATOR + b'"/></rdf:RDF></x:xmpmeta>'
)


def comparison(before: Picture, after: Picture, which: str = "") -> Picture:
    """Return one picture of two side by side: upright, at 8 bits, of one size, and on white where they are transparent.

    Args:
        before: the picture as given.
        after: the restored picture.
        which: says which of several pictures they are.
    """
    added = f", {which}" if which else ""
    first, second = before_and_after(before, after)
    sheet = side_by_side([(first, f"before{added}"), (second, f"after{added}")])
    profile = before.info.get("icc_profile") if not before.mode.startswith(("L", "I")) else None
    return Picture(np.asarray(sheet), {"xmp": MARK} | ({"icc_profile": profile} if profile else {}))


def is_comparison(path: Path) -> bool:
    """Return whether a file is a comparison that this library wrote."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return is_video_comparison(path)
    try:
        with opened(path) as content:
            return CREATOR in content.info().get("xmp", b"")
    except ImageError:
        return False


def comparison_path(target: Path) -> Path:
    """Return the path of the comparison for an output, a picture or a video: in the same folder."""
    if target.suffix.lower() in VIDEO_SUFFIXES:
        return video_comparison_path(target)
    return target.with_name(f"{target.stem}.compare.png")
