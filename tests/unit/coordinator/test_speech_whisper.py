"""faster-whisper over many streams, on a toy model of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coordinator.errors import ModelUnavailable
from coordinator.model.speech import Pcm16k
from coordinator.speech.batching import batches_by_key
from coordinator.speech.resolve import ModelFolder
from coordinator.speech.vad import Span
from coordinator.speech.whisper import WhisperTranscriber, _Heard, _without_pause, _words
from tests.fakes.toy_whisper import LANGUAGES, build_toy_whisper, say

PHRASES = (
    "clip that right now",
    "what a goal that was",
    "he scores",
    "we won the game",
    "triple kill",
    "let's go boys",
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return ModelFolder(
        name="toy", path=build_toy_whisper(tmp_path_factory.mktemp("toy"), is_multilingual=True), place="test"
    )


def test_streams_of_many_languages_never_mix(toy: ModelFolder) -> None:
    transcriber = WhisperTranscriber(toy, device="cpu", max_batch=3)
    languages = (*LANGUAGES, None)
    windows = [
        Pcm16k(samples=say(PHRASES[index % 6], ("en", "en-us+m3")[index // 6]), language=languages[index % 5])
        for index in range(12)
    ]

    together = transcriber.transcribe(windows)

    assert together == [transcriber.transcribe([window])[0] for window in windows]
    assert [each.language for each in together if each.language not in LANGUAGES] == []
    asked = [window.language for window in windows]
    assert all(want in (None, got.language) for want, got in zip(asked, together, strict=True))


@pytest.mark.logs("language_unknown")
def test_a_language_the_model_does_not_know_is_detected_instead(toy: ModelFolder) -> None:
    [transcript] = WhisperTranscriber(toy, device="cpu").transcribe(
        [Pcm16k(samples=say(PHRASES[0]), language="xx")]
    )

    assert transcript.language in LANGUAGES


def test_times_count_from_the_window_not_from_where_speech_begins(toy: ModelFolder) -> None:
    late = np.concatenate([np.zeros(5 * 16_000, dtype=np.float32), say(PHRASES[0])])

    [transcript] = WhisperTranscriber(toy, device="cpu").transcribe([Pcm16k(samples=late, language="en")])

    assert transcript.words
    assert min(word.start_s for word in transcript.words) >= 4.5


def test_a_folder_without_its_tokenizer_is_refused_before_the_network_is_asked(tmp_path: Path) -> None:
    path = build_toy_whisper(tmp_path / "toy")
    (path / "tokenizer.json").unlink()

    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json"):
        WhisperTranscriber(ModelFolder(name="toy", path=path, place="test"))


def test_weights_that_do_not_load_say_what_to_do(tmp_path: Path) -> None:
    path = build_toy_whisper(tmp_path / "toy")
    (path / "model.bin").write_bytes(bytes(5_000))

    with pytest.raises(ModelUnavailable, match="models check"):
        WhisperTranscriber(ModelFolder(name="toy", path=path, place="test"), device="cpu")


def test_a_device_that_is_not_there_says_so(toy: ModelFolder) -> None:
    with pytest.raises(ModelUnavailable, match="'tpu'"):
        WhisperTranscriber(toy, device="tpu")


def test_batches_hold_one_key_each_and_every_index_once() -> None:
    assert batches_by_key(["en", "de", "en", "en", "de"], 2) == [("en", [0, 2]), ("en", [3]), ("de", [1, 4])]


def test_a_word_that_took_up_a_pause_is_cut_to_its_speech() -> None:
    spans = [Span(0, 16_000), Span(48_000, 64_000)]

    assert _without_pause(0.9, 3.8, 1.4, spans) == (3.0, 3.8)


def test_a_word_of_usual_length_keeps_its_times() -> None:
    assert _without_pause(0.9, 1.5, 1.4, [Span(0, 16_000)]) == (0.9, 1.5)


def test_times_that_run_backwards_are_put_in_order() -> None:
    words = _words([_aligned(" one", 2.0, 2.2), _aligned(" two", 1.0, 1.1), _aligned(" ", 1, 2)], _heard(5.0))

    assert [(word.text, word.start_s, word.end_s) for word in words] == [("one", 2.0, 2.2), ("two", 2.0, 2.0)]


def test_words_that_end_after_the_window_end_with_it() -> None:
    [word] = _words([_aligned(" late", 4.9, 5.6)], _heard(5.0))

    assert (word.start_s, word.end_s) == (4.9, 5.0)


def test_broken_characters_are_left_out() -> None:
    [word] = _words([_aligned(" caf\ufffd", 0.0, 0.5), _aligned(" \ufffd", 0.5, 0.9)], _heard(5.0))

    assert word.text == "caf"


def _aligned(word: str, start_s: float, end_s: float) -> dict[str, object]:
    return {"word": word, "start": np.float64(start_s), "end": np.float64(end_s)}


def _heard(duration_s: float) -> _Heard:
    return _Heard(
        index=0,
        origin_s=0.0,
        duration_s=duration_s,
        samples=np.zeros(int(duration_s * 16_000), dtype=np.float32),
        spans=[Span(0, int(duration_s * 16_000))],
        features=np.zeros((80, 3_000), dtype=np.float32),
        num_frames=1,
        language="en",
    )
