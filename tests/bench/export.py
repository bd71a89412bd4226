"""Bench `export`: what a post costs beside ffmpeg's command line, and how exact it is.

Both sides are given the same source, the same x264 preset and quality, a background made in the same way, loudness in
two passes, and the same words. CPU is user and system time; pairs alternate, medians count.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from coordinator.media.captions.files import write_caption_files
from coordinator.media.captions.fonts import FOLDER as FONTS
from coordinator.media.captions.styles import style_named
from coordinator.model.speech import Word
from tests.bench import ffmpeg
from tests.bench.export_intake import FIGURES as INTAKE_FIGURES
from tests.bench.export_intake import measure_intake
from tests.bench.export_size import measure_size
from tests.bench.measure import CannotMeasure, Result, median, quiet_log, say, spread

PARTS = ("speed", "copy", "presets", "size", "sound", "captions", "sync", "intake")
_FIGURES = {
    "speed": (
        *("cpu_ratio_ffmpeg_vertical", "cpu_ratio_ffmpeg_vertical_plain", "cpu_s_vertical_30s"),
        *("cpu_s_start", "size_ratio_ffmpeg_vertical"),
    ),
    "copy": ("cpu_s_copy_30s",),
    "presets": ("four_presets_ratio", "four_shapes_ratio"),
    "size": ("size_fill_min", "size_over_limit", "size_tries_mean", "size_second_tries_share"),
    "sound": ("lufs_error_max", "true_peak_dbtp_max", "sounds_called_short"),
    "captions": ("caption_error_ms_max", "caption_frames_outside"),
    "sync": ("av_offset_ms_max",),
    "intake": INTAKE_FIGURES,
}
_PAIRS = 3
_LENGTH_S = 30.0
_X264_PRESET, _CRF = "veryfast", 21
# As ours: a tenth of the size, every second picture, darkened.
_BACKGROUND = (
    "fps=15,scale=192:108,crop=60:108,scale=108:192,gblur=sigma=3:steps=2,"
    "lutyuv=y='16+(val-16)*0.6':u='128+(val-128)*0.75':v='128+(val-128)*0.75',"
    "scale=1080:1920:flags=bilinear,fps=30"
)
_WORDS = tuple(
    Word(text=text, start_s=0.6 * index, end_s=0.6 * index + 0.5)
    for index, text in enumerate("that was the best shot I have ever seen in this game".split() * 4)
)
_FOUR = ("tiktok", "shorts", "reels", "discord")
_FOUR_SHAPES = ("vertical", "square", "landscape", "discord")


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure."""
    with quiet_log(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in parts:
            with result.promising(*_FIGURES[part]):
                _MEASURES[part](result, folder, scale)


def source_clip(folder: Path, length_s: float) -> Path:
    """1080p30 H.264 and AAC: shapes, text and grain that move, a voice-like tone that comes and goes."""
    path = folder / "source.mp4"
    if path.exists():
        return path
    ffmpeg.version()
    picture = f"testsrc2=s=1920x1080:r=30:d={length_s:g},scroll=h=0.003:v=0.001,noise=alls=3:allf=t"
    tone = "sin(2*PI*220*t)*(0.5+0.5*sin(2*PI*0.7*t))"
    sound = f"aevalsrc='0.25*{tone}+0.04*random(0)|0.2*{tone}+0.04*random(1)':s=48000:d={length_s:g}"
    _ffmpeg(
        *(
            "-f",
            "lavfi",
            "-i",
            picture,
            "-f",
            "lavfi",
            "-i",
            sound,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ),
        *("-crf", "23", "-g", "60", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "160k", str(path)),
    )
    return path


def _ffmpeg(*arguments: str) -> tuple[float, str]:
    """Run it, and return its CPU seconds and what it said."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-y", *arguments]
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    after = os.times()
    if done.returncode:
        raise CannotMeasure(f"ffmpeg: {done.stderr.strip().splitlines()[-1]}")
    used_s = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return used_s, done.stderr


def _ours(
    folder: Path, source: Path, recipes: Sequence[dict[str, Any]], x264_preset: str | None
) -> dict[str, Any]:
    asked = {
        "source": str(source), "folder": str(folder), "recipes": recipes, "x264_preset": x264_preset
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.export_process"],
        input=json.dumps(asked), capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CannotMeasure(f"our own export failed: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _theirs(folder: Path, source: Path, *, has_words: bool) -> tuple[float, int]:
    """Loudness first, then one pass over everything; CPU seconds and the file's size."""
    measuring_s, said = _ffmpeg("-i", str(source), "-vn", "-af", "ebur128=peak=true", "-f", "null", "-")
    loudness = re.findall(r"I:\s*(-?[\d.]+) LUFS", said)
    gain_db = -14 - float(loudness[-1])
    shown = f"[0:v]split[a][b];[a]{_BACKGROUND}[bg];[b]scale=1080:608:flags=bicubic[fg];[bg][fg]overlay=0:656"
    if has_words:
        style_of_cards = style_named("pop")
        (words,) = write_caption_files(
            ["srt"], _WORDS, folder / "words.mp4", style=style_of_cards, duration_s=_LENGTH_S
        )
        style = "FontName=Inter Display Black,FontSize=13,Outline=1.5,Shadow=1,Alignment=2,MarginV=64"
        shown += f",subtitles={words}:fontsdir={FONTS}:force_style='{style}'"
    heard = f"[0:a]volume={gain_db:.3f}dB,alimiter=limit=0.785:level=0:attack=5:release=60,aresample=48000[s]"
    made = folder / "theirs.mp4"
    encoding_s, _ = _ffmpeg(
        *("-i", str(source), "-filter_complex", f"{shown}[v];{heard}", "-map", "[v]", "-map", "[s]"),
        *("-c:v", "libx264", "-preset", _X264_PRESET, "-crf", str(_CRF), "-profile:v", "high", "-g", "60"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "160k", "-movflags", "+faststart", str(made)),
    )
    return measuring_s + encoding_s, made.stat().st_size


def _speed(result: Result, folder: Path, scale: float) -> None:
    result.rivals["ffmpeg"] = ffmpeg.version()
    source = source_clip(folder, max(2.0, _LENGTH_S * scale))
    words = [(word.text, word.start_s, word.end_s) for word in _WORDS]
    for name, has_words in (("cpu_ratio_ffmpeg_vertical", True), ("cpu_ratio_ffmpeg_vertical_plain", False)):
        recipe = {"presets": ["vertical"], "words": words if has_words else []}
        ratios, ours_s = [], []
        for _ in range(_PAIRS if scale >= 0.3 else 1):
            ours = _ours(folder, source, [recipe], _X264_PRESET)
            theirs_s, their_bytes = _theirs(folder, source, has_words=has_words)
            ours_s.append(ours["cpu_s"][0])
            ratios.append(ours_s[-1] / theirs_s)
            say(f"export: {ours_s[-1]:.1f} CPU s, ffmpeg {theirs_s:.1f}, words: {has_words}")
        result.figures[name] = median(ratios)
        result.notes.append(f"{name}: {spread(ratios)}")
        if has_words:
            result.figures["cpu_s_vertical_30s"] = median(ours_s)
            result.figures["cpu_s_start"] = round(ours["start_cpu_s"], 2)
            result.figures["size_ratio_ffmpeg_vertical"] = round(ours["sizes"][0][0] / their_bytes, 3)
    result.notes.append(
        f"both sides x264 {_X264_PRESET}, crf {_CRF}; ours in a process at work (starting one: cpu_s_start)"
    )


def _copy(result: Result, folder: Path, scale: float) -> None:
    source = source_clip(folder, max(2.0, _LENGTH_S * scale))
    found = _ours(folder, source, [{"presets": ["source"]}] * _PAIRS, None)
    result.figures["cpu_s_copy_30s"] = median(found["cpu_s"])
    result.notes.append(f"cpu_s_copy_30s: {spread(found['cpu_s'])}")


def _presets(result: Result, folder: Path, scale: float) -> None:
    source = source_clip(folder, max(2.0, _LENGTH_S * scale))
    for name, four in (("four_presets_ratio", _FOUR), ("four_shapes_ratio", _FOUR_SHAPES)):
        ratios = []
        for _ in range(_PAIRS if scale >= 0.3 else 1):
            found = _ours(folder, source, [{"presets": four[:1]}, {"presets": four}], None)
            ratios.append(found["cpu_s"][1] / found["cpu_s"][0])
            say(f"export: {', '.join(four)}: {ratios[-1]:.2f} of {four[0]}")
        result.figures[name] = median(ratios)
        result.notes.append(f"{name}: {', '.join(four)} against {four[0]}: {spread(ratios)}")


def _size(result: Result, folder: Path, scale: float) -> None:
    result.figures |= measure_size(folder, num_clips=max(2, round(200 * scale)))


def _intake(result: Result, folder: Path, scale: float) -> None:
    result.rivals["ffmpeg"] = ffmpeg.version()
    result.figures |= measure_intake(folder, scale)


def _measured_by(module: str, function: str) -> Callable[[Result, Path, float], None]:
    """A part whose figures a module of its own finds."""

    def measure(result: Result, folder: Path, scale: float) -> None:
        found = getattr(importlib.import_module(f"tests.bench.{module}"), function)()
        result.figures |= found

    return measure


_MEASURES: dict[str, Callable[[Result, Path, float], None]] = {
    "speed": _speed,
    "copy": _copy,
    "presets": _presets,
    "size": _size,
    "sound": _measured_by("export_sound", "measure_sound"),
    "captions": _measured_by("export_captions", "caption_errors"),
    "sync": _measured_by("export_sync", "measure_sync"),
    "intake": _intake,
}
