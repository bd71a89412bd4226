"""Speech recognition at an OpenAI-compatible address: `POST /audio/transcriptions`, one window a request.

Only what voice detection kept leaves this machine. What comes back is bounded, checked and put inside its window:
the other side may be broken or hostile. Source: the OpenAI API reference, `verbose_json` with word times.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import email.utils
import io
import math
import time
import wave
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
import numpy.typing as npt

from coordinator.errors import AudioUnusable, CoordinatorError, JobFailed, ModelUnavailable, SpeechBusy
from coordinator.model.speech import SAMPLE_RATE_HZ, EngineName, Pcm16k, Transcript, Word
from coordinator.speech.guards import is_repetitive, is_silence, words_in_speech
from coordinator.speech.pcm import usable_samples
from coordinator.speech.vad import Span, speech_spans

_ENGINE: EngineName = "remote"
_STAGE = "transcribe"
_MAX_ANSWER_BYTES = 1024**2
_MAX_WORDS = 1_000
_MAX_WORD_CHARACTERS = 100
_PARALLEL = 4
# Once it has begun to answer it may finish within so much of its time.
_TOTAL_SHARE = 2.0
_DEFAULT_REST_S, _MAX_REST_S = 5.0, 3600.0
_UNDETERMINED = "und"
# OpenAI names languages in English; others give the code itself.
_CODES = {
    "english": "en",
    "german": "de",
    "french": "fr",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "dutch": "nl",
    "polish": "pl",
    "russian": "ru",
    "ukrainian": "uk",
    "turkish": "tr",
    "arabic": "ar",
    "hindi": "hi",
    "chinese": "zh",
    "japanese": "ja",
    "korean": "ko",
    "swedish": "sv",
    "czech": "cs",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSpeech:
    """Where to ask. Its key is in no text made of it. `timeout_s`: an answer has to begin within it."""

    base_url: str
    model: str
    api_key: str = dataclasses.field(default="", repr=False)
    timeout_s: float = 20.0


class _Segment(msgspec.Struct, frozen=True):
    start: float = 0.0
    end: float = 0.0
    text: str = ""
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0


class _SpokenWord(msgspec.Struct, frozen=True):
    word: str
    start: float
    end: float


class _Answer(msgspec.Struct, frozen=True):
    text: str
    language: str | None = None
    segments: list[_Segment] | None = None
    words: list[_SpokenWord] | None = None


class RemoteTranscriber:
    """A `Transcriber` over HTTP. Called from one thread at a time; asks about four windows at once."""

    engine: str = _ENGINE

    def __init__(self, remote: RemoteSpeech) -> None:
        """Prepare; nobody is asked yet.

        Raises:
            ModelUnavailable: The address, the model's name or the key cannot be used.
        """
        address = urlsplit(remote.base_url)
        if address.scheme not in ("http", "https") or not address.netloc:
            raise ModelUnavailable(
                f"asr.remote_url = {remote.base_url!r} is not http(s)://host/v1; set it, or another asr.engine"
            )
        if not remote.model:
            raise ModelUnavailable("asr.remote_model is empty; name a model of that service, e.g. whisper-1")
        if not (remote.api_key.isascii() and (remote.api_key.isprintable() or not remote.api_key)):
            raise ModelUnavailable("the key of asr holds characters that no header may; copy it again")
        self.model = remote.model
        self._remote = remote
        # No redirect: the key goes to the address that was configured. Not compressed: a small answer stays small.
        headers = {"Accept-Encoding": "identity"}
        if remote.api_key:
            headers["Authorization"] = f"Bearer {remote.api_key}"
        direct = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"), None)
        self._http: httpx.Client | None = httpx.Client(
            headers=headers, timeout=remote.timeout_s, follow_redirects=False, mounts=direct
        )
        self._threads = concurrent.futures.ThreadPoolExecutor(_PARALLEL, thread_name_prefix="remote-speech")

    def transcribe(self, windows: Sequence[Pcm16k]) -> list[Transcript]:
        """Return one transcript for each window, in the same order; see `Transcriber`.

        Raises:
            SpeechBusy: 429; says when to ask again.
            JobFailed: An answer that is none; retryable.
        """
        if self._http is None:
            raise ModelUnavailable("this remote transcriber is closed; open another")
        checked = [usable_samples(window) for window in windows]
        pending = [
            self._threads.submit(self._transcript, samples, window.language)
            for samples, window in zip(checked, windows, strict=True)
        ]
        try:
            return [each.result() for each in pending]
        finally:
            for each in pending:
                each.cancel()

    def close(self) -> None:
        """Let go of the connections. Twice is once."""
        http, self._http = self._http, None
        if http is not None:
            self._threads.shutdown(cancel_futures=True)
            http.close()

    def _transcript(self, samples: npt.NDArray[np.float32], language: str | None) -> Transcript:
        spans = speech_spans(samples)
        if not spans:
            return Transcript(words=(), language=language or "en", engine=_ENGINE, model=self.model)
        start, end = spans[0].start, spans[-1].end
        answer = _read_answer(self._ask(_wav(samples[start:end]), language))
        words = _words(answer, spans, origin_s=start / SAMPLE_RATE_HZ, end_s=end / SAMPLE_RATE_HZ)
        found = language or _code(answer.language)
        return Transcript(words=words, language=found, engine=_ENGINE, model=self.model)

    def _ask(self, body: bytes, language: str | None) -> bytes:
        assert self._http is not None
        fields = {
            "model": self.model,
            "response_format": "verbose_json",
            "temperature": "0",
            "timestamp_granularities[]": ["word", "segment"],
        }
        if language:
            fields["language"] = language
        url = f"{self._remote.base_url.rstrip('/')}/audio/transcriptions"
        files = {"file": ("window.wav", body, "audio/wav")}
        deadline_s = time.monotonic() + _TOTAL_SHARE * self._remote.timeout_s
        try:
            with self._http.stream("POST", url, data=fields, files=files) as response:
                content = bytearray()
                for part in response.iter_raw():
                    content += part
                    if len(content) > _MAX_ANSWER_BYTES:
                        raise _nonsense(f"more than {_MAX_ANSWER_BYTES} bytes")
                    if time.monotonic() > deadline_s:
                        raise _away(f"it did not finish within {_TOTAL_SHARE * self._remote.timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            # A text that quotes a header would quote the key.
            detail = f": {exc}" if isinstance(exc, httpx.ConnectError) else ""
            raise _away(f"{type(exc).__name__}{detail}") from exc
        if response.status_code != httpx.codes.OK:
            raise _refusal(response.status_code, response.headers.get("retry-after"))
        return bytes(content)


def rest_s(value: str | None, *, now: datetime.datetime) -> float:
    """Seconds that a Retry-After asks for, as seconds or as a date; at most an hour; 5 where it cannot be read."""
    try:
        seconds = float(value or "nan")
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value or "")
        except (TypeError, ValueError, IndexError, OverflowError):
            return _DEFAULT_REST_S
        seconds = (moment.replace(tzinfo=moment.tzinfo or datetime.UTC) - now).total_seconds() + 1.0
    return _DEFAULT_REST_S if math.isnan(seconds) else min(max(seconds, 0.0), _MAX_REST_S)


def _refusal(status: int, retry_after: str | None) -> CoordinatorError:
    if status == httpx.codes.TOO_MANY_REQUESTS:
        seconds = rest_s(retry_after, now=datetime.datetime.now(datetime.UTC))
        return SpeechBusy(f"the speech service has no room for {seconds:g} s", retry_after_s=seconds)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _away(f"HTTP {status}")
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return AudioUnusable("the speech service takes no window of this size (HTTP 413)")
    if status in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
        return JobFailed(_STAGE, f"the speech service refused a window with HTTP {status}", retryable=True)
    return ModelUnavailable(
        f"the speech service answered HTTP {status}; see asr.remote_url, asr.remote_model and its key"
    )


def _away(what: str) -> ModelUnavailable:
    error = ModelUnavailable(f"the speech service cannot be used: {what}; see asr.remote_url")
    error.retryable = True
    return error


def _nonsense(what: str) -> JobFailed:
    return JobFailed(_STAGE, f"the speech service answered no transcript: {what}", retryable=True)


def _read_answer(content: bytes) -> _Answer:
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
        raise _nonsense(str(exc)) from exc
    if len(answer.words or ()) > _MAX_WORDS or len(answer.segments or ()) > _MAX_WORDS:
        raise _nonsense(f"more than {_MAX_WORDS} words")
    return answer


def _words(answer: _Answer, spans: Sequence[Span], *, origin_s: float, end_s: float) -> tuple[Word, ...]:
    segments = answer.segments or []
    spoken = answer.words if answer.words is not None else _spread(segments)
    if is_repetitive(" ".join(each.word for each in spoken)[:20_000]):
        return ()
    silent = [each for each in segments if is_silence(each.no_speech_prob, each.avg_logprob)]
    words: list[Word] = []
    earliest_s = origin_s
    for each in spoken:
        text = "".join(sign for sign in each.word if sign.isprintable()).strip()[:_MAX_WORD_CHARACTERS]
        if not text or any(part.start <= each.start < part.end for part in silent):
            continue
        start_s = min(max(origin_s + each.start, earliest_s), end_s)
        words.append(Word(text=text, start_s=start_s, end_s=min(max(origin_s + each.end, start_s), end_s)))
        earliest_s = start_s
    return tuple(words_in_speech(words, spans))


def _spread(segments: Sequence[_Segment]) -> list[_SpokenWord]:
    """Words at equal distances, from a service that times segments only."""
    spread = []
    for segment in segments:
        texts = segment.text.split()[:_MAX_WORDS]
        step_s = (segment.end - segment.start) / max(1, len(texts))
        spread += [
            _SpokenWord(text, segment.start + at * step_s, segment.start + (at + 1) * step_s)
            for at, text in enumerate(texts)
        ]
    return spread[:_MAX_WORDS]


def _code(language: str | None) -> str:
    name = (language or "").strip().lower()
    is_code = len(name) in (2, 3) and name.isascii() and name.isalpha()
    return name if is_code else _CODES.get(name, _UNDETERMINED)


def _wav(samples: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return buffer.getvalue()
