"""A cut shows the pictures of its part, each of them and no other, copied bit for bit wherever that is possible."""

from pathlib import Path

import av
import numpy as np
import pytest

from coordinator.errors import MediaUnusable
from coordinator.media.output.cut import cut
from tests.fakes.flash_clip import beeps_s, flashes_s, write_clip
from tests.fakes.sound_clip import write_sounds
from tests.fakes.sounds import tone

FPS = 30
SIZE = (160, 90)
# How a source was encoded: x264's options, seconds between key frames, the container.
SOURCES = {
    "no B pictures": (None, 1.0, "mp4"),
    "B pictures": ({"preset": "veryfast", "x264-params": "bframes=3:b-adapt=0:scenecut=0"}, 2.0, "mp4"),
    "a pyramid of B pictures": ({"preset": "veryfast", "x264-params": "bframes=7:b-adapt=0"}, 2.0, "mp4"),
    "baseline": ({"preset": "veryfast", "profile": "baseline"}, 1.0, "mp4"),
    "Matroska, which has no DTS": ({"preset": "veryfast", "x264-params": "scenecut=0"}, 1.0, "mkv"),
    "open GOPs": ({"preset": "veryfast", "x264-params": "open-gop=1:scenecut=0"}, 1.0, "mp4"),
    "MPEG-TS, which knows no key frames": ({"preset": "veryfast"}, 1.0, "ts"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    return {
        name: write_clip(folder / f"{n}.{ext}", duration_s=5, size=SIZE, x264=x264, gop_s=gop_s)
        for n, (name, (x264, gop_s, ext)) in enumerate(SOURCES.items())
    }


def pictures_of(path: Path) -> list[tuple[float, np.ndarray]]:
    """Time from the file's start and luma of every picture."""
    with av.open(str(path)) as container:
        zero_s = (container.start_time or 0) / av.time_base
        return [
            (
                frame.time - zero_s,
                np.frombuffer(frame.planes[0], np.uint8)
                .reshape(-1, frame.planes[0].line_size)[: frame.height, : frame.width]
                .copy(),
            )
            for frame in container.decode(video=0)
        ]


def compare(src: Path, dst: Path, start_s: float, end_s: float) -> int:
    """Check picture by picture that `dst` is the part of `src`; returns how many are equal bit for bit."""
    wanted = [
        (time_s, luma)
        for time_s, luma in pictures_of(src)
        if start_s - 1 / FPS + 0.001 < time_s < end_s - 0.5 / FPS
    ]
    found = pictures_of(dst)
    assert len(found) == len(wanted)
    num_equal = 0
    for (time_s, luma), (in_source_s, original) in zip(found, wanted, strict=True):
        assert time_s == pytest.approx(in_source_s - wanted[0][0], abs=0.0015)
        num_equal += bool((luma == original).all())
        assert np.mean((luma.astype(float) - original) ** 2) < 8  # 39 dB
    return num_equal


@pytest.mark.parametrize(
    ("name", "method", "num_encoded"),
    [
        ("no B pictures", "smart", 21),  # 1.3 s to the key frame at 2 s
        ("B pictures", "smart", 24),  # and three at the end, which need the one behind it
        ("a pyramid of B pictures", "smart", 28),
        ("baseline", "smart", 21),
        ("Matroska, which has no DTS", "smart", 22),
        ("open GOPs", "encode", 84),  # no picture within stands alone
        ("MPEG-TS, which knows no key frames", "encode", 84),
    ],
)
def test_every_picture_of_the_part_is_there_and_only_those_at_the_seams_are_encoded(
    name, method, num_encoded, sources, tmp_path
):
    src, dst = sources[name], tmp_path / "cut.mp4"
    start_s, end_s = 1.3, 4.1

    done = cut(src, dst, start_s=start_s, end_s=end_s)
    num_equal = compare(src, dst, start_s, end_s)

    assert done.method == method
    # An encoder may hit upon the very pixels: the more.
    assert num_equal >= 84 - num_encoded
    assert done.duration_s == pytest.approx(end_s - start_s, abs=0.002)
    flashes, beeps = ([t for t in marks if t > 0.2] for marks in (flashes_s(dst), beeps_s(dst)))
    assert np.abs(np.subtract(flashes, beeps)).max() <= 0.020


def test_the_end_alone_is_encoded_where_the_start_is_a_key_frame(sources, tmp_path):
    src, dst = sources["a pyramid of B pictures"], tmp_path / "cut.mp4"

    done = cut(src, dst, start_s=2.0, end_s=2.6)

    assert done.method == "smart"
    assert 9 <= compare(src, dst, 2.0, 2.6) < 18


def test_a_part_close_to_the_start_of_an_mpeg_ts_begins_with_its_own_picture(sources, tmp_path):
    src, dst = sources["MPEG-TS, which knows no key frames"], tmp_path / "cut.mp4"

    cut(src, dst, start_s=0.1, end_s=2.5)

    compare(src, dst, 0.1, 2.5)


def test_a_cut_of_a_cut_is_exact_as_well(sources, tmp_path):
    src, first, second = sources["B pictures"], tmp_path / "first.mp4", tmp_path / "second.mp4"

    cut(src, first, start_s=0.7, end_s=4.5)
    done = cut(first, second, start_s=0.5, end_s=2.5)

    assert done.method == "smart"
    assert len(pictures_of(second)) == 60
    compare(first, second, 0.5, 2.5)


def test_every_track_of_sound_stays_under_its_name(tmp_path):
    src = write_sounds(
        tmp_path / "clip.mp4",
        {"mix": tone(3.0, 400), "mic": tone(3.0, 800), "music": tone(3.0, 1200)},
        codec="aac",
    )

    done = cut(src, tmp_path / "cut.mp4", start_s=0.7, end_s=2.2)

    assert done.method == "encode"  # x264's key frames are 250 pictures apart, and none lies within
    with av.open(str(tmp_path / "cut.mp4")) as container:
        names = [stream.metadata["handler_name"] for stream in container.streams.audio]
        are_default = [bool(stream.disposition & stream.disposition.default) for stream in container.streams]
    assert names == ["mix", "mic", "music"]
    assert are_default == [True, True, False, False]


def joined(parts: list[Path], dst: Path) -> Path:
    """Put files one behind the other under the header of the first, as a recording whose encoder was replaced."""
    with av.open(str(dst), "w") as out:
        offset = 0
        track = None
        for path in parts:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                track = track or out.add_stream_from_template(stream)
                header = bytes(stream.codec_context.extradata or b"")
                for packet in container.demux(stream):
                    if packet.dts is None:
                        continue
                    payload = bytes(packet)
                    if packet.is_keyframe:  # its own parameter sets before it
                        payload = sets_of(header) + payload
                    copy = av.Packet(payload)
                    copy.pts, copy.dts = packet.pts + offset, packet.dts + offset
                    copy.time_base, copy.duration = packet.time_base, packet.duration
                    copy.is_keyframe, copy.stream = packet.is_keyframe, track
                    out.mux(copy)
                offset += stream.duration
    return dst


def sets_of(header: bytes) -> bytes:
    """One SPS and one PPS of an `avcC` box, each behind its length of four bytes."""
    length = int.from_bytes(header[6:8], "big")
    sps, rest = header[8 : 8 + length], header[8 + length :]
    pps = rest[3 : 3 + int.from_bytes(rest[1:3], "big")]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in (sps, pps))


def test_across_a_change_of_parameters_all_is_encoded(tmp_path):
    settings = [{"preset": "veryfast", "x264-params": f"bframes={n}:ref={1 + n}"} for n in (3, 0)]
    parts = [
        write_clip(tmp_path / f"{n}.mp4", duration_s=2, size=SIZE, has_sound=False, x264=x264)
        for n, x264 in enumerate(settings)
    ]
    src, dst = joined(parts, tmp_path / "epochs.mp4"), tmp_path / "cut.mp4"

    done = cut(src, dst, start_s=0.5, end_s=3.5)

    assert done.method == "encode"
    assert len(pictures_of(dst)) == 90
    compare(src, dst, 0.5, 3.5)


def test_nothing_from_before_the_start_is_in_the_file(sources, tmp_path):
    dst = tmp_path / "cut.mp4"

    cut(sources["B pictures"], dst, start_s=1.3, end_s=4.0)

    with av.open(str(dst)) as container:
        packets = [p for p in container.demux() if p.pts is not None and p.size]
    assert min(p.pts * p.time_base for p in packets) >= 0
    assert not any(p.is_discard for p in packets)


def test_a_part_behind_the_end_is_refused(sources, tmp_path):
    with pytest.raises(MediaUnusable):
        cut(sources["no B pictures"], tmp_path / "cut.mp4", start_s=60.0, end_s=61.0)

    assert list(tmp_path.iterdir()) == []
