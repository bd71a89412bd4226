"""A browser plays through the seams of a cut: its decoder is not the one that we test with."""

from __future__ import annotations

import base64
import importlib.util
import shutil
from pathlib import Path

import pytest

from coordinator.media.output.cut import cut
from tests.fakes.flash_clip import flashes_s, write_clip

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="not installed: playwright"),
    pytest.mark.skipif(CHROMIUM is None, reason="not installed: chromium"),
]

# Plays to the end at half the speed, and returns when each picture is shown and how bright its middle is.
WATCH = """async () => {
    const video = document.querySelector('video');
    const canvas = document.querySelector('canvas').getContext('2d');
    const seen = [];
    await new Promise((done, failed) => {
        video.onerror = () => failed(new Error(video.error.message));
        video.onended = done;
        const look = (_, picture) => {
            canvas.drawImage(video, 0, 0, 320, 180);
            const pixels = canvas.getImageData(120, 80, 40, 20).data;
            let total = 0;
            for (let at = 0; at < pixels.length; at += 4) total += pixels[at];
            seen.push([picture.mediaTime, total / (pixels.length / 4)]);
            video.requestVideoFrameCallback(look);
        };
        video.requestVideoFrameCallback(look);
        video.playbackRate = 0.5;
        video.play().catch(failed);
    });
    return seen;
}"""


async def test_chromium_shows_the_encoded_and_the_copied_pictures_of_one_track(tmp_path: Path) -> None:
    from playwright.async_api import async_playwright

    x264 = {"preset": "veryfast", "x264-params": "bframes=7:b-adapt=0"}
    src = write_clip(tmp_path / "clip.mp4", duration_s=4, size=(320, 180), x264=x264, gop_s=1)
    dst = tmp_path / "cut.mp4"

    assert cut(src, dst, start_s=0.3, end_s=3.1).method == "smart"
    data = base64.b64encode(dst.read_bytes()).decode()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = await browser.new_page()
        await tab.set_content(
            f"<video muted src='data:video/mp4;base64,{data}'></video><canvas width=320 height=180></canvas>"
        )
        seen = await tab.evaluate(WATCH)
        await browser.close()

    flashes = [
        at_s
        for (at_s, light), (_, before) in zip(seen[1:], seen[:-1], strict=True)
        if light > 190 and before <= 190
    ]
    # A machine that is busy may leave out a picture or two.
    assert flashes == pytest.approx(flashes_s(dst), abs=0.07)
    assert len(seen) > 60
