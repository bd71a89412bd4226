"""Where moments begin and end: from the times at which their signs are laid in sound and picture.

The guide is that of `tests.sketches.sketch`: from the first sign to the last of the reaction, without calm talk.
"""

from __future__ import annotations

import numpy as np

from tests.sketches.guide import Sign, from_signs, held_to_length
from tests.streams.scenes import Scene
from tests.streams.voice import Line

# Ordinary talk has an effort of 0.3, give or take 0.1, and ordinary play is seldom as busy as this.
RAISED, BUSY = 0.5, 0.75
# What is as short as may be is so by the stream's own clock, too, to which a scene's is added.
SPARE_S = 0.001
_FELT = {"shout", "scream", "laugh", "sniff", "sigh"}
_OF_THE_CAMERA = {"jump", "lean", "slump", "shake"}
# After so many seconds, or sooner, these have died away; all others sound as long as they last.
_DIES_S = {
    "kill": 1.2, "explosion": 1.2, "crash": 0.8, "room_crash": 0.8, "sting": 1.4, "chord": 1.4, "announcer": 1.6,
}  # fmt: skip


def _stands_out(scene: Scene, line: Line) -> bool:
    """Whether the voice turns from the ordinary."""
    if line.start_s >= scene.event_s and {"soft", "deadpan"} & scene.signs:
        return True  # Nothing of it is loud: what is said is all there is.
    return line.style in _FELT or line.effort >= RAISED


def _signs(scene: Scene) -> list[Sign]:
    """All that stands out, on the scene's own clock, but for how busy the game is."""
    signs = [(line.start_s, line.end_s) for line in scene.lines if _stands_out(scene, line)]
    signs += [(line.start_s, line.end_s) for line in scene.others]
    signs += [
        (cue.start_s, min(cue.end_s, cue.start_s + _DIES_S.get(cue.name, cue.end_s))) for cue in scene.sounds
    ]
    for cue in scene.looks:
        if cue.name not in _OF_THE_CAMERA:
            signs.append((cue.start_s, cue.end_s))
        elif scene.streamer.cam != "none":
            # A movement of the head fades.
            signs.append((cue.start_s, cue.start_s + 0.8 * (cue.end_s - cue.start_s)))
    return signs


def _busy(scene: Scene, action: np.ndarray) -> list[Sign]:
    """When the game is busier than usual before the event; `action` from the scene's start on, ten times a second."""
    first, last = 0, int(scene.event_s * 10)
    signs: list[Sign] = []
    for index in range(last + 1):
        if index == last or action[index] < BUSY:
            if index > first:
                signs.append((first / 10, index / 10))
            first = index + 1
    return signs if scene.streamer.is_game and scene.actions else []


def bounds(scene: Scene, action: np.ndarray) -> Sign:
    """Where a moment begins and ends, on the scene's own clock."""
    signs = _signs(scene) + _busy(scene, action)
    if not any(end > scene.event_s for _, end in signs):
        # Where nothing but calm words tells of it, it begins with the first of these.
        start = next((line.start_s for line in scene.lines if line.start_s >= scene.event_s), scene.event_s)
        return held_to_length(start, start, spare_s=SPARE_S)
    return from_signs(signs, scene.event_s, spare_s=SPARE_S)
