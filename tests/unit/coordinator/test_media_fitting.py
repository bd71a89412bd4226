"""What a preset says, which bit rate meets a limit of bytes, and which encoder is meant."""

import dataclasses
import datetime

import pytest

from coordinator.errors import MediaUnusable
from coordinator.media.output import encoders
from coordinator.media.output.fitting import Attempt, first_bitrate_bps, next_bitrate_bps
from coordinator.media.output.presets import checked_on, described, preset_named, presets

DISCORD = preset_named("discord")
FILLED = 0.95 * 10_000_000


def attempt(share, *, bitrate_bps=2_400_000, knows_costs=False):
    return Attempt(
        bitrate_bps=bitrate_bps,
        size_bytes=round(share * 10_000_000),
        duration_s=30.0,
        knows_costs=knows_costs,
    )


def test_the_table_has_what_people_post_to():
    named = set(presets())

    assert {"tiktok", "shorts", "reels", "x", "youtube", "square", "portrait", "source"} <= named
    assert {"discord", "discord-20mb", "discord-50mb", "discord-500mb", "preview", "preview-gif"} <= named


@pytest.mark.parametrize("row", presets().values(), ids=lambda row: row.name)
def test_a_row_of_the_table_makes_sense(row):
    assert row.about
    assert row.width % 2 == row.height % 2 == 0
    assert (row.width > 0) == (row.height > 0) == (row.layout == "canvas")
    assert set(row.brand) <= {"intro", "outro", "watermark"}
    assert list(row.sizes_by_duration) == sorted(row.sizes_by_duration)
    assert all(long_px >= short_px for _, long_px, short_px in row.sizes_by_duration)


def test_the_limits_are_dated_and_listed():
    found = described()

    assert datetime.date.fromisoformat(checked_on()) <= datetime.datetime.now(datetime.UTC).date()
    by_name = {row["name"]: row for row in found["presets"]}
    assert by_name["x"]["max_duration_s"] == 140
    assert by_name["discord"]["max_size_bytes"] == 10_000_000
    assert by_name["source"]["max_size_bytes"] is None


def test_the_first_try_leaves_room_for_sound_and_index():
    bitrate_bps = first_bitrate_bps(DISCORD, 30.0)

    assert 0.9 * 10_000_000 < (bitrate_bps + DISCORD.audio_bitrate_bps) * 30 / 8 < FILLED + 60_000


@pytest.mark.parametrize("length_s", [None, 2.0])
def test_a_length_that_is_unknown_or_needs_no_limit_is_encoded_by_quality(length_s):
    assert first_bitrate_bps(DISCORD, length_s) is None


@pytest.mark.parametrize(
    ("last", "low", "high"),
    [
        (attempt(0.95), None, None),  # good
        (attempt(0.91), None, None),
        (attempt(1.02), 2_400_000, 2_500_000),  # too large: an exact pass is told what fits
        (attempt(1.02, knows_costs=True), 2_200_000, 2_300_000),  # it overshot, and will again
        (attempt(0.8), 2_400_000, 2_500_000),  # too small
        (attempt(0.2), None, None),  # the picture has no need of more
        (attempt(3.0, bitrate_bps=None), 2_400_000, 2_500_000),  # by quality, and far too large
        (attempt(0.2, bitrate_bps=None), None, None),
    ],
)
def test_the_next_try_follows_from_what_came_out(last, low, high):
    bitrate_bps = next_bitrate_bps(DISCORD, last)

    assert (bitrate_bps is None) == (low is None)
    assert bitrate_bps is None or low < bitrate_bps < high


def test_the_next_try_never_passes_the_presets_own_bit_rate():
    narrow = dataclasses.replace(DISCORD, max_bitrate_bps=2_300_000)

    assert next_bitrate_bps(narrow, attempt(0.8, bitrate_bps=2_200_000)) <= 2_300_000


def test_an_encoder_counts_when_it_has_encoded_two_frames():
    assert encoders.failure_of("libx264") is None
    assert "h264_of_nobody" in (encoders.failure_of("h264_of_nobody") or "")


def test_auto_takes_the_first_card_that_works_and_x264_where_none_does(monkeypatch):
    monkeypatch.setattr(encoders, "failure_of", lambda name: None if name == "h264_qsv" else "no such card")
    assert encoders.encoder_for("auto") == "h264_qsv"

    monkeypatch.setattr(encoders, "failure_of", lambda name: "no such card")
    assert encoders.encoder_for("auto") == encoders.encoder_for("x264") == "libx264"


@pytest.mark.parametrize(("wish", "reason"), [("h265", "h264_nvenc"), ("h264_amf", "no such card")])
def test_an_encoder_that_is_not_there_is_refused_with_what_to_do(wish, reason, monkeypatch):
    monkeypatch.setattr(encoders, "failure_of", lambda name: "no such card")

    with pytest.raises(MediaUnusable, match=reason):
        encoders.encoder_for(wish)
