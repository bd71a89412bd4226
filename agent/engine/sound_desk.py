"""The user's hand on the sounds: gain, mute, noise suppression. Any thread.

What is set while recording is kept in the library as the fact `sound_settings`, one small row in a file that is there
anyway and is written whole or not at all. It holds until the configuration says something new for the same sound.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from agent.config import Config
from agent.errors import AgentError, InputUnusable
from agent.model.media import SoundName
from agent.model.sound import MAX_GAIN_DB, MIN_GAIN_DB, SoundSetting

log = structlog.get_logger()
FACT = "sound_settings"


class Facts(Protocol):
    """Where a few words are kept from one run to the next."""

    def fact(self, name: str) -> str: ...
    def set_fact(self, name: str, value: str) -> None: ...


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was set, and what the configuration said then."""

    now: SoundSetting
    configured: SoundSetting


class SoundDesk:
    """Settings by sound.

    Args:
        names: of the sounds that can be set.
        config: what they begin with, where nothing was kept.
        facts: where they are kept.

    Attributes:
        has_raw_mic: noise suppression was on at the start, so that the microphone's raw sound has a track.
    """

    def __init__(self, names: Sequence[SoundName], config: Config, facts: Facts) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._facts = facts
        self._configured = {name: _configured(name, config) for name in names}
        self._settings = dict(self._configured)
        self._apply: Callable[[SoundName, SoundSetting], None] = lambda _name, _setting: None
        self._kept = self._read()
        for name, kept in self._kept.items():
            if kept.configured == self._configured.get(name):
                self._settings[name] = kept.now
        self.has_raw_mic = "mic" in self._settings and self._settings["mic"].is_noise_suppressed

    @property
    def settings(self) -> dict[SoundName, SoundSetting]:
        """By sound, as they are wished."""
        with self._lock:
            return dict(self._settings)

    @property
    def warning(self) -> str:
        """What was set and is not done yet; empty when all is."""
        mic = self.settings.get("mic")
        if mic is None or not mic.is_noise_suppressed or self.has_raw_mic:
            return ""
        return (
            "the microphone's noise is suppressed from the next start on: its raw sound is kept on a track of its own, "
            "which a running recording cannot get"
        )

    def connect(self, apply: Callable[[SoundName, SoundSetting], None]) -> None:
        """Hand every change to `apply` from now on; it returns at once."""
        self._apply = apply

    def set_sound(
        self,
        name: SoundName,
        gain_db: float | None = None,
        is_muted: bool | None = None,
        is_noise_suppressed: bool | None = None,
    ) -> SoundSetting:
        """Change what is not None; heard within a block, and kept. Returns what holds now.

        Raises:
            InputUnusable: No such sound, a gain out of range, or suppression of what is no microphone.
        """
        with self._lock:
            self._check(name, gain_db, is_noise_suppressed)
            changes = {
                key: value
                for key, value in (
                    ("gain_db", gain_db),
                    ("is_muted", is_muted),
                    ("is_noise_suppressed", is_noise_suppressed),
                )
                if value is not None
            }
            setting = dataclasses.replace(self._settings[name], **changes)  # type: ignore[arg-type]
            self._settings[name] = setting
            self._kept[name] = _Kept(now=setting, configured=self._configured[name])
            self._apply(name, setting)
        self._keep()
        log.info("sound_set", sound=name, **changes)
        return setting

    def _check(self, name: SoundName, gain_db: float | None, is_noise_suppressed: bool | None) -> None:
        if name not in self._settings:
            hint = {"mix": "; set its sources", "mic_raw": "; it is muted with mic"}.get(name, "")
            raise InputUnusable(
                f"no sound called {name!r} can be set{hint}; there are {', '.join(self._settings) or 'none'}"
            )
        if gain_db is not None and not (math.isfinite(gain_db) and MIN_GAIN_DB <= gain_db <= MAX_GAIN_DB):
            raise InputUnusable(
                f"a gain of {gain_db:g} dB is out of range; allowed: {MIN_GAIN_DB:g}..{MAX_GAIN_DB:g}"
            )
        if is_noise_suppressed and name != "mic":
            raise InputUnusable(f"the noise of {name} cannot be suppressed; only the microphone's")

    def _keep(self) -> None:
        try:
            # One writer at a time, the newest last; a slow disk holds up no reader of the settings.
            with self._writing:
                with self._lock:
                    text = msgspec.json.encode(self._kept).decode()
                self._facts.set_fact(FACT, text)
        except AgentError as exc:
            # It is set all the same; a full disk only forgets it at the end.
            log.warning("sound_setting_not_kept", problem=str(exc))

    def _read(self) -> dict[SoundName, _Kept]:
        text = self._facts.fact(FACT)
        if not text:
            return {}
        try:
            return msgspec.json.decode(text, type=dict[str, _Kept])
        except msgspec.DecodeError as exc:
            log.warning("sound_settings_unreadable", problem=str(exc))
            return {}


def _configured(name: SoundName, config: Config) -> SoundSetting:
    return SoundSetting(
        gain_db=config.sound.gain_db.get(name, 0.0),
        is_muted=name in config.sound.muted,
        is_noise_suppressed=name == "mic" and config.sound.is_mic_noise_suppressed,
    )
