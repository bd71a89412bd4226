"""Which pictures of a part can be copied, and which stand between them and an exact cut. Reads packets only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import av
import av.container
from av.video.stream import VideoStream

from coordinator.media.intake.decoding import rewind
from coordinator.media.intake.opening import origin_s
from coordinator.media.output.avc import SLICE_IDR, SPS, AvcHeader, kind_of, read_header, units_by_length

# A picture is decoded at most this long after one that is shown later.
_REORDERED_S = 2.0
# How much further back to look for a key frame where a seek landed too late.
_STEPS_BACK_S = (0.0, 2.0, 12.0, math.inf)
_UNKNOWN = -(1 << 62)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A picture's place on the line of its track, in ticks."""

    pts: int
    dts: int
    duration: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CutPlan:
    """A part of a file, in the order it is written: encoded pictures, copied ones, encoded ones.

    Attributes:
        start: PTS of the first picture, which becomes 0; in ticks of the track, as all of these.
        end: after the last picture.
        end_s: where the sound ends, on the file's own clock.
        head, tail: the pictures to encode, in the order shown.
        copied: PTS of those that are copied, and the DTS of each.
        header: of the track; None where nothing is encoded.
    """

    start: int
    end: int
    end_s: float
    head: tuple[Slot, ...]
    copied: dict[int, int]
    tail: tuple[Slot, ...]
    header: AvcHeader | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Picture:
    pts: int
    dts: int
    duration: int
    is_key: bool
    is_idr: bool
    is_hidden: bool
    has_new_header: bool

    @property
    def slot(self) -> Slot:
        return Slot(pts=self.pts, dts=self.dts, duration=self.duration)


def plan_cut(
    container: av.container.InputContainer, video: VideoStream, start_s: float, end_s: float | None
) -> CutPlan | None:
    """Plan the cut between two times in seconds from the file's start; None where nothing exact can be joined.

    Hidden pictures and a header that changes on the way are never copied.
    """
    if video.time_base is None:
        return None
    tick_s, frame_s = float(video.time_base), float(1 / (video.average_rate or 30))
    first_s = start_s + origin_s(container)
    last_s = math.inf if end_s is None else end_s + origin_s(container) - frame_s / 2
    header = read_header(video.codec_context.extradata or b"") if video.codec_context.name == "h264" else None
    pictures: list[_Picture] = []
    for back_s in _STEPS_BACK_S:
        pictures = list(_walk(container, video, header, (first_s, last_s), first_s + frame_s / 2 - back_s))
        if pictures and pictures[0].pts * tick_s <= first_s + frame_s / 2:
            break
    pictures = _with_dts(pictures)
    begins_late = first_s <= origin_s(container) + frame_s / 2
    start = _start(pictures, first_s, frame_s, tick_s, begins_late=begins_late)
    if start is None or not pictures[0].is_key:
        return None
    last = math.inf if math.isinf(last_s) else last_s / tick_s
    kept = [picture for picture in pictures if start <= picture.pts < last]
    if not kept or any(picture.is_hidden or picture.has_new_header for picture in kept):
        return None
    plan = _joined(pictures, kept, last, header)
    return dataclasses.replace(plan, end_s=last_s) if plan is not None else None


def _walk(
    container: av.container.InputContainer,
    video: VideoStream,
    header: AvcHeader | None,
    span_s: tuple[float, float],
    seek_s: float,
) -> Iterator[_Picture]:
    """Yield the pictures from the key frame before the part to a little behind it, in the order of decoding."""
    first_s, last_s = span_s
    assert video.time_base is not None
    if first_s > 0 and math.isfinite(seek_s):
        container.seek(int(seek_s / video.time_base), stream=video)
    else:
        rewind(container)
    for packet in container.demux(video):
        if packet.pts is None:
            continue
        yield _picture(packet, header)
        if packet.pts * video.time_base > last_s + _REORDERED_S:
            return


