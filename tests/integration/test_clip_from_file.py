"""A clip's own file as a span again: the same packets, with what lies hidden before the start known as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.clip.from_file import FileSpan, clip_length_ns
from agent.clip.writer import Mp4ClipWriter
from agent.errors import InputUnusable
from agent.ring.ring import GopRing
from tests.fakes.encoded_match import EncodedMatch, encode_match
from tests.fakes.read_clip import see

START_NS, END_NS = 1_350_000_000, 4_000_000_000


@pytest.fixture(scope="module")
def match() -> EncodedMatch:
    return encode_match(duration_s=6, jitter_ns=8_000_000)


@pytest.fixture
def clip(match: EncodedMatch, tmp_path: Path) -> Path:
    ring = GopRing(tmp_path / "ring", session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch(match.tracks)
    for packet in match.packets:
        ring.push(packet)
    with ring.snapshot(START_NS, END_NS) as span:
        Mp4ClipWriter().write(span, tmp_path / "clip.mp4", is_exact=False)
    ring.close()
    return tmp_path / "clip.mp4"


def span_of(path: Path, match: EncodedMatch) -> FileSpan:
    return FileSpan(path, session_id="s", start_ns=START_NS, end_ns=END_NS, recorded_as=match.tracks)


def test_its_packets_are_the_recordings(clip: Path, match: EncodedMatch):
    found = [packet for packet in span_of(clip, match).packets() if packet.track == 0]

    recorded = [p for p in match.packets if p.track == 0 and 1_000_000_000 <= p.pts_ns < END_NS]
    assert len(found) == len(recorded)
    for here, there in zip(found, recorded, strict=True):
        assert here.is_key_frame == there.is_key_frame
        # FFmpeg leaves the encoder's remarks out of a key frame; the picture is there to the byte.
        assert here.payload[-200:] == there.payload[-200:]
    assert [packet.dts_ns for packet in found] == sorted(packet.dts_ns for packet in found)


def test_its_tracks_are_the_recordings_to_the_byte(clip: Path, match: EncodedMatch):
    tracks = span_of(clip, match).tracks

    assert [(track.name, track.extradata) for track in tracks] == [
        (track.name, track.extradata) for track in match.tracks
    ]


def test_cut_again_it_holds_nothing_from_before_its_start_and_copies_the_rest(
    clip: Path, match: EncodedMatch, tmp_path: Path
):
    with span_of(clip, match) as span:
        Mp4ClipWriter().write(span, tmp_path / "exact.mp4", is_exact=True)

    seen = see(tmp_path / "exact.mp4")
    assert seen.numbers == see(clip).numbers
    assert seen.num_video_packets == len(seen.numbers)
    assert seen.duration_s == pytest.approx((END_NS - START_NS) / 1e9, abs=0.001)


@pytest.mark.logs("clip_encoded_whole")
def test_a_clip_of_unknown_settings_is_encoded_again_as_a_whole(clip: Path, tmp_path: Path):
    span = FileSpan(clip, session_id="s", start_ns=START_NS, end_ns=END_NS)
    Mp4ClipWriter().write(span, tmp_path / "exact.mp4", is_exact=True)

    assert see(tmp_path / "exact.mp4").numbers == see(clip).numbers


def test_its_length_is_in_its_header(clip: Path):
    assert clip_length_ns(clip) == pytest.approx(END_NS - START_NS, abs=100_000)


def test_what_is_no_clip_is_named(tmp_path: Path):
    stranger = tmp_path / "notes.mp4"
    stranger.write_bytes(b"no film")

    assert clip_length_ns(stranger) is None
    with pytest.raises(InputUnusable, match=r"notes\.mp4"):
        FileSpan(stranger, session_id="s", start_ns=0, end_ns=1)
