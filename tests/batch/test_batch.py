"""Restoring files and folders: what becomes of each, after interruptions too."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from _helpers import HELPERS, TESTS
from _helpers.identity import Identity
from _helpers.leftover import leftover
from restorekit import create_model, restore
from restorekit.batch import (
    Job,
    Outcome,
    ReportFile,
    plan_jobs,
    restore_files,
    shard,
)
from restorekit.images import Picture, read_picture, write_picture
from restorekit.inference import InferenceOptions, Restorer, self_ensemble

RNG = np.random.default_rng(0)
EXACT = InferenceOptions(precision="float32")


def pixels(height: int = 16, width: int = 24, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures of several sizes and depths."""
    root = tmp_path / "photos"
    (root / "a" / "b").mkdir(parents=True)
    for name, content in {
        "1.png": pixels(),
        "2.tif": pixels(dtype=np.uint16),
        "a/3.png": pixels(channels=4),
        "a/4.webp": pixels(9, 11),
        "a/b/5.png": pixels(),
        "a/b/6.bmp": pixels(),
    }.items():
        write_picture(Picture(content), root / name)
    return root


def run(jobs: list[Job], network: torch.nn.Module | None = None, how: InferenceOptions = EXACT, **options: object) -> list[Outcome]:
    outcomes: list[Outcome] = []
    restore_files(Restorer(network or Identity(), how), jobs, outcomes.append, **options)
    return outcomes


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


