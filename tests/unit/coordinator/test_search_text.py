"""Words as they are indexed and asked for."""

from __future__ import annotations

import pytest

from coordinator.search.text import MAX_QUERY_WORDS, Term, nearest, num_slips, terms_of, tsquery, words_of


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


def test_a_question_asks_its_own_account_alone():
    terms = terms_of('messi "a goal"')

    assert tsquery(terms, 26) == "('1a_messi':*) & ('1a_a' <-> '1a_goal')"
    assert tsquery(terms, 26, is_any=True, is_exact=True) == "('1a_messi') | ('1a_a' <-> '1a_goal')"


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
