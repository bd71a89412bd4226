"""The words of a whole recording, of any length and any number of channels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coordinator.errors import AudioUnusable
from coordinator.model.speech import SAMPLE_RATE_HZ, Pcm16k, Word
from coordinator.speech.pcm import MAX_WINDOW_S
from coordinator.speech.vad import Span, speech_spans

if TYPE_CHECKING:
    from coordinator.ports import Transcriber

Samples = npt.NDArray[np.float32]
Decode = Callable[[Path], Samples]

_MAX_WINDOW_SAMPLES = int(MAX_WINDOW_S) * SAMPLE_RATE_HZ
# A longer pause is not worth listening to; a shorter one gives the engine its context.
_LONGEST_PAUSE_SAMPLES = 2 * SAMPLE_RATE_HZ
_BATCH = 16
# One voice panned between two channels is near 1; two people on a channel each are near 0.
_SAME_VOICE_CORRELATION = 0.5
_QUIET_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 50


def transcribe_file(
    path: Path, transcriber: Transcriber, decode: Decode, *, language: str | None = None
) -> list[Word]:
    """Return every word of a recording in time order, in seconds from its start, with its channel.

    Channels that carry the same sound count as one: channel 0.

    Args:
        decode: gives float32 at 16,000 Hz, shape (channels, num_samples); raises MediaUnusable by itself.

    Raises:
        AudioUnusable: What `decode` gave is no sound.
        ModelUnavailable: From the transcriber.
    """
    channels = independent_channels(decode(path))
    words: list[Word] = []
    for batch in _batched(_windows(channels), _BATCH):
        windows = [
            Pcm16k(samples=channels[index][span.start : span.end], language=language) for index, span in batch
        ]
        for (index, span), transcript in zip(batch, transcriber.transcribe(windows), strict=True):
            origin_s = span.start / SAMPLE_RATE_HZ
            words.extend(
                Word(
                    text=word.text,
                    start_s=origin_s + word.start_s,
                    end_s=origin_s + word.end_s,
                    channel=index,
                )
                for word in transcript.words
            )
    return sorted(words, key=lambda word: (word.start_s, word.channel))


def independent_channels(sound: Samples) -> list[Samples]:
    """Return the channels, or their mean alone where they carry the same sound.

    Raises:
        AudioUnusable: The array is not (channels, num_samples).
    """
    if sound.ndim != 2 or sound.shape[0] == 0:
        raise AudioUnusable(f"decoded sound has shape {sound.shape}; expected (channels, num_samples)")
    channels = [np.ascontiguousarray(np.nan_to_num(channel), dtype=np.float32) for channel in sound]
    for first, second in itertools.combinations(channels, 2):
        if _correlation(first, second) < _SAME_VOICE_CORRELATION:
            return channels
    return [np.mean(channels, axis=0, dtype=np.float32)] if len(channels) > 1 else channels


def windows_at_pauses(samples: Samples, spans: Sequence[Span]) -> list[Span]:
    """Return windows of at most 30 s over all spans of speech, cut at pauses where there are any."""
    windows: list[Span] = []
    for span in itertools.chain.from_iterable(_cut_to_length(samples, each) for each in spans):
        last = windows[-1] if windows else None
        if (
            last is not None
            and span.start - last.end <= _LONGEST_PAUSE_SAMPLES
            and span.end - last.start <= _MAX_WINDOW_SAMPLES
        ):
            windows[-1] = Span(last.start, span.end)
        else:
            windows.append(span)
    return windows


def _windows(channels: Sequence[Samples]) -> Iterator[tuple[int, Span]]:
    for index, channel in enumerate(channels):
        for span in windows_at_pauses(channel, speech_spans(channel)):
            yield index, span


def _cut_to_length(samples: Samples, span: Span) -> Iterator[Span]:
    start = span.start
    while span.end - start > _MAX_WINDOW_SAMPLES:
        # Nobody paused for 30 s: the quietest moment of the last third cuts the fewest words.
        earliest = start + _MAX_WINDOW_SAMPLES * 2 // 3
        cut = earliest + _quietest(samples[earliest : start + _MAX_WINDOW_SAMPLES])
        yield Span(start, cut)
        start = cut
    yield Span(start, span.end)


def _quietest(samples: Samples) -> int:
    num_blocks = samples.size // _QUIET_BLOCK_SAMPLES
    blocks = samples[: num_blocks * _QUIET_BLOCK_SAMPLES].reshape(num_blocks, _QUIET_BLOCK_SAMPLES)
    energy = np.convolve(np.mean(np.square(blocks), axis=1), np.ones(5), mode="same")
    return int(np.argmin(energy)) * _QUIET_BLOCK_SAMPLES + _QUIET_BLOCK_SAMPLES // 2


def _correlation(first: Samples, second: Samples) -> float:
    energy = float(np.dot(first, first)) * float(np.dot(second, second))
    if energy == 0.0:
        # A silent channel beside another says nothing either way; two silent ones are the same.
        return 1.0 if not first.any() and not second.any() else 0.0
    shared = float(np.dot(first, second))
    return shared / math.sqrt(energy)


def _batched(items: Iterable[tuple[int, Span]], size: int) -> Iterator[list[tuple[int, Span]]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
