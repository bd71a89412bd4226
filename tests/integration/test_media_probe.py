"""What a probe says of real files, among them those that break naive code."""

import json
from pathlib import Path

import pytest

from coordinator.errors import CoordinatorError, MediaUnusable
from coordinator.media.intake.probe import probe
from coordinator.media.output.cut import cut
from coordinator.media.output.normalize import normalize
from tests.fakes.flash_clip import write_clip

DATA = Path(__file__).parents[3] / "shared" / "datasets" / "media"
FILES = sorted(p.name for p in DATA.glob("*.*") if p.suffix != ".json") if DATA.is_dir() else []
needs_data = pytest.mark.skipif(not FILES, reason="no ../shared/datasets/media beside the repository")


def expected():
    return json.loads((DATA / "expected.json").read_text()) if FILES else {}


@needs_data
@pytest.mark.parametrize("name", sorted(expected()))
def test_a_probe_finds_what_an_independent_parser_found(name):
    want = expected()[name]

    found = probe(DATA / name)

    assert [(t.num_packets, t.width, t.height, t.channels, t.sample_rate_hz) for t in found.tracks] == [
        (t["n"], *(int(t[k]) if t[k] else None for k in ("w", "h", "ch", "sr"))) for t in want["tracks"]
    ]
    if want["dur"] is not None:
        assert found.duration_s == pytest.approx(want["dur"], abs=0.002)


@needs_data
@pytest.mark.parametrize("name", FILES)
def test_every_file_is_described(name):
    found = probe(DATA / name)

    assert found.tracks and found.duration_s > 0


@needs_data
@pytest.mark.parametrize(
    ("name", "rotation"),
    [
        ("issue-134-rotate.mp4", 90),
        ("internal_emulator_transformer_output_180_rotated.mp4", 180),
        ("sample_portrait.mp4", 0),
        ("no_duration.webm", 0),
    ],
)
def test_rotation_is_clockwise_degrees_to_upright(name, rotation):
    assert probe(DATA / name).tracks[0].rotation == rotation


@needs_data
@pytest.mark.parametrize(
    ("name", "size", "duration_s"),
    [
        ("SAR-2by3.mp4", (640, 540), 2.0),  # narrow pixels
        ("delayed_start.mp4", (480, 320), 0.96),  # its clock starts at 1.075 s
        ("edit_list_positive_shift.mp4", (1920, 1080), 10.0),  # its picture starts a second after its sound
        ("no_duration.webm", (1280, 720), 4.93),
        ("sample_android_slow_motion.mp4", (1280, 720), 0.53),  # 7 frames of uneven length
        ("h264_10bits.mp4", (200, 200), 1.0),
        ("test_yuv422p.mp4", (640, 360), 2.0),
        ("no-ftyp.avif", (2, 2), 1.0),  # one picture of one pixel, for one second
        ("testsrc_with_attachment.mkv", (640, 360), 2.04),
    ],
)
def test_a_normalised_file_is_plain(name, size, duration_s, tmp_path):
    found = normalize(DATA / name, tmp_path / "out.mp4")

    video = found.tracks[0]
    assert (video.codec, video.width, video.height, video.rotation) == ("h264", *size, 0)
    assert [t.codec for t in found.tracks[1:]] in ([], ["aac"])
    assert found.duration_s == pytest.approx(duration_s, abs=0.05)


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "sample_ac4.mp4",  # no decoder for its codec
        "invalid_userdata.mp4",  # a header without its media
        "sample_fragmented_uuid.mp4",  # encrypted
    ],
)
def test_what_cannot_be_decoded_is_refused_with_its_name_and_leaves_nothing(name, tmp_path):
    with pytest.raises(MediaUnusable, match=name):
        normalize(DATA / name, tmp_path / "out.mp4")

    assert list(tmp_path.iterdir()) == []


@needs_data
def test_an_encoded_cut_keeps_its_turn_as_well(tmp_path):
    done = cut(DATA / "issue-134-rotate.mp4", tmp_path / "out.mp4", start_s=0.1, end_s=0.4)

    video = probe(tmp_path / "out.mp4").tracks[0]
    assert (done.method, video.width, video.height, video.rotation) == ("encode", 1280, 544, 90)


@needs_data
def test_a_copy_keeps_its_turn(tmp_path):
    done = cut(DATA / "issue-134-rotate.mp4", tmp_path / "out.mp4", start_s=0.0, end_s=None)

    assert (done.method, probe(tmp_path / "out.mp4").tracks[0].rotation) == ("copy", 90)


@needs_data
def test_sound_alone_becomes_an_mp4_with_sound_alone(tmp_path):
    found = normalize(DATA / "sample_opus.mp4", tmp_path / "out.mp4")

    assert [t.codec for t in found.tracks] == ["aac"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not media at all\n" * 100,
        b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",  # a playlist that names another file
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",  # a header and nothing else
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\xff\xff\xff\xffmoov" + b"\x7f" * 64,
    ],
)
def test_what_is_no_media_is_refused(content, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)

    with pytest.raises(MediaUnusable, match=r"clip\.mp4"):
        probe(path)


@pytest.mark.parametrize("path", ["missing.mp4", "."])
def test_a_path_without_a_file_is_refused(path, tmp_path):
    with pytest.raises(MediaUnusable):
        probe(tmp_path / path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_recording_is_used_as_far_as_it_goes_or_refused(share, tmp_path):
    whole = write_clip(tmp_path / "whole.mkv", duration_s=2, size=(160, 90)).read_bytes()
    path = tmp_path / "clip.mkv"
    path.write_bytes(whole[: int(len(whole) * share)])

    found = normalize(path, tmp_path / "out.mp4")

    assert 0 < found.duration_s <= 2.1


def test_damage_anywhere_in_a_file_is_survived(tmp_path):
    whole = write_clip(tmp_path / "whole.mp4", duration_s=1, size=(64, 36)).read_bytes()
    path = tmp_path / "clip.mp4"
    for offset in range(0, len(whole), max(1, len(whole) // 12)):
        path.write_bytes(whole[:offset] + b"\xff\x00\xa5" * 4 + whole[offset + 12 :])
        try:
            probe(path)
            normalize(path, tmp_path / "out.mp4")
        except CoordinatorError:
            continue
