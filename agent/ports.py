"""The roles that the agent's adapters fill.

Each docstring says what every adapter must keep; one contract suite checks them all, fakes included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from agent.model.clips import ClipFile, ForgottenSpan, Pin, PinKind, SavedClip, Trigger
from agent.model.media import (
    CapturedFrame,
    EncodedPacket,
    EpochReason,
    EpochSpan,
    ScreenFormat,
    SoundBlock,
    SoundName,
    SpanLack,
    TrackParams,
)
from protos.clippy.v1 import control_pb2


class ScreenSource(Protocol):
    """A picture on demand. Used by one thread at a time; never paces itself.

    Its pictures have even sizes and keep their pixels, so a few may be held in a queue.
    """

    name: str

    def probe(self) -> str:
        """Why it cannot work here at all; empty when it may. Cheap, asks the user nothing, never raises."""
        ...

    def open(self) -> ScreenFormat:
        """Start capture.

        Raises:
            ScreenUnavailable: It cannot be opened, or there is no such monitor or window now; says why.
        """
        ...

    def grab(self) -> CapturedFrame:
        """Return the picture as it is now, stamped just before the grab. Takes milliseconds.

        Raises:
            ScreenUnavailable: Not open; or what is recorded went away or changed its size: close it and open it
                again, and again until it is back.
        """
        ...

    def close(self) -> None:
        """Stop capture. Twice is once."""
        ...


class SoundSource(Protocol):
    """A stream of sound blocks, pushed from a thread of the source's own."""

    name: SoundName
    device: str

    def open(self, on_block: Callable[[SoundBlock], None]) -> None:
        """Start. `on_block` is called from the source's thread, in time order; it returns at once.

        Raises:
            SoundUnavailable: The device cannot be opened; says which and what to do.
        """
        ...

    @property
    def is_running(self) -> bool:
        """Has a block come within the last second? From any thread."""
        ...

    def close(self) -> None:
        """Stop; no block comes after it returns. Twice is once."""
        ...


class PacketSpan(Protocol):
    """Packets of the ring from the key frame at or before its start, held for as long as it is open.

    A context manager; may be read from any one thread, several times over. Never spans two epochs.
    """

    @property
    def session_id(self) -> str: ...
    @property
    def tracks(self) -> Sequence[TrackParams]: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...

    @property
    def lack(self) -> SpanLack | None:
        """What it lacks of what was asked for, and why; None when it is whole. Final once it was read."""
        ...

    def packets(self) -> Iterator[EncodedPacket]:
        """All packets by DTS: from the key frame at or before `start_ns` to the last before `end_ns`."""
        ...

    def close(self) -> None:
        """Let go of the files. Twice is once."""
        ...

    def __enter__(self) -> PacketSpan: ...
    def __exit__(self, *exc: object) -> None: ...


