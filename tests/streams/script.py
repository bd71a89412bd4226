"""What happens when: moments and decoys in random order, and ordinary streaming in between."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.guide import LEAST_S, MOST_S, held_to_length
from tests.streams import chat, decoys, truth, words
from tests.streams.scenes import MOMENTS, Cue, Scene, spoken_s
from tests.streams.streamer import KINDS, Streamer, draw_streamer
from tests.streams.voice import Line

MIN_GAP_S = 10.0
ACTION_HZ = 10
# During these the streamer talks on as if nothing were the matter.
_UNHEEDED = {"explosion", "spam", "raffle", "poll"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the stream with its kind and, for a moment, what shows it."""

    start_s: float
    end_s: float
    kind: str
    signs: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class Script:
    """Everything that the renderers need, and the truth; times in seconds from the start.

    Of each moment, `stretches` has the time that its scene takes up, `scenes` where the scene's own clock starts.
    """

    streamer: Streamer
    duration_s: float
    moments: list[Span] = dataclasses.field(default_factory=list)
    decoys: list[Span] = dataclasses.field(default_factory=list)
    stretches: list[Span] = dataclasses.field(default_factory=list)
    scenes: list[tuple[float, Scene]] = dataclasses.field(default_factory=list)
    lines: list[Line] = dataclasses.field(default_factory=list)
    others: list[Line] = dataclasses.field(default_factory=list)
    sounds: list[Cue] = dataclasses.field(default_factory=list)
    looks: list[Cue] = dataclasses.field(default_factory=list)
    modes: list[Cue] = dataclasses.field(default_factory=list)
    chats: list[chat.Cue] = dataclasses.field(default_factory=list)
    action: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))


def _scenes(streamer: Streamer, duration_s: float, rng: np.random.Generator) -> list[tuple[str, bool, Scene]]:
    """Moments and decoys in the order in which they come, no more than leave room for ordinary streaming."""
    share = duration_s / 600
    num_moments = max(1, round(int(rng.integers(3, 11)) * share))
    num_decoys = max(1, round(int(rng.integers(5, 11)) * share))
    ways = decoys.ANYWHERE | (decoys.IN_GAMES if streamer.is_game else {})
    found: list[tuple[str, bool, Scene]] = []
    for index in range(num_moments + num_decoys):
        is_moment = index < num_moments
        kind = str(rng.choice(KINDS, p=streamer.kind_weights)) if is_moment else str(rng.choice(sorted(ways)))
        scene = Scene(streamer, rng, float(rng.uniform(0.4, 1.0)))
        (MOMENTS if is_moment else ways)[kind](scene)
        found.append((kind, is_moment, scene))
    while (
        len(found) > 1
        and sum(max(LEAST_S, scene.end_s) + MIN_GAP_S + 2 for _, _, scene in found) > 0.85 * duration_s
    ):
        found.pop()
    return [found[index] for index in rng.permutation(len(found))]


def _place(script: Script, rng: np.random.Generator) -> list[Cue]:
    """Put the scenes on the time line; returns the levels of action that they ask for."""
    found = _scenes(script.streamer, script.duration_s, rng)
    least = [max(LEAST_S, scene.end_s) + MIN_GAP_S + 2 for _, _, scene in found]
    slack = rng.dirichlet(np.ones(len(found) + 1)) * max(0.0, script.duration_s - sum(least) - 4)
    actions: list[Cue] = []
    at = 2.0
    for (kind, is_moment, scene), spare_s, room_s in zip(found, slack, least, strict=False):
        at += float(spare_s)
        script.lines += [line.moved(at) for line in scene.lines]
        script.others += [line.moved(at) for line in scene.others]
        script.sounds += [cue.moved(at) for cue in scene.sounds]
        script.looks += [cue.moved(at) for cue in scene.looks]
        script.modes += [cue.moved(at) for cue in scene.modes]
        script.chats += [cue.moved(at) for cue in scene.chats]
        actions += [cue.moved(at) for cue in scene.actions]
        start, end = at, at + scene.end_s
        if is_moment:
            script.scenes.append((at, scene))
            # A little more or less is kept free of other talk.
            start, end = start + float(rng.uniform(-0.5, 1)), end + float(rng.uniform(-0.3, 1.5))
            end = max(end, start + LEAST_S)
            start = max(start, end - MOST_S)
        end = min(end, script.duration_s)
        span = Span(
            start_s=start, end_s=end, kind=kind, signs=tuple(sorted(scene.signs)) if is_moment else ()
        )
        (script.stretches if is_moment else script.decoys).append(span)
        at += room_s
    return actions


def _taken(script: Script, start_s: float, end_s: float) -> float | None:
    """The end of whatever the streamer is busy with in this stretch; None: free."""
    busy = [(span.start_s, span.end_s) for span in script.stretches]
    busy += [(span.start_s, span.end_s) for span in script.decoys if span.kind not in _UNHEEDED]
    busy += [(line.start_s, line.end_s) for line in script.lines]
    return max((high for low, high in busy if low - 0.4 < end_s and high + 0.3 > start_s), default=None)


