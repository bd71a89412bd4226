"""A clip by stream copy: nothing is encoded again, the start is exact by MP4's edit list.

The pictures from the key frame to the start are still in the file, hidden: it stays on this PC.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from agent.clip.muxer import ClipMuxer, IndexTooLarge, index_room_bytes
from agent.errors import NothingToClip
from agent.ports import PacketSpan

log = structlog.get_logger()


def copy_span(span: PacketSpan, path: Path) -> None:
    """Write the span to `path`, not fsynced.

    Raises:
        NothingToClip: The span shows no picture.
        av.FFmpegError, OSError: It cannot be written.
    """
    room_bytes = index_room_bytes(span.tracks, span.end_ns - span.start_ns)
    try:
        _copy(span, path, room_bytes)
    except IndexTooLarge:
        log.info("clip_written_again", reason="its index outgrew its room", room_bytes=room_bytes)
        _copy(span, path, None)


def _copy(span: PacketSpan, path: Path, room_bytes: int | None) -> None:
    with ClipMuxer(
        path, span.tracks, start_ns=span.start_ns, end_ns=span.end_ns, room_bytes=room_bytes
    ) as muxer:
        put = muxer.put
        for packet in span.packets():
            put(packet)
        muxer.end_at(span.end_ns)
        if muxer.num_pictures_shown == 0:
            raise NothingToClip(f"no picture lies in {span.start_ns / 1e9:.3f}..{span.end_ns / 1e9:.3f} s")
