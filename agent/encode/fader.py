"""Gain and mute of one sound, without a click. Set from any thread, applied by the `audio` thread.

A mute holds at once, for what was heard a moment before as well; its end holds for what is heard from then on, so
nothing that was said under a mute is ever recorded.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from agent.encode.mix import bend

Stereo = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True)
class _Wish:
    gain: float
    is_muted: bool
    since: int


class Fader:
    """From one gain to the next in a straight line over one block: 21 ms of 1024 samples.

    Args:
        gain_db: to begin with.
        is_muted: to begin with.
    """

    def __init__(self, gain_db: float = 0.0, *, is_muted: bool = False) -> None:
        self._wish = _Wish(_ratio(gain_db), is_muted, 0)
        self._gain = self._target(0)

    def set(self, gain_db: float, *, is_muted: bool, at: int) -> None:
        """Fade to this. Any thread.

        Args:
            at: the position on the session's line, in samples, at which the user wished it.
        """
        # An end of a mute that is not reached yet stays where it is when only the gain is moved.
        before = self._wish
        since = at if before.is_muted and not is_muted else before.since
        self._wish = _Wish(_ratio(gain_db), is_muted, since)

    def gains(self, position: int, num_samples: int) -> float | npt.NDArray[np.float32]:
        """What to multiply the samples from `position` on with: one number, or one a sample, shape (n, 1)."""
        before, after = self._gain, self._target(position)
        self._gain = after
        if before == after:
            return after
        ramp = np.linspace(before, after, num_samples + 1, dtype=np.float32)[1:]
        return ramp[:, np.newaxis]

    def apply(self, position: int, samples: Stereo) -> Stereo:
        """The samples from `position` on as they are to be heard; never over full scale where they were not."""
        gains = self.gains(position, len(samples))
        if isinstance(gains, float):
            if gains == 1.0:
                return samples
            if gains == 0.0:
                return np.zeros_like(samples)
        faded = (samples * gains).astype(np.float32, copy=False)
        return bend(faded) if np.max(gains) > 1.0 else faded

    def _target(self, position: int) -> float:
        wish = self._wish
        return 0.0 if wish.is_muted or position < wish.since else wish.gain


def _ratio(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))
