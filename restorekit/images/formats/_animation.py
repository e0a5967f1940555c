"""Animations, read and written through Pillow."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from restorekit.errors import ImageError
from restorekit.images._metadata import metadata_of
from restorekit.images.formats._pillow import File, encoded, open_with_pillow, pillow_image
from restorekit.images.formats._record import Array, Content, Info


def open_animation(
    file: File, path: Path, name: str, metadata: Callable[[ImageFile], dict[str, Any]] = metadata_of, *, by_rows: bool = False
) -> Content:
    """Return the content of a file read by Pillow that may be an animation, whose frames are whole pictures.

    The metadata of each frame contain its ``duration`` in milliseconds, how often the animation ``plays`` (0 for ever), and a
    ``background`` if there is one.

    Args:
        file: as for :func:`open_with_pillow`.
        path: as for :func:`open_with_pillow`.
        name: as for :func:`open_with_pillow`.
        metadata: as for :func:`open_with_pillow`.
        by_rows: as for :func:`open_with_pillow`, for a single picture.
    """
    content = open_with_pillow(file, path, name, metadata, by_rows=by_rows)
    if content.frames == 1:
        return content
    if content.mode.endswith(";16"):
        raise ImageError(
            f"{path} is an animation of 16 bits per channel, of which only 8 can be read; convert it first: "
            f"ffmpeg -i {path.name} -pix_fmt rgba -plays 0 out.apng"
        )
    mode = "RGBA" if name == "GIF" else content.mode  # whether any frame of a GIF file is transparent shows in the last one

    def each() -> Iterator[Content]:
        image = pillow_image(file, name)
        common = metadata(image) | _playing(image)
        for number in range(content.frames):
            image.seek(number)
            image.load()
            about = common | {"duration": float(image.info.get("duration", 0))}
            if number == 0 and getattr(image, "default_image", False):
                about["hidden"] = True  # shown only by programs that do not know animations
            yield Content(content.width, content.height, mode, partial(np.array, image.convert(mode)), partial(dict, about))

    return replace(content, mode=mode, each=each, by_rows=False)


def encode_animation(
    frames: Iterable[tuple[Array, Info]], count: int, path: Path, name: str, options_of: Callable[[Info], dict[str, Any]]
) -> None:
    """Write an animation, encoded by Pillow, which fetches the frames one by one.

    Args:
        frames: pixels and metadata of each frame.
        count: number of frames.
        path: file to write.
        name: Pillow's name of the format.
        options_of: returns the options for Pillow, given the metadata of the first frame.
    """
    image = _Fetched(frames, count)
    about = image.about
    options = options_of(about) | {"loop": about.get("plays", 0), "background": about.get("background", (0, 0, 0, 0))}
    path.write_bytes(encoded(image, name, save_all=True, duration=image.durations, **options))


class RoundedDurations:
    """Rounds durations to multiples of a unit; the rest of one goes to the next, so that the sum is right.

    Args:
        unit: in milliseconds.
    """

    def __init__(self, unit: int) -> None:
        self.unit, self._rest = unit, 0.0

    def __call__(self, milliseconds: int | float) -> int:
        """Return the rounded duration of the next frame."""
        exact = milliseconds + self._rest
        rounded = self.unit * round(exact / self.unit)
        self._rest = exact - rounded
        return rounded


class _Fetched(Image.Image):
    """An animation whose frames are fetched when an encoder asks for the next one, so that only one is in memory."""

    is_animated = True

    def __init__(self, frames: Iterable[tuple[Array, Info]], count: int) -> None:
        super().__init__()
        self._frames, self._at, self._rounded = iter(frames), -1, RoundedDurations(1)
        self.durations: list[int] = []  # in milliseconds; read by the encoder after each frame
        self.n_frames = count
        self.about: Info = {}
        self.seek(0)

    def seek(self, frame: int) -> None:
        """Fetch the next frame; a request for an earlier one is ignored, since encoders return to the first at the end."""
        if frame >= self.n_frames:
            raise EOFError(f"there are {self.n_frames} frames")
        if frame <= self._at:
            return
        pixels, about = next(self._frames)
        if about.get("hidden"):
            self.n_frames -= 1
            pixels, about = next(self._frames)
        image = Image.fromarray(pixels).convert("RGBA" if pixels.shape[2:] in ((2,), (4,)) else "RGB")
        self.about = self.about or about
        self.im, self._mode, self._size, self._at = image.im, image.mode, image.size, frame
        self.durations.append(self._rounded(about.get("duration", 0)))

    def tell(self) -> int:
        """Return the number of the current frame."""
        return self._at


def _playing(image: ImageFile) -> dict[str, Any]:
    """Return how an animation is played, the same for all formats."""
    loop = image.info.get("loop")
    plays = loop or 0
    if image.format == "GIF":  # which counts repetitions, and plays once without a number of them
        plays = 1 if loop is None else loop + 1 if loop else 0
    background = image.info.get("background")
    return {"plays": plays} | ({"background": background} if isinstance(background, tuple) else {})
