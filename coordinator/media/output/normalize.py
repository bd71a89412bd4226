"""Turn whatever was uploaded into what the rest of the product expects: a plain MP4 from 0."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import av.container
import structlog
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import in_blocks, outline, pictures, sounds
from coordinator.media.intake.opening import audio_of, open_media, origin_s, video_of
from coordinator.media.intake.pacing import constant_rate, paced
from coordinator.media.intake.probe import probe
from coordinator.media.intake.survey import PictureFacts, Survey, survey
from coordinator.media.limits import give_back_memory, normalize_cpu_s
from coordinator.media.output.copying import CopiedSound, picture_packets
from coordinator.media.output.mp4 import ENCODE_THREADS, Mp4Writer, VideoSettings
from coordinator.media.output.render import SOUND_BLOCK_SAMPLES, SoundTrack
from coordinator.media.partial import replacing
from coordinator.media.picture.fields import deinterlaced
from coordinator.media.picture.frames import Scaler, upright_size
from coordinator.media.picture.geometry import even, place
from coordinator.media.picture.tones import HDR_TRANSFERS
from coordinator.model.media import MediaFile

log = structlog.get_logger()
CRF = 19.0  # An export encodes this once more: what is lost here is lost twice.
AUDIO_BPS = 192_000
FULL_HD_PX = 1920 * 1080
# Peak of a 1080p picture: grain at this quality would take ten times as much, and the CPU to write it.
PEAK_BPS_FULL_HD = 20_000_000
# How many CPU milliseconds there must be for a 1080p picture to let x264 be this slow; measured on grain.
PRESETS = (("veryfast", 80.0), ("superfast", 45.0), ("ultrafast", 0.0))
# Of that, what decoding and making standard takes of a picture in high dynamic range.
HDR_MS = 20.0
# Larger pictures are encoded by one thread, and as fast as can be: every picture ahead is 12 MB at 4K.
ONE_THREAD_FROM_PX = 2560 * 1440
# Sound usually ends a few packets after its picture: that is no reason to freeze.
MAX_LONE_SOUND_S = 0.25
_FOREVER_S = 7 * 24 * 3600.0


class _Sound(Protocol):
    def write_until(self, time_s: float) -> None: ...


def normalize(src: Path, dst: Path, found: Survey | None = None) -> MediaFile:
    """Write `src` as H.264 and AAC in MP4: from 0, upright, square pixels, even sides, a constant rate.

    A track that is all that already is copied; the other is encoded. Picture and sound keep their offset;
    where one starts later the first picture is held, or there is silence. A file with sound only becomes an
    MP4 with sound only. `dst` appears whole or not at all.

    Args:
        found: what `survey` found in `src`; None: it is surveyed here.

    Raises:
        MediaUnusable: Nothing of `src` can be decoded.
        DiskFull: There is no room for the result.
    """
    src, dst = Path(src), Path(dst)
    found = found or survey(src)
    if found.picture is None and found.sound is None:
        raise MediaUnusable(
            f"{src.name} holds no picture and no sound: it is truncated, encrypted or damaged"
        )
    with replacing(dst) as partial:
        if not _try_copy(src, found, partial):
            _write(src, _nothing_copied(found), partial)
    return probe(dst)


def _try_copy(src: Path, found: Survey, partial: Path) -> bool:
    """Write, copying what can be copied; False where the result is not what was meant."""
    if found == _nothing_copied(found):
        return False
    try:
        _write(src, found, partial)
        written = survey(partial)
    except (av.FFmpegError, MediaUnusable, ValueError) as exc:
        log.info("stream_copy_refused", reason=type(exc).__name__)
        return False
    wanted, got = found.picture, written.picture
    is_whole = wanted is None or (
        got is not None and got.rate is not None and got.num_packets >= wanted.num_packets
    )
    return is_whole and (found.sound is None or written.sound is not None)


def _nothing_copied(found: Survey) -> Survey:
    reason = "its copy was no plain file"
    picture, sound = found.picture, found.sound
    return Survey(
        picture=picture and dataclasses.replace(picture, why_encode=picture.why_encode or reason),
        sound=sound and dataclasses.replace(sound, why_encode=sound.why_encode or reason),
    )


def _write(src: Path, found: Survey, partial: Path) -> None:
    picture, sound = found.picture, found.sound
    with contextlib.ExitStack() as stack:
        copied_video = copied_audio = None
        start_s = 0.0
        if picture is not None and picture.why_encode is None:
            copied_video = video_of(video_file := stack.enter_context(open_media(src)))
            # A container may round the first picture to a few milliseconds: both tracks start with it.
            start_s = picture.start_s
        if sound is not None and sound.why_encode is None:
            copied_audio = audio_of(audio_file := stack.enter_context(open_media(src)))
        encoding = _Encoding.of(src, found) if picture is not None and copied_video is None else None
        is_heard = sound is not None and copied_audio is None and _can_hear(src, start_s)
        if encoding is None and copied_video is None and copied_audio is None and not is_heard:
            raise MediaUnusable(f"{src.name} holds no sound that can be decoded")
        out = stack.enter_context(
            Mp4Writer(
                partial,
                copied_video or (encoding.settings if encoding is not None else None),
                audio_bitrate_bps=AUDIO_BPS if is_heard else None,
                copied_audio=copied_audio,
            )
        )
        heard = SoundTrack(out)
        if is_heard:
            heard.begin(in_blocks(sounds(src, start_s=start_s), SOUND_BLOCK_SAMPLES))
        track: _Sound = heard
        if copied_audio is not None:
            track = CopiedSound(out, audio_file, copied_audio, zero_s=origin_s(audio_file) + start_s)
        if copied_video is not None and picture is not None:
            ends_s = _copy_pictures(out, video_file, copied_video, picture)
        else:
            ends_s = encoding.encode(out) if encoding is not None else iter(())
        for end_s in ends_s:
            track.write_until(end_s)
        track.write_until(_FOREVER_S)


def _can_hear(src: Path, start_s: float) -> bool:
    """Tell whether any sound decodes: a picture is worth having without."""
    try:
        return next(sounds(src, start_s=start_s), None) is not None
    except MediaUnusable as exc:
        log.info("sound_left_out", reason=str(exc))
        return False


def _copy_pictures(
    out: Mp4Writer, container: av.container.InputContainer, stream: VideoStream, facts: PictureFacts
) -> Iterator[float]:
    for packet in picture_packets(container, stream, facts):
        end_s = float((packet.dts or 0) * packet.time_base)
        out.copy(packet)
        yield end_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Encoding:
    """How a picture is made plain. One thread."""

    src: Path
    scaler: Scaler
    settings: VideoSettings
    hold_until_s: float

    @classmethod
    def of(cls, src: Path, found: Survey) -> _Encoding:
        assert found.picture is not None
        header = outline(src)
        rate = _rate(found.picture, header.base_rate)
        first = _first_picture(src)
        width, height = (even(side) for side in upright_size(first, header.sample_aspect))
        scaler = Scaler(
            lambda w, h: place(w, h, (width, height), zoom=float("inf")), sample_aspect=header.sample_aspect
        )
        size = width * height / FULL_HD_PX
        speed = max(1.0, float(rate) / 30)
        settings = VideoSettings(
            width=width,
            height=height,
            rate=rate,
            x264_preset=preset_for(found, float(rate), size, is_hdr=first.color_trc in HDR_TRANSFERS),
            crf=CRF,
            max_bitrate_bps=round(PEAK_BPS_FULL_HD * max(0.1, size) * speed),
            threads=1 if width * height >= ONE_THREAD_FROM_PX else ENCODE_THREADS,
        )
        heard_s = found.sound.end_s if found.sound is not None else 0.0
        # The last picture of an animation, or of a screen at rest, may stay for long.
        hold_until_s = max(0.0, heard_s - MAX_LONE_SOUND_S, found.picture.end_s)
        return cls(src=src, scaler=scaler, settings=settings, hold_until_s=hold_until_s)

    def encode(self, out: Mp4Writer) -> Iterator[float]:
        """Write every tick's picture; yield when each ends."""
        # No picture may live on in a variable, or in `enumerate`, while the next is decoded: at 4K each is 12 MB,
        # and 31 MB as it comes from the decoder.
        rate, ticks = self.settings.rate, itertools.count(1)
        for picture in paced(self._plain(), rate, hold_until_s=self.hold_until_s):
            out.write_picture(picture)
            del picture
            yield float(next(ticks) / rate)

    def _plain(self) -> Iterator[tuple[float, VideoFrame]]:
        """Yield pictures as they are shown: what is held until the next one comes is half as large so, in 8 bit."""
        is_first_over = is_tidy = False
        for time_s, frame in deinterlaced(pictures(self.src)):
            if is_first_over and not is_tidy:
                # The first ones were asked how they are turned, which ties them into cycles.
                give_back_memory()
                is_tidy = True
            picture = self.scaler.scale(frame)
            del frame
            is_first_over = True
            yield time_s, picture
            del picture


