"""A clip by stream copy: nothing is encoded again, the start is exact by MP4's edit list.

The pictures from the key frame to the start are still in the file, hidden: it stays on this PC.
"""

from __future__ import annotations

from pathlib import Path

from agent.clip.muxer import ClipMuxer
from agent.errors import NothingToClip
from agent.ports import PacketSpan


def copy_span(span: PacketSpan, path: Path) -> None:
    """Write the span to `path`, not fsynced.

    Raises:
        NothingToClip: The span shows no picture.
        av.FFmpegError, OSError: It cannot be written.
    """
    with ClipMuxer(path, span.tracks, start_ns=span.start_ns, end_ns=span.end_ns) as muxer:
        for packet in span.packets():
            muxer.put(packet)
        if muxer.num_pictures_shown == 0:
            raise NothingToClip(f"no picture lies in {span.start_ns / 1e9:.3f}..{span.end_ns / 1e9:.3f} s")
