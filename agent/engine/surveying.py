"""What can be said of this machine while no engine runs: devices, the library, and `doctor`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from agent.capture.device import CaptureDevice
from agent.config import Config, load_config
from agent.errors import AgentError, ScreenUnavailable
from agent.health.checks import Check, check_disk, checked
from agent.model.clips import SavedClip
from agent.paths import AgentPaths
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS


def list_devices(paths: AgentPaths) -> list[control_pb2.Device]:
    """Screens, microphones and sound outputs, each with what keeps it from use."""
    from agent.capture.choose_sound import list_sound

    config = load_config(paths.config_file)
    wanted = {
        "screen": config.capture.screen,
        "microphone": config.capture.microphone,
        "desktop_sound": config.capture.desktop_sound,
    }
    return [
        control_pb2.Device(
            kind=device.kind,
            name=device.name,
            detail=device.detail,
            is_chosen=wanted[device.kind] == device.name
            or (wanted[device.kind] == "auto" and device.is_default),
            is_usable=device.is_usable,
            problem=device.problem,
            cost_ms=device.cost_ms,
        )
        for device in (*_list_screens(paths, config), *list_sound())
    ]


def read_library(paths: AgentPaths, limit: int) -> list[SavedClip]:
    """Saved clips, the newest first; works beside a running engine and without one."""
    from agent.library.library import Library

    if not paths.library.exists():
        return []
    library = Library(paths.library)
    try:
        return library.clips(limit)
    finally:
        library.close()


def examine(paths: AgentPaths, *, is_self_check: bool) -> list[Check]:
    """Look at everything recording needs; with the self-check record two seconds and save them."""
    config = load_config(paths.config_file)
    checks = [
        checked(
            "screen", lambda: _screen(paths, config), advice="is a screen connected, and may we record it?"
        ),
        checked("encoder", lambda: _encoder(paths, config)),
        *(
            checked(name, lambda name=name: _sound(config, name), is_needed=False)  # type: ignore[misc]
            for name in ("microphone", "desktop sound")
        ),
        checked(
            "hotkey",
            lambda: _hotkey(config),
            advice="bind `clippy clip --last 30` to a key instead",
            is_needed=False,
        ),
        check_disk(Path(config.ring.folder or paths.ring), wanted_bytes=config.ring.max_bytes),
    ]
    if is_self_check:
        checks.append(checked("record and save two seconds", _record_two_seconds))
    return checks


def _list_screens(paths: AgentPaths, config: Config) -> list[CaptureDevice]:
    from agent.capture.choose_screen import list_screens

    capture = config.capture
    return list_screens(
        capture.screen,
        is_cursor_shown=capture.is_cursor_shown,
        area=capture.area,
        memory_file=paths.screen_costs if paths.data.exists() else None,
    )


def _screen(paths: AgentPaths, config: Config) -> str:
    """What records, what it costs, and what the others would."""
    from agent.capture.choose_screen import AUTO, open_screen

    wanted = config.capture.screen
    screens = {screen.name: screen for screen in _list_screens(paths, config)}
    default = next((screen.name for screen in screens.values() if screen.is_default), "")
    chosen = screens.get(default if wanted == AUTO else wanted)
    words = "; ".join(f"{name}: {screen.problem or screen.detail}" for name, screen in screens.items())
    if wanted != AUTO and chosen is None:
        return f"recorded by {open_screen(wanted).name}; {words}"
    if chosen is None or chosen.problem:
        raise ScreenUnavailable(words)
    return f"recorded by {chosen.name}; {words}"


def _encoder(paths: AgentPaths, config: Config) -> str:
    from agent.encode.probe import probe_encoder
    from agent.engine.picture import open_encoders

    encoders = open_encoders(paths, config)
    probe_encoder(encoders.name)
    return f"{encoders.name} encodes here" + (f"; {encoders.reason}" if encoders.reason else "")


def _sound(config: Config, name: str) -> str:
    from agent.capture.choose_sound import open_sound

    wanted = config.capture.microphone if name == "microphone" else config.capture.desktop_sound
    source = open_sound("mic" if name == "microphone" else "desktop", wanted)
    return "left out, as set" if source is None else f"recorded from {source.device}"


def _hotkey(config: Config) -> str:
    from agent.engine.desking import hotkeys_of
    from agent.trigger.choose import open_hotkey

    words = []
    for keys, _ in hotkeys_of(config):
        hotkey = open_hotkey(keys)
        hotkey.start(lambda _at_ns: None)
        hotkey.stop()
        words.append(f"{keys} can be heard{'' if hotkey.has_release else ', but not held'}")
    return "; ".join(words) or "none, as set"


def _record_two_seconds() -> str:
    """The whole way from a generated picture to a closed clip, in a folder of its own."""
    from agent.engine.recording import Recording

    with tempfile.TemporaryDirectory(prefix="clippy-check-") as folder:
        paths = AgentPaths(data=Path(folder))
        config = load_config(paths.config_file, {"CLIPPY_AGENT_CLIPS__FOLDER": folder})
        recording = Recording(paths, config, is_generated=True)
        recording.start()
        try:
            deadline = time.monotonic() + 15
            while recording.ring.newest_ns < 2 * SECOND_NS:
                if time.monotonic() > deadline:
                    raise AgentError("no picture reached the ring within 15 s")
                time.sleep(0.05)
            clip = recording.desk.presses.save(
                monotonic_ns=time.monotonic_ns(), last_ns=2 * SECOND_NS, trigger="command"
            ).result(timeout=10)
        finally:
            recording.stop()
            recording.library.close()
        return f"{(clip.end_ns - clip.start_ns) / SECOND_NS:.2f} s saved in {clip.latency_ms} ms"
