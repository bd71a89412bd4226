"""The words of a whole recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from coordinator.errors import AudioUnusable
from coordinator.model.speech import Pcm16k, Transcript, Word
from coordinator.speech.files import independent_channels, transcribe_file, windows_at_pauses
from coordinator.speech.vad import Span
from tests.fakes.toy_whisper import say

RATE_HZ = 16_000


class Listener:
    """A transcriber that reports one word for each window: all of it."""

    engine = "pocketsphinx"
    model = "listener"

    def __init__(self) -> None:
        self.lengths_s: list[float] = []

    def transcribe(self, windows: Sequence[Pcm16k]) -> list[Transcript]:
        self.lengths_s += [window.samples.size / RATE_HZ for window in windows]
        return [
            Transcript(
                words=(Word(text="heard", start_s=0.0, end_s=window.samples.size / RATE_HZ),),
                language="en",
                engine="pocketsphinx",
                model=self.model,
            )
            for window in windows
        ]

    def close(self) -> None:
        """Nothing to free."""


def _words(sound: np.ndarray, listener: Listener | None = None) -> list[Word]:
    return transcribe_file(Path("recording"), listener or Listener(), lambda _: sound)


def _silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE_HZ), dtype=np.float32)


def test_times_count_from_the_start_of_the_file() -> None:
    spoken = say("what a goal that was")
    sound = np.concatenate([_silence(40), spoken, _silence(10), spoken, _silence(1)])[None]

    words = _words(sound)

    second_s = 50 + spoken.size / RATE_HZ
    assert [word.start_s for word in words] == pytest.approx([40, second_s], abs=0.3)


def test_windows_are_at_most_30_s_and_cut_in_pauses() -> None:
    phrase = np.concatenate([say("what a goal that was"), _silence(0.8)])
    listener = Listener()

    words = _words(np.tile(phrase, 40)[None], listener)

    pauses_s = [index * phrase.size / RATE_HZ for index in range(41)]
    assert len(listener.lengths_s) >= 2
    assert max(listener.lengths_s) <= 30
    assert all(min(abs(word.start_s - pause_s) for pause_s in pauses_s) < 0.5 for word in words)


def test_two_voices_on_two_channels_keep_their_channels() -> None:
    left = np.concatenate([say("we won the game"), _silence(4)])
    right = np.concatenate([_silence(3), say("clip that right now", "en-gb")])
    length = max(left.size, right.size)
    sound = np.stack([np.pad(each, (0, length - each.size)) for each in (left, right)])

    assert [word.channel for word in _words(sound)] == [0, 1]


def test_one_voice_on_two_channels_is_heard_once() -> None:
    spoken = say("we won the game")

    words = _words(np.stack([spoken, spoken * 0.6]))

    assert [word.channel for word in words] == [0]


def test_a_silent_recording_has_no_words() -> None:
    assert _words(np.zeros((2, 5 * RATE_HZ), dtype=np.float32)) == []


def test_an_empty_recording_has_no_words() -> None:
    assert _words(np.zeros((1, 0), dtype=np.float32)) == []


@pytest.mark.parametrize("shape", [(16_000,), (0, 16_000), (1, 2, 3)])
def test_what_is_no_sound_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioUnusable, match="shape"):
        _words(np.zeros(shape, dtype=np.float32))


def test_a_channel_of_nan_is_silence() -> None:
    spoken = say("we won the game")

    words = _words(np.stack([spoken, np.full_like(spoken, np.nan)]))

    assert {word.channel for word in words} == {0}


def test_speech_without_a_pause_is_cut_at_its_quietest_moment() -> None:
    samples = np.ones(40 * RATE_HZ, dtype=np.float32)
    samples[25 * RATE_HZ : 25 * RATE_HZ + 2_000] = 0.0

    first, second = windows_at_pauses(samples, [Span(0, samples.size)])

    assert abs(first.end - 25 * RATE_HZ - 1_000) < 1_000
    assert (second.start, second.end) == (first.end, samples.size)


def test_long_pauses_are_not_listened_to() -> None:
    samples = _silence(20)

    windows = windows_at_pauses(samples, [Span(0, 16_000), Span(32_000, 48_000), Span(160_000, 176_000)])

    assert windows == [Span(0, 48_000), Span(160_000, 176_000)]


def test_opposite_phases_of_one_voice_do_not_cancel_out() -> None:
    spoken = say("we won the game")

    assert [channel.any() for channel in independent_channels(np.stack([spoken, -spoken]))] == [True, True]
