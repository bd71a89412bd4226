"""The microphone: what the streamer says and when, laughs and slams, the room; and what a recogniser hears of it."""

from __future__ import annotations

import numpy as np

from tests.sketches.l_ranked.plan import Plan
from tests.sketches.l_ranked.script import Cue
from tests.sketches.l_ranked.sound import mix
from tests.sketches.l_ranked.truth import Laid
from tests.sketches.l_ranked.voice import STYLES, Throat, shaped_noise, streamer_style
from tests.sketches.l_ranked.who import Phrases, Who, pairs, sections, table
from tests.sketches.sketch import RATE_HZ, Sound

Segs = list[tuple[float, float, str]]
_TALK_RMS = 0.75  # of Throat.speak in the style of talk


class Mic:
    """Renders one streamer's microphone."""

    def __init__(self, rng: np.random.Generator, who: Who, phrases: Phrases, plan: Plan, num: int) -> None:
        self._rng, self._who, self._phrases, self._plan = rng, who, phrases, plan
        self._throat = Throat(rng, who.pitch_hz, who.tract, who.breath)
        self._gain = 10 ** (who.mic_db / 20) / _TALK_RMS
        self.track = np.zeros(num, np.float32)
        self.segs: Segs = []
        self.laid: list[Laid] = []
        self.speaking = np.zeros(num * 10 // RATE_HZ + 10, np.float32)
        self._free_at, self._near_db = 0.5, 0.0

    def _put(self, at: float, x: Sound, gain: float) -> None:
        mix(self.track, at, x, gain * self._gain)
        a, b = int(at * 10), int((at + len(x) / RATE_HZ) * 10) + 1
        self.speaking[a:b] = np.maximum(self.speaking[a:b], gain)
        self._free_at = at + len(x) / RATE_HZ + 0.08

    def _say(self, at: float, style: str, topic: str, until: float = np.inf) -> str:
        """Say something; it breaks off where something happens. Gives the style it is said in."""
        text, style = self._phrases.pick(topic), streamer_style(self._who, style, self._rng)
        x = self._throat.speak(text, style, self._who.syllables)
        keep = int((min(until, len(self.track) / RATE_HZ) - at) * RATE_HZ)
        if keep < len(x):
            words = text.split()
            text = " ".join(words[: round(len(words) * keep / len(x))])
            x = x[:keep] * np.clip((keep - np.arange(keep, dtype=np.float32)) / 1000, 0, 1)
        # Nobody keeps his level: he leans back, turns away, comes near.
        self._near_db = 0.8 * self._near_db + self._rng.normal(0, 0.9)
        self._put(at, x, 10 ** ((STYLES[style].gain_db * self._who.squash + self._near_db) / 20))
        if len(x) > 0.3 * RATE_HZ:
            self._hear(at, at + len(x) / RATE_HZ, text, style)
        return style

    def _body(self, cue: Cue) -> None:
        throat, at, level = self._throat, cue.at, cue.level * (0.45 + 0.65 * self._who.temper)
        if cue.what == "laugh":
            at = max(at, self._free_at)
            x = throat.laugh(min(level, 1.0))
            if self._rng.random() < 0.3:
                text = str(self._rng.choice(["haha", "ha ha ha"]))
                self.segs.append((at, at + len(x) / RATE_HZ, text))
            self._put(at, x, 1.0)
            self.laid.append(Laid(cue, at, at + len(x) / RATE_HZ))
        elif cue.what == "slam" and level > 0.3:
            t = np.arange(5000, dtype=np.float32) / RATE_HZ
            thump = np.sin(2 * np.pi * 75 * t) * np.exp(-t * 18) + throat.breathe(0.3125, 1) * np.exp(-t * 40)
            times = int(self._rng.integers(1, 4))
            self.laid.append(Laid(cue, at, at + 0.28 * times))
            for k in range(times):
                mix(self.track, at + 0.28 * k, thump.astype(np.float32), 2.5 * level * self._gain)
        elif cue.what == "cough":
            self._put(at, throat.cough(), cue.level * 1.8)
        elif cue.what in ("gasp", "sigh"):
            x = throat.breathe(*((0.45, 0.8) if cue.what == "gasp" else (1.1, 0.45)))
            mix(self.track, at, x, level * self._gain)
            if level > 0.3:
                self.laid.append(Laid(cue, at, at + len(x) / RATE_HZ))

    def _chat_along(self, until: float, hushes: list[tuple[float, float]]) -> None:
        """Ordinary talk up to a time."""
        rng, who = self._rng, self._who
        while True:
            at = self._free_at + rng.exponential(2.2 * (1 - who.talk) / who.talk) + 0.1
            at = next((b for a, b in hushes if a - 1.5 < at < b), at)
            if at > until - 1.6:
                return
            screen = self._plan.screen(at)
            alive = screen in ("play", "fight", "buy")
            place = "alive" if alive else "dead" if screen == "dead" else "lobby"
            topics = table(f"talk.{place}")
            topic = str(rng.choice(list(topics), p=[row[0] for row in topics.values()]))
            lively = rng.random()
            style = "talk"
            if lively < 0.04 + (0.22 if screen == "fight" else 0.04) * who.temper:
                style = "excited"
            elif lively > 1 - 0.03 * who.temper:
                style = "shout"
            for _ in range(int(rng.integers(1, 4)) if topic == "chatter" else 1):
                self._say(at, style, topic, until + rng.uniform(-0.1, 0.4))
                at = self._free_at + rng.uniform(0.1, 0.5)
                if at > until - 1.6:
                    return
            if rng.random() < 0.03:
                self._body(Cue(at, "body", "laugh", level=rng.uniform(0.3, 0.8)))

    def talk(self) -> None:
        """Say all of the plan, and talk in between."""
        hushes = [(c.at, c.at + c.length) for c in self._plan.cues if c.lane == "hush"]
        end = len(self.track) / RATE_HZ
        for cue in self._plan.cues:
            if cue.lane not in ("say", "body") or not 0 <= cue.at < end - 0.6:
                continue
            self._chat_along(cue.at, hushes)
            if cue.lane == "body":
                self._body(cue)
            elif self._free_at - cue.at < 2.2:
                at = max(cue.at, self._free_at)
                style = self._say(at, cue.what, cue.text)
                self.laid.append(Laid(cue, at, self._free_at - 0.08, style))
        self._chat_along(end, hushes)

    def _misheard(self, word: str) -> str:
        """What a recogniser makes of a word it does not catch."""
        bare = word.strip(",").lower()
        if self._who.lang == "en" and bare in pairs("misheard"):
            return pairs("misheard")[bare]
        return (
            bare[: max(len(bare) - 2, 1)]
            if self._rng.random() < 0.5
            else self._phrases.pick("think").split()[0]
        )

    def _hear(self, start: float, end: float, text: str, style: str) -> None:
        """Add a piece as recognised: words lost, taken for others, joined to the piece before."""
        rng, loud = self._rng, STYLES[style].effort == 2
        errors = min(self._who.errors * (1.7 if loud else 1.0), 0.4)
        rolls = rng.random(len(text.split())) / max(errors, 1e-6)
        words = [
            self._misheard(w) if r < 1 else w for w, r in zip(text.split(), rolls, strict=True) if r > 0.3
        ]
        heard = " ".join(words)
        if not heard:
            return
        if self._who.cased:
            mark = "!" if loud and rng.random() < 0.5 else "."
            mark = "?" if heard.split()[0].lower() in ("how", "why", "what", "where", "qué", "wo") else mark
            heard = heard[0].upper() + heard[1:].rstrip(",") + mark
        else:
            heard = heard.lower().replace(",", "")
        before = self.segs[-1] if self.segs else (0.0, 0.0, "")
        if before[2] and start - before[1] < 0.5 and end - before[0] < 6.5:
            self.segs[-1] = (before[0], end, f"{before[2]} {heard}")
        else:
            self.segs.append((start, min(end, start + 7), heard))

    def heard(self) -> tuple[tuple[float, float, str], ...]:
        """The recogniser's pieces, with some heard in noise where nobody spoke, in order and apart."""
        rng, end = self._rng, len(self.track) / RATE_HZ
        ghosts = rng.uniform(0, end, rng.poisson(self._who.errors * end / 60))
        pieces = self.segs + [(at, at + 1.5, str(rng.choice(sections()["ghost"]))) for at in ghosts]
        out: Segs = []
        for begun, ended, text in sorted(pieces):
            start, stop = max(begun, out[-1][1] if out else 0.0), min(ended, end)
            if stop - start > 0.25:
                out.append((round(float(start), 2), round(float(stop), 2), text))
        return tuple(out)

    def finish(self, desktop: Sound) -> Sound:
        """Put the voice in its room: echo, noise, keys, the leak of the speakers; then the limiter."""
        rng, who, x = self._rng, self._who, self.track
        wet = rng.uniform(0, 0.3)
        for delay_s, gain in ((0.011, 0.6), (0.023, 0.45), (0.041, 0.3)):
            n = int(delay_s * RATE_HZ)
            x[n:] += x[:-n] * np.float32(gain * wet)
        if who.leak_db > -80:
            x[90:] += desktop[:-90] * np.float32(10 ** (who.leak_db / 20))
        hum = shaped_noise(rng, 1 << 17, 40, 5000, rng.uniform(0.2, 0.8))
        room = np.resize(hum * np.float32(10 ** (who.noise_db / 20)), len(x))
        x += room * np.repeat(self.speaking > 0, RATE_HZ // 10)[: len(x)] if who.gated else room
        click = hum[:300] * np.exp(-np.arange(300, dtype=np.float32) / 50) * np.float32(0.25 * self._gain)
        for at in rng.uniform(0, len(x) / RATE_HZ, int(who.keys * 2.5 * len(x) / RATE_HZ)):
            if self._plan.screen(at) in ("play", "fight", "buy"):
                mix(x, at, click, rng.uniform(0.3, 1))
        return np.tanh(x, out=x)
