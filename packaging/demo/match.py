"""The generated match as data: who says what when, which spans are highlights, which only look like some.

Pure: the same duration and seed give the same timeline. Times are seconds from the start of the match.
A match of 155 s holds three highlights and four decoys; a shorter one is its beginning, a longer one goes on
with another such cycle. Standard library only, and no import of ours, so that any program may load it.
"""

from __future__ import annotations

import bisect
import dataclasses
import random
from collections.abc import Iterator
from typing import Literal

Voice = Literal["streamer", "advert"]
HighlightKind = Literal["goal", "save"]
DecoyKind = Literal["advert", "music", "shouting"]

DEFAULT_DURATION_S = 155.0
DEFAULT_SEED = 7
CYCLE_S = 155.0
MIN_GAP_S = 8.0  # between a highlight and any decoy: wider than a detector's usual pre-roll

_JITTER_S = 0.4
# Spoken length by espeak-ng at our rates, from above (measured: at most 0.0675 s a letter and 0.04 s more).
_LETTER_S = 0.068
_BREATH_S = 0.2

_OPENING = ("welcome back everyone to the big match", "blue team plays red team tonight")
_CALM = (
    "blue team takes the ball down the left side",
    "red team waits in the middle",
    "a long pass to the right",
    "they play it back to the keeper",
    "nothing much is happening here",
    "a throw for the red team",
    "number seven looks for space",
    "the crowd is quiet now",
    "blue team keeps the ball",
    "slow play from both teams",
    "number four wins it in the middle",
    "red team moves up the field",
    "another short pass on the right",
    "we are still waiting for a chance",
)
_GOAL_BLUE = ("here comes the big chance", "he shoots he scores", "what a strike", "goal for the blue team")
_SAVE = ("this is a penalty for blue", "he shoots", "what a save by the keeper", "i can not believe it")
_GOAL_RED = ("red team is through on goal", "he scores", "unbelievable goal", "the crowd is going wild")
_SHOUTS = ("hey stop that noise", "where is my coffee", "close the door please")
_ADVERT = (
    "this stream is brought to you by happy soda. buy one today and get another one free. "
    "happy soda, the taste of summer, now in every store."
)

# (offset from the span's start, excitement) of the four lines of a highlight. The second line is the shot.
_HIGHLIGHT_LINES = ((0.0, 0.5), (2.15, 1.0), (3.75, 1.0), (5.85, 0.9))
SHOT_S = 2.5  # from a highlight's start to the moment the ball goes in, or is held


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One line of speech. `excitement` 0 is calm, 1 is shouting."""

    start_s: float
    text: str
    voice: Voice
    excitement: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """A span worth a clip. `shot_s` is the moment itself; `team` is whose shot it is."""

    start_s: float
    end_s: float
    kind: HighlightKind
    team: Literal["blue", "red"]
    shot_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decoy:
    """A span that is loud and no highlight."""

    start_s: float
    end_s: float
    kind: DecoyKind


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Everything that happens in one match; each tuple in order of time."""

    duration_s: float
    seed: int
    utterances: tuple[Utterance, ...]
    highlights: tuple[Highlight, ...]
    decoys: tuple[Decoy, ...]

    def highlight_at(self, at_s: float) -> Highlight | None:
        """The highlight that `at_s` lies in."""
        index = bisect.bisect_right(self.highlights, at_s, key=lambda highlight: highlight.start_s) - 1
        return self.highlights[index] if index >= 0 and at_s < self.highlights[index].end_s else None

    def decoy_at(self, at_s: float) -> Decoy | None:
        """The decoy that `at_s` lies in."""
        index = bisect.bisect_right(self.decoys, at_s, key=lambda decoy: decoy.start_s) - 1
        return self.decoys[index] if index >= 0 and at_s < self.decoys[index].end_s else None

    def score_at(self, at_s: float) -> tuple[int, int]:
        """Goals of blue and of red."""
        goals = [goal.team for goal in self.highlights if goal.kind == "goal" and goal.shot_s <= at_s]
        return goals.count("blue"), goals.count("red")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """A planned highlight or decoy, its start in seconds from the cycle's start."""

    start_s: float
    length_s: float
    kind: HighlightKind | DecoyKind
    team: Literal["blue", "red"] = "blue"
    lines: tuple[str, ...] = ()


# The last highlight of a cycle ends 61 s before it does: its post can be ready while the match still runs.
_CYCLE = (
    _Span(start_s=19.0, length_s=8.0, kind="goal", team="blue", lines=_GOAL_BLUE),
    _Span(start_s=36.5, length_s=9.0, kind="advert", lines=(_ADVERT,)),
    _Span(start_s=55.0, length_s=8.0, kind="save", team="blue", lines=_SAVE),
    _Span(start_s=71.5, length_s=5.8, kind="music"),
    _Span(start_s=86.0, length_s=8.0, kind="goal", team="red", lines=_GOAL_RED),
    _Span(start_s=113.0, length_s=6.5, kind="shouting", lines=_SHOUTS),
    _Span(start_s=127.0, length_s=9.0, kind="advert", lines=(_ADVERT,)),
)


