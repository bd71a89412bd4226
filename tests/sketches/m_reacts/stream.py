"""Streams of a person who sits before a camera, talks with the chat and watches videos."""

from __future__ import annotations

import numpy as np

from tests.sketches.m_reacts.noises import breath, chime, crowd, hiss, music, room
from tests.sketches.m_reacts.people import Cue, Floats, Persona, Rng, Script, draw_persona
from tests.sketches.m_reacts.pics import Studio
from tests.sketches.m_reacts.plan import write_script
from tests.sketches.m_reacts.voice import Voice
from tests.sketches.m_reacts.words import Teller, chatter, recognise
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sketch, Sound

_BREATHS = ("gasp", "sniff", "cough", "sneeze", "huff")
_LOUDER_DB = 14.0  # of a full shout over talk


def _lay(out: Sound, at_s: float, y: Sound, gain: float) -> None:
    a = int(at_s * RATE_HZ)
    if a < 0:
        a, y = 0, y[-a:]
    y = y[: max(len(out) - a, 0)]
    out[a : a + len(y)] += y * np.float32(gain)


def _from_throat(rng: Rng, voice: Voice, cue: Cue) -> Sound:
    if cue.kind in _BREATHS:
        return breath(rng, cue.kind, cue.length)
    if cue.kind == "shout":
        return voice.cry_out(cue.length)
    if cue.kind in ("laugh", "giggle"):
        return voice.laugh(cue.length, cue.size if cue.kind == "laugh" else 0.2)
    return room(rng, cue.kind, cue.length)


def _microphone(rng: Rng, who: Persona, script: Script, n: int) -> Sound:
    """The streamer, visitors and the things in the room, plain talk at strength 1."""
    me = Voice(rng, who.pitch_hz, who.throat)
    visitor = Voice(rng, float(rng.uniform(150, 320)), float(rng.uniform(1.0, 1.3)))
    out = np.zeros(n, np.float32)
    rise = _LOUDER_DB * (1 - who.squash)
    for line in script.lines:
        if line.who in ("me", "room"):
            voice = me if line.who == "me" else visitor
            y = voice.speak(line.text, line.end - line.at, line.energy, line.mood)
            far = 0 if line.who == "me" else -9
            _lay(out, line.at, y, 10 ** ((rise * line.energy + far + rng.normal(0, 1.2)) / 20))
    for cue in script.mic:
        lift = (
            rise * cue.size - 4
            if cue.kind in ("shout", "laugh", "giggle")
            else 20 * np.log10(max(cue.size, 0.3))
        )
        _lay(out, cue.at, _from_throat(rng, me, cue), 10 ** (lift / 20))
    for late_ms, share in ((11, 0.16), (23, 0.1), (37, 0.06)):  # the walls
        late = int(late_ms * who.throat * RATE_HZ / 1000)
        out[late:] += np.float32(share) * out[:-late]
    return out


def _video_voices(rng: Rng, script: Script, teller: Teller, out: Sound) -> None:
    """Somebody speaks in each video, with music below and people about."""
    for p in script.phases:
        if p.what != "watch" or p.end - p.start < 1:
            continue
        length = p.end - p.start
        hosts = [Voice(rng, float(rng.uniform(90, 230)), float(rng.uniform(0.9, 1.2))) for _ in range(2)]
        style = {"trailer": "synth", "sport": "", "gaming": "synth", "essay": "lofi"}.get(p.look, "pop")
        if style:
            _lay(out, p.start, music(rng, length, style), float(rng.uniform(0.08, 0.7)))
        if p.look in ("sport", "show"):
            _lay(out, p.start, crowd(rng, length, "murmur", []), float(rng.uniform(0.2, 0.8)))
        t = p.start + 0.5
        while t < p.end - 5:
            text = teller.draw("video")
            lasts, heat = len(text) / rng.uniform(14, 19), float(np.clip(rng.normal(0.15, 0.2), -0.1, 0.9))
            host = hosts[int(rng.random() < 0.3)]
            _lay(out, t, host.speak(text, lasts, heat), 10 ** (0.5 * heat))
            t += lasts + rng.exponential(0.5 if p.look in ("vlog", "essay") else 1.8)


