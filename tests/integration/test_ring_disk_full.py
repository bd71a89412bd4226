"""The ring and the clip writer on a file system that is really full."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from agent.clip.writer import Mp4ClipWriter
from agent.errors import DiskFull
from agent.ring import disk_writer
from agent.ring.ring import GopRing
from tests.fakes.encoded_match import SECOND_NS, encode_match
from tests.fakes.packets import MIX, VIDEO, picture

MIB = 1024 * 1024


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder on a file system of 8 MiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def wait_until(condition, deadline_s=10.0):
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def fill_up(folder: Path) -> Path:
    """Take all the room there is."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 65536)
    return filler


def push_all(ring, numbers, num_bytes=50_000):
    for number in numbers:
        with contextlib.suppress(DiskFull):
            ring.push(picture(number, num_bytes=num_bytes))
        if number % 10 == 9:
            ring.flush(timeout_s=5.0)


def numbers(ring):
    with ring.snapshot(0, 9999 * SECOND_NS) as span:
        return [int.from_bytes(packet.payload[:4], "big") for packet in span.packets()]


def test_the_ring_lives_within_a_disk_smaller_than_its_bound(tiny_disk):
    ring = GopRing(tiny_disk, session_id="s", t0_monotonic_ns=0, min_free_bytes=MIB, max_memory_bytes=MIB)
    ring.begin_epoch((VIDEO, MIX))

    push_all(ring, range(300))
    found, problem = numbers(ring), ring.problem
    ring.close()

    assert (found, problem) == (list(range(found[0], 300)), "")
    assert len(found) >= 60


@pytest.mark.logs("ring_disk_failed")
def test_a_full_disk_leaves_the_newest_in_memory_and_heals(tiny_disk, monkeypatch):
    monkeypatch.setattr(disk_writer, "RETRY_S", 0.02)
    filler = fill_up(tiny_disk)
    ring = GopRing(tiny_disk, session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch((VIDEO, MIX))

    push_all(ring, range(35), num_bytes=5_000)
    wait_until(lambda: ring.problem)
    while_full = numbers(ring)
    filler.unlink()
    wait_until(lambda: not ring.problem)
    is_written = ring.flush(timeout_s=5.0)
    ring.close(is_kept=True)

    assert (while_full, is_written) == (list(range(35)), True)


def test_a_clip_that_does_not_fit_leaves_no_file(tiny_disk, tmp_path):
    match = encode_match()
    ring = GopRing(tmp_path / "ring", session_id="s", t0_monotonic_ns=0)
    ring.begin_epoch(match.tracks)
    for packet in match.packets:
        ring.push(packet)
    clips = tiny_disk / "clips"
    clips.mkdir()
    fill_up(tiny_disk)

    # The check before writing is told that there is room, so that the writing itself fails.
    writer = Mp4ClipWriter(free_bytes=lambda _folder: 1 << 40)
    with ring.snapshot(0, 5 * SECOND_NS) as span:
        for is_exact in (False, True):
            with pytest.raises(DiskFull, match="clips"):
                writer.write(span, clips / "clip.mp4", is_exact=is_exact)
    ring.close()

    assert list(clips.iterdir()) == []


def test_a_disk_that_fills_up_at_any_point_of_the_writing_leaves_a_whole_clip_or_none(tiny_disk, tmp_path):
    match = encode_match()
    ring = GopRing(tmp_path / "ring", session_id="s", t0_monotonic_ns=0)
    ring.begin_epoch(match.tracks)
    for packet in match.packets:
        ring.push(packet)
    clips = tiny_disk / "clips"
    clips.mkdir()
    writer = Mp4ClipWriter(free_bytes=lambda _folder: 1 << 40)
    with ring.snapshot(0, 7 * SECOND_NS) as span:
        whole_bytes = writer.write(span, tmp_path / "whole.mp4", is_exact=False).size_bytes
        num_saved = num_refused = 0
        for room_bytes in range(4096, whole_bytes + 32768, 16384):
            filler = fill_up(tiny_disk)
            os.truncate(filler, filler.stat().st_size - room_bytes)
            try:
                size_bytes = writer.write(span, clips / "clip.mp4", is_exact=False).size_bytes
            except DiskFull:
                assert list(clips.iterdir()) == []
                num_refused += 1
            else:
                assert (clips / "clip.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
                assert size_bytes == whole_bytes
                (clips / "clip.mp4").unlink()
                num_saved += 1
            filler.unlink()
    ring.close()

    assert num_saved and num_refused


def test_a_clip_is_refused_before_writing_when_the_disk_is_too_full(tiny_disk, tmp_path):
    match = encode_match()
    ring = GopRing(tmp_path / "ring", session_id="s", t0_monotonic_ns=0)
    ring.begin_epoch(match.tracks)
    for packet in match.packets:
        ring.push(packet)
    fill_up(tiny_disk)

    with ring.snapshot(0, 5 * SECOND_NS) as span, pytest.raises(DiskFull, match="bytes are free"):
        Mp4ClipWriter().write(span, tiny_disk / "clip.mp4", is_exact=False)
    ring.close()


def test_a_disk_that_fills_up_while_a_pin_is_made_leaves_a_whole_pin_or_none(tiny_disk):
    ring = GopRing(tiny_disk, session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch((VIDEO, MIX))
    push_all(ring, range(60), num_bytes=5_000)
    whole, num_refused = [], 0

    for room_bytes in range(0, 40_000, 4_096):
        filler = fill_up(tiny_disk)
        os.truncate(filler, max(0, filler.stat().st_size - room_bytes))
        try:
            whole.append(ring.pin(0, 3 * SECOND_NS, kind="request", owner_id=f"r{room_bytes}").pin_id)
        except DiskFull as exc:
            assert "pins" in str(exc)
            num_refused += 1
        filler.unlink()
        assert sorted(path.name for path in (tiny_disk / "pins").iterdir()) == sorted(whole)
    pinned = [ring.pins.find(pin_id) for pin_id in whole]
    ring.close()

    assert (len(whole) > 0, num_refused > 0) == (True, True)
    again = GopRing(tiny_disk, session_id="t", t0_monotonic_ns=0, min_free_bytes=0)
    assert [again.pins.find(pin_id) for pin_id in whole] == pinned
    again.close()


def test_a_full_disk_leaves_a_pin_that_is_moved_as_it_was(tiny_disk):
    ring = GopRing(tiny_disk, session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch((VIDEO, MIX))
    push_all(ring, range(60), num_bytes=5_000)
    pin = ring.pin(0, SECOND_NS, kind="keep", owner_id="clip")
    fill_up(tiny_disk)

    with pytest.raises(DiskFull):
        ring.repin(pin.pin_id, 0, 3 * SECOND_NS)
    with ring.snapshot_of("s", 0, SECOND_NS) as span:
        held = len(list(span.packets()))
    pins = ring.pins.pins()
    ring.close()

    assert (pins, held) == ([pin], 10)


def test_candidates_leave_a_disk_that_fills_up_before_the_ring_grows_shorter(tiny_disk):
    ring = GopRing(tiny_disk, session_id="s", t0_monotonic_ns=0, min_free_bytes=MIB, max_memory_bytes=MIB)
    ring.begin_epoch((VIDEO, MIX))
    push_all(ring, range(40))
    ring.pin(0, 3 * SECOND_NS, kind="candidate", owner_id="guess")

    push_all(ring, range(40, 200))
    found, pins, problem = numbers(ring), ring.pins.pins(), ring.problem
    ring.close()

    assert (pins, problem) == ([], "")
    assert (found, len(found) >= 60) == (list(range(found[0], 200)), True)
