"""Where a moment of d_stage begins and ends: what of it stands out from the ordinary, and the stretch that takes.

Invariant: nothing is drawn here, all comes from the plan.
"""

from __future__ import annotations

import numpy as np

from tests.sketches.d_stage.beats import PEAK, Beat
from tests.sketches.d_stage.parts import World
from tests.sketches.d_stage.picture import LENGTHS_S
from tests.sketches.guide import Sign, from_signs
from tests.sketches.sketch import Span

_SPARE_S = 0.01
_SLOW_PX = 0.3  # a camera that hardly moves does not rush either


def tell_moment(beat: Beat, world: World) -> Span:
    """From the first of what leads to the peak without a lull, to the last of the reaction."""
    traces = [*beat.traces, *_shown(beat, world)]
    start_s, end_s = from_signs(
        traces, float(beat.marks[PEAK]), duration_s=world.duration_s, spare_s=_SPARE_S
    )
    return Span(start_s=start_s, end_s=end_s, kind=beat.kind)


def _shown(beat: Beat, world: World) -> list[Sign]:
    """What can be seen of it; no cue of a moment's picture is left to chance."""
    return [
        (cue.at_s, cue.at_s + LENGTHS_S.get(cue.name, cue.length_s))
        for cue in beat.cues("picture", np.random.default_rng(0))
        if cue.name != "rush" or world.camera_px >= _SLOW_PX
    ]
