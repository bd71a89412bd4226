"""Which tracks of a source are heard, and what goes down while the voice speaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import Samples
from coordinator.media.intake.opening import open_media
from coordinator.media.intake.span import Span
from coordinator.media.sound.ducking import ducked
from coordinator.media.sound.levelling import OpenSound
from coordinator.media.sound.mixing import mixed
from coordinator.model.exporting import SoundWish

# As our own recordings name their tracks. What is a part of another one is not mixed beside it.
MIX, VOICE, RAW_VOICE = "mix", "mic", "mic_raw"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track of sound that can be decoded: its number among the file's, from 0, and its name ("" : none)."""

    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.number} {self.name}".rstrip()


def sound_tracks(path: Path) -> list[Track]:
    """Return a file's tracks of sound.

    Raises:
        MediaUnusable: It cannot be opened.
    """
    with open_media(path) as container:
        return [
            Track(
                number=number, name=_name(stream.metadata.get("handler_name") or stream.metadata.get("title"))
            )
            for number, stream in enumerate(container.streams.audio)
            if stream.codec_context is not None
        ]


def _name(said: str | None) -> str:
    # What FFmpeg and Apple write where nobody said a name.
    return "" if said is None or said.strip() in ("SoundHandler", "Core Media Audio") else said.strip()


def choose_sound(span: Span, wish: SoundWish) -> OpenSound | None:
    """Return what opens the sound that is wished for; None where the source has none.

    Raises:
        MediaUnusable: The source has no such track, or no voice by which to duck the rest.
    """
    if not span.outline.has_audio:
        return None
    if wish.tracks is None and not wish.should_duck:
        return span.sound
    there = sound_tracks(span.path)
    chosen = _chosen(span.path, there, wish.tracks) if wish.tracks is not None else _parts(there)
    if not wish.should_duck:
        return lambda: _mix(span, chosen)
    voices = [track for track in chosen if track.name.casefold() == VOICE]
    if not voices:
        raise MediaUnusable(
            f"cannot duck the sound of {span.path.name}: none of what is heard is called {VOICE}; "
            f"it has {_listed(there)}"
        )
    others = [track for track in chosen if track not in voices]
    if not others:
        return lambda: _mix(span, voices)
    return ducked(lambda: _mix(span, voices), lambda: _mix(span, others))


def _mix(span: Span, tracks: Sequence[Track]) -> Iterator[Samples]:
    return mixed([span.sound(track.number) for track in tracks])


def _chosen(path: Path, there: Sequence[Track], wanted: Sequence[str]) -> list[Track]:
    found: list[Track] = []
    for word in wanted:
        matching = [track for track in there if track.name.casefold() == word.strip().casefold()]
        if not matching and word.strip().isdecimal():
            matching = [track for track in there if track.number == int(word)]
        if not matching:
            raise MediaUnusable(f"{path.name} has no track of sound {word!r}; it has {_listed(there)}")
        found += [track for track in matching if track not in found]
    return found


def _parts(there: Sequence[Track]) -> list[Track]:
    """Return what the mix was made of."""
    names = {track.name.casefold() for track in there}
    left_out = {MIX} | ({RAW_VOICE} if VOICE in names else set())
    return [track for track in there if track.name.casefold() not in left_out]


def _listed(tracks: Sequence[Track]) -> str:
    return ", ".join(map(str, tracks)) or "none that can be decoded"
