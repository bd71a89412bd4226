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

    def pin(
        self,
        start_ns: int,
        end_ns: int,
        *,
        kind: PinKind,
        owner_id: str,
        core_ns: tuple[int, int] | None = None,
    ) -> Pin:
        """Pin a span of the running session; what is outside the core goes first when pins need room."""
        ...

    def repin(
        self, pin_id: str, start_ns: int, end_ns: int, *, core_ns: tuple[int, int] | None = None
    ) -> Pin:
        """Let a pin hold another span of its epoch, from what the ring and all pins hold now."""
        ...

    def reach(self, owner_id: str) -> tuple[int, int] | None:
        """From where to where the owner's pin goes without a gap; None: it has none."""
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

    def of_owner(self, owner_id: str) -> Sequence[Pin]:
        """A clip's pins, oldest first."""
        ...


class Margins:
    """Pins what clips may still grow into."""

    def __init__(self, ring: ClipRing, *, session_id: str, margin_ns: int) -> None:
        self._ring = ring
        self._session_id = session_id
        self.margin_ns = margin_ns

    def hold(self, clip: SavedClip) -> None:
        """Pin the clip and as much of its margins as there is now; what was held before stays held."""
        old = self._ring.pins.of_owner(clip.clip_id)
        start_ns = min([clip.start_ns - self.margin_ns, *(pin.start_ns for pin in old)])
        end_ns = max([clip.end_ns + self.margin_ns, *(pin.end_ns for pin in old)])
        core_ns = (clip.start_ns, clip.end_ns)
        try:
            if old:
                self._ring.repin(old[-1].pin_id, max(0, start_ns), end_ns, core_ns=core_ns)
            elif clip.session_id == self._session_id and not self._pin(clip, max(0, start_ns), end_ns):
                # A new epoch began within the margin: only what is of the clip's own can be held.
                self._pin(clip, max(0, start_ns), clip.end_ns)
        except NothingToClip as exc:
            # Forgotten, or overtaken by the ring: there is nothing left to move its ends over.
            log.info("clip_not_pinned", problem=str(exc))
        except AgentError as exc:
            # The file is written; without its pin only its ends can no longer be moved.
            log.warning("clip_not_pinned", problem=str(exc))

    def _pin(self, clip: SavedClip, start_ns: int, end_ns: int) -> bool:
        core_ns = (clip.start_ns, clip.end_ns)
        pin = self._ring.pin(start_ns, end_ns, kind="keep", owner_id=clip.clip_id, core_ns=core_ns)
        if pin.start_ns <= clip.start_ns and pin.end_ns >= clip.end_ns:
            return True
        self._ring.release(pin.pin_id)
        return False

    def reach(self, clip: SavedClip) -> tuple[int, int] | None:
        """How far the ends can be moved now, or None."""
        return self._ring.reach(clip.clip_id)

    def reaches(self) -> dict[str, tuple[int, int]]:
        """The same for all clips at once, by id: their own pins alone, which is cheap enough for a list."""
        found: dict[str, tuple[int, int]] = {}
        for pin in self._ring.pins.pins():
            start_ns, end_ns = found.get(pin.owner_id, (pin.start_ns, pin.end_ns))
            found[pin.owner_id] = min(start_ns, pin.start_ns), max(end_ns, pin.end_ns)
        return found

    def there(self, session_id: str, window: Window) -> tuple[int, int] | None:
        """What of a window is there now, in the ring or pinned; None: nothing."""
        try:
            with self._ring.snapshot_of(session_id, window.start_ns, window.end_ns) as span:
                return span.start_ns, span.end_ns
        except NothingToClip:
            return None

    def release(self, clip_id: str) -> None:
        """Give the packets back."""
        for pin in self._ring.pins.of_owner(clip_id):
            self._ring.release(pin.pin_id)
