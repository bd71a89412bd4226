"""Where speech is, with Silero and without it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from coordinator.speech import vad
from coordinator.speech.vad import Span, speech_spans
from tests.fakes.toy_whisper import say


@pytest.fixture(params=["silero", "loudness"])
def detector(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "silero" and not vad.has_silero():
        pytest.skip("faster-whisper is not installed")
    monkeypatch.setattr(vad, "has_silero", lambda: request.param == "silero")
    return str(request.param)


def _quiet(seconds: float) -> np.ndarray:
    return (np.random.default_rng(2).standard_normal(int(seconds * 16_000)) * 1e-4).astype(np.float32)


@pytest.mark.usefixtures("detector")
def test_two_utterances_are_two_spans_around_them() -> None:
    first, second = say("what a goal that was"), say("we won the game")
    samples = np.concatenate([_quiet(1), first, _quiet(2), second, _quiet(1)])

    spans = speech_spans(samples)

    middles = [16_000 + first.size // 2, 3 * 16_000 + first.size + second.size // 2]
    assert len(spans) == 2
    assert all(span.start < middle < span.end for span, middle in zip(spans, middles, strict=True))


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("seconds", [0, 0.001, 0.5, 30])
def test_silence_has_no_spans(seconds: float) -> None:
    assert speech_spans(np.zeros(int(seconds * 16_000), dtype=np.float32)) == []


@pytest.mark.usefixtures("detector")
def test_even_noise_has_no_spans() -> None:
    noise = np.random.default_rng(1).standard_normal(160_000) * 0.1

    assert speech_spans(noise.astype(np.float32)) == []


@pytest.mark.usefixtures("detector")
def test_spans_stay_inside_the_samples_and_apart() -> None:
    samples = np.concatenate(
        [say("triple kill"), _quiet(0.7), say("we won the game"), _quiet(0.6), say("no way")]
    )

    spans = speech_spans(samples)

    assert spans[0].start >= 0
    assert spans[-1].end <= samples.size
    assert all(before.end <= after.start for before, after in itertools.pairwise(spans))


def test_padding_meets_half_way_in_a_short_pause() -> None:
    assert vad._padded([Span(100, 200), Span(220, 300)], 50, 320) == [Span(50, 210), Span(210, 320)]
