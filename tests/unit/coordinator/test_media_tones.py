"""High dynamic range becomes standard as the recommendations say, through the filters that do it."""

import av
import numpy as np
import pytest

from coordinator.media.picture import tones
from coordinator.media.picture.frames import Scaler, planes_of
from coordinator.media.picture.geometry import place
from coordinator.media.picture.tones import HLG, PQ, Tones, pq_nits, standard_colour


def ten_bit_frame(signal, transfer):
    """A grey picture at a share of the full signal, limited range."""
    frame = av.VideoFrame(64, 64, "yuv420p10le")
    for index, plane in enumerate(frame.planes):
        np.frombuffer(plane, np.uint16)[:] = round(64 + 876 * signal) if index == 0 else 512
    frame.color_trc, frame.colorspace, frame.color_primaries, frame.color_range = transfer, 9, 9, 1
    return frame


@pytest.mark.parametrize(
    ("signal", "nits"),
    [(0.0, 0.0), (0.1499, 1.0), (0.5081, 100.0), (0.5807, 203.0), (0.7518, 1000.0), (1.0, 10_000.0)],
)
def test_pq_is_the_light_that_its_standard_gives(signal, nits):
    assert pq_nits(np.array(signal)) == pytest.approx(nits, rel=0.005, abs=0.001)


# Below the knee (99 nits) the signal is (nits / 203) ** (1 / 2.4); above, what the roll-off leaves.
@pytest.mark.parametrize(
    ("transfer", "signal", "luma"),
    [
        (PQ, 0.0, 16),
        (PQ, 0.1499, 40),  # 1 nit
        (PQ, 0.2997, 78),  # 10 nits
        (PQ, 0.4403, 138),  # 50 nits
        (PQ, 0.5807, 213),  # diffuse white
        (PQ, 0.7518, 235),  # 1,000 nits
        (PQ, 0.95, 235),
        (HLG, 0.25, 77),
        (HLG, 0.75, 214),  # diffuse white of HLG is that of PQ
        (HLG, 1.0, 235),
    ],
)
def test_grey_comes_out_grey_and_as_bright_as_it_should(transfer, signal, luma):
    scaler = Scaler(lambda w, h: place(w, h, (64, 64), zoom=1.0), sample_aspect=None)

    planes = planes_of(scaler.scale(ten_bit_frame(signal, transfer)))

    assert [int(p[8, 8]) for p in planes] == pytest.approx([luma, 128, 128], abs=1)


def test_hues_stay_and_nothing_leaves_the_scale():
    red, green, blue = (standard_colour(np.eye(3)[n] * 0.5, PQ) for n in range(3))

    assert red.argmax() == 0 and green.argmax() == 1 and blue.argmax() == 2
    assert all(c.min() >= 0 and c.max() <= 1 for c in (red, green, blue))


def test_a_brighter_grey_is_never_darker():
    ramp = np.linspace(0, 1, 200)[:, None].repeat(3, axis=1)

    for transfer in (PQ, HLG):
        assert (np.diff(standard_colour(ramp, transfer)[:, 0]) >= -1e-9).all()


LUMA_2020, LUMA_709 = np.array([0.2627, 0.6780, 0.0593]), np.array([0.2126, 0.7152, 0.0722])


def luma_and_chroma(colours, weights):
    """Y, Cb and Cr of R'G'B', full scale; chroma is the mean of four pixels."""
    luma = colours @ weights
    chroma = [(colours[..., n] - luma) / (2 * (1 - weights[n])) for n in (2, 0)]
    return luma, *((c[::2, ::2] + c[1::2, ::2] + c[::2, 1::2] + c[1::2, 1::2]) / 4 for c in chroma)


def hdr_frame(colours, transfer):
    """A picture of encoded colours of BT.2020, shape (height, width, 3), in 10 bit 4:2:0."""
    height, width, _ = colours.shape
    frame = av.VideoFrame(width, height, "yuv420p10le")
    luma, cb, cr = luma_and_chroma(colours, LUMA_2020)
    values = 64 + 876 * luma, 512 + 896 * cb, 512 + 896 * cr
    for plane, value in zip(frame.planes, values, strict=True):
        rows = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)
        rows[:, : plane.width] = np.round(value)
    frame.color_trc, frame.colorspace, frame.color_primaries, frame.color_range = transfer, 9, 9, 1
    return frame


def ramps(height, width):
    """Colours of BT.709 up to three times diffuse white, as PQ: hue goes down, light goes across."""
    hue = np.linspace(0, 2 * np.pi, height)[:, None, None] + np.array([0, 2.1, 4.2])
    light = (0.55 + 0.45 * np.cos(hue)) * 10 ** np.linspace(0, 2.8, width)[None, :, None]
    return tones._pq_signal(light @ np.linalg.inv(tones._TO_BT709).T)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_colours_come_out_as_the_recommendations_say(transfer):
    colours = ramps(270, 480)
    shown = Tones(480, 270, transfer).standard(hdr_frame(colours, transfer))

    wanted = luma_and_chroma(standard_colour(colours, transfer), LUMA_709)

    scales = (16, 219), (128, 224), (128, 224)
    for plane, value, (zero, scale) in zip(planes_of(shown), wanted, scales, strict=True):
        off = plane - (zero + scale * value)
        assert np.sqrt((off**2).mean()) < 1.5
        assert abs(off.mean()) < 0.4


def test_a_texture_keeps_its_colour_within_four_pixels():
    """Every second line is half as bright: what the chroma's grid cannot hold, the luma does."""
    light = np.array([0.9, 0.4, 0.2]) * np.where(np.arange(64) % 2, 120.0, 60.0)[:, None, None].repeat(
        64, axis=1
    )
    colours = tones._pq_signal(light @ np.linalg.inv(tones._TO_BT709).T)
    shown = planes_of(Tones(64, 64, PQ).standard(hdr_frame(colours, PQ)))[0]

    wanted = 16 + 219 * (standard_colour(colours, PQ) @ LUMA_709)

    assert np.abs(shown - wanted).max() < 3


def test_bands_leave_no_seam(monkeypatch):
    """The last one overlaps, and the sides are no multiples of anything. The chroma's dithering goes by rows."""
    frame = hdr_frame(ramps(154, 198), PQ)
    whole = Tones(198, 154, PQ).standard(frame)
    monkeypatch.setattr(tones, "_BAND_PX", 198 * 41)

    banded = Tones(198, 154, PQ).standard(frame)

    off = [np.abs(a.astype(int) - b).max() for a, b in zip(planes_of(whole), planes_of(banded), strict=True)]
    assert off[0] == 0 and max(off) <= 1


def test_a_picture_that_is_standard_says_so_and_is_left_as_it_is():
    scaler = Scaler(lambda w, h: place(w, h, (64, 64), zoom=1.0), sample_aspect=None)
    shown = scaler.scale(ten_bit_frame(0.5807, PQ))

    again = scaler.scale(shown)

    assert all(np.array_equal(a, b) for a, b in zip(planes_of(shown), planes_of(again), strict=True))
