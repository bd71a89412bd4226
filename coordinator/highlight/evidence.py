"""Why a span is a moment: each lane's share of the score, in words a streamer can check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coordinator.highlight.fuse import Weights, shares
from coordinator.highlight.game import AFTER_S, BEFORE_S, events_between
from coordinator.highlight.kinds import cues_in
from coordinator.highlight.lanes import Lane, Lanes
from coordinator.highlight.normalise import WINDOW_S
from coordinator.highlight.text import Cue
from coordinator.model.highlight import SIGNAL_RATE_HZ, Evidence

MAX_QUOTES: Final = 2
MAX_QUOTE_CHARS: Final = 40
MAX_EVENT_CHARS: Final = 60


def evidence_of(
    lanes: Lanes, voters: Sequence[Lane], weights: Weights, first: int, last: int, *, is_marked: bool = False
) -> tuple[Evidence, ...]:
    """Every lane that spoke in steps [first, last), strongest first; the weights add up to 1."""
    said = shares(voters, weights, first, last)
    by_name = {lane.name: lane for lane in voters}
    scale = 0.5 if is_marked and said else 1.0
    found = [
        Evidence(lane=name, weight=round(share * scale, 4), note=_note(lanes, by_name[name], first, last))
        for name, share in said.items()
    ]
    if is_marked:
        found.insert(0, Evidence(lane="marker", weight=scale, note="the streamer marked it"))
    if found:  # rounding must not make the sum differ from 1
        rest = 1.0 - sum(one.weight for one in found[1:])
        found[0] = Evidence(lane=found[0].lane, weight=round(rest, 4), note=found[0].note)
    return tuple(found)


def _note(lanes: Lanes, lane: Lane, first: int, last: int) -> str:
    window = lane.activation[first:last]
    at = first + int(window.argmax())
    figure = float(lane.measure[first:last].max(initial=0.0))
    match lane.name:
        case "words":
            return _quoted(lanes.cues, first, last)
        case "crowd":
            return f"crowd {figure:.0f} dB over the last {WINDOW_S:.0f} s"
        case "loudness":
            return f"sound {figure:.0f} dB over the last {WINDOW_S:.0f} s"
        case "voice":
            if figure < 1.0:
                return "the voice is louder than usual"
            return f"the voice is louder and {figure:.0f} semitones higher than usual"
        case "laughter":
            return "laughter: a voice without words, in regular pulses"
        case "motion":
            return f"picture moves {figure:.0f} times its usual spread"
        case "flux":
            return f"sound is {figure:.0f} times its usual spread more restless"
        case "rate":
            return f"speech is {figure:.0f} times its usual spread faster"
        case "turnout":
            return f"chat: {figure:.0f} times the usual spread more people wrote at once"
        case "events":
            return _event_note(lanes, first, last)
        case _:
            return _chat_note(lanes, at, figure)


def _quoted(cues: Sequence[Cue], first: int, last: int) -> str:
    quotes: list[str] = []
    spoken = cues_in(cues, first, last)
    verb = "said" if all(cue.is_read for cue in spoken) else "words not read, not English; heard"
    for cue in sorted(
        cues_in(cues, first, last), key=lambda one: (not one.families, -one.strength, one.start_s)
    ):
        quote = cue.phrase[:MAX_QUOTE_CHARS].strip()
        if quote and quote not in quotes:
            quotes.append(quote)
    return (
        f"{verb} " + " and ".join(f"'{quote}'" for quote in quotes[:MAX_QUOTES])
        if quotes
        else "excited words"
    )


def _chat_note(lanes: Lanes, at: int, ratio: float) -> str:
    note = f"chat wrote {ratio:.1f} times its usual rate"
    audience = lanes.audience
    if audience is not None and audience.trust < 1.0:
        told = "by who writes, some" if audience.is_guessed else "only"
        note = f"{note} ({told} {audience.num_viewers} watch, so it counts less)"
    if lanes.reaction is None:
        return note
    at_s = at / SIGNAL_RATE_HZ
    written = [text for time_s, text in lanes.reaction.words if at_s <= time_s <= at_s + 10.0]
    counted = sorted(set(written), key=lambda text: (-written.count(text), written.index(text)))
    if not counted:
        return note
    return f"{note}, such as '{counted[0][:MAX_QUOTE_CHARS].strip()}'"


def _event_note(lanes: Lanes, first: int, last: int) -> str:
    told = events_between(lanes.events, first / SIGNAL_RATE_HZ - AFTER_S, last / SIGNAL_RATE_HZ + BEFORE_S)
    if not told:
        return "the game said so"
    return f"the game said {told[0].kind}{': ' if told[0].text else ''}{told[0].text}"[
        :MAX_EVENT_CHARS
    ].strip()