def _first_picture(src: Path) -> VideoFrame:
    frames = pictures(src)
    try:
        return next(frames)[1]
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()


def _rate(facts: PictureFacts, base: Fraction | None) -> Fraction:
    """The rate to show at: the one that is there, else from how many pictures there are in their time."""
    if facts.rate is not None:
        return constant_rate(Fraction(*facts.rate), None)
    length_s = facts.end_s - facts.start_s
    average = Fraction(facts.num_packets / length_s).limit_denominator(1001) if length_s > 0 else None
    return constant_rate(average, base)


def preset_for(found: Survey, rate: float, size: float, *, is_hdr: bool) -> str:
    """Return the slowest x264 preset that the CPU limit has room for.

    Args:
        rate: ticks a second.
        size: of a picture, in 1080p pictures.
        is_hdr: whether it has to be made standard, which takes its share.
    """
    assert found.picture is not None
    if size * FULL_HD_PX >= ONE_THREAD_FROM_PX:
        return PRESETS[-1][0]
    num_ticks = max(1.0, found.duration_s * rate)
    limit_s = normalize_cpu_s(
        num_pictures=found.picture.num_packets,
        picture_px=found.picture.width * found.picture.height,
        duration_s=found.duration_s,
    )
    room_ms = limit_s * 1_000 / (num_ticks * size) - HDR_MS * is_hdr
    return next((name for name, needed_ms in PRESETS if room_ms >= needed_ms), PRESETS[-1][0])
