"""Broadcasts with two commentators and a crowd, and single-player streams with music underneath.

One plan of curves, 10 a second, rules every lane; phrases and figures are in the text beside this module. All of it
passes a broadcast limiter: loudness says little; the crowd's spectrum and the rate and pitch of speech say more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.b_broadcast.truth import ABOVE, HUSHED, Moment, usual
from tests.sketches.b_broadcast.words import DECOYS, KINDS, NOISES, SAID, TYPED
from tests.sketches.guide import kept_apart
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sketch, Sound, Span

Curve = npt.NDArray[np.float64]
Rng = np.random.Generator
FORMANTS_HZ = np.reshape([730, 1090, 2440, 530, 1840, 2480, 270, 2290, 3010, 570, 840, 2410], (4, 3))
Speaker = tuple[float, ...]  # pitch in Hz, length of the tract, syllables a second, tilt, cut-off in Hz
STEP = RATE_HZ // FRAMES_PER_S
CURVES = "exc soft talk crowd roar groan claps chant game music motion".split()
SIGNS = "voice words laughter desktop picture chat".split()
MISHEARD = "uh the a it on and mister water seven light before rather back nine tone weather".split()


@dataclasses.dataclass(slots=True, kw_only=True)
class _Plan:
    """What happens when: curves on a grid of 10 Hz, and one-shots (at_s, length_s, kind)."""

    t_s: Curve
    is_arena: bool
    curves: dict[str, Curve]
    topics: list[tuple[float, float, str, float]] = dataclasses.field(default_factory=list)
    shots: list[tuple[float, float, str]] = dataclasses.field(default_factory=list)
    cuts_s: list[float] = dataclasses.field(default_factory=list)
    bursts: list[tuple[float, float, float, str]] = dataclasses.field(default_factory=list)
    moments: list[Moment] = dataclasses.field(default_factory=list)
    usual: dict[str, float] = dataclasses.field(default_factory=dict)

    def between(self, start_s: float, end_s: float) -> Curve:
        return np.clip(np.minimum(self.t_s - start_s, end_s - self.t_s) / 0.6 + 0.5, 0, 1)

    def lift(self, name: str, shape: Curve) -> None:
        self.curves[name] = np.maximum(self.curves[name], shape)


def _wander(rng: Rng, num: int, period_s: float) -> Curve:
    """A slow curve within 0 and 1 that turns about once a period."""
    knots = rng.beta(1.6, 1.6, size=max(3, int(num / (period_s * FRAMES_PER_S)) + 2))
    return np.interp(np.linspace(0, knots.size - 1, num), np.arange(knots.size), knots)


def _layout(rng: Rng, duration_s: float, place: str, has_chat: bool) -> list[Span]:
    """Moments (kinds of KINDS) and decoys (of DECOYS) in order, at least 8.5 s apart."""
    lots: list[tuple[str, float]] = []
    for rows, low, high in ((KINDS, 3, 11), (DECOYS, 4, 10)):
        odds = np.array([row[place] * (has_chat or name != "chat_flood") for name, row in rows.items()])
        num = max(1, round(rng.integers(low, high) * duration_s / 600))
        for name in map(str, rng.choice(list(rows), num, p=odds / odds.sum())):
            row = DECOYS.get(name)
            usual_s = float(np.clip(rng.gamma(4.5, 3.6), 6.5, 38))
            lots.append((name, rng.uniform(row["from"], row["to"]) if row else usual_s))
    while lots and sum(length + 8.5 for _, length in lots) > 0.9 * duration_s - 24:
        lots.pop()
    lots = [lots[index] for index in rng.permutation(len(lots))]
    free_s = duration_s - 14 - sum(length + 8.5 for _, length in lots)
    spans, at_s = [], 6.0
    for (kind, length), part in zip(lots, rng.dirichlet(np.full(len(lots) + 1, 1.3)), strict=False):
        at_s += free_s * float(part)
        spans.append(Span(start_s=round(at_s, 2), end_s=round(at_s + length, 2), kind=kind))
        at_s += length + 8.5
    return spans


def _add_moment(plan: _Plan, rng: Rng, span: Span, lag_s: float, has_chat: bool) -> None:
    """Lead-in, peak and reaction, in a random two or more of the signs; in an arena often a replay afterwards."""
    odds = {sign: KINDS[span.kind][sign] * (has_chat or sign != "chat") for sign in SIGNS}
    signs: set[str] = set()
    while len(signs) < 2:
        signs = {sign for sign in SIGNS if rng.random() < odds[sign]}
    peak_s = span.start_s + (span.end_s - span.start_s) * rng.uniform(0.3, 0.6)
    is_after = (plan.t_s >= peak_s) * (plan.t_s < span.end_s + 0.5)
    rise = np.clip((plan.t_s - span.start_s) / (peak_s - span.start_s), 0, 1) ** 1.6 * (plan.t_s < peak_s)
    fall = np.exp(np.minimum(0, peak_s - plan.t_s) * 1.6 / (span.end_s - peak_s)) * is_after
    strength, shape = rng.uniform(0.5, 1), 0.6 * rise + fall
    moment = Moment(span=span, peak_s=peak_s, signs=signs)
    plan.moments.append(moment)
    plan.lift("talk", 0.9 * (shape > 0.08))
    if "voice" in signs:
        plan.lift("soft" if span.kind == "wholesome" else "exc", strength * shape)
    if "words" in signs:
        plan.topics += [(span.start_s, peak_s, "tense", 0.45), (peak_s - 0.1, span.end_s, span.kind, 0.8)]
    if "laughter" in signs:
        starts_s = peak_s + np.cumsum(rng.uniform(0.4, 3, rng.integers(1, 4)))
        laughs = [(at_s, rng.uniform(1.2, 3.6), "laugh") for at_s in starts_s]
        plan.shots += laughs
        moment.shown += [(at_s, at_s + length_s) for at_s, length_s, _ in laughs]
    if "desktop" in signs:
        _add_sound(plan, rng, moment, strength * rise, strength * fall)
    if "picture" in signs:
        plan.lift("motion", strength * shape)
        moment.lift(strength * shape, plan.usual["motion"] + ABOVE)
        plan.cuts_s += [peak_s + rng.uniform(0.5, 2), peak_s + rng.uniform(2, 4)]
    if "chat" in signs:
        at_s = peak_s + lag_s + rng.uniform(-0.8, 0.8)
        plan.bursts.append((at_s, rng.uniform(2.5, 8), rng.uniform(3, 9), span.kind))
    if plan.is_arena and rng.random() < 0.65:
        start_s, end_s = span.end_s + 0.8, span.end_s + rng.uniform(5, 7.5)
        plan.lift("soft", plan.between(start_s, end_s))
        plan.topics.append((start_s, end_s, "replay", 0.9))
        plan.curves["motion"] *= 1 - 0.8 * plan.between(start_s, end_s)
        plan.shots += [(at_s, 0.5, "sting") for at_s in (start_s, end_s)]
        plan.cuts_s += [start_s, end_s]


def _add_sound(plan: _Plan, rng: Rng, moment: Moment, rise: Curve, fall: Curve) -> None:
    """A moment's desktop sound: a crowd that swells and roars, groans or claps, or the game itself."""
    kind, peak_s = moment.span.kind, moment.peak_s
    if plan.is_arena:
        crowd, roar = (0.2 + 0.65 * rise + 0.3 * fall) * (rise + fall > 0), 1.3 * fall
        plan.lift("crowd", crowd)
        plan.lift({"wholesome": "claps", "fail": "groan", "rage": "groan"}.get(kind, "roar"), roar)
        moment.lift(np.hypot(crowd, roar), plan.usual["crowd"] + ABOVE)
        if rng.random() < 0.35:  # a good commentator says it, then leaves the microphone to the crowd
            plan.curves["talk"] *= 1 - plan.between(peak_s + 2.2, peak_s + rng.uniform(4, 6))
    else:
        game = (0.7 * rise + fall) * (0.3 if kind == "wholesome" else 1)
        plan.lift("game", game)
        moment.lift(game, plan.usual["game"] + ABOVE)
    if kind in ("score", "wholesome") or rng.random() < 0.2:
        plan.shots.append((peak_s + 0.1, rng.uniform(0.8, 2.4), "horn"))
        moment.shown.append((peak_s + 0.1, peak_s + 0.1 + plan.shots[-1][1]))
    if kind != "wholesome" and rng.random() < (0.3 if plan.is_arena else 0.8):
        booms_s = [peak_s + late_s for late_s in rng.uniform(-1.5, 1, rng.integers(1, 4))]
        plan.shots += [(at_s, 1.5, "boom") for at_s in booms_s]
        moment.shown += [(at_s, at_s + 0.8) for at_s in booms_s]


