"""Evaluation: every protocol on miniature folders of the published layouts, what is written, and the page in a browser."""

import csv
import hashlib
import json
import math
import re
import shutil
import subprocess
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from restorekit.cli import app
from restorekit.composition import compose
from restorekit.data import GaussianNoise, degrade
from restorekit.data._layouts import RAIN_SETS
from restorekit.errors import DataError
from restorekit.evaluate import (
    Evaluation,
    ImageResult,
    evaluate,
    find_protocol,
    list_protocols,
    write_csv,
    write_dnd_submission,
    write_report,
    write_results,
)
from restorekit.evaluate._report import error_map
from restorekit.images import sample_photo
from restorekit.inference import InferenceOptions, local_pooling, restore
from restorekit.metrics import align, psnr, rgb_to_y, ssim, ssim_3d
from restorekit.network import ImageSpec, RestorationNetwork

PHOTO = sample_photo()
EXACT = [name.replace("<sigma>", "15") for name in list_protocols()]
FACTOR = 0.8765  # leaves no pixel half-way between two values
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Darken(RestorationNetwork):
    """A network that darkens."""

    image_channels = 3
    size_multiple = 4
    num_supervised = 1

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(FACTOR))

    def forward_stages(self, image, *, stages=None, coarse=True):
        return [image * self.factor]


def darkened(pixels):
    return np.rint(pixels.astype(np.float32) * FACTOR).astype(np.uint8)


def pair_of(seed, size=(34, 46)):
    """Return a noisy and a clean part of the photograph."""
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, 400, 2)
    clean = PHOTO[top : top + size[0], left : left + size[1]]
    return degrade(clean, GaussianNoise(10), seed=0, index=seed), clean


