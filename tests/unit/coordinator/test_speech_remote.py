"""Speech at an address: what is sent, and what becomes of answers that are none."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from coordinator.errors import (
    AudioUnusable,
    CoordinatorError,
    JobFailed,
    ModelUnavailable,
    SpeechBusy,
)
from coordinator.jobs.dispositions import Disposition, problem_of
from coordinator.model.speech import Pcm16k, Transcript
from coordinator.speech.child import SpeechProcess
from coordinator.speech.choose import SpeechSpec, open_transcriber
from coordinator.speech.remote import RemoteSpeech, RemoteTranscriber, rest_s
from tests.fakes.speech_server import SpeechServer, running_speech_server
from tests.fakes.toy_whisper import say

KEY = "sk-secret"


@pytest.fixture
def server() -> Iterator[SpeechServer]:
    with running_speech_server() as running:
        yield running


@pytest.fixture
def transcriber(server: SpeechServer) -> Iterator[RemoteTranscriber]:
    opened = RemoteTranscriber(_remote(server))
    yield opened
    opened.close()


def _remote(server: SpeechServer, timeout_s: float = 10.0) -> RemoteSpeech:
    return RemoteSpeech(base_url=server.url, model="whisper-1", api_key=KEY, timeout_s=timeout_s)


def _window(language: str | None = "en") -> Pcm16k:
    return Pcm16k(samples=say("what a goal that was"), language=language)


def _answer(**fields: Any) -> bytes:
    return json.dumps({"text": "x", "language": "english"} | fields).encode()


def _heard(transcriber: RemoteTranscriber, language: str | None = "en") -> Transcript:
    [transcript] = transcriber.transcribe([_window(language)])
    return transcript


def test_a_request_names_model_language_and_form_and_bears_the_key(
    server: SpeechServer, transcriber: RemoteTranscriber
) -> None:
    _heard(transcriber, "de")

    [(authorization, fields)] = server.seen
    assert authorization == f"Bearer {KEY}"
    assert (fields["model"], fields["language"], fields["response_format"]) == (
        "whisper-1",
        "de",
        "verbose_json",
    )


def test_nothing_is_sent_of_a_window_without_speech(
    server: SpeechServer, transcriber: RemoteTranscriber
) -> None:
    [transcript] = transcriber.transcribe([Pcm16k(samples=np.zeros(32_000, dtype=np.float32))])

    assert (transcript.words, server.seen) == ((), [])


@pytest.mark.parametrize(
    ("told", "language"), [("english", "en"), ("fr", "fr"), ("<b>", "und"), (None, "und")]
)
def test_a_language_that_was_not_asked_for_is_the_answers(
    server: SpeechServer, transcriber: RemoteTranscriber, told: str | None, language: str
) -> None:
    server.content = _answer(language=told, words=[])

    assert _heard(transcriber, None).language == language


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, ModelUnavailable),
        (503, ModelUnavailable),
        (401, ModelUnavailable),
        (404, ModelUnavailable),
        (302, ModelUnavailable),
        (413, AudioUnusable),
        (400, JobFailed),
        (422, JobFailed),
    ],
)
def test_a_refusal_is_an_error_of_ours_without_the_key(
    server: SpeechServer, transcriber: RemoteTranscriber, status: int, error: type[CoordinatorError]
) -> None:
    server.status, server.headers = status, {"Location": "http://127.0.0.1:1/elsewhere"}

    with pytest.raises(error) as caught:
        _heard(transcriber)

    assert KEY not in str(caught.value)
    assert len(server.seen) == 1


def test_no_room_rests_the_queue_as_long_as_was_asked_and_burns_no_attempt(
    server: SpeechServer, transcriber: RemoteTranscriber
) -> None:
    server.status, server.headers = 429, {"Retry-After": "77"}

    with pytest.raises(SpeechBusy) as caught:
        _heard(transcriber)

    problem = problem_of(caught.value, "transcription")
    assert (problem.disposition, problem.rest_s) == (Disposition.PAUSE, 77.0)


async def test_no_room_crosses_the_pipe_and_is_asked_once(server: SpeechServer) -> None:
    server.status, server.headers = 429, {"Retry-After": "77"}
    process = SpeechProcess(SpeechSpec(engine="remote", remote=_remote(server)))
    try:
        await process.start()
        with pytest.raises(SpeechBusy) as caught:
            await process.transcribe([_window()])
    finally:
        await process.aclose()

    assert caught.value.retry_after_s == 77.0
    assert len(server.seen) == 1


@pytest.mark.parametrize("behaviour", ["hang", "drop", "drip"])
def test_an_answer_that_does_not_come_is_waited_for_so_long(server: SpeechServer, behaviour: str) -> None:
    server.behaviour = behaviour
    transcriber = RemoteTranscriber(_remote(server, timeout_s=0.3))

    with pytest.raises(ModelUnavailable) as caught:
        _heard(transcriber)

    transcriber.close()
    assert caught.value.retryable


def test_nobody_there_is_a_model_that_is_not_there() -> None:
    transcriber = RemoteTranscriber(RemoteSpeech(base_url="http://127.0.0.1:1/v1", model="x", timeout_s=2.0))

    with pytest.raises(ModelUnavailable, match="remote_url"):
        _heard(transcriber)

    transcriber.close()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b'{"text": "x", "words": [', id="cut"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
        pytest.param(b'{"text": 5}', id="a number for text"),
        pytest.param(b'{"text": "x", "words": [{"word": "a", "start": NaN, "end": 1}]}', id="NaN"),
        pytest.param(_answer(words=[{"word": "a", "start": 0, "end": 1}] * 5_000), id="5,000 words"),
    ],
)
def test_an_answer_that_is_none_is_tried_again(
    server: SpeechServer, transcriber: RemoteTranscriber, content: bytes
) -> None:
    server.content = content

    with pytest.raises(JobFailed) as caught:
        _heard(transcriber)

    assert caught.value.retryable


def test_an_answer_without_end_is_cut_off(server: SpeechServer, transcriber: RemoteTranscriber) -> None:
    server.behaviour = "huge"

    with pytest.raises(JobFailed, match="bytes"):
        _heard(transcriber)


def test_hostile_words_are_put_inside_their_window(
    server: SpeechServer, transcriber: RemoteTranscriber
) -> None:
    server.content = _answer(
        words=[
            {"word": "late", "start": 1e300, "end": -1e300},
            {"word": "early", "start": -5, "end": 0.2},
            {"word": "\u202e\x00" + np.random.default_rng(0).bytes(5_000).hex(), "start": 0.3, "end": 0.5},
        ]
    )
    duration_s = _window().samples.size / 16_000

    words = _heard(transcriber).words

    assert all(0 <= word.start_s <= word.end_s <= duration_s for word in words)
    assert max(len(word.text) for word in words) <= 100
    assert not any("\u202e" in word.text or "\x00" in word.text for word in words)


def test_loops_and_silent_segments_have_no_words(
    server: SpeechServer, transcriber: RemoteTranscriber
) -> None:
    loop = [{"word": "thanks", "start": at / 20, "end": at / 20 + 0.04} for at in range(20)]
    silent = {"start": 0.0, "end": 9.0, "text": "you", "no_speech_prob": 0.9, "avg_logprob": -1.4}
    found = []
    for content in (_answer(words=loop), _answer(words=loop[:1], segments=[silent])):
        server.content = content
        found.append(_heard(transcriber).words)

    assert found == [(), ()]


def test_segments_without_words_are_spread_over_their_time(
    server: SpeechServer, transcriber: RemoteTranscriber
) -> None:
    server.content = _answer(segments=[{"start": 0.0, "end": 1.0, "text": " what a goal that"}])

    words = _heard(transcriber).words

    assert [word.text for word in words] == ["what", "a", "goal", "that"]


@pytest.mark.parametrize(
    "remote",
    [
        RemoteSpeech(base_url="ftp://x", model="m"),
        RemoteSpeech(base_url="http://x/v1", model=""),
        RemoteSpeech(base_url="http://x/v1", model="m", api_key="a\nb"),
    ],
)
def test_settings_that_cannot_be_used_say_so(remote: RemoteSpeech) -> None:
    with pytest.raises(ModelUnavailable):
        RemoteTranscriber(remote)


def test_the_engine_without_an_address_says_what_to_set() -> None:
    with pytest.raises(ModelUnavailable, match="remote_url"):
        open_transcriber(SpeechSpec(engine="remote"))


def test_a_spec_crosses_the_pipe_whole_and_its_text_hides_the_key() -> None:
    spec = SpeechSpec(engine="remote", remote=RemoteSpeech(base_url="http://x/v1", model="m", api_key=KEY))

    assert SpeechSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert KEY not in repr(spec)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 5.0),
        ("", 5.0),
        ("soon", 5.0),
        ("nan", 5.0),
        ("12", 12.0),
        ("-3", 0.0),
        ("inf", 3600.0),
        ("Thu, 01 Jan 2026 00:00:10 GMT", 11.0),
        ("Thu, 01 Jan 2099 00:00:00 GMT", 3600.0),
    ],
)
def test_a_rest_is_read_from_seconds_or_a_date(value: str | None, seconds: float) -> None:
    assert rest_s(value, now=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)) == seconds
