"""Agents that stream, press and give their recording away, for `bench jobs --part chaos`. A process of its own.

python -m tests.bench.jobs_chaos_agent FOLDER ADDRESS CA_FILE TOKEN_FILE COUNT PERIOD_S

Outbox, link and uploads are the agent's own. Each agent is one session; its time runs faster than ours: every
PERIOD_S it puts ten seconds of speech and of signals, now and then something that stands out, and it presses.
Standard output: `put SESSION LANE SEQ`, `press SESSION CLIP`, and once no chunk is left to upload `stored`.
Standard input: `finish`; its end ends the process.
"""

from __future__ import annotations

import argparse
import functools
import io
import os
import shutil
import sys
import threading
import time
import uuid
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from agent.model.clips import ClipFile, SourceWish
from agent.model.media import LaneChunk
from agent.uplink.channel import Coordinator
from agent.uplink.link import LinkClient
from agent.uplink.link_stream import LinkHooks, LinkSettings
from agent.uplink.outbox import Outbox
from agent.uplink.source_fulfiller import SourceFulfiller, SourceHooks
from agent.uplink.wishes import WishBook
from protos.clippy.v1 import link_pb2, media_pb2
from protos.timebase import SECOND_NS
from tests.bench.ingest_faults_chunks import warn_to_stderr
from tests.fakes.flash_clip import write_clip
from tests.fakes.toy_whisper import say as spoken

CHUNK_S = 10
VIDEO_S = 3
LANES = {"mic": media_pb2.LANE_MIC, "signals": media_pb2.LANE_SIGNALS}
# Of so many chunks one stands out, and after so many there is a press.
_LOUD_EVERY, _PRESS_EVERY = 12, 9
_RATE_HZ = 16_000
_SAYING = threading.Lock()


def tell(words: str) -> None:
    """A whole line, whichever thread speaks."""
    with _SAYING:
        os.write(1, f"{words}\n".encode())


def is_loud(seq: int) -> bool:
    """Does this chunk stand out?"""
    return seq % _LOUD_EVERY == _LOUD_EVERY - 3