def save(pixels, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def make_pairs(root, count=2, names="{}.png", folders=("input", "target"), seed=0, size=(34, 46)):
    pairs = [pair_of(seed + i, size) for i in range(count)]
    for i, pair in enumerate(pairs):
        for folder, image in zip(folders, pair, strict=True):
            save(image, root / folder / names.format(i + 1))
    return pairs


def test_rain_is_measured_on_luma_and_averaged_over_sets(tmp_path):
    pairs = {name: make_pairs(tmp_path / name, 1 + i % 2, seed=3 * i) for i, name in enumerate(RAIN_SETS)}
    rows = evaluate(Darken(), tmp_path, "rain").rows()
    means = {}
    for name, found in pairs.items():
        lumas = [(rgb_to_y(darkened(noisy)), rgb_to_y(clean)) for noisy, clean in found]
        means[name] = np.mean([psnr(*pair) for pair in lumas]), np.mean([ssim(*pair) for pair in lumas])
    assert [row["set"] for row in rows] == [*RAIN_SETS, "mean"]
    for row in rows[:-1]:
        assert (row["values"]["psnr"], row["values"]["ssim"]) == pytest.approx(means[row["set"]])
    assert rows[-1]["values"]["psnr"] == pytest.approx(np.mean([value for value, _ in means.values()]))
    assert rows[-1]["images"] == 7
    assert not rows[-1]["complete"]


@pytest.mark.parametrize(("protocol", "folder"), [("gopro", "test/GoPro"), ("hide", "test/HIDE")])
def test_deblurring_is_measured_in_colour_as_a_volume(protocol, folder, tmp_path):
    pairs = make_pairs(tmp_path / folder)
    result = evaluate(Darken(), tmp_path, protocol)
    for image, (blurred, sharp) in zip(result.images, pairs, strict=True):
        assert image.values["psnr"] == pytest.approx(psnr(darkened(blurred), sharp))
        assert image.values["ssim"] == pytest.approx(ssim_3d(darkened(blurred), sharp))
        assert image.values["input_psnr"] == pytest.approx(psnr(blurred, sharp))
        assert image.values["input_ssim"] == pytest.approx(ssim_3d(blurred, sharp))


@pytest.mark.parametrize("kind", ["R", "J"])
def test_realblur_is_measured_after_alignment(kind, tmp_path):
    pytest.importorskip("cv2", reason="OpenCV is an extra")
    ((blurred, sharp),) = make_pairs(tmp_path / f"RealBlur_{kind}", 1, size=(90, 100))
    values = evaluate(Darken(), tmp_path, f"realblur-{kind.lower()}").images[0].values
    moved, fixed, mask = align(darkened(blurred), sharp)
    assert values["psnr"] == pytest.approx(psnr(moved, fixed, mask=mask))
    assert values["ssim"] == pytest.approx(ssim(moved, fixed, mask=mask))
    assert values["psnr"] == pytest.approx(values["input_psnr"], abs=0.2)  # the alignment undoes the darkening


def write_mat(path, version, **arrays):
    """Write arrays as MATLAB does: the old format with SciPy, version 7.3 as HDF5, whose axes are reversed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if version == 5:
        import scipy.io

        scipy.io.savemat(path, arrays)
        return
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array.T


versions = pytest.mark.parametrize("version", [5, 7.3])


@versions
def test_sidd_blocks_are_measured_without_rounding(version, tmp_path):
    pytest.importorskip("h5py", reason="h5py is an extra")
    pairs = [pair_of(i, (16, 20)) for i in range(6)]
    for i, kind in enumerate(("Noisy", "Gt")):
        key = f"Validation{kind}BlocksSrgb"
        write_mat(tmp_path / f"{key}.mat", version, **{key: np.stack([pair[i] for pair in pairs]).reshape(3, 2, 16, 20, 3)})
    result = evaluate(Darken(), tmp_path, "sidd-val")
    assert [image.name for image in result.images] == ["01_01", "01_02", "02_01", "02_02", "03_01", "03_02"]
    for image, (noisy, clean) in zip(result.images, pairs, strict=True):
        restored, target = noisy.astype(np.float32) / np.float32(255) * np.float32(FACTOR), clean.astype(np.float32) / 255
        assert image.values["psnr"] == pytest.approx(psnr(restored, target), rel=1e-6)
        assert image.values["ssim"] == pytest.approx(ssim_3d(restored, target), rel=1e-6)
        assert abs(image.values["psnr"] - psnr(darkened(noisy), clean)) > 1e-6


def test_sidd_explains_what_is_missing(tmp_path):
    pytest.importorskip("h5py", reason="h5py is an extra")
    with pytest.raises(DataError, match=r"there is no .*ValidationNoisyBlocksSrgb.mat"):
        evaluate(Darken(), tmp_path, "sidd-val")
    write_mat(tmp_path / "ValidationNoisyBlocksSrgb.mat", 5, other=np.zeros(3))
    with pytest.raises(DataError, match="has no 'ValidationNoisyBlocksSrgb'; it contains: other"):
        evaluate(Darken(), tmp_path, "sidd-val")
    (tmp_path / "ValidationNoisyBlocksSrgb.mat").write_bytes(b"<html>not found</html>" * 20)
    with pytest.raises(DataError, match=r"cannot be read as a .mat file"):
        evaluate(Darken(), tmp_path, "sidd-val")
    for kind, shape in (("Noisy", (1, 2, 8, 8, 3)), ("Gt", (1, 1, 8, 8, 3))):
        write_mat(tmp_path / f"Validation{kind}BlocksSrgb.mat", 5, **{f"Validation{kind}BlocksSrgb": np.zeros(shape, np.uint8)})
    with pytest.raises(DataError, match="uint8 arrays of one shape"):
        evaluate(Darken(), tmp_path, "sidd-val")


def make_dnd(root, version, boxes, images):
    for i, image in enumerate(images):
        write_mat(root / "images_srgb" / f"{i + 1:04}.mat", version, InoisySRGB=image)
    if version == 5:
        info = np.zeros((1, len(boxes)), dtype=[("boundingboxes", object)])
        for i, places in enumerate(boxes):
            info[0, i]["boundingboxes"] = np.array(places, float)
        write_mat(root / "info.mat", 5, info=info)
        return
    import h5py

    with h5py.File(root / "info.mat", "w") as file:
        references = file.create_dataset("info/boundingboxes", (1, len(boxes)), dtype=h5py.ref_dtype)
        for i, places in enumerate(boxes):
            file[f"#refs#/{i}"] = np.array(places, float).T
            references[0, i] = file[f"#refs#/{i}"].ref


@versions
def test_dnd_submission_is_what_the_server_takes(version, tmp_path):
    pytest.importorskip("h5py", reason="h5py is an extra")
    import scipy.io

    images = [pair_of(i, (30, 40))[0].astype(np.float32) / 255 for i in range(2)]
    boxes = [[(1, 1, 16, 16), (15, 21, 30, 40)], [(5, 3, 12, 18), (2, 2, 9, 9)]]  # first row, first column, last row, last column
    make_dnd(tmp_path, version, boxes, images)
    assert write_dnd_submission(Darken(), tmp_path, tmp_path / "submission") == 4
    assert sorted(path.name for path in (tmp_path / "submission").iterdir()) == ["0001.mat", "0002.mat"]
    for i, (image, places) in enumerate(zip(images, boxes, strict=True)):
        content = scipy.io.loadmat(tmp_path / "submission" / f"{i + 1:04}.mat")
        assert content["israw"].item() == 0
        assert content["eval_version"].item() == "1.0"
        assert content["Idenoised"].shape == (1, 2)
        for crop, (top, left, bottom, right) in zip(content["Idenoised"][0], places, strict=True):
            assert crop.dtype == np.float32
            np.testing.assert_allclose(crop, image[top - 1 : bottom, left - 1 : right] * FACTOR, rtol=1e-6)


def test_dnd_explains_what_is_missing(tmp_path):
    pytest.importorskip("h5py", reason="h5py is an extra")
    image = np.zeros((8, 8, 3), np.float32)
    make_dnd(tmp_path, 5, [[(1, 1, 9, 8)], [(1, 1, 8, 8)]], [image])
    with pytest.raises(DataError, match=r"lacks 1 of 2 images: 0002.mat"):
        write_dnd_submission(Darken(), tmp_path, tmp_path / "out")
    make_dnd(tmp_path, 5, [[(1, 1, 9, 8)]], [image])
    with pytest.raises(DataError, match=r"0001.mat is 8x8; the box of rows 1..9, columns 1..8 is outside it"):
        write_dnd_submission(Darken(), tmp_path, tmp_path / "out")


def test_gaussian_noise_is_seeded(tmp_path):
    for i, name in enumerate(("a.png", "sub/b.png")):
        save(PHOTO[20 * i : 20 * i + 24, :30], tmp_path / name)
    first, again = (evaluate(Darken(), tmp_path, "gaussian-25") for _ in range(2))
    assert [image.values for image in first.images] == [image.values for image in again.images]
    assert [image.name for image in first.images] == ["a", "sub/b"]
    noisy = degrade(PHOTO[20:44, :30], GaussianNoise(25), seed=0, index=1)
    assert first.images[1].values["input_psnr"] == pytest.approx(psnr(noisy, PHOTO[20:44, :30]))
    assert "sigma 25" in first.definition


@pytest.mark.parametrize(("protocol", "measured"), [("pairs", lambda image: image), ("pairs-y", rgb_to_y)])
def test_pairs_in_either_colour(protocol, measured, tmp_path):
    ((noisy, clean),) = make_pairs(tmp_path, 1)
    values = evaluate(Darken(), tmp_path, protocol).images[0].values
    assert values["psnr"] == pytest.approx(psnr(measured(darkened(noisy)), measured(clean)))
    assert values["ssim"] == pytest.approx(ssim(measured(darkened(noisy)), measured(clean)))


class Twice(Darken):
    """A network that darkens and enlarges."""

    output = ImageSpec(scale=2)

    def forward_stages(self, image, *, stages=None, coarse=True):
        return [(image * self.factor).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)]


def test_a_network_that_enlarges_is_measured_on_larger_targets(tmp_path):
    ((_, clean),) = make_pairs(tmp_path, 1)
    small = clean[::2, ::2]
    save(small, tmp_path / "input" / "1.png")
    values = evaluate(Twice(), tmp_path, "pairs", pictures=1).images[0].values
    assert values["psnr"] == pytest.approx(psnr(darkened(small).repeat(2, 0).repeat(2, 1), clean))
    assert values["input_psnr"] == pytest.approx(psnr(small.repeat(2, 0).repeat(2, 1), clean))
    with pytest.raises(ValueError, match=r"images of a pair must have the same size; .*input/1.png is 23x17"):
        evaluate(Darken(), tmp_path, "pairs")
    save(PHOTO[:20, :20], tmp_path / "photos" / "1.png")
    with pytest.raises(
        ValueError, match=r"targets of the size of the images, but the network enlarges images 2 times; use .* pairs"
    ):
        evaluate(Twice(), tmp_path / "photos", "gaussian-25")


@pytest.mark.parametrize("name", EXACT)
def test_every_protocol_says_what_it_is_and_what_is_missing(name, tmp_path):
    assert "PSNR" in find_protocol(name).definition
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        evaluate(Darken(), tmp_path, name)


@pytest.mark.parametrize("name", ["goprp", "gaussian", "gaussian-x", "rian"])
def test_unknown_protocols_are_explained(name):
    with pytest.raises(ValueError, match=f"unknown protocol '{name}'; did you mean"):
        find_protocol(name)


def test_dnd_has_no_protocol_of_its_own(tmp_path):
    with pytest.raises(ValueError, match="only the server of DND can measure it"):
        evaluate(Darken(), tmp_path, "dnd")


def test_an_image_that_cannot_be_measured_stops_the_measurement(tmp_path):
    make_pairs(tmp_path, 2)
    save(PHOTO[:8, :8], tmp_path / "input" / "2.png")
    save(PHOTO[:8, :8], tmp_path / "target" / "2.png")
    with pytest.raises(ValueError, match="pairs/2: SSIM needs images of at least 11x11"):
        evaluate(Darken(), tmp_path, "pairs")
    with pytest.raises(ValueError, match="unknown metric 'lpisp'; known: lpips, dists"):
        evaluate(Darken(), tmp_path, "pairs", learned=["lpisp"])


def evaluation_of(values, counts=None, protocol="gopro", set_="GoPro"):
    about = {
        "model": "m",
        "weights_sha256": None,
        "inference": {"precision": "float32"},
        "device": "cpu",
        "versions": {},
        "date": "d",
    }
    images = [ImageResult(set_, str(i), {"psnr": value, "ssim": 0.9}) for i, value in enumerate(values)]
    return Evaluation(protocol, "words", counts or {}, images, about, published=find_protocol(protocol).published)


def test_only_complete_sets_are_compared_with_published_figures(tmp_path):
    (row,) = evaluation_of([32.0, 33.0], {"GoPro": 2}).rows()
    mprnet = next(other for other in row["published"] if other["method"] == "MPRNet")
    assert mprnet["difference"] == {"psnr": pytest.approx(32.5 - 32.66), "ssim": pytest.approx(0.9 - 0.959)}
    assert all("ssim" not in other["difference"] for other in row["published"] if other["ssim"] is None)
    (row,) = evaluation_of([32.0, 33.0], {"GoPro": 3}).rows()
    assert all(other["difference"] is None for other in row["published"])
    write_csv(evaluation_of([32.0, 33.0], {"GoPro": 2}), tmp_path / "results.csv")
    assert "MPRNet 32.66/0.959 (-0.16)" in (tmp_path / "results.csv").read_text()


def test_published_figures_belong_to_sets_of_their_protocols():
    protocols = [find_protocol(name) for name in EXACT]
    assert sum(bool(protocol.published) for protocol in protocols) >= 6
    for protocol in protocols:
        assert set(protocol.published) <= {*protocol.counts, "mean"}
        for figures in protocol.published.values():
            assert all(20 < figure.psnr < 45 and figure.source for figure in figures)


def test_means_are_local_if_asked(tmp_path):
    ((noisy, clean),) = make_pairs(tmp_path, 1)
    model = compose({"stages": [{"name": "unet", "widths": [4, 6], "block": "cab"}]}).eval()
    values = evaluate(model, tmp_path, "pairs", options={"pooling": "local", "train_size": 8}).images[0].values
    assert values["psnr"] == psnr(restore(local_pooling(model, 8), noisy, precision="float32"), clean)
    tiled = evaluate(model, tmp_path, "pairs", options={"tile": 32, "overlap": 8})
    assert tiled.about["inference"]["tiles"] == 4
    with pytest.raises(ValueError, match="pooling must be one of global, local; got 'lokal'"):
        evaluate(model, tmp_path, "pairs", options={"pooling": "lokal"})


def test_results_are_averaged_over_turns_if_asked(tmp_path):
    ((noisy, clean),) = make_pairs(tmp_path, 1)
    (plain,), (mean,) = (evaluate(Darken(), tmp_path, "pairs", options={"ensemble": on}).images for on in (False, True))
    assert mean.values == plain.values  # it does the same to a pixel wherever it is
    model = compose({"stages": [{"name": "unet", "widths": [4, 6], "block": "cab"}]}).eval()
    (plain,), (mean,) = (evaluate(model, tmp_path, "pairs", options={"ensemble": on}).images for on in (False, True))
    assert mean.values["psnr"] == psnr(restore(model, noisy, precision="float32", ensemble=True), clean) != plain.values["psnr"]


def test_infinite_psnr_is_valid_json(tmp_path):
    write_results(evaluation_of([math.inf, 30.0]), tmp_path / "results.json")

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads((tmp_path / "results.json").read_text(), parse_constant=refuse)
    assert content["images"][0]["values"]["psnr"] == "inf"
    assert content["sets"][0]["values"]["psnr"] == "inf"


def test_results_hold_what_is_needed_to_repeat_them(tmp_path):
    make_pairs(tmp_path, 3)
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")
    progress = []
    result = evaluate(
        Darken(), tmp_path, "pairs", name="dark", weights=weights, pictures=1, on_progress=lambda *step: progress.append(step)
    )
    assert progress == [(0, 3, "pairs/1"), (1, 3, "pairs/2"), (2, 3, "pairs/3")]
    content = result.as_json()
    assert content["model"] == "dark"
    assert content["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()
    options = asdict(InferenceOptions(precision="float32"))
    assert content["inference"] == {name: value for name, value in options.items() if name != "device"} | {"tiles": 1}
    assert content["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert content["date"].endswith("+00:00")
    assert content["protocol"] == "pairs"
    ranked = sorted(image.values["psnr"] for image in result.images)
    assert [picture.psnr for picture in result.pictures] == [ranked[0], ranked[-1]]
    write_csv(result, tmp_path / "results.csv")
    with (tmp_path / "results.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["weights_sha256"] == content["weights_sha256"]
    assert row["precision"] == "float32"
    assert float(row["psnr"]) == pytest.approx(content["sets"][0]["values"]["psnr"], abs=1e-4)


def test_a_picture_shows_where_the_error_is(tmp_path):
    clean = PHOTO[:450]
    degraded = clean.copy()
    degraded[410:440, 430:480] = 255 - degraded[410:440, 430:480]
    save(degraded, tmp_path / "input" / "a.png")
    save(clean, tmp_path / "target" / "a.png")
    (picture,) = evaluate(Darken(), tmp_path, "pairs", pictures=2).pictures
    left, top, right, bottom = picture.box
    assert (right - left, bottom - top) == (384, 384)
    assert left <= 430
    assert right >= 480
    assert top <= 410
    assert bottom >= 440
    np.testing.assert_array_equal(picture.input, degraded[top:bottom, left:right])


def test_error_map_goes_from_black_to_pale():
    target = np.zeros((1, 3, 3), np.uint8)
    restored = np.array([[[0, 0, 0], [0, 16, 0], [200, 0, 0]]], np.uint8)
    assert error_map(restored, target).tolist() == [[[0, 0, 4], [188, 55, 84], [252, 255, 164]]]


@pytest.fixture
def page(tmp_path):
    """A report of three images with names that could break it."""
    make_pairs(tmp_path / "data", 3, names="{}</script><b>.png")
    evaluation = evaluate(Darken(), tmp_path / "data", "pairs", pictures=3, name="dark")
    write_report(evaluation, tmp_path / "report.html")
    return evaluation, tmp_path / "report.html"


def test_report_needs_nothing_else(page):
    text = page[1].read_text()
    assert not re.search(r"https?://|<link|<script src|@import|url\(", text)
    assert text.count("data:image/webp;base64,") == 3 * 4
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert len(data["images"]) == 3


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_report_works_in_a_browser_from_disk(page, tmp_path):
    evaluation, path = page
    program = """
    <script>
    const seen = {}, read = () => [...document.querySelectorAll("#images tbody tr")].map(row => row.children[2].textContent);
    const press = text => [...document.querySelectorAll("button")].find(button => button.textContent === text).click();
    press("PSNR"); seen.up = read();
    press("PSNR"); seen.down = read();
    seen.sorted = document.querySelector("#images th[aria-sort]").getAttribute("aria-sort");
    const first = () => document.querySelector("#pictures figcaption b").textContent;
    seen.worst = first(); press("best first"); seen.best = first();
    const slider = document.querySelector("#pictures input");
    slider.value = 20; slider.dispatchEvent(new Event("input"));
    seen.cut = slider.parentElement.style.getPropertyValue("--cut");
    press("error"); seen.shown = document.querySelector("#pictures img").alt;
    seen.errors = window.failures;
    Promise.all([...document.images].map(image => image.decode())).then(() => {
      seen.loaded = [...document.images].every(image => image.naturalWidth > 0);
      document.body.textContent = JSON.stringify(seen);
    });
    </script></body>"""
    failures = "<script>window.failures = []; addEventListener('error', event => failures.push(event.message));</script></head>"
    path.write_text(path.read_text().replace("</head>", failures).replace("</body>", program))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=10000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    seen = json.loads(re.search(r"<body>(.*)</body>", done.stdout, re.DOTALL)[1])
    ranked = [f"{image.values['psnr']:.2f}" for image in sorted(evaluation.images, key=lambda image: image.values["psnr"])]
    assert seen["errors"] == []
    assert seen["up"] == ranked
    assert seen["down"] == ranked[::-1]
    assert seen["sorted"] == "descending"
    assert f"PSNR {ranked[0]}" in seen["worst"]
    assert f"PSNR {ranked[-1]}" in seen["best"]
    assert seen["cut"] == "20%"
    assert seen["shown"] == "error"
    assert seen["loaded"]


def command(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


@pytest.mark.usefixtures("unchecked_annotations")
def test_command_measures_and_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_pairs(tmp_path / "data", 1)
    arguments = ("mprnet_tiny.denoise", "--data", "data", "--protocol", "pairs", "-o", "out", "--report")
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "results.csv", "results.json"]
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert content["weights_sha256"].startswith("c55ea4e9ecb1")
    assert content["sets"][0]["values"]["psnr"] > content["sets"][0]["values"]["input_psnr"] + 1
    assert "pairs (1 images): psnr" in result.stdout
    again = command(*arguments)
    assert again.exit_code == 1
    assert "out is in use" in again.stderr
    local = command(*arguments[:-1], "--overwrite", "--pooling", "local", "--train-size", 16)
    assert local.exit_code == 0, local.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["results.csv", "results.json"]
    pooled = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {key: pooled["inference"][key] for key in ("pooling", "train_size", "tiles")} == {
        "pooling": "local",
        "train_size": 16,
        "tiles": 1,
    }
    assert pooled["sets"][0]["values"]["psnr"] != content["sets"][0]["values"]["psnr"]


@pytest.mark.usefixtures("unchecked_annotations")
def test_command_writes_the_dnd_submission(tmp_path):
    pytest.importorskip("h5py", reason="h5py is an extra")
    make_dnd(tmp_path / "dnd", 5, [[(1, 1, 16, 16)]], [pair_of(0, (16, 16))[0].astype(np.float32) / 255])
    result = command("mprnet_tiny.denoise", "--data", tmp_path / "dnd", "--protocol", "dnd", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0001.mat"]
    assert json.loads((tmp_path / "out.json").read_text())["boxes"] == 1


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mprnet_tiny.denoise", "--data", "data", "--protocol", "goprp"), "did you mean 'gopro'"),
        (("mprnet_tiny.denoise", "--data", "none", "--protocol", "gopro"), "none is not a folder"),
        (("mprnet_tyni", "--data", "data", "--protocol", "pairs"), "did you mean 'mprnet_tiny'"),
        (("mprnet_tiny.denoise", "--data", "data", "--protocol", "pairs", "--device", "tpu9"), "--device tpu9 is not available"),
        (("mprnet_tiny.denoise", "--data", "data", "--protocol", "pairs", "--precision", "float8"), "--precision must be one of"),
        (("mprnet_tiny.denoise", "--data", "data", "--protocol", "pairs", "--metric", "lpisp"), "known: lpips, dists"),
    ],
)
def test_command_explains_what_is_wrong(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_pairs(tmp_path / "data", 1)
    result = command(*arguments)
    assert result.exit_code == (2 if words.startswith("--") else 1)
    assert words in " ".join(result.stderr.split())
    assert isinstance(result.exception, SystemExit)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