def timeline(duration_s: float = DEFAULT_DURATION_S, seed: int = DEFAULT_SEED) -> Timeline:
    """The match of that length. Spans that would not end in time are left out.

    Raises:
        ValueError: `duration_s` is not a positive, finite number of at most a day.
    """
    if not 0.0 < duration_s <= 86_400.0:
        raise ValueError(f"a match of {duration_s} s cannot be played; give more than 0 and at most 86400 s")
    utterances: list[Utterance] = []
    highlights: list[Highlight] = []
    decoys: list[Decoy] = []
    # A string seeds by its bytes, the same in every process and on every version.
    chance = random.Random(f"match {seed}")
    calm = _shuffled(_CALM, chance)
    cycle_start_s = 0.0
    while cycle_start_s < duration_s:
        free_from_s = cycle_start_s + 1.0
        lines = list(_OPENING) if cycle_start_s == 0.0 else []
        for plan in _CYCLE:
            # Tenths of a second are whole frames at 30 and 60 fps: a shot's flash is painted when it is heard.
            start_s = round(cycle_start_s + plan.start_s + chance.uniform(-_JITTER_S, _JITTER_S), 1)
            end_s = round(start_s + plan.length_s, 3)
            utterances += _calm_speech(free_from_s, start_s - 0.7, lines, calm, chance)
            free_from_s = end_s + 0.8
            if end_s > duration_s:
                continue
            utterances += _span_speech(plan, start_s)
            if plan.kind == "goal" or plan.kind == "save":
                highlights.append(
                    Highlight(
                        start_s=start_s,
                        end_s=end_s,
                        kind=plan.kind,
                        team=plan.team,
                        shot_s=round(start_s + SHOT_S, 3),
                    )
                )
            else:
                decoys.append(Decoy(start_s=start_s, end_s=end_s, kind=plan.kind))
        cycle_start_s += CYCLE_S
        utterances += _calm_speech(free_from_s, cycle_start_s - 1.0, lines, calm, chance)
    return Timeline(
        duration_s=duration_s,
        seed=seed,
        utterances=tuple(line for line in utterances if line.start_s + estimated_s(line.text) <= duration_s),
        highlights=tuple(highlights),
        decoys=tuple(decoys),
    )


def phrases() -> tuple[str, ...]:
    """The closed set of lines the streamer can say, sorted: what a recogniser's grammar is made of."""
    return tuple(sorted({*_OPENING, *_CALM, *_GOAL_BLUE, *_SAVE, *_GOAL_RED, *_SHOUTS}))


def estimated_s(text: str) -> float:
    """How long a line takes to say, from above; timelines leave at least this much room for it."""
    return _BREATH_S + _LETTER_S * len(text)


def _shuffled(lines: tuple[str, ...], chance: random.Random) -> Iterator[str]:
    """All lines in random order, for ever; none twice in a row."""
    last = ""
    while True:
        order = chance.sample(lines, len(lines))
        if order[0] == last:
            order.append(order.pop(0))
        yield from order
        last = order[-1]


def _calm_speech(
    start_s: float, end_s: float, first: list[str], calm: Iterator[str], chance: random.Random
) -> list[Utterance]:
    """Fill a span with calm lines and natural pauses. Takes from `first` (and empties it) before `calm`."""
    spoken: list[Utterance] = []
    at_s = start_s
    text = first.pop(0) if first else next(calm)
    while at_s + estimated_s(text) <= end_s:
        spoken.append(Utterance(start_s=round(at_s, 3), text=text, voice="streamer", excitement=0.0))
        at_s += estimated_s(text) + chance.uniform(0.5, 1.6)
        text = first.pop(0) if first else next(calm)
    return spoken


def _span_speech(plan: _Span, start_s: float) -> list[Utterance]:
    """The lines of a highlight, an advert or a shouting streamer."""
    if plan.kind == "advert":
        return [
            Utterance(start_s=round(start_s + 1.4, 3), text=text, voice="advert", excitement=0.6)
            for text in plan.lines
        ]
    if plan.kind == "shouting":
        offsets = [(0.0, 0.9), (2.2, 0.9), (4.3, 0.9)]
    else:
        offsets = list(_HIGHLIGHT_LINES)
    return [
        Utterance(start_s=round(start_s + offset_s, 3), text=text, voice="streamer", excitement=excitement)
        for text, (offset_s, excitement) in zip(plan.lines, offsets, strict=False)
    ]
