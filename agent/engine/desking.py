"""The clip desk of a recording, built from the settings; and the hotkeys that press on it."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from agent.clip.from_file import clip_length_ns
from agent.clip.names import ClipNamer
from agent.clip.thumbnail import write_thumbnail
from agent.clip.tracks import parse_tracks
from agent.clip.writer import remove_parts
from agent.config import Config
from agent.desk.chores import Chores
from agent.desk.desk import Desk, DeskParts
from agent.desk.margins import ClipRing, Margins
from agent.desk.presses import Line, Presses, PressHooks
from agent.desk.reconcile import reconcile
from agent.desk.saver import ClipSaver
from agent.desk.sharing import Sharer
from agent.desk.tasting import Tasting
from agent.errors import EnvironmentProblem, InputUnusable
from agent.library.journal import ClipJournal
from agent.library.library import Library
from agent.library.trash import Trash
from agent.model.clips import SavedClip
from agent.model.media import TrackParams
from agent.paths import AgentPaths, make_private
from agent.ports import ClipWriter, Hotkey
from agent.trigger.choose import open_hotkey
from agent.trigger.grammar import PressLengths
from protos.timebase import SECOND_NS

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a desk needs of the recording it saves from."""

    session_id: str
    line: Line
    ring: ClipRing
    writer: ClipWriter
    namer: ClipNamer
    tracks: Callable[[], Sequence[TrackParams]]
    tasting: Tasting


def build_desk(
    paths: AgentPaths,
    config: Config,
    library: Library,
    recorded: Recorded,
    *,
    hooks: PressHooks,
    on_change: Callable[[], None],
) -> Desk:
    """Put right what a kill left, and join the desk; nothing runs yet.

    Raises:
        InputUnusable: A setting of [clips] or [trigger] is not understood.
        EnvironmentProblem: A folder cannot be made.
    """
    clips = config.clips
    remove_parts(recorded.namer.folder)
    journal = ClipJournal(make_private(paths.journal))
    reconcile(library, journal, length_ns=clip_length_ns)
    session_id = recorded.session_id
    saver = ClipSaver(recorded.ring, recorded.writer, library, journal, recorded.namer, session_id=session_id)
    desk = Desk(
        DeskParts(
            library=library,
            saver=saver,
            margins=Margins(recorded.ring, session_id=session_id, margin_ns=clips.margin_s * SECOND_NS),
            chores=Chores(),
            sharer=Sharer(
                recorded.ring, recorded.writer, _emptied(paths.shared), recorded_as=recorded.tracks
            ),
            tasting=recorded.tasting,
            trash=Trash(library, journal, days=clips.trash_days),
            make_thumbnail=write_thumbnail,
            thumbnail_folder=make_private(paths.thumbnails),
            on_change=on_change,
            on_moved=hooks.on_changed,
        )
    )

    def on_changed(clip: SavedClip) -> None:
        hooks.on_changed(clip)
        desk.keep_up(clip)

    presses = Presses(
        saver,
        library,
        recorded.line,
        lengths=_lengths(config, clips.press_length_s),
        lengths_of={
            keys: _lengths(config, length_s)
            for keys, length_s in hotkeys_of(config)
            if keys != config.trigger.hotkey
        },
        policy=clips.overlap,
        tracks=parse_tracks(clips.tracks),
        hooks=dataclasses.replace(hooks, on_changed=on_changed),
    )
    desk.take_presses(presses)
    return desk


def _lengths(config: Config, press_length_s: int) -> PressLengths:
    return PressLengths(
        press_ns=press_length_s * SECOND_NS, double_ns=config.clips.double_press_length_s * SECOND_NS
    )


def hotkeys_of(config: Config) -> list[tuple[str, int]]:
    """Every hotkey that is set, with how many seconds a press of it saves (0: everything).

    Raises:
        InputUnusable: One of `trigger.more_hotkeys` has no length, or two are the same.
    """
    found = [(config.trigger.hotkey, config.clips.press_length_s)] if config.trigger.hotkey else []
    for text in config.trigger.more_hotkeys:
        keys, _, length = text.rpartition("=")
        if not keys or not length.strip().isdecimal() or int(length) > 1800:
            raise InputUnusable(
                f"trigger.more_hotkeys: {text!r} is not understood; write it like Ctrl+Shift+F11=90 (seconds; "
                "0: everything)"
            )
        found.append((keys.strip(), int(length)))
    names = [keys.casefold() for keys, _ in found]
    if len(set(names)) < len(names):
        raise InputUnusable(f"trigger.more_hotkeys names a key twice: {', '.join(keys for keys, _ in found)}")
    return found


def listen(
    config: Config, presses: Presses, stack: contextlib.ExitStack, *, warn: Callable[[str], None]
) -> str:
    """Grab every hotkey until the stack is left; returns those that are heard, in words.

    Without one the engine records all the same, and says so.

    Raises:
        InputUnusable: A combination cannot be understood.
    """
    heard = []
    for keys, _ in hotkeys_of(config):
        try:
            hotkey = open_hotkey(keys)
            hotkey.start(*_press_with(presses, keys))
        except EnvironmentProblem as exc:
            warn(f"no hotkey: {exc}")
            log.warning("hotkey_left_out", problem=str(exc))
            continue
        stack.callback(hotkey.stop)
        heard.append(_in_words(keys, hotkey))
    return ", ".join(heard)


def _press_with(presses: Presses, keys: str) -> tuple[Callable[[int], None], Callable[[int], None]]:
    def on_press(monotonic_ns: int) -> None:
        presses.key_down(keys, monotonic_ns, trigger="key")

    def on_release(monotonic_ns: int) -> None:
        presses.key_up(keys, monotonic_ns)

    return on_press, on_release


def _in_words(keys: str, hotkey: Hotkey) -> str:
    return keys if hotkey.has_release else f"{keys} (cannot be held)"


def _emptied(folder: Path) -> Path:
    make_private(folder)
    for path in folder.iterdir():
        shutil.rmtree(path, ignore_errors=True)
    return folder
