"""Restoring videos: what is kept of them, what is refused, and what an interruption loses."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from torch import Tensor
from typer.testing import CliRunner

from _helpers.identity import Identity
from _helpers.marks import nightly
from restorekit.batch import FfmpegError, Job, VideoOptions, left_out, plan_jobs, probe, restore_video
from restorekit.batch._compare import comparison_path
from restorekit.batch.video import _ffmpeg, _parts
from restorekit.cli import app
from restorekit.composition import compose
from restorekit.errors import OptionError
from restorekit.inference import InferenceOptions, Restorer
from restorekit.network import ImageSpec

EXACT = InferenceOptions(precision="float32")
SIZE = (64, 48)
FRAMES = 25
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1")
TAGS_709 = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"


def ffmpeg(*arguments: object) -> bytes:
    return subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True, capture_output=True).stdout


def clip(path: Path, *options: object, picture: str = "gradients=size=64x48:rate=25:duration=1:seed=1", inputs: tuple = ()) -> Path:
    """Write a video of 25 frames, by default without losses."""
    defaults = () if "-c:v" in options else ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "0")
    ffmpeg("-f", "lavfi", "-i", picture, *inputs, *defaults, *options, "-frames:v", FRAMES, f"file:{path}")
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of videos, each with something that is easily lost."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nHello\n")
    (folder / "a.txt").write_text(
        ";FFMETADATA1\ntitle=A clip\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=1000\ntitle=Two\n"
    )
    (folder / "font.ttf").write_text("not a font")
    clip(
        folder / "full.mkv",
        *("-map", 0, "-map", 1, "-map", 2, "-map_metadata", 3, "-c:a", "aac", "-c:s", "srt", "-attach", folder / "font.ttf"),
        *("-metadata:s:t", "mimetype=font/ttf", "-metadata:s:t", "filename=font.ttf", "-metadata:s:a", "language=deu"),
        *("-vf", f"{TAGS_709},setsar=32/27,setpts='PTS+floor(N/5)*0.5/TB'", "-pix_fmt", "yuv420p10le", "-fps_mode", "vfr"),
        *("-enc_time_base", "1/1000", "-metadata:s:v", "title=Main"),
        inputs=(*SOUND, "-i", folder / "a.srt", "-i", folder / "a.txt"),
    )
    clip(folder / "plain.mp4", "-g", 5, "-c:a", "aac", "-movflags", "faststart", inputs=SOUND)
    (folder / "cut.mp4").write_bytes((folder / "plain.mp4").read_bytes()[: (folder / "plain.mp4").stat().st_size * 2 // 3])
    moving = "color=white:size=64x48:rate=50:duration=1,geq=lum='255*mod(floor((X+2*N)/8),2)':cb=128:cr=128"
    clip(folder / "fields.mp4", "-flags", "+ildct+ilme", picture=f"{moving},tinterlace=interleave_top,fieldorder=tff")
    return folder


@pytest.fixture
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parts, "LENGTH", 10)


class Stopping(Identity):
    """Counts its frames, and is interrupted after some."""

    def __init__(self, after: int | None = None) -> None:
        super().__init__()
        self.frames, self.after = 0, after

    def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        if self.after is not None and self.frames >= self.after:
            raise KeyboardInterrupt
        self.frames += len(image)
        return super().forward_stages(image, stages=stages, coarse=coarse)


def restore(source: Path, target: Path, network: Identity | None = None, *, batch: int = 4, **options: Any) -> dict[str, Any]:
    return restore_video(Restorer(network or Identity(), EXACT), source, target, batch=batch, options=VideoOptions(**options))


def about(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-show_chapters", "-of", "json", f"file:{path}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def seconds(path: Path) -> list[float]:
    video = probe(path)
    return [video.offset + float(time * video.tick) for time in video.times]


def shown(path: Path) -> np.ndarray:
    """Return the frames as a player shows them, in [0, 1]."""
    raw = ffmpeg("-i", f"file:{path}", "-map", "0:V:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-")
    return np.frombuffer(raw, np.uint16).astype(float) / 65535


def stream(path: Path, which: str, form: str) -> bytes:
    return ffmpeg("-i", path, "-map", f"0:{which}", "-c", "copy", "-f", form, "-")


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@needs_ffmpeg
class TestKept:
    @pytest.mark.usefixtures("short_parts")
    def test_times_shape_colours_and_other_streams(self, clips: Path, tmp_path: Path) -> None:
        source, target = clips / "full.mkv", tmp_path / "out" / "b.mkv"
        counts: list[tuple[int, int]] = []
        details = restore_video(Restorer(Identity(), EXACT), source, target, batch=4, progress=lambda *count: counts.append(count))
        assert details["frames"] == FRAMES
        assert counts[0] == (0, FRAMES)
        assert counts[-1] == (FRAMES, FRAMES)
        assert len(set(np.diff(seconds(source)).round(3))) > 1  # the rate does vary
        np.testing.assert_allclose(seconds(target), seconds(source), atol=1e-9)
        assert np.square(shown(source) - shown(target)).mean() < 10 ** (-40 / 10)
        before, after = probe(source), probe(target)
        assert (after.size, after.aspect, after.pixels, after.colours) == (
            before.size,
            before.aspect,
            before.pixels,
            before.colours,
        )
        for which, form in (("a", "md5"), ("s", "srt")):
            assert stream(source, which, form) == stream(target, which, form)
        first, second = about(source), about(target)
        assert second["chapters"] == first["chapters"]
        assert second["format"]["tags"]["title"] == "A clip"
        assert [other["codec_type"] for other in second["streams"]] == ["video", "audio", "subtitle", "attachment"]
        assert second["streams"][0]["tags"]["title"] == "Main"
        assert second["streams"][1]["tags"]["language"] == "deu"
        assert second["streams"][3]["tags"] == first["streams"][3]["tags"]
        assert names(tmp_path) == ["out/b.mkv"]

    @pytest.mark.usefixtures("short_parts")
    def test_another_container_has_exact_times_and_says_what_it_cannot_have(self, clips: Path, tmp_path: Path) -> None:
        said: list[str] = []
        restore_video(Restorer(Identity(), EXACT), clips / "full.mkv", tmp_path / "b.mp4", note=said.append)
        assert said == [
            "subtitles (subrip, stream 2): converted to mov_text, because .mp4 files cannot have them as is",
            "attachment (font.ttf, stream 3): left out, because .mp4 files cannot have it; .mkv files can have most",
        ]
        np.testing.assert_allclose(seconds(tmp_path / "b.mp4"), seconds(clips / "full.mkv"), atol=1e-6)
        assert len(about(tmp_path / "b.mp4")["chapters"]) == 2

    @pytest.mark.parametrize(
        ("matrix", "levels"),
        [("smpte170m", "pc"), *(nightly(*case) for case in [("bt709", "tv"), ("bt709", "pc"), ("bt2020nc", "tv")])],
    )
    def test_the_network_sees_the_colours_that_the_tags_mean(self, tmp_path: Path, matrix: str, levels: str) -> None:
        scaled = "bt2020" if matrix == "bt2020nc" else "bt601" if matrix == "smpte170m" else matrix
        tagged = f"scale=out_color_matrix={scaled}:out_range={levels},format=yuv444p,setparams=colorspace={matrix}:range={levels}"
        source = clip(tmp_path / "a.mkv", "-c:v", "ffv1", "-vf", tagged, picture="color=0xC04020:size=64x48:rate=25,format=gbrp")
        network = Identity()
        restore(source, tmp_path / "b.mkv", network, codec="ffv1")
        seen = network.seen.mean(dim=(0, 2, 3)) * 255
        np.testing.assert_allclose(seen, [0xC0, 0x40, 0x20], atol=2)
        assert probe(tmp_path / "b.mkv").colours == probe(source).colours
        np.testing.assert_allclose(shown(tmp_path / "b.mkv"), shown(source), atol=2 / 255)

    @pytest.mark.parametrize(
        ("suffix", "codec", "given", "written"),
        [
            (".mp4", "h265", "yuv422p10le", "yuv422p10le"),
            nightly(".webm", None, "yuv444p", "yuv444p"),
            nightly(".mov", "prores", "yuv420p", "yuv422p10le"),
            (".mkv", "ffv1", "gbrp", "bgr0"),
            nightly(".avi", None, "gray", "yuv420p"),
        ],
    )
    def test_codecs_and_pixels(self, tmp_path: Path, suffix: str, codec: str | None, given: str, written: str) -> None:
        source = clip(tmp_path / "a.mkv", "-c:v", "ffv1", "-pix_fmt", given)
        details = restore(source, tmp_path / f"b{suffix}", codec=codec)
        assert details["pixels"] == written
        assert details["notes"] == []
        np.testing.assert_allclose(seconds(tmp_path / f"b{suffix}"), seconds(source), atol=1e-6)
        assert np.square(shown(source) - shown(tmp_path / f"b{suffix}")).mean() < 10 ** (-35 / 10)

    def test_bits_that_an_encoder_does_not_take_are_mentioned(self, tmp_path: Path) -> None:
        source = clip(tmp_path / "a.mkv", "-c:v", "ffv1", "-pix_fmt", "yuv422p12le")
        assert restore(source, tmp_path / "b.mkv")["notes"] == [
            "12 bits become 10, because libx264 cannot store yuv422p12le; --codec ffv1 (.mkv, .mov) keeps it"
        ]

    @pytest.mark.nightly
    def test_quality(self, clips: Path, tmp_path: Path) -> None:
        errors = []
        for crf in (1, 51):
            restore(clips / "plain.mp4", tmp_path / f"{crf}.mp4", crf=crf)
            errors.append(np.square(shown(tmp_path / f"{crf}.mp4") - shown(clips / "plain.mp4")).mean())
        assert errors[1] > 5 * errors[0]

    def test_a_rotated_video_is_upright_and_its_pixels_with_it(self, clips: Path, tmp_path: Path) -> None:
        clip(tmp_path / "a.mp4", "-vf", "setsar=2/1")
        ffmpeg("-i", tmp_path / "a.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90", tmp_path / "turned.mp4")
        if not about(tmp_path / "turned.mp4")["streams"][0].get("side_data_list"):
            pytest.skip("this ffmpeg writes no rotation this way")
        restore(tmp_path / "turned.mp4", tmp_path / "b.mp4")
        after = probe(tmp_path / "b.mp4")
        assert (after.size, after.aspect) == (SIZE[::-1], probe(tmp_path / "turned.mp4").aspect)
        assert after.aspect == 0.5
        assert np.square(shown(tmp_path / "turned.mp4") - shown(tmp_path / "b.mp4")).mean() < 10 ** (-40 / 10)

    def test_fields_are_deinterlaced(self, clips: Path, tmp_path: Path) -> None:
        details = restore(clips / "fields.mp4", tmp_path / "b.mp4")
        assert details["notes"] == ["25 of 25 frames are interlaced: deinterlaced by bwdif, a frame of each pair of fields"]
        assert probe(tmp_path / "b.mp4").interlaced == 0
        np.testing.assert_allclose(seconds(tmp_path / "b.mp4"), seconds(clips / "fields.mp4"), atol=1e-9)

        def combing(path: Path) -> float:
            """How much lines differ from both neighbours; the picture itself has vertical edges only."""
            frames = shown(path).reshape(-1, SIZE[1], SIZE[0], 3)
            return float(np.abs(frames[:, 2:] - 2 * frames[:, 1:-1] + frames[:, :-2]).mean())

        assert combing(tmp_path / "b.mp4") < combing(clips / "fields.mp4") / 5

    @pytest.mark.parametrize("suffix", [".mp4", nightly(".mkv")])
    def test_a_cover_picture_stays_one(self, clips: Path, tmp_path: Path, suffix: str) -> None:
        ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", 1, tmp_path / "red.png")
        picture = ("-map", 0, "-map", 1, "-c", "copy", "-disposition:v:1", "attached_pic")
        ffmpeg("-i", clips / "plain.mp4", "-i", tmp_path / "red.png", *picture, tmp_path / "a.mp4")
        restore(tmp_path / "a.mp4", tmp_path / f"b{suffix}")
        covers = [found for found in about(tmp_path / f"b{suffix}")["streams"] if found["disposition"]["attached_pic"]]
        assert [cover["codec_name"] for cover in covers] == ["png"]


@needs_ffmpeg
class TestRefused:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("-pix_fmt", "yuva420p"), "it has transparency, which would be lost; remove it: ffmpeg"),
            (("-vf", "format=yuv420p10le,setparams=color_trc=smpte2084"), r"it is HDR \(PQ\).*convert it first: ffmpeg"),
            nightly(("-vf", "format=yuv420p10le,setparams=color_trc=arib-std-b67"), r"it is HDR \(HLG\)"),
            (("-vf", "format=yuv420p,setparams=colorspace=ycgco"), "by the matrix ycgco, which .* cannot convert; convert it"),
        ],
    )
    def test_what_cannot_be_converted_back(self, tmp_path: Path, options: tuple, message: str) -> None:
        source = clip(tmp_path / "a.mkv", "-c:v", "ffv1", *options)
        with pytest.raises(FfmpegError, match=message):
            restore(source, tmp_path / "b.mkv")
        assert names(tmp_path) == ["a.mkv"]

    @pytest.mark.parametrize(
        ("target", "options", "message"),
        [
            ("b.webm", {"codec": "h264"}, r"\.webm files take the codecs vp9, av1; got h264; write .mp4 or"),
            ("b.webm", {}, r"\.webm files cannot have its sound \(aac, stream 1\); write another container"),
            ("b.avi", {}, "its frame rate varies, and this container only stores a constant rate; write .mkv or .mp4"),
            ("b.mp4", {"crf": 60}, "the quality of h264 is from 0, the best, to 51; got --crf 60"),
            ("b.png", {}, r"a video can be written as \.mp4"),
        ],
    )
    def test_outputs(self, clips: Path, tmp_path: Path, target: str, options: dict, message: str) -> None:
        with pytest.raises(FfmpegError, match=message):
            restore(clips / "full.mkv", tmp_path / target, **options)
        assert names(tmp_path) == []

    def test_what_is_not_a_video(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_bytes(b"not a video")
        with pytest.raises(FfmpegError, match=r"a.mp4 is not a video that ffmpeg can read"):
            restore(tmp_path / "a.mp4", tmp_path / "b.mp4")
        with pytest.raises(FfmpegError, match=r"there is no video at"):
            restore(tmp_path / "none.mp4", tmp_path / "b.mp4")
        assert names(tmp_path) == ["a.mp4"]

    def test_an_encoder_that_is_not_installed(self, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("restorekit.batch.video._codecs.encodes", lambda encoder: ())
        with pytest.raises(FfmpegError, match=r"this ffmpeg cannot encode h264, which needs libx264; install .* --codec"):
            restore(clips / "plain.mp4", tmp_path / "b.mp4")

    def test_a_truncated_video_says_how_many_frames_can_be_read(self, clips: Path, tmp_path: Path) -> None:
        with pytest.raises(FfmpegError, match=r"it is truncated: (\d+) of about 25 frames can be read.*--damaged keep"):
            restore(clips / "cut.mp4", tmp_path / "b.mp4")
        assert names(tmp_path) == []
        details = restore(clips / "cut.mp4", tmp_path / "b.mp4", damaged="keep")
        assert 10 < details["frames"] < FRAMES
        assert f"{details['frames']} of about 25 frames" in details["damage"]
        np.testing.assert_allclose(seconds(tmp_path / "b.mp4"), seconds(clips / "plain.mp4")[: details["frames"]], atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "h263"}, "codec must be one of h264, h265, .*; got 'h263'"),
        ({"crf": -1}, "crf must be from 0 to 63; got -1"),
        ({"codec": "h264", "crf": 52}, "crf must be from 0 to 51; got 52"),
        ({"codec": "ffv1", "crf": 3}, "crf does not apply to ffv1; omit it"),
        ({"damaged": "drop"}, "damaged must be one of refuse, keep; got 'drop'"),
    ],
)
def test_options_are_checked(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        VideoOptions(**options)


class Twice(Identity):
    """Repeats every pixel."""

    output = ImageSpec(scale=2)

    def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        return [x.repeat_interleave(2, 2).repeat_interleave(2, 3) for x in super().forward_stages(image)]


@needs_ffmpeg
def test_a_network_that_enlarges_makes_larger_frames(clips: Path, tmp_path: Path) -> None:
    report = restore(clips / "plain.mp4", tmp_path / "out.mkv", Twice(), codec="ffv1", compare=True)
    assert (report["width"], report["height"]) == (2 * SIZE[0], 2 * SIZE[1])
    found = shown(tmp_path / "out.mkv").reshape(FRAMES, 2 * SIZE[1], 2 * SIZE[0], 3)
    given = shown(clips / "plain.mp4").reshape(FRAMES, SIZE[1], SIZE[0], 3).repeat(2, axis=1).repeat(2, axis=2)
    assert abs(found - given).max() < 0.02
    assert probe(tmp_path / "out.compare.mkv").size == (4 * SIZE[0], 2 * SIZE[1])


@needs_ffmpeg
def test_a_network_with_other_channels_is_refused(tmp_path: Path) -> None:
    network = compose({"stages": [{"name": "unet", "widths": [4]}], "output": {"channels": 1}, "head": "direct"})
    with pytest.raises(FfmpegError, match=r"clip.mp4: this network makes 1 channels of 3; the frames of a video keep"):
        restore_video(Restorer(network, EXACT), tmp_path / "clip.mp4", tmp_path / "out.mp4")


def test_without_ffmpeg_a_video_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FfmpegError, match="ffmpeg and ffprobe not found; videos need ffmpeg; install it"):
        restore(tmp_path / "a.mp4", tmp_path / "b.mp4")


def test_an_old_ffmpeg_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ffmpeg.shutil, "which", lambda name: name)
    monkeypatch.setattr(_ffmpeg, "_version", lambda: "4.4.2-0ubuntu0.22.04.1")
    with pytest.raises(FfmpegError, match=r"ffmpeg 4\.4\.2.* is too old; videos need ffmpeg 5\.1 or newer"):
        restore(tmp_path / "a.mp4", tmp_path / "b.mp4")


@needs_ffmpeg
@pytest.mark.usefixtures("short_parts")
class TestInterrupted:
    def test_the_same_call_resumes_and_the_result_is_the_same(self, clips: Path, tmp_path: Path) -> None:
        restore(clips / "plain.mp4", tmp_path / "whole.mp4", compare=True)
        target = tmp_path / "b.mp4"
        with pytest.raises(KeyboardInterrupt):
            restore(clips / "plain.mp4", target, Stopping(14), compare=True)
        assert not target.exists()
        (left,) = tmp_path.glob(".*")
        assert [name for name in names(left) if name.endswith(".mp4")] == ["compare-000000.mp4", "restored-000000.mp4"]
        (left / ".restored-000001.abcdefgh.restorekit-part.mp4").write_bytes(b"what a killed process was writing")
        network = Stopping()
        details = restore(clips / "plain.mp4", target, network, compare=True)
        assert details["notes"] == ["resumed at frame 11 of 25"]
        assert network.frames == 15
        for name in ("{}.mp4", "{}.compare.mp4"):
            assert (tmp_path / name.format("b")).read_bytes() == (tmp_path / name.format("whole")).read_bytes()
        assert names(tmp_path) == ["b.compare.mp4", "b.mp4", "whole.compare.mp4", "whole.mp4"]

    def test_another_quality_or_network_starts_again(self, clips: Path, tmp_path: Path) -> None:
        for options, weight in (({"crf": 30}, 1.0), ({"crf": 31}, 1.0), ({"crf": 31}, 0.5)):
            network = Stopping(14)
            with torch.no_grad():
                network.weight.fill_(weight)
            with pytest.raises(KeyboardInterrupt):
                restore(clips / "plain.mp4", tmp_path / "b.mp4", network, **options)
            assert network.frames >= 14

    def test_parts_are_not_inputs(self, clips: Path, tmp_path: Path) -> None:
        shutil.copy(clips / "plain.mp4", tmp_path / "a.mp4")
        with pytest.raises(KeyboardInterrupt):
            restore(tmp_path / "a.mp4", tmp_path / "out.mp4", Stopping(14))
        jobs, _ = plan_jobs([str(tmp_path / "**" / "*.mp4")], tmp_path / "results")
        assert [job.source for job in jobs] == [tmp_path / "a.mp4"]
        assert left_out([tmp_path]) == "1 file of other kinds was left out: 1 .mp4"

    def test_a_network_that_fails_leaves_nothing(self, clips: Path, tmp_path: Path) -> None:
        class Failing(Identity):
            def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
                raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            restore(clips / "plain.mp4", tmp_path / "b.mp4", Failing())
        assert list(tmp_path.iterdir()) == []

    def test_two_processes_do_not_write_one_video(self, clips: Path, tmp_path: Path) -> None:
        folder = _parts.parts_folder(tmp_path / "b.mp4")
        folder.mkdir()
        with FileLock(folder / _parts.LOCK), pytest.raises(FfmpegError, match="another process is restoring to"):
            restore(clips / "plain.mp4", tmp_path / "b.mp4")
        (folder / "notes.txt").write_text("of the user")
        with pytest.raises(FfmpegError, match="exists, and is not from an interrupted call; move it"):
            restore(clips / "plain.mp4", tmp_path / "b.mp4")
        assert (folder / "notes.txt").read_text() == "of the user"

    def test_a_frame_less_is_an_error(self, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("restorekit.batch.video._join._count", lambda path: FRAMES - 1)
        with pytest.raises(FfmpegError, match="the output has 24 frames, and not the 25 of the input; remove"):
            restore(clips / "plain.mp4", tmp_path / "b.mp4")
        assert not (tmp_path / "b.mp4").exists()


@needs_ffmpeg
class TestComparison:
    def test_the_input_is_on_the_left_and_the_output_on_the_right(self, clips: Path, tmp_path: Path) -> None:
        network = Identity()
        with torch.no_grad():
            network.weight.fill_(0.5)
        restore(clips / "full.mkv", tmp_path / "b.mkv", network, compare=True)
        path = comparison_path(tmp_path / "b.mkv")
        assert path == tmp_path / "b.compare.mkv"
        frames = shown(path).reshape(FRAMES, SIZE[1], 2, SIZE[0], 3).transpose(2, 0, 1, 3, 4).reshape(2, -1)
        assert np.square(frames[0] - shown(clips / "full.mkv")).mean() < 10 ** (-35 / 10)
        assert np.square(frames[1] - shown(tmp_path / "b.mkv")).mean() < 10 ** (-35 / 10)
        np.testing.assert_allclose(seconds(path), seconds(clips / "full.mkv"), atol=1e-9)

    def test_a_file_of_the_user_with_its_name_is_kept(self, clips: Path, tmp_path: Path) -> None:
        shutil.copy(clips / "plain.mp4", tmp_path / "b.compare.mp4")
        jobs, problems = plan_jobs([clips / "plain.mp4"], tmp_path / "b.mp4", compare=True)
        assert not jobs
        assert "was not written by --compare" in problems[0][1]
        restore(clips / "plain.mp4", tmp_path / "b.mp4", compare=True)
        (tmp_path / "b.mp4").unlink()
        assert plan_jobs([clips / "plain.mp4"], tmp_path / "b.mp4", compare=True)[0] == [
            Job(clips / "plain.mp4", tmp_path / "b.mp4")
        ]


@needs_ffmpeg
@pytest.mark.usefixtures("unchecked_annotations")
def test_the_command_takes_names_that_look_like_something_else(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("Holiday:1.mp4", "-i.mp4"):
        ffmpeg("-i", clips / "plain.mp4", "-c", "copy", "-frames:v", 4, f"file:{tmp_path / name}")
    options = ["--codec", "h265", "--crf", "20", "--report", "report.jsonl"]
    done = CliRunner().invoke(app, ["restore", *options, "--", "Holiday:1.mp4", "-i.mp4", str(clips / "cut.mp4")])
    assert done.exit_code == 1, done.stderr
    assert "restored 2 of 3" in done.stdout
    assert "it is truncated" in done.stderr
    assert names(tmp_path) == sorted(["Holiday:1.mp4", "Holiday:1.restored.mp4", "-i.mp4", "-i.restored.mp4", "report.jsonl"])
    assert about(tmp_path / "-i.restored.mp4")["streams"][0]["codec_name"] == "hevc"
    lines = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert [line.get("frames") for line in lines] == [4, 4, None]
