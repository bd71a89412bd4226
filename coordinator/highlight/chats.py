"""Chats before they are read: who is a bot, who came with a raid, how late each answers, and how many watch.

Each chat keeps its own lag: a stream that is two seconds behind is answered sooner than one that is twelve behind.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from coordinator.highlight.chat import LAG_S, LEAST_PAST_S, Reaction, ahead, reaction, trailing
from coordinator.highlight.normalise import Curve, smooth
from coordinator.model.highlight import SIGNAL_RATE_HZ, Audience, ChatLine

FEW_VIEWERS: Final = 50
LEAST_TRUST: Final = 0.4
VIEWERS_A_WRITER: Final = 8.0  # a guess: one in some eight who watch a small stream writes
MAX_LAG_S: Final = 15.0
_NULL_LAG_S: Final = 45.0  # lags beyond those that can be: what chance looks like
_SURE_SIGMAS: Final = 4.0
_LEAST_LINES: Final = 30
_RAID_S: Final = 45.0
_RAID_WINDOW_S: Final = 10.0
_RAID_AUTHORS: Final = 8
_NEW_SHARE: Final = 0.8
_USUAL_AUTHORS: Final = 10
_BOT_REPEATS: Final = 3
_BOT_GAP_S: Final = 20.0
_BOT_JITTER: Final = 0.15
_TURNOUT_S: Final = 8.0
_SAME_PERSON_S: Final = 6.0
_SHORT_CHARS: Final = 60
_CRY_CHARS: Final = 25
_SILENT_KINDS: Final = frozenset({"command", "bot", "raid", "support"})
_RAID_WORD: Final = re.compile(r"\braid(?:s|ers?|ing|ed)?\b", re.I)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What all chats together answered.

    Attributes:
        turnout: how many more people write something short than usual, whatever they write; in spreads, one value a
            step, moved to where its cause was.
        trust: 0.4 to 1: less where fewer than 50 watch.
        num_viewers: how many watched, or are guessed to have; None: nobody knows.
        is_guessed: nobody said how many; it was told from how many wrote.
        lags_s: by chat.
    """

    reaction: Reaction
    turnout: Curve
    trust: float
    num_viewers: int | None
    is_guessed: bool
    lags_s: dict[str, float]


def answers(
    chat: Sequence[ChatLine], duration_s: float, *, excitement: Curve, audiences: Sequence[Audience]
) -> Answers:
    """Read all chats of a session, each with its own lag, as one.

    Args:
        excitement: how much sound and picture say that something happens, one value a step; zeros if not known.
    """
    by_chat: dict[str, list[ChatLine]] = {}
    for line in chat:
        if math.isfinite(line.at_s):
            by_chat.setdefault(line.chat, []).append(line)
    read: list[Reaction] = []
    turnout = np.zeros(int(duration_s * SIGNAL_RATE_HZ))
    lags_s: dict[str, float] = {}
    people: set[str] = set()
    for name, lines in sorted(by_chat.items()):
        spoken = spoken_by_people(lines)
        people.update(line.author for line in spoken if line.author)
        lags_s[name] = learned_lag_s(spoken, excitement)
        read.append(reaction(spoken, duration_s, lag_s=lags_s[name]))
        turnout = np.maximum(turnout, _turnout(spoken, turnout.size, lags_s[name]))
    said = [one.num_viewers for one in audiences if one.num_viewers >= 0]
    viewers = round(float(np.median(said))) if said else None
    if viewers is None and people:
        viewers = round(len(people) * VIEWERS_A_WRITER)
    return Answers(
        reaction=_together(read, turnout.size),
        turnout=turnout,
        trust=trust_of(viewers),
        num_viewers=viewers,
        is_guessed=not said,
        lags_s=lags_s,
    )


def _turnout(lines: Sequence[ChatLine], num_steps: int, lag_s: float) -> Curve:
    """Square roots of counts: their spread is a half whatever the chat's size."""
    counts = np.zeros(num_steps)
    last_s: dict[str, float] = {}
    for line in lines:
        # Who writes line after line is one person, and a long line tells something else.
        is_again = bool(line.author) and line.at_s - last_s.get(line.author, -math.inf) < _SAME_PERSON_S
        last_s[line.author] = line.at_s
        step = int(line.at_s * SIGNAL_RATE_HZ)
        if not is_again and 0 <= step < num_steps and len(line.text) <= _SHORT_CHARS:
            counts[step] += 1.0 if len(line.text) <= _CRY_CHARS else 0.5
    width = int(_TURNOUT_S * SIGNAL_RATE_HZ)
    now = ahead(counts, width, int(lag_s * SIGNAL_RATE_HZ))
    past_steps = np.maximum(trailing(np.ones(num_steps)), LEAST_PAST_S * SIGNAL_RATE_HZ)
    usual = trailing(counts) / past_steps * width
    return 2.0 * (np.sqrt(now + 0.4) - np.sqrt(usual + 0.4))


def trust_of(num_viewers: int | None) -> float:
    """How much a chat's word counts when so many watch: whole from 50 on, and where nobody knows."""
    if num_viewers is None or num_viewers >= FEW_VIEWERS:
        return 1.0
    return LEAST_TRUST + (1.0 - LEAST_TRUST) * num_viewers / FEW_VIEWERS


