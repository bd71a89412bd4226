"""The real engine as a process of its own, on a virtual desktop that shows the benches' picture."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.control.client import ControlClient
from agent.errors import EngineNotRunning
from agent.paths import AgentPaths
from tests.bench.content import SIZE_PX, VIDEO_RATE_BPS
from tests.bench.measure import CannotMeasure, end, last_words, running, wait_until
from tests.fakes.desktop_here import MISSING, REASON, load_packaging

_READY_S = 30.0
# Some faster than what records it, so that two pictures in turn never show the same frame; 60 leaves less room.
_SHOW_RATES = {30: 40, 60: 75}


@dataclasses.dataclass(slots=True)
class Stage:
    """A desktop with the picture on it.

    Attributes:
        environment: for a program on it.
        frame_rate: to be recorded at.
        show_rate: of the frames that are shown.
        shown: the numbers of the frames that were shown; known when the stage is closed.
    """

    environment: dict[str, str]
    folder: Path
    frame_rate: int
    show_rate: int
    shown: set[int] = dataclasses.field(default_factory=set)


@contextlib.contextmanager
def stage(*, frame_rate: int = 30, size_px: tuple[int, int] = SIZE_PX) -> Iterator[Stage]:
    """Open a virtual desktop and show the picture; a folder for results goes with it.

    Raises:
        CannotMeasure: There is no Xvfb or PulseAudio here.
    """
    if MISSING:
        raise CannotMeasure(REASON)
    virtual_desktop = load_packaging("virtual_desktop.py")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clippy-bench-")))
        try:
            desktop = stack.enter_context(virtual_desktop.VirtualDesktop(size=size_px))
        except virtual_desktop.DesktopUnavailable as exc:
            raise CannotMeasure(str(exc)) from exc
        opened = Stage(
            environment=os.environ | desktop.environment,
            folder=folder,
            frame_rate=frame_rate,
            show_rate=_SHOW_RATES.get(frame_rate, frame_rate * 4 // 3),
        )
        show = stack.enter_context(
            running(
                [sys.executable, "-m", "tests.bench.show", "--frame-rate", str(opened.show_rate),
                 "--size", "{}x{}".format(*size_px)],
                environment=opened.environment, log=folder / "show.log", has_input=True,
            )
        )  # fmt: skip
        assert show.stdout is not None and show.stdin is not None
        if not show.stdout.readline():
            raise CannotMeasure(f"the picture cannot be shown: {last_words(folder / 'show.log')}")
        try:
            yield opened
        finally:
            show.stdin.close()
            with contextlib.suppress(ValueError, KeyError):
                opened.shown |= set(json.loads(show.stdout.readline())["shown"])


class Engine:
    """A running engine, and its control client."""

    def __init__(self, child: subprocess.Popen[str], client: ControlClient, log: Path) -> None:
        self.pid = child.pid
        self.client = client
        self._child = child
        self._log = log

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of that name in its log, oldest first."""
        found = []
        for line in self._log.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and event.get("event") == name:
                    found.append(event)
        return found

    def is_ready(self) -> bool:
        """Would a press be saved? CannotMeasure when it has ended."""
        if self._child.poll() is not None:
            raise CannotMeasure(f"the engine ended: {last_words(self._log)}")
        with contextlib.suppress(EngineNotRunning):
            return self.client.status().state in ("ready", "problem")
        return False


@contextlib.contextmanager
def engine(on: Stage, *, has_sound: bool = True, ring_s: int = 60) -> Iterator[Engine]:
    """Record the stage with the settings that every rival gets too; ready when the block begins.

    Raises:
        CannotMeasure: It does not start.
    """
    data = on.folder / "engine"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    settings = {
        "DATA": data,
        "CAPTURE__SCREEN": "x11grab",
        "CAPTURE__FRAME_RATE": on.frame_rate,
        "CAPTURE__MICROPHONE": "voice.monitor" if has_sound else "none",
        "CAPTURE__DESKTOP_SOUND": "game.monitor" if has_sound else "none",
        "ENCODE__VIDEO_BIT_RATE_BPS": VIDEO_RATE_BPS,
        "RING__MAX_DURATION_S": ring_s,
        "CLIPS__FOLDER": on.folder / "clips",
        "TRIGGER__HOTKEY": "",
        "TRIGGER__ARE_SOUNDS_ON": "false",
    }
    environment = {k: v for k, v in on.environment.items() if not k.startswith("CLIPPY_AGENT_")}
    environment |= {f"CLIPPY_AGENT_{name}": str(value) for name, value in settings.items()}
    log = data / "bench.log"
    command = [sys.executable, "-m", "agent", "engine", "--headless", "--json"]
    with running(command, environment=environment, log=log) as child:
        client = ControlClient(AgentPaths(data=data).control_socket)
        opened = Engine(child, client, log)
        try:
            wait_until(opened.is_ready, timeout_s=_READY_S, what="the engine gets ready")
            yield opened
        finally:
            client.close()
            end(child, patience_s=20.0)
