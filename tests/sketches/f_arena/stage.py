"""One stream of f_arena in the making: who is there, and how they speak, answer in chat and set sounds off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tests.sketches.f_arena.parts import Rng, Voice, make_foley, make_song, mix, syllables, tables, utter
from tests.sketches.f_arena.picture import SHOWN, Camera
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sound

STREAMER, ANNOUNCER, RECORDED, FRIEND = 0, 1, 2, 3  # who speaks; friends follow from 3 on
ALERT = "alert"


class Said(NamedTuple):
    """What somebody said, and the list it is from; energy is 0 in calm talk and 1 in a scream."""

    start_s: float
    end_s: float
    text: str
    energy: float
    who: int
    name: str = ""


class Stream:
    """What is drawn once for a stream, and its sound, words, chat and picture so far.

    Attributes:
        effects: the game's sounds by name.
        small, big: names of those that come all the time, at `rate_hz`, and of those that end a play.
        temper: 0 says it calmly, 1 screams.
        tight: how close an editor cuts, 0 to 1.
        chatty: how eager the chat is; 0 where there is none.
        leak: how much of the desktop the microphone hears.
        shown: what the pictures do, a value for each, as `picture` reads it.
    """

    def __init__(self, rng: Rng, duration_s: float) -> None:
        self.rng, self.duration_s = rng, duration_s
        self.effects = {row.split()[0]: make_foley(rng, row) for row in tables()["foley"]}
        self.genre, camera, small, big, rate_hz, kinds = str(rng.choice(tables()["genres"])).split()
        self.camera, self.rate_hz = Camera(*map(float, camera.split(","))), float(rate_hz)
        self.small, self.big, self.kinds = small.split(","), big.split(","), kinds.split(",")
        is_party = self.genre == "party"
        num_friends = int(rng.integers(1, 4)) if rng.random() < (0.9 if is_party else 0.45) else 0
        self.friends = range(FRIEND, FRIEND + num_friends)
        are_high = rng.random(FRIEND + num_friends) < 0.35
        self.voices = [Voice.draw(rng, is_high=bool(is_high)) for is_high in are_high]
        self.temper, self.tight = rng.beta(1.3, 1.1), rng.random()
        self.talk, self.calm, self.range_db = (
            rng.uniform(0.2, 0.8),
            rng.choice([0, 0.1, 0.25]),
            rng.uniform(9, 22),
        )
        self.num_viewers = int(np.exp(rng.uniform(1.1, 9)))
        self.chatty = rng.lognormal(-0.6, 0.6) * (rng.random() > 0.07)
        self.lag_s = rng.uniform(1.5, 4) if rng.random() < 0.6 else rng.uniform(4, 13)
        self.leak = rng.uniform(0.03, 0.3) if rng.random() < 0.2 else 0.0
        self.says: list[Said] = []
        self.chat: list[tuple[float, str]] = []
        num_pictures, num_samples = round(duration_s * FRAMES_PER_S), round(duration_s * RATE_HZ)
        self.shown = {name: np.zeros(num_pictures, np.float32) for name in SHOWN}
        self.mic, self.desktop = np.zeros(num_samples, np.float32), np.zeros(num_samples, np.float32)
        self.game_db = rng.uniform(-20, 2) if rng.random() < 0.95 else -45.0
        self._turn = 0

    def show(self, name: str, start_s: float, end_s: float, value: float) -> None:
        """Let the pictures do something between two times, at least so strongly."""
        first, last = int(start_s * FRAMES_PER_S), int(end_s * FRAMES_PER_S) + 1
        part = self.shown[name][max(0, first) : max(0, last)]
        np.maximum(part, value, out=part)

    def cue(
        self, times_s: Iterable[float], name: str, low_db: float, high_db: float, *, on_mic: bool = False
    ) -> None:
        """An effect at some times, each as loud as chance has it."""
        for at_s in times_s:
            near_db = -5 if on_mic or name == ALERT else self.game_db
            gain_db = self.rng.uniform(low_db, high_db) + near_db
            mix(self.mic if on_mic else self.desktop, at_s, self.effects[name], gain_db)

    def burst(self, at_s: float, name: str, amount: float, spread_s: float) -> None:
        """Many answer in chat at once, after its lag."""
        eager = min(1.5, 0.4 + self.chatty) * (0.8 + 0.7 * self.num_viewers**0.55)
        num = self.rng.poisson(amount * eager)
        for late_s in self.rng.gamma(2, spread_s, num):
            self.chat.append((at_s + self.lag_s + late_s, self.phrase(name)))

    def phrase(self, name: str) -> str:
        """An entry of a list with its slots filled; nobody says the same thing twice in a row."""
        self._turn += int(self.rng.integers(1, 3))
        text = tables()[name][self._turn % len(tables()[name])].replace("{n}", str(self.rng.integers(2, 9)))
        for slot in re.findall(r"{(\w+)}", text):
            text = text.replace("{" + slot + "}", str(self.rng.choice(tables()[slot + "s"])))
        return text

    def say(self, at_s: float, text: str, energy: float, who: int = STREAMER, name: str = "") -> float:
        """Say a text, unless the stream is over before; when it ends."""
        num = 1 + sum(size + pause for size, pause in syllables(text))
        end_s = at_s + num / self.voices[who].syllables_hz / (1 + 0.15 * energy)
        if end_s >= self.duration_s - 0.2:
            return end_s
        self.says.append(Said(at_s, end_s, text, energy, who, name))
        sound = utter(self.rng, self.voices[who], text, energy, length_s=end_s - at_s, range_db=self.range_db)
        mix(self.mic if who == STREAMER else self.desktop, at_s, sound)
        if who == STREAMER:
            self.show("busy", at_s, end_s, 1.0)
            self.show("face", at_s, end_s, 0.25 + max(0.0, energy))
        return end_s

    def talk_on(
        self,
        at_s: float,
        end_s: float,
        who: int,
        names: Sequence[str],
        *,
        rest_s: float,
        energy: float,
        rise: float = 0.0,
    ) -> float:
        """One phrase of these lists after another until a time; when it ended. Energy rises by so much till then."""
        first_s = at_s
        while at_s < end_s:
            now = energy + rise * (at_s - first_s) / max(1.0, end_s - first_s) + self.rng.normal(0, 0.04)
            name = str(self.rng.choice(names))
            at_s = self.say(at_s, self.phrase(name), now, who, name) + self.rng.exponential(rest_s) + 0.1
        return at_s

    def song(self, length_s: float) -> Sound:
        """Music of this stream's own, RMS 1, about."""
        return make_song(self.rng, self.effects["kick"], self.effects["hat"], length_s)
