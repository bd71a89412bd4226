"""A stream of f_arena as it arrives: tracks after room, gain control and gate, and the recogniser's lines."""

from __future__ import annotations

import re

import numpy as np

from tests.sketches.f_arena.parts import Rng, make_noise, mix, tables
from tests.sketches.f_arena.stage import Said, Stream
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sound

_BLOCK = 320  # gain control looks at 20 ms at a time


def record(stream: Stream) -> None:
    """Finish the tracks: beds of noise, the game's small sounds, the room, gain control and a gate."""
    rng, mic, desktop, long_s = stream.rng, stream.mic, stream.desktop, stream.duration_s
    _add_game(stream)
    np.tanh(desktop, out=desktop)
    num_keys = rng.poisson(rng.choice([0, 0.3, 2]) * long_s)
    stream.cue(rng.uniform(0, long_s, num_keys), "key", -34, -16, on_mic=True)
    for delay in rng.integers(130, 1500, 5) if rng.random() < 0.5 else ():
        mic[delay:] += np.float32(rng.uniform(0.03, 0.25)) * mic[:-delay]
    mic += np.float32(stream.leak) * desktop
    noise = make_noise(rng, 11 * RATE_HZ, rng.uniform(0, 1))
    mix(mic, 0, np.resize(noise, len(mic)), rng.uniform(-80, -42))
    mic *= np.resize(np.repeat(_control_gain(rng, mic), _BLOCK), len(mic))
    if rng.random() < 0.4:
        np.clip(mic, -1, 1, out=mic)
    else:
        np.tanh(mic, out=mic)


def _add_game(stream: Stream) -> None:
    """A bed of noise, an engine, music, and small sounds that come oftener in the heat of a fight."""
    rng, desktop, heat, long_s = stream.rng, stream.desktop, stream.shown["heat"], stream.duration_s
    noise = make_noise(rng, 9 * RATE_HZ, rng.uniform(0.5, 1.2))
    mix(desktop, 0, np.resize(noise, len(desktop)), rng.uniform(-55, -32))
    if stream.genre == "racing":
        fast = stream.shown["pace"] + rng.normal(0.5, 0.8, len(heat))
        speed = np.convolve(fast, np.ones(25) / 25, "same")
        phase = np.cumsum(np.repeat(70 + 60 * speed, RATE_HZ // FRAMES_PER_S)) / RATE_HZ
        mix(desktop, 0, 2 * (phase % 1) - 1, stream.game_db - 26)
    if rng.random() < 0.5:
        mix(desktop, 0, stream.song(long_s), rng.uniform(-48, -27))
    for at_s in rng.uniform(0, long_s - 1, rng.poisson(1.4 * stream.rate_hz * long_s)):
        if rng.random() * 1.4 < 0.12 + heat[int(at_s * FRAMES_PER_S)]:
            stream.cue([at_s], str(rng.choice(stream.small)), -14, 0)


def _control_gain(rng: Rng, mic: Sound) -> list[float]:
    """A gain for each block: quick to turn down, slow to turn up; a gate opens two blocks early and stays 0.2 s."""
    blocks = np.sqrt(np.square(mic[: len(mic) // _BLOCK * _BLOCK]).reshape(-1, _BLOCK).mean(axis=1)) + 1e-5
    ratio, gate, slow, gains = rng.choice([0, 0.3, 0.7]), rng.choice([0, 0, 0.004]), blocks.mean(), []
    for place, level in enumerate(blocks):
        slow += (level - slow) * (0.1 if level > slow else 0.003)
        is_open = blocks[max(0, place - 10) : place + 2].max() >= gate
        gains.append((0.05 / max(slow, 0.005)) ** ratio * is_open)
    return gains


def recognise(stream: Stream) -> tuple[tuple[float, float, str], ...]:
    """What a recogniser makes of it: slips, gaps, joined sentences and words that nobody said."""
    rng, lines = stream.rng, [(0.0, 0.0, "")]
    slips, join_s, most_s = rng.uniform(0.01, 0.2), rng.uniform(0.2, 1.0), rng.uniform(3, 10)
    ghosts = [
        Said(at_s, at_s + 1.5, stream.phrase("hallucinated"), 0.0, 0)
        for at_s in rng.uniform(0, stream.duration_s - 3, 2)
    ]
    for said in sorted(stream.says + ghosts):
        words = _mishear(rng, said, slips)
        start_s = max(lines[-1][0], said.start_s + rng.normal(0, 0.12))
        end_s = said.end_s + rng.normal(0.05, 0.15)
        if not words or end_s < start_s + 0.1 or rng.random() < _how_deaf(stream, said):
            continue
        if start_s - lines[-1][1] < join_s and end_s - lines[-1][0] < most_s:
            first_s, last_s, before = lines.pop()
            start_s, end_s, words = first_s, max(end_s, last_s), f"{before} {words}".strip()
        lines.append((start_s, end_s, words))
    return tuple(
        (start_s, min(end_s, stream.duration_s), words.capitalize() if stream.tight > 0.3 else words)
        for start_s, end_s, words in lines
        if words
    )


def _how_deaf(stream: Stream, said: Said) -> float:
    """How likely a line is missed: a laugh, friends in the headphones, a scream."""
    if "haha" in said.text:
        return 0.6
    return 1 - 6 * stream.leak if said.who else 0.03 + 0.12 * max(0, said.energy)


def _mishear(rng: Rng, said: Said, slips: float) -> str:
    wrong = {word: heard.split(",") for word, heard in (line.split("=") for line in tables()["confused"])}
    plain = re.sub(r"(\w)\1{2,}", r"\1", "haha" if "haha" in said.text else said.text.lower()).split()
    heard = [
        str(rng.choice(wrong[word])) if word in wrong and rng.random() < slips else word for word in plain
    ]
    lost = slips * (0.4 + max(0, said.energy))
    return " ".join(word for word in heard if rng.random() > lost).strip(",")
