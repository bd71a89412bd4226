"""Clips that are kept: their ends move, they are handed on, locked, thrown away and taken back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import Clips
from agent.errors import DiskFull, InputUnusable
from protos.timebase import SECOND_NS
from tests.fakes.desk_here import DeskHere, span_s
from tests.fakes.encoded_match import encode_match
from tests.fakes.read_clip import see


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskHere]:
    desk = DeskHere(tmp_path)
    yield desk
    desk.close()


def s(seconds: float) -> int:
    return round(seconds * SECOND_NS)


def forget_the_ring(desk: DeskHere) -> None:
    """As if the buffer had moved on: only what is pinned is left."""
    with desk.ring._lock:
        desk.ring._buffer.drop_all()


# ---- ends


def test_ends_move_within_the_pinned_margins_exact_to_the_picture(desk: DeskHere):
    clip = desk.tap(10)
    desk.do_chores()
    forget_the_ring(desk)

    wider = desk.desk.move_ends(clip.clip_id, start_ns=s(4.5), end_ns=s(11.5))
    narrower = desk.desk.move_ends(clip.clip_id, start_ns=s(7.1), end_ns=s(8.3))

    assert span_s(wider) == (4.5, 11.5)
    assert (narrower.clip_id, narrower.path) == (clip.clip_id, clip.path)
    assert see(Path(clip.path)).numbers == list(range(213, 249))
    assert narrower.min_start_ns <= s(4.1) and narrower.max_end_ns >= s(11.9)
    assert span_s(desk.library.clip(clip.clip_id)) == (7.1, 8.3)
    assert [span_s(told) for told in desk.changed] == [(6.0, 10.0), (4.5, 11.5), (7.1, 8.3)]


def test_an_end_beyond_what_is_pinned_is_refused_with_how_far_it_goes(desk: DeskHere):
    clip = desk.tap(10)
    desk.do_chores()
    forget_the_ring(desk)
    before = Path(clip.path).read_bytes()

    with pytest.raises(InputUnusable, match=r"go from 4\.0\d* to 1[12]\.\d+ s"):
        desk.desk.move_ends(clip.clip_id, start_ns=s(1), end_ns=None)
    with pytest.raises(InputUnusable, match="too short"):
        desk.desk.move_ends(clip.clip_id, start_ns=s(9), end_ns=s(9.05))

    assert Path(clip.path).read_bytes() == before


def test_where_moving_fails_the_old_file_stays(desk: DeskHere):
    clip = desk.tap(10)
    before = Path(clip.path).read_bytes()
    desk.writer.failure = DiskFull("12 MB are free")

    with pytest.raises(DiskFull):
        desk.desk.move_ends(clip.clip_id, start_ns=s(7), end_ns=None)

    assert Path(clip.path).read_bytes() == before
    assert span_s(desk.library.clip(clip.clip_id)) == (6.0, 10.0)


def test_a_moved_clip_gets_a_new_thumbnail_and_the_old_one_goes(desk: DeskHere):
    clip = desk.tap(10)
    desk.do_chores()
    first = Path(desk.library.find_clip(clip.clip_id).thumbnail_path)
    assert first.is_file()

    desk.desk.move_ends(clip.clip_id, start_ns=s(8), end_ns=None)
    desk.do_chores()

    second = Path(desk.library.find_clip(clip.clip_id).thumbnail_path)
    assert second != first
    assert (first.exists(), second.is_file()) == (False, True)


def test_the_later_margin_is_pinned_once_its_time_has_come(tmp_path: Path):
    match = encode_match(duration_s=20, num_sounds=3)
    early = tuple(packet for packet in match.packets if packet.pts_ns < s(10))
    desk = DeskHere(
        tmp_path,
        clips=Clips(press_length_s=4, margin_s=1),
        match=dataclasses.replace(match, packets=early),
    )
    try:
        clip = desk.tap(10)
        desk.do_chores()
        assert desk.desk.clips(1, is_trash=False)[0].max_end_ns == pytest.approx(s(10), abs=2)
        for packet in match.packets[len(early) :]:
            desk.ring.push(packet)
        ends = time.monotonic() + 10
        while desk.desk.clips(1, is_trash=False)[0].max_end_ns < s(10.9) and time.monotonic() < ends:
            desk.desk.chores.step()
        forget_the_ring(desk)

        moved = desk.desk.move_ends(clip.clip_id, start_ns=None, end_ns=s(11))
    finally:
        desk.close()

    assert span_s(moved) == (6.0, 11.0)


def test_a_clip_of_an_earlier_run_can_still_be_moved(tmp_path: Path):
    before = DeskHere(tmp_path)
    clip = before.tap(10)
    before.do_chores()
    before.close()
    desk = DeskHere(tmp_path, session_id="later", match=encode_match(duration_s=3))
    try:
        moved = desk.desk.move_ends(clip.clip_id, start_ns=s(5), end_ns=None)
    finally:
        desk.close()

    assert span_s(moved) == (5.0, 10.0)
    assert see(Path(moved.path)).numbers == list(range(150, 300))


# ---- handing on


@pytest.mark.parametrize("is_pinned", [True, False])
@pytest.mark.parametrize("start_s", [6.35, 6.0])
def test_what_is_handed_on_holds_nothing_from_before_the_start(
    desk: DeskHere, is_pinned: bool, start_s: float
):
    clip = desk.tap(start_s + 4)
    if is_pinned:
        desk.do_chores()
    forget_the_ring(desk)

    file = desk.desk.share(clip.clip_id, tracks=[])

    seen, wanted = see(Path(file.path)), see(Path(clip.path))
    assert seen.numbers == wanted.numbers
    assert seen.num_video_packets == len(seen.numbers)  # nothing is hidden
    assert seen.sounds == (("mix", True),)
    assert seen.duration_s == pytest.approx(4.0, abs=0.001)
    assert max(map(abs, seen.av_offsets_s()[:3])) <= 0.02
    assert Path(file.path).is_relative_to(desk.paths.shared)


def test_sounds_to_hand_on_can_be_chosen_and_a_wrong_one_is_named(desk: DeskHere):
    clip = desk.tap(10)

    file = desk.desk.share(clip.clip_id[:6], tracks=["mic", "desktop"])

    assert [name for name, _ in see(Path(file.path)).sounds] == ["mic", "desktop"]
    with pytest.raises(InputUnusable, match="no game; it has mix, mic, desktop"):
        desk.desk.share(clip.clip_id, tracks=["game"])


def test_a_clip_whose_packets_and_file_are_gone_cannot_be_handed_on(desk: DeskHere):
    clip = desk.tap(10)
    forget_the_ring(desk)
    Path(clip.path).unlink()

    with pytest.raises(InputUnusable, match="moved or changed"):
        desk.desk.share(clip.clip_id, tracks=[])


def test_what_was_made_for_handing_on_is_gone_at_the_next_start(tmp_path: Path):
    before = DeskHere(tmp_path)
    shared = Path(before.desk.share(before.tap(10).clip_id, tracks=[]).path)
    before.close()
    assert shared.is_file()

    DeskHere(tmp_path, session_id="later", match=encode_match(duration_s=3)).close()

    assert not shared.exists()


# ---- names, locks, trash


def test_a_clip_is_named_locked_and_found_by_the_beginning_of_its_id_or_by_its_file(desk: DeskHere):
    clip = desk.tap(10)

    named = desk.desk.update(clip.clip_id[:8], title="  Ace  ", is_locked=None)
    locked = desk.desk.update(clip.path, title=None, is_locked=True)

    assert (named.title, locked.title, locked.is_locked) == ("Ace", "Ace", True)
    with pytest.raises(InputUnusable, match="locked"):
        desk.desk.trash(clip.clip_id)
    with pytest.raises(InputUnusable, match="there is no clip 'zz'"):
        desk.desk.update("zz", title="x", is_locked=None)


def test_a_clip_goes_to_the_trash_and_comes_back_as_it_was(desk: DeskHere):
    clip = desk.tap(10)
    before = Path(clip.path).read_bytes()

    trashed = desk.desk.trash(clip.clip_id)
    assert desk.desk.clips(10, is_trash=False) == []
    assert [item.clip_id for item in desk.desk.clips(10, is_trash=True)] == [clip.clip_id]
    assert Path(trashed.path).parent == desk.folder / ".trash"
    restored = desk.desk.restore(clip.clip_id)

    assert (restored.path, restored.trashed_unix_ms) == (clip.path, 0)
    assert Path(clip.path).read_bytes() == before
    assert span_s(desk.desk.move_ends(clip.clip_id, start_ns=s(5), end_ns=None)) == (5.0, 10.0)


def test_emptying_the_trash_is_previewed_and_deletes_what_rows_name_alone(desk: DeskHere):
    clip = desk.tap(4.5)
    desk.tap(19.6)
    desk.do_chores()
    trashed = desk.desk.trash(clip.clip_id)
    stranger = desk.folder / ".trash" / "my film.mp4"
    stranger.write_bytes(b"the user's own")

    assert [item.clip_id for item in desk.desk.empty_trash(is_preview=True)] == [clip.clip_id]
    assert Path(trashed.path).is_file()
    desk.desk.empty_trash(is_preview=False)

    assert not Path(trashed.path).exists()
    assert stranger.read_bytes() == b"the user's own"
    assert desk.library.clip(clip.clip_id) is None
    assert [pin.owner_id for pin in desk.ring.pins.pins()] == [desk.library.clips()[0].clip_id]


def test_what_the_user_moved_away_is_gone_and_no_error(desk: DeskHere):
    clip = desk.tap(10)
    own = Path(clip.path).rename(desk.folder / "mine.mp4")

    desk.desk.trash(clip.clip_id)
    desk.desk.empty_trash(is_preview=False)

    assert own.is_file()
    assert desk.library.clips() == []
