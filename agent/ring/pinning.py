"""Pins made, made anew, given up and forgotten: one at a time, so that what is forgotten is not pinned meanwhile.

Any thread. Its lock is taken before the ring's.
"""

from __future__ import annotations

import threading

import structlog

from agent.errors import EnvironmentProblem, NothingToClip
from agent.model.clips import ForgottenSpan, Pin, PinKind
from agent.ring.forgetting import Errand, Forgetter
from agent.ring.pins import PinStore
from agent.ring.reading import GopReader, OpenedSpan
from agent.ring.store import GopStore

log = structlog.get_logger()

_CATCH_UP_S = 0.5


class Pinner:
    """Joins the reader, the pins and the forgetter of one ring."""

    def __init__(
        self,
        *,
        session_id: str,
        lock: threading.Lock,
        store: GopStore,
        reader: GopReader,
        pins: PinStore,
        forgetter: Forgetter,
    ) -> None:
        """Args: lock: the ring's, which guards `store` and what `reader` opens of this session."""
        self._session_id = session_id
        self._lock = lock
        self._store = store
        self._reader = reader
        self._pins = pins
        self._forgetter = forgetter
        self._one_at_a_time = threading.Lock()

    def pin(
        self,
        session_id: str,
        start_ns: int,
        end_ns: int,
        *,
        kind: PinKind,
        owner_id: str,
        core_ns: tuple[int, int] | None,
    ) -> Pin:
        """As `GopRing.pin`."""
        with self._one_at_a_time:
            opened = self._open(session_id, start_ns, end_ns)
            with opened.span as span:
                return self._pins.add(
                    opened.info,
                    opened.gops,
                    start_ns=span.start_ns,
                    end_ns=span.end_ns,
                    kind=kind,
                    owner_id=owner_id,
                    core_ns=core_ns,
                )

    def repin(self, pin_id: str, start_ns: int, end_ns: int, *, core_ns: tuple[int, int] | None) -> Pin:
        """As `GopRing.repin`."""
        with self._one_at_a_time:
            found = self._pins.find(pin_id)
            if found is None:
                raise NothingToClip(f"pin {pin_id} is not there any more")
            pin, info = found
            opened = self._open(pin.session_id, start_ns, end_ns, epoch=info.epoch)
            with opened.span as span:
                return self._pins.replace(
                    pin_id, opened.gops, start_ns=span.start_ns, end_ns=span.end_ns, core_ns=core_ns
                )

    def _open(self, session_id: str, start_ns: int, end_ns: int, *, epoch: int | None = None) -> OpenedSpan:
        if session_id != self._session_id:
            return self._reader.open_older(session_id, start_ns, end_ns, epoch=epoch)
        with self._lock:
            # A link shows all that its file will ever hold, so let the disk catch up first.
            self._store.flush(_CATCH_UP_S)
            return self._reader.open(start_ns, end_ns, epoch=epoch, is_file_preferred=True)

    def forget(self, errand: Errand, *, is_preview: bool) -> ForgottenSpan:
        """As `GopRing.forget`."""
        with self._one_at_a_time:
            return self._forgetter.forget(errand, is_preview=is_preview)

    def give_up(self, num_bytes: int, kind: PinKind) -> int:
        """Free so many bytes of pins, in the disk thread; see `PinStore.give_up`.

        Never waits for who makes a pin: that one may wait for the disk thread.
        """
        if not self._one_at_a_time.acquire(blocking=False):
            return 0
        try:
            return self._pins.give_up(num_bytes, kind=kind)
        except EnvironmentProblem as exc:
            log.warning("pins_not_given_up", problem=str(exc))
            return 0
        finally:
            self._one_at_a_time.release()
