"""What is not the voice goes down while the voice speaks, and comes back when it pauses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from av.filter.graph import Graph

from coordinator.media.intake.decoding import Samples, in_blocks
from coordinator.media.sound.filtering import audio_frame, pulled, sound_sink, sound_source
from coordinator.media.sound.levelling import OpenSound
from coordinator.media.sound.loudness import measure
from coordinator.media.sound.mixing import BLOCK_SAMPLES

# The voice is listened to as if it were this loud, so that a quiet microphone ducks like a loud one.
_KEY_LUFS = -20.0
_MAX_KEY_GAIN_DB = 40.0
# 14 dB below the voice: breath and fans do not duck. At this ratio the voice's mean takes off 12 dB, which
# broadcasters ask for under speech; slow to come back, or music would pump between two words.
_THRESHOLD_DB = -34.0
_RATIO = 7.0
_ATTACK_MS, _RELEASE_MS = 30, 500


def ducked(open_voice: OpenSound, open_others: OpenSound) -> OpenSound:
    """Return what opens the voice, unchanged, over the others, lowered while it speaks.

    Both begin together; what ends early is silent from then on.
    """
    loudness = measure(open_voice()).integrated_lufs
    if loudness is None:
        return lambda: _together(open_voice(), open_others(), None)
    gain_db = min(_MAX_KEY_GAIN_DB, _KEY_LUFS - loudness)
    return lambda: _together(open_voice(), open_others(), gain_db)


def _together(
    voice: Iterator[Samples], others: Iterator[Samples], key_gain_db: float | None
) -> Iterator[Samples]:
    """Yield voice and others; None as the gain: nobody speaks, nothing goes down."""
    pairs = _pairs(voice, others)
    if key_gain_db is None:
        yield from (spoken + rest for spoken, rest in pairs)
        return
    waiting: list[Samples] = []

    def rests() -> Iterator[tuple[Samples, Samples]]:
        for spoken, rest in pairs:
            waiting.append(spoken)
            yield spoken, rest

    for lowered in _lowered(rests(), key_gain_db):
        num_left = lowered.shape[1]
        spoken = np.concatenate(waiting, axis=1)
        waiting[:] = [spoken[:, num_left:]]
        yield spoken[:, :num_left] + lowered


def _pairs(voice: Iterator[Samples], others: Iterator[Samples]) -> Iterator[tuple[Samples, Samples]]:
    """Yield blocks of equal length of both."""
    blocks = (in_blocks(sound, BLOCK_SAMPLES) for sound in (voice, others))
    for spoken, rest in itertools.zip_longest(*blocks, fillvalue=np.zeros((2, 0), np.float32)):
        num_samples = max(spoken.shape[1], rest.shape[1])
        yield _padded(spoken, num_samples), _padded(rest, num_samples)


def _padded(block: Samples, num_samples: int) -> Samples:
    return np.pad(block, ((0, 0), (0, num_samples - block.shape[1])))


def _lowered(pairs: Iterator[tuple[Samples, Samples]], key_gain_db: float) -> Iterator[Samples]:
    """Yield the second of each pair, lowered by the first."""
    graph = Graph()
    rest_in, key_in = sound_source(graph), sound_source(graph)
    key = graph.add("volume", f"{key_gain_db:.2f}dB:precision=float")
    compressor = graph.add(
        "sidechaincompress",
        f"threshold={10 ** (_THRESHOLD_DB / 20):.5f}:ratio={_RATIO}:attack={_ATTACK_MS}:release={_RELEASE_MS}"
        ":detection=rms:link=maximum",
    )
    rest_in.link_to(compressor, 0, 0)
    key_in.link_to(key)
    key.link_to(compressor, 0, 1)
    shape, sink = sound_sink(graph)
    compressor.link_to(shape)
    shape.link_to(sink)
    graph.configure()
    num_pushed = 0
    for spoken, rest in pairs:
        rest_in.push(audio_frame(rest, num_pushed))
        key_in.push(audio_frame(spoken, num_pushed))
        num_pushed += rest.shape[1]
        yield from (np.asarray(frame.to_ndarray(), np.float32) for frame in pulled(graph))
    rest_in.push(None)
    key_in.push(None)
    yield from (np.asarray(frame.to_ndarray(), np.float32) for frame in pulled(graph))
