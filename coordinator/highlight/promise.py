"""Is a chunk that was just heard worth a look at once? Pure, and cheap beside a look.

It may be wrong either way: a look that finds nothing costs some ten milliseconds, and what is missed here is found at
the next look, a minute later at most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coordinator.highlight.lanes import laughing
from coordinator.highlight.text import read_cues
from coordinator.model.highlight import Utterance
from coordinator.model.sessions import FeatureRow

# A second and a half must pass nearly all (a tenth is left out) of the minute before by so much. Measured on speech of
# ten minutes, looped: with 3 dB over half a second most of its windows were promising, so none of it (ADR 0026).
_LEAST_RISE_DB = 5.0
_LEAST_STEPS = 3
_MOTION_FACTOR, _LEAST_MOTION = 1.5, 0.02
_USUAL_SHARE = 0.9
_FEWEST_BEFORE = 20
_IN_DB = ("loudness_db", "floor_db")
# Some laughter rises over nothing; one step of it, where no words are, is enough.
_LEAST_LAUGHTER = 0.3
_LAUGHING = ("regularity", "voicing")


def is_promising(now: FeatureRow, before: Sequence[FeatureRow], said: Sequence[Utterance] | None) -> bool:
    """Does a chunk speak of a moment, laugh, or stand out from the minute before it in loudness, noise or motion?

    Args:
        now: the chunk's tracks, 2 Hz.
        before: of the same lane, the minute before it.
        said: its words, in seconds from its start; None where nobody listened for any.
    """
    if said is not None and (any(cue.strength > 0 for cue in read_cues(said)) or _is_laughing(now, said)):
        return True
    return _is_rising(now, before)


def _is_laughing(now: FeatureRow, said: Sequence[Utterance]) -> bool:
    for name in now.tracks:
        lane = name.removesuffix("_regularity")
        if lane == name or f"{lane}_voicing" not in now.tracks:
            continue
        tracks = {}
        for feature in _LAUGHING:
            values = np.array(now.tracks[f"{lane}_{feature}"], dtype=np.float64)
            tracks[f"{lane}_{feature}"] = (np.nan_to_num(values), np.isfinite(values))
        num_steps = tracks[f"{lane}_regularity"][0].size
        activation, _ = laughing(tracks, said, num_steps, lane=lane)
        if num_steps and float(activation.max()) >= _LEAST_LAUGHTER:
            return True
    return False


def _is_rising(now: FeatureRow, before: Sequence[FeatureRow]) -> bool:
    """What has no minute before it yet rises."""
    for name, measured in now.tracks.items():
        if not name.endswith((*_IN_DB, "motion")):
            continue
        earlier = [value for row in before for value in row.tracks.get(name, ()) if value is not None]
        # What began in the chunk before goes on here.
        values = earlier[1 - _LEAST_STEPS :] + [value for value in measured if value is not None]
        if len(values) < _LEAST_STEPS:
            continue
        if len(earlier) < _FEWEST_BEFORE:
            return True
        usual = sorted(earlier)[int(_USUAL_SHARE * (len(earlier) - 1))]
        least = usual + _LEAST_RISE_DB
        if name.endswith("motion"):
            least = max(_MOTION_FACTOR * usual, usual + _LEAST_MOTION)
        if any(
            min(values[first : first + _LEAST_STEPS]) >= least
            for first in range(len(values) - _LEAST_STEPS + 1)
        ):
            return True
    return False
