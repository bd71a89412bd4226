"""Damaged files without number: each ends in a plain file or in an error of ours, and nothing leaks.

`CLIPPY_FUZZ_S` says for how long (600 s), `CLIPPY_FUZZ_SEED` with which seed; a failure prints what made its file.
"""

import asyncio
import contextlib
import os
import random
import sys
import time
from pathlib import Path

import pytest

from coordinator.errors import MediaInterrupted, MediaUnusable
from coordinator.media.child import LimitedMedia
from tests.fakes.odd_files import KINDS, write_odd, write_plain

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(0),
    pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors and processes in /proc"),
]
FUZZ_S = float(os.environ.get("CLIPPY_FUZZ_S", "600"))
SEED = int(os.environ.get("CLIPPY_FUZZ_SEED", "1"))
# One file never takes longer than this: 17 s of CPU, and their share of a busy machine.
MAX_FILE_S = 120.0


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Change a few places, mostly near the start and the end, where the headers are."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16, 64))):
        if len(changed) < 64:
            break
        near = dice.choice((len(changed), len(changed), 600, -3_000))
        at = dice.randrange(max(1, abs(near) % (len(changed) + 1) or len(changed)))
        at = len(changed) - 1 - at if near < 0 else at
        length = dice.choice((1, 1, 2, 4, 8, 64))
        what = dice.randrange(7)
        if what == 0:
            changed[at] ^= 1 << dice.randrange(8)
        elif what == 1:
            changed[at : at + length] = bytes(dice.randrange(256) for _ in range(length))
        elif what == 2:
            changed[at : at + 4] = dice.choice(
                (b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00")
            )
        elif what == 3:
            del changed[at : at + length]
        elif what == 4:
            changed[at:at] = changed[max(0, at - length) : at]
        elif what == 5:
            other = dice.randrange(len(changed))
            changed[at : at + length] = changed[other : other + length]
        elif dice.random() < 0.3:
            del changed[max(64, at) :]
    return bytes(changed)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def children():
    """Processes whose parent is this one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.append(stat.parent.name)
    return sorted(found)


async def outcome_of(media, path, out):
    """Return what became of a file; anything but a plain file or a refusal is a failure of this test."""
    with contextlib.suppress(MediaUnusable):
        await media.probe(path)
    try:
        found = await media.normalize(path, out)
    except MediaUnusable as exc:
        assert not isinstance(exc, MediaInterrupted)
        assert path.name in str(exc) or "it could not be processed" in str(exc), str(exc)
        assert "Error:" not in str(exc), str(exc)
        return exc.code
    assert {t.codec for t in found.tracks} <= {"h264", "aac"} and found.tracks
    again = await media.probe(out)
    assert again.tracks == found.tracks
    return "normal"


async def test_no_damage_ends_in_anything_but_a_plain_file_or_a_refusal(tmp_path):
    dice = random.Random(SEED)
    plain = write_plain(tmp_path)
    seeds = {name: write_odd(name, plain, tmp_path).read_bytes() for name in KINDS if name != "long"}
    work = tmp_path / "work"
    work.mkdir()
    before = descriptors(), children()
    tally: dict[str, int] = {}
    deadline = time.monotonic() + FUZZ_S
    async with LimitedMedia() as media:
        while time.monotonic() < deadline:
            name = dice.choice(sorted(seeds))
            state = dice.getrandbits(64)
            path = work / f"{name}-{state}{KINDS[name].suffix}"
            path.write_bytes(damaged(seeds[name], random.Random(state)))
            try:
                async with asyncio.timeout(MAX_FILE_S):
                    outcome = await outcome_of(media, path, work / "out.mp4")
            except BaseException:
                sys.stderr.write(f"{path.name} of seed {SEED}\n")
                raise
            tally[outcome] = tally.get(outcome, 0) + 1
            (work / "out.mp4").unlink(missing_ok=True)
            path.unlink()
            assert list(work.iterdir()) == []
            assert len(children()) <= len(before[1]) + 2

    sys.stderr.write(f"{tally}\n")
    assert tally.get("normal", 0) > 0
    assert (descriptors(), children()) == before
