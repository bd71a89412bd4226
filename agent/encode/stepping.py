"""The ladder in motion: looks at the counters once a second and says by which plan the picture is made.

Owned by the `encode` thread; its attributes may be read from any.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from agent.encode.ladder import LadderState, Tally, next_state
from agent.encode.quality import Plan, Quality, plans_of
from protos.timebase import SECOND_NS

log = structlog.get_logger()
_LOOK_NS = SECOND_NS


class Stepper:
    """Steps down and up.

    Args:
        quality: what was wished for.
        tally: the counters as they are now.
        source_size: in pixels, before anything is fitted.
        on_frame_rate: told the ticks a second when they change; returns at once.

    Attributes:
        plan: by which the picture is made now.
        state: where the ladder stands.
    """

    def __init__(
        self,
        quality: Quality,
        *,
        tally: Callable[[], Tally],
        source_size: tuple[int, int],
        on_frame_rate: Callable[[int], object],
    ) -> None:
        self._quality = quality
        self._tally = tally
        self._on_frame_rate = on_frame_rate
        self._source_size = source_size
        self._plans = plans_of(quality, *source_size)
        self._looked_at_ns: int | None = None
        self.plan: Plan = self._plans[0]
        self.state = LadderState()

    def look(self, now_ns: int, source_size: tuple[int, int]) -> Plan:
        """The plan from now on; counts anew once a second."""
        if self._looked_at_ns is not None and now_ns - self._looked_at_ns < _LOOK_NS:
            return self.plan
        self._looked_at_ns = now_ns
        if source_size != self._source_size:
            self._source_size = source_size
            self._plans = plans_of(self._quality, *source_size)
        before, self.state = self.state, next_state(self.state, self._tally(), num_steps=len(self._plans) - 1)
        self._enter(self._plans[self.state.level])
        if self.state.level != before.level:
            log.info(
                "picture_stepped",
                level=self.state.level,
                step="; ".join(self.plan.taken),
                reason=self.state.reason,
            )
        return self.plan

    def _enter(self, plan: Plan) -> None:
        before, self.plan = self.plan, plan
        if plan.frame_rate != before.frame_rate:
            self._on_frame_rate(plan.frame_rate)
