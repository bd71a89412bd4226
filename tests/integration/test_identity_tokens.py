"""Tokens at work: renewing, losing an answer, being copied, revoked, closed and changed; and what forged ones get."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from coordinator.app.installation import Installation
from coordinator.app.serving import _authenticator
from coordinator.errors import DatabaseUnavailable
from coordinator.identity.accounts import TokenAuthenticator
from coordinator.identity.owner import OwnerOnly
from coordinator.identity.renewal import IDLE_DAYS
from coordinator.identity.tokens import mint
from coordinator.identity.tries import Tries
from coordinator.model.accounts import Principal
from coordinator.ops.tokens import load_token
from coordinator.settings import Config, Identity
from coordinator.store.connect import connect
from protos.clippy.v1 import identity_pb2
from tests.fakes.identity_parts import OWNER_TOKEN, SECRET, OpenStream, Who, code_of, make_who

Status = grpc.StatusCode
STRANGER = Principal(user_id="owner", tier="business", role="admin", device_id="d" * 32)


@pytest.fixture
async def who(tmp_path: Path, pool: asyncpg.Pool) -> AsyncIterator[Who]:
    async for made in make_who(tmp_path, pool):
        await made.start()
        yield made


@pytest.fixture
async def channel(who: Who) -> AsyncIterator[grpc.aio.Channel]:
    async with who.channel() as opened:
        yield opened


@pytest.fixture
def stub(who: Who, channel: grpc.aio.Channel) -> Any:
    return who.caller(channel)


async def renewed(stub: Any, token: str) -> str:
    """The next refresh token, or how the call failed."""
    try:
        reply = await stub.Refresh(identity_pb2.RefreshRequest(refresh_token=token), timeout=10)
    except grpc.aio.AioRpcError as exc:
        return str(exc.code().name)
    return str(reply.tokens.refresh_token)


async def is_revoked(who: Who, device_id: str) -> bool:
    found = {one.device_id: one for one in await who.accounts.devices("owner")}
    return found[device_id].revoked_at is not None


async def test_a_refresh_token_gives_the_next_and_an_access_token_that_opens_a_stream(
    who: Who, stub: Any, channel: grpc.aio.Channel
):
    paired = await who.pair(channel)
    request = identity_pb2.RefreshRequest(refresh_token=paired.tokens.refresh_token)

    reply = await stub.Refresh(request, timeout=10)
    stream = OpenStream(channel, reply.tokens.access_token)

    assert reply.tokens.refresh_token != paired.tokens.refresh_token
    assert await stream.hello() == "welcome"
    stream.call.cancel()


async def test_an_answer_that_was_lost_costs_nothing(who: Who, stub: Any, channel: grpc.aio.Channel):
    first = (await who.pair(channel)).tokens.refresh_token

    await renewed(stub, first)
    second = await renewed(stub, first)
    third = await renewed(stub, second)
    again = await renewed(stub, second)

    assert all(token.startswith("crt_") for token in (second, third, again))
    assert (await renewed(stub, again)).startswith("crt_")


@pytest.mark.logs("refresh_token_reused")
@pytest.mark.parametrize("shown", ["first", "sibling"])
async def test_a_token_that_was_copied_revokes_the_device(
    who: Who, stub: Any, channel: grpc.aio.Channel, shown: str
):
    paired = await who.pair(channel)
    first = paired.tokens.refresh_token
    sibling = await renewed(stub, first)
    second = await renewed(stub, first)
    newest = await renewed(stub, second)

    answer = await renewed(stub, {"first": first, "sibling": sibling}[shown])

    assert answer == "UNAUTHENTICATED"
    assert await is_revoked(who, paired.device_id)
    assert await renewed(stub, newest) == "UNAUTHENTICATED"


async def test_the_same_token_shown_twice_at_once_renews_twice(
    who: Who, stub: Any, channel: grpc.aio.Channel
):
    token = (await who.pair(channel)).tokens.refresh_token

    answers = await asyncio.gather(*(renewed(stub, token) for _ in range(5)))

    assert [answer[:4] for answer in answers] == ["crt_"] * 5


@pytest.mark.logs("refresh_token_reused")
async def test_of_two_successors_shown_at_once_one_is_a_copy(who: Who, stub: Any, channel: grpc.aio.Channel):
    paired = await who.pair(channel)
    successors = [await renewed(stub, paired.tokens.refresh_token) for _ in range(2)]

    answers = await asyncio.gather(*(renewed(stub, token) for token in successors))

    assert sorted(answer[:4] for answer in answers) == ["UNAU", "crt_"]
    assert await is_revoked(who, paired.device_id)


async def test_a_refresh_token_that_nobody_issued_revokes_nothing(
    who: Who, stub: Any, channel: grpc.aio.Channel
):
    paired = await who.pair(channel)

    answers = [await renewed(stub, token) for token in ("", "x" * 5000, f"crt_{'a' * 32}.{'b' * 43}")]

    assert answers == ["UNAUTHENTICATED"] * 3
    assert not await is_revoked(who, paired.device_id)


async def test_one_device_renews_only_so_often(who: Who):
    await who.start(refreshes=Tries(per_address=2, in_all=None))
    async with who.channel() as channel:
        stub = who.caller(channel)
        first = (await who.pair(channel, agent_id="agent-1")).tokens.refresh_token
        other = (await who.pair(channel, agent_id="agent-2")).tokens.refresh_token

        answers = [await renewed(stub, token) for token in (first, first, first, other)]

        assert [answer.partition("_")[0] for answer in answers] == ["crt", "crt", "RESOURCE", "crt"]


async def test_tokens_of_one_device_take_bounded_room(who: Who, stub: Any, channel: grpc.aio.Channel):
    token = (await who.pair(channel)).tokens.refresh_token
    for _ in range(12):
        token = await renewed(stub, token)
    for _ in range(12):
        newest = await renewed(stub, token)

    assert await who.pool.fetchval("select count(*) from refresh_tokens") == 9
    assert (await renewed(stub, newest)).startswith("crt_")


async def test_a_device_that_was_away_for_too_long_pairs_again(
    who: Who, stub: Any, channel: grpc.aio.Channel
):
    token = (await who.pair(channel)).tokens.refresh_token
    await who.pool.execute(f"update devices set last_seen_at = now() - interval '{IDLE_DAYS + 1} days'")

    assert await renewed(stub, token) == "UNAUTHENTICATED"


async def test_a_device_that_unpairs_is_gone_and_twice_is_once(
    who: Who, stub: Any, channel: grpc.aio.Channel
):
    paired = await who.pair(channel)
    request = identity_pb2.UnpairRequest(refresh_token=paired.tokens.refresh_token)

    answers = [await code_of(stub.Unpair(request)) for _ in range(2)]

    assert answers == [Status.OK, Status.OK]
    assert await is_revoked(who, paired.device_id)
    assert await renewed(stub, paired.tokens.refresh_token) == "UNAUTHENTICATED"


@pytest.mark.parametrize("how", ["revoke", "close", "tier"])
async def test_a_stream_ends_when_its_token_counts_no_longer(who: Who, channel: grpc.aio.Channel, how: str):
    await who.accounts.add("ada", tier="free")
    paired = await who.pair(channel, "ada")
    stream = OpenStream(channel, paired.tokens.access_token)
    assert await stream.hello() == "welcome"

    if how == "revoke":
        await who.accounts.revoke(paired.device_id, "lost")
    elif how == "close":
        await who.accounts.close("ada")
    else:
        await who.accounts.set_tier("ada", "pro")

    assert await stream.ended_with() == Status.UNAUTHENTICATED
    again = OpenStream(channel, paired.tokens.access_token)
    assert await code_of(again.hello()) == Status.UNAUTHENTICATED


async def test_another_tier_comes_with_the_next_token(who: Who, stub: Any, channel: grpc.aio.Channel):
    await who.accounts.add("ada", tier="free")
    paired = await who.pair(channel, "ada")
    await who.accounts.set_tier("ada", "pro")
    await who.accounts.set_role("ada", "operator")

    request = identity_pb2.RefreshRequest(refresh_token=paired.tokens.refresh_token)
    reply = await stub.Refresh(request, timeout=10)
    principal = await who.authenticator.authenticate(reply.tokens.access_token)

    assert principal is not None
    assert (reply.tier, principal.tier, principal.role) == ("pro", "pro", "operator")
    assert await who.authenticator.revoked([principal]) == set()


async def test_an_account_that_is_opened_again_goes_on(who: Who, stub: Any, channel: grpc.aio.Channel):
    await who.accounts.add("ada", tier="free")
    token = (await who.pair(channel, "ada")).tokens.refresh_token
    await who.accounts.close("ada")
    closed = await renewed(stub, token)
    await who.accounts.open("ada")

    assert closed == "UNAUTHENTICATED"
    assert (await renewed(stub, token)).startswith("crt_")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        mint(STRANGER, b"another secret, of 32 bytes or so"),
        mint(STRANGER, SECRET, now_s=time.time() - 3600),
    ],
    ids=["none", "nonsense", "no JWT", "forged", "expired"],
)
async def test_a_token_that_is_none_opens_no_stream(who: Who, channel: grpc.aio.Channel, token: str):
    assert await code_of(OpenStream(channel, token).hello()) == Status.UNAUTHENTICATED


async def test_the_owners_token_counts_on_his_machine_with_his_accounts_tier(who: Who):
    await who.accounts.set_tier("owner", "pro")

    here = await who.authenticator.authenticate(OWNER_TOKEN, "ipv4:127.0.0.1:50000")
    there = await who.authenticator.authenticate(OWNER_TOKEN, "ipv4:192.0.2.7:50000")
    nowhere = await who.authenticator.authenticate(OWNER_TOKEN)

    assert here == Principal(user_id="owner", tier="pro", role="admin")
    assert (there, nowhere) == (None, None)


async def test_the_owners_token_is_nothing_in_a_fleet(who: Who):
    fleet = TokenAuthenticator(who.pool, who.tokens)

    assert await fleet.authenticate(OWNER_TOKEN, "ipv4:127.0.0.1:50000") is None


@pytest.mark.parametrize("is_fleet", [False, True])
async def test_machines_that_share_a_secret_have_no_owner(tmp_path: Path, pool: asyncpg.Pool, is_fleet: bool):
    (tmp_path / "shared").write_text("a secret that all machines have, of 32 bytes and more")
    identity = Identity(secret_file=str(tmp_path / "shared") if is_fleet else "")
    authenticator = _authenticator(Installation(tmp_path, Config(identity=identity)), pool)

    found = await authenticator.authenticate(load_token(tmp_path).text, "ipv4:127.0.0.1:50000")

    assert (found is None) is is_fleet


async def test_the_owners_token_opens_a_stream_over_loopback(who: Who, channel: grpc.aio.Channel):
    stream = OpenStream(channel, OWNER_TOKEN)

    assert await stream.hello() == "welcome"
    stream.call.cancel()


async def test_ten_thousand_are_asked_about_at_once(who: Who, channel: grpc.aio.Channel):
    paired = await who.pair(channel)
    living = await who.authenticator.authenticate(paired.tokens.access_token)
    assert living is not None
    await who.pool.execute(
        "insert into devices (device_id, user_id, agent_id, family_hash) "
        "select 'd' || n, 'owner', 'a' || n, sha256(n::text::bytea) from generate_series(1, 10000) n"
    )
    await who.pool.execute("update devices set revoked_at = now() where device_id in ('d17', 'd9000')")
    many = [dataclasses.replace(living, device_id=f"d{number}") for number in range(1, 10001)]
    asked: list[str] = []
    async with who.pool.acquire() as connection:
        pool = OnePool(connection, asked)
        found = await TokenAuthenticator(pool, who.tokens).revoked([living, *many])

    assert {one.device_id for one in found} == {"d17", "d9000"}
    assert len(asked) == 1


class OnePool:
    """A pool of one connection that notes what it is asked."""

    def __init__(self, connection: asyncpg.Connection, asked: list[str]) -> None:
        self._connection = connection
        self._asked = asked

    def acquire(self, *, timeout: float) -> OnePool:
        return self

    async def __aenter__(self) -> OnePool:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def fetch(self, statement: str, *values: object, timeout: float) -> list[asyncpg.Record]:
        self._asked.append(statement)
        return await self._connection.fetch(statement, *values, timeout=timeout)


@pytest.mark.logs("authentication_delayed")
async def test_nobody_is_sent_away_for_good_while_the_database_is_gone(who: Who, database_url: str):
    gone = await connect(database_url, max_connections=1)
    await gone.close()
    who.authenticator = TokenAuthenticator(gone, who.tokens, owner=OwnerOnly(OWNER_TOKEN.__eq__))
    await who.start()
    async with who.channel() as channel:
        assert await code_of(OpenStream(channel, OWNER_TOKEN).hello()) == Status.UNAVAILABLE


async def test_no_database_is_asked_for_a_token_that_is_valid(who: Who, database_url: str):
    gone = await connect(database_url, max_connections=1)
    await gone.close()
    blind = TokenAuthenticator(gone, who.tokens)

    assert await blind.authenticate(who.tokens.mint(STRANGER)) is not None
    with pytest.raises(DatabaseUnavailable):
        await blind.revoked([STRANGER])
