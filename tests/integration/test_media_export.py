"""An export is shaped, captioned, levelled, in step and small enough, or it is not there at all."""

import dataclasses
import errno
import os
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from coordinator.errors import DiskFull, MediaUnusable
from coordinator.media import partial
from coordinator.media.captions.cards import Card
from coordinator.media.captions.soft_track import add_soft_track
from coordinator.media.intake.probe import probe
from coordinator.media.output import presets
from coordinator.media.output.cut import cut
from coordinator.media.output.export import export
from coordinator.media.output.normalize import normalize
from coordinator.media.output.thumbnail import thumbnail
from coordinator.media.sound.loudness import measure
from coordinator.model.exporting import CaptionWish, Recipe
from coordinator.model.framing import Framing, Rectangle
from coordinator.model.speech import Word
from tests.bench.export_captions import caption_errors
from tests.fakes.flash_clip import beeps_s, flashes_s, num_frames, samples_of, write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="module")
def vertical(clip, tmp_path_factory):
    """A vertical export of seconds 1.25 to 5.25 with words, made once: most tests look at it."""
    words = [
        Word(text="before", start_s=0.2, end_s=0.6),
        Word(text="Insane", start_s=2.05, end_s=2.4),
        Word(text="shot!", start_s=2.45, end_s=2.8),
        Word(text="again", start_s=4.0, end_s=4.3),
        Word(text="after", start_s=5.6, end_s=5.9),
    ]
    dst = tmp_path_factory.mktemp("vertical") / "post.mp4"
    result = export(
        clip,
        dst,
        Recipe(preset="vertical", words=tuple(words), start_s=1.25, end_s=5.25, title="Look at this"),
    )
    return dst, result


def offsets_ms(path):
    # A mark that the cut went through is none.
    flashes, beeps = ([t for t in marks if t > 0.3] for marks in (flashes_s(path), beeps_s(path)))
    assert len(flashes) == len(beeps) > 0
    return [1000 * abs(f - b) for f, b in zip(flashes, beeps, strict=True)]


def caption_rows(frame):
    """The luma of the rows where captions stand in a vertical export."""
    luma = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
    return luma[1320:1500, : frame.width]


def test_the_file_is_what_the_result_says_and_what_platforms_take(vertical):
    dst, result = vertical
    found = probe(dst)

    assert (result.width, result.height, result.captions) == (1080, 1920, 3)
    assert (result.path, result.size_bytes) == (str(dst), dst.stat().st_size)
    assert [(t.codec, t.sample_rate_hz) for t in found.tracks] == [("h264", None), ("aac", 48_000)]
    with av.open(str(dst)) as container:
        context = container.streams.video[0].codec_context
        assert (context.profile, context.pix_fmt, context.colorspace) == ("High", "yuv420p", 1)
        assert container.metadata["title"] == "Look at this"
        assert container.start_time == 0
    assert dst.read_bytes()[:200].find(b"moov") > 0


def test_the_length_is_exact_to_a_frame(vertical):
    dst, result = vertical

    assert result.duration_s == pytest.approx(4.0, abs=1e-6)
    assert num_frames(dst) == 120


def test_sound_and_picture_stay_in_step(vertical):
    assert max(offsets_ms(vertical[0])) <= 20


def test_marks_stand_where_the_source_had_them(vertical):
    assert flashes_s(vertical[0]) == pytest.approx([0.75, 1.75, 2.75, 3.75], abs=0.035)


def test_loudness_is_what_an_independent_pass_measures(vertical):
    dst, result = vertical
    mono = samples_of(dst)

    found = measure(iter([np.stack([mono, mono])]))

    assert found.integrated_lufs == pytest.approx(-14, abs=0.5)
    assert result.lufs == pytest.approx(found.integrated_lufs, abs=0.3)
    assert found.true_peak_dbtp <= -1.5


