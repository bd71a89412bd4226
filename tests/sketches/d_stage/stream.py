"""Streams of variety streamers: every kind of moment has a course of its own, and decoys share single signs with it.

Both draw their signs alike; that several signs follow from one another tells them apart. Tables: words.txt.
Invariant: moments and decoys lie at least 8 s apart, and a seed gives one stream.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tests.sketches.d_stage.beats import ANSWER, BUILD, DECAY, PEAK, Beat, Mood, lay_out_beats, mood_in
from tests.sketches.d_stage.parts import Floats, Line, Rng, Voice, World, add, effect, hiss, sounding_s, table
from tests.sketches.d_stage.picture import draw_pictures
from tests.sketches.d_stage.truth import tell_moment
from tests.sketches.sketch import RATE_HZ, Sketch, Sound, Span

_BLOCK = 800  # gain control looks at 50 ms at a time


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """Return the stream of this seed; 3 to 10 moments in ten minutes, fewer where it is shorter."""
    rng = np.random.default_rng((seed, 41))
    world = World(duration_s, rng)
    beats = lay_out_beats(world, rng)
    lines = _script(world, beats, world.streamer, "streamer", rng)
    for beat in beats:  # a cut often starts with the words that open it
        starts_s = [line.start_s - 0.15 for line in lines]
        near_s = [start_s for start_s in starts_s if abs(start_s - beat.start_s) < 1]
        if beat.is_moment and near_s and rng.random() < 0.6:
            beat.start_s = near_s[0]
    mic, desktop = _record(world, beats, lines, rng)
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=functools.partial(draw_pictures, world, beats, lines, seed),
        segs=tuple(_recognise(world, beats, lines, rng)),
        chat=tuple(_chat(world, beats, rng)),
        num_viewers=world.num_viewers,
        moments=tuple(tell_moment(beat, world) for beat in beats if beat.is_moment),
        decoys=tuple(
            Span(start_s=beat.start_s, end_s=beat.end_s, kind=beat.kind)
            for beat in beats
            if not beat.is_moment
        ),
    )


def _script(world: World, beats: Sequence[Beat], voice: Voice, part: str, rng: Rng) -> list[Line]:
    """What one person (streamer, friend or announcer) says and laughs, in order and never two at once."""
    lines, at_s = list[Line](), rng.uniform(0.5, 4)
    is_announcer, slow = part == "announcer", 3.0 if part == "friend" else 1.0
    while at_s < world.duration_s - 1.5:
        beat = next((beat for beat in beats if at_s < beat.marks[5]), None)
        inside = beat if beat and at_s >= beat.marks[BUILD] else None
        arousal = rng.normal(0, 0.1) + (rng.uniform(0.2, 0.7) if rng.random() < 0.06 else 0)
        if inside:
            mood = mood_in(inside, at_s, part, rng)
        else:
            until_s = float(beat.marks[BUILD if is_announcer else PEAK]) if beat else world.duration_s
            mood = Mood("" if is_announcer else "talk", arousal, world.pause_s, until_s, 0.025)
        if not mood.section:
            at_s = mood.until_s + rng.uniform(0.02, 0.2)
            continue
        spoken = _choose_words(world, inside, voice, mood, rng)
        fit = min(1.0, (mood.until_s - at_s) / spoken.length_s)  # what happens cuts a sentence off
        end_s = min(at_s + max(spoken.length_s * fit, 0.15), world.duration_s)
        words = spoken.text.split()
        text = " ".join(words[: max(1, round(len(words) * fit))])
        lines.append(Line(at_s, end_s, text, spoken.arousal, mood.section == "say.music"))
        if inside and inside.is_marked_by(lines[-1], mood.section):
            inside.traces.append((at_s, end_s))
        wake_s = mood.until_s + rng.uniform(0.05, 0.5)
        at_s = end_s + 0.08 + rng.exponential(mood.pause_s * slow)
        if beat and not is_announcer and any(beat.signs[sign] for sign in ("voice", "words", "laugh")):
            at_s = max(end_s + 0.05, min(at_s, wake_s))  # a reaction does not wait for the next turn
    return lines


class _Spoken(NamedTuple):
    text: str  # empty where it is laughter
    arousal: float
    length_s: float


def _choose_words(world: World, inside: Beat | None, voice: Voice, mood: Mood, rng: Rng) -> _Spoken:
    arousal = float(np.clip(mood.arousal * voice.expressive + rng.normal(0, 0.08), -0.8, 1.8))
    if rng.random() < mood.laugh:
        size = inside.signs["laugh"] if inside else 0.0
        return _Spoken("", 0.1 + 0.5 * size, rng.uniform(0.6, 1.3 + 1.6 * size))
    text = world.phrase(mood.section, rng)
    if arousal > 0.7 and len(text) < 20 and rng.random() < 0.4:
        text = " ".join([text] * int(rng.integers(2, 4)))
    pace_hz = voice.syllables_hz * rng.uniform(0.85, 1.15)
    pace_hz *= 1.3 if inside and inside.flag == "fast" else 1.0
    if mood.section == "say.music" or (arousal > 0.9 and rng.random() < 0.4):  # drawn out
        pace_hz *= rng.uniform(0.35, 0.7)
    return _Spoken(text, arousal, (len(re.findall("[aeiou]", text)) + 0.6) / pace_hz)


def _record(world: World, beats: Sequence[Beat], lines: Sequence[Line], rng: Rng) -> tuple[Sound, Sound]:
    """The microphone and the desktop."""
    num, game = round(RATE_HZ * world.duration_s), 10 ** (rng.normal(-22, 5) / 20)
    mic, desktop = np.zeros(num, np.float32), np.zeros(num, np.float32)
    for line in lines:
        world.streamer.speak(mic, line, rng)
    announcer = Voice(rng, rng.normal(-22, 3))
    for voice in (announcer, *world.friends):
        part = "announcer" if voice is announcer else "friend"
        for line in _script(world, beats, voice, part, rng):
            voice.speak(desktop, line, rng)
    for name, rate_hz in world.ordinary_sounds:
        kept = [effect(name, 2, rng) for _ in range(3)]
        busy_s = rng.lognormal(0, 0.5) * world.duration_s
        for at_s in rng.uniform(0, world.duration_s, rng.poisson(float(rate_hz) * busy_s)):
            add(desktop, at_s, kept[rng.integers(3)], game * rng.lognormal(-0.4, 0.4))
    near = 10 ** ((world.streamer.level_db + 10) / 20)
    for beat in beats:
        for track, sign, level in ((mic, "mic", near), (desktop, "desktop", game)):
            for cue in beat.cues(sign, rng):
                sound = effect(cue.name, cue.length_s, rng)
                add(track, cue.at_s, sound, level * 10 ** ((1 + 7 * cue.strength) / 20))
                beat.traces.append((cue.at_s, cue.at_s + sounding_s(cue.name, cue.length_s)))
    highest_hz = rng.uniform((300, 2000), (2500, 7500))
    noise = [hiss(17 * RATE_HZ, 50, high_hz, rng).astype(np.float32) for high_hz in highest_hz]
    desktop += np.resize(noise[0], num) * np.float32(game * 10 ** (rng.uniform(-34, -14) / 20))
    heard = np.repeat(rng.random(num // (30 * RATE_HZ) + 1) > 0.2, 30 * RATE_HZ)[:num] * (rng.random() < 0.6)
    song = np.resize(effect("song", 60, rng).astype(np.float32), num)
    desktop += song * heard * np.float32(game * rng.uniform(0.05, 0.35))
    _colour_mic(mic, desktop, noise[1], rng)
    return np.tanh(mic), np.tanh(desktop)


def _colour_mic(mic: Floats, desktop: Floats, noise: Floats, rng: Rng) -> None:
    """The room's echoes, what loudspeakers leak, noise, and in a third of the streams gain control."""
    delays, gains = rng.integers(60, 2000, 5), rng.uniform(0, 0.35) * np.geomspace(1, 0.2, 5)
    for delay, gain in zip(delays, gains, strict=True):
        mic[delay:] += np.float32(gain) * mic[:-delay]
    mic += desktop * np.float32((rng.random() < 0.3) * 10 ** (rng.uniform(-28, -10) / 20))
    mic += np.resize(noise, len(mic)) * np.float32(10 ** (rng.uniform(-76, -50) / 20))
    if rng.random() < 0.35:  # quick to turn down, slow to turn up
        now = 1.0
        blocks = mic[: len(mic) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
        for place, wanted in enumerate(np.clip(0.06 / (blocks.std(axis=1) + 0.004), 0.3, 5)):
            now += float(wanted - now) * (0.15 if wanted < now else 0.008)
            blocks[place] *= np.float32(now)


def _recognise(
    world: World, beats: Sequence[Beat], lines: Sequence[Line], rng: Rng
) -> list[tuple[float, float, str]]:
    """What a recogniser makes of the lines: joined, misheard, shifted, some missed, some made up."""
    wrong, has_stops, segs = rng.beta(1.5, 14), rng.random() < 0.6, [(-9.0, -9.0, "")]
    for line in lines:
        text = line.text or "ha" * int(rng.integers(2, 5)) * (rng.random() < 0.35)
        for word, heard in (pair.split(">") for pair in table("misheard")):
            text = re.sub(rf"\b{word}\b", heard, text) if rng.random() < 2 * wrong else text
        lost = 0.35 * wrong * (1 + max(line.arousal, 0))
        text = " ".join(word for word in text.split() if rng.random() > lost)
        if not text or rng.random() < 0.02 + 0.08 * (line.arousal > 1.1):
            continue
        if has_stops:
            text = text[0].upper() + text[1:] + ("!" if line.arousal > 0.8 else ".")
        else:
            text = text.lower()
        start_s = max(0.0, line.start_s + rng.normal(0, 0.1))
        end_s = line.end_s + abs(rng.normal(0, 0.15))
        if start_s - segs[-1][1] < 0.6 and end_s - segs[-1][0] < 9 and rng.random() < 0.6:
            start_s, _, before = segs.pop()
            text = f"{before} {text}"
        segs.append((start_s, max(end_s, start_s + 0.2), text))
    noisy_s = [beat.marks[ANSWER] + 1 for beat in beats if beat.kind in ("noise", "pet", "music", "cough")]
    for at_s in (*noisy_s, world.duration_s / 3):
        made_up = (at_s, at_s + rng.uniform(0.5, 3), world.phrase("hallucinated", rng))
        segs += [made_up] * (rng.random() < 0.5)
    return sorted((float(start), float(min(end, world.duration_s)), text) for start, end, text in segs[1:])


def _chat(world: World, beats: Sequence[Beat], rng: Rng) -> list[tuple[float, str]]:
    """A steady murmur, small bursts about nothing, and answers that lag behind the beats."""
    rate_hz, last_s = world.chat_hz, world.duration_s
    posts = [(at_s, "talk") for at_s in rng.uniform(0, last_s, rng.poisson(rate_hz * last_s))]
    bursts_s = np.repeat(rng.uniform(0, last_s, 5), rng.poisson(5 * rate_hz, 5))
    posts += [(at_s + rng.exponential(3), "talk") for at_s in bursts_s]
    for beat in beats:
        peak_s = beat.marks[PEAK]
        spread_s = 1.4 + 0.18 * (beat.marks[DECAY] - peak_s)
        size = 8 * rate_hz * rng.uniform(5, 12) + rng.uniform(0.6, 3)
        for _ in range(rng.poisson(beat.signs["chat"] * size)):
            lag_s = world.chat_lag_s * rng.uniform(0.9, 1.1)
            at_s = peak_s + lag_s + rng.gamma(2, 0.8) + rng.gamma(1.4, spread_s)
            if rng.random() < (0.18 if beat.kind == "clutch" else 0.04):  # they see it coming
                at_s = rng.uniform(beat.marks[BUILD], peak_s) + 2
            posts.append((at_s, beat.kind if rng.random() < 0.88 else "talk"))
    chat, spam = list[tuple[float, str]](), world.phrase("chat.copypasta", rng)
    for at_s, kind in sorted(posts) if rate_hz else ():
        is_spam = kind == "copypasta" and rng.random() < 0.8
        text = spam if is_spam else world.phrase(f"chat.{kind}", rng)
        drawn_out = text[-1] * int(rng.integers(0, 6)) * (rng.random() < 0.08)
        chat.append((float(at_s), text + drawn_out))
    return [(at_s, text) for at_s, text in chat if at_s < last_s]