def _add_decoy(plan: _Plan, rng: Rng, span: Span) -> None:
    """Loud or busy, and nobody would clip it."""
    row, inside = DECOYS[span.kind], plan.between(span.start_s, span.end_s)
    for name in (name for name in CURVES if name in row):
        goal = row[name] * (rng.uniform(0.8, 1) if row[name] < 1 else 1)
        plan.curves[name] = plan.curves[name] + (goal - plan.curves[name]) * inside
    if span.kind in SAID:
        plan.topics.append((span.start_s, span.end_s, span.kind, 0.95))
    if "pace" in row:
        plan.cuts_s += [span.start_s, *np.arange(span.start_s + 0.7, span.end_s, row["pace"]), span.end_s]
    if span.kind == "advert":
        plan.shots += [(at_s, 2.6, "spot") for at_s in np.arange(span.start_s + 0.4, span.end_s - 2.5, 3.1)]
    if span.kind == "chat_flood":
        plan.bursts.append((span.start_s, rng.uniform(3, 8), span.end_s - span.start_s, "chat_flood"))
    for name in sorted(row.keys() & {"boom", "horn", "knock", "laugh"}):
        times_s = rng.uniform(span.start_s + 0.5, span.end_s - 2, rng.poisson(row[name]))
        plan.shots += [(at_s, 1.2, name) for at_s in times_s]


