"""A clip's thumbnail: one decoded picture as a JPEG. Any thread; tens of milliseconds."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from agent.errors import EnvironmentProblem, InputUnusable

WIDTH_PX = 480
# MJPEG's own scale, 2 best to 31 worst; 4 is 20-40 kB at 480 px.
_QUALITY = 4


def write_thumbnail(
    clip: Path, target: Path, *, at_s: float | None = None, width_px: int = WIDTH_PX
) -> tuple[int, int]:
    """Write the picture at `at_s` (None: the key frame nearest before the middle); return (width, height).

    Raises:
        InputUnusable: The clip cannot be decoded or shows nothing.
        EnvironmentProblem: `target` cannot be written.
    """
    try:
        picture = _picture_at(clip, at_s)
        if picture is None:
            raise InputUnusable(f"{clip} shows no picture; no thumbnail was made")
        width = min(width_px, picture.width) // 2 * 2
        height = max(2, round(picture.height * width / picture.width / 2) * 2)
        jpeg = _encode(picture, width, height)
    except (av.FFmpegError, ValueError) as exc:
        raise InputUnusable(f"cannot make a thumbnail of {clip}: {exc}") from exc
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(jpeg)
        part.replace(target)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise EnvironmentProblem(f"cannot write the thumbnail {target}: {exc}") from exc
    return width, height


def _picture_at(clip: Path, at_s: float | None) -> Any:
    with av.open(str(clip)) as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        length_s = float(container.duration or 0) / av.time_base
        wanted_s = length_s / 2 if at_s is None else at_s
        assert stream.time_base is not None
        container.seek(int(max(0.0, wanted_s) / stream.time_base), stream=stream)
        newest = None
        for picture in container.decode(stream):
            newest = picture
            if at_s is None or (picture.time is not None and picture.time >= at_s):
                break
        return newest


def _encode(picture: Any, width: int, height: int) -> bytes:
    scaled = picture.reformat(width=width, height=height, format="yuvj420p", dst_color_range="JPEG")
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    encoder.options = {"flags": "+qscale", "global_quality": str(_QUALITY * 118)}
    scaled.pts, scaled.time_base, scaled.pict_type = 0, Fraction(1, 1), 0
    packets = [*encoder.encode(scaled), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
