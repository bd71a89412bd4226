"""How long posts wait for words that are not heard yet. Pure."""

from __future__ import annotations

# Speech is heard some seconds after it came where the engine keeps up; one that is dead holds up nobody longer.
MAX_WAIT_S = 30.0
_FIRST_LOOK_S = 1.0
_SHARE = 0.25


def next_look_s(age_s: float) -> float | None:
    """Seconds until the next look at whether they are there, or None: they were waited for long enough.

    At most a second, or a quarter of what was waited already, is lost; some fifteen looks in all.

    Args:
        age_s: since the clip was cut.
    """
    left_s = MAX_WAIT_S - age_s
    return min(max(_FIRST_LOOK_S, _SHARE * age_s), left_s) if left_s > 0 else None
