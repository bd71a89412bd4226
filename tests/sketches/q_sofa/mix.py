"""The two sounds of a stream: the microphone and the desktop."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.q_sofa import sounds
from tests.sketches.q_sofa.plan import STEP_HZ, Plan
from tests.sketches.q_sofa.signs import STYLES, Sign, syllables
from tests.sketches.q_sofa.voice import Throat
from tests.sketches.sketch import RATE_HZ, Sound

OTHER_SYLLABLES_HZ = 4.6


def _add(to: Sound, sound: Sound, at_s: float, gain: float) -> None:
    """Lays the sound over the other from that time on; what lies outside is cut off."""
    at = round(at_s * RATE_HZ)
    if at < 0:
        sound, at = sound[-at:], 0
    piece = sound[: max(0, len(to) - at)]
    to[at : at + len(piece)] += np.float32(gain) * piece


def _voiced(throat: Throat, sign: Sign) -> Sound:
    """What a sign of voice sounds like."""
    length = sign.end_s - sign.at_s
    if sign.name == "laugh":
        return throat.laugh(length, sign.power)
    count = (
        syllables(sign.text)
        if sign.text
        else max(1, round(length * OTHER_SYLLABLES_HZ * STYLES[sign.name][3]))
    )
    return throat.say(length, count, sign.name, sign.power)


def _over(steps: np.ndarray[tuple[int], np.dtype[np.float64]], count: int) -> Sound:
    """A line of ten points a second as one of 16,000."""
    fine = np.interp(np.arange(0, count, 160), np.arange(len(steps)) * (RATE_HZ // STEP_HZ), steps)
    return np.repeat(fine.astype(np.float32), 160)[:count]


def _music(plan: Plan, rng: np.random.Generator, count: int) -> Sound:
    """The loop of the game or of the streamer, tiled, louder and softer by turns."""
    piece = sounds.loop(rng, 24.0, 1.0, float(rng.uniform(0.1, 0.6))).astype(np.float32)
    out = np.tile(piece, count // len(piece) + 1)[:count]
    swell = np.interp(np.arange(len(plan.duck)), np.arange(0, len(plan.duck) + 200, 200), _swell(rng, plan))
    out *= _over(swell * plan.duck, count)
    return np.asarray(out, dtype=np.float32)


def _swell(rng: np.random.Generator, plan: Plan) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return rng.uniform(0.35, 1.0, len(np.arange(0, len(plan.duck) + 200, 200)))


def _ambience(plan: Plan, rng: np.random.Generator, count: int) -> Sound:
    """Wind, hall or hum of the game; grows with how hard it goes."""
    piece = sounds.noise(rng, 16.0, 60, float(rng.uniform(500, 1600))).astype(np.float32)
    out = np.tile(piece, count // len(piece) + 1)[:count]
    return np.asarray(out * _over((0.1 + 0.25 * plan.play) * plan.duck, count), dtype=np.float32)


def _game(plan: Plan, rng: np.random.Generator, out: Sound) -> None:
    """Shots, steps, blows and cards as they come in play, the more the harder it goes."""
    bank = {
        "shot": [sounds.make_sound(rng, "shot", 0.35) for _ in range(5)],
        "boom": [sounds.make_sound(rng, "boom", 1.3) for _ in range(3)],
        "click": [sounds.make_sound(rng, "tock", 0.2) for _ in range(4)],
        "blip": [sounds.make_sound(rng, "kill", 0.3) for _ in range(2)],
    }
    gunner = float(rng.uniform(0.6, 1.3))
    for step, play in enumerate(plan.play):
        t = step / STEP_HZ
        if play <= 0.02 or plan.duck[step] < 0.5:
            continue
        evening = plan.evening_at(t)
        if evening in ("shooter", "coop"):
            weight = 0.55 if evening == "coop" else 1.0
            hits = rng.poisson(gunner * weight * (0.02 + 0.75 * max(0.0, float(play) - 0.25) ** 1.5))
            for _ in range(int(hits)):
                near = rng.uniform(0.15, 0.5) + 0.6 * max(0.0, float(play) - 0.5)
                _add(out, bank["shot"][int(rng.integers(0, 5))], t + rng.uniform(0, 0.1), near)
            if rng.random() < 0.035 * max(0.0, float(play) - 0.5):
                _add(out, bank["boom"][int(rng.integers(0, 3))], t, rng.uniform(0.3, 0.8))
            if rng.random() < 0.12:
                _add(out, bank["click"][int(rng.integers(0, 4))], t, rng.uniform(0.05, 0.12))
        elif evening == "quiz" and rng.random() < 0.05:
            name = "blip" if rng.random() < 0.25 else "click"
            _add(out, bank[name][int(rng.integers(0, 2))], t, rng.uniform(0.1, 0.4))


def _throat(plan: Plan, which: int) -> Throat:
    who = plan.who
    voice = who.voice if which == 0 else who.other
    temper = who.temper if which == 0 else 0.4 + 0.6 * who.temper
    return Throat(voice, temper, np.random.default_rng([plan.seed, 20 + which]))


def desktop_and_guest(plan: Plan) -> tuple[Sound, Sound]:
    """The desktop's sound, and what the other person says in the room (silence where they are in a call)."""
    rng = np.random.default_rng([plan.seed, 10])
    count = round(plan.duration_s * RATE_HZ)
    who = plan.who
    out = _ambience(plan, rng, count)
    if who.music:
        out += np.float32(0.35 * who.music) * _music(plan, rng, count)
    if who.evening == "sofa" and not any(c[2] != "sofa" for c in plan.chapters):
        out *= np.float32(0.5)
    _game(plan, rng, out)
    friend = _throat(plan, 1)
    guest = np.zeros(count, dtype=np.float32)
    for sign in plan.signs:
        if sign.where == "desk":
            _add(out, sounds.make_sound(rng, sign.name, sign.end_s - sign.at_s), sign.at_s, 0.85 * sign.power)
        elif sign.where == "other":
            voice = _voiced(friend, sign)
            in_room = plan.evening_at(sign.at_s) == "sofa"
            _add(guest if in_room else out, voice, sign.at_s, 0.55 if in_room else 0.2)
    # The pops of messages that come in, on any evening.
    pop = sounds.make_sound(rng, "kill", 0.25)
    for at_s in np.cumsum(rng.uniform(5, 45, 40)):
        _add(out, pop, float(at_s), 0.5)
    out *= np.float32(who.desk_level)
    return np.tanh(out), guest


