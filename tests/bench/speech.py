"""Bench `speech`: many streams through one model, beside one window at a time.

Models of random weights, in the shape of a toy and of whisper-tiny (with a small vocabulary): they show what batching
costs and that results never mix, not how well anything is heard. CPU is user and system time; one thread.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from coordinator.errors import ModelUnavailable
from coordinator.model.speech import Pcm16k, Transcript
from coordinator.speech.child import SpeechProcess
from coordinator.speech.choose import SpeechSpec
from coordinator.speech.resolve import ModelFolder, ModelPlaces
from coordinator.speech.rhythm import is_rhythmic
from coordinator.speech.vad import speech_spans
from coordinator.speech.whisper import WhisperTranscriber
from tests.bench.measure import ROOT, CannotMeasure, Result, quiet_log, rss_mib, say
from tests.fakes.noises import NAMES, noise
from tests.fakes.spoken_windows import spoken_windows
from tests.fakes.toy_whisper import build_toy_whisper

PARTS = ("batch", "gpu", "memory", "gate", "sphinx")
_FIGURES = {
    "batch": (
        *("toy_cpu_s_per_window_1", "toy_cpu_s_per_window_4", "toy_cpu_s_per_window_16"),
        *("toy_cpu_s_per_window_32", "toy_windows_per_s_1", "toy_windows_per_s_16", "differing", "crossed"),
        *("tiny_cpu_s_per_window_1", "tiny_cpu_s_per_window_4", "tiny_cpu_s_per_window_16"),
    ),
    "gpu": ("gpu_windows_per_s_1", "gpu_windows_per_s_16", "gpu_windows_per_s_64"),
    "memory": ("rss_mib_batch_200", "rss_mib_batch_2000", "memory_batches"),
    "gate": ("vad_cpu_s_per_media_hour", "rhythm_cpu_s_per_media_hour"),
    "sphinx": ("sphinx_wer", "sphinx_cpu_x_realtime"),
}
_TINY = {"width": 384, "heads": 6, "layers": 4}
_NUM_WINDOWS = 64
_BATCHES = 2_000
_RATE_HZ = 16_000
_JFK = ROOT.parent / "shared/datasets/speech/jfk.flac"
_JFK_SAYS = (
    "and so my fellow americans ask not what your country can do for you ask what you can do for your country"
)


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure."""
    for part in parts:
        with result.promising(*_FIGURES[part]), quiet_log(), tempfile.TemporaryDirectory() as folder:
            _MEASURES[part](result, Path(folder), scale)


def _batch(result: Result, folder: Path, scale: float) -> None:
    result.notes.append("device of the part batch: cpu")
    windows = _windows(max(32, round(_NUM_WINDOWS * scale)))
    for model, sizes, shape in (("toy", (1, 4, 16, 32), {}), ("tiny", (1, 4, 16), _TINY)):
        path = build_toy_whisper(folder / model, is_multilingual=True, **shape)
        some = windows if model == "toy" else windows[:16]
        alone: list[Transcript] = []
        for size in sizes:
            heard, cpu_s, wall_s = _timed(path, some, size, device="cpu")
            result.figures[f"{model}_cpu_s_per_window_{size}"] = round(cpu_s / len(some), 4)
            if f"{model}_windows_per_s_{size}" in result.figures:
                result.figures[f"{model}_windows_per_s_{size}"] = round(len(some) / wall_s, 2)
            alone = alone or heard
            _count_mixed(result, alone, heard)
            say(f"speech: {model}, batches of {size}: {cpu_s / len(some):.3f} CPU s a window")


def _count_mixed(result: Result, alone: Sequence[Transcript], heard: Sequence[Transcript]) -> None:
    differing = [at for at, each in enumerate(heard) if each != alone[at]]
    crossed = [
        at for at in differing if heard[at].words and any(heard[at].words == each.words for each in alone)
    ]
    for name, found in (("differing", differing), ("crossed", crossed)):
        result.figures[name] = (result.figures[name] or 0) + len(found)


def _gpu(result: Result, folder: Path, scale: float) -> None:
    path = build_toy_whisper(folder / "tiny", is_multilingual=True, **_TINY)
    windows = _windows(max(64, round(256 * scale)))
    try:
        for size in (1, 16, 64):
            _, _, wall_s = _timed(path, windows, size, device="cuda")
            result.figures[f"gpu_windows_per_s_{size}"] = round(len(windows) / wall_s, 1)
    except ModelUnavailable as exc:
        raise CannotMeasure(str(exc)) from exc


