"""Takes the README's pictures anew: the app, the page and a post, of a match that is streamed for it.

    python3 packaging/dev.py screenshots [--out docs/images]

The stream runs on one virtual desktop, the app on another, so that it is not in its own picture. About three minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from given import DemoFailed, say  # noqa: E402 - the folders come first
from stage import Stage, stop  # noqa: E402 - the folders come first
from virtual_desktop import VirtualDesktop  # noqa: E402 - the folders come first
from watch import Watch  # noqa: E402 - the folders come first

ROOT = Path(__file__).resolve().parents[2]
_APP_SIZE = (1280, 800)
_MATCH_S = 110.0


def main() -> int:
    """Command line entry point."""
    parser = argparse.ArgumentParser(
        prog="dev.py screenshots", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    arguments = argparse.Namespace(
        video=None, offline=True, seconds=_MATCH_S, seed=7, screen="virtual", json=False
    )
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clippy-pictures-")))
            stage = Stage(arguments, folder, [], stack)
            stage.set_up()
            stack.enter_context(room_noise(stage))
            watch = Watch(stage, is_engine_stopped=False)
            watch.run()
            for words in stage.left_out:
                say(f"left out: {words}")
            app_picture(stage, stack, out / "app.png")
            page_picture(stage, out / "page.png")
            post_picture(stage, watch, out / "post.png")
    except DemoFailed as exc:
        say(f"no pictures: {exc}")
        return exc.exit_code
    say(f"pictures are in {out}")
    return 0


@contextlib.contextmanager
def room_noise(stage: Stage) -> Iterator[None]:
    """The noise of a microphone, faintly: without it the app rightly tells of a dead one when the match is over."""
    import numpy as np

    noise = np.random.default_rng(7).normal(0, 20, 2 * 48_000).astype("<i2").tobytes()
    command = ["pacat", "--playback", "--device=voice", "--format=s16le", "--rate=48000", "--channels=2"]
    player = subprocess.Popen(command, stdin=subprocess.PIPE, env=stage.engine_environment())

    def feed() -> None:
        assert player.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            while True:
                player.stdin.write(noise)

    threading.Thread(target=feed, daemon=True).start()
    try:
        yield
    finally:
        stop(player)


def app_picture(stage: Stage, stack: contextlib.ExitStack, path: Path) -> None:
    """The app's window, with a moment's post playing."""
    desktop = stack.enter_context(VirtualDesktop(size=_APP_SIZE))
    environment = stage.engine_environment() | desktop.environment
    app = subprocess.Popen(
        [sys.executable, "-m", "agent"], env=environment, cwd=ROOT, stderr=subprocess.DEVNULL
    )
    stack.callback(stop, app)
    time.sleep(6)
    find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "^Clippy$"]
    window = subprocess.run(
        find, env=environment, capture_output=True, text=True, timeout=30, check=True
    ).stdout.split()[0]
    width, height = _APP_SIZE
    for command in (
        ["windowmove", window, "0", "0"],
        ["windowsize", window, str(width), str(height)],
        ["windowfocus", window],
        ["key", "2"],
    ):
        subprocess.run(["xdotool", *command], env=environment, check=True, timeout=10)
    time.sleep(3)
    # The first card's button is the first thing there that takes a click; how far down it is depends on its evidence.
    for y in range(300, 640, 14):
        click = ["xdotool", "mousemove", "88", str(y), "click", "1"]
        subprocess.run(click, env=environment, check=True, timeout=10)
        time.sleep(1.5)
        desktop.screenshot(path)
        if is_playing(path):
            break
    else:
        raise DemoFailed("no post plays in the app: its first card's button was not found", exit_code=4)
    time.sleep(4)
    desktop.screenshot(path)


def is_playing(path: Path) -> bool:
    """Whether the right half of the app's picture shows more than the player's black."""
    from PIL import Image

    with Image.open(path) as picture:
        shown = picture.convert("L").crop((600, 190, 1260, 720)).point(lambda value: 255 * (value > 40))
        return shown.histogram()[255] > 0.1 * shown.width * shown.height


def page_picture(stage: Stage, path: Path) -> None:
    """The coordinator's page in a browser."""
    import shutil

    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise DemoFailed("no chromium for the page's picture; install it", exit_code=3)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page.goto(stage.page)
        # Posters are the first frames; the captions come a little later.
        page.evaluate("document.querySelectorAll('video').forEach((video) => { video.currentTime = 5; })")
        page.wait_for_function(
            "[...document.querySelectorAll('video')].every((video) => video.readyState >= 2 && !video.seeking)",
            timeout=60_000,
        )
        page.wait_for_timeout(1000)
        page.screenshot(path=str(path))
        browser.close()


def post_picture(stage: Stage, watch: Watch, path: Path) -> None:
    """Three frames of the best post, side by side."""
    import av
    import httpx
    from PIL import Image

    best = next(moment for moment in watch.session["moments"] if moment["exports"])
    post = stage.out / "post.mp4"
    post.write_bytes(httpx.get(f"{stage.page.rstrip('/')}{best['exports'][0]['url']}", timeout=30).content)
    frames = []
    peak_s = best["peak_s"] - best["exports"][0]["start_s"]
    with av.open(str(post)) as container:
        wanted_s = [max(0.0, peak_s + after_s) for after_s in (-3.0, 0.5, 2.0)]
        for frame in container.decode(video=0):
            if wanted_s and frame.time is not None and frame.time >= wanted_s[0]:
                wanted_s.pop(0)
                frames.append(frame.to_image().resize((270, 480), Image.Resampling.LANCZOS))
    strip = Image.new("RGB", (270 * len(frames) + 12 * (len(frames) - 1), 480), "white")
    for index, frame in enumerate(frames):
        strip.paste(frame, (282 * index, 0))
    strip.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
