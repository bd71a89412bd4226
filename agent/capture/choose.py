"""Which sound devices to record, by trying them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import structlog

from agent.capture.device import CaptureDevice
from agent.errors import SoundUnavailable
from agent.model.media import SoundName
from agent.ports import SoundSource

log = structlog.get_logger()
AUTO = "auto"


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
