"""What the link holds back and lets go, over real gRPC and TLS: metered lines, wishes, and days offline."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from agent.secrets.memory import MemorySecrets
from agent.uplink.channel import Coordinator
from agent.uplink.identity_calls import IdentityCalls
from agent.uplink.link import LinkClient
from agent.uplink.link_stream import LinkSettings
from agent.uplink.outbox import Outbox
from agent.uplink.thrift import LineState
from agent.uplink.tokens import PairedTokens
from protos.clippy.v1 import link_pb2, media_pb2
from tests.fakes.coordinator_here import CoordinatorHere, Device
from tests.fakes.link_parts import Certificates, lane_chunk, make_certificates, new_session_id

MIC, DESKTOP, PROXY = media_pb2.LANE_MIC, media_pb2.LANE_DESKTOP, media_pb2.LANE_PROXY
QUICK = LinkSettings(max_backoff_s=0.2, heartbeat_s=0.1)


class Agent:
    """A paired agent's outbox and link."""

    def __init__(self, coordinator: CoordinatorHere, certificates: Certificates, folder: Path) -> None:
        coordinator.devices.append(Device("d1", "studio", ["r0"]))
        self.secrets = MemorySecrets()
        self.secrets.set("pairing", "r0")
        plain = Coordinator(address=coordinator.address, ca_path=certificates.ca_path)
        self.tokens = PairedTokens(IdentityCalls(plain).refresh, self.secrets, "pairing")
        self.outbox = Outbox(folder / "outbox.db")
        self.link = LinkClient(
            Coordinator(address=coordinator.address, ca_path=certificates.ca_path, tokens=self.tokens),
            self.outbox,
            agent_id="a" * 32,
            agent_version="1",
            settings=QUICK,
        )

    def put(self, session_id: str, *lanes: str, number: int = 3) -> None:
        for index in range(number):
            for lane in lanes:
                self.outbox.put(session_id, lane_chunk(index, lane=lane))  # type: ignore[arg-type]

    def wait_until_acknowledged(self, number: int) -> None:
        """What the coordinator said before its answer has been taken then, too."""
        ends_s = time.monotonic() + 10
        while self.link.counters.chunks_fsynced < number:
            assert time.monotonic() < ends_s, f"{number} chunks were not acknowledged within 10 s"
            threading.Event().wait(0.01)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.fixture
def coordinator(certificates: Certificates) -> Iterator[CoordinatorHere]:
    with CoordinatorHere(certificates) as running:
        yield running


@pytest.fixture
def agent(coordinator: CoordinatorHere, certificates: Certificates, tmp_path: Path) -> Iterator[Agent]:
    made = Agent(coordinator, certificates, tmp_path)
    yield made
    made.link.stop()
    made.outbox.close()


def test_on_a_metered_line_the_voice_leaves_and_the_rest_when_the_line_is_another(
    agent: Agent, coordinator: CoordinatorHere
):
    session_id = new_session_id()
    agent.outbox.start_session(session_id, 1)
    agent.put(session_id, "desktop", "mic", "proxy", "signals")
    agent.link.set_line(LineState(is_metered=True))
    agent.link.start()

    assert coordinator.wait_for_chunks(6)
    assert {lane for _, lane, _ in coordinator.chunks} == {MIC, media_pb2.LANE_SIGNALS}
    assert list(agent.link.uplink().held_back) == [
        "on a metered line: 3 chunks of desktop wait",
        "on a metered line: 3 chunks of proxy wait",
    ]

    agent.link.set_line(LineState())
    assert coordinator.wait_for_chunks(12)
    for lane in (DESKTOP, PROXY):
        assert [seq for _, number, seq in coordinator.chunks if number == lane] == [0, 1, 2]
    assert len(set(coordinator.chunks)) == len(coordinator.chunks) == 12
    assert not agent.link.uplink().held_back


def test_lanes_that_the_coordinator_does_not_wish_wait(agent: Agent, coordinator: CoordinatorHere):
    coordinator.config = link_pb2.StreamConfig(lanes=[MIC])
    session_id = new_session_id()
    agent.outbox.start_session(session_id, 1)
    agent.link.start()
    # Said right after Welcome: what is put from here on is sent by it.
    assert agent.link.wait_for("connected", timeout_s=10)
    agent.put(session_id, "mic", number=1)
    agent.wait_until_acknowledged(1)
    agent.put(session_id, "proxy", "mic", number=2)

    assert coordinator.wait_for_chunks(3)
    assert {lane for _, lane, _ in coordinator.chunks} == {MIC}
    assert list(agent.link.uplink().held_back) == ["the coordinator does not want it: 2 chunks of proxy wait"]


def test_no_more_than_a_minutes_worth_leaves_at_once(agent: Agent, coordinator: CoordinatorHere):
    # A chunk is a minute's worth: one, one more on credit, and one may have left before the wish came.
    coordinator.config = link_pb2.StreamConfig(max_bytes_per_s=100)
    session_id = new_session_id()
    agent.outbox.start_session(session_id, 1)
    agent.link.start()
    assert agent.link.wait_for("connected", timeout_s=10)
    agent.outbox.put(session_id, lane_chunk(0, num_bytes=6000))
    agent.wait_until_acknowledged(1)
    for index in range(1, 10):
        agent.outbox.put(session_id, lane_chunk(index, num_bytes=6000))

    assert coordinator.wait_for_chunks(2)
    assert not coordinator.wait_for_chunks(4, timeout_s=1.0)
    assert agent.link.state == "connected"


def test_days_offline_are_made_up_for_in_order(agent: Agent, coordinator: CoordinatorHere):
    sessions = [new_session_id() for _ in range(3)]
    for session_id in sessions:
        agent.outbox.start_session(session_id, 1)
        for index in range(340):
            agent.outbox.put(session_id, lane_chunk(index, num_bytes=64))
        agent.outbox.end_session(session_id, 1)
    coordinator.refusals = [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ]
    agent.link.start()

    assert coordinator.wait_for_chunks(1020)
    assert coordinator.chunks == [(session_id, MIC, seq) for session_id in sessions for seq in range(340)]
    assert [item.session_id for item in coordinator.hellos[0].sessions] == sessions
    assert len(coordinator.tokens_seen) == 4


def test_a_token_that_ran_out_meanwhile_is_renewed_by_itself(agent: Agent, coordinator: CoordinatorHere):
    session_id = new_session_id()
    agent.outbox.start_session(session_id, 1)
    stale = agent.tokens.token()
    coordinator.access.clear()
    agent.put(session_id, "mic")
    agent.link.start()

    assert coordinator.wait_for_chunks(3)
    assert coordinator.tokens_seen[0] == stale
    assert coordinator.tokens_seen[1] != stale
    assert coordinator.calls == ["Refresh", "Refresh"]


def test_an_unpaired_device_says_so_and_asks_no_more(agent: Agent, coordinator: CoordinatorHere):
    coordinator.devices.clear()
    agent.link.start()

    assert agent.link.wait_for("waiting", timeout_s=10)
    assert agent.link.problem == "this PC was unpaired; run `clippy pair`"
    for _ in range(3):
        assert agent.link.wait_for("connecting", timeout_s=10)
        assert agent.link.wait_for("waiting", timeout_s=10)
    assert (coordinator.calls, coordinator.tokens_seen) == (["Refresh"], [])
