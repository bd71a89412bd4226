"""Who streams, what happens when, and how strongly each sign of it shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Rng = np.random.Generator
Track = npt.NDArray[np.float32]

STEP_HZ = 10
GAP_S = 8.6
SIGNS = ("voice", "words", "laugh", "desk", "view", "chat")
# Chance of each sign; least and most seconds of the lead-up, the reaction and the answer.
MOMENTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "hype": ((0.85, 0.85, 0.3, 0.6, 0.6, 0.8), (3, 11, 4, 12, 2, 7)),
    "funny": ((0.5, 0.6, 0.88, 0.3, 0.4, 0.75), (5, 15, 4, 11, 2, 6)),
    "clutch": ((0.75, 0.8, 0.25, 0.85, 0.8, 0.75), (9, 22, 3, 9, 2, 8)),
    "fail": ((0.7, 0.75, 0.5, 0.7, 0.7, 0.7), (3, 9, 4, 10, 2, 8)),
    "score": ((0.8, 0.8, 0.15, 0.85, 0.8, 0.7), (4, 11, 3, 10, 2, 6)),
    "rage": ((0.95, 0.85, 0.1, 0.4, 0.5, 0.7), (2, 7, 6, 20, 2, 7)),
    "wholesome": ((0.4, 0.88, 0.4, 0.2, 0.3, 0.8), (4, 13, 5, 13, 2, 8)),
}
# Least and most seconds.
DECOYS: dict[str, tuple[float, float]] = {
    "advert": (12, 32),
    "music": (15, 35),
    "raid": (10, 25),
    "alert": (4, 9),
    "subtrain": (14, 34),
    "giveaway": (12, 30),
    "noise": (5, 18),
    "pet": (4, 12),
    "cough": (3, 6),
    "menu": (6, 20),
    "cutscene": (12, 34),
    "explosion": (4, 14),
    "quarrel": (8, 24),
    "past": (6, 15),
    "check": (5, 14),
    "spam": (8, 20),
    "question": (8, 18),
    "friends": (5, 14),
    "chuckle": (4, 9),
    "false_alarm": (7, 18),
}
GENRES: dict[str, tuple[str, ...]] = {
    "pc": ("shooter", "horror", "souls", "cards", "cosy", "racing", "react", "chatting"),
    "console": ("sports", "racing", "souls", "horror", "shooter", "cosy"),
    "irl": ("irl",),
}
GAMELESS = ("irl", "chatting")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """One streamer and the stream's circumstances; levels in dB of full scale, pitch in Hz."""

    setting: str
    genre: str
    lang: str
    drive: float  # 0 keeps a straight face, 1 shouts the house down
    talk: float  # share of ordinary time spent talking
    mirth: float
    pitch_hz: float
    tract: float
    rate: float  # syllables a second
    mic_db: float
    noise_db: float
    gate: bool
    agc: float
    echo: float
    bleed_db: float  # desktop sound that reaches the microphone; -99 with headphones
    keys: float
    desk_db: float
    music: float
    friends: bool
    viewers: int
    chat_rate: float  # messages a second in ordinary time; 0 without chat
    lag_s: float
    hearing: float  # share of words that the recogniser gets right
    joins: bool  # the recogniser writes long segments
    camera: str  # "none", "corner" or "full"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A moment or decoy as it was acted: lead-up, peak, reaction, answer; `signs` has the strengths that show."""

    kind: str
    moment: bool
    start_s: float
    peak_s: float
    react_s: float
    end_s: float
    size: float
    signs: dict[str, float]

    def sign(self, name: str) -> float:
        """Strength of a sign, 0 where it does not show."""
        return self.signs.get(name, 0.0)


