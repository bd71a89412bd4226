"""The control API over its real socket, with an engine that answers as it is told."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.control.client import ControlClient
from agent.control.server import ControlServer
from agent.control.words import status_lines
from agent.errors import AgentError, DiskFull, EngineNotRunning, NothingToClip
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
    server = ControlServer(engine, socket_path)
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
    server = ControlServer(engine, socket_path)
    server.start()
    client = ControlClient(socket_path)

    assert client.status().state == "ready"
    client.close()
    server.stop()


def test_a_long_data_directory_gets_a_short_socket_path(tmp_path: Path):
    paths = AgentPaths(data=tmp_path / ("deep/" * 40))

    assert len(str(paths.control_socket)) < 100


def test_a_status_reads_as_words():
    lines = status_lines(
        control_pb2.Status(
            state="ready",
            buffered_ns=298 * SECOND_NS,
            max_buffer_ns=300 * SECOND_NS,
            warnings=["no microphone"],
        )
    )

    assert lines[0] == "ready 4:58 of 5 min"
    assert "warning: no microphone" in lines


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
