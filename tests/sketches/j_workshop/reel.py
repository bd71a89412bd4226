"""Puts a stream from a workshop on tape: ordinary time, then what the plots bring, in sound, words and chat."""

import bisect

import numpy as np

from tests.sketches.guide import Sign
from tests.sketches.j_workshop.plan import Beat, Event
from tests.sketches.j_workshop.sounds import Music, Palette, alert, noise
from tests.sketches.j_workshop.truth import span_of
from tests.sketches.j_workshop.voice import STYLES, Voice, blend, speak, vocal
from tests.sketches.j_workshop.words import LISTS, TABLES, Crowd, Curve, Rng, Tongue, fill, pick
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sound, Span

_ADDED = {"light", "lean", "shake", "pan"}
_SHAPES = {"hold": (1.0, 1.0), "fall": (1.0, 0.0), "rise": (0.0, 1.0)}
_PICTURES = {row.split()[0]: row.partition(" ")[2].split("; ") for row in LISTS["pictures"]}
_SIGN_OF = {"mic": "sound", "mic*": "sound", "desk": "sound", "pic": "pic", "chat": "chat"}
# Of these the change is a sign, not what stays so afterwards; hands are busy in ordinary time, too.
_STAYS = {"gone", "squash", "stain", "shine", "guest", "video", "cut", "pan"}
_CHANGE_S, _FALL_SHARE = 1.0, 0.7
_THINGS = ["clink", "knock", "spoon", "rustle", "bump", "tap"]
# How much louder than talk, in dB, a voice must be to stand out.
_RAISED_DB = 2.0
_TTS, _LATE_S = Voice(118.0, 0.35, 0.97, 5.0, 0.02), 3.5


def _db(value: float) -> float:
    return float(10.0 ** (value / 20.0))


def _voice(rng: Rng) -> Voice:
    """A grown-up's voice, low or high."""
    high = rng.random() < 0.45
    f0 = rng.uniform(165.0, 235.0) if high else rng.uniform(88.0, 140.0)
    formants = rng.uniform(1.05, 1.2) if high else rng.uniform(0.92, 1.04)
    return Voice(f0, rng.uniform(0.35, 1.5), formants, rng.uniform(3.6, 6.2), rng.uniform(0.02, 0.2))


class Maker:
    """One streamer: craft, company, throat, temper, microphone, room and music."""

    def __init__(self, rng: Rng) -> None:
        self.craft = pick(rng, "craft")
        self.tongue, self.crowd = Tongue(rng, self.craft), Crowd(rng, self.craft)
        pet = str(rng.choice(["", "cat", "dog"], p=[0.5, 0.25, 0.25]))
        self.traits = {self.craft, *(["pet", pet] if pet else []), *(["chat"] if self.crowd.rate_hz else [])}
        self.traits |= {"guest"} if rng.random() < 0.5 else set()
        self.voice, self.guest = _voice(rng), _voice(rng)
        low = 260.0 if pet == "dog" else 430.0
        self.pet = Voice(rng.uniform(low, low + 230.0), 0.3, rng.uniform(0.95, 1.35), 4.0, 0.2)
        self.heat = float(np.clip(rng.lognormal(-0.15, 0.5), 0.15, 1.6))
        self.chatty, self.limit = rng.uniform(0.45, 1.6), rng.uniform(0.5, 1.0)
        self.level, self.floor = _db(rng.uniform(-35.0, -18.0)), _db(rng.uniform(-72.0, -48.0))
        # A third have a filter that takes tools for noise.
        filtered = rng.random() < 0.35
        self.tools = self.level * _db(rng.uniform(-20.0, -8.0) if filtered else rng.uniform(-5.0, 2.0))
        self.hum_hz, self.drums = (
            float(rng.choice([50, 60, 100, 120])),
            float(rng.choice([0.0, 0.3, 0.7, 1.0])),
        )
        self.music = _db(rng.uniform(-44.0, -25.0)) if rng.random() < 0.88 else 0.0
        self.leak = rng.uniform(0.05, 0.5) if rng.random() < 0.4 else 0.0
        self.alert_hz, self.alert_level = rng.uniform(330.0, 700.0), _db(rng.uniform(-26.0, -10.0))


