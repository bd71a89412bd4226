"""What the streamer can set: one TOML file, overridden by `CLIPPY_AGENT_...` variables.

`CLIPPY_AGENT_RING__MAX_DURATION_S=60` sets `max_duration_s` in `[ring]`. Read once, by a composition root.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from agent.errors import InputUnusable
from agent.model.media import MAX_APPS, TRACKS_OF_OURS
from agent.model.screen import ScreenArea, parse_region
from agent.model.sound import MAX_GAIN_DB, MIN_GAIN_DB

ENV_PREFIX = "CLIPPY_AGENT_"
# Read by paths.py, before there is a configuration.
_MAX_APP_LENGTH = 40
_ENV_ELSEWHERE = {"CLIPPY_AGENT_DATA", "CLIPPY_AGENT_CONFIG"}
_MAX_CHATS = 8
_TWITCH_CHANNEL = r"[A-Za-z0-9_]{1,25}"
_KICK_CHANNEL = r"[A-Za-z0-9_-]{1,40}(=[0-9]{1,12})?"
# A bare id, or the id in `watch?v=`, `youtu.be/`, `live/`.
YOUTUBE_VIDEO = r"(?:^|v=|youtu\.be/|/live/)([A-Za-z0-9_-]{11})(?:$|[?&#/])"


class Capture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is recorded. `auto` chooses; `none` leaves a sound out; else a name from `clippy devices`.

    At most one of `monitor` (number or output name), `region` (`x,y,width,height`) and `window` (part of a title or
    class) is set; none records the whole desktop.

    `apps`: each gets a track of its own beside the mix, found by a part of its name, e.g. `["Discord", "game"]`.
    """

    screen: str = "auto"
    monitor: str = ""
    region: str = ""
    window: str = ""
    frame_rate: int = 30
    microphone: str = "auto"
    desktop_sound: str = "auto"
    is_cursor_shown: bool = True
    apps: tuple[str, ...] = ()

    @property
    def area(self) -> ScreenArea:
        """What of the screen is recorded. Raises ValueError where `region` cannot be read."""
        return ScreenArea(monitor=self.monitor, region=parse_region(self.region), window=self.window)


class Sound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How each sound is heard: by the names of its track (`mic`, `desktop`, an application)."""

    gain_db: dict[str, float] = {}
    muted: tuple[str, ...] = ()
    is_mic_noise_suppressed: bool = False


class Encode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the picture is encoded. A bit rate of 0 follows the number of pixels: 8 Mbit/s at 1080p30.

    `codec` auto is h264; `encoder` auto is the hardware's where it works, else x264. `tier` bounds the size: owner
    not at all, free 720p, pro 1080p, business 4K. `preset` is x264's. `can_step_down`: take something away when the
    machine loses frames.
    """

    video_bit_rate_bps: int = 0
    codec: Literal["auto", "h264", "hevc", "av1"] = "auto"
    encoder: str = "auto"
    tier: Literal["owner", "free", "pro", "business"] = "owner"
    preset: Literal["ultrafast", "superfast", "veryfast"] = "ultrafast"
    can_step_down: bool = True


