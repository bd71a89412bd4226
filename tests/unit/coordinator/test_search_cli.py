"""A search's answer in words."""

from __future__ import annotations

from coordinator.cli_search import lines_of

HIT = {
    "session_id": "s1", "start_s": 125.4, "end_s": 127.0, "said_at": "2026-11-26T10:00:00.123+00:00",
    "said": "what a goal", "rank": 0.1, "moment_id": None, "title": None, "post": "/exports/e1.mp4",
}  # fmt: skip


def test_hits_say_when_where_and_what():
    assert lines_of({"hits": [HIT], "meant": {}, "is_any": False}) == [
        "2026-11-26T10:00:00Z  s1 2:05  what a goal  /exports/e1.mp4"
    ]


def test_what_was_mended_is_said_first():
    assert lines_of({"hits": [HIT], "meant": {"gaol": ["goal"]}, "is_any": True})[:2] == [
        "nobody said gaol; looked for goal",
        "nothing has all of these words; these have some",
    ]


def test_nothing_found_is_said():
    assert lines_of({"hits": [], "meant": {}, "is_any": False}) == ["nobody said that"]
