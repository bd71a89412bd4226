"""Who says what, when and how: the plan's lines, and small talk between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from tests.synthetic.family import Family, family_of
from tests.synthetic.model import Delivery, Event, Heard, Plan, Span, Spoken, Voice
from tests.synthetic.plan import SPORTS, is_explosion

DROPPED_SHARE: Final = 0.15
_SYLLABLES_A_WORD: Final = 1.35
_CHATTER: Final = {"talk": (0.7, 0.92), "gaming": (0.3, 0.7), "irl": (0.3, 0.6), "music": (0.1, 0.35)}
_OWN_PHRASE_SHARE: Final = 0.6  # of a genre's own phrases, where it has some
_CHUCKLE_CHANCE: Final = 0.035  # somebody laughs a little at nothing


def write_script(plan: Plan) -> list[Spoken]:
    """Everything that is said in a stream, sorted."""
    script = _Script(plan)
    spans: list[Event | Span] = [*plan.events, *plan.decoys]
    spans.sort(key=lambda one: one.span.start_s if isinstance(one, Event) else one.start_s)
    at_s = 1.0
    spoken: list[Spoken] = []
    for one in spans:
        span = one.span if isinstance(one, Event) else one
        spoken += script.chatter(at_s, span.start_s)
        spoken += script.event(one) if isinstance(one, Event) else script.decoy(one)
        at_s = max(span.end_s, max((line.end_s for line in spoken), default=0.0)) + 0.3
    spoken += script.chatter(at_s, plan.duration_s - 1.0)
    return sorted(spoken, key=lambda line: line.start_s)


def hear(plan: Plan, spoken: Sequence[Spoken]) -> list[Heard]:
    """What a recogniser makes of it: 15 % of the words are lost, and of loud adverts mostly something is heard."""
    rng = np.random.default_rng([plan.seed, 3])
    heard = []
    for line in spoken:
        is_kept = line.lane == "mic" or rng.random() < 0.7
        words = [word for word in line.text.split() if rng.random() >= DROPPED_SHARE and line.is_heard]
        start_s = max(0.0, line.start_s + float(rng.normal(0.0, 0.15)))
        end_s = max(start_s + 0.2, line.end_s + float(rng.normal(0.0, 0.15)))
        if words and is_kept and end_s < plan.duration_s:
            heard.append(Heard(start_s=round(start_s, 2), end_s=round(end_s, 2), text=" ".join(words)))
    return sorted(heard, key=lambda line: line.start_s)


def draw_voice(rng: np.random.Generator, family: Family) -> Voice:
    """Somebody of that family."""
    return Voice(
        pitch_hz=float(rng.uniform(*family.pitch_hz[int(rng.integers(2))])),
        formant_scale=float(rng.uniform(*family.formant_scale)),
        syllables_per_s=float(rng.uniform(*family.syllables_per_s)),
        breath=float(rng.uniform(0.03, 0.2)),
    )


class _Script:
    """Writes lines for one stream; draws in the order of time."""

    def __init__(self, plan: Plan) -> None:
        self._rng = np.random.default_rng([plan.seed, 2])
        self._plan = plan
        self._family = family_of(plan.seed)
        self._phrases = self._family.phrases
        has_two = plan.genre == "talk" or (plan.genre in SPORTS and self._rng.random() < 0.5)
        self._voices = [draw_voice(self._rng, self._family) for _ in range(2 if has_two else 1)]
        self._announcer = draw_voice(self._rng, self._family)
        low, high = _CHATTER.get(plan.genre, (0.4, 0.75))
        self._density = float(self._rng.uniform(low, high))
        self._mood_db = 0.0

    def chatter(self, start_s: float, end_s: float) -> Iterator[Spoken]:
        """Small talk over a stretch, as much of it as this streamer talks."""
        at_s = start_s
        while True:
            # A mood lasts for some sentences.
            self._mood_db = 0.85 * self._mood_db + float(self._rng.normal(0.0, 0.9))
            line = self._line(at_s, self._pick(self._phrases.neutral[self._plan.genre]), self._calm())
            if line.end_s > end_s:
                return
            yield line
            at_s = line.end_s + 0.25
            if self._rng.random() < _CHUCKLE_CHANCE and at_s + 1.2 < end_s:
                yield self._laugh(at_s, float(self._rng.uniform(0.5, 1.1)), gain_db=-4.0)
                at_s += 1.2
            length_s = line.end_s - line.start_s
            at_s += float(self._rng.exponential(length_s * (1 / self._density - 1)))

    def event(self, event: Event) -> Iterator[Spoken]:
        """What is said in an event: leading up to it as before, then as its signs say."""
        span = event.span
        lead_gain_db = -4.0 if span.kind == "clutch" else 0.0
        for line in self.chatter(span.start_s, event.climax_s):
            yield self._line(line.start_s, line.text, Delivery(gain_db=lead_gain_db)) if line.text else line
        if not event.signs & {"voice", "words", "laughter"}:
            yield from self.chatter(event.climax_s, span.end_s)
            return
        at_s = event.climax_s
        while at_s < span.end_s - 0.8:
            line = self._reaction(at_s, event)
            yield line
            at_s = line.end_s + float(self._rng.exponential(0.5))

    def decoy(self, span: Span) -> Iterator[Spoken]:
        """What is said while something goes on that is no highlight."""
        phrases = self._phrases
        if span.kind == "advert":
            for line in self._row(span, phrases.advert, lambda: self._loud(3.0, 1.1, 1.15), self._announcer):
                yield _in_desktop(line)
        elif span.kind == "loud_boring" and not is_explosion(span):
            yield from self._row(span, phrases.boring, lambda: self._loud(8.0, 1.35, 1.1))
        elif span.kind == "raid":
            end_s = span.start_s + span.duration_s / 2
            half = Span(start_s=span.start_s + 1.0, end_s=end_s, kind=span.kind)
            yield from self._row(half, phrases.raid_welcome, lambda: self._loud(2.0, 1.1, 1.05))
            yield from self.chatter(end_s + 2.0, span.end_s)
        elif span.kind == "alert":  # a donation is read aloud by a machine
            late = Span(start_s=span.start_s + 1.0, end_s=span.end_s, kind=span.kind)
            for line in self._row(late, phrases.chat.idle, self._calm, self._announcer):
                yield _in_desktop(line)
        elif span.kind == "humming":
            yield self._hum(span)
        elif span.kind == "past_tense":
            yield self._line(span.start_s + 0.3, self._pick(phrases.past), Delivery(gain_db=-1.5))
        elif span.kind == "pause_screen":
            yield self._line(span.start_s + 0.3, self._pick(phrases.pause), self._calm())
        elif span.kind == "chat_flood" or (span.kind == "music" and self._rng.random() < 0.3):
            yield from self.chatter(span.start_s, span.end_s)

    def _row(
        self, span: Span, texts: Sequence[str], how: Callable[[], Delivery], voice: Voice | None = None
    ) -> Iterator[Spoken]:
        """Lines one after the other until the span is over."""
        at_s = span.start_s + 0.2
        while at_s < span.end_s - 0.8:
            line = self._line(at_s, self._pick(texts), how(), voice)
            yield line
            at_s = line.end_s + float(self._rng.uniform(0.2, 0.6))

    def _reaction(self, at_s: float, event: Event) -> Spoken:
        """One line of an event that shows in the voice, the words or laughter."""
        rng, signs = self._rng, event.signs
        if "laughter" in signs and (rng.random() < 0.5 or not signs & {"voice", "words"}):
            return self._laugh(at_s, float(rng.uniform(1.0, 2.5)), gain_db=4.0 * event.strength)
        how = self._excited(event.strength) if "voice" in signs else self._calm()
        if "words" not in signs:
            if rng.random() < 0.4:
                end_s = at_s + float(rng.uniform(0.6, 1.6))
                return Spoken(start_s=at_s, end_s=end_s, text="", voice=self._voices[0], delivery=how)
            return self._line(at_s, self._pick(self._phrases.neutral[self._plan.genre]), how)
        kind, genre = event.span.kind, self._plan.genre
        own = self._phrases.react_in.get((genre, kind), ())
        is_own = bool(own) and rng.random() < _OWN_PHRASE_SHARE
        # Between two exclamations people say ordinary things.
        if rng.random() < 0.2:
            return self._line(at_s, self._pick(self._phrases.neutral[genre]), how)
        return self._line(at_s, self._pick(own if is_own else self._phrases.react[kind]), how)

    def _line(self, at_s: float, text: str, how: Delivery, voice: Voice | None = None) -> Spoken:
        speaker = voice or self._voices[int(self._rng.integers(len(self._voices)))]
        num_syllables = len(text.split()) * _SYLLABLES_A_WORD
        length_s = max(0.6, num_syllables / (speaker.syllables_per_s * how.rate))
        return Spoken(start_s=at_s, end_s=at_s + length_s, text=text, voice=speaker, delivery=how)

    def _laugh(self, at_s: float, length_s: float, *, gain_db: float) -> Spoken:
        return Spoken(
            start_s=at_s,
            end_s=at_s + length_s,
            text="",
            voice=self._voices[int(self._rng.integers(len(self._voices)))],
            delivery=Delivery(gain_db=gain_db + float(self._rng.normal(0.0, 1.5)), pitch=1.15),
            is_laughter=True,
        )

    def _hum(self, span: Span) -> Spoken:
        """Somebody sings to himself: words that a recogniser does not get, slowly, higher than he speaks."""
        how = Delivery(gain_db=float(self._rng.uniform(-3.0, 5.0)), pitch=1.3, rate=0.45)
        return Spoken(
            start_s=span.start_s,
            end_s=span.end_s,
            text="la",
            voice=self._voices[0],
            delivery=how,
            is_heard=False,
        )

    def _calm(self) -> Delivery:
        rng = self._rng
        is_lively = rng.random() < 0.08
        return Delivery(
            gain_db=float(np.clip(self._mood_db, -4, 4) + rng.normal(0.0, 1.2) + 3.0 * is_lively),
            pitch=float(rng.normal(1.12 if is_lively else 1.0, 0.04)),
            rate=float(rng.normal(1.0, 0.08)),
        )

    def _excited(self, strength: float) -> Delivery:
        low_db, high_db = self._family.excited_gain_db
        low, high = self._family.excited_pitch
        share = float(np.clip(strength + self._rng.normal(0.0, 0.12), 0.0, 1.0))
        return self._loud(
            low_db + share * (high_db - low_db), low + share * (high - low), 1.1 + 0.3 * share, spread_db=0.8
        )

    def _loud(self, gain_db: float, pitch: float, rate: float, *, spread_db: float = 1.5) -> Delivery:
        return Delivery(gain_db=gain_db + float(self._rng.normal(0.0, spread_db)), pitch=pitch, rate=rate)

    def _pick(self, texts: Sequence[str]) -> str:
        return texts[int(self._rng.integers(len(texts)))]


def _in_desktop(line: Spoken) -> Spoken:
    return Spoken(
        start_s=line.start_s,
        end_s=line.end_s,
        text=line.text,
        voice=line.voice,
        delivery=line.delivery,
        lane="desktop",
    )
