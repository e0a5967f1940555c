"""Multi-page files and animations: every page and frame comes back, with what belongs to it."""

import io
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from _helpers.identity import Identity
from restorekit.batch import Outcome, plan_jobs, restore_files
from restorekit.errors import ImageError
from restorekit.images import Picture, look_at, read_frames, read_image, read_picture, sample_photo, write_frames
from restorekit.inference import InferenceOptions, Progress, Restorer

CASES = Path(__file__).parent.parent / "data" / "cases"
ANIMATIONS = [".gif", ".png", ".webp", ".avif"]
DURATIONS = (40, 70, 130)


def moving(channels: int = 3) -> list[Picture]:
    """A square that moves over a few colours."""
    frames = []
    for number, duration in enumerate(DURATIONS):
        pixels = np.full((24, 32, channels), 40, np.uint8)
        if channels == 4:
            pixels[..., 3] = 255
            pixels[:, :4] = 0
        pixels[4:12, 8 * number + 5 : 8 * number + 13, :3] = (250, 120, 10 * number)
        frames.append(Picture(pixels, {"duration": duration, "plays": 3}))
    return frames


def restored(source: Path, target: Path, **options: object) -> Outcome:
    jobs, problems = plan_jobs([source], target, overwrite=True)
    assert not problems
    outcomes: list[Outcome] = []
    restore_files(Restorer(Identity(), InferenceOptions(precision="float32")), jobs, outcomes.append, **options)
    return outcomes[0]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", ANIMATIONS)
def test_an_animation_stays_what_it_is(tmp_path: Path, suffix: str, channels: int) -> None:
    frames = moving(channels)
    write_frames(frames, tmp_path / f"a{suffix}", count=3)
    assert look_at(tmp_path / f"a{suffix}")[3:] == (3, "frames")
    outcome = restored(tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    assert (outcome.error, outcome.details["frames"]) == ("", 3)
    with Image.open(tmp_path / f"b{suffix}") as image:
        assert image.n_frames == 3
    found = list(read_frames(tmp_path / f"b{suffix}"))
    assert [picture.info["duration"] for picture in found] == list(DURATIONS)
    assert suffix == ".avif" or {picture.info["plays"] for picture in found} == {3}  # Pillow has no number of plays for AVIF
    for before, after in zip(frames, found, strict=True):
        shown = after.pixels[..., :channels] if channels == 4 else after.pixels[..., :3]
        np.testing.assert_allclose(shown, before.pixels, atol=12 if suffix == ".avif" else 0)


@pytest.mark.parametrize("target", ANIMATIONS)
def test_what_others_wrote_with_parts_of_frames_becomes_whole_frames(tmp_path: Path, target: str) -> None:
    """A GIF file of Pillow stores only what changes, and what becomes of it afterwards."""
    images = [Image.fromarray(picture.pixels).convert("RGBA") for picture in moving()]
    images[0].save(
        tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=list(DURATIONS), loop=0, disposal=2, comment=b"mine"
    )
    assert restored(tmp_path / "a.gif", tmp_path / f"b{target}").error == ""
    found = list(read_frames(tmp_path / f"b{target}"))
    assert [(picture.info["duration"], picture.info["plays"]) for picture in found] == [(duration, 0) for duration in DURATIONS]
    for before, after in zip(moving(), found, strict=True):
        np.testing.assert_allclose(after.pixels[..., :3], before.pixels, atol=12 if target == ".avif" else 0)
    if target in (".gif", ".png"):
        assert found[0].info["comment" if target == ".gif" else "text"] in (b"mine", (("Comment", "mine"),))


def test_a_picture_for_programs_without_animations_stays_apart(tmp_path: Path) -> None:
    hidden, *frames = moving()
    write_frames([Picture(hidden.pixels, {**hidden.info, "hidden": True}), *frames], tmp_path / "a.png", count=3)
    assert restored(tmp_path / "a.png", tmp_path / "b.png").error == ""
    found = list(read_frames(tmp_path / "b.png"))
    assert [picture.info.get("hidden", False) for picture in found] == [True, False, False]
    for suffix in (".gif", ".webp"):  # which have no such picture
        assert restored(tmp_path / "a.png", tmp_path / f"b{suffix}").error == ""
        again = list(read_frames(tmp_path / f"b{suffix}"))
        assert [picture.info["duration"] for picture in again] == list(DURATIONS[1:])
        np.testing.assert_array_equal(again[0].pixels[..., :3], frames[0].pixels)


def test_durations_add_up_where_a_format_rounds_them(tmp_path: Path) -> None:
    pixels = [np.full((8, 8, 3), grey, np.uint8) for grey in range(0, 240, 8)]
    write_frames([Picture(one, {"duration": 1000 / 30}) for one in pixels], tmp_path / "a.png", count=30)
    assert sum(picture.info["duration"] for picture in read_frames(tmp_path / "a.png")) == pytest.approx(1000, abs=0.01)
    for suffix in (".gif", ".webp"):
        assert restored(tmp_path / "a.png", tmp_path / f"b{suffix}").error == ""
        assert sum(picture.info["duration"] for picture in read_frames(tmp_path / f"b{suffix}")) == 1000


def test_pages_keep_their_own_size_depth_and_description(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pages = [
        (rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), "rgb", "the first"),
        (rng.integers(0, 65536, (17, 9), dtype=np.uint16), "minisblack", "a deep one"),
        (rng.integers(0, 65536, (600, 9, 3), dtype=np.uint16), "rgb", ""),
    ]
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=">") as writer:
        for number, (pixels, kind, words) in enumerate(pages):
            writer.write(
                pixels,
                photometric=kind,
                description=words or None,
                resolution=(300, 300 + number),
                resolutionunit=2,
                metadata=None,
                extratags=[(285, "s", 0, f"page {number}", True)],
            )
    assert restored(tmp_path / "a.tif", tmp_path / "b.tif").details["pages"] == 3
    with tifffile.TiffFile(tmp_path / "b.tif") as written:
        assert len(written.pages) == 3
        for number, (page, (pixels, _, words)) in enumerate(zip(written.pages, pages, strict=True)):
            np.testing.assert_array_equal(page.asarray(), pixels)
            assert page.tags.valueof(270, "") == words
            assert page.tags.valueof(285) == f"page {number}"
            assert page.get_resolution("INCH")[1] == 300 + number
    with Image.open(tmp_path / "b.tif") as image:
        assert image.n_frames == 3
    assert [picture.pixels.shape for picture in read_frames(tmp_path / "b.tif")] == [pixels.shape for pixels, _, _ in pages]


