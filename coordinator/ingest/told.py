"""What one agent has been told already: ranges that are stored, moments and exports, wishes. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from coordinator.ingest.downlink import News
from coordinator.ingest.held import Held
from protos.clippy.v1 import link_pb2

_LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
# A row's time is when its transaction began; a slow one may commit this much later.
_OVERLAP = datetime.timedelta(seconds=60)
_MAX_TOLD = 2000


class Told:
    """Of one stream."""

    __slots__ = ("_asked", "_newest", "_since", "_stored")

    def __init__(self) -> None:
        self._stored: dict[tuple[str, int], set[tuple[int, int]]] = {}
        self._asked: set[str] = set()
        self._since = _LONG_AGO
        self._newest: dict[str, datetime.datetime] = {}

    def begin_anew(self) -> None:
        """Notifications may have been missed: all that changed is looked at again."""
        self._since = _LONG_AGO

    def remember_stored(self, held: Held) -> None:
        """These ranges went down."""
        for key, lane in held.items():
            self._stored[key] = {(item.first, item.last) for item in lane.stored}

    def stored_ack(self, held: Held) -> link_pb2.Ack | None:
        """What of these ranges did not go down yet; from here on it has."""
        ack = link_pb2.Ack()
        for key, lane in held.items():
            told = self._stored.get(key, set())
            new = [item for item in lane.stored if (item.first, item.last) not in told]
            if new:
                ack.held.add(session_id=key[0], lane=lane.lane, stored=new)
        self.remember_stored(held)
        return ack if ack.held else None

    def wanted(self, sessions: Collection[str]) -> tuple[datetime.datetime, bool]:
        """Since when to look for changes of these sessions, and whether for wishes too that went down before.

        What was asked for before goes down once more at each connect: the agent may have lost it.
        """
        return self._since - _OVERLAP, not self._asked.issuperset(sessions)

    def changes(
        self, news: News, sessions: Collection[str], all_sessions: Collection[str]
    ) -> list[link_pb2.CoordinatorMessage]:
        """Moments and exports that are new, or changed, in news of `sessions`; from here on they are told."""
        self._asked.update(sessions)
        messages: list[link_pb2.CoordinatorMessage] = []
        for updated_at, message in news.changed:
            name = message.moment.moment_id or message.export.export_id
            if self._newest.get(name) != updated_at:
                messages.append(message)
                self._newest[name] = updated_at
        if self._asked.issuperset(all_sessions):
            self._since = max([self._since, *(updated_at for updated_at, _ in news.changed)])
        if len(self._newest) > _MAX_TOLD:
            self._newest.clear()
        return messages
