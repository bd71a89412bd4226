"""kill -9 in the middle of writing: what was written is there at the next start."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

from agent.clip.writer import Mp4ClipWriter
from agent.ring.packet_log import read_gop
from agent.ring.recovery import find_orphans, open_orphan
from tests.fakes.encoded_match import encode_match

WRITES_A_LOG = """
    import sys
    from pathlib import Path
    from agent.ring.packet_log import GopWriter
    from tests.fakes.packets import picture
    writer = GopWriter(Path(sys.argv[1]), 0)
    number = 0
    while True:
        writer.append([picture(number, gop=10**9, num_bytes=4000)])
        number += 1
        print(number, flush=True)
"""

RUNS_A_RING = """
    import sys
    from pathlib import Path
    from agent.ring.ring import GopRing
    from tests.fakes.encoded_match import encode_match
    match = encode_match()
    ring = GopRing(Path(sys.argv[1]), session_id="killed", t0_monotonic_ns=0)
    ring.begin_epoch(match.tracks)
    for number, packet in enumerate(match.packets):
        ring.push(packet)
        if number >= 500:
            ring.flush(timeout_s=5.0)
            print("written", number + 1, flush=True)
    sys.stdin.read()
"""


def start(source, argument):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source), str(argument)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def kill_after(child, num_lines, *, prefix=""):
    """Kill the child after so many lines of ours; return the last whole line that it still said."""
    lines = []
    while len(lines) < num_lines:
        line = child.stdout.readline()
        assert line, "the child ended by itself"
        if line.startswith(prefix):
            lines.append(line)
    child.send_signal(signal.SIGKILL)
    # The kill may come in the middle of a line.
    said = child.stdout.read().splitlines(keepends=True)
    lines += [line for line in said if line.startswith(prefix) and line.endswith("\n")]
    child.stdin.close()
    child.stdout.close()
    assert child.wait(10) == -signal.SIGKILL
    return lines[-1]


def test_every_record_that_was_acknowledged_survives(tmp_path):
    path = tmp_path / "0.gop"
    child = start(WRITES_A_LOG, path)

    num_acknowledged = int(kill_after(child, 200))

    found = [int.from_bytes(packet.payload[:4], "big") for packet in read_gop(path)]
    assert found == list(range(len(found)))
    assert len(found) >= num_acknowledged


def test_a_clip_can_be_saved_from_the_ring_of_a_killed_engine(tmp_path):
    match = encode_match()
    child = start(RUNS_A_RING, tmp_path)

    num_written = int(kill_after(child, 100, prefix="written").split()[-1])

    (orphan,) = find_orphans(tmp_path)
    with open_orphan(orphan) as span:
        recovered = list(span.packets())
        clip = Mp4ClipWriter().write(span, tmp_path / "clip.mp4", is_exact=False)
    expected = [packet for packet in match.packets[:num_written] if packet.pts_ns >= 0]
    assert recovered[: len(expected) - 5] == expected[: len(expected) - 5]
    assert {packet.pts_ns for packet in expected} - {packet.pts_ns for packet in recovered} == set()
    assert clip.end_ns - clip.start_ns == orphan.duration_ns