class PacketRing(Protocol):
    """The last minutes, encoded. `begin_epoch`, `push` and `push_all` belong to the `sink` thread; all else may
    come from any thread.
    """

    def begin_epoch(
        self, tracks: Sequence[TrackParams], *, start_ns: int = 0, reason: EpochReason = "start"
    ) -> None:
        """From here on packets have these parameters. Called before the first push."""
        ...

    def epochs(self) -> list[EpochSpan]:
        """What the ring holds of each epoch, oldest first; an epoch of which nothing is left is not listed."""
        ...

    def push(self, packet: EncodedPacket) -> None:
        """As `push_all`, of one."""
        ...

    def push_all(self, packets: Sequence[EncodedPacket]) -> None:
        """Append packets; they come by DTS. Drops whole old GOPs to stay within bounds.

        Raises:
            DiskFull: There is too little room even without the oldest GOPs. The RAM tail goes on.
        """
        ...

    def wait_for(self, time_ns: int, *, timeout_s: float) -> bool:
        """Wait until the picture has reached `time_ns`; False at the deadline."""
        ...

    def snapshot(self, start_ns: int, end_ns: int) -> PacketSpan:
        """Hold the packets of [start_ns, end_ns), clamped to what there is of the newest epoch in it.

        Raises:
            NothingToClip: Nothing of the span is in the ring or pinned.
        """
        ...

    def follow(self, start_ns: int, end_ns: int, *, timeout_s: float) -> PacketSpan:
        """As `snapshot`, but the end may still be on its way: reading it waits, at most `timeout_s`.

        Raises:
            NothingToClip: Nothing of the span came.
        """
        ...

    def pin(
        self,
        start_ns: int,
        end_ns: int,
        *,
        kind: PinKind,
        owner_id: str,
        core_ns: tuple[int, int] | None = None,
    ) -> Pin:
        """Take the span out of the ring's reach, durably.

        Args:
            core_ns: start and end of the clip itself, where the span reaches beyond it to keep its ends movable: over
                the quota that margin goes before any clip's own part. None: all is wanted alike.

        Raises:
            NothingToClip: Nothing of the span is there any more.
        """
        ...

    def repin(
        self, pin_id: str, start_ns: int, end_ns: int, *, core_ns: tuple[int, int] | None = None
    ) -> Pin:
        """Let a pin hold another span of its epoch, from what the ring and all pins hold now; its id stays.

        Raises:
            NothingToClip: The pin, or all of the span, is not there any more; the pin is as it was.
        """
        ...

    def reach(self, owner_id: str) -> tuple[int, int] | None:
        """From where to where the owner's newest pin goes without a gap, with what others pinned beside it.

        Whole GOPs of one epoch. None: the owner has no pin (any more).
        """
        ...

    def forget(self, start_ns: int, end_ns: int, *, is_preview: bool = False) -> ForgottenSpan:
        """Take every GOP that holds a part of the span out of ring and pins, for good; also what is on its way.

        A clip that is begun later never holds it, and never jumps it. A preview only says what would go.
        """
        ...

    def release(self, pin_id: str) -> None:
        """Give a pinned span back. An unknown id is quietly ignored."""
        ...


class ClipWriter(Protocol):
    """Turns a span into a playable file."""

    def write(self, span: PacketSpan, path: Path, *, is_exact: bool) -> ClipFile:
        """Write `path` (MP4), fsync file and folder, return what it holds. Never leaves a partial file.

        Args:
            is_exact: smart-cut, so that the file holds nothing from before its start (what leaves the PC);
                else stream copy with an edit list (what stays).

        Raises:
            NothingToClip: The span holds no picture.
            DiskFull: No room; says where and how much is needed.
        """
        ...


class Engine(Protocol):
    """What the control API asks of the engine itself. Any thread; every call returns within its deadline."""

    def status(self) -> control_pb2.Status:
        """How things are, in one message."""
        ...

    def wait_for_change(self, timeout_s: float) -> None:
        """Return when the status has changed in kind (state, press, link), or at the deadline."""
        ...

    def moments(self, limit: int) -> control_pb2.ListMomentsResponse:
        """The best first, with their exports; or the reason why there are none."""
        ...

    def devices(self) -> list[control_pb2.Device]:
        """What could be recorded, and what is."""
        ...

    def request_stop(self) -> None:
        """Ask the engine to stop; returns at once."""
        ...


