"""What happens in a stream of f_arena: moments, decoys, and ordinary play between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.sketches.f_arena.parts import Floats, mix, read_options, tables
from tests.sketches.f_arena.picture import ADVERT, BOARD
from tests.sketches.f_arena.stage import ALERT, ANNOUNCER, RECORDED, STREAMER, Stream
from tests.sketches.f_arena.truth import sounding_s, trace_lines
from tests.sketches.guide import Sign, from_signs
from tests.sketches.sketch import FRAMES_PER_S, Span

_LAST_SOUNDS = {"fail": "fall", "funny": "boing", "rage": "sad", "wholesome": ALERT}
_WON = ("hype", "clutch", "score")


class Draw(NamedTuple):
    """A moment or a decoy without its place.

    Attributes:
        options: what happens in a decoy, as its row says it.
        lead_s, react_s: how long a moment's play and the reaction to it are.
        before_s: how much of the play the cut keeps.
        signs: the strength of each sign of a moment; empty for a decoy.
    """

    kind: str
    length_s: float
    options: list[str]
    lead_s: float
    react_s: float
    before_s: float
    signs: dict[str, float]


class _Course(NamedTuple):
    """A moment where it is: when the play starts, peaks, and is calm again."""

    kind: str
    play_s: float
    peak_s: float
    calm_s: float
    signs: dict[str, float]

    @property
    def is_won(self) -> bool:
        return self.kind in _WON

    @property
    def has_talk(self) -> bool:
        return bool(self.signs["voice"] or self.signs["words"])


def play_moment(stream: Stream, cut: Span, floor_s: float, draw: Draw) -> Span:
    """Tension, a peak and the reaction to it; nothing starts before the floor, where the last beat ended.

    Returns:
        Where it begins and ends; the cut, what an editor would make of it, has its place in the plan.
    """
    rng, signs, peak_s = stream.rng, draw.signs, cut.start_s + draw.before_s
    play_s = max(peak_s - draw.lead_s, floor_s + 0.5)
    calm_s = min(peak_s + draw.react_s, stream.duration_s - 1)
    course = _Course(draw.kind, play_s, peak_s, calm_s, signs)
    hits_s = np.sort(rng.uniform(play_s, peak_s, rng.integers(1, 6)))
    traces, num_said = list[Sign](), len(stream.says)
    if signs["desktop"]:
        traces += _play_game(stream, course, hits_s)
    for who in stream.friends if signs["desktop"] or signs["laugh"] else ():
        names = ["friends.react", *["laugh"] * (2 * (signs["laugh"] > 0))]
        start_s, end_s = peak_s + rng.uniform(0.2, 1.5), rng.uniform(peak_s, calm_s)
        stream.talk_on(start_s, end_s, who, names, rest_s=0.4, energy=rng.uniform(0.2, 0.9))
    if signs["picture"]:
        traces += _show_play(stream, course, hits_s)
    is_hushed = course.is_won and rng.random() < 0.6
    started_s = play_s if is_hushed and course.has_talk else peak_s - 2 * course.has_talk
    stream.show("busy", started_s, calm_s if course.has_talk else peak_s, 1)
    lead = f"lead.{course.kind}" if f"lead.{course.kind}" in tables() else "lead.any"
    at_s = stream.talk_on(
        play_s + rng.uniform(0, 2),
        peak_s - 1.2 if course.has_talk else 0,
        STREAMER,
        [lead],
        rest_s=3 if is_hushed else 1,
        energy=stream.calm - 0.2 * is_hushed,
        rise=0.35 * stream.temper * signs["voice"],
    )
    stream.burst(peak_s, f"chat.{course.kind}", 1.1 * signs["chat"], 1.3 + draw.react_s / 8)
    traces += _react(stream, course, max(peak_s + rng.gamma(2, 0.3), min(at_s, peak_s + 2)))
    traces += trace_lines(stream.says[num_said:], stream.calm, peak_s, is_hushed=is_hushed)
    start_s, end_s = from_signs(traces, peak_s, duration_s=stream.duration_s, spare_s=0.01)
    return Span(start_s=start_s, end_s=end_s, kind=draw.kind)


def _play_game(stream: Stream, course: _Course, hits_s: Floats) -> list[Sign]:
    """A fight thicker and louder than usual play, and the sound that ends it."""
    rng, peak_s, strength = stream.rng, course.peak_s, course.signs["desktop"]
    stream.show("heat", course.play_s, peak_s, 0.6 + 0.4 * strength)
    times_s = (hit_s + 0.15 * again for hit_s in hits_s for again in range(rng.integers(1, 5)))
    stream.cue(times_s, stream.small[0], 2, 7)
    last = _LAST_SOUNDS.get(course.kind) or str(rng.choice(stream.big))
    stream.cue([peak_s], last, -1 + 4 * np.log(strength), 6)
    if course.is_won and rng.random() < 0.6:
        name, said_s = f"announcer.{course.kind}", peak_s + rng.uniform(0.2, 1)
        stream.say(said_s, stream.phrase(name), 0.4, ANNOUNCER, name)
    return [(course.play_s, peak_s), (peak_s, peak_s + sounding_s(last))]


def _show_play(stream: Stream, course: _Course, hits_s: Floats) -> list[Sign]:
    """A faster picture up to the peak, a jolt, and perhaps another place or a board."""
    rng, peak_s, strength = stream.rng, course.peak_s, course.signs["picture"]
    traces = [(course.play_s, peak_s), (peak_s, peak_s + rng.uniform(0.3, 1.2))]
    stream.show("pace", course.play_s, peak_s, 0.6 + 0.6 * strength)
    stream.show("shake", *traces[1], strength)
    for hit_s in (*hits_s, peak_s):
        stream.show("flash", hit_s, hit_s + 0.1, rng.uniform(0.2, 0.5) + 0.4 * (hit_s == peak_s))
    if rng.random() < 0.65:
        cut_s, scene = peak_s + rng.uniform(0.6, 3), rng.choice([1, 2, BOARD])
        traces.append((cut_s, cut_s + rng.uniform(1.5, 6)))
        stream.show("scene", *traces[-1], scene)
    return traces


def _react(stream: Stream, course: _Course, at_s: float) -> list[Sign]:
    """What the streamer says and laughs from the peak on, and what there is to say about it afterwards."""
    rng, (kind, _, peak_s, calm_s, signs) = stream.rng, course
    is_kind, is_laughing = kind == "wholesome", signs["laugh"] > 0
    extra = signs["voice"] * (0.15 + 0.95 * stream.temper) * (0.25 if is_kind else 1)
    calmly = f"calm.{'good' if course.is_won else 'bad'}"
    names = [f"react.{kind}"] * 3 if signs["words"] else ["small", calmly]
    names += [calmly] * 4 * (extra < 0.3 and not is_kind) + ["cries"] * (extra > 0.4)
    names = names if course.has_talk else []
    names += ["laugh"] * ((8 if kind == "funny" else 3) * is_laughing)
    extra = max(extra, is_laughing * (0.1 + 0.4 * signs["laugh"] * (0.4 + stream.temper)))
    if names:
        rest_s = 0.3 if extra > 0.4 else 1.1
        energy, fall = stream.calm + extra, -0.6 * extra
        at_s = stream.talk_on(at_s, calm_s, STREAMER, names, rest_s=rest_s, energy=energy, rise=fall)
    if signs["words"] and rng.random() < 0.75:
        after_s = max(at_s, calm_s) + rng.uniform(0.1, 1)
        name = f"after.{kind}"
        stream.say(after_s, stream.phrase(name), stream.calm + 0.2 * extra, name=name)
    if kind == "rage" and signs["voice"] and rng.random() < 0.5:
        times_s = rng.uniform(peak_s + 0.5, peak_s + 4, rng.integers(1, 5))
        stream.cue(times_s, "thump", 2, 8, on_mic=True)
        return [(time_s, time_s + sounding_s("thump")) for time_s in times_s]
    return []


def play_decoy(stream: Stream, span: Span, draw: Draw) -> None:
    """All that its row says, over its span."""
    for track, name, number in read_options(draw.options):
        amount = number * stream.rng.lognormal(0, 0.25)
        _play_option(stream, span, track, name, number, amount)
        if track in ("hush", "say"):
            stream.show("busy", span.start_s, span.end_s, 1)
        speakers = {"say": [STREAMER], "voice": [RECORDED], "friends": stream.friends}
        for who in speakers.get(track, []):
            heat = stream.calm + amount * (0.45 + 0.6 * stream.temper) if who == STREAMER else amount
            start_s, rest_s = span.start_s + stream.rng.uniform(0, 1.5), 0.5 if amount > 0.4 else 1.6
            stream.talk_on(start_s, span.end_s - 1.5, who, [name], rest_s=rest_s, energy=heat)


def _play_option(stream: Stream, span: Span, track: str, name: str, number: float, amount: float) -> None:
    """What it sounds and looks like, without what is said; number is the row's, amount what chance made of it."""
    rng, start_s, end_s = stream.rng, span.start_s, span.end_s
    if track in ("desktop", "mic"):
        times_s = rng.uniform(start_s, end_s - 1, max(1, round(amount * (end_s - start_s))))
        stream.cue(times_s, name, 0, 7, on_mic=track == "mic")
    elif track == "song":
        gain_db = -22 + 8 * np.log2(amount + 0.3) + rng.uniform(-5, 5)
        mix(stream.desktop, start_s, stream.song(end_s - start_s), gain_db)
    elif track == "chat":
        stream.burst(start_s + rng.uniform(0, 3), f"chat.{name}", amount, (end_s - start_s) / 5)
    elif track == "set":
        stream.show(name, start_s, end_s, number)
    elif track == "cut":
        for at_s in start_s + np.cumsum(rng.exponential(number, 60) + 0.4):
            stop_s, scene = min(end_s, at_s + 2), ADVERT + rng.integers(0, 3)
            value = float(scene) if name == "scene" else rng.uniform(0.3, 0.9)
            stream.show(name, min(at_s, end_s), stop_s, value)


