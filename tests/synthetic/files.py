"""A stream as files: what `clippy-coordinator highlights` reads, and the truth beside it."""

from __future__ import annotations

import json
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.synthetic.model import FRAME_SHAPE, FRAMES_PER_S, RATE_HZ, Pcm, Span, Stream
from tests.synthetic.picture import frames


def write_stream(stream: Stream, folder: Path) -> None:
    """Write mic.wav, desktop.wav, mixed.wav, mixed.mp4, transcript.json, chat.json, signals.json and truth.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sound in (("mic", stream.mic), ("desktop", stream.desktop), ("mixed", stream.mixed)):
        _write_wav(folder / f"{name}.wav", sound)
    _write_json(
        folder / "transcript.json", {"segs": [[one.start_s, one.end_s, one.text] for one in stream.heard]}
    )
    if stream.plan.has_chat:
        _write_json(folder / "chat.json", {"chat": [[line.at_s, line.text] for line in stream.chat]})
    _write_json(folder / "signals.json", {"rate_hz": 2, "motion": motion(stream)})
    _write_json(
        folder / "truth.json",
        {
            "seed": stream.plan.seed,
            "genre": stream.plan.genre,
            "duration_s": stream.plan.duration_s,
            "num_viewers": stream.plan.num_viewers,
            "events": [_row(span) for span in stream.events],
            "decoys": [_row(span) for span in stream.decoys],
        },
    )
    _write_mp4(stream, folder / "mixed.mp4")


def motion(stream: Stream) -> list[float]:
    """How much the picture changes, 0-1, each half second."""
    values: list[float] = []
    last = None
    changes: list[float] = []
    for index, picture in enumerate(frames(stream.plan), 1):
        now = picture.astype(np.int16)
        if last is not None:
            changes.append(float(np.abs(now - last).mean()) / 255)
        last = now
        if index % (FRAMES_PER_S // 2) == 0:
            values.append(round(sum(changes) / len(changes), 5))
            changes = []
    return values


def _row(span: Span) -> dict[str, float | str]:
    return {"start_s": span.start_s, "end_s": span.end_s, "kind": span.kind}


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def _write_wav(path: Path, sound: Pcm) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def _write_mp4(stream: Stream, path: Path) -> None:
    """The picture and both lanes in one, for `--media`."""
    height, width = FRAME_SHAPE
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            "libx264", rate=FRAMES_PER_S, options={"preset": "ultrafast", "crf": "30"}
        )
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        pcm = stream.mixed
        step = RATE_HZ // FRAMES_PER_S
        for index, picture in enumerate(frames(stream.plan)):
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FRAMES_PER_S)
            container.mux(video.encode(frame))
            block = av.AudioFrame.from_ndarray(
                pcm[None, index * step : (index + 1) * step], format="fltp", layout="mono"
            )
            block.sample_rate, block.pts, block.time_base = RATE_HZ, index * step, Fraction(1, RATE_HZ)
            container.mux(sound.encode(block))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
