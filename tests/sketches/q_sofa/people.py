"""Who streams: voice, room, habits, game and audience, drawn from the seed."""

from __future__ import annotations

import dataclasses

import numpy as np

EVENINGS = ("shooter", "coop", "sofa", "quiz")
_SYLLABLES = "mo la ri ke zu ta ni bo fe gra lu pi dro ve sha ku wen to ly ram".split()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A throat: usual pitch, size of the mouth (1 for a usual man), how breathy and how rough it is."""

    pitch_hz: float
    mouth: float
    breath: float
    rough: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Streamer:
    """One streamer and one evening.

    Attributes:
        temper: how far the voice goes from its usual in a reaction; 1 is a loud person, 0.55 a calm one.
        giggle: chance that a sentence of ordinary talk ends in a small laugh.
        talk: share of ordinary time that is spoken, about.
        squeeze: how much a compressor on the microphone takes of the loud (0 none, 1 nearly all).
        leak: what part of the speakers' sound the microphone hears.
        guest: somebody sits on the sofa and is heard by the microphone.
        chatty: messages a second and 1,000 viewers, in ordinary time; 0 is a stream without chat.
    """

    evening: str
    voice: Voice
    other: Voice
    temper: float
    giggle: float
    talk: float
    rate: float
    mic_level: float
    squeeze: float
    hiss: float
    room: float
    leak: float
    keys: float
    desk_level: float
    music: float
    camera: bool
    guest: bool
    pal: str
    fans: tuple[str, ...]
    viewers: int
    chatty: float


def name(rng: np.random.Generator) -> str:
    """An invented name."""
    parts = [_SYLLABLES[int(i)] for i in rng.integers(0, len(_SYLLABLES), int(rng.integers(2, 4)))]
    return "".join(parts) + ("" if rng.random() < 0.6 else str(int(rng.integers(2, 99))))


def _voice(rng: np.random.Generator) -> Voice:
    high = rng.random() < 0.45
    pitch = rng.uniform(170, 225) if high else rng.uniform(92, 140)
    return Voice(
        pitch_hz=float(pitch),
        mouth=float(rng.uniform(1.1, 1.22) if high else rng.uniform(0.93, 1.06)),
        breath=float(rng.uniform(0.02, 0.1)),
        rough=float(rng.uniform(0.005, 0.03)),
    )


def meet(seed: int) -> Streamer:
    """The streamer of a seed."""
    rng = np.random.default_rng([seed, 1])
    evening = EVENINGS[int(rng.integers(0, 4))]
    headphones = rng.random() < (0.2 if evening == "sofa" else 0.6)
    silent_chat = rng.random() < 0.25
    viewers = int(np.exp(rng.uniform(np.log(5), np.log(20_000))))
    music = {"shooter": 0.35, "coop": 0.5, "sofa": 0.6, "quiz": 0.9}[evening]
    return Streamer(
        evening=evening,
        voice=_voice(rng),
        other=_voice(rng),
        temper=float(rng.uniform(0.55, 1.15)),
        giggle=float(rng.uniform(0.0, 0.07)),
        talk=float(rng.uniform(0.35, 0.75)),
        rate=float(rng.uniform(4.0, 5.4)),
        mic_level=float(10 ** rng.uniform(-1.55, -1.1)),
        squeeze=float(rng.choice([0.0, 0.25, 0.5])),
        hiss=float(10 ** rng.uniform(-3.6, -2.7)),
        room=float(rng.uniform(0.05, 0.3) + (0.12 if evening == "sofa" else 0.0)),
        leak=float(rng.uniform(0.0, 0.015) if headphones else rng.uniform(0.04, 0.15)),
        keys=float(rng.uniform(0.0, 1.0)),
        desk_level=float(10 ** rng.uniform(-1.0, -0.45)),
        music=float(rng.uniform(0.5, 1.0)) if rng.random() < music else 0.0,
        camera=bool(rng.random() < 0.8),
        guest=bool(rng.random() < 0.6),
        pal=name(rng),
        fans=tuple(name(rng) for _ in range(30)),
        viewers=viewers,
        chatty=0.0 if silent_chat else float(rng.uniform(0.6, 1.6)),
    )
