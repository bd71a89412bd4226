"""What the app says of the engine's state: pure words and numbers, no window."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest

from agent.ui.alarms import check_lines, check_words, fresh_alarms, shown_alarms, shown_state, since_words
from agent.ui.bridge import ShownClip
from agent.ui.buffer_line import buffer_parts, buffer_words
from agent.ui.clip_ends import ends_words, room_of
from agent.ui.clip_list import clip_lines
from agent.ui.ends_line import tenths
from agent.ui.folders import reveal_command
from agent.ui.forget_words import receipt_lines, thing_words
from agent.ui.level_meter import level_words, share_of
from agent.ui.recovery_bar import recovery_words
from agent.ui.state_words import cost_words, detail_words, picture_words, step_words, trouble_words
from agent.ui.texts import length_words, size_words
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS
from tests.fakes.told_engine import CLIP

EVENING = datetime.datetime(2026, 3, 12, 21, 14).astimezone()
AT_21_14_MS = int(EVENING.timestamp() * 1000)
MINUTE_MS = 60_000


def black(since_unix_ms: int = AT_21_14_MS) -> control_pb2.Alarm:
    return control_pb2.Alarm(code="black", message="the picture is black", since_unix_ms=since_unix_ms)


def with_alarms(*alarms: control_pb2.Alarm, state: str = "ready", problem: str = "") -> control_pb2.Status:
    return control_pb2.Status(state=state, problem=problem, health=control_pb2.Health(alarms=alarms))


# -- alarms


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("ready", "problem"),
        ("saving", "problem"),
        ("starting", "problem"),
        ("problem", "problem"),
        # Who asked it to stop is not to be told that it stops.
        ("stopping", "stopping"),
    ],
)
def test_an_alarm_outranks_the_state(state: str, shown: str):
    assert shown_state(with_alarms(black(), state=state)) == shown


def test_without_an_alarm_the_state_is_the_engines():
    assert shown_state(control_pb2.Status(state="ready")) == "ready"


@pytest.mark.parametrize(
    ("passed_ms", "words"),
    [
        (42_000, "since 21:14 (42 s)"),
        (3 * MINUTE_MS, "since 21:14 (3 min)"),
        (150 * MINUTE_MS, "since 21:14 (2 h 30 min)"),
        (24 * 60 * MINUTE_MS, "since 21:14 on 12 Mar (24 h 0 min)"),
        # A clock that was set back.
        (-5_000, "since 21:14 (0 s)"),
    ],
)
def test_since_when_is_told_by_the_clock_and_by_what_has_passed(passed_ms: int, words: str):
    assert since_words(AT_21_14_MS, AT_21_14_MS + passed_ms) == words


def test_the_engines_own_problem_stands_first_unless_an_alarm_says_the_same():
    other = shown_alarms(with_alarms(black(), problem="the disk is full"), AT_21_14_MS)
    same = shown_alarms(with_alarms(black(), problem="the picture is black"), AT_21_14_MS)

    assert [alarm.message for alarm in other] == ["the disk is full", "the picture is black"]
    assert [alarm.message for alarm in same] == ["the picture is black"]


def test_an_alarm_is_news_once_however_its_words_change():
    first = shown_alarms(with_alarms(black()), AT_21_14_MS)
    later = shown_alarms(
        with_alarms(control_pb2.Alarm(code="black", message="the picture has been black for 60 s")),
        AT_21_14_MS,
    )

    assert [alarm.code for alarm in fresh_alarms([], first)] == ["black"]
    assert fresh_alarms(["black"], later) == []
    assert [alarm.code for alarm in fresh_alarms(["frozen"], later)] == ["black"]


def test_the_checks_are_told_with_what_they_found():
    health = control_pb2.Health(
        last_check_unix_ms=1,
        last_check_age_s=12.4,
        checks=[
            control_pb2.HealthCheck(name="decodes", is_ok=True),
            control_pb2.HealthCheck(name="black", is_ok=False, detail="mean 0.4"),
        ],
    )

    assert check_words(health) == "last check 12 s ago"
    assert check_words(control_pb2.Health()) == "not checked yet"
    assert check_lines(health) == "ok: decodes\nNOT ok: black, mean 0.4"


# -- the panel's lines


def test_what_can_be_saved_comes_with_the_age_of_the_last_check():
    status = control_pb2.Status(
        buffered_ns=298 * SECOND_NS,
        hotkey="F8",
        clip_folder="/videos",
        health=control_pb2.Health(last_check_unix_ms=1, last_check_age_s=12),
    )

    assert detail_words(status) == (
        "4:58 ready to save · last check 12 s ago · F8 saves 30 s · clips go to /videos"
    )
    assert detail_words(status, is_compact=True) == "4:58 ready to save · last check 12 s ago · F8 saves 30 s"


def test_the_cost_is_told_in_full():
    cost = control_pb2.Cost(
        cpu_s_per_s=0.31, rss_bytes=170 << 20, dropped_pct=0.4, mb_per_min=64.2, gb_per_day=92.4
    )

    assert cost_words(control_pb2.Status(cost=cost)) == (
        "0.31 CPU cores · 170 MiB · 0.4 % of frames dropped · 64 MB/min · 92 GB/day · 0.0 MB left this PC today"
    )


def test_the_ladders_step_is_told_with_its_reason():
    picture = control_pb2.Picture(step="30 fps", step_reason="the machine is busy")

    assert step_words(picture) == "Recording less than asked for, 30 fps: the machine is busy"
    assert step_words(control_pb2.Picture()) == ""


def test_another_encoder_than_the_wished_one_is_told_with_the_reason():
    status = control_pb2.Status(
        width=1920,
        height=1080,
        frame_rate=60,
        video_encoder="libx264",
        picture=control_pb2.Picture(codec="h264", encoder_reason="h264_nvenc: no driver"),
    )

    assert picture_words(status) == "1920×1080 at 60 fps, h264 by libx264 (h264_nvenc: no driver)"
    assert picture_words(control_pb2.Status(width=640, height=360, frame_rate=30)) == "640×360 at 30 fps"


def test_what_went_wrong_beside_the_alarms_is_one_line():
    status = control_pb2.Status(last_press_error="disk full", warnings=["no microphone"])

    assert trouble_words(status) == "the last press was not saved: disk full · no microphone"


# -- the buffer's line


def epoch(start_s: float, end_s: float, reason: str) -> control_pb2.Epoch:
    return control_pb2.Epoch(
        start_ns=round(start_s * SECOND_NS), end_ns=round(end_s * SECOND_NS), reason=reason
    )


def buffered(*epochs: control_pb2.Epoch, now_s: int) -> control_pb2.Status:
    return control_pb2.Status(now_ns=now_s * SECOND_NS, buffer=control_pb2.Buffer(epochs=epochs))


def test_a_gap_has_its_length_its_place_and_its_reason():
    parts = buffer_parts(buffered(epoch(10, 100, "start"), epoch(130, 200, "suspended"), now_s=200))

    assert [(part.kind, part.from_ns // SECOND_NS, part.to_ns // SECOND_NS) for part in parts] == [
        ("older", 190, 100),
        ("gap", 100, 70),
        ("newest", 70, 0),
    ]
    assert parts[1].words == "30 s missing, 1:10 ago: the computer slept"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("size", "the picture changed its size"),
        ("encoder", "another encoder or frame rate took over"),
        ("screen", "the screen was away"),
        ("stopped", "the recorder stood still"),
        ("start", "a new recording began"),
        # Of an engine that knows more reasons than this app.
        ("", "a new recording began"),
        ("eclipse", "eclipse"),
    ],
)
def test_epochs_that_follow_one_another_are_parted_by_a_mark(reason: str, words: str):
    parts = buffer_parts(buffered(epoch(0, 100, "start"), epoch(100.1, 200, reason), now_s=200))

    assert [part.kind for part in parts] == ["older", "mark", "newest"]
    assert parts[1].words.endswith(f"ago: {words}")


def test_a_ring_that_has_stopped_growing_shows_the_hole_at_its_end():
    parts = buffer_parts(buffered(epoch(0, 100, "start"), now_s=112))

    assert (parts[-1].kind, parts[-1].words) == ("gap", "nothing has been recorded for 12 s")


def test_an_engine_that_tells_no_epochs_shows_what_it_buffered():
    [part] = buffer_parts(control_pb2.Status(buffered_ns=42 * SECOND_NS))

    assert (part.kind, part.words) == ("newest", "42 s can be saved now")
    assert buffer_parts(control_pb2.Status()) == []


def test_the_line_is_told_to_those_who_cannot_see_it():
    parts = buffer_parts(buffered(epoch(0, 100, "start"), epoch(130, 200, "screen"), now_s=200))

    assert buffer_words(parts) == "1:10 can be saved now; 30 s missing, 1:10 ago: the screen was away"
    assert buffer_words([]) == "Nothing can be saved yet"


# -- clips


def test_a_clips_worst_news_is_its_last_line():
    def last(**changes: object) -> tuple[str, str]:
        clip = dataclasses.replace(CLIP, **changes)  # type: ignore[arg-type]
        return clip_lines(ShownClip(clip=clip, is_there=True))[2]

    assert last() == ("saved in 41 ms", "fact")
    assert last(note="no desktop sound") == ("no desktop sound", "note")
    assert last(note="x", trashed_unix_ms=AT_21_14_MS)[0] == "deleted for good on 19 Mar, 21:14"
    assert clip_lines(ShownClip(clip=CLIP, is_there=False))[2] == ("the file is gone", "problem")


def test_a_clip_is_called_by_its_title_or_by_its_file():
    named = dataclasses.replace(CLIP, title="What a goal")

    assert clip_lines(ShownClip(clip=named, is_there=True))[0] == ("What a goal", "name")
    assert clip_lines(ShownClip(clip=CLIP, is_there=True))[0] == ("a", "name")


def test_ends_can_be_moved_only_as_far_as_there_is_something():
    clip = dataclasses.replace(
        CLIP, start_ns=100 * SECOND_NS, end_ns=130 * SECOND_NS, min_start_ns=70 * SECOND_NS,
        max_end_ns=130 * SECOND_NS,
    )  # fmt: skip

    room = room_of(clip)

    assert room is not None
    assert (room.min_start_ns, room.max_end_ns) == (70 * SECOND_NS, 130 * SECOND_NS)
    assert room_of(dataclasses.replace(clip, min_start_ns=100 * SECOND_NS)) is None
    assert room_of(CLIP) is None


def test_moved_ends_are_told_in_seconds():
    clip = dataclasses.replace(
        CLIP, start_ns=100 * SECOND_NS, end_ns=130 * SECOND_NS, min_start_ns=70 * SECOND_NS,
        max_end_ns=145 * SECOND_NS,
    )  # fmt: skip
    room = room_of(clip)
    assert room is not None

    moved = dataclasses.replace(room, start_ns=90 * SECOND_NS, end_ns=128 * SECOND_NS)

    assert ends_words(clip, room) == "30.0 s"
    assert ends_words(clip, moved) == "38.0 s · starts 10.0 s earlier · ends 2.0 s earlier (was 30.0 s)"


@pytest.mark.parametrize(
    ("time_ms", "words"), [(0, "0:00.0"), (65_340, "1:05.3"), (59_960, "1:00.0"), (3_600_000, "1:00:00.0")]
)
def test_a_time_on_the_line_is_told_to_a_tenth(time_ms: int, words: str):
    assert tenths(time_ms) == words


@pytest.mark.parametrize(
    ("platform", "command"),
    [
        ("linux", None),
        ("darwin", ["open", "-R", "/videos/a b.mp4"]),
        ("win32", ["explorer", "/select,/videos/a b.mp4"]),
    ],
)
def test_each_desktop_shows_a_file_in_its_own_way(platform: str, command: list[str] | None):
    assert reveal_command(Path("/videos/a b.mp4"), platform) == command


# -- sound


@pytest.mark.parametrize(
    ("level_db", "share"), [(-120, 0.0), (-60, 0.0), (-30, 0.5), (-6, 0.9), (0, 1.0), (3, 1.0)]
)
def test_a_level_has_its_place_on_the_scale(level_db: float, share: float):
    assert share_of(level_db) == pytest.approx(share)


def test_a_level_is_told_to_those_who_cannot_see_it():
    assert level_words(-18, -5, is_running=True) == "-18 dB, peak -5 dB"
    assert level_words(-3, 0, is_running=True) == "-3 dB, peak 0 dB, too loud: it clips"
    assert level_words(-120, -120, is_running=True) == "silent"
    assert level_words(-120, -120, is_running=False) == "no sound comes"


# -- what a killed recorder left, and forgetting


def test_what_can_still_be_saved_is_told_with_the_time_of_the_end():
    left = control_pb2.Recoverable(
        duration_ns=272 * SECOND_NS, ended_unix_ms=AT_21_14_MS, created_unix_ms=AT_21_14_MS - 90 * MINUTE_MS
    )
    now_ms = AT_21_14_MS + 10 * MINUTE_MS

    expected = "The recorder ended unexpectedly at 21:14; 4:32 can still be saved"
    assert recovery_words([left], now_ms) == expected
    assert recovery_words([left, left], now_ms) == f"{expected} (1 earlier one after this)"
    left.ended_unix_ms = 0
    assert recovery_words([left], now_ms).startswith("The recorder that began at 19:44 ended unexpectedly")


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (
            control_pb2.ForgottenThing(what="ring", count=1, size_bytes=900_000),
            "1 piece of the buffer, 900 kB",
        ),
        (control_pb2.ForgottenThing(what="outbox", count=3), "3 chunks that wait to be sent"),
        (
            control_pb2.ForgottenThing(what="coordinator", reason="not connected"),
            "Things at the coordinator: not connected",
        ),
        # Of an engine that holds more kinds of things than this app knows.
        (control_pb2.ForgottenThing(what="captions", count=2), "2 captions"),
    ],
)
def test_each_thing_that_goes_has_its_words(thing: control_pb2.ForgottenThing, words: str):
    assert thing_words(thing) == words


def test_a_receipt_says_what_went_and_what_remains():
    receipt = control_pb2.ForgetReceipt(
        end_ns=31 * SECOND_NS,
        gone=[control_pb2.ForgottenThing(what="ring", count=31)],
        remaining=[
            control_pb2.ForgottenThing(what="coordinator", count=1, reason="its backups, until 3 April")
        ],
    )

    assert receipt_lines(receipt) == [
        "Gone: 31 s",
        "  • 31 pieces of the buffer",
        "Remains:",
        "  • 1 thing at the coordinator: its backups, until 3 April",
    ]
    assert receipt_lines(control_pb2.ForgetReceipt()) == ["Nothing holds any of it"]


@pytest.mark.parametrize(
    ("length_s", "words"), [(0.5, "0.5 s"), (9.94, "9.9 s"), (30, "30 s"), (272, "4:32"), (3723, "1:02:03")]
)
def test_a_length_reads_as_a_person_says_it(length_s: float, words: str):
    assert length_words(round(length_s * SECOND_NS)) == words


def test_a_size_reads_in_the_unit_that_fits():
    assert [size_words(size) for size in (812_000, 12_300_000, 1_240_000_000)] == [
        "812 kB", "12.3 MB", "1.2 GB",
    ]  # fmt: skip