def test_a_caption_appears_with_its_word_and_goes_before_long(vertical):
    shown = []
    with av.open(str(vertical[0])) as container:
        for frame in container.decode(video=0):
            if caption_rows(frame).max() > 200:
                shown.append(float(frame.time))

    # "Insane shot!" is heard 0.8 s after the start of the part, "again" at 2.75 s.
    assert shown[0] == pytest.approx(0.8, abs=0.08)
    gap = next(k for k in range(1, len(shown)) if shown[k] - shown[k - 1] > 0.2)
    assert shown[gap] == pytest.approx(2.75, abs=0.08)
    assert 1.55 <= shown[gap - 1] <= 2.2


def test_the_same_cards_lie_beside_it_as_srt(vertical):
    srt = vertical[0].with_suffix(".srt").read_text("utf-8")

    assert "Insane shot!" in srt and "before" not in srt and "after" not in srt


def test_words_come_in_time_and_stay_where_the_app_leaves_room_in_every_style():
    found = caption_errors(num_lists=2, seed=7, presets=("discord", "square"), duration_s=1.6)

    assert found["caption_error_ms_max"] <= 80
    assert found["caption_frames"] > 100
    assert found["caption_frames_outside"] == 0


@pytest.fixture(scope="module")
def soft(clip, tmp_path_factory):
    """A small export whose words are a track and files, masked, and not on the picture; and what it says of itself."""
    dst = tmp_path_factory.mktemp("soft") / "post.mp4"
    words = tuple(
        Word(text=text, start_s=1.0 + 0.4 * k, end_s=1.3 + 0.4 * k)
        for k, text in enumerate("What the shit 日本 🔥".split())
    )
    wish = CaptionWish(
        is_burned=False, is_soft=True, files=("srt", "vtt", "ass"), profanity="mask", language="en"
    )
    recipe = Recipe(preset="discord", words=words, start_s=0.5, end_s=3.5, title="Now", captions=wish)
    return dst, export(clip, dst, recipe)


def test_soft_captions_are_a_track_with_its_language_in_step_with_the_words(soft):
    dst, result = soft
    with av.open(str(dst)) as container:
        track = container.streams.subtitles[0]
        assert (track.codec_context.name, track.metadata["language"]) == ("mov_text", "eng")
        texts = [
            (float(p.pts * p.time_base), bytes(p)[2:].decode()) for p in container.demux(track) if p.size > 2
        ]

    assert texts == [(0.5, "What the s***"), (1.7, "日本 🔥")]
    assert result.size_bytes == dst.stat().st_size


