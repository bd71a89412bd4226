"""Chunks of a voice end in its pauses."""

from __future__ import annotations

import itertools

import numpy as np

from agent.encode.audio import OpusChunker
from agent.encode.pause import PauseFinder
from agent.model.media import SOUND_RATE_HZ, LaneChunk
from protos.timebase import SECOND_NS

_BLOCK = 1024


def _speech(pauses_s: list[tuple[float, float]], length_s: float, room: float = 0.001) -> np.ndarray:
    """A loud voice in a quiet room, silent in `pauses_s`."""
    chance = np.random.default_rng(3)
    times_s = np.arange(int(length_s * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    voice = 0.2 * np.sin(2 * np.pi * 180 * times_s) * (1 + 0.5 * np.sin(2 * np.pi * 4 * times_s))
    for start_s, end_s in pauses_s:
        voice[int(start_s * SOUND_RATE_HZ) : int(end_s * SOUND_RATE_HZ)] = 0
    return (voice + room * chance.standard_normal(len(voice))).astype(np.float32)


def _chunks(sound: np.ndarray, *, is_voice: bool) -> list[LaneChunk]:
    chunker = OpusChunker("mic" if is_voice else "desktop", chunk_s=6, rate_bps=24_000, is_voice=is_voice)
    chunks = []
    for start in range(0, len(sound), _BLOCK):
        chunks += chunker.push(start, sound[start : start + _BLOCK])
    return chunks + chunker.flush()


def test_a_voice_chunk_ends_at_the_first_half_second_in_a_pause():
    chunks = _chunks(_speech([(0.2, 0.5), (5.7, 6.3)], 12), is_voice=True)

    assert chunks[0].end_ns == 6 * SECOND_NS


def test_a_voice_without_a_pause_is_cut_at_six_fifths():
    chunks = _chunks(_speech([(0.2, 0.5)], 12), is_voice=True)

    assert chunks[0].end_ns == 7 * SECOND_NS


def test_chunks_follow_one_another_without_a_hole_whatever_the_pauses():
    chunks = _chunks(_speech([(1, 2), (5.2, 5.9), (11.3, 12.4), (17, 18)], 20), is_voice=True)

    assert chunks[0].start_ns == 0
    assert all(one.end_ns == other.start_ns for one, other in itertools.pairwise(chunks))
    assert chunks[-1].end_ns == 20 * SECOND_NS


def test_the_sound_of_a_game_ends_at_multiples_of_its_length():
    chunks = _chunks(_speech([(5.2, 5.9)], 13), is_voice=False)

    assert [chunk.end_ns // SECOND_NS for chunk in chunks] == [6, 12, 13]


def test_a_noisy_room_has_pauses_too():
    finder = PauseFinder()
    sound = _speech([(2.0, 2.4)], 2.4, room=0.01)
    for start in range(0, len(sound), _BLOCK):
        finder.feed(sound[start : start + _BLOCK])

    assert finder.is_pause
