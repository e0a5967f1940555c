"""Files with several pages or frames, one after the other, so that only one is in memory."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from restorekit._files import atomic_path
from restorekit.errors import ImageError
from restorekit.images._picture import Array, Picture, check_can_hold, check_size, explained, opened
from restorekit.images.formats import FORMATS


def read_frames(path: str | os.PathLike[str]) -> Iterator[Picture]:
    """Yield the pages of a TIFF file or the frames of an animation; of any other image file, the picture.

    Each page has its own size, kind of pixels and metadata. Frames are whole pictures, whatever part of them the file stores; their
    metadata contain ``duration`` in milliseconds, and how often the animation ``plays``, 0 for ever.

    Raises:
        ImageError: as :func:`~restorekit.images.read_picture`.
    """
    path = Path(path)
    with opened(path, several=True) as content:
        done = 0
        try:
            for each in content.each() if content.each else [content]:
                check_size(each, path)
                yield Picture(each.pixels(), each.info())
                done += 1
        except ImageError as error:
            which = f" ({content.what.removesuffix('s')} {done + 1} of {content.frames})" if content.each else ""
            raise ImageError(f"{error}{which}") from error


def write_frames(pictures: Iterable[Picture], path: str | os.PathLike[str], *, count: int, quality: int | None = None) -> None:
    """Write a TIFF file with several pages, or an animation (GIF, PNG, WebP, AVIF), atomically; the suffix chooses the format.

    Args:
        pictures: pages or frames, as from :func:`read_frames`; they are fetched one by one. The metadata of an animation are those
            of its first frame.
        path: file to write; an existing file is replaced.
        count: number of pictures.
        quality: as in :func:`~restorekit.images.write_picture`.

    Raises:
        ImageError: if the format cannot store the pictures, or the file cannot be written.

    Example:
        >>> import numpy as np
        >>> frames = [Picture(np.full((8, 8, 3), grey, np.uint8), {"duration": 40, "plays": 0}) for grey in (0, 128, 255)]
        >>> write_frames(frames, "blink.png", count=3)
        >>> [picture.info["duration"] for picture in read_frames("blink.png")]
        [40.0, 40.0, 40.0]
    """
    with frames_written(pictures, path, count=count, quality=quality):
        pass


@contextmanager
def frames_written(
    pictures: Iterable[Picture], path: str | os.PathLike[str], *, count: int, quality: int | None = None
) -> Iterator[None]:
    """Write a file as :func:`write_frames` does; it appears when the block ends without an error.

    Raises:
        ImageError: if the format cannot store the pictures, or the file cannot be written.
    """
    path = Path(path)
    fetched = iter(pictures)
    first = next(fetched)
    record = FORMATS.get(path.suffix.lower())
    several = (record.several if record else "") or "frames"
    foreign: list[Exception] = []  # errors in making a picture, which are not about the file

    def checked() -> Iterator[tuple[Array, Mapping[str, Any]]]:
        try:
            for picture in chain([first], fetched):
                check_can_hold(path, picture.mode, picture.info, several=several)
                yield picture.pixels, picture.info
        except Exception as error:
            foreign.append(error)
            raise

    write = check_can_hold(path, first.mode, first.info, several=several).write_several
    assert write is not None  # formats for several can be written
    with atomic_path(path) as temporary:
        try:
            write(checked(), count, temporary, quality)
        except Exception as error:
            if error in foreign:
                raise
            with explained(path):
                raise
        yield
