"""Real commentary, judged over HTTP by models of known worth: a good one helps, a bad one cannot harm.

The figures are of the development set (181 halves of football, 311 goals): recall of goals by the best three moments.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from coordinator.app.judged_highlights import NUM_FINALISTS, judged
from coordinator.highlight.detect import detect
from coordinator.model.highlight import Moment, SessionSignals, Utterance
from coordinator.settings import Llm, LlmProvider
from tests.fakes.llm_server import MODEL, running_llm_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DATA = Path(__file__).parents[3] / "shared" / "datasets" / "highlights" / "commentary_dev.jsonl.gz"

# What one candidate of a question is rated. Args: the candidate, its place, and whether a goal fell in it.
Rate: TypeAlias = "Callable[[dict[str, Any], int, bool], float]"
TOP = 3


class Half:
    """One half of a match: what was said, what was found, and when goals fell."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.said = [Utterance(start_s=start, end_s=end, text=text) for start, end, text in record["segs"]]
        signals = SessionSignals(duration_s=record["dur"], utterances=self.said)
        self.finalists = detect(signals, top_k=NUM_FINALISTS)
        self.goals_s: list[float] = []
        for at_s in sorted(event["t"] for event in record["events"] if event["label"] == "Goal"):
            if not self.goals_s or at_s - self.goals_s[-1] > 5:
                self.goals_s.append(at_s)
        self.words = [(said.start_s, word) for said in self.said for word in said.text.split()]

    def num_found(self, spans_s: Sequence[tuple[float, float]]) -> int:
        return sum(any(start_s <= at_s <= end_s for start_s, end_s in spans_s) for at_s in self.goals_s)

    def is_goal(self, candidate: dict[str, Any]) -> bool:
        """Did a goal fall in the moment of which this was said?"""
        best = max(self.finalists, key=lambda moment: self._shared(moment, candidate["said"]))
        return self.num_found([(best.start_s, best.end_s)]) > 0

    def _shared(self, moment: Moment, said: str) -> int:
        inside = " ".join(word for at_s, word in self.words if moment.start_s - 30 <= at_s < moment.end_s)
        length = round(moment.end_s - moment.start_s)
        return (said in " ".join(inside.split())) * 1_000 + length


@functools.cache
def halves() -> list[Half]:
    if not DATA.exists():
        pytest.skip("the commentary set is not beside this checkout (../shared/datasets)")
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        return [Half(record) for record in map(json.loads, lines) if record["usable"]]


def recall(found: Sequence[Sequence[tuple[float, float]]]) -> float:
    num_goals = sum(len(half.goals_s) for half in halves())
    return sum(half.num_found(spans) for half, spans in zip(halves(), found, strict=True)) / num_goals


def without_a_model() -> float:
    return recall([[(one.start_s, one.end_s) for one in half.finalists[:TOP]] for half in halves()])


def with_a_model(rate: Rate | None = None, *, always: str = "ok") -> float:
    """Recall with a model behind HTTP that rates so, or behaves as `always`."""
    current = halves()[0]

    def answer(data: dict[str, Any]) -> dict[str, Any]:
        windows = []
        for window in data["windows"]:
            candidates = [
                {
                    "index": one["index"],
                    "adjustment": rate(one, at, current.is_goal(one)) if rate else 0.0,
                    "title": "<b>Win</b> https://evil.example",
                }
                for at, one in enumerate(window["candidates"])
            ]
            windows.append({"id": window["id"], "candidates": candidates, "hashtags": ["#ok", "<b>"]})
        return {"windows": windows}

    found = []
    with running_llm_server(always=always) as server:
        if rate is not None:
            server.answer = answer
        llm = Llm(providers=(LlmProvider(name="local", base_url=server.url, model=MODEL, timeout_s=20.0),))
        for half in halves():
            current = half
            moments = judged(half.finalists, half.said, top_k=TOP, settings=llm).moments
            assert not any("<" in one.title or "http" in one.title for one in moments)
            found.append([(one.start_ns / 1e9, one.end_ns / 1e9) for one in moments])
        assert server.num_taken >= len(halves()) / 2
    return recall(found)


@pytest.mark.parametrize(
    "rate",
    [
        lambda _one, _at, is_goal: 1.0 if is_goal else -1.0,
        lambda _one, _at, is_goal: 0.3 if is_goal else 0.0,
    ],
    ids=["plain", "shy"],
)
def test_a_model_that_knows_the_goals_finds_a_tenth_more_of_them(rate: Rate) -> None:
    before, after = without_a_model(), with_a_model(rate)

    sys.stdout.write(f"commentary R@{TOP}: {before:.3f} without a model, {after:.3f} with one that knows\n")
    assert after >= before + 0.10


_RANDOM = random.Random(36)


def _stubborn(one: dict[str, Any], _at: int, _is_goal: bool) -> float:
    """Random, and the same whenever it is asked about the same words."""
    return int.from_bytes(hashlib.sha256(one["said"].encode()).digest()[:4]) / 2**31 - 1.0


@pytest.mark.parametrize(
    "rate",
    [
        lambda _one, _at, _is_goal: _RANDOM.uniform(-1, 1),
        lambda _one, _at, _is_goal: _RANDOM.choice((-1.0, 1.0)),
        lambda _one, at, _is_goal: 1.0 - at / 8,
        lambda _one, _at, _is_goal: 1e9,
        _stubborn,
    ],
    ids=["random", "all or nothing", "by the place in the list", "huge", "stubborn"],
)
def test_a_model_that_knows_nothing_costs_next_to_nothing(rate: Rate) -> None:
    before, after = without_a_model(), with_a_model(rate)

    sys.stdout.write(
        f"commentary R@{TOP}: {before:.3f} without a model, {after:.3f} with one that knows nothing\n"
    )
    assert after >= before - 0.03


@pytest.mark.parametrize("always", ["hostile", "obeys", "nan", "wrong-ids", "wrong-index", "broken", "huge"])
def test_hostile_answers_cost_next_to_nothing(always: str) -> None:
    before, after = without_a_model(), with_a_model(always=always)

    sys.stdout.write(
        f"commentary R@{TOP}: {before:.3f} without a model, {after:.3f} with answers that are {always}\n"
    )
    assert after >= before - 0.03
