"""Plays the plan: who says what when, what sounds, what the chat is moved to write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.sketches.i_laps.cast import Cast, heard, line_of, spoken
from tests.sketches.i_laps.recipes import Beat
from tests.sketches.i_laps.voice import Score, manners, syllables_of

LADDER = ("mutter", "talk", "raised", "shout", "scream")
_CRIES = ("yes", "no", "noise", "again")  # what people do say over and over
_FELT = ("gasp", "sigh", "groan", "laugh", "slam")


class Said(NamedTuple):
    """Words really said."""

    start_s: float
    end_s: float
    text: str
    effort: float


class Act(NamedTuple):
    """A sentence, or a sound that is no words, and its manner."""

    start_s: float
    end_s: float
    manner: str


class Stage:
    """Everything that is heard and said in one stream, filled in as the plan is played."""

    def __init__(self, cast: Cast, duration_s: float, seed: int) -> None:
        self.cast, self.duration_s, self.free_s = cast, duration_s, 0.3
        self.rng = np.random.default_rng([seed, 20])
        self.voice = Score(duration_s, cast.speaker, np.random.default_rng([seed, 21]))
        self.guest = Score(duration_s, cast.guest, np.random.default_rng([seed, 22]))
        self.recent: list[str] = []
        self.said: list[Said] = []
        self.acts: list[list[Act]] = []  # for each happening, what it made people do
        self.doing: list[Act] = []
        self.room: list[tuple[str, float, float]] = []
        self.desk: list[tuple[str, float, float]] = []
        self.bursts: list[tuple[float, str, float]] = []

    def speak(self, at_s: float, pool: str, manner: str, limit_s: float) -> float:
        """Say one line of a pool, unless it would not be done by limit_s; gives when the voice is free again."""
        rng, (_, _, rate, _, effort, _) = self.rng, manners()[manner]
        lines = [line_of(pool, self.cast.language, rng) for _ in range(4)]
        text = next((line for line in lines if line not in self.recent or pool in _CRIES), lines[0])
        self.recent = [*self.recent[-7:], text]
        if manner == "scream":
            text = " ".join(text.split()[: int(rng.integers(1, 4))])
        elif manner != "shout":
            text = spoken(text, self.cast, rng)
        at_s = max(at_s, self.free_s + 0.1)
        guess_s = len(syllables_of(text)) / (self.cast.speaker.rate * rate)
        if at_s + guess_s > min(limit_s + 0.8, self.duration_s - 0.4):
            return limit_s
        end_s = self.voice.say(at_s, text, manner)
        if pool != "noise":
            self.said.append(Said(at_s, end_s, text, effort))
        self.doing.append(Act(at_s, end_s, manner))
        self.free_s = end_s
        if rng.random() < 0.3:
            self.voice.puff(end_s + 0.15, 0.35, 0.25, inward=True)
        return end_s + float(rng.uniform(0.1, 0.7))

    def sound(self, token: str, at_s: float, limit_s: float, push: float) -> float:
        """Make one sound that is no words."""
        rng, gain = self.rng, 10 ** (0.4 * push * self.cast.speaker.dynamic)
        at_s = max(at_s, self.free_s + 0.05)
        if at_s > min(limit_s, self.duration_s - 3.5):
            return limit_s
        if token == "laugh":
            end_s = self.voice.laugh(at_s, float(np.clip(0.5 * push + rng.normal(0.15, 0.15), 0.05, 1)))
        elif token in ("gasp", "sigh"):
            length = rng.uniform(0.3, 0.6) if token == "gasp" else rng.uniform(0.7, 1.5)
            end_s = self.voice.puff(at_s, float(length), 0.8 * gain, inward=token == "gasp")
        elif token == "groan":
            end_s = self.voice.groan(at_s, gain)
        elif token == "cough":
            end_s = self.voice.cough(at_s, float(rng.uniform(0.8, 3.0)))
        else:
            self.room.append((token, at_s, float(rng.uniform(0.5, 1.0)) * min(gain, 2.0)))
            end_s = at_s + (2.0 if token == "mash" else 0.6)
        self.doing.append(Act(at_s, end_s, token))
        self.free_s = max(self.free_s, end_s)
        return end_s + float(rng.uniform(0.1, 0.5))

    def other(self, token: str, at_s: float, limit_s: float) -> float:
        """Let the guest, or a voice in a video, be heard on the desktop."""
        if at_s + 3.0 > min(limit_s + 1.5, self.duration_s - 0.5):
            return limit_s
        line = line_of(token.partition(":")[2] or "yes", self.cast.language, self.rng)
        return self.guest.say(at_s, line, "shout" if token == "guestshout" else "talk") + 0.3

    def follow(self, script: list[str], at_s: float, limit_s: float, push: float, words: bool = True) -> None:
        """Act a script until limit_s, and then its last part over again, calmer and with longer pauses."""
        parts = script
        for calm in range(4):
            for part in parts:
                if at_s < limit_s - 0.5:
                    token = str(self.rng.choice(part.split("/")))
                    at_s = self._act(token, at_s, limit_s, push - 0.8 * calm, words)
            parts = script[-2:]
            at_s += float(self.rng.uniform(0.3, 1.2)) * (calm + 1)

    def _act(self, token: str, at_s: float, limit_s: float, push: float, words: bool) -> float:
        manner, _, pool = token.partition(":")
        if token == "hush":
            return at_s + float(self.rng.uniform(0.7, 2.6))
        if token.startswith("guest"):
            return self.other(token, at_s, limit_s)
        if not pool:
            # Calm people leave out the sighs and the blows, not the coughs.
            if token in _FELT and push < self.rng.uniform(-1.6, -0.2):
                return at_s + 0.5
            return self.sound(token, at_s, limit_s, push)
        if manner in LADDER:
            meant = LADDER.index(manner)
            felt = meant + round(push + self.rng.normal(0, 0.25))
            manner = LADDER[min(max(felt, min(1, meant)), meant + 1, 4)]
        return self.speak(at_s, pool if words else "noise", manner, limit_s)

    def beat(self, beat: Beat) -> None:
        """Act one happening."""
        rng, cast, recipe, signs = self.rng, self.cast, beat.recipe, beat.signs
        self.doing = []
        push = 0.8 * (cast.reactivity - 0.5)
        if recipe.is_moment:
            feeling = cast.anger if recipe.kind == "rage" else cast.reactivity
            push = 2.4 * (feeling - 0.55) - 1.2 * (1 - signs["voice"])
        self.follow(recipe.before, beat.start_s + rng.uniform(-0.5, 1.5), beat.event_s - 0.9, min(push, 0.0))
        react_s, done_s = beat.event_s + rng.gamma(3.0, 0.15) + 0.1, beat.end_s - rng.uniform(-0.8, 2.4)
        if signs["voice"] > 0:
            self.follow(recipe.after, react_s, done_s, push, signs["words"] > 0)
        elif signs["words"] > 0:
            pools = [part.rpartition(":")[2] for part in recipe.after if ":" in part and "guest" not in part]
            self.follow([f"talk:{pool}" for pool in pools], react_s, done_s, -2.0)
        if signs["desktop"] > 0:
            gain = signs["desktop"] * float(rng.lognormal(0, 0.25))
            timed = [(name, beat.event_s + after_s, gain) for name, after_s in recipe.sounds]
            self.desk += [sound for sound in timed if sound[1] < beat.end_s]
        if signs["chat"] > 0:
            self.bursts.append((beat.event_s, recipe.chat, recipe.crowd * signs["chat"]))
        self.acts.append(self.doing)
        self.doing = []

    def idle(self, start_s: float, end_s: float) -> None:
        """Ordinary time: stretches of talk to oneself and the chat, and long silence over a hard part."""
        rng, cast, at_s = self.rng, self.cast, start_s + float(self.rng.exponential(2.0))
        topics = rng.dirichlet((4, 2, 2 if cast.chat_rate else 0.1, 1.2, 0.4))
        odds = np.array([0.2, 0.7, 0.02 + 0.12 * cast.reactivity, 0.02 * cast.reactivity, 0.0])
        while at_s < end_s - 1.5:
            if rng.random() < 0.25 + 0.65 * cast.chatty:
                topic = str(rng.choice(["drive", "story", "read", "pace", "close"], p=topics))
                for _ in range(int(rng.integers(1, 3 + round(5 * cast.chatty)))):
                    pool = topic if rng.random() < 0.7 else "drive"
                    manner = str(rng.choice(LADDER, p=odds / odds.sum()))
                    at_s = self.speak(at_s, pool, manner, end_s) + float(rng.exponential(0.6))
                if rng.random() < 0.12:
                    at_s = self.sound(str(rng.choice(["sigh", "laugh", "cough", "groan"])), at_s, end_s, -0.7)
            at_s += float(rng.exponential(2.0 + 9.0 * (1 - cast.chatty)))
            if cast.has_guest and rng.random() < 0.4:
                self.other(f"guest:{rng.choice(['drive', 'guest', 'story'])}", at_s, end_s)

    def segments(self) -> tuple[tuple[float, float, str], ...]:
        """The words as a recogniser gives them: short sentences run together, long ones cut."""
        groups: list[list[Said]] = []
        for part in self.said:
            last = groups[-1] if groups else [Said(-9.0, -9.0, "", 0.0)]
            near = part.start_s < last[-1].end_s + 0.7 and part.end_s < last[0].start_s + 6
            groups = [*groups[:-1], [*groups[-1], part]] if near else [*groups, [part]]
        found: list[tuple[float, float, str]] = []
        for group in groups:
            start_s = max(group[0].start_s + self.rng.uniform(-0.1, 0.15), found[-1][1] if found else 0.0)
            end_s, effort = group[-1].end_s + self.rng.uniform(-0.1, 0.2), max(part.effort for part in group)
            # A cry of a moment, begun late and ended early, still lasts.
            end_s = max(end_s, start_s + 0.01)
            pieces = int(np.ceil((end_s - start_s) / 6.8))
            edges = np.round(np.linspace(start_s, end_s, pieces + 1), 2).tolist()
            some = np.array_split([word for part in group for word in part.text.split()], pieces)
            texts = [heard(" ".join(words), self.cast, effort, self.rng) for words in some]
            found += [piece for piece in zip(edges, edges[1:], texts, strict=False) if piece[2]]
        return tuple(found)
