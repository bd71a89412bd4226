"""How good the picture is to be: its size by tier, and the plans to fall back to when the machine cannot keep up.

Pure; any thread.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Tier = Literal["owner", "free", "pro", "business"]
Preset = Literal["ultrafast", "superfast", "veryfast"]
Bound = tuple[int, int]
# Cheapest first: a step down goes to the left.
PRESETS: tuple[Preset, ...] = ("ultrafast", "superfast", "veryfast")
TIER_BOUNDS: dict[Tier, Bound | None] = {
    "owner": None,
    "free": (1280, 720),
    "pro": (1920, 1080),
    "business": (3840, 2160),
}
# Who gets a small picture of the stream on the coordinator, where nothing else is set.
TIERS_WITH_PROXY: frozenset[Tier] = frozenset({"pro", "business"})
# A ladder takes the picture down to these, the greater first.
_STEP_BOUNDS: tuple[Bound, ...] = ((1920, 1080), (1280, 720))
_STEP_FRAME_RATE = 30
# x264 and every hardware encoder take a picture of this size; a window being closed may be smaller.
MIN_SIDE_PX = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What was wished for.

    Attributes:
        frame_rate: ticks a second.
        rate_bps: mean and ceiling over a second; 0 follows the number of pixels.
        tier: bounds the picture's size.
        preset: of x264; hardware encoders have one of their own.
        has_proxy: is a small picture made for the coordinator?
        can_step_down: may the ladder take something away when ticks are lost?
    """

    frame_rate: int = 30
    rate_bps: int = 0
    tier: Tier = "owner"
    preset: Preset = "ultrafast"
    has_proxy: bool = False
    can_step_down: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One rung of the ladder: how the picture is made there.

    Attributes:
        bound: the picture is fitted into it; None: the screen's own size.
        taken: what this rung takes away, in words; empty on the first.
    """

    frame_rate: int
    preset: Preset
    has_proxy: bool
    bound: Bound | None
    taken: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an encoder is opened with; another shape is another encoder, and so another epoch."""

    width_px: int
    height_px: int
    frame_rate: int
    preset: Preset


def fitted_size(width_px: int, height_px: int, bound: Bound | None) -> tuple[int, int]:
    """The size of a picture in its bound: even, its shape kept, never enlarged.

    A bound holds for an upright screen turned by 90 degrees.
    """
    scale = 1.0
    if bound is not None:
        across, down = bound if width_px >= height_px else (bound[1], bound[0])
        scale = min(1.0, across / width_px, down / height_px)
    return _even(width_px * scale), _even(height_px * scale)


def _even(side: float) -> int:
    # Half a pixel of a shape may go, so that 4K and 1440p both come to exactly 1080p.
    return max(2, int(side + 0.5) & ~1)


def shape_of(plan: Plan, width_px: int, height_px: int) -> Shape:
    """How a source of this size is encoded under a plan."""
    width, height = fitted_size(width_px, height_px, plan.bound)
    return Shape(width_px=width, height_px=height, frame_rate=plan.frame_rate, preset=plan.preset)


def plans_of(quality: Quality, width_px: int, height_px: int) -> tuple[Plan, ...]:
    """All rungs for a source of this size, the best first: preset, proxy, frame rate, size, as far as there is any.

    Each takes one thing more away, so a plan's number says how many steps were taken.
    """
    plan = Plan(
        frame_rate=quality.frame_rate,
        preset=quality.preset,
        has_proxy=quality.has_proxy,
        bound=TIER_BOUNDS[quality.tier],
    )
    plans = [plan]
    if not quality.can_step_down:
        return (plan,)
    for preset in reversed(PRESETS[: PRESETS.index(quality.preset)]):
        plan = _take(plan, f"preset {preset} instead of {plan.preset}", preset=preset)
        plans.append(plan)
    if plan.has_proxy:
        plan = _take(plan, "no proxy", has_proxy=False)
        plans.append(plan)
    if plan.frame_rate > _STEP_FRAME_RATE:
        words = f"{_STEP_FRAME_RATE} fps instead of {plan.frame_rate}"
        plan = _take(plan, words, frame_rate=_STEP_FRAME_RATE)
        plans.append(plan)
    for bound in _STEP_BOUNDS:
        before, after = fitted_size(width_px, height_px, plan.bound), fitted_size(width_px, height_px, bound)
        if after[0] * after[1] < before[0] * before[1]:
            plan = _take(plan, f"{min(after)}p instead of {min(before)}p", bound=bound)
            plans.append(plan)
    return tuple(plans)


def _take(plan: Plan, words: str, **changes: object) -> Plan:
    return dataclasses.replace(plan, taken=(*plan.taken, words), **changes)  # type: ignore[arg-type]
