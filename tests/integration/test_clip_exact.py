"""Clips from a real ring, decoded: exact to the picture, in sync, and with nothing hidden where it leaves."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.clip import reencode, stream_copy
from agent.clip.muxer import index_room_bytes
from agent.clip.writer import Mp4ClipWriter
from agent.errors import NothingToClip
from agent.ring.ring import GopRing
from tests.fakes.encoded_match import SECOND_NS, encode_match
from tests.fakes.read_clip import see

FRAME_S = 1 / 30
ASKED_NS = 3_333_000_000
JITTER_NS = 8_000_000


def fill(folder, match):
    ring = GopRing(folder, session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch(match.tracks)
    for packet in match.packets:
        ring.push(packet)
    return ring


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    ring = fill(tmp_path_factory.mktemp("ring"), encode_match(jitter_ns=8_000_000))
    yield ring
    ring.close()


@pytest.fixture(scope="module")
def match():
    return encode_match(jitter_ns=8_000_000)


def save(ring, path, start_ns, end_ns, *, is_exact):
    with ring.snapshot(start_ns, end_ns) as span:
        return Mp4ClipWriter().write(span, path, is_exact=is_exact)


def expected_numbers(match, start_ns, end_ns):
    stamps = [packet.pts_ns for packet in match.packets if packet.track == 0]
    return [number for number, stamp_ns in enumerate(stamps) if start_ns <= stamp_ns < end_ns]


@pytest.mark.parametrize("is_exact", [False, True])
@pytest.mark.parametrize(
    "start_ns",
    [
        1_350_000_000,  # in the middle of a GOP
        2_000_000_000,  # where a key frame was due (it came some ms later)
        999_999_999,  # just before it
        1_990_000_000,  # the last picture of a GOP
        3_141_592_653,
    ],
)
def test_the_length_is_what_was_asked_for_and_the_first_picture_is_the_right_one(
    ring, match, tmp_path, start_ns, is_exact
):
    end_ns = start_ns + ASKED_NS

    save(ring, tmp_path / "clip.mp4", start_ns, end_ns, is_exact=is_exact)

    seen = see(tmp_path / "clip.mp4")
    assert seen.duration_s == pytest.approx(ASKED_NS / SECOND_NS, abs=0.001)
    assert seen.numbers == expected_numbers(match, start_ns, end_ns)
    assert seen.pictures[0][0] == 0.0


@pytest.mark.parametrize("is_exact", [False, True])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start_ms=st.integers(0, 6000), length_ms=st.integers(40, 1900))
@example(start_ms=0, length_ms=1004)  # the next GOP's first picture comes late, after the end
@example(start_ms=2070, length_ms=1900)  # the last picture comes 0.2 ms before the end
def test_any_start_and_length_is_exact(ring, tmp_path, is_exact, start_ms, length_ms):
    match = encode_match(jitter_ns=JITTER_NS)  # no fixture: hypothesis would print it whole
    start_ns, end_ns = start_ms * 1_000_000, (start_ms + length_ms) * 1_000_000
    wanted = expected_numbers(match, start_ns, end_ns)

    try:
        clip = save(ring, tmp_path / "clip.mp4", start_ns, end_ns, is_exact=is_exact)
    except NothingToClip:
        assert wanted == []
        return

    seen = see(tmp_path / "clip.mp4")
    assert (seen.numbers, clip.start_ns, clip.end_ns) == (wanted, start_ns, end_ns)
    assert seen.duration_s == pytest.approx(length_ms / 1000, abs=0.001)


@pytest.mark.parametrize("is_exact", [False, True])
def test_picture_and_sound_stay_together(ring, tmp_path, is_exact):
    save(ring, tmp_path / "clip.mp4", 1_350_000_000, 6_350_000_000, is_exact=is_exact)

    offsets_s = see(tmp_path / "clip.mp4").av_offsets_s()

    # The source's own jitter is 8 ms; the rest is one block of sound.
    assert len(offsets_s) == 5
    assert max(map(abs, offsets_s)) <= 0.02


def is_in(packet, data):
    """Is the picture in the file? Start codes become lengths in MP4; what is between them stays."""
    parts = [part.rstrip(b"\0") for part in re.split(b"\x00\x00\x01", packet.payload)]
    return all(part in data for part in parts)


def pictures(match, start_ns, end_ns):
    return [p for p in match.packets if p.track == 0 and start_ns <= p.pts_ns < end_ns]


@pytest.mark.parametrize(("is_exact", "num_hidden"), [(False, 15), (True, 0)])
def test_the_exact_file_alone_holds_no_picture_from_before_its_start(
    ring, match, tmp_path, is_exact, num_hidden
):
    save(ring, tmp_path / "clip.mp4", 1_500_000_000, 4_000_000_000, is_exact=is_exact)

    data = (tmp_path / "clip.mp4").read_bytes()
    hidden = [p.pts_ns for p in pictures(match, 0, 1_500_000_000) if is_in(p, data)]
    assert len(hidden) == num_hidden


def test_the_exact_file_has_a_packet_for_each_picture_shown(ring, match, tmp_path):
    save(ring, tmp_path / "clip.mp4", 1_500_000_000, 4_000_000_000, is_exact=True)

    assert see(tmp_path / "clip.mp4").num_video_packets == len(
        expected_numbers(match, 1_500_000_000, 4_000_000_000)
    )


@pytest.mark.parametrize("is_exact", [False, True])
def test_no_clip_holds_sound_from_before_its_start(ring, match, tmp_path, is_exact):
    save(ring, tmp_path / "clip.mp4", 1_050_000_000, 4_000_000_000, is_exact=is_exact)

    data = (tmp_path / "clip.mp4").read_bytes()
    beeps = [p for p in match.packets if p.track == 1 and p.pts_ns < 1_050_000_000 and len(p.payload) > 100]
    assert beeps
    assert not [packet.pts_ns for packet in beeps if packet.payload in data]


def test_the_exact_file_copies_all_but_the_first_gop(ring, match, tmp_path):
    save(ring, tmp_path / "clip.mp4", 1_500_000_000, 4_000_000_000, is_exact=True)

    data = (tmp_path / "clip.mp4").read_bytes()
    assert all(is_in(packet, data) for packet in pictures(match, 2_100_000_000, 4_000_000_000))


def test_a_start_on_a_key_frame_encodes_nothing(ring, match, tmp_path, monkeypatch):
    monkeypatch.setattr(reencode, "_open", lambda *_args: pytest.fail("an encoder was opened"))
    key_ns = next(p.pts_ns for p in match.packets if p.track == 0 and p.is_key_frame and p.pts_ns > SECOND_NS)

    save(ring, tmp_path / "clip.mp4", key_ns, key_ns + 2 * SECOND_NS, is_exact=True)

    assert see(tmp_path / "clip.mp4").numbers == expected_numbers(match, key_ns, key_ns + 2 * SECOND_NS)


@pytest.mark.parametrize("encoder", ["libx264", "h264_nvenc_that_is_gone"])
@pytest.mark.logs("clip_encoded_whole")
def test_all_is_encoded_again_when_the_header_cannot_be_made_again(tmp_path, encoder):
    match = encode_match(jitter_ns=8_000_000)
    # As if another encoder or other settings had made it.
    video = dataclasses.replace(match.tracks[0], encoder=encoder, encoder_options=(("preset", "veryfast"),))
    ring = fill(tmp_path / "ring", dataclasses.replace(match, tracks=(video, *match.tracks[1:])))

    save(ring, tmp_path / "clip.mp4", 1_500_000_000, 4_000_000_000, is_exact=True)
    ring.close()

    seen = see(tmp_path / "clip.mp4")
    assert seen.numbers == expected_numbers(match, 1_500_000_000, 4_000_000_000)
    assert seen.duration_s == pytest.approx(2.5, abs=0.001)


def test_every_sound_is_carried_and_the_mix_is_the_default(tmp_path):
    ring = fill(tmp_path / "ring", encode_match(duration_s=3, num_sounds=3))

    save(ring, tmp_path / "clip.mp4", 500_000_000, 2_500_000_000, is_exact=False)
    ring.close()

    assert see(tmp_path / "clip.mp4").sounds == (("mix", True), ("mic", False), ("desktop", False))


def test_a_recording_without_sound_makes_a_clip(tmp_path):
    ring = fill(tmp_path / "ring", encode_match(duration_s=3, num_sounds=0))

    save(ring, tmp_path / "clip.mp4", 500_000_000, 2_500_000_000, is_exact=True)
    ring.close()

    assert len(see(tmp_path / "clip.mp4").numbers) == 60


def test_a_sound_that_never_came_does_not_spoil_the_clip(tmp_path):
    match = encode_match(duration_s=3)
    silent = dataclasses.replace(match, packets=tuple(p for p in match.packets if p.track != 2))
    ring = fill(tmp_path / "ring", silent)

    save(ring, tmp_path / "clip.mp4", 500_000_000, 2_500_000_000, is_exact=False)
    ring.close()

    seen = see(tmp_path / "clip.mp4")
    assert (len(seen.numbers), seen.duration_s) == (60, pytest.approx(2.0, abs=0.001))


@pytest.mark.parametrize("is_exact", [False, True])
def test_the_command_line_player_agrees(ring, match, tmp_path, is_exact):
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    save(ring, tmp_path / "clip.mp4", 1_350_000_000, 3_350_000_000, is_exact=is_exact)

    done = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(tmp_path / "clip.mp4"),
            "-fps_mode",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    pictures = [line for line in done.stdout.splitlines() if line.startswith("0,")]
    assert done.stderr == ""
    assert len(pictures) == len(expected_numbers(match, 1_350_000_000, 3_350_000_000))


@pytest.mark.parametrize("is_exact", [False, True])
def test_the_index_stands_before_the_pictures(ring, tmp_path, is_exact):
    save(ring, tmp_path / "clip.mp4", 1_350_000_000, 3_350_000_000, is_exact=is_exact)

    data = (tmp_path / "clip.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_an_index_that_outgrows_its_room_is_moved_to_the_front(ring, match, tmp_path, monkeypatch):
    monkeypatch.setattr(stream_copy, "index_room_bytes", lambda _tracks, _duration_ns: 1000)

    save(ring, tmp_path / "clip.mp4", 1_350_000_000, 3_350_000_000, is_exact=False)

    data = (tmp_path / "clip.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert see(tmp_path / "clip.mp4").numbers == expected_numbers(match, 1_350_000_000, 3_350_000_000)


@pytest.mark.parametrize("num_sounds", [0, 1, 3])
def test_the_room_that_is_left_holds_the_index_of_a_live_source(tmp_path, num_sounds):
    ring = fill(tmp_path / "ring", encode_match(num_sounds=num_sounds, jitter_ns=JITTER_NS))
    with ring.snapshot(990_000_000, 7_990_000_000) as span:
        stream_copy.copy_span(span, tmp_path / "clip.mp4")
        room_bytes = index_room_bytes(span.tracks, span.end_ns - span.start_ns)
    ring.close()

    data = (tmp_path / "clip.mp4").read_bytes()
    at = data.index(b"moov") - 4
    index_bytes = int.from_bytes(data[at : at + 4], "big")
    # What is left over is the margin: at least what a track needs, whatever its packets.
    assert 0 < index_bytes < room_bytes - 4096 * (1 + num_sounds)
    # Moved to the front, the media would begin right behind it.
    assert data[at + index_bytes + 4 : at + index_bytes + 8] == b"free"
