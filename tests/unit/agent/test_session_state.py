"""The session: presses, states, and what a failed press leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agent.errors import DiskFull, NothingToClip
from agent.model.clips import ClipFile, Pin, PinKind, SavedClip
from agent.model.media import EncodedPacket, EpochReason, EpochSpan, TrackParams
from agent.session import Session, State
from protos.timebase import SECOND_NS


class Line:
    def to_session_ns(self, monotonic_ns: int) -> int:
        return monotonic_ns - 100 * SECOND_NS


class Span:
    session_id = "s"
    tracks: Sequence[TrackParams] = ()

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns

    def packets(self) -> Iterator[EncodedPacket]:
        return iter(())

    def close(self) -> None: ...
    def __enter__(self) -> Span:
        return self

    def __exit__(self, *exc: object) -> None: ...


class Ring:
    """Port `PacketRing`, with everything in it, or nothing."""

    def __init__(self) -> None:
        self.is_empty = False
        self.pins: list[tuple[int, int, str]] = []

    def begin_epoch(
        self, tracks: Sequence[TrackParams], *, start_ns: int = 0, reason: EpochReason = "start"
    ) -> None: ...
    def epochs(self) -> list[EpochSpan]:
        return []

    def push(self, packet: EncodedPacket) -> None: ...
    def push_all(self, packets: Sequence[EncodedPacket]) -> None: ...

    def wait_for(self, time_ns: int, *, timeout_s: float) -> bool:
        return True

    def snapshot(self, start_ns: int, end_ns: int) -> Span:
        if self.is_empty:
            raise NothingToClip("nothing is recorded yet")
        return Span(start_ns, end_ns)

    def follow(self, start_ns: int, end_ns: int, *, timeout_s: float) -> Span:
        return self.snapshot(start_ns, end_ns)

    def pin(self, start_ns: int, end_ns: int, *, kind: PinKind, owner_id: str) -> Pin:
        self.pins.append((start_ns, end_ns, kind))
        return Pin(
            pin_id="p",
            kind=kind,
            owner_id=owner_id,
            session_id="s",
            start_ns=start_ns,
            end_ns=end_ns,
            created_unix_ms=0,
        )

    def release(self, pin_id: str) -> None: ...


class Writer:
    """Port `ClipWriter`."""

    failure: DiskFull | None = None

    def write(self, span: Span, path: Path, *, is_exact: bool) -> ClipFile:
        if self.failure:
            raise self.failure
        path.write_bytes(b"mp4")
        return ClipFile(
            path=str(path), start_ns=span.start_ns, end_ns=span.end_ns, size_bytes=3, is_exact=is_exact
        )


class Library:
    def __init__(self) -> None:
        self.clips: list[SavedClip] = []
        self.presses: list[str] = []

    def add_clip(self, clip: SavedClip) -> None:
        self.clips.append(clip)

    def add_press(self, *, at_unix_ms: int, trigger: str, clip_id: str = "", error: str = "") -> None:
        self.presses.append(error)


class Bench:
    """A session and everything round it."""

    def __init__(self, tmp_path: Path) -> None:
        self.ring, self.writer, self.library = Ring(), Writer(), Library()
        self.saved: list[tuple[SavedClip, int]] = []
        self.changes = 0
        self.session = Session(
            session_id="s",
            line=Line(),
            ring=self.ring,
            writer=self.writer,
            library=self.library,
            name_clip=lambda: tmp_path / f"{len(self.library.clips)}.mp4",
            make_thumbnail=lambda clip, target: None,
            thumbnail_folder=tmp_path,
            on_saved=lambda clip, at_ns: self.saved.append((clip, at_ns)),
            on_change=self._count,
        )

    def _count(self) -> None:
        self.changes += 1

    def press(self, last_s: int = 30) -> SavedClip:
        future = self.session.press(monotonic_ns=160 * SECOND_NS, last_ns=last_s * SECOND_NS, trigger="key")
        return future.result(timeout=5)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.session.stop()


def test_a_press_saves_what_was_before_it_and_pins_it(bench: Bench):
    clip = bench.press(last_s=30)

    assert (clip.start_ns, clip.end_ns) == (30 * SECOND_NS, 60 * SECOND_NS)
    assert bench.library.clips == [clip]
    assert bench.ring.pins == [(30 * SECOND_NS, 60 * SECOND_NS, "keep")]
    assert bench.saved == [(clip, 60 * SECOND_NS)]


def test_zero_saves_everything(bench: Bench):
    assert bench.press(last_s=0).start_ns == 0


def test_a_press_early_in_the_session_starts_at_its_start(bench: Bench):
    assert bench.press(last_s=90).start_ns == 0


@pytest.mark.parametrize("reason", ["nothing is recorded yet", "12 MB are free"])
@pytest.mark.logs("press_not_saved")
def test_a_failed_press_says_why_and_is_noted(bench: Bench, reason: str):
    bench.ring.is_empty = reason == "nothing is recorded yet"
    bench.writer.failure = None if bench.ring.is_empty else DiskFull(reason)

    with pytest.raises((NothingToClip, DiskFull), match=reason):
        bench.press()
    assert reason in bench.session.last_press_error
    assert bench.library.presses[-1] == bench.session.last_press_error


@pytest.mark.logs("press_not_saved")
def test_a_saved_press_clears_the_last_error(bench: Bench):
    bench.ring.is_empty = True
    with pytest.raises(NothingToClip):
        bench.press()
    bench.ring.is_empty = False

    bench.press()

    assert bench.session.last_press_error == ""


def test_after_stop_a_press_is_refused_with_a_reason(bench: Bench):
    bench.session.stop()

    with pytest.raises(NothingToClip, match="stopping"):
        bench.press()


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([], State.STARTING),
        (["picture"], State.READY),
        (["sick", "picture"], State.PROBLEM),  # ready is never said over a known problem
        (["picture", "sick"], State.PROBLEM),
        (["picture", "sick", "well"], State.READY),
        (["picture", "sick", "sick too", "well"], State.PROBLEM),  # one of two is mended
    ],
)
@pytest.mark.logs("stage_has_problem")
def test_ready_is_true(bench: Bench, steps: list[str], state: State):
    actions: dict[str, Callable[[], None]] = {
        "picture": bench.session.report_picture,
        "sick": lambda: bench.session.report_problem("capture", "the screen went away"),
        "sick too": lambda: bench.session.report_problem("ring", "the disk is full"),
        "well": lambda: bench.session.report_problem("capture", None),
    }
    for step in steps:
        actions[step]()

    assert bench.session.state is state
