"""JPEG files written by rows: through a temporary file and libvips, since Pillow only writes whole images."""

import contextlib
import io
import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from restorekit._allocator import return_freed_memory

Array = npt.NDArray[Any]

START, APP0, APP15, COMMENT = b"\xff\xd8", 0xE0, 0xEF, 0xFE


class JpegWriter:
    """Writes a JPEG file: first rows to a temporary file, then that file through libvips; metadata are written as by Pillow."""

    def __init__(self, path: Path, shape: tuple[int, int, int], options: Mapping[str, Any]) -> None:
        self.path, self.shape, self.options = path, shape, options
        self._rows = path.with_name(f"{path.name}.rows").open("wb")

    def write(self, pixels: Array) -> None:
        """Write the next rows, H x W x C."""
        self._rows.write(np.ascontiguousarray(pixels).data)

    def finish(self) -> None:
        """Write the file."""
        import pyvips

        self._rows.flush()
        return_freed_memory()  # of the network, since libvips maps the temporary file into memory
        height, width, channels = self.shape
        image = pyvips.Image.rawload(self._rows.name, width, height, channels, access="sequential")
        image = image.copy(interpretation="b-w" if channels == 1 else "srgb")
        full = self.options.get("subsampling", "4:4:4") == "4:4:4"
        header = io.BytesIO()
        Image.new("L" if channels == 1 else "RGB", (1, 1)).save(header, "JPEG", **self.options)
        with tempfile.TemporaryFile(dir=self.path.parent) as body, self.path.open("wb") as file:
            target, errors = pyvips.TargetCustom(), list[OSError]()
            target.on_write(partial(_write_or_note, body, errors))
            try:
                image.jpegsave_target(target, Q=self.options["quality"], subsample_mode="off" if full else "on", keep="none")
            except pyvips.Error as error:
                raise (errors or [OSError(" ".join(str(error).split()))])[0] from error
            if errors:
                raise errors[0]
            file.write(START + _segments(header))
            _segments(body)  # skip the segments that libvips wrote
            shutil.copyfileobj(body, file)

    def close(self) -> None:
        """Drop the temporary file."""
        with contextlib.suppress(OSError):  # a full disk raised an error before
            self._rows.close()
        Path(self._rows.name).unlink()


def _write_or_note(file: Any, errors: list[OSError], content: Any) -> int:
    """Write, and return the number of bytes; keep an error, which cannot pass through libvips."""
    try:
        return file.write(content)
    except OSError as error:
        errors.append(error)
        return -1


def _segments(file: Any) -> bytes:
    """Return the segments of a JPEG file that describe the image, and leave the file positioned after them."""
    file.seek(len(START))
    found = b""
    while True:
        place = file.tell()
        marker, length = file.read(2), int.from_bytes(file.read(2), "big")
        if not (APP0 <= marker[1] <= APP15 or marker[1] == COMMENT):
            file.seek(place)
            return found
        file.seek(place)
        found += file.read(2 + length)
