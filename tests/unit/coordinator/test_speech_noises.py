"""No words where nobody speaks, down the whole way of `clippy-coordinator transcribe`; each channel its own speaker."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coordinator.cli import main
from coordinator.model.speech import Word
from coordinator.speech.guards import is_repetitive, is_silence, words_in_speech
from coordinator.speech.rhythm import is_rhythmic
from coordinator.speech.vad import Span, speech_spans
from tests.fakes.noises import NAMES, laughter, noise
from tests.fakes.toy_whisper import build_toy_whisper, say

_DATA = Path(__file__).resolve().parents[4] / "shared/datasets/speech"
_needs_data = pytest.mark.skipif(not _DATA.is_dir(), reason="the development data is not here")


@pytest.fixture
def transcribe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command prints of a file or of samples, by an engine."""
    monkeypatch.setenv("CLIPPY_COORDINATOR_DATA", str(tmp_path / "data"))

    def run(sound: Path | np.ndarray, engine: str) -> dict[str, Any]:
        if engine == "pocketsphinx":
            pytest.importorskip("pocketsphinx")
        else:
            monkeypatch.setenv("CLIPPY_WHISPER_MODEL", str(build_toy_whisper(tmp_path / "toy")))
        path = sound if isinstance(sound, Path) else _written(tmp_path / "sound.wav", sound)
        assert main(["transcribe", str(path), "--engine", engine, "--json"]) == 0
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        return printed

    return run


def _written(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("engine", ["pocketsphinx", "faster-whisper"])
@pytest.mark.parametrize("name", NAMES)
def test_noise_has_no_words(transcribe: Any, name: str, engine: str) -> None:
    assert transcribe(noise(name), engine)["words"] == []


@pytest.mark.parametrize("pitch_hz", [130.0, 220.0])
def test_laughter_has_no_words_in_open_english(transcribe: Any, pitch_hz: float) -> None:
    assert transcribe(laughter(3, pitch_hz), "pocketsphinx")["words"] == []


@pytest.mark.parametrize("engine", ["pocketsphinx", "faster-whisper"])
@_needs_data
def test_a_recording_without_speech_has_no_words(transcribe: Any, engine: str) -> None:
    assert transcribe(_DATA / "empty.wav", engine)["words"] == []


@_needs_data
def test_each_channel_has_its_own_speakers_words(transcribe: Any) -> None:
    words = transcribe(_DATA / "stereo_diarization.wav", "pocketsphinx")["words"]

    said = [{word["text"] for word in words if word["channel"] == channel} for channel in (0, 1)]
    # What the rough engine gets right of "He began a confused complaint against the wizard, who had vanished behind
    # the curtain on the left" and "The horizon seems extremely distant".
    assert said[0] >= {"began", "confused", "complaint", "wizard"}
    assert said[1] >= {"horizon", "seems", "extremely"}
    assert not said[0] & {"horizon", "extremely"}
    assert not said[1] & {"began", "confused", "complaint", "wizard"}


@_needs_data
def test_a_real_speech_keeps_its_words(transcribe: Any) -> None:
    said = [word["text"] for word in transcribe(_DATA / "jfk.flac", "pocketsphinx")["words"]]

    # The rough engine gets few of its 22 right; those it does get are there.
    assert {"my", "fellow", "americans", "you", "can"} <= set(said)


def test_speech_is_not_taken_for_laughter() -> None:
    spoken = [
        say(text, voice)
        for text in ("what a goal that was", "we won the game")
        for voice in ("en-us", "en-gb")
    ]

    assert [is_rhythmic(samples) for samples in spoken] == [False] * 4


@pytest.mark.parametrize("pitch_hz", [130.0, 220.0])
def test_laughter_is_rhythmic(pitch_hz: float) -> None:
    samples = laughter(4, pitch_hz)
    laughs = [samples[span.start : span.end] for span in speech_spans(samples)]

    assert laughs
    assert all(is_rhythmic(each) for each in laughs)


@pytest.mark.parametrize("num_samples", [0, 1, 640, 20_000])
def test_silence_has_no_rhythm(num_samples: int) -> None:
    assert not is_rhythmic(np.zeros(num_samples, dtype=np.float32))


@pytest.mark.parametrize(
    ("text", "is_loop"),
    [
        ("he scores he scores he scores", False),  # commentators do
        ("no no no no no no no", False),
        ("no " * 11, True),
        ("and then " * 6, True),
        ("thanks for watching " * 12, True),
        ("what a goal that was clip that right now", False),
        ("", False),
    ],
)
def test_text_that_goes_in_circles_is_a_loop(text: str, is_loop: bool) -> None:
    assert is_repetitive(text) is is_loop


def test_a_model_that_thinks_nobody_spoke_and_guesses_heard_silence() -> None:
    assert [is_silence(0.9, -1.5), is_silence(0.9, -0.2), is_silence(0.1, -1.5)] == [True, False, False]


def test_words_where_no_voice_was_are_left_out() -> None:
    words = [Word(text=str(at), start_s=at, end_s=at + 0.2) for at in (0.0, 2.0, 4.0)]

    kept = words_in_speech(words, [Span(0, 16_000), Span(4 * 16_000, 5 * 16_000)])

    assert [word.text for word in kept] == ["0.0", "4.0"]
