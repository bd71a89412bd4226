"""How far a saved clip's ends can be moved: its packets and a margin on each side, pinned in the ring.

Any thread; the caller does one thing to one clip at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

from agent.desk.window import Window
from agent.errors import AgentError, NothingToClip
from agent.model.clips import Pin, PinKind, SavedClip
from agent.ports import PacketSpan

log = structlog.get_logger()


class ClipRing(Protocol):
    """What clips need of the ring; any thread."""

    def follow(self, start_ns: int, end_ns: int, *, timeout_s: float) -> PacketSpan:
        """As `PacketRing.follow`."""
        ...

    def snapshot_of(self, session_id: str, start_ns: int, end_ns: int) -> PacketSpan:
        """As `PacketRing.snapshot`, of any session that is in the ring, pinned or left behind."""
        ...

    def pin(self, start_ns: int, end_ns: int, *, kind: PinKind, owner_id: str) -> Pin:
        """As `PacketRing.pin`."""
        ...

    def release(self, pin_id: str) -> None:
        """As `PacketRing.release`."""
        ...

    @property
    def pins(self) -> PinList:
        """What is pinned."""
        ...


class PinList(Protocol):
    """All pins of this machine."""

    def pins(self) -> Sequence[Pin]:
        """Every pin there is, oldest first."""
        ...


class Margins:
    """Pins what clips may still grow into."""

    def __init__(self, ring: ClipRing, *, session_id: str, margin_ns: int) -> None:
        self._ring = ring
        self._session_id = session_id
        self.margin_ns = margin_ns

    def hold(self, clip: SavedClip) -> None:
        """Pin the clip and as much of its margins as there is now; what was held before stays held."""
        if clip.session_id != self._session_id:
            return  # what an older session left is pinned already, or gone
        old = self._pins_of(clip.clip_id)
        start_ns = min([clip.start_ns - self.margin_ns, *(pin.start_ns for pin in old)])
        end_ns = max([clip.end_ns + self.margin_ns, *(pin.end_ns for pin in old)])
        try:
            if not self._pin(clip, max(0, start_ns), end_ns):
                # A new epoch began within the margin: only what is of the clip's own can be held.
                self._pin(clip, max(0, start_ns), clip.end_ns)
        except AgentError as exc:
            # The file is written; without its pin only its ends can no longer be moved.
            log.warning("clip_not_pinned", problem=str(exc))
            return
        for pin in old:
            self._ring.release(pin.pin_id)

    def _pin(self, clip: SavedClip, start_ns: int, end_ns: int) -> bool:
        pin = self._ring.pin(start_ns, end_ns, kind="keep", owner_id=clip.clip_id)
        if pin.start_ns <= clip.start_ns and pin.end_ns >= clip.end_ns:
            return True
        self._ring.release(pin.pin_id)
        return False

    def reach(self, clip: SavedClip) -> tuple[int, int] | None:
        """How far the ends can be moved now, or None."""
        pins = self._pins_of(clip.clip_id)
        if not pins:
            return None
        return min(pin.start_ns for pin in pins), max(pin.end_ns for pin in pins)

    def there(self, session_id: str, window: Window) -> tuple[int, int] | None:
        """What of a window is there now, in the ring or pinned; None: nothing."""
        try:
            with self._ring.snapshot_of(session_id, window.start_ns, window.end_ns) as span:
                return span.start_ns, span.end_ns
        except NothingToClip:
            return None

    def release(self, clip_id: str) -> None:
        """Give the packets back."""
        for pin in self._pins_of(clip_id):
            self._ring.release(pin.pin_id)

    def _pins_of(self, clip_id: str) -> list[Pin]:
        return [pin for pin in self._ring.pins.pins() if pin.owner_id == clip_id]
