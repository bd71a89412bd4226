"""What is special to the streams of mixed evenings: the friend's voice, the spans by the guide."""

from __future__ import annotations

import itertools

import numpy as np

from tests.sketches.q_sofa import mix, plan, stream


def _with_only(evening: str, duration_s: float) -> plan.Plan:
    """The first seed whose stream is that evening all through, with a guest if it is on the sofa."""
    for seed in range(100):
        made = plan.make_plan(seed, duration_s)
        other_speaks = any(s.where == "other" for s in made.signs)
        if {c[2] for c in made.chapters} == {evening} and made.who.guest and other_speaks:
            return made
    raise AssertionError(evening)


def test_spans_follow_from_the_signs_and_lie_apart() -> None:
    """A moment holds all signs that count, begins with the first, has 6 to 40 s and shows in two ways."""
    for seed in range(40):
        made = plan.make_plan(seed, 600.0)
        good = [e for e in made.events if e.is_moment]
        assert 4 <= len(good) <= 9
        assert len(made.events) >= 2 * len(good)
        for one, two in itertools.pairwise(made.events):
            assert two.span_s[0] - one.span_s[1] >= 8.0
        assert made.events[0].span_s[0] >= 0.0
        assert made.events[-1].span_s[1] <= 600.0
        for event in good:
            start, end = event.span_s
            counted = [s for s in event.signs if s.counts]
            assert start == min(s.at_s for s in counted)
            assert end >= max(s.end_s for s in counted) - 1e-6
            assert end - start + 1e-6 >= 6.0
            assert end - start <= 40.0
            plain = {s.name if s.name == "laugh" else s.where for s in counted if s.power >= 0.38}
            assert len(plain - {"duck"}) >= 2, (seed, event.kind)


def test_the_friend_is_heard_on_the_desktop_and_the_guest_in_the_room() -> None:
    """In a call the microphone's side has no second voice; on the sofa it has, and the desktop has not."""
    call = _with_only("coop", 60.0)
    desktop, room = mix.desktop_and_guest(call)
    assert not np.any(room)
    spoken = np.zeros(len(desktop), dtype=bool)
    for sign in call.signs:
        if sign.where == "other":
            spoken[round(sign.at_s * 16_000) : round(sign.end_s * 16_000)] = True
    assert np.any(spoken)
    assert float(np.std(desktop[spoken])) > 0.0
    assert np.any(mix.desktop_and_guest(_with_only("sofa", 60.0))[1])


def test_the_same_seed_gives_the_same_stream() -> None:
    """Sound, words, chat and frames are equal bit for bit, and within their bounds."""
    for seed in (3, 4):
        one, two = stream.make(seed, 60.0), stream.make(seed, 60.0)
        assert np.array_equal(one.mic, two.mic)
        assert np.array_equal(one.desktop, two.desktop)
        assert (one.segs, one.chat, one.moments) == (two.segs, two.chat, two.moments)
        assert float(np.abs(one.mic).max()) <= 1.0
        assert float(one.mic.std()) > 0.003
        assert float(one.desktop.max()) >= 0.02
        frames = list(one.frames())
        assert len(frames) == 600
        for again in (one.frames(), two.frames()):
            assert all(np.array_equal(a, b) for a, b in zip(frames, again, strict=True))
        for a, b in itertools.pairwise(one.segs):
            assert a[1] <= b[0]
