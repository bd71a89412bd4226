"""The match's two sound tracks, mixed block by block: `game` (what the desktop plays) and `voice` (the mic).

The microphone carries the streamer and a little noise of its own, never the game: so a recogniser hears
one speaker, and a loud advert is loud on the desktop alone. Memory does not grow with the match's length.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import sound
from match import Highlight, Timeline, Utterance
from speech import Line, Speaker, manner

RATE_HZ = 48_000
Stereo = npt.NDArray[np.int16]

_LOOP_RMS_DB = -20.0  # of the loops of sound.py
_CROWD_DBFS = -38.0
_CHEER_DBFS = -14.0
_MUSIC_DBFS = -17.0
_ROOM_DBFS = -66.0
_SILENT_DB = -80.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An utterance as it was rendered."""

    utterance: Utterance
    line: Line

    @property
    def end_s(self) -> float:
        """When it ends, from the start of the match."""
        return self.utterance.start_s + self.line.duration_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Clip:
    """A sound at a place: float32, shape (num_samples, 2)."""

    start: int
    samples: sound.Samples


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Loop:
    """A sound that repeats, with its loudness over time: decibels between breakpoints."""

    samples: sound.Samples
    at_s: npt.NDArray[np.float64]
    gain_db: npt.NDArray[np.float64]

    def block(self, start: int, num_samples: int) -> npt.NDArray[np.float32]:
        places = np.arange(start, start + num_samples)
        gain_db = np.interp(places / RATE_HZ, self.at_s, self.gain_db)
        looped = np.take(self.samples, places, axis=0, mode="wrap")
        return np.asarray(looped * (10 ** (gain_db / 20))[:, None], dtype=np.float32)


class Track:
    """One mixed track; a `pulse.SoundSource`. Silent before 0 and after the match's end."""

    def __init__(self, *, duration_s: float, clips: Sequence[_Clip], loops: Sequence[_Loop]) -> None:
        self._num_samples = round(duration_s * RATE_HZ)
        self._clips = sorted(clips, key=lambda clip: clip.start)
        self._starts = np.asarray([clip.start for clip in self._clips])
        self._longest = max((len(clip.samples) for clip in self._clips), default=0)
        self._loops = loops

    def block(self, start: int, num_samples: int) -> Stereo:
        """Samples `start` to `start + num_samples`: int16, shape (num_samples, 2)."""
        mixed = np.zeros((num_samples, 2), np.float32)
        first, last = max(start, 0), min(start + num_samples, self._num_samples)
        if first < last:
            wanted = mixed[first - start : last - start]
            for loop in self._loops:
                wanted += loop.block(first, last - first)
            self._add_clips(wanted, first)
        # Bent, not cut, where sounds add up past full scale.
        return np.asarray(np.tanh(mixed) * 32767.0, dtype=np.int16)

    def _add_clips(self, wanted: npt.NDArray[np.float32], first: int) -> None:
        last = first + len(wanted)
        candidates = slice(*np.searchsorted(self._starts, [first - self._longest, last]))
        for clip in self._clips[candidates]:
            begin, end = max(first, clip.start), min(last, clip.start + len(clip.samples))
            if begin < end:
                wanted[begin - first : end - first] += clip.samples[begin - clip.start : end - clip.start]


def spoken_lines(timeline: Timeline, speaker: Speaker) -> list[Spoken]:
    """Render every utterance of the match, in order of time."""
    rendered: dict[tuple[str, str, float], Line] = {}
    lines = []
    for utterance in timeline.utterances:
        key = (utterance.text, utterance.voice, utterance.excitement)
        if key not in rendered:
            rendered[key] = speaker.say(utterance.text, manner(utterance.voice, utterance.excitement))
        lines.append(Spoken(utterance=utterance, line=rendered[key]))
    return lines


