"""Presses into real clips, decoded: one clip that grows, is held or is extended, and never lost on the way."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agent.config import Clips
from agent.desk.presses import MAX_WAITING
from agent.errors import DiskFull, EnvironmentProblem, NothingToClip
from protos.timebase import SECOND_NS
from tests.fakes.desk_here import DeskHere, span_s
from tests.fakes.encoded_match import encode_match
from tests.fakes.read_clip import see

LENGTHS = {"press_length_s": 4, "double_press_length_s": 8, "margin_s": 2}
OpenDesk = Callable[..., DeskHere]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenDesk]:
    """Opens a desk with settings of [clips]; closed after the test."""
    desks: list[DeskHere] = []

    def open_one(**settings: object) -> DeskHere:
        desk = DeskHere(tmp_path / str(len(desks)), clips=Clips(**(LENGTHS | settings)))  # type: ignore[arg-type]
        desks.append(desk)
        return desk

    yield open_one
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(opened: OpenDesk) -> DeskHere:
    return opened()


def only_file(desk: DeskHere) -> Path:
    (path,) = desk.folder.glob("*.mp4")
    return path


def test_a_tap_saves_the_last_seconds_at_once(desk: DeskHere):
    clip = desk.tap(10)

    assert span_s(clip) == (6.0, 10.0)
    assert see(Path(clip.path)).numbers == list(range(180, 300))
    assert desk.library.clip(clip.clip_id) == clip
    assert (clip.note, clip.tracks, clip.trigger) == ("", ("mix", "mic", "desktop"), "key")
    assert desk.sounds == ["heard", "saved"]
    assert desk.told == [clip]


def test_a_double_press_grows_the_same_clip_and_a_triple_takes_everything(desk: DeskHere):
    first = desk.tap(10)
    doubled = desk.tap(10.3)
    tripled = desk.tap(10.6)

    assert [span_s(clip) for clip in (first, doubled, tripled)] == [(6.0, 10.0), (2.0, 10.0), (0.0, 10.0)]
    assert {clip.clip_id for clip in (first, doubled, tripled)} == {first.clip_id}
    assert only_file(desk) == Path(first.path)
    assert see(Path(first.path)).numbers == list(range(300))
    assert desk.library.clips() == [tripled]
    assert desk.told == [first]  # one press, told once
    assert desk.changed == [first, doubled, tripled]  # and what became of it


def test_pressing_again_extends_the_same_clip_to_now(desk: DeskHere):
    first = desk.tap(5)
    desk.do_chores()

    longer = desk.tap(12)

    assert (longer.clip_id, span_s(longer)) == (first.clip_id, (1.0, 12.0))
    assert see(only_file(desk)).numbers == list(range(30, 360))


def test_a_press_after_fifteen_seconds_is_another_clip(desk: DeskHere):
    first, second = desk.tap(4.5), desk.tap(19.6)

    assert second.clip_id != first.clip_id
    assert [span_s(clip) for clip in desk.library.clips()] == [(15.6, 19.6), (0.5, 4.5)]


def test_a_hold_is_from_key_down_to_release_and_can_be_pulled_back_to_what_was_before(desk: DeskHere):
    first = desk.down(10)
    desk.do_chores()

    held = desk.up(13)

    assert held is not None
    assert (held.clip_id, span_s(held)) == (first.clip_id, (10.0, 13.0))
    assert see(only_file(desk)).numbers == list(range(300, 390))
    desk.do_chores()
    (shown,) = desk.desk.clips(10, is_trash=False)
    assert shown.min_start_ns <= 6 * SECOND_NS
    assert span_s(desk.desk.move_ends(held.clip_id, start_ns=6 * SECOND_NS, end_ns=None)) == (6.0, 13.0)


def test_events_on_a_clip_that_is_being_written_are_written_once(desk: DeskHere):
    entered, go_on = threading.Event(), threading.Event()
    real_write = desk.writer.write

    def slow_write(*args, **options):
        entered.set()
        assert go_on.wait(10)
        return real_write(*args, **options)

    desk.writer.write = slow_write
    presses = desk.desk.presses
    futures = [presses.key_down("F8", desk.at_ns(10), trigger="key")]
    assert entered.wait(10)
    futures += [presses.key_down("F8", desk.at_ns(at_s), trigger="key") for at_s in (10.2, 10.4, 12.0)]
    go_on.set()

    clips = [future.result(timeout=10) for future in futures]

    assert [span_s(clip) for clip in clips] == [(6.0, 10.0), *[(0.0, 12.0)] * 3]
    assert desk.writer.num_written == 2
    assert desk.sounds.count("saved") == 2


@pytest.mark.logs("press_not_saved")
def test_where_a_clip_cannot_grow_the_saved_one_stays_and_the_failure_is_told(desk: DeskHere):
    first = desk.tap(10)
    before = Path(first.path).read_bytes()
    desk.writer.failure = DiskFull("12 MB are free")

    with pytest.raises(DiskFull, match=r"stays as it was, 4\.0 s long: 12 MB are free"):
        desk.down(10.3)

    assert Path(first.path).read_bytes() == before
    assert desk.library.clips() == [first]
    assert desk.sounds == ["heard", "saved", "heard", "failed"]
    assert "12 MB are free" in desk.errors[-1]
    desk.writer.failure = None
    assert span_s(desk.tap(12)) == (2.0, 12.0)  # and the next press makes up for it


@pytest.mark.logs("press_not_saved")
def test_a_press_whose_first_write_failed_is_saved_by_the_next_one(desk: DeskHere):
    desk.writer.failure = DiskFull("12 MB are free")
    with pytest.raises(DiskFull):
        desk.down(10)
    desk.writer.failure = None

    clip = desk.tap(11)

    assert span_s(clip) == (6.0, 11.0)
    assert desk.errors[-1] == ""


@pytest.mark.logs("press_not_saved")
def test_a_clip_whose_beginning_left_the_buffer_goes_on_in_another(desk: DeskHere):
    first = desk.tap(10)
    real = desk.ring.follow

    def follow(start_ns: int, end_ns: int, *, timeout_s: float):
        return real(max(start_ns, 9 * SECOND_NS), end_ns, timeout_s=timeout_s)

    desk.ring.follow = follow  # type: ignore[method-assign]

    second = desk.tap(14)

    assert second.clip_id != first.clip_id
    assert span_s(second) == (10.0, 14.0)
    assert span_s(desk.library.clip(first.clip_id)) == (6.0, 10.0)
    assert span_s(desk.tap(16)) == (10.0, 16.0)  # from now on that one is extended


def test_a_clip_that_went_to_the_trash_is_not_extended(desk: DeskHere):
    first = desk.tap(10)
    desk.desk.trash(first.clip_id)

    again = desk.tap(12)

    assert again.clip_id != first.clip_id
    assert span_s(again) == (6.0, 12.0)


@pytest.mark.parametrize(
    ("policy", "spans"),
    [
        ("overlap", [(2.0, 6.0), (4.0, 8.0)]),
        ("extend", [(2.0, 8.0)]),
        ("new", [(2.0, 6.0), (6.0, 8.0)]),
    ],
)
def test_what_a_press_means_that_overlaps_the_last_clip(
    opened: OpenDesk, policy: str, spans: list[tuple[float, float]]
):
    desk = opened(overlap=policy)

    desk.tap(6, key="F8")
    desk.tap(8, key="F9")  # another key: no press of the same clip

    assert sorted(span_s(clip) for clip in desk.library.clips()) == spans


def test_new_footage_stays_new_when_its_press_is_doubled_or_held(opened: OpenDesk):
    desk = opened(overlap="new")
    desk.tap(6, key="F8")

    desk.tap(9, key="F9")
    doubled = desk.tap(9.3, key="F9")

    assert span_s(doubled) == (6.0, 9.0)


def test_a_hold_never_shortens_a_clip_that_it_joined(opened: OpenDesk):
    desk = opened(overlap="extend")
    desk.tap(6, key="F8")

    desk.down(8, key="F9")
    held = desk.up(9.5, key="F9")

    assert span_s(held) == (2.0, 9.5)


def test_each_hotkey_has_its_own_length(tmp_path: Path):
    clips = Clips(**LENGTHS)
    desk = DeskHere(tmp_path, clips=clips, more_hotkeys=("F9=6", "F10=0"))
    try:
        spans = [span_s(desk.tap(10, key=key)) for key in ("F8", "F9", "F10")]
    finally:
        desk.close()

    assert spans == [(6.0, 10.0), (4.0, 10.0), (0.0, 10.0)]


def test_a_clip_says_what_it_lacks_of_what_was_asked_for(desk: DeskHere):
    early = desk.tap(3)
    late = desk.desk.presses.save(
        monotonic_ns=desk.at_ns(22), last_ns=4 * SECOND_NS, trigger="command"
    ).result(timeout=10)

    assert early.note.startswith("3.0 s of 4.0 s")
    assert "there is no picture of its last 2.0 s" in late.note
    assert abs(see(Path(late.path)).duration_s - 2.0) < 0.001
    assert desk.library.clip(early.clip_id) == early


@pytest.mark.logs("press_not_saved")
def test_a_press_of_nothing_says_so(desk: DeskHere):
    with pytest.raises(NothingToClip):
        desk.down(100)


@pytest.mark.logs("press_not_saved")
def test_presses_beyond_the_bound_are_refused_and_the_others_are_all_saved(desk: DeskHere):
    go_on = threading.Event()
    real_write = desk.writer.write

    def slow_write(*args, **options):
        assert go_on.wait(10)
        return real_write(*args, **options)

    desk.writer.write = slow_write
    presses = desk.desk.presses
    futures = [
        presses.save(monotonic_ns=desk.at_ns(5), last_ns=SECOND_NS, trigger="command")
        for _ in range(MAX_WAITING + 1)
    ]
    with pytest.raises(EnvironmentProblem, match="press again"):
        futures[-1].result(timeout=0)
    go_on.set()

    assert len({future.result(timeout=20).path for future in futures[:-1]}) == MAX_WAITING


def test_sounds_can_be_chosen_for_all_clips_and_for_one(opened: OpenDesk):
    desk = opened(tracks="mix,mic")

    by_setting = desk.tap(5)
    by_wish = desk.desk.save(last_ns=0, trigger="command", is_exact=False, tracks=["none"], title="")
    with_word = desk.desk.save(last_ns=0, trigger="command", is_exact=False, tracks=["game"], title="")

    assert see(Path(by_setting.path)).sounds == (("mix", True), ("mic", False))
    assert see(Path(by_wish.path)).sounds == ()
    assert (with_word.tracks, "without game" in with_word.note) == (("mix",), True)


@pytest.mark.parametrize("is_exact", [False, True])
def test_a_press_hours_after_the_last_picture_saves_what_there_is_and_no_longer(
    desk: DeskHere, is_exact: bool
):
    clip = desk.desk.presses.save(
        monotonic_ns=desk.at_ns(8 * 3600), last_ns=0, trigger="command", is_exact=is_exact
    ).result(timeout=10)

    assert span_s(clip) == (0.0, 20.0)
    assert abs(see(Path(clip.path)).duration_s - 20.0) < 0.001


def test_a_title_names_the_file_and_a_length_in_the_name_follows_the_clip(opened: OpenDesk):
    desk = opened(name="{title} {length} {number}")
    titled = desk.desk.presses.save(
        monotonic_ns=desk.at_ns(9), last_ns=3 * SECOND_NS, trigger="command", title="Ace on B"
    ).result(timeout=10)
    desk.tap(5)

    longer = desk.tap(12)

    assert (Path(titled.path).name, titled.title) == ("Ace on B 3s 1.mp4", "Ace on B")
    assert Path(longer.path).name == "clip 11s 2.mp4"
    assert Path(longer.path).is_file()
    assert len(list(desk.folder.glob("clip*"))) == 1


@pytest.mark.logs("clip_not_listed", "press_not_noted")
def test_a_clip_whose_row_cannot_be_written_is_still_saved_and_listed_at_the_next_start(tmp_path: Path):
    desk = DeskHere(tmp_path)

    def fail(*_args: object, **_options: object) -> None:
        raise DiskFull("no room for library.db")

    desk.library.add_clip = desk.library.add_press = fail  # type: ignore[method-assign]
    clip = desk.tap(10)
    desk.close()

    again = DeskHere(tmp_path, session_id="t")
    try:
        (listed,) = again.library.clips()
    finally:
        again.close()

    assert "not listed yet: no room" in clip.note
    assert desk.sounds == ["heard", "saved"]
    assert dataclasses.replace(listed, note=clip.note) == clip


def test_after_stop_a_press_is_refused_with_a_reason(tmp_path: Path):
    desk = DeskHere(tmp_path, match=encode_match(duration_s=3))
    desk.close()

    with pytest.raises(NothingToClip, match="stopping"):
        desk.down(2)


def go_on_with_another_size(desk: DeskHere) -> None:
    """At the twentieth second a new epoch begins, as when the screen's size changes; five more seconds follow."""
    began_ns = 20 * SECOND_NS
    desk.ring.begin_epoch(desk.match.tracks, start_ns=began_ns, reason="size")
    for packet in desk.match.packets:
        if packet.pts_ns < 5 * SECOND_NS:
            moved = {"pts_ns": packet.pts_ns + began_ns, "dts_ns": packet.dts_ns + began_ns}
            desk.ring.push(msgspec.structs.replace(packet, **moved))


