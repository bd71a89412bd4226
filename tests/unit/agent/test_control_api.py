"""The control API over its real socket, with an engine that answers as it is told."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.control.client import ControlClient
from agent.control.server import ControlServer, Desks
from agent.control.wire import clip_from_wire, clip_to_wire
from agent.control.words import status_lines, status_value
from agent.errors import AgentError, DiskFull, EngineNotRunning, InputUnusable, NothingToClip
from agent.model.clips import SavedClip
from agent.paths import AgentPaths
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS
from tests.fakes.told_engine import CLIP, ToldEngine


@pytest.fixture
def engine() -> ToldEngine:
    return ToldEngine()


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return AgentPaths(data=tmp_path).control_socket


@pytest.fixture
def client(engine: ToldEngine, socket_path: Path) -> Iterator[ControlClient]:
    server = ControlServer(engine, engine, socket_path)
    server.start()
    client = ControlClient(socket_path)
    yield client
    client.close()
    server.stop()


def test_a_clip_travels_whole(client: ControlClient, engine: ToldEngine):
    assert client.save_clip(last_ns=30 * SECOND_NS, is_exact=True) == CLIP
    assert engine.saved_with == [(30 * SECOND_NS, "command", True)]


@pytest.mark.parametrize(
    "failure",
    [NothingToClip("the buffer is empty; wait a second"), DiskFull("12 MB are free, 40 MB are needed")],
)
def test_the_reason_of_a_failed_save_reaches_the_caller(
    client: ControlClient, engine: ToldEngine, failure: AgentError
):
    engine.failure = failure

    with pytest.raises(type(failure), match=str(failure)):
        client.save_clip(last_ns=SECOND_NS)


def test_lists_and_devices_travel(client: ControlClient):
    assert client.clips() == [CLIP]
    assert client.moments().moments[0].moment.title == "What a goal"
    assert client.devices()[0].kind == "screen"


def test_a_new_clips_tracks_and_title_travel(client: ControlClient, engine: ToldEngine):
    client.save_clip(last_ns=SECOND_NS, tracks=["mix", "mic"], title="Ace")

    assert engine.tracks_and_title == (("mix", "mic"), "Ace")


def test_every_field_of_a_clip_travels():
    clip = dataclasses.replace(
        CLIP,
        title="Ace",
        is_locked=True,
        trashed_unix_ms=7,
        min_start_ns=1,
        max_end_ns=9,
        note="12 s of 30 s",
        tracks=("mix", "mic"),
        trigger="voice",
    )

    assert clip_from_wire(clip_to_wire(clip)) == clip


def test_key_events_travel_with_their_time(client: ControlClient, engine: ToldEngine):
    pressed = client.press_key(control_pb2.KEY_ACTION_DOWN, monotonic_ns=5)
    released = client.press_key(control_pb2.KEY_ACTION_UP)

    assert (pressed, released) == (CLIP, None)
    assert engine.key_events == [(True, 5, "command"), (False, 0, "command")]


def test_a_clip_is_moved_shared_named_thrown_away_and_taken_back(client: ControlClient, engine: ToldEngine):
    assert client.move_clip_ends("c1", end_ns=2 * SECOND_NS).end_ns == 2 * SECOND_NS
    assert client.share_clip("c1", tracks=["mic"]) == Path("/shared/micc1.mp4")
    assert client.update_clip("c1", title="Ace").title == "Ace"
    assert client.trash_clip("c1").trashed_unix_ms > 0
    assert (client.clips(), len(client.clips(is_trash=True))) == ([], 1)
    assert client.restore_clip("c1").trashed_unix_ms == 0
    client.trash_clip("c1")
    assert [clip.clip_id for clip in client.empty_trash(is_preview=True)] == ["c1"]
    assert [clip.clip_id for clip in client.empty_trash(is_preview=False)] == ["c1"]
    assert client.clips(is_trash=True) == []


def test_a_refused_wish_reaches_the_caller_as_what_it_is(client: ControlClient):
    client.update_clip("c1", is_locked=True)

    with pytest.raises(InputUnusable, match="locked"):
        client.trash_clip("c1")
    with pytest.raises(InputUnusable, match="no clip 'zz'"):
        client.share_clip("zz")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.set_sound("mic", is_muted=True),
        lambda client: client.recoverable(),
        lambda client: client.forget(last_ns=1, is_preview=True),
    ],
)
def test_what_an_engine_does_not_have_is_said_in_words(client: ControlClient, ask: Callable[..., object]):
    with pytest.raises(AgentError, match="this engine has no"):
        ask(client)


class OtherDesks:
    """Ports `SoundDesk`, `Recovery` and `Forgetter`, in one."""

    def __init__(self) -> None:
        self.sound: tuple[object, ...] = ()
        self.discarded = ""

    def set_sound(
        self, name: str, *, gain_db: float | None, is_muted: bool | None, is_noise_suppressed: bool | None
    ) -> None:
        self.sound = (name, gain_db, is_muted, is_noise_suppressed)

    def sessions(self) -> list[control_pb2.Recoverable]:
        return [control_pb2.Recoverable(session_id="old")]

    def recover(self, session_id: str, *, last_ns: int = 0) -> SavedClip:
        return dataclasses.replace(CLIP, session_id=session_id)

    def discard(self, session_id: str) -> None:
        self.discarded = session_id

    def forget(self, request: control_pb2.ForgetRequest) -> control_pb2.ForgetReceipt:
        return control_pb2.ForgetReceipt(is_preview=request.is_preview)


def test_the_other_desks_are_asked_where_there_are_some(engine: ToldEngine, socket_path: Path):
    other = OtherDesks()
    desks = Desks(sound=other, recovery=other, forgetter=other)
    server = ControlServer(engine, engine, socket_path, desks=desks)
    server.start()
    client = ControlClient(socket_path)

    assert client.set_sound("mic", gain_db=3.0).state == "ready"
    assert client.recoverable()[0].session_id == "old"
    assert client.recover("old").session_id == "old"
    client.discard_recoverable("old")
    assert client.forget(last_ns=1, is_preview=True).is_preview

    assert (other.sound, other.discarded) == (("mic", 3.0, None, None), "old")
    client.close()
    server.stop()


def test_a_watcher_gets_a_status_at_once_and_another_at_a_change(client: ControlClient):
    statuses = client.watch_status()

    assert [next(statuses).state, next(statuses).state] == ["ready", "ready"]


def test_the_socket_and_its_folder_are_the_users_alone(client: ControlClient, socket_path: Path):
    client.status()

    assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600


def test_stop_reaches_the_engine(client: ControlClient, engine: ToldEngine):
    client.stop_engine()

    assert engine.stopped.wait(2)


def test_without_an_engine_the_client_says_how_to_start_one(tmp_path: Path):
    client = ControlClient(tmp_path / "control.sock")

    with pytest.raises(EngineNotRunning, match="clippy engine"):
        client.status()
    client.close()


def test_a_new_engine_takes_over_the_socket_a_killed_one_left(engine: ToldEngine, socket_path: Path):
    socket_path.parent.mkdir(parents=True)
    socket_path.touch()
    server = ControlServer(engine, engine, socket_path)
    server.start()
    client = ControlClient(socket_path)

    assert client.status().state == "ready"
    client.close()
    server.stop()


def test_a_long_data_directory_gets_a_short_socket_path(tmp_path: Path):
    paths = AgentPaths(data=tmp_path / ("deep/" * 40))

    assert len(str(paths.control_socket)) < 100


def test_a_status_reads_as_words_the_state_first_then_alarms_then_the_cost():
    lines = status_lines(
        control_pb2.Status(
            state="ready",
            buffered_ns=298 * SECOND_NS,
            max_buffer_ns=300 * SECOND_NS,
            warnings=["no microphone"],
            health=control_pb2.Health(
                last_check_unix_ms=1,
                last_check_age_s=12.3,
                alarms=[control_pb2.Alarm(code="silent_mic", message="the microphone is dead")],
            ),
            cost=control_pb2.Cost(
                cpu_s_per_s=0.31, rss_bytes=142 << 20, mb_per_min=61.2, gb_per_day=88.1, written_bytes=9
            ),
        )
    )

    assert lines[:4] == [
        "ready 4:58, last check 12 s ago",
        "ALARM silent_mic: the microphone is dead",
        "warning: no microphone",
        "costs 0.31 CPU cores, 142 MiB, 0.0 % dropped, 61 MB/min, 88 GB/day if it ran all day",
    ]


@pytest.mark.parametrize(
    ("picture", "line"),
    [
        (
            control_pb2.Picture(
                step="30 fps instead of 60", step_reason="4.1% of the ticks were lost over 5 s", loss_pct=0.2
            ),
            "picture: 30 fps instead of 60, because 4.1% of the ticks were lost over 5 s",
        ),
        (control_pb2.Picture(loss_pct=1.5), "picture: 1.5 % of the frames of the last 5 s were lost"),
        (
            control_pb2.Picture(encoder_reason="h264_nvenc: device lost; libx264 instead"),
            "encoder: h264_nvenc: device lost; libx264 instead",
        ),
        (
            control_pb2.Picture(is_proxy_on=True),
            "proxy: a small picture of the stream goes to the coordinator",
        ),
    ],
)
def test_what_is_out_of_the_ordinary_with_the_picture_has_a_line(picture: control_pb2.Picture, line: str):
    usual = status_lines(control_pb2.Status(picture=control_pb2.Picture(codec="h264", tier="owner")))

    lines = status_lines(control_pb2.Status(picture=picture))

    assert [text for text in lines if text not in usual] == [line]


def test_a_gap_in_the_buffer_is_said_with_its_reason():
    epochs = [
        control_pb2.Epoch(start_ns=0, end_ns=60 * SECOND_NS, reason="start"),
        control_pb2.Epoch(start_ns=70 * SECOND_NS, end_ns=135 * SECOND_NS, reason="suspended"),
    ]

    lines = status_lines(
        control_pb2.Status(now_ns=135 * SECOND_NS, buffer=control_pb2.Buffer(folder="/r", epochs=epochs))
    )

    assert "buffer: cut 1:05 ago (the machine slept)" in lines


def test_what_is_not_known_yet_is_null_in_json():
    before = status_value(control_pb2.Status(health=control_pb2.Health(), cost=control_pb2.Cost()))
    after = status_value(
        control_pb2.Status(
            health=control_pb2.Health(last_check_unix_ms=5), cost=control_pb2.Cost(gb_per_day=1.5)
        )
    )

    assert before["picture"] is None
    assert before["health"]["last_check_unix_ms"] is None and before["health"]["last_check_age_s"] is None
    assert before["cost"]["gb_per_day"] is None and before["cost"]["cpu_s_per_s"] == 0
    assert after["health"]["last_check_age_s"] == 0 and after["cost"]["gb_per_day"] == 1.5
