"""The two sound tracks: what the microphone hears, and what the desktop plays.

Both float32, mono, 24,000 Hz, range [-0.98, 0.98].
"""

from __future__ import annotations

import numpy as np

from tests.streams import effects, music, voice
from tests.streams.music import add
from tests.streams.script import ACTION_HZ, Script
from tests.streams.streamer import Voice, draw_voice
from tests.streams.voice import FRAMES_PER_S, HOP, RATE_HZ

_CEILING = 0.98
_SONGS = {
    "song": ("lofi", "dance", "rock"),
    "room_song": ("lofi", "rock"),
    "jingle": ("jingle",),
    "orchestra": ("orchestra",),
}


def linear(level_db: float) -> float:
    """Amplitude of a level in dB."""
    return float(10 ** (level_db / 20))


def frame_rms(sound: np.ndarray, size: int = HOP) -> np.ndarray:
    """Root mean square of each whole frame."""
    num = len(sound) // size
    return np.sqrt(np.mean(sound[: num * size].reshape(num, size) ** 2, axis=1))


def limited(sound: np.ndarray) -> np.ndarray:
    """Soft above 0.7, never beyond the ceiling."""
    size = np.abs(sound)
    soft = 0.7 + (_CEILING - 0.7) * np.tanh((size - 0.7) / (_CEILING - 0.7))
    return (np.sign(sound) * np.where(size > 0.7, soft, size)).astype(np.float32)


def _per_sample(frames: np.ndarray, num: int) -> np.ndarray:
    return np.interp(np.arange(num) / HOP, np.arange(len(frames)) + 0.5, frames).astype(np.float32)


def _followed(level: np.ndarray, attack: float, release: float) -> np.ndarray:
    """A level meter with its own speed up and down, each as the share taken over in a frame."""
    out, now = np.empty(len(level)), 0.0
    for index, value in enumerate(level.tolist()):
        now += (value - now) * (attack if value > now else release)
        out[index] = now
    return out


def compressed(sound: np.ndarray, threshold_db: float, ratio: float) -> np.ndarray:
    """A compressor as streamers use it: 20 ms attack, 200 ms release, no make-up gain."""
    level_db = 20 * np.log10(_followed(frame_rms(sound), 0.4, 0.05) + 1e-7)
    gain_db = -np.maximum(0, level_db - threshold_db) * (1 - 1 / ratio)
    return sound * 10 ** (_per_sample(gain_db, len(sound)) / 20)


def gated(sound: np.ndarray, threshold_db: float) -> np.ndarray:
    """A noise gate that closes by 30 dB."""
    level_db = 20 * np.log10(_followed(frame_rms(sound), 0.8, 0.08) + 1e-7)
    return sound * _per_sample(np.where(level_db > threshold_db, 1.0, 0.03), len(sound))


def in_room(sound: np.ndarray, wet: float, rng: np.random.Generator) -> np.ndarray:
    """Add the room's reverberation, some 0.3 s of it."""
    num = int(0.3 * RATE_HZ)
    answer = rng.standard_normal(num) * np.exp(-np.arange(num) / (0.07 * RATE_HZ))
    answer /= np.sqrt(np.sum(answer**2))
    size = 1 << 17
    step = size - num
    spectrum = np.fft.rfft(answer.astype(np.float32), size)
    out = sound.copy()
    for at in range(0, len(sound), step):
        part = sound[at : at + step]
        if part.any():
            add(out, np.fft.irfft(np.fft.rfft(part, size) * spectrum, size).astype(np.float32), at, wet)
    return out


# ---- desktop


