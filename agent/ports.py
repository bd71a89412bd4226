"""The roles that the agent's adapters fill.

Each docstring says what every adapter must keep; one contract suite checks them all, fakes included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from agent.model.clips import ClipFile, Pin, PinKind, SavedClip, Trigger
from agent.model.media import CapturedFrame, EncodedPacket, ScreenFormat, SoundBlock, SoundName, TrackParams
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

    def packets(self) -> Iterator[EncodedPacket]:
        """All packets by DTS: from the key frame at or before `start_ns` to the last before `end_ns`."""
        ...

    def close(self) -> None:
        """Let go of the files. Twice is once."""
        ...

    def __enter__(self) -> PacketSpan: ...
    def __exit__(self, *exc: object) -> None: ...


class PacketRing(Protocol):
    """The last minutes, encoded. `push` belongs to the `sink` thread; all else may come from any thread."""

    def begin_epoch(self, tracks: Sequence[TrackParams]) -> None:
        """From here on packets have these parameters. Called before the first push."""
        ...

    def push(self, packet: EncodedPacket) -> None:
        """Append one packet; packets come by DTS. Drops whole old GOPs to stay within bounds.

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

    def pin(self, start_ns: int, end_ns: int, *, kind: PinKind, owner_id: str) -> Pin:
        """Take the span out of the ring's reach, durably.

        Raises:
            NothingToClip: Nothing of the span is there any more.
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
    """What the control API asks of the engine. Any thread; every call returns within its deadline."""

    def status(self) -> control_pb2.Status:
        """How things are, in one message."""
        ...

    def wait_for_change(self, timeout_s: float) -> None:
        """Return when the status has changed in kind (state, press, link), or at the deadline."""
        ...

    def save_clip(self, *, last_ns: int, trigger: Trigger, is_exact: bool) -> SavedClip:
        """Save the last `last_ns` (0: everything) up to now; returns when the file is closed and fsynced.

        Raises:
            NothingToClip, DiskFull: And says why.
        """
        ...

    def set_sound(
        self,
        name: str,
        gain_db: float | None = None,
        is_muted: bool | None = None,
        is_noise_suppressed: bool | None = None,
    ) -> control_pb2.Status:
        """Change of a sound what is not None, from now on and for later runs; returns the status with it.

        Raises:
            InputUnusable: No such sound, or a value that it cannot have.
        """
        ...

    def clips(self, limit: int) -> list[SavedClip]:
        """The newest first."""
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


class Hotkey(Protocol):
    """A global key. The callback runs in the listener's thread, gets CLOCK_MONOTONIC ns, returns at once."""

    def start(self, on_press: Callable[[int], None]) -> None:
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
