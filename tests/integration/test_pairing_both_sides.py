"""The agent's pairing and link against the coordinator's own identity: a real database, a real TLS server."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from agent.errors import PairingRefused
from agent.secrets.file import FileSecrets
from agent.uplink.channel import Coordinator
from agent.uplink.identity_calls import IdentityCalls
from agent.uplink.link import LinkClient
from agent.uplink.link_stream import LinkSettings
from agent.uplink.outbox import Outbox
from agent.uplink.pairing import CodeShown, FoundCoordinator, find_coordinator, prove
from agent.uplink.tokens import PairedTokens, Unpaired
from agent.uplink.trust import parse_address
from protos.clippy.v1 import identity_pb2
from tests.fakes.identity_parts import DEVICE, Who, make_who
from tests.fakes.link_parts import eventually, lane_chunk, new_session_id


@pytest.fixture
async def who(tmp_path: Path, pool: asyncpg.Pool) -> AsyncIterator[Who]:
    async for made in make_who(tmp_path, pool):
        await made.start()
        yield made


async def found(who: Who) -> FoundCoordinator:
    there = await asyncio.to_thread(find_coordinator, parse_address(f"localhost:{who.port}"))
    assert there.check(who.ca_sha256.hex())
    return there


def paired(there: FoundCoordinator, code: str) -> identity_pb2.PairReply:
    (reply,) = prove(there, DEVICE, code, is_wanted=lambda: True)
    assert isinstance(reply, identity_pb2.PairReply)
    return reply


async def test_a_typed_code_pairs_and_the_device_streams_until_it_is_unpaired(who: Who, tmp_path: Path):
    await who.accounts.add("Ada", tier="pro")
    code = await who.pairings.new_code(await who.accounts.find("Ada"))
    there = await found(who)
    reply = await asyncio.to_thread(paired, there, code.user_code.lower().replace("-", " "))
    assert (reply.user_name, reply.tier) == ("Ada", "pro")
    with pytest.raises(PairingRefused, match="ask for a new one"):
        await asyncio.to_thread(paired, there, code.user_code)

    secrets = FileSecrets(tmp_path / "secrets.json")
    secrets.set("pairing", reply.tokens.refresh_token)
    calls = IdentityCalls(there.trusted())
    tokens = PairedTokens(calls.refresh, secrets, "pairing")
    outbox = Outbox(tmp_path / "outbox.db")
    session_id = new_session_id()
    outbox.start_session(session_id, 1)
    for index in range(3):
        outbox.put(session_id, lane_chunk(index))
    link = LinkClient(
        dataclasses.replace(there.trusted(), tokens=tokens),
        outbox,
        agent_id=DEVICE.agent_id,
        agent_version="1",
        settings=LinkSettings(max_backoff_s=0.2),
    )
    link.start()
    try:
        await eventually(lambda: outbox.num_waiting() == 0, what="three chunks are durable")
        await asyncio.to_thread(calls.unpair, secrets.get("pairing") or "")
        await eventually(lambda: "unpaired" in link.problem, what="the device hears that it is unpaired")
    finally:
        await asyncio.to_thread(link.stop)
        outbox.close()


async def test_a_shown_code_pairs_once_it_is_approved(who: Who):
    there = await found(who)
    steps = prove(there, DEVICE, "", is_wanted=lambda: True)
    shown = await asyncio.to_thread(next, steps)
    assert isinstance(shown, CodeShown)
    assert shown.expires_in_s > 60

    await who.pairings.approve(shown.user_code, await who.accounts.find("owner"))
    reply = await asyncio.to_thread(next, steps)

    assert isinstance(reply, identity_pb2.PairReply)
    assert reply.user_name == "owner"


async def test_a_kill_between_the_answer_and_the_store_locks_nobody_out(who: Who, tmp_path: Path):
    code = await who.pairings.new_code(await who.accounts.find("owner"))
    there = await found(who)
    first = (await asyncio.to_thread(paired, there, code.user_code)).tokens.refresh_token
    calls = IdentityCalls(there.trusted())
    await asyncio.to_thread(calls.refresh, first)  # answered, and not kept

    secrets = FileSecrets(tmp_path / "secrets.json")
    secrets.set("pairing", first)
    tokens = PairedTokens(calls.refresh, secrets, "pairing")

    assert await asyncio.to_thread(tokens.token)
    assert secrets.get("pairing") != first


async def test_an_unknown_refresh_token_is_an_unpaired_device(who: Who):
    calls = IdentityCalls((await found(who)).trusted())

    with pytest.raises(Unpaired):
        await asyncio.to_thread(calls.refresh, "nobody's")


async def test_another_coordinators_token_opens_no_stream(who: Who, tmp_path: Path):
    (tmp_path / "token").write_text("a.b.c")
    there = (await found(who)).trusted()
    link = LinkClient(
        Coordinator(address=there.address, ca_path=None, ca_pem=there.ca_pem, token_path=tmp_path / "token"),
        Outbox(tmp_path / "outbox.db"),
        agent_id="agent-1",
        agent_version="1",
        settings=LinkSettings(max_backoff_s=0.2),
    )
    link.start()
    try:
        await eventually(lambda: "refused this agent's token" in link.problem, what="the token is refused")
    finally:
        await asyncio.to_thread(link.stop)