def test_soft_captions_change_nothing_else(soft):
    dst, result = soft

    assert (result.captions, result.duration_s, num_frames(dst)) == (0, pytest.approx(3.0), 90)
    assert [t.kind for t in probe(dst).tracks][:2] == ["video", "audio"]
    assert max(offsets_ms(dst)) <= 20
    with av.open(str(dst)) as container:
        assert (container.metadata["title"], container.start_time) == ("Now", 0)
        levels = [frame.to_ndarray()[: frame.height].max() for frame in container.decode(video=0)]
    assert sorted(levels)[len(levels) // 2] < 150  # the source's grey, and no white letters on it
    assert dst.read_bytes()[:200].find(b"moov") > 0


def test_every_file_that_was_asked_for_lies_beside_it(soft):
    dst, _ = soft
    names = sorted(path.name for path in dst.parent.iterdir())

    assert names == ["post.ass", "post.mp4", "post.srt", "post.vtt"]
    assert all("s***" in dst.with_suffix(f".{kind}").read_text("utf-8") for kind in ("srt", "vtt", "ass"))


def test_a_track_of_text_leaves_names_and_order_of_the_sounds_as_they_were(clip, tmp_path):
    path = tmp_path / "two.mp4"
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        sound = source.streams.audio[0]
        tracks = [target.add_stream_from_template(sound) for _ in range(2)]
        for track, name in zip(tracks, ("mix", "mic"), strict=True):
            track.metadata["handler_name"] = name
        tracks[0].disposition, tracks[1].disposition = Disposition(0), Disposition.default
        for packet in source.demux(sound):
            for track in tracks if packet.dts is not None else ():
                packet.stream = track
                target.mux_one(packet)
    before = sounds(path)

    add_soft_track(path, [Card(texts=("hi",), onsets_s=(0.5,), start_s=0.5, end_s=1.0)], language="ja")

    assert sounds(path) == before
    assert [name for name, *_ in before] == ["mix", "mic"]


def sounds(path):
    """Name, disposition and the bytes of each track of sound."""
    with av.open(str(path)) as container:
        found = {s.index: [s.metadata["handler_name"], s.disposition, b""] for s in container.streams.audio}
        for packet in container.demux(audio=list(range(len(found)))):
            found[packet.stream.index][2] += bytes(packet)
        return list(found.values())


def test_a_copied_clip_bears_soft_captions_too(clip, tmp_path):
    words = (Word(text="hi", start_s=2.5, end_s=3.0),)
    recipe = Recipe(
        preset="source", start_s=2.0, end_s=4.0, words=words, captions=CaptionWish(is_soft=True, files=())
    )

    result = export(clip, tmp_path / "post.mp4", recipe)

    assert [path.name for path in tmp_path.iterdir()] == ["post.mp4"]
    assert (result.duration_s, result.size_bytes) == (2.0, (tmp_path / "post.mp4").stat().st_size)
    with av.open(str(tmp_path / "post.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "subtitle"]


def test_nothing_unfinished_stays_beside_it(vertical):
    assert sorted(p.name for p in vertical[0].parent.iterdir()) == ["post.mp4", "post.srt"]


def test_a_discord_export_fills_its_limit_and_never_passes_it(tmp_path, monkeypatch):
    small = dict(presets.presets())
    small["discord"] = dataclasses.replace(small["discord"], max_size_bytes=400_000)
    monkeypatch.setattr(presets, "presets", lambda: small)
    src = write_clip(tmp_path / "clip.mp4", duration_s=5, is_restless=True)

    result = export(src, tmp_path / "post.mp4", Recipe(preset="discord"))

    assert 0.85 * 400_000 <= result.size_bytes <= 400_000
    assert (result.width, result.height) == (640, 360)


def test_a_copy_keeps_every_frame_of_the_part(clip, tmp_path):
    result = export(clip, tmp_path / "post.mp4", Recipe(preset="source", start_s=2.0, end_s=4.0))

    assert (result.width, result.height, result.captions, result.duration_s) == (640, 360, 0, 2.0)
    assert num_frames(tmp_path / "post.mp4") == 60
    assert flashes_s(tmp_path / "post.mp4") == pytest.approx([1.0], abs=0.002)


@pytest.mark.parametrize(
    ("start_s", "end_s", "method"),
    [
        (1.0, 3.0, "copy"),  # on a key frame
        (1.5, 4.5, "smart"),
        (0.0, None, "copy"),
        (2.0 + 1 / 30, 2.0 + 11 / 30, "encode"),  # no key frame within
    ],
)
def test_a_cut_is_exact_to_a_frame_whichever_way_it_is_made(start_s, end_s, method, clip, tmp_path):
    dst = tmp_path / "cut.mp4"

    done = cut(clip, dst, start_s=start_s, end_s=end_s)

    assert done.method == method
    assert num_frames(dst) == round(((end_s or 6.0) - start_s) * 30)
    if (end_s or 6.0) - start_s > 1:
        assert max(offsets_ms(dst)) <= 20


def test_digital_silence_stays_silent(tmp_path):
    src = write_clip(tmp_path / "clip.mp4", duration_s=1, size=(64, 36))
    silent = tmp_path / "silent.mp4"
    replace_sound_by_silence(src, silent)

    result = export(silent, tmp_path / "post.mp4", Recipe(preset="discord"))

    assert result.lufs is None
    assert np.abs(samples_of(tmp_path / "post.mp4")).max() < 1e-4


def replace_sound_by_silence(src, dst):
    with av.open(str(src)) as source, av.open(str(dst), "w") as out:
        video = out.add_stream_from_template(source.streams.video[0])
        audio = out.add_stream("aac", rate=48_000, layout="stereo")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 48_000), np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))


@pytest.mark.parametrize("gain", [0.0005, 0.02, 0.98])
def test_quiet_and_loud_recordings_come_out_equally_loud(gain, tmp_path):
    src = write_clip(tmp_path / "clip.mp4", duration_s=3, size=(64, 36), gain=gain)

    result = export(src, tmp_path / "post.mp4", Recipe(preset="discord"))

    assert result.lufs == pytest.approx(-14, abs=0.5)