def _picture(packet: av.Packet[Any], header: AvcHeader | None) -> _Picture:
    is_idr, has_new_header = False, packet.has_sidedata("new_extradata")
    if packet.is_keyframe and header is not None:
        units = list(units_by_length(bytes(packet), header.length_bytes))
        is_idr = any(kind_of(unit) == SLICE_IDR for unit in units)
        has_new_header |= any(kind_of(unit) == SPS and unit not in header.sps for unit in units)
    return _Picture(
        pts=packet.pts or 0,
        dts=packet.dts if packet.dts is not None else _UNKNOWN,
        duration=packet.duration or 0,
        is_key=packet.is_keyframe,
        is_idr=is_idr,
        is_hidden=packet.is_discard,
        has_new_header=has_new_header,
    )


def _with_dts(pictures: list[_Picture]) -> list[_Picture]:
    """Give DTS to all where some have none (Matroska does not say them): the times shown, in order, early enough."""
    if all(picture.dts != _UNKNOWN for picture in pictures):
        return pictures
    shown = sorted(picture.pts for picture in pictures)
    delay = max(pts - picture.pts for pts, picture in zip(shown, pictures, strict=True))
    return [
        dataclasses.replace(picture, dts=pts - delay) for pts, picture in zip(shown, pictures, strict=True)
    ]


def _start(
    pictures: Sequence[_Picture], first_s: float, frame_s: float, tick_s: float, *, begins_late: bool
) -> int | None:
    """Return the PTS of the picture to begin with: a key frame within half a frame, else what is on screen then."""
    shown = [picture for picture in pictures if not picture.is_hidden]
    near = [p.pts for p in shown if p.is_key and abs(p.pts * tick_s - first_s) <= frame_s / 2]
    if near:
        return min(near, key=lambda pts: abs(pts * tick_s - first_s))
    before = [p.pts for p in shown if p.pts * tick_s <= first_s + 0.0005]
    if before and max(before) * tick_s >= first_s - 1.5 * frame_s:
        return max(before)
    # A source may begin with sound: its first picture then is where the part's picture begins. One that stood
    # still for long has none at that time.
    return min((p.pts for p in shown), default=None) if begins_late and not before else None


def _joined(
    pictures: Sequence[_Picture], kept: Sequence[_Picture], last: float, header: AvcHeader | None
) -> CutPlan | None:
    start = min(picture.pts for picture in kept)
    end = max(picture.pts + picture.duration for picture in kept)
    begin = next(
        (
            number
            for number, picture in enumerate(pictures)
            if (picture.is_key and picture.pts == start) or (picture.is_idr and start < picture.pts < last)
        ),
        None,
    )
    run: list[_Picture] = []
    behind: Sequence[_Picture] = ()
    if begin is not None:
        # Copied in the order of decoding, up to the first picture that is not kept: later ones may need it.
        stop = next((n for n in range(begin, len(pictures)) if pictures[n].pts >= last), len(pictures))
        run = [picture for picture in pictures[begin:stop] if picture.pts >= pictures[begin].pts]
        behind = pictures[stop:]
    copied = {picture.pts: picture.dts for picture in run}
    encoded = sorted((p for p in kept if p.pts not in copied), key=lambda picture: picture.pts)
    if not encoded:
        return CutPlan(start=start, end=end, end_s=0.0, head=(), copied=copied, tail=(), header=None)
    if header is None:
        return None
    head = [picture for picture in encoded if not run or picture.pts < run[0].pts]
    tail = [picture.slot for picture in encoded[len(head) :]]
    if tail and tail[0].pts < max(copied):
        return None
    # As early before its showing as the copied pictures are, or time would run backwards at the seam.
    delay = run[0].pts - run[0].dts if run else 0
    slots = [dataclasses.replace(slot, dts=picture.dts) for slot, picture in zip(tail, behind, strict=False)]
    if len(slots) != len(tail) or any(slot.dts > slot.pts for slot in slots):
        return None
    return CutPlan(
        start=start,
        end=end,
        end_s=0.0,
        head=tuple(dataclasses.replace(picture.slot, dts=picture.pts - delay) for picture in head),
        copied=copied,
        tail=tuple(slots),
        header=header,
    )
