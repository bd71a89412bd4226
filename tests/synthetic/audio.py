"""The two lanes of a stream, as its microphone and its desktop would have given them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.synthetic import sounds
from tests.synthetic.family import family_of
from tests.synthetic.model import RATE_HZ, Event, Pcm, Plan, Span, Spoken
from tests.synthetic.plan import SPORTS, is_explosion
from tests.synthetic.voice import render

_EFFECTS_PER_S = {
    "gaming": 0.12,
    "cooking": 0.08,
    "irl": 0.04,
    "basketball": 0.1,
    "tennis": 0.15,
    "racing": 0.05,
    "volleyball": 0.1,
    "rugby": 0.05,
}


def render_lanes(plan: Plan, spoken: Sequence[Spoken]) -> tuple[Pcm, Pcm]:
    """Microphone and desktop."""
    family = family_of(plan.seed)
    rng = np.random.default_rng([plan.seed, 4])
    mic_db = float(rng.uniform(*family.mic_db))
    desktop_db = float(rng.uniform(*family.desktop_db))
    if rng.random() < family.desktop_over_mic_share:
        desktop_db = mic_db + float(rng.uniform(0.0, 4.0))
    desktop = _gained(sounds.bed(rng, plan.genre, plan.duration_s), desktop_db)
    _add_effects(rng, desktop, plan, desktop_db)
    for event in plan.events:
        if "desktop" in event.signs:
            _add_answer(rng, desktop, plan.genre, event, desktop_db)
    for span in plan.decoys:
        _add_decoy(rng, desktop, span, max(desktop_db, mic_db - 8.0))
    mic = _gained(sounds.noise(rng, plan.duration_s, 60.0, 3_000.0), float(rng.uniform(-68.0, -54.0)))
    lanes = {"mic": (mic, mic_db), "desktop": (desktop, mic_db)}
    for line in spoken:
        lane, level_db = lanes[line.lane]
        _add(lane, line.start_s, _gained(render(rng, line), level_db + line.delivery.gain_db))
    if rng.random() < 0.4:  # loudspeakers instead of headphones
        mic += desktop * 10 ** (-float(rng.uniform(12, 24)) / 20)
    if rng.random() < 0.3:  # a limiter in the mixer
        most = 10 ** ((mic_db + 12.0) / 20)
        mic = np.tanh(mic / most) * most
    return _bounded(mic), _bounded(desktop)


def _add_effects(rng: np.random.Generator, desktop: Pcm, plan: Plan, level_db: float) -> None:
    """Shots, knives and balls that mean nothing."""
    num = rng.poisson(_EFFECTS_PER_S.get(plan.genre, 0.0) * plan.duration_s)
    for at_s in rng.uniform(0, plan.duration_s - 1, num):
        _add(desktop, float(at_s), _gained(sounds.shot(rng), level_db + float(rng.uniform(0, 10))))


def _add_answer(rng: np.random.Generator, desktop: Pcm, genre: str, event: Event, level_db: float) -> None:
    """What is played answers: a stand roars, a game fires and rings, a room claps."""
    span = event.span
    length_s = max(2.0, span.end_s - event.climax_s)
    loud_db = level_db + 6.0 + 10.0 * event.strength
    if genre in SPORTS:
        _add(desktop, event.climax_s, _gained(sounds.crowd(rng, length_s, is_roaring=True), loud_db))
    elif genre == "gaming":
        for at_s in rng.uniform(event.climax_s - 1.0, span.end_s - 0.5, int(2.0 * length_s)):
            _add(desktop, float(at_s), _gained(sounds.shot(rng), loud_db))
        if event.span.kind in ("clutch", "score", "hype"):
            _add(desktop, event.climax_s + 1.0, _gained(sounds.jingle(rng), loud_db - 3.0))
    elif genre == "irl":
        _add(desktop, event.climax_s, _gained(sounds.crowd(rng, length_s, is_roaring=True), loud_db - 2.0))
    else:
        _add(desktop, event.climax_s + 0.5, _gained(sounds.applause(rng, length_s), loud_db))


def _add_decoy(rng: np.random.Generator, desktop: Pcm, span: Span, level_db: float) -> None:
    if span.kind == "advert":
        _add(desktop, span.start_s, _gained(sounds.music(rng, span.duration_s), level_db - 2.0))
    elif span.kind == "music":
        loud_db = level_db + float(rng.uniform(2.0, 8.0))
        _add(desktop, span.start_s, _gained(sounds.music(rng, span.duration_s), loud_db))
    elif span.kind == "pause_screen" and rng.random() < 0.6:
        _add(desktop, span.start_s, _gained(sounds.music(rng, span.duration_s), level_db - 2.0))
    elif span.kind == "alert":
        _add(desktop, span.start_s, _gained(sounds.jingle(rng), level_db + float(rng.uniform(0.0, 6.0))))
    elif is_explosion(span):
        loud_db = level_db + float(rng.uniform(6.0, 14.0))
        _add(desktop, span.start_s, _gained(sounds.explosion(rng, span.duration_s), loud_db))


def _gained(sound: Pcm, level_db: float) -> Pcm:
    return sound * np.float32(10 ** (level_db / 20))


def _add(lane: Pcm, at_s: float, sound: Pcm) -> None:
    first = max(0, int(at_s * RATE_HZ))
    last = min(lane.size, first + sound.size)
    if first < last:
        lane[first:last] += sound[: last - first]


def _bounded(lane: Pcm) -> Pcm:
    """Within full scale, bent rather than cut where it is hot."""
    return np.where(
        np.abs(lane) > 0.7, np.sign(lane) * (0.7 + 0.29 * np.tanh((np.abs(lane) - 0.7) / 0.29)), lane
    ).astype(np.float32)