def _timed(
    path: Path, windows: Sequence[Pcm16k], size: int, *, device: str
) -> tuple[list[Transcript], float, float]:
    folder = ModelFolder(name="bench", path=path, place="bench")
    transcriber = WhisperTranscriber(folder, device=device, cpu_threads=1, max_batch=size)
    transcriber.transcribe(windows[:1])
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    heard = [
        transcript
        for start in range(0, len(windows), size)
        for transcript in transcriber.transcribe(windows[start : start + size])
    ]
    took = time.process_time() - began_cpu_s, time.monotonic() - began_s
    transcriber.close()
    return heard, *took


def _memory(result: Result, folder: Path, scale: float) -> None:
    asyncio.run(_run_memory(result, build_toy_whisper(folder / "toy", is_multilingual=True), scale))


async def _run_memory(result: Result, path: Path, scale: float) -> None:
    windows = _windows(32)
    last = max(20, round(_BATCHES * scale))
    first = last // 10
    spec = SpeechSpec(
        engine="faster-whisper",
        device="cpu",
        cpu_threads=1,
        places=ModelPlaces(env_folder=path),
        max_batch=16,
    )
    process = SpeechProcess(spec)
    try:
        await process.start()
        for batch in range(1, last + 1):
            start = batch * 7 % 29
            await process.transcribe(windows[start : start + 1 + batch % 4])
            if batch in (first, last) and process.pid is not None:
                name = "rss_mib_batch_200" if batch == first else "rss_mib_batch_2000"
                result.figures[name] = round(rss_mib(process.pid), 1)
    finally:
        await process.aclose()
    result.figures["memory_batches"] = last


def _gate(result: Result, _folder: Path, scale: float) -> None:
    sounds = [noise(name) for name in NAMES] + [
        window.samples for window in _windows(max(8, round(64 * scale)))
    ]
    media_s = sum(sound.size for sound in sounds) / _RATE_HZ
    speech_spans(sounds[-1])
    began_cpu_s = time.process_time()
    spans = [speech_spans(sound) for sound in sounds]
    vad_cpu_s = time.process_time() - began_cpu_s
    began_cpu_s = time.process_time()
    for sound, found in zip(sounds, spans, strict=True):
        for span in found:
            is_rhythmic(sound[span.start : span.end])
    result.figures["vad_cpu_s_per_media_hour"] = round(3600 * vad_cpu_s / media_s, 1)
    result.figures["rhythm_cpu_s_per_media_hour"] = round(
        3600 * (time.process_time() - began_cpu_s) / media_s, 2
    )
    result.notes.append(f"gate: {media_s:.0f} s of noises and speech")


def _sphinx(result: Result, _folder: Path, _scale: float) -> None:
    from coordinator.media.intake.audio import decode_channels
    from coordinator.speech.files import transcribe_file
    from coordinator.speech.sphinx import PocketsphinxTranscriber

    if not _JFK.is_file():
        raise CannotMeasure(f"{_JFK.name} is not here; it is a public recording of which the words are known")
    try:
        transcriber = PocketsphinxTranscriber()
    except ModelUnavailable as exc:
        raise CannotMeasure(str(exc)) from exc
    duration_s = decode_channels(_JFK).shape[1] / _RATE_HZ
    began_cpu_s = time.process_time()
    words = transcribe_file(_JFK, transcriber, decode_channels)
    result.figures["sphinx_cpu_x_realtime"] = round((time.process_time() - began_cpu_s) / duration_s, 2)
    result.figures["sphinx_wer"] = round(_wer(_JFK_SAYS.split(), [word.text for word in words]), 2)
    result.notes.append(
        f"sphinx: open English, one speech of {duration_s:.0f} s with {len(_JFK_SAYS.split())} words"
    )


def _wer(said: Sequence[str], heard: Sequence[str]) -> float:
    """Words wrong, missing or added, over the words that were said."""
    row = np.arange(len(heard) + 1)
    for at, word in enumerate(said, 1):
        above, row = row, np.full(len(heard) + 1, at)
        for to, other in enumerate(heard, 1):
            row[to] = min(above[to] + 1, row[to - 1] + 1, above[to - 1] + (word != other))
    return float(row[-1]) / len(said)


def _windows(num: int) -> list[Pcm16k]:
    try:
        return spoken_windows(num)
    except pytest.skip.Exception as exc:
        raise CannotMeasure(str(exc)) from exc


_MEASURES = {"batch": _batch, "gpu": _gpu, "memory": _memory, "gate": _gate, "sphinx": _sphinx}
