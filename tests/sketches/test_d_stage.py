"""The staged streams have moments that show to simple measures, more than decoys do."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from tests.sketches.d_stage.parts import World
from tests.sketches.d_stage.stream import make
from tests.sketches.sketch import RATE_HZ, Sketch, Span

SEEDS = (1, 2)
_sketch = functools.cache(make)


def test_a_small_share_of_streams_has_no_chat() -> None:
    worlds = [World(60.0, np.random.default_rng((seed, 41))) for seed in range(150)]

    silent = [seed for seed, world in enumerate(worlds) if not world.chat_hz]

    assert 0.05 < len(silent) / 150 < 0.2
    assert not make(silent[0], 30.0).chat


def test_most_moments_show_and_more_than_decoys_do_in_several_ways() -> None:
    counts: dict[bool, list[int]] = {True: [], False: []}
    for sketch in map(_sketch, SEEDS):
        seconds = _seconds(sketch)
        for span in sketch.moments + sketch.decoys:
            counts[span in sketch.moments].append(_num_signs(seconds, span))

    assert np.mean([count > 0 for count in counts[True]]) >= 0.85
    assert np.mean(counts[True]) > np.mean(counts[False]) + 0.3


def _seconds(sketch: Sketch) -> npt.NDArray[np.floating]:
    """What shows in each second, shape (4, seconds): mic dB, desktop dB, picture change, chat over 5 s."""
    num = int(sketch.duration_s)
    sounds = [sound[: num * RATE_HZ].reshape(num, -1) for sound in (sketch.mic, sketch.desktop)]
    levels_db = [np.log10(sound.std(axis=1) + 1e-6) * 20 for sound in sounds]
    frames = np.stack([frame[::2, ::2] for frame in sketch.frames()]).astype(np.int16)
    change = np.abs(np.diff(frames, axis=0, prepend=frames[:1])).mean(axis=(1, 2)).reshape(num, -1)
    chat = np.bincount([int(at_s) for at_s, _ in sketch.chat], minlength=num).astype(float)
    return np.stack([*levels_db, np.log2(change.mean(axis=1) + 0.3), np.convolve(chat, np.ones(5), "same")])


def _num_signs(seconds: npt.NDArray[np.floating], span: Span) -> int:
    """How many of the four measures stand out within a span (chat: up to 14 s after it)."""
    start, end = int(span.start_s), int(span.end_s) + 1
    peaks_db = [np.percentile(row[start:end], 85) - np.percentile(row, 60) for row in seconds[:2]]
    change = seconds[2, start:end].max() - np.percentile(seconds[2], 80)
    chat, usual = seconds[3, start : end + 14].max(), np.percentile(seconds[3], 60)
    return sum([peaks_db[0] > 4, peaks_db[1] > 5, change > 0.6, chat > 2 + 2 * usual])
