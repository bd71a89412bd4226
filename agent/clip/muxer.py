"""An MP4 of one span: the file's 0 is the span's start, whatever lies before it is hidden or left out.

Pictures before the start get negative stamps, which MP4's edit list hides; sound before the start is left
out. The first picture shown stands from 0 on, the last of each track ends with the span, so the length is
what was asked for to the tick. One thread, one file.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.stream import Disposition

from agent.errors import EncoderUnavailable
from agent.model.media import EncodedPacket, TrackParams
from protos.timebase import MP4_TICKS_PER_S, ns_to_ticks

# Each option answers to a pitfall: `disabled` keeps negative stamps, `use_editlist` hides what they mark;
# the movie's own clock defaults to 1 ms, too coarse for an exact length.
MP4_OPTIONS = {
    "avoid_negative_ts": "disabled",
    "use_editlist": "1",
    "movie_timescale": str(MP4_TICKS_PER_S),
}
# What the index takes for each packet at most: its size and place, and for a picture when it is shown and whether
# it is a key frame. Measured: 8 for a sound's packet, 16 for a picture of a live source.
_PICTURE_INDEX_BYTES = 32
_SOUND_INDEX_BYTES = 16
_TRACK_INDEX_BYTES = 16 * 1024
_AAC_PACKET_SAMPLES = 1024
_BEFORE_ALL = -(1 << 62)


class IndexTooLarge(Exception):
    """The index outgrew the room that was left for it; without room it is put in front by moving everything."""


def index_room_bytes(tracks: Sequence[TrackParams], duration_ns: int) -> int:
    """How much an index of so long a clip will take, with a margin: 1 MB for five minutes of four tracks."""
    duration_s = duration_ns / 1e9 + 2.0  # the pictures from the key frame to the start, and a little
    num_bytes = 0.0
    for track in tracks:
        if track.kind == "video":
            num_bytes += track.frame_rate * duration_s * _PICTURE_INDEX_BYTES
        else:
            num_bytes += track.sample_rate_hz / _AAC_PACKET_SAMPLES * duration_s * _SOUND_INDEX_BYTES
        num_bytes += _TRACK_INDEX_BYTES
    return int(num_bytes)


@dataclasses.dataclass(slots=True)
class _Row:
    """One track on its way into the file; `held` is its newest packet, whose end is not known yet."""

    stream: Any
    time_base: Fraction
    ticks_per_s: int
    is_picture: bool
    start_ticks: int
    end_ticks: int
    last_dts: int = _BEFORE_ALL
    is_shown: bool = False
    held: Any = None
    held_duration: int = 0


class ClipMuxer:
    """A context manager: leaving it well closes the file, leaving it by an exception abandons it."""

    def __init__(
        self,
        path: Path,
        tracks: Sequence[TrackParams],
        *,
        start_ns: int,
        end_ns: int,
        room_bytes: int | None = None,
    ) -> None:
        """Open `path` for writing.

        Args:
            room_bytes: left for the index in front of the media, so that a player finds it first; None: it is
                put there at the end by reading and writing the whole file once more.

        Raises:
            EncoderUnavailable: FFmpeg knows no such codec.
            av.FFmpegError, OSError: The file cannot be opened.
        """
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._has_room = room_bytes is not None
        in_front = {"moov_size": str(room_bytes)} if self._has_room else {"movflags": "+faststart"}
        self._container = av.open(str(path), "w", format="mp4", container_options=MP4_OPTIONS | in_front)
        self.num_pictures_shown = 0
        self._rows: list[_Row] = []
        try:
            self._add_rows(tracks)
        except BaseException:
            self._container.close()
            raise

    def _add_rows(self, tracks: Sequence[TrackParams]) -> None:
        is_first_sound = True
        for track, stream in zip(tracks, _add_streams(self._container, tracks), strict=True):
            is_picture = track.kind == "video"
            ticks_per_s = MP4_TICKS_PER_S if is_picture else track.sample_rate_hz
            stream.time_base = Fraction(1, ticks_per_s)
            stream.metadata["handler_name"] = track.name
            # What a player plays unasked: the picture and the first sound, the mix.
            is_default = is_picture or is_first_sound
            stream.disposition = Disposition.default if is_default else Disposition(0)
            is_first_sound = is_first_sound and is_picture
            self._rows.append(
                _Row(
                    stream=stream,
                    time_base=Fraction(1, ticks_per_s),
                    ticks_per_s=ticks_per_s,
                    is_picture=is_picture,
                    start_ticks=ns_to_ticks(self._start_ns, ticks_per_s),
                    end_ticks=ns_to_ticks(self._end_ns, ticks_per_s),
                )
            )

    def put(self, packet: EncodedPacket) -> None:
        """Add a packet of the span; packets of one track come by DTS.

        Raises:
            av.FFmpegError: It cannot be written.
        """
        # 51,000 packets make up a clip of five minutes: 9 us each, 5 of them FFmpeg's.
        row = self._rows[packet.track]
        pts_ns = packet.pts_ns
        is_before = pts_ns < self._start_ns
        if pts_ns >= self._end_ns or (is_before and not row.is_picture):
            return
        ticks_per_s = row.ticks_per_s
        pts = dts = ns_to_ticks(pts_ns, ticks_per_s) - row.start_ticks
        if packet.dts_ns != pts_ns:
            dts = ns_to_ticks(packet.dts_ns, ticks_per_s) - row.start_ticks
        if is_before:
            pts, dts = min(pts, -1), min(dts, -1)
        elif row.is_picture:
            self.num_pictures_shown += 1
            if not row.is_shown:
                pts, dts = 0, min(dts, 0)
            row.is_shown = True
        if dts <= row.last_dts:
            dts = row.last_dts + 1
        if row.held is not None:
            self._mux_held(row, dts - row.last_dts)
        item = av.Packet(packet.payload)
        item.stream = row.stream
        item.time_base = row.time_base
        item.pts, item.dts = max(pts, dts), dts
        item.is_keyframe = packet.is_key_frame
        row.held, row.held_duration = item, ns_to_ticks(packet.duration_ns, ticks_per_s)
        row.last_dts = dts

    def end_at(self, end_ns: int) -> None:
        """The clip ends earlier than was planned: a span whose last part did not come says so when it was read.

        Without it the last picture would stand until the planned end, hours later in the worst case.
        """
        self._end_ns = min(self._end_ns, end_ns)
        for row in self._rows:
            row.end_ticks = ns_to_ticks(self._end_ns, row.ticks_per_s)

    def _mux_held(self, row: _Row, until_next: int) -> None:
        # A picture stands until the next one comes. FFmpeg takes the furthest end it was told for the
        # track's, so a nominal 33 ms that a live source cut short would make the clip longer.
        is_cut = row.is_picture or until_next < row.held_duration
        row.held.duration = until_next if is_cut else row.held_duration
        self._container.mux_one(row.held)

    def _finish(self) -> None:
        for row in self._rows:
            if row.held is not None:
                self._mux_held(row, max(1, row.end_ticks - row.start_ticks - row.held.pts))
                row.held = None
        try:
            self._container.close()
        except av.ArgumentError as exc:
            if self._has_room:
                raise IndexTooLarge from exc
            raise

    def __enter__(self) -> ClipMuxer:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc_type is None:
            self._finish()
            return
        try:
            self._container.close()
        except (av.FFmpegError, OSError):
            return  # the file is given up; the first error is the one to tell


def _add_streams(container: Any, tracks: Sequence[TrackParams]) -> list[Any]:
    """Streams with the recorded headers. The encoders they are modelled on are never opened (10-30 ms each)."""
    streams = []
    with av.open(io.BytesIO(), "w", format="mp4") as model:
        for track in tracks:
            try:
                if track.kind == "video":
                    template = model.add_stream(
                        track.codec,
                        rate=track.frame_rate,
                        width=track.width_px,
                        height=track.height_px,
                        bit_rate=track.bit_rate_bps,
                    )
                else:
                    template = model.add_stream(
                        track.codec,
                        rate=track.sample_rate_hz,
                        layout="mono" if track.channels == 1 else "stereo",
                        bit_rate=track.bit_rate_bps,
                    )
            except (ValueError, av.FFmpegError) as exc:
                raise EncoderUnavailable(
                    f"this FFmpeg cannot write {track.codec}: {exc}; reinstall the av package"
                ) from exc
            stream = container.add_stream_from_template(template)
            stream.codec_context.extradata = track.extradata
            if track.codec == "hevc":
                stream.codec_context.codec_tag = "hvc1"  # Apple's players refuse FFmpeg's own choice, hev1
            streams.append(stream)
    return streams
