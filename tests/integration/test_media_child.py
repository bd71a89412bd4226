"""Outside media is read in a child that has limits, can be killed, and never outlives its parent."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
import wave
from fractions import Fraction

import av
import numpy as np
import pytest

from coordinator.errors import AudioUnusable, InputUnusable, MediaInterrupted, MediaStalled, MediaUnusable
from coordinator.media import child, child_process, limits
from coordinator.media.child import LimitedMedia
from coordinator.media.commands import export_command, normalize_command, probe_command
from coordinator.media.intake.audio import decode_channels, decode_pcm16k
from coordinator.media.limits import Limits
from coordinator.media.worker import message, read_message
from coordinator.model.exporting import Recipe
from coordinator.model.speech import Word
from tests.fakes.drawn_frames import grey_frame
from tests.fakes.flash_clip import write_clip

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", duration_s=2, size=(160, 90))


def ogg_opus(duration_s, *, tone_hz=440):
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=16_000, layout="mono")
        t = np.arange(round(duration_s * 16_000)) / 16_000
        tone = (0.3 * np.sin(2 * np.pi * tone_hz * t)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray((tone * 32767).astype(np.int16), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, 0, Fraction(1, 16_000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def pids_of(media):
    return [c.pid for lane in media._lanes.values() for c in lane._idle]


async def gone(pid, *, within_s=10.0):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.02)
    return False


async def appeared(folder, pattern, *, within_s=20.0):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := next(folder.glob(pattern), None):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"no {pattern} within {within_s} s")


async def test_a_child_answers_as_the_functions_do(clip, tmp_path):
    async with LimitedMedia() as media:
        found = await media.probe(clip)
        result = await media.export(
            clip,
            tmp_path / "post.mp4",
            Recipe(preset="discord", words=(Word(text="hi", start_s=0.5, end_s=1.0),)),
        )
        size = await media.thumbnail(clip, tmp_path / "clip.jpg", at_s=0.5)
        cut_s = await media.cut(clip, tmp_path / "cut.mp4", start_s=1.0, end_s=1.5)
        normal = await media.normalize(clip, tmp_path / "normal.mp4")

    assert [t.codec for t in found.tracks] == ["h264", "aac"] == [t.codec for t in normal.tracks]
    assert (result.captions, result.path) == (1, str(tmp_path / "post.mp4"))
    assert (size, cut_s) == ((160, 90), pytest.approx(0.5))


async def test_chunks_reuse_one_child(clip):
    data = ogg_opus(1.0)
    async with LimitedMedia() as media:
        chunks = [await media.decode_pcm16k(data) for _ in range(3)]
        pids = pids_of(media)

    assert len(pids) == 1
    assert all(c.dtype == np.float32 and abs(len(c) - 16_000) <= 320 for c in chunks)
    assert np.array_equal(chunks[0], decode_pcm16k(data))


async def test_closing_ends_every_child(clip):
    async with LimitedMedia() as media:
        await media.probe(clip)
        (pid,) = pids_of(media)

    assert await gone(pid)


async def test_a_file_that_cannot_be_used_leaves_the_child_at_work(tmp_path, clip):
    (tmp_path / "bad.mp4").write_bytes(b"no media")
    async with LimitedMedia() as media:
        await media.probe(clip)
        before = pids_of(media)
        with pytest.raises(MediaUnusable, match=r"bad\.mp4"):
            await media.probe(tmp_path / "bad.mp4")

        assert pids_of(media) == before


async def test_too_little_memory_is_a_reason_not_a_crash_of_ours(clip, tmp_path):
    async with LimitedMedia(Limits(memory_bytes=400 * 1024**2)) as media:
        with pytest.raises(MediaUnusable):
            await media.export(clip, tmp_path / "post.mp4", Recipe(preset="vertical"))

    assert list(tmp_path.iterdir()) == []


async def test_an_output_past_its_size_limit_is_refused_and_removed(clip, tmp_path):
    async with LimitedMedia(Limits(file_bytes=20_000)) as media:
        with pytest.raises(MediaUnusable, match="size limit"):
            await media.export(clip, tmp_path / "post.mp4", Recipe(preset="vertical"))

    assert list(tmp_path.iterdir()) == []


async def test_a_busy_machine_is_no_fault_of_the_file(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "CLOCK_PER_CPU", 0.3 / child.HEAVY_BASE_CPU_S)
    monkeypatch.setattr(limits, "STALL_S", 0.3)
    monkeypatch.setattr(child_process, "used_cpu_s", lambda pid: time.monotonic())  # It goes on and on.
    async with LimitedMedia() as media:
        with pytest.raises(MediaStalled, match="is the machine overloaded") as found:
            await media.export(clip, tmp_path / "post.mp4", Recipe(preset="vertical", end_s=2.0))

        assert not media._lanes["heavy"]._idle
    assert (found.value.retryable, found.value.code) == (True, "media_stalled")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody says what a process has used")
async def test_a_child_that_stands_still_is_killed_and_its_file_may_be_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "STALL_S", 1.0)
    monkeypatch.setattr(child_process, "STALL_S", 1.0)
    long = write_clip(tmp_path / "long.mp4", duration_s=6, size=(640, 360))
    async with LimitedMedia() as media:
        job = asyncio.create_task(
            media.export(long, tmp_path / "post.mp4", Recipe(preset="vertical", end_s=6.0))
        )
        unfinished = await appeared(tmp_path, ".post.mp4.*.partial")
        os.kill(int(unfinished.name.split(".")[-2]), signal.SIGSTOP)
        with pytest.raises(MediaStalled, match="nothing went on for 1 s") as found:
            await job

    assert found.value.retryable
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.mp4"]


async def test_too_much_cpu_is_a_reason(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(child, "HEAVY_BASE_CPU_S", 0.0)
    monkeypatch.setattr(child, "HEAVY_CPU_S_PER_S", 0.0)
    long = write_clip(tmp_path / "long.mp4", duration_s=6, size=(640, 360))
    async with LimitedMedia() as media:
        with pytest.raises(MediaUnusable, match="of CPU"):
            await media.export(long, tmp_path / "post.mp4", Recipe(preset="vertical"))

    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.mp4"]


async def test_cancelling_kills_the_child_and_removes_what_it_had_not_finished(tmp_path):
    long = write_clip(tmp_path / "long.mp4", duration_s=6, size=(640, 360))
    async with LimitedMedia() as media:
        job = asyncio.create_task(
            media.export(long, tmp_path / "post.mp4", Recipe(preset="vertical", end_s=6.0))
        )
        unfinished = await appeared(tmp_path, ".post.mp4.*.partial")
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    assert await gone(int(unfinished.name.split(".")[-2]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.mp4"]


async def test_a_child_killed_at_work_from_outside_is_no_fault_of_its_file(tmp_path):
    long = write_clip(tmp_path / "long.mp4", duration_s=6, size=(640, 360))
    async with LimitedMedia() as media:
        job = asyncio.create_task(
            media.export(long, tmp_path / "post.mp4", Recipe(preset="vertical", end_s=6.0))
        )
        unfinished = await appeared(tmp_path, ".post.mp4.*.partial")
        os.kill(int(unfinished.name.split(".")[-2]), signal.SIGKILL)
        with pytest.raises(MediaInterrupted, match="killed from outside") as found:
            await job

    assert found.value.retryable
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.mp4"]


async def test_of_several_thumbnails_a_killed_child_leaves_none(tmp_path):
    scenes = np.random.default_rng(1).integers(40, 210, (6, 45, 80), np.uint8).repeat(16, 1).repeat(16, 2)
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for index in range(180):
            container.mux(stream.encode(grey_frame(scenes[index // 30], index=index)))
        container.mux(stream.encode(None))
    async with LimitedMedia() as media:
        job = asyncio.create_task(media.thumbnails(tmp_path / "clip.mp4", tmp_path / "post.jpg", count=6))
        unfinished = await appeared(tmp_path, ".post-1.jpg.*.partial")
        os.kill(int(unfinished.name.split(".")[-2]), signal.SIGKILL)
        with pytest.raises(MediaInterrupted):
            await job

    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


async def test_a_child_killed_while_idle_is_replaced(clip):
    async with LimitedMedia() as media:
        await media.probe(clip)
        (pid,) = pids_of(media)
        os.kill(pid, signal.SIGKILL)
        assert await gone(pid)

        found = await media.probe(clip)

    assert found.tracks


def test_a_child_ends_when_its_parents_pipe_does(clip):
    process = subprocess.Popen(
        [sys.executable, "-m", "coordinator.media.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(message({"operation": "probe", "arguments": {"path": str(clip)}, "cpu_s": 30}))
    process.stdin.flush()
    answer = read_message(process.stdout)
    process.stdin.close()

    assert process.wait(timeout=20) == 0
    assert answer is not None and answer[0]["result"]["tracks"]
    process.stdout.close()


@pytest.mark.parametrize("data", [b"", b"OggS" + b"\x00" * 40, b"RIFF\xff\xff\xff\xffWAVE", os.urandom(5000)])
async def test_a_chunk_that_is_no_sound_is_refused(data):
    async with LimitedMedia() as media:
        with pytest.raises(AudioUnusable):
            await media.decode_pcm16k(data)


def test_channels_are_kept_apart(tmp_path):
    path = tmp_path / "two.wav"
    t = np.arange(16_000) / 16_000
    left, right = (0.5 * np.sin(2 * np.pi * 440 * t)), np.zeros_like(t)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2), file.setsampwidth(2), file.setframerate(16_000)
        file.writeframes((np.stack([left, right], 1) * 32767).astype("<i2").tobytes())

    channels = decode_channels(path)

    assert channels.shape == (2, 16_000)
    assert np.abs(channels[0]).max() > 0.4 and np.abs(channels[1]).max() < 1e-3


async def test_the_commands_give_json_objects(clip, tmp_path):
    words = tmp_path / "words.json"
    words.write_text(
        '{"engine": "x", "words": [{"text": "hi", "start_s": 0.1, "end_s": 0.5, "channel": null}]}'
    )

    probed = await probe_command(clip)
    normal = await normalize_command(clip, tmp_path / "n.mp4")
    exported = await export_command(clip, tmp_path / "e.mp4", Recipe(preset="discord"), captions=words)

    assert set(probed) == {"duration_s", "format", "tracks"}
    assert normal["path"] == str(tmp_path / "n.mp4")
    assert (exported["captions"], exported["preset"]) == (1, "discord")


async def test_captions_of_another_shape_are_refused_with_their_name(clip, tmp_path):
    (tmp_path / "words.json").write_text("[]")

    with pytest.raises(InputUnusable, match=r"words\.json"):
        await export_command(
            clip, tmp_path / "e.mp4", Recipe(preset="discord"), captions=tmp_path / "words.json"
        )


async def test_a_render_says_how_far_it_is_while_it_runs(clip, tmp_path):
    told = []
    async with LimitedMedia() as media:
        await media.export(
            clip, tmp_path / "out.mp4", Recipe(preset="vertical", end_s=2.0), on_progress=told.append
        )
        # The same child answers what comes next as if nothing had been told.
        assert (await media.probe(clip)).duration_s == pytest.approx(2.0, abs=0.1)

    assert told == sorted(told)
    assert told and 0 < told[0] <= told[-1] <= 1