class Ring(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is kept, and where. `folder` empty: `ring` in the data directory; its disk's room is what counts.

    `is_in_memory`: no file is written for the ring; `max_bytes` bounds the memory, and a kill loses it.
    """

    max_duration_s: int = 300
    max_bytes: int = 2 * 1024**3
    min_free_bytes: int = 512 * 1024**2
    folder: str = ""
    is_in_memory: bool = False
    max_pinned_bytes: int = 2 * 1024**3


class Clips(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where clips go and what they hold. `folder` empty: the user's videos folder.

    A length of 0 is everything there is. `name` may hold {date} {time} {title} {length} {number}. `overlap`: what a
    press means whose span overlaps the last clip. `tracks`: `all`, `none`, or sounds such as `mix,mic`.
    """

    folder: str = ""
    press_length_s: int = 30
    double_press_length_s: int = 90
    name: str = "{date}_{time}_{title}"
    overlap: Literal["extend", "overlap", "new"] = "overlap"
    margin_s: int = 15
    tracks: str = "all"
    trash_days: int = 7


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The global hotkey, e.g. `Ctrl+Shift+F10`; empty: none. `more_hotkeys`: others with lengths of their own in
    seconds, e.g. `["Ctrl+Shift+F11=90", "Ctrl+Shift+F12=0"]`."""

    hotkey: str = "Ctrl+Shift+F10"
    more_hotkeys: tuple[str, ...] = ()
    are_sounds_on: bool = True


class Health(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often the recorded content is checked, and whether what is wrong is heard as well as shown."""

    check_interval_s: float = 30.0
    are_alarms_on: bool = True


class Uplink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The coordinator. `address` empty: the one this PC is paired with; not paired: nothing leaves this PC.

    Attributes:
        token_file, ca_file: in place of a pairing, on the coordinator's own machine.
        client_cert_file, client_key_file: our certificate, for a coordinator that asks for one. PEM.
        secret_store: where a pairing's secret is kept; auto: the keyring, else memory; file: a file of mode 0600.
        proxy: auto: a small picture of the stream goes there for the tiers pro and business.
        metered: is the line paid by the byte? Then desktop sound and proxy wait; auto: as the system says.
        sources_on_metered: which uploads of full quality go on such a line: those of your own presses, all, none.
    """

    address: str = ""
    ca_file: str = ""
    token_file: str = ""
    chunk_s: float = 10.0
    max_outbox_bytes: int = 1024**3
    proxy: Literal["auto", "on", "off"] = "auto"
    client_cert_file: str = ""
    client_key_file: str = ""
    secret_store: Literal["auto", "keyring", "file", "memory"] = "auto"
    metered: Literal["auto", "yes", "no"] = "auto"
    sources_on_metered: Literal["press", "all", "none"] = "press"


class Chat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which chats are read; none as installed. Each is read without an account, and leaves with the stream's sound.

    Attributes:
        twitch: names of channels.
        youtube: the live video's id or address; `youtube_key_file` holds a key of your own for YouTube's Data API v3.
        youtube_poll_s: how often YouTube is asked: each time costs 5 of the 10,000 units that a key has a day.
        kick: names of channels; `name=NUMBER` where the number of the chat room is known.
        local_port: listens on 127.0.0.1 for bots and bridges; 0: not at all.
    """

    twitch: tuple[str, ...] = ()
    youtube: str = ""
    youtube_key_file: str = ""
    youtube_poll_s: float = 15.0
    kick: tuple[str, ...] = ()
    local_port: int = 0


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    capture: Capture = Capture()
    sound: Sound = Sound()
    encode: Encode = Encode()
    ring: Ring = Ring()
    clips: Clips = Clips()
    trigger: Trigger = Trigger()
    health: Health = Health()
    uplink: Uplink = Uplink()
    chat: Chat = Chat()


def load_config(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read `path` (it may be absent) and the environment.

    Raises:
        InputUnusable: Not TOML, an unknown name or a wrong value; the message names it.
    """
    values: dict[str, Any] = {}
    try:
        if path.exists():
            values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise InputUnusable(f"cannot read {path}: {exc}; mend or delete it") from exc
    for name, text in environment.items():
        if name.startswith(ENV_PREFIX) and name not in _ENV_ELSEWHERE:
            _set(values, name, text)
    try:
        config = msgspec.convert(values, Config, strict=False)
    except msgspec.ValidationError as exc:
        raise InputUnusable(f"{path}: {exc}") from exc
    _check(config)
    return config


def _set(values: dict[str, Any], name: str, text: str) -> None:
    parts = name.removeprefix(ENV_PREFIX).lower().split("__")
    known = {
        f"{section.name}__{field.name}": field.type
        for section in msgspec.structs.fields(Config)
        for field in msgspec.structs.fields(section.type)
    }
    if "__".join(parts) not in known:
        near = difflib.get_close_matches("__".join(parts), known, n=1)
        hint = f"; did you mean {ENV_PREFIX}{near[0].upper()}?" if near else ""
        raise InputUnusable(f"unknown setting {name}{hint}")
    values.setdefault(parts[0], {})[parts[1]] = _SHAPES.get(known["__".join(parts)], str)(text)


def _listed(text: str) -> list[str]:
    """`Discord, game` as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _paired(text: str) -> dict[str, str]:
    """`mic=3, desktop=-6` as a table."""
    return {name.strip(): value.strip() for name, _, value in (pair.partition("=") for pair in _listed(text))}


# How a variable writes what TOML has brackets for.
_SHAPES: dict[Any, Callable[[str], Any]] = {tuple[str, ...]: _listed, dict[str, float]: _paired}


def _check(config: Config) -> None:
    _check_area(config.capture)
    _check_sounds(config)
    _check_chat(config.chat)
    if bool(config.uplink.client_cert_file) != bool(config.uplink.client_key_file):
        raise InputUnusable(
            "uplink.client_cert_file and uplink.client_key_file belong together; set both or none"
        )
    rules = [
        (1 <= config.capture.frame_rate <= 240, "capture.frame_rate", config.capture.frame_rate, "1..240"),
        (
            config.encode.video_bit_rate_bps == 0 or config.encode.video_bit_rate_bps >= 100_000,
            "encode.video_bit_rate_bps",
            config.encode.video_bit_rate_bps,
            "0, or at least 100000",
        ),
        (
            30 <= config.ring.max_duration_s <= 1800,
            "ring.max_duration_s",
            config.ring.max_duration_s,
            "30..1800",
        ),
        (config.ring.max_bytes >= 64 * 1024**2, "ring.max_bytes", config.ring.max_bytes, "at least 64 MiB"),
        *_clip_rules(config.clips),
        (
            2 <= config.health.check_interval_s <= 600,
            "health.check_interval_s",
            config.health.check_interval_s,
            "2..600",
        ),
        (2 <= config.uplink.chunk_s <= 60, "uplink.chunk_s", config.uplink.chunk_s, "2..60"),
    ]
    for is_kept, name, value, allowed in rules:
        if not is_kept:
            raise InputUnusable(f"{name} = {value} is out of range; allowed: {allowed}")


def _check_area(capture: Capture) -> None:
    wanted = {"monitor": capture.monitor, "region": capture.region, "window": capture.window}
    if len(named := [f"capture.{name}" for name, value in wanted.items() if value]) > 1:
        raise InputUnusable(f"{' and '.join(named)} are both set; one alone says what is recorded")
    try:
        parse_region(capture.region)
    except ValueError as exc:
        raise InputUnusable(f"capture.region: {exc}") from exc


def _clip_rules(clips: Clips) -> list[tuple[bool, str, object, str]]:
    ranges = [("press_length_s", 1, 1800), ("double_press_length_s", 0, 1800), ("margin_s", 0, 300)]
    ranges.append(("trash_days", 1, 3650))
    return [
        (low <= getattr(clips, name) <= high, f"clips.{name}", getattr(clips, name), f"{low}..{high}")
        for name, low, high in ranges
    ]


def _check_chat(chat: Chat) -> None:
    for setting, names, allowed in (
        ("chat.twitch", chat.twitch, _TWITCH_CHANNEL),
        ("chat.kick", chat.kick, _KICK_CHANNEL),
    ):
        for name in names:
            if not re.fullmatch(allowed, name):
                raise InputUnusable(f"{setting}: {name!r} is no channel; write its name as in its address")
    if len(chat.twitch) + len(chat.kick) > _MAX_CHATS:
        raise InputUnusable(
            f"[chat] names {len(chat.twitch) + len(chat.kick)} channels; allowed: {_MAX_CHATS}"
        )
    if chat.youtube and not re.search(YOUTUBE_VIDEO, chat.youtube):
        raise InputUnusable(
            f"chat.youtube: {chat.youtube!r} is no video; write the live video's id or address"
        )
    if chat.youtube and not chat.youtube_key_file:
        raise InputUnusable(
            "chat.youtube needs chat.youtube_key_file: a file with a key for the YouTube Data API v3"
        )
    if not 5 <= chat.youtube_poll_s <= 45:
        raise InputUnusable(f"chat.youtube_poll_s = {chat.youtube_poll_s:g} is out of range; allowed: 5..45")
    if chat.local_port and not 1024 <= chat.local_port <= 65535:
        raise InputUnusable(
            f"chat.local_port = {chat.local_port} is out of range; allowed: 0, or 1024..65535"
        )


def _check_sounds(config: Config) -> None:
    apps = config.capture.apps
    if len(apps) > MAX_APPS:
        raise InputUnusable(f"capture.apps names {len(apps)} applications; allowed: {MAX_APPS}")
    for index, app in enumerate(apps):
        is_ours = app.casefold() in TRACKS_OF_OURS
        is_twice = app.casefold() in [other.casefold() for other in apps[:index]]
        if is_ours or is_twice or not app.isprintable() or not 0 < len(app.strip()) <= _MAX_APP_LENGTH:
            raise InputUnusable(
                f"capture.apps: {app!r} cannot name a track; write a part of the application's name, once, "
                f"at most {_MAX_APP_LENGTH} characters, and none of {', '.join(TRACKS_OF_OURS)}"
            )
    names = ("mic", "desktop", *apps)
    for name in (*config.sound.gain_db, *config.sound.muted):
        if name not in names:
            raise InputUnusable(
                f"[sound] names {name!r}, which is not recorded; there are {', '.join(names)}"
            )
    for name, gain_db in config.sound.gain_db.items():
        if not MIN_GAIN_DB <= gain_db <= MAX_GAIN_DB:
            raise InputUnusable(
                f"sound.gain_db.{name} = {gain_db:g} is out of range; allowed: {MIN_GAIN_DB:g}..{MAX_GAIN_DB:g}"
            )
