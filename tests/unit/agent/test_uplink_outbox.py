"""The outbox: numbers without holes, what goes first when it is full, and what survives a crash."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import Bug, EnvironmentProblem, InputUnusable
from agent.model.media import LaneChunk, LaneName
from agent.uplink.outbox import Outbox
from protos.clippy.v1 import link_pb2, media_pb2

ROOT = Path(__file__).parents[3]
SECOND_NS = 1_000_000_000
SESSION = "a" * 32
MIC, PROXY = media_pb2.LANE_MIC, media_pb2.LANE_PROXY


def chunk(index: int, *, lane: LaneName = "mic", num_bytes: int = 1000) -> LaneChunk:
    return LaneChunk(
        lane=lane,
        start_ns=index * SECOND_NS,
        end_ns=(index + 1) * SECOND_NS,
        content_type="audio/ogg",
        payload=bytes([index % 256]) * num_bytes,
    )


def held(
    lane: media_pb2.Lane.ValueType,
    *,
    fsynced: tuple[int, int] | None = None,
    stored: tuple[int, int] | None = None,
) -> media_pb2.LaneRanges:
    ranges = media_pb2.LaneRanges(session_id=SESSION, lane=lane)
    if fsynced:
        ranges.fsynced.add(first=fsynced[0], last=fsynced[1])
    if stored:
        ranges.stored.add(first=stored[0], last=stored[1])
    return ranges


def gaps(outbox: Outbox) -> list[tuple[int, int, int, str]]:
    found = (event.message for event in outbox.events_after(0, limit=1000))
    return [
        (message.gap.lane, message.gap.first, message.gap.last, message.gap.reason)
        for message in found
        if message.WhichOneof("kind") == "gap"
    ]


def waiting(outbox: Outbox) -> list[tuple[int, int]]:
    return [(item.chunk.lane, item.chunk.seq) for item in outbox.waiting_after(0, limit=1000)]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db", max_bytes=10_000)
    opened.start_session(SESSION, 1_700_000_000_000)
    yield opened
    opened.close()


def test_numbers_count_from_zero_for_each_lane(outbox: Outbox):
    numbers = [outbox.put(SESSION, chunk(index, lane=lane)) for index in range(3) for lane in ("mic", "chat")]

    assert numbers == [0, 0, 1, 1, 2, 2]


def test_numbers_go_on_after_a_restart_even_when_all_chunks_are_stored(outbox: Outbox):
    for index in range(3):
        outbox.put(SESSION, chunk(index))
    outbox.delete_stored([held(MIC, stored=(0, 2))])
    outbox.close()

    again = Outbox(outbox.file.path)
    again.start_session(SESSION, 1_700_000_000_000)
    number = again.put(SESSION, chunk(3))
    again.close()

    assert number == 3


def test_a_fsynced_chunk_is_kept_but_not_sent_again(outbox: Outbox):
    for index in range(3):
        outbox.put(SESSION, chunk(index))

    outbox.mark_fsynced([held(MIC, fsynced=(0, 1))])

    assert outbox.unacked(SESSION, MIC) == [2]
    assert outbox.file.rows("select count(*) from payloads") == [(3,)]


def test_what_the_welcome_no_longer_lists_is_sent_again(outbox: Outbox):
    for index in range(4):
        outbox.put(SESSION, chunk(index))
    outbox.mark_fsynced([held(MIC, fsynced=(0, 3))])

    outbox.reconcile([held(MIC, fsynced=(1, 1), stored=(2, 2))])

    assert outbox.unacked(SESSION, MIC) == [0, 3]
    assert outbox.file.rows("select seq from chunks order by seq") == [(0,), (1,), (3,)]


def test_when_it_is_full_fsynced_chunks_go_first_and_are_no_gap(outbox: Outbox):
    for index in range(10):
        outbox.put(SESSION, chunk(index))
    outbox.mark_fsynced([held(MIC, fsynced=(4, 5))])

    outbox.put(SESSION, chunk(10))
    outbox.put(SESSION, chunk(11))

    assert outbox.unacked(SESSION, MIC) == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]
    assert gaps(outbox) == []


def test_a_dropped_fsynced_chunk_becomes_a_gap_when_the_coordinator_lost_it(outbox: Outbox):
    for index in range(10):
        outbox.put(SESSION, chunk(index))
    outbox.mark_fsynced([held(MIC, fsynced=(0, 0))])
    outbox.put(SESSION, chunk(10))

    outbox.reconcile([])

    assert gaps(outbox) == [(MIC, 0, 0, "outbox_full")]


def test_when_it_is_full_the_oldest_proxy_goes_before_any_sound(outbox: Outbox):
    for index in range(5):
        outbox.put(SESSION, chunk(index))
        outbox.put(SESSION, chunk(index, lane="proxy"))

    for index in range(5, 8):
        outbox.put(SESSION, chunk(index))

    assert [seq for lane, seq in waiting(outbox) if lane == PROXY] == [3, 4]
    assert gaps(outbox) == [(PROXY, 0, 2, "outbox_full")]
    assert outbox.gap_lines() == ["3 s of proxy not uploaded: outbox full"]


def test_a_new_picture_never_pushes_out_older_sound(outbox: Outbox):
    for index in range(10):
        outbox.put(SESSION, chunk(index))

    outbox.put(SESSION, chunk(0, lane="proxy"))

    assert waiting(outbox) == [(MIC, index) for index in range(10)]
    assert gaps(outbox) == [(PROXY, 0, 0, "outbox_full")]


def test_sound_goes_last_but_goes(outbox: Outbox):
    for index in range(12):
        outbox.put(SESSION, chunk(index))

    assert waiting(outbox) == [(MIC, index) for index in range(2, 12)]
    assert outbox.gap_lines() == ["2 s of mic not uploaded: outbox full"]


@pytest.mark.logs("chunks_refused")
def test_a_refused_chunk_is_dropped_with_the_reason_shown(outbox: Outbox):
    outbox.put(SESSION, chunk(0))

    dropped = outbox.drop_refused(
        [media_pb2.Gap(session_id=SESSION, lane=MIC, first=0, last=0, reason="its number is taken")]
    )

    assert dropped == [(SESSION, MIC, 0)]
    assert waiting(outbox) == []
    assert outbox.gap_lines() == ["1 s of mic not uploaded: refused: its number is taken"]


def test_numbers_that_neither_side_has_become_a_gap(outbox: Outbox):
    for index in range(4):
        outbox.put(SESSION, chunk(index))
    outbox.delete_stored([held(MIC, stored=(1, 2))])

    outbox.reconcile([held(MIC, stored=(1, 1))])

    assert gaps(outbox) == [(MIC, 2, 2, "lost")]


def test_an_ended_session_says_how_many_chunks_each_lane_has(outbox: Outbox):
    outbox.put(SESSION, chunk(0))
    outbox.put(SESSION, chunk(1))
    outbox.put(SESSION, chunk(0, lane="chat"))

    outbox.end_session(SESSION, 2 * SECOND_NS)

    (event,) = outbox.events_after(0, limit=10)
    ended = event.message.session_ended
    assert {item.lane: item.num_chunks for item in ended.lanes} == {MIC: 2, media_pb2.LANE_CHAT: 1}


def test_a_session_is_forgotten_only_when_all_is_stored_and_all_events_are_committed(outbox: Outbox):
    outbox.put(SESSION, chunk(0))
    outbox.end_session(SESSION, SECOND_NS)

    outbox.delete_stored([held(MIC, stored=(0, 0))])
    before = len(outbox.sessions())
    outbox.confirm_events(100)

    assert (before, outbox.sessions()) == (1, [])


@pytest.mark.logs("session_found_unended")
def test_a_session_that_a_crash_left_open_is_ended_at_the_next_start(outbox: Outbox):
    outbox.put(SESSION, chunk(0))
    outbox.put(SESSION, chunk(1))
    outbox.close()

    again = Outbox(outbox.file.path)
    again.start_session("b" * 32, 1_700_000_001_000)
    (event,) = again.events_after(0, limit=10)
    again.close()

    assert event.message.session_ended.duration_ns == 2 * SECOND_NS
    assert event.message.session_ended.lanes[0].num_chunks == 2


@pytest.mark.parametrize(
    "payload",
    [
        b"",  # nothing in it
        b"x" * 1_250_001,  # over the bound of a message
    ],
)
def test_a_chunk_that_breaks_a_rule_is_refused_at_the_door(outbox: Outbox, payload: bytes):
    bad = LaneChunk(lane="mic", start_ns=0, end_ns=1, content_type="audio/ogg", payload=payload)

    with pytest.raises(InputUnusable, match="payload of"):
        outbox.put(SESSION, bad)


def test_a_chunk_of_a_session_that_never_started_is_a_bug(outbox: Outbox):
    with pytest.raises(Bug, match="was not started"):
        outbox.put("b" * 32, chunk(0))


@pytest.mark.logs("outbox_moved_aside")
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path):
    path = tmp_path / "outbox.db"
    path.write_bytes(b"this is no database " * 1000)

    opened = Outbox(path)
    opened.start_session(SESSION, 1_700_000_000_000)
    number = opened.put(SESSION, chunk(0))
    opened.close()

    assert number == 0
    assert [found.name for found in tmp_path.glob("*.damaged-*")]


@pytest.mark.logs("outbox_moved_aside")
def test_damage_in_the_middle_of_a_session_never_gives_a_number_twice(outbox: Outbox):
    for index in range(3):
        outbox.put(SESSION, chunk(index))
    outbox.file.rows("pragma wal_checkpoint(truncate)")
    size_bytes = outbox.file.path.stat().st_size
    with outbox.file.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size_bytes - 4096))
    with outbox.file.transaction() as db:
        db.execute("pragma shrink_memory")

    numbers = [outbox.put(SESSION, chunk(3)), outbox.put(SESSION, chunk(4))]

    assert numbers == [3, 4]
    assert gaps(outbox) == []
    outbox.reconcile([])
    assert gaps(outbox) == [(MIC, 0, 2, "lost")]


def test_a_folder_that_cannot_be_made_is_a_message_not_a_traceback(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(EnvironmentProblem, match="outbox"):
        Outbox(tmp_path / "file" / "outbox.db")


def test_events_come_back_until_they_are_committed(outbox: Outbox):
    pressed = link_pb2.AgentMessage(pressed=link_pb2.Pressed(session_id=SESSION, clip_id="c"))
    outbox.put_event(SESSION, "pressed", pressed)
    outbox.close()

    again = Outbox(outbox.file.path)
    kinds = [event.message.WhichOneof("kind") for event in again.events_after(0, limit=10)]
    again.close()

    assert kinds == ["pressed"]


def test_what_put_returned_survives_kill_9(tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from agent.uplink.outbox import Outbox;"
        "from agent.model.media import LaneChunk\n"
        f"outbox = Outbox(Path({str(tmp_path / 'outbox.db')!r})); outbox.start_session({SESSION!r}, 1)\n"
        "for index in range(100000):\n"
        "    chunk = LaneChunk(lane='mic', start_ns=index, end_ns=index + 1, content_type='a/b',"
        " payload=str(index).encode() * 2000)\n"
        f"    print(outbox.put({SESSION!r}, chunk), flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    promised = [int(process.stdout.readline()) for _ in range(50)]
    process.kill()
    rest = process.stdout.read().split(b"\n")[:-1]
    process.wait()
    process.stdout.close()
    promised += [int(line) for line in rest]

    opened = Outbox(tmp_path / "outbox.db")
    found = {item.chunk.seq: item.chunk.payload for item in opened.waiting_after(0, limit=100_000)}
    opened.close()

    assert [seq for seq in promised if found.get(seq) != str(seq).encode() * 2000] == []
    assert sorted(found) == list(range(len(found)))


def test_many_threads_share_the_numbers_without_holes(tmp_path: Path):
    from concurrent.futures import ThreadPoolExecutor

    opened = Outbox(tmp_path / "outbox.db")
    session_id = uuid.uuid4().hex
    opened.start_session(session_id, 1)
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda index: opened.put(session_id, chunk(index)), range(40)))
    opened.close()

    assert sorted(numbers) == list(range(40))
