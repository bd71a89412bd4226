"""Pairing over a real TLS server with a real PostgreSQL: codes, the device grant, and who guesses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from coordinator.errors import InputUnusable, NotFound
from coordinator.identity.pairing import MAX_WAITING_OF_AGENT, Pairings
from coordinator.identity.tries import Tries
from coordinator.model.accounts import AgentSelf
from protos.clippy.v1 import identity_pb2
from tests.fakes.identity_parts import DEVICE, OWNER_TOKEN, SECRET, OpenStream, Who, code_of, make_who

Status = grpc.StatusCode
OTHER = identity_pb2.AgentDevice(agent_id="agent-2", name="Other", version="1")


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


async def test_what_it_is_is_told_to_anybody(who: Who, stub: Any):
    reply = await stub.Describe(identity_pb2.DescribeRequest(), timeout=10)

    assert (reply.name, reply.ca_pem.encode(), len(reply.ca_sha256)) == ("Test", who.ca, 32)


async def test_a_code_made_for_an_account_pairs_an_agent_that_then_streams(
    who: Who, stub: Any, channel: grpc.aio.Channel
):
    await who.accounts.add("Ada", tier="pro")
    code = await who.pairings.new_code(await who.accounts.find("ada"))
    typed = f" {code.user_code.lower().replace('-', '')} "

    reply = await stub.Pair(identity_pb2.PairRequest(user_code=typed, device=DEVICE), timeout=10)
    stream = OpenStream(channel, reply.tokens.access_token)

    assert (reply.user_name, reply.tier, reply.tokens.expires_in_s) == ("Ada", "pro", 900)
    assert await stream.hello() == "welcome"
    stream.call.cancel()
    devices = await who.accounts.devices("Ada")
    assert [(one.device_id, one.name, one.revoked_at) for one in devices] == [(reply.device_id, "Desk", None)]


async def test_a_code_counts_once(who: Who, stub: Any):
    code = await who.pairings.new_code(await who.accounts.find("owner"))

    first = await code_of(stub.Pair(identity_pb2.PairRequest(user_code=code.user_code, device=DEVICE)))
    second = await code_of(stub.Pair(identity_pb2.PairRequest(user_code=code.user_code, device=OTHER)))

    assert (first, second) == (Status.OK, Status.NOT_FOUND)


async def test_a_code_that_is_too_old_pairs_nobody(who: Who, stub: Any):
    late = Pairings(who.pool, SECRET, who.tokens, lifetime_s=-1)
    code = await late.new_code(await who.accounts.find("owner"))

    request = identity_pb2.PairRequest(user_code=code.user_code, device=DEVICE)

    assert await code_of(stub.Pair(request)) == Status.NOT_FOUND


async def test_an_agent_that_shows_a_code_waits_until_somebody_approves_it(who: Who, stub: Any):
    started = await stub.StartPairing(identity_pb2.StartPairingRequest(device=DEVICE), timeout=10)
    request = identity_pb2.PairRequest(device_code=started.device_code, device=DEVICE)

    before = await code_of(stub.Pair(request))
    waiting = await who.pairings.waiting()
    agent = await who.pairings.approve(started.user_code, await who.accounts.find("owner"))
    reply = await stub.Pair(request, timeout=10)

    assert before == Status.FAILED_PRECONDITION
    assert [one.name for one in waiting] == ["Desk"]
    assert (agent, reply.user_name) == (AgentSelf(agent_id="agent-1", name="Desk", version="0.1.0"), "owner")
    assert await who.pairings.waiting() == []
    assert await code_of(stub.Pair(request)) == Status.NOT_FOUND


async def test_the_code_on_the_screen_pairs_nobody_else(who: Who, stub: Any):
    started = await stub.StartPairing(identity_pb2.StartPairingRequest(device=DEVICE), timeout=10)
    await who.pairings.approve(started.user_code, await who.accounts.find("owner"))

    typed = identity_pb2.PairRequest(user_code=started.user_code, device=OTHER)
    stolen = identity_pb2.PairRequest(device_code=started.device_code, device=OTHER)

    assert await code_of(stub.Pair(typed)) == Status.NOT_FOUND
    assert await code_of(stub.Pair(stolen)) == Status.NOT_FOUND


async def test_approving_what_nobody_shows_is_told(who: Who):
    with pytest.raises(NotFound, match="no agent waits"):
        await who.pairings.approve("ABCD-EFGH", await who.accounts.find("owner"))


async def test_one_agent_asks_only_so_often(stub: Any):
    request = identity_pb2.StartPairingRequest(device=DEVICE)

    answers = [await code_of(stub.StartPairing(request)) for _ in range(MAX_WAITING_OF_AGENT + 1)]

    assert answers == [Status.OK] * MAX_WAITING_OF_AGENT + [Status.RESOURCE_EXHAUSTED]


async def test_guessing_is_stopped_and_a_right_code_does_not_count(who: Who):
    await who.start(tries=Tries(per_address=3))
    async with who.channel() as channel:
        await who.pair(channel)
        wrong = identity_pb2.PairRequest(user_code="ABCD-EFGH", device=DEVICE)
        code = await who.pairings.new_code(await who.accounts.find("owner"))
        right = identity_pb2.PairRequest(user_code=code.user_code, device=DEVICE)

        answers = [await code_of(who.caller(channel).Pair(wrong)) for _ in range(4)]

        assert answers == [Status.NOT_FOUND] * 3 + [Status.RESOURCE_EXHAUSTED]
        assert await code_of(who.caller(channel).Pair(right)) == Status.RESOURCE_EXHAUSTED


async def test_an_agent_of_another_account_is_not_taken_over(who: Who, stub: Any, channel: grpc.aio.Channel):
    await who.accounts.add("ada", tier="free")
    await who.accounts.add("bob", tier="free")
    await who.pair(channel, "ada", agent_id="agent-9")
    code = await who.pairings.new_code(await who.accounts.find("bob"))
    device = identity_pb2.AgentDevice(agent_id="agent-9")
    request = identity_pb2.PairRequest(user_code=code.user_code, device=device)

    answers = [await code_of(stub.Pair(request)) for _ in range(6)]

    # Five times a right code may lead to nothing; then it is void.
    assert answers == [Status.ALREADY_EXISTS] * 5 + [Status.NOT_FOUND]
    assert len(await who.accounts.devices("bob")) == 0


async def test_pairing_again_ends_what_the_agent_was_before(who: Who, channel: grpc.aio.Channel):
    first = await who.pair(channel)
    second = await who.pair(channel)

    found = {one.device_id: one.revoked_reason for one in await who.accounts.devices("owner")}

    assert found == {first.device_id: "paired again", second.device_id: ""}


async def test_a_closed_account_pairs_nobody(who: Who, stub: Any):
    code = await who.pairings.new_code(await who.accounts.add("ada", tier="free"))
    await who.accounts.close("ada")

    request = identity_pb2.PairRequest(user_code=code.user_code, device=DEVICE)

    assert await code_of(stub.Pair(request)) == Status.NOT_FOUND
    with pytest.raises(InputUnusable, match="closed"):
        await who.pairings.new_code(await who.accounts.find("ada"))


@pytest.mark.parametrize(
    "request_message",
    [
        identity_pb2.PairRequest(device=DEVICE),  # no code
        identity_pb2.PairRequest(user_code="ABCD-EFGH"),  # no agent
        identity_pb2.PairRequest(
            user_code="ABCD-EFGH", device=identity_pb2.AgentDevice(agent_id="../../etc")
        ),
        identity_pb2.PairRequest(user_code="ABCD-EFGH", device=identity_pb2.AgentDevice(agent_id="a" * 65)),
    ],
)
async def test_what_breaks_a_rule_is_refused_as_such(stub: Any, request_message: identity_pb2.PairRequest):
    assert await code_of(stub.Pair(request_message)) == Status.INVALID_ARGUMENT


async def test_a_name_from_outside_cannot_play_with_a_terminal(who: Who, channel: grpc.aio.Channel):
    await who.pair(channel, name="De\x1b[2Jsk\n\u202eevil" + "x" * 500)

    name = (await who.accounts.devices("owner"))[0].name

    assert name.startswith("De[2Jskevilx")
    assert len(name) == 80


async def test_no_code_or_token_is_kept_in_the_clear(who: Who, stub: Any, channel: grpc.aio.Channel):
    reply = await who.pair(channel)
    started = await stub.StartPairing(identity_pb2.StartPairingRequest(device=DEVICE), timeout=10)
    secrets = [reply.tokens.refresh_token, started.device_code, started.user_code, OWNER_TOKEN]

    rows = [
        str(dict(row))
        for table in ("accounts", "devices", "refresh_tokens", "pairings")
        for row in await who.pool.fetch(f"select * from {table}")
    ]

    assert len(rows) >= 4
    assert [secret for secret in secrets for row in rows if secret in row] == []
