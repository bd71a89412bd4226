"""Bench `export`, sound: made-up sounds, odd ones and real recordings, exported and measured by a meter not ours.

A bench of its own neither starts nor registers anything: `measure_sound` hands its figures to whoever asks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from coordinator.media.intake.opening import audio_of, open_media, video_of
from coordinator.media.output.export import export
from coordinator.model.exporting import Recipe
from tests.bench.measure import ROOT, quiet_log, say
from tests.fakes.loudness_meter import integrated_lufs, true_peak_dbtp
from tests.fakes.sound_clip import heard, write_sounds
from tests.fakes.sounds import KINDS, ODD

# The fewest pixels and the fewest bits for sound of all presets: the hardest for the ceiling.
PRESET = "discord"
TARGET_LUFS = -14.0
_MEDIA = ROOT.parent / "shared" / "datasets" / "media"
# Real recordings with speech or music in them.
_RECORDINGS = ("talking_head_42s.mp4", "nasa_13013.mp4", "counter.mp4")
_MAX_S = 20.0


def measure_sound(num_inputs: int = len(KINDS) + len(ODD)) -> dict[str, float]:
    """Export the first `num_inputs` sounds, and real recordings where they are; measure the files.

    Returns `lufs_error_max` (LU from the target, over all that the export itself calls reached), `true_peak_dbtp_max`
    (over all), and `sounds_called_short`: how many the export said it could not bring there.
    """
    errors, peaks, num_short = [0.0], [-120.0], 0
    with tempfile.TemporaryDirectory(prefix="clippy-bench-") as name, quiet_log():
        for kind, src in _inputs(Path(name), num_inputs):
            result = export(src, Path(name) / "post.mp4", Recipe(preset=PRESET, end_s=_MAX_S))
            sound = heard(Path(name) / "post.mp4")
            error = abs(integrated_lufs(sound) - TARGET_LUFS)
            peaks.append(true_peak_dbtp(sound))
            if result.sound_note is None:
                errors.append(error)
            else:
                num_short += 1
            if error > 0.5 or peaks[-1] > -1.0:
                say(f"export sound: {kind}: {error:.2f} LU, {peaks[-1]:.2f} dBTP ({result.sound_note})")
    return {
        "lufs_error_max": round(max(errors), 2),
        "true_peak_dbtp_max": round(max(peaks), 2),
        "sounds_called_short": num_short,
    }


def _inputs(folder: Path, num_inputs: int) -> Iterator[tuple[str, Path]]:
    for kind, make in list(KINDS.items())[:num_inputs]:
        # Floats as the recorder had them would be clipped by FLAC: that is part of what is loud.
        yield kind, write_sounds(folder / "clip.mp4", {"mix": np.clip(make(), -1, 1)})
    for kind, odd in list(ODD.items())[: max(0, num_inputs - len(KINDS))]:
        tracks = {"mix": np.clip(odd.make(), -1, 1)}
        yield kind, write_sounds(folder / "clip.mp4", tracks, layout=odd.layout, rate_hz=odd.rate_hz)
    for name in _RECORDINGS:
        if (_MEDIA / name).exists() and _has_both(_MEDIA / name):
            yield name, _MEDIA / name


def _has_both(path: Path) -> bool:
    with open_media(path) as container:
        return video_of(container) is not None and audio_of(container) is not None


if __name__ == "__main__":
    print(measure_sound())
