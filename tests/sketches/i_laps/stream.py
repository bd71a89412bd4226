"""Streams of racing games and speedruns: laps, splits, personal bests, crashes, runs reset, long silence between."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from tests.sketches.i_laps.cast import Cast
from tests.sketches.i_laps.chat import chat_of
from tests.sketches.i_laps.desk import band_noise, engine, feet, put, scene_music
from tests.sketches.i_laps.play import Stage
from tests.sketches.i_laps.recipes import plan
from tests.sketches.i_laps.track import Track, tracks_of
from tests.sketches.i_laps.truth import spans_of
from tests.sketches.i_laps.view import frames_of
from tests.sketches.sketch import RATE_HZ, Sketch, Sound

_STEP = RATE_HZ // 10


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """The stream of one racer or speedrunner."""
    cast = Cast(np.random.default_rng([seed, 0]))
    beats = plan(cast, duration_s, np.random.default_rng([seed, 1]))
    heard, seen, laps = tracks_of(cast, beats, duration_s, np.random.default_rng([seed, 2]))
    stage, at_s = Stage(cast, duration_s, seed), 0.0
    for beat in beats:
        stage.idle(at_s, beat.start_s)
        stage.beat(beat)
        at_s = beat.end_s
    stage.idle(at_s, duration_s)
    stage.desk += [("lap", at_s, 0.8) for at_s in laps]
    desktop = _desktop(stage, heard, np.random.default_rng([seed, 3]))
    body = stage.voice.loudness(round(10 * duration_s)) * np.float32(cast.animation)
    moments, decoys = spans_of(beats, stage, duration_s)
    return Sketch(
        duration_s=duration_s,
        mic=_mic(stage, desktop, np.random.default_rng([seed, 4])),
        desktop=desktop,
        frames=functools.partial(frames_of, cast, seen, body, seed),
        segs=stage.segments(),
        chat=chat_of(cast, stage.bursts, duration_s, np.random.default_rng([seed, 5])),
        num_viewers=cast.num_viewers,
        moments=moments,
        decoys=decoys,
    )


def _desktop(stage: Stage, track: Track, rng: np.random.Generator) -> Sound:
    """Game, music, alerts and the guest, set to the streamer's level."""
    cast = stage.cast
    out = scene_music(cast, track, round(RATE_HZ * stage.duration_s), rng)
    sounds = [] if cast.is_race else feet(track, rng)
    if cast.is_race:
        engine(out, cast, track, rng)
    bed = max(0.05, float(np.sqrt(np.mean(out**2))))
    # Crashes, chimes and alerts stand out from the game as much as this streamer has set them to.
    louder = cast.loud_sounds * max(1.0, bed / 0.3)
    put(out, sounds + [(name, at_s, gain * louder) for name, at_s, gain in stage.desk], rng)
    out += np.float32(2) * stage.guest.play(len(out))
    return _limited(out, 10 ** (cast.desk_db / 20) / bed)


def _mic(stage: Stage, desktop: Sound, rng: np.random.Generator) -> Sound:
    """The voice, the room, the keys, and what the speakers leak, at the streamer's level."""
    cast, out = stage.cast, stage.voice.play(len(desktop))
    presses = rng.uniform(0, stage.duration_s, rng.poisson(cast.button_rate * stage.duration_s))
    # Keys come in flurries.
    bunched = (presses // 1 + (presses % 1) ** 3).tolist()
    room = [("key", at_s, float(rng.uniform(0.01, 0.05))) for at_s in bunched]
    for name, at_s, gain in stage.room:
        mashed = [("key", at_s + 0.09 * i, 0.15 * gain) for i in range(22)]
        room += mashed if name == "mash" else [(name, at_s, 0.6 * gain)]
    put(out, room, rng)
    # A compressor: what is loud is held back, by a gain that follows the loudness of each tenth of a second.
    out *= _held(np.maximum(1.0, _sizes(out) / 0.08) ** -cast.squash, len(out)) * 10 ** (cast.mic_db / 20 + 1)
    leak = np.float32(10 ** (cast.leak_db / 20))
    out[160:] += leak * (desktop[160:] + desktop[:-160])
    if cast.gate:
        # The microphone is shut where nothing louder than a breath has been for a while.
        sizes = _sizes(out)
        is_open = np.convolve(sizes > 0.12 * np.quantile(sizes, 0.95), np.ones(9), "same") > 0
        out *= _held(np.where(is_open, 1.0, 0.02), len(out))
    hiss = band_noise(1 << 16, 60, rng.uniform(1500, 7000), rng).astype(np.float32)
    out += np.resize(hiss, len(out)) * np.float32(10 ** (cast.hiss_db / 20 + 0.5 - 0.9 * cast.gate))
    return _limited(out, 1.0)


def _sizes(wave: Sound) -> npt.NDArray[np.float64]:
    """The RMS of each tenth of a second."""
    tenths = np.append(wave, np.zeros(-len(wave) % _STEP, np.float32)).reshape(-1, _STEP)
    return np.asarray(np.sqrt(np.mean(tenths**2, axis=1)), np.float64)


def _held(tenths: npt.NDArray[np.float64], length: int) -> Sound:
    """One value for each tenth of a second, as samples."""
    return np.repeat(tenths.astype(np.float32), _STEP)[:length]


def _limited(out: Sound, gain: float) -> Sound:
    """The sound at this gain, its peaks rounded off below full scale."""
    out *= np.float32(gain)
    high = np.abs(out) > 0.7
    out[high] = np.sign(out[high]) * (0.7 + 0.28 * np.tanh((np.abs(out[high]) - 0.7) / 0.28))
    return out
