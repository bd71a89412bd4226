"""What trees and nets look at: some figures for every step, of the sound, the picture, the words and the chat.

Everything is told against the session's own last minutes or is a ratio; nothing looks further ahead than 4 s, so that
what is known of a second hardly changes when more follows. What was not measured is NaN, which both know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from coordinator.highlight import decoys
from coordinator.highlight.chats import Answers
from coordinator.highlight.lanes import QUIET_DB, Lanes, covered
from coordinator.highlight.normalise import Curve, Mask, lower, rise, smooth
from coordinator.highlight.said import Weights, said_curve, shipped_said
from coordinator.highlight.text import Cue, letters_said, selling, spoken_now
from coordinator.model.highlight import Utterance

NOW_STEPS: Final = 3  # to each side
WIDE_STEPS: Final = 8
BEFORE_STEPS: Final = 20  # that end where `wide` begins

Tracks = Mapping[str, tuple[Curve, Mask]]
Matrix = npt.NDArray[np.float32]


def columns(
    lanes: Lanes, utterances: Sequence[Utterance], *, said: Weights | None = None
) -> dict[str, Curve]:
    """By name: each figure now, around, and before; shape (num_steps,) each, NaN where it was not measured.

    A recording's one lane counts as the microphone: that is where people are heard.

    Args:
        said: what words weigh; the shipped weights where not given.
    """
    tracks, num_steps = lanes.tracks, lanes.num_steps
    near = "mic" if "mic_loudness_db" in tracks else "mix"
    figures = {
        **{f"near_{name}": curve for name, curve in _sound(tracks, near).items()},
        **{f"far_{name}": curve for name, curve in _sound(tracks, "desktop").items()},
        **_picture(tracks),
        **_speech(utterances, lanes.cues, num_steps),
        **_said(utterances, num_steps, shipped_said() if said is None else said),
        **_chat(lanes.audience),
    }
    if "near_voicing" in figures and "spoken" in figures:
        # Laughter and cries are voices without words.
        figures["wordless"] = figures["near_voicing"] * (1.0 - figures["spoken"])
    none = np.full(num_steps, np.nan)
    found: dict[str, Curve] = {}
    for name in FIGURES:
        found.update(_windows(name, figures.get(name, none)))
    return found


_SOUND: Final = (
    *("loud", "floor", "flux", "flatness", "tonality", "modulation", "voicing", "pitch", "voice_level"),
    *("rumble", "burst", "regularity"),
)
FIGURES: Final = (
    *(f"near_{name}" for name in _SOUND),
    *(f"far_{name}" for name in _SOUND),
    *("moves", "words", "sales", "said", "spoken", "rate", "wordless"),
    *("chat", "turnout", "chat_rate", "chat_laughs"),
)
WINDOWS: Final = ("now", "wide", "before")
# In order: the windows of one figure stand together.
NAMES: Final = tuple(f"{figure}.{window}" for figure in FIGURES for window in WINDOWS)


def _sound(tracks: Tracks, lane: str) -> dict[str, Curve]:
    if f"{lane}_loudness_db" not in tracks:
        return {}
    values, measured = tracks[f"{lane}_loudness_db"]
    found = {"loud": _known(rise(smooth(values, measured, 1), measured, floor=QUIET_DB, quantile=0.75))}
    for name, track in (("flux", "flux_db"), ("rumble", "rumble_db")):
        if f"{lane}_{track}" in tracks:
            curve, present = tracks[f"{lane}_{track}"]
            found[name] = _known(rise(smooth(curve, present, 2), present, floor=-90.0))
    if f"{lane}_floor_db" in tracks:
        curve, present = tracks[f"{lane}_floor_db"]
        found["floor"] = _known(rise(lower(np.maximum(curve, QUIET_DB), 2), present, floor=QUIET_DB))
    for name, track in (
        ("flatness", "flatness"), ("tonality", "tonality_db"), ("modulation", "modulation_db"),
        ("voicing", "voicing"), ("burst", "burst_db"), ("regularity", "regularity"),
    ):  # fmt: skip
        if f"{lane}_{track}" in tracks:
            curve, present = tracks[f"{lane}_{track}"]
            found[name] = np.where(present, curve, np.nan)
    if f"{lane}_pitch_st" in tracks and {"tonality", "modulation"} <= set(found):
        pitch_st, voiced = tracks[f"{lane}_pitch_st"]
        with np.errstate(invalid="ignore"):
            spoken = voiced & (found["tonality"] < decoys.MUSIC_TONALITY_DB) & (found["modulation"] > 1.0)
        found["pitch"] = _known(rise(pitch_st, spoken, floor=0.0))
        found["voice_level"] = _known(rise(values, spoken & measured, floor=QUIET_DB))
    return found


def _picture(tracks: Tracks) -> dict[str, Curve]:
    if "motion" not in tracks:
        return {}
    values, present = tracks["motion"]
    # A ratio, in powers of two: pictures differ by their contrast.
    least = 0.02 * float(np.median(np.abs(values[present]))) + 1e-9 if bool(present.any()) else 1e-9
    return {
        "moves": _known(
            rise(np.log2(np.maximum(np.abs(values), least)), present, floor=float(np.log2(least)))
        )
    }


def _speech(utterances: Sequence[Utterance], cues: Sequence[Cue], num_steps: int) -> dict[str, Curve]:
    if not utterances:
        return {}
    letters = letters_said(utterances, num_steps)
    everywhere = np.ones(num_steps, dtype=bool)
    return {
        "spoken": covered(utterances, num_steps),
        "words": spoken_now(cues, num_steps),
        "sales": selling(cues, num_steps),
        "rate": _known(rise(smooth(letters, everywhere, 2), everywhere, floor=0.0, quantile=0.75)),
    }


def _said(utterances: Sequence[Utterance], num_steps: int, weights: Weights) -> dict[str, Curve]:
    curve = said_curve(utterances, num_steps, weights)
    return {} if curve is None else {"said": curve}


def _chat(audience: Answers | None) -> dict[str, Curve]:
    if audience is None:
        return {}
    answer = audience.reaction
    return {
        "chat": np.where(answer.present, answer.activation, np.nan),
        "turnout": np.where(answer.present, audience.turnout, np.nan),
        "chat_rate": np.where(answer.present, answer.rate_ratio, np.nan),
        "chat_laughs": np.where(answer.present, answer.laugh_share, np.nan),
    }


def _known(risen: tuple[Curve, Mask]) -> Curve:
    values, known = risen
    return np.where(known, values, np.nan)


def _windows(name: str, curve: Curve) -> dict[str, Curve]:
    """Means of what is known around each step, and of what came before."""
    known = np.isfinite(curve)
    if not bool(known.any()):
        return {f"{name}.{window}": curve for window in WINDOWS}
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, curve, 0.0))))
    counts = np.concatenate(([0.0], np.cumsum(known)))
    at = np.arange(curve.size)
    return {
        f"{name}.now": _mean(sums, counts, at - NOW_STEPS, at + NOW_STEPS + 1),
        f"{name}.wide": _mean(sums, counts, at - WIDE_STEPS, at + WIDE_STEPS + 1),
        f"{name}.before": _mean(sums, counts, at - WIDE_STEPS - BEFORE_STEPS, at - WIDE_STEPS),
    }


def _mean(sums: Curve, counts: Curve, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> Curve:
    first, last = np.clip(first, 0, sums.size - 1), np.clip(last, 0, sums.size - 1)
    count = counts[last] - counts[first]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Curve = (sums[last] - sums[first]) / count
    return np.where(count > 0.5, mean, np.nan)
