"""Rival: OBS's replay buffer, headless on software GL, on the same screen, sound, tracks and encoder settings.

OBS paints its own window, so it lives on a second virtual screen and grabs the first (`xshm_input` with `server`);
its settings are files in a home folder of its own, and obs-websocket gives the orders.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.content import SIZE_PX, VIDEO_RATE_BPS
from tests.bench.engine import Stage
from tests.bench.measure import CannotMeasure, end, last_words, running, wait_until
from tests.fakes.desktop_here import load_packaging

_START_S = 40.0
_SAVE_S = 60.0


def version() -> str:
    """Its version.

    Raises:
        CannotMeasure: It is not installed.
    """
    if shutil.which("obs") is None:
        raise CannotMeasure("obs-studio is not installed")
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        ["obs", "--version"], capture_output=True, text=True, check=False, timeout=20, env=environment
    )
    found = re.search(r"(\d+\.\d+\.\d+\S*)", done.stdout + done.stderr)
    return found[1] if found else "unknown"


class ReplayBuffer:
    """A running OBS with its replay buffer on."""

    def __init__(self, pid: int, orders: _WebSocket, folder: Path) -> None:
        self.pid = pid
        self._orders = orders
        self._folder = folder

    def save(self) -> tuple[Path, float]:
        """Save the buffer; returns the file and the ms from the order until it is whole and playable.

        Raises:
            CannotMeasure: It is not there within a minute.
        """
        before = set(self._folder.glob("*.mp4"))
        began = time.monotonic()
        self._orders.ask("SaveReplayBuffer")
        # The event comes when the muxing process has ended: the file is closed then, though not fsynced.
        self._orders.wait_for_event("ReplayBufferSaved", timeout_s=_SAVE_S)
        took_ms = (time.monotonic() - began) * 1000
        new = sorted(set(self._folder.glob("*.mp4")) - before)
        if not new:
            raise CannotMeasure("OBS said that it saved, and there is no file")
        return new[-1], took_ms


@contextlib.contextmanager
def replay_buffer(on: Stage, *, max_s: int) -> Iterator[ReplayBuffer]:
    """OBS with a replay buffer of so many seconds, running when the block begins.

    Raises:
        CannotMeasure: It is not installed or does not start.
    """
    version()
    home = on.folder / "obs"
    shutil.rmtree(home, ignore_errors=True)
    files = home / "files"
    files.mkdir(parents=True)
    port = _free_port()
    _write_settings(home, files, on, max_s, port)
    virtual_desktop = load_packaging("virtual_desktop.py")
    with virtual_desktop.VirtualDesktop(size=(1280, 720), has_auth=False, has_sound=False) as own:
        environment = on.environment | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "DISPLAY": own.environment["DISPLAY"],
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "QT_QPA_PLATFORM": "xcb",
        }
        command = ["obs", "--multi", "--startreplaybuffer", "--minimize-to-tray"]
        log = on.folder / "obs.log"
        with running(command, environment=environment, log=log) as child:
            try:
                orders = _connect(child, port, log)
                try:
                    wait_until(
                        lambda: orders.ask("GetReplayBufferStatus").get("outputActive"),
                        timeout_s=_START_S,
                        what="OBS's replay buffer starts",
                    )
                    yield ReplayBuffer(child.pid, orders, files)
                finally:
                    orders.close()
            finally:
                end(child, patience_s=5.0)


def _connect(child: subprocess.Popen[str], port: int, log: Path) -> _WebSocket:
    opened: list[_WebSocket] = []

    def is_open() -> bool:
        if child.poll() is not None:
            raise CannotMeasure(f"OBS ended: {last_words(log)}")
        with contextlib.suppress(OSError):
            opened.append(_WebSocket(port))
        return bool(opened)

    wait_until(is_open, timeout_s=_START_S, what="OBS answers")
    return opened[0]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# ---- settings


def _write_settings(home: Path, files: Path, on: Stage, max_s: int, port: int) -> None:
    root = home / ".config" / "obs-studio"
    profile = root / "basic" / "profiles" / "Bench"
    scenes = root / "basic" / "scenes"
    for folder in (profile, scenes):
        folder.mkdir(parents=True)
    names = {
        "Profile": "Bench",
        "ProfileDir": "Bench",
        "SceneCollection": "Bench",
        "SceneCollectionFile": "Bench",
    }
    _write_ini(
        root / "global.ini",
        {
            "General": {"FirstRun": "true", "EnableAutoUpdates": "false", "LastVersion": 29 << 24 | 2},
            "Basic": names,
            "BasicWindow": {"PreviewEnabled": "false", "SysTrayEnabled": "true", "FirstRun": "true"},
            "OBSWebSocket": {
                "FirstLoad": "false", "ServerEnabled": "true", "ServerPort": port, "AuthRequired": "false",
                "AlertsEnabled": "false",
            },
        },
    )  # fmt: skip
    width, height = SIZE_PX
    _write_ini(
        profile / "basic.ini",
        {
            "General": {"Name": "Bench"},
            "Video": {
                "BaseCX": width, "BaseCY": height, "OutputCX": width, "OutputCY": height,
                "FPSType": 0, "FPSCommon": on.frame_rate,
            },
            "Output": {"Mode": "Advanced"},
            "AdvOut": {
                "RecType": "Standard", "RecFilePath": files, "RecFormat": "mp4", "RecTracks": 7,
                "RecEncoder": "obs_x264", "RecRB": "true", "RecRBTime": max_s, "RecRBSize": 1024,
                "Track1Bitrate": 160, "Track2Bitrate": 128, "Track3Bitrate": 128,
            },
            "Audio": {"SampleRate": 48000, "ChannelSetup": "Stereo"},
        },
    )  # fmt: skip
    encoder = {
        "rate_control": "CBR", "bitrate": VIDEO_RATE_BPS // 1000, "keyint_sec": 1, "preset": "ultrafast",
        "tune": "zerolatency", "bf": 0, "x264opts": "threads=2 scenecut=0",
    }  # fmt: skip
    (profile / "recordEncoder.json").write_text(json.dumps(encoder), encoding="utf-8")
    (scenes / "Bench.json").write_text(json.dumps(_scenes(on)), encoding="utf-8")


def _write_ini(path: Path, sections: dict[str, dict[str, Any]]) -> None:
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{name}={value}" for name, value in values.items()), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _scenes(on: Stage) -> dict[str, Any]:
    """One scene with the screen; the desktop's sound on tracks 1 and 3, the microphone's on 1 and 2."""
    screen = {"advanced": True, "server": on.environment["DISPLAY"], "screen": 0, "show_cursor": True}
    item = {"id": 1, "name": "Screen", "visible": True, "pos": {"x": 0, "y": 0}, "scale": {"x": 1, "y": 1}}
    return {
        "name": "Bench",
        "current_scene": "Scene",
        "current_program_scene": "Scene",
        "scene_order": [{"name": "Scene"}],
        "sources": [
            {"id": "scene", "name": "Scene", "settings": {"id_counter": 1, "items": [item]}},
            {"id": "xshm_input", "name": "Screen", "settings": screen},
        ],
        "DesktopAudioDevice1": {
            "id": "pulse_output_capture", "name": "Desktop", "mixers": 5, "settings": {"device_id": "game.monitor"},
        },
        "AuxAudioDevice1": {
            "id": "pulse_input_capture", "name": "Mic", "mixers": 3, "settings": {"device_id": "voice.monitor"},
        },
    }  # fmt: skip


# ---- obs-websocket 5, as far as it is needed: text frames of a client (RFC 6455), requests, events


class _WebSocket:
    """One connection. One thread."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5.0)
        self._received = b""
        self._events: list[str] = []
        self._num_asked = 0
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._received:
            self._fill()
        self._received = self._received.partition(b"\r\n\r\n")[2]
        self._take(0)  # Hello
        self._send({"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 0x7FF}})
        self._take(2)  # Identified

    def ask(self, request: str) -> dict[str, Any]:
        """Make a request, and return what is answered."""
        self._num_asked += 1
        self._send({"op": 6, "d": {"requestType": request, "requestId": str(self._num_asked)}})
        answer = self._take(7)
        return answer.get("responseData") or {}

    def wait_for_event(self, name: str, *, timeout_s: float) -> None:
        """Wait for an event; CannotMeasure at the deadline."""
        deadline = time.monotonic() + timeout_s
        while name not in self._events:
            if time.monotonic() > deadline:
                raise CannotMeasure(f"OBS has not told {name} within {timeout_s:.0f} s")
            with contextlib.suppress(TimeoutError):
                self._note(self._read_message())
        self._events.clear()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _take(self, op: int) -> dict[str, Any]:
        while True:
            message = self._read_message()
            if message.get("op") == op:
                found: dict[str, Any] = message["d"]
                return found
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("op") == 5:
            self._events.append(message["d"]["eventType"])

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode()
        # Masked, as a client must, by zeros; all our messages are short.
        length = (
            struct.pack(">B", 0x80 | len(data)) if len(data) < 126 else struct.pack(">BH", 0xFE, len(data))
        )
        self._socket.sendall(b"\x81" + length + bytes(4) + data)

    def _read_message(self) -> dict[str, Any]:
        head = self._exactly(2)
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack(">H", self._exactly(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self._exactly(8))[0]
        data = self._exactly(length)
        message: dict[str, Any] = json.loads(data) if head[0] & 0xF == 1 else {}
        return message

    def _exactly(self, num_bytes: int) -> bytes:
        while len(self._received) < num_bytes:
            self._fill()
        data, self._received = self._received[:num_bytes], self._received[num_bytes:]
        return data

    def _fill(self) -> None:
        more = self._socket.recv(65536)
        if not more:
            raise CannotMeasure("OBS hung up")
        self._received += more
