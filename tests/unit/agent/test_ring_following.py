"""A span that is read while its end is still on its way."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import NothingToClip
from agent.ring.ring import GopRing
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture, sound


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[GopRing]:
    ring = GopRing(
        tmp_path, session_id="s", t0_monotonic_ns=0, max_duration_ns=60 * SECOND_NS, min_free_bytes=0
    )
    ring.begin_epoch((VIDEO, MIX))
    yield ring
    ring.close()


def fill(ring: GopRing, first: int, last: int) -> None:
    for number in range(first, last):
        ring.push(picture(number))
        ring.push(sound(number * FRAME_NS + 1))


def numbers(span) -> list[tuple[int, int]]:
    return [(packet.track, packet.pts_ns // FRAME_NS) for packet in span.packets()]


def test_what_comes_while_it_is_read_is_in_it_once(ring: GopRing):
    fill(ring, 0, 25)
    with ring.follow(15 * FRAME_NS, 33 * FRAME_NS, timeout_s=10) as span:
        reader = span.packets()
        first = [next(reader) for _ in range(3)]
        late = threading.Thread(target=fill, args=(ring, 25, 40))
        late.start()
        rest = list(reader)
        late.join()

    pictures = [packet.pts_ns // FRAME_NS for packet in (*first, *rest) if packet.track == 0]
    blocks = [packet.pts_ns // FRAME_NS for packet in (*first, *rest) if packet.track == 1]
    assert pictures == list(range(10, 33))
    assert blocks == list(range(10, 33))
    assert span.end_ns == 33 * FRAME_NS


def test_without_the_rest_it_says_how_far_it_came(ring: GopRing):
    fill(ring, 0, 25)
    with ring.follow(15 * FRAME_NS, 33 * FRAME_NS, timeout_s=0.01) as span:
        last = numbers(span)[-1]

    assert last == (1, 24)
    assert span.end_ns == 25 * FRAME_NS


def test_it_may_be_read_twice(ring: GopRing):
    fill(ring, 0, 40)
    with ring.follow(15 * FRAME_NS, 33 * FRAME_NS, timeout_s=1) as span:
        assert numbers(span) == numbers(span)


def test_it_never_goes_on_into_another_epoch(ring: GopRing):
    fill(ring, 0, 25)
    with ring.follow(15 * FRAME_NS, 33 * FRAME_NS, timeout_s=1) as span:
        ring.begin_epoch((dataclasses.replace(VIDEO, width_px=32), MIX))
        fill(ring, 30, 40)
        pictures = [number for track, number in numbers(span) if track == 0]

    assert pictures == list(range(10, 25))


def test_an_empty_ring_is_waited_for(ring: GopRing):
    late = threading.Timer(0.05, fill, args=(ring, 0, 12))
    late.start()
    with ring.follow(0, 10 * FRAME_NS, timeout_s=10) as span:
        pictures = [number for track, number in numbers(span) if track == 0]
    late.join()

    assert pictures == list(range(10))


def test_a_ring_that_stays_empty_holds_nothing(ring: GopRing):
    with pytest.raises(NothingToClip):
        ring.follow(0, 10 * FRAME_NS, timeout_s=0.01)
