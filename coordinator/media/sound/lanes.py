"""A recording's sound as the detector wants it: the voice apart from everything else, where the file has them apart."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from coordinator.media.intake.audio import decode_pcm16k
from coordinator.media.sound.choosing import MIX, Track, sound_tracks

Lane = Literal["mic", "desktop", "mix"]
Pcm = npt.NDArray[np.float32]
# How recorders call the track of who speaks; the first word of it, in any case.
_VOICES = frozenset({"mic", "mic/aux", "microphone", "voice", "commentary", "mikrofon", "micro", "micrófono"})


def decode_lanes(path: Path) -> dict[Lane, Pcm]:
    """Decode a recording to mono at 16 kHz: `mic` and `desktop` where its tracks are called so, else `mix`.

    Tracks without names say nothing of what is in them: then the first is heard, which is the mix by custom.

    Raises:
        AudioUnusable: It holds no sound that can be decoded.
        MediaUnusable: It cannot be opened.
    """
    named = [track for track in sound_tracks(path) if track.name]
    voices = [track for track in named if _is_voice(track)]
    # Neither the mix of all nor a voice as it was before it was cleaned is something else that is heard.
    others = [
        track
        for track in named
        if track not in voices and track.name.casefold() != MIX and not track.name.casefold().endswith("_raw")
    ]
    if not voices or not others:
        return {"mix": decode_pcm16k(path)}
    return {"mic": decode_pcm16k(path, number=voices[0].number), "desktop": _sum(path, others)}


def _is_voice(track: Track) -> bool:
    words = track.name.casefold().split()
    return bool(words) and words[0] in _VOICES


def _sum(path: Path, tracks: list[Track]) -> Pcm:
    total = decode_pcm16k(path, number=tracks[0].number)
    for track in tracks[1:]:
        more = decode_pcm16k(path, number=track.number)
        if more.size > total.size:
            total, more = more, total
        total[: more.size] += more
    return total