def _plan(rng: Rng, duration_s: float, is_arena: bool, has_chat: bool, spans: list[Span]) -> _Plan:
    num = int(duration_s * FRAMES_PER_S) + 2
    curves = {name: np.zeros(num) for name in CURVES}
    play = _wander(rng, num, 14)
    has_game = rng.random() < (0.45 if is_arena else 0.85)
    curves |= {"exc": 0.32 * play * _wander(rng, num, 6), "motion": 0.06 + 0.4 * play * _wander(rng, num, 5)}
    curves["talk"] = (0.55 if is_arena else 0.15) + 0.45 * _wander(rng, num, 20)
    curves["game"] = has_game * (0.1 + 0.55 * play * _wander(rng, num, 9))
    curves["crowd"] = is_arena * (0.14 + 0.3 * play * _wander(rng, num, 8))
    curves["music"] = (not is_arena) * rng.uniform(0.1, 0.5) * _wander(rng, num, 40) ** 0.5
    plan = _Plan(t_s=np.arange(num) / FRAMES_PER_S, is_arena=is_arena, curves=curves, usual=usual(curves))
    at_s = rng.uniform(2, 10)
    while at_s < duration_s:  # ordinary life: a cut, polite applause, a lone chuckle, a bang far off
        plan.cuts_s.append(at_s)
        plan.lift("claps", is_arena * rng.choice([0, 0, 0.35]) * plan.between(at_s, at_s + 3))
        if rng.random() < 0.15:
            kind = "boom" if has_game and rng.random() < 0.4 else "laugh"
            plan.shots.append((at_s, rng.uniform(0.7, 1.3), kind))
        at_s += rng.uniform(4, 22)
    lag_s = rng.uniform(2.9, 11)
    for span in spans:
        _add_moment(plan, rng, span, lag_s, has_chat) if span.kind in KINDS else _add_decoy(plan, rng, span)
    return plan


