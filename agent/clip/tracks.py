"""Which sounds a clip carries: a view of a span with fewer tracks. Pure but for the span it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from agent.errors import InputUnusable
from agent.model.media import EncodedPacket, SpanLack, TrackParams
from agent.ports import PacketSpan

ALL = "all"
NONE = "none"


def parse_tracks(text: str) -> tuple[str, ...]:
    """`all`, `none` or names with commas between (`mix,mic`), as a tuple of words.

    Raises:
        InputUnusable: An empty name, or `all` or `none` beside others.
    """
    names = tuple(part.strip() for part in text.split(","))
    if not all(names) or (len(names) > 1 and {ALL, NONE} & set(names)):
        raise InputUnusable(f"clips.tracks = {text!r} is not understood; write all, none, or e.g. mix,mic")
    return names


class ChosenTracks:
    """`PacketSpan`: another one with some of its tracks, numbered anew in their order."""

    def __init__(self, span: PacketSpan, numbers: Sequence[int]) -> None:
        """Look through `span`, which it closes when it is closed."""
        self._span = span
        self._new_number = {old: new for new, old in enumerate(numbers)}
        self.tracks: Sequence[TrackParams] = tuple(span.tracks[number] for number in numbers)

    @property
    def session_id(self) -> str:
        """As the span's; so are its ends, which may come nearer while it is read."""
        return self._span.session_id

    @property
    def start_ns(self) -> int:
        return self._span.start_ns

    @property
    def end_ns(self) -> int:
        return self._span.end_ns

    @property
    def lack(self) -> SpanLack | None:
        return self._span.lack

    def packets(self) -> Iterator[EncodedPacket]:
        """The packets of the chosen tracks, as the port says."""
        for packet in self._span.packets():
            number = self._new_number.get(packet.track)
            if number is not None:
                yield packet if number == packet.track else msgspec.structs.replace(packet, track=number)

    def close(self) -> None:
        """Close the span below."""
        self._span.close()

    def __enter__(self) -> ChosenTracks:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def choose_tracks(span: PacketSpan, wanted: Sequence[str]) -> tuple[PacketSpan, list[str]]:
    """The picture and the wanted sounds of a span, and the names of those it does not have.

    Of names none of which is there the mix comes instead: a press is never lost over a word.
    """
    sounds = [track.name for track in span.tracks if track.kind == "audio"]
    names: list[str] = list(wanted)
    if not names or names == [ALL]:
        return span, []
    missing = [] if names == [NONE] else [name for name in names if name not in sounds]
    kept = [name for name in sounds if name in names]
    if not kept and names != [NONE]:
        kept = sounds[:1]
    numbers = [
        number for number, track in enumerate(span.tracks) if track.kind == "video" or track.name in kept
    ]
    return (span if len(numbers) == len(span.tracks) else ChosenTracks(span, numbers)), missing


def sound_names(span: PacketSpan) -> tuple[str, ...]:
    """The names of its sound tracks, in order."""
    return tuple(track.name for track in span.tracks if track.kind == "audio")
