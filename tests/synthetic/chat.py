"""What the viewers write: a steady murmur, answers to events some seconds late, raids, raffles and pasted texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.synthetic.family import Family, family_of
from tests.synthetic.model import KINDS, Event, Plan, Span, Written

_MAX_PER_S = 5.0
_STRAY_SHARE = 0.08  # somebody laughs or cheers at nothing
_REACTING_SHARE = 0.8


def write_chat(plan: Plan) -> list[Written]:
    """The chat, sorted; empty where the stream has none."""
    if not plan.has_chat:
        return []
    chat = _Chat(plan)
    chat.murmur()
    for event in plan.events:
        if "chat" in event.signs:
            chat.react(event)
    for span in plan.decoys:
        if span.kind == "raid":
            chat.raid(span)
        elif span.kind == "chat_flood":
            chat.flood(span)
    return chat.lines()


class _Chat:
    """Collects the lines of one stream."""

    def __init__(self, plan: Plan) -> None:
        self._rng = np.random.default_rng([plan.seed, 5])
        self._plan = plan
        self._family: Family = family_of(plan.seed)
        self._texts = self._family.phrases.chat
        factor = float(self._rng.lognormal(0.0, 0.4))
        self._per_s = float(np.clip(0.0035 * plan.num_viewers**0.75 * factor, 0.005, _MAX_PER_S))
        self._lag_s = float(self._rng.uniform(*self._family.chat_lag_s))
        # Few of those who watch write, and a few of those write most of it.
        num_authors = max(2, round(plan.num_viewers**0.8))
        weights = 1.0 / np.arange(1, num_authors + 1) ** 0.8
        self._odds = weights / weights.sum()
        self._lines: list[Written] = []

    def lines(self) -> list[Written]:
        """All of them, within the stream."""
        inside = [line for line in self._lines if 0 <= line.at_s < self._plan.duration_s]
        return sorted(inside, key=lambda line: (line.at_s, line.author, line.text))

    def murmur(self) -> None:
        """What is written at all times, more of it in some minutes than in others."""
        rng, plan = self._rng, self._plan
        for start_s in np.arange(0.0, plan.duration_s, 15.0):
            middle_s = start_s + 7.5
            is_away = any(
                span.kind in ("advert", "pause_screen") and span.start_s <= middle_s <= span.end_s
                for span in plan.decoys
            )
            rate = self._per_s * float(rng.gamma(6.0, 1 / 6.0)) * (0.6 if is_away else 1.0)
            for at_s in rng.uniform(start_s, start_s + 15.0, rng.poisson(rate * 15.0)):
                self._lines.append(self._murmured(float(at_s)))

    def react(self, event: Event) -> None:
        """Answers to an event: each as late as its author's picture and fingers make it."""
        rng = self._rng
        length_s = event.span.end_s - event.climax_s
        times = float(rng.uniform(2.0, 7.0)) * event.strength
        num = 1 + rng.poisson(self._per_s * times * (length_s + 4.0))
        own = self._texts.react[event.span.kind]
        for _ in range(num):
            lag_s = self._lag_s * float(rng.lognormal(0.0, 0.25))
            at_s = event.climax_s + float(rng.beta(1.2, 2.0)) * length_s + lag_s
            is_reacting = rng.random() < _REACTING_SHARE
            text = self._varied(self._pick(own)) if is_reacting else self._pick(self._texts.idle)
            self._write(at_s, text)

    def raid(self, span: Span) -> None:
        """Another channel's viewers come in and greet."""
        rng = self._rng
        count = max(3, round(self._plan.num_viewers * float(rng.uniform(0.2, 1.5))))
        self._lines.append(
            Written(at_s=span.start_s, author="raider", text=f"raid of {count}", kind="raid", count=count)
        )
        num = 4 + rng.poisson(min(_MAX_PER_S, self._per_s * 4.0) * span.duration_s)
        for at_s in span.start_s + 1.0 + rng.beta(1.0, 2.5, num) * span.duration_s:
            self._write(float(at_s), self._varied(self._pick(self._texts.raid)))

    def flood(self, span: Span) -> None:
        """A raffle that everybody joins, or a text that everybody pastes."""
        rng = self._rng
        is_raffle = rng.random() < 0.5
        num = 5 + rng.poisson(min(2 * _MAX_PER_S, self._per_s * 5.0) * span.duration_s)
        paste = self._pick(self._texts.paste)
        for at_s in rng.uniform(span.start_s, span.end_s, num):
            if is_raffle:
                self._write(float(at_s), self._pick(self._texts.giveaway), kind="command")
            else:
                self._write(float(at_s), paste)

    def _murmured(self, at_s: float) -> Written:
        rng, texts = self._rng, self._texts
        drawn = rng.random()
        if drawn < 0.04:
            return self._written(at_s, self._pick(texts.commands), kind="command")
        if drawn < 0.07:
            return Written(at_s=at_s, author="bot", text=self._pick(texts.bots), kind="bot")
        if drawn < 0.19:
            return self._written(at_s, self._pick(texts.questions))
        if drawn < 0.19 + _STRAY_SHARE:
            return self._written(at_s, self._pick(texts.react[KINDS[int(rng.integers(len(KINDS)))]]))
        return self._written(at_s, self._pick(texts.idle))

    def _varied(self, text: str) -> str:
        """As people write the same thing: again, louder, with more of it."""
        drawn = self._rng.random()
        if drawn < 0.15:
            return f"{text} {text}"
        if drawn < 0.25:
            return text.upper()
        if drawn < 0.35:
            return text + "!" * int(self._rng.integers(1, 5))
        return text

    def _write(self, at_s: float, text: str, kind: str = "message") -> None:
        self._lines.append(self._written(at_s, text, kind))

    def _written(self, at_s: float, text: str, kind: str = "message") -> Written:
        author = f"viewer{int(self._rng.choice(self._odds.size, p=self._odds))}"
        return Written(at_s=round(at_s, 2), author=author, text=text, kind=kind)

    def _pick(self, texts: Sequence[str]) -> str:
        return texts[int(self._rng.integers(len(texts)))]