def _game(script: Script, rng: np.random.Generator) -> np.ndarray:
    """What the game itself sounds like, following the action."""
    num = round(script.duration_s * RATE_HZ)
    level = np.interp(
        np.arange(num) / RATE_HZ * ACTION_HZ, np.arange(len(script.action)), script.action
    ).astype(np.float32)
    out = np.zeros(num, dtype=np.float32)
    if not script.streamer.is_game:
        return out
    bed = effects.band(rng, 20 * RATE_HZ, 60, 1200, -4)
    out += np.resize(bed, num) * 0.02 * (0.4 + level)
    genre = script.streamer.genre
    if genre == "racing":
        rpm = np.clip(
            60
            + 160
            * np.resize(
                np.concatenate([np.linspace(0.3, 1, int(rng.uniform(1.5, 4) * RATE_HZ)) for _ in range(9)]),
                num,
            ),
            50,
            260,
        )
        phase = np.cumsum(rpm / RATE_HZ) % 1
        return out + (0.12 * level * (phase - 0.5) * 2 * (level > 0.02)).astype(np.float32)
    bank = {
        "shooter": [effects.shot(rng) for _ in range(12)],
        "moba": [
            effects.band(rng, 9600, 400, float(rng.uniform(1500, 6000))) * np.hanning(9600) * 0.15
            for _ in range(12)
        ],
        "horror": [
            effects.band(rng, 6000, 80, 500) * np.exp(-np.arange(6000) / 1500) * 0.2 for _ in range(6)
        ],
    }[genre]
    per_s = {"shooter": 6.0, "moba": 4.0, "horror": 1.2}[genre]
    for index, value in enumerate(script.action):
        for _ in range(rng.poisson(per_s / ACTION_HZ * value**1.5)):
            at = int((index + rng.random()) / ACTION_HZ * RATE_HZ)
            add(out, bank[int(rng.integers(len(bank)))], at, float(rng.uniform(0.15, 0.8)))
    return out


def _bed(script: Script, rng: np.random.Generator) -> np.ndarray:
    """Quiet music behind everything, song after song."""
    out = np.zeros(round(script.duration_s * RATE_HZ), dtype=np.float32)
    level_db = script.streamer.bed_db
    at = float(rng.uniform(0, 20))
    while level_db is not None and at < script.duration_s:
        lasts = float(rng.uniform(90, 220))
        song = music.play(str(rng.choice(_SONGS["song"])), min(lasts, script.duration_s - at + 1), rng)
        add(out, song, int(at * RATE_HZ), linear(level_db))
        at += lasts + float(rng.uniform(1, 8))
    return out