class ClipDesk(Protocol):
    """What the control API asks about clips. Any thread; returns when the files are closed and fsynced.

    `clip` is an id, the unique beginning of one, or the whole path of a clip's file; InputUnusable says that there
    is no such clip.
    """

    def save(
        self, *, last_ns: int, trigger: Trigger, is_exact: bool, tracks: Sequence[str], title: str
    ) -> SavedClip:
        """Save the last `last_ns` (0: everything) up to now, as a clip of its own.

        Args:
            tracks: sounds to keep; none: as clips.tracks says.

        Raises:
            NothingToClip, DiskFull, EnvironmentProblem: And says why.
        """
        ...

    def key(self, *, is_down: bool, monotonic_ns: int, trigger: Trigger) -> SavedClip | None:
        """One event of a key into the press grammar (`monotonic_ns` 0: now); the clip it made or changed, or None.

        Raises:
            NothingToClip, DiskFull, EnvironmentProblem: And says why; an earlier clip stays.
        """
        ...

    def clips(self, limit: int, *, is_trash: bool) -> list[SavedClip]:
        """The newest first, each with how far its ends can be moved; those in the trash instead."""
        ...

    def move_ends(self, clip: str, *, start_ns: int | None, end_ns: int | None) -> SavedClip:
        """Write a clip anew with other ends, exact to a frame; the old file stays where that fails.

        Raises:
            InputUnusable: An end beyond what is pinned; says how far it goes.
            NothingToClip, DiskFull, EnvironmentProblem: And says why.
        """
        ...

    def share(self, clip: str, *, tracks: Sequence[str]) -> ClipFile:
        """A file that holds nothing from before the clip's start, with the mix (or `tracks`) alone.

        Raises:
            InputUnusable: No such track, or neither packets nor file are there any more.
            DiskFull, EncoderUnavailable, EnvironmentProblem: And says why.
        """
        ...

    def update(self, clip: str, *, title: str | None, is_locked: bool | None) -> SavedClip:
        """Name it, lock it, unlock it."""
        ...

    def trash(self, clip: str) -> SavedClip:
        """Into the trash, for some days. Raises InputUnusable: it is locked."""
        ...

    def restore(self, clip: str) -> SavedClip:
        """Out of the trash. Raises InputUnusable: it is not in there."""
        ...

    def empty_trash(self, *, is_preview: bool) -> list[SavedClip]:
        """Delete what is in the trash for good, locked clips excepted; those that went, or would go."""
        ...


class SoundDesk(Protocol):
    """Changes a sound while it is recorded, and for later starts. Any thread."""

    def set_sound(
        self, name: str, *, gain_db: float | None, is_muted: bool | None, is_noise_suppressed: bool | None
    ) -> object:
        """What is None stays. Raises InputUnusable: no such sound, or a gain out of range."""
        ...


class Recovery(Protocol):
    """What killed engines left in the ring. Any thread."""

    def sessions(self) -> list[control_pb2.Recoverable]:
        """The newest first."""
        ...

    def recover(self, session_id: str, *, last_ns: int = 0) -> SavedClip:
        """Save the last `last_ns` (0: all) of its newest epoch. Raises NothingToClip, DiskFull: and says why."""
        ...

    def discard(self, session_id: str) -> None:
        """Delete it. Raises NothingToClip: there is no such session."""
        ...


class Forgetter(Protocol):
    """Takes a span out of everything that holds it. Any thread."""

    def forget(self, request: control_pb2.ForgetRequest) -> control_pb2.ForgetReceipt:
        """Do it, or only say what would go. Raises InputUnusable: no such span or clip."""
        ...


def ignore_release(_released_ns: int) -> None:
    """For whoever only wants to know when a key goes down."""


class Hotkey(Protocol):
    """A global key. The callbacks run in the listener's thread, get CLOCK_MONOTONIC ns, return at once.

    Presses and releases come in order, autorepeat left out. `has_release` False: this desktop does not tell when a
    key comes up, so nobody can hold it.
    """

    @property
    def has_release(self) -> bool:
        """Is the key heard to come up?"""
        ...

    def start(
        self, on_press: Callable[[int], None], on_release: Callable[[int], None] = ignore_release
    ) -> None:
        """Grab the key and listen.

        Raises:
            HotkeyTaken: Another program holds it; says which key and what to set.
            InputUnusable: The combination cannot be understood.
            EnvironmentProblem: There is nothing here that hears global keys.
        """
        ...

    def stop(self) -> None:
        """Give the key back. Twice is once."""
        ...
