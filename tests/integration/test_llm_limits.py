"""What a fleet of real processes may ask of one provider, counted by the provider's own sliding window."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from coordinator.llm.breaker import Health
from coordinator.llm.ledger import Decline, Declined, Ledger, Rest, Taken
from coordinator.llm.presets import Provider, complete
from coordinator.settings import LlmProvider
from tests.fakes.llm_server import running_llm_server

CALLER = Path(__file__).parents[1] / "fakes" / "llm_caller_process.py"


def provider(**settings: Any) -> Provider:
    return complete(LlmProvider(name="local", **settings), {})


async def take(ledger: Ledger, of: Provider, **wanted: Any) -> Taken | Declined:
    asked = {"tier": "free", "tokens": 10, "cost_micros": 0, "limit_micros": 0, "lease_s": 30.0} | wanted
    return await ledger.take(of, **asked)


async def taken(ledger: Ledger, of: Provider, **wanted: Any) -> Taken:
    got = await take(ledger, of, **wanted)
    assert isinstance(got, Taken), got
    return got


async def later(pool: asyncpg.Pool, table: str, *columns: str, by_s: int) -> None:
    """Let so much time pass for these columns."""
    moved = ", ".join(f"{column} = {column} - interval '{by_s} seconds'" for column in columns)
    await pool.execute(f"update {table} set {moved}")


async def ask_from_processes(number: int, settings: dict[str, Any]) -> dict[str, int]:
    """What became of the questions of so many processes together; each says it in its last line."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(CALLER), json.dumps(settings), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(number)
    ]
    total: dict[str, int] = {}
    for process in processes:
        out, _ = await process.communicate()
        assert process.returncode == 0
        for name, count in json.loads(out.splitlines()[-1]).items():
            total[name] = total.get(name, 0) + count
    return total


async def test_four_processes_never_ask_more_than_a_sliding_window_lets_through(
    pool: asyncpg.Pool, database_url: str
):
    # A minute of four seconds: what holds is the same, and it turns over several times.
    with running_llm_server(rpm=40, window_s=4.0) as server:
        settings = {"database_url": database_url, "base_url": server.url, "rpm": 40, "window_s": 4.0}
        told = await ask_from_processes(4, settings | {"duration_s": 9.0, "num_at_once": 5})

    assert server.num_over == 0
    # More than one window of 38: the limit is also used.
    assert told["answered"] == server.num_taken > 40
    assert told["limits"] > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_four_processes_hold_a_hundred_requests_a_minute(pool: asyncpg.Pool, database_url: str):
    with running_llm_server(rpm=100, window_s=60.0) as server:
        settings = {"database_url": database_url, "base_url": server.url, "rpm": 100, "window_s": 60.0}
        told = await ask_from_processes(4, settings | {"duration_s": 130.0, "num_at_once": 5})

    assert server.num_over == 0
    assert told["answered"] == server.num_taken >= 190


async def test_four_processes_never_spend_more_than_a_days_money(pool: asyncpg.Pool, database_url: str):
    limit_micros = 8_000
    with running_llm_server() as server:
        settings = {"database_url": database_url, "base_url": server.url, "rpm": 0, "window_s": 60.0}
        money = {"usd_per_million": 1.0, "limit_micros": limit_micros, "duration_s": 3.0, "num_at_once": 3}
        told = await ask_from_processes(4, settings | money)
    spent = await pool.fetchval("select spent_micros from llm_spend where tier = 'free'")

    assert told["budget"] > 0
    assert limit_micros / 2 < spent <= limit_micros


async def test_a_process_that_died_in_a_call_returns_its_money_and_its_place(pool: asyncpg.Pool):
    ledger, one_a_minute = Ledger(pool), provider(rpm=1)
    wanted = {"cost_micros": 80, "limit_micros": 100, "lease_s": 10.0}

    await taken(ledger, one_a_minute, **wanted)
    await later(pool, "llm_calls", "expires_at", "counts_until", by_s=11)
    while_in_its_minute = await take(ledger, one_a_minute, **wanted)
    without_a_limit = await take(ledger, provider(), **wanted)
    await later(pool, "llm_calls", "expires_at", "counts_until", by_s=75)

    assert isinstance(while_in_its_minute, Declined)
    assert while_in_its_minute.why is Decline.LIMIT
    assert isinstance(without_a_limit, Taken)
    assert isinstance(await take(ledger, one_a_minute, **wanted), Taken)


async def test_money_that_is_reserved_cannot_be_promised_twice(pool: asyncpg.Pool):
    ledger = Ledger(pool)
    wanted = {"cost_micros": 60, "limit_micros": 100}

    got = await asyncio.gather(*(take(ledger, provider(), **wanted) for _ in range(8)))
    [first] = [one for one in got if isinstance(one, Taken)]
    await ledger.settle(first, Health.WELL, tokens=10, cost_micros=20)
    await ledger.settle(first, Health.WELL, tokens=10, cost_micros=20)
    again = await take(ledger, provider(), **wanted)

    assert {one.why for one in got if isinstance(one, Declined)} == {Decline.BUDGET}
    assert isinstance(again, Taken)
    assert await pool.fetchval("select spent_micros from llm_spend") == 20


