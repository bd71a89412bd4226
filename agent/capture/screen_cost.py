"""What a screen source costs, measured for a moment on this machine, and the order that follows from it.

`rank` is pure. The cost is this process's CPU time: what the display's server spends is not in it.
"""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable, Mapping, Sequence

from agent.capture.pacer import Pacer
from agent.model.media import CapturedFrame
from agent.ports import ScreenSource
from protos.timebase import SECOND_NS

SELF_TEST_S = 1.0  # of all sources together
FRAME_RATE = 30
# Two grabs that set up shared memory and caches.
_NUM_WARM_UP = 2
# What a run of half a second does not tell apart.
_TIE_SHARE, _TIE_MS = 1.25, 0.5
_NUM_SAMPLED = 50_000  # bytes of a picture that are compared; all of a small one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScreenCost:
    """How one source did.

    Attributes:
        ms_per_frame: CPU milliseconds of this process for each frame.
        num_frames, num_expected: frames it gave, of those asked for.
        num_unique: pictures that differed from the one before; few on a still desktop.
    """

    size: str
    ms_per_frame: float
    num_frames: int
    num_expected: int
    num_unique: int


def measure(
    source: ScreenSource,
    *,
    duration_s: float,
    frame_rate: int = FRAME_RATE,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> ScreenCost:
    """Open a source, grab at the frame rate, close it.

    Raises:
        ScreenUnavailable: It does not open, or fails on the way.
    """
    try:
        size = source.open()
        for _ in range(_NUM_WARM_UP):
            source.grab()
        num_expected = max(1, round(duration_s * frame_rate))
        pacer = Pacer(frame_rate, monotonic_ns())
        digests: list[int] = []
        aside_s = 0.0
        began_s = time.process_time()
        while (tick := pacer.next_tick(monotonic_ns())).index < num_expected:
            if (wait_ns := tick.due_ns - monotonic_ns()) > 0:
                sleep(wait_ns / SECOND_NS)
            frame = source.grab()
            before_s = time.thread_time()
            digests.append(_digest(frame))
            aside_s += time.thread_time() - before_s
        cost_s = time.process_time() - began_s - aside_s
    finally:
        source.close()
    pairs = zip(digests, [None, *digests], strict=False)
    return ScreenCost(
        size=f"{size.width_px}x{size.height_px}",
        ms_per_frame=round(max(0.0, cost_s) * 1000 / len(digests), 2) if digests else 0.0,
        num_frames=len(digests),
        num_expected=num_expected,
        num_unique=sum(one != before for one, before in pairs),
    )


def rank(costs: Mapping[str, ScreenCost], preference: Sequence[str]) -> list[str]:
    """Names, the best first: those that keep up before those that do not, the cheap before the dear.

    A source keeps up when it gave nine tenths of the frames asked for, and half the unique ones of the best. Costs
    that lie within a quarter, or half a millisecond, are a tie, which the preference decides.
    """
    most_unique = max((cost.num_unique for cost in costs.values()), default=0)

    def keeps_up(cost: ScreenCost) -> bool:
        return cost.num_frames * 10 >= cost.num_expected * 9 and cost.num_unique * 2 >= most_unique

    order: list[str] = []
    for is_quick in (True, False):
        rest = [name for name in preference if name in costs and keeps_up(costs[name]) is is_quick]
        while rest:
            cheapest_ms = min(costs[name].ms_per_frame for name in rest)
            limit_ms = max(cheapest_ms * _TIE_SHARE, cheapest_ms + _TIE_MS)
            best = next(name for name in rest if costs[name].ms_per_frame <= limit_ms)
            order.append(best)
            rest.remove(best)
    return order


def _digest(frame: CapturedFrame) -> int:
    plane = memoryview(frame.picture.planes[0])
    # Odd, so that it walks over every column and colour.
    return zlib.crc32(plane[:: plane.nbytes // _NUM_SAMPLED | 1].tobytes())
