"""The virtual desktop and what the demo plays on it, with the real Xvfb, PulseAudio and espeak-ng."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

PACKAGING = Path(__file__).parents[2] / "packaging"
PLAY = PACKAGING / "demo" / "play.py"
MISSING = [name for name in ("Xvfb", "pulseaudio", "xdotool", "parec", "pacat") if shutil.which(name) is None]

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


def load(path: Path):
    specification = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


virtual_desktop = load(PACKAGING / "virtual_desktop.py")
marks = load(PACKAGING / "demo" / "marks.py")


@pytest.fixture(scope="module")
def desktop() -> Iterator:
    with virtual_desktop.VirtualDesktop(size=(640, 360)) as running:
        yield running


def environment_of(desktop) -> dict[str, str]:
    return os.environ | desktop.environment


def wait_until(is_done: Callable[[], bool], deadline_s: float = 15.0) -> None:
    ends = time.monotonic() + deadline_s
    while not is_done():
        assert time.monotonic() < ends, f"not within {deadline_s} s"
        time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def peak_of(desktop, source: str, sink: str) -> float:
    """The loudest sample at a source, of one second, while a tone plays to a sink."""
    tone = (16_000 * np.sin(np.arange(48_000 * 4) * 0.06)).astype("<i2").tobytes()
    format_ = ["--raw", "--rate=48000", "--channels=1", "--format=s16le"]
    environment = environment_of(desktop)
    with (
        subprocess.Popen(["pacat", *format_, "-d", sink], env=environment, stdin=subprocess.PIPE) as player,
        subprocess.Popen(
            ["parec", *format_, "--latency-msec=20", "-d", source], env=environment, stdout=subprocess.PIPE
        ) as recorder,
    ):
        os.set_blocking(player.stdin.fileno(), False)
        heard, ends = b"", time.monotonic() + 15
        while len(heard) < 96_000 and time.monotonic() < ends:
            with contextlib.suppress(BlockingIOError):
                written = os.write(player.stdin.fileno(), tone[:4_800])
                tone = tone[written:] + tone[:written]
            if select.select([recorder.stdout], [], [], 0.02)[0]:
                heard += os.read(recorder.stdout.fileno(), 65_536)
        recorder.kill()
        player.kill()
    assert len(heard) >= 96_000
    return float(np.abs(np.frombuffer(heard[: len(heard) // 2 * 2], "<i2").astype(int)).max()) / 32_768


def test_two_desktops_live_side_by_side_and_leave_nothing_behind(tmp_path):
    with (
        virtual_desktop.VirtualDesktop(directory=tmp_path, has_sound=False) as one,
        virtual_desktop.VirtualDesktop(directory=tmp_path, has_sound=False) as other,
    ):
        assert one.environment["DISPLAY"] != other.environment["DISPLAY"]
        assert len(list(tmp_path.iterdir())) == 2

    assert list(tmp_path.iterdir()) == []


def test_screen_has_the_size_that_was_asked_for(desktop):
    command = ["xdotool", "getdisplaygeometry"]

    done = subprocess.run(command, env=environment_of(desktop), capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["640", "360"]


def test_screen_refuses_a_client_without_the_cookie(desktop, tmp_path):
    environment = environment_of(desktop) | {"XAUTHORITY": str(tmp_path / "none")}

    done = subprocess.run(["xdotool", "getmouselocation"], env=environment, capture_output=True, check=False)

    assert done.returncode != 0


@pytest.mark.parametrize(("sink", "source"), [("game", "game.monitor"), ("voice", "voice.monitor")])
def test_what_is_played_to_a_sink_is_heard_at_its_monitor(desktop, sink, source):
    assert peak_of(desktop, source, sink) > 0.3


def test_game_is_not_heard_at_the_microphone(desktop):
    assert peak_of(desktop, desktop.microphone_source, "game") == 0.0


def test_pressed_key_reaches_a_global_listener(desktop, monkeypatch):
    xlib = pytest.importorskip("Xlib.display", reason="python-xlib is not installed")
    monkeypatch.setenv("XAUTHORITY", desktop.environment["XAUTHORITY"])
    display = xlib.Display(desktop.environment["DISPLAY"])
    try:
        key_press = 2
        keycode = display.keysym_to_keycode(0xFFC5)  # F8
        display.screen().root.grab_key(keycode, 0, 1, 1, 1)
        display.sync()

        desktop.press_key("F8")

        # The first press through XTEST changes the keyboard's mapping, and every client is told so.
        heard: list[tuple[int, int]] = []

        def hears_key() -> bool:
            while display.pending_events():
                event = display.next_event()
                heard.append((event.type, getattr(event, "detail", 0)))
            return (key_press, keycode) in heard

        wait_until(hears_key)
    finally:
        display.close()


def test_key_that_does_not_exist_is_refused_by_name(desktop):
    with pytest.raises(virtual_desktop.ServerFailed, match="'Bogus'"):
        desktop.press_key("Bogus")


def test_screenshot_is_a_png_of_the_screen(desktop, tmp_path):
    desktop.screenshot(tmp_path / "screen.png")

    header = (tmp_path / "screen.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")) == (640, 360)


@pytest.mark.parametrize(
    ("has", "missing", "package"), [("", "Xvfb", "xvfb"), ("Xvfb", "pulseaudio", "pulseaudio")]
)
def test_program_that_is_not_installed_is_named_with_its_package(
    tmp_path, monkeypatch, has, missing, package
):
    if has:
        (tmp_path / has).symlink_to(shutil.which(has))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(virtual_desktop.ProgramMissing) as caught:
        virtual_desktop.VirtualDesktop().start()

    assert (caught.value.program, caught.value.package) == (missing, package)


def test_folder_too_deep_for_a_socket_is_refused_in_words(tmp_path):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()

    with pytest.raises(virtual_desktop.ServerFailed, match="shorter path"):
        virtual_desktop.VirtualDesktop(directory=deep).start()


@pytest.mark.parametrize("victim", ["program", "guard"])
def test_no_server_outlives_a_kill(tmp_path, victim):
    script = (
        f"import sys; sys.path.insert(0, {str(PACKAGING)!r}); import pathlib, virtual_desktop as v\n"
        f"d = v.VirtualDesktop(directory=pathlib.Path({str(tmp_path)!r})); d.start()\n"
        "print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout.readline() == b"up\n"
        (guard,) = children_of(program.pid)
        servers = children_of(guard)

        os.kill(program.pid if victim == "program" else guard, signal.SIGKILL)

        assert len(servers) == 2
        wait_until(lambda: not any(is_running(pid) for pid in servers))
        program.stdin.close()


def played(desktop, *arguments: str, closes_stdin: bool = False) -> subprocess.CompletedProcess[str]:
    """Run play.py to its end."""
    return subprocess.run(
        [sys.executable, str(PLAY), *arguments],
        env=environment_of(desktop),
        stdin=subprocess.DEVNULL if closes_stdin else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_match_is_shown_and_told_from_start_to_end(desktop, tmp_path):
    pytest.importorskip("PySide6", reason="PySide6 is not installed")
    truth = tmp_path / "truth.json"

    done = played(desktop, "match", "--seconds", "4", "--size", "640x360", "--truth", str(truth))

    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = json.loads(truth.read_text(encoding="utf-8"))
    assert [events[0]["event"], events[-1]["event"]] == ["started", "ended"]
    assert told["t0_monotonic_ns"] == events[0]["t0_monotonic_ns"]
    assert [line["text"] for line in told["spoken"]] == ["welcome back everyone to the big match"]
    assert [word["text"] for word in told["spoken"][0]["words"]] == told["spoken"][0]["text"].split()


def test_every_second_the_screen_flashes_and_its_bar_counts_frames(desktop):
    pytest.importorskip("PySide6", reason="PySide6 is not installed")
    mss = pytest.importorskip("mss", reason="mss is not installed")
    script = (
        "import sys, time, mss, numpy as np\n"
        f"sys.path.insert(0, {str(PLAY.parent)!r}); import marks\n"
        "seen, flashed, ends = set(), set(), time.monotonic() + 30\n"
        "with mss.MSS() as screen:\n"
        "    while len(flashed) < 2 and time.monotonic() < ends:\n"
        "        shot = screen.grab(screen.monitors[0])\n"
        "        luma = np.frombuffer(shot.raw, np.uint8).reshape(shot.height, shot.width, 4)[..., 1]\n"
        "        number = marks.read(luma)\n"
        "        seen.add(number)\n"
        "        if number and luma[20:].min() > 250: flashed.add(number)\n"
        "        time.sleep(0.004)\n"
        "print(sorted(flashed), len(seen))"
    )
    command = [sys.executable, str(PLAY), "match", "--seconds", "30", "--size", "640x360", "--sync-marks"]
    with subprocess.Popen(
        [*command, "--no-sound", "--until-stdin-closes"],
        env=environment_of(desktop),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as player:
        watched = subprocess.run(
            [sys.executable, "-c", script],
            env=environment_of(desktop),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        player.stdin.close()
        assert player.wait(timeout=15) == 0
    assert mss is not None
    flashed = json.loads(watched.stdout.split("]")[0] + "]")
    assert len(flashed) == 2
    assert all(frame % 30 == 0 for frame in flashed)


@pytest.mark.parametrize(
    ("content", "exit_code", "words"),
    [
        (None, 2, "there is no such file"),
        (b"", 2, "the file is empty"),
        (bytes(range(256)) * 40, 1, "check that the file is a whole video"),
    ],
)
def test_recording_that_cannot_be_played_gets_one_clear_line(desktop, tmp_path, content, exit_code, words):
    pytest.importorskip("PySide6", reason="PySide6 is not installed")
    path = tmp_path / "film.mp4"
    if content is not None:
        path.write_bytes(content)

    done = played(desktop, "video", str(path))

    assert done.returncode == exit_code
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert str(path) in line
    assert words in line


def test_recording_is_played_to_its_end(desktop, tmp_path):
    pytest.importorskip("PySide6", reason="PySide6 is not installed")
    path = tmp_path / "film.mp4"
    write_film(path, length_s=1.5)

    done = played(desktop, "video", str(path), "--size", "640x360")

    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout.splitlines()[-1])
    assert ended["event"] == "ended"
    assert ended["is_complete"]
    assert ended["at_s"] >= 1.4


def test_player_without_a_screen_says_so(desktop):
    pytest.importorskip("PySide6", reason="PySide6 is not installed")
    environment = environment_of(desktop) | {"DISPLAY": ":9999"}

    done = subprocess.run(
        [sys.executable, str(PLAY), "match"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 3
    assert "DISPLAY=':9999'" in done.stderr


def write_film(path: Path, length_s: float) -> None:
    """A small real film: grey pictures that brighten, and a tone."""
    av = pytest.importorskip("av", reason="av is not installed")
    with av.open(str(path), "w") as film:
        pictures = film.add_stream("libx264", rate=25, width=160, height=120, pix_fmt="yuv420p")
        sound = film.add_stream("aac", rate=48_000, layout="mono")
        for index in range(round(length_s * 25)):
            grey = np.full((120, 160, 3), 5 * index % 256, np.uint8)
            film.mux(pictures.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        tone = 0.2 * np.sin(np.arange(round(length_s * 48_000)) * 0.06)
        frame = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate = 48_000
        film.mux(sound.encode(frame))
        film.mux(pictures.encode())
        film.mux(sound.encode())
