"""Turn whatever was uploaded into what the rest of the product expects: a plain MP4 from 0."""

from __future__ import annotations

from pathlib import Path

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Outline, in_blocks, outline, sounds
from coordinator.media.intake.pacing import constant_rate
from coordinator.media.intake.probe import probe
from coordinator.media.intake.span import fitted
from coordinator.media.output.mp4 import Mp4Writer, VideoSettings
from coordinator.media.output.render import SOUND_BLOCK_SAMPLES, Rendering, render
from coordinator.media.partial import replacing
from coordinator.media.picture.frames import Scaler, upright_size
from coordinator.media.picture.geometry import even, place
from coordinator.model.media import MediaFile

X264_PRESET = "veryfast"
CRF = 19.0  # An export encodes this once more: what is lost here is lost twice.
AUDIO_BPS = 192_000


def normalize(src: Path, dst: Path) -> MediaFile:
    """Write `src` as H.264 and AAC in MP4: from 0, upright, square pixels, even sides, a constant rate.

    Picture and sound keep their offset; where one starts later the first picture is held, or there is
    silence. A file with sound only becomes an MP4 with sound only. `dst` appears whole or not at all.

    Raises:
        MediaUnusable: Nothing of `src` can be decoded.
        DiskFull: There is no room for the result.
    """
    src, dst = Path(src), Path(dst)
    found = outline(src)
    with replacing(dst) as partial:
        if found.has_video:
            _render_video(src, found, partial)
        else:
            _write_sound(src, partial)
    return probe(dst)


def _render_video(src: Path, found: Outline, partial: Path) -> None:
    rate = constant_rate(found.average_rate, found.base_rate)
    span = fitted(src, found, start_s=0.0, end_s=None, rate=rate)
    _, first = next(span.pictures())
    width, height = (even(side) for side in upright_size(first, found.sample_aspect))
    scaler = Scaler(
        lambda w, h: place(w, h, (width, height), zoom=float("inf")), sample_aspect=found.sample_aspect
    )
    has_sound = found.has_audio and next(span.sound(), None) is not None
    work = Rendering(
        pictures=span.pictures(),
        compose=scaler.scale,
        sound=span.sound() if has_sound else None,
        drawings=(),
        max_ticks=None,
        hold_until_s=span.hold_until_s,
    )
    settings = VideoSettings(width=width, height=height, rate=rate, x264_preset=X264_PRESET, crf=CRF)
    render(work, partial, settings, audio_bps=AUDIO_BPS, title=None)


def _write_sound(src: Path, partial: Path) -> None:
    num_samples = 0
    with Mp4Writer(partial, None, audio_bitrate_bps=AUDIO_BPS) as out:
        for block in in_blocks(sounds(src), SOUND_BLOCK_SAMPLES):
            num_samples += block.shape[1]
            out.write_sound(block)
        if not num_samples:
            raise MediaUnusable(f"{src.name} holds less than one sample of sound ({SAMPLE_RATE_HZ} Hz)")
