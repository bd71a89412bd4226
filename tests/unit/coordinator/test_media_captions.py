"""Which words stand on screen together, and how they are drawn."""

import itertools

import av
import numpy as np
import pytest

from coordinator.media.captions.burning import Captioner, CaptionStyle, draw_words, drawable_text, write_srt
from coordinator.media.captions.cards import MAX_CHARACTERS, MAX_WORDS, cards_of, words_within
from coordinator.media.picture.frames import planes_of
from coordinator.model.speech import Word


def spoken(text, *, start_s=0.0, step_s=0.3, length_s=0.25):
    return [
        Word(text=t, start_s=start_s + k * step_s, end_s=start_s + k * step_s + length_s)
        for k, t in enumerate(text.split())
    ]


def texts(cards):
    return [" ".join(card.texts) for card in cards]


def test_cards_are_short_and_break_where_a_sentence_ends():
    words = spoken("Oh my god, that was insane! He just did it again and again")

    cards = cards_of(words, duration_s=60)

    assert texts(cards) == ["Oh my god,", "that was insane!", "He just did it", "again and again"]
    assert all(len(c.texts) <= MAX_WORDS and len(" ".join(c.texts)) <= MAX_CHARACTERS + 1 for c in cards)


def test_a_pause_begins_a_new_card():
    words = spoken("wait") + spoken("what", start_s=1.0)

    assert texts(cards_of(words, duration_s=60)) == ["wait", "what"]


def test_cards_never_overlap_and_end_with_the_clip():
    cards = cards_of(spoken(" ".join("one two three four five six seven".split() * 5)), duration_s=10.6)

    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(cards))
    assert cards[-1].end_s <= 10.6


def test_words_outside_the_span_are_left_out_and_the_rest_is_counted_from_its_start():
    words = spoken("before", start_s=1.0) + spoken("inside", start_s=5.0) + spoken("after", start_s=9.0)

    found = words_within(words, start_s=4.5, end_s=8.0)

    assert [(w.text, w.start_s, w.end_s) for w in found] == [("inside", 0.5, 0.75)]


def test_blank_words_are_left_out():
    assert words_within([Word(text="  ", start_s=0, end_s=1)], start_s=0, end_s=2) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's", "IT'S"),
        ("straße", "STRASSE"),
        ("это", "ЭТО"),
        ("go🔥", "GO"),  # no glyph: better left out than a box
        ("日本", ""),
        ("...", ""),
        ("a\u200bb\u0007", "AB"),  # invisible and control characters
    ],
)
def test_only_what_the_font_can_draw_is_written(text, expected):
    assert drawable_text(text) == expected


def test_the_spoken_word_is_marked_and_the_others_keep_their_place():
    style = CaptionStyle()

    first, second = (
        np.asarray(
            draw_words(("NO", "WAY"), k, size_px=80, outline_px=9, max_width_px=900, style=style), np.int16
        )
        for k in (0, 1)
    )

    def yellow(image):
        return (image[..., 0] > 200) & (image[..., 1] > 180) & (image[..., 2] < 120) & (image[..., 3] > 200)

    assert first.shape == second.shape
    assert np.flatnonzero(yellow(first).any(axis=0)).max() < np.flatnonzero(yellow(second).any(axis=0)).min()


def test_a_word_too_long_for_the_picture_is_drawn_smaller_not_cut():
    image = draw_words(
        ("RINDFLEISCHETIKETTIERUNG",), 0, size_px=90, outline_px=9, max_width_px=500, style=CaptionStyle()
    )
    alpha = np.asarray(image)[..., 3]

    assert image.width < 640
    assert max(alpha[:, 0].max(), alpha[:, -1].max()) < 8  # of 255: the last breath of the shadow


@pytest.mark.parametrize("size", [(1080, 1920), (426, 240), (64, 36), (2, 2)])
def test_captions_fit_pictures_of_any_size(size):
    captioner = Captioner(
        spoken("absolutely insane!"), width=size[0], height=size[1], duration_s=5, style=CaptionStyle()
    )
    frame = grey_frame(*size)

    captioner.draw(frame, 0.1)

    assert frame.width == size[0]


def test_only_the_box_of_the_caption_is_touched():
    frame = grey_frame(1080, 1920)

    Captioner(spoken("no way"), width=1080, height=1920, duration_s=5, style=CaptionStyle()).draw(frame, 0.1)

    luma = planes_of(frame)[0]
    rows = np.flatnonzero((luma != 100).any(axis=1))
    assert rows.min() > 1250 and rows.max() < 1560
    assert luma.max() > 200 and luma.min() < 30


def grey_frame(width, height):
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(planes_of(frame), (100, 128, 128), strict=True):
        plane[:] = value
    return frame


def test_the_sidecar_holds_the_same_cards(tmp_path):
    path = tmp_path / "clip.srt"

    write_srt(spoken("Oh my god, that was it"), path, duration_s=10)

    assert path.read_text("utf-8").startswith("1\n00:00:00,000 --> 00:00:00,900\nOh my god,\n\n2\n")
