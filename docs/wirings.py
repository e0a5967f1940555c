"""Draws the pictures of networks in the documentation.

python docs/wirings.py
"""

from pathlib import Path

import torch

from restorekit.composition import compose
from restorekit.inspection import draw
from restorekit.models import create_model
from restorekit.stages import MultiStage

ASSETS = Path(__file__).parent / "assets"
PICTURES = {
    "mprnet": "mprnet_deblur",
    "hinet": "hinet_denoise",
    "maxim": "maxim_s3",
    "restormer_unet": "restormer",
    "mimo_unet": "mimo_unet",
    "prenet": "prenet",
    "five_stages": "five_stages.toml",
}


def network(name: str) -> MultiStage:
    """Return a network by the name of a model or of a composition in the folder of assets, without numbers in it."""
    with torch.device("meta"):
        model = compose(ASSETS / name) if name.endswith(".toml") else create_model(name)
    assert isinstance(model, MultiStage)
    return model


def main(folder: Path = ASSETS) -> None:
    """Draw all pictures into a folder."""
    for picture, name in PICTURES.items():
        draw(network(name), folder / f"{picture}.svg", title=Path(name).stem)


if __name__ == "__main__":
    main()
