"""What was recorded for one account never goes to another: the outbox at an unpairing, and the way that is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.config import Config, Uplink
from agent.engine.sending import Sending
from agent.engine.way import find_way, paired_way
from agent.errors import InputUnusable
from agent.paths import AgentPaths
from agent.secrets.memory import MemorySecrets
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_leaving import clear, drop_waiting
from agent.uplink.pairing_record import PairingRecord, load_record, save_record
from protos.clippy.v1 import media_pb2
from tests.fakes.link_parts import lane_chunk, new_session_id

MIC = media_pb2.LANE_MIC
RECORD = PairingRecord(
    address="clips.example.org:7843",
    server_name="",
    coordinator_name="Clips",
    ca_pem="pem",
    fingerprint="ab" * 32,
    user_id="u1",
    user_name="Ada",
    tier="pro",
    device_id="d1",
    device_name="studio",
    store="file",
    secret_name="pairing-1",
)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db", max_bytes=10_000)
    yield made
    made.close()


@pytest.fixture
def paths(tmp_path: Path) -> AgentPaths:
    found = AgentPaths(data=tmp_path / "agent")
    found.data.mkdir()
    return found


def test_what_waits_is_dropped_as_a_gap_and_numbers_go_on(outbox: Outbox):
    session_id = new_session_id()
    outbox.start_session(session_id, 1)
    for index in range(3):
        outbox.put(session_id, lane_chunk(index))

    assert drop_waiting(outbox, "unpaired") == 3
    assert drop_waiting(outbox, "unpaired") == 0

    assert outbox.gap_lines() == ["3 s of mic not uploaded: unpaired"]
    assert outbox.put(session_id, lane_chunk(3)) == 3
    assert outbox.unacked(session_id, MIC) == [3]
    # The room of what was dropped is free again.
    for index in range(4, 8):
        outbox.put(session_id, lane_chunk(index))
    assert outbox.unacked(session_id, MIC) == [3, 4, 5, 6, 7]


def test_an_outbox_that_is_cleared_knows_no_session_and_has_all_its_room(outbox: Outbox):
    session_id = new_session_id()
    outbox.start_session(session_id, 1)
    for index in range(5):
        outbox.put(session_id, lane_chunk(index))
    outbox.end_session(session_id, 1)
    clear(outbox)

    assert (outbox.sessions(), outbox.num_waiting(), outbox.events_after(0, limit=9)) == ([], 0, [])
    other = new_session_id()
    outbox.start_session(other, 1)
    for index in range(5):
        outbox.put(other, lane_chunk(index))
    assert outbox.unacked(other, MIC) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"address": "192.0.2.7:7843"}, True),  # the same authority under another name
        ({"user_id": "u2"}, False),
        ({"ca_pem": "other"}, False),
        ({"ca_pem": ""}, False),
    ],
)
def test_which_account_may_have_what_waits(changes: dict[str, str], is_same: bool):
    assert RECORD.is_same_account(msgspec.structs.replace(RECORD, **changes)) is is_same


def test_with_a_public_authority_the_address_says_who_it_is():
    public = msgspec.structs.replace(RECORD, ca_pem="")

    assert not public.is_same_account(msgspec.structs.replace(public, address="b.example.org:7843"))


def test_the_settings_come_before_the_pairing_and_an_address_may_replace_the_pairings(paths: AgentPaths):
    save_record(paths, RECORD)
    by_file = Config(uplink=Uplink(address="localhost:1", ca_file="ca", token_file="token"))
    elsewhere = Config(uplink=Uplink(address="192.0.2.7"))

    ways = [find_way(paths, config) for config in (by_file, elsewhere, Config())]

    assert [way.coordinator.address for way in ways if way] == [
        "localhost:1",
        "192.0.2.7:7843",
        "clips.example.org:7843",
    ]
    assert [way.record is None for way in ways if way] == [True, False, False]
    assert paths.coordinator_ca.read_text() == "pem"


def test_a_pairing_that_was_given_up_is_no_way_and_half_of_the_settings_say_what_to_do(paths: AgentPaths):
    save_record(paths, RECORD.ended())

    assert find_way(paths, Config()) is None
    with pytest.raises(InputUnusable, match="run `clippy pair localhost:1`"):
        find_way(paths, Config(uplink=Uplink(address="localhost:1", ca_file="ca")))


def test_a_damaged_record_is_told(paths: AgentPaths):
    paths.pairing.write_text('{"address": 1}')

    with pytest.raises(InputUnusable, match="is damaged"):
        find_way(paths, Config())


def test_the_next_accounts_first_start_empties_the_outbox_once(paths: AgentPaths):
    outbox = Outbox(paths.outbox)
    outbox.start_session(new_session_id(), 1)
    outbox.close()
    save_record(paths, RECORD.with_empty_outbox())

    for _ in range(2):
        sending = Sending(paths, Config(), on_change=lambda: None)
        assert not sending.has_leftovers
        assert sending.status().pairing.user_name == "Ada"
        sending.stop()

    record = load_record(paths)
    assert record is not None and not record.starts_empty


def test_a_tier_that_changed_is_kept_and_shown(paths: AgentPaths):
    save_record(paths, RECORD)
    way = paired_way(paths, Config(), RECORD, MemorySecrets())
    assert way.kept is not None
    way.kept.take_tier("")
    way.kept.take_tier("business")

    assert way.record == load_record(paths) == RECORD.with_tier("business")
    assert dataclasses.replace(way).record == way.record
