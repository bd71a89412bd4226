"""What is special to the streams from a workshop: shouts over talk, a chat that answers, loud tools, flames."""

import functools
import itertools

import numpy as np

from tests.sketches.j_workshop.plan import DECOYS, MOMENTS, Event, lay_out
from tests.sketches.j_workshop.reel import Maker, Reel
from tests.sketches.j_workshop.sounds import Palette, noise
from tests.sketches.j_workshop.truth import span_of
from tests.sketches.j_workshop.view import View
from tests.sketches.j_workshop.voice import Voice, blend, speak
from tests.sketches.sketch import Span

_makers = functools.cache(lambda seed: Maker(np.random.default_rng([seed, 1])))


def test_a_shout_is_louder_than_talk() -> None:
    rng, voice = np.random.default_rng(0), Voice(110.0, 0.5, 1.0, 4.5, 0.1)
    talk, shout = (speak(rng, voice, "are you kidding me", blend(how, 1.0, 1.0)) for how in ("talk", "shout"))
    assert shout.std() > 2.0 * talk.std()


def test_a_grinder_drowns_the_talk_and_a_brush_does_not() -> None:
    rng = np.random.default_rng(3)
    pal = Palette(rng)
    assert noise(rng, pal, "grinder", 6.0).std() > 1.5 > 0.5 > noise(rng, pal, "brush", 6.0).std()


def test_some_have_no_chat_and_some_have_thousands() -> None:
    crowds = [_makers(seed).crowd for seed in range(60)]
    assert 3 <= sum(not crowd.rate_hz for crowd in crowds) <= 16
    assert max(crowd.viewers for crowd in crowds) > 10_000


def test_the_chat_answers_a_moment_after_it() -> None:
    crowd = next(_makers(seed).crowd for seed in range(60) if _makers(seed).crowd.viewers > 2_000)
    ats = np.array([at for at, _ in crowd.burst(np.random.default_rng(1), 100.0, "panic", 1.0)])
    assert ats.size > 5 and ats.min() > 101.5
    assert np.median(ats) < 116.0


def test_every_decoy_occurs_and_cuts_keep_apart() -> None:
    plans = [lay_out(np.random.default_rng([seed, 2]), _makers(seed).traits, 600.0) for seed in range(60)]
    assert {e.plot.name for plan in plans for e in plan if not e.is_moment} == {plot.name for plot in DECOYS}
    for plan in plans:
        assert all(b.cut.start_s - a.cut.end_s >= 8.0 for a, b in itertools.pairwise(plan))


def test_a_flame_lights_the_picture() -> None:
    reel = Reel(np.random.default_rng(1), _makers(1), 20.0)
    reel.show(10.0, "flame")
    light = [float(picture.mean()) for picture in View(1, reel.curves).frames()]
    assert max(light[100:130]) > max(light[:90]) + 4.0


def _event(name: str, signs: set[str]) -> Event:
    plot = next(plot for plot in MOMENTS if plot.name == name)
    cut = Span(start_s=20.0, end_s=45.0, kind=plot.kind)
    return Event(plot, 30.0, cut, frozenset(signs), 1.0, is_moment=True)


def test_a_moment_begins_with_what_stands_out_and_ends_with_the_last_of_it() -> None:
    event = _event("flip", {"voice"})
    signs = [(10.0, 12.0), (23.0, 26.0), (30.2, 31.0), (33.0, 38.0)]
    alone, hushed = (span_of(event, 29.0, signs, some, 600.0) for some in ([], [(27.0, 29.0), (28.0, 29.5)]))
    assert (alone.start_s, alone.end_s) == (30.2, 38.0)
    assert (hushed.start_s, hushed.end_s) == (23.0, 38.0)
    nothing = span_of(event, 29.0, [], [], 600.0)
    assert (nothing.start_s, nothing.end_s) == (30.0, 36.0)


def test_a_calm_line_before_the_event_is_no_part_of_the_moment() -> None:
    for name, signs in (("dropped", {"voice", "words", "pic", "sound"}), ("slip", {"words"})):
        span = Reel(np.random.default_rng(2), _makers(1), 60.0).play(_event(name, signs))
        assert 29.0 < span.start_s < 36.0
        assert 6.0 <= span.end_s - span.start_s <= 20.0


def test_what_a_viewer_has_read_out_is_part_of_the_moment() -> None:
    span = Reel(np.random.default_rng(2), _makers(1), 60.0).play(_event("tts", {"voice", "sound"}))
    assert 20.0 < span.start_s < 24.0
