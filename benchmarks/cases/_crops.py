"""The crops that bundled networks are measured on: of photographs that are held out, and of scikit-image's."""

from pathlib import Path

from restorekit.data import central_crop, read_rgb
from restorekit.images import Pixels, find_images


def held_out_crops(folder: Path, side: int) -> dict[str, Pixels]:
    """Return central crops, by name: of the photographs in a folder, and of scikit-image's astronaut, coffee and chelsea."""
    from skimage import data

    photos = {path.stem: read_rgb(path) for path in find_images(folder)}
    photos |= {"astronaut": data.astronaut(), "coffee": data.coffee(), "chelsea": data.chelsea()}
    return {name: central_crop(photo, side) for name, photo in photos.items()}
