"""A recording's microphone apart from the rest, where its tracks are called so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coordinator.media.sound.lanes import decode_lanes
from tests.fakes.sound_clip import write_sounds
from tests.fakes.sounds import RATE_HZ, Sound

PITCHES_HZ = {"mic": 300, "mic_raw": 300, "desktop": 800, "game": 1500, "Mic/Aux": 300, "Desktop Audio": 800}


def tone(*pitches_hz: int) -> Sound:
    at_s = np.arange(RATE_HZ) / RATE_HZ
    sound = sum(0.1 * np.sin(2 * np.pi * pitch_hz * at_s) for pitch_hz in pitches_hz)
    return np.stack([sound, sound]).astype(np.float32)


def pitches_of(samples: np.ndarray) -> set[int]:
    """The tones that are heard in a second at 16 kHz."""
    heard = np.abs(np.fft.rfft(samples[:16_000])) / 8_000
    return {pitch_hz for pitch_hz in PITCHES_HZ.values() if heard[pitch_hz - 2 : pitch_hz + 3].max() > 0.03}


@pytest.mark.parametrize(
    ("names", "lanes"),
    [
        (("mix", "mic", "desktop"), {"mic": {300}, "desktop": {800}}),  # as our own recordings have them
        (("mix", "mic", "desktop", "game", "mic_raw"), {"mic": {300}, "desktop": {800, 1500}}),
        (("Mic/Aux", "Desktop Audio"), {"mic": {300}, "desktop": {800}}),
        (("mix", "mic", "mic_raw"), {"mix": {300}}),  # nothing but the voice
        (("mix", "desktop"), {"mix": {800}}),  # no voice
        (("SoundHandler",), {"mix": {800}}),  # nobody said what is in it
    ],
)
def test_lanes_are_what_the_tracks_are_called(
    tmp_path: Path, names: tuple[str, ...], lanes: dict[str, set[int]]
):
    parts = [PITCHES_HZ[name] for name in names if name in PITCHES_HZ and name != "mic_raw"]
    tracks = {name: tone(*parts) if name == "mix" else tone(PITCHES_HZ.get(name, 800)) for name in names}

    found = decode_lanes(write_sounds(tmp_path / "clip.mp4", tracks))

    assert {lane: pitches_of(samples) for lane, samples in found.items()} == lanes
    assert all(abs(samples.size - 16_000) < 200 for samples in found.values())
