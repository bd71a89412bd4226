"""Questions of many tasks, asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from coordinator.errors import ChunkRefused, DatabaseUnavailable
from coordinator.ingest.batched import Batched


class Asked:
    """Doubles numbers; refuses negative ones, and everybody while it is broken."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.is_broken = False

    async def answer(self, questions: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(questions))
        if self.is_broken:
            raise DatabaseUnavailable("away")
        return [2 * number if number >= 0 else ChunkRefused(f"{number}") for number in questions]


async def test_what_is_asked_at_the_same_time_is_one_question_and_each_gets_his_answer():
    asked = Asked()
    batched: Batched[int, int] = Batched(asked.answer)

    answers = await asyncio.gather(*(batched.ask(number) for number in range(100)))

    assert answers == [2 * number for number in range(100)]
    assert len(asked.batches) == 1


async def test_a_batch_has_a_bound_and_the_rest_is_asked_next():
    asked = Asked()
    batched: Batched[int, int] = Batched(asked.answer, max_batch=40)

    assert await asyncio.gather(*(batched.ask(number) for number in range(100))) == list(range(0, 200, 2))

    assert [len(batch) for batch in asked.batches] == [40, 40, 20]


async def test_a_refusal_is_its_askers_alone():
    batched: Batched[int, int] = Batched(Asked().answer)

    good, bad = await asyncio.gather(batched.ask(1), batched.ask(-1), return_exceptions=True)

    assert good == 2 and isinstance(bad, ChunkRefused)


async def test_what_fails_for_all_is_told_to_all_and_the_next_is_asked_anew():
    asked = Asked()
    batched: Batched[int, int] = Batched(asked.answer)
    asked.is_broken = True

    found = await asyncio.gather(batched.ask(1), batched.ask(2), return_exceptions=True)

    assert [type(item) for item in found] == [DatabaseUnavailable, DatabaseUnavailable]
    asked.is_broken = False
    assert await batched.ask(3) == 6


async def test_an_asker_that_went_away_is_not_asked_for_and_holds_nobody_up():
    asked = Asked()
    batched: Batched[int, int] = Batched(asked.answer)
    gone = asyncio.create_task(batched.ask(1))
    await asyncio.sleep(0)
    gone.cancel()

    assert await batched.ask(2) == 4

    assert asked.batches == [[2]]
    with pytest.raises(asyncio.CancelledError):
        await gone
