"""Every signal as a lane: how strongly it says "now" at each step, 0 to 1, and where it was measured.

A lane that was not measured is masked, never zero: silence of a microphone is a statement, its absence none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from coordinator.highlight import decoys
from coordinator.highlight.chat import Reaction
from coordinator.highlight.chats import Answers, answers
from coordinator.highlight.game import event_curve
from coordinator.highlight.normalise import Curve, Mask, lower, ramp, rise, robust_z, smooth, spread
from coordinator.highlight.text import Cue, letters_said, read_cues, spoken_now, steps_of
from coordinator.model.highlight import SIGNAL_RATE_HZ, GameEvent, SessionSignals, Track, Utterance

SOUND_LANES: Final = ("mic", "desktop", "mix")
UNTIMED: Final = frozenset({"words", "rate", "chat", "turnout"})
QUIET_DB: Final = -60.0  # below it all silence is alike
USUAL_LOUD: Final = 0.75  # quantile
_VOICED: Final = 0.3
FULL_CUE_STRENGTH: Final = 1.5  # words of this strength within some seconds are two thirds of certainty


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One voice in the vote.

    Attributes:
        name: `words`, `rate`, `crowd`, `voice`, `laughter`, `loudness`, `flux`, `motion`, `chat`, `turnout` or
            `events`.
        activation: 0-1 at each step.
        present: where it was measured.
        measure: the figure behind it in the unit of its note (dB, sigmas, ratio).
        trust: less than 1 where what it says counts less than usual, such as a chat that hardly anybody reads.
    """

    name: str
    activation: Curve
    present: Mask
    measure: Curve
    trust: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """All lanes of a session, with what the notes and the span finder need besides."""

    lanes: tuple[Lane, ...]
    cues: tuple[Cue, ...]
    reaction: Reaction | None
    music: Curve
    num_steps: int
    tracks: Mapping[str, tuple[Curve, Mask]]
    events: tuple[GameEvent, ...] = ()
    audience: Answers | None = None

    @property
    def is_timed(self) -> bool:
        """Whether sound or picture say when, so that words need not be trusted with the time."""
        return any(lane.name not in UNTIMED and bool(lane.present.any()) for lane in self.lanes)


def build_lanes(signals: SessionSignals) -> Lanes:
    """Turn what is known of a session into lanes."""
    num_steps = int(signals.duration_s * SIGNAL_RATE_HZ)
    tracks = merge_tracks(signals.tracks, num_steps)
    music = decoys.music(tracks, SOUND_LANES, num_steps)
    lanes = [_crowd(tracks, music, num_steps), _voice(tracks, num_steps), _loudness(tracks, music, num_steps)]
    lanes.append(_motion(tracks, num_steps))
    lanes.append(_flux(tracks, music, num_steps))
    lanes.append(_laughter(tracks, signals.utterances, num_steps))
    lanes.append(_rate(signals.utterances, num_steps))
    if signals.events:
        level = event_curve(signals.events, num_steps)
        # A game that is silent says nothing: most have no word for a joke.
        lanes.append(Lane(name="events", activation=level, present=level > 0, measure=level))
    cues = read_cues(signals.utterances)
    if signals.utterances:
        level = spoken_now(cues, num_steps)
        lanes.append(
            Lane(
                name="words",
                activation=-np.expm1(-level / FULL_CUE_STRENGTH),
                present=np.ones(num_steps, dtype=bool),
                measure=level,
            )
        )
    answered = None
    if signals.chat:
        answered = answers(
            signals.chat,
            signals.duration_s,
            excitement=_excitement(lanes, num_steps),
            audiences=signals.audiences,
        )
        lanes += _chat_lanes(answered)
    heard = tuple(lane for lane in lanes if bool(lane.present.any()))
    return Lanes(
        lanes=heard,
        cues=tuple(cues),
        reaction=None if answered is None else answered.reaction,
        audience=answered,
        music=music,
        num_steps=num_steps,
        tracks=tracks,
        events=tuple(signals.events),
    )


def _chat_lanes(answered: Answers) -> list[Lane]:
    """What the chat answered, and how many wrote."""
    answer = answered.reaction
    return [
        Lane(
            name="chat",
            activation=answer.activation,
            present=answer.present,
            measure=answer.rate_ratio,
            trust=answered.trust,
        ),
        Lane(
            name="turnout",
            activation=ramp(answered.turnout, 1.0, 6.0),
            present=answer.present,
            measure=answered.turnout,
            trust=answered.trust,
        ),
    ]


