"""The offline engine on a synthetic voice and on real recordings."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest
import structlog

from coordinator.errors import ModelUnavailable
from coordinator.model.speech import Pcm16k
from coordinator.speech.sphinx import PocketsphinxTranscriber
from tests.fakes.toy_whisper import say

pytest.importorskip("pocketsphinx")

RECORDINGS = Path(__file__).parents[4] / "shared" / "datasets" / "speech"
PHRASES = (
    "what a goal that was",
    "clip that right now",
    "he scores from the corner",
    "oh my god did you see that",
    "that was absolutely insane",
    "let's go boys",
    "we won the game",
    "push the left side",
    "the crowd goes wild",
    "what a save by the keeper",
    "that is the best play of the year",
    "one versus four clutch",
    "ladies and gentlemen welcome back",
)


@pytest.fixture(scope="module")
def grammar() -> PocketsphinxTranscriber:
    return PocketsphinxTranscriber(grammar_phrases=PHRASES)


def _text(transcriber: PocketsphinxTranscriber, samples: np.ndarray) -> str:
    [transcript] = transcriber.transcribe([Pcm16k(samples=samples)])
    return " ".join(word.text for word in transcript.words)


def _errors(truth: list[str], heard: list[str]) -> int:
    row = list(range(len(heard) + 1))
    for index, word in enumerate(truth, start=1):
        above, row = row, [index]
        for column, other in enumerate(heard, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (word != other)))
    return row[-1]


def test_expected_phrases_are_heard_in_voices_it_never_met(grammar: PocketsphinxTranscriber) -> None:
    pairs = [(phrase, voice) for phrase in PHRASES for voice in ("en", "en-us+m3", "en+f2")]

    heard = grammar.transcribe([Pcm16k(samples=say(phrase, voice)) for phrase, voice in pairs])

    errors = sum(
        _errors(phrase.split(), [word.text for word in transcript.words])
        for (phrase, _), transcript in zip(pairs, heard, strict=True)
    )
    assert errors <= 0.1 * sum(len(phrase.split()) for phrase, _ in pairs)


def test_phrases_may_come_in_any_order_with_any_pauses(grammar: PocketsphinxTranscriber) -> None:
    order = ("we won the game", "clip that right now", "what a goal that was")
    pauses_s = (0.1, 1.3, 0.4)
    parts = [
        part
        for phrase, pause_s in zip(order, pauses_s, strict=True)
        for part in (say(phrase), _silence(pause_s))
    ]

    assert _text(grammar, np.concatenate(parts)) == " ".join(order)


def test_words_begin_when_they_are_spoken(grammar: PocketsphinxTranscriber) -> None:
    starts_s, parts, at_s = [], [], 0.0
    for phrase, pause_s in (("we won the game", 0.9), ("let's go boys", 1.7), ("push the left side", 0.8)):
        spoken = say(phrase)
        starts_s.append(at_s + float(np.argmax(np.abs(spoken) > 0.02)) / 16_000)
        parts += [spoken, _silence(pause_s)]
        at_s += spoken.size / 16_000 + pause_s

    [transcript] = grammar.transcribe([Pcm16k(samples=np.concatenate(parts))])

    heard_s = {word.text: word.start_s for word in transcript.words}
    errors_s = [
        abs(heard_s[text] - start_s) for text, start_s in zip(("we", "let's", "push"), starts_s, strict=True)
    ]
    assert float(np.median(errors_s)) <= 0.06
    assert max(errors_s) <= 0.15


def test_most_other_speech_is_not_taken_for_a_phrase(grammar: PocketsphinxTranscriber) -> None:
    others = (
        "today we are going to cook pasta with tomato sauce",
        "please subscribe and leave a comment below",
    )

    num_heard = sum(len(_text(grammar, say(other)).split()) for other in others)

    assert num_heard < 0.6 * sum(len(other.split()) for other in others)


def test_words_come_back_as_they_were_written() -> None:
    transcriber = PocketsphinxTranscriber(grammar_phrases=["GG everybody", "what a 1v4"])

    assert _text(transcriber, say("what a one vee four")) == "what a 1v4"


def test_a_phrase_that_cannot_be_said_is_dropped_with_a_warning() -> None:
    with structlog.testing.capture_logs() as logs:
        PocketsphinxTranscriber(grammar_phrases=["we won the game", "zorblax wins"])

    assert [(each["event"], each["pii_phrase"]) for each in logs] == [("phrase_dropped", "zorblax wins")]


def test_open_english_takes_over_when_no_phrase_can_be_said() -> None:
    with structlog.testing.capture_logs() as logs:
        transcriber = PocketsphinxTranscriber(grammar_phrases=["zorblax"])

    assert transcriber.model == "en-us"
    assert logs[-1]["event"] == "grammar_ignored"


def test_another_language_gives_no_words_and_a_warning(grammar: PocketsphinxTranscriber) -> None:
    with structlog.testing.capture_logs() as logs:
        [transcript] = grammar.transcribe([Pcm16k(samples=say(PHRASES[0]), language="de")])

    assert (transcript.words, transcript.language) == ((), "de")
    assert logs[0]["event"] == "window_skipped"


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)

    with pytest.raises(ModelUnavailable, match=r"clippy\[offline-asr\]"):
        PocketsphinxTranscriber()


def test_open_english_hears_a_real_voice() -> None:
    left, right = _recording("stereo_diarization.wav")

    heard = _text(PocketsphinxTranscriber(), left)

    truth = "he began a confused complaint against the wizard who had vanished behind the curtain on the left"
    assert _errors(truth.split(), heard.split()) <= 0.35 * len(truth.split())
    assert right.size == left.size


def test_a_recording_without_speech_gives_no_words(grammar: PocketsphinxTranscriber) -> None:
    assert _text(grammar, _recording("empty.wav")[0]) == ""


def _silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * 16_000), dtype=np.float32)


def _recording(name: str) -> np.ndarray:
    path = RECORDINGS / name
    if not path.is_file():
        pytest.skip(f"{name} is not beside the repository (../shared/datasets/speech)")
    resampler = av.AudioResampler("fltp", None, 16_000)
    with av.open(str(path)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray() for frame in [*frames, *resampler.resample(None)]], axis=1)
