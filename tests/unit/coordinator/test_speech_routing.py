"""Many streams share a speech process, and each gets what it would have got alone.

A toy model of random weights: its text depends on what it is given, so a window that got another's result shows.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from coordinator.model.jobs import Priority
from coordinator.model.speech import Pcm16k, Transcript
from coordinator.speech.child import SpeechProcess
from coordinator.speech.choose import SpeechSpec
from coordinator.speech.resolve import ModelPlaces
from tests.bench.measure import rss_mib
from tests.fakes.spoken_windows import spoken_windows
from tests.fakes.toy_whisper import build_toy_whisper


def _process(folder: Path) -> SpeechProcess:
    path = build_toy_whisper(folder / "toy", is_multilingual=True)
    spec = SpeechSpec(
        engine="faster-whisper",
        device="cpu",
        places=ModelPlaces(env_folder=path),
        max_batch=16,
        cpu_threads=1,
    )
    return SpeechProcess(spec)


async def _streams_that_share(
    process: SpeechProcess, windows: list[Pcm16k], *, num_streams: int, num_each: int
) -> tuple[list[int], list[Transcript]]:
    """Each stream hears windows of the pool in an order of its own, with pauses of its own; what it asked and got."""
    priorities = list(Priority)

    async def stream(number: int) -> list[tuple[int, Transcript]]:
        random = np.random.default_rng(number)
        heard: list[tuple[int, Transcript]] = []
        while len(heard) < num_each:
            asked = random.integers(len(windows), size=min(int(random.integers(1, 4)), num_each - len(heard)))
            got = await process.transcribe(
                [windows[at] for at in asked], priority=priorities[number % 4], timeout_s=3_600.0
            )
            heard += zip(map(int, asked), got, strict=True)
        return heard

    pairs = [pair for each in await asyncio.gather(*map(stream, range(num_streams))) for pair in each]
    return [asked for asked, _ in pairs], [got for _, got in pairs]


async def _assert_nobody_gets_anothers(folder: Path, *, pool: int, num_streams: int, num_each: int) -> None:
    windows = spoken_windows(pool)
    process = _process(folder)
    try:
        await process.start()
        alone = [msgspec.json.encode((await process.transcribe([window]))[0]) for window in windows]
        asked, got = await _streams_that_share(process, windows, num_streams=num_streams, num_each=num_each)
    finally:
        await process.aclose()
    differing = [
        (at, transcript)
        for at, transcript in zip(asked, got, strict=True)
        if msgspec.json.encode(transcript) != alone[at]
    ]

    assert len(got) == num_streams * num_each
    assert differing == []
    # Results of few kinds would hide that some were crossed.
    assert Counter(alone).most_common(1)[0][1] <= max(3, pool // 50)
    assert len(set(alone)) > 0.9 * pool


@pytest.mark.timeout(300)
async def test_windows_of_twenty_streams_get_what_they_get_alone(tmp_path: Path) -> None:
    await _assert_nobody_gets_anothers(tmp_path, pool=40, num_streams=20, num_each=12)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
async def test_ten_thousand_windows_of_a_hundred_streams_get_what_they_get_alone(tmp_path: Path) -> None:
    await _assert_nobody_gets_anothers(tmp_path, pool=400, num_streams=100, num_each=100)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_process_does_not_grow_over_two_thousand_batches(tmp_path: Path) -> None:
    windows = spoken_windows(32)
    process = _process(tmp_path)
    sizes_mib = {}
    try:
        await process.start()
        pid = process.pid
        assert pid is not None
        for batch in range(1, 2_001):
            start = batch * 7 % 29
            await process.transcribe(windows[start : start + 1 + batch % 4])
            if batch in (200, 2_000):
                sizes_mib[batch] = rss_mib(pid)
    finally:
        await process.aclose()

    assert sizes_mib[2_000] - sizes_mib[200] < 16.0
