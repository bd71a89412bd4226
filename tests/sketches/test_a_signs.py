"""What the benchmark author's sketch promises beside what all do."""

from __future__ import annotations

from tests.sketches.a_signs.stream import make


def test_some_streams_have_no_chat_at_all():
    streams = [make(seed, 60.0) for seed in range(15)]

    assert 1 <= sum(not stream.chat and stream.num_viewers < 4 for stream in streams) <= 8