def _up(curve: Curve, num: int, step: int = STEP) -> Sound:
    """A curve on a grid, drawn straight between its points, for `num` samples."""
    knots, ramp = curve.astype(np.float32), np.arange(step, dtype=np.float32) / step
    return np.asarray(knots[:-1, None] + np.diff(knots)[:, None] * ramp, np.float32).reshape(-1)[:num]


def _noise(rng: Rng, seconds: float, name: str) -> Sound:
    """Noise that loops, RMS 1; its spectrum is `hertz decibel` in the text, joined on a log scale."""
    hertz, decibel = np.array([point.split() for point in NOISES[name]], float).T
    spectrum = np.fft.rfft(rng.standard_normal(int(seconds * RATE_HZ)))
    scale = np.log(np.linspace(1, RATE_HZ / 2, spectrum.size))
    gain = 10 ** (np.interp(scale, np.log(hertz), decibel) / 20)
    sound = np.fft.irfft(spectrum * gain, int(seconds * RATE_HZ))
    return np.asarray(sound / sound.std(), np.float32)


def _voice(rng: Rng, who: Speaker, length_s: float, rate_hz: float, exc: float, laughs: int = 0) -> Sound:
    """Syllables through formants, with hiss between; RMS about 1. Effort lifts the pitch and flattens the tilt."""
    num, (base_hz, tract, _, tilt, cutoff_hz) = int(length_s * RATE_HZ), who
    pitch_hz = base_hz * (1 + 0.75 * exc) * (1.35 if laughs else 1) * rng.uniform(0.92, 1.1)
    hertz = np.arange(1, int(cutoff_hz / pitch_hz) + 1) * pitch_hz
    tones = (1 / (1 + ((hertz - tract * FORMANTS_HZ[:, :, None]) / 110) ** 2)).sum(axis=1) + 0.015
    tones = tones * (hertz / 500) ** (0.75 * exc - tilt) * np.exp(3j * hertz**2 / (pitch_hz * hertz[-1]))
    cycles = np.fft.irfft(np.pad(tones, ((0, 0), (1, 0))), 1024)
    table = (cycles / cycles.std(axis=1, keepdims=True)).astype(np.float32)
    bounds = np.cumsum(rng.gamma(9, 1 / 9, int(length_s * rate_hz * 1.6) + 6)) / rate_hz
    at = np.interp(np.arange(num) / RATE_HZ, bounds - bounds[0], np.arange(bounds.size)).astype(np.float32)
    syllable, frac = at.astype(np.int32), at % 1
    vowel = rng.integers(0, 1 if laughs else 4, bounds.size + 1)
    accent = (rng.uniform(0.5, 1.25, bounds.size) * (rng.random(bounds.size) > 0.08)).astype(np.float32)
    fall = np.linspace(1.25, 0.7, num) if laughs else np.linspace(1.06, 0.92, num)
    melody = np.interp(at, np.arange(bounds.size), 0.85 + 0.3 * accent)
    phase = (np.cumsum(fall * melody) * (1024 * pitch_hz / RATE_HZ)).astype(np.int64) & 1023
    here, there = (table[vowel[syllable + later], phase] for later in (0, 1))
    opened = np.sin(np.pi * np.minimum(frac / (0.55 if laughs else 1), 1)).clip(0) ** 0.7 * accent[syllable]
    hissed = 0.7 * opened + (frac > 0.6) if laughs else (frac < 0.2) * (vowel[syllable] % 2) + 0.1 * opened
    hiss = np.diff(rng.standard_normal(num + 1, dtype=np.float32)) * np.float32(cutoff_hz / 35_000)
    fade = np.minimum(1, np.minimum(np.arange(num), np.arange(num)[::-1]) / 400)
    return np.asarray(((here + (there - here) * frac) * opened + hiss * hissed) * fade * 1.3, np.float32)


