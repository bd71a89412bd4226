"""Asks together what many tasks ask at about the same time: one round trip for hundreds instead of one each.

Ten thousand agents that come at once would otherwise be ten thousand times the same few queries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


class Batched(Generic[_Question, _Answer]):
    """Gathers questions for a moment, then has them answered in one go; one batch at a time. Owned by the loop.

    Args:
        answer_all: answers in the order of the questions; an answer that is an exception is raised to its asker alone,
            one that is raised to all of the batch.
        gather_s: how long the first of a batch waits for others. At 500 connects a second 5 ms gathered five, and the
            round trips cost more than all else of a connect.
        max_batch: how many questions are asked at once.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[_Question]], Awaitable[Sequence[_Answer | Exception]]],
        *,
        gather_s: float = 0.04,
        max_batch: int = 256,
    ) -> None:
        self._answer_all = answer_all
        self._gather_s = gather_s
        self._max_batch = max_batch
        self._waiting: list[tuple[_Question, asyncio.Future[_Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: _Question) -> _Answer:
        """The answer to one question. An asker that is cancelled is not asked for, if there is still time."""
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="batched")
        return await future

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._gather_s)
            batch = self._waiting[: self._max_batch]
            del self._waiting[: self._max_batch]
            asked = [item for item in batch if not item[1].cancelled()]
            if asked:
                await self._answer(asked)

    async def _answer(self, asked: Sequence[tuple[_Question, asyncio.Future[_Answer]]]) -> None:
        answers: Sequence[_Answer | Exception]
        try:
            answers = await self._answer_all([question for question, _ in asked])
        except Exception as exc:  # noqa: BLE001 - it belongs to those who asked
            answers = [exc] * len(asked)
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
