"""How words sound, and the grammar of expected phrases."""

from __future__ import annotations

import itertools

import pytest

from coordinator.speech.grammar import MAX_PHRASE_WORDS, MAX_PHRASES, build_grammar
from coordinator.speech.pronounce import number_words, pronounce

DICTIONARY = {
    word: [tuple(phones.split())]
    for word, phones in {
        "one": "W AH N",
        "four": "F AO R",
        "twenty": "T W EH N T IY",
        "v": "V IY",
        "g": "JH IY",
        "clip": "K L IH P",
        "head": "HH EH D",
        "shot": "SH AA T",
        "camp": "K AE M P",
        "let's": "L EH T S",
        "boss": "B AO S",
        "stun": "S T AH N",
        "that": "DH AE T",
    }.items()
} | {"the": [("DH", "AH"), ("DH", "IY")]}


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        pytest.param("clip", "K L IH P", id="in the dictionary"),
        pytest.param("Clip!", "K L IH P", id="case and punctuation do not matter"),
        pytest.param("let’s", "L EH T S", id="a typographic apostrophe"),
        pytest.param("1v4", "W AH N V IY F AO R", id="numbers and a letter"),
        pytest.param("24", "T W EH N T IY F AO R", id="a number of two words"),
        pytest.param("one-shot", "W AH N SH AA T", id="a hyphen"),
        pytest.param("headshot", "HH EH D SH AA T", id="two words written as one"),
        pytest.param("clips", "K L IH P S", id="voiceless plural"),
        pytest.param("heads", "HH EH D Z", id="voiced plural"),
        pytest.param("bosses", "B AO S IH Z", id="sibilant plural"),
        pytest.param("camped", "K AE M P T", id="voiceless past"),
        pytest.param("headed", "HH EH D IH D", id="past after d"),
        pytest.param("stunned", "S T AH N D", id="past with a doubled letter"),
        pytest.param("camper", "K AE M P ER", id="who does it"),
        pytest.param("clip🎉", "K L IH P", id="what is not said"),
        pytest.param("gg", "JH IY JH IY", id="spelled"),
    ],
)
def test_a_word_is_said_as_its_parts_are(word: str, phones: str) -> None:
    assert pronounce(word, DICTIONARY) == (tuple(phones.split()),)


@pytest.mark.parametrize("word", ["", "?!", "zorblax", "привет", "x" * 10_000, "9" * 10_000])
def test_a_word_of_no_known_parts_has_no_sound(word: str) -> None:
    assert pronounce(word, DICTIONARY) == ()


def test_every_way_to_say_a_word_is_kept() -> None:
    assert pronounce("the", DICTIONARY) == (("DH", "AH"), ("DH", "IY"))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety nine"),
        (105, "one hundred five"),
        (2_026, "two thousand twenty six"),
        (12_345, "one two three four five"),
    ],
)
def test_numbers_are_said_in_words(number: int, words: str) -> None:
    assert " ".join(number_words(number)) == words


def test_a_phrase_with_an_unknown_word_is_left_out_with_the_reason() -> None:
    grammar = build_grammar(["clip that", "clip zorblax"], DICTIONARY)

    assert grammar.dropped == (("clip zorblax", "no pronunciation for zorblax"),)
    assert sorted(grammar.texts.values()) == ["clip", "that"]


def test_what_a_phrase_is_written_with_never_becomes_grammar() -> None:
    grammar = build_grammar(["clip; public <x> = that;"], DICTIONARY)

    assert "<x>" not in grammar.jsgf


def test_words_keep_the_spelling_they_were_given() -> None:
    assert set(build_grammar(["Clip THAT"], DICTIONARY).texts.values()) == {"Clip", "THAT"}


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [("  ", "it is empty"), (" ".join(["clip"] * (MAX_PHRASE_WORDS + 1)), f"more than {MAX_PHRASE_WORDS}")],
)
def test_a_phrase_that_is_none_is_left_out(phrase: str, reason: str) -> None:
    [(dropped, why)] = build_grammar([phrase], DICTIONARY).dropped

    assert dropped == phrase
    assert reason in why


def test_the_number_of_phrases_is_bounded() -> None:
    ways = itertools.product(("clip", "that", "one", "four", "head", "shot", "camp", "stun"), repeat=4)
    phrases = [" ".join(words) for words in itertools.islice(ways, MAX_PHRASES + 1)]

    assert [phrase for phrase, _ in build_grammar(phrases, DICTIONARY).dropped] == phrases[-1:]
