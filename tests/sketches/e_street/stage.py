"""One stream of e_street while it is put together: who is there, and how they speak, laugh, answer and are heard."""

from __future__ import annotations

import re

import numpy as np

from tests.sketches.e_street.parts import Bed, Rng, Voice, rows, table
from tests.sketches.e_street.picture import SHOWN
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sound


class Stage:
    """What is drawn once for a stream, and its sound, words, chat and picture so far.

    Attributes:
        sounds, beds: what is heard on mic and desktop; beds of noise are added at the end.
        shown: what the pictures do, a value for each, as `picture` reads it.
        segs, chat: in no order yet.
        voiced: from when to when each line and each bout of laughter sounds, as they come.
        chat_hz: how many lines a second people write unasked; 0 where there is no chat.
    """

    def __init__(self, rng: Rng, duration_s: float) -> None:
        self.rng, self.duration_s, num = rng, duration_s, round(duration_s * RATE_HZ)
        genres = rows("genres")
        weights = np.array([float(row[0]) for row in genres.values()])
        self.genre = str(rng.choice(list(genres), p=weights / weights.sum()))
        _, talk, camera, *beds = genres[self.genre]
        self.talk, self.camera = float(talk) * rng.uniform(0.5, 1.4), float(camera)
        self.sounds = {"mic": np.zeros(num, np.float32), "desktop": np.zeros(num, np.float32)}
        self.beds = {"mic": Bed(rng, duration_s), "desktop": Bed(rng, duration_s)}
        self.shown = {name: np.zeros(round(duration_s * FRAMES_PER_S), np.float32) for name in SHOWN}
        self.segs: list[tuple[float, float, str]] = []
        self.chat: list[tuple[float, str]] = []
        self.voiced: list[tuple[float, float]] = []
        self.host, self.temper = Voice.draw(rng), rng.uniform(0.6, 1.3)
        self.merry, self.deaf = rng.gamma(2, 0.5), rng.beta(1.3, 12)
        self.lately: list[str] = []
        is_at_desk = self.genre in ("chess", "talk", "game")
        self.friend_on = "desktop" if is_at_desk else "mic"
        self.friend = Voice.draw(rng, rng.uniform(-8, 1)) if rng.random() < 0.42 else None
        self.has_desktop = is_at_desk or rng.random() < 0.7
        self.num_viewers = int(np.exp(rng.choice([rng.uniform(1.1, 4), rng.uniform(3, 8.6)])))
        self.chat_hz = 0.006 * self.num_viewers**0.68 * rng.lognormal(0, 0.4) * (rng.random() > 0.1)
        self.lag_s, self.name = rng.uniform(1.5, 9), str(rng.choice(["elm", "bram", "nuts", "kiki"]))
        for bed in beds:
            name, level_db, chance = bed.split(":")
            if rng.random() < float(chance):
                self.beds["mic"].add(name, 0, duration_s, float(level_db) + rng.normal(0, 4))

    def text(self, section: str) -> str:
        """A phrase of a section with its gaps filled, the genre's own among them, none of those just used."""
        known, own = table(), table().get(f"{section}.{self.genre}", ())
        common = known.get(section, known["say"])
        pool = own if self.rng.random() < len(own) / (len(own) + 0.35 * len(common)) else common
        fresh = [text for text in pool if text not in self.lately] or pool
        text = str(self.rng.choice(fresh))
        if " " in text and not section.startswith("chat"):
            self.lately = [*self.lately[-15:], text]
        return re.sub(r"\{(\w+)\}", lambda gap: self.text(gap[1]), text.replace("{me}", self.name))

    def put(self, where: str, at_s: float, sound: Sound) -> None:
        """Add a sound to a track; what a phone without a desktop plays comes softly through its microphone."""
        where, gain = (where, 1.0) if where == "mic" or self.has_desktop else ("mic", 0.25)
        start = max(0, int(at_s * RATE_HZ))
        room = self.sounds[where][start : start + len(sound)]
        room += np.float32(gain) * sound[: len(room)]

    def mute(self, start_s: float, end_s: float) -> None:
        """Nothing of the microphone arrives between two times, its noise neither: not a number marks that."""
        self.sounds["mic"][int(start_s * RATE_HZ) : int(end_s * RATE_HZ)] = np.nan

    def hear(self, text: str) -> str:
        """Words as the recogniser has them: some changed for a like one, some lost."""
        swaps, words = dict(pair.split() for pair in table()["misheard"]), []
        for word in re.sub(r"[_\d]+", " ", text).split():
            roll = self.rng.random() / self.deaf
            if roll > 1:
                words.append(word)
            elif roll > 0.3:
                like = [other for other in " ".join(table()["say"]).split() if other[0] == word[0]]
                words.append(swaps.get(word, str(self.rng.choice(like or [word]))))
        return " ".join(words)

    def say(
        self, at_s: float, text: str, mood: str, end_s: float, who: Voice | None = None, where: str = "mic"
    ) -> float:
        """Say as much of a text as ends in time; when it ended, or soon after the start where nothing fitted."""
        row, who, words = rows("moods")[mood], who or self.host, text.split()
        syllables = [max(1, len(re.findall(r"[aeiouy]+", word))) for word in words]
        room = (end_s - at_s + 0.3) * who.syllables_hz * float(row[0])
        num_words = int(np.sum(np.cumsum(syllables) < room))
        if num_words < min(2, len(syllables)):
            return at_s + 0.5
        sound = who.sound(self.rng, sum(syllables[:num_words]), row)
        self.put(where, at_s, sound)
        stop_s, heard = at_s + len(sound) / RATE_HZ, self.hear(" ".join(words[:num_words]))
        self.voiced.append((at_s, stop_s))
        if where == "mic" and heard and (who.gain_db > -12 or self.rng.random() < 0.4):
            self.segs.append((at_s + self.rng.normal(0, 0.12), stop_s + self.rng.normal(0.1, 0.15), heard))
        return stop_s

    def laugh(
        self, at_s: float, length_s: float, who: Voice, where: str = "mic", effort_db: float = 0.0
    ) -> float:
        """Bouts of laughter until the time is up; when they ended. Seldom the recogniser writes them down."""
        rng, start_s, end_s = self.rng, at_s, at_s + length_s
        while at_s < end_s - 0.4:
            num_calls = int(np.clip(rng.normal(6, 2), 2, (end_s - at_s) * 5))
            pitch, effort = rng.uniform(2, 9), effort_db + rng.normal(0, 2)
            mood = ["1", str(pitch), str(effort), "1.2", str(who.breath * 6)]
            sound = who.sound(rng, num_calls, mood, is_laugh=True)
            self.put(where, at_s, sound)
            self.voiced.append((at_s, at_s + len(sound) / RATE_HZ))
            at_s += len(sound) / RATE_HZ + 0.15
            self.beds[where].add("gasp", at_s, at_s + 0.35, -42 + effort_db)
            at_s += rng.uniform(0.2, 0.6)
        if where == "mic" and rng.random() < 0.22:
            self.segs.append((start_s, at_s, str(rng.choice(["Haha.", "hahaha", "ha ha ha", "Oh."]))))
        return at_s

    def react(self, at_s: float, section: str, strength: float, spread_s: float = 0.0) -> None:
        """Chat answers after its lag; nearly nothing where three people watch."""
        rng = self.rng
        num = rng.poisson(strength * (0.3 + 9 * self.chat_hz)) if self.chat_hz else 0
        for wait_s in rng.gamma(2, 1.3, num) + rng.uniform(0, spread_s + 0.01, num):
            own = "clips" if section.startswith("react") and rng.random() < 0.06 else section
            text = self.text(own if rng.random() < 0.93 else "chat")
            self.chat.append((at_s + self.lag_s + wait_s, text))

    def show(self, name: str, start_s: float, end_s: float, strength: float) -> None:
        """Something for the pictures to do between two times; it dies away, and cuts just end."""
        first, last = (int(max(0, at_s) * FRAMES_PER_S) for at_s in (start_s, end_s))
        part = self.shown[name][first:last]
        fade = np.minimum(1, np.arange(len(part), 0, -1) / 8) if name != "cuts" else 1
        part += np.float32(strength) * fade