def _excitement(lanes: Sequence[Lane], num_steps: int) -> Curve:
    """What sound, picture and games say, to learn from how late a chat answers it."""
    clear = [lane.activation for lane in lanes if lane.name in ("crowd", "voice", "motion", "events")]
    return np.sum(clear, axis=0) if clear else np.zeros(num_steps)


def merge_tracks(tracks: Sequence[Track], num_steps: int) -> dict[str, tuple[Curve, Mask]]:
    """Tracks by name, cut or padded to `num_steps`; of two that measured a step, the first counts."""
    merged: dict[str, tuple[Curve, Mask]] = {}
    for track in tracks:
        values, present = merged.setdefault(
            track.name, (np.zeros(num_steps), np.zeros(num_steps, dtype=bool))
        )
        size = min(track.values.shape[0], track.present.shape[0], num_steps)
        takes = track.present[:size] & np.isfinite(track.values[:size]) & ~present[:size]
        values[:size][takes] = track.values[:size][takes]
        present[:size] |= takes
    return merged


def _crowd(tracks: Mapping[str, tuple[Curve, Mask]], music: Curve, num_steps: int) -> Lane:
    """Broadband sound that stays between the syllables and is no music: cheering, applause, a roar."""
    best, db, present = np.zeros(num_steps), np.zeros(num_steps), np.zeros(num_steps, dtype=bool)
    for lane in SOUND_LANES:
        if f"{lane}_floor_db" not in tracks or f"{lane}_flatness" not in tracks:
            continue
        floor_db, measured = tracks[f"{lane}_floor_db"]
        flatness, _ = tracks[f"{lane}_flatness"]
        floor_db = np.maximum(np.where(measured, floor_db, QUIET_DB), QUIET_DB)
        rise_db, known = rise(lower(floor_db, 2), measured, floor=QUIET_DB)
        noisy = ramp(smooth(flatness, measured, 2), 0.12, 0.3)
        if f"{lane}_tonality_db" in tracks:
            # Music under a voice fills the pauses, too, and is too faint there to be told as music.
            tonality_db, _ = tracks[f"{lane}_tonality_db"]
            noisy = noisy * (1.0 - ramp(smooth(tonality_db, measured, 2), *decoys.TONAL_DB))
        activation = ramp(rise_db, 3.0, 13.0) * noisy * (1.0 - music)
        best, db = np.maximum(best, activation), np.where(activation >= best, rise_db, db)
        present |= known
    return Lane(name="crowd", activation=best, present=present, measure=db)


def _voice(tracks: Mapping[str, tuple[Curve, Mask]], num_steps: int) -> Lane:
    """A voice above its own usual pitch and level."""
    best, measure, present = np.zeros(num_steps), np.zeros(num_steps), np.zeros(num_steps, dtype=bool)
    for lane in SOUND_LANES:
        if f"{lane}_pitch_st" not in tracks or f"{lane}_loudness_db" not in tracks:
            continue
        pitch_st, voiced = tracks[f"{lane}_pitch_st"]
        loudness_db, measured = tracks[f"{lane}_loudness_db"]
        modulation_db, _ = tracks[f"{lane}_modulation_db"]
        tonality_db, _ = tracks[f"{lane}_tonality_db"]
        spoken = voiced & (tonality_db < decoys.MUSIC_TONALITY_DB) & (modulation_db > 1.0)
        rise_st, knows_pitch = rise(pitch_st, spoken, floor=0.0)
        rise_db, knows_level = rise(loudness_db, spoken, floor=QUIET_DB)
        both = knows_pitch & knows_level
        raw = np.where(both, 0.5 * ramp(rise_st, 1.0, 7.0) + 0.5 * ramp(rise_db, 2.0, 10.0), 0.0)
        activation = smooth(raw, both, 2) * ramp(smooth(both.astype(float), measured, 3), 0.1, 0.4)
        pitch_or_level = np.where(both, rise_st, 0.0)
        best, measure = np.maximum(best, activation), np.where(activation >= best, pitch_or_level, measure)
        present |= measured
    # Not before there is a usual to be above of.
    present &= np.arange(num_steps) >= 16
    return Lane(name="voice", activation=best, present=present, measure=measure)


