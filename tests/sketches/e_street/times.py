"""What happens in a stream of e_street: ordinary life, moments, decoys, and what nobody does on purpose."""

from __future__ import annotations

import numpy as np

from tests.sketches.e_street.parts import Rng, Voice, music, rows, table, tone
from tests.sketches.e_street.stage import Stage
from tests.sketches.guide import Sign, from_signs
from tests.sketches.sketch import Span

SIGNS = ("setup", "words", "laugh", "voice", "room", "picture", "chat")
# Moods that ordinary talk seldom has or never.
_STRIKING = ("shout", "squeal", "laughing", "angry", "hush")
_PLAIN = ("words", "laugh", "voice")  # at least two of them, mostly
_FADE_S = 0.4  # what a picture does is weak so long before its end
_LASTING = ("siren", "horn", "beep", "ring", "bark", "baby", "scales", "whistle")  # tones that come once
_MOODS = {
    "calm": 0.5,
    "bright": 0.21,
    "flat": 0.1,
    "fast": 0.08,
    "tense": 0.04,
    "laughing": 0.03,
    "squeal": 0.02,
    "angry": 0.02,
}


def play_ordinary(stage: Stage, start_s: float, end_s: float) -> None:
    """Talk, rests, small laughs, music where somebody plays, bursts of chat between two times."""
    rng, at_s = stage.rng, start_s + stage.rng.uniform(0.2, 3)
    while at_s < end_s - 1.2:
        roll = rng.random()
        if stage.genre == "music" and roll < 0.25 and end_s - at_s > 6:
            at_s = _play_piece(stage, at_s, min(end_s, at_s + rng.uniform(6, 35)))
        elif roll < 0.25 + 0.03 * stage.merry:
            friend = stage.friend if rng.random() < 0.4 else None
            where = stage.friend_on if friend else "mic"
            at_s = stage.laugh(at_s, rng.uniform(0.6, 1.8), friend or stage.host, where, -5)
        elif roll < 0.5 and stage.friend:
            at_s = stage.say(at_s, stage.text("say"), "calm", end_s, stage.friend, stage.friend_on)
        else:
            mood = str(rng.choice(list(_MOODS), p=list(_MOODS.values())))
            at_s = stage.say(at_s, stage.text("say"), mood, end_s)
        if rng.random() < 0.02:
            stage.react(at_s, "chat", rng.uniform(0.5, 2))
        rest_s = 4 * (1 - min(stage.talk, 0.95)) / stage.talk
        at_s += rng.uniform(0.15, 0.8) if rng.random() < 0.5 else rng.exponential(rest_s)


def _play_piece(stage: Stage, at_s: float, end_s: float) -> float:
    rng = stage.rng
    stage.put("mic", at_s, music(rng, end_s - at_s) * np.float32(rng.lognormal(0.2, 0.3)))
    while rng.random() < 0.8 and at_s < end_s - 3:
        at_s = stage.say(at_s, stage.text("lyric"), "sing", end_s) + rng.exponential(1)
    return end_s


