"""What a call may cost, and whether a day's money covers it. Pure; money is in millionths of a dollar (micros)."""

from __future__ import annotations

import math

from coordinator.settings import Llm

MICROS_PER_USD = 1_000_000


def cost_micros(
    *, tokens_in: int, tokens_out: int, usd_per_million_in: float, usd_per_million_out: float
) -> int:
    """The price of a call, rounded up: a dollar a million tokens is one micro a token."""
    return math.ceil(tokens_in * usd_per_million_in + tokens_out * usd_per_million_out)


def day_micros(llm: Llm, tier: str) -> int:
    """What all accounts of a tier may cost together on one day; an unknown tier has the free one's."""
    usd = {"pro": llm.pro_usd_per_day, "business": llm.business_usd_per_day}.get(tier, llm.free_usd_per_day)
    return round(usd * MICROS_PER_USD)


def is_covered(*, spent_micros: int, reserved_micros: int, wanted_micros: int, limit_micros: int) -> bool:
    """May a call of this worst price be made? What costs nothing always may."""
    return wanted_micros == 0 or spent_micros + reserved_micros + wanted_micros <= limit_micros


def settled_micros(*, reported_micros: int, reserved_micros: int) -> int:
    """What is booked: the provider's own count, but never more than the worst price, which no honest count passes."""
    return min(max(reported_micros, 0), reserved_micros)