def _loudness(tracks: Mapping[str, tuple[Curve, Mask]], music: Curve, num_steps: int) -> Lane:
    """Level against the louder quarter of what came before: talk among pauses is no rise."""
    best, db, present = np.zeros(num_steps), np.zeros(num_steps), np.zeros(num_steps, dtype=bool)
    for lane in SOUND_LANES:
        name = f"{lane}_loudness_db"
        if name not in tracks:
            continue
        values, measured = tracks[name]
        rise_db, known = rise(smooth(values, measured, 1), measured, floor=QUIET_DB, quantile=USUAL_LOUD)
        activation = ramp(rise_db, 1.0, 7.0) * (1.0 - music)
        best, db = np.maximum(best, activation), np.where(activation >= best, rise_db, db)
        present |= known
    return Lane(name="loudness", activation=best, present=present, measure=db)


def _laughter(
    tracks: Mapping[str, tuple[Curve, Mask]], utterances: Sequence[Utterance], num_steps: int
) -> Lane:
    """A voice without words whose pulses are alike, some five a second."""
    none = np.zeros(num_steps)
    lane = next((name for name in ("mic", "mix") if f"{name}_regularity" in tracks), None)
    # Speech pulses, too: where nobody writes words down, one cannot be told from the other.
    if lane is None or not utterances:
        return Lane(name="laughter", activation=none, present=none > 0, measure=none)
    activation, alike = laughing(tracks, utterances, num_steps, lane=lane)
    return Lane(
        name="laughter", activation=activation, present=tracks[f"{lane}_regularity"][1], measure=alike
    )


def laughing(
    tracks: Mapping[str, tuple[Curve, Mask]], utterances: Sequence[Utterance], num_steps: int, *, lane: str
) -> tuple[Curve, Curve]:
    """How much a lane, all of whose words are known, laughs at each step, 0-1; and how alike its pulses are."""
    regularity, measured = tracks[f"{lane}_regularity"]
    voicing, _ = tracks[f"{lane}_voicing"]
    alike = smooth(np.where(voicing > _VOICED, regularity, 0.0), measured, 1)
    return ramp(alike, 0.25, 0.45) * (1.0 - spread(covered(utterances, num_steps), 2)), alike


def covered(utterances: Sequence[Utterance], num_steps: int) -> Curve:
    """1 where somebody says words, else 0."""
    spoken = np.zeros(num_steps)
    for one in utterances:
        spoken[slice(*steps_of(one.start_s, one.end_s, num_steps))] = 1.0
    return spoken


def _motion(tracks: Mapping[str, tuple[Curve, Mask]], num_steps: int) -> Lane:
    """Flashes, cuts and bursts of motion, against the picture's usual restlessness."""
    if "motion" not in tracks:
        none = np.zeros(num_steps)
        return Lane(name="motion", activation=none, present=none > 0, measure=none)
    values, measured = tracks["motion"]
    typical = float(np.median(np.abs(values[measured]))) if bool(measured.any()) else 0.0
    z, known = robust_z(values, measured, min_sigma=max(0.25 * typical, 1e-6))
    return Lane(name="motion", activation=ramp(spread(z, 1), 2.0, 8.0), present=known, measure=z)


def _flux(tracks: Mapping[str, tuple[Curve, Mask]], music: Curve, num_steps: int) -> Lane:
    """How restless the sound's spectrum is, against its usual restlessness."""
    best, measure, present = np.zeros(num_steps), np.zeros(num_steps), np.zeros(num_steps, dtype=bool)
    for lane in SOUND_LANES:
        if f"{lane}_flux_db" not in tracks:
            continue
        values, measured = tracks[f"{lane}_flux_db"]
        z, known = robust_z(smooth(values, measured, 2), measured, min_sigma=0.15)
        activation = ramp(z, 1.0, 4.0) * (1.0 - music)
        best, measure = np.maximum(best, activation), np.where(activation >= best, z, measure)
        present |= known
    return Lane(name="flux", activation=best, present=present, measure=measure)


def _rate(utterances: Sequence[Utterance], num_steps: int) -> Lane:
    """How fast is spoken, against the usual."""
    present = np.full(num_steps, bool(utterances))
    spoken = smooth(letters_said(utterances, num_steps), present, 4)
    z, known = robust_z(spoken, present, min_sigma=1.0)
    return Lane(name="rate", activation=ramp(z, 1.0, 4.0), present=known, measure=z)
