"""How long a source has been exactly silent."""

from __future__ import annotations

from agent.health.silence import SilenceMeter
from agent.model.media import SignalSample
from protos.timebase import SECOND_NS


def feed(meter: SilenceMeter, name: str, values_db: list[float], *, from_s: int = 0) -> None:
    for index, value in enumerate(values_db):
        meter.feed(SignalSample(name=name, at_ns=(from_s + index) * SECOND_NS, value=value))


def test_zeros_are_counted_from_the_last_sound():
    meter = SilenceMeter()

    feed(meter, "mic_loudness_db", [-40, -120, -120, -120])

    assert meter.zeros_ns("mic") == 3 * SECOND_NS


def test_the_noise_of_a_quiet_room_is_no_silence():
    meter = SilenceMeter()

    feed(meter, "mic_loudness_db", [-91.0] * 60)

    assert meter.zeros_ns("mic") == 0


def test_a_source_that_was_never_heard_counts_from_its_first_sample():
    meter = SilenceMeter()
    assert meter.zeros_ns("mic") is None

    feed(meter, "mic_loudness_db", [-120.0] * 5, from_s=10)

    assert meter.zeros_ns("mic") == 4 * SECOND_NS


def test_other_signals_are_not_sound():
    meter = SilenceMeter()

    feed(meter, "motion", [0.0] * 5)

    assert meter.zeros_ns("motion") is None