class TestPlan:
    def test_structure_is_mirrored(self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for given in (folder, f"{folder}/**/*.*"):
            jobs, problems = plan_jobs([given], tmp_path / "out")
            assert not problems
            assert [str(job.target.relative_to(tmp_path / "out")) for job in jobs] == names(folder)
        monkeypatch.chdir(folder)
        assert [str(job.target) for job in plan_jobs(["a/*/5*"], Path("out"))[0]] == ["out/b/5.png"]
        assert plan_jobs(["x*.png"], None)[1] == [(Path("x*.png"), "no image matches x*.png")]

    def test_results_go_beside_their_inputs_by_default(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        assert plan_jobs(["1.png"], None)[0] == [Job(Path("1.png"), Path("1.restored.png"))]
        assert plan_jobs(["a"], None)[0][0] == Job(Path("a/3.png"), Path("a.restored/3.png"))
        assert plan_jobs(["."], None)[0][0].target == folder.with_name("photos.restored") / "1.png"

    def test_what_an_earlier_call_wrote_is_no_input(self, folder: Path) -> None:
        for output in (None, folder / "out"):
            given = f"{folder}/*.*" if output is None else folder
            first, _ = plan_jobs([given], output)
            run(first, compare=True)
            again, problems = plan_jobs([given], output)
            assert not problems
            assert [job.source for job in again] == [job.source for job in first]
            assert all(job.done for job in again)

    def test_a_single_output_that_exists_is_an_error(self, folder: Path) -> None:
        job = Job(folder / "1.png", folder / "a" / "3.png")
        assert plan_jobs([job.source], job.target)[1] == [
            (job.source, f"{job.target} exists; choose another output, or pass --overwrite")
        ]
        assert plan_jobs([job.source], job.target, overwrite=True)[0] == [job]
        assert "output is the input itself" in plan_jobs([job.source], job.source)[1][0][1]
        assert plan_jobs([folder], folder, overwrite=True)[0][0].source == folder / "1.png"

    def test_every_file_is_in_one_shard(self, folder: Path) -> None:
        jobs, _ = plan_jobs([folder], None)
        parts = [shard(jobs, part, 4) for part in range(1, 5)]
        assert sorted(itertools.chain(*parts), key=jobs.index) == jobs
        assert {len(part) for part in parts} <= {1, 2}
        with pytest.raises(ValueError, match="i from 1 to n, such as 1/4; got 5/4"):
            shard(jobs, 5, 4)


class TestFiles:
    @pytest.mark.parametrize("batch", [1, 2])
    def test_an_identity_changes_no_bit(self, folder: Path, tmp_path: Path, batch: int) -> None:
        jobs, _ = plan_jobs([folder], tmp_path / "out")
        outcomes = run(jobs, batch=batch)
        assert {outcome.status for outcome in outcomes} == {"restored"}
        assert names(tmp_path / "out") == names(folder)
        for name in names(folder):
            first, second = read_picture(folder / name), read_picture(tmp_path / "out" / name)
            assert first.pixels.dtype == second.pixels.dtype
            np.testing.assert_array_equal(first.pixels, second.pixels)
        assert {outcome.job.source.name: outcome.details["batch"] for outcome in outcomes}["5.png"] == batch

    def test_one_bad_file_stops_no_other(self, folder: Path, tmp_path: Path) -> None:
        (folder / "bad.png").write_bytes((folder / "1.png").read_bytes()[:200])
        (folder / "text.jpg").write_text("no image")
        write_picture(Picture(pixels()), folder / "profile.png")
        (tmp_path / "out" / "a").mkdir(parents=True)
        (tmp_path / "out" / "a" / "b").write_text("a file in the place of a folder")
        outcomes = run(plan_jobs([folder], tmp_path / "out")[0], batch=3)
        failed = {outcome.job.source.name: outcome.error for outcome in outcomes if outcome.status == "failed"}
        assert sorted(failed) == ["5.png", "6.bmp", "bad.png", "text.jpg"]
        assert "is not an image in a readable format" in failed["text.jpg"]
        assert "a file has this name" in failed["5.png"]
        assert len(outcomes) == 9

    def test_batches_hold_one_size_and_do_not_depend_on_what_is_done(self, tmp_path: Path) -> None:
        class Watched(Identity):
            def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
                batches.append(tuple(image.shape))
                return super().forward_stages(image, stages=stages, coarse=coarse)

        (tmp_path / "in").mkdir()
        for i in range(9):
            write_picture(Picture(pixels(16 if i % 3 else 8, 24)), tmp_path / "in" / f"{i}.png")
        batches: list[tuple[int, ...]] = []
        run(plan_jobs([tmp_path / "in"], tmp_path / "out")[0], Watched(), batch=4)
        assert sorted(batches) == [(2, 3, 16, 24), (3, 3, 8, 24), (4, 3, 16, 24)]
        (tmp_path / "out" / "2.png").unlink()
        kept = (tmp_path / "out" / "1.png").stat()
        batches.clear()
        outcomes = run(plan_jobs([tmp_path / "in"], tmp_path / "out")[0], Watched(), batch=4)
        assert batches == [(4, 3, 16, 24)]
        assert [outcome.job.source.name for outcome in outcomes if outcome.status == "restored"] == ["2.png"]
        assert (tmp_path / "out" / "1.png").stat() == kept

    def test_a_batch_that_fails_is_restored_one_by_one(self, tmp_path: Path) -> None:
        class Single(Identity):
            def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
                if len(image) > 1 or image.max() < 0.5:
                    raise torch.OutOfMemoryError("full")
                return super().forward_stages(image, stages=stages, coarse=coarse)

        (tmp_path / "in").mkdir()
        for i in range(3):
            write_picture(Picture(pixels() // (4 if i == 1 else 1)), tmp_path / "in" / f"{i}.png")
        outcomes = run(plan_jobs([tmp_path / "in"], tmp_path / "out")[0], Single(), batch=3)
        assert sorted((outcome.job.source.name, outcome.status) for outcome in outcomes) == [
            ("0.png", "restored"),
            ("1.png", "failed"),
            ("2.png", "restored"),
        ]

    def test_an_interruption_finishes_what_is_being_written(self, tmp_path: Path) -> None:
        class Interrupted(Identity):
            def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
                if image.shape[-1] == 8:
                    raise KeyboardInterrupt
                return super().forward_stages(image, stages=stages, coarse=coarse)

        (tmp_path / "in").mkdir()
        for i in range(12):
            write_picture(Picture(pixels(8, 8 if i == 5 else 16)), tmp_path / "in" / f"{i:02}.png")
        outcomes: list[Outcome] = []
        with pytest.raises(KeyboardInterrupt):
            restore_files(Restorer(Interrupted(), EXACT), plan_jobs([tmp_path / "in"], tmp_path / "out")[0], outcomes.append)
        assert [outcome.job.source.name for outcome in outcomes] == [f"{i:02}.png" for i in range(5)]
        assert names(tmp_path / "out") == [f"{i:02}.png" for i in range(5)]

    def test_leftovers_of_a_killed_process_are_removed(self, folder: Path, tmp_path: Path) -> None:
        jobs, _ = plan_jobs([folder], tmp_path / "out")
        (tmp_path / "out" / "a").mkdir(parents=True)
        left = leftover(tmp_path / "out" / "a" / "3.png")
        other = tmp_path / "out" / ".3.mine.png"
        other.write_text("not ours")
        assert left.exists()
        run(jobs)
        assert not left.exists()
        assert other.exists()

    def test_a_comparison_shows_both_upright(self, tmp_path: Path) -> None:
        write_picture(Picture(pixels(16, 24, 4, np.uint16)), tmp_path / "a.png")
        run(plan_jobs([tmp_path / "a.png"], None)[0], compare=True)
        sheet = read_picture(tmp_path / "a.restored.compare.png").pixels
        np.testing.assert_array_equal(sheet[40:56, 12:36], sheet[40:56, 48:72])
        assert sheet.shape == (16 + 40 + 12, 2 * (24 + 12) + 12, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_killed_at_random_moments_nothing_is_lost_and_nothing_done_twice(tmp_path: Path) -> None:
    batch, seed = 3, 1
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for i in range(40):
        write_picture(Picture(pixels(48 if i % 4 else 32, 64)), tmp_path / "in" / ("sub" if i % 2 else "") / f"{i:02}.png")
    network = Identity()
    with torch.no_grad():
        network.weight.fill_(0.75)
    jobs, _ = plan_jobs([tmp_path / "in"], tmp_path / "whole")
    run(jobs, network, batch=batch, compare=True)
    report = tmp_path / "report.jsonl"
    command = [sys.executable, HELPERS / "kill_processes.py", tmp_path / "in", tmp_path / "out", report, batch, seed]
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths}
    )
    assert result.stdout == "restored\n", result.stderr
    assert names(tmp_path / "out") == names(tmp_path / "whole")  # so no leftovers either
    for name in names(tmp_path / "whole"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert sorted(line["output"] for line in lines) == sorted(
        str(tmp_path / "out" / job.target.relative_to(tmp_path / "whole")) for job in jobs
    )


def test_a_picture_that_cannot_stay_within_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restorekit.batch._pipeline.LARGE", 1)
    write_picture(Picture(pixels()), tmp_path / "a.webp")
    jobs, _ = plan_jobs([tmp_path / "a.webp"], tmp_path / "b.webp")
    outcomes = run(jobs, how=InferenceOptions(precision="float32", max_memory="500MB"))
    assert "is read or written as a whole, which takes about 0.6 GB, more than --max-memory 500MB; allow more" in outcomes[0].error
    assert run(jobs, how=InferenceOptions(precision="float32", max_memory="2GB"))[0].error == ""


def test_a_report_has_a_line_for_each_file(folder: Path, tmp_path: Path) -> None:
    (folder / "bad.png").write_text("no image")
    path = tmp_path / "report.jsonl"
    for _ in range(2):  # the second time, all but one are done
        jobs, _ = plan_jobs([folder], tmp_path / "out")
        report = ReportFile(path, {"model": "identity"})
        for outcome in run(jobs):
            report.add(outcome)
        with path.open("a") as file:
            file.write('{"input": "cut')
    lines = [json.loads(line) for line in path.read_text().splitlines()[:-1]]
    assert sorted(line["status"] for line in lines) == ["failed"] * 2 + ["restored"] * 6
    assert "is not an image" in next(line["error"] for line in lines if line["status"] == "failed")
    deep = next(line for line in lines if line["input"].endswith("2.tif"))
    assert {key: deep[key] for key in ("width", "height", "bits", "precision", "tiles", "pooling", "strength", "model")} == {
        "width": 24,
        "height": 16,
        "bits": 16,
        "precision": "float32",
        "tiles": 1,
        "pooling": "global",
        "strength": 1.0,
        "model": "identity",
    }
    assert set(deep["seconds"]) == {"read", "network", "write"}


class Ramp(Identity):
    """Adds what differs from place to place, so that turning the image changes the result."""

    def forward_stages(self, image: Tensor, *, stages: int | None = None, coarse: bool = True) -> list[Tensor]:
        height, width = image.shape[-2:]
        ramp = torch.arange(height).reshape(-1, 1) / 64 + torch.arange(width) / 256
        return [image / 2 + ramp.to(image)]


@pytest.mark.parametrize("size", [(8, 8), (16, 24)])
def test_an_ensemble_is_the_mean_over_eight_ways(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    expected = torch.zeros_like(image)
    for transposed in (False, True):
        for flips in ((), (-1,), (-2,), (-1, -2)):
            turned = (image.transpose(-1, -2) if transposed else image).flip(flips)
            back = restore(Ramp(), turned, precision="float32").flip(flips)
            expected += (back.transpose(-1, -2) if transposed else back) / 8
    result = self_ensemble(lambda turned: restore(Ramp(), turned, precision="float32"), image)
    torch.testing.assert_close(result, expected)
    deep = torch.from_numpy((image * 65535).round().numpy().astype(np.uint16))
    through = Restorer(Ramp(), InferenceOptions(precision="float32", ensemble=True))(deep)
    np.testing.assert_allclose(through, expected * 65535, atol=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("ensemble", [False, True])
def test_transparency_is_kept_or_restored_as_grey(dtype: type, ensemble: bool) -> None:
    network = Identity()
    with torch.no_grad():
        network.weight.fill_(0.5)
    image = 2 * (pixels(9, 14, 4, dtype) // 2)
    for alpha in ("keep", "restore"):
        restorer = Restorer(network, InferenceOptions(precision="float32", alpha=alpha, ensemble=ensemble))
        restored = restorer(image)
        np.testing.assert_array_equal(restored[..., :3], image[..., :3] // 2)
        np.testing.assert_array_equal(restored[..., 3], image[..., 3] // 2 if alpha == "restore" else image[..., 3])


def test_unknown_choices_are_explained() -> None:
    for choice in ({"precision": "float8"}, {"pooling": "some"}, {"alpha": "drop"}):
        with pytest.raises(ValueError, match=f"{next(iter(choice))} must be one of"):
            InferenceOptions(**choice)
    with pytest.raises(ValueError, match="stages must be from 1 to 3"):
        Restorer(create_model("mprnet_tiny"), InferenceOptions(stages=4))
