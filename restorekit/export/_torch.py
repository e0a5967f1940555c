"""PyTorch's own format of exported programs, which runs without the code of this package."""

from pathlib import Path

import torch

from restorekit._files import atomic_path
from restorekit.export._registry import register_exporter
from restorekit.network import RestorationNetwork

TOLERANCE = 1e-4  # for pixels in [0, 1]; the operations are the same, but may run in another order
SIZES = ((2, 3), (4, 2))  # heights and widths in multiples; the first is traced, both are checked


@register_exporter("torch", suffixes=(".pt2",))
def export_torch(model: RestorationNetwork, path: Path, *, largest: int = 64) -> None:
    """Write a program for ``torch.export.load``, for any batch, height and width.

    Args:
        model: the network, in evaluation mode.
        path: file to write.
        largest: largest height and width that the program accepts, in multiples of ``size_multiple``.

    Raises:
        RuntimeError: if the program does not compute the same as the network.
    """
    multiple = model.size_multiple
    like = next(model.parameters())
    generator = torch.Generator().manual_seed(0)
    images = [
        torch.rand(n, model.input_channels, *(side * multiple for side in size), generator=generator).to(like)
        for n, size in enumerate(SIZES, start=2)
    ]
    height, width = (torch.export.Dim(name, min=2, max=largest) for name in ("height", "width"))
    dynamic = {"image": {0: torch.export.Dim("n", min=1, max=64), 2: multiple * height, 3: multiple * width}}
    with torch.no_grad(), atomic_path(path) as temporary:
        torch.export.save(torch.export.export(model, (images[0],), dynamic_shapes=dynamic), temporary)
        program = torch.export.load(temporary).module()
        for image in images:
            difference = (program(image) - model(image)).abs().max().item()
            if not difference <= TOLERANCE:
                sides = "x".join(map(str, image.shape[-2:]))
                raise RuntimeError(f"{path} was not written: at {sides}, the program differs from the network by {difference:.2g}")
