"""Which words of its sessions one agent has been sent, and what is sent next. Pure but for the clock that is given.

An utterance gets its number before its transaction commits, so a lower one may appear a little after a higher: for a
minute the same stretch is looked at again, and what went down already is passed over. At the next connect the agent
says how far it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from protos.clippy.v1 import link_pb2

# The slowest transaction that writes words is over by then.
OVERLAP_S = 60.0
# Of one session in one message.
MAX_WORDS = 200


@dataclasses.dataclass(slots=True)
class _Session:
    floor_id: int
    told: dict[int, float] = dataclasses.field(default_factory=dict)


class WordsTold:
    """Of one stream. Sessions that its agent did not ask words of have none."""

    __slots__ = ("_sessions", "is_wanted")

    def __init__(self) -> None:
        self.is_wanted = False
        self._sessions: dict[str, _Session] = {}

    def begin(self, sessions: Mapping[str, int], *, is_wanted: bool) -> None:
        """The agent's Hello. Args: sessions: the highest number that each has."""
        self.is_wanted = is_wanted
        self._sessions = {
            session_id: _Session(floor_id=max(0, after)) for session_id, after in sessions.items()
        }

    def add(self, session_id: str) -> None:
        """A session that began on this stream."""
        self._sessions.setdefault(session_id, _Session(floor_id=0))

    def after(self, sessions: Collection[str]) -> dict[str, int]:
        """After which number of each of these to look; empty where none are wanted."""
        if not self.is_wanted:
            return {}
        return {name: self._sessions[name].floor_id for name in sessions if name in self._sessions}

    def messages(
        self, heard: Mapping[str, Sequence[link_pb2.HeardWords]], *, now_s: float
    ) -> list[link_pb2.CoordinatorMessage]:
        """What of this did not go down yet; from here on it has."""
        messages = []
        for session_id, words in heard.items():
            session = self._sessions[session_id]
            new = [one for one in words if one.id not in session.told]
            session.told.update((one.id, now_s) for one in new)
            if len(words) >= MAX_WORDS:
                # More waits behind these than one look shows: no looking back.
                session.floor_id = words[-1].id
            old = [said_id for said_id, at_s in session.told.items() if now_s - at_s > OVERLAP_S]
            session.floor_id = max([session.floor_id, *old])
            session.told = {at: when for at, when in session.told.items() if at > session.floor_id}
            if new:
                message = link_pb2.Heard(session_id=session_id, words=new)
                messages.append(link_pb2.CoordinatorMessage(heard=message))
        return messages


def is_more(heard: Mapping[str, Sequence[link_pb2.HeardWords]]) -> set[str]:
    """The sessions of which more waits."""
    return {session_id for session_id, words in heard.items() if len(words) >= MAX_WORDS}
