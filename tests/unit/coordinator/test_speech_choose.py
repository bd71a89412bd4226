"""Which engine is opened, and why."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog

from coordinator.errors import ModelUnavailable
from coordinator.speech import choose
from coordinator.speech.choose import SpeechSpec, open_transcriber
from coordinator.speech.resolve import ModelPlaces
from tests.fakes.toy_whisper import build_toy_whisper

PHRASES = ("we won the game",)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_toy_whisper(tmp_path_factory.mktemp("toy") / "base")


def _spec(models_dir: Path, **values: Any) -> SpeechSpec:
    places = ModelPlaces(model_dirs=(models_dir,))
    return SpeechSpec(places=places, grammar_phrases=PHRASES, device="cpu", **values)


def test_auto_takes_whisper_where_a_model_is(toy: Path) -> None:
    transcriber, reason = open_transcriber(_spec(toy.parent))

    assert (transcriber.engine, transcriber.model) == ("faster-whisper", "base")
    assert str(toy.parent) in reason


def test_auto_falls_back_to_pocketsphinx_and_says_why(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")

    with structlog.testing.capture_logs() as logs:
        transcriber, reason = open_transcriber(_spec(tmp_path))

    assert transcriber.engine == "pocketsphinx"
    assert "models fetch" in reason
    assert [(each["event"], each["log_level"]) for each in logs] == [("speech_engine_fell_back", "warning")]


@pytest.mark.logs("speech_engine_fell_back")
def test_auto_falls_back_when_the_model_does_not_load(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    (build_toy_whisper(tmp_path / "base") / "model.bin").write_bytes(bytes(5_000))

    transcriber, _ = open_transcriber(_spec(tmp_path))

    assert transcriber.engine == "pocketsphinx"


def test_whisper_by_name_without_a_model_fails(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="models fetch") as caught:
        open_transcriber(_spec(tmp_path, engine="faster-whisper"))

    assert caught.value.code == "model_unavailable"


def test_pocketsphinx_by_name_is_taken_beside_a_whisper_model(toy: Path) -> None:
    pytest.importorskip("pocketsphinx")

    transcriber, _ = open_transcriber(_spec(toy.parent, engine="pocketsphinx"))

    assert transcriber.engine == "pocketsphinx"


def test_pocketsphinx_that_is_not_installed_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)

    with pytest.raises(ModelUnavailable, match=r"clippy\[offline-asr\]"):
        open_transcriber(_spec(tmp_path, engine="pocketsphinx"))


def test_with_neither_engine_the_message_names_both_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        choose.importlib.util, "find_spec", lambda name: None if name == "pocketsphinx" else find_spec(name)
    )

    with pytest.raises(ModelUnavailable, match=r"models fetch.*clippy\[offline-asr\]"):
        open_transcriber(_spec(tmp_path))


def test_faster_whisper_that_is_not_installed_names_its_extra(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)

    with pytest.raises(ModelUnavailable, match=r"clippy\[coordinator\]"):
        open_transcriber(_spec(toy.parent, engine="faster-whisper"))


def test_an_engine_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="'siri'"):
        open_transcriber(_spec(tmp_path, engine="siri"))


def test_a_spec_survives_the_pipe() -> None:
    spec = SpeechSpec(
        engine="pocketsphinx",
        places=ModelPlaces(env_folder=Path("/a"), model_dirs=(Path("/b"), Path("/c")), hf_cache=Path("/d")),
        grammar_phrases=("one", "two"),
    )

    assert SpeechSpec.from_json(spec.to_json()) == spec
