"""A status in words, for a terminal. Pure."""

from __future__ import annotations

from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS


def status_lines(status: control_pb2.Status) -> list[str]:
    """What a person wants to know, the most important first."""
    buffered_s = status.buffered_ns // SECOND_NS
    lines = [
        f"{status.state} {buffered_s // 60}:{buffered_s % 60:02} of {status.max_buffer_ns // SECOND_NS // 60} min"
    ]
    if status.problem:
        lines.append(f"problem: {status.problem}")
    lines += [f"warning: {warning}" for warning in status.warnings]
    lines.append(
        f"picture: {status.width}x{status.height} {status.frame_rate:g} fps by {status.screen_source}, "
        f"{status.video_encoder}; {status.frames_captured} frames, {status.frames_dropped} dropped"
    )
    lines += _picture_lines(status.picture)
    for track in status.sound:
        state = f"{track.loudness_db:.0f} dB" if track.is_running else "not running"
        lines.append(f"sound: {track.name} from {track.device}, {state}")
    lines.append(f"cost: {status.cpu_s_per_s:.2f} CPU s per s, {status.rss_bytes >> 20} MiB")
    uplink = status.uplink
    if uplink.state != "off":
        lines.append(
            f"coordinator: {uplink.state} {uplink.coordinator}; {uplink.chunks_sent} chunks sent, "
            f"{uplink.chunks_stored} stored, {uplink.chunks_waiting} waiting"
        )
        lines += [f"coordinator: {uplink.problem}"] if uplink.problem else []
        lines += list(uplink.gaps)
    lines.append(f"left this PC today: {uplink.bytes_sent_today / 1e6:.1f} MB")
    lines.append(f"hotkey: {status.hotkey or 'none'}; clips go to {status.clip_folder}")
    if status.last_press_error:
        lines.append(f"last press failed: {status.last_press_error}")
    return lines


def _picture_lines(picture: control_pb2.Picture) -> list[str]:
    """What is out of the ordinary about how the picture is made."""
    lines = []
    if picture.step:
        lines.append(f"picture: {picture.step}, because {picture.step_reason}")
    elif picture.loss_pct >= 1:
        lines.append(f"picture: {picture.loss_pct:.1f} % of the frames of the last 5 s were lost")
    if picture.encoder_reason:
        lines.append(f"encoder: {picture.encoder_reason}")
    if picture.is_proxy_on:
        lines.append("proxy: a small picture of the stream goes to the coordinator")
    return lines
