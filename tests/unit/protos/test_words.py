"""Words as both sides index and ask for them."""

from __future__ import annotations

import pytest

from protos.words import MAX_QUERY_WORDS, Term, nearest, num_slips, terms_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("He SCORES!", ["he", "scores"]),
        ("don't, can\u2019t", ["dont", "cant"]),
        ("Café Müller, naïve", ["cafe", "muller", "naive"]),
        ("2-0 at 45:10", ["2", "0", "at", "45", "10"]),
        ("under_score", ["under", "score"]),
        ("ゴールだ yes", ["コ", "ー", "ル", "た", "yes"]),
        ("進球 gg", ["進", "球", "gg"]),
        ("골이다", ["골이다"]),
        ("مرحبا بك", ["مرحبا", "بك"]),
        ("ﬁnal ＡＢＣ", ["final", "abc"]),
        ("\x00'%_ --", []),
        ("x" * 100, ["x" * 40]),
    ],
)
def test_case_accents_and_apostrophes_do_not_count(text, words):
    assert words_of(text) == words


def test_quoted_words_follow_one_another_and_bare_ones_may_go_on():
    assert terms_of('what "a goal" messi go') == [
        Term(words=("what",), is_open=True),
        Term(words=("a", "goal"), is_open=False),
        Term(words=("messi",), is_open=True),
        Term(words=("go",), is_open=False),
    ]


def test_a_quotation_that_does_not_end_is_one_to_the_end():
    assert terms_of('"a goal') == [Term(words=("a", "goal"), is_open=False)]


def test_what_is_written_without_spaces_is_a_phrase():
    assert terms_of("進球") == [Term(words=("進", "球"), is_open=False)]


def test_no_query_is_longer_than_it_may_be():
    terms = terms_of(" ".join(f"w{number}" for number in range(50)) + ' "' + "a b " * 50 + '"')

    assert sum(len(term.words) for term in terms) == MAX_QUERY_WORDS


@pytest.mark.parametrize("query", ["", "  ", '""', '"', "' | & ! <-> :*", "---"])
def test_signs_alone_ask_for_nothing(query):
    assert terms_of(query) == []


@pytest.mark.parametrize(
    ("one", "other", "num"),
    [
        ("goal", "goal", 0),
        ("gaol", "goal", 1),
        ("mesi", "messi", 1),
        ("", "ab", 2),
        ("scoers", "scores", 1),
        ("abc", "xyz", 3),
    ],
)
def test_slips_are_counted_both_ways(one, other, num):
    assert num_slips(one, other) == num_slips(other, one) == num


def test_a_short_word_may_have_one_slip_and_a_long_one_two():
    assert nearest("gaol", ["goal", "gaols", "foul"], most=3) == ["goal", "gaols"]
    assert nearest("ronaldoo", ["romaldo", "rivaldo"], most=3) == ["romaldo"]


def test_a_word_of_two_letters_is_no_slip_of_another():
    assert nearest("go", ["no", "so"], most=5) == []


def test_an_apostrophe_asks_for_no_letter_of_its_own():
    assert terms_of("don't") == [Term(words=("dont",), is_open=True)]
