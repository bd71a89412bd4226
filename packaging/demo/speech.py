"""Speech for the demo: espeak-ng turns lines into 48 kHz sound whose words and their times are known.

Uses the library, not the program: it reports when each word begins. Rendered lines are kept as WAV with a
JSON beside them, so a second match starts faster. The library has one global state: one thread at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import hashlib
import json
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
Samples = npt.NDArray[np.float32]

_RETRIEVE_SYNCHRONOUSLY = 2
_CHARACTERS = 1
_UTF8 = 1
_WORD_EVENT = 1
_LIST_END = 0
_PARAMETER = {"rate": 1, "volume": 2, "pitch": 3, "range": 4}
_CACHE_VERSION = 1  # raise when the same line would sound different


class SpeechUnavailable(Exception):
    """The speech library is not installed or does not work; the message says what to do."""

    code = "speech_unavailable"
    retryable = False
    exit_code = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a line is said, in espeak-ng's units: words a minute, and 0 to 99 for pitch and its range."""

    voice: str
    rate_wpm: int
    pitch: int
    pitch_range: int
    level_dbfs: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word and when it sounds, in seconds from the start of its line."""

    text: str
    start_s: float
    end_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One rendered line: float32, mono, 48,000 Hz, at the level its manner asks for, silence cut off."""

    text: str
    samples: Samples
    words: tuple[Word, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / RATE_HZ


class Speaker(Protocol):
    """Turns one line into sound. Called from one thread at a time."""

    def say(self, text: str, manner: Manner) -> Line:
        """Render one line.

        Raises:
            SpeechUnavailable: There is no speech library, or it cannot say this.
        """


def manner(voice: str, excitement: float) -> Manner:
    """How the streamer or the advert says a line; excitement from 0 (calm) to 1 (shouting)."""
    if voice == "advert":
        return Manner(voice="en+f3", rate_wpm=172, pitch=62, pitch_range=70, level_dbfs=-15.0)
    return Manner(
        voice="en-us",
        rate_wpm=round(155 + 15 * excitement),
        pitch=round(40 + 30 * excitement),
        pitch_range=round(45 + 30 * excitement),
        level_dbfs=-20.0 + 7.0 * excitement,
    )


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h; the last field is its union, which we do not read."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class EspeakSpeaker:
    """The real speaker, by libespeak-ng.

    Raises:
        SpeechUnavailable: The library or its voices are not installed.

    Source: speak_lib.h of espeak-ng 1.51.
    """

    def __init__(self) -> None:
        try:
            self._library: Any = ctypes.CDLL("libespeak-ng.so.1")
        except OSError as exc:
            raise SpeechUnavailable(f"cannot load libespeak-ng: {exc}; install espeak-ng") from exc
        self._rate_hz = int(self._library.espeak_Initialize(_RETRIEVE_SYNCHRONOUSLY, 0, None, 0))
        if self._rate_hz <= 0:
            raise SpeechUnavailable("libespeak-ng finds no voices; install espeak-ng-data")
        self._blocks: list[bytes] = []
        self._starts: list[tuple[int, float]] = []
        self._callback = _CALLBACK(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, manner: Manner) -> Line:
        """Render one line; see Speaker."""
        if self._library.espeak_SetVoiceByName(manner.voice.encode()) != 0:
            raise SpeechUnavailable(f"espeak-ng has no voice {manner.voice!r}; install espeak-ng-data")
        settings = {
            "rate": manner.rate_wpm,
            "volume": 90,
            "pitch": manner.pitch,
            "range": manner.pitch_range,
        }
        for name, value in settings.items():
            self._library.espeak_SetParameter(_PARAMETER[name], value, 0)
        self._blocks.clear()
        self._starts.clear()
        data = text.encode()
        failed = self._library.espeak_Synth(data, len(data) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        sound = np.frombuffer(b"".join(self._blocks), dtype=np.int16).astype(np.float32) / 32768.0
        if failed or not np.any(sound):
            raise SpeechUnavailable(f"espeak-ng says nothing for {text!r} ({failed}); reinstall espeak-ng")
        samples, cut_s = _without_silence(resampled(sound, self._rate_hz, RATE_HZ))
        samples = _at_level(samples, manner.level_dbfs)
        starts = [(position, start_s - cut_s) for position, start_s in self._starts]
        return Line(text=text, samples=samples, words=_timed_words(text, starts, len(samples) / RATE_HZ))

    def _take(self, block: Any, num_samples: int, events: Any) -> int:
        """Called by the library inside espeak_Synth, in the same thread."""
        if block and num_samples > 0:
            self._blocks.append(ctypes.string_at(block, num_samples * 2))
        index = 0
        while events[index].type != _LIST_END:
            event = events[index]
            if event.type == _WORD_EVENT:
                self._starts.append((event.text_position - 1, event.audio_position_ms / 1000.0))
            index += 1
        return 0


class CachedSpeaker:
    """A speaker that asks another one once for each line, and keeps the answer in a folder."""

    def __init__(self, speaker: Speaker, folder: Path) -> None:
        self._speaker = speaker
        self._folder = folder

    def say(self, text: str, manner: Manner) -> Line:
        """Render one line, or read it; see Speaker. A file that cannot be read is rendered anew."""
        asked = json.dumps([_CACHE_VERSION, text, dataclasses.asdict(manner)])
        path = self._folder / f"{hashlib.sha256(asked.encode()).hexdigest()[:24]}.wav"
        with contextlib.suppress(OSError, EOFError, ValueError, KeyError, TypeError, wave.Error):
            return _read(text, path)
        line = self._speaker.say(text, manner)
        # A cache that cannot be written costs time, nothing else.
        with contextlib.suppress(OSError):
            _write(line, path)
        return line


def resampled(sound: Samples, from_hz: int, to_hz: int) -> Samples:
    """Resample by Fourier transform: exact below the lower Nyquist limit. Mono, any length but 0."""
    num_samples = round(len(sound) * to_hz / from_hz)
    spectrum = np.fft.rfft(sound)
    fitted = np.zeros(num_samples // 2 + 1, dtype=spectrum.dtype)
    shared = min(len(spectrum), len(fitted))
    fitted[:shared] = spectrum[:shared]
    return (np.fft.irfft(fitted, num_samples) * (num_samples / len(sound))).astype(np.float32)


def _without_silence(sound: Samples) -> tuple[Samples, float]:
    """Cut silence off both ends; returns what is left and how many seconds went at the start."""
    loud = np.flatnonzero(np.abs(sound) > 0.004)
    first = max(0, int(loud[0]) - RATE_HZ // 100)
    last = min(len(sound), int(loud[-1]) + RATE_HZ // 50)
    return sound[first:last], first / RATE_HZ


def _at_level(sound: Samples, level_dbfs: float) -> Samples:
    """Scale to an RMS level, and bend what would clip."""
    rms = float(np.sqrt(np.mean(np.square(sound))))
    louder = sound * (10 ** (level_dbfs / 20) / rms)
    return np.asarray(np.tanh(louder * 1.1) / 1.1, dtype=np.float32)


def _timed_words(text: str, starts: Sequence[tuple[int, float]], duration_s: float) -> tuple[Word, ...]:
    """Words with their times; one that the library told nothing about shares its neighbour's, by letters."""
    spoken = text.split()
    offsets = [0]
    for word in spoken:
        offsets.append(offsets[-1] + len(word) + 1)
    known = {position: start_s for position, start_s in starts if position in offsets[:-1]}
    anchors = {0: 0.0, offsets[-1]: duration_s} | known
    places = sorted(anchors)
    times = np.interp(offsets, places, [min(max(0.0, anchors[place]), duration_s) for place in places])
    return tuple(
        Word(text=word.strip(".,!?"), start_s=round(float(start_s), 3), end_s=round(float(end_s), 3))
        for word, start_s, end_s in zip(spoken, times[:-1], times[1:], strict=True)
    )


def _read(text: str, path: Path) -> Line:
    described = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with wave.open(str(path), "rb") as sound:
        if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (RATE_HZ, 1, 2):
            raise ValueError(path)
        samples = (
            np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(np.float32) / 32768.0
        )
    if len(samples) != described["num_samples"]:
        raise ValueError(path)
    return Line(text=text, samples=samples, words=tuple(Word(**word) for word in described["words"]))


def _write(line: Line, path: Path) -> None:
    """Write sound and words; each appears whole or not at all, so two programs may share the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        unfinished = Path(folder) / "line"
        with wave.open(str(unfinished), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(RATE_HZ)
            sound.writeframes((np.clip(line.samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())
        unfinished.replace(path)
        words = [dataclasses.asdict(word) for word in line.words]
        described = {"text": line.text, "num_samples": len(line.samples), "words": words}
        unfinished.write_text(json.dumps(described, indent=1), encoding="utf-8")
        unfinished.replace(path.with_suffix(".json"))
