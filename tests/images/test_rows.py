"""Large pictures go from file to file row by row, and nothing is lost on the way."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_images import RNG, exif, sample
from typer.testing import CliRunner

from _helpers.identity import Identity
from restorekit.batch import Job, Outcome, plan_jobs, restore_files
from restorekit.batch import _pipeline as files
from restorekit.cli import app
from restorekit.errors import ImageError
from restorekit.images import Picture, RowReader, can_be_read_by_rows, read_picture, rows_written, write_picture
from restorekit.images import _rows as rows
from restorekit.inference import InferenceOptions, Progress, Restorer

pytest.importorskip("pyvips")

KINDS = [
    *[(suffix, mode) for suffix in (".png", ".tif") for mode in ("L", "LA", "RGB", "RGBA", "I;16", "RGB;16", "RGBA;16")],
    (".png", "LA;16"),
    *[(".jpg", mode) for mode in ("L", "RGB")],
]


def upright(picture: Picture, suffix: str) -> Picture:
    """Return the picture without an orientation where its format would be turned."""
    info = dict(picture.info)
    if suffix == ".tif":
        del info["exif"]
    return Picture(picture.pixels, info)


@pytest.mark.parametrize(("suffix", "mode"), KINDS)
def test_rows_are_those_of_the_whole_picture(tmp_path: Path, suffix: str, mode: str) -> None:
    write_picture(upright(sample(mode, 300, 33), suffix), tmp_path / f"a{suffix}", quality=80)
    whole = read_picture(tmp_path / f"a{suffix}")
    assert can_be_read_by_rows(tmp_path / f"a{suffix}")
    reader = RowReader(tmp_path / f"a{suffix}")
    assert (reader.mode, reader.info) == (whole.mode, whole.info)
    pixels = np.atleast_3d(whole.pixels)
    for first, last in ((0, 100), (0, 130), (70, 170), (169, 170), (169, 300)):
        np.testing.assert_array_equal(reader.read(first, last), pixels[first:last])

    with rows_written(tmp_path / f"b{suffix}", reader.shape, reader.dtype, reader.info, quality=80) as write:
        for first in range(0, 300, 70):
            write(pixels[first : first + 70])
    written = read_picture(tmp_path / f"b{suffix}")
    assert (written.mode, written.info) == (whole.mode, whole.info)
    if suffix == ".jpg":
        write_picture(whole, tmp_path / "c.jpg", quality=80)
        assert abs(written.pixels.astype(int) - read_picture(tmp_path / "c.jpg").pixels).mean() < 1  # another encoder
    else:
        np.testing.assert_array_equal(written.pixels, whole.pixels)
    assert {path.name for path in tmp_path.iterdir()} <= {f"a{suffix}", f"b{suffix}", "c.jpg"}


def test_metadata_behind_the_pixels_of_a_png_are_found(tmp_path: Path) -> None:
    write_picture(sample("RGB"), tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    start = content.index(b"iTXt") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    last = content.index(b"IEND") - 4
    (tmp_path / "b.png").write_bytes(content[:start] + content[end:last] + content[start:end] + content[last:])
    assert RowReader(tmp_path / "b.png").info == read_picture(tmp_path / "a.png").info
    assert "xmp" in RowReader(tmp_path / "b.png").info


def test_what_libvips_reads_otherwise_is_read_whole(tmp_path: Path) -> None:
    image = sample("RGB").pixels
    Image.fromarray(image).quantize(8).save(tmp_path / "palette.png")
    Image.fromarray(image[..., 0]).save(tmp_path / "keyed.png", transparency=3)
    Image.fromarray(image).save(tmp_path / "turned.tif", exif=exif())
    Image.fromarray(image).save(tmp_path / "a.webp")
    for path in tmp_path.iterdir():
        assert not can_be_read_by_rows(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_truncated_file_is_explained_and_leaves_nothing(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGE", 1)
    write_picture(upright(sample("RGB", 300, 200), suffix), tmp_path / f"a{suffix}")
    content = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(content[: len(content) * 2 // 3])
    jobs, _ = plan_jobs([tmp_path / f"a{suffix}"], tmp_path / f"b{suffix}")
    outcomes: list[Outcome] = []
    restore_files(Restorer(Identity()), jobs, outcomes.append)
    assert outcomes[0].error.startswith((f"{tmp_path / 'a'}{suffix} cannot be read: ", f"{tmp_path / 'a'}{suffix} is damaged: "))
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    import pyvips

    path = tmp_path / "a.png"
    for grey in (10, 200):
        pyvips.Image.new_from_array(np.full((40, 40, 3), grey, np.uint8)).pngsave(str(path), interlace=True)
        assert (RowReader(path).read(0, 40) == grey).all()


def test_a_picture_row_by_row_is_what_it_is_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    for suffix, mode in KINDS:
        write_picture(upright(sample(mode, 170, 230), suffix), tmp_path / "in" / f"{mode}{suffix}")
    results = {}
    for name, large in (("rows", 1), ("whole", 10**9)):
        monkeypatch.setattr(files, "LARGE", large)
        jobs, _ = plan_jobs([tmp_path / "in"], tmp_path / name)
        outcomes: list[Outcome] = []
        restore_files(Restorer(Identity(), InferenceOptions(tile=96, overlap=32, precision="float32")), jobs, outcomes.append)
        assert [(outcome.error, outcome.details["by_rows"]) for outcome in outcomes] == [("", large == 1)] * len(KINDS)
        assert {outcome.details["tiles"] for outcome in outcomes} == {12}
        results[name] = {outcome.job.source.name: read_picture(outcome.job.target) for outcome in outcomes}
    for name, picture in results["whole"].items():
        other = results["rows"][name]
        assert other.info == picture.info
        np.testing.assert_allclose(other.pixels, picture.pixels, atol=3 if name.endswith("jpg") else 0, err_msg=name)


def test_tiles_and_their_number_are_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for large in (1, 10**9):
        monkeypatch.setattr(files, "LARGE", large)
        write_picture(Picture(RNG.integers(0, 256, (100, 230, 3), dtype=np.uint8)), tmp_path / "a.png")
        jobs, _ = plan_jobs([tmp_path / "a.png"], tmp_path / "b.png", overwrite=True)
        seen: list[object] = []
        restorer = Restorer(Identity(), InferenceOptions(tile=96, overlap=32))
        restore_files(restorer, jobs, lambda outcome: None, progress=partial(_into, seen))
        assert seen == ["a.png: 8 tiles", *((i, 8) for i in range(1, 9)), "finished"]


def _into(seen: list[object], job: Job) -> Progress:
    return Progress(
        planned=lambda plan: seen.append(f"{job.source.name}: {plan.tiling.num_tiles} tiles"),
        tile_done=lambda done, total: seen.append((done, total)),
        finished=lambda: seen.append("finished"),
    )


@pytest.mark.parametrize(
    ("output", "option", "helps"),
    [
        ("b.png", "--quality=90", True),
        ("b.webp", "--quality=90", False),
        ("b.png", "--compare", False),
        ("b.png", "--alpha=restore", False),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_without_libvips_the_shell_command_names_it_where_it_would_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, option: str, helps: bool
) -> None:
    for module in ("restorekit.batch._pipeline", "restorekit.cli._restore"):
        monkeypatch.setattr(f"{module}.LARGE", 1)
        monkeypatch.setattr(f"{module}.has_libvips", lambda: False)
    write_picture(sample("RGB", 40, 50), tmp_path / "a.png")
    done = CliRunner().invoke(app, ["restore", str(tmp_path / "a.png"), "-o", str(tmp_path / output), option])
    assert done.exit_code == 0, done.stderr
    hint = "a.png is kept in memory as a whole; to process it in parts: pip install 'restorekit[io]'"
    assert (hint in " ".join(done.stderr.split())) == helps
    assert (tmp_path / output).exists()


def test_a_format_that_cannot_hold_the_picture_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="JPEG cannot store 16 bits"), rows_written(tmp_path / "a.jpg", (4, 4, 3), np.uint16, {}):
        pass
    assert rows.has_libvips()
    assert not list(tmp_path.iterdir())
