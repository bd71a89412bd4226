"""How captions are drawn: every script and emoji, in every style, inside what the app leaves free."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coordinator.errors import MediaUnusable
from coordinator.media.captions.burning import Captioner, Place, centred_room_px, drawn_words
from coordinator.media.captions.fonts import CAN_SHAPE, runs_of
from coordinator.media.captions.painting import CardPainter
from coordinator.media.captions.styles import style_named, styles
from coordinator.media.captions.title_card import TitleCard, draw_title
from coordinator.media.captions.typesetting import cased, drawable_text
from coordinator.media.captions.wishes import free_area
from coordinator.media.picture.frames import planes_of
from coordinator.media.picture.safe_areas import Box, safe_area
from coordinator.model.speech import Word
from tests.fakes.caption_sheet import OTHERS, TEXTS, difference, draw_row, draw_sheet, words_of

GOLDEN = Path(__file__).with_name("golden")
# Another build of FreeType moves edges by a fraction of a level; a letter that is missing is 2 % of a sheet.
MAX_DIFFERENCE = 0.004


@pytest.fixture(autouse=True, scope="module")
def shaping():
    if not CAN_SHAPE:
        pytest.skip("Pillow finds no libfribidi here: letters are not shaped")


@pytest.mark.parametrize("name", sorted(styles()))
def test_each_style_looks_as_it_did_when_somebody_looked_at_it(name):
    with Image.open(GOLDEN / f"captions_{name}.png") as golden:
        assert difference(draw_sheet(name, TEXTS), golden) < MAX_DIFFERENCE


def test_every_script_looks_as_it_did_when_somebody_looked_at_it():
    with Image.open(GOLDEN / "captions_scripts.png") as golden:
        assert difference(draw_sheet("pop", OTHERS), golden) < MAX_DIFFERENCE


def test_the_comparison_sees_one_letter_and_a_moved_mark():
    right = draw_row("clean", "en", "That was absolutely insane")

    assert difference(right, draw_row("clean", "en", "Thal was absolutely insane")) > MAX_DIFFERENCE
    assert (
        difference(draw_row("pop", "en", "no way"), draw_row("pop", "en", "no way", spoken=0))
        > MAX_DIFFERENCE
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's", "IT'S"),
        ("straße", "STRASSE"),
        ("это", "ЭТО"),
        ("αυτό", "ΑΥΤΟ"),
        ("日本", "日本"),
        ("go🔥", "GO🔥"),
        ("...", ""),
        ("a\u200bb\u0007", "AB"),  # invisible and control characters
        ("ሰላም", ""),  # Ethiopic: no font here has it
        ("ok ሰላም", "OK"),
        ("👍🏽", "👍"),  # skin tones are not in the font
        ("\U0010ffff", ""),
        ("け\U000e01d3\u0310", "け"),  # a selector and a mark that its font does not know
        ("a\u202eb", "AB"),  # turns lines about
    ],
)
def test_only_what_a_font_can_draw_is_written(text, expected):
    assert drawable_text(cased(text, "upper"), "inter-black") == expected


_PARTS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("\u200d \ufe0f \u20e3 🔥 👩 🇩 \U0001f3fd ् ก ั ش 「 っ a".split()),
)


@given(
    st.lists(st.text(_PARTS, min_size=1, max_size=8), min_size=1, max_size=4),
    st.sampled_from(sorted(styles())),
)
@settings(max_examples=60, deadline=None)
def test_no_text_is_too_odd_to_be_drawn(texts, style):
    words = [Word(text=" ".join(t.split()), start_s=k, end_s=k + 0.5) for k, t in enumerate(texts)]

    for word in drawn_words(words, style_named(style), None):
        painter = paint_one(word.text, style, width_px=200, short_px=240)
        assert painter.paint(0).width <= 200


def test_turkish_capitals_keep_their_dots():
    assert (cased("izi", "upper", "tr"), cased("izi", "upper", "en")) == ("İZİ", "IZI")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("日本OK!", [("日本", "cjk"), ("OK!", "inter-black")]),
        ("سلام!", [("سلام!", "arabic")]),  # marks look as the letters beside them
        ("👨‍👩‍👧🇩🇪1️⃣", [("👨‍👩‍👧", "emoji"), ("🇩🇪", "emoji"), ("1️⃣", "emoji")]),
        ("1❤", [("1❤", "inter-black")]),  # without a selector they are letters
        ("❤️", [("❤️", "emoji")]),
        ("♪", [("♪", "cjk")]),
    ],
)
def test_each_run_is_drawn_by_the_font_that_has_it(text, expected):
    found = [(run.text, run.face) for run in runs_of(text, "inter-black")]

    assert found == expected


def test_arabic_letters_are_joined():
    painter = paint_one("ســـ", "calm"), paint_one("س", "calm")

    # Joined to what follows, the letter has no tail: it does not reach below the line.
    assert painter[0].height_px <= painter[1].height_px


def paint_one(text, style_name, *, width_px=900, short_px=1080):
    return CardPainter(
        [text], style_named(style_name), short_px=short_px, max_width_px=width_px, max_height_px=900
    )


def yellow(image):
    rgba = np.asarray(image, np.int16)
    return (rgba[..., 0] > 200) & (rgba[..., 1] > 180) & (rgba[..., 2] < 120) & (rgba[..., 3] > 200)


@pytest.mark.parametrize(("words", "is_to_the_right"), [(("NO", "WAY"), True), (("לא", "כן"), False)])
def test_the_spoken_word_is_marked_and_the_mark_goes_as_the_script_does(words, is_to_the_right):
    painter = CardPainter(
        words, style_named("pop"), short_px=1080, max_width_px=900, max_height_px=900, language=None
    )
    first, second = (np.flatnonzero(yellow(painter.paint(k)).any(axis=0)) for k in (0, 1))

    assert (first.max() < second.min()) if is_to_the_right else (second.max() < first.min())


def test_letters_of_words_that_are_not_spoken_stay_where_they_are():
    painter = CardPainter(
        ("NO", "WAY", "BRO"), style_named("pop"), short_px=1080, max_width_px=900, max_height_px=900
    )
    first, second = (np.asarray(painter.paint(k), np.int16) for k in (0, 1))
    third_word = slice(first.shape[1] * 3 // 4, None)

    assert np.abs(first[:, third_word] - second[:, third_word]).max() == 0


@pytest.mark.parametrize("style", sorted(styles()))
def test_a_word_too_long_for_the_picture_is_drawn_smaller_not_cut(style):
    painter = paint_one("RINDFLEISCHETIKETTIERUNGSÜBERWACHUNG", style, width_px=500)
    alpha = np.asarray(painter.paint(0))[..., 3]

    assert painter.width_px <= 500
    assert max(alpha[:, 0].max(), alpha[:, -1].max(), alpha[0].max(), alpha[-1].max()) < 8  # of 255


@pytest.mark.parametrize("style", sorted(styles()))
@pytest.mark.parametrize("language, text", [*TEXTS.values(), OTHERS["thai"], OTHERS["hindi"]])
def test_nothing_is_drawn_over_the_edge_of_its_image(style, language, text):
    painter = CardPainter(
        text.split(), style_named(style), short_px=720, max_width_px=620, max_height_px=900, language=language
    )

    for spoken in range(len(text.split())):
        alpha = np.asarray(painter.paint(spoken))[..., 3]
        assert max(alpha[:, 0].max(), alpha[:, -1].max(), alpha[0].max(), alpha[-1].max()) < 8


def captioner(text, size, *, style="pop", area=None, centre_y=0.735, **place):
    area = area or safe_area("none", *size)
    where = Place(width=size[0], height=size[1], centre_y=centre_y, area=area, **place)
    return Captioner(words_of(text), place=where, duration_s=60, style=style_named(style))


@pytest.mark.parametrize("size", [(1080, 1920), (426, 240), (64, 36), (2, 2)])
def test_captions_fit_pictures_of_any_size(size):
    frame = grey_frame(*size)

    captioner("absolutely insane!", size).draw(frame, 0.1)

    is_touched = bool((planes_of(frame)[0] != 100).any())
    assert is_touched == (min(size) > 30)


@pytest.mark.parametrize("style", sorted(styles()))
@pytest.mark.parametrize("centre_y", [0.0, 0.735, 1.0])
def test_no_caption_leaves_the_area_that_the_app_leaves_free(style, centre_y):
    area = Box(left_px=41, top_px=203, right_px=467, bottom_px=751)
    frame = grey_frame(540, 960)

    captioner("absolutely insane גדול 🔥", (540, 960), style=style, area=area, centre_y=centre_y).draw(
        frame, 0.1
    )

    changed = planes_of(frame)[0] != 100
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert area.top_px <= rows.min() and rows.max() < area.bottom_px
    assert area.left_px <= columns.min() and columns.max() < area.right_px


def test_a_file_for_two_apps_keeps_clear_of_the_buttons_of_both():
    shared = free_area(("tiktok", "reels"), 1080, 1920)

    for one in (safe_area("tiktok", 1080, 1920), safe_area("reels", 1080, 1920)):
        assert shared.left_px >= one.left_px and shared.top_px >= one.top_px
        assert shared.right_px <= one.right_px and shared.bottom_px <= one.bottom_px
    assert free_area(("tiktok",), 1080, 1920) == safe_area("tiktok", 1080, 1920)


def test_captions_stand_in_the_middle_though_buttons_cover_one_side():
    area = Box(left_px=20, top_px=20, right_px=440, bottom_px=940)

    assert centred_room_px(area, 540) == 2 * (440 - 270)


def test_only_the_box_of_the_caption_is_touched():
    frame = grey_frame(1080, 1920)

    captioner("no way", (1080, 1920)).draw(frame, 0.1)

    luma = planes_of(frame)[0]
    rows = np.flatnonzero((luma != 100).any(axis=1))
    assert rows.min() > 1250 and rows.max() < 1560
    assert luma.max() > 200 and luma.min() < 30


def test_a_word_is_shown_by_the_frame_nearest_to_its_time():
    """10 frames a second: the word at 0.4 s is shown by the frame at 0.4, one at 0.44 too, one at 0.46 is not."""
    for onset_s, is_shown in ((0.4, True), (0.44, True), (0.46, False)):
        frame = grey_frame(540, 960)
        area = safe_area("none", 540, 960)
        words = [Word(text="now", start_s=onset_s, end_s=1.0)]
        place = Place(width=540, height=960, centre_y=0.7, area=area, frame_s=0.1)

        Captioner(words, place=place, duration_s=9, style=style_named("pop")).draw(frame, 0.4)

        assert bool((planes_of(frame)[0] != 100).any()) == is_shown


def grey_frame(width, height):
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(planes_of(frame), (100, 128, 128), strict=True):
        plane[:] = value
    return frame


def test_an_unknown_style_is_refused_with_those_there_are():
    with pytest.raises(MediaUnusable, match=r"'neon'.*calm, clean, karaoke, one-word, pop"):
        style_named("neon")


def test_a_title_in_any_script_is_drawn_and_stays_where_the_app_leaves_room():
    area = Box(left_px=41, top_px=203, right_px=467, bottom_px=751)
    frame = grey_frame(540, 960)

    TitleCard(
        "何が起きた？ 🔥 a very long title that goes on and on and on until nobody reads it",
        width=540, height=960, centre_y=0.0, until_s=4.0, area=area,
    ).draw(frame, 0.0)  # fmt: skip

    changed = planes_of(frame)[0] != 100
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert area.top_px <= rows.min() and rows.max() < area.bottom_px
    assert area.left_px <= columns.min() and columns.max() < area.right_px


def test_a_title_of_nothing_that_can_be_drawn_is_none():
    assert draw_title("ሰላም", 540) is None
