"""Which words stand on screen together, where lines end, and in what order they run."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.media.captions.bidi import is_right_to_left, levels_of, visual_order
from coordinator.media.captions.breaking import (
    FORBIDDEN,
    break_penalties,
    joined,
    num_columns,
    readable_words,
)
from coordinator.media.captions.cards import (
    LINGER_S,
    MAX_CHARACTERS,
    MAX_WORDS,
    MIN_CARD_S,
    CardShape,
    cards_of,
    words_within,
)
from coordinator.model.speech import Word


def spoken(text, *, start_s=0.0, step_s=0.3, length_s=0.25):
    return [
        Word(text=t, start_s=start_s + k * step_s, end_s=start_s + k * step_s + length_s)
        for k, t in enumerate(text.split())
    ]


def lines(words, **shape):
    return [card.line for card in cards_of(words, duration_s=600, shape=CardShape(**shape))]


def test_cards_are_short_and_break_where_a_sentence_ends():
    words = spoken("Oh my god, that was insane! He just did it again and again")

    cards = cards_of(words, duration_s=60)

    assert [card.line for card in cards] == [
        "Oh my god,",
        "that was insane!",
        "He just did it",
        "again and again",
    ]
    assert all(len(c.texts) <= MAX_WORDS and len(c.line) <= MAX_CHARACTERS for c in cards)


def test_a_pause_begins_a_new_card():
    words = spoken("wait") + spoken("what", start_s=1.0)

    assert lines(words) == ["wait", "what"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # An article goes with its noun, though the card before would have room for it.
        ("we walked down the street", ["we walked", "down the street"]),
        # Nobody is left alone on the last card.
        ("one two three four five", ["one two three", "four five"]),
        # An emoji stays with what was said before it.
        ("they never saw 🔥 coming at all", ["they never saw 🔥", "coming at all"]),
        # A clause ends a card rather than the third word.
        ("I said no way, you go first", ["I said no way,", "you go first"]),
    ],
)
def test_a_card_ends_where_it_reads_best(text, expected):
    assert lines(spoken(text)) == expected


def test_characters_that_stand_without_spaces_are_joined_without_any():
    words = spoken(" ".join("それは本当にすごかったと思います。"), step_s=0.12, length_s=0.12)

    assert lines(words) == ["それは本当に", "すごかったと思います。"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日はめっちゃいい試合でしたね。", ["今日は", "めっちゃいい", "試合で", "したね。"]),
        # No line begins with a comma; where a clause ends, one does.
        ("这太疯狂了，兄弟们！", ["这太疯狂了，", "兄弟们！"]),
        ("OBSの設定", ["OBSの設定"]),
        ("extraordinarily", ["extraordinarily"]),
    ],
)
def test_a_long_word_without_spaces_is_cut_into_phrases(text, expected):
    parts = readable_words([Word(text=text, start_s=1.0, end_s=3.0)])

    assert [part.text for part in parts] == expected
    assert (parts[0].start_s, parts[-1].end_s) == (1.0, pytest.approx(3.0))
    assert all(a.end_s == pytest.approx(b.start_s) for a, b in itertools.pairwise(parts))


def test_a_mark_and_a_full_stop_stay_with_their_letter():
    tokens = [Word(text=t, start_s=k, end_s=k + 1) for k, t in enumerate(["ก", "ั", "本", "。"])]

    assert [word.text for word in readable_words(tokens)] == ["กั", "本。"]


@pytest.mark.parametrize("pair", ["本、", "「本", "きゃ", "った", "かん", "เล", "กำ"])
def test_kinsoku_forbids_a_line_to_end_between(pair):
    assert break_penalties(pair)[1] >= FORBIDDEN


def test_words_that_come_too_fast_share_a_card_so_that_all_are_seen():
    words = [
        Word(text=t, start_s=1 + 0.02 * k, end_s=1.02 + 0.02 * k) for k, t in enumerate("a b c d".split())
    ]

    cards = cards_of(words, duration_s=60, shape=CardShape(max_words=1))

    assert "".join(text for card in cards for text in card.texts) == "abcd"
    assert all(card.end_s - card.start_s >= MIN_CARD_S for card in cards)


texts = st.sampled_from("no way insane! ( 本 、 「 สุ שלום 🔥 RINDFLEISCHETIKETT a, 。".split())


@given(
    st.lists(st.tuples(texts, st.floats(0, 1), st.floats(0, 1.5)), max_size=30),
    st.integers(1, 14),
    st.integers(6, 64),
)
def test_every_word_is_on_one_card_at_its_time(drawn, max_words, max_characters):
    time_s, words = 0.0, []
    for text, pause_s, length_s in drawn:
        time_s += pause_s
        words.append(Word(text=text, start_s=time_s, end_s=time_s + length_s))

    shape = CardShape(max_words=max_words, max_characters=max_characters)
    cards = cards_of(words, duration_s=100, shape=shape)

    assert "".join(t for card in cards for t in card.texts) == "".join(text for text, *_ in drawn)
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(cards))
    for card in cards:
        assert card.start_s == card.onsets_s[0] <= card.onsets_s[-1] <= card.end_s
        assert card.end_s <= max(max((w.end_s for w in words), default=0) + LINGER_S, card.start_s)


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


def test_a_kanji_is_as_wide_as_two_letters_and_a_mark_has_no_width():
    assert (num_columns("日本a"), num_columns("กั")) == (5, 1)


def test_spaces_stand_where_the_script_writes_them():
    assert joined(["日本", "語", "OK", "go"]) == "日本語 OK go"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["one", "two"], ["one", "two"]),
        (["אחת", "שתיים"], ["שתיים", "אחת"]),
        # Latin words inside Hebrew keep their own order.
        (["אחת", "good", "game", "שתיים"], ["שתיים", "good", "game", "אחת"]),
        # A number after Hebrew letters stands to their left, one after Latin letters is theirs.
        (["אחת", "3", "שתיים"], ["שתיים", "3", "אחת"]),
        (["level", "3", "אחת"], ["level", "3", "אחת"]),
        # A mark at the end of a line that runs to the left stands at its left.
        (["אחת", "!"], ["!", "אחת"]),
        (["!", "אחת", "GG"], ["GG", "אחת", "!"]),
    ],
)
def test_runs_stand_in_the_order_of_their_scripts(texts, expected):
    order = visual_order(levels_of(texts, is_rtl=is_right_to_left(texts)))

    assert [texts[index] for index in order] == expected