def play_moment(stage: Stage, kind: str, start_s: float, lead_s: float, answer_s: float) -> Span:
    """What leads up to a peak and what answers it; each sign has its own chance; two are plain, mostly.

    Returns:
        Where it begins and ends.
    """
    rng, row = stage.rng, rows("moments")[kind]
    peak_s, end_s = start_s + lead_s, start_s + lead_s + answer_s
    has = {
        sign: rng.random() < float(chance) * stage.temper
        for sign, chance in zip(SIGNS, row[3:10], strict=True)
    }
    while sum(has[sign] for sign in _PLAIN) < 2 and rng.random() < 0.95:
        has[str(rng.choice(_PLAIN, p=[0.4, 0.4, 0.2]))] = True
    force, at_s = rng.lognormal(0, 0.3), start_s + rng.uniform(0, 0.3)
    before, moods = (choice.split(",") for choice in row[10:12])
    sets_up, traces = has["setup"], list[Sign]()
    while at_s < peak_s - 0.6:
        mood = str(rng.choice(before)) if has["voice"] or sets_up else "calm"
        text = stage.text(f"setup.{kind}" if sets_up else "say")
        num_voiced = len(stage.voiced)
        at_s = stage.say(at_s, text, mood, peak_s) + rng.exponential(0.7)
        traces += stage.voiced[num_voiced:] if mood in _STRIKING else []
        sets_up = has["setup"] and rng.random() < 0.3
    if has["room"]:
        traces.append((peak_s, peak_s + _sound_event(stage, peak_s, force)))
    if has["picture"]:
        for sign in rng.choice(["shake", "move", "move", "zoom", "flash", "cuts"], 2, replace=False):
            shown_s = peak_s - rng.uniform(0, 1), peak_s + answer_s * rng.uniform(0.3, 1)
            stage.show(str(sign), *shown_s, force)
            traces.append((shown_s[0], shown_s[1] - _FADE_S))
    if has["chat"]:
        stage.react(peak_s, f"react.{kind}", 3 * force * rng.lognormal(0, 0.35))
    num_voiced = len(stage.voiced)
    if stage.friend and (has["laugh"] or has["voice"]):
        laugh_s, length_s = peak_s + rng.uniform(0.3, 1), answer_s * rng.uniform(0.2, 0.8)
        stage.laugh(laugh_s, length_s, stage.friend, stage.friend_on, force - 3)
    traces += stage.voiced[num_voiced:]
    traces += _answer(stage, kind, has, moods, force, peak_s, end_s)
    start_s, end_s = from_signs(traces, peak_s, duration_s=stage.duration_s, spare_s=0.01)
    return Span(start_s=start_s, end_s=end_s, kind=kind)


def _sound_event(stage: Stage, at_s: float, force: float) -> float:
    """Something falls, breaks, rings or is cheered; how long it is heard well."""
    rng = stage.rng
    sound, where = str(rng.choice(table()[f"events.{stage.genre}"])).split("/")
    level_db = rng.normal(-19, 4) + 3 * force
    if sound in rows("noises"):
        length_s = rng.uniform(1, 4)
        stage.beds[where].add(sound, at_s, at_s + length_s, level_db)
        return length_s * (0.55 if rows("noises")[sound][2] == "decay" else 1)
    gain = np.float32(10 ** ((level_db + 20) / 20))
    length_s = rng.uniform(1, 3)
    stage.put(where, at_s, tone(rng, sound, length_s) * gain)
    return length_s


def _answer(
    stage: Stage, kind: str, has: dict[str, bool], moods: list[str], force: float, peak_s: float, end_s: float
) -> list[Sign]:
    """The streamer laughs and speaks from the peak on, or a little after it.

    Returns:
        The laughter, the words of the reaction, and what is said in a striking voice; no calm talk about it.
    """
    rng, num_said, traces = stage.rng, 0, list[Sign]()
    at_s = peak_s + rng.choice([rng.uniform(0, 0.6), rng.uniform(0.6, 2)])
    while at_s < end_s - 0.5:
        num_voiced = len(stage.voiced)
        if has["laugh"] and rng.random() < (0.75 if num_said else 0.5):
            length_s = min(end_s - at_s, rng.uniform(1.2, 4) * force)
            at_s = stage.laugh(at_s, length_s, stage.host, effort_db=2 * force - 4)
        traces += stage.voiced[num_voiced:]
        is_first, num_voiced = num_said < 2, len(stage.voiced)
        section = ("peak" if is_first else "after") + f".{kind}" if has["words"] else "say"
        mood = str(rng.choice(moods if is_first else [*moods, "bright"])) if has["voice"] else "bright"
        at_s = stage.say(at_s, stage.text(section), mood, end_s) + rng.uniform(0.1, 0.9)
        if mood in _STRIKING or section.startswith("peak"):
            traces += stage.voiced[num_voiced:]
        num_said += 1
    return traces


