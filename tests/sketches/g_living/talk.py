"""Who says what when: the streamer's and the others' utterances."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.g_living.plan import Beat, Persona, Rng
from tests.sketches.g_living.voice import Throat, Utterance, loudness
from tests.sketches.g_living.words import Phrases

# Section of what is said, effort, share of the time that it takes; "talk" is ordinary talk.
TALKED: dict[str, tuple[str, float, float]] = {
    "advert": ("talk", 0.25, 0.1),
    "music": ("talk", 0.4, 0.0),
    "raid": ("raid", 0.55, 0.8),
    "alert": ("alert", 0.5, 0.9),
    "subtrain": ("alert", 0.62, 0.85),
    "giveaway": ("giveaway", 0.48, 0.6),
    "noise": ("talk", 0.3, 0.3),
    "pet": ("pet", 0.45, 0.4),
    "cough": ("cough", 0.3, 0.2),
    "menu": ("talk", 0.3, 0.4),
    "cutscene": ("talk", 0.25, 0.08),
    "explosion": ("talk", 0.3, 0.3),
    "quarrel": ("quarrel", 0.75, 0.9),
    "past": ("past", 0.42, 0.85),
    "check": ("check", 0.55, 0.7),
    "spam": ("talk", 0.3, 0.4),
    "question": ("talk", 0.3, 0.5),
    "friends": ("talk", 0.3, 0.2),
    "chuckle": ("talk", 0.32, 0.4),
    "false_alarm": ("lead", 0.3, 0.35),
}


# A voice this many times as loud as ordinary talk, 3 dB, has turned from it.
RAISED = 1.41


def throat(who: Persona) -> Throat:
    """The streamer's own voice."""
    return Throat(pitch_hz=who.pitch_hz, tract=who.tract, rate=who.rate, swing=who.drive)


def _raised(who: Persona, effort: float) -> bool:
    """Whether a voice stands out both from even talk and from the liveliest words of ordinary time."""
    own = throat(who)
    return loudness(own, effort) >= max(RAISED * loudness(own, 0.3), loudness(own, _liveliest(who, 1.0)))


def _liveliest(who: Persona, mood: float) -> float:
    """Effort of a raised word in ordinary time, by a mood of 0 to 1."""
    return 0.34 + 0.16 * who.drive * mood


def _line(rng: Rng, words: Phrases, section: str, at_s: float, effort: float, who: Persona) -> Utterance:
    text = words.pick(rng, section, who.lang)
    rate = who.rate * (1.0 + 0.25 * (effort - 0.3))
    long_s = max(0.25, words.syllables(text) / rate * float(rng.lognormal(0.0, 0.12)))
    style = "talk" if effort > 0.12 else "whisper"
    return Utterance(start_s=at_s, end_s=at_s + long_s, text=text, effort=effort, style=style)


def _chatter(
    rng: Rng,
    words: Phrases,
    who: Persona,
    start_s: float,
    end_s: float,
    section: str,
    effort: float,
    share: float,
) -> list[Utterance]:
    """Lines with pauses from start to end, so that about `share` of the time is talk."""
    said: list[Utterance] = []
    at_s = start_s + float(rng.exponential(0.4))
    while at_s < end_s and share > 0.0:
        for _ in range(1 + int(rng.poisson(1.2))):
            line = _line(rng, words, section, at_s, float(np.clip(rng.normal(effort, 0.05), 0.05, 1.1)), who)
            if line.end_s > end_s:
                return said
            said.append(line)
            at_s = line.end_s + float(rng.uniform(0.12, 0.5))
        run_s = at_s - (said[-3].start_s if len(said) > 2 else start_s)
        at_s += float(rng.exponential(max(0.1, min(run_s, 8.0) * (1.0 - share) / share)))
    return said


def _moment(rng: Rng, words: Phrases, who: Persona, beat: Beat) -> list[Utterance]:
    """Lead-up, outcry, reaction and answer, each as the moment's signs and the streamer's temper have it."""
    voice, spoken, laugh = (beat.sign(s) for s in ("voice", "words", "laugh"))
    told = beat.kind in ("funny", "wholesome")
    tense = beat.kind in ("clutch", "score", "fail", "hype")
    section = "lead" if spoken and (tense or rng.random() < 0.4) else "talk"
    share = 0.75 if told else min(who.talk, float(rng.uniform(0.15, 0.7)))
    said = _chatter(rng, words, who, beat.start_s, beat.peak_s, section, 0.34 + 0.12 * voice * tense, share)
    said = [dataclasses.replace(line, tells=_raised(who, line.effort)) for line in said]
    high = 0.36 + voice * 0.65
    at_s = beat.peak_s + float(rng.gamma(2.0, 0.2))
    if voice > 0.75 and who.drive > 0.5 and rng.random() < 0.4:
        cry = Utterance(
            start_s=at_s,
            end_s=at_s + float(rng.uniform(0.6, 2.0)),
            text="ah",
            effort=high,
            style="scream",
            heard=False,
            tells=True,
        )
        said.append(cry)
        at_s = cry.end_s + 0.2
    while at_s < beat.react_s - 0.4:
        done = (at_s - beat.peak_s) / (beat.react_s - beat.peak_s)
        if laugh and rng.random() < (0.7 if beat.kind == "funny" else 0.4):
            end_s = min(at_s + float(rng.uniform(0.8, 1.5 + 3.0 * laugh)), beat.react_s)
            loud = 0.3 + 0.5 * laugh * (1.0 - 0.4 * done)
            haha = Utterance(start_s=at_s, end_s=end_s, text="haha", effort=loud, style="laugh", heard=False)
            said.append(dataclasses.replace(haha, tells=True))
            at_s = end_s + float(rng.uniform(0.1, 0.6))
        if not spoken and not voice:
            at_s += float(rng.uniform(0.5, 2.5))
            continue
        what = beat.kind if spoken and rng.random() < 0.35 + 0.6 * spoken else "talk"
        line = _line(rng, words, what, at_s, max(0.3, high - (high - 0.38) * 0.7 * done), who)
        said.append(dataclasses.replace(line, tells=what == beat.kind or _raised(who, line.effort)))
        at_s = line.end_s + float(rng.exponential(0.35 + 0.5 * (1.0 - beat.size)))
    answer = "answer" if spoken else "talk"
    at_s = max(at_s, beat.react_s)
    return said + _chatter(rng, words, who, at_s, beat.end_s, answer, 0.34 + 0.08 * voice, 0.55)