def spoken_by_people(lines: Iterable[ChatLine]) -> list[ChatLine]:
    """Lines of people who were there, in time order: no commands, no bots, nobody who just came with a raid."""
    ordered = sorted(lines, key=lambda line: line.at_s)
    raids_s = [line.at_s for line in ordered if line.kind == "raid"]
    wanted = [
        line
        for line in ordered
        if line.kind not in _SILENT_KINDS
        and not line.text.lstrip().startswith("!")
        and not _RAID_WORD.search(line.text)
    ]
    clocked = _clocked(wanted)
    return _without_raiders([line for line in wanted if _voice_of(line) not in clocked], raids_s)


def learned_lag_s(lines: Sequence[ChatLine], excitement: Curve) -> float:
    """How late this chat answers, by where its lines fit the excitement best; 5 s where nothing fits clearly."""
    num_steps = excitement.size
    if len(lines) < _LEAST_LINES or num_steps < 4 * _NULL_LAG_S * SIGNAL_RATE_HZ or not excitement.any():
        return LAG_S
    steps = np.array([int(line.at_s * SIGNAL_RATE_HZ) for line in lines])
    counts = np.bincount(steps[(steps >= 0) & (steps < num_steps)], minlength=num_steps).astype(np.float64)
    everywhere = np.ones(num_steps, dtype=bool)
    # Square roots: one flood must not decide.
    written = smooth(np.sqrt(counts), everywhere, 2)
    written -= written.mean()
    excited = excitement - excitement.mean()
    reach = int(_NULL_LAG_S * SIGNAL_RATE_HZ)
    fits = np.array(
        [
            float(
                np.dot(
                    excited[max(0, -lag) : num_steps - max(0, lag)],
                    written[max(0, lag) : num_steps + min(0, lag)],
                )
            )
            for lag in range(-reach, reach + 1)
        ]
    )
    possible = np.zeros(fits.size, dtype=bool)
    possible[reach : reach + int(MAX_LAG_S * SIGNAL_RATE_HZ) + 1] = True
    chance = np.concatenate((fits[: reach - 2 * SIGNAL_RATE_HZ], fits[reach + int(25 * SIGNAL_RATE_HZ) :]))
    best = int(np.where(possible, fits, -np.inf).argmax())
    if fits[best] < chance.mean() + _SURE_SIGMAS * max(float(chance.std()), 1e-9):
        return LAG_S
    return (best - reach) / SIGNAL_RATE_HZ


def _voice_of(line: ChatLine) -> tuple[str, str]:
    return line.author, line.text


def _clocked(lines: Sequence[ChatLine]) -> set[tuple[str, str]]:
    """Who says the same at regular intervals is a clock."""
    times_s: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        times_s.setdefault(_voice_of(line), []).append(line.at_s)
    clocks: set[tuple[str, str]] = set()
    for voice, at_s in times_s.items():
        if len(at_s) <= _BOT_REPEATS or len(voice[1]) < 8:  # anybody may laugh four times
            continue
        gaps_s = np.diff(at_s)
        mean_s = float(gaps_s.mean())
        if mean_s >= _BOT_GAP_S and float(gaps_s.std()) < _BOT_JITTER * mean_s:
            clocks.add(voice)
    return clocks


def _without_raiders(lines: Sequence[ChatLine], raids_s: Sequence[float]) -> list[ChatLine]:
    """Leave out, for 45 s after a raid, whoever was not there before it.

    A raid is what the platform calls one, or many lines within seconds of people hardly any of whom wrote before.
    """
    known: set[str] = set()
    recent: deque[tuple[float, bool]] = deque()
    raid_until_s = -1.0
    announced = sorted(raids_s)
    kept: list[ChatLine] = []
    num_new = 0
    for line in lines:
        while announced and announced[0] <= line.at_s:
            raid_until_s = announced.pop(0) + _RAID_S
        while recent and recent[0][0] < line.at_s - _RAID_WINDOW_S:
            num_new -= recent.popleft()[1]
        is_new = bool(line.author) and line.author not in known
        recent.append((line.at_s, is_new))
        num_new += is_new
        if len(known) >= _USUAL_AUTHORS and num_new >= max(_RAID_AUTHORS, _NEW_SHARE * len(recent)):
            raid_until_s = max(raid_until_s, line.at_s + _RAID_S)
        if is_new and line.at_s < raid_until_s:
            continue
        if line.author:
            known.add(line.author)
        kept.append(line)
    return kept


def _together(read: Sequence[Reaction], num_steps: int) -> Reaction:
    """The chat that answers loudest speaks for all."""
    none = np.zeros(num_steps)
    if not read:
        return Reaction(activation=none, present=none > 0, rate_ratio=none, laugh_share=none, words=())
    if len(read) == 1:
        return read[0]
    activations = np.stack([one.activation for one in read])
    loudest = activations.argmax(axis=0)[None, :]
    return Reaction(
        activation=activations.max(axis=0),
        present=np.logical_or.reduce([one.present for one in read]),
        rate_ratio=np.take_along_axis(np.stack([one.rate_ratio for one in read]), loudest, axis=0)[0],
        laugh_share=np.take_along_axis(np.stack([one.laugh_share for one in read]), loudest, axis=0)[0],
        words=tuple(sorted(word for one in read for word in one.words)),
    )
