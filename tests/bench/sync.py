"""Bench `sync`: six hours with a sound device whose clock runs off, in some minutes.

The agent's own sound path (timeline, mix, AAC) is turned by hand on a clock that is moved: a device that counts
200 ppm too slowly stamps its blocks with 20 ms of jitter either way. At the end a clip is saved from a real ring and
decoded: the beep must be where the flash is.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import deque
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent.clip.writer import Mp4ClipWriter
from agent.encode.sound_pipeline import SoundPipeline
from agent.model.media import SOUND_RATE_HZ, EncodedPacket, SoundBlock, TrackParams
from agent.ring.ring import GopRing
from protos.timebase import MILLISECOND_NS, SECOND_NS
from tests.bench.content import beep, encode_recording
from tests.bench.measure import CannotMeasure, Result, own_rss_mib, quiet_log, say, see

PARTS = ("slow",)
MORE_PARTS = ("fast",)
HOURS = 6.0
SKEW_PPM = 200
_JITTER_NS = 20 * MILLISECOND_NS
_BLOCK_SAMPLES = 960
_KEPT_S = 30  # of packets, of which the clip is made
_CLIP_S = 20
_MAX_WALL_S = 1500.0


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure a clock that is slow, or fast; `scale` shortens the hours for a test."""
    for part in parts:
        suffix = "" if part == "slow" else "_fast"
        drift, growth = f"drift_ms_6h{suffix}", f"rss_growth_mib_6h{suffix}"
        with result.promising(drift, growth), quiet_log():
            hours = HOURS * scale
            device = _Device(-SKEW_PPM if part == "slow" else SKEW_PPM)
            growth_mib = device.play(max(60.0, hours * 3600))
            with tempfile.TemporaryDirectory(prefix="clippy-bench-") as folder:
                offsets_ms = device.offsets_ms(Path(folder))
            result.figures[drift] = round(max(map(abs, offsets_ms)), 1)
            result.figures[growth] = round(growth_mib, 1)
            result.notes.append(
                f"{hours:.1f} h, {device.skew_ppm:+d} ppm, +-20 ms: its own count is {device.behind_s:+.2f} s "
                f"off; beep after flash in the clip {' '.join(f'{offset:+.0f}' for offset in offsets_ms)} ms; "
                f"{device.num_corrected} corrections"
            )


class _Device:
    """A sound device with a clock of its own, and the sound path behind it. One thread."""

    def __init__(self, skew_ppm: int) -> None:
        self.skew_ppm = skew_ppm
        self._now_ns = 0
        self._num_samples = 0
        self._kept: deque[EncodedPacket] = deque()
        self._chance = random.Random(7)
        self._pipeline = SoundPipeline(
            ("desktop",),
            now_ns=lambda: self._now_ns,
            to_session_ns=lambda monotonic_ns: monotonic_ns,
            chunk_s=10.0,
            on_packet=self._keep,
            # Without Opus, as where nothing leaves: it takes a third of the time, and the samples that AAC gets.
            on_chunk=None,
        )

    @property
    def behind_s(self) -> float:
        """How far the device's own count is from the true time."""
        return self._num_samples / SOUND_RATE_HZ - self._now_ns / 1e9

    @property
    def num_corrected(self) -> int:
        """How often the path mended the drift."""
        return self._pipeline.counters["desktop"].num_corrected

    def play(self, duration_s: float) -> float:
        """Play so long; returns by how many MiB this process grew after the first tenth.

        Raises:
            CannotMeasure: This machine is too slow for it.
        """
        began = time.monotonic()
        told_s = 0.0
        settled_mib = 0.0
        self._pipeline.pump()
        while self._now_ns < duration_s * SECOND_NS:
            self._play_block()
            at_s = self._now_ns / 1e9
            if not settled_mib and at_s > duration_s / 10:
                settled_mib = own_rss_mib()
            if at_s - told_s >= 1800:
                told_s = at_s
                say(f"sync: {at_s / 3600:.1f} of {duration_s / 3600:.1f} h")
                if time.monotonic() - began > _MAX_WALL_S:
                    raise CannotMeasure(f"{at_s / 3600:.1f} h took {_MAX_WALL_S / 60:.1f} minutes here")
        self._pipeline.tear_down()
        return own_rss_mib() - settled_mib

    def _play_block(self) -> None:
        """20 ms by the device's count: what it heard, and a stamp that is off by the jitter."""
        started_ns = self._true_ns(self._num_samples)
        samples = self._heard(self._num_samples)
        self._num_samples += _BLOCK_SAMPLES
        # A block comes when it is full; its stamp is a little wrong.
        self._now_ns = self._true_ns(self._num_samples)
        stamp_ns = max(0, started_ns + self._chance.randint(-_JITTER_NS, _JITTER_NS))
        self._pipeline.queue.put(SoundBlock(source="desktop", monotonic_ns=stamp_ns, samples=samples))
        self._pipeline.pump()

    def _true_ns(self, sample: int) -> int:
        """When the device took that sample: at +200 ppm it takes too many a second."""
        return sample * SECOND_NS * 1_000_000 // (SOUND_RATE_HZ * (1_000_000 + self.skew_ppm))

    def _heard(self, first: int) -> npt.NDArray[np.float32]:
        """What sounded then, to the nearest sample: the beep of the true second."""
        at = self._true_ns(first) * SOUND_RATE_HZ // SECOND_NS
        return beep(at, _BLOCK_SAMPLES)

    def _keep(self, packet: EncodedPacket) -> None:
        self._kept.append(packet)
        while self._kept[0].pts_ns < packet.pts_ns - _KEPT_S * SECOND_NS:
            self._kept.popleft()

    def offsets_ms(self, folder: Path) -> list[float]:
        """Save the last seconds beside pictures in true time, decode them: how much later the beeps are."""
        recording = encode_recording(size_px=(480, 270))
        first_ns = self._now_ns // SECOND_NS * SECOND_NS - (_CLIP_S + 4) * SECOND_NS
        pictures = [_moved(packet, first_ns) for packet in recording.repeated(3) if packet.track == 0]
        tracks: list[TrackParams] = [recording.tracks[0], *self._pipeline.tracks]
        ring = GopRing(folder / "ring", session_id="bench", t0_monotonic_ns=0, min_free_bytes=0)
        ring.begin_epoch(tracks)
        for packet in sorted([*pictures, *self._kept], key=lambda packet: packet.dts_ns):
            ring.push(packet)
        start_ns = first_ns + 2 * SECOND_NS + SECOND_NS // 2
        with ring.snapshot(start_ns, start_ns + _CLIP_S * SECOND_NS) as span:
            Mp4ClipWriter().write(span, folder / "clip.mp4", is_exact=False)
        ring.close()
        offsets_ms = see(folder / "clip.mp4").av_offsets_ms()
        if len(offsets_ms) < _CLIP_S - 3:
            raise CannotMeasure(f"only {len(offsets_ms)} flashes with a beep in {_CLIP_S} s")
        return offsets_ms


def _moved(packet: EncodedPacket, by_ns: int) -> EncodedPacket:
    return EncodedPacket(
        track=packet.track,
        pts_ns=packet.pts_ns + by_ns,
        dts_ns=packet.dts_ns + by_ns,
        duration_ns=packet.duration_ns,
        is_key_frame=packet.is_key_frame,
        payload=packet.payload,
    )