def _decoy(rng: Rng, words: Phrases, who: Persona, beat: Beat) -> list[Utterance]:
    section, effort, share = TALKED[beat.kind]
    effort = 0.3 + (effort - 0.3) * float(rng.uniform(0.6, 1.25))
    said = _chatter(rng, words, who, beat.start_s, beat.end_s, section, effort, share)
    extra = {"pet": "bark", "cough": "cough", "chuckle": "laugh", "music": "sing"}.get(beat.kind)
    if extra and (extra != "sing" or rng.random() < 0.5):
        said, at_s = [], beat.start_s + 0.2
        while at_s < beat.end_s - 0.6:
            end_s = min(at_s + float(rng.uniform(0.6, 5.0 if extra == "sing" else 2.2)), beat.end_s)
            loud = 0.38 + 0.25 * beat.size
            said.append(Utterance(start_s=at_s, end_s=end_s, text="", effort=loud, style=extra, heard=False))
            line = _line(rng, words, section, end_s + 0.3, 0.35, who)
            if extra != "sing" and line.end_s < beat.end_s and rng.random() < 0.6:
                said.append(line)
                end_s = line.end_s
            at_s = end_s + float(rng.uniform(0.3, 1.5))
    return said


def streamer(rng: Rng, words: Phrases, who: Persona, beats: list[Beat], duration_s: float) -> list[Utterance]:
    """All that the streamer's microphone hears of voices, in order, none over another."""
    said: list[Utterance] = []
    at_s = 0.0
    for beat in [*beats, None]:
        until_s = beat.start_s if beat else duration_s
        said += _ordinary(rng, words, who, at_s, until_s)
        if beat:
            said += (_moment if beat.moment else _decoy)(rng, words, who, beat)
            at_s = beat.end_s
    kept: list[Utterance] = []
    for line in sorted(said, key=lambda u: u.start_s):
        start_s = max(line.start_s, kept[-1].end_s + 0.05) if kept else line.start_s
        if start_s + 0.2 < line.end_s < duration_s - 0.1:
            kept.append(dataclasses.replace(line, start_s=start_s))
    return kept


def _ordinary(rng: Rng, words: Phrases, who: Persona, start_s: float, end_s: float) -> list[Utterance]:
    """Talk and silence by turns, a small laugh or a raised word now and then."""
    said: list[Utterance] = []
    at_s = start_s
    while at_s < end_s - 1.0:
        stop_s = min(at_s + float(rng.uniform(8, 40)), end_s)
        share = float(np.clip(who.talk * rng.lognormal(0, 0.6), 0.03, 0.92))
        said += _chatter(rng, words, who, at_s, stop_s, "talk", 0.3 + float(rng.normal(0, 0.02)), share)
        at_s = stop_s
        if rng.random() < 0.5 and at_s < end_s - 3.0:
            if rng.random() < who.mirth:
                long_s = float(rng.uniform(0.4, 1.3))
                small = Utterance(
                    start_s=at_s, end_s=at_s + long_s, text="", effort=0.3, style="laugh", heard=False
                )
            else:
                small = _line(rng, words, "answer", at_s, _liveliest(who, float(rng.random())), who)
            said.append(small)
            at_s = small.end_s + 0.3
    return said


def others(rng: Rng, words: Phrases, who: Persona, beats: list[Beat], duration_s: float) -> list[Utterance]:
    """Voices in the desktop sound: friends, adverts, actors of cutscenes, the video that is watched."""
    said: list[Utterance] = []
    at_s = 0.0
    for beat in [*beats, None]:
        until_s = beat.start_s if beat else duration_s
        if who.friends or who.genre == "react":
            share = 0.25 if who.friends else 0.6
            said += _chatter(rng, words, who, at_s, until_s, "talk", 0.3, share)
        if beat is None:
            break
        at_s = beat.end_s
        if beat.kind in ("advert", "cutscene", "friends"):
            loud = {"advert": 0.45, "cutscene": 0.35}.get(beat.kind, 0.85)
            said += _chatter(rng, words, who, beat.start_s, beat.end_s, "talk", loud, 0.75)
        elif beat.moment and who.friends:
            joins = rng.random() < 0.6
            loud = 0.3 + 0.4 * beat.size * joins
            lines = _chatter(rng, words, who, beat.peak_s + 0.5, beat.react_s, beat.kind, loud, 0.5)
            said += [dataclasses.replace(line, tells=joins) for line in lines]
            if joins and beat.sign("laugh"):
                laugh = Utterance(
                    start_s=beat.peak_s + 1.0,
                    end_s=beat.react_s,
                    text="",
                    effort=0.5,
                    style="laugh",
                    heard=False,
                    tells=True,
                )
                said.append(laugh)
    return said
