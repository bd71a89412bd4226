"""A clip for somebody else: a file that holds nothing from before its start, in a folder emptied at each start.

Made from the pinned packets; where those are gone, from the clip's own file. Any thread, one clip at a time each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from agent.clip.from_file import FileSpan
from agent.clip.tracks import ALL, choose_tracks
from agent.desk.margins import ClipRing
from agent.errors import InputUnusable, NothingToClip
from agent.model.clips import ClipFile, SavedClip
from agent.model.media import TrackParams
from agent.ports import ClipWriter, PacketSpan

log = structlog.get_logger()

# What a jittering picture may be off at the ends of a span that still holds the clip whole.
_TOLERANCE_NS = 50_000_000
_DEFAULT_TRACKS = ("mix",)


class Sharer:
    """Makes files for handing on."""

    def __init__(
        self,
        ring: ClipRing,
        writer: ClipWriter,
        folder: Path,
        *,
        recorded_as: Callable[[], Sequence[TrackParams]] = tuple,
    ) -> None:
        """Args:
        folder: emptied by its owner at each start.
        recorded_as: the tracks of the running recording, whose encoder may have made an older clip too.
        """
        self._ring = ring
        self._writer = writer
        self._folder = folder
        self._recorded_as = recorded_as

    def share(self, clip: SavedClip, *, tracks: Sequence[str]) -> ClipFile:
        """Write the file; a second share of the clip takes its place.

        Raises:
            InputUnusable: No such track, or neither packets nor file are there any more.
            DiskFull, EncoderUnavailable, EnvironmentProblem: And says why.
        """
        wanted = tuple(tracks) or _DEFAULT_TRACKS
        target = self._folder / clip.clip_id[:8] / Path(clip.path).name
        with self._span_of(clip) as span:
            chosen, missing = choose_tracks(span, wanted)
            if missing and tracks:
                there = ", ".join(track.name for track in span.tracks if track.kind == "audio") or "no sound"
                raise InputUnusable(f"the clip has no {', '.join(missing)}; it has {there}, or say {ALL}")
            return self._writer.write(chosen, target, is_exact=True)

    def _span_of(self, clip: SavedClip) -> PacketSpan:
        try:
            span = self._ring.snapshot_of(clip.session_id, clip.start_ns, clip.end_ns)
        except NothingToClip:
            return self._file_of(clip)
        if (
            span.start_ns - clip.start_ns <= _TOLERANCE_NS
            and clip.end_ns - span.end_ns <= _TOLERANCE_NS
            and {track.name for track in span.tracks} >= {"video", *clip.tracks}
        ):
            return span
        span.close()
        return self._file_of(clip)

    def _file_of(self, clip: SavedClip) -> PacketSpan:
        log.info("shared_from_file", clip_id=clip.clip_id)
        return FileSpan(
            Path(clip.path),
            session_id=clip.session_id,
            start_ns=clip.start_ns,
            end_ns=clip.end_ns,
            recorded_as=self._recorded_as(),
        )