def _music(rng: Rng) -> Sound:
    """Four chords of eight beats with drums that loop; RMS 1."""
    beat = int(RATE_HZ * 60 / rng.uniform(76, 150))
    t_s, into_s = np.arange(8 * beat) / RATE_HZ, np.arange(8 * beat) % beat / RATE_HZ
    drums = rng.uniform(0.3, 1.5) * np.sin(2 * np.pi * 55 * into_s) * np.exp(-into_s * 14)
    drums += rng.uniform(0, 0.4) * np.diff(rng.standard_normal(8 * beat + 1)) * np.exp(-into_s * 45)
    notes = rng.integers(0, 12) + np.add.outer([0, 5, 7, 9], [-12, 0, rng.choice([3, 4]), 7, 12])
    tones_hz = 110 * 2 ** (notes / 12)
    tones = 2 * np.pi * rng.permutation(tones_hz)[:, :, None] * t_s
    loop = (drums + 0.3 * np.tanh(2 * np.sin(tones)).sum(axis=1)).reshape(-1)
    return np.asarray(loop / loop.std(), np.float32)


def _shot(rng: Rng, kind: str, length_s: float) -> Sound:
    t_s = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    if kind == "horn":
        hertz = rng.uniform(180, 420) * np.array([[1], [1.26], [1.5]])
        return np.asarray(np.tanh(3 * np.sin(2 * np.pi * hertz * t_s)).mean(axis=0) * 1.5, np.float32)
    decay_hz = {"boom": 3.5, "knock": 28, "sting": 5}[kind]
    sound = _noise(rng, length_s, kind) * np.exp(-t_s * decay_hz) * np.minimum(1, t_s * 90) * 3
    return np.asarray(sound, np.float32)


def _put(lane: Sound, sound: Sound, at_s: float, gain: float) -> None:
    room = lane[int(at_s * RATE_HZ) :][: sound.size]
    room += np.float32(gain) * sound[: room.size]


def _desktop(plan: _Plan, rng: Rng, num: int, announcer: Speaker) -> Sound:
    """Crowd, chants, claps, game, music and one-shots; RMS about 0.1 where it is busy."""
    lane = np.zeros(num, np.float32)
    claps = _noise(rng, 7, "claps") * (rng.random(7 * RATE_HZ) < 0.012)
    beds = {name: _noise(rng, 13, name) for name in ("crowd", "roar", "groan", "chant", "game")}
    beds |= {"claps": np.asarray(claps / claps.std(), np.float32), "music": _music(rng)}
    beds["game"] *= 2 * _up(_wander(rng, 131, 0.3), 13 * RATE_HZ)
    plan.curves["chant"] *= 0.5 + 0.5 * np.cos(2 * np.pi * plan.t_s * rng.uniform(0.9, 1.7))
    for name, bed in beds.items():
        lane += np.resize(bed, num) * _up(plan.curves[name] * 0.1, num)
    for at_s, length_s, kind in plan.shots:
        if kind == "spot":
            _put(lane, _voice(rng, announcer, length_s, 6.0, 0.35), at_s, 0.1)
        elif kind not in ("laugh", "knock"):
            _put(lane, _shot(rng, kind, length_s), at_s, rng.uniform(0.06, 0.14))
    return lane


def _limit(mic: Sound, desktop: Sound, ratio: float, top: float) -> tuple[Sound, Sound]:
    """One broadcast limiter over both lanes: slow gain towards a level, then a soft ceiling."""
    power = (np.pad(mic + desktop, (0, -mic.size % 320)).reshape(-1, 320) ** 2).mean(axis=1)
    slow = np.convolve(power, np.exp(-np.arange(150) / 45) / 45)[: power.size]
    gain = (0.14 / (np.sqrt(np.maximum(slow, 0.4 * power)) + 4e-3)) ** (1 - 1 / ratio)
    drive = _up(np.append(gain, gain[-1]) / top, mic.size, 320)
    return np.float32(top) * np.tanh(mic * drive), np.float32(top) * np.tanh(desktop * drive)


