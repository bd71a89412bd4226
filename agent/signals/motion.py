"""How much the picture changes: the mean difference of two small pictures. Used by the `encode` thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from agent.model.media import SignalSample
from agent.signals.grid import STEP_NS, step_end_ns

SmallPicture = npt.NDArray[np.uint8]


def difference(first: SmallPicture, second: SmallPicture) -> float:
    """Mean absolute difference of two pictures of one shape, 0 (equal) to 1 (black against white)."""
    return float(np.mean(np.abs(first.astype(np.int16) - second.astype(np.int16)))) / 255


class MotionMeter:
    """The mean change over each half second, as signal `motion`.

    Args:
        on_signal: gets a sample when its half second is over, in the thread that feeds.
    """

    def __init__(self, on_signal: Callable[[SignalSample], None]) -> None:
        self._on_signal = on_signal
        self._last: SmallPicture | None = None
        self._end_ns: int | None = None
        self._values: list[float] = []

    def feed(self, time_ns: int, picture: SmallPicture) -> None:
        """Take a small picture, uint8, shape (90, 160), shown from `time_ns` of the session on."""
        if self._end_ns is not None and time_ns >= self._end_ns and self._values:
            value = sum(self._values) / len(self._values)
            self._on_signal(SignalSample(name="motion", at_ns=self._end_ns, value=value))
            self._values = []
        # A pause of the picture is a cut, not motion.
        is_next = self._end_ns is not None and time_ns < self._end_ns + STEP_NS
        if self._last is not None and is_next:
            self._values.append(difference(self._last, picture))
        self._last = picture
        self._end_ns = step_end_ns(time_ns)
