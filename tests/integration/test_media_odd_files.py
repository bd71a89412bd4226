"""Whatever comes in becomes a plain file or is refused: each kind of odd file that we know."""

import dataclasses
import itertools
import os
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from coordinator.errors import InputUnusable, MediaTooCostly, MediaUnusable
from coordinator.media import child
from coordinator.media.child import LimitedMedia
from coordinator.media.commands import normalize_command
from coordinator.media.intake.probe import probe
from coordinator.media.intake.survey import PictureFacts, Survey, constant_rate_of, survey
from coordinator.media.limits import normalize_resident_bytes_of
from coordinator.media.output.normalize import normalize, preset_for
from tests.fakes.flash_clip import beeps_s, flashes_s
from tests.fakes.odd_files import KINDS, ffmpeg, write_odd, write_plain

USABLE = [name for name, odd in KINDS.items() if not odd.is_refused]
REFUSED = [name for name, odd in KINDS.items() if odd.is_refused]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_plain(tmp_path_factory.mktemp("plain"))


def assert_is_plain(path):
    """What every normal file is: nothing of it is taken from our own probe."""
    with av.open(str(path)) as container:
        assert abs(container.start_time or 0) <= 1_000
        for stream in container.streams:
            assert abs(float((stream.start_time or 0) * stream.time_base)) < 0.1
        for stream in container.streams.video:
            context = stream.codec_context
            assert (context.name, context.pix_fmt, context.field_order) == ("h264", "yuv420p", 1)
            assert stream.sample_aspect_ratio in (None, 0, 1)
            frames = list(container.decode(stream))
            assert frames[0].pts == 0 and not any(f.interlaced_frame for f in frames)
            assert frames[0].rotation == 0
            assert all(a.pts < b.pts for a, b in itertools.pairwise(frames))
            pts = np.array([f.pts for f in frames], np.int64)
            assert len(pts) < 2 or constant_rate_of(pts, stream.time_base, stream.average_rate)
        container.seek(0)
        for stream in container.streams.audio:
            assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("aac", 48_000)


@pytest.mark.parametrize("name", USABLE)
def test_an_odd_file_becomes_a_plain_one(name, plain, tmp_path):
    odd = KINDS[name]
    path = write_odd(name, plain, tmp_path)

    found = normalize(path, tmp_path / "out.mp4")

    video = [(t.width, t.height) for t in found.tracks if t.kind == "video"]
    assert video == ([] if odd.size is None else [odd.size])
    assert [t.channels in (1, 2) for t in found.tracks if t.kind == "audio"] == [True] * odd.has_sound
    assert found.duration_s == pytest.approx(odd.length_s, abs=max(0.25, 0.05 * odd.length_s))
    assert_is_plain(tmp_path / "out.mp4")
    if odd.is_marked:
        marks = flashes_s(tmp_path / "out.mp4"), beeps_s(tmp_path / "out.mp4")
        assert len(marks[0]) == len(marks[1]) > 0
        assert all(abs(seen - heard) < 0.06 for seen, heard in zip(*marks, strict=True))


@pytest.mark.parametrize("name", USABLE)
def test_a_picture_that_is_plain_is_copied_and_no_other(name, plain, tmp_path):
    found = survey(write_odd(name, plain, tmp_path))

    assert (found.picture is not None and found.picture.why_encode is None) == KINDS[name].is_copied


def test_a_copy_has_the_very_bytes_even_where_its_sound_is_encoded(plain, tmp_path):
    path = write_odd("telephone", plain, tmp_path)

    normalize(path, tmp_path / "out.mp4")

    assert payloads(path, "video") == payloads(tmp_path / "out.mp4", "video")


def test_sound_that_is_plain_is_copied_beside_a_picture_that_is_not(plain, tmp_path):
    path = write_odd("ten_bit", plain, tmp_path)

    normalize(path, tmp_path / "out.mp4")

    assert payloads(path, "audio") == payloads(tmp_path / "out.mp4", "audio")


