"""Which screen and which sound devices to record, by trying them."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Literal

import structlog

from agent.errors import InputUnusable, ScreenUnavailable, SoundUnavailable
from agent.model.media import SoundName
from agent.ports import ScreenSource, SoundSource

log = structlog.get_logger()
AUTO = "auto"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptureDevice:
    """One thing that could be recorded, as `clippy devices` lists it.

    Attributes:
        name: what to write into `capture.screen`, `capture.microphone` or `capture.desktop_sound`.
        is_default: what `auto` chooses.
        problem: why it cannot be used; empty when it can.
    """

    kind: Literal["screen", "microphone", "desktop_sound"]
    name: str
    detail: str
    is_default: bool
    problem: str = ""

    @property
    def is_usable(self) -> bool:
        """Can it be recorded?"""
        return not self.problem


def open_screen(prefer: str | None = None, *, is_cursor_shown: bool = True) -> ScreenSource:
    """The first screen source that gives a picture here, proven by a grab, and closed again.

    Args:
        prefer: a source's name (`x11grab`, `mss`, `generated`); None or `auto` tries x11grab, then mss.
        is_cursor_shown: draw the mouse pointer into the picture.

    Raises:
        ScreenUnavailable: None gives a picture; names each that was tried, and why not.
        InputUnusable: No source is called `prefer`.
    """
    makers = _screen_makers(is_cursor_shown)
    if prefer in (None, "", AUTO):
        names = ["x11grab", "mss"]
    elif prefer in makers:
        names = [prefer]
    else:
        raise InputUnusable(f"no screen source is called {prefer!r}; there are auto, {', '.join(makers)}")
    reasons = []
    for name in names:
        try:
            source = makers[name]()
            _prove(source)
        except (ScreenUnavailable, ImportError) as exc:
            reasons.append(f"{name}: {exc}")
            continue
        log.info("screen_chosen", source=name)
        return source
    hint = "; Wayland is not supported yet" if os.environ.get("WAYLAND_DISPLAY") else ""
    raise ScreenUnavailable(
        f"no screen can be recorded ({'; '.join(reasons)}){hint}; `clippy engine --generated` does without one"
    )


def open_sound(name: SoundName, wanted: str = AUTO) -> SoundSource | None:
    """A source for one sound, proven by opening it, and closed again; None when `wanted` is `none`.

    Args:
        name: `mic` or `desktop`.
        wanted: a device's name, `auto`, `none` or `generated`.

    Raises:
        SoundUnavailable: It cannot be opened; says which and what to do.
    """
    if wanted == "none":
        return None
    if wanted == "generated":
        from agent.capture.generated import GeneratedSound

        return GeneratedSound(name)
    reasons = []
    for make in _sound_makers(name, wanted):
        try:
            source = make()
            source.open(lambda _block: None)
        except SoundUnavailable as exc:
            reasons.append(str(exc))
            continue
        source.close()
        return source
    raise SoundUnavailable("; ".join(reasons) or f"{name} sound cannot be recorded on {sys.platform} yet")


def list_screens() -> list[CaptureDevice]:
    """Every screen source, each tried."""
    devices = []
    has_default = False
    for name, make in _screen_makers(is_cursor_shown=False).items():
        if name == "generated":
            continue
        detail = problem = ""
        try:
            detail = _prove(make())
        except (ScreenUnavailable, ImportError) as exc:
            problem = str(exc)
        is_default = not problem and not has_default
        has_default = has_default or is_default
        devices.append(
            CaptureDevice(kind="screen", name=name, detail=detail, is_default=is_default, problem=problem)
        )
    return devices


def list_sound() -> list[CaptureDevice]:
    """Every microphone and every sink's monitor that could be recorded; empty where there is none."""
    try:
        from agent.capture import pulse

        return [
            CaptureDevice(
                kind="desktop_sound" if device.is_monitor else "microphone",
                name=device.name,
                detail=device.description,
                is_default=device.is_default,
            )
            for device in pulse.list_devices()
        ]
    except SoundUnavailable as exc:
        log.info("sound_server_absent", problem=str(exc))
    try:
        from agent.capture import portaudio

        return [
            CaptureDevice(
                kind="microphone", name=device.name, detail=device.host, is_default=device.is_default
            )
            for device in portaudio.list_devices()
        ]
    except (SoundUnavailable, ImportError) as exc:
        log.info("sound_inputs_absent", problem=str(exc))
        return []


def _screen_makers(is_cursor_shown: bool) -> dict[str, Callable[[], ScreenSource]]:
    def x11grab() -> ScreenSource:
        from agent.capture.x11grab import X11GrabScreen

        return X11GrabScreen(is_cursor_shown=is_cursor_shown)

    def mss() -> ScreenSource:
        from agent.capture.mss_screen import MssScreen

        return MssScreen(is_cursor_shown=is_cursor_shown)

    def generated() -> ScreenSource:
        from agent.capture.generated import GeneratedScreen

        return GeneratedScreen()

    return {"x11grab": x11grab, "mss": mss, "generated": generated}


def _sound_makers(name: SoundName, wanted: str) -> list[Callable[[], SoundSource]]:
    def pulse() -> SoundSource:
        from agent.capture.pulse import PulseSource

        return PulseSource(name, wanted)

    def portaudio() -> SoundSource:
        from agent.capture.portaudio import PortAudioSource

        return PortAudioSource(name, wanted)

    makers: list[Callable[[], SoundSource]] = [pulse] if sys.platform == "linux" else []
    if name == "mic":
        makers.append(portaudio)
    return makers


def _prove(source: ScreenSource) -> str:
    """Open, grab once, close; returns its size in words."""
    try:
        size = source.open()
        source.grab()
    finally:
        source.close()
    return f"{size.width_px}x{size.height_px}"
