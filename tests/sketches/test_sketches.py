"""What every sketch promises to whoever judges by it; what one of them promises beside that is tested by its name."""

from __future__ import annotations

import importlib
import itertools

import numpy as np
import pytest

from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sketch

MAKERS = (
    *("a_signs", "b_broadcast", "c_bedroom", "d_stage", "e_street", "f_arena", "g_living", "h_scares"),
    *("i_laps", "j_workshop", "k_voices", "l_ranked", "m_reacts", "n_habits", "o_evening"),
    *("p_variety", "q_sofa"),
)
# Decoys of c_bedroom lie clear of moments, but not apart from one another.
APART = set(MAKERS) - {"c_bedroom"}
# The first three have some decoys only, all others as many as moments, at least.
MANY_DECOYS = set(MAKERS) - {"a_signs", "b_broadcast", "c_bedroom"}
# Where several speak, or a recogniser hears words in noise, lines of these overlap.
ONE_AT_A_TIME = set(MAKERS) - {"a_signs", "d_stage", "f_arena"}
# How long a line is, in seconds, where a maker promises that.
LINE_S = {"a_signs": (0.99, 6.01), "b_broadcast": (0.99, 6.01), "c_bedroom": (1.0, 6.5)}
# How loud the desktop is somewhere; outdoors there may be none.
LEAST_DESKTOP = {"d_stage": 0.001, "e_street": 0.0}
SEEDS = (1,)
KINDS = {"hype", "funny", "clutch", "fail", "score", "rage", "wholesome"}
SHORT_S = 60.5
FORMS = [*((maker, SHORT_S) for maker in MAKERS), ("d_stage", 20.5), ("e_street", 20.0), ("e_street", 31.5)]


def make(maker: str, seed: int, duration_s: float = 600.0) -> Sketch:
    made: Sketch = importlib.import_module(f"tests.sketches.{maker}.stream").make(seed, duration_s)
    return made


@pytest.fixture(scope="module", params=[(maker, seed) for maker in MAKERS for seed in SEEDS], ids=str)
def whole(request: pytest.FixtureRequest) -> tuple[str, Sketch]:
    """Who made it, and ten minutes; one at a time is held, for each is 77 MB."""
    maker, seed = request.param
    return maker, make(maker, seed)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_seed_gives_the_same_stream_again_and_another_seed_another(maker: str) -> None:
    first, again, other = make(maker, 3, SHORT_S), make(maker, 3, SHORT_S), make(maker, 4, SHORT_S)

    assert np.array_equal(first.mic, again.mic) and np.array_equal(first.desktop, again.desktop)
    assert (first.segs, first.chat) == (again.segs, again.chat)
    assert (first.moments, first.decoys) == (again.moments, again.decoys)
    # The second call of `frames` starts afresh, too.
    for frames in (again.frames(), first.frames()):
        assert all(np.array_equal(a, b) for a, b in zip(first.frames(), frames, strict=True))
    assert not np.array_equal(first.mic, other.mic)


@pytest.mark.parametrize(("maker", "duration_s"), FORMS)
def test_sound_and_pictures_have_the_promised_form(maker: str, duration_s: float) -> None:
    sketch = make(maker, 3, duration_s)

    for sound in (sketch.mic, sketch.desktop):
        assert sound.shape == (round(RATE_HZ * duration_s),) and sound.dtype == np.float32
        assert np.isfinite(sound).all() and np.abs(sound).max() <= 1
    assert sketch.mic.std() > 0.003
    assert np.abs(sketch.desktop).max() >= LEAST_DESKTOP.get(maker, 0.02)
    frames = np.stack(list(sketch.frames()))
    assert frames.shape == (round(FRAMES_PER_S * duration_s), HEIGHT, WIDTH) and frames.dtype == np.uint8
    assert np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2)).max() > 1


def test_spans_lie_inside_and_moments_apart_from_all(whole: tuple[str, Sketch]) -> None:
    maker, sketch = whole
    spans = sorted((*sketch.moments, *sketch.decoys), key=lambda span: span.start_s)

    assert 3 <= len(sketch.moments) <= 10
    assert len(sketch.decoys) >= (len(sketch.moments) if maker in MANY_DECOYS else 1)
    assert {span.kind for span in sketch.moments} <= KINDS
    assert all(6 <= span.end_s - span.start_s <= 40 for span in sketch.moments)
    assert spans[0].start_s >= 0 and max(span.end_s for span in spans) <= sketch.duration_s
    apart = spans if maker in APART else sorted(sketch.moments, key=lambda span: span.start_s)
    assert all(later.start_s - sooner.end_s >= 7.999 for sooner, later in itertools.pairwise(apart))
    for decoy, moment in itertools.product(sketch.decoys, sketch.moments):
        assert decoy.end_s < moment.start_s or moment.end_s < decoy.start_s


def test_words_and_chat_come_in_order(whole: tuple[str, Sketch]) -> None:
    maker, sketch = whole
    least_s, most_s = LINE_S.get(maker, (0.0, 600.0))

    assert sketch.segs
    for times_s in ([start_s for start_s, _, _ in sketch.segs], [at_s for at_s, _ in sketch.chat]):
        assert times_s == sorted(times_s)
    assert all(0 <= start_s < end_s <= 600 and text.strip() for start_s, end_s, text in sketch.segs)
    assert all(0 <= at_s <= 600 and text.strip() and "{" not in text for at_s, text in sketch.chat)
    assert all(least_s <= end_s - start_s <= most_s for start_s, end_s, _ in sketch.segs)
    if maker in ONE_AT_A_TIME:
        assert all(sooner[1] <= later[0] for sooner, later in itertools.pairwise(sketch.segs))
