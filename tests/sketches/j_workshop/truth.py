"""Where a moment of a stream from a workshop begins and ends, by the signs of it that lie on the tape."""

from tests.sketches.guide import ORDINARY_S, Sign, held_to_length
from tests.sketches.j_workshop.plan import Event
from tests.sketches.sketch import Span


def _ordinary_s(low: float, high: float, hushes: list[Sign]) -> float:
    """How much of a stretch is ordinary: what no hush covers."""
    total, at = 0.0, low
    for start, end in sorted(hushes):
        total += max(0.0, min(start, high) - at)
        at = max(at, min(end, high))
    return total + max(0.0, high - at)


def span_of(event: Event, since_s: float, signs: list[Sign], hushes: list[Sign], duration_s: float) -> Span:
    """From the first sign that ordinary time does not part from the event to the end of the last sign.

    What ends later than since_s is the event itself or the reaction, what ends before it is build-up.
    A hush, in which nobody chats on, is no sign, but not ordinary time either.
    """
    # What shows nothing but an answer of the chat is as long as a moment must be.
    signs = signs or [(event.at_s, event.at_s)]
    core = [sign for sign in signs if sign[1] > since_s] or [max(signs, key=lambda sign: sign[1])]
    start = min(sign[0] for sign in core)
    for sooner, until in sorted(signs, key=lambda sign: -sign[1]):
        if sooner < start and _ordinary_s(until, start, hushes) <= ORDINARY_S:
            start = sooner
    start, end = held_to_length(start, max(sign[1] for sign in signs), duration_s=duration_s)
    return Span(start_s=round(start, 2), end_s=round(end, 2), kind=event.plot.kind)
