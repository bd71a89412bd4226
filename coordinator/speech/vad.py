"""Where somebody speaks: Silero where faster-whisper brings it, else loudness above the noise floor.

Stateless: the same samples give the same spans, whatever was heard before.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coordinator.model.speech import SAMPLE_RATE_HZ

_FRAME_SAMPLES = SAMPLE_RATE_HZ // 50
# Stationary noise stays within a factor of two of its own tenth percentile; speech does not.
_FLOOR_RATIO = 3.0
_QUIETEST_SPEECH_RMS = 0.003
_SHORTEST_SPEECH_SAMPLES = SAMPLE_RATE_HZ // 10
# Silero's own default, which faster-whisper sets to 0: single bangs and blips then pass for speech.
_SHORTEST_SPEECH_MS = 250


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A stretch of samples, `start` included, `end` not."""

    start: int
    end: int

    @property
    def num_samples(self) -> int:
        """How many samples it covers."""
        return self.end - self.start


def speech_spans(
    samples: npt.NDArray[np.float32], *, min_silence_ms: int = 500, pad_ms: int = 200
) -> list[Span]:
    """Return where speech is, in order and apart from each other.

    Args:
        samples: float32, mono, 16,000 Hz, shape (num_samples,).
        min_silence_ms: a shorter pause does not end a span.
        pad_ms: what is kept before and after, where no neighbour needs it.
    """
    if samples.size == 0 or not samples.any():
        return []
    if has_silero():
        return _silero_spans(samples, min_silence_ms, pad_ms)
    return _loud_spans(samples, min_silence_ms, pad_ms)


@functools.cache
def has_silero() -> bool:
    """Tell whether Silero is installed; it comes with the `coordinator` extra."""
    return all(importlib.util.find_spec(name) for name in ("faster_whisper", "onnxruntime"))


def overlap_samples(span: Span, start: int, end: int) -> int:
    """Return how many samples the span shares with [start, end)."""
    return max(0, min(span.end, end) - max(span.start, start))


def _silero_spans(samples: npt.NDArray[np.float32], min_silence_ms: int, pad_ms: int) -> list[Span]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # costs 0.7 s

    options = VadOptions(
        min_speech_duration_ms=_SHORTEST_SPEECH_MS,
        min_silence_duration_ms=min_silence_ms,
        speech_pad_ms=pad_ms,
    )
    found = get_speech_timestamps(samples, options)
    return [Span(int(each["start"]), min(int(each["end"]), samples.size)) for each in found]


def _loud_spans(samples: npt.NDArray[np.float32], min_silence_ms: int, pad_ms: int) -> list[Span]:
    num_frames = samples.size // _FRAME_SAMPLES
    if num_frames == 0:
        return []
    frames = samples[: num_frames * _FRAME_SAMPLES].reshape(num_frames, _FRAME_SAMPLES)
    rms = np.sqrt(np.mean(np.square(frames), axis=1))
    threshold = max(float(np.percentile(rms, 10)) * _FLOOR_RATIO, _QUIETEST_SPEECH_RMS)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], rms > threshold, [False]))))
    loud = [
        Span(int(start) * _FRAME_SAMPLES, int(end) * _FRAME_SAMPLES)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    joined = _joined(loud, min_silence_ms * SAMPLE_RATE_HZ // 1000)
    spoken = [span for span in joined if span.num_samples >= _SHORTEST_SPEECH_SAMPLES]
    return _padded(spoken, pad_ms * SAMPLE_RATE_HZ // 1000, samples.size)


def _joined(spans: Sequence[Span], max_gap: int) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and span.start - joined[-1].end < max_gap:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


def _padded(spans: Sequence[Span], pad: int, num_samples: int) -> list[Span]:
    padded: list[Span] = []
    for index, span in enumerate(spans):
        before = spans[index - 1].end if index else 0
        after = spans[index + 1].start if index + 1 < len(spans) else num_samples
        room_before = (span.start - before) // 2 if index else span.start
        room_after = (after - span.end) // 2 if index + 1 < len(spans) else after - span.end
        padded.append(Span(span.start - min(pad, room_before), span.end + min(pad, room_after)))
    return padded