def _speak(plan: _Plan, rng: Rng, crew: list[Speaker], mic: Sound) -> Iterator[tuple[float, float, str]]:
    """Speaks onto `mic`, two of a crew over one another when excited; yields what a recogniser made of it."""
    at_s, who, heard_s, error, duration_s = 0.5, 0, 0.0, rng.uniform(0.06, 0.24), plan.t_s[-2]
    while at_s < duration_s - 1.5:
        here = slice(int(at_s * FRAMES_PER_S), int(at_s * FRAMES_PER_S) + 12)
        exc, soft, talk = (float(plan.curves[name][here].mean()) for name in ("exc", "soft", "talk"))
        if rng.random() > talk:
            at_s += rng.uniform(0.4, 1.8)
            continue
        topics = [row[2] for row in plan.topics if row[0] <= at_s < row[1] and rng.random() < row[3]]
        topic = [*topics, "arena" if plan.is_arena else "home"][0]
        text = str(rng.choice(SAID[topic]))
        rate_hz = crew[who][2] * (1 + 0.5 * exc - 0.2 * soft)
        whole_s = float(np.clip(len(text) / 3.3 / rate_hz, 1, 6))
        # Whatever is being said, it breaks off where something happens.
        until_s = min([duration_s, at_s + whole_s, *(m.peak_s for m in plan.moments if m.peak_s > at_s)])
        if until_s - at_s >= 1:
            is_turned = exc >= plan.usual["exc"] + ABOVE or soft >= HUSHED
            for moment in plan.moments:
                moment.hear(at_s, until_s, topic, is_turned=is_turned)
            gain = 0.1 * 10 ** ((7 * exc - 5 * soft + rng.normal(0, 1.2)) / 20)
            _put(mic, _voice(rng, crew[who], until_s - at_s, rate_hz, exc), at_s, gain)
            words = text[: int(len(text) * (until_s - at_s) / whole_s)].split()
            fates = rng.random(len(words)) / error
            others = np.where(fates < 0.6, rng.choice(MISHEARD, len(words)), words)
            kept = others[(fates < 0.6) | (fates > 1)].tolist()
            if kept and until_s - max(at_s, heard_s) >= 1:
                yield round(max(at_s, heard_s), 2), round(until_s, 2), " ".join(kept)
                heard_s = until_s
        is_over = len(crew) > 1 and rng.random() < 0.06 + 0.5 * exc
        who = 1 - who if is_over or (len(crew) > 1 and rng.random() < 0.35) else who
        pause_s = rng.exponential(0.8 - 0.6 * exc)
        at_s = at_s + (until_s - at_s) * rng.uniform(0.4, 0.8) if is_over else until_s + pause_s


def _chat(plan: _Plan, rng: Rng, num_viewers: int) -> tuple[tuple[float, str], ...]:
    """A trickle that wanders, and bursts that come late and ebb away."""
    usual = min(3, 0.012 * num_viewers**0.62) * (0.4 + 1.2 * _wander(rng, plan.t_s.size, 8))
    lines: list[tuple[float, str]] = []
    rates = {"arena" if plan.is_arena else "home": usual}
    for start_s, factor, ebb_s, kind in plan.bursts:
        since = np.maximum(0, plan.t_s - start_s) / ebb_s
        burst = np.exp(-since) * (1 - np.exp(-since * 8)) * (since < 4)
        rates[kind] = rates.get(kind, 0) + burst * (factor * usual.mean() + 0.05 * num_viewers**0.5)
    for topic, rate in rates.items():
        slots = plan.t_s[:-2].repeat(rng.poisson(np.minimum(rate[:-2], 12) / FRAMES_PER_S))
        times_s = (slots + rng.uniform(0, 0.1, slots.size)).round(3).tolist()
        lines += zip(times_s, map(str, rng.choice(TYPED[topic], slots.size)), strict=True)
    return tuple(sorted(lines))


