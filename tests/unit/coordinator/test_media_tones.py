"""High dynamic range becomes standard as the recommendations say, through the filters that do it."""

import av
import numpy as np
import pytest

from coordinator.media.picture.frames import Scaler, planes_of
from coordinator.media.picture.geometry import place
from coordinator.media.picture.tones import HLG, PQ, pq_nits, standard_colour, tone_steps


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


def test_a_path_with_a_colon_is_one_argument(tmp_path):
    assert r"file=/a\:b/c.cube" in tone_steps(type(tmp_path)("/a:b/c.cube"))[1][1]
