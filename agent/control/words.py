"""A status in words, for a terminal, and as JSON. Pure."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict

from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS

_EPOCH_WORDS = {
    "start": "recording began",
    "size": "the picture's size changed",
    "encoder": "the encoder changed",
    "rate": "the frame rate changed",
    "suspended": "the machine slept",
    "stopped": "the recorder stood still",
    "screen": "the screen was away",
}


def status_lines(status: control_pb2.Status) -> list[str]:
    """What a person wants to know, the most important first."""
    lines = [_head(status)]
    lines += [f"ALARM {alarm.code}: {alarm.message}" for alarm in status.health.alarms]
    said = {alarm.message for alarm in status.health.alarms}
    if status.problem and status.problem not in said:
        lines.append(f"problem: {status.problem}")
    lines += [f"warning: {warning}" for warning in status.warnings if warning not in said]
    lines.append(_cost(status))
    lines.append(
        f"picture: {status.width}x{status.height} {status.frame_rate:g} fps by {status.screen_source}, "
        f"{status.video_encoder}; {status.frames_captured} frames, {status.frames_dropped} dropped"
    )
    lines += _picture_lines(status.picture)
    for track in status.sound:
        state = f"{track.loudness_db:.0f} dB" if track.is_running else "not running"
        source = f" from {track.device}" if track.device else ""
        lines.append(f"sound: {track.name}{source}, {state}")
    lines += [chat_line(chat) for chat in status.chats]
    lines += _buffer(status)
    lines += [
        f"check: {check.name}: {check.detail}"
        for check in status.health.checks
        if check.detail and not check.is_ok
    ]
    uplink = status.uplink
    if uplink.state != "off":
        lines.append(
            f"coordinator: {uplink.state} {uplink.coordinator}; {uplink.chunks_sent} chunks sent, "
            f"{uplink.chunks_stored} stored, {uplink.chunks_waiting} waiting"
        )
        lines += [f"coordinator: {uplink.problem}"] if uplink.problem else []
        lines += [f"coordinator: {line}" for line in uplink.held_back]
        lines += _source_lines(uplink)
        lines += list(uplink.gaps)
    if uplink.HasField("pairing"):
        lines += pairing_lines(uplink.pairing)
    lines.append(f"left this PC today: {uplink.bytes_sent_today / 1e6:.1f} MB")
    lines.append(f"hotkey: {status.hotkey or 'none'}; clips go to {status.clip_folder}")
    if status.last_press_error:
        lines.append(f"last press failed: {status.last_press_error}")
    return lines


def chat_line(chat: control_pb2.ChatSource) -> str:
    """How one chat is read."""
    line = f"chat: {chat.name}, {'connected' if chat.is_connected else 'not connected'}"
    if chat.is_connected or chat.num_lines:
        line += f", {chat.lines_per_min} lines a minute"
    if chat.HasField("num_viewers"):
        line += f", {chat.num_viewers} watch"
    if chat.num_dropped:
        line += f"; {chat.num_dropped} of {chat.num_lines} lines were too many at once and left out"
    return f"{line}; {chat.problem}" if chat.problem else line


def pairing_lines(pairing: control_pb2.Pairing) -> list[str]:
    """Whom this PC is paired with."""
    who = f"{pairing.user_name} ({pairing.tier})" if pairing.tier else pairing.user_name
    lines = [
        f"paired: as {pairing.device_name} of {who} with {pairing.coordinator_name or 'the coordinator'} "
        f"at {pairing.coordinator}"
    ]
    return lines + ([f"paired: {pairing.note}"] if pairing.note else [])


def _source_lines(uplink: control_pb2.Uplink) -> list[str]:
    """Full quality that the coordinator asked for, on its way or waiting."""
    if not uplink.sources_waiting:
        return []
    line = f"full quality: {uplink.sources_waiting} asked for"
    if uplink.HasField("source_upload"):
        upload = uplink.source_upload
        line += f"; {upload.bytes_there / 1e6:.1f} of {upload.size_bytes / 1e6:.1f} MB of one sent"
    return [line]


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


def status_value(status: control_pb2.Status) -> dict[str, Any]:
    """The status as the JSON that readers of ours want: numbers as numbers, what is not known as null."""
    value: dict[str, Any] = MessageToDict(
        status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for name in ("picture", "buffer", "health", "cost", "uplink"):
        value.setdefault(name, None)
    for chat in value["chats"]:
        chat.setdefault("num_viewers", None)
    if value["uplink"]:
        value["uplink"].setdefault("source_upload", None)
    if value["health"] and not status.health.last_check_unix_ms:
        value["health"] |= {"last_check_unix_ms": None, "last_check_age_s": None}
    if value["cost"] and not status.cost.gb_per_day:
        value["cost"] |= {"mb_per_min": None, "gb_per_day": None}
    return value


def _head(status: control_pb2.Status) -> str:
    """`ready 4:58, last check 12 s ago`."""
    buffered_s = status.buffered_ns // SECOND_NS
    head = f"{status.state} {buffered_s // 60}:{buffered_s % 60:02}"
    if not status.health.last_check_unix_ms:
        return f"{head}, not checked yet"
    return f"{head}, last check {status.health.last_check_age_s:.0f} s ago"


def _cost(status: control_pb2.Status) -> str:
    cost = status.cost
    words = f"costs {cost.cpu_s_per_s:.2f} CPU cores, {cost.rss_bytes >> 20} MiB, {cost.dropped_pct:.1f} % dropped"
    if cost.gb_per_day:
        words += f", {cost.mb_per_min:.0f} MB/min, {cost.gb_per_day:.0f} GB/day if it ran all day"
    return words


def _buffer(status: control_pb2.Status) -> list[str]:
    buffer = status.buffer
    place = "in memory" if buffer.is_in_memory or not buffer.folder else f"in {buffer.folder}"
    lines = [
        f"buffer: {status.buffered_bytes / 1e6:.0f} MB of {buffer.max_bytes / 1e6:.0f} {place}, "
        f"up to {status.max_buffer_ns // SECOND_NS // 60} min; {buffer.pinned_bytes / 1e6:.0f} MB pinned, "
        f"{buffer.free_bytes / 1e9:.1f} GB free"
    ]
    # A clip never crosses from one epoch to the next: that is what a user must know of them.
    for epoch in buffer.epochs[1:]:
        ago_s = (status.now_ns - epoch.start_ns) // SECOND_NS
        lines.append(
            f"buffer: cut {ago_s // 60}:{ago_s % 60:02} ago ({_EPOCH_WORDS.get(epoch.reason, epoch.reason)})"
        )
    if buffer.num_recoverable:
        lines.append(f"buffer: {buffer.num_recoverable} recordings of a killed engine can still be saved")
    return lines
