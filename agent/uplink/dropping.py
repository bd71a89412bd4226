"""What goes first when the outbox is full. Pure.

Chunks that the coordinator has on its disk go first: nothing is lost unless that disk dies too. Then whatever
can be missed best: the picture, then the small lanes, then the game's sound; the streamer's voice goes last.
"""

from __future__ import annotations

from protos.clippy.v1 import media_pb2

DROP_RANK: dict[int, int] = {
    media_pb2.LANE_PROXY: 1,
    media_pb2.LANE_CHAT: 2,
    media_pb2.LANE_EVENTS: 2,
    media_pb2.LANE_SIGNALS: 2,
    media_pb2.LANE_DESKTOP: 3,
    media_pb2.LANE_MIC: 4,
}


def drop_rank(lane: int, *, is_fsynced: bool) -> int:
    """Return the order in which a chunk is dropped, lowest first; among equals the oldest goes first."""
    return 0 if is_fsynced else DROP_RANK.get(lane, 1)
