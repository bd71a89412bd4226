"""What the demo measures of its own results: word error rate, the offset of sound and picture, bytes that left.

Reads finished files alone. Numpy and PyAV; no import of ours, so that a defect of ours cannot hide in the measure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

_BEEP_HZ = 1_000.0
_SEARCH_S = 0.5
_WINDOW_S = 0.005


def word_error_rate(said: Sequence[str], heard: Sequence[str]) -> float | None:
    """Edits (substituted, left out, put in) for each word said; None when nothing was said."""
    wanted, got = _plain(said), _plain(heard)
    if not wanted:
        return None
    row = list(range(len(got) + 1))
    for index, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], index
        for place, other in enumerate(got, start=1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other)),
            )
    return row[-1] / len(wanted)


def _plain(words: Sequence[str]) -> list[str]:
    return [word for text in words for word in re.findall(r"[a-z0-9']+", text.lower())]


def av_offset_ms(path: Path, expected_s: Sequence[float]) -> float | None:
    """How much later the sound is than the picture, in ms: flash and 1 kHz beep near each of `expected_s`.

    A flash lies between the frame that shows it first and the one before: the middle of the two is taken. Returns
    the offset that is farthest from 0, or None where no flash and beep was found.
    """
    offsets = []
    for at_s in expected_s:
        flash_s = _flash_s(path, at_s)
        beep_s = _beep_s(path, at_s)
        if flash_s is not None and beep_s is not None:
            offsets.append((beep_s - flash_s) * 1000)
    return max(offsets, key=abs) if offsets else None


def _flash_s(path: Path, at_s: float) -> float | None:
    times, levels = [], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        container.seek(max(0, int((at_s - 2) * av.time_base)))
        for frame in container.decode(stream):
            if frame.time is None or frame.time < at_s - _SEARCH_S:
                continue
            if frame.time > at_s + _SEARCH_S:
                break
            times.append(frame.time)
            levels.append(float(frame.reformat(width=160, height=90, format="gray").to_ndarray().mean()))
    if len(levels) < 5:
        return None
    rises = np.diff(levels)
    index = int(np.argmax(rises))
    if rises[index] < 40:
        return None
    return (times[index] + times[index + 1]) / 2


def _beep_s(path: Path, at_s: float) -> float | None:
    samples, start_s, rate_hz = _sound(path, at_s)
    window = round(_WINDOW_S * rate_hz)
    if len(samples) < 20 * window:
        return None
    tone = np.exp(-2j * np.pi * _BEEP_HZ * np.arange(len(samples)) / rate_hz)
    power = np.abs(np.convolve(samples * tone, np.ones(window) / window, mode="valid"))
    quiet = float(np.median(power[: len(power) // 4]))
    loud = float(power.max())
    if loud < 4 * quiet or loud < 0.02:
        return None
    first = int(np.argmax(power > quiet + (loud - quiet) / 2))
    # Half of the window is inside the beep when the power is half of the beep's.
    return start_s + (first + window / 2) / rate_hz


def _sound(path: Path, at_s: float) -> tuple[npt.NDArray[np.float64], float, int]:
    parts: list[npt.NDArray[np.float64]] = []
    start_s, rate_hz = at_s, 48_000
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        container.seek(max(0, int((at_s - 2) * av.time_base)))
        for frame in container.decode(stream):
            if frame.time is None or frame.time < at_s - _SEARCH_S:
                continue
            if frame.time > at_s + _SEARCH_S:
                break
            if not parts:
                start_s, rate_hz = frame.time, frame.sample_rate
            parts.append(frame.to_ndarray().astype(np.float64).mean(axis=0))
    return (np.concatenate(parts) if parts else np.zeros(0)), start_s, rate_hz


def found_highlights(
    truth: dict[str, Any], moments: Sequence[dict[str, Any]], offset_s: float
) -> dict[str, Any]:
    """Ranks of the highlights and decoys among `moments` (best first); `offset_s`: the match's 0 on their line."""

    def rank(span: dict[str, Any]) -> int | None:
        start_s, end_s = span["start_s"] + offset_s, span["end_s"] + offset_s
        for index, moment in enumerate(moments, start=1):
            shared_s = min(end_s, moment["end_s"]) - max(start_s, moment["start_s"])
            if shared_s >= 0.5 * (end_s - start_s):
                return index
        return None

    return {
        "highlight_ranks": [rank(span) for span in truth["highlights"]],
        "decoy_ranks": [rank(span) for span in truth["decoys"]],
    }
