"""The state panel's lines. Pure."""

from __future__ import annotations

from agent.ui.alarms import check_words
from agent.ui.texts import clock, shown_path
from protos.clippy.v1 import control_pb2


def detail_words(status: control_pb2.Status, *, is_compact: bool = False) -> str:
    """What a press could save, when that was last checked, how to press, and (not when compact) where clips go."""
    hotkey = f"{status.hotkey} saves 30 s" if status.hotkey else "no hotkey"
    words = [f"{clock(status.buffered_ns)} ready to save", check_words(status.health), hotkey]
    if not is_compact:
        words.append(f"clips go to {shown_path(status.clip_folder)}")
    return " · ".join(words)


def trouble_words(status: control_pb2.Status) -> str:
    """What went wrong beside the alarms; empty when nothing did."""
    press = f"the last press was not saved: {status.last_press_error}" if status.last_press_error else ""
    return " · ".join(text for text in (press, *status.warnings, status.uplink.problem) if text)


def step_words(picture: control_pb2.Picture) -> str:
    """What the picture was made less by, and why; empty when it is whole."""
    if not picture.step:
        return ""
    why = f": {picture.step_reason}" if picture.step_reason else ""
    return f"Recording less than asked for, {picture.step}{why}"


def picture_words(status: control_pb2.Status) -> str:
    """What is recorded, and by what."""
    encoder = f"{status.picture.codec} by {status.video_encoder}".removeprefix(" by ").removesuffix(" by ")
    reason = f" ({status.picture.encoder_reason})" if status.picture.encoder_reason else ""
    size = f"{status.width}×{status.height} at {status.frame_rate:g} fps"
    return f"{size}, {encoder}{reason}" if encoder else size


def cost_words(status: control_pb2.Status) -> str:
    """What recording costs this machine, and what left it today."""
    cost = status.cost
    has_cost = status.HasField("cost")
    cpu_s_per_s = cost.cpu_s_per_s if has_cost else status.cpu_s_per_s
    rss_bytes = cost.rss_bytes if has_cost else status.rss_bytes
    words = [f"{cpu_s_per_s:.2f} CPU cores", f"{rss_bytes >> 20} MiB"]
    if has_cost:
        words += [
            f"{cost.dropped_pct:.1f} % of frames dropped",
            f"{cost.mb_per_min:.0f} MB/min",
            f"{cost.gb_per_day:.0f} GB/day",
        ]
    else:
        words.append(f"{status.frames_dropped} of {status.frames_captured} frames dropped")
    return " · ".join([*words, f"{status.uplink.bytes_sent_today / 1e6:.1f} MB left this PC today"])
