"""Pictures through encoders that come and go, with the real x264: every epoch decodes alone."""

from __future__ import annotations

import dataclasses

import av
import numpy as np
import pytest

from agent.encode.choose import Encoders
from agent.encode.quality import Quality, plans_of
from agent.encode.stream import PictureStream
from agent.encode.video import VideoEncoder, stamp_ns
from agent.errors import EncoderUnavailable
from protos.timebase import SECOND_NS

RATE = 10
FRAME_NS = SECOND_NS // RATE


def picture(width=320, height=180, value=100):
    return av.VideoFrame.from_ndarray(np.full((height * 3 // 2, width), value, np.uint8), format="yuv420p")


class Epochs:
    """A stream and what came out of it: packets by epoch."""

    def __init__(self, *, size=(320, 180), encoders=None, **wish) -> None:
        quality = Quality(**({"frame_rate": RATE} | wish))
        self.plans = plans_of(quality, *size)
        self.gaps: list[int] = []
        self.stream = PictureStream(
            encoders or Encoders(encoder="libx264"),
            plan=self.plans[0],
            width_px=size[0],
            height_px=size[1],
            rate_bps=0,
            gap_reason=self._gap_reason,
            on_epoch=self._begin,
            on_packet=self._take,
        )
        self.tracks = [self.stream.track]
        self.starts = [(0, "start")]
        self.packets = [[]]

    def _take(self, packet):
        self.packets[-1].append(packet)

    def _gap_reason(self, since_ns):
        self.gaps.append(since_ns)
        return "screen"

    def _begin(self, track, start_ns, reason):
        self.tracks.append(track)
        self.starts.append((start_ns, reason))
        self.packets.append([])

    def feed(self, numbers, **how):
        """Pictures by their number in a steady row of ticks."""
        for number in numbers:
            self.stream.encode(picture(value=number % 200, **how), number * FRAME_NS)

    @property
    def reasons(self):
        return [reason for _, reason in self.starts]

    def check(self):
        """Each epoch begins with a key frame at its start, lies wholly within it, and decodes alone."""
        ends = [start_ns for start_ns, _ in self.starts[1:]] + [2**62]
        for track, (start_ns, _), end_ns, packets in zip(
            self.tracks, self.starts, ends, self.packets, strict=True
        ):
            assert packets[0].is_key_frame
            assert start_ns in (0, packets[0].pts_ns)
            assert all(start_ns <= packet.pts_ns < end_ns for packet in packets)
            decoder = av.CodecContext.create(track.codec, "r")
            decoder.extradata = track.extradata
            pictures = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.payload))]
            pictures += decoder.decode(None)
            assert {(frame.width, frame.height) for frame in pictures} == {(track.width_px, track.height_px)}
            assert len(pictures) == len(packets)


def test_a_steady_picture_is_one_epoch():
    epochs = Epochs()
    epochs.feed(range(25))

    assert epochs.reasons == ["start"]
    epochs.check()


def test_a_source_of_another_size_begins_an_epoch_and_so_does_the_way_back():
    epochs = Epochs()
    epochs.feed(range(5))
    epochs.feed(range(5, 18), width=256, height=160)
    epochs.feed(range(18, 22))

    assert epochs.reasons == ["start", "size", "size"]
    assert [(track.width_px, track.height_px) for track in epochs.tracks] == [
        (320, 180),
        (256, 160),
        (320, 180),
    ]
    assert epochs.stream.track == epochs.tracks[-1]
    epochs.check()


