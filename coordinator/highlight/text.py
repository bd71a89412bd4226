"""What utterances say about something having happened: cues, and 2 Hz curves of them.

Words come late (after the deed) and last long (replays, praise, the new score), so there are two
curves: `spoken_now` is sharp and is used beside sound and picture, `spoken_after` asks of each second
how much more was said in the three quarters of a minute that follow than in those before, and is used where words
are all there is.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from coordinator.highlight import lexicon, moods
from coordinator.highlight.language import LAUGHTER, LAUGHTER_STRENGTH, are_english
from coordinator.highlight.scoreline import ScoreBoard
from coordinator.model.highlight import SIGNAL_RATE_HZ, Utterance

Curve = npt.NDArray[np.float64]

ELSEWHEN_FACTOR: Final = 0.3
STRETCHED_STRENGTH: Final = 0.4
REPEATED_STRENGTH: Final = 0.3
EXCLAMATION_STRENGTH: Final = 0.25
LOOP_WINDOW_S: Final = 25.0
TENSED_FAMILIES: Final = frozenset({"score", "goal", "feat", "play", "drama"})

_FAMILIES: Final = {**lexicon.FAMILIES, **moods.MOODS}
_STRENGTH: Final = {**lexicon.FAMILY_STRENGTH, **moods.MOOD_STRENGTH}

# Lag of the word behind the deed in seconds -> how much of the cue counts. Round corners, the best of the few
# shapes compared on football commentary; neighbours differ by some hundredths of recall.
_AFTER_LAG_S: Final = (-6.0, -2.0, 0.0, 20.0, 42.0, 48.0)
_AFTER_SHARE: Final = (0.0, 0.6, 1.0, 1.0, 0.6, 0.0)
_SCORELINE_LAG_S: Final = (-2.0, 2.0, 10.0, 42.0, 48.0)
_SCORELINE_SHARE: Final = (0.0, 0.6, 1.0, 1.0, 0.0)
# A talk about goals that has been going on is no goal: what was said before counts against, half as much.
_BEFORE_LAG_S: Final = (2.0, 4.0, 36.0, 45.0)
_BEFORE_SHARE: Final = (0.0, -0.5, -0.5, 0.0)
# Several people, or sentences, that agree say more than one that shouts: strengths are compressed before they add up.
_TELLING_POWER: Final = 0.7
_NOW_HOLD_S: Final = 2.0
_NOW_FADE_S: Final = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One utterance that says something.

    Attributes:
        strength: 0 and up; 1 is one plain "he scores".
        families: which families of the lexicon spoke, strongest first.
        phrase: the words that count most, for the reader.
        is_scoreline: a score was told, which is always after the deed.
        sales: how many selling phrases, 0 and up.
        is_read: False where the words are of a language that the lexicon does not know; only their form counts.
    """

    start_s: float
    end_s: float
    strength: float
    families: tuple[str, ...]
    phrase: str
    is_scoreline: bool
    sales: int
    is_read: bool = True


def read_cues(utterances: Sequence[Utterance]) -> list[Cue]:
    """The cues of all utterances in time order; utterances that say nothing are left out.

    A sentence that a recogniser repeats word by word within 25 s is its echo and counts once.
    """
    cues: list[Cue] = []
    recent: deque[tuple[float, str]] = deque(maxlen=6)
    board = ScoreBoard()
    ordered = sorted(utterances, key=lambda one: (one.start_s, one.end_s))
    for utterance, is_english in zip(ordered, are_english(ordered), strict=True):
        text = _plain(utterance.text)
        echo = any(text == said and utterance.start_s - at_s < LOOP_WINDOW_S for at_s, said in recent)
        recent.append((utterance.start_s, text))
        if echo or not text:
            continue
        cue = _cue(utterance, text) if is_english else _foreign_cue(utterance, text)
        if cue is not None:
            cues.append(cue)
        told, phrase = board.tell(utterance.start_s, utterance.text)
        if told > 0 and is_english:
            cues.append(
                Cue(
                    start_s=utterance.start_s,
                    end_s=utterance.end_s,
                    strength=told,
                    families=("score",),
                    phrase=phrase,
                    is_scoreline=True,
                    sales=0,
                )
            )
    return cues


def steps_of(start_s: float, end_s: float, num_steps: int, *, least: int = 0) -> tuple[int, int]:
    """The steps [first, last) of a stretch, `least` of them at least, as far as they lie inside the session."""
    first = min(max(int(start_s * SIGNAL_RATE_HZ), 0), num_steps)
    last = min(max(int(np.ceil(end_s * SIGNAL_RATE_HZ)), first + least), num_steps)
    return first, last


def letters_said(utterances: Sequence[Utterance], num_steps: int) -> Curve:
    """How many letters and digits are said in each step, each utterance's spread evenly over it."""
    letters = np.zeros(num_steps)
    for one in utterances:
        first, last = steps_of(one.start_s, one.end_s, num_steps, least=1)
        if last > first:
            letters[first:last] += sum(map(str.isalnum, one.text)) / (last - first)
    return letters