def test_exif_of_each_page_is_kept(tmp_path: Path) -> None:
    pages = []
    for when in ("2020:02:02 20:20:20", "2021:01:01 10:10:10"):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = when
        exif[0x013B] = f"A. Photographer {when}"
        pages.append(Picture(np.zeros((600, 8, 3), np.uint8), {"exif": exif.tobytes(), "icc_profile": when.encode()}))
    write_frames(pages, tmp_path / "a.tif", count=2)
    for before, after in zip(pages, read_frames(tmp_path / "a.tif"), strict=True):
        assert after.info["icc_profile"] == before.info["icc_profile"]
        exif = Image.Exif()
        exif.load(after.info["exif"])
        assert f"A. Photographer {exif.get_ifd(0x8769)[0x9003]}" == exif[0x013B]


@pytest.mark.parametrize("name", ["anim.gif", "anim.png", "anim.webp", "multipage.tif"])
def test_one_picture_is_not_taken_for_all(name: str) -> None:
    for read in (read_picture, read_image):
        with pytest.raises(ImageError, match=r"has \d (frames|pages); read them with restorekit.images.read_frames, or extract"):
            read(CASES / name)


def test_a_format_that_cannot_hold_several_is_refused_before_the_work(tmp_path: Path) -> None:
    source = CASES / "anim.gif"
    assert "JPEG cannot store an animation; write a .avif or .gif or .png or .webp" in restored(source, tmp_path / "a.jpg").error
    assert "TIFF cannot store an animation" in restored(source, tmp_path / "a.tif").error
    assert "PNG cannot store several pages; write a .tif" in restored(CASES / "multipage.tif", tmp_path / "a.png").error
    assert not list(tmp_path.iterdir())


def test_frames_are_told_compared_and_reported(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    outcome = restored(
        CASES / "multipage.tif",
        tmp_path / "a.tif",
        compare=True,
        progress=lambda job: Progress(frame_done=lambda done, total: told.append((done, total))),
    )
    assert told == [(1, 2), (2, 2)]
    assert outcome.details["pages"] == 2
    first = next(read_frames(CASES / "multipage.tif")).pixels
    sheet = read_picture(tmp_path / "a.compare.png").pixels
    assert sheet.shape[1] > 2 * first.shape[1]


@pytest.mark.parametrize("suffix", [".tif", ".png", ".gif", ".webp"])
def test_only_one_frame_is_in_memory(tmp_path: Path, suffix: str) -> None:
    alive, most = 0, 0

    def dropped() -> None:
        nonlocal alive
        alive -= 1

    def frames() -> Iterator[Picture]:
        nonlocal alive, most
        for grey in range(20):
            pixels = np.full((16, 16, 3), 10 * grey, np.uint8)
            weakref.finalize(pixels, dropped)
            alive += 1
            most = max(most, alive)
            yield Picture(pixels, {"duration": 20})

    write_frames(frames(), tmp_path / f"a{suffix}", count=20)
    assert most <= 3
    assert len(list(read_frames(tmp_path / f"a{suffix}"))) == 20


def test_a_fault_in_a_later_frame_leaves_nothing_and_names_the_fault(tmp_path: Path) -> None:
    photo = sample_photo()[:64, :64]
    pages = io.BytesIO()
    with tifffile.TiffWriter(pages) as writer:
        writer.write(photo, photometric="rgb")
        writer.write(photo, photometric="cielab")
    (tmp_path / "a.tif").write_bytes(pages.getvalue())
    error = restored(tmp_path / "a.tif", tmp_path / "b.tif").error
    assert "CIELab" in error
    assert error.endswith("(page 2 of 2)")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
