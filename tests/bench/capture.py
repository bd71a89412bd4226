"""Bench `capture`: what recording costs and loses, beside ffmpeg and OBS on the same screen and sound.

Both sides record the same show in turns, A B A B: side by side on two cores they would slow each other down. The
figure is the median of the pairs' ratios. Ours is the whole engine: sound, ring, motion, voice, Opus included.
"""

from __future__ import annotations

import time
from pathlib import Path

from protos.timebase import SECOND_NS
from tests.bench import ffmpeg, obs
from tests.bench.engine import Stage, engine, stage
from tests.bench.measure import CannotMeasure, Result, Seen, cpu_s, median, rss_mib, say, see, spread

PARTS = ("30", "60", "picture", "obs", "rss")
_SETTLE_S = 1.5  # encoders and sound clocks after a start
_RING_S = 300


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure; `scale` shortens the turns for a test."""
    seconds = max(2.0, 8.0 * scale)
    num_pairs = max(1, round(4 * scale))
    for rate in (30, 60):
        if str(rate) in parts:
            with result.promising(f"cpu_ratio_ffmpeg_{rate}", f"unique_loss_pct_{rate}"):
                _beside_ffmpeg(result, rate, seconds, num_pairs)
    for rate in (30, 60):
        if "picture" in parts:
            with result.promising(f"cpu_ratio_picture_{rate}"):
                _picture_alone(result, rate, seconds * 0.75, num_pairs)
    if "obs" in parts:
        with result.promising("cpu_ratio_obs_30", "cpu_ratio_obs_30_per_frame"):
            _beside_obs(result, seconds, max(1, num_pairs - 1))
    if "rss" in parts:
        with result.promising("rss_mib_300s", "cpu_s_per_s_300s"):
            _memory(result, _RING_S * scale)


def _cpu_share(pid: int, seconds: float) -> float:
    """CPU seconds a process uses each second."""
    time.sleep(_SETTLE_S)
    began, before = time.monotonic(), cpu_s(pid)
    time.sleep(seconds)
    return (cpu_s(pid) - before) / (time.monotonic() - began)


def _beside_ffmpeg(result: Result, rate: int, seconds: float, num_pairs: int) -> None:
    result.rivals["ffmpeg"] = ffmpeg.version()
    ours, theirs, seen = [], [], []
    with stage(frame_rate=rate) as on:
        for turn in range(num_pairs):
            say(f"capture {rate}: pair {turn + 1} of {num_pairs}")
            with engine(on) as running:
                ours.append(_cpu_share(running.pid, seconds))
                path = Path(running.client.save_clip(last_ns=round(seconds * SECOND_NS)).path)
            mine = see(path, has_sound=False)
            path = on.folder / "ffmpeg.mkv"
            with ffmpeg.recording(on, path, has_sound=True) as rival:
                theirs.append(_cpu_share(rival.pid, seconds))
            seen.append((mine, _last(see(path, has_sound=False), seconds)))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    result.figures[f"cpu_ratio_ffmpeg_{rate}"] = median(ratios)
    result.notes.append(
        f"{rate} fps: pairs {spread(ratios)}; CPU s per s ours {spread(ours)}, ffmpeg {spread(theirs)}"
    )
    _note_losses(result, on, seen)


def _last(seen: Seen, seconds: float) -> Seen:
    """The last seconds of a longer recording."""
    first = next(
        index for index, at_ns in enumerate(seen.times_ns) if seen.times_ns[-1] - at_ns <= seconds * 1e9
    )
    return Seen(numbers=seen.numbers[first:], times_ns=seen.times_ns[first:], flashes_ns=(), beeps_ns=())


def unique_share(seen: Seen, on: Stage) -> float:
    """Different frames in a recording, for each that its frame rate promises.

    The show is faster than the recording, so that every picture taken in its time shows another frame, whichever
    phase the two clocks are in; less than 1 is what was dropped, doubled, or taken too early or late.
    """
    found = seen.unique
    if not found:
        raise CannotMeasure("no barcode can be read from a recording")
    num_shown = sum(min(found) <= number <= max(found) for number in on.shown)
    return len(found) / (num_shown * on.frame_rate / on.show_rate)


def _note_losses(result: Result, on: Stage, seen: list[tuple[Seen, Seen]]) -> None:
    ours = [unique_share(mine, on) for mine, _ in seen]
    theirs = [unique_share(other, on) for _, other in seen]
    losses = [100 * (1 - a / b) for a, b in zip(ours, theirs, strict=True)]
    result.figures[f"unique_loss_pct_{on.frame_rate}"] = median(losses, 2)
    unread = max(sum(number is None for number in one.numbers) for pair in seen for one in pair)
    result.notes.append(
        f"{on.frame_rate} fps: unique frames of those promised, ours {spread(ours)}, ffmpeg {spread(theirs)}; "
        f"at most {unread} pictures of a recording without a whole barcode"
    )


def _picture_alone(result: Result, rate: int, seconds: float, num_pairs: int) -> None:
    result.rivals["ffmpeg"] = ffmpeg.version()
    ours, theirs = [], []
    with stage(frame_rate=rate) as on:
        for turn in range(num_pairs):
            say(f"capture picture {rate}: pair {turn + 1} of {num_pairs}")
            with engine(on, has_sound=False) as running:
                ours.append(_cpu_share(running.pid, seconds))
            with ffmpeg.recording(on, on.folder / "ffmpeg.mkv", has_sound=False) as rival:
                theirs.append(_cpu_share(rival.pid, seconds))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    result.figures[f"cpu_ratio_picture_{rate}"] = median(ratios)
    result.notes.append(
        f"picture alone, {rate} fps: pairs {spread(ratios)}; ours {spread(ours)}, ffmpeg {spread(theirs)}"
    )


def _beside_obs(result: Result, seconds: float, num_pairs: int) -> None:
    result.rivals["obs"] = obs.version()
    ours, theirs, seen = [], [], []
    with stage(frame_rate=30) as on:
        for turn in range(num_pairs):
            say(f"capture obs: pair {turn + 1} of {num_pairs}")
            with engine(on) as running:
                ours.append(_cpu_share(running.pid, seconds))
                path = Path(running.client.save_clip(last_ns=round(seconds * SECOND_NS)).path)
            mine = see(path, has_sound=False)
            with obs.replay_buffer(on, max_s=round(seconds) + 4) as rival:
                theirs.append(_cpu_share(rival.pid, seconds))
                path, _ = rival.save()
            seen.append((mine, see(path, has_sound=False)))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    result.figures["cpu_ratio_obs_30"] = median(ratios)
    shares = [(unique_share(mine, on), unique_share(other, on)) for mine, other in seen]
    each = [ratio * other / mine for ratio, (mine, other) in zip(ratios, shares, strict=True)]
    result.figures["cpu_ratio_obs_30_per_frame"] = median(each)
    result.notes.append(
        f"OBS, software GL, replay buffer: pairs {spread(ratios)}; CPU s per s ours {spread(ours)}, "
        f"OBS {spread(theirs)}; unique frames of those promised, ours {spread([mine for mine, _ in shares])}, "
        f"OBS {spread([other for _, other in shares])}; `per_frame` is by unique frame"
    )


def _memory(result: Result, seconds: float) -> None:
    peak_mib = 0.0
    with stage(frame_rate=30) as on, engine(on, ring_s=_RING_S) as running:
        began, before = time.monotonic(), cpu_s(running.pid)
        while (buffered_s := running.client.status().buffered_ns / SECOND_NS) < seconds - 1:
            if time.monotonic() - began > seconds + 60:
                raise CannotMeasure(f"the ring holds {buffered_s:.0f} s after {seconds + 60:.0f} s")
            say(f"capture rss: {buffered_s:.0f} of {seconds:.0f} s")
            time.sleep(min(15.0, max(0.2, seconds - buffered_s)))
            peak_mib = max(peak_mib, rss_mib(running.pid))
        result.figures["rss_mib_300s"] = round(rss_mib(running.pid), 1)
        took_s = time.monotonic() - began
        result.figures["cpu_s_per_s_300s"] = round((cpu_s(running.pid) - before) / took_s, 3)
    result.notes.append(
        f"RSS: {peak_mib:.0f} MiB at most on the way to {seconds:.0f} s; CPU over all of it, what the engine does "
        f"every half minute included"
    )
