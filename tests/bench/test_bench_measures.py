"""What the benches count with, on things of which the answer is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.clip.writer import Mp4ClipWriter
from agent.ring.ring import GopRing
from protos.timebase import SECOND_NS
from tests.bench.capture import unique_share
from tests.bench.content import encode_recording
from tests.bench.engine import Stage
from tests.bench.measure import CannotMeasure, Result, Seen, percentile, see


def seen_numbers(*numbers: int | None) -> Seen:
    return Seen(numbers=numbers, times_ns=tuple(range(len(numbers))), flashes_ns=(), beeps_ns=())


def test_p95_of_fifty_is_the_third_largest() -> None:
    assert percentile(list(range(50)), 0.95) == 47
    assert percentile([5.0], 0.95) == 5.0


def test_a_figure_that_cannot_be_measured_is_null_and_says_why() -> None:
    result = Result()

    with result.promising("one", "two"):
        result.figures["one"] = 1
        raise CannotMeasure("it is not installed")

    assert (result.figures, result.notes) == (
        {"one": 1, "two": None},
        ["two: not measured: it is not installed"],
    )


@pytest.mark.parametrize(
    ("numbers", "share"),
    [
        (range(0, 400, 4), 1.0),  # every frame in its time
        ([number for number in range(0, 400, 4) for _ in range(2)], 1.0),  # doubled ones are no more
        (range(0, 400, 8), 0.5),  # every other one dropped
    ],
)
def test_what_was_dropped_or_doubled_is_no_unique_frame(numbers: list[int], share: float) -> None:
    # Shown at 40 a second, recorded at 10: one frame of four can be had.
    on = Stage(environment={}, folder=Path(), frame_rate=10, show_rate=40, shown=set(range(400)))

    assert unique_share(seen_numbers(*numbers, None), on) == pytest.approx(share, abs=0.02)


def test_the_content_s_flashes_beeps_and_numbers_are_found_again(tmp_path: Path) -> None:
    recording = encode_recording(duration_s=3, size_px=(480, 270))
    ring = GopRing(tmp_path / "ring", session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch(recording.tracks)
    for packet in recording.repeated(2):
        ring.push(packet)
    with ring.snapshot(SECOND_NS // 2, 5 * SECOND_NS + SECOND_NS // 2) as span:
        Mp4ClipWriter().write(span, tmp_path / "clip.mp4", is_exact=False)
    ring.close()

    seen = see(tmp_path / "clip.mp4")

    assert list(seen.numbers) == [number % 90 for number in range(15, 165)]
    assert [at_ns / SECOND_NS for at_ns in seen.flashes_ns] == pytest.approx([0.5, 1.5, 2.5, 3.5, 4.5])
    assert seen.av_offsets_ms() == pytest.approx([0.0] * 5, abs=5.0)
