"""A network together with its inference options: the one way from pixels to restored pixels."""

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from restorekit.errors import OptionError
from restorekit.inference._bands import PEAKS, Source, colours_of, restored_bands, restored_shape
from restorekit.inference._options import ENGINE_PACKAGES, InferenceOptions, check_tile
from restorekit.inference._precision import compute_dtype, converted, prepare
from restorekit.inference._progress import SILENT, Plan, Progress
from restorekit.inference.engines import best_engine, run_by
from restorekit.inference.passes import local_pooling, seamless
from restorekit.network import RestorationNetwork, network_in

Array = npt.NDArray[Any]
Restorable = TypeVar("Restorable")
Run = Callable[[Tensor], Tensor]

IMAGES_HELD = 3  # copies of the pixels: as given, as arranged for the network, and restored


class Restorer:
    """Restores images with a network and options. The network is prepared once per precision, and is not changed itself.

    Args:
        model: the network, or the result of :func:`prepare` for it. It may be in a wrapper such as ``DataParallel``, which is not
            used.
        options: how to restore.

    Raises:
        ValueError: if the model contains no network, or several.
        OptionError: if the network has fewer supervised stages, needs larger tiles, or has means that cannot be made local.

    Example:
        >>> from restorekit import create_model
        >>> restorer = Restorer(create_model("mprnet_tiny"), InferenceOptions(stages=1))
        >>> restorer(torch.zeros(3, 30, 40)).shape, restorer(np.zeros((9, 5, 3), np.uint8)).shape
        (torch.Size([3, 30, 40]), (9, 5, 3))
    """

    def __init__(self, model: nn.Module, options: InferenceOptions | None = None) -> None:
        self.options = options = options or InferenceOptions()
        model = network_in(model)
        model.check_stages(options.stages)
        if options.noise_level is not None and "noise_level" not in (condition.name for condition in model.conditions):
            raise OptionError("noise_level", "is not for this network, which does not take the condition noise_level; leave it out")
        model.check_conditions(options.conditions)
        if options.strength != 1 and not model.keeps_shape:
            raise OptionError(
                "strength",
                f"must be 1 for this network: its result ({model.output_channels} channels, {model.output.scale} x the size) "
                f"cannot be mixed with the image ({model.image_channels} channels)",
            )
        if options.pooling == "local":
            try:
                model = local_pooling(model, options.train_size)
            except ValueError as error:
                raise OptionError("pooling", f"cannot be local: {error}") from error
        if options.patches == "seamless":
            model = seamless(model)
        if isinstance(options.tile, int):
            check_tile(options.tile, options.overlap, model.size_multiple)
        if options.device is not None and next(model.parameters()).device != torch.device(options.device):
            model = copy.deepcopy(model).to(options.device)
        device = next(model.parameters()).device
        if options.engine in ENGINE_PACKAGES and (model.is_prepared or device.type != "cpu"):
            found = "a prepared network; pass the network itself" if model.is_prepared else f"a network on {device}"
            raise OptionError("engine", f"must be torch or auto for {found}; got {options.engine}")
        self.model = model
        self._ready_for: dict[torch.dtype, RestorationNetwork] = {}  # by the dtype it computes in
        self._plan: Plan | None = None

    def __call__(self, image: Restorable, *, progress: Progress = SILENT) -> Restorable:
        """Return the restored image, with the kind of the input.

        Args:
            image: image, as for :func:`restorekit.restore`.
            progress: callbacks, with ``alpha="restore"`` for the transparency too.

        Raises:
            ValueError: if the image is empty, has a wrong dtype or range, or has channels that the network does not take.
            ImageError: if an image file cannot be read or would lose bits.
            TypeError: if the image has an unsupported type.
            MemoryError: if the image, or the smallest tile, is too large for the memory.
        """
        return cast(Restorable, _restored(lambda batch: self._batch(batch, progress), image))

    def told(self, condition: Mapping[str, Any]) -> "Restorer":
        """Return a restorer for other values of the conditions, with the same prepared networks.

        Args:
            condition: value of each condition by name.

        Raises:
            OptionError: if conditions are missing or unknown.
        """
        self.model.check_conditions(condition)
        other = copy.copy(self)
        other.options = replace(self.options, condition=condition, noise_level=None)
        return other

    def by_rows(
        self,
        shape: tuple[int, int, int],
        dtype: npt.DTypeLike,
        read: Callable[[int, int], Array],
        *,
        held: int = 0,
        progress: Progress = SILENT,
    ) -> Iterator[Array]:
        """Yield the restored rows of one image, H x W x C, in bands; transparency is kept as it is.

        Args:
            shape: height, width and channels.
            dtype: uint8 or uint16.
            read: returns the rows from a first one to before a last one; the first row never decreases between calls.
            held: bytes that the pixels take while the network runs.
            progress: callbacks.
        """
        height, width, channels = shape

        def tensor(first: int, last: int) -> Tensor:
            return torch.from_numpy(np.require(read(first, last), requirements=["C", "W"])).permute(2, 0, 1)[None]

        for band in self._bands(Source((1, channels, height, width), _torch(dtype), tensor, held), progress):
            yield band[0].permute(1, 2, 0).cpu().numpy()

    @property
    def num_tiles(self) -> int:
        """Number of tiles of the last image."""
        return 1 if self._plan is None else self._plan.tiling.num_tiles

    def describe(self, dtype: npt.DTypeLike) -> dict[str, Any]:
        """Return how the last image, with this dtype, was restored, as plain data for a report."""
        options = self.options
        return {
            "precision": str(self._computes(_torch(dtype))[1]).removeprefix("torch."),
            "engine": self.engine_for(dtype),
            "tiles": self.num_tiles,
            "pooling": options.pooling,
            "patches": options.patches,
            "stages": options.stages or self.model.num_supervised,
            "ensemble": options.ensemble,
            "strength": options.strength,
        }

    @torch.no_grad()
    def _batch(self, batch: Tensor, progress: Progress) -> Tensor:
        """Restore N x C x H x W pixels of any supported dtype."""
        _check_pixels(batch)
        colours = colours_of(self.model, batch.shape[1])
        transparency = batch.shape[1] - colours
        channels, height, width = restored_shape(self.model, (batch.shape[1], batch.shape[2], batch.shape[3]))
        restored = batch.new_empty(len(batch), channels, height, width)
        parts = [(batch, restored)]
        if transparency and self.options.alpha == "restore":
            parts = [
                (batch[:, :colours], restored[:, : channels - transparency]),
                (batch[:, colours:], restored[:, channels - transparency :]),
            ]
        held = (IMAGES_HELD - 1) * batch.nbytes + restored.nbytes
        for pixels, result in parts:
            row = 0

            def read(first: int, last: int, pixels: Tensor = pixels) -> Tensor:
                return pixels[:, :, first:last]

            for band in self._bands(Source(_shape(pixels), batch.dtype, read, held), progress):
                result[:, :, row : row + band.shape[2]] = band
                row += band.shape[2]
        return restored

    def restored_shape(self, height: int, width: int, channels: int) -> tuple[int, int, int]:
        """Return height, width and channels of the restored image for those of an image.

        Raises:
            ValueError: if the network does not take an image with these channels.
        """
        channels, height, width = restored_shape(self.model, (channels, height, width))
        return height, width, channels

    def _bands(self, source: Source, progress: Progress) -> Iterator[Tensor]:
        """Yield the restored pixels from top to bottom, and remember the plan."""

        def planned(plan: Plan) -> None:
            self._plan = plan
            progress.planned(plan)

        watched = Progress(planned, progress.tile_done, progress.finished)
        return restored_bands(self._ready(source.dtype), source, self.options, watched)

    def engine_for(self, dtype: npt.DTypeLike) -> str:
        """Return the engine that computes images of a dtype."""
        return self._computes(_torch(dtype))[0]

    def _computes(self, pixels: torch.dtype) -> tuple[str, torch.dtype]:
        """Return the engine, and the dtype to compute in, for pixels of a dtype."""
        options = self.options
        dtype = compute_dtype(self.model, options.precision, pixels)
        if options.engine == "onnxruntime" and options.precision == "auto":
            return options.engine, torch.float32  # it has no other arithmetic on CPUs
        if options.engine != "auto":
            return options.engine, dtype
        plain = not options.compile and options.pooling == "global"
        return best_engine(self.model, dtype) if plain else "torch", dtype

    def _ready(self, pixels: torch.dtype) -> RestorationNetwork:
        """Return the network ready to compute for pixels of a dtype."""
        engine, dtype = self._computes(pixels)
        if dtype not in self._ready_for:
            if engine != "torch":
                ready: RestorationNetwork = run_by(
                    engine, self.model, dtype, stages=self.options.stages, variant=f"{self.options.patches} patches"
                )
            elif self.options.compile:
                ready = prepare(self.model, precision=str(dtype).removeprefix("torch."), compile=True)
            else:
                ready = converted(self.model, dtype)
            self._ready_for[dtype] = ready
        return self._ready_for[dtype]


