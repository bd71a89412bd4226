"""Which words are on screen together, and when: pure, no drawing.

Cards are broken at pauses, at the end of a sentence and, where one grows too long, where it reads best.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from coordinator.media.captions.breaking import (
    FORBIDDEN,
    best_breaks,
    break_penalties,
    ends_clause,
    ends_sentence,
    is_glued,
    joined,
    num_columns,
    readable_words,
)
from coordinator.model.speech import Word

MAX_WORDS = 4
MAX_CHARACTERS = 22
MAX_CARD_S = 3.0
PAUSE_S = 0.45
# A card stays this long after its last word, so that the eye can finish; the next one takes over earlier.
LINGER_S = 0.5
# A card on screen for less is not seen: its words stand with the next ones, at most so much early.
MIN_CARD_S = 0.07
_BREATH_S = 0.2
# What a card costs that breaks its bounds because there is no time for two; never where there is another way.
_FAST = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CardShape:
    """What goes on one card at most. `max_characters`: in columns, see `breaking.num_columns`."""

    max_words: int = MAX_WORDS
    max_characters: int = MAX_CHARACTERS
    max_card_s: float = MAX_CARD_S


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Words shown together from `start_s` to `end_s`; word k is spoken from `onsets_s[k]` to the next one."""

    texts: tuple[str, ...]
    onsets_s: tuple[float, ...]
    start_s: float
    end_s: float

    @property
    def line(self) -> str:
        """Its words as one line of text."""
        return joined(self.texts)

    def spoken_at(self, time_s: float) -> int:
        """Return the index of the word that is being spoken, or was last."""
        return max(0, sum(onset <= time_s for onset in self.onsets_s) - 1)


def words_within(words: Sequence[Word], *, start_s: float, end_s: float) -> list[Word]:
    """Return the words heard in a span, in order of time, with times counted from its start.

    A word belongs to the span if at least half of it is inside. Empty words are left out.
    """
    found = []
    for word in sorted(words, key=lambda w: (w.start_s, w.end_s)):
        middle_s = (word.start_s + max(word.end_s, word.start_s)) / 2
        text = " ".join(word.text.split())
        if text and start_s <= middle_s < end_s:
            onset_s = max(0.0, word.start_s - start_s)
            end = max(onset_s, min(end_s, word.end_s) - start_s)
            found.append(Word(text=text, start_s=onset_s, end_s=end, channel=word.channel))
    return found


def cards_of(words: Sequence[Word], *, duration_s: float, shape: CardShape | None = None) -> list[Card]:
    """Group words (in order of time, from 0) into cards that never overlap."""
    shape = shape or CardShape()
    words = readable_words(words)
    groups = [
        phrase[first:after]
        for phrase in _phrases(words)
        for first, after in best_breaks(_penalties(phrase), _costs(phrase, shape))
    ]
    cards = []
    for index, group in enumerate(groups):
        next_s = groups[index + 1][0].start_s if index + 1 < len(groups) else duration_s
        spoken_s = max(w.end_s for w in group)
        cards.append(
            Card(
                texts=tuple(w.text for w in group),
                onsets_s=tuple(w.start_s for w in group),
                start_s=group[0].start_s,
                end_s=min(next_s, spoken_s + LINGER_S),
            )
        )
    return cards


def _phrases(words: Sequence[Word]) -> list[list[Word]]:
    """Split where a card ends in any case: at a pause, and at the end of a sentence."""
    phrases: list[list[Word]] = []
    for word in words:
        last = phrases[-1][-1] if phrases else None
        has_time = last is not None and word.start_s - phrases[-1][0].start_s >= MIN_CARD_S
        if last is None or (has_time and (word.start_s - last.end_s > PAUSE_S or ends_sentence(last.text))):
            phrases.append([word])
        else:
            phrases[-1].append(word)
    return phrases


def _penalties(phrase: Sequence[Word]) -> list[float]:
    penalties = break_penalties([word.text for word in phrase])
    for index, (last, word) in enumerate(itertools.pairwise(phrase), start=1):
        if word.start_s - last.end_s > _BREATH_S and penalties[index] < FORBIDDEN:
            penalties[index] = min(penalties[index], 0.1)
    return penalties


def _costs(phrase: Sequence[Word], shape: CardShape) -> list[list[float]]:
    """Return what each card would cost that begins with word k, of one, two, three ... words."""
    costs = []
    for first, begin in enumerate(phrase):
        row: list[float] = []
        inside = 0.0
        num_words, width = 0, 0
        for index in range(first, len(phrase)):
            word = phrase[index]
            is_head = index == first or not is_glued(phrase[index - 1].text, word.text)
            num_words += is_head
            width += num_columns(word.text) + (is_head and index > first)
            is_long = width > shape.max_characters or word.start_s - begin.start_s > shape.max_card_s
            if index > first and (is_long or num_words > shape.max_words):
                if word.start_s - begin.start_s < MIN_CARD_S:
                    row.append(_FAST)
                    continue
                break
            if index > first + 1 and ends_clause(phrase[index - 1].text):
                inside += 0.4
            row.append(inside + _card_cost(phrase, first, index + 1, width, shape))
        costs.append(row)
    return costs


def _card_cost(phrase: Sequence[Word], first: int, after: int, width: int, shape: CardShape) -> float:
    cost = 1.0 + 0.8 * (1 - min(1.0, width / shape.max_characters)) ** 2
    is_orphan = after - first == 1 < len(phrase) and shape.max_words > 1
    if is_orphan and width <= shape.max_characters / 3:
        cost += 0.8
    if after < len(phrase) and phrase[after].start_s - phrase[first].start_s < MIN_CARD_S:
        cost += 2 * _FAST
    return cost