def _effects(script: Script, in_the_room: bool, seed: int, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(round(script.duration_s * RATE_HZ), dtype=np.float32)
    for cue in script.sounds:
        if cue.name.startswith("room_") is not in_the_room:
            continue
        lasts = cue.end_s - cue.start_s
        if cue.name in _SONGS:
            sound = music.play(str(rng.choice(_SONGS[cue.name])), lasts, rng) * 1.3
        else:
            # An alert sounds the same all evening.
            source = np.random.default_rng([seed, 77]) if cue.name == "alert" else rng
            sound = effects.EFFECTS[cue.name](source, max(0.3, lasts))
        add(out, sound.astype(np.float32), int(cue.start_s * RATE_HZ), cue.strength)
    return out


def _other_voices(script: Script, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(round(script.duration_s * RATE_HZ), dtype=np.float32)
    for speaker in sorted({line.speaker for line in script.others}):
        who = draw_voice(rng)
        if speaker == "tts":
            who = Voice(
                f0_hz=118,
                range_oct=0.1,
                tract=1.0,
                breathiness=0.01,
                roughness=0,
                syllables_per_s=4.5,
                lift_db=2,
            )
        lines = [line for line in script.others if line.speaker == speaker]
        add(out, voice.render(lines, who, script.duration_s, rng), 0, 0.9 if speaker == "friend" else 1.3)
    return out


def desktop(script: Script, seed: int) -> np.ndarray:
    """What the desktop plays."""
    rng = np.random.default_rng([seed, 2])
    programme = _game(script, rng) + _bed(script, rng)
    num = len(programme)
    times = np.arange(num // HOP + 1) / FRAMES_PER_S
    is_away = np.zeros(len(times))
    for cue in script.modes:
        is_away[(times >= cue.start_s) & (times < cue.end_s)] = 1
    # Music of one's own and the game stop while an advert, a film, a menu or the pause screen has the stage.
    programme *= _per_sample(1 - voice.smooth(is_away, 30), num)
    programme += _effects(script, False, seed, rng) + _other_voices(script, rng)
    loud = frame_rms(programme, RATE_HZ)
    loud = loud[loud > 1e-4]
    usual = float(np.percentile(loud, 80)) if len(loud) else 0.1
    # Streamers set the level by what is usually heard; where next to nothing is, by the loudest.
    return limited(programme * linear(script.streamer.desk_db) / max(usual, 0.03))


# ---- microphone


def _keys(script: Script, rng: np.random.Generator) -> np.ndarray:
    num = round(script.duration_s * RATE_HZ)
    out = np.zeros(num, dtype=np.float32)
    bank = [effects.key(rng) for _ in range(20)]
    for index, value in enumerate(script.action):
        for _ in range(rng.poisson(0.5 * value + (0.02 if script.streamer.is_game else 0.005))):
            add(
                out,
                bank[int(rng.integers(20))],
                int((index + rng.random()) / ACTION_HZ * RATE_HZ),
                float(rng.uniform(0.3, 1)),
            )
    return out * linear(script.streamer.key_db)


def _surroundings(script: Script, rng: np.random.Generator) -> np.ndarray:
    """Fan and hum at home; a street with passing cars, or a pan that sizzles; root mean square about 1."""
    num = round(script.duration_s * RATE_HZ)
    low, high, slope = {"irl": (60, 3000, -5), "cooking": (1500, 9000, 0)}.get(
        script.streamer.genre, (40, 6000, -3)
    )
    noise = np.resize(effects.band(rng, 30 * RATE_HZ, low, high, slope), num)
    if script.streamer.genre in ("irl", "cooking"):
        points = np.exp(rng.normal(0, 0.6, int(script.duration_s / 8) + 2))
        noise = noise * np.interp(np.arange(num) / RATE_HZ / 8, np.arange(len(points)), points)
    return noise.astype(np.float32) + 0.3 * np.sin(
        2 * np.pi * 50 / RATE_HZ * np.arange(num), dtype=np.float32
    )


def microphone(script: Script, desk: np.ndarray, seed: int) -> np.ndarray:
    """What the microphone hears and the streamer's filters make of it."""
    rng = np.random.default_rng([seed, 3])
    streamer = script.streamer
    speech = voice.render(script.lines, streamer.voice, script.duration_s, rng)
    level = frame_rms(speech)
    talking = level[level > 0.02]
    usual = float(np.sqrt(np.mean(talking**2))) if len(talking) else 0.1
    speech += _effects(script, True, seed, rng) * usual * 5
    sound = in_room(speech, streamer.room, rng) * (linear(streamer.mic_db) / usual)
    sound += _keys(script, rng) * linear(streamer.mic_db) * 4
    delay = int(0.004 * RATE_HZ)
    sound[delay:] += desk[:-delay] * linear(streamer.bleed_db)
    sound += _surroundings(script, rng) * linear(streamer.floor_db)
    if streamer.has_gate:
        sound = gated(sound, streamer.mic_db - 22)
    if streamer.ratio > 1:
        sound = compressed(sound, streamer.mic_db, streamer.ratio)
    muted = np.zeros(len(level) + 1)
    times = np.arange(len(muted)) / FRAMES_PER_S
    for cue in script.modes:
        if cue.name == "pause":
            muted[(times >= cue.start_s) & (times < cue.end_s)] = 1
    return limited(sound * _per_sample(1 - muted, len(sound)))


def mixed(mic: np.ndarray, desk: np.ndarray) -> np.ndarray:
    """Both in one track, as most recordings have it."""
    return limited(mic + desk)
