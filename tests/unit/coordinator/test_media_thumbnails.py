"""The picture that stands for a clip is sharp, lit, in no transition and near the moment, and always the same one."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image, ImageFilter

from coordinator.errors import DiskFull, MediaUnusable
from coordinator.media.output.choosing import best_pictures, is_transition, light, sharpness
from coordinator.media.output.thumbnail import thumbnail, thumbnails
from tests.fakes.drawn_frames import grey_frame

SIZE = (320, 180)


def texture(seed):
    return np.random.default_rng(seed).integers(40, 210, (45, 80), np.uint8).repeat(4, 0).repeat(4, 1)


def blurred(luma, radius=6):
    return np.asarray(Image.fromarray(luma).filter(ImageFilter.GaussianBlur(radius)))


def flat(value):
    return np.full(SIZE[::-1], value, np.uint8)


def write(path, scenes, *, first=0, fps=30, gop=15):
    """Write `scenes`: (seconds, what returns the luma at a share of them); `first`: the first frame's number."""
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = *SIZE, "yuv420p", gop
        stream.codec_context.time_base = Fraction(1, fps)
        index = first
        for seconds, picture in scenes:
            num_frames = round(seconds * fps)
            for k in range(num_frames):
                container.mux(stream.encode(grey_frame(picture(k / num_frames), index=index, fps=fps)))
                index += 1
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Black, a blur, sharp pictures from 2 to 3 s, white, and sharp others from 4 to 5 s."""
    return write(
        tmp_path_factory.mktemp("clip") / "clip.mp4",
        [
            (1, lambda _: flat(16)),
            (1, lambda _: blurred(texture(1))),
            (1, lambda _: texture(1)),
            (1, lambda _: flat(235)),
            (1, lambda _: texture(2)),
        ],
    )


@pytest.mark.parametrize(("peak_s", "low_s", "high_s"), [(2.4, 2.0, 3.0), (4.5, 4.0, 5.0), (0.0, 2.0, 3.0)])
def test_the_sharp_picture_near_the_moment_is_chosen(peak_s, low_s, high_s, clip):
    assert low_s <= best_pictures(clip, count=1, peak_s=peak_s)[0].at_s < high_s


def test_the_same_file_gives_the_same_choice(clip):
    assert best_pictures(clip, count=3) == best_pictures(clip, count=3)


def test_several_are_of_different_pictures_and_apart(clip, tmp_path):
    written = thumbnails(clip, tmp_path / "post.jpg", count=2)

    assert [one.path for one in written] == [str(tmp_path / f"post-{n}.jpg") for n in (1, 2)]
    assert [one.score for one in written] == sorted((one.score for one in written), reverse=True)
    assert {2, 4} == {int(one.at_s) for one in written}
    for one in written:
        with Image.open(one.path) as image:
            assert image.size == (one.width, one.height) == SIZE


def test_one_alone_has_the_name_that_was_asked_for(clip, tmp_path):
    written = thumbnails(clip, tmp_path / "post.jpg", count=1, peak_s=2.5)

    assert [one.path for one in written] == [str(tmp_path / "post.jpg")]
    assert [p.name for p in tmp_path.iterdir()] == ["post.jpg"]


def test_a_dissolve_is_left_out(tmp_path):
    def dissolve(share):
        return (texture(1) * (1 - share) + texture(2) * share).astype(np.uint8)

    path = write(
        tmp_path / "clip.mp4", [(1.5, lambda _: texture(1)), (1, dissolve), (1.5, lambda _: texture(2))]
    )

    at_s = best_pictures(path, count=1, peak_s=2.0)[0].at_s

    assert at_s <= 1.6 or at_s >= 2.4


def test_where_all_is_black_there_is_still_a_picture(tmp_path):
    path = write(tmp_path / "clip.mp4", [(1, lambda _: flat(16))])

    written = thumbnails(path, tmp_path / "post.jpg", count=3)

    assert [one.score for one in written] == [0.0]
    assert (tmp_path / "post-1.jpg").exists()


def test_what_an_edit_list_hides_is_never_shown(tmp_path):
    # A second of sharp pictures before the start, as a stream copy from the key frame before a press has it.
    path = write(
        tmp_path / "clip.mp4",
        [(1, lambda _: texture(1)), (2, lambda _: blurred(texture(2), 2))],
        first=-30,
        gop=300,
    )

    thumbnail(path, tmp_path / "post.jpg")
    written = thumbnails(path, tmp_path / "more.jpg", count=2, peak_s=0.0)

    for shown in [tmp_path / "post.jpg", *(one.path for one in written)]:
        with Image.open(shown) as image:
            luma = np.asarray(image.convert("L"), int)
        assert np.abs(luma - blurred(texture(2), 2)).mean() < np.abs(luma - texture(1)).mean()


@pytest.mark.parametrize(("count", "peak_s"), [(0, None), (13, None), (1, -1.0), (1, float("nan"))])
def test_what_makes_no_sense_is_refused(count, peak_s, clip, tmp_path):
    with pytest.raises(MediaUnusable):
        thumbnails(clip, tmp_path / "post.jpg", count=count, peak_s=peak_s)

    assert list(tmp_path.iterdir()) == []


def test_a_blur_is_less_sharp_and_a_mixture_is_a_transition():
    one, other = texture(1).astype(np.int16), texture(2).astype(np.int16)

    assert sharpness(blurred(texture(1)).astype(np.int16)) < sharpness(one) / 5
    assert is_transition(one, (one + other) // 2, other)
    assert not is_transition(one, texture(3).astype(np.int16), other)
    assert not is_transition(one, one, one)
    assert [light(flat(v).astype(np.int16)) for v in (16, 120, 235)] == [0.0, 0.0, 0.0]


def test_several_appear_together_or_not_at_all(clip, tmp_path, monkeypatch):
    save, saved = Image.Image.save, []

    def save_one(image, path, **options):
        saved.append(path)
        if len(saved) == 2:
            raise OSError(28, "No space left on device")
        save(image, path, **options)

    monkeypatch.setattr(Image.Image, "save", save_one)
    with pytest.raises(DiskFull):
        thumbnails(clip, tmp_path / "post.jpg", count=2)

    assert len(saved) == 2
    assert list(tmp_path.iterdir()) == []
