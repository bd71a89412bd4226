"""What a model says that nobody said: loops, text on silence, text where no voice was detected. Pure.

No list of phrases: such a list fits the data it was made on, and real people say thanks, too.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from coordinator.model.speech import SAMPLE_RATE_HZ, Word
from coordinator.speech.vad import Span, overlap_samples

# OpenAI's reference thresholds: silence, and text that repeats itself.
NO_SPEECH_PROBABILITY = 0.6
UNSURE_LOG_PROBABILITY = -1.0
_REPETITIVE_RATIO = 2.4
_LONGEST_LOOP_WORDS = 8
_MOST_REPEATS = 5
# One word may be shouted more often than a phrase.
_MOST_REPEATED_WORDS = 10
# Alignment may be off by as much; spans are padded by 0.2 s beside it.
_TOLERANCE_S = 0.3


def is_repetitive(text: str) -> bool:
    """Does it compress as no speech does, or say a phrase six times in a row, or a word eleven times?"""
    encoded = text.encode()
    if encoded and len(encoded) / len(zlib.compress(encoded)) > _REPETITIVE_RATIO:
        return True
    return _loops(text.lower().split())


def is_silence(no_speech_probability: float, log_probability: float) -> bool:
    """Does the model itself think that nobody spoke? `log_probability` is the mean of its tokens."""
    return no_speech_probability > NO_SPEECH_PROBABILITY and log_probability < UNSURE_LOG_PROBABILITY


def words_in_speech(words: Sequence[Word], spans: Sequence[Span]) -> list[Word]:
    """Only the words of which some part lies where a voice was detected, or within 0.3 s of it."""
    return [word for word in words if any(_touches(word, span) for span in spans)]


def _touches(word: Word, span: Span) -> bool:
    start = int((word.start_s - _TOLERANCE_S) * SAMPLE_RATE_HZ)
    return overlap_samples(span, start, int((word.end_s + _TOLERANCE_S) * SAMPLE_RATE_HZ) + 1) > 0


def _loops(words: Sequence[str]) -> bool:
    for length in range(1, _LONGEST_LOOP_WORDS + 1):
        num_equal = 0
        for at in range(length, len(words)):
            num_equal = num_equal + 1 if words[at] == words[at - length] else 0
            if num_equal >= max(_MOST_REPEATED_WORDS, _MOST_REPEATS * length):
                return True
    return False