def voice_track(timeline: Timeline, lines: Sequence[Spoken]) -> Track:
    """The microphone: what the streamer says."""
    clips = [_speech(spoken) for spoken in lines if spoken.utterance.voice == "streamer"]
    room = _steady(sound.room_noise(8.0, timeline.seed), _ROOM_DBFS)
    return Track(duration_s=timeline.duration_s, clips=clips, loops=[room])


def game_track(timeline: Timeline, lines: Sequence[Spoken], *, has_beeps: bool = False) -> Track:
    """The desktop: crowd, cheers, adverts and music; with `has_beeps` 1 kHz at the start of each second."""
    clips = [_speech(spoken) for spoken in lines if spoken.utterance.voice == "advert"]
    for decoy in timeline.decoys:
        if decoy.kind == "advert":
            bells = sound.jingle()
            clips.append(_clip(decoy.start_s, bells))
            clips.append(_clip(decoy.end_s - len(bells) / RATE_HZ, bells))
        elif decoy.kind == "music":
            tune = sound.music(decoy.end_s - decoy.start_s, timeline.seed)
            clips.append(_clip(decoy.start_s, tune * np.float32(_gain(_MUSIC_DBFS))))
    # The goal line's sensor beeps with the flash: what is seen and what is heard can be held side by side.
    clips += [_clip(highlight.shot_s, sound.beep()) for highlight in timeline.highlights]
    clips += [_clip(goal.shot_s, sound.horn()) for goal in timeline.highlights if goal.kind == "goal"]
    if has_beeps:
        clips += [_clip(float(second), sound.beep()) for second in range(int(timeline.duration_s) + 1)]
    return Track(
        duration_s=timeline.duration_s,
        clips=clips,
        loops=[
            _swelling(sound.crowd(16.0, timeline.seed), timeline.highlights, _CROWD_DBFS, 10.0),
            _swelling(sound.cheer(8.0, timeline.seed), timeline.highlights, None, _CHEER_DBFS),
        ],
    )


def _speech(spoken: Spoken) -> _Clip:
    both = np.stack([spoken.line.samples, spoken.line.samples], axis=1)
    return _clip(spoken.utterance.start_s, both)


def _clip(start_s: float, samples: sound.Samples) -> _Clip:
    return _Clip(start=round(start_s * RATE_HZ), samples=samples)


def _gain(level_dbfs: float) -> float:
    """Factor that brings a loop of sound.py to a level."""
    return float(10 ** ((level_dbfs - _LOOP_RMS_DB) / 20))


def _steady(samples: sound.Samples, level_dbfs: float) -> _Loop:
    gain_db = np.asarray([level_dbfs - _LOOP_RMS_DB])
    return _Loop(samples=samples, at_s=np.zeros(1), gain_db=gain_db)


def _swelling(
    samples: sound.Samples, highlights: Sequence[Highlight], calm_dbfs: float | None, loud_db: float
) -> _Loop:
    """A loop that grows at each shot and falls back by the highlight's end.

    With `calm_dbfs` it is always there and grows by `loud_db`; without, it is heard in highlights only, at
    `loud_db` dBFS.
    """
    calm_db = _SILENT_DB if calm_dbfs is None else calm_dbfs - _LOOP_RMS_DB
    peak_db = loud_db - _LOOP_RMS_DB if calm_dbfs is None else calm_db + loud_db
    expectant_db = max(calm_db, peak_db - 16.0)
    at_s, gain_db = [0.0], [calm_db]
    for highlight in highlights:
        shot_s, end_s = highlight.shot_s, highlight.end_s
        at_s += [highlight.start_s, shot_s - 0.3, shot_s, shot_s + 0.35, end_s - 1.5, end_s, end_s + 1.5]
        gain_db += [calm_db, expectant_db, expectant_db, peak_db, peak_db - 3.0, expectant_db, calm_db]
    return _Loop(samples=samples, at_s=np.asarray(at_s), gain_db=np.asarray(gain_db))
