"""What the window can play: the generated match, or a recording; and the truth about a match.

A show knows its pictures, its two sounds and its end; the clock is the window's. Main thread only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from match import Decoy, Highlight, Timeline, phrases
from mix import Spoken, game_track, spoken_lines, voice_track
from pulse import SoundSource
from PySide6.QtGui import QPainter
from recording import Pictures, Recording, Sound
from scene import Scene
from speech import CachedSpeaker, EspeakSpeaker, Speaker


class Show(Protocol):
    """Something to play. Main thread only."""

    fps: int

    def sources(self) -> tuple[SoundSource, SoundSource]:
        """What is heard on the `game` and on the `voice` sink."""

    def paint(self, painter: QPainter, frame: int) -> None:
        """Draw frame number `frame`, counted from second 0."""

    def is_over(self, at_s: float) -> bool:
        """Whether there is nothing left to show."""

    def begin(self, t0_ns: int) -> None:
        """Told when second 0 will be, in monotonic ns, a second ahead."""

    def news(self, at_s: float) -> list[dict[str, Any]]:
        """What began since the last call, as events."""

    def close(self) -> None:
        """Free what is held."""


class MatchShow:
    """The generated match.

    Args:
        played: its timeline.
        size_px: width and height of the picture.
        fps: frames a second.
        truth: where to write what happens when, or None.
        cache: folder that keeps rendered speech, or None.
        has_marks: flash and beep each second, and count frames.

    Raises:
        SpeechUnavailable: There is no speech library here.
    """

    def __init__(
        self,
        played: Timeline,
        *,
        size_px: tuple[int, int],
        fps: int,
        truth: Path | None,
        cache: Path | None,
        has_marks: bool,
    ) -> None:
        self.fps = fps
        self._truth = truth
        self._timeline = played
        self._has_marks = has_marks
        speaker: Speaker = EspeakSpeaker()
        if cache is not None:
            speaker = CachedSpeaker(speaker, cache)
        self._lines = spoken_lines(played, speaker)
        speech = [
            (spoken.utterance.start_s, spoken.end_s)
            for spoken in self._lines
            if spoken.utterance.voice == "streamer"
        ]
        self._scene = Scene(self._timeline, speech, size_px=size_px, has_marks=has_marks)
        self._spans: list[tuple[str, Highlight | Decoy]] = []
        self._spans += [("highlight", span) for span in played.highlights]
        self._spans += [("decoy", span) for span in played.decoys]
        self._spans.sort(key=lambda named: named[1].start_s)

    def sources(self) -> tuple[SoundSource, SoundSource]:
        """See Show."""
        game = game_track(self._timeline, self._lines, has_beeps=self._has_marks)
        return game, voice_track(self._timeline, self._lines)

    def paint(self, painter: QPainter, frame: int) -> None:
        """See Show."""
        self._scene.paint(painter, frame, self.fps)

    def is_over(self, at_s: float) -> bool:
        """See Show."""
        return at_s >= self._timeline.duration_s

    def begin(self, t0_ns: int) -> None:
        """Write the truth; see Show."""
        if self._truth is None:
            return
        what = truth(self._timeline, self._lines, t0_ns)
        unfinished = self._truth.with_name(self._truth.name + ".unfinished")
        unfinished.write_text(json.dumps(what, indent=1), encoding="utf-8")
        unfinished.replace(self._truth)

    def news(self, at_s: float) -> list[dict[str, Any]]:
        """See Show."""
        begun = []
        while self._spans and self._spans[0][1].start_s <= at_s:
            name, span = self._spans.pop(0)
            begun.append({"event": name, "kind": span.kind, "start_s": span.start_s, "end_s": span.end_s})
        return begun

    def close(self) -> None:
        """Nothing is held; see Show."""


class VideoShow:
    """A recording, from its start to its end, once. Both sinks get its sound.

    Raises:
        RecordingUnusable: Not one picture of it can be decoded.
    """

    def __init__(self, recording: Recording, *, size_px: tuple[int, int]) -> None:
        self._recording = recording
        self.fps: int = recording.fps
        self._pictures = Pictures(self._recording, size_px)
        self._pictures.start()
        self._sounds: tuple[Sound, ...] = ()

    def sources(self) -> tuple[SoundSource, SoundSource]:
        """See Show."""
        game, voice = Sound(self._recording), Sound(self._recording)
        self._sounds = (game, voice)
        return game, voice

    def paint(self, painter: QPainter, frame: int) -> None:
        """See Show. Half a frame ahead, so that equal rates never show one twice and skip the next."""
        self._pictures.paint(painter, (frame + 0.5) / self.fps)

    def is_over(self, at_s: float) -> bool:
        """See Show. A sound that lost its sink never ends by itself: the stated length ends it."""
        has_sound_ended = all(sound.end_s is not None and at_s >= sound.end_s for sound in self._sounds)
        is_past_stated_end = at_s >= (self._recording.duration_s or 0.0)
        return self._pictures.is_over(at_s) and (has_sound_ended or is_past_stated_end)

    def begin(self, t0_ns: int) -> None:
        """Nothing depends on it; see Show."""

    def news(self, at_s: float) -> list[dict[str, Any]]:
        """A recording that broke off; see Show."""
        failure, self._pictures.failure = self._pictures.failure, None
        return (
            [] if failure is None else [{"event": "broken", "at_s": round(at_s, 1), "message": str(failure)}]
        )

    def close(self) -> None:
        """See Show."""
        self._pictures.stop()


def truth(played: Timeline, lines: Sequence[Spoken], t0_ns: int) -> dict[str, Any]:
    """What happens in the match and when, for whoever measures; times in seconds from t0."""
    return {
        "t0_monotonic_ns": t0_ns,
        "duration_s": played.duration_s,
        "seed": played.seed,
        "highlights": [_span(span) | {"shot_s": span.shot_s} for span in played.highlights],
        "decoys": [_span(span) for span in played.decoys],
        "spoken": [_spoken(spoken) for spoken in lines if spoken.utterance.voice == "streamer"],
        "advertised": [_spoken(spoken) for spoken in lines if spoken.utterance.voice == "advert"],
        "phrases": list(phrases()),
    }


def _span(span: Highlight | Decoy) -> dict[str, Any]:
    return {"start_s": span.start_s, "end_s": span.end_s, "kind": span.kind}


def _spoken(spoken: Spoken) -> dict[str, Any]:
    start_s = spoken.utterance.start_s
    words = [
        {
            "text": word.text,
            "start_s": round(start_s + word.start_s, 3),
            "end_s": round(start_s + word.end_s, 3),
        }
        for word in spoken.line.words
    ]
    return {
        "text": spoken.utterance.text,
        "start_s": start_s,
        "end_s": round(spoken.end_s, 3),
        "excitement": spoken.utterance.excitement,
        "words": words,
    }
