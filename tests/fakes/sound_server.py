"""A PulseAudio of a test's own, that it may kill and start again on the same socket; and tones to play on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.fakes.desktop_here import load_packaging, wait_until

MISSING = [name for name in ("pulseaudio", "pactl", "paplay") if shutil.which(name) is None]
REASON = f"not installed: {', '.join(MISSING)}"
RATE = 48_000
# `norewinds`: else a null sink renders up to 2 s ahead, and each change of latency shifts what is recorded.
_SCRIPT = """\
load-module module-null-sink sink_name=game rate=48000 channels=2 norewinds=1
load-module module-null-sink sink_name=voice rate=48000 channels=2 norewinds=1
set-default-sink game
set-default-source voice.monitor
load-module module-native-protocol-unix socket={socket} auth-anonymous=1 auth-cookie-enabled=0
"""
# The server ends with us, even when we are killed.
_DIE_WITH_PARENT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execvp(sys.argv[1], sys.argv[1:])"
)


class SoundServer:
    """PulseAudio with the sinks `game` (the default) and `voice` (whose monitor is the default source)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "pulse"
        self._server: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []
        self._writers: list[Any] = []
        self.environment = {
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_COOKIE": str(folder / "cookie"),
            "XDG_RUNTIME_DIR": str(folder),
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        script = self._folder / "pulse.pa"
        script.write_text(_SCRIPT.format(socket=self._socket), encoding="utf-8")
        command = ["pulseaudio", "-n", "-F", str(script), "--daemonize=no", "--exit-idle-time=-1"]
        command += ["--use-pid-file=no", "--disable-shm=yes", "--realtime=no", "--high-priority=no"]
        own = {name: str(self._folder) for name in ("PULSE_RUNTIME_PATH", "PULSE_STATE_PATH")}
        with (self._folder / "pulse.log").open("ab") as words:
            self._server = subprocess.Popen(
                [sys.executable, "-I", "-c", _DIE_WITH_PARENT, *command],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env=os.environ | self.environment | own,
            )
        assert wait_until(self._answers), (self._folder / "pulse.log").read_text(encoding="utf-8")

    def kill(self) -> None:
        """As `kill -9` does."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()
        self._socket.unlink(missing_ok=True)

    def pactl(self, *words: str) -> str:
        """Run pactl; returns what it says."""
        environment = os.environ | self.environment
        done = subprocess.run(
            ["pactl", *words], check=True, capture_output=True, text=True, timeout=10, env=environment
        )
        return done.stdout.strip()

    def play(self, sink: str, frequency_hz: int, application: str = "paplay") -> subprocess.Popen[bytes]:
        """An application that plays a tone for a minute; it ends with the server, or when it is killed."""
        path = self._folder / f"{frequency_hz}.wav"
        if not path.exists():
            times_s = np.arange(60 * RATE) / RATE
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                tone = 4000 * np.sin(2 * np.pi * frequency_hz * times_s)
                file.writeframes(tone.astype("<i2").tobytes())
        player = subprocess.Popen(
            ["paplay", "--latency-msec=50", f"--client-name={application}", "-d", sink, str(path)],
            env=os.environ | self.environment,
        )
        self._players.append(player)
        return player

    def beep(self, sink: str, t0_ns: int) -> Any:
        """Play 1 kHz for 100 ms at each second after a monotonic time; as the demo plays its sound."""
        writer = load_packaging("demo/pulse.py").SinkWriter(sink, _Beeps())
        writer.start()
        writer.play_at(t0_ns)
        self._writers.append(writer)
        return writer

    def load_sink(self, name: str) -> str:
        """Plug in an output; returns what `unload` takes."""
        return self.pactl("load-module", "module-null-sink", f"sink_name={name}", "rate=48000", "norewinds=1")

    def unload(self, module: str) -> None:
        """Pull it out."""
        self.pactl("unload-module", module)

    def stop(self) -> None:
        """Stop it and its players."""
        for writer in self._writers:
            writer.stop()
        for player in self._players:
            player.kill()
            player.wait()
        if self._server is not None:
            self.kill()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self._socket)) == 0


class _Beeps:
    def block(self, start: int, num_samples: int) -> np.ndarray:
        phase = np.arange(start, start + num_samples) % RATE
        tone = np.where(phase < RATE // 10, 12_000 * np.sin(2 * np.pi * 1000 * phase / RATE), 0)
        return np.repeat(tone[:, None], 2, axis=1).astype(np.int16)


@contextlib.contextmanager
def sound_server_here() -> Iterator[SoundServer]:
    """Start one, and let this very process use it, as a user's programs do: by its defaults alone."""
    # Not pytest's folder: a socket's path ends at 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="snd-"))
    server = SoundServer(folder)
    try:
        with mock.patch.dict(os.environ, server.environment):
            os.environ.pop("PULSE_SINK", None)
            os.environ.pop("PULSE_SOURCE", None)
            server.start()
            yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
