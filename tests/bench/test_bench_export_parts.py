"""What the export bench measures of sound and of sync holds, at a few of its points."""

from __future__ import annotations

from tests.bench.export_sound import measure_sound
from tests.bench.export_sync import measure_sync


def test_sound_and_picture_are_within_20_ms_of_each_other_wherever_and_however_a_clip_is_cut() -> None:
    found = measure_sync(10)

    assert found["av_offset_ms_max"] <= 20
    assert {"points_copy", "points_smart", "points_encode", "points_discord", "points_vertical"} <= set(found)


def test_exported_files_are_at_the_target_and_below_the_ceiling() -> None:
    found = measure_sound(3)

    assert found["lufs_error_max"] <= 0.5
    assert found["true_peak_dbtp_max"] <= -1
    assert found["sounds_called_short"] == 0