def _desktop(rng: Rng, who: Persona, script: Script, teller: Teller, n: int) -> Sound:
    """Videos, calls, alerts and music; a programme at strength about 1."""
    out = np.zeros(n, np.float32)
    _video_voices(rng, script, teller, out)
    people = [Voice(rng, float(f), float(rng.uniform(0.9, 1.2))) for f in rng.uniform(100, 260, 4)]
    guest, robot = people[0], people[1]
    loud = _desk_cues(rng, script, people, n)
    for line in script.lines:
        if line.who in ("guest", "tts", "video"):
            voice = {"guest": guest, "tts": robot}.get(line.who, people[2])
            y = voice.speak(line.text, line.end - line.at, line.energy, line.mood)
            _lay(loud if line.who != "video" else out, line.at, y, 10 ** (0.5 * line.energy))
    for a, b in script.pauses:
        out[max(int(a * RATE_HZ), 0) : int(b * RATE_HZ)] = 0
    out += loud
    for p in script.phases:
        if who.music and p.what not in ("watch", "debate") and p.end - p.start > 1:
            _lay(out, p.start, music(rng, p.end - p.start, who.music), float(rng.uniform(0.06, 0.3)))
    return out


def _desk_cues(rng: Rng, script: Script, people: list[Voice], n: int) -> Sound:
    out = np.zeros(n, np.float32)
    for c in script.desk:
        length = max(c.length, 0.4)
        if c.kind in ("roar", "laughter"):
            y = crowd(rng, length, c.kind, people)
        elif c.kind == "shouter":
            y = people[2].cry_out(length)
        elif c.kind in ("jingle", "tune", "soft"):
            y = music(rng, length, "soft" if c.kind == "soft" else "pop") * np.float32(
                0.4 if c.kind == "soft" else 0.9
            )
        else:
            y = chime(rng, c.kind, length)
        _lay(out, c.at, y, c.size)
    return out


def _finish(x: Sound) -> Sound:
    """A limiter: all is straight up to 0.7, and bends above."""
    over = np.abs(x) > 0.7
    part = x[over]
    x[over] = np.sign(part) * (0.7 + 0.29 * np.tanh((np.abs(part) - 0.7) / 0.29))
    return x


def _loudness(x: Sound, step: int) -> Floats:
    """Root mean square over steps."""
    rows = x[: len(x) // step * step].reshape(-1, step)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64) / step), np.float64)


def _noise(rng: Rng, who: Persona, voice: Sound) -> Sound:
    """Hiss of the microphone, shut off between the words where there is a gate."""
    n = len(voice)
    level = np.full(n, 10 ** (who.noise_db / 20))
    if who.gate:
        block = RATE_HZ // 10
        is_open = np.convolve(_loudness(voice, block) > 0.1, np.ones(5), "same") > 0
        level *= np.pad(np.repeat(is_open, block), (0, n))[:n] + 0.02
    return hiss(rng, level, 0)


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream by one streamer."""
    who = draw_persona(np.random.default_rng([seed, 0]))
    teller = Teller(np.random.default_rng([seed, 1]), who)
    script = write_script(np.random.default_rng([seed, 2]), who, teller, duration_s)
    n = round(RATE_HZ * duration_s)
    mic = _microphone(np.random.default_rng([seed, 3]), who, script, n)
    desktop = _desktop(np.random.default_rng([seed, 4]), who, script, teller, n) * np.float32(
        10 ** (who.desk_db / 20)
    )
    voice = _loudness(mic, RATE_HZ // FRAMES_PER_S)
    if who.duck:
        talking = np.convolve(voice > 0.2, np.ones(5) / 5, "same")
        gain = np.interp(np.arange(n), np.arange(len(talking)) * 1600, 1 - 0.65 * talking)
        desktop *= gain.astype(np.float32)
    noise = _noise(np.random.default_rng([seed, 5]), who, mic)
    mic = mic * np.float32(10 ** (who.mic_db / 20)) + noise
    if who.leak:
        mic[160:] += np.float32(who.leak) * desktop[:-160]
    num = round(FRAMES_PER_S * duration_s)
    chat = chatter(np.random.default_rng([seed, 6]), who, teller, script, duration_s)
    level = np.resize(np.pad(np.clip(voice * 0.6, 0, 1.3), (0, 2)), num)
    studio = Studio(np.random.default_rng([seed, 7]), who, script, num, level)
    studio.scrolled = np.searchsorted([at for at, _ in chat], np.arange(num) / FRAMES_PER_S)
    return Sketch(
        duration_s=duration_s,
        mic=_finish(mic),
        desktop=_finish(desktop),
        frames=studio.frames,
        segs=recognise(np.random.default_rng([seed, 8]), who, script.lines),
        chat=chat,
        num_viewers=who.viewers,
        moments=tuple(script.moments),
        decoys=tuple(script.decoys),
    )
