"""Measure loudness (EBU R 128) and bring it to a target by one static gain and a limiter.

A static gain keeps the dynamics that single-pass `loudnorm` pumps, lands closer to the target and costs a
fifth of it. The limiter holds sample peaks; its ceiling is lowered until the true peak fits as well.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.filter.graph import Graph

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples

TARGET_LUFS = -14.0
TOLERANCE_LU = 0.2
# AAC overshoots what it was given by up to about half a decibel; -1.5 dBTP is what must hold afterwards.
CEILING_DBTP = -2.1
MAX_GAIN_DB = 30.0
# Below this nothing was meant to be heard: amplifying it would publish hiss.
SILENCE_LUFS = -60.0
MAX_ROUNDS = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What a listener gets. `integrated_lufs` is None where there is only silence."""

    integrated_lufs: float | None
    true_peak_dbtp: float
    num_samples: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Levelling:
    """A gain, then a ceiling for sample peaks."""

    gain_db: float = 0.0
    limit_dbfs: float = CEILING_DBTP


def measure(pieces: Iterator[Samples]) -> Loudness:
    """Measure stereo float sound at 48 kHz, each piece of shape (2, num_samples)."""
    metadata: dict[str, str] = {}
    peak = 0.0
    num_samples = 0
    for frame in _filtered(pieces, ("ebur128", "metadata=1:peak=true")):
        num_samples += frame.samples
        if frame.metadata:
            metadata = dict(frame.metadata)
        peak = max(peak, float(metadata.get("lavfi.r128.true_peak", 0.0)))
    integrated = float(metadata.get("lavfi.r128.I", "-inf"))
    return Loudness(
        integrated_lufs=integrated if integrated > SILENCE_LUFS else None,
        true_peak_dbtp=20 * math.log10(peak) if peak > 0 else -math.inf,
        num_samples=num_samples,
    )


def plan_levelling(open_sound: Callable[[], Iterator[Samples]]) -> tuple[Levelling, Loudness]:
    """Find the levelling that brings a sound to the target, and what it will measure then.

    Args:
        open_sound: gives the same sound anew each time it is called (at most `MAX_ROUNDS` + 1 times).
    """
    before = measure(open_sound())
    if before.integrated_lufs is None:
        return Levelling(), before
    levelling = Levelling(gain_db=min(MAX_GAIN_DB, TARGET_LUFS - before.integrated_lufs))
    after = before
    for _ in range(MAX_ROUNDS):
        after = measure(level(open_sound(), levelling))
        following = _corrected(levelling, after)
        if following == levelling:
            break
        levelling = following
    return levelling, after


def _corrected(levelling: Levelling, after: Loudness) -> Levelling:
    """Return the next attempt, or the same levelling where its result is good."""
    gain_db, limit_dbfs = levelling.gain_db, levelling.limit_dbfs
    if after.integrated_lufs is not None and abs(after.integrated_lufs - TARGET_LUFS) > TOLERANCE_LU:
        # What the limiter took must be asked for again, and a little more, as it takes from that too.
        gain_db = min(MAX_GAIN_DB, gain_db + 1.2 * (TARGET_LUFS - after.integrated_lufs))
    if after.true_peak_dbtp > CEILING_DBTP + 0.1:
        limit_dbfs -= after.true_peak_dbtp - CEILING_DBTP
    return Levelling(gain_db=gain_db, limit_dbfs=max(limit_dbfs, -12.0))


def level(pieces: Iterator[Samples], levelling: Levelling) -> Iterator[Samples]:
    """Yield the sound after gain and limiter; neither its length nor its timing changes."""
    limit = 10 ** (levelling.limit_dbfs / 20)
    chain = (
        ("volume", f"{levelling.gain_db:.3f}dB:precision=float"),
        # latency=1 gives back the look-ahead, so that sound stays where it was.
        ("alimiter", f"limit={limit:.6f}:level=0:attack=5:release=60:latency=1"),
    )
    for frame in _filtered(pieces, *chain):
        yield np.asarray(frame.to_ndarray(), np.float32)


def _filtered(pieces: Iterator[Samples], *chain: tuple[str, str]) -> Iterator[AudioFrame]:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=SAMPLE_RATE_HZ, format="fltp", layout="stereo", time_base=Fraction(1, SAMPLE_RATE_HZ)
    )
    nodes = [graph.add(name, arguments) for name, arguments in chain]
    # The limiter works in doubles; what comes out is what the encoder takes.
    shape = graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo")
    graph.link_nodes(source, *nodes, shape, graph.add("abuffersink")).configure()
    num_pushed = 0
    for piece in pieces:
        if not piece.shape[1]:
            continue
        frame = audio_frame(piece, num_pushed)
        num_pushed += piece.shape[1]
        source.push(frame)
        yield from _pulled(graph)
    source.push(None)
    yield from _pulled(graph)


def _pulled(graph: Graph) -> Iterator[AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        if isinstance(frame, AudioFrame):
            yield frame


def audio_frame(samples: Samples, pts: int) -> AudioFrame:
    """Wrap stereo float samples for FFmpeg; `pts` counts samples at 48 kHz."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate = SAMPLE_RATE_HZ
    frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
    frame.pts = pts
    return frame
