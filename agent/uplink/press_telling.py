"""What the coordinator is told of presses: of each clip the span that it has now, once, under a version.

What is told of a clip takes the place of what was told before, in the outbox and at the coordinator: there the highest
version counts, in whatever order they come. Any thread. Raises as `Outbox`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlite_utils import Database

from agent.model.clips import SavedClip
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_rows import add_event
from protos.clippy.v1 import link_pb2

_KIND = "pressed"


def tell_press(outbox: Outbox, session_id: str, clip: SavedClip, at_ns: int) -> None:
    """A press has made a clip.

    Args:
        session_id: the session that runs: under it the outbox keeps what is to be told.
        at_ns: when the key was pressed, on the line of the clip's session.
    """
    with outbox.file.transaction() as db:
        _put(db, session_id, clip, at_ns=max(0, at_ns))
    outbox.nudge()


def tell_change(outbox: Outbox, session_id: str, *, read: Callable[[], SavedClip | None]) -> None:
    """A clip's file was written anew; nothing is told where its span is the one that was told last.

    Args:
        read: the clip as it is listed now; None: it is not, or not any more, and nothing is told.
    """
    with outbox.file.transaction() as db:
        # Read under the outbox's lock: of two that tell at once the second to come here knows the newest span.
        now = read()
        if now is None:
            return
        before = _told(db, now.clip_id)
        if before:
            _, last = before[-1]
            if (last.start_ns, last.end_ns) == (now.start_ns, now.end_ns):
                return
        elif now.trigger == "recovered":
            return  # nobody pressed for it, and the coordinator was not told of it
        # A press lies at its clip's end, where nothing better is known; the coordinator keeps what it was told first.
        _put(db, session_id, now, at_ns=before[-1][1].at_ns if before else now.end_ns)
    outbox.nudge()


def _put(db: Database, session_id: str, clip: SavedClip, *, at_ns: int) -> None:
    before = _told(db, clip.clip_id)
    for event_id, _ in before:
        db.execute("delete from events where event_id = ?", [event_id])
    # The clock of the wall, so that versions grow when nothing is left here of those before; and never backwards.
    version = max([time.time_ns() // 1_000_000, *(pressed.version + 1 for _, pressed in before)])
    pressed = link_pb2.Pressed(
        session_id=clip.session_id,
        at_ns=at_ns,
        clip_id=clip.clip_id,
        start_ns=clip.start_ns,
        end_ns=clip.end_ns,
        version=version,
    )
    add_event(db, session_id, _KIND, link_pb2.AgentMessage(pressed=pressed))


def _told(db: Database, clip_id: str) -> list[tuple[int, link_pb2.Pressed]]:
    """What the outbox holds of a clip, oldest first."""
    rows = db.execute(
        "select event_id, payload from events where kind = ? order by event_id", [_KIND]
    ).fetchall()
    told = ((event_id, link_pb2.AgentMessage.FromString(payload).pressed) for event_id, payload in rows)
    return [(event_id, pressed) for event_id, pressed in told if pressed.clip_id == clip_id]
