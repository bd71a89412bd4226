"""What people write when something happens, and how many of them at once.

What is written is worth more than how fast: greetings, commands, votes and pasted lines make spikes too.
People answer some seconds late; `reaction` puts a message where its cause was.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from coordinator.model.highlight import SIGNAL_RATE_HZ, ChatLine

Curve = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LAG_S: Final = 5.0  # from the deed to the middle of the answers
WINDOW_S: Final = 9.0
_BURST_SIGMA: Final = 6.0
FULL_SHARE: Final = 0.6  # so many of the messages answer: all of them do
BASE_WINDOW_S: Final = 240.0
# What is not known of the past counts as quiet: a chat that begins with laughter has something to laugh about.
LEAST_PAST_S: Final = 120.0
# Chosen among a few on nine labelled streams; 0.6 to 1 and 0.4 to 0.6 do equally well.
WONDER_WEIGHT: Final = 0.8
MURMUR_WEIGHT: Final = 0.5
LOUD_WEIGHT: Final = 0.15  # capitals, drawn-out letters
_MANY_ANSWERS: Final = 100.0
_MANY_POWER: Final = 0.3
MIN_LINES_A_MINUTE: Final = 2.0  # under it nobody is there to answer, which says nothing

_LAUGH: Final = re.compile(
    r"\b(?:\w*lu+lw?|ke+k(?:w\w*)?|omegalul|l+m+f?a+o+\w*|lo+l+\w*|a*(?:ha+){2,}h*|(?:ah){2,}|(?:he){3,}|(?:ja){2,}|x+d+|ro+fl\w*|ik+r?lol|icant)\b"
    r"|(?:k{5,})|(?:w{5,})|5{4,}|[\U0001F602\U0001F923\U0001F480\U0001F62D]",
    re.I,
)
_WONDER: Final = re.compile(
    r"\b(?:po+g+\w*|omf?g+\w*|wt+f+\w*|wo+w+\w*|wo+a+h*|holy(?: \w+)?|sheesh\w*|"
    r"no+ way|insane|clip (?:it|that)|unreal|unbelievable|(?:oh )?my god|what the \w+)\b"
    r"|\?{3,}|\bwha+t\W*$",
    re.I,
)
_MURMUR: Final = re.compile(
    r"\b(?:bru+h+\w*|nice+|clean|let'?s go+\w*|ya+s+|ye+ss+|no{3,}|o{3,}h*|a{4,}h*|huh+|ayo+|"
    r"oh (?:no|shit)|jesus|damn+|dayum|cracked|ace|clutch\w*|goa+l+\w*|go+l+)\b|!{3,}",
    re.I,
)
_EMOTE: Final = re.compile(r"\b[a-z]{2,}[A-Z]\w*\b")
_EMOTE_LAUGH: Final = re.compile(r"(?:laugh|lul|kek|hype|pog|rofl|lol|haha|scream|wow|gasm)", re.I)
_GREETING: Final = re.compile(
    r"^\W*(?:h+i+|h+e+y+|hello+|yo+|sup+|wass?u+p+|good (?:morning|evening|night|day)|"
    r"welcome|bye+|early|first|gn|gm)\b",
    re.I,
)
_LINK: Final = re.compile(r"https?://|www\.|\w\.(?:com|gg|tv|net|org)\b", re.I)
_STRETCHED: Final = re.compile(r"([a-z])\1{3,}", re.I)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """How the chat answered each step, 2 Hz.

    Attributes:
        activation: 0-1.
        present: False where nobody was there to answer, or the answers cannot have come yet.
        rate_ratio: messages against the trailing rate.
        laugh_share: of the reacting messages, how many laugh.
        words: every reacting message as (time, text), to be quoted.
    """

    activation: Curve
    present: Mask
    rate_ratio: Curve
    laugh_share: Curve
    words: tuple[tuple[float, str], ...]


def weigh(text: str) -> tuple[float, bool]:
    """How much one message answers something that just happened, 0-1, and whether it laughs."""
    stripped = text.strip()
    if not stripped or stripped.startswith(("!", "/")) or _LINK.search(stripped):
        return 0.0, False
    if _LAUGH.search(stripped):
        return 1.0, True
    emotes = _EMOTE.findall(stripped)
    if any(_EMOTE_LAUGH.search(emote) for emote in emotes):
        return 0.8, True
    if _GREETING.search(stripped):
        return 0.0, False
    num_words = len(stripped.split())
    weight = 0.0
    if _WONDER.search(stripped):
        weight = WONDER_WEIGHT
    elif _MURMUR.search(stripped):
        weight = MURMUR_WEIGHT
    if num_words > 8:  # a sentence tells or asks; a cry is short
        weight *= 0.5
    letters = [letter for letter in stripped if letter.isalpha()]
    if len(letters) >= 4 and sum(letter.isupper() for letter in letters) > 0.8 * len(letters):
        weight += LOUD_WEIGHT
    if _STRETCHED.search(stripped):
        weight += LOUD_WEIGHT
    return min(weight, 0.9), False


def reaction_score(texts: Sequence[str]) -> float:
    """How strongly some messages, taken together, answer an event: 0-1, drawn to 0 when they are few.

    Which share of them answers, and how many do: a hundred who laugh say more than three.
    """
    weights = [weigh(text)[0] for text in texts]
    answering = sum(weights)
    share = answering / (len(weights) + 2.0)
    return share * math.pow(min(answering / _MANY_ANSWERS, 1.0), _MANY_POWER)


def reaction(chat: Sequence[ChatLine], duration_s: float, *, lag_s: float = LAG_S) -> Reaction:
    """The chat's answer to each step, moved by `lag_s` to where its cause was."""
    num_steps = int(duration_s * SIGNAL_RATE_HZ)
    lines = sorted((line for line in chat if 0 <= line.at_s < duration_s), key=lambda line: line.at_s)
    counts, weights, laughs = np.zeros(num_steps), np.zeros(num_steps), np.zeros(num_steps)
    words: list[tuple[float, str]] = []
    pasted: dict[str, float] = {}
    for line in lines:
        step = min(int(line.at_s * SIGNAL_RATE_HZ), num_steps - 1)
        weight, is_laugh = weigh(line.text)
        if len(line.text) > 25:  # a long line seen before within a minute is pasted, not written
            if line.at_s - pasted.get(line.text, -1e9) < 60:
                weight = 0.0
            pasted[line.text] = line.at_s
        counts[step] += 1
        weights[step] += weight
        laughs[step] += weight if is_laugh else 0.0
        if weight > 0.3:
            words.append((line.at_s, line.text))
    width = int(WINDOW_S * SIGNAL_RATE_HZ)
    lag = int(lag_s * SIGNAL_RATE_HZ)
    num, reacting, laughing = (ahead(curve, width, lag) for curve in (counts, weights, laughs))
    least_steps = LEAST_PAST_S * SIGNAL_RATE_HZ
    base_num, past_steps = trailing(counts), np.maximum(trailing(np.ones(num_steps)), least_steps)
    usual = base_num / past_steps * width
    usual_reacting = trailing(weights) / past_steps * width
    burst = (reacting - usual_reacting) / np.sqrt(usual_reacting + 1.5)
    share = reacting / (num + 2.0)
    activation = -np.expm1(-np.maximum(burst, 0.0) / _BURST_SIGMA) * np.minimum(share / FULL_SHARE, 1.0)
    is_peopled = base_num > MIN_LINES_A_MINUTE * past_steps / (60 * SIGNAL_RATE_HZ)
    can_have_come = np.arange(num_steps) < num_steps - lag
    return Reaction(
        activation=activation,
        present=(is_peopled & can_have_come) | (activation > 0.1),
        rate_ratio=num / np.maximum(usual, 1.0),
        laugh_share=laughing / np.maximum(reacting, 1e-9),
        words=tuple(words),
    )


def ahead(curve: Curve, width: int, lag: int) -> Curve:
    """Sum of the window of `width` steps whose middle lies `lag` steps ahead."""
    sums = np.concatenate(([0.0], np.cumsum(curve)))
    index = np.arange(curve.size)
    first = np.clip(index + lag - width // 2, 0, curve.size)
    last = np.clip(index + lag - width // 2 + width, 0, curve.size)
    return sums[last] - sums[first]


def trailing(curve: Curve) -> Curve:
    """Sum of the window of 240 s that ends with each step."""
    sums = np.concatenate(([0.0], np.cumsum(curve)))
    index = np.arange(curve.size)
    return sums[index + 1] - sums[np.maximum(0, index + 1 - int(BASE_WINDOW_S * SIGNAL_RATE_HZ))]
