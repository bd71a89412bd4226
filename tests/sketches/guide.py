"""Where a moment begins and ends once it is known which signs count: what all generators share of the guide.

The guide is that of `tests.sketches.sketch`. Which signs stand out is for each generator to say; a sign is
from when to when something is heard or seen that the rest of the stream does not have. Times are in seconds.

A span that is as short as it may be, or as near to another as it may be, can miss that by a little once it is
rounded. Generators that round, or that hand on sums of such times, ask for some time to spare.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from tests.sketches.sketch import Span

LEAST_S, MOST_S = 6.0, 40.0  # how long a moment is
ORDINARY_S = 3.0  # a build-up with more than this of the ordinary after it is none
APART_S = 8.0  # how far moments and decoys lie from one another
DECOY_S = 2.0  # a decoy that gives way keeps this, if no other time is asked for

Sign = tuple[float, float]


def held_to_length(
    start_s: float, end_s: float, *, duration_s: float = math.inf, spare_s: float = 0.0
) -> Sign:
    """The same span, but 6 to 40 s long: what is short ends later, what is long begins later.

    Where the stream ends before a short one has its 6 s, it begins sooner.
    """
    least_s, most_s = LEAST_S + spare_s, MOST_S - spare_s
    end_s = max(end_s, start_s + least_s)
    if end_s > duration_s:
        start_s, end_s = min(start_s, duration_s - least_s), duration_s
    return float(max(start_s, end_s - most_s)), float(end_s)


def with_build_up(signs: Iterable[Sign], start_s: float) -> float:
    """Where it begins if what leads up to `start_s` is part of it.

    It goes back from sign to sign, as long as at most 3 s lie between one and the next.
    """
    for begun_s, ended_s in sorted(signs, key=lambda sign: -sign[1]):
        if ended_s < start_s - ORDINARY_S:
            break
        start_s = min(start_s, begun_s)
    return start_s


def from_signs(
    signs: Sequence[Sign],
    event_s: float,
    *,
    early_s: float = 0.0,
    duration_s: float = math.inf,
    spare_s: float = 0.0,
) -> Sign:
    """From the first sign that reaches or follows the event, or the build-up to that, to the end of the last.

    Without such a sign the event itself is where it begins. A sign that ends at most `early_s` before the
    event counts as one that reaches it.
    """
    start_s = min((begun_s for begun_s, ended_s in signs if ended_s >= event_s - early_s), default=event_s)
    start_s = with_build_up(signs, start_s)
    end_s = max((ended_s for _, ended_s in signs), default=start_s)
    return held_to_length(start_s, end_s, duration_s=duration_s, spare_s=spare_s)


def from_all_signs(signs: Sequence[Sign]) -> Sign:
    """From the first sign to the end of the last, for those who lay none that a lull parts from the event."""
    return held_to_length(min(start_s for start_s, _ in signs), max(end_s for _, end_s in signs))


def kept_apart(
    moments: Iterable[Span],
    decoys: Iterable[Span],
    *,
    decoy_s: float = DECOY_S,
    later_first: bool = False,
    spare_s: float = 0.0,
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Moments and decoys in order, cut so that 8 s lie between any two that follow one another.

    A decoy gives way first, and a moment gives what is still lacking. Of two alike the sooner gives of its
    end, and then the later of its start; with `later_first` it is the other way round. Each keeps its least,
    a moment 6 s, a decoy `decoy_s`.
    """
    told = sorted(
        [*((span, True) for span in moments), *((span, False) for span in decoys)],
        key=lambda one: one[0].start_s,
    )
    ends = [[span.start_s, span.end_s] for span, _ in told]
    least_s = [LEAST_S + spare_s if is_moment else decoy_s for _, is_moment in told]
    for place in range(1, len(told)):
        (sooner, later), (sooner_s, later_s) = ends[place - 1 : place + 1], least_s[place - 1 : place + 1]
        starts_with_later = later_s < sooner_s or (later_first and later_s == sooner_s)
        for is_later in (starts_with_later, not starts_with_later):
            lack_s = max(0.0, sooner[1] + APART_S + spare_s - later[0])
            if is_later:
                later[0] += min(lack_s, max(0.0, later[1] - later[0] - later_s))
            else:
                sooner[1] -= min(lack_s, max(0.0, sooner[1] - sooner[0] - sooner_s))
    out: tuple[list[Span], list[Span]] = ([], [])
    for (span, is_moment), (start_s, end_s) in zip(told, ends, strict=True):
        out[not is_moment].append(dataclasses.replace(span, start_s=start_s, end_s=end_s))
    return tuple(out[0]), tuple(out[1])
