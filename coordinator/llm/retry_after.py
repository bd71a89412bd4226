"""How long a provider asks us to stay away. Pure."""

from __future__ import annotations

import datetime
import email.utils
import math

# What is believed at most: a wrong date must not put a provider away for a year.
MAX_REST_S = 3600.0
DEFAULT_REST_S = 5.0


def rest_s(value: str | None, *, now: datetime.datetime) -> float:
    """Seconds until it may be asked again: from seconds or an HTTP date; what cannot be read is 5 s.

    Source: RFC 9110, 10.2.3. Some providers send fractions of a second; they are kept.
    """
    if value is None:
        return DEFAULT_REST_S
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text, now)
    if math.isnan(seconds):
        return DEFAULT_REST_S
    return min(max(seconds, 0.0), MAX_REST_S)


def _until(text: str, now: datetime.datetime) -> float:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return math.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    # A date has whole seconds: the one it names has to be over.
    return (moment - now).total_seconds() + 1.0
