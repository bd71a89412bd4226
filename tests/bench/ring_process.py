"""What the bench `ring` measures, in a process of its own: the packets are in a pickle, the answers on stdout.

python -m tests.bench.ring_process cost FILE FOLDER SECONDS ring|memory     -> {"cpu_ms_per_s", "rss_mib"}
python -m tests.bench.ring_process feed FILE FOLDER                         -> each picture's number, once handed over
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from collections import deque
from pathlib import Path

import msgspec

from agent.model.media import EncodedPacket
from agent.ring.ring import GopRing
from protos.timebase import MILLISECOND_NS, SECOND_NS
from tests.bench.content import Recording
from tests.bench.measure import own_rss_mib, quiet_log

SESSION = "bench"


class MemoryRing:
    """The rival: the last minutes as they are, in memory. What OBS's replay buffer does."""

    def __init__(self, max_duration_ns: int) -> None:
        self._packets: deque[EncodedPacket] = deque()
        self._max_duration_ns = max_duration_ns

    def push(self, packet: EncodedPacket) -> None:
        """Append, and drop what is too old."""
        self._packets.append(packet)
        while self._packets[0].dts_ns < packet.dts_ns - self._max_duration_ns:
            self._packets.popleft()

    def flush(self, *, timeout_s: float) -> bool:
        """Nothing waits."""
        return True


def fresh(recording: Recording, second: int) -> list[EncodedPacket]:
    """The packets of one second of the repeated recording, each with bytes of its own, as an encoder gives them."""
    turn, within = divmod(second * SECOND_NS, recording.duration_ns)
    shift_ns = turn * recording.duration_ns
    return [
        msgspec.structs.replace(
            packet,
            pts_ns=packet.pts_ns + shift_ns,
            dts_ns=packet.dts_ns + shift_ns,
            payload=bytes(bytearray(packet.payload)),
        )
        for packet in recording.packets
        if within <= packet.dts_ns < within + SECOND_NS
    ]


def cost(recording: Recording, folder: Path, seconds: int, kind: str) -> dict[str, float]:
    """CPU of all threads for each second of media, and the memory that `seconds` of it take."""
    ring: GopRing | MemoryRing
    if kind == "ring":
        ring = GopRing(
            folder,
            session_id=SESSION,
            t0_monotonic_ns=0,
            max_duration_ns=seconds * SECOND_NS,
            min_free_bytes=0,
        )
        ring.begin_epoch(recording.tracks)
    else:
        ring = MemoryRing(seconds * SECOND_NS)
    before_mib, own_s, making_s = own_rss_mib(), time.process_time(), 0.0
    for second in range(seconds):
        began_s = time.thread_time()
        packets = fresh(recording, second)
        making_s += time.thread_time() - began_s
        for number, packet in enumerate(packets):
            ring.push(packet)
            if number % 6 == 5:
                # In real time the disk has a picture's while to write it.
                ring.flush(timeout_s=10.0)
        del packets
    spent_s = time.process_time() - own_s - making_s
    return {"cpu_ms_per_s": spent_s * 1000 / seconds, "rss_mib": own_rss_mib() - before_mib}


def feed(recording: Recording, folder: Path) -> None:
    """Hand packets to a ring as they would come, until killed; say each picture that was handed over."""
    ring = GopRing(folder, session_id=SESSION, t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch(recording.tracks)
    began_ns = time.monotonic_ns()
    num_pictures = 0
    for second in range(600):
        for packet in fresh(recording, second):
            rest_ns = began_ns + packet.dts_ns - time.monotonic_ns()
            if rest_ns > MILLISECOND_NS:
                time.sleep(rest_ns / SECOND_NS)
            ring.push(packet)
            if packet.track == 0:
                num_pictures += 1
                os.write(1, b"%d %d\n" % (num_pictures, packet.pts_ns))


def main() -> int:
    """Command line."""
    what, file, folder, *rest = sys.argv[1:]
    recording: Recording = pickle.loads(Path(file).read_bytes())
    with quiet_log():
        if what == "cost":
            sys.stdout.write(json.dumps(cost(recording, Path(folder), int(rest[0]), rest[1])) + "\n")
        else:
            feed(recording, Path(folder))
    sys.stdout.flush()
    os._exit(0)  # the ring's files are its parent's to look at and to remove


if __name__ == "__main__":
    sys.exit(main())
