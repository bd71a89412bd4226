"""Stereo sound at 48 kHz through FFmpeg's filters, piece by piece. One thread."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.filter.context import FilterContext
from av.filter.graph import Graph

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples

# A filter's name and its options.
Step = tuple[str, str]


def audio_frame(samples: Samples, pts: int) -> AudioFrame:
    """Wrap stereo float samples for FFmpeg; `pts` counts samples at 48 kHz."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate = SAMPLE_RATE_HZ
    frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
    frame.pts = pts
    return frame


def filtered(pieces: Iterator[Samples], *chain: Step) -> Iterator[AudioFrame]:
    """Yield what comes out of a chain of filters, as float planes."""
    graph = Graph()
    source = sound_source(graph)
    nodes = [graph.add(name, options) for name, options in chain]
    graph.link_nodes(source, *nodes, *sound_sink(graph)).configure()
    num_pushed = 0
    for piece in pieces:
        if not piece.shape[1]:
            continue
        frame = audio_frame(piece, num_pushed)
        num_pushed += piece.shape[1]
        source.push(frame)
        yield from pulled(graph)
    source.push(None)
    yield from pulled(graph)


def sound_source(graph: Graph) -> FilterContext:
    """Add where stereo sound at 48 kHz goes in."""
    return graph.add_abuffer(
        sample_rate=SAMPLE_RATE_HZ, format="fltp", layout="stereo", time_base=Fraction(1, SAMPLE_RATE_HZ)
    )


def sound_sink(graph: Graph) -> tuple[FilterContext, FilterContext]:
    """Add where it comes out; some filters work in doubles, the encoder takes floats."""
    shape = graph.add("aformat", f"sample_fmts=fltp:channel_layouts=stereo:sample_rates={SAMPLE_RATE_HZ}")
    return shape, graph.add("abuffersink")


def pulled(graph: Graph) -> Iterator[AudioFrame]:
    """Yield what has come out so far."""
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        if isinstance(frame, AudioFrame):
            yield frame
