"""Real screen and real sound server: the right devices, in time with the picture, and back after a loss."""

from __future__ import annotations

import subprocess
import threading
import time
import wave
from collections.abc import Iterator

import av
import numpy as np
import pytest

from agent.capture.choose_screen import list_screens, open_screen
from agent.capture.choose_sound import list_sound, open_sound
from agent.capture.clock import SessionClock
from agent.capture.pulse import PulseSource
from agent.capture.watch import SoundWatch
from agent.encode.quality import Quality
from agent.lanes.sound import SoundLane
from agent.lanes.video import VideoLane
from tests.fakes.desktop_here import MISSING, REASON, desktop_here, load_packaging, wait_until

pytestmark = [pytest.mark.desktop, pytest.mark.skipif(bool(MISSING), reason=REASON)]
SECOND_NS = 1_000_000_000
RATE = 48_000


@pytest.fixture(scope="module")
def desktop() -> Iterator[object]:
    with desktop_here((640, 360)) as running:
        yield running


def pactl(*words: str) -> str:
    return subprocess.run(["pactl", *words], check=True, capture_output=True, text=True, timeout=10).stdout


def test_x11grab_is_what_auto_chooses(desktop):
    assert open_screen().name == "x11grab"


def test_devices_are_listed_with_what_auto_chooses(desktop):
    screens = {device.name: device for device in list_screens()}
    sounds = {device.name: device for device in list_sound()}

    assert screens["x11grab"].is_default and screens["x11grab"].detail.startswith("640x360; ")
    assert screens["mss"].is_usable and not screens["mss"].is_default
    assert sounds["game.monitor"].kind == "desktop_sound" and sounds["game.monitor"].is_default


def play(folder, sink: str, frequency_hz: int) -> subprocess.Popen[bytes]:
    path = folder / f"{sink}.wav"
    time_s = np.arange(20 * RATE) / RATE
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((9000 * np.sin(2 * np.pi * frequency_hz * time_s)).astype("<i2").tobytes())
    return subprocess.Popen(["paplay", "--latency-msec=50", "-d", sink, str(path)])


def test_microphone_and_desktop_are_recorded_at_once_and_not_confused(desktop, tmp_path):
    heard: dict[str, list] = {"mic": [], "desktop": []}
    players = [play(tmp_path, "voice", 700), play(tmp_path, "game", 1900)]
    sources = [open_sound("mic"), open_sound("desktop")]

    def second_of(name) -> bool:
        return sum(len(block) for block in heard[name] if np.abs(block).max() > 0.1) > RATE

    try:
        for source in sources:
            source.open(lambda block: heard[block.source].append(block.samples[:, 0]))
        assert wait_until(lambda: second_of("mic") and second_of("desktop"))
    finally:
        for source in sources:
            source.close()
        for player in players:
            player.kill()
            player.wait()

    loudest_hz = {}
    for name, blocks in heard.items():
        sound = np.concatenate(blocks)[-RATE:]
        loudest_hz[name] = int(np.argmax(np.abs(np.fft.rfft(sound))) * RATE / len(sound))
    assert loudest_hz == {"mic": 700, "desktop": 1900}


@pytest.mark.logs("sound_lost")
def test_a_device_that_goes_away_is_reported_and_opened_again_when_it_is_back(desktop):
    def load() -> str:
        return pactl("load-module", "module-null-sink", "sink_name=headset", "rate=48000").strip()

    module = load()
    num_blocks = 0
    problems = []

    def on_block(_block) -> None:
        nonlocal num_blocks
        num_blocks += 1

    watch = SoundWatch([PulseSource("mic", "headset.monitor")], on_block, on_problem=problems.append)
    watch.start()
    try:
        assert wait_until(lambda: num_blocks > 5)
        pactl("unload-module", module)
        assert wait_until(lambda: problems and "mic" in watch.problems)
        module = load()
        before = num_blocks
        assert wait_until(lambda: num_blocks > before + 5 and not watch.problems, 30)
    finally:
        watch.stop(10)
        pactl("unload-module", module)
    assert len(problems) == 1


@pytest.mark.logs("sound_lost")
def test_desktop_sound_follows_the_default_sink(desktop):
    module = pactl("load-module", "module-null-sink", "sink_name=speakers", "rate=48000").strip()
    source = PulseSource("desktop")
    watch = SoundWatch([source], lambda block: None)
    watch.start()
    try:
        assert wait_until(lambda: source.is_running and source.device == "game.monitor")
        pactl("set-default-sink", "speakers")
        assert wait_until(lambda: source.device == "speakers.monitor", 30)
    finally:
        watch.stop(10)
        pactl("set-default-sink", "game")
        pactl("unload-module", module)


