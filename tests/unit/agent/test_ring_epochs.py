"""The merge across epochs: a packet goes where its stamp lies, whatever order packets and epochs come in."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from agent.ring.epochs import EpochMerge, NewEpoch
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture, sound

MS_NS = 1_000_000
LARGER = dataclasses.replace(VIDEO, width_px=32)
FIRST = NewEpoch(tracks=(VIDEO, MIX))
SECOND = NewEpoch(tracks=(LARGER, MIX), start_ns=SECOND_NS, reason="size")


def by_epoch(items):
    """What came out, as one list of packets for each epoch."""
    rows = []
    for item in items:
        if isinstance(item, NewEpoch):
            rows.append([])
        else:
            rows[-1].append(item)
    return rows


def two_epochs():
    merge = EpochMerge()
    merge.begin(FIRST)
    merge.begin(SECOND)
    return merge


@given(st.integers(0, 12), st.integers(0, 19), st.randoms(use_true_random=False))
def test_packets_land_by_their_stamp_however_tracks_and_the_new_epoch_interleave(lag, called_at, random):
    pictures = [picture(number) for number in range(20)]
    sounds = [sound(number * FRAME_NS + 1) for number in range(20)]
    merge, out = EpochMerge(), []
    merge.begin(FIRST)
    for number in range(20 + lag):
        if number == called_at:
            # Never after the first picture of its own: who begins an epoch hands it that picture next.
            merge.begin(dataclasses.replace(SECOND, start_ns=max(called_at, 10) * FRAME_NS))
        put = [row[place] for row, place in ((pictures, number), (sounds, number - lag)) if 0 <= place < 20]
        random.shuffle(put)
        for packet in put:
            assert merge.put(packet, now_ns=0)
        out += merge.take(now_ns=0)
    old, new = by_epoch([*out, *merge.take_all()])

    start_ns = max(called_at, 10) * FRAME_NS
    assert [packet.pts_ns < start_ns for packet in old] == [True] * len(old)
    assert [packet.pts_ns >= start_ns for packet in new] == [True] * len(new)
    assert len(old) + len(new) == 40
    assert [*old, *new] == sorted([*old, *new], key=lambda packet: packet.dts_ns)


def test_the_sound_that_lags_behind_the_first_new_picture_belongs_to_the_old_epoch():
    merge = two_epochs()
    merge.put(picture(9), now_ns=0)
    merge.put(picture(10), now_ns=0)
    merge.put(sound(SECOND_NS - 1), now_ns=100 * MS_NS)
    merge.put(sound(SECOND_NS), now_ns=100 * MS_NS)

    out = by_epoch([*merge.take(now_ns=100 * MS_NS), *merge.take_all()])

    assert out == [[picture(9), sound(SECOND_NS - 1)], [picture(10), sound(SECOND_NS)]]


def test_an_epoch_goes_on_until_each_track_has_come_to_the_next():
    merge = two_epochs()
    merge.put(picture(9), now_ns=0)
    merge.put(picture(10), now_ns=0)

    assert by_epoch(merge.take(now_ns=199 * MS_NS)) == [[]]


def test_a_track_that_does_not_come_is_waited_for_for_200_ms():
    merge = two_epochs()
    merge.put(picture(9), now_ns=0)
    merge.put(picture(10), now_ns=0)

    # The new epoch's own merge has waited as long, so its picture goes as well.
    assert by_epoch(merge.take(now_ns=200 * MS_NS)) == [[picture(9)], [picture(10)]]


def test_its_deadline_is_told():
    merge = two_epochs()
    merge.put(picture(10), now_ns=5)

    assert merge.next_deadline_ns() == 200 * MS_NS + 5


def test_an_epoch_that_begins_in_the_future_waits_for_its_first_packet():
    merge = two_epochs()

    for number in range(9):
        merge.put(picture(number), now_ns=number * FRAME_NS)
        merge.put(sound(number * FRAME_NS + 1), now_ns=number * FRAME_NS)

    assert len(by_epoch(merge.take(now_ns=SECOND_NS * 5))) == 1


def test_what_comes_after_its_epoch_was_over_is_refused():
    merge = two_epochs()
    merge.put(picture(10), now_ns=0)
    list(merge.take(now_ns=200 * MS_NS))

    assert not merge.put(sound(SECOND_NS - 1), now_ns=201 * MS_NS)


def test_without_a_start_all_that_was_put_before_belongs_to_the_old_epoch():
    merge = EpochMerge()
    merge.begin(FIRST)
    merge.put(picture(0), now_ns=0)
    merge.begin(NewEpoch(tracks=(LARGER,)))
    merge.put(picture(10), now_ns=0)

    assert by_epoch(merge.take(now_ns=0)) == [[picture(0)], [picture(10)]]


def test_epochs_in_quick_succession_each_get_their_own():
    merge = two_epochs()
    merge.begin(NewEpoch(tracks=(VIDEO, MIX), start_ns=2 * SECOND_NS, reason="size"))
    for number in (9, 10, 20):
        merge.put(picture(number), now_ns=0)
    for number in (9, 10, 20):
        merge.put(sound(number * FRAME_NS + 1), now_ns=100 * MS_NS)

    out = by_epoch(merge.take(now_ns=100 * MS_NS))

    assert [[packet.dts_ns // FRAME_NS for packet in row] for row in out] == [[9, 9], [10, 10], [20]]


def test_an_epoch_cannot_begin_before_the_one_before_it():
    merge = two_epochs()
    merge.begin(NewEpoch(tracks=(VIDEO, MIX), start_ns=5, reason="encoder"))
    for packet in (picture(9), sound(9 * FRAME_NS + 1), picture(10), sound(10 * FRAME_NS + 1)):
        merge.put(packet, now_ns=0)

    out = by_epoch(merge.take_all())

    assert [len(row) for row in out] == [2, 0, 2]


def test_a_packet_before_the_first_epoch_is_refused():
    assert not EpochMerge().put(picture(0), now_ns=0)