def draw_persona(rng: Rng) -> Persona:
    """Draws a streamer."""
    setting = str(rng.choice(["pc", "console", "irl"], p=[0.6, 0.24, 0.16]))
    genre = str(rng.choice(GENRES[setting]))
    viewers = int(np.clip(np.exp(rng.normal(4.3, 2.1)), 2, 30_000))
    high = rng.random() < 0.4
    mute = rng.random() < 0.1
    open_air = setting == "irl"
    speakers = rng.random() < 0.3 and not open_air
    return Persona(
        setting=setting,
        genre=genre,
        lang=str(rng.choice(["en", "es", "de", "fr", "pt", "xx"], p=[0.7, 0.07, 0.06, 0.05, 0.06, 0.06])),
        drive=float(rng.beta(2.0, 1.7)),
        talk=float(rng.uniform(0.15, 0.72)),
        mirth=float(rng.beta(1.6, 1.8)),
        pitch_hz=float(rng.normal(205, 22) if high else rng.normal(118, 17)),
        tract=float(rng.normal(1.14, 0.05) if high else rng.normal(1.0, 0.05)),
        rate=float(rng.uniform(3.8, 6.4)),
        mic_db=float(rng.uniform(-32, -17)),
        noise_db=float(rng.uniform(-56, -38) if open_air else rng.uniform(-78, -50)),
        gate=bool(rng.random() < 0.35),
        agc=float(rng.choice([0.0, rng.uniform(0.1, 0.4), rng.uniform(0.4, 0.75)], p=[0.4, 0.35, 0.25])),
        echo=float(rng.uniform(0.0, 0.45)),
        bleed_db=float(rng.uniform(-30, -10)) if speakers else -99.0,
        keys=float(rng.choice([0.0, rng.uniform(0.2, 1.0)])) if setting == "pc" else 0.0,
        desk_db=float(rng.uniform(-34, -14)),
        music=float(rng.choice([0.0, rng.uniform(0.1, 0.4), rng.uniform(0.4, 1.0)], p=[0.4, 0.35, 0.25])),
        friends=bool(rng.random() < 0.3) and genre not in GAMELESS,
        viewers=viewers,
        chat_rate=0.0 if mute else float(0.006 * viewers**0.74 * np.exp(rng.normal(0.0, 0.6))),
        lag_s=float(rng.choice([rng.uniform(1.2, 4.0), rng.uniform(4.0, 12.0)], p=[0.65, 0.35])),
        hearing=float(np.clip(rng.normal(0.9, 0.08), 0.55, 0.99)),
        joins=bool(rng.random() < 0.3),
        camera=str(
            {"irl": "full", "chatting": "full"}.get(genre, rng.choice(["none", "corner"], p=[0.3, 0.7]))
        ),
    )


def _signs(rng: Rng, who: Persona, kind: str, size: float) -> dict[str, float]:
    """The signs that a moment shows; but for one in twenty, as many as a careful human needs."""
    chances = dict(zip(SIGNS, MOMENTS[kind][0], strict=True))
    chances["desk"] *= 0.0 if who.setting == "irl" else 0.25 if who.genre in GAMELESS else 1.0
    chances["laugh"] *= 0.4 + 0.9 * who.mirth if kind != "funny" else 1.0
    chances["chat"] *= float(who.chat_rate > 0.0)
    if kind != "rage":
        chances["voice"] *= 0.45 + 0.65 * who.drive
    subtle = rng.random() < 0.05
    for _ in range(50):
        signs = {
            k: float(np.clip(size * rng.uniform(0.6, 1.3), 0.25, 1.2))
            for k, p in chances.items()
            if rng.random() < p
        }
        plain = sum(v for k, v in signs.items() if k in ("voice", "laugh", "words"))
        if subtle and signs:
            return signs
        if sum(signs.values()) >= 1.6 and plain >= 0.55:
            return signs
    return {"words": 0.8, "voice": 0.8, "laugh": 0.6}


def _moment(rng: Rng, who: Persona, room_s: float) -> Beat:
    weights = np.array([1.2, 1.5, 1.0, 1.2, 1.0, 0.7, 0.7])
    if who.genre in GAMELESS:
        weights *= np.array([1.0, 2.0, 0.0, 1.0, 0.0, 0.6, 2.0])
    elif who.genre in ("sports", "racing"):
        weights *= np.array([1.0, 0.8, 0.6, 1.0, 3.0, 1.0, 0.4])
    kind = str(rng.choice(list(MOMENTS), p=weights / weights.sum()))
    span = MOMENTS[kind][1]
    size = float(np.clip(rng.beta(2.2, 1.8) * 0.85 + 0.25, 0.3, 1.1))
    stretch = (0.75 + 0.35 * size) * float(rng.lognormal(0.0, 0.35))
    parts = [float(rng.uniform(span[i], span[i + 1])) * stretch for i in (0, 2, 4)]
    lead, react, answer = (part * min(1.0, room_s / sum(parts)) for part in parts)
    react = max(react, 3.0)
    return Beat(
        kind=kind,
        moment=True,
        start_s=0.0,
        peak_s=max(lead, 2.0),
        react_s=max(lead, 2.0) + react,
        end_s=max(max(lead, 2.0) + react + answer, 7.5),
        size=size,
        signs=_signs(rng, who, kind, size),
    )