class Flasher(threading.Thread):
    """A window that covers the screen and turns white for 100 ms at each second after t0."""

    def __init__(self, t0_ns: int, num_flashes: int) -> None:
        super().__init__(daemon=True)
        self._t0_ns = t0_ns
        self._num_flashes = num_flashes
        self.shown_ns: list[int] = []

    def run(self) -> None:
        from Xlib import X, display

        connection = display.Display()
        screen = connection.screen()
        window = screen.root.create_window(
            0, 0, 640, 360, 0, screen.root_depth, X.CopyFromParent, X.CopyFromParent, override_redirect=True
        )
        black = window.create_gc(foreground=screen.black_pixel)
        white = window.create_gc(foreground=screen.white_pixel)
        window.map()
        window.fill_rectangle(black, 0, 0, 640, 360)
        connection.sync()
        for index in range(self._num_flashes):
            for paint, due_ns in ((white, 0), (black, SECOND_NS // 10)):
                rest_ns = self._t0_ns + index * SECOND_NS + due_ns - time.monotonic_ns()
                time.sleep(max(0, rest_ns) / SECOND_NS)
                window.fill_rectangle(paint, 0, 0, 640, 360)
                connection.sync()
                if paint is white:
                    self.shown_ns.append(time.monotonic_ns())
        connection.close()


class Beeps:
    """1 kHz for 100 ms at each second, as the demo's writer plays it."""

    def block(self, start, num_samples):
        phase = np.arange(start, start + num_samples) % RATE
        tone = np.where(phase < RATE // 10, 12_000 * np.sin(2 * np.pi * 1000 * phase / RATE), 0)
        return np.repeat(tone[:, None], 2, axis=1).astype(np.int16)


def test_a_flash_on_the_screen_and_its_beep_come_within_forty_milliseconds(desktop):
    pulse = load_packaging("demo/pulse.py")
    num_flashes = 8
    packets = []
    clock = SessionClock()
    video = VideoLane(
        open_screen(), clock, quality=Quality(frame_rate=50, can_step_down=False), on_packet=packets.append
    )
    sound = SoundLane(
        [open_sound("desktop")], clock, chunk_s=10, on_packet=packets.append, on_chunk=lambda chunk: None
    )
    writer = pulse.SinkWriter("game", Beeps())
    writer.start()
    t0_ns = time.monotonic_ns() + 2 * SECOND_NS
    writer.play_at(t0_ns)
    flasher = Flasher(t0_ns, num_flashes)
    flasher.start()
    sound.start()
    video.start()
    flasher.join(30)
    assert wait_until(lambda: clock.monotonic_ns() > t0_ns + num_flashes * SECOND_NS)
    video.stop()
    sound.stop()
    writer.stop()

    flashes_ns = onsets([p for p in packets if p.track == 0], video.track, 200, _brightness)
    beeps_ns = onsets([p for p in packets if p.track == 1], sound.tracks[0], 0.1, _samples)
    # the painter may be late on a busy machine: measured against when the picture really was there
    late_ns = [shown_ns - t0_ns - index * SECOND_NS for index, shown_ns in enumerate(flasher.shown_ns)]
    offsets_ms = []
    for flash_ns in flashes_ns:
        index = round((flash_ns + clock.t0_monotonic_ns - t0_ns) / SECOND_NS)
        nearest_ns = min(beeps_ns, key=lambda beep_ns: abs(beep_ns - flash_ns))
        if 3 <= index < num_flashes:  # the sound server needs some seconds to know its own latency
            offsets_ms.append((flash_ns - late_ns[index] - nearest_ns) / 1e6)
    assert len(offsets_ms) >= 4
    assert abs(float(np.median(offsets_ms))) <= 40, offsets_ms


def onsets(packets, track, threshold, measure):
    """Session times at which the decoded track rises above the threshold after 300 ms below it."""
    decoder = av.CodecContext.create(track.codec, "r")
    decoder.extradata = track.extradata
    found = []
    last_above_ns = None
    for packet in packets:
        for frame in decoder.decode(av.Packet(packet.payload)):
            for at_ns, value in measure(packet, frame):
                if value > threshold:
                    if last_above_ns is None or at_ns - last_above_ns > 3 * SECOND_NS // 10:
                        found.append(at_ns)
                    last_above_ns = at_ns
    return found


def _brightness(packet, frame):
    return [(packet.pts_ns, float(frame.to_ndarray()[60 : frame.height].mean()))]


def _samples(packet, frame):
    mono = np.abs(frame.to_ndarray()[0])
    # every fourth sample: a quarter of the work, and a tenth of a millisecond
    return [
        (packet.pts_ns + index * SECOND_NS // RATE, float(mono[index])) for index in range(0, len(mono), 4)
    ]
