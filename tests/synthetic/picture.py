"""The small picture of a stream, four a second: a camera over a texture, that pans, shakes, cuts or stands still."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.synthetic.model import FRAME_SHAPE, FRAMES_PER_S, Picture, Plan
from tests.synthetic.plan import is_explosion, is_filling_the_picture

_TEXTURE = 320
_SPEED = {  # pixels a frame, how much that wanders, and seconds between cuts
    "gaming": (1.6, 0.5, 200.0),
    "irl": (1.6, 0.4, 120.0),
    "talk": (0.1, 0.3, 20.0),
    "music": (0.12, 0.3, 60.0),
    "cooking": (0.25, 0.5, 18.0),
}
_SPORT_SPEED = (1.1, 0.5, 12.0)


def frames(plan: Plan) -> Iterator[Picture]:
    """Grey pictures, uint8, shape (90, 160), `FRAMES_PER_S` a second, as many as the stream is long."""
    rng = np.random.default_rng([plan.seed, 6])
    speeds, cuts = _camera(rng, plan)
    height, width = FRAME_SHAPE
    texture = _texture(rng)
    grain = rng.integers(0, 5, (16, height, width), dtype=np.uint8)
    place = rng.uniform(0, _TEXTURE, 2)
    heading = 0.0
    for index, (speed, is_cut) in enumerate(zip(speeds, cuts, strict=True)):
        if is_cut:
            place = rng.uniform(0, _TEXTURE, 2)
        heading += float(rng.normal(0.0, 0.5))
        place = (place + speed * np.array([np.sin(heading), np.cos(heading)])) % _TEXTURE
        top, left = int(place[0]), int(place[1])
        view = texture[top : top + height, left : left + width]
        yield view + grain[index % 16] if speed > 0 else view.copy()


def _camera(rng: np.random.Generator, plan: Plan) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Speed at each frame, 0 where the picture stands still, and where it cuts."""
    num = int(plan.duration_s * FRAMES_PER_S)
    base, spread, cut_every_s = _SPEED.get(plan.genre, _SPORT_SPEED)
    knots = np.arange(0, plan.duration_s + 6, 3.0)
    at_s = np.arange(num) / FRAMES_PER_S
    wander = np.exp(np.interp(at_s, knots, rng.normal(0.0, spread, knots.size)))
    speeds = base * float(rng.uniform(0.6, 1.5)) * wander
    cuts = rng.random(num) < 1 / (cut_every_s * FRAMES_PER_S)
    if plan.genre == "gaming":
        for start_s in np.cumsum(rng.exponential(120.0, 30)):  # a menu, a map, an inventory
            speeds[_frames_of(float(start_s), float(start_s + rng.uniform(4, 15)), num)] = 0.0
    for start_s in np.cumsum(rng.exponential(150.0, 30)):  # somebody looks around
        speeds[_frames_of(float(start_s), float(start_s + rng.uniform(2, 6)), num)] *= 2.0
    for event in plan.events:
        if "motion" in event.signs:
            until_s = event.climax_s + float(rng.uniform(0.4, 1.0)) * (event.span.end_s - event.climax_s)
            part = _frames_of(event.climax_s - float(rng.uniform(0, 2)), until_s, num)
            speeds[part] = (speeds[part] + 0.5) * (1.3 + 1.7 * event.strength)
            cuts[part] |= rng.random(speeds[part].size) < 0.6 * event.strength / FRAMES_PER_S
    for span in plan.decoys:
        part = _frames_of(span.start_s, span.end_s, num)
        if span.kind == "pause_screen":
            speeds[part] = 0.0
            cuts[part.start] = True
        elif is_filling_the_picture(span):
            cuts[part] |= rng.random(speeds[part].size) < 0.5 / FRAMES_PER_S
        elif is_explosion(span):
            speeds[part] = (speeds[part] + 0.5) * 2.5
    return speeds, cuts


def _texture(rng: np.random.Generator) -> Picture:
    """Smooth blobs of several sizes, going round at the edges, with a margin for the view."""
    field = np.zeros((_TEXTURE, _TEXTURE))
    distance = np.hypot(*np.meshgrid(np.fft.fftfreq(_TEXTURE), np.fft.fftfreq(_TEXTURE)))
    for size in (10.0, 25.0, 60.0):
        spectrum = np.fft.fft2(rng.standard_normal((_TEXTURE, _TEXTURE))) * np.exp(-((distance * size) ** 2))
        blobs = np.fft.ifft2(spectrum).real
        field += blobs / blobs.std()
    field = np.clip(128 + 38 * field, 0, 250).astype(np.uint8)
    return np.pad(field, ((0, FRAME_SHAPE[0] + 1), (0, FRAME_SHAPE[1] + 1)), mode="wrap")


def _frames_of(start_s: float, end_s: float, num: int) -> slice:
    first = min(num - 1, max(0, int(start_s * FRAMES_PER_S)))
    return slice(first, min(num, max(first, int(end_s * FRAMES_PER_S))))