def test_a_window_that_is_dragged_to_another_size_begins_an_epoch_a_second_and_ends_in_its_own():
    epochs = Epochs()
    for number in range(25):
        epochs.feed([number], width=320 + 4 * number, height=180)
    epochs.feed(range(25, 40), width=420, height=180)

    assert epochs.reasons == ["start", *["size"] * 4]
    starts = [start_ns // FRAME_NS for start_ns, _ in epochs.starts]
    assert starts == [0, 1, 11, 21, 31]
    assert epochs.tracks[-1].width_px == 420
    epochs.check()


def test_a_size_that_the_tiers_bound_hides_begins_none():
    epochs = Epochs(size=(2560, 1440), tier="free")
    epochs.feed(range(2), width=2560, height=1440)
    epochs.feed(range(2, 4), width=1920, height=1080)

    assert epochs.reasons == ["start"]
    assert (epochs.tracks[0].width_px, epochs.tracks[0].height_px) == (1280, 720)
    assert epochs.stream.source_size == (1920, 1080)
    epochs.check()


def test_a_source_that_changed_before_its_first_picture_begins_an_epoch():
    epochs = Epochs(size=(640, 360))
    epochs.feed(range(3))

    assert epochs.starts[1] == (0, "size")
    assert epochs.packets[0] == []


@pytest.mark.parametrize(
    ("pause_ns", "reasons"), [(2 * SECOND_NS, ["start"]), (3 * SECOND_NS, ["start", "screen"])]
)
def test_more_than_two_seconds_without_a_picture_begin_an_epoch(pause_ns, reasons):
    epochs = Epochs()
    epochs.feed(range(5))
    first_track = epochs.stream.track
    later = 4 + pause_ns // FRAME_NS
    epochs.feed(range(later, later + 5))

    assert epochs.reasons == reasons
    assert epochs.gaps == [stamp_ns(4 * FRAME_NS)] * (len(reasons) - 1)
    assert epochs.stream.track == first_track
    epochs.check()


def test_a_requested_epoch_begins_with_the_next_picture_and_keeps_the_encoder():
    epochs = Epochs()
    epochs.feed(range(5))
    epochs.stream.request_epoch("suspended")
    epochs.feed(range(5, 10))

    assert epochs.starts[1:] == [(stamp_ns(5 * FRAME_NS), "suspended")]
    assert epochs.tracks[0] == epochs.tracks[1]
    epochs.check()


def test_an_epochs_start_is_its_first_packets_own_stamp_to_the_nanosecond():
    # stamps are rounded to 1/90,000 s: a start that is not would leave its key frame in the epoch before
    for offset_ns in range(0, 12_000, 1_111):
        epochs = Epochs()
        epochs.stream.encode(picture(), 0)
        epochs.stream.request_epoch("stopped")
        epochs.stream.encode(picture(), SECOND_NS + offset_ns)

        assert epochs.starts[1][0] == epochs.packets[1][0].pts_ns


@pytest.mark.parametrize(
    ("wish", "level", "reason"),
    [
        ({"frame_rate": 60, "tier": "free"}, 1, "encoder"),
        ({"frame_rate": RATE, "preset": "superfast", "tier": "free"}, 1, "encoder"),
        ({"frame_rate": RATE}, 1, "size"),  # 1080p to 720p
    ],
)
def test_each_step_of_the_ladder_begins_an_epoch_with_its_reason(wish, level, reason):
    epochs = Epochs(size=(1920, 1080), **wish)
    epochs.feed([0, 1], width=1920, height=1080)
    epochs.stream.plan = epochs.plans[level]
    epochs.feed([2, 12], width=1920, height=1080)
    epochs.stream.plan = epochs.plans[0]
    epochs.feed([13, 14], width=1920, height=1080)

    assert epochs.reasons == ["start", reason, reason]
    assert epochs.tracks[0] == epochs.tracks[2] != epochs.tracks[1]
    epochs.check()


def test_a_step_that_changes_neither_size_rate_nor_encoder_begins_no_epoch():
    epochs = Epochs(has_proxy=True)
    epochs.feed(range(2))
    epochs.stream.plan = dataclasses.replace(epochs.plans[0], has_proxy=False, taken=("no proxy",))
    epochs.feed(range(2, 4))

    assert epochs.reasons == ["start"]


class Breaking(VideoEncoder):
    """Hardware, played by x264, that fails at its seventh picture."""

    def __init__(self, *, encoder: str, **settings) -> None:
        super().__init__(encoder="libx264", **settings)
        if encoder != "libx264":
            self.track = dataclasses.replace(self.track, encoder=encoder)
        self._num_left = 6

    def encode(self, picture, time_ns):
        if self.track.encoder != "libx264":
            self._num_left -= 1
            if self._num_left < 0:
                raise EncoderUnavailable("h264_nvenc failed at a picture: device lost")
        return super().encode(picture, time_ns)


@pytest.mark.logs("encoder_given_up")
def test_an_encoder_that_fails_in_the_middle_gives_way_to_x264_without_losing_a_picture():
    epochs = Epochs(encoders=Encoders(encoder="h264_nvenc", platform="linux", open_encoder=Breaking))
    assert epochs.tracks[0].encoder == "h264_nvenc"
    epochs.feed(range(20))

    assert epochs.starts[1:] == [(stamp_ns(6 * FRAME_NS), "encoder")]
    assert [track.encoder for track in epochs.tracks] == ["h264_nvenc", "libx264"]
    assert epochs.stream.encoder_reason == "h264_nvenc failed at a picture: device lost; libx264 instead"
    assert [len(packets) for packets in epochs.packets] == [6, 14]
    epochs.check()


class Swallowing(VideoEncoder):
    """Takes pictures and gives none."""

    def encode(self, picture, time_ns):
        self._codec = type("Mute", (), {"encode": lambda _self, _picture: []})()
        return super().encode(picture, time_ns)


def test_an_encoder_that_gives_nothing_back_has_failed():
    encoder = Swallowing(width_px=320, height_px=180, frame_rate=RATE)

    with pytest.raises(EncoderUnavailable, match="took 17 pictures and gave none"):
        for number in range(20):
            encoder.encode(picture(), number * FRAME_NS)


def test_a_picture_that_is_too_late_or_too_small_is_left_out():
    epochs = Epochs()
    epochs.feed(range(3))

    assert epochs.stream.encode(picture(), 2 * FRAME_NS) is None
    assert epochs.stream.encode(picture(16, 16), 3 * FRAME_NS) is None
    assert epochs.reasons == ["start"]
