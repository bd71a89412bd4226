"""What turns a decoded frame into one of the output's size, chosen by what was asked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from fractions import Fraction

from av.video.frame import VideoFrame

from coordinator.errors import MediaUnusable
from coordinator.media.picture.follow import plan_follow
from coordinator.media.picture.frames import Canvas, Layout, Scaler
from coordinator.media.picture.geometry import place
from coordinator.media.picture.moving import MovingWindow, WindowAt
from coordinator.media.picture.panels import Bars, camera_and_game, filling
from coordinator.model.framing import Framing, framing_fault


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Composes frames of one source, in order of time: yuv420p of the output's size. One thread.

    What `compose` returns may be drawn on, and may be written anew by the next call.
    """

    compose: Callable[[VideoFrame], VideoFrame]


def follow_window(
    framing: Framing,
    open_pictures: Callable[[], Iterable[tuple[float, VideoFrame]]],
    *,
    width: int,
    height: int,
    sample_aspect: Fraction | None,
    until_s: float | None,
) -> WindowAt | None:
    """Look at a span's pictures where the layout needs that before the first can be composed; else None.

    Raises:
        MediaUnusable: As `open_pictures`.
    """
    if framing.layout != "follow":
        return None
    plan = plan_follow(
        open_pictures(),
        width=width,
        height=height,
        zoom=framing.zoom or 1.0,
        sample_aspect=sample_aspect,
        until_s=until_s,
    )
    return plan.at


def composer(
    framing: Framing,
    *,
    preset_layout: str,
    zoom: float,
    width: int,
    height: int,
    sample_aspect: Fraction | None,
    window_at: WindowAt | None = None,
) -> Composer:
    """Return what composes frames to `width` x `height`, both even.

    Args:
        preset_layout: the preset's own, for the layout `preset`: `canvas` is blurred around, `fit` covers.
        zoom: the preset's own.
        window_at: what `follow_window` returned; without it `follow` stays in the middle.

    Raises:
        MediaUnusable: The framing cannot be; the message names the key.
    """
    check_framing(framing)
    size = {"width": width, "height": height}
    return Composer(compose=_compose(framing, preset_layout, zoom, size, sample_aspect, window_at))


def _compose(
    framing: Framing,
    preset_layout: str,
    zoom: float,
    size: dict[str, int],
    sample_aspect: Fraction | None,
    window_at: WindowAt | None,
) -> Callable[[VideoFrame], VideoFrame]:
    layout = preset_layout if framing.layout == "preset" else framing.layout
    if layout == "fit" and framing.layout == "preset" and framing.shape != "preset":
        layout = "canvas"  # A shape of its own: all of the picture must still be there.
    if layout in ("blur", "canvas"):
        shown = Layout(zoom=framing.zoom or zoom)
        return Canvas(**size, layout=shown, sample_aspect=sample_aspect).compose
    if framing.layout == "fit":
        return Bars(**size, sample_aspect=sample_aspect).compose
    if layout == "stack" and framing.camera is not None:
        return camera_and_game(framing, framing.camera, **size, sample_aspect=sample_aspect)
    if layout == "follow" and window_at is not None:
        own = framing.zoom or 1.0
        return MovingWindow(**size, window_at=window_at, zoom=own, sample_aspect=sample_aspect).compose
    if layout in ("crop", "follow"):
        return filling(framing, **size, sample_aspect=sample_aspect).scale
    # Covering: a source that changes its shape on the way is cropped rather than stretched.
    canvas = size["width"], size["height"]
    return Scaler(lambda w, h: place(w, h, canvas, zoom=math.inf), sample_aspect=sample_aspect).scale


def check_framing(framing: Framing) -> None:
    """Refuse a framing that cannot be.

    Raises:
        MediaUnusable: A key has no possible value; names it, the value and what may be.
    """
    fault = framing_fault(framing)
    if fault is not None:
        key, value, allowed = fault
        raise MediaUnusable(f"layout {framing.layout}: {key} = {value!r} is not {allowed}")
