"""Which sound devices to record, by trying them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import structlog

from agent.capture.device import CaptureDevice
from agent.capture.watch import DeviceChanges, NoChanges
from agent.errors import SoundUnavailable
from agent.model.media import SoundName
from agent.ports import SoundSource

log = structlog.get_logger()
AUTO = "auto"
# A plain string: a type checker would else look at the branch of its own system alone.
_PLATFORM: str = sys.platform


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
    return _first_that_opens(_makers(name, wanted), name)


def await_sound(name: SoundName, wanted: str = AUTO) -> SoundSource | None:
    """A source for a device that cannot be opened now but may come, on a system that will say so; None elsewhere.

    A microphone that is plugged in after the start is then recorded all the same.
    """
    if _PLATFORM != "linux" or wanted == "none":
        return None
    from agent.capture import pulse, pulse_devices

    return pulse.PulseSource(name, wanted) if pulse_devices.is_server_there() else None


def open_application(name: SoundName) -> SoundSource:
    """A source for what one application plays, now or later; it need not run yet.

    Raises:
        SoundUnavailable: This system cannot tell applications apart, or no sound server answers.
    """
    if _PLATFORM != "linux":
        raise SoundUnavailable(
            f"the sound of {name} alone can be recorded with PulseAudio or PipeWire only, not on {_PLATFORM}; "
            "take it out of capture.apps"
        )

    def pulse() -> SoundSource:
        from agent.capture.pulse_app import PulseApplication

        return PulseApplication(name)

    return _first_that_opens([pulse], name)


def open_changes() -> DeviceChanges:
    """What tells of sound devices that come, where the system does."""
    if _PLATFORM != "linux":
        return NoChanges()
    from agent.capture.pulse_devices import PulseChanges

    return PulseChanges()


def list_sound() -> list[CaptureDevice]:
    """Every microphone, and everything that is played which could be recorded; empty where there is none."""
    try:
        from agent.capture import pulse_devices

        return [
            CaptureDevice(
                kind="desktop_sound" if device.is_monitor else "microphone",
                name=device.name,
                detail=device.description,
                is_default=device.is_default,
            )
            for device in pulse_devices.list_devices()
        ]
    except SoundUnavailable as exc:
        log.info("sound_server_absent", problem=str(exc))
    return _microphones() + _loopbacks()


def _microphones() -> list[CaptureDevice]:
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


def _loopbacks() -> list[CaptureDevice]:
    if _PLATFORM != "win32":
        return []
    from agent.capture import loopback

    try:
        return [
            CaptureDevice(
                kind="desktop_sound", name=device.name, detail="WASAPI", is_default=device.is_default
            )
            for device in loopback.list_devices()
        ]
    except SoundUnavailable as exc:
        log.info("sound_outputs_absent", problem=str(exc))
        return []


def _first_that_opens(makers: list[Callable[[], SoundSource]], name: SoundName) -> SoundSource:
    reasons = []
    for make in makers:
        try:
            source = make()
            source.open(lambda _block: None)
        except SoundUnavailable as exc:
            reasons.append(str(exc))
            continue
        source.close()
        return source
    raise SoundUnavailable("; ".join(reasons) or f"{name} sound cannot be recorded on {_PLATFORM} yet")


def _makers(name: SoundName, wanted: str) -> list[Callable[[], SoundSource]]:
    def pulse() -> SoundSource:
        from agent.capture.pulse import PulseSource

        return PulseSource(name, wanted)

    def portaudio() -> SoundSource:
        from agent.capture.portaudio import PortAudioSource

        return PortAudioSource(name, wanted)

    def loopback() -> SoundSource:
        from agent.capture.loopback import WasapiLoopback

        return WasapiLoopback(name, wanted)

    if name == "mic" and _PLATFORM == "linux":
        from agent.capture import pulse_devices

        # Where a server answers, PortAudio would get from it what it has refused us: the desktop as a microphone.
        return [pulse] if pulse_devices.is_server_there() else [pulse, portaudio]
    if name == "mic":
        return [portaudio]
    if _PLATFORM == "darwin" and wanted != AUTO:
        # A virtual device (BlackHole) that the system plays into is an input like any other.
        return [portaudio]
    return {"linux": [pulse], "win32": [loopback]}.get(_PLATFORM, [])
