"""Who streams: genre, audience, voice, microphone, desktop and camera, all drawn from one random generator.

Values only; what happens is decided in `script`, what it sounds and looks like in the renderers.
"""

from __future__ import annotations

import dataclasses

import numpy as np

GAMES = ("shooter", "moba", "racing", "horror")
GENRES = (*GAMES, "chatting", "irl", "cooking", "music")
KINDS = ("hype", "funny", "clutch", "fail", "score", "rage", "wholesome")
# How often a kind is what viewers clip, by genre, in the order of KINDS.
_KIND_WEIGHTS = {
    "shooter": (4, 3, 4, 3, 2, 3, 1),
    "moba": (3, 3, 3, 3, 3, 4, 1),
    "racing": (3, 2, 3, 4, 4, 2, 1),
    "horror": (4, 4, 2, 3, 1, 2, 1),
    "chatting": (2, 6, 0, 1, 0, 2, 4),
    "irl": (3, 5, 0, 3, 0, 1, 3),
    "cooking": (2, 4, 0, 4, 2, 1, 3),
    "music": (3, 3, 0, 2, 2, 0, 4),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One speaker: pitch, vocal tract, pace, and how much louder and higher excitement makes the voice."""

    f0_hz: float
    range_oct: float
    tract: float
    breathiness: float
    roughness: float
    syllables_per_s: float
    lift_db: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Streamer:
    """One channel on one evening; levels in dB full scale."""

    genre: str
    viewers: int
    platform: str
    latency_s: float
    voice: Voice
    talk_share: float
    openness: float
    asr_error: float
    mic_db: float
    floor_db: float
    ratio: float
    has_gate: bool
    room: float
    bleed_db: float
    key_db: float
    desk_db: float
    bed_db: float | None
    cam: str
    has_friends: bool

    @property
    def is_game(self) -> bool:
        """Whether a game is on the screen."""
        return self.genre in GAMES

    @property
    def kind_weights(self) -> np.ndarray:
        """Probability of each of KINDS, shape (7,)."""
        weights = np.array(_KIND_WEIGHTS[self.genre], dtype=float)
        return weights / weights.sum()


def draw_voice(rng: np.random.Generator) -> Voice:
    """A speaker; two in five have a high voice."""
    is_high = rng.random() < 0.4
    return Voice(
        f0_hz=float(rng.uniform(165, 235) if is_high else rng.uniform(85, 140)),
        range_oct=float(rng.uniform(0.35, 1.1)),
        tract=float(rng.uniform(1.08, 1.2) if is_high else rng.uniform(0.92, 1.05)),
        breathiness=float(rng.uniform(0.02, 0.2)),
        roughness=float(rng.uniform(0.0, 0.5)),
        syllables_per_s=float(rng.uniform(3.6, 6.2)),
        lift_db=float(rng.uniform(12, 30)),
    )


def draw_streamer(rng: np.random.Generator) -> Streamer:
    """A channel; audiences are log-uniform between 3 and 30,000 viewers."""
    genre = str(rng.choice(GENRES, p=[0.2, 0.13, 0.1, 0.1, 0.19, 0.12, 0.08, 0.08]))
    is_outside = genre in ("irl", "cooking")
    cam = "corner" if genre in GAMES else "full"
    if genre in GAMES and rng.random() < 0.15:
        cam = "none"
    return Streamer(
        genre=genre,
        viewers=round(float(np.exp(rng.uniform(np.log(3), np.log(30_000))))),
        platform="youtube" if rng.random() < 0.3 else "twitch",
        latency_s=float(rng.uniform(2, 15)),
        voice=draw_voice(rng),
        talk_share=float(rng.uniform(0.25, 0.5) if genre in (*GAMES, "music") else rng.uniform(0.45, 0.75)),
        openness=float(rng.uniform(0.55, 1.15)),
        asr_error=float(rng.uniform(0.03, 0.2)),
        mic_db=float(rng.uniform(-32, -19)),
        floor_db=float(rng.uniform(-58, -44) if is_outside else rng.uniform(-78, -52)),
        ratio=float(rng.choice([1.0, 1.5, 2.0, 3.0, 4.0, 6.0])),
        has_gate=bool(rng.random() < 0.35 and not is_outside),
        room=float(rng.uniform(0.02, 0.3)),
        bleed_db=float(rng.uniform(-30, -16) if rng.random() < 0.25 else rng.uniform(-70, -45)),
        key_db=float(rng.uniform(-26, -8)),
        desk_db=float(rng.uniform(-36, -20)),
        bed_db=float(rng.uniform(-20, -6)) if rng.random() < 0.6 else None,
        cam=cam,
        has_friends=bool(genre in GAMES and rng.random() < 0.4),
    )