def _chat_away(script: Script, rng: np.random.Generator) -> None:
    """Ordinary talk with its small laughs, exclamations and pauses, wherever no scene has the floor."""
    streamer = script.streamer
    moods = rng.normal(0, 0.09, int(script.duration_s // 20) + 2)
    at, bout_end = 0.5, 6.0
    added: list[Line] = []
    while at < script.duration_s - 3:
        if at > bout_end:
            at += float(rng.exponential(6 * (1 - streamer.talk_share) / streamer.talk_share)) + 0.4
            bout_end = at + float(rng.exponential(7)) + 1
        effort = float(
            np.clip(0.3 + np.interp(at, np.arange(len(moods)) * 20, moods) + rng.normal(0, 0.05), 0.08, 0.6)
        )
        style, text, roll = "talk", words.ordinary(rng, streamer.genre), rng.random()
        took = spoken_s(text, streamer, effort)
        if roll < 0.05:
            style, text, took, effort = "laugh", "", float(rng.uniform(0.4, 1.5)), effort + 0.1
        elif roll < 0.09:
            text, effort = (
                words.said(rng, "fail_peak" if rng.random() < 0.5 else "friend"),
                float(rng.uniform(0.5, 0.75)),
            )
            took = spoken_s(text, streamer, effort)
        elif roll < 0.12:
            style, text, took = str(rng.choice(["sigh", "sniff", "cough"])), "", float(rng.uniform(0.3, 0.7))
        if at + took > script.duration_s - 0.5:
            break
        busy_until = _taken(script, at, at + took)
        if busy_until is not None:
            at = max(at, busy_until) + float(rng.uniform(0.4, 2.5))
            bout_end = max(bout_end, at + 2)
            continue
        added.append(Line(start_s=at, end_s=at + took, text=text, effort=effort, style=style))
        if style == "laugh" and rng.random() < 0.4:
            script.chats.append(chat.Cue(at_s=at, mood="funny", strength=1.5, spread_s=5))
        at += took + float(rng.uniform(0.1, 0.6))
    script.lines = sorted([*script.lines, *added], key=lambda line: line.start_s)


def _perform(script: Script, rng: np.random.Generator) -> None:
    """A musician plays and sings wherever no scene has the floor: ordinary work, however loud."""
    at = float(rng.uniform(3, 15))
    while script.streamer.genre == "music" and at < script.duration_s - 15:
        lasts = float(rng.uniform(12, 45))
        busy_until = _taken(script, at - 2, min(at + lasts + 3, script.duration_s))
        if busy_until is None and at + lasts < script.duration_s - 1:
            script.sounds.append(
                Cue(name="room_song", start_s=at, end_s=at + lasts, strength=float(rng.uniform(0.5, 1)))
            )
            now = at + 1
            while now < at + lasts - 4:
                took, effort = float(rng.uniform(1.5, 3.5)), float(rng.uniform(0.3, 0.65))
                text = f"{words.said(rng, 'sung')} oh na na"
                script.lines.append(
                    Line(start_s=now, end_s=now + took, text=text, effort=effort, style="sing")
                )
                now += took + float(rng.uniform(0.3, 4))
            at += lasts + float(rng.uniform(10, 40))
        else:
            at += 4


def _friends_talk(script: Script, rng: np.random.Generator) -> None:
    at = float(rng.uniform(3, 10))
    while script.streamer.has_friends and at < script.duration_s - 3:
        text = words.ordinary(rng, script.streamer.genre) if rng.random() < 0.5 else words.said(rng, "friend")
        effort = float(rng.uniform(0.2, 0.55))
        if not any(cue.start_s - 1 < at < cue.end_s for cue in script.modes):
            end = at + spoken_s(text, script.streamer, effort)
            script.others.append(Line(start_s=at, end_s=end, text=text, effort=effort, speaker="friend"))
        at += float(rng.exponential(9)) + 3
    script.others.sort(key=lambda line: line.start_s)


def _action(script: Script, asked: list[Cue], rng: np.random.Generator) -> np.ndarray:
    """How much goes on in the game, 0 to 1, ten times a second: quiet and busy spells, and what the scenes ask for."""
    level = np.zeros(round(script.duration_s * ACTION_HZ))
    at = 0
    while script.streamer.is_game and at < len(level):
        until = at + int(rng.uniform(6, 35) * ACTION_HZ)
        level[at:until] = rng.beta(1.2, 1.8)
        at = until
    times = np.arange(len(level)) / ACTION_HZ
    if script.streamer.is_game:
        for cue in asked:
            inside = (times >= cue.start_s) & (times < cue.end_s)
            part = (times[inside] - cue.start_s) / (cue.end_s - cue.start_s)
            level[inside] = level[inside] + (cue.strength - level[inside]) * np.minimum(1, 0.3 + part)
    for cue in script.modes:
        level[(times >= cue.start_s) & (times < cue.end_s)] = 0
    width = 2 * ACTION_HZ
    return np.convolve(
        np.pad(level, (width // 2, width - 1 - width // 2), mode="edge"), np.ones(width) / width, "valid"
    )


def _tell(script: Script) -> None:
    """Write down where the moments begin and end."""
    for (at, scene), stretch in zip(script.scenes, script.stretches, strict=True):
        begun = round(at * ACTION_HZ)
        start, end = truth.bounds(scene, script.action[begun:])
        start, end = held_to_length(at + start, at + end, duration_s=script.duration_s)
        script.moments.append(dataclasses.replace(stretch, start_s=start, end_s=end))


def write_script(seed: int, duration_s: float) -> Script:
    """The stream of a seed; the same seed and duration give the same script."""
    rng = np.random.default_rng([seed, 1])
    script = Script(draw_streamer(rng), duration_s)
    asked = _place(script, rng)
    _perform(script, rng)
    _chat_away(script, rng)
    _friends_talk(script, rng)
    script.action = _action(script, asked, rng)
    _tell(script)
    return script
