"""Bench `clip`: from a press to a closed, playable file, and how exact the file is.

`30` presses on a running engine. `300` fills a ring with five minutes of packets that the agent's own encoders made,
in seconds, and saves all of it; `300live` records them first, which takes five minutes, and is not in the default run.
"""

from __future__ import annotations

import contextlib
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent.clip.writer import Mp4ClipWriter
from agent.model.clips import SavedClip
from agent.ring.ring import GopRing
from protos.timebase import MILLISECOND_NS, SECOND_NS
from tests.bench import ffmpeg, obs
from tests.bench.content import Recording, encode_recording
from tests.bench.engine import Engine, Stage, engine, stage
from tests.bench.measure import (
    CannotMeasure,
    Result,
    Seen,
    median,
    percentile,
    quiet_log,
    say,
    see,
    wait_until,
)

PARTS = ("30", "300", "exact", "obs")
MORE_PARTS = ("300live",)
_FRAME_RATE = 30
_LONG_S = 300


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure; `scale` shortens it for a test."""
    num = max(2, round(50 * scale))
    if "30" in parts:
        with result.promising("p95_ms_30s", "p95_ms_30s_with_wait", "av_offset_ms_max"):
            _live(result, "30s", max(3, round(30 * scale)), num)
    if "300live" in parts:
        with result.promising("p95_ms_300s_live", "p95_ms_300s_live_with_wait"):
            _live(result, "300s_live", round(_LONG_S * scale), num)
    if "300" in parts:
        with result.promising("p95_ms_300s", "cpu_ms_300s", "ffmpeg_copy_ms_300s", "cpu_ratio_ffmpeg_copy"):
            _from_memory(result, max(10, round(_LONG_S * scale)), num)
    if "exact" in parts:
        with result.promising("frames_off_max"):
            _exact(result, max(2, round(20 * scale)))
    if "obs" in parts:
        with result.promising("obs_p95_ms"):
            _obs(result, max(4, round(30 * scale)), max(2, round(15 * scale)))


# ---- presses on a running engine


def _live(result: Result, name: str, length_s: int, num_presses: int) -> None:
    with stage() as on, engine(on, ring_s=max(60, length_s)) as running:
        say(f"clip {name}: recording {length_s} s")
        wait_until(
            lambda: running.client.status().buffered_ns >= length_s * SECOND_NS,
            timeout_s=length_s + 60,
            what=f"{length_s} s are in the ring",
        )
        say(f"clip {name}: {num_presses} presses")
        clips = list(_presses(running, length_s, num_presses))
        waits_ms = [float(event["waited_ms"]) for event in running.events("clip_end_awaited")]
        if len(waits_ms) != len(clips):
            raise CannotMeasure(f"the log tells {len(waits_ms)} waits of {len(clips)} presses")
        latencies_ms = [float(clip.latency_ms) for clip in clips]
        beyond_ms = [all_of_it - wait for all_of_it, wait in zip(latencies_ms, waits_ms, strict=True)]
        result.figures[f"p95_ms_{name}"] = round(percentile(beyond_ms, 0.95), 1)
        result.figures[f"p95_ms_{name}_with_wait"] = round(percentile(latencies_ms, 0.95), 1)
        result.notes.append(
            f"{name}, {len(clips)} presses beside the recording: beyond the wait median {median(beyond_ms, 1)}, max "
            f"{max(beyond_ms):.0f} ms; with it median {median(latencies_ms, 1)}, max {max(latencies_ms):.0f} ms"
        )
        if name == "30s":
            _note_offsets(result, on, [clips[0], clips[-1]])


def _presses(running: Engine, length_s: int, num_presses: int) -> Iterator[SavedClip]:
    """Press at odd moments; only the first and the last file are kept."""
    chance = random.Random(7)
    for number in range(num_presses):
        time.sleep(chance.uniform(0.05, 0.3))
        clip = running.client.save_clip(last_ns=length_s * SECOND_NS)
        saved_s = (clip.end_ns - clip.start_ns) / SECOND_NS
        if abs(saved_s - length_s) > 0.5:
            raise CannotMeasure(f"a press on {length_s} s saved {saved_s:.1f} s")
        if number not in (0, num_presses - 1):
            Path(clip.path).unlink()
        yield clip


def _note_offsets(result: Result, on: Stage, clips: list[SavedClip]) -> None:
    """Sound and picture at the start and at the end of live clips."""
    found = []
    for clip in clips:
        offsets_ms = see(Path(clip.path)).av_offsets_ms()
        # A flash came between the picture that shows it first and the one before: half a frame earlier, on average.
        found += [offset + 500 / on.frame_rate for offset in (offsets_ms[:1] + offsets_ms[-1:])]
    if not found:
        raise CannotMeasure("no flash with its beep in the clips")
    result.figures["av_offset_ms_max"] = round(max(map(abs, found)), 1)
    result.notes.append(
        f"sound after picture at start and end of {len(clips)} live clips, known to half a frame: "
        f"{' '.join(f'{offset:+.0f}' for offset in found)} ms"
    )


# ---- a ring filled in seconds


@contextlib.contextmanager
def _filled(length_s: int) -> Iterator[tuple[GopRing, Recording, Path]]:
    """A ring that holds `length_s` of 1080p30 at 8 Mbit/s and three sounds, all of it in its files."""
    recording = encode_recording(frame_rate=_FRAME_RATE)
    with tempfile.TemporaryDirectory(prefix="clippy-bench-") as name, quiet_log():
        folder = Path(name)
        ring = GopRing(
            folder / "ring",
            session_id="bench",
            t0_monotonic_ns=0,
            max_duration_ns=(length_s + 10) * SECOND_NS,
        )
        ring.begin_epoch(recording.tracks)
        for number, packet in enumerate(recording.repeated(-(-length_s // 10))):
            ring.push(packet)
            if number % 500 == 0:
                ring.flush(timeout_s=10.0)
        ring.flush(timeout_s=10.0)
        try:
            yield ring, recording, folder
        finally:
            ring.close()


def _save(ring: GopRing, path: Path, start_ns: int, end_ns: int) -> float:
    """As a press does; returns the ms it took."""
    began_ns = time.monotonic_ns()
    if ring.newest_ns < end_ns:
        raise CannotMeasure(
            f"the ring ends at {ring.newest_ns / 1e9:.3f} s, a clip was to end at {end_ns / 1e9:.3f}"
        )
    with ring.follow(start_ns, end_ns, timeout_s=1.0) as span:
        Mp4ClipWriter().write(span, path, is_exact=False)
    return (time.monotonic_ns() - began_ns) / MILLISECOND_NS


def _from_memory(result: Result, length_s: int, num_presses: int) -> None:
    say(f"clip 300: filling a ring with {length_s} s")
    with _filled(length_s) as (ring, _, folder):
        chance = random.Random(7)
        took_ms, cpu_ms = [], []
        say(f"clip 300: {num_presses} clips")
        for _ in range(num_presses):
            start_ns, before_s = chance.randrange(SECOND_NS), time.process_time()
            took_ms.append(_save(ring, folder / "clip.mp4", start_ns, _end_ns(length_s)))
            cpu_ms.append((time.process_time() - before_s) * 1000)
        result.figures["cpu_ms_300s"] = median(cpu_ms, 1)
        result.figures["p95_ms_300s"] = round(percentile(took_ms, 0.95), 1)
        result.notes.append(
            f"{length_s} s, {num_presses} clips from a ring in the page cache, {_megabytes(folder / 'clip.mp4')} MB: "
            f"median {median(took_ms, 1)}, max {max(took_ms):.0f} ms; all of it work, no wait"
        )
        _beside_ffmpeg_copy(result, folder, ring, length_s)


def _end_ns(length_s: int) -> int:
    """Just before the last picture: a press waits for one at its own moment or after it, and here none comes."""
    return length_s * SECOND_NS - 2 * SECOND_NS // _FRAME_RATE


def _megabytes(path: Path) -> int:
    return path.stat().st_size // 1_000_000


def _beside_ffmpeg_copy(result: Result, folder: Path, ring: GopRing, length_s: int) -> None:
    result.rivals["ffmpeg"] = ffmpeg.version()
    _save(ring, folder / "all.mp4", 0, _end_ns(length_s))
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", "all.mp4", "-map", "0", "-c", "copy"]
    command += ["-movflags", "+faststart", "copy.mp4"]
    theirs_ms, ours_ms, ratios = [], [], []
    for _ in range(5):
        began_ns, before_s = time.monotonic_ns(), _children_cpu_s()
        subprocess.run(command, cwd=folder, check=True, timeout=60)
        theirs_ms.append((time.monotonic_ns() - began_ns) / MILLISECOND_NS)
        theirs_s, before_s = _children_cpu_s() - before_s, time.process_time()
        ours_ms.append(_save(ring, folder / "clip.mp4", 0, _end_ns(length_s)))
        ratios.append((time.process_time() - before_s) / theirs_s)
    result.figures["cpu_ratio_ffmpeg_copy"] = median(ratios)
    result.figures["ffmpeg_copy_ms_300s"] = median(theirs_ms, 1)
    result.notes.append(
        f"ffmpeg -c copy of the same packets out of one MP4: median {median(theirs_ms, 1)} ms, ours in turn with it "
        f"{median(ours_ms, 1)} ms; ffmpeg starts on a key frame and does not fsync, ours is exact and does"
    )


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# ---- exactness


def _exact(result: Result, num_clips: int) -> None:
    say(f"clip exact: {num_clips} clips decoded")
    with _filled(20) as (ring, recording, folder):
        chance = random.Random(11)
        off = [
            _frames_off(ring, recording, folder / "clip.mp4", chance.randrange(10 * SECOND_NS), length_ns)
            for length_ns in (chance.randrange(SECOND_NS, 6 * SECOND_NS) for _ in range(num_clips))
        ]
    result.figures["frames_off_max"] = max(off)
    result.notes.append(
        f"first and last picture of {num_clips} clips of any start and length, by their barcodes"
    )


def _frames_off(ring: GopRing, recording: Recording, path: Path, start_ns: int, length_ns: int) -> int:
    _save(ring, path, start_ns, start_ns + length_ns)
    seen: Seen = see(path, has_sound=False)
    wanted = [
        number % recording.num_pictures
        for number in range(20 * _FRAME_RATE)
        if start_ns <= number * SECOND_NS // _FRAME_RATE < start_ns + length_ns
    ]
    if None in seen.numbers:
        raise CannotMeasure(f"a barcode of {path.name} cannot be read")
    off = [abs(len(seen.numbers) - len(wanted))]
    for found, asked in ((seen.numbers[0], wanted[0]), (seen.numbers[-1], wanted[-1])):
        assert found is not None
        ahead = (found - asked) % recording.num_pictures
        off.append(min(ahead, recording.num_pictures - ahead))
    return max(off)


# ---- OBS


def _obs(result: Result, length_s: int, num_saves: int) -> None:
    result.rivals["obs"] = obs.version()
    with stage() as on, obs.replay_buffer(on, max_s=length_s) as rival:
        say(f"clip obs: recording {length_s} s")
        time.sleep(length_s + 1)
        say(f"clip obs: {num_saves} saves")
        took_ms, lengths_s = [], []
        for _ in range(num_saves):
            path, ms = rival.save()
            took_ms.append(ms)
            seen = see(path, has_sound=False) if len(took_ms) == num_saves else None
            lengths_s += [seen.times_ns[-1] / SECOND_NS] if seen else []
            path.unlink()
            time.sleep(0.3)
        result.figures["obs_p95_ms"] = round(percentile(took_ms, 0.95), 1)
        result.notes.append(
            f"OBS, {num_saves} saves of a replay buffer of {length_s} s: median {median(took_ms, 1)}, max "
            f"{max(took_ms):.0f} ms, not fsynced; the last holds {lengths_s[-1]:.1f} s"
        )
