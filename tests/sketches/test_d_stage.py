"""The staged streams keep the contract: repeatable, well formed, and moments that show to simple measures."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import numpy.typing as npt
import pytest

from tests.sketches.d_stage import make
from tests.sketches.d_stage_parts import World
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sketch, Span

SEEDS = (1, 2)
KINDS = {"hype", "funny", "clutch", "fail", "score", "rage", "wholesome"}
_sketch = functools.cache(make)


def test_a_seed_makes_the_same_stream_each_time_and_another_makes_another() -> None:
    first, again, other = make(8, 45.0), make(8, 45.0), make(9, 45.0)

    assert np.array_equal(first.mic, again.mic) and np.array_equal(first.desktop, again.desktop)
    assert (first.segs, first.chat, first.moments, first.decoys) == (
        again.segs,
        again.chat,
        again.moments,
        again.decoys,
    )
    # The second call of `frames` starts afresh, too.
    for frames in (again.frames(), first.frames()):
        assert all(np.array_equal(a, b) for a, b in zip(first.frames(), frames, strict=True))
    assert not np.array_equal(first.mic, other.mic)


@pytest.mark.parametrize("seed", SEEDS)
def test_spans_lie_inside_and_apart(seed: int) -> None:
    sketch = _sketch(seed)

    spans = sorted(sketch.moments + sketch.decoys, key=lambda span: span.start_s)

    assert 3 <= len(sketch.moments) <= 10 and len(sketch.decoys) >= len(sketch.moments)
    assert spans[0].start_s >= 0 and spans[-1].end_s <= sketch.duration_s
    assert all(after.start_s - before.end_s >= 8 for before, after in itertools.pairwise(spans))
    assert all(6 <= span.end_s - span.start_s <= 40 for span in sketch.moments)
    assert {span.kind for span in sketch.moments} <= KINDS


@pytest.mark.parametrize(("seed", "duration_s"), [(1, 600.0), (4, 61.0), (6, 20.5)])
def test_sound_and_pictures_have_the_promised_form(seed: int, duration_s: float) -> None:
    sketch = _sketch(seed, duration_s) if duration_s < 600 else _sketch(seed)

    for sound in (sketch.mic, sketch.desktop):
        assert sound.shape == (round(RATE_HZ * duration_s),) and sound.dtype == np.float32
        assert 0.001 < np.abs(sound).max() <= 1
    frames = list(sketch.frames())
    assert len(frames) == round(FRAMES_PER_S * duration_s)
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((HEIGHT, WIDTH), "uint8")}


@pytest.mark.parametrize("seed", SEEDS)
def test_words_and_chat_come_in_order(seed: int) -> None:
    sketch = _sketch(seed)

    assert sketch.segs
    for times_s in ([start_s for start_s, _, _ in sketch.segs], [at_s for at_s, _ in sketch.chat]):
        assert times_s == sorted(times_s)
    assert all(0 <= start_s < end_s <= 600 and text.strip() for start_s, end_s, text in sketch.segs)
    assert all(0 <= at_s < 600 and text.strip() and "{" not in text for at_s, text in sketch.chat)


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
