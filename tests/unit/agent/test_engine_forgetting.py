"""Forgetting reaches everything on this PC that holds a span, and says what it does not reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.forgetting import Forgetter, asked_span
from agent.engine.forgetting_journal import ForgetOrder, ForgettingJournal
from agent.errors import DiskFull, InputUnusable
from agent.library.said import Held, SaidRow, SaidWords
from protos.clippy.v1 import control_pb2, link_pb2, media_pb2
from protos.timebase import SECOND_NS
from tests.fakes.forgettable import NOW_NS, SESSION, Forgettable


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Forgettable]:
    made = Forgettable(tmp_path)
    made.fill()
    yield made
    made.close()


def ask(
    there: Forgettable, start_s: int, end_s: int, *clip_ids: str, is_preview: bool = False
) -> control_pb2.ForgetReceipt:
    request = control_pb2.ForgetRequest(
        start_ns=start_s * SECOND_NS,
        end_ns=end_s * SECOND_NS,
        is_preview=is_preview,
        clip_ids=clip_ids,
    )
    return there.forgetter.forget(request, session_id=SESSION, now_ns=NOW_NS)


def counts(things: list[control_pb2.ForgottenThing]) -> dict[str, int]:
    return {thing.what: thing.count for thing in things}


def test_a_span_goes_from_everything_and_nothing_else_does(there: Forgettable):
    receipt = ask(there, 22, 38)

    assert there.holds(20, 40) == ["media 20", "media 21", "media 38", "media 39"]
    assert there.outbox.unacked(SESSION, media_pb2.LANE_MIC) == [0, 1, 4, 5]
    assert counts(receipt.gone) == {"ring": 16, "outbox": 2, "moments": 1}
    assert not receipt.is_preview


def test_what_was_said_in_a_span_goes_with_it_and_does_not_come_back(there: Forgettable):
    said, held = SaidWords(there.library), Held(session_id=SESSION, start_ns=0)
    rows = [
        SaidRow(
            said_id=at, session_id=SESSION, start_ns=at * SECOND_NS, end_ns=(at + 1) * SECOND_NS, text="words"
        )
        for at in (5, 30, 55)
    ]
    said.keep(rows, held=held)

    preview, receipt = ask(there, 22, 38, is_preview=True), ask(there, 22, 38)
    said.keep(rows, held=held)

    assert counts(preview.gone)["said"] == counts(receipt.gone)["said"] == 1
    assert said.count(SESSION, 0, 60 * SECOND_NS) == 2


def test_the_receipt_says_how_far_it_went(there: Forgettable):
    receipt = ask(there, 22, 38)

    assert (receipt.start_ns, receipt.end_ns) == (20 * SECOND_NS, 40 * SECOND_NS)


def test_a_preview_says_the_same_and_changes_nothing(there: Forgettable):
    preview = ask(there, 22, 38, "middle", is_preview=True)
    before = there.holds(0, 60, ("first", "middle", "last"))

    receipt = ask(there, 22, 38, "middle")

    assert len(before) == 60 + 6 + 3 + 9
    assert preview.is_preview and counts(preview.gone) == counts(receipt.gone)
    assert (preview.start_ns, preview.end_ns) == (receipt.start_ns, receipt.end_ns)


def test_saved_clips_that_overlap_are_listed_and_stay_unless_ticked(there: Forgettable):
    receipt = ask(there, 22, 55, "middle")

    assert [clip.clip_id for clip in receipt.overlapping_clips] == ["last"]
    assert counts(receipt.remaining) == {"clips": 1}
    assert there.holds(22, 50, ("middle",)) == []
    assert there.library.clip("last") is not None and (there.data / "last.mp4").exists()


def test_a_ticked_clip_that_does_not_overlap_stays(there: Forgettable):
    ask(there, 22, 38, "first")

    assert there.library.clip("first") is not None and (there.data / "first.mp4").exists()


def test_a_locked_clip_stays_even_when_it_is_ticked(there: Forgettable):
    there.library.set_locked("middle", True)

    receipt = ask(there, 22, 38, "middle")

    (remaining,) = receipt.remaining
    assert (remaining.what, remaining.count) == ("clips", 1) and "unlock" in remaining.reason
    assert there.library.clip("middle") is not None and (there.data / "middle.mp4").exists()


def test_a_clip_in_the_trash_is_a_clip_that_holds_it(there: Forgettable):
    there.library.set_trashed("middle", path=str(there.data / "middle.mp4"), original_path="x", at_unix_ms=9)

    receipt = ask(there, 22, 38)

    assert [clip.clip_id for clip in receipt.overlapping_clips] == ["middle"]


def test_files_that_were_made_for_handing_on_go_with_the_span(there: Forgettable):
    shared = there.data / "shared" / "middle"
    shared.mkdir(parents=True)
    (shared / "middle.mp4").write_bytes(b"to be handed on")

    receipt = ask(there, 22, 38)

    assert counts(receipt.gone)["shares"] == 1
    assert list(shared.iterdir()) == []


def test_what_the_coordinator_has_is_said_to_remain_there(there: Forgettable):
    ranges = media_pb2.LaneRanges(
        session_id=SESSION, lane=media_pb2.LANE_MIC, fsynced=[media_pb2.SeqRange(first=0, last=3)]
    )
    there.outbox.mark_fsynced([ranges])

    receipt = ask(there, 22, 25)

    (remaining,) = [thing for thing in receipt.remaining if thing.what == "coordinator"]
    assert remaining.count == 1 and "until it has confirmed" in remaining.reason
    assert there.tombstones() == [(2, 2)]


def test_a_chunk_that_is_still_being_made_is_refused_from_then_on(there: Forgettable):
    ask(there, 40, 60)

    assert there.spans.overlap(59 * SECOND_NS, 69 * SECOND_NS)
    assert not there.spans.overlap(60 * SECOND_NS, 70 * SECOND_NS)


def test_files_of_requests_that_were_ended_go(there: Forgettable):
    there.num_requests = 1

    receipt = ask(there, 0, 10)

    assert list(there.uploads.iterdir()) == []
    assert counts(receipt.gone)["uploads"] == 1


def test_a_full_disk_forgets_nothing_and_says_so(there: Forgettable):
    blocked = there.data / "forgetting.part"
    blocked.mkdir()

    with pytest.raises(DiskFull, match="nothing was forgotten"):
        ask(there, 0, 60)

    assert len(there.holds(0, 60)) == 60 + 6 + 3


def test_what_a_kill_interrupted_is_finished(there: Forgettable):
    journal = ForgettingJournal(there.data / "forgetting.json")
    journal.write(ForgetOrder(session_id=SESSION, start_ns=0, end_ns=30 * SECOND_NS, clip_ids=("first",)))

    receipt = there.forgetter.finish()

    assert receipt is not None and there.holds(0, 30, ("first",)) == []
    assert journal.read() is None
    assert there.forgetter.finish() is None


@pytest.mark.logs("forgetting_journal_unreadable")
def test_a_damaged_journal_stops_nobody(there: Forgettable):
    (there.data / "forgetting.json").write_bytes(b"{")

    assert there.forgetter.finish() is None


@pytest.mark.parametrize(
    ("request_", "span_s"),
    [
        (control_pb2.ForgetRequest(last_ns=20 * SECOND_NS), (40, 60)),
        # more than there is: everything
        (control_pb2.ForgetRequest(last_ns=900 * SECOND_NS), (0, 60)),
        (control_pb2.ForgetRequest(start_ns=5 * SECOND_NS, end_ns=9 * SECOND_NS), (5, 9)),
        (control_pb2.ForgetRequest(start_ns=5 * SECOND_NS), (5, 60)),
        # the future cannot be forgotten
        (control_pb2.ForgetRequest(start_ns=5 * SECOND_NS, end_ns=99 * SECOND_NS), (5, 60)),
    ],
)
def test_spans(request_: control_pb2.ForgetRequest, span_s: tuple[int, int]):
    assert asked_span(request_, now_ns=NOW_NS) == tuple(second * SECOND_NS for second in span_s)


@pytest.mark.parametrize(
    "request_",
    [
        control_pb2.ForgetRequest(start_ns=9, end_ns=9),
        control_pb2.ForgetRequest(start_ns=NOW_NS),
        control_pb2.ForgetRequest(last_ns=-1),
        control_pb2.ForgetRequest(start_ns=-5),
    ],
)
def test_what_is_no_span_is_refused(request_: control_pb2.ForgetRequest):
    with pytest.raises(InputUnusable):
        asked_span(request_, now_ns=NOW_NS)


def orders(there: Forgettable) -> list[link_pb2.Forget]:
    """What the coordinator is asked to forget."""
    events = there.outbox.events_after(0, limit=100)
    return [event.message.forget for event in events if event.message.HasField("forget")]


def told(start_s: int, end_s: int, session_id: str = SESSION) -> link_pb2.Forget:
    """An order that was given at the coordinator."""
    return link_pb2.Forget(
        forget_id="f" * 32, session_id=session_id, start_ns=start_s * SECOND_NS, end_ns=end_s * SECOND_NS
    )


def test_the_coordinator_is_asked_to_forget_the_same_span(there: Forgettable):
    ask(there, 22, 38)

    (order,) = orders(there)
    assert (order.session_id, order.start_ns, order.end_ns) == (SESSION, 22 * SECOND_NS, 38 * SECOND_NS)
    assert len(order.forget_id) == 32


def test_an_order_that_a_kill_cut_off_asks_the_coordinator_once(there: Forgettable):
    ask(there, 22, 38)
    (first,) = orders(there)
    # The journal was not cleared: the kill came after the outbox's commit.
    (there.data / "forgetting.json").write_text(
        f'{{"session_id": "{SESSION}", "start_ns": {22 * SECOND_NS}, "end_ns": {38 * SECOND_NS},'
        f' "forget_id": "{first.forget_id}"}}'
    )

    there.forgetter.finish()

    assert orders(there) == [first]


def test_an_order_of_the_coordinator_is_followed_under_its_id_and_saved_clips_stay(there: Forgettable):
    there.forgetter.follow(told(20, 40), session_id=SESSION, now_ns=NOW_NS)
    # Said again at each connect until it is answered.
    there.forgetter.follow(told(20, 40), session_id=SESSION, now_ns=NOW_NS)

    assert there.holds(20, 40) == []
    assert there.library.clip("middle") is not None
    assert [order.forget_id for order in orders(there)] == ["f" * 32]
    assert there.spans.overlap(39 * SECOND_NS, 49 * SECOND_NS)


def test_an_order_beyond_now_does_not_reach_what_is_not_recorded_yet(there: Forgettable):
    there.forgetter.follow(told(50, 500), session_id=SESSION, now_ns=NOW_NS)

    assert there.holds(50, 60) == []
    assert not there.spans.overlap(NOW_NS, 500 * SECOND_NS)


def test_a_receipt_of_the_coordinator_takes_the_place_of_what_it_was_asked(tmp_path: Path):
    filled = Forgettable(tmp_path)
    filled.fill()
    said = link_pb2.Forgotten(went=["2 moments"], remains=["a dump"], unreachable=["node n2"])
    parts = dataclasses.replace(filled.parts, await_receipt=lambda _forget_id: said)
    forgetter = Forgetter(parts, tmp_path / "forgetting.json", filled.spans)
    filled.outbox.mark_fsynced(
        [
            media_pb2.LaneRanges(
                session_id=SESSION, lane=media_pb2.LANE_MIC, fsynced=[media_pb2.SeqRange(first=0, last=3)]
            )
        ]
    )

    receipt = forgetter.forget(
        control_pb2.ForgetRequest(start_ns=0, end_ns=10 * SECOND_NS), session_id=SESSION, now_ns=NOW_NS
    )
    filled.close()

    (line,) = [thing.reason for thing in receipt.remaining if thing.what == "coordinator"]
    assert all(words in line for words in ("confirmed", "2 moments", "a dump", "node n2"))