@functools.cache
def mic_payload(kind: int) -> bytes:
    """Ten seconds of a microphone, Ogg Opus: 0 and 1 say nothing, 2 speaks, 3 shouts."""
    pcm = np.random.default_rng(kind).normal(0.0, 0.002, CHUNK_S * _RATE_HZ).astype(np.float32)
    if kind >= 2:
        phrase = spoken("he scores" if kind == 3 else "blue team keeps the ball") * (
            1.0 if kind == 3 else 0.2
        )
        pcm[_RATE_HZ : _RATE_HZ + phrase.size] += phrase
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray((pcm.clip(-1, 1) * 32_767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = _RATE_HZ, 0, Fraction(1, _RATE_HZ)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def signals_payload(seq: int) -> bytes:
    """Ten seconds of loudness and motion."""
    noise = np.random.default_rng(seq)
    rise_db, rise = (20.0, 0.6) if is_loud(seq) else (0.0, 0.0)
    steps = 2 * CHUNK_S
    batch = media_pb2.SignalBatch(start_ns=seq * CHUNK_S * SECOND_NS, step_ns=SECOND_NS // 2)
    batch.tracks.add(name="desktop_loudness_db", values=noise.normal(-42.0 + rise_db, 0.5, steps))
    batch.tracks.add(name="motion", values=noise.normal(0.05 + rise, 0.005, steps))
    return batch.SerializeToString()


class ChaosAgent:
    """One agent and its session."""

    def __init__(self, folder: Path, coordinator: Coordinator, video: Path) -> None:
        folder.mkdir(parents=True)
        self.session_id = uuid.uuid4().hex
        self.num_put = 0
        self._folder, self._video = folder, video
        self.outbox = Outbox(folder / "outbox.db")
        self.outbox.start_session(self.session_id, round(1000 * time.time()))
        hooks = SourceHooks(
            pin=lambda _wish: None, make_exact=self._make, release=_release, on_bytes=lambda _num: None
        )
        self._fulfiller = SourceFulfiller(WishBook(self.outbox), hooks)
        self._link = LinkClient(
            coordinator,
            self.outbox,
            agent_id=folder.name,
            agent_version="0",
            # The product waits up to 30 s between tries; the run is short, and its faults are many.
            settings=LinkSettings(max_backoff_s=1.0),
            hooks=LinkHooks(on_source_request=self._fulfiller.submit),
        )
        self._fulfiller.start()
        self._link.start()

    def put(self) -> None:
        """The next ten seconds; perhaps a press."""
        seq = self.num_put
        payloads = {"mic": mic_payload(3 if is_loud(seq) else seq % 3), "signals": signals_payload(seq)}
        for lane, payload in payloads.items():
            chunk = LaneChunk(
                lane=lane,  # type: ignore[arg-type]
                start_ns=seq * CHUNK_S * SECOND_NS,
                end_ns=(seq + 1) * CHUNK_S * SECOND_NS,
                content_type="audio/ogg" if lane == "mic" else "application/x-protobuf",
                payload=payload,
            )
            number = self.outbox.put(self.session_id, chunk)
            tell(f"put {self.session_id} {LANES[lane]} {number}")
        self.num_put += 1
        if self.num_put % _PRESS_EVERY == _PRESS_EVERY // 2:
            self._press()

    def end(self) -> None:
        """No chunk follows."""
        self.outbox.end_session(self.session_id, self.num_put * CHUNK_S * SECOND_NS)

    def _press(self) -> None:
        at_ns, clip_id = self.num_put * CHUNK_S * SECOND_NS, uuid.uuid4().hex
        pressed = link_pb2.Pressed(
            session_id=self.session_id,
            at_ns=at_ns,
            clip_id=clip_id,
            start_ns=at_ns - VIDEO_S * SECOND_NS,
            end_ns=at_ns,
        )
        self.outbox.put_event(self.session_id, "pressed", link_pb2.AgentMessage(pressed=pressed))
        tell(f"press {self.session_id} {clip_id}")

    def _make(self, wish: SourceWish) -> ClipFile:
        path = self._folder / f"{wish.request_id}.mp4"
        shutil.copyfile(self._video, path)
        return ClipFile(
            path=str(path),
            start_ns=wish.start_ns,
            end_ns=min(wish.end_ns, wish.start_ns + VIDEO_S * SECOND_NS),
            size_bytes=path.stat().st_size,
            is_exact=True,
        )


def _release(_wish: SourceWish, clip: ClipFile | None) -> None:
    if clip is not None:
        Path(clip.path).unlink(missing_ok=True)


def main() -> None:
    """Stream until told to finish; live on until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("address")
    parser.add_argument("ca_file", type=Path)
    parser.add_argument("token_file", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("period_s", type=float)
    given = parser.parse_args()
    warn_to_stderr()
    finishing = threading.Event()
    threading.Thread(target=_listen, args=(finishing,), daemon=True).start()
    given.folder.mkdir(parents=True, exist_ok=True)
    video = write_clip(given.folder / "video.mp4", duration_s=VIDEO_S, size=(160, 90), fps=15)
    coordinator = Coordinator(address=given.address, ca_path=given.ca_file, token_path=given.token_file)
    agents = [
        ChaosAgent(given.folder / f"agent-{number}", coordinator, video) for number in range(given.count)
    ]
    while not finishing.is_set():
        for agent in agents:
            agent.put()
            if finishing.wait(given.period_s / len(agents)):
                break
    for agent in agents:
        agent.end()
    while any(agent.outbox.sessions() for agent in agents):
        threading.Event().wait(0.2)
    tell("stored")
    threading.Event().wait()


def _listen(finishing: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "finish":
            finishing.set()
    os._exit(0)


if __name__ == "__main__":
    main()
