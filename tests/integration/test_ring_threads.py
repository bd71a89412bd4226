"""The whole way in real threads: encoders' threads -> sink -> ring, with readers while it drops."""

from __future__ import annotations

import threading

from agent.errors import NothingToClip
from agent.ring.ring import GopRing
from agent.ring.sink import PacketSink
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture, sound


def test_readers_always_get_consecutive_pictures_while_the_ring_drops(tmp_path):
    ring = GopRing(
        tmp_path,
        session_id="s",
        t0_monotonic_ns=0,
        max_duration_ns=5 * SECOND_NS,
        max_memory_bytes=40_000,
        min_free_bytes=0,
    )
    sink = PacketSink(ring)
    sink.start()
    sink.begin_epoch((VIDEO, MIX))
    is_over = threading.Event()
    torn, num_read = [], [0]

    def read():
        while not is_over.is_set():
            try:
                with ring.snapshot(0, 1 << 62) as span:
                    found = [packet.pts_ns // FRAME_NS for packet in span.packets() if packet.track == 0]
            except NothingToClip:
                continue
            num_read[0] += 1
            if found != list(range(found[0], found[-1] + 1)) or found[0] % 10:
                torn.append(found)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1500):
        sink.put(picture(number))
        sink.put(sound(number * FRAME_NS + 1))
        if number % 10 == 9:
            assert ring.wait_for(number * FRAME_NS, timeout_s=10.0)
            ring.flush(timeout_s=10.0)
    is_over.set()
    for reader in readers:
        reader.join(10)
    sink.stop()
    ring.close()

    assert (torn, num_read[0] > 0) == ([], True)
    assert list((tmp_path / "sessions").iterdir()) == []
