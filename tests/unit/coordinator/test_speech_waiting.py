"""Which windows go next: by priority, with ageing, one language a batch, and places kept for CRITICAL ones."""

from __future__ import annotations

import asyncio

import numpy as np

from coordinator.model.jobs import Priority
from coordinator.model.speech import Pcm16k
from coordinator.speech.waiting import WaitingWindow, WaitingWindows


def _waiting(
    priority: Priority = Priority.NORMAL,
    *,
    since_s: float = 0.0,
    language: str | None = "en",
    is_alone: bool = False,
) -> WaitingWindow:
    return WaitingWindow(
        window=Pcm16k(samples=np.zeros(1, dtype=np.float32), language=language),
        future=asyncio.get_running_loop().create_future(),
        priority=priority,
        since_s=since_s,
        is_alone=is_alone,
    )


def _filled(*waiting: WaitingWindow) -> WaitingWindows:
    windows = WaitingWindows()
    for each in waiting:
        windows.add(each)
    return windows


async def test_a_critical_window_goes_with_the_next_batch_however_many_wait() -> None:
    critical = _waiting(Priority.CRITICAL, since_s=5.0)
    windows = _filled(*(_waiting() for _ in range(100)), critical)

    assert windows.take(8)[0] is critical


async def test_two_places_are_kept_for_critical_windows_from_those_that_aged() -> None:
    aged = [_waiting(Priority.LOW, since_s=0.0) for _ in range(100)]
    critical = [_waiting(Priority.CRITICAL, since_s=1_000.0 + at, language="de") for at in range(3)]
    windows = _filled(*aged, *critical)

    batch = windows.take(8)

    assert batch == [*critical[:2], *aged[:6]]


async def test_kept_places_are_not_left_empty_when_nothing_critical_waits() -> None:
    assert len(_filled(*(_waiting() for _ in range(20))).take(16)) == 16


async def test_a_batch_is_of_the_language_of_its_first() -> None:
    english, german = ([_waiting(language=language) for _ in range(3)] for language in ("en", "de"))
    windows = _filled(english[0], german[0], english[1], german[1], english[2], german[2])

    assert [windows.take(8), windows.take(8)] == [english, german]


async def test_nobody_starves_beside_an_endless_flood_of_critical_windows() -> None:
    for max_batch in (1, 4, 16):
        low = _waiting(Priority.LOW)
        windows = _filled(low)
        for turn in range(40):
            # Each call takes a second, and brings as many as one call takes.
            for _ in range(max_batch):
                windows.add(_waiting(Priority.CRITICAL, since_s=float(turn), language="de"))
            if low in windows.take(max_batch):
                break
        else:
            raise AssertionError(f"batches of {max_batch}: not taken in 40 s")


async def test_priorities_go_in_their_order() -> None:
    by_priority = [_waiting(priority) for priority in (Priority.CRITICAL, Priority.HIGH, Priority.LOW)]
    windows = _filled(*by_priority[::-1])

    assert [windows.take(1) for _ in range(3)] == [[each] for each in by_priority]


async def test_a_window_that_runs_alone_has_nobody_beside_it() -> None:
    alone = _waiting(is_alone=True)
    windows = _filled(_waiting(since_s=1.0), alone, _waiting(since_s=2.0))

    assert [len(windows.take(8)) for _ in range(2)] == [1, 2]


async def test_what_nobody_awaits_any_more_is_dropped() -> None:
    left, stays = _waiting(), _waiting()
    windows = _filled(left, stays)
    left.future.cancel()

    assert (windows.num(), windows.take(8), windows.take(8)) == (1, [stays], [])
