"""A real clip desk over a real ring that holds a small encoded match: only the clock is the test's own.

The ring holds the match up to its end, so a press at any second of it has its packets at once.
"""

from __future__ import annotations

from pathlib import Path

from agent.clip.names import ClipNamer
from agent.clip.writer import Mp4ClipWriter
from agent.config import Clips, Config, Trigger
from agent.desk.desk import Desk
from agent.desk.presses import PressHooks, Sound
from agent.desk.tasting import Tasting
from agent.engine.desking import Recorded, build_desk
from agent.library.library import Library
from agent.model.clips import ClipFile, SavedClip
from agent.paths import AgentPaths
from agent.ports import PacketSpan
from agent.ring.ring import GopRing
from protos.clippy.v1 import link_pb2
from tests.fakes.encoded_match import SECOND_NS, EncodedMatch, encode_match

T0_NS = SECOND_NS
KEY = "F8"


class Line:
    """The session's line: 0 at `t0_ns` of CLOCK_MONOTONIC."""

    def __init__(self, t0_ns: int = T0_NS) -> None:
        self.t0_ns = t0_ns

    def to_session_ns(self, monotonic_ns: int) -> int:
        return monotonic_ns - self.t0_ns


class ToldWriter(Mp4ClipWriter):
    """The real writer, which fails once it is told to."""

    failure: Exception | None = None
    num_written = 0

    def write(self, span: PacketSpan, path: Path, *, is_exact: bool) -> ClipFile:
        if self.failure is not None:
            raise self.failure
        self.num_written += 1
        return super().write(span, path, is_exact=is_exact)


class DeskHere:
    """A desk, and what it told. Close it."""

    def __init__(
        self,
        folder: Path,
        *,
        clips: Clips | None = None,
        match: EncodedMatch | None = None,
        session_id: str = "s",
        t0_ns: int = T0_NS,
        more_hotkeys: tuple[str, ...] = (),
    ) -> None:
        self.match = match or encode_match(duration_s=20, num_sounds=3)
        self.paths = AgentPaths(data=folder / "data")
        self.folder = folder / "clips"
        self.sounds: list[Sound] = []
        self.told: list[SavedClip] = []
        self.changed: list[SavedClip] = []
        self.errors: list[str] = []
        self.library = Library(self.paths.library)
        self.said: list[link_pb2.TasteNews] = []
        self.tasting = Tasting(self.library, say=self.said.append)
        self.writer = ToldWriter()
        self.line = Line(t0_ns)
        self.ring = GopRing(folder / "ring", session_id=session_id, t0_monotonic_ns=t0_ns, min_free_bytes=0)
        self.ring.begin_epoch(self.match.tracks)
        for packet in self.match.packets:
            self.ring.push(packet)
        settings = clips or Clips(press_length_s=4, double_press_length_s=8, margin_s=2)
        self.desk: Desk = build_desk(
            self.paths,
            Config(clips=settings, trigger=Trigger(hotkey=KEY, more_hotkeys=more_hotkeys)),
            self.library,
            Recorded(
                session_id=session_id,
                line=self.line,
                ring=self.ring,
                writer=self.writer,
                namer=ClipNamer(self.folder, settings.name, num_before=self.library.num_clips_ever()),
                tracks=lambda: self.match.tracks,
                tasting=self.tasting,
            ),
            hooks=PressHooks(
                play=self.sounds.append,
                on_saved=lambda clip, _at_ns: self.told.append(clip),
                on_changed=self.changed.append,
                on_result=self.errors.append,
            ),
            on_change=lambda: None,
        )

    def down(self, at_s: float, key: str = KEY) -> SavedClip:
        """The key goes down at that second of the match; waits for its clip."""
        return self.desk.presses.key_down(key, self.at_ns(at_s), trigger="key").result(timeout=10)

    def up(self, at_s: float, key: str = KEY) -> SavedClip | None:
        """It comes up; waits for the clip that it changed, if any."""
        future = self.desk.presses.key_up(key, self.at_ns(at_s))
        return None if future is None else future.result(timeout=10)

    def tap(self, at_s: float, key: str = KEY) -> SavedClip:
        """Down and up within 80 ms."""
        clip = self.down(at_s, key)
        assert self.up(at_s + 0.08, key) is None
        return clip

    def at_ns(self, at_s: float) -> int:
        """CLOCK_MONOTONIC of a second of the match."""
        return round(at_s * SECOND_NS) + self.line.t0_ns

    def do_chores(self) -> None:
        """Pins and thumbnails that are due, here and now."""
        self.desk.chores.do_due()

    def close(self) -> None:
        """Stop everything."""
        self.desk.stop()
        self.ring.close()
        self.library.close()


def span_s(clip: SavedClip | None) -> tuple[float, float]:
    """What a clip shows, in seconds, to the hundredth."""
    assert clip is not None
    return round(clip.start_ns / SECOND_NS, 2), round(clip.end_ns / SECOND_NS, 2)
