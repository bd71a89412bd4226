"""What intake decides without a file: limits, clocks that jump, and whether H.264 packets are whole."""

from fractions import Fraction

import av
import pytest

from coordinator.media.intake import clock
from coordinator.media.intake.h264 import Description
from coordinator.media.limits import STALL_S, Bounds, Watch, normalize_cpu_s

SPS, PPS = bytes.fromhex("6742c00bda0141fb0110000003001000"), bytes.fromhex("68ce0f2c80")
AVCC = b"\x01\x42\xc0\x0b\xff\xe1" + len(SPS).to_bytes(2, "big") + SPS + b"\x01\x00\x05" + PPS
PICTURE = b"\x65\x88\x84\x00\x11"


def framed(*units):
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def with_start_codes(*units):
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)


@pytest.mark.parametrize(
    ("payload", "is_kept"),
    [
        (framed(PICTURE), True),
        (framed(SPS, PPS, PICTURE), True),
        (framed(SPS[:5] + b"\x00" + SPS[6:], PICTURE), False),  # another size or level
        (framed(PICTURE)[:-1], False),  # cut off
        (framed(b"\xe5\x00"), False),  # the forbidden bit
        (framed(b"\x06\x05\x01"), False),  # no picture in it
        (b"", False),
    ],
)
def test_a_packet_with_lengths_keeps_to_its_description_or_does_not(payload, is_kept):
    assert Description(AVCC).keeps_to(payload) == is_kept


@pytest.mark.parametrize(
    ("payload", "is_kept"),
    [
        (with_start_codes(PICTURE), True),
        (with_start_codes(SPS, PPS, PICTURE), True),
        (with_start_codes(SPS[:5] + b"\x00" + SPS[6:], PICTURE), False),
        (PICTURE, False),  # no start code
    ],
)
def test_a_packet_with_start_codes_keeps_to_its_description_or_does_not(payload, is_kept):
    assert Description(with_start_codes(SPS, PPS)).keeps_to(payload) == is_kept


@pytest.mark.parametrize(
    ("extradata", "is_known"), [(AVCC, True), (None, False), (b"\x01\x42", False), (AVCC[:9], True)]
)
def test_a_description_without_its_parameters_is_none(extradata, is_known):
    assert Description(extradata).is_known == is_known


def mended(times_s, *, can_jump, zero_s=0.0):
    """The times of one track's packets, a second long each, after the clock was mended."""
    ends_s, shifts_s, out = {}, {}, []
    for time_s in times_s:
        packet = av.Packet(1)
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = round(time_s * 1000)
        packet.duration = 1000
        clock._mend(packet, ends_s, shifts_s, can_jump, zero_s)
        out.append(packet.pts / 1000)
    return out


@pytest.mark.parametrize(
    ("times_s", "can_jump", "expected"),
    [
        ([0, 1, 2], True, [0, 1, 2]),
        ([0, 1, 5, 6], True, [0, 1, 5, 6]),  # packets were lost
        ([0, 1, 900, 901], True, [0, 1, 2, 3]),  # a new clock
        ([500, 501, 0, 1], True, [500, 501, 502, 503]),
        ([0, 1, 61, 62], False, [0, 1, 61, 62]),  # a still of a minute
        ([0, 1, 70_000, 70_001], False, [0, 1, 2, 3]),  # a damaged length
        ([90_000, 90_001], False, [0, 1]),  # a clock of its own
    ],
)
def test_a_clock_goes_on_where_it_was(times_s, can_jump, expected):
    zero_s = 500.0 if times_s[0] == 500 else 0.0

    assert mended(times_s, can_jump=can_jump, zero_s=zero_s) == expected


def test_the_limit_follows_the_pixels_that_are_there():
    minute = {"num_pictures": 1800, "duration_s": 60.0}

    full = normalize_cpu_s(picture_px=1920 * 1080, **minute)
    assert full == pytest.approx(17 + 30 + 1.2)
    assert normalize_cpu_s(picture_px=960 * 540, **minute) == pytest.approx(17 + 7.5 + 1.2)
    # A header that claims 6 hours for 60 pictures buys no 6 hours of CPU.
    claimed = normalize_cpu_s(picture_px=1920 * 1080, num_pictures=60, duration_s=6 * 3600.0)
    assert claimed < 700


def seen(watch, *turns):
    """What a watch says in the end of turns, each (seconds, CPU seconds used in all)."""
    return [watch.overstepped(now_s=now_s, cpu_s=cpu_s, resident_bytes=None) for now_s, cpu_s in turns][-1]


def test_a_process_that_uses_a_little_of_a_busy_machine_does_not_stand_still():
    watch = Watch(Bounds(cpu_s=60.0), now_s=0.0)

    assert seen(watch, *((0.5 * turn, 0.01 * (turn // 100)) for turn in range(600))) is None


def test_a_process_that_uses_nothing_stands_still():
    watch = Watch(Bounds(cpu_s=60.0), now_s=0.0)

    assert seen(watch, *((0.5 * turn, 3.0) for turn in range(round(2 * STALL_S)))) is None
    assert seen(watch, (STALL_S, 3.0), (STALL_S + 0.5, 3.0)) == "stall"


def test_where_nobody_knows_what_a_process_uses_the_clock_alone_counts():
    bounds = Bounds(cpu_s=60.0)
    watch = Watch(bounds, now_s=0.0)

    assert seen(watch, *((0.5 * turn, None) for turn in range(round(2 * bounds.clock_s)))) is None
    assert seen(watch, (bounds.clock_s, None)) == "clock"


def test_a_time_in_which_nobody_ran_does_not_count():
    watch = Watch(Bounds(cpu_s=60.0), now_s=0.0)

    assert seen(watch, (0.5, 1.0), (7200.0, 1.0), (14_400.0, 1.0)) is None


def test_memory_counts_at_once():
    watch = Watch(Bounds(cpu_s=60.0, resident_bytes=1000), now_s=0.0)

    assert watch.overstepped(now_s=0.1, cpu_s=0.0, resident_bytes=1000) is None
    assert watch.overstepped(now_s=0.2, cpu_s=0.1, resident_bytes=1001) == "memory"
