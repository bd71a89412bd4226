"""The words of a stream from a workshop: what is said, what a recogniser makes of it, what the chat writes."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

Rng = np.random.Generator
Curve = npt.NDArray[np.float64]
_MAX_CHAT_HZ, _NUM_REPEATS = 12.0, 3


def _load() -> dict[str, tuple[str, ...]]:
    """Read the list file: sections of items, one a line or parted by bars."""
    lists: dict[str, list[str]] = {}
    name = ""
    for line in Path(__file__).with_name("words.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            lists[name] = []
        elif line and not line.startswith("#"):
            lists[name] += [item.strip() for item in line.split(" | ")]
    return {key: tuple(items) for key, items in lists.items()}


LISTS = _load()
TABLES = {
    name: {row.split()[0]: row.split()[1:] for row in LISTS[name]}
    for name in "noise short colours vowels styles vocals".split()
}
_CONFUSED = dict(item.split(":") for item in LISTS["confuse"])


def pick(rng: Rng, name: str) -> str:
    """One item of a list."""
    items = LISTS[name]
    return items[int(rng.integers(len(items)))]


def fill(rng: Rng, text: str, craft: str) -> str:
    """Put words in the slots of a sentence."""

    def word(match: re.Match[str]) -> str:
        slot = match.group(1)
        return pick(rng, f"{slot}.{craft}" if f"{slot}.{craft}" in LISTS else slot)

    return re.sub(r"\{(\w+)\}", word, text)


class Tongue:
    """How one streamer speaks, and how badly the recogniser hears it."""

    def __init__(self, rng: Rng, craft: str) -> None:
        self._craft, self._catch, self._catch_share = craft, pick(rng, "catch"), rng.uniform(0.0, 0.08)
        self._fillers, self._error = float(rng.choice([0.0, 0.01, 0.03, 0.06])), rng.beta(1.3, 10.0)
        self._start = str(rng.choice(["so ", "okay ", "now ", "yeah ", "right, "]))

    def ordinary(self, rng: Rng) -> str:
        """A sentence of ordinary talk."""
        roll = rng.random()
        if roll < 0.16:
            return pick(rng, "talk.short")
        if roll < 0.16 + self._catch_share:
            return self._catch
        text = fill(rng, pick(rng, f"talk.{self._craft}" if roll > 0.62 else "talk.any"), self._craft)
        return self._filled(rng, self._start + text if rng.random() < 0.12 else text)

    def line(self, rng: Rng, section: str) -> str:
        """A sentence of a section of the lists; "any" is ordinary talk."""
        if section == "any":
            return self.ordinary(rng)
        text = fill(rng, pick(rng, section), self._craft)
        return self._filled(rng, text) if len(text.split()) > 6 else text

    def _filled(self, rng: Rng, text: str) -> str:
        words: list[str] = []
        for word in text.split():
            if rng.random() < self._fillers:
                words.append(pick(rng, "filler") + ",")
            # Short words are at times said twice.
            words += [word] * (1 + (len(word) < 4 and rng.random() < self._fillers * 0.4))
        return " ".join(words)

    def heard(self, rng: Rng, text: str, noisy: float) -> str:
        """What a recogniser writes of words said; noisy is how much more it errs (shouts, tools)."""
        error = min(0.6, self._error * noisy)
        words: list[str] = []
        for word in text.split():
            bare = word.rstrip(",.!?")
            roll = rng.random()
            if roll < error * 0.3 or (bare in LISTS["filler"] and roll < 0.4):
                continue
            other = pick(rng, "confuse").split(":")[1] if roll < error * 0.7 else word
            words.append(_CONFUSED.get(bare, other) if roll < error else word)
        out = " ".join(words).strip(" ,")
        return out[:1].upper() + out[1:] + ("." if rng.random() < 0.6 else "") if out else ""


class Crowd:
    """The chat of one streamer: none, a few or tens of thousands; how lively, how late."""

    def __init__(self, rng: Rng, craft: str) -> None:
        self._craft = craft
        silent = rng.random() < 1 / 7
        self.viewers = int(rng.integers(0, 12)) if silent else int(np.exp(rng.uniform(1.4, np.log(40_000))))
        self.rate_hz = 0.0 if silent else 0.012 * self.viewers**0.62 * float(rng.uniform(0.35, 1.7))
        self._lag_s, self._shouty = rng.uniform(1.2, 8.0), rng.uniform(0.1, 1.0)
        self._bot_s = rng.uniform(120.0, 400.0) if rng.random() < 0.6 else 1e6

    def ordinary(self, rng: Rng, duration_s: float) -> list[tuple[float, str]]:
        """Talk of the chat with nothing special on: it swells and ebbs by itself."""
        if not self.rate_hz:
            return []
        swell = np.exp(rng.normal(0.0, 0.45, int(duration_s / 20.0) + 2))
        count = rng.poisson(self.rate_hz * duration_s)
        ats = rng.uniform(0.0, duration_s, count)
        ats = ats[rng.random(count) < np.interp(ats / 20.0, np.arange(swell.size), swell) / 1.6]
        out = [(float(at), self._typed(rng, pick(rng, "chat.any"), 0.0)) for at in ats]
        for at in rng.uniform(0.0, duration_s, rng.poisson(duration_s / 90.0)):
            # Somebody's joke: a short run of laughs that nothing on the stream asked for.
            out += self.burst(rng, float(at), "lol", 0.15)
        bots = np.arange(rng.uniform(0.0, self._bot_s), duration_s, self._bot_s)
        return out + [(float(at), pick(rng, "chat.bot")) for at in bots]

    def burst(self, rng: Rng, at_s: float, mood: str, strength: float) -> list[tuple[float, str]]:
        """Answers to something seen at at_s: after the delay of the stream and the typing, soon ebbing."""
        if not self.rate_hz:
            return []
        few = min(self.viewers * 0.12, 4.0)
        many = 19.0 * min(self.rate_hz, _MAX_CHAT_HZ) * rng.lognormal(0.0, 0.35)
        count = rng.poisson(strength * (few + many))
        delays = self._lag_s + 0.8 + rng.gamma(1.7, 2.2, count)
        favoured = [pick(rng, f"chat.{mood}") for _ in range(_NUM_REPEATS)]
        out = []
        for delay in delays:
            text = pick(rng, f"chat.{mood}" if rng.random() < 0.88 else "chat.any")
            if rng.random() < 0.4:
                text = favoured[int(rng.integers(_NUM_REPEATS))]
            out.append((at_s + float(delay), self._typed(rng, text, self._shouty * strength)))
        return out

    def _typed(self, rng: Rng, text: str, heat: float) -> str:
        """The hand of one viewer: capitals, drawn out letters, doubled emotes, slips."""
        text, roll = fill(rng, text, self._craft), rng.random(3)
        if roll[0] < heat * 0.4:
            text = text.upper()
        if roll[1] < heat * 0.3 and text[-1:].isalpha():
            text += text[-1] * int(rng.integers(2, 8))
        elif roll[1] > 1.0 - heat * 0.15 and len(text) < 12:
            text = " ".join([text] * int(rng.integers(2, 5)))
        if roll[2] < 0.05 and len(text) > 8:
            cut = int(rng.integers(1, len(text) - 1))
            text = text[:cut] + text[cut + 1 :]
        return text