def spoken_now(cues: Sequence[Cue], num_steps: int) -> Curve:
    """How much is being said at each step: held 2 s past the words, then fading within 5 s."""
    level = np.zeros(num_steps)
    for cue in cues:
        if cue.strength <= 0:
            continue
        start_s = cue.start_s - 1.0
        hold_s = cue.end_s + _NOW_HOLD_S
        first, last = steps_of(start_s, hold_s + _NOW_FADE_S, num_steps)
        at_s = (np.arange(first, last) + 0.5) / SIGNAL_RATE_HZ
        level[first:last] += cue.strength * np.clip((hold_s + _NOW_FADE_S - at_s) / _NOW_FADE_S, 0.0, 1.0)
    return level


def spoken_after(cues: Sequence[Cue], num_steps: int) -> Curve:
    """How much more was said of each step in the 48 s after it than before; it peaks at the first words of a burst.

    Never negative. Causal but for its own 48 s: what is said later does not change it.
    """
    level = np.zeros(num_steps)
    for cue in cues:
        if cue.strength <= 0:
            continue
        strength = cue.strength**_TELLING_POWER
        if cue.is_scoreline:
            _add_lagged(level, cue, strength, _SCORELINE_LAG_S, _SCORELINE_SHARE)
            continue
        _add_lagged(level, cue, strength, _AFTER_LAG_S, _AFTER_SHARE)
        _add_lagged(level, cue, strength, [-lag_s for lag_s in reversed(_BEFORE_LAG_S)], _BEFORE_SHARE[::-1])
    return np.maximum(level, 0.0)


def _add_lagged(
    level: Curve, cue: Cue, strength: float, lags_s: Sequence[float], shares: Sequence[float]
) -> None:
    """Add to each step the share at its lag: how many seconds the cue begins after the step."""
    first, last = steps_of(cue.start_s - lags_s[-1], cue.start_s - lags_s[0], level.shape[0])
    lag_s = cue.start_s - np.arange(first, last) / SIGNAL_RATE_HZ
    level[first:last] += strength * np.interp(lag_s, lags_s, shares)


def selling(cues: Sequence[Cue], num_steps: int) -> Curve:
    """How many selling phrases lie up to 4 s ahead of each step, or 8 s behind: adverts go on after their offer."""
    level = np.zeros(num_steps)
    for cue in cues:
        if cue.sales:
            first, last = steps_of(cue.start_s - 4.0, cue.end_s + 8.0, num_steps)
            level[first:last] += cue.sales
    return level


def _cue(utterance: Utterance, text: str) -> Cue | None:
    is_elsewhen = lexicon.ELSEWHEN.search(text) is not None
    here = lexicon.NOT_A_GOAL.sub(" ", text)
    strengths: dict[str, float] = {}
    phrases: dict[str, str] = {}
    for family, pattern in _FAMILIES.items():
        found = [match.group(0) for match in pattern.finditer(here)]
        if found:
            factor = ELSEWHEN_FACTOR if is_elsewhen and family in TENSED_FAMILIES else 1.0
            more = 1.3 if len(found) > 1 else 1.0
            strengths[family] = _STRENGTH[family] * factor * more
            phrases[family] = max(found, key=len)
    total = sum(strengths.values())
    if match := lexicon.STRETCHED.search(here):
        total += STRETCHED_STRENGTH
        phrases.setdefault("stretched", match.group(0))
    if match := lexicon.REPEATED.search(here):
        total += REPEATED_STRENGTH if strengths else 0.0
    total += EXCLAMATION_STRENGTH * min(2, utterance.text.count("!"))
    sales = len(lexicon.SALES.findall(text))
    total = max(0.0, total - 0.5 * sales)
    if total <= 0 and not sales:
        return None
    families = tuple(sorted(strengths, key=lambda family: (-strengths[family], family)))
    phrase = phrases[families[0]] if families else phrases.get("stretched", text[:40])
    return Cue(
        start_s=utterance.start_s,
        end_s=utterance.end_s,
        strength=total,
        families=families,
        phrase=phrase,
        is_scoreline=False,
        sales=sales,
    )


def _foreign_cue(utterance: Utterance, text: str) -> Cue | None:
    """Words nobody here understands: cries, drawn-out letters, laughter and repetition are the same everywhere."""
    total, phrase = 0.0, text[:40]
    families: tuple[str, ...] = ()
    if match := lexicon.STRETCHED.search(text):
        total, phrase = total + STRETCHED_STRENGTH, match.group(0)
    if match := lexicon.REPEATED.search(text):
        total, phrase = total + REPEATED_STRENGTH, match.group(0)
    if match := LAUGHTER.search(text):
        total, phrase, families = total + LAUGHTER_STRENGTH, match.group(0), ("laugh",)
    total += EXCLAMATION_STRENGTH * min(2, sum(map(utterance.text.count, "!\uff01")))
    if total <= 0:
        return None
    return Cue(
        start_s=utterance.start_s,
        end_s=utterance.end_s,
        strength=total,
        families=families,
        phrase=phrase,
        is_scoreline=False,
        sales=0,
        is_read=False,
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("\u2019", "'").split())