def play_cue(stage: Stage, cue: str, start_s: float, end_s: float) -> None:
    """One sign of a decoy, op/where/what/how out of the table, over its span."""
    rng, (op, where, what, how) = stage.rng, cue.split("/")
    force, length_s = float(how), end_s - start_s
    if op == "noise" and what == "mute":
        stage.mute(start_s, end_s)
    elif op == "noise":
        stage.beds[where].add(what, start_s, end_s, force + rng.normal(0, 3))
    elif op == "tone":
        is_lasting = what in _LASTING
        times_s = [start_s] if is_lasting else [start_s, *rng.uniform(start_s, end_s - 2, int(force) - 1)]
        for at_s in times_s:
            sound = tone(rng, what, length_s * rng.uniform(0.6, 1) if is_lasting else rng.uniform(0.6, 1.6))
            stage.put(where, at_s, sound * np.float32(rng.lognormal(0, 0.4)))
    elif op == "music":
        stage.put(where, start_s, music(rng, length_s) * np.float32(force * rng.lognormal(-0.2, 0.4)))
    elif op == "chat":
        stage.react(start_s - stage.lag_s * rng.random(), f"chat.{what}", force, length_s * 0.6)
    elif op == "pic":
        stage.show(what, start_s, end_s, force * rng.lognormal(0, 0.3))
    elif op == "laugh":
        stage.laugh(rng.uniform(start_s, end_s - 2), 1.2, stage.host, effort_db=-4)
    else:
        num_others = 3 if what == "passers" else 1
        others = [Voice.draw(rng, rng.uniform(-13, -3)) for _ in range(num_others)]
        section = f"say.{what}" if f"say.{what}" in table() else what
        at_s = start_s + rng.uniform(0, 1.5)
        while at_s < end_s - 0.7:
            if op == "say":  # the streamer; the place is a mood then
                mood, who, track = where, stage.host, "mic"
            else:
                mood, who, track = _draw_mood(rng), others[int(rng.integers(len(others)))], where
            at_s = stage.say(at_s, stage.text(section), mood, end_s, who, track)
            at_s += rng.exponential(0.3 + 3 * (1 - min(force, 1)))


def _draw_mood(rng: Rng) -> str:
    return str(rng.choice(["bright", "fast", "flat"]))


def fill_scenery(stage: Stage) -> None:
    """What sounds without anybody's doing: music under everything, a game's fights, a desktop heard in the room."""
    rng, end_s = stage.rng, stage.duration_s
    has_fights = stage.genre == "game"
    if rng.random() < (0.05 if stage.genre == "music" else 0.7 if has_fights else 0.4):
        stage.put("desktop", 0, music(rng, end_s) * np.float32(10 ** (rng.uniform(-22, -5) / 20)))
    for at_s in rng.uniform(0, end_s, rng.poisson(end_s / 25) if has_fights else 0):
        what = str(rng.choice(["fight", "shots", "booms", "click", "steps"]))
        stage.beds["desktop"].add(what, at_s, at_s + rng.gamma(2, 5), rng.normal(-28, 5))
    for at_s in rng.uniform(0, end_s, rng.poisson(end_s / 40)):
        what = str(rng.choice(["bump", "rub", "clatter", "gasp", "thud", "cough"]))
        stage.beds["mic"].add(what, at_s, at_s + rng.uniform(0.3, 2), rng.normal(-36, 6))
        sign = str(rng.choice(["shake", "move", "pan", "move"]))
        stage.show(sign, at_s, at_s + rng.gamma(2, 1.5), rng.gamma(2, 0.3))
    if stage.friend_on == "desktop" and rng.random() < 0.35:
        stage.sounds["mic"] += stage.sounds["desktop"] * np.float32(rng.uniform(0.02, 0.2))
