"""What happens when: the truth, before anything is rendered.

An event has several signs, never all of them: each kind shows in the voice, in words, in laughter, in the sound
of what is played, in the picture and in the chat with a chance of its own. Two signs at least, or nobody could
say that something happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

import numpy as np

from tests.synthetic.family import Family, family_of
from tests.synthetic.model import Event, Plan, Span

HEAD_S: Final = 40.0  # nothing happens in a stream's first seconds
TAIL_S: Final = 15.0
GAP_S: Final = 8.0
LEAST_S: Final = 6.0
NO_CHAT_SHARE: Final = 0.25
SIGNS: Final = ("voice", "words", "laughter", "desktop", "motion", "chat")
SPORTS: Final = ("football", "basketball", "tennis", "racing", "hockey", "volleyball", "rugby")

# Chances of the signs, in the order of SIGNS.
_SIGNS: Final = {
    "hype": (0.85, 0.75, 0.15, 0.55, 0.55, 0.85),
    "funny": (0.45, 0.55, 0.85, 0.25, 0.25, 0.85),
    "clutch": (0.80, 0.75, 0.10, 0.60, 0.75, 0.85),
    "fail": (0.70, 0.70, 0.45, 0.45, 0.50, 0.80),
    "score": (0.90, 0.85, 0.05, 0.85, 0.60, 0.90),
    "rage": (0.95, 0.75, 0.05, 0.40, 0.30, 0.75),
    "wholesome": (0.30, 0.75, 0.25, 0.20, 0.15, 0.85),
}
# What a genre adds to or takes from the weight of a kind, and of a sign.
_GENRE_KINDS: Final[Mapping[str, Mapping[str, float]]] = {
    "talk": {"score": 0.0, "clutch": 0.0, "wholesome": 2.0, "funny": 2.0},
    "irl": {"score": 0.0, "clutch": 0.0, "wholesome": 1.5},
    "music": {"score": 0.0, "clutch": 0.0, "rage": 0.3, "wholesome": 1.5},
    "cooking": {"score": 0.0, "clutch": 0.0, "fail": 2.0},
    **{sport: {"score": 4.0, "clutch": 0.0, "wholesome": 0.0, "funny": 0.3} for sport in SPORTS},
}
_GENRE_SIGNS: Final[Mapping[str, Mapping[str, float]]] = {
    "talk": {"motion": 0.2, "desktop": 0.4},
    "music": {"motion": 0.4},
    "cooking": {"motion": 0.6, "desktop": 0.5},
    **{sport: {"laughter": 0.3} for sport in SPORTS},
}
_DECOYS: Final = {  # kind: (weight, shortest, longest seconds)
    "advert": (1.5, 15.0, 30.0),
    "music": (1.0, 20.0, 60.0),
    "raid": (1.0, 15.0, 30.0),
    "loud_boring": (2.0, 4.0, 12.0),
    "past_tense": (1.5, 4.0, 8.0),
    "pause_screen": (0.8, 20.0, 60.0),
    "chat_flood": (1.0, 10.0, 25.0),
}
_MORE_DECOYS: Final = {"alert": (1.0, 4.0, 9.0), "humming": (1.0, 6.0, 20.0)}
_NEEDS_CHAT: Final = ("raid", "chat_flood")


def make_plan(seed: int, *, duration_s: float | None = None, has_chat: bool | None = None) -> Plan:
    """The plan of a seed; what is not given is drawn.

    Raises:
        ValueError: The seed belongs to no family, or the duration is not 600 to 1,800 s.
    """
    family = family_of(seed)
    rng = np.random.default_rng([seed, 1])
    drawn_s = float(rng.integers(60, 181) * 10)
    drawn_chat = bool(rng.random() >= NO_CHAT_SHARE)
    length_s = drawn_s if duration_s is None else float(duration_s)
    if not 600.0 <= length_s <= 1800.0:
        raise ValueError(f"cannot make a stream of {length_s:.0f} s: give 600 to 1,800")
    with_chat = drawn_chat if has_chat is None else has_chat
    genre = _pick(rng, family.genres)
    num_viewers = round(float(np.exp(rng.uniform(np.log(5), np.log(20_000)))))
    events, decoys = _placed(rng, family, genre, length_s, with_chat)
    return Plan(
        seed=seed,
        genre=genre,
        duration_s=length_s,
        num_viewers=num_viewers,
        has_chat=with_chat,
        events=events,
        decoys=decoys,
    )


def _placed(
    rng: np.random.Generator, family: Family, genre: str, duration_s: float, has_chat: bool
) -> tuple[list[Event], list[Span]]:
    """Events and decoys in any order, apart from one another, over the whole stream."""
    num_events = max(1, round(rng.uniform(4, 9) * duration_s / 600))
    num_decoys = max(1, round(rng.uniform(3, 7) * duration_s / 600))
    kinds = {
        kind: weight * _GENRE_KINDS.get(genre, {}).get(kind, 1.0) for kind, weight in family.kinds.items()
    }
    known = _DECOYS | _MORE_DECOYS if family.has_more_decoys else _DECOYS
    decoys = {
        kind: row[0]
        for kind, row in known.items()
        if (has_chat or kind not in _NEEDS_CHAT) and not (kind == "music" and genre == "music")
    }
    items = [(_event_s(rng), _pick(rng, kinds), True) for _ in range(num_events)]
    for kind in (_pick(rng, decoys) for _ in range(num_decoys)):
        items.append((float(rng.uniform(*known[kind][1:])), kind, False))
    free_s = duration_s - HEAD_S - TAIL_S - sum(item[0] + GAP_S for item in items)
    while free_s < 0:  # only where the longest of everything was drawn
        items.pop()
        free_s = duration_s - HEAD_S - TAIL_S - sum(item[0] + GAP_S for item in items)
    order = rng.permutation(len(items))
    gaps_s = rng.dirichlet(np.ones(len(items) + 1)) * free_s
    at_s = HEAD_S
    events, placed = [], []
    for gap_s, index in zip(gaps_s, order, strict=False):
        length_s, kind, is_event = items[index]
        start_s = round(at_s + float(gap_s), 2)
        span = Span(start_s=start_s, end_s=round(start_s + length_s, 2), kind=kind)
        at_s = span.end_s + GAP_S
        if is_event:
            events.append(_event(rng, span, genre, has_chat))
        else:
            placed.append(span)
    return events, placed


def is_explosion(span: Span) -> bool:
    """Whether something loud without meaning comes from the game, and not from somebody who shouts."""
    return span.kind == "loud_boring" and round(span.start_s * 100) % 2 == 0


def is_filling_the_picture(span: Span) -> bool:
    """Whether an advert is shown, and not only heard."""
    return span.kind == "advert" and round(span.start_s * 100) % 2 == 0


def _event_s(rng: np.random.Generator) -> float:
    """5 to 30 s, mostly about 12."""
    return float(np.clip(rng.lognormal(np.log(12.0), 0.45), 5.0, 30.0))


def _event(rng: np.random.Generator, span: Span, genre: str, has_chat: bool) -> Event:
    factors = _GENRE_SIGNS.get(genre, {})
    chances = {
        sign: chance * factors.get(sign, 1.0)
        for sign, chance in zip(SIGNS, _SIGNS[span.kind], strict=True)
        if has_chat or sign != "chat"
    }
    signs: set[str] = set()
    while len(signs) < 2:
        signs = {sign for sign, chance in chances.items() if rng.random() < chance}
    lead = rng.uniform(0.2, 0.5) if span.kind == "clutch" else rng.uniform(0.0, 0.35)
    climax_s = span.start_s + float(lead) * span.duration_s
    return Event(
        span=span,
        truth=_truth(span, climax_s, signs, genre),
        signs=frozenset(signs),
        strength=float(rng.uniform(0.4, 1.0)),
        climax_s=climax_s,
    )


def _truth(span: Span, climax_s: float, signs: Set[str], genre: str) -> Span:
    """From the first sign to the last. That talk before a clutch is 4 dB lower is less than talk varies by itself."""
    # The picture turns up to 2 s before, and stays so for some 0.7 of what follows; a game fires from 1 s before.
    is_early = "motion" in signs or ("desktop" in signs and genre == "gaming")
    is_over_sooner = not signs & {"voice", "words", "laughter", "desktop"}
    start_s = climax_s - 1.0 if is_early else climax_s
    end_s = climax_s + (0.7 if is_over_sooner else 1.0) * (span.end_s - climax_s)
    return Span(start_s=round(start_s, 2), end_s=round(max(end_s, start_s + LEAST_S), 2), kind=span.kind)


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    names = list(weights)
    odds = np.array([weights[name] for name in names])
    return names[int(rng.choice(len(names), p=odds / odds.sum()))]
