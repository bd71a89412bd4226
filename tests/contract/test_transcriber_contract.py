"""What every `Transcriber` keeps, whichever engine is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from coordinator.errors import AudioUnusable, ModelUnavailable
from coordinator.model.speech import Pcm16k, Transcript
from coordinator.ports import Transcriber
from coordinator.speech.remote import RemoteSpeech, RemoteTranscriber
from coordinator.speech.resolve import ModelFolder
from coordinator.speech.sphinx import PocketsphinxTranscriber
from coordinator.speech.whisper import WhisperTranscriber
from tests.fakes.speech_server import running_speech_server
from tests.fakes.toy_whisper import build_toy_whisper, say

PHRASES = (
    "clip that right now",
    "what a goal that was",
    "he scores from the corner",
    "we won the game",
    "triple kill",
)
ENGINES = ("pocketsphinx", "toy-whisper", "toy-whisper-languages", "remote")


@pytest.fixture(scope="module", params=ENGINES)
def transcriber(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Transcriber]:
    with running_speech_server() as server:
        opened = _opened(request.param, tmp_path_factory.mktemp("models"), server.url)
        yield opened
        opened.close()


def _opened(engine: str, folder: Path, url: str = "http://127.0.0.1:1/v1") -> Transcriber:
    if engine == "remote":
        return RemoteTranscriber(RemoteSpeech(base_url=url, model="fake"))
    if engine == "pocketsphinx":
        pytest.importorskip("pocketsphinx")
        return PocketsphinxTranscriber(grammar_phrases=PHRASES)
    # With these weights each phrase has a text of its own; with the usual ones some differ in their times alone.
    path = build_toy_whisper(folder / "toy", is_multilingual=engine.endswith("languages"), seed=8)
    return WhisperTranscriber(ModelFolder(name="toy", path=path, place="test"), device="cpu", max_batch=4)


def _window(text: str, voice: str = "en-us") -> Pcm16k:
    return Pcm16k(samples=say(text, voice), language="en")


def _spoken_windows() -> list[Pcm16k]:
    windows = [_window(text) for text in PHRASES]
    windows[2:2] = [Pcm16k(samples=np.zeros(16_000, dtype=np.float32))]
    return windows


def test_no_window_gives_no_transcript(transcriber: Transcriber) -> None:
    assert transcriber.transcribe([]) == []


@pytest.mark.parametrize("num_samples", [0, 1, 160, 16_000, 480_000])
def test_silence_gives_no_words(transcriber: Transcriber, num_samples: int) -> None:
    [transcript] = transcriber.transcribe([Pcm16k(samples=np.zeros(num_samples, dtype=np.float32))])

    assert transcript.words == ()


def test_noise_and_music_give_no_words(transcriber: Transcriber) -> None:
    time_s = np.arange(10 * 16_000) / 16_000
    noise = np.random.default_rng(1).standard_normal(time_s.size) * 0.1
    chord = sum(np.sign(np.sin(2 * np.pi * pitch_hz * time_s)) for pitch_hz in (220, 277.2, 329.6)) * 0.05

    transcripts = transcriber.transcribe([Pcm16k(samples=each.astype(np.float32)) for each in (noise, chord)])

    assert [each.words for each in transcripts] == [(), ()]


def test_a_batch_gives_what_each_window_gives_by_itself(transcriber: Transcriber) -> None:
    windows = _spoken_windows()

    together = transcriber.transcribe(windows)

    assert together == [transcriber.transcribe([window])[0] for window in windows]


def test_transcripts_come_in_the_order_of_their_windows(transcriber: Transcriber) -> None:
    windows = _spoken_windows()

    backwards = transcriber.transcribe(windows[::-1])

    assert backwards[::-1] == transcriber.transcribe(windows)
    assert len({tuple(word.text for word in each.words) for each in backwards}) == len(windows)


def test_what_was_heard_before_changes_nothing(transcriber: Transcriber) -> None:
    window = _window(PHRASES[0])
    first = transcriber.transcribe([window])

    transcriber.transcribe([_window(PHRASES[1], "en-gb"), _window(PHRASES[3])])

    assert transcriber.transcribe([window]) == first


def test_words_lie_in_time_order_within_their_window(transcriber: Transcriber) -> None:
    windows = _spoken_windows()

    for window, transcript in zip(windows, transcriber.transcribe(windows), strict=True):
        assert _is_in_order(transcript, window.samples.size / 16_000)


def test_times_are_plain_floats(transcriber: Transcriber) -> None:
    words = [word for each in transcriber.transcribe(_spoken_windows()) for word in each.words]

    assert {type(value) for word in words for value in (word.start_s, word.end_s)} == {float}


def test_a_transcript_names_its_engine_and_model(transcriber: Transcriber) -> None:
    [transcript] = transcriber.transcribe([_window(PHRASES[0])])

    assert (transcript.engine, transcript.model) == (transcriber.engine, transcriber.model)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros((2, 100), dtype=np.float32), id="two channels"),
        pytest.param(np.zeros(100, dtype=np.int16), id="integers"),
        pytest.param(np.zeros(31 * 16_000, dtype=np.float32), id="31 s"),
        pytest.param(np.array([0.0, np.nan], dtype=np.float32), id="NaN"),
    ],
)
def test_a_window_that_is_none_is_refused(transcriber: Transcriber, samples: np.ndarray) -> None:
    with pytest.raises(AudioUnusable):
        transcriber.transcribe([_window(PHRASES[0]), Pcm16k(samples=samples)])


@pytest.mark.parametrize("engine", ENGINES)
def test_closing_twice_is_once_and_ends_its_use(engine: str, tmp_path: Path) -> None:
    transcriber = _opened(engine, tmp_path)

    transcriber.close()
    transcriber.close()

    with pytest.raises(ModelUnavailable):
        transcriber.transcribe([_window(PHRASES[0])])


def _is_in_order(transcript: Transcript, duration_s: float) -> bool:
    starts_s = [word.start_s for word in transcript.words]
    return starts_s == sorted(starts_s) and all(
        0 <= word.start_s <= word.end_s <= duration_s for word in transcript.words
    )