def test_a_recording_without_sound_is_exported_without_sound(tmp_path):
    src = write_clip(tmp_path / "clip.mp4", duration_s=1, size=(64, 36), has_sound=False)

    result = export(src, tmp_path / "post.mp4", Recipe(preset="discord"))

    assert result.lufs is None
    assert [t.kind for t in probe(tmp_path / "post.mp4").tracks] == ["video"]


def test_one_frame_is_enough(tmp_path):
    src = write_clip(tmp_path / "clip.mp4", duration_s=1 / 30, size=(64, 36), has_sound=False)

    words = (Word(text="hi", start_s=0, end_s=0.01),)
    result = export(src, tmp_path / "post.mp4", Recipe(preset="square", words=words))

    assert (num_frames(tmp_path / "post.mp4"), result.captions) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"preset": "myspace"}, "myspace"),
        ({"preset": "vertical", "captions": CaptionWish(style="neon")}, "neon"),
        ({"preset": "vertical", "start_s": -1.0}, "-1"),
        ({"preset": "vertical", "start_s": float("nan")}, "nan"),
        ({"preset": "vertical", "start_s": 3.0, "end_s": 2.0}, "not after"),
        ({"preset": "vertical", "start_s": 60.0}, "6 s long"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_value(arguments, reason, clip, tmp_path):
    with pytest.raises(MediaUnusable, match=reason):
        export(clip, tmp_path / "post.mp4", Recipe(**arguments))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [normalize, lambda s, d: export(s, d, Recipe(preset="discord"))])
def test_a_full_disk_leaves_the_old_file_and_no_partial_one(make, tmp_path, monkeypatch):
    src = write_clip(tmp_path / "clip.mp4", duration_s=1, size=(64, 36))
    dst = tmp_path / "out.mp4"
    dst.write_bytes(b"the one before")

    def no_room(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(partial.os, "fsync", no_room)
    with pytest.raises(DiskFull, match=r"out\.mp4"):
        make(src, dst)

    assert dst.read_bytes() == b"the one before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_a_thumbnail_is_the_picture_of_its_time(clip, tmp_path):
    size = thumbnail(clip, tmp_path / "a.jpg", at_s=2.05)
    thumbnail(clip, tmp_path / "b.jpg", at_s=99.0)

    with Image.open(tmp_path / "a.jpg") as flash, Image.open(tmp_path / "b.jpg") as last:
        assert flash.size == size == (640, 360)
        assert flash.convert("L").getpixel((320, 180)) > 220
        assert last.convert("L").getpixel((320, 180)) < 150


@pytest.mark.parametrize(
    ("framing", "size", "share"),
    [
        (Framing(layout="fit", shape="4:5"), (864, 1080), 1.0),
        (Framing(layout="follow"), (1080, 1080), 0.5625),
        (
            Framing(layout="stack", camera=Rectangle(x=0, y=0, width=0.25, height=0.25), game="whole"),
            (1080, 1080),
            1.0,
        ),
    ],
)
def test_a_layout_makes_a_post_of_its_shape_and_says_what_is_seen(framing, size, share, clip, tmp_path):
    dst = tmp_path / "post.mp4"

    result = export(clip, dst, Recipe(preset="square", start_s=1.25, end_s=1.75, framing=framing))

    assert (result.width, result.height, num_frames(dst)) == (*size, 15)
    assert result.shown_share == pytest.approx(share, abs=0.005)


def test_a_preset_without_a_shape_of_its_own_takes_that_of_the_layout(clip, tmp_path):
    framing = Framing(layout="crop", shape="9:16")

    result = export(clip, tmp_path / "post.mp4", Recipe(preset="discord", end_s=0.5, framing=framing))

    assert (result.width, result.height) == (720, 1280)


def test_a_layout_that_cannot_be_is_refused_before_anything_is_decoded(clip, tmp_path):
    with pytest.raises(MediaUnusable, match="camera"):
        export(clip, tmp_path / "post.mp4", Recipe(preset="square", framing=Framing(layout="stack")))
