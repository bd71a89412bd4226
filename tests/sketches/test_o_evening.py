"""What is special to the ordinary evening: loud spans, answering chat, every kind of decoy."""

from __future__ import annotations

import numpy as np

from tests.sketches.o_evening.bank import Bank
from tests.sketches.o_evening.plan import plan_evening
from tests.sketches.o_evening.script import DECOYS, MOMENTS
from tests.sketches.o_evening.stream import make
from tests.sketches.o_evening.who import Plan, draw_persona
from tests.sketches.sketch import RATE_HZ


def _plan(seed: int) -> Plan:
    bank = Bank("kobi")
    who = draw_persona(np.random.default_rng([seed, 0]), bank)
    return plan_evening(who, 600.0, bank, np.random.default_rng([seed, 1]))


def test_every_kind_of_moment_and_decoy_occurs_and_nobody_talks_over_himself() -> None:
    plans = [_plan(seed) for seed in range(40)]
    assert {m.kind for p in plans for m in p.moments} == set(MOMENTS)
    assert {d.kind for p in plans for d in p.decoys} == set(DECOYS)
    overlaps = [b.start_s < a.end_s - 0.05 for p in plans for a, b in zip(p.lines, p.lines[1:], strict=False)]
    assert np.mean(overlaps) < 0.01
    assert 1 <= sum(not p.who.chat_per_min for p in plans) <= 20


def test_loudest_seconds_lie_in_spans_more_often_than_chance() -> None:
    hits, share = [], []
    for seed in range(4):
        s = make(seed, 200.0)
        level = np.abs(s.mic).reshape(-1, RATE_HZ).mean(1)
        inside = np.zeros(200, np.bool_)
        for span in (*s.moments, *s.decoys):
            inside[int(span.start_s) : int(span.end_s) + 1] = True
        hits.append(inside[np.argsort(level)[-5:]].mean())
        share.append(inside.mean())
    assert np.mean(hits) > np.mean(share) + 0.1


def test_chat_answers_some_seconds_after_the_start_of_moments() -> None:
    before, after = 0, 0
    for seed in range(4):
        s = make(seed, 300.0)
        at = np.array([t for t, _ in s.chat])
        for m in s.moments:
            before += int(np.sum((at > m.start_s - 10) & (at < m.start_s)))
            after += int(np.sum((at > m.start_s + 2) & (at < m.start_s + 12)))
    assert after > 1.6 * before