def test_a_clip_never_crosses_an_epoch_and_says_why_it_is_short(desk: DeskHere):
    go_on_with_another_size(desk)

    clip = desk.tap(22)

    assert span_s(clip) == (20.0, 22.0)
    assert clip.note == "2.0 s of 4.0 s: the picture's size changed 2.0 s before its end"
    assert see(Path(clip.path)).numbers == list(range(60))


def test_a_clip_that_is_extended_across_an_epoch_stays_and_goes_on_in_another(desk: DeskHere):
    first = desk.tap(19)
    before = Path(first.path).read_bytes()
    go_on_with_another_size(desk)

    second = desk.tap(23)

    assert second.clip_id != first.clip_id
    assert span_s(second) == (20.0, 23.0)
    assert "the picture's size changed" in second.note
    assert Path(first.path).read_bytes() == before
    assert span_s(desk.library.clip(first.clip_id)) == (15.0, 19.0)


def test_a_margin_that_another_epoch_cuts_off_costs_the_clip_nothing_of_its_own(desk: DeskHere):
    clip = desk.tap(19)
    go_on_with_another_size(desk)

    desk.do_chores()

    (shown,) = desk.desk.clips(10, is_trash=False)
    assert (shown.min_start_ns, shown.max_end_ns) == (
        13 * SECOND_NS,
        pytest.approx(19 * SECOND_NS, abs=SECOND_NS),
    )
    assert span_s(desk.desk.move_ends(clip.clip_id, start_ns=13 * SECOND_NS, end_ns=None)) == (13.0, 19.0)