def _decoy(rng: Rng, who: Persona, room_s: float) -> Beat:
    kinds = dict.fromkeys(DECOYS, 1.0)
    if who.chat_rate == 0.0:
        kinds.update(raid=0.0, giveaway=0.0, spam=0.0, question=0.0)
    if who.viewers < 15:
        kinds.update(giveaway=0.0, spam=0.0)
    if who.genre in GAMELESS:
        kinds.update(explosion=0.0, cutscene=0.0, menu=0.0, false_alarm=0.0)
    if who.genre in ("cards", "cosy"):
        kinds.update(explosion=0.0)
    if not who.friends:
        kinds.update(friends=0.0)
    weights = np.array(list(kinds.values()))
    kind = str(rng.choice(list(kinds), p=weights / weights.sum()))
    long_s = min(float(rng.uniform(*DECOYS[kind])), max(3.0, room_s))
    size = float(rng.uniform(0.4, 1.1))
    return Beat(
        kind=kind,
        moment=False,
        start_s=0.0,
        peak_s=0.35 * long_s,
        react_s=0.8 * long_s,
        end_s=long_s,
        size=size,
        signs={},
    )


def plan(rng: Rng, who: Persona, duration_s: float) -> list[Beat]:
    """Moments and at least as many decoys, in order, at least GAP_S apart."""
    share = duration_s / 600.0
    many = 3 + int(rng.binomial(7, rng.uniform(0.1, 0.75)))
    num_moments = max(1, round(many * share)) if duration_s >= 40.0 else 0
    room_s = min(44.0, duration_s * 0.35)
    beats = [_moment(rng, who, room_s) for _ in range(num_moments)]
    extra = int(rng.integers(0, 5)) * share
    decoys = [_decoy(rng, who, room_s) for _ in range(num_moments + round(extra))]
    while _filled(beats + decoys) > 0.9 * duration_s and decoys:
        if len(decoys) > len(beats):
            decoys.remove(max(decoys, key=lambda b: b.end_s))
            if len(decoys) < len(beats):
                continue
        elif num_moments > 3 * share + 1:
            beats.pop()
            num_moments -= 1
        else:
            decoys[decoys.index(max(decoys, key=lambda b: b.end_s))] = _decoy(rng, who, 6.0)
            if max(b.end_s for b in decoys) <= 6.0:
                break
    every = beats + decoys
    order = rng.permutation(len(every))
    slack = max(0.0, duration_s - _filled(every))
    gaps = rng.dirichlet(np.full(len(every) + 1, 0.8)) * slack
    placed, at_s = [], 4.0
    for gap, index in zip(gaps, order, strict=False):
        at_s += float(gap)
        beat = every[int(index)]
        placed.append(_shifted(beat, at_s))
        at_s += beat.end_s + GAP_S
    return [b for b in placed if b.end_s < duration_s - 1.0]


def _filled(beats: list[Beat]) -> float:
    return sum(b.end_s + GAP_S for b in beats) + 8.0


def _shifted(beat: Beat, by_s: float) -> Beat:
    return dataclasses.replace(
        beat,
        start_s=beat.start_s + by_s,
        peak_s=beat.peak_s + by_s,
        react_s=beat.react_s + by_s,
        end_s=beat.end_s + by_s,
    )


def action(rng: Rng, who: Persona, beats: list[Beat], duration_s: float) -> Track:
    """How much goes on in the game or street, 0 to about 1, 10 values a second."""
    num = round(duration_s * STEP_HZ)
    knots = max(4, int(duration_s / float(rng.uniform(5, 20))))
    base = np.interp(np.linspace(0, knots - 1, num), np.arange(knots), rng.beta(1.2, 2.2, knots))
    track = np.asarray(
        base * {"cards": 0.35, "cosy": 0.3, "chatting": 0.15}.get(who.genre, 0.8), dtype=np.float32
    )
    at = np.arange(num) / STEP_HZ
    for beat in beats:
        inside = (at >= beat.start_s) & (at < beat.end_s)
        rise = np.clip((at - beat.start_s) / max(beat.peak_s - beat.start_s, 1.0), 0, 1)
        fall = np.clip((beat.react_s - at) / max(beat.react_s - beat.peak_s, 1.0), 0, 1)
        if beat.moment:
            level = max(beat.sign("desk"), beat.sign("view"))
            track[inside] = np.maximum(track * (1.0 - 0.5 * level), level * np.minimum(rise, fall))[inside]
        elif beat.kind in ("explosion", "false_alarm"):
            track[inside] = np.maximum(track, beat.size * np.minimum(rise, fall))[inside]
        elif beat.kind in ("advert", "menu", "cutscene"):
            track[inside] = 0.0
    return track
