"""A clip that holds nothing from before its start, which is what may leave this PC.

The pictures from the start to the next key frame are encoded again with the recording's own settings, the
rest is copied behind them. That needs a byte-identical codec header; where the encoder does not give it,
all pictures are encoded again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog

from agent.clip.muxer import ClipMuxer
from agent.clip.reencode import PictureDecoder, PictureEncoder, open_any_encoder, open_same_encoder
from agent.errors import NothingToClip
from agent.model.media import EncodedPacket, TrackParams
from agent.ports import PacketSpan

log = structlog.get_logger()


def cut_span(span: PacketSpan, path: Path) -> None:
    """Write the span to `path` without anything from before `span.start_ns`, not fsynced.

    Raises:
        NothingToClip: The span shows no picture, or it is damaged.
        EncoderUnavailable: Nothing on this machine can encode the first pictures.
        av.FFmpegError, OSError: It cannot be written.
    """
    video = _video_track(span.tracks)
    track = span.tracks[video]
    packets = span.packets()
    head, tail = _split_at_second_key_frame(packets, video, span.start_ns)
    shown = _decode_shown(head, track, video, span.start_ns)
    if not shown:
        # The first picture shown is a key frame, or there is none at all.
        _write(span, path, span.tracks, (packet for packet in _chain(head, tail) if _is_after(packet, span)))
        return
    encoder = open_same_encoder(track, video, shown[0][1])
    if encoder is None:
        log.warning(
            "clip_encoded_whole", encoder=track.encoder, reason="the codec header cannot be made again"
        )
        _encode_whole(span, path, video, shown[0][1])
        return
    sounds = [packet for packet in head if packet.track != video]
    pictures = [item for source, picture in shown for item in encoder.encode(source, picture)]
    pictures += encoder.encode(None, None)
    start = sorted([*sounds, *pictures], key=lambda packet: packet.dts_ns)
    _write(span, path, span.tracks, (packet for packet in _chain(start, tail) if _is_after(packet, span)))


def _video_track(tracks: Sequence[TrackParams]) -> int:
    for number, track in enumerate(tracks):
        if track.kind == "video":
            return number
    raise NothingToClip("the span has no picture track")


def _is_after(packet: EncodedPacket, span: PacketSpan) -> bool:
    return packet.pts_ns >= span.start_ns


def _chain(head: Sequence[EncodedPacket], tail: Iterator[EncodedPacket]) -> Iterator[EncodedPacket]:
    yield from head
    yield from tail


def _split_at_second_key_frame(
    packets: Iterator[EncodedPacket], video: int, start_ns: int
) -> tuple[list[EncodedPacket], Iterator[EncodedPacket]]:
    """What must be encoded again (up to the first key frame at or after the start), and what can be copied."""
    head: list[EncodedPacket] = []
    for packet in packets:
        if packet.track == video and packet.is_key_frame and packet.pts_ns >= start_ns:
            return head, _chain([packet], packets)
        head.append(packet)
    return head, iter(())


def _decode_shown(
    head: Sequence[EncodedPacket], track: TrackParams, video: int, start_ns: int
) -> list[tuple[EncodedPacket, Any]]:
    """The pictures of `head` from the start on: at most one GOP (1 s of 1080p30 is 93 MB)."""
    pictures = [packet for packet in head if packet.track == video]
    if not any(packet.pts_ns >= start_ns for packet in pictures):
        return []
    decoder = PictureDecoder(track)
    found = []
    for packet in [*pictures, None]:
        found += [pair for pair in decoder.decode(packet) if pair[0].pts_ns >= start_ns]
    return found


def _encode_whole(span: PacketSpan, path: Path, video: int, first: Any) -> None:
    encoder = open_any_encoder(span.tracks[video], video, first)
    tracks = list(span.tracks)
    tracks[video] = dataclasses.replace(tracks[video], extradata=encoder.extradata, codec=encoder.codec)
    decoder = PictureDecoder(span.tracks[video])
    _write(span, path, tracks, _reencoded(span, video, decoder, encoder))


def _reencoded(
    span: PacketSpan, video: int, decoder: PictureDecoder, encoder: PictureEncoder
) -> Iterator[EncodedPacket]:
    for packet in span.packets():
        if packet.track != video:
            if packet.pts_ns >= span.start_ns:
                yield packet
            continue
        for source, picture in decoder.decode(packet):
            if source.pts_ns >= span.start_ns:
                yield from encoder.encode(source, picture)
    for source, picture in decoder.decode(None):
        if source.pts_ns >= span.start_ns:
            yield from encoder.encode(source, picture)
    yield from encoder.encode(None, None)


def _write(
    span: PacketSpan, path: Path, tracks: Sequence[TrackParams], packets: Iterator[EncodedPacket]
) -> None:
    with ClipMuxer(path, tracks, start_ns=span.start_ns, end_ns=span.end_ns) as muxer:
        for packet in packets:
            muxer.put(packet)
        muxer.end_at(span.end_ns)
        if muxer.num_pictures_shown == 0:
            raise NothingToClip(f"no picture lies in {span.start_ns / 1e9:.3f}..{span.end_ns / 1e9:.3f} s")