async def test_a_call_counts_for_a_minute_after_its_end_and_tokens_as_they_were_used(pool: asyncpg.Pool):
    ledger, thrifty = Ledger(pool), provider(tpm=1_000)

    first = await taken(ledger, thrifty, tokens=900)
    while_under_way = await take(ledger, thrifty, tokens=900)
    await ledger.settle(first, Health.WELL, tokens=40, cost_micros=0)
    after = await take(ledger, thrifty, tokens=900)
    too_many = await take(ledger, thrifty, tokens=900)

    assert isinstance(while_under_way, Declined)
    assert isinstance(after, Taken)
    assert isinstance(too_many, Declined)
    assert 50 < too_many.wait_s <= 60


async def test_a_days_requests_are_counted_over_the_hours(pool: asyncpg.Pool):
    ledger, rare = Ledger(pool, window_s=0.0), provider(rpd=4)

    for _ in range(3):
        await ledger.settle(await taken(ledger, rare), Health.WELL, tokens=1, cost_micros=0)
    full = await take(ledger, rare)
    await pool.execute("update llm_hours set hour = hour - interval '26 hours'")

    assert isinstance(full, Declined)
    assert full.why is Decline.DAY_LIMIT
    assert isinstance(await take(ledger, rare), Taken)


async def test_a_question_larger_than_a_whole_minute_goes_alone(pool: asyncpg.Pool):
    ledger, small = Ledger(pool), provider(tpm=100)

    assert isinstance(await take(ledger, small, tokens=5_000), Taken)
    assert isinstance(await take(ledger, small, tokens=1), Declined)


async def test_every_process_leaves_alone_a_provider_that_fails_and_one_call_tries_it(pool: asyncpg.Pool):
    ledger, elsewhere, failing = Ledger(pool), Ledger(pool), provider()

    for _ in range(10):
        await ledger.settle(await taken(ledger, failing), Health.ILL, tokens=0, cost_micros=0)
    shut = await take(elsewhere, failing)
    await later(pool, "llm_providers_state", "open_until", by_s=31)
    got = await asyncio.gather(*(take(one, failing) for one in [ledger, elsewhere] * 4))
    [probe] = [one for one in got if isinstance(one, Taken)]
    await elsewhere.settle(probe, Health.WELL, tokens=0, cost_micros=0)

    assert isinstance(shut, Declined)
    assert shut.why is Decline.OPEN
    assert 20 < shut.wait_s <= 30
    assert probe.is_probe
    assert isinstance(await take(ledger, failing), Taken)


async def test_a_probe_that_fails_opens_it_again_and_one_that_is_lost_makes_room(pool: asyncpg.Pool):
    ledger, failing = Ledger(pool), provider()
    for _ in range(10):
        await ledger.settle(await taken(ledger, failing), Health.ILL, tokens=0, cost_micros=0)

    await later(pool, "llm_providers_state", "open_until", by_s=31)
    probe = await taken(ledger, failing)
    await ledger.settle(probe, Health.ILL, tokens=0, cost_micros=0)
    shut = await take(ledger, failing)
    await later(pool, "llm_providers_state", "open_until", by_s=31)
    lost = await taken(ledger, failing, lease_s=30.0)
    while_it_may_come = await take(ledger, failing)
    await later(pool, "llm_providers_state", "probe_until", by_s=31)

    assert isinstance(shut, Declined)
    assert lost.is_probe
    assert isinstance(while_it_may_come, Declined)
    assert (await taken(ledger, failing)).is_probe


async def test_what_a_429_says_holds_for_the_whole_fleet_and_opens_nothing(pool: asyncpg.Pool):
    ledger, elsewhere, limited = Ledger(pool), Ledger(pool), provider()

    for _ in range(12):
        await ledger.settle(await taken(ledger, limited), Health.NOTHING, tokens=0, cost_micros=0)
    still = await take(ledger, limited)
    await ledger.rest(limited, seconds=20, reason=Rest.RATE_LIMITED)
    await ledger.rest(limited, seconds=1, reason=Rest.RATE_LIMITED)
    rested = await take(elsewhere, limited)

    assert isinstance(still, Taken)
    assert isinstance(rested, Declined)
    assert rested.why is Decline.RESTING
    assert 15 < rested.wait_s <= 20


async def test_what_counts_no_more_is_pruned(pool: asyncpg.Pool):
    ledger = Ledger(pool)
    await ledger.settle(await taken(ledger, provider()), Health.WELL, tokens=1, cost_micros=0)
    await taken(ledger, provider())
    await pool.execute(
        "update llm_calls set counts_until = now() - interval '5 minutes', expires_at = now() - interval '6 minutes' "
        "where is_settled"
    )

    await ledger.prune()

    assert await pool.fetchval("select count(*) from llm_calls") == 1
