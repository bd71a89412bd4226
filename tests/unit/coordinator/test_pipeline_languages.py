"""A session's language is learnt once, given with its later chunks, and asked again now and then."""

from __future__ import annotations

import pytest

from coordinator.model.speech import Transcript, Word
from coordinator.pipeline.languages import Languages


def _heard(language: str, probability: float | None = 0.95, *, text: str = "so") -> Transcript:
    words = (Word(text=text, start_s=0.0, end_s=0.2),) if text else ()
    return Transcript(
        words=words, language=language, engine="faster-whisper", model="m", language_probability=probability
    )


def _after(*heard: Transcript) -> str | None:
    languages = Languages()
    for each in heard:
        languages.learn("s", each)
    return languages.of("s")


@pytest.mark.parametrize(
    ("heard", "language"),
    [
        ((), None),
        ((_heard("de"),), None),  # one may be a shout
        ((_heard("de"), _heard("de")), "de"),
        ((_heard("de"), _heard("en")), None),
        ((_heard("de", 0.5), _heard("de", 0.5)), None),  # a guess
        ((_heard("de", None), _heard("de", None)), None),  # was given, not detected
        ((_heard("de", text=""), _heard("de", text="")), None),  # nobody spoke
    ],
)
def test_a_language_is_known_once_two_chunks_agree(
    heard: tuple[Transcript, ...], language: str | None
) -> None:
    assert _after(*heard) == language


def test_a_session_is_asked_again_after_sixty_chunks() -> None:
    languages = Languages()
    for _ in range(2):
        languages.learn("s", _heard("de"))

    given = [languages.of("s") for _ in range(61)]

    assert given == ["de"] * 60 + [None]


def test_sessions_keep_their_own_and_the_oldest_go_when_there_are_many() -> None:
    languages = Languages(max_sessions=2)
    for session_id, language in (("a", "de"), ("b", "fr"), ("c", "en")):
        for _ in range(2):
            languages.learn(session_id, _heard(language))

    assert [languages.of(session_id) for session_id in "abc"] == [None, "fr", "en"]