def play_ordinary(stream: Stream) -> None:
    """Talk wherever nothing else is said, chat all along, and fights that nobody says a word about."""
    rng, end_s = stream.rng, stream.duration_s
    at_s = rng.uniform(0, 5)
    chat_hz = 0.015 * stream.chatty * stream.num_viewers**0.62
    times_s = rng.uniform(0, end_s, rng.poisson(chat_hz * end_s))
    stream.chat += [(time_s, stream.phrase("chat.ordinary")) for time_s in times_s]
    names = ["talk.any"] * 9 + [f"talk.{stream.genre}"] * 7 + ["small"] * 3 + ["chuckle"]
    while at_s < end_s - 6:
        at_s += 0.4
        now = int(at_s * FRAMES_PER_S)
        if stream.shown["busy"][now : now + 35].any():
            continue
        name, energy = str(rng.choice(names)), stream.calm + rng.normal(0, 0.07)
        energy += 0.5 * rng.random() ** 2 * (0.4 + stream.temper) * (name == "small")
        said_s = stream.say(at_s, stream.phrase(name), energy)
        if stream.friends and rng.random() < 0.4:
            text, calm = stream.phrase("friends"), rng.normal(0.1, 0.1)
            said_s = stream.say(said_s + 0.2, text, calm, int(rng.choice(stream.friends)))
        rest_s = 2.2 * (1 - stream.talk) / stream.talk * (said_s - at_s)
        at_s = said_s + (0 if rng.random() < 0.6 else rng.exponential(rest_s))
    for at_s in rng.uniform(0, end_s - 9, rng.poisson(end_s / 50)):
        _play_fight(stream, at_s)


def _play_fight(stream: Stream, at_s: float) -> None:
    rng = stream.rng
    stream.show("heat", at_s, at_s + rng.uniform(3, 12), rng.uniform(0.4, 1))
    stream.show("pace", at_s, at_s + rng.uniform(2, 8), rng.uniform(0.4, 1.2))
    stream.burst(at_s + 4, str(rng.choice(["chat.ordinary", "chat.lol"])), rng.uniform(0, 0.35), 3.0)
    if rng.random() < 0.5:
        stream.cue([at_s + 3], str(rng.choice([*stream.big, "ding"])), -8, 4)
        stream.say(at_s + 2, stream.phrase("announcer.any"), 0.2, ANNOUNCER)
        end_s = at_s + 5 + rng.uniform(-1, 3)
        stream.show("scene", at_s + 5, end_s, rng.choice([0, 1, 2, BOARD]))
