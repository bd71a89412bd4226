"""What a viewer would clip, from the build-up to the reaction, on a clock of its own that starts at 0.

A scene's size drives all its signs, so that they agree as in life; some are left out, and some moments are quiet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from tests.streams import chat, words
from tests.streams.streamer import Streamer
from tests.streams.voice import Line, num_syllables


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A sound effect, a look of the picture, a level of action or a mode of the programme, with its strength."""

    name: str
    start_s: float
    end_s: float
    strength: float = 1.0

    def moved(self, by_s: float) -> Cue:
        """The same, later."""
        return dataclasses.replace(self, start_s=self.start_s + by_s, end_s=self.end_s + by_s)


def spoken_s(text: str, streamer: Streamer, effort: float) -> float:
    """How long a line takes to say."""
    return max(0.25, num_syllables(text) / (streamer.voice.syllables_per_s * (0.9 + 0.3 * effort)))


class Scene:
    """Collects what happens; `t` is the moment's own clock in seconds."""

    def __init__(self, streamer: Streamer, rng: np.random.Generator, size: float) -> None:
        self.streamer, self.rng, self.size = streamer, rng, size
        self.t = 0.0
        self.event_s = 0.0
        self.end_s = 0.0
        self.lines: list[Line] = []
        self.others: list[Line] = []
        self.sounds: list[Cue] = []
        self.looks: list[Cue] = []
        self.actions: list[Cue] = []
        self.modes: list[Cue] = []
        self.chats: list[chat.Cue] = []
        self.signs: set[str] = set()

    def between(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True that often."""
        return bool(self.rng.random() < share)

    def wait(self, low: float, high: float) -> None:
        """Nothing is said for a while."""
        self.t += self.between(low, high)

    def say(self, name: str, effort: float, style: str = "talk", pause_s: float = 0.35) -> None:
        """A line of a named part of `words.SAID`."""
        said = {line.text for line in self.lines}
        text = next((text for text in words.shuffled(self.rng, name) if text not in said), "okay")
        long = 1.6 if style in ("shout", "scream") else 1.0
        took = spoken_s(text, self.streamer, effort) * long
        self.lines.append(Line(start_s=self.t, end_s=self.t + took, text=text, effort=effort, style=style))
        self.t += took + pause_s * self.between(0.3, 2.0)

    def utter(self, style: str, lasts_s: float, effort: float) -> None:
        """A laugh, scream, sigh and the like."""
        text = "Oh!" if style == "scream" else ""
        self.lines.append(Line(start_s=self.t, end_s=self.t + lasts_s, text=text, effort=effort, style=style))
        self.t += lasts_s

    def sound(self, name: str, strength: float = 1.0, lasts_s: float = 1.0, after_s: float = 0.0) -> None:
        """A sound from the desktop, or in the room if its name says so."""
        at = self.t + after_s
        self.sounds.append(Cue(name=name, start_s=at, end_s=at + lasts_s, strength=strength))

    def look(self, name: str, lasts_s: float, strength: float = 1.0, after_s: float = 0.0) -> None:
        """Something to be seen."""
        at = self.t + after_s
        self.looks.append(Cue(name=name, start_s=at, end_s=at + lasts_s, strength=strength))

    def act(self, start_s: float, end_s: float, level: float) -> None:
        """How much goes on in the game, 0 to 1."""
        self.actions.append(Cue(name="action", start_s=start_s, end_s=end_s, strength=level))

    def mode(self, name: str, start_s: float, end_s: float) -> None:
        """What the programme shows: play unless said otherwise."""
        self.modes.append(Cue(name=name, start_s=start_s, end_s=end_s))

    def react(self, mood: str, strength: float, spread_s: float = 7.0, missing: float = 0.12) -> None:
        """Viewers react to what happens now, unless they happen not to."""
        if self.chance(missing):
            return
        self.chats.append(
            chat.Cue(at_s=self.t, mood=mood, strength=strength * self.between(0.6, 1.5), spread_s=spread_s)
        )
        if chat.base_rate(self.streamer) * strength * spread_s > 4:
            self.signs.add("chat")

    def friends(self, effort: float, num: int) -> None:
        """Whoever plays along shouts over it."""
        if not self.streamer.has_friends:
            return
        for _ in range(num):
            text, at = words.said(self.rng, "friend"), self.t + self.between(-0.3, 4)
            end = at + spoken_s(text, self.streamer, effort)
            self.others.append(Line(start_s=at, end_s=end, text=text, effort=effort, speaker="friend"))
        self.signs.add("friends")

    def voice_effort(self, share: float) -> float:
        """Effort of the voice at this share of the scene's size; reserved streamers stay lower."""
        return 0.3 + share * self.size * self.streamer.openness + self.between(-0.06, 0.06)

    def lead(
        self, name: str, low_s: float, high_s: float, first: float, last: float, talkative: float = 0.7
    ) -> None:
        """Build-up: lines of rising effort, with gaps where the streamer is busy."""
        until = self.t + self.between(low_s, high_s)
        begun = self.t
        while self.t < until:
            part = (self.t - begun) / (until - begun)
            if self.chance(talkative):
                self.say(name, self.voice_effort(first + (last - first) * part), pause_s=0.4)
            else:
                self.wait(0.5, 1.6)

    def happens(self) -> None:
        """The build-up is over, and what it leads to happens now."""
        self.event_s = self.t

    def done(self) -> None:
        """The scene ends now, or when its last line does."""
        self.end_s = max([self.t, *(line.end_s for line in self.lines)])


# Effects that mark a success or a disaster, by genre; the room's own sounds are heard by the microphone alone.
_SUCCESS = {
    "shooter": "kill",
    "moba": "announcer",
    "racing": "crowd",
    "horror": "chord",
    "music": "room_clap",
}
_FAILURE = {
    "shooter": "explosion",
    "moba": "announcer",
    "racing": "crash",
    "horror": "sting",
    "cooking": "room_crash",
    "irl": "room_crash",
}


def _effect(scene: Scene, table: dict[str, str], strength: float) -> None:
    name = table.get(scene.streamer.genre)
    if name is not None and scene.chance(0.85):
        scene.sound(name, strength, scene.between(1, 3))
        scene.signs.add("effect")
        if scene.streamer.is_game:
            scene.look("flash", 0.4, strength)


def hype(scene: Scene) -> None:
    """Something great or unexpected happens."""
    scene.lead("hype_lead", 2, 9, 0.05, 0.3)
    scene.happens()
    scene.act(0, scene.t + 1, 0.6 + 0.4 * scene.size)
    _effect(scene, _SUCCESS, scene.size)
    scene.react("hype", 2 + 6 * scene.size)
    scene.look("jump", scene.between(1.5, 4), scene.size)
    scene.friends(0.9, 3)
    if scene.streamer.openness > 0.75 and scene.chance(0.5):
        scene.utter("scream", scene.between(0.6, 2.2), scene.voice_effort(0.85))
        scene.signs.add("scream")
    for _ in range(int(scene.rng.integers(1, 3))):
        scene.say("hype_peak", scene.voice_effort(0.75), "shout", 0.15)
    scene.signs.add("shout")
    if scene.chance(0.3):
        scene.utter("laugh", scene.between(1, 3), scene.voice_effort(0.4))
        scene.signs.add("laughter")
    for index in range(int(scene.rng.integers(1, 4))):
        scene.say("hype_after", scene.voice_effort(0.5 - 0.12 * index), pause_s=0.3)
    scene.done()


def funny(scene: Scene) -> None:
    """A line, a moment's pause, then laughter; one in four is deadpan and only the chat laughs."""
    scene.lead("funny_lead", 4, 13, 0.0, 0.15, talkative=0.9)
    scene.happens()
    scene.say("funny_peak", scene.voice_effort(0.15), pause_s=0.1)
    scene.react("funny", 2 + 5 * scene.size)
    if scene.chance(0.25):
        scene.wait(1.0, 2.5)
        scene.say("deadpan_after", scene.voice_effort(-0.05), pause_s=0.8)
        scene.wait(0.5, 2)
        scene.signs.add("deadpan")
        scene.done()
        return
    scene.wait(0.3, 1.1)
    scene.look("lean", scene.between(2, 6), scene.size)
    scene.friends(0.7, 2)
    scene.utter("laugh", scene.between(1.5, 3 + 5 * scene.size), scene.voice_effort(0.5))
    scene.signs.add("laughter")
    for _ in range(int(scene.rng.integers(1, 3))):
        scene.say("funny_after", scene.voice_effort(0.3), pause_s=0.2)
        if scene.chance(0.5):
            scene.utter("laugh", scene.between(0.8, 2.5), scene.voice_effort(0.35))
    scene.done()


def clutch(scene: Scene) -> None:
    """Alone against the odds: hardly a word, much action, then relief."""
    scene.lead("clutch_lead", 6, 15, -0.05, 0.05, talkative=0.25)
    scene.happens()
    scene.signs.add("silence")
    scene.act(0, scene.t, 0.7 + 0.3 * scene.size)
    scene.sound("heartbeat", 0.6 * scene.size, 4, after_s=-min(4.0, scene.t))
    if scene.chance(0.5):
        scene.chats.append(chat.Cue(at_s=scene.t * 0.5, mood="clutch", strength=2.0, spread_s=scene.t * 0.4))
    _effect(scene, _SUCCESS, scene.size)
    scene.react("clutch", 2 + 6 * scene.size)
    scene.look("jump", scene.between(1, 4), scene.size)
    scene.friends(0.95, 3)
    if scene.chance(0.8):
        scene.say("clutch_peak", scene.voice_effort(0.8), "shout", 0.2)
        scene.signs.add("shout")
    else:
        scene.utter("sigh", scene.between(0.8, 1.6), scene.voice_effort(0.2))
    for index in range(int(scene.rng.integers(2, 4))):
        scene.say("clutch_after", scene.voice_effort(0.5 - 0.15 * index), pause_s=0.4)
    scene.done()


def fail(scene: Scene) -> None:
    """Confidence, a crash, a silence, then a groan or laughter."""
    scene.lead("fail_lead", 3, 10, 0.05, 0.1, talkative=0.8)
    scene.happens()
    scene.act(0, scene.t, 0.5 + 0.3 * scene.size)
    _effect(scene, _FAILURE, scene.size)
    scene.react("fail", 2 + 5 * scene.size)
    scene.look("slump", scene.between(2, 5), scene.size)
    if scene.chance(0.5):
        scene.say("fail_peak", scene.voice_effort(0.7), "shout", 0.3)
        scene.signs.add("shout")
    else:
        scene.wait(0.8, 2.5)
        scene.signs.add("silence")
        scene.say("fail_peak", scene.voice_effort(0.2), pause_s=0.4)
    scene.friends(0.6, 2)
    if scene.chance(0.4):
        scene.utter("laugh", scene.between(1, 4), scene.voice_effort(0.4))
        scene.signs.add("laughter")
    for index in range(int(scene.rng.integers(1, 4))):
        scene.say("fail_after", scene.voice_effort(0.35 - 0.1 * index), pause_s=0.6)
    scene.done()


def score(scene: Scene) -> None:
    """A goal, a finish, a record, a boss that falls."""
    scene.lead("score_lead", 4, 12, 0.1, 0.45)
    scene.happens()
    scene.act(0, scene.t, 0.6 + 0.4 * scene.size)
    scene.sound("fanfare" if scene.chance(0.6) else "crowd", scene.size, scene.between(3, 6))
    scene.signs.add("effect")
    scene.look("banner", scene.between(3, 6), scene.size)
    scene.look("jump", scene.between(1.5, 4), scene.size)
    scene.react("score", 2 + 5 * scene.size, 9)
    scene.friends(0.9, 3)
    scene.say("score_peak", scene.voice_effort(0.75), "shout", 0.2)
    scene.signs.add("shout")
    if scene.chance(0.35):
        scene.sound("room_clap", 0.8, scene.between(1, 3))
    for index in range(int(scene.rng.integers(2, 4))):
        scene.say("score_after", scene.voice_effort(0.5 - 0.12 * index), pause_s=0.4)
    scene.done()


def rage(scene: Scene) -> None:
    """Complaints that grow until the streamer shouts and hits the desk."""
    scene.lead("rage_lead", 4, 12, 0.1, 0.5, talkative=0.85)
    scene.happens()
    scene.react("rage", 1.5 + 4 * scene.size)
    scene.look("shake", scene.between(2, 4), scene.size)
    for _ in range(int(scene.rng.integers(2, 4))):
        scene.say("rage_peak", scene.voice_effort(0.85), "shout", 0.15)
    scene.signs.add("shout")
    if scene.chance(0.6):
        for _ in range(int(scene.rng.integers(1, 4))):
            scene.sound("room_slam", scene.size, 0.3)
            scene.wait(0.25, 0.6)
        scene.signs.add("slam")
    for index in range(int(scene.rng.integers(1, 4))):
        scene.say("rage_after", scene.voice_effort(0.5 - 0.15 * index), pause_s=0.8)
    scene.done()


def wholesome(scene: Scene) -> None:
    """Quiet and slow; thanks, a trembling voice, hearts in chat."""
    if scene.chance(0.4):
        scene.sound("alert", 0.7, 2.5)
        scene.look("popup", 5)
        scene.wait(1.5, 3)
    scene.lead("wholesome_lead", 3, 9, -0.08, -0.05, talkative=0.8)
    scene.happens()
    scene.react("wholesome", 1.5 + 4 * scene.size, 10)
    scene.act(0, scene.t + 5, 0.05)
    for _ in range(int(scene.rng.integers(1, 4))):
        scene.say("wholesome_peak", scene.voice_effort(-0.1), pause_s=0.9)
        if scene.chance(0.4):
            scene.utter("sniff", 0.5, 0.4)
            scene.signs.add("sniff")
    for _ in range(int(scene.rng.integers(1, 3))):
        scene.say("wholesome_after", scene.voice_effort(-0.15), pause_s=1.0)
    scene.signs.add("soft")
    scene.done()


MOMENTS: dict[str, Callable[[Scene], None]] = {
    "hype": hype, "funny": funny, "clutch": clutch, "fail": fail, "score": score, "rage": rage, "wholesome": wholesome,
}  # fmt: skip
