"""One decode feeds many files: each has its own rate, length and drawings, and nobody draws on another's picture."""

from fractions import Fraction

import numpy as np
import pytest
from av.video.frame import VideoFrame

from coordinator.media.output.render import Look, Sheet, Stretch, render_all
from coordinator.media.picture.frames import blank, planes_of

SIZE_PX = (64, 36)


class Seen:
    """A writer that keeps the first pixel of each picture and the number of samples."""

    def __init__(self):
        self.pixels = []
        self.samples = []

    def write_picture(self, frame):
        self.pixels.append(int(planes_of(frame)[0][0, 0]))

    def write_sound(self, samples):
        self.samples += samples[0].tolist()


class Brighter:
    """Draws by adding to what is there, so that drawing twice shows."""

    def draw(self, frame, time_s):
        planes_of(frame)[0][0, 0] += 100


def picture(luma):
    frame = blank(*SIZE_PX)
    for plane in planes_of(frame):
        plane[:] = luma
    return frame


def unchanged(frame: VideoFrame) -> VideoFrame:
    return frame


def stretch(*lumas, every_s=0.2, length_s=None):
    return Stretch(pictures=[(every_s * k, picture(luma)) for k, luma in enumerate(lumas)], length_s=length_s)


def sheet(rate=10, look=None, **more):
    looks = more.pop("looks", None) or [look or Look(compose=unchanged)]
    return Sheet(
        writer=Seen(), rate=Fraction(rate), looks=looks, has_sound=more.pop("has_sound", False), **more
    )


def test_a_picture_that_is_shown_twice_is_drawn_on_once_each_time():
    drawn = sheet(look=Look(compose=unchanged, drawings=[Brighter()]))

    render_all([stretch(10, 20, length_s=0.4)], [drawn])

    assert drawn.writer.pixels == [110, 110, 120]


def test_files_that_share_a_composition_do_not_see_each_others_drawings():
    drawn, clean = sheet(look=Look(compose=unchanged, drawings=[Brighter()])), sheet()

    render_all([stretch(10, 20, every_s=0.1)], [drawn, clean])

    assert (drawn.writer.pixels, clean.writer.pixels) == ([110, 120], [10, 20])


def test_a_composition_of_equal_shape_is_made_once_a_picture():
    calls = []

    def compose(frame):
        calls.append(frame)
        return frame

    render_all([stretch(1, 2, 3, every_s=0.1)], [sheet(look=Look(compose=compose)) for _ in range(3)])

    assert len(calls) == 3


def test_each_file_has_its_own_rate():
    fast, slow = sheet(rate=20), sheet(rate=5)

    render_all([stretch(1, 2, 3, 4, every_s=0.1, length_s=0.4)], [fast, slow])

    assert fast.writer.pixels == [1, 1, 2, 2, 3, 3, 4]
    # Of two pictures that fall on one tick the later is shown.
    assert slow.writer.pixels == [2, 3]


def test_a_file_may_leave_a_stretch_out_or_end_early():
    whole, without, short = (
        sheet(looks=[Look(compose=unchanged)] * 2),
        sheet(looks=[None, Look(compose=unchanged)]),
        sheet(looks=[Look(compose=unchanged)] * 2, max_ticks=3),
    )

    intro, clip = stretch(1, 2, every_s=0.1, length_s=0.2), stretch(3, 4, every_s=0.1, length_s=0.2)
    render_all([intro, clip], [whole, without, short])

    assert whole.writer.pixels == [1, 2, 3, 4]
    assert without.writer.pixels == [3, 4]
    assert short.writer.pixels == [1, 2, 3]


def test_sound_of_a_later_stretch_begins_with_its_picture():
    def tone():
        yield np.full((2, 2400), 0.5, np.float32)

    heard = sheet(
        looks=[Look(compose=unchanged, sound=tone()), Look(compose=unchanged, sound=tone())], has_sound=True
    )

    render_all([stretch(1, 2, every_s=0.1, length_s=0.2)] * 2, [heard])

    # 50 ms of sound, silence until the second stretch at 200 ms, sound again.
    loud = np.flatnonzero(heard.writer.samples)
    assert (loud[0], loud[2399], loud[2400], loud[-1]) == (0, 2399, 9600, 11_999)


def test_one_sound_is_heard_whole_in_every_file_that_shares_it():
    def tone():
        for step in range(4):
            yield np.full((2, 4800), step + 1, np.float32)

    shared = tone()
    files = [sheet(rate=rate, look=Look(compose=unchanged, sound=shared), has_sound=True) for rate in (10, 5)]

    render_all([stretch(1, 2, 3, 4, every_s=0.1, length_s=0.4)], files)

    assert [len(each.writer.samples) for each in files] == [19_200, 19_200]


def test_progress_goes_up_to_the_whole():
    told = []

    render_all([stretch(1, 2, 3, 4, every_s=0.25, length_s=1.0)], [sheet(rate=4)], on_progress=told.append)

    assert told == pytest.approx([0.25, 0.5, 0.75, 1.0])
