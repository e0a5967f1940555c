"""Collect the photographs that the bundled networks were trained and measured on, from Debian packages.

    python benchmarks/tools/photos.py DIR        # needs apt-get, dpkg-deb; about 470 MB of downloads

Writes DIR/train, DIR/held-out and DIR/photos.tsv (file, width, height, licence, credit). Photographs are kept as packaged, except
those of lomiri-wallpapers, which contain compression noise at full size and are halved. Training and validation use different
files. DIR/train-sharp has those of DIR/train as means of squares of pixels, with a short side of 720 or more: large photographs
are soft at the scale of a pixel, and a network learns nothing about blur from soft photographs.
"""

import argparse
import csv
import io
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

Image.MAX_IMAGE_PIXELS = None

SHARP_SIDE = 720
EDJ_MAGIC = 0x1EE70F42
NOT_PHOTOS = ("Dunes", "Flat-", "Paper-Flower", "Squiggle", "Sunset-Hills")  # drawings
NEARLY_BLACK = ("Foggy-Trees", "Peaks", "Mountain")
HELD_OUT = {
    "Yellow-Flower",
    "Bamboo",
    "life_by_Aitzol_Berasategi",
    "Picture_1A_by_freespace",
    "cvo9xd_keong_macan_srgb8",
    "u76c0g_bliznaca_srgb8",
}
MORE_HELD_OUT = {
    "budgie_lake-sherburne",
    "budgie_perched-osprey",
    "budgie_casa-mila",
    "gb82_girl",
    "gb82_city",
    "gb82_flowers",
    "gb82_house",
    "clic_097cb42691",
    "clic_3140d643a1",
    "clic_7e499613c3",
    "clic_d1a9be98d1",
}
NOISY = {"Sea-of-Lanterns", "gb82_night", "gb82_mc1", "gb82_rain"}  # left out of what a denoiser learns from
SLIGHTLY_NOISY = {  # halved for that
    "God-Rays",
    "Snow-Trees",
    "White-Flower",
    "budgie_ocean-waves",
    "budgie_tea-gardens",
    "budgie_beacon-street-sunset",
    "gb82_sand",
    "gb82_mies",
    "gb82_waves",
    "clic_100f17892c",
    "clic_c80999cd55",
}
LOMIRI = {  # file stem: licence, from the package's copyright file
    "Picture_0B_by_freespace": "CC-BY-4.0",
    "Picture_1A_by_freespace": "CC-BY-4.0",
    "Wine_by_Jakkub_Mede": "CC-BY-4.0",
    "aitzgorri_by_Aitzol_Berasategi": "CC-BY-4.0",
    "friends_by_Aitzol_Berasategi": "CC-BY-4.0",
    "life_by_Aitzol_Berasategi": "CC-BY-4.0",
    "picosdeeuropa_by_Aitzol_Berasategi": "CC-BY-4.0",
    "seeding_by_Clements_Engelhardt": "CC0-1.0",
    "sunset_by_Aitzol_Berasategi": "CC-BY-4.0",
}


def unpack(package: str, into: Path) -> None:
    """Download a Debian package and unpack it below `into`, without installing it."""
    subprocess.run(["apt-get", "download", package], cwd=into, check=True, stdout=subprocess.DEVNULL)
    (deb,) = into.glob(f"{package}_*.deb")
    subprocess.run(["dpkg-deb", "-x", deb, into], check=True)
    deb.unlink()


def edj_jpegs(path: Path) -> Iterator[bytes]:
    """Yield the JPEG entries of an EET container (.edj), as bytes."""
    data = path.read_bytes()
    magic, entries, _ = struct.unpack(">III", data[:12])
    if magic != EDJ_MAGIC:
        raise ValueError(f"{path} is no EET container")
    for i in range(entries):
        offset, size, _, _, _, _ = struct.unpack(">6I", data[12 + 24 * i : 36 + 24 * i])
        blob = data[offset : offset + size]
        if blob[:3] == b"\xff\xd8\xff":
            yield blob


def reduced(image: Image.Image) -> Image.Image:
    """Return an image as means of the largest squares of pixels that leave a short side of 720."""
    return image.convert("RGB").reduce(max(1, min(image.size) // SHARP_SIDE))


def main(out: Path) -> None:
    """Gather all photographs below a folder."""
    rows: list[list[object]] = []

    def keep(folder: str, name: str, blob: bytes, licence: str, credit: str) -> None:
        path = out / ("held-out" if Path(name).stem in HELD_OUT else "train") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.open(io.BytesIO(blob))
        width, height = image.size
        if folder.startswith("lomiri"):
            path = path.with_suffix(".png")
            image.convert("RGB").resize((width // 2, height // 2), Image.Resampling.LANCZOS).save(path)
        else:
            path.write_bytes(blob)
        rows.append([path.relative_to(out), width, height, licence, credit])

    with tempfile.TemporaryDirectory() as tmp:
        root = Path(tmp)
        for package in ("enlightenment-data", "lomiri-wallpapers-16.04", "libjxl-testdata"):
            unpack(package, root)
        for edj in sorted(root.glob("usr/share/enlightenment/data/backgrounds/*.edj")):
            if edj.stem.startswith(NOT_PHOTOS + NEARLY_BLACK):
                continue
            jpegs = [blob for blob in edj_jpegs(edj) if Image.open(io.BytesIO(blob)).width >= 2000]
            if jpegs:
                keep("enlightenment-data", f"{edj.stem}.jpg", max(jpegs, key=len), "BSD-2-Clause", "Enlightenment")
        for path in sorted(root.rglob("*.jpg")):
            if path.stem in LOMIRI:
                credit = path.stem.split("_by_")[-1].replace("_", " ")
                keep("lomiri-wallpapers-16.04", path.name, path.read_bytes(), LOMIRI[path.stem], credit)
        for path in sorted(root.rglob("*.png")):
            if path.name == "flower.png" and path.parent.name == "flower":
                keep("libjxl-testdata", path.name, path.read_bytes(), "BSD-3-Clause", "JPEG XL project")
            elif "wesaturate/500px" in str(path) and path.name.endswith("_srgb8.png"):
                keep("libjxl-testdata", path.name, path.read_bytes(), "CC0-1.0", "wesaturate")
    (out / "train-sharp").mkdir(exist_ok=True)
    for path in sorted((out / "train").iterdir()):
        with Image.open(path) as image:
            reduced(image).save(out / "train-sharp" / f"{path.stem}.png")
    with (out / "photos.tsv").open("w", newline="") as f:
        table = csv.writer(f, delimiter="\t")
        table.writerow(["file", "width", "height", "licence", "credit"])
        table.writerows(rows)
    print(f"{len(rows)} photos, {sum(r[1] * r[2] for r in rows) / 1e6:.0f} megapixels in {out}")


def for_denoising(out: Path, more: Path) -> None:
    """Split all photographs into those that denoisers are trained and measured on."""
    for path in [*sorted((out / "train").iterdir()), *sorted((out / "held-out").iterdir()), *sorted(more.iterdir())]:
        if path.stem in NOISY or path.suffix not in {".jpg", ".png", ".webp"}:
            continue
        image = Image.open(path).convert("RGB")
        if path.stem in SLIGHTLY_NOISY:
            image = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
        folder = out / "denoise" / ("held-out" if path.stem in HELD_OUT | MORE_HELD_OUT else "train")
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{path.stem}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write; made if it is not there")
    parser.add_argument("--more", type=Path, help="folder of further photographs, for denoising")
    arguments = parser.parse_args()
    main(arguments.folder)
    if arguments.more:
        for_denoising(arguments.folder, arguments.more)
