"""What the coordinator is told of a clip: the span that it has now, once, under a version that only grows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.clips import SavedClip
from agent.uplink.outbox import Outbox
from agent.uplink.press_telling import tell_change, tell_press
from protos.clippy.v1 import link_pb2
from protos.timebase import SECOND_NS

SESSION, LATER_SESSION = "a" * 32, "b" * 32
CLIP = SavedClip(
    clip_id="k1", session_id=SESSION, path="/clips/a.mp4", start_ns=4 * SECOND_NS, end_ns=10 * SECOND_NS,
    latency_ms=90, trigger="key", size_bytes=1, created_unix_ms=1,
)  # fmt: skip
GROWN = dataclasses.replace(CLIP, start_ns=0)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db")
    opened.start_session(SESSION, 1)
    yield opened
    opened.close()


def told(outbox: Outbox) -> list[link_pb2.Pressed]:
    return [event.message.pressed for event in outbox.events_after(0, limit=100)]


def change(outbox: Outbox, clip: SavedClip | None) -> None:
    tell_change(outbox, SESSION, read=lambda: clip)


def test_a_clip_that_grew_is_told_once_with_its_newest_span_and_the_place_of_its_press(outbox: Outbox):
    tell_press(outbox, SESSION, CLIP, 9 * SECOND_NS)
    [first] = told(outbox)

    change(outbox, GROWN)

    [grown] = told(outbox)
    assert (grown.clip_id, grown.start_ns, grown.end_ns) == ("k1", 0, 10 * SECOND_NS)
    assert (grown.session_id, grown.at_ns) == (SESSION, 9 * SECOND_NS)
    assert grown.version > first.version > 0


def test_a_clip_whose_span_is_as_it_was_told_is_not_told_again(outbox: Outbox):
    tell_press(outbox, SESSION, CLIP, 9 * SECOND_NS)
    before = told(outbox)

    change(outbox, dataclasses.replace(CLIP, title="a goal", size_bytes=7))

    assert told(outbox) == before


def test_versions_grow_where_the_clock_goes_back(outbox: Outbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("time.time_ns", lambda: 5_000_000_000)
    tell_press(outbox, SESSION, CLIP, 0)
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)

    change(outbox, GROWN)

    assert [pressed.version for pressed in told(outbox)] == [5_001]


def test_a_change_that_is_sent_already_is_sent_again_when_the_clip_changes_again(outbox: Outbox):
    tell_press(outbox, SESSION, CLIP, 0)
    sent = outbox.events_after(0, limit=1)[-1].event_id
    outbox.confirm_events(sent)

    change(outbox, GROWN)

    assert [event.message.pressed.start_ns for event in outbox.events_after(sent, limit=10)] == [0]


def test_a_clip_of_a_session_that_is_over_is_told_under_the_one_that_runs(outbox: Outbox):
    outbox.end_session(SESSION, 20 * SECOND_NS)
    outbox.confirm_events(99)
    outbox.start_session(LATER_SESSION, 2)

    tell_change(outbox, LATER_SESSION, read=lambda: GROWN)

    [moved] = [pressed for pressed in told(outbox) if pressed.clip_id]
    assert (moved.session_id, moved.at_ns, moved.start_ns) == (SESSION, 10 * SECOND_NS, 0)
    assert [item.session_id for item in outbox.sessions()] == [LATER_SESSION]


@pytest.mark.parametrize(
    "clip",
    [
        None,  # forgotten, or not listed
        dataclasses.replace(CLIP, trigger="recovered"),  # nobody pressed for it
    ],
)
def test_what_no_press_has_made_or_is_gone_is_not_told(outbox: Outbox, clip: SavedClip | None):
    change(outbox, clip)

    assert told(outbox) == []


def test_other_clips_keep_what_was_told_of_them(outbox: Outbox):
    other = dataclasses.replace(CLIP, clip_id="k2")
    tell_press(outbox, SESSION, other, 0)
    tell_press(outbox, SESSION, CLIP, 0)

    change(outbox, GROWN)

    assert [(pressed.clip_id, pressed.start_ns) for pressed in told(outbox)] == [
        ("k2", 4 * SECOND_NS),
        ("k1", 0),
    ]
