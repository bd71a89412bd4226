"""A stream on disk: media.mp4, transcript.json, chat.json and truth.json in one folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from tests.streams import chat, picture, sound, words
from tests.streams.script import Script, Span, write_script
from tests.streams.voice import RATE_HZ, Line


def write_media(path: Path, script: Script, tracks: Sequence[tuple[str, np.ndarray]], seed: int) -> None:
    """H.264 and one AAC track for each (title, sound); `tracks[0]` moves the streamer's mouth."""
    with av.open(str(path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as out:
        video = out.add_stream("libx264", rate=picture.FRAMES_PER_S)
        video.width, video.height, video.pix_fmt = picture.WIDTH, picture.HEIGHT, "yuv420p"
        video.options = {"preset": "superfast", "crf": "28", "g": "20", "threads": "1"}
        streams = []
        for title, _ in tracks:
            stream = out.add_stream("aac", rate=48_000, options={"aac_coder": "fast"})
            stream.layout, stream.bit_rate = "mono", 96_000
            stream.metadata.update({"title": title, "handler_name": title})
            streams.append(stream)
        for index, planes in enumerate(picture.frames(script, tracks[0][1], seed)):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = index
            out.mux(video.encode(frame))
            if index % picture.FRAMES_PER_S == 0:
                at = index // picture.FRAMES_PER_S * RATE_HZ
                for stream, (_, samples) in zip(streams, tracks, strict=True):
                    block = av.AudioFrame.from_ndarray(
                        np.ascontiguousarray(samples[None, at : at + RATE_HZ]), format="fltp", layout="mono"
                    )
                    block.sample_rate, block.pts = RATE_HZ, at
                    out.mux(stream.encode(block))
        for stream in (video, *streams):
            out.mux(stream.encode(None))


def heard_lines(script: Script, is_mixed: bool) -> list[Line]:
    """What a recogniser gets to hear: the microphone's track, or everybody."""
    return [*script.lines, *(script.others if is_mixed else [])]


def write_stream(seed: int, folder: Path, duration_s: float = 600.0, is_mixed: bool = False) -> Script:
    """Write the stream of a seed; whole seconds; the same seed gives the same bytes. Returns its script."""
    folder.mkdir(parents=True, exist_ok=True)
    script = write_script(seed, duration_s)
    desk = sound.desktop(script, seed)
    mic = sound.microphone(script, desk, seed)
    tracks = [("mixed", sound.mixed(mic, desk))] if is_mixed else [("mic", mic), ("desktop", desk)]
    write_media(folder / "media.mp4", script, tracks, seed)
    rng = np.random.default_rng([seed, 5])
    segs = words.transcript(heard_lines(script, is_mixed), script.streamer.asr_error, duration_s, rng)
    messages = chat.write(script.streamer, script.chats, duration_s, np.random.default_rng([seed, 6]))
    truth = {
        "moments": [_rounded(span) for span in script.moments],
        "decoys": [
            {key: value for key, value in _rounded(span).items() if key != "signs"} for span in script.decoys
        ],
        "viewers": script.streamer.viewers,
        "genre": script.streamer.genre,
        "duration_s": duration_s,
    }
    for name, content in (("transcript", {"segs": segs}), ("chat", {"chat": messages}), ("truth", truth)):
        (folder / f"{name}.json").write_text(
            json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8"
        )
    return script


def _rounded(span: Span) -> dict[str, object]:
    found = dataclasses.asdict(span)
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in found.items()}