def _frames(plan: _Plan, seed: int, num: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Textured scenes that pan as far as things move, with players, cuts, flashes and a score or a face."""
    rng = np.random.default_rng([seed, 0xF])
    coarse = rng.uniform(30, 200, (8, 12, 20)).repeat(15, 1).repeat(16, 2) + rng.normal(0, 9, (8, 180, 320))
    scenes = rng.integers(0, 8, len(plan.cuts_s) + 1)[np.searchsorted(np.sort(plan.cuts_s), plan.t_s)]
    grain = rng.normal(0, rng.uniform(1, 5), (8, HEIGHT, WIDTH))
    motion = plan.curves["motion"][:, None]
    booms_s = np.array([at_s for at_s, _, kind in plan.shots if kind == "boom"])
    pan = np.cumsum(rng.normal(0, 9, (plan.t_s.size, 2)) * motion, axis=0) + rng.uniform(0, 300, 2)
    corner = np.minimum(np.abs(pan % (180, 320) - (90, 160)), (90, 160)).astype(int)
    steps = rng.normal(0, 12, (plan.t_s.size, 6, 2)) * motion[:, None]
    players = np.cumsum(steps, axis=0) + rng.uniform(0, 90, (6, 2))
    for index in range(num):
        y, x = corner[index]
        picture = coarse[scenes[index], y : y + HEIGHT, x : x + WIDTH] + grain[index % 8]
        for top, left in (players[index] % (HEIGHT - 12, WIDTH - 6)).astype(int):
            picture[top : top + 12, left : left + 6] += 70
        picture += 60 * np.exp(-4 * (plan.t_s[index] - booms_s)[booms_s <= plan.t_s[index]]).sum()
        if plan.is_arena:
            picture[4:11, 6:48] = 225
        else:
            nod = int(6 * plan.curves["exc"][index] * np.sin(index))
            picture[66 + nod : 84 + nod, 136:150] = 180
        yield picture.clip(0, 255).astype(np.uint8)


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream, the same for the same seed; in three of five there is an arena, in one of five no chat."""
    rng = np.random.default_rng([seed, 0xB])
    is_arena, has_chat = bool(rng.random() < 0.6), bool(rng.random() > 0.2)
    num_viewers = int(10 ** rng.uniform(0.8, 4.6)) if has_chat else int(rng.integers(0, 30))
    spans = _layout(rng, duration_s, "arena" if is_arena else "home", has_chat)
    plan = _plan(rng, duration_s, is_arena, has_chat, spans)
    low, high = np.array([[85, 0.9, 3.8, 0.8, 3400], [240, 1.2, 5.4, 1.4, 7400]])
    crew = [tuple(rng.uniform(low, high)) for _ in range(3)]
    num = round(RATE_HZ * duration_s)
    mic = np.resize(_noise(rng, 19, "hum"), num) * np.float32(10 ** rng.uniform(-3.6, -2.2))
    segs = tuple(_speak(plan, rng, crew[: 1 + is_arena], mic))
    for at_s, length_s, kind in plan.shots:
        if kind == "laugh":
            laugh = _voice(rng, crew[rng.integers(1 + is_arena)], length_s, rng.uniform(4.3, 5.7), 0.2, 1)
            _put(mic, laugh, at_s, rng.uniform(0.05, 0.13))
        elif kind == "knock":
            _put(mic, _shot(rng, kind, length_s), at_s, rng.uniform(0.1, 0.3))
    desktop = _desktop(plan, rng, num, crew[2]) * np.float32(10 ** rng.uniform(-0.35, 0.2))
    mic += np.float32(rng.uniform(0.01, 0.15)) * desktop
    moments, decoys = kept_apart(
        [moment.told() for moment in plan.moments], [span for span in spans if span.kind not in KINDS]
    )
    ratio = rng.uniform(2.5, 5) if is_arena else rng.uniform(1.4, 3)
    mic, desktop = _limit(mic, desktop, ratio, rng.uniform(0.5, 0.98))
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=lambda: _frames(plan, seed, round(FRAMES_PER_S * duration_s)),
        segs=segs,
        chat=_chat(plan, rng, num_viewers) if has_chat else (),
        num_viewers=num_viewers,
        moments=moments,
        decoys=decoys,
    )