class Reel:
    """The tape of one stream while it is being filled."""

    def __init__(self, rng: Rng, maker: Maker, duration_s: float) -> None:
        self._rng, self._maker, self._duration_s = rng, maker, duration_s
        num = round(duration_s * RATE_HZ)
        self._pal = Palette(rng)
        self._voice, self._noise, self._desk = (np.zeros(num, np.float32) for _ in range(3))
        self._music_gain = np.ones(round(duration_s * FRAMES_PER_S) + 1)
        self._acts: list[tuple[float, float]] = []
        self._taken: list[tuple[float, float]] = []
        self._signs: list[Sign] = []
        self._hushes: list[Sign] = []
        self._said_until, self._recent = 0.0, [""]
        self.segs: list[tuple[float, float, str]] = []
        self.chat = maker.crowd.ordinary(rng, duration_s)
        size = round(duration_s * FRAMES_PER_S)
        self.curves: dict[str, Curve] = {name: np.zeros(size) for name in LISTS["curves"]}

    def play(self, event: Event) -> Span:
        """Put every beat of an event on the tape; gives where the moment or the decoy is."""
        signs = event.signs
        self._said_until, self._signs, self._hushes = 0.0, [], []
        since = event.at_s - 1.0
        speaks = bool(signs & {"voice", "words"})
        if event.is_moment and speaks:
            # Nobody works on, or chats about the weather, while the pan burns.
            self._taken.append((event.at_s - 1.0, max(event.at_s + 3.0, event.cut.end_s - 2.0)))
            self._hushes.append(self._taken[-1])
            low, high = (int(t * RATE_HZ) for t in (event.at_s, event.cut.end_s))
            self._noise[low:high] *= np.float32(self._rng.choice([0.05, 0.3, 1.0]))
        for beat in event.plot.beats:
            at = event.at_s + beat.at_s * self._rng.uniform(0.85, 1.15) + self._rng.normal(0.0, 0.12)
            sign = _SIGN_OF.get(beat.channel)
            if not 0.3 < at < self._duration_s - 0.5 or (sign and sign not in signs):
                continue
            if beat.channel == "pic":
                self._signs.append((at, self.show(at, beat.what)))
            elif beat.channel == "chat":
                self.chat += self._maker.crowd.burst(self._rng, at, beat.what, event.strength)
            elif beat.channel == "desk":
                self._signs.append((at, self._desktop(at, beat.what)))
                # An alert, and what a viewer has read out, is what the maker reacts to.
                since = min(since, at)
            elif sign:
                length = event.plot.tail_s if beat.channel == "mic*" else 0.0
                self._signs.append((at, self._bring(at, beat.what, length, event.strength)))
            elif speaks:
                self._utter(at, beat, event)
        if not event.is_moment:
            return event.cut
        signs_there = [sign for sign in self._signs if sign[1] > sign[0]]
        return span_of(event, since, signs_there, self._hushes, self._duration_s)

    def _tells(self, beat: Beat, event: Event, heat: float) -> bool:
        """Whether a line stands out: a voice that is not as usual, or words of what has happened."""
        if beat.channel in ("talk", "guest"):
            return beat.channel == "guest"
        gain_db = float(STYLES[beat.channel][5])
        # Some of the ordinary talk is quiet: only after the event does that tell something.
        low = gain_db < 0.0 and (beat.channel != "quiet" or beat.at_s >= 0.0)
        turned = low or heat * gain_db * self._maker.limit >= _RAISED_DB
        return bool(("voice" in event.signs and turned) or ("words" in event.signs and beat.at_s >= 0.0))

    def _utter(self, at: float, beat: Beat, event: Event) -> None:
        """A line or a cry of the maker or a guest, after what was said before it."""
        channel, what = beat.channel, beat.what
        if max(at, self._said_until) - at > _LATE_S:
            return
        at = max(at, self._said_until + 0.05)
        shown = "voice" in event.signs
        heat = min(1.6, self._maker.heat * event.strength)
        if channel == "hush":
            self._said_until = at + float(what)
            self._hushes.append((at, self._said_until))
            return
        end = at
        if channel == "vox":
            if shown and self._rng.random() < 0.45 + 0.6 * heat:
                end = self._cry(at, what, heat)
        elif channel == "guest" or shown:
            end = self._say(at, channel, self._line(what), heat, "words" in event.signs)
        else:
            end = self._say(at, "talk", self._line(what), 1.0, True)
        if channel == "vox" or self._tells(beat, event, heat):
            self._signs.append((at, end))

    def _line(self, section: str) -> str:
        """A line that was not said just before."""
        texts = [self._maker.tongue.line(self._rng, section) for _ in range(4)]
        text = next((text for text in texts if text not in self._recent), texts[0])
        self._recent = [*self._recent[-14:], text]
        return text

    def _cry(self, at: float, what: str, heat: float) -> float:
        maker = self._maker
        pet = what in ("bark", "meow")
        # A cool head laughs and shouts too, only less; the microphone's limiter holds the loudest down.
        sound = vocal(self._rng, maker.pet if pet else maker.voice, what, 1.0 if pet else 0.5 + 0.5 * heat)
        self._add(self._voice, at, sound * np.float32(maker.level))
        end = at + sound.size / RATE_HZ
        if not pet:
            self._said_until = end
            self._taken.append((at, end))
            if what in ("laugh", "cheer") and self._rng.random() < 0.25:
                self.segs.append((at, end, "Ha ha ha." if what == "laugh" else "Woo!"))
        return end

    def _say(self, at: float, manner: str, text: str, heat: float, heard: bool = True) -> float:
        """Say it, and note what the recogniser makes of it; gives when it ends."""
        maker = self._maker
        style = blend(manner, heat, maker.limit)
        sound = speak(self._rng, maker.guest if manner == "guest" else maker.voice, text, style)
        end = at + sound.size / RATE_HZ
        if end > self._duration_s - 0.2:
            return at
        self._add(self._voice, at, sound * np.float32(maker.level))
        self._taken.append((at, end))
        self._said_until = end
        noisy = 2.5 if style[5] > 6.0 or manner in ("laughing", "guest") else 1.0
        told = maker.tongue.heard(self._rng, text, noisy) if heard else ""
        if told:
            self.segs.append((at + self._rng.normal(0.0, 0.06), end + self._rng.uniform(-0.1, 0.25), told))
        return end

    def _add(self, track: Sound, at: float, sound: Sound) -> None:
        room = track[int(at * RATE_HZ) :][: sound.size]
        room += sound[: room.size]

    def _bring(self, at: float, what: str, length_s: float, strength: float) -> float:
        """A noise in the room; gives until when it stands out, at once where the room is full of such."""
        rng, maker = self._rng, self._maker
        what = fill(rng, what, maker.craft)
        length = length_s or float(TABLES["short"].get(what, ["2.2"])[0])
        sound = noise(rng, self._pal, what, length) * np.float32(maker.tools)
        self._add(self._noise, at, sound * np.float32(0.7 + 0.6 * strength))
        acts = {row.split()[0] for row in LISTS[f"acts.{maker.craft}"]}
        return at if what in acts or what in _THINGS else at + sound.size / RATE_HZ

    def _desktop(self, at: float, what: str) -> float:
        """An alert, a read donation, a video; or the music is turned up; gives when it ends."""
        rng, maker = self._rng, self._maker
        if what == "drop":
            room = self._music_gain[int(at * FRAMES_PER_S) :][:140]
            room[:] = np.minimum(rng.uniform(2.0, 4.0), 1.0 + np.arange(room.size) / 8.0)
            return at + room.size / FRAMES_PER_S
        if what == "tts":
            text = pick(rng, rng.choice(["guest_line", "read_story", "chat.pasta"])).replace("{name}", "kai")
            sound = 0.8 * speak(rng, _TTS, " ".join(text.split()[:14]), STYLES["talk"])
        elif what == "trailer":
            sound = 0.35 * noise(rng, self._pal, "flare", 15.0) + 0.2 * noise(rng, self._pal, "hammer", 15.0)
        else:
            sound = alert(rng, maker.alert_hz, what == "fanfare")
        self._add(self._desk, at, sound.astype(np.float32) * np.float32(maker.alert_level))
        return at + sound.size / RATE_HZ

    def show(self, at: float, what: str) -> float:
        """Move the curves of the picture; gives until when it looks unusual."""
        until = at
        for part in _PICTURES[what]:
            name, length, shape, amount = part.split()
            size = max(2, int(float(length) * self._rng.uniform(0.8, 1.25) * FRAMES_PER_S))
            ramp = np.linspace(*_SHAPES[shape], size) * float(amount)
            room = self.curves[name][int(at * FRAMES_PER_S) :][:size]
            room[:] = room + ramp[: room.size] if name in _ADDED else np.maximum(room, ramp[: room.size])
            seen = size / FRAMES_PER_S * (_FALL_SHARE if shape == "fall" else 1.0)
            if name != "busy":
                until = max(until, at + (min(seen, _CHANGE_S) if name in _STAYS else seen))
        return until

    def work(self) -> None:
        """What the hands do in ordinary time: task after task, with its noise and share of talk."""
        rng, maker = self._rng, self._maker
        at = 0.0
        while at < self._duration_s:
            name, share, hands = pick(rng, f"acts.{maker.craft}").split()
            end = min(self._duration_s, at + rng.uniform(12.0, 55.0))
            self._acts.append((at, float(share)))
            low, high = int(at * FRAMES_PER_S), int(end * FRAMES_PER_S) + 1
            self.curves["hands"][low:high] = float(hands) * rng.lognormal(-0.1, 0.3)
            loud = maker.tools * rng.lognormal(-0.1, 0.35)
            burst = at + rng.uniform(0.0, 2.0)
            while burst < end - 2.0:
                length = min(end - burst, rng.uniform(3.0, 16.0))
                self._add(self._noise, burst, noise(rng, self._pal, name, length) * np.float32(loud))
                burst += length + rng.exponential(4.0)
            at = end
        for spot in rng.uniform(2.0, self._duration_s, rng.poisson(self._duration_s / 50.0)):
            # Things get put down, knocked, moved about all the time.
            what = str(rng.choice(_THINGS))
            self._add(self._noise, float(spot), noise(rng, self._pal, what, 0.7) * np.float32(0.6 * loud))

    def talk(self) -> None:
        """Ordinary talk wherever the plots leave room."""
        rng, maker = self._rng, self._maker
        taken = sorted(self._taken)
        starts = [start for start, _ in taken]
        at = rng.uniform(0.4, 3.0)
        while at < self._duration_s - 1.5:
            place = bisect.bisect_right(starts, at)
            over = max((end for start, end in taken[max(0, place - 12) : place] if end > at), default=0.0)
            if over:
                at = over + rng.uniform(0.15, 1.2)
                continue
            until = starts[place] if place < len(starts) else self._duration_s
            share = self._acts[bisect.bisect_right(self._acts, (at, 9.0)) - 1][1] * maker.chatty
            at = self._chatter(at, until, share)

    def _chatter(self, at: float, until: float, share: float) -> float:
        """One sentence, sigh or pause of ordinary talk before the time until; gives when to go on."""
        rng, maker = self._rng, self._maker
        if until - at < 1.2 or rng.random() > share + 0.1:
            return min(at + float(rng.uniform(0.8, 3.5)), until + 0.01)
        if rng.random() < 0.06:
            what = str(rng.choice(["chuckle", "sigh", "cough", "laugh"], p=[0.55, 0.2, 0.15, 0.1]))
            return self._cry(at, what, 0.6 * maker.heat) + 0.3 if until - at > 3.0 else until + 0.01
        text = self._line("any")
        if len(text) / (3.0 * maker.voice.syllables_hz) > until - at - 0.3:
            text = pick(rng, "talk.short")
        roll = rng.random()
        manner = "quiet" if roll < 0.09 else "excited" if roll > 1.0 - 0.09 * maker.heat else "talk"
        end = self._say(at, manner, text, rng.uniform(0.3, 1.0))
        return end + 0.12 + float(rng.exponential(0.35 + 3.2 * (1.0 - min(1.0, share)) ** 2))

    def sounds(self) -> tuple[Sound, Sound]:
        """Microphone and desktop as they were recorded."""
        rng, maker, num = self._rng, self._maker, self._voice.size
        frames = self.curves["voice"].size
        power = np.square(self._voice[: num // frames * frames]).reshape(frames, -1).mean(1)
        self.curves["voice"][:] = np.minimum(2.0, np.sqrt(power) / maker.level)
        mic, desk = self._voice, self._desk
        # The room's first echo.
        mic[700:] += np.float32(0.13) * mic[:-700]
        mic += self._noise
        del self._noise
        mic += np.float32(maker.floor) * self._pal.cut(rng, "pink", num)
        hum = np.sin(2 * np.pi * maker.hum_hz * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
        mic += np.resize(hum * np.float32(maker.floor), num)
        if maker.music:
            music = Music(rng, self._pal, maker.drums, float(rng.uniform(0.2, 0.8))).play(self._duration_s)
            gain = (self._music_gain * maker.music).astype(np.float32)
            music *= np.repeat(gain, RATE_HZ // FRAMES_PER_S)[:num]
            desk += music
        if maker.leak:
            mic[480:] += np.float32(maker.leak / 2.0) * (desk[:-480] + desk[1:-479])
        return np.tanh(mic, out=mic), np.tanh(desk, out=desk)