def _restored(run: Run, image: Any) -> Any:
    """Convert an image of any kind to N x C x H x W, apply a function, and return the result as an image of the same kind."""
    if isinstance(image, Tensor):
        if image.ndim not in (3, 4):
            raise ValueError(f"a tensor must be C x H x W or N x C x H x W; got shape {tuple(image.shape)}")
        return run(image) if image.ndim == 4 else run(image[None])[0]
    if isinstance(image, np.ndarray):
        return _restored_array(run, image)
    if isinstance(image, (str, os.PathLike)):
        from restorekit.images import read_image

        return _restored(run, read_image(image))

    from PIL import Image

    if isinstance(image, Image.Image):
        from restorekit.images import from_array, to_array

        return from_array(_restored_array(run, to_array(image)), image.info)
    raise TypeError(f"image must be a tensor, an array, a PIL image or a path; got {type(image).__name__}")


def _restored_array(run: Run, pixels: Array) -> Array:
    if pixels.ndim not in (2, 3):
        raise ValueError(f"an array must be H x W or H x W x C; got shape {pixels.shape}")
    native = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=True)
    channels_last = torch.from_numpy(native if pixels.ndim == 3 else native[..., None])
    restored = run(channels_last.permute(2, 0, 1)[None])
    result = restored[0].permute(1, 2, 0).numpy()
    return result[..., 0] if pixels.ndim == 2 and result.shape[-1] == 1 else result


def _shape(pixels: Tensor) -> tuple[int, int, int, int]:
    number, channels, height, width = pixels.shape
    return number, channels, height, width


def _check_pixels(batch: Tensor) -> None:
    if batch.numel() == 0:
        raise ValueError(f"the image is empty: shape {tuple(batch.shape)} (N x C x H x W)")
    if batch.dtype in PEAKS:
        return
    if not batch.is_floating_point():
        raise ValueError(f"pixels must be uint8, uint16 or floating point in [0, 1]; got {batch.dtype}")
    if not batch.isfinite().all():
        raise ValueError("the image contains NaN or infinite values")
    low, high = batch.min().item(), batch.max().item()
    if low < 0 or high > 1:
        hint = "divide 8-bit values by 255, or pass them as uint8" if high > 2 else "clamp them, or call the model itself"
        raise ValueError(f"floating-point pixels must be in [0, 1]; got values from {low:g} to {high:g}; {hint}")


def _torch(dtype: npt.DTypeLike) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype
