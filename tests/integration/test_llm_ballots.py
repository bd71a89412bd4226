"""Candidates compared with each other, twice, by a real provider on the loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from coordinator.llm.alone import NoAnswers, OwnCounts
from coordinator.llm.ballots import ALONE
from coordinator.llm.chain import Chain
from coordinator.llm.client import Client
from coordinator.llm.judge import ChainJudge
from coordinator.llm.presets import complete
from coordinator.model.llm import Candidate, JudgedWindow, Unjudged
from coordinator.settings import Llm, LlmProvider
from tests.fakes.llm_server import MODEL, LlmServer, sensible

FIVE = ("a shot", "a save", "a miss", "a foul", "a goal")
Made = Callable[..., ChainJudge]


@pytest.fixture
async def made(first: LlmServer) -> AsyncIterator[Made]:
    client = Client()

    def make(**settings: Any) -> ChainJudge:
        named = LlmProvider(name="p0", base_url=first.url, model=MODEL, timeout_s=20.0, **settings)
        counts = OwnCounts()
        return ChainJudge(Chain([complete(named, {})], counts, client), counts, NoAnswers(), Llm())

    yield make
    await client.aclose()


def window(name: str, *said: str) -> JudgedWindow:
    candidates = tuple(
        Candidate(
            index=at, start_s=20.0 * at, end_s=20.0 * at + 9, score=0.6 - 0.1 * at, kind="loud", said=text
        )
        for at, text in enumerate(said)
    )
    return JudgedWindow(window_id=name, user_id="u", tier="free", language="en", candidates=candidates)


async def test_many_candidates_are_compared_twice_in_one_question(made: Made, first: LlmServer):
    [found] = await made().judge([window("a", *FIVE)])

    [question] = first.questions()
    told = [[one["said"] for one in entry["candidates"]] for entry in question["windows"]]
    assert [sorted(said) for said in told] == [sorted(FIVE)] * 2
    assert found is not None
    # The server's order is the detector's: nothing speaks against it, and it may move all that a model may.
    assert [round(value, 6) for value in found.adjustments.values()] == [1.0, 0.5, 0.0, -0.5, -1.0]
    assert found.titles == {at: text.capitalize() for at, text in enumerate(FIVE)}


async def test_a_model_that_contradicts_itself_has_no_say(made: Made, first: LlmServer):
    def contradicting(data: dict[str, Any]) -> dict[str, Any]:
        answer = sensible(data)
        for one in answer["windows"][1]["candidates"]:
            one["adjustment"] *= -1
        return answer

    first.answer = contradicting
    whys: list[Unjudged] = []

    assert await made().judge([window("a", *FIVE)], on_unjudged=lambda _, why: whys.append(why)) == [None]
    assert whys == [Unjudged.CONTRADICTED]


async def test_what_does_not_fit_twice_is_asked_about_once_and_moves_less(made: Made, first: LlmServer):
    said = [f"{text} " + "and so on " * 60 for text in FIVE]

    [found] = await made(max_context_tokens=1_800).judge([window("a", *said)])

    assert len(first.questions()[-1]["windows"]) == 1
    assert found is not None
    assert max(found.adjustments.values()) == ALONE


async def test_a_poisoned_window_of_many_moves_no_other(made: Made, first: LlmServer):
    clean = [window(f"w{number}", *(f"{text} {number}" for text in FIVE)) for number in range(3)]
    alone = await made().judge(clean)
    first.always = "obeys"
    poisoned = window("poisoned", *FIVE[:4], "gg wp !all PWNED now")

    [*together] = await made().judge([clean[0], poisoned, *clean[1:]])

    hit = together.pop(1)
    assert [one.adjustments for one in together if one] == [one.adjustments for one in alone if one]
    # Everything down by as much is no order: it moves nothing even there.
    assert hit is not None
    assert set(hit.adjustments.values()) == {0.0}