def _keys(plan: Plan, rng: np.random.Generator, out: Sound) -> None:
    """Keys and mouse while a game is played; little on the sofa."""
    bank = [sounds.make_sound(rng, "tock", 0.06) for _ in range(6)]
    for step in np.nonzero(rng.random(len(plan.play)) < 0.1 + 0.3 * plan.play)[0]:
        t = step / STEP_HZ
        if plan.evening_at(t) != "sofa":
            _add(
                out,
                bank[int(rng.integers(0, 6))],
                t + rng.uniform(0, 0.1),
                rng.uniform(0.1, 0.35) * plan.who.keys,
            )


def _squeeze(sound: Sound, amount: float) -> Sound:
    """A compressor: what is louder than a calm voice is brought down by that share of its decibels."""
    if not amount:
        return sound
    size = 800
    blocks = np.sqrt(np.mean(np.square(sound[: len(sound) // size * size]).reshape(-1, size), axis=1) + 1e-9)
    near = np.convolve(np.maximum(blocks, 1.0), np.full(5, 0.2), mode="same")
    gain = np.repeat(np.maximum(near, 1.0) ** -amount, size).astype(np.float32)
    return sound * np.concatenate((gain, np.ones(len(sound) - len(gain), dtype=np.float32)))


def microphone(plan: Plan, desktop: Sound, guest: Sound) -> Sound:
    """Voice, guest, room, keys and what leaks from the speakers, through a compressor."""
    who = plan.who
    rng = np.random.default_rng([plan.seed, 11])
    out = guest
    throat = _throat(plan, 0)
    for sign in plan.signs:
        if sign.where == "voice":
            _add(out, _voiced(throat, sign), sign.at_s, 1.0)
        elif sign.where == "room":
            sound = sounds.make_sound(rng, sign.name, sign.end_s - sign.at_s)
            _add(out, sound, sign.at_s, 2.6 * sign.power)
    if who.keys > 0.05:
        _keys(plan, rng, out)
    dry = out * np.float32(who.room)
    for k in range(7):
        delay = int(RATE_HZ * (0.013 + 0.021 * k + 0.004 * rng.random()))
        out[delay:] += np.float32(0.75**k * rng.choice([-1.0, 1.0])) * dry[:-delay]
    out = _squeeze(out, who.squeeze)
    out *= np.float32(who.mic_level)
    delay = 60
    out[delay:] += np.float32(who.leak) * desktop[:-delay]
    out += np.float32(who.hiss) * rng.standard_normal(len(out), dtype=np.float32)
    return np.tanh(out)


@dataclasses.dataclass(frozen=True, slots=True)
class Tracks:
    """Both sounds."""

    mic: Sound
    desktop: Sound


def make_tracks(plan: Plan) -> Tracks:
    """Both sounds of a plan."""
    desktop, guest = desktop_and_guest(plan)
    return Tracks(microphone(plan, desktop, guest), desktop)
