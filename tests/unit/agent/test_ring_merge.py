"""The merge: out by DTS, nothing lost, nobody waited for longer than 200 ms."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agent.ring.merge import DtsMerge
from tests.fakes.packets import MIX, VIDEO, picture, sound

MS_NS = 1_000_000
LATEST_NS = 200 * MS_NS


@st.composite
def arrivals(draw):
    """Packets of up to three tracks, each track in order, none arriving 200 ms or more after its DTS."""
    items = []
    for track in range(draw(st.integers(1, 3))):
        dts_ns, now_ns = 0, 0
        for step_ms, late_ms in draw(
            st.lists(st.tuples(st.integers(1, 60), st.integers(0, 199)), max_size=30)
        ):
            dts_ns += step_ms * MS_NS
            now_ns = max(now_ns, dts_ns + late_ms * MS_NS)
            items.append((now_ns, msgspec.structs.replace(sound(dts_ns), track=track)))
    return sorted(items, key=lambda item: item[0])


def run(items, num_tracks=3):
    merge = DtsMerge(num_tracks)
    out = []
    for now_ns, packet in items:
        merge.put(packet, now_ns=now_ns)
        out += merge.take(now_ns=now_ns)
    return out + list(merge.take_all())


@given(arrivals())
def test_every_packet_comes_out_once(items):
    out = run(items)

    assert sorted((packet.track, packet.dts_ns) for _, packet in items) == sorted(
        (packet.track, packet.dts_ns) for packet in out
    )


@given(arrivals())
def test_each_track_stays_in_order(items):
    out = run(items)

    for track in range(3):
        stamps = [packet.dts_ns for packet in out if packet.track == track]
        assert stamps == sorted(stamps)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=40),
    st.lists(st.integers(1, 40), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_tracks_within_the_wait_come_out_by_dts_however_they_interleave(first_steps, second_steps, random):
    rows = []
    for track, steps in enumerate((first_steps, second_steps)):
        dts_ms, row = 0, []
        for step in steps:
            dts_ms += step
            row.append(msgspec.structs.replace(sound(dts_ms * MS_NS), track=track))
        rows.append(row)
    items = []
    while rows[0] or rows[1]:
        row = random.choice([row for row in rows if row])
        items.append((0, row.pop(0)))

    stamps = [packet.dts_ns for packet in run(items, num_tracks=2)]

    assert stamps == sorted(stamps)


@given(arrivals())
def test_no_packet_waits_longer_than_the_limit(items):
    merge = DtsMerge(3)
    came_ns = {}
    for now_ns, packet in items:
        merge.put(packet, now_ns=now_ns)
        came_ns[packet.track, packet.dts_ns] = now_ns
        for out in merge.take(now_ns=now_ns):
            came_ns.pop((out.track, out.dts_ns))
        oldest_head = merge.next_deadline_ns()
        assert oldest_head is None or oldest_head > now_ns


def test_a_packet_waits_for_the_other_track():
    merge = DtsMerge(2)

    merge.put(picture(0), now_ns=0)

    assert list(merge.take(now_ns=LATEST_NS - 1)) == []


def test_a_packet_goes_alone_when_the_other_track_is_late():
    merge = DtsMerge(2)
    merge.put(picture(0), now_ns=0)

    assert [picture(0)] == list(merge.take(now_ns=LATEST_NS))


def test_a_silent_track_is_waited_for_once():
    merge = DtsMerge(2)
    merge.put(picture(0), now_ns=0)
    list(merge.take(now_ns=LATEST_NS))

    merge.put(picture(1), now_ns=LATEST_NS)

    assert [picture(1)] == list(merge.take(now_ns=LATEST_NS))


def test_a_track_that_is_back_is_waited_for_again():
    merge = DtsMerge(2)
    merge.put(picture(0), now_ns=0)
    list(merge.take(now_ns=LATEST_NS))
    merge.put(sound(5), now_ns=LATEST_NS)
    merge.put(picture(1), now_ns=LATEST_NS)
    list(merge.take(now_ns=LATEST_NS))

    assert list(merge.take(now_ns=LATEST_NS + 1)) == []


def test_a_packet_that_goes_back_in_time_is_refused_and_counted():
    merge = DtsMerge(2)
    merge.put(picture(3), now_ns=0)

    assert not merge.put(picture(3), now_ns=0)
    assert merge.num_refused == 1


def test_a_packet_of_an_unknown_track_is_refused():
    assert not DtsMerge(len([VIDEO, MIX])).put(sound(0, track=7), now_ns=0)
