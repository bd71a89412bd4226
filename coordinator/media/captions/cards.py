"""Which words are on screen together, and when: pure, no drawing.

Short cards, as people read them beside moving pictures: few words, broken at pauses and at the end of a
sentence, the spoken word marked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from coordinator.model.speech import Word

MAX_WORDS = 4
MAX_CHARACTERS = 22
MAX_CARD_S = 3.0
PAUSE_S = 0.45
# A card stays this long after its last word, so that the eye can finish; the next one takes over earlier.
LINGER_S = 0.5
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
_CLAUSE_ENDS = (",", ";", ":", "、", "，")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Words shown together from `start_s` to `end_s`; word k is spoken from `onsets_s[k]` to the next one."""

    texts: tuple[str, ...]
    onsets_s: tuple[float, ...]
    start_s: float
    end_s: float

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


def cards_of(words: Sequence[Word], *, duration_s: float) -> list[Card]:
    """Group words (in order of time, from 0) into cards that never overlap."""
    groups: list[list[Word]] = []
    for word in words:
        if groups and not _should_break(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
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


def _should_break(group: Sequence[Word], word: Word) -> bool:
    last = group[-1]
    num_characters = sum(len(w.text) + 1 for w in group) + len(word.text)
    return (
        len(group) >= MAX_WORDS
        or num_characters > MAX_CHARACTERS
        or word.start_s - last.end_s > PAUSE_S
        or word.start_s - group[0].start_s > MAX_CARD_S
        or last.text.endswith(_SENTENCE_ENDS)
        or (len(group) >= 2 and last.text.endswith(_CLAUSE_ENDS))
    )
