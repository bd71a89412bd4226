"""The usual recipes, to compare with: the loudest, the busiest chat, the most exclamations."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from coordinator.model.highlight import SIGNAL_RATE_HZ, SessionSignals
from tests.bench.highlights_score import Guess

_EXCLAMATION = re.compile(
    r"\b(omg|oh my|wow|no way|what an?|yes+|let'?s go|insane|amazing|incredible|unbelievable|goal|score[sd]?|win)\b",
    re.I,
)
_SMOOTH_S = 8.0
_APART_S = 20.0
_BEFORE_S, _AFTER_S = 5.0, 10.0  # about the length of an event
_CHAT_LAG_S = 5.0
_MAX_GUESSES = 60

_Curve = npt.NDArray[np.float64]


def loudness(signals: SessionSignals) -> list[Guess]:
    """Where both lanes together are louder than in the last two minutes."""
    tracks = {track.name: track for track in signals.tracks}
    power = sum(
        10 ** (np.where(track.present, track.values, -90.0) / 10)
        for name in ("mic_loudness_db", "desktop_loudness_db")
        if (track := tracks.get(name)) is not None
    )
    return _peaks(10 * np.log10(np.asarray(power) + 1e-9), lag_s=0.0)


def message_rate(signals: SessionSignals) -> list[Guess]:
    """Where more is written than in the last two minutes."""
    return _peaks(_counted(signals.duration_s, {line.at_s: 1.0 for line in signals.chat}), lag_s=_CHAT_LAG_S)


def keywords(signals: SessionSignals) -> list[Guess]:
    """Where the words that everybody thinks of are said."""
    said = {
        (one.start_s + one.end_s) / 2: float(len(_EXCLAMATION.findall(one.text)))
        for one in signals.utterances
    }
    return _peaks(_counted(signals.duration_s, said), lag_s=0.0)


NAIVE = {"loudness": loudness, "message_rate": message_rate, "keywords": keywords}


def _counted(duration_s: float, weights: Mapping[float, float]) -> _Curve:
    curve = np.zeros(max(1, int(duration_s * SIGNAL_RATE_HZ)))
    for at_s, weight in weights.items():
        curve[min(curve.size - 1, int(at_s * SIGNAL_RATE_HZ))] += weight
    return curve


def _peaks(curve: _Curve, *, lag_s: float) -> list[Guess]:
    """The highest places, apart from one another, each as a span around it."""
    width = int(_SMOOTH_S * SIGNAL_RATE_HZ)
    smooth = np.convolve(curve, np.ones(width) / width, "same")
    long = int(120 * SIGNAL_RATE_HZ)
    sums = np.cumsum(np.concatenate([np.full(long, smooth[:long].mean()), smooth]))
    usual = (sums[long:] - sums[:-long]) / long
    scores = smooth - usual
    guesses: list[Guess] = []
    for _ in range(_MAX_GUESSES):
        at = int(scores.argmax())
        if scores[at] <= 0:
            break
        at_s = at / SIGNAL_RATE_HZ - lag_s
        guesses.append(
            Guess(
                start_s=max(0.0, at_s - _BEFORE_S), end_s=max(1.0, at_s + _AFTER_S), score=float(scores[at])
            )
        )
        apart = int(_APART_S * SIGNAL_RATE_HZ)
        scores[max(0, at - apart) : at + apart] = -np.inf
    return guesses