def payloads(path, kind):
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(**{kind: 0}) if p.size]


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_nothing_usable_is_refused_with_its_name_and_leaves_nothing(name, plain, tmp_path):
    path = write_odd(name, plain, tmp_path)

    with pytest.raises(MediaUnusable, match=path.name):
        normalize(path, tmp_path / "out.mp4")

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [n for n in KINDS if n not in ("without_its_index", "still")])
def test_a_probe_describes_every_kind(name, plain, tmp_path):
    found = probe(write_odd(name, plain, tmp_path))

    assert found.tracks and found.duration_s is not None and found.duration_s > 0


@pytest.mark.parametrize("name", ["on_its_side", "on_its_other_side", "upside_down", "mirrored"])
def test_a_turned_picture_looks_as_another_player_shows_it(name, plain, tmp_path):
    path = write_odd(name, plain, tmp_path)
    normalize(path, tmp_path / "out.mp4")

    shown = [first_picture(p) for p in (path, tmp_path / "out.mp4")]

    assert shown[0].shape == shown[1].shape
    assert np.abs(shown[0].astype(int) - shown[1]).mean() < 5


def first_picture(path):
    """As ffmpeg's command line shows it, which turns by itself."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-frames:v", "1", "-f", "image2pipe", "-c:v", "pgm", "-"]
    data = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    _, width, height, _ = data.split(maxsplit=4)[:4]
    pixels = int(width) * int(height)
    return np.frombuffer(data[-pixels:], np.uint8).reshape(int(height), int(width))


@pytest.mark.parametrize("name", ["avi_b_frames", "out_of_an_avi"])
def test_pictures_that_have_times_of_decoding_only_come_in_their_order(name, plain, tmp_path):
    normalize(write_odd(name, plain, tmp_path), tmp_path / "out.mp4")

    meant, shown = (lumas(p) for p in (plain, tmp_path / "out.mp4"))
    nearest = [int(np.abs(meant - luma).mean(axis=(1, 2)).argmin()) for luma in shown]

    assert all(a <= b for a, b in itertools.pairwise(nearest[3:29]))
    assert len(set(nearest[3:29])) >= 25


def lumas(path):
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="gray").astype(int) for f in container.decode(video=0)])


def test_a_format_that_is_not_read_is_called_that(plain, tmp_path):
    path = write_odd("still", plain, tmp_path)

    with pytest.raises(MediaUnusable, match="a format that is not read here"):
        probe(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
async def test_a_pipe_named_as_the_output_is_refused_and_stays(plain, tmp_path):
    os.mkfifo(tmp_path / "out.mp4")

    with pytest.raises(InputUnusable, match="a device or a pipe"):
        await normalize_command(plain, tmp_path / "out.mp4")

    assert (tmp_path / "out.mp4").is_fifo()


def test_a_name_too_long_to_be_written_is_an_error_of_ours(plain, tmp_path):
    with pytest.raises(MediaUnusable, match="cannot write x"):
        normalize(plain, tmp_path / ("x" * 250 + ".mp4"))


def test_fields_of_two_times_leave_no_comb(tmp_path):
    """A bar that runs: woven from two fields its edge would jump from line to line."""
    path = tmp_path / "bar.mp4"
    bar = "color=gray:320x180:r=50:d=1,format=yuv420p,drawbox=x=n*4:w=40:h=180:color=white:t=fill"
    bar = "nullsrc=320x180:r=50:d=1,geq=lum='if(between(X-N*5,20,60),220,40)':cb=128:cr=128"
    options = ("-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ilme+ildct", "-x264-params", "tff=1")
    ffmpeg(
        "-f", "lavfi", "-i", bar, "-vf", "tinterlace=interleave_top", *options, "-pix_fmt", "yuv420p", path
    )

    normalize(path, tmp_path / "out.mp4")

    assert combing(path) > 20 > 4 > combing(tmp_path / "out.mp4")


def combing(path):
    """Mean difference of a line from its neighbours that the lines two further on do not share."""
    with av.open(str(path)) as container:
        luma = list(container.decode(video=0))[10].to_ndarray(format="gray").astype(int)
    comb = np.abs(2 * luma[1:-1] - luma[:-2] - luma[2:]).max(axis=0)
    return comb[comb > 0].mean() if comb.any() else 0.0


def test_a_track_without_a_time_for_its_pictures_is_not_copied():
    assert constant_rate_of(np.array([0, 40, 80, 160]), Fraction(1, 1000), Fraction(25)) is None
    assert constant_rate_of(np.array([0, 33, 67, 100]), Fraction(1, 1000), None) == 30
    assert constant_rate_of(np.array([7]), Fraction(1, 1000), None) is None


async def test_more_memory_than_a_file_may_take_is_an_error_that_says_what_to_do(
    plain, tmp_path, monkeypatch
):
    monkeypatch.setattr(child, "INTAKE_RESIDENT_BYTES", 10 * 1000**2)
    async with LimitedMedia() as media:
        with pytest.raises(MediaTooCostly, match="10 MB of memory; record or convert it smaller"):
            await media.normalize(plain, tmp_path / "out.mp4")

    assert list(tmp_path.iterdir()) == []


async def test_more_cpu_than_a_file_may_take_is_an_error_that_says_what_to_do(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(child, "normalize_cpu_s_of", lambda found: 0.0)
    path = tmp_path / "slow.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=1280x720:r=30:d=6", "-c:v", "mpeg4", "-q:v", "3", path)
    async with LimitedMedia() as media:
        with pytest.raises(MediaTooCostly, match="of CPU; record or convert it smaller"):
            await media.normalize(path, tmp_path / "out.mp4")

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("more", "limit_mb"),
    [("log-level=none", 400), ("log-level=none:colormatrix=bt2020nc:transfer=smpte2084", 498)],
    ids=["standard", "high dynamic range"],
)
async def test_4k_in_10_bit_becomes_plain_within_its_memory(more, limit_mb, tmp_path, monkeypatch):
    """Ordinary 4K keeps to what every file may take; what high dynamic range may take more is said in the limits."""
    path = tmp_path / "large.mp4"
    picture = "testsrc2=s=3840x2160:r=30:d=0.6,format=yuv420p10le"
    ffmpeg(
        "-f", "lavfi", "-i", picture, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", more, path
    )
    monkeypatch.setattr(child, "normalize_resident_bytes_of", lambda found: limit_mb * 1000**2)
    async with LimitedMedia() as media:
        found = await media.normalize(path, tmp_path / "out.mp4")

    assert [(t.width, t.height, t.num_packets) for t in found.tracks] == [(3840, 2160, 18)]
    assert normalize_resident_bytes_of(dataclasses.asdict(survey(path))) == 497_664_000


def test_high_dynamic_range_leaves_less_for_the_encoder():
    """What a picture may take less decoding and tones is what is left for x264."""
    facts = PictureFacts(
        num_packets=600, start_s=0.0, end_s=20.0, width=1920, height=1080,
        rate=(30, 1), num_reordered=0, why_encode="it is hevc",
    )  # fmt: skip
    found = Survey(picture=facts, sound=None)

    presets = [preset_for(found, 30.0, 1.0, is_hdr=is_hdr) for is_hdr in (False, True)]

    assert presets == ["superfast", "ultrafast"]


LONG = Path(__file__).parents[3] / "shared" / "datasets" / "media" / "long_1080p_lowbitrate.mp4"


@pytest.mark.skipif(not LONG.exists(), reason="no ../shared/datasets/media beside the repository")
async def test_six_minutes_in_a_megabyte_take_no_worker_down(tmp_path):
    async with LimitedMedia() as media:
        found = await media.normalize(LONG, tmp_path / "out.mp4")

    assert found.duration_s == pytest.approx(362.77, abs=0.1)
    assert payloads(LONG, "video")[::500] == payloads(tmp_path / "out.mp4", "video")[::500]
