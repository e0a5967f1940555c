"""The window in the browser, used in Chromium as a person would."""

import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from restorekit.images import sample_photo

pytestmark = pytest.mark.interop
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def address():
    """The address of a window that a shell command opened."""
    command = [sys.executable, "-u", "-c", SERVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield re.search(r"http://127.0.0.1:\d+", process.stdout.readline())[0]
        process.terminate()


SERVE = """
import socket
from restorekit.app import launch_app
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
print(f"http://127.0.0.1:{port}")
launch_app(port=port, browser=False)
"""


@pytest.fixture(scope="module")
def browser():
    """A browser without a window."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """The page, which asks nobody but the window for anything, and has no errors."""
    page = browser.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for _ in range(100):
        try:
            page.goto(address)
            break
        except Exception:  # it is still starting
            page.wait_for_timeout(200)
    page.wait_for_selector("#restore")
    yield page
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert not errors
    page.close()


def wait_for(page, text):
    page.wait_for_function("text => document.querySelector('#message').innerText.includes(text)", arg=text, timeout=60_000)


def restore(page, *files):
    page.set_input_files("#pictures input[type=file]", [str(file) for file in files])
    for file in files:
        page.wait_for_selector(f"#pictures >> text={file.stem}")
    page.click("#restore")


@pytest.fixture
def noisy(tmp_path):
    """A noisy photograph with metadata."""
    pixels = sample_photo()[:200, :300].astype(float) + np.random.default_rng(0).normal(0, 25, (200, 300, 3))
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "noisy.jpg", quality=95, exif=exif)
    return tmp_path / "noisy.jpg"


def test_pictures_are_restored_compared_and_downloaded_and_wrong_files_are_named(page, noisy, tmp_path):
    wrong, second = tmp_path / "wrong.png", tmp_path / "second.png"
    wrong.write_text("no picture")
    Image.open(noisy).crop((0, 0, 100, 80)).save(second)
    restore(page, noisy, wrong, second)
    wait_for(page, "2 of 3 restored, 1 could not be.")
    assert "wrong.png is not an image" in page.inner_text("#results")
    page.click("#results >> text=noisy.jpg")
    page.wait_for_function("[...document.querySelectorAll('#slider img')].some(image => image.naturalWidth == 300)")
    with page.expect_download() as download:
        page.click("#everything")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert sorted(archive.namelist()) == ["noisy.jpg", "second.png"]
        archive.extractall(tmp_path / "restored")
    with Image.open(tmp_path / "restored" / "noisy.jpg") as restored, Image.open(noisy) as given:
        assert restored.size == given.size
        assert restored.getexif()[0x010F] == "a camera"
        assert np.abs(np.asarray(restored, float) - np.asarray(given, float)).mean() > 5  # noise is gone


def test_work_can_be_cancelled(page, noisy, tmp_path):
    large = tmp_path / "large.png"
    Image.open(noisy).resize((3000, 2000)).save(large)
    restore(page, large)
    page.wait_for_selector("#message >> text=large.png")
    page.click("#cancel")
    wait_for(page, "Cancelled: 0 of 1 restored.")
    page.reload()
    page.wait_for_selector("#restore")
    restore(page, noisy)
    wait_for(page, "1 of 1 restored.")


def test_no_picture_and_licences_are_said(page):
    page.click("#restore")
    page.wait_for_selector("text=Add a picture first.")
    page.click("#model input")
    page.fill("#model input", "mprnet_deblur.gopro")
    page.keyboard.press("Enter")
    page.wait_for_selector("#licence >> text=no commercial use; they are downloaded first.")
