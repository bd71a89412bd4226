"""What every `PacketRing` must keep: the ring on a disk, when its disk takes nothing, and in memory alone."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest

from agent.errors import DiskFull, NothingToClip
from agent.model.media import EpochSpan
from agent.ports import PacketRing
from agent.ring.ring import GopRing
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture, sound

LARGER = dataclasses.replace(VIDEO, width_px=32)


@pytest.fixture(
    params=["disk", pytest.param("full_disk", marks=pytest.mark.logs("ring_disk_failed")), "in_memory"]
)
def ring(request, tmp_path):
    free_bytes = 0 if request.param == "full_disk" else 1 << 40
    ring = GopRing(
        tmp_path,
        session_id="s",
        t0_monotonic_ns=0,
        max_duration_ns=4 * SECOND_NS,
        is_in_memory=request.param == "in_memory",
        free_bytes=lambda _folder: free_bytes,
    )
    yield ring
    ring.close()
    if request.param == "in_memory":
        assert list(tmp_path.iterdir()) == []


def fill(ring: PacketRing, first: int, last: int) -> None:
    """Pictures first..last-1, 10 a second, a GOP a second, each with a block of sound behind it."""
    for number in range(first, last):
        for packet in (picture(number), sound(number * FRAME_NS + 1)):
            with contextlib.suppress(DiskFull):
                ring.push(packet)


def numbers(span) -> list[int]:
    return [packet.pts_ns // FRAME_NS for packet in span.packets() if packet.track == 0]


@pytest.mark.logs("ring_disk_failed")
def test_a_snapshot_starts_at_the_key_frame_before_its_start(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 30)

    with ring.snapshot(15 * FRAME_NS, 23 * FRAME_NS) as span:
        assert numbers(span) == list(range(10, 23))


@pytest.mark.logs("ring_disk_failed")
def test_a_snapshot_says_the_span_that_was_asked_for(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 30)

    with ring.snapshot(15 * FRAME_NS, 23 * FRAME_NS) as span:
        assert (span.session_id, span.start_ns, span.end_ns) == ("s", 15 * FRAME_NS, 23 * FRAME_NS)


@pytest.mark.logs("ring_disk_failed")
def test_a_snapshot_is_clamped_to_what_there_is(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 10, 30)

    with ring.snapshot(-SECOND_NS, 99 * SECOND_NS) as span:
        assert (span.start_ns, span.end_ns) == (SECOND_NS, 3 * SECOND_NS)


@pytest.mark.logs("ring_disk_failed")
def test_all_tracks_come_by_dts(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)

    with ring.snapshot(0, 2 * SECOND_NS) as span:
        packets = list(span.packets())

    assert len(packets) == 40
    assert packets == sorted(packets, key=lambda packet: packet.dts_ns)


def test_a_span_can_be_read_twice(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)

    with ring.snapshot(0, 2 * SECOND_NS) as span:
        assert list(span.packets()) == list(span.packets())


def test_two_readers_do_not_disturb_each_other(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)

    with ring.snapshot(0, 2 * SECOND_NS) as one, ring.snapshot(0, 2 * SECOND_NS) as other:
        pairs = zip(one.packets(), other.packets(), strict=True)
        assert all(left == right for left, right in pairs)


def test_an_empty_span_is_nothing_to_clip(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)

    with pytest.raises(NothingToClip, match=r"5\.000"):
        ring.snapshot(5 * SECOND_NS, 6 * SECOND_NS)


def test_a_ring_that_holds_nothing_has_nothing_to_clip(ring):
    with pytest.raises(NothingToClip):
        ring.snapshot(0, SECOND_NS)


def test_whole_gops_are_dropped_and_the_promised_duration_stays(ring):
    ring.begin_epoch((VIDEO, MIX))

    fill(ring, 0, 95)

    with ring.snapshot(0, 99 * SECOND_NS) as span:
        assert (span.start_ns, span.end_ns) == (5 * SECOND_NS, 95 * FRAME_NS)


def test_a_span_stays_readable_while_the_ring_drops_it(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)

    with ring.snapshot(0, 2 * SECOND_NS) as span:
        fill(ring, 20, 120)
        assert numbers(span) == list(range(20))


@pytest.mark.logs("ring_disk_failed")
def test_a_span_never_crosses_epochs(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)
    ring.begin_epoch((LARGER, MIX))
    fill(ring, 10, 11)

    with ring.snapshot(0, 2 * SECOND_NS) as span:
        assert (tuple(span.tracks), numbers(span)) == ((LARGER, MIX), [10])


def test_the_older_epoch_can_still_be_had_alone(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)
    ring.begin_epoch((LARGER, MIX))
    fill(ring, 10, 11)

    with ring.snapshot(0, SECOND_NS) as span:
        assert (tuple(span.tracks), numbers(span)) == ((VIDEO, MIX), list(range(10)))


@pytest.mark.logs("ring_disk_failed")
def test_it_tells_the_epochs_it_holds_and_why_each_began(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)
    ring.begin_epoch((LARGER, MIX), start_ns=SECOND_NS, reason="size")
    fill(ring, 10, 25)

    assert ring.epochs() == [
        EpochSpan(epoch=0, start_ns=0, end_ns=SECOND_NS, reason="start"),
        EpochSpan(epoch=1, start_ns=SECOND_NS, end_ns=25 * FRAME_NS, reason="size"),
    ]


def test_an_epoch_that_left_the_ring_is_not_told(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)
    ring.begin_epoch((VIDEO, MIX), start_ns=SECOND_NS, reason="suspended")
    fill(ring, 10, 65)

    assert [(span.start_ns, span.reason) for span in ring.epochs()] == [(2 * SECOND_NS, "suspended")]


@pytest.mark.logs("ring_disk_failed")
@pytest.mark.parametrize("tracks", [(VIDEO, MIX), (LARGER, MIX)])
def test_a_clip_in_the_making_never_goes_on_into_the_next_epoch(ring, tracks):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)

    with ring.follow(0, 20 * FRAME_NS, timeout_s=5.0) as span:
        ring.begin_epoch(tracks, start_ns=SECOND_NS, reason="suspended")
        fill(ring, 10, 25)
        assert (numbers(span), span.end_ns) == (list(range(10)), SECOND_NS)


def words(ring: PacketRing, start_ns: int, end_ns: int) -> str:
    with ring.snapshot(start_ns, end_ns) as span:
        return span.lack.words() if span.lack is not None else ""


@pytest.mark.logs("ring_disk_failed")
def test_a_whole_span_lacks_nothing(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 25)

    assert (words(ring, SECOND_NS, 2 * SECOND_NS), words(ring, 0, 25 * FRAME_NS)) == ("", "")


@pytest.mark.logs("ring_disk_failed")
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("size", "0.5 s of 1.5 s: the picture's size changed 0.5 s before its end"),
        ("encoder", "0.5 s of 1.5 s: the encoder was changed 0.5 s before its end"),
        ("suspended", "0.5 s of 1.5 s: the machine slept until 0.5 s before its end"),
        ("stopped", "0.5 s of 1.5 s: the recorder stood still until 0.5 s before its end"),
        ("screen", "0.5 s of 1.5 s: there was no screen until 0.5 s before its end"),
    ],
)
def test_a_span_cut_by_a_new_epoch_says_why(ring, reason, expected):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)
    ring.begin_epoch((LARGER, MIX), start_ns=2 * SECOND_NS, reason=reason)
    fill(ring, 20, 25)

    assert words(ring, SECOND_NS, 25 * FRAME_NS) == expected


@pytest.mark.logs("ring_disk_failed")
def test_asked_for_everything_it_says_what_another_epoch_hides(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)
    ring.begin_epoch((LARGER, MIX), start_ns=2 * SECOND_NS, reason="size")
    fill(ring, 20, 25)

    assert words(ring, 0, 25 * FRAME_NS) == "0.5 s: the picture's size changed 0.5 s before its end"


@pytest.mark.logs("ring_disk_failed")
def test_a_span_from_before_the_recording_says_when_it_began(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)

    assert (
        words(ring, -SECOND_NS, 2 * SECOND_NS) == "2.0 s of 3.0 s: the recording began 2.0 s before its end"
    )


def test_a_span_longer_than_the_buffer_says_how_far_it_reaches(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 90)

    asked_short, everything = words(ring, SECOND_NS, 9 * SECOND_NS), words(ring, 0, 9 * SECOND_NS)

    assert (asked_short, everything) == (
        "4.0 s of 8.0 s: the buffer reaches back to 4.0 s before its end",
        "",
    )


@pytest.mark.logs("ring_disk_failed")
def test_a_span_whose_end_did_not_come_says_so(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)

    with ring.follow(SECOND_NS, 5 * SECOND_NS, timeout_s=0.01) as span:
        list(span.packets())

    assert span.lack is not None
    assert span.lack.words() == "1.0 s of 4.0 s: there is no picture of its last 3.0 s"


def test_waiting_ends_when_the_picture_is_there(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)

    assert ring.wait_for(9 * FRAME_NS, timeout_s=5.0)


@pytest.mark.logs("ring_disk_failed")
def test_waiting_ends_at_its_deadline(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)

    assert not ring.wait_for(10 * FRAME_NS, timeout_s=0.01)


@pytest.mark.logs("ring_disk_failed")
def test_a_pin_outlives_the_ring(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)

    ring.pin(5 * FRAME_NS, 15 * FRAME_NS, kind="request", owner_id="r")
    fill(ring, 20, 120)

    with ring.snapshot(5 * FRAME_NS, 15 * FRAME_NS) as span:
        assert numbers(span) == list(range(15))


@pytest.mark.logs("ring_disk_failed")
def test_a_released_pin_is_gone(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)
    pin = ring.pin(5 * FRAME_NS, 15 * FRAME_NS, kind="request", owner_id="r")
    fill(ring, 20, 120)

    ring.release(pin.pin_id)

    with pytest.raises(NothingToClip):
        ring.snapshot(5 * FRAME_NS, 15 * FRAME_NS)


@pytest.mark.logs("ring_disk_failed")
def test_a_pin_says_what_it_holds(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 10, 20)

    pin = ring.pin(0, 15 * FRAME_NS, kind="keep", owner_id="clip")

    assert (pin.kind, pin.owner_id, pin.session_id, pin.start_ns, pin.end_ns) == (
        "keep",
        "clip",
        "s",
        SECOND_NS,
        15 * FRAME_NS,
    )


def test_nothing_cannot_be_pinned(ring):
    with pytest.raises(NothingToClip):
        ring.pin(0, SECOND_NS, kind="keep", owner_id="clip")


def test_releasing_an_unknown_pin_is_quiet(ring):
    ring.release("0123456789abcdef")


@pytest.mark.logs("ring_disk_failed")
def test_a_pin_reaches_as_far_as_its_gops(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 30)

    ring.pin(5 * FRAME_NS, 15 * FRAME_NS, kind="keep", owner_id="clip")

    assert (ring.reach("clip"), ring.reach("other")) == ((0, 2 * SECOND_NS), None)


@pytest.mark.logs("ring_disk_failed")
def test_a_pin_reaches_into_what_another_has_pinned_beside_it(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 40)
    ring.pin(0, SECOND_NS, kind="keep", owner_id="far")
    ring.pin(2 * SECOND_NS, 3 * SECOND_NS, kind="keep", owner_id="near")

    ring.pin(3 * SECOND_NS, 4 * SECOND_NS, kind="keep", owner_id="clip")

    assert ring.reach("clip") == (2 * SECOND_NS, 4 * SECOND_NS)


@pytest.mark.logs("ring_disk_failed")
def test_a_pin_never_reaches_into_another_epoch(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)
    ring.pin(0, SECOND_NS, kind="keep", owner_id="before")
    ring.begin_epoch((VIDEO, MIX), start_ns=SECOND_NS, reason="suspended")
    fill(ring, 10, 30)

    ring.pin(0, 2 * SECOND_NS, kind="keep", owner_id="clip")

    assert ring.reach("clip") == (SECOND_NS, 2 * SECOND_NS)


@pytest.mark.logs("ring_disk_failed")
def test_a_pin_moved_on_keeps_its_id_and_holds_what_is_there_by_now(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 15)
    pin = ring.pin(5 * FRAME_NS, 15 * FRAME_NS, kind="keep", owner_id="clip")
    fill(ring, 15, 35)

    moved = ring.repin(pin.pin_id, 5 * FRAME_NS, 32 * FRAME_NS)
    fill(ring, 35, 120)

    assert (moved.pin_id, moved.start_ns, moved.end_ns) == (pin.pin_id, 5 * FRAME_NS, 32 * FRAME_NS)
    with ring.snapshot(5 * FRAME_NS, 32 * FRAME_NS) as span:
        assert numbers(span) == list(range(32))


@pytest.mark.logs("ring_disk_failed")
def test_a_pin_that_is_moved_stays_in_its_epoch(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)
    pin = ring.pin(SECOND_NS, 2 * SECOND_NS, kind="keep", owner_id="clip")
    ring.begin_epoch((LARGER, MIX), start_ns=2 * SECOND_NS, reason="size")
    fill(ring, 20, 30)

    moved = ring.repin(pin.pin_id, 0, 3 * SECOND_NS)

    assert (moved.start_ns, moved.end_ns) == (0, 2 * SECOND_NS)


@pytest.mark.logs("ring_disk_failed")
def test_a_pin_that_was_released_cannot_be_moved(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 20)
    pin = ring.pin(0, SECOND_NS, kind="keep", owner_id="clip")
    ring.release(pin.pin_id)

    with pytest.raises(NothingToClip, match=pin.pin_id):
        ring.repin(pin.pin_id, 0, 2 * SECOND_NS)


@pytest.mark.logs("ring_disk_failed")
def test_what_is_forgotten_is_gone_with_its_whole_gops_and_is_never_jumped(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 40)

    gone = ring.forget(15 * FRAME_NS, 17 * FRAME_NS)

    assert (gone.num_gops, gone.start_ns, gone.end_ns, gone.is_done) == (1, SECOND_NS, 2 * SECOND_NS, True)
    with ring.snapshot(0, 4 * SECOND_NS) as after, ring.snapshot(0, SECOND_NS) as before:
        assert (numbers(before), numbers(after)) == (list(range(10)), list(range(20, 40)))
        assert after.lack is not None
        assert after.lack.reason == "forgotten"


@pytest.mark.logs("ring_disk_failed")
def test_what_is_forgotten_leaves_its_pins_too(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 30)
    whole = ring.pin(0, SECOND_NS, kind="candidate", owner_id="guess")
    part = ring.pin(0, 3 * SECOND_NS, kind="keep", owner_id="clip")
    fill(ring, 30, 120)

    gone = ring.forget(0, 5 * FRAME_NS)

    assert {(item.pin.pin_id, item.num_gops, item.is_gone) for item in gone.pins} == {
        (whole.pin_id, 1, True),
        (part.pin_id, 1, False),
    }
    assert ring.reach("clip") == (SECOND_NS, 3 * SECOND_NS)
    with pytest.raises(NothingToClip):
        ring.snapshot(0, SECOND_NS)


@pytest.mark.logs("ring_disk_failed")
def test_a_preview_forgets_nothing(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 30)
    ring.pin(0, SECOND_NS, kind="keep", owner_id="clip")

    gone = ring.forget(0, 5 * FRAME_NS, is_preview=True)

    assert (gone.num_gops, len(gone.pins), gone.size_bytes > 0) == (1, 1, True)
    with ring.snapshot(0, 3 * SECOND_NS) as span:
        assert numbers(span) == list(range(30))


@pytest.mark.logs("ring_disk_failed")
def test_what_is_still_on_its_way_is_forgotten_as_well(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 15)

    ring.forget(12 * FRAME_NS, 22 * FRAME_NS)
    fill(ring, 15, 45)

    with ring.snapshot(0, 9 * SECOND_NS) as span:
        assert numbers(span) == list(range(30, 45))
    with pytest.raises(NothingToClip):
        ring.snapshot(SECOND_NS, 3 * SECOND_NS)


@pytest.mark.logs("ring_disk_failed")
def test_a_block_of_sound_that_lies_in_two_gops_takes_both_with_it(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)
    with contextlib.suppress(DiskFull):
        ring.push(sound(SECOND_NS - 5_000_000))  # ends 15 ms after the GOP's last picture
    fill(ring, 10, 30)

    gone = ring.forget(SECOND_NS, 11 * FRAME_NS)

    assert gone.num_gops == 2


@pytest.mark.logs("ring_disk_failed")
def test_forgetting_nothing_says_so(ring):
    ring.begin_epoch((VIDEO, MIX))
    fill(ring, 0, 10)

    gone = ring.forget(50 * SECOND_NS, 60 * SECOND_NS)

    assert (gone.num_gops, gone.pins, gone.is_done) == (0, (), True)
