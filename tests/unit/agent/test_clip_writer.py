"""The writer: a whole file under its name, or nothing; and thumbnails of it."""

from __future__ import annotations

import errno
import os
import threading

import av
import numpy as np
import pytest

from agent.clip.thumbnail import write_thumbnail
from agent.clip.write_back import WriteBack
from agent.clip.writer import Mp4ClipWriter, remove_parts
from agent.errors import DiskFull, EnvironmentProblem, InputUnusable, NothingToClip
from agent.ring.ring import GopRing
from tests.fakes.encoded_match import SECOND_NS, encode_match, is_flash
from tests.fakes.packets import MIX, VIDEO, sound


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    match = encode_match(duration_s=4)
    ring = GopRing(tmp_path_factory.mktemp("ring"), session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch(match.tracks)
    for packet in match.packets:
        ring.push(packet)
    yield ring
    ring.close()


@pytest.fixture
def span(ring):
    with ring.snapshot(500_000_000, 3_500_000_000) as span:
        yield span


class SoundAlone:
    """A span without a picture."""

    session_id = "s"
    tracks = (VIDEO, MIX)
    start_ns, end_ns = 0, SECOND_NS

    def packets(self):
        return iter([sound(0), sound(20_000_000)])


def test_it_says_what_it_wrote(span, tmp_path):
    path = tmp_path / "new folder" / "clip.mp4"

    clip = Mp4ClipWriter().write(span, path, is_exact=True)

    assert (clip.path, clip.start_ns, clip.end_ns, clip.is_exact) == (
        str(path),
        500_000_000,
        3_500_000_000,
        True,
    )
    assert clip.size_bytes == path.stat().st_size


def test_nothing_but_the_clip_is_left_in_the_folder(span, tmp_path):
    Mp4ClipWriter().write(span, tmp_path / "clip.mp4", is_exact=False)

    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_too_little_room_is_told_before_anything_is_written(span, tmp_path):
    with pytest.raises(DiskFull, match="needs about 4 MB"):
        Mp4ClipWriter(free_bytes=lambda _folder: 1000).write(span, tmp_path / "clip.mp4", is_exact=False)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_exact", [False, True])
def test_a_span_without_a_picture_leaves_no_file(tmp_path, is_exact):
    with pytest.raises(NothingToClip):
        Mp4ClipWriter().write(SoundAlone(), tmp_path / "clip.mp4", is_exact=is_exact)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_told(span, tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(EnvironmentProblem, match="file"):
        Mp4ClipWriter().write(span, tmp_path / "file" / "clip.mp4", is_exact=False)


def test_an_older_clip_stays_whole_when_the_new_one_fails(span, tmp_path, monkeypatch):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"the old one")

    def no_sync(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.clip.writer.os.fsync", no_sync)

    with pytest.raises(DiskFull):
        Mp4ClipWriter().write(span, path, is_exact=False)
    assert ([item.name for item in tmp_path.iterdir()], path.read_bytes()) == (["clip.mp4"], b"the old one")


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="this system writes back by itself")
def test_a_write_that_fails_on_its_way_to_the_disk_fails_the_clip(tmp_path, monkeypatch):
    path = tmp_path / "growing"
    asked = threading.Event()

    def no_sync(_fd):
        asked.set()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("agent.clip.write_back.os.fdatasync", no_sync)

    with pytest.raises(OSError, match="Input/output"), WriteBack(path):
        path.write_bytes(bytes(40 * 1024 * 1024))
        assert asked.wait(10)


def test_the_disk_is_given_what_was_written_so_far(tmp_path, monkeypatch):
    path = tmp_path / "growing"
    sizes = []
    came = threading.Event()

    def note(fd):
        sizes.append(os.fstat(fd).st_size)
        came.set()

    monkeypatch.setattr("agent.clip.write_back.os.fdatasync", note, raising=False)

    with WriteBack(path):
        path.write_bytes(bytes(40 * 1024 * 1024))
        assert came.wait(10)

    assert sizes[0] >= 8 * 1024 * 1024


def test_what_a_killed_engine_left_half_written_is_removed(tmp_path):
    (tmp_path / ".clippy-0123456789ab.part").write_bytes(b"half")
    (tmp_path / "mine.part").write_bytes(b"the user's own")

    assert (remove_parts(tmp_path), [path.name for path in tmp_path.iterdir()]) == (1, ["mine.part"])


def thumbnail(path):
    with av.open(str(path)) as container:
        (frame,) = container.decode(video=0)
        return frame.format.name, frame.to_ndarray(format="gray")


def test_a_thumbnail_is_a_small_jpeg(span, tmp_path):
    Mp4ClipWriter().write(span, tmp_path / "clip.mp4", is_exact=False)

    size = write_thumbnail(tmp_path / "clip.mp4", tmp_path / "t" / "clip.jpg", width_px=128)

    name, picture = thumbnail(tmp_path / "t" / "clip.jpg")
    assert (size, picture.shape, name) == ((128, 72), (72, 128), "yuvj420p")
    assert np.ptp(picture) > 50


def test_a_thumbnail_can_be_of_a_given_time(span, tmp_path):
    Mp4ClipWriter().write(span, tmp_path / "clip.mp4", is_exact=False)

    # The clip starts half a second after a flash.
    write_thumbnail(tmp_path / "clip.mp4", tmp_path / "flash.jpg", at_s=0.5)
    write_thumbnail(tmp_path / "clip.mp4", tmp_path / "dark.jpg", at_s=0.75)

    flashes = [is_flash(thumbnail(tmp_path / name)[1]) for name in ("flash.jpg", "dark.jpg")]
    assert flashes == [True, False]


def test_a_thumbnail_of_no_video_is_refused(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video")

    with pytest.raises(InputUnusable, match=r"clip\.mp4"):
        write_thumbnail(tmp_path / "clip.mp4", tmp_path / "clip.jpg")
    assert not (tmp_path / "clip.jpg").exists()
